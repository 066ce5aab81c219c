//! Name lookup without the C library: hosts file and /etc/resolv.conf, read when first needed.

use std::error::Error;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, OnceLock};

use hickory_resolver::TokioResolver;
use hickory_resolver::config::LookupIpStrategy;
use hickory_resolver::net::NetError;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use rpm_repo::config::IpFamily;

/// A failed lookup; found again in the error chain of reqwest.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct LookupError(pub(crate) String);

/// A name without an address of the only family that may be used; found again in the error chain of reqwest.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct FamilyError(pub(crate) String);

/// Whether an address may be used.
pub(crate) fn is_of(family: Option<IpFamily>, address: IpAddr) -> bool {
    match family {
        None => true,
        Some(IpFamily::V4) => address.is_ipv4(),
        Some(IpFamily::V6) => address.is_ipv6(),
    }
}

/// Why a host without an address of this family is not reached.
pub(crate) fn family_words(host: &str, family: IpFamily) -> String {
    let number = match family {
        IpFamily::V4 => 4,
        IpFamily::V6 => 6,
    };
    format!("{host} has no IPv{number} address, and ip_resolve={number} allows no other")
}

/// The resolver. Unlike reqwest's own it never asks a public name server: without a readable
/// /etc/resolv.conf it says so.
#[derive(Clone, Default)]
pub(crate) struct NameResolver {
    inner: Arc<OnceLock<Result<TokioResolver, String>>>,
    family: Option<IpFamily>,
}

impl NameResolver {
    /// One that knows no addresses but those of a family.
    pub(crate) fn of_family(&self, family: Option<IpFamily>) -> Self {
        Self {
            family,
            ..self.clone()
        }
    }
}

impl Resolve for NameResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let inner = Arc::clone(&self.inner);
        let family = self.family;
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
                return addresses(&name, both.to_vec(), family);
            }
            let resolver = inner
                .get_or_init(start)
                .as_ref()
                .map_err(|e| LookupError(e.clone()))?;
            let found = resolver
                .lookup_ip(name.as_str())
                .await
                .map_err(|e| LookupError(words(name.as_str(), &e)))?;
            addresses(&name, found.iter().collect(), family)
        })
    }
}

fn words(name: &str, error: &NetError) -> String {
    let why = match error {
        _ if error.is_no_records_found() => "no such host name",
        NetError::Timeout => "no answer from the name servers",
        NetError::NoConnections | NetError::Io(_) => "no name server can be reached",
        _ => "no usable answer from the name servers",
    };
    format!("{why} ({name})")
}

fn addresses(
    name: &Name,
    mut list: Vec<IpAddr>,
    family: Option<IpFamily>,
) -> Result<Addrs, Box<dyn Error + Send + Sync>> {
    list.retain(|ip| is_of(family, *ip));
    match family.filter(|_| list.is_empty()) {
        Some(family) => Err(FamilyError(family_words(name.as_str(), family)).into()),
        None => Ok(Box::new(list.into_iter().map(|ip| SocketAddr::new(ip, 0)))),
    }
}

fn start() -> Result<TokioResolver, String> {
    let mut builder =
        TokioResolver::builder_tokio().map_err(|_| "no usable /etc/resolv.conf".to_owned())?;
    builder.options_mut().ip_strategy = LookupIpStrategy::Ipv6AndIpv4;
    builder
        .build()
        .map_err(|_| "no name server can be asked".to_owned())
}
