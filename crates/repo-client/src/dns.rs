//! Name lookup without the C library: hosts file and /etc/resolv.conf, read when first needed.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, OnceLock};

use hickory_resolver::TokioResolver;
use hickory_resolver::config::LookupIpStrategy;
use hickory_resolver::net::NetError;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// A failed lookup; found again in the error chain of reqwest.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct LookupError(pub(crate) String);

/// The resolver. Unlike reqwest's own it never asks a public name server: without a readable
/// /etc/resolv.conf it says so.
#[derive(Clone, Default)]
pub(crate) struct NameResolver {
    inner: Arc<OnceLock<Result<TokioResolver, String>>>,
}

impl Resolve for NameResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let inner = Arc::clone(&self.inner);
        Box::pin(async move {
            // RFC 6761 6.3: never sent to a name server; must work in an empty chroot.
            if name
                .as_str()
                .trim_end_matches('.')
                .eq_ignore_ascii_case("localhost")
            {
                let both = [
                    IpAddr::V4(Ipv4Addr::LOCALHOST),
                    IpAddr::V6(Ipv6Addr::LOCALHOST),
                ];
                return Ok(addresses(both.to_vec()));
            }
            let resolver = inner
                .get_or_init(start)
                .as_ref()
                .map_err(|e| LookupError(e.clone()))?;
            let found = resolver
                .lookup_ip(name.as_str())
                .await
                .map_err(|e| LookupError(words(name.as_str(), &e)))?;
            Ok(addresses(found.iter().collect()))
        })
    }
}

fn words(name: &str, error: &NetError) -> String {
    match error.is_no_records_found() {
        true => format!("{name}: there is no such name"),
        false => format!("{name}: {error}"),
    }
}

fn addresses(list: Vec<IpAddr>) -> Addrs {
    Box::new(list.into_iter().map(|ip| SocketAddr::new(ip, 0)))
}

fn start() -> Result<TokioResolver, String> {
    let mut builder =
        TokioResolver::builder_tokio().map_err(|e| format!("/etc/resolv.conf: {e}"))?;
    builder.options_mut().ip_strategy = LookupIpStrategy::Ipv6AndIpv4;
    builder.build().map_err(|e| e.to_string())
}
