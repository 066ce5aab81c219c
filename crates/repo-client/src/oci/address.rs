//! `oci://HOST[:PORT]/NAME[:TAG|@sha256:HEX][/PATH]`: a repository in a registry, and a file in it.
//!
//! NAME has several components as PATH has: the tag or digest is where it ends. Without one all is NAME.

use std::net::IpAddr;

use reqwest::Url;
use rpm_pkg::digest::{Digest, DigestAlgo};

use crate::options::decode_percent;

/// The tag of a URL that names none.
const DEFAULT_TAG: &str = "current";
/// Longest name of a repository in a registry, with its host (as registries have it).
const MAX_NAME: usize = 255;
/// Longest tag.
const MAX_TAG: usize = 128;

/// Whether a URL is of a registry.
pub(crate) fn is_registry(url: &Url) -> bool {
    matches!(url.scheme(), "oci" | "oci+http")
}

/// Which artifact of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reference {
    /// What a tag stands for now.
    Tag(String),
    /// The one of this digest.
    Digest(Digest),
}

impl Reference {
    /// As it stands in a request.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Tag(tag) => tag.clone(),
            Self::Digest(digest) => digest.to_string(),
        }
    }
}

/// A URL of a registry, taken apart.
#[derive(Clone)]
pub(crate) struct Address {
    /// `https://HOST:PORT/`; http for this machine, and where the scheme says so.
    pub(crate) server: Url,
    /// The repository.
    pub(crate) name: String,
    /// The artifact; none if the URL names none.
    pub(crate) reference: Option<Reference>,
    /// The file below, decoded; empty if there is none.
    pub(crate) path: String,
    /// User and password of the URL itself.
    pub(crate) login: Option<(String, String)>,
}

impl Address {
    /// Takes a URL apart; in words what is wrong with it.
    pub(crate) fn of(url: &Url) -> Result<Self, String> {
        let parts: Vec<&str> = url.path().trim_start_matches('/').split('/').collect();
        let marked = parts.iter().position(|part| part.contains([':', '@']));
        let end = marked.unwrap_or(parts.len());
        let mut name: Vec<&str> = parts.iter().take(end).copied().collect();
        let mut reference = None;
        if let Some(part) = marked.and_then(|at| parts.get(at)) {
            let (last, mark) = part.split_at(part.find([':', '@']).unwrap_or(part.len()));
            name.push(last);
            reference = Some(reference_of(mark)?);
        }
        if marked.is_none() && name.last() == Some(&"") {
            name.pop();
        }
        let path = parts.iter().skip(end.saturating_add(1)).copied();
        let name = name.join("/");
        check_name(&name)?;
        let user = decode_percent(url.username());
        let password = url.password().map(decode_percent);
        Ok(Self {
            server: server(url)?,
            name,
            reference,
            path: decode_percent(&path.collect::<Vec<_>>().join("/")),
            login: password.map(|password| (user, password)),
        })
    }

    /// What it is asked by: the tag of a URL without one is [`DEFAULT_TAG`].
    pub(crate) fn reference(&self) -> Reference {
        let named = self.reference.clone();
        named.unwrap_or_else(|| Reference::Tag(DEFAULT_TAG.to_owned()))
    }

    /// Where something of the repository is asked for.
    pub(crate) fn url(&self, below: &str) -> Url {
        let mut url = self.server.clone();
        url.set_path(&format!("/v2/{}/{below}", self.name));
        url
    }

    /// `HOST:PORT/NAME`, for people and for logins.
    pub(crate) fn place(&self) -> String {
        let host = self.server.host_str().unwrap_or_default();
        let port = self.server.port().map(|port| format!(":{port}"));
        format!("{host}{}/{}", port.unwrap_or_default(), self.name)
    }

    /// As [`Address::place`], with the artifact.
    pub(crate) fn artifact(&self) -> String {
        match self.reference() {
            Reference::Tag(tag) => format!("{}:{tag}", self.place()),
            Reference::Digest(digest) => format!("{}@{digest}", self.place()),
        }
    }
}

/// The URL with the tag that it leaves out: what stands behind it is a path below the repository.
pub(crate) fn with_reference(mut url: Url) -> Result<Url, String> {
    let address = Address::of(&url)?;
    if address.reference.is_none() {
        let Reference::Tag(tag) = address.reference() else {
            return Ok(url);
        };
        url.set_path(&format!("/{}:{tag}", address.name));
    }
    Ok(url)
}

fn reference_of(mark: &str) -> Result<Reference, String> {
    let (tag, digest) = match mark.split_once('@') {
        Some((tag, digest)) => (tag, Some(digest)),
        None => (mark, None),
    };
    let tag = tag.strip_prefix(':').unwrap_or(tag);
    if !tag.is_empty() || digest.is_none() {
        check_tag(tag)?;
    }
    // Behind both it is the digest that counts.
    match digest {
        Some(digest) => parse_digest(digest)
            .map(Reference::Digest)
            .ok_or_else(|| "a digest is @sha256: and 64 hexadecimal digits".to_owned()),
        None => Ok(Reference::Tag(tag.to_owned())),
    }
}

/// `sha256:HEX`, in lower case.
pub(crate) fn parse_digest(text: &str) -> Option<Digest> {
    let hex = text.strip_prefix("sha256:")?;
    let lower = !hex.bytes().any(|byte| byte.is_ascii_uppercase());
    let digest = Digest::from_hex(DigestAlgo::Sha256, hex).ok();
    digest.filter(|_| lower)
}

/// Fails for a tag that no registry has, in words.
pub(crate) fn check_tag(tag: &str) -> Result<(), String> {
    let start = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let plain = |c: char| start(c) || ".-".contains(c);
    match tag.len() <= MAX_TAG && tag.starts_with(start) && tag.chars().all(plain) {
        true => Ok(()),
        false => Err(
            "the tag of a registry has up to 128 letters, digits, `_`, `.` and `-`, and begins with none of the last two"
                .to_owned(),
        ),
    }
}

fn check_name(name: &str) -> Result<(), String> {
    if name.is_empty() {
        return Err("it names no repository of the registry: oci://HOST/NAME:TAG".to_owned());
    }
    let good = name.len() <= MAX_NAME && name.split('/').all(is_component);
    match good {
        true => Ok(()),
        false => Err(format!(
            "{}: a repository of a registry is written in lower case letters and digits, with single `.`, `_` or `-` \
             between them",
            name.escape_debug()
        )),
    }
}

/// Lower case letters and digits, between them one dot, one or two underscores or any number of dashes.
fn is_component(part: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let known = |gap: &str| matches!(gap, "" | "." | "_" | "__") || gap.chars().all(|c| c == '-');
    let ends = part.starts_with(plain) && part.ends_with(plain);
    ends && part.split(plain).all(known)
}

/// Where the registry is spoken to.
fn server(url: &Url) -> Result<Url, String> {
    let host = url.host_str().unwrap_or_default();
    let bare = host.trim_matches(['[', ']']);
    let ip = bare.parse::<IpAddr>();
    let is_here = bare.eq_ignore_ascii_case("localhost") || ip.is_ok_and(|ip| ip.is_loopback());
    let scheme = match is_here || url.scheme() == "oci+http" {
        true => "http",
        false => "https",
    };
    let port = url.port().map(|port| format!(":{port}"));
    let text = format!("{scheme}://{host}{}/", port.unwrap_or_default());
    let parsed = Url::parse(&text).ok().filter(|_| !host.is_empty());
    parsed.ok_or_else(|| "it names no host".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<Address, String> {
        Address::of(&Url::parse(text).unwrap())
    }

    #[test]
    fn the_reference_parts_name_and_path() {
        let hex = "0123456789abcdef".repeat(4);
        for (text, name, reference, path) in [
            ("oci://h/a", "a", "current", ""),
            ("oci://h/a/b_c/x86_64/", "a/b_c/x86_64", "current", ""),
            ("oci://h:5000/a/b:prod", "a/b", "prod", ""),
            (
                "oci://h/a/b:5.0/repodata/x:y@z",
                "a/b",
                "5.0",
                "repodata/x:y@z",
            ),
            ("oci://h/a:t/p%2Bq", "a", "t", "p+q"),
            (
                &format!("oci://h/a@sha256:{hex}/p"),
                "a",
                &format!("sha256:{hex}"),
                "p",
            ),
            (
                &format!("oci://h/a:t@sha256:{hex}"),
                "a",
                &format!("sha256:{hex}"),
                "",
            ),
        ] {
            let got = of(text).unwrap();
            let parts = (got.name.as_str(), got.reference().text(), got.path.as_str());
            assert_eq!(parts, (name, reference.to_owned(), path), "{text}");
        }
    }

    #[test]
    fn what_no_registry_has_is_refused() {
        for text in [
            "oci://h",
            "oci://h/",
            "oci://h/:t",
            "oci://h/A",
            "oci://h/a//b",
            "oci://h/a._b",
            "oci://h/a%2fb",
            "oci://h/a:",
            "oci://h/a:-t",
            "oci://h/a@sha256:abc",
            "oci://h/a@md5:0123456789abcdef0123456789abcdef",
            "oci:///a",
            "oci:a",
        ] {
            assert!(of(text).is_err(), "{text}");
        }
    }

    #[test]
    fn plain_http_is_for_this_machine_and_on_demand() {
        for (text, server) in [
            ("oci://harbor.site/a", "https://harbor.site/"),
            ("oci://harbor.site:8443/a", "https://harbor.site:8443/"),
            ("oci://u:p@harbor.site/a", "https://harbor.site/"),
            ("oci+http://harbor.site/a", "http://harbor.site/"),
            ("oci://127.0.0.1:5000/a", "http://127.0.0.1:5000/"),
            ("oci://LocalHost/a", "http://localhost/"),
            ("oci://[::1]:5000/a", "http://[::1]:5000/"),
            (
                "oci://127.0.0.1.evil.site/a",
                "https://127.0.0.1.evil.site/",
            ),
        ] {
            assert_eq!(of(text).unwrap().server.as_str(), server, "{text}");
        }
    }

    #[test]
    fn a_base_gets_its_tag() {
        let tagged = |text| {
            with_reference(Url::parse(text).unwrap())
                .unwrap()
                .to_string()
        };
        assert_eq!(tagged("oci://h:1/a/b"), "oci://h:1/a/b:current");
        assert_eq!(tagged("oci://h/a/b/"), "oci://h/a/b:current");
        assert_eq!(tagged("oci://h/a:t/p"), "oci://h/a:t/p");
    }
}
