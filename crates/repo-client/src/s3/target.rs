//! Which server and bucket an `s3:` URL means.

use std::sync::PoisonError;

use reqwest::Url;
use rpm_repo::config::S3Style;

use super::memory::Memory;
use super::{profile, sigv4};
use crate::client::Client;
use crate::error::{Cause, server_name};
use crate::options::{Access, decode_percent};

/// The region that requests are signed for where nobody names one.
const DEFAULT_REGION: &str = "us-east-1";
/// Longest name of a region.
const MAX_REGION: usize = 40;
/// Longest name of a bucket.
const MAX_BUCKET: usize = 255;

/// A bucket, and where it is.
pub(super) struct Target {
    /// URL of the server, without a path but for that of the store below it.
    server: Url,
    pub(super) bucket: String,
    style: S3Style,
    pub(super) region: String,
    /// Why keys that are not of the section sign nothing for it.
    pub(super) withheld: Option<&'static str>,
}

/// Why a server that a section names gets no keys of the environment.
const FOREIGN: &str =
    "s3_endpoint is not the server of the environment or the profile (AWS_ENDPOINT_URL_S3)";

/// The key that a URL names, or what all keys below it begin with.
pub(super) fn key_of(url: &Url) -> String {
    decode_percent(url.path().trim_start_matches('/'))
}

/// Whether a text may be a region: it becomes part of a host's name.
pub(super) fn is_region(text: &str) -> bool {
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (1..=MAX_REGION).contains(&text.len()) && text.chars().all(good)
}

fn is_bucket(text: &str) -> bool {
    let good = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    (1..=MAX_BUCKET).contains(&text.len())
        && text.chars().all(good)
        && !text.starts_with(['.', '-'])
        && !text.contains("..")
}

impl Target {
    /// The bucket of `url`: by what the repository says, else the environment, else its files, else AWS.
    pub(super) fn of(client: &Client, access: &Access, url: &Url) -> Result<Self, Cause> {
        let bucket = url.host_str().unwrap_or_default().to_owned();
        if !is_bucket(&bucket) {
            return Err(Cause::Settings(format!("{bucket} is no name of a bucket")));
        }
        let env = client.s3_environment();
        let (own, around) = (&access.s3, (&env.endpoint, &env.region));
        let mut endpoint = own.endpoint.clone().or_else(|| around.0.clone());
        let mut region = own.region.clone().or_else(|| around.1.clone());
        let mut around = around.0.clone();
        if around.is_none() || region.is_none() {
            let known = profile::server(client)?;
            around = around.or(known.0);
            endpoint = endpoint.or_else(|| around.clone());
            region = region.or(known.1);
        }
        let region = region.unwrap_or_else(|| DEFAULT_REGION.to_owned());
        let mut target = Self {
            style: own.style.unwrap_or(match &endpoint {
                Some(_) => S3Style::Path,
                // The certificate is for one name before the server's.
                None if bucket.contains('.') => S3Style::Path,
                None => S3Style::Host,
            }),
            server: server(endpoint.as_deref(), &region)?,
            bucket,
            region,
            withheld: None,
        };
        let is_foreign = own.endpoint.is_some()
            && !server(around.as_deref(), &target.region)
                .is_ok_and(|known| without_slash(&known) == without_slash(&target.server));
        let memory = client.kept::<Memory>();
        let told = memory.regions.lock();
        let told = told.unwrap_or_else(PoisonError::into_inner);
        if let Some(region) = told.get(&target.id()) {
            if endpoint.is_none() {
                target.server = server(None, region)?;
            }
            target.region.clone_from(region);
        }
        drop(told);
        if !client.owns_sections() {
            let url = target.url("", "").ok();
            let exposed = url.and_then(|url| client.exposes(access, &url));
            target.withheld = is_foreign.then_some(FOREIGN).or(exposed);
        }
        Ok(target)
    }

    /// What the bucket goes by whatever its region.
    fn id(&self) -> String {
        let host = server_name(self.server.as_str());
        let is_aws = host.ends_with(".amazonaws.com") || host.ends_with(".amazonaws.com.cn");
        let place = if is_aws { "" } else { &host };
        format!("{place}/{}", self.bucket)
    }

    /// The bucket is in another region: for the next [`Target::of`].
    pub(super) fn remember_region(&self, client: &Client, region: &str) {
        let memory = client.kept::<Memory>();
        let told = memory.regions.lock();
        let mut told = told.unwrap_or_else(PoisonError::into_inner);
        told.insert(self.id(), region.to_owned());
    }

    /// For people.
    pub(super) fn name(&self) -> String {
        let host = server_name(self.server.as_str());
        format!("bucket {} at {host}", self.bucket)
    }

    /// The request for a key (none is the bucket), with a query as it is signed.
    ///
    /// # Errors
    /// The key, or the bucket as part of a host, cannot be in a URL.
    pub(super) fn url(&self, key: &str, query: &str) -> Result<Url, Cause> {
        let wrong = |what: &str| Cause::Settings(format!("{}: {what}", self.name()));
        let mut url = self.server.clone();
        let above = url.path().trim_end_matches('/').to_owned();
        let in_path = match self.style {
            S3Style::Path => format!("/{}", self.bucket),
            S3Style::Host => {
                let host = format!("{}.{}", self.bucket, url.host_str().unwrap_or_default());
                url.set_host(Some(&host))
                    .map_err(|_| wrong("its name cannot be in a host's: set s3_style=path"))?;
                String::new()
            }
        };
        let path = format!("{above}{in_path}/{}", sigv4::path(key));
        url.set_path(&path);
        if url.path() != path {
            return Err(wrong(&format!("{key:?} cannot be the key of a URL")));
        }
        url.set_query(Some(query).filter(|query| !query.is_empty()));
        Ok(url)
    }
}

fn without_slash(url: &Url) -> &str {
    url.as_str().trim_end_matches('/')
}

/// The server that is named, else that of AWS in a region.
fn server(endpoint: Option<&str>, region: &str) -> Result<Url, Cause> {
    if !is_region(region) {
        return Err(Cause::Settings(format!(
            "region {region:?} of object stores: small letters, digits and - are expected"
        )));
    }
    let text = match endpoint {
        Some(endpoint) => endpoint.to_owned(),
        None if region.starts_with("cn-") => format!("https://s3.{region}.amazonaws.com.cn"),
        None => format!("https://s3.{region}.amazonaws.com"),
    };
    http_url(&text).ok_or_else(|| {
        let shown = crate::redact::redact(&text);
        Cause::Settings(format!(
            "endpoint {shown} of object stores: http://SERVER or https://SERVER is expected"
        ))
    })
}

/// The URL of a server: of HTTP, without login and query.
pub(super) fn http_url(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let is_plain = url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    (matches!(url.scheme(), "http" | "https") && is_plain).then_some(url)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::{ClientOptions, S3Access};

    fn asked(access: S3Access, url: &str) -> Result<String, Cause> {
        let client = Client::new(ClientOptions::default());
        let access = Access {
            s3: access,
            ..Access::default()
        };
        let url = Url::parse(url).unwrap();
        let target = Target::of(&client, &access, &url)?;
        target.url(&key_of(&url), "").map(String::from)
    }

    #[test]
    fn buckets_stand_in_the_host_or_in_the_path() {
        let of = |endpoint: Option<&str>, region: Option<&str>, style, url: &str| {
            let access = S3Access {
                endpoint: endpoint.map(str::to_owned),
                region: region.map(str::to_owned),
                style,
            };
            asked(access, url).map_err(|cause| cause.to_string())
        };
        for (endpoint, region, style, url, expected) in [
            (
                None,
                None,
                None,
                "s3://b/p/f",
                "https://b.s3.us-east-1.amazonaws.com/p/f",
            ),
            (
                None,
                Some("eu-west-1"),
                None,
                "s3://b.c/f",
                "https://s3.eu-west-1.amazonaws.com/b.c/f",
            ),
            (
                Some("http://h:9000/"),
                None,
                None,
                "s3://b/a%20b+c~^%25",
                "http://h:9000/b/a%20b%2Bc~%5E%25",
            ),
            (
                Some("https://h/store"),
                None,
                None,
                "s3://b/",
                "https://h/store/b/",
            ),
            (
                Some("http://h"),
                None,
                Some(S3Style::Host),
                "s3://b/f",
                "http://b.h/f",
            ),
            (
                Some("http://127.0.0.1"),
                None,
                Some(S3Style::Host),
                "s3://b/f",
                "bucket b at 127.0.0.1: its name cannot be in a host's: set s3_style=path",
            ),
            (
                Some("h:9000"),
                None,
                None,
                "s3://b/f",
                "endpoint h:9000 of object stores: http://SERVER or https://SERVER is expected",
            ),
            (
                None,
                Some("x/y"),
                None,
                "s3://b/f",
                "region \"x/y\" of object stores: small letters, digits and - are expected",
            ),
            (None, None, None, "s3://-b/f", "-b is no name of a bucket"),
        ] {
            let got = of(endpoint, region, style, url).unwrap_or_else(|why| why);
            assert_eq!(got, expected);
        }
    }
}
