//! Certificates: which CAs are trusted, who we are, and what a failed handshake meant.

use std::error::Error as StdError;
use std::path::{Path, PathBuf};

use reqwest::{Certificate, Identity};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{AlertDescription, CertificateError, InconsistentKeys, RootCertStore};

use crate::error::{Cause, TlsFault};
use crate::options::{CA_BUNDLES, ClientOptions, Tls};

/// Chooses the cryptography of TLS, once a process: reqwest takes the process's default and has none of its own here.
pub(crate) fn install_provider() {
    // An error means that it was chosen before.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

fn fault(fault: TlsFault, text: impl Into<String>) -> Cause {
    Cause::Tls {
        fault,
        text: text.into(),
    }
}

/// The certificates that may sign a server's: the first system bundle that can be read, and
/// `sslcacert`. Certificates the library cannot use are left out; none at all is an error.
pub(crate) fn trusted(options: &ClientOptions, tls: &Tls) -> Result<Vec<Certificate>, Cause> {
    let mut found = Vec::new();
    let bundles: Vec<&Path> = match options.ca_bundles.as_slice() {
        [] => CA_BUNDLES.iter().map(Path::new).collect(),
        named => named.iter().map(PathBuf::as_path).collect(),
    };
    bundles.iter().any(|path| load(path, &mut found).is_ok());
    if let Some(path) = &tls.ca {
        load(path, &mut found).map_err(|why| fault(TlsFault::LocalFile, why))?;
    }
    if found.is_empty() {
        return Err(fault(TlsFault::NoCa, ""));
    }
    Ok(found)
}

fn load(path: &Path, found: &mut Vec<Certificate>) -> Result<(), String> {
    let named = |why: &dyn std::fmt::Display| format!("{}: {why}", path.display());
    let text = std::fs::read(path).map_err(|e| named(&e))?;
    let before = found.len();
    let mut store = RootCertStore::empty();
    for der in CertificateDer::pem_slice_iter(&text).filter_map(Result::ok) {
        if let Ok(usable) = Certificate::from_der(&der)
            && store.add(der).is_ok()
        {
            found.push(usable);
        }
    }
    if found.len() == before {
        Err(named(&"no certificate in it"))
    } else {
        Ok(())
    }
}

/// Our own certificate and key, if the repository names one.
pub(crate) fn identity(tls: &Tls) -> Result<Option<Identity>, Cause> {
    let Some(cert) = &tls.client_cert else {
        return Ok(None);
    };
    let read = |path: &Path| {
        std::fs::read(path)
            .map_err(|e| fault(TlsFault::LocalFile, format!("{}: {e}", path.display())))
    };
    let mut pem = read(cert)?;
    let key = match &tls.client_key {
        Some(key) => read(key)?,
        None => pem.clone(),
    };
    let key_file = tls.client_key.as_ref().unwrap_or(cert);
    fits(&pem, &key, (cert, key_file)).map_err(|why| fault(TlsFault::LocalFile, why))?;
    if tls.client_key.is_some() {
        pem.push(b'\n');
        pem.extend(key);
    }
    let whole = Identity::from_pem(&pem).map_err(|e| {
        let why = e
            .source()
            .map_or_else(|| e.to_string(), ToString::to_string);
        fault(TlsFault::LocalFile, format!("{}: {why}", cert.display()))
    })?;
    Ok(Some(whole))
}

/// Whether a key is that of a certificate, and both can be used: the library says no more than "builder error".
fn fits(cert: &[u8], key: &[u8], (cert_file, key_file): (&Path, &Path)) -> Result<(), String> {
    let (cert_name, key_name) = (cert_file.display(), key_file.display());
    if key.windows(9).any(|word| word == b"ENCRYPTED") {
        return Err(format!(
            "{key_name}: the key is encrypted, and nobody is asked for its password"
        ));
    }
    let key = PrivateKeyDer::from_pem_slice(key)
        .map_err(|e| format!("{key_name}: {}", unread(&e, "private key", key)))?;
    let certs: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(cert).collect();
    let certs = certs.and_then(|certs| match certs.is_empty() {
        true => Err(pem::Error::NoItemsFound),
        false => Ok(certs),
    });
    let certs = certs.map_err(|e| format!("{cert_name}: {}", unread(&e, "certificate", cert)))?;
    let key = rustls::crypto::ring::sign::any_supported_type(&key)
        .map_err(|e| format!("{key_name}: {e}"))?;
    match CertifiedKey::new(certs, key).keys_match() {
        Ok(()) | Err(rustls::Error::InconsistentKeys(InconsistentKeys::Unknown)) => Ok(()),
        Err(rustls::Error::InconsistentKeys(_)) => Err(format!(
            "{key_name}: the key does not belong to the certificate {cert_name}"
        )),
        Err(error) if error.to_string().contains("UnsupportedCertVersion") => Err(format!(
            "{cert_name}: a certificate of X.509 version 1 cannot be used; it must be of version 3 \
             (openssl x509 -req makes one with -extfile)"
        )),
        Err(error) => Err(format!("{cert_name}: {error}")),
    }
}

/// Why a file of ours gives no certificate or key.
fn unread(error: &pem::Error, what: &str, data: &[u8]) -> String {
    match error {
        // The outermost sequence of DER.
        pem::Error::NoItemsFound if data.first() == Some(&0x30) => {
            format!(
                "no {what} in it as PEM: it seems to be DER (openssl reads that with -inform DER and writes PEM)"
            )
        }
        pem::Error::NoItemsFound => format!("no {what} in it"),
        pem::Error::MissingSectionEnd { .. } => {
            "it is cut off: the end of its PEM text is missing".to_owned()
        }
        other => other.to_string(),
    }
}

/// A server that refuses our certificate: which file that is.
pub(crate) fn naming_ours(cause: Cause, tls: &Tls) -> Cause {
    match (cause, &tls.client_cert) {
        (
            Cause::Tls {
                fault: TlsFault::ClientCertificate,
                text,
            },
            Some(path),
        ) => fault(
            TlsFault::ClientCertificate,
            format!("{}: {text}", path.display()),
        ),
        (cause, _) => cause,
    }
}

/// What a TLS error of the library means.
pub(crate) fn classify(error: &rustls::Error) -> Cause {
    use CertificateError as C;
    let kind = match error {
        rustls::Error::InvalidCertificate(why) => match why {
            C::Expired | C::ExpiredContext { .. } => TlsFault::Expired,
            C::NotValidYet | C::NotValidYetContext { .. } => TlsFault::NotYetValid,
            C::NotValidForName | C::NotValidForNameContext { .. } => TlsFault::WrongHost,
            C::UnknownIssuer => TlsFault::UnknownCa,
            C::Revoked => TlsFault::Revoked,
            _ => TlsFault::Handshake,
        },
        rustls::Error::AlertReceived(
            AlertDescription::CertificateRequired
            | AlertDescription::BadCertificate
            | AlertDescription::UnknownCA
            | AlertDescription::CertificateUnknown
            | AlertDescription::CertificateExpired
            | AlertDescription::AccessDenied,
        ) => TlsFault::ClientCertificate,
        _ => TlsFault::Handshake,
    };
    fault(kind, error.to_string())
}
