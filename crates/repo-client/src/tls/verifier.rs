//! Which servers are taken: those for which a CA vouches, and those whose own certificate stands in the files of trusted ones.

use std::collections::HashSet;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    ClientConfig, DigitallySignedStruct, Error as TlsError, RootCertStore, SignatureScheme,
};

use super::{fault, is_ca, own_pem};
use crate::error::{Cause, TlsFault};
use crate::options::Tls;

/// The library's checks, and what they refuse for no other reason than that it may sign others, too, while it is, byte for
/// byte, one of the certificates that are trusted: what `openssl req -x509` makes.
#[derive(Debug)]
struct Verifier {
    checks: Arc<WebPkiServerVerifier>,
    trusted: HashSet<CertificateDer<'static>>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        own: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        match self.checks.verify_server_cert(own, others, name, ocsp, now) {
            // Its times of validity were looked at before; its name was not.
            Err(TlsError::InvalidCertificate(why)) if is_ca(&why) && self.trusted.contains(own) => {
                verify_server_name(&ParsedCertificate::try_from(own)?, name)?;
                Ok(ServerCertVerified::assertion())
            }
            checked => checked,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.checks.verify_tls12_signature(message, cert, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.checks.verify_tls13_signature(message, cert, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.checks.supported_verify_schemes()
    }
}

/// How TLS is spoken with servers that are checked; over HTTP/1.1 only if requests are to be `apart`.
///
/// Errors: our own certificate or key cannot be used.
pub(crate) fn config(
    trusted: Vec<CertificateDer<'static>>,
    tls: &Tls,
    apart: bool,
) -> Result<ClientConfig, Cause> {
    let failed = |why: &dyn std::fmt::Display| fault(TlsFault::LocalFile, why.to_string());
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(trusted.iter().cloned());
    let checks = WebPkiServerVerifier::builder(Arc::new(roots)).build();
    let verifier = Verifier {
        checks: checks.map_err(|e| failed(&e))?,
        trusted: trusted.into_iter().collect(),
    };
    let config = ClientConfig::builder()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    let mut config = match own_pem(tls)? {
        None => config.with_no_client_auth(),
        Some(pem) => {
            let certs: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
            // The key stands last, whatever else the file of the certificate holds.
            let key = PrivateKeyDer::pem_slice_iter(&pem).last().transpose();
            let key = key.map_err(|e| failed(&e))?;
            let key = key.ok_or_else(|| failed(&"no private key"))?;
            let config = config.with_client_auth_cert(certs.map_err(|e| failed(&e))?, key);
            config.map_err(|e| failed(&e))?
        }
    };
    let spoken: &[&str] = match apart {
        true => &["http/1.1"],
        false => &["h2", "http/1.1"],
    };
    config.alpn_protocols = spoken.iter().map(|name| name.as_bytes().to_vec()).collect();
    Ok(config)
}
