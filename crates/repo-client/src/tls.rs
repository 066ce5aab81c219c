//! Certificates: which CAs are trusted, who we are, and what a failed handshake meant.

pub(crate) mod verifier;

use std::collections::HashSet;
use std::error::Error as StdError;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::{DateTime, Utc};
use reqwest::Identity;
use rustix::fs::OFlags;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{AlertDescription, CertificateError, InconsistentKeys, InvalidMessage, RootCertStore};

use crate::error::{Cause, TlsFault};
use crate::options::{CA_BUNDLES, ClientOptions, Tls};

/// Most bytes of a file of certificates or keys: 16 MiB, where the bundles of systems have 300 KiB.
const MAX_PEM: u64 = 16 << 20;

/// Most files of a directory of certificates; Debian's has 300.
const MAX_CA_FILES: usize = 10_000;

/// What there is to say once where nobody but this program has certificates.
pub const BUILTIN_ROOTS_USED: &str = "the system has no CA certificates: Mozilla's, which this program brings, are trusted \
     (ssl_builtin_roots=0 turns that off)";

/// Why those that this program brings are not trusted.
const BUILT_IN_OFF: &str = "and those that this program brings are off: ssl_builtin_roots=0";

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

/// The certificates that may sign a server's: those of `sslcacert`, and of the environment or else the first system
/// bundle that can be read; where none of all these is, Mozilla's (`told`: whether that was said). Certificates the
/// library cannot use are left out; none at all is an error.
pub(crate) fn trusted(
    options: &ClientOptions,
    tls: &Tls,
    told: &AtomicBool,
) -> Result<Vec<CertificateDer<'static>>, Cause> {
    let local = |why| fault(TlsFault::LocalFile, why);
    let mut found = Roots::default();
    if let Some(path) = &tls.ca {
        found.add_file(path).map_err(local)?;
    }
    let named = &options.ca_environment;
    if let Some(path) = &named.file {
        let added = found.add_file(path);
        added.map_err(|why| local(format!("SSL_CERT_FILE: {why}")))?;
    }
    for dir in &named.dirs {
        let added = found.add_dir(dir);
        added.map_err(|why| local(format!("SSL_CERT_DIR: {why}")))?;
    }
    if named.is_empty() {
        let mut bundles: Vec<&Path> = match options.ca_bundles.as_slice() {
            [] => CA_BUNDLES.iter().map(Path::new).collect(),
            named => named.iter().map(PathBuf::as_path).collect(),
        };
        bundles.retain(|path| path.try_exists().unwrap_or(true));
        let mut unusable = None;
        for path in bundles {
            match found.add_file(path) {
                Ok(()) => break,
                Err(why) => unusable = unusable.or(Some(why)),
            }
        }
        // Whoever emptied the system's bundle wants nobody trusted, and whoever broke it wants to know.
        if let Some(why) = unusable.filter(|_| found.usable.is_empty()) {
            return Err(fault(TlsFault::NoCa, why));
        }
    }
    match found.usable.is_empty() {
        true if tls.builtin_roots => Ok(built_in(told)),
        true => Err(fault(TlsFault::NoCa, BUILT_IN_OFF)),
        false => Ok(found.usable),
    }
}

/// Mozilla's certificate authorities; `told` is whether that was said.
fn built_in(told: &AtomicBool) -> Vec<CertificateDer<'static>> {
    if !told.swap(true, Ordering::Relaxed) {
        tracing::info!("{BUILTIN_ROOTS_USED}");
    }
    webpki_root_certs::TLS_SERVER_ROOT_CERTS.to_vec()
}

/// A file of certificates or keys: a regular one, not longer than [`MAX_PEM`].
fn read_pem(path: &Path) -> io::Result<Vec<u8>> {
    let (file, _) = whole_file::open_named(path, OFlags::RDONLY)?;
    whole_file::read_up_to(file, MAX_PEM)
}

/// Certificates that are trusted, each once.
#[derive(Default)]
struct Roots {
    seen: HashSet<CertificateDer<'static>>,
    usable: Vec<CertificateDer<'static>>,
}

impl Roots {
    /// Adds the certificates of a file.
    ///
    /// Errors: it cannot be read, or none can.
    fn add_file(&mut self, path: &Path) -> Result<(), String> {
        let named = |why: &dyn std::fmt::Display| format!("{}: {why}", path.display());
        let text = read_pem(path).map_err(|e| named(&e))?;
        let mut store = RootCertStore::empty();
        let mut why = pem::Error::NoItemsFound;
        for read in CertificateDer::pem_slice_iter(&text) {
            match read {
                Ok(der) => {
                    if store.add(der.clone()).is_ok() && self.seen.insert(der.clone()) {
                        self.usable.push(der);
                    }
                }
                Err(error) => why = error,
            }
        }
        match store.is_empty() {
            true => Err(named(&unread(&why, "certificate", &text))),
            false => Ok(()),
        }
    }

    /// Adds what the files of a directory have; those without certificates (lists of revoked ones, notes) add nothing.
    fn add_dir(&mut self, dir: &Path) -> Result<(), String> {
        let named = |why: &dyn std::fmt::Display| format!("{}: {why}", dir.display());
        let mut has_any = false;
        for (count, entry) in dir.read_dir().map_err(|e| named(&e))?.enumerate() {
            if count >= MAX_CA_FILES {
                return Err(named(&format!("more than {MAX_CA_FILES} files")));
            }
            let path = entry.map_err(|e| named(&e))?.path();
            match self.add_file(&path) {
                Ok(()) => has_any = true,
                Err(why) => tracing::debug!("no certificate of a CA: {why}"),
            }
        }
        match has_any {
            true => Ok(()),
            false => Err(named(&"no file with a certificate in it")),
        }
    }
}

/// Our own certificate and key, if the repository names one.
pub(crate) fn identity(tls: &Tls) -> Result<Option<Identity>, Cause> {
    let Some((pem, cert)) = own_pem(tls)?.zip(tls.client_cert.as_ref()) else {
        return Ok(None);
    };
    let whole = Identity::from_pem(&pem).map_err(|e| {
        let why = e
            .source()
            .map_or_else(|| e.to_string(), ToString::to_string);
        fault(TlsFault::LocalFile, format!("{}: {why}", cert.display()))
    })?;
    Ok(Some(whole))
}

/// The same as text: the certificates, then the key.
fn own_pem(tls: &Tls) -> Result<Option<Vec<u8>>, Cause> {
    let Some(cert) = &tls.client_cert else {
        return Ok(None);
    };
    let read = |path: &Path| {
        read_pem(path).map_err(|e| fault(TlsFault::LocalFile, format!("{}: {e}", path.display())))
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
    Ok(Some(pem))
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

/// Whether a certificate is refused as a server's because it may sign others: the library asks that after its times of
/// validity and before anything else.
fn is_ca(error: &CertificateError) -> bool {
    matches!(error, CertificateError::Other(_))
        && format!("{error:?}").contains("CaUsedAsEndEntity")
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
            other if is_ca(other) => TlsFault::SelfSigned,
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
    fault(kind, words(error))
}

/// What there is to say of an error besides its kind: names and dates, and no names of types.
fn words(error: &rustls::Error) -> String {
    use CertificateError as C;
    match error {
        rustls::Error::InvalidCertificate(why) => match why {
            C::ExpiredContext { not_after, .. } => {
                format!("it was valid until {}", date(not_after.as_secs()))
            }
            C::NotValidYetContext { not_before, .. } => {
                format!("it is valid from {}", date(not_before.as_secs()))
            }
            C::NotValidForNameContext {
                expected,
                presented,
            } => {
                let names: Vec<&str> = presented.iter().map(|name| bare(name)).collect();
                let of = match names.is_empty() {
                    true => "no name".to_owned(),
                    false => names.join(", "),
                };
                format!("it is for {of}, not for {}", expected.to_str())
            }
            C::Expired | C::NotValidYet | C::NotValidForName | C::UnknownIssuer | C::Revoked => {
                String::new()
            }
            other if is_ca(other) => String::new(),
            other if format!("{other:?}").contains("UnsupportedCertVersion") => {
                "the server has a version 1 certificate: it must be of version 3".to_owned()
            }
            other => format!(
                "the server's certificate: {}",
                spoken(&format!("{other:?}"))
            ),
        },
        rustls::Error::AlertReceived(alert) => {
            format!("the server says: {}", spoken(&format!("{alert:?}")))
        }
        rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType) => {
            "the server speaks no TLS on this port".to_owned()
        }
        rustls::Error::PeerIncompatible(_)
        | rustls::Error::PeerMisbehaved(_)
        | rustls::Error::InvalidMessage(_) => {
            format!("the server's answer: {}", spoken(&format!("{error:?}")))
        }
        other => other.to_string(),
    }
}

/// A name of a certificate: the library writes `DnsName("host")` and `IpAddress(127.0.0.1)`.
fn bare(name: &str) -> &str {
    let inner = name.split_once('(').map_or(name, |(_, inner)| inner);
    inner.trim_matches(|c| c == ')' || c == '"')
}

/// The innermost word of a debug text as words: `Other(CaUsedAsEndEntity)` is "ca used as end entity".
fn spoken(debug: &str) -> String {
    let mut words = debug.split(|c: char| !c.is_ascii_alphanumeric());
    let innermost = words.rfind(|word| !word.is_empty());
    let mut text = String::new();
    for c in innermost.unwrap_or_default().chars() {
        if c.is_ascii_uppercase() && text.ends_with(|before: char| before.is_ascii_lowercase()) {
            text.push(' ');
        }
        text.push(c.to_ascii_lowercase());
    }
    text
}

/// A point in time for people.
fn date(seconds: u64) -> String {
    let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
    let time = DateTime::from_timestamp(seconds, 0).unwrap_or(DateTime::<Utc>::MAX_UTC);
    time.format("%Y-%m-%d %H:%M UTC").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::PeerIncompatible;
    use rustls::pki_types::{ServerName, UnixTime};
    use std::time::Duration;

    /// Of validity and the clock: row 80 of docs/threats.md.
    #[test]
    fn errors_of_tls_are_said_in_plain_words() {
        let at = |seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        let bad = rustls::Error::InvalidCertificate;
        let name = |text: &str| ServerName::try_from(text.to_owned()).unwrap();
        for (error, expected) in [
            (
                bad(CertificateError::ExpiredContext {
                    time: at(200_000),
                    not_after: at(86_400),
                }),
                "TLS: the server's certificate has expired (or the clock here is wrong) (it was valid until 1970-01-02 00:00 UTC)",
            ),
            (
                bad(CertificateError::NotValidYetContext {
                    time: at(0),
                    not_before: at(86_460),
                }),
                "TLS: the server's certificate is not valid yet (or the clock here is wrong) (it is valid from 1970-01-02 00:01 UTC)",
            ),
            (
                bad(CertificateError::NotValidForNameContext {
                    expected: name("127.0.0.1"),
                    presented: vec![
                        "DnsName(\"other.example\")".into(),
                        "IpAddress(10.0.0.1)".into(),
                    ],
                }),
                "TLS: the server's certificate is for another host (it is for other.example, 10.0.0.1, not for 127.0.0.1)",
            ),
            (
                bad(CertificateError::UnknownIssuer),
                "TLS: the server's certificate is from an unknown CA: name it with sslcacert",
            ),
            (
                bad(CertificateError::BadSignature),
                "TLS: handshake failed (the server's certificate: bad signature)",
            ),
            (
                rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType),
                "TLS: handshake failed (the server speaks no TLS on this port)",
            ),
            (
                rustls::Error::AlertReceived(AlertDescription::CertificateRequired),
                "TLS: the server wants a client certificate, or refuses ours: set sslclientcert and sslclientkey \
                 (the server says: certificate required)",
            ),
            (
                rustls::Error::PeerIncompatible(PeerIncompatible::NoCipherSuitesInCommon),
                "TLS: handshake failed (the server's answer: no cipher suites in common)",
            ),
        ] {
            assert_eq!(classify(&error).to_string(), expected);
        }
    }

    #[test]
    fn the_roots_of_this_program_can_all_be_used() {
        let roots = built_in(&AtomicBool::new(true));
        let mut store = RootCertStore::empty();
        let known = webpki_root_certs::TLS_SERVER_ROOT_CERTS;
        let (added, ignored) = store.add_parsable_certificates(known.iter().cloned());
        assert!(added > 100 && ignored == 0, "{added} {ignored}");
        assert_eq!(roots.len(), added);
    }

    #[test]
    fn a_ca_file_in_der_is_said_to_be_one() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), [0x30, 0x82, 1, 1]).unwrap();
        let why = Roots::default().add_file(file.path()).unwrap_err();
        assert!(why.contains("it seems to be DER"), "{why}");
    }
}
