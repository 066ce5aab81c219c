//! Keys for a web identity: a token, such as a cluster gives its workloads, becomes the key of a role for a while.

use std::path::Path;
use std::sync::Arc;

use chrono::DateTime;
use reqwest::header::CONTENT_TYPE;
use rustix::fs::OFlags;

use super::memory::KeptKeys;
use super::sigv4::{self, Keys};
use super::target::http_url;
use super::{profile, xml};
use crate::auth_header::is_in_clear;
use crate::client::Client;
use crate::error::{Cause, server_name};
use crate::options::{Access, Tls};
use crate::redact::redact;
use crate::wire::{classify, small_body};

/// Most bytes of a token.
const MAX_TOKEN: u64 = 32 << 10;
/// Most bytes of the answer.
const MAX_ANSWER: u64 = 256 << 10;
/// Seconds before their end that keys are renewed.
const EARLY: u64 = 300;
/// How long keys are good that say nothing of it, in seconds: the shortest session there is.
const SHORTEST: u64 = 900;

/// Whose token, and for what.
pub(super) struct Identity<'a> {
    pub(super) role: &'a str,
    pub(super) file: &'a Path,
}

/// Keys of the role, from the server of identities.
pub(super) async fn keys(
    client: &Client,
    access: &Access,
    identity: &Identity<'_>,
    now: u64,
) -> Result<KeptKeys, Cause> {
    let env = client.s3_environment();
    let server = match &env.identity_endpoint {
        Some(named) => named.clone(),
        None => {
            let region = access.s3.region.clone().or_else(|| env.region.clone());
            match region.or(profile::server(client)?.1) {
                Some(region) => format!("https://sts.{region}.amazonaws.com"),
                None => "https://sts.amazonaws.com".to_owned(),
            }
        }
    };
    let url = http_url(&server).ok_or_else(|| {
        let shown = redact(&server);
        Cause::Settings(format!("endpoint {shown} of identities is no URL of HTTP"))
    })?;
    if is_in_clear(url.as_str()) {
        return Err(Cause::Settings(format!(
            "the token of {} would go to {} in clear: https is expected",
            identity.file.display(),
            server_name(url.as_str())
        )));
    }
    let body = sigv4::query(&[
        ("Action", "AssumeRoleWithWebIdentity"),
        ("Version", "2011-06-15"),
        ("RoleArn", identity.role),
        (
            "RoleSessionName",
            env.session_name.as_deref().unwrap_or("tdnf"),
        ),
        ("WebIdentityToken", &token(identity.file)?),
    ]);
    // What a section says of proxies and certificates is for its own servers.
    let access = &Access {
        connect_timeout: access.connect_timeout,
        timeout: access.timeout,
        family: access.family,
        tls: Tls {
            builtin_roots: access.tls.builtin_roots,
            ..Tls::default()
        },
        ..Access::default()
    };
    let request = client.http(access, &url, false)?.post(url.clone());
    let request = request
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(body);
    let limit = access.timeout;
    let sent = tokio::time::timeout(limit, request.send()).await;
    let mut answer = sent
        .map_err(|_| Cause::Timeout(limit.as_secs()))?
        .map_err(|e| client.blaming_proxy(&access.route, &url, classify(&e, limit)))?;
    let status = answer.status();
    let document = small_body(&mut answer, MAX_ANSWER, access).await?;
    let told = Told::read(&document);
    match (told.id, told.secret) {
        (Some(id), Some(secret)) if status.is_success() => Ok(KeptKeys {
            keys: Some(Arc::new(Keys {
                id,
                secret,
                token: told.token,
            })),
            until: until(told.ends.as_deref(), now),
        }),
        _ => Err(Cause::Refused {
            status: status.as_u16(),
            why: format!(
                "{}: no key for role {} by the token of {}{}",
                server_name(url.as_str()),
                identity.role,
                identity.file.display(),
                told.code
                    .map(|code| format!(": {code}"))
                    .unwrap_or_default()
            ),
        }),
    }
}

/// When keys are to be renewed.
fn until(ends: Option<&str>, now: u64) -> u64 {
    let ends = ends.and_then(|text| DateTime::parse_from_rfc3339(text).ok());
    let ends = ends.and_then(|time| u64::try_from(time.timestamp()).ok());
    let ends = ends.unwrap_or(now.saturating_add(SHORTEST));
    let left = ends.saturating_sub(now);
    // Of a session that is shorter than that, half.
    now.saturating_add(left.saturating_sub(EARLY).max(left / 2))
}

/// What the answer says.
#[derive(Default)]
struct Told {
    id: Option<String>,
    secret: Option<String>,
    token: Option<String>,
    ends: Option<String>,
    code: Option<String>,
}

impl Told {
    fn read(document: &[u8]) -> Self {
        let mut told = Self::default();
        let inner = ["AssumeRoleWithWebIdentityResult", "Credentials", "Error"];
        // What is no document tells nothing.
        let _ = xml::walk(document, &inner, &mut |name, text| match name {
            "AccessKeyId" => told.id = text,
            "SecretAccessKey" => told.secret = text,
            "SessionToken" => told.token = text.filter(|text| !text.is_empty()),
            "Expiration" => told.ends = text,
            "Code" => told.code = text.as_deref().map(super::refusal::plain),
            _ => {}
        });
        told
    }
}

fn token(file: &Path) -> Result<String, Cause> {
    let failed = |why: String| Cause::Settings(format!("{}: {why}", file.display()));
    let opened = whole_file::open_named(file, OFlags::RDONLY);
    let bytes = opened.and_then(|(open, _)| whole_file::read_up_to(open, MAX_TOKEN));
    let bytes = bytes.map_err(|error| failed(error.to_string()))?;
    let text = String::from_utf8(bytes).map_err(|_| failed("it is no text".to_owned()))?;
    match text.trim() {
        "" => Err(failed("it is empty: a token is expected".to_owned())),
        token => Ok(token.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::until;

    #[test]
    fn keys_are_renewed_before_they_end() {
        assert_eq!(until(Some("1970-01-01T01:00:00Z"), 0), 3300);
        assert_eq!(until(Some("1970-01-01T00:01:00Z"), 0), 30);
        assert_eq!(until(Some("yesterday"), 100), 700);
        assert_eq!(until(Some("1970-01-01T00:01:00Z"), 900), 900);
    }
}
