//! How TLS is spoken: the server's certificate, and the authority of which clients must have one.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{InconsistentKeys, RootCertStore, ServerConfig};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls;

use super::watched::Watched;
use crate::config::ServeSection;
use crate::error::{Error, Result};
use crate::layout;

/// Most bytes of a file of certificates or keys.
const MAX_PEM: u64 = 1 << 20;

/// As `serve.tls_*` says; none where it says nothing.
pub(super) fn acceptor(section: &ServeSection) -> Result<Option<Watched<TlsAcceptor>>> {
    let Some(cert) = section.tls_cert.clone() else {
        return Ok(None);
    };
    let key = section.tls_key.clone().unwrap_or_else(|| cert.clone());
    let authority = section.tls_client_ca.clone();
    let mut files = vec![cert.clone(), key.clone()];
    files.extend(authority.clone());
    let read = move || read(&cert, &key, authority.as_deref());
    Watched::new(files, read).map(Some)
}

fn read(cert: &Path, key: &Path, authority: Option<&Path>) -> Result<TlsAcceptor> {
    let provider = Arc::new(ring::default_provider());
    let config = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|why| unfit("tls_cert", cert, why))?;
    let config = match authority {
        None => config.with_no_client_auth(),
        Some(path) => {
            let mut roots = RootCertStore::empty();
            for one in certificates("tls_client_ca", path)? {
                roots
                    .add(one)
                    .map_err(|why| unfit("tls_client_ca", path, why))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            let verifier = verifier.build();
            config.with_client_cert_verifier(
                verifier.map_err(|why| unfit("tls_client_ca", path, why))?,
            )
        }
    };
    let text = layout::read_named(key, MAX_PEM)?;
    let own = PrivateKeyDer::from_pem_slice(&text);
    let own = own.map_err(|_| unfit("tls_key", key, "no private key (PEM) is in it"))?;
    let mut config = config
        .with_single_cert(certificates("tls_cert", cert)?, own)
        .map_err(|why| match why {
            rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                let why = format!(
                    "it does not belong to the certificate of {}",
                    cert.display()
                );
                unfit("tls_key", key, why)
            }
            why => unfit("tls_cert", cert, why),
        })?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn certificates(name: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let text = layout::read_named(path, MAX_PEM)?;
    let read: std::result::Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    match read {
        Ok(all) if !all.is_empty() => Ok(all),
        _ => Err(unfit(name, path, "no certificate (PEM) is in it")),
    }
}

fn unfit(key: &str, path: &Path, why: impl ToString) -> Error {
    Error::Config {
        place: format!("serve.{key}"),
        what: format!("{}: {}", PathBuf::from(path).display(), why.to_string()),
    }
}
