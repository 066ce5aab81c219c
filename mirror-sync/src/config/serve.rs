//! `[serve]`.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::{Bytes, TimeSpan, address};

/// `[serve]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ServeSection {
    /// Address and port.
    pub(crate) listen: String,
    /// Most connections at once; more wait.
    pub(crate) max_connections: usize,
    /// Most of them from one client; 0 is no limit of its own.
    pub(crate) connections_per_client: usize,
    /// File of the server's certificate, and of those between it and its authority (PEM). With it TLS is spoken, and
    /// nothing else.
    pub(crate) tls_cert: Option<PathBuf>,
    /// File of its key (PEM); none: it stands in the file of the certificate.
    pub(crate) tls_key: Option<PathBuf>,
    /// File of the authorities of which each client must have a certificate (PEM).
    pub(crate) tls_client_ca: Option<PathBuf>,
    /// File of tokens, one a line: who has one of them sees the repositories that name no file of their own.
    pub(crate) tokens_file: Option<PathBuf>,
    /// File of a line for each answer; `-` is standard output.
    pub(crate) access_log: Option<PathBuf>,
    pub(crate) access_log_format: LogFormat,
    /// How long upstream's index counts as current in proxy mode.
    pub(crate) proxy_expire: TimeSpan,
    /// How long a package of a repository in proxy mode is kept without being requested; 0 keeps it.
    pub(crate) proxy_keep: TimeSpan,
    /// Bytes that the repositories in proxy mode may take together; 0 is no limit.
    pub(crate) proxy_quota: Bytes,
}

/// How a line of the access log looks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// The common log format: client, user, time, request, status, bytes.
    #[default]
    Common,
    /// The same, and what the client came from and calls itself.
    Combined,
    /// An object of JSON.
    Json,
}

impl Default for ServeSection {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8080".to_owned(),
            max_connections: 1024,
            connections_per_client: 0,
            tls_cert: None,
            tls_key: None,
            tls_client_ca: None,
            tokens_file: None,
            access_log: None,
            access_log_format: LogFormat::default(),
            proxy_expire: TimeSpan(Duration::from_secs(300)),
            proxy_keep: TimeSpan(Duration::from_secs(90 * 86_400)),
            proxy_quota: Bytes(0),
        }
    }
}

impl ServeSection {
    /// What cannot work, if anything.
    pub(super) fn fault(&self) -> Option<String> {
        if let Err(why) = address(&self.listen) {
            return Some(format!("serve.listen = {}: {why}", self.listen));
        }
        let named = [
            ("tls_key", &self.tls_key),
            ("tls_client_ca", &self.tls_client_ca),
        ];
        let alone = named.iter().find(|(_, file)| file.is_some());
        let (key, _) = alone.filter(|_| self.tls_cert.is_none())?;
        Some(format!(
            "serve.{key} needs serve.tls_cert, the server's certificate"
        ))
    }
}
