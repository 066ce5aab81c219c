//! Why a store refuses, in a line: which bucket where, and what to do.

use std::time::Duration;

use chrono::DateTime;
use reqwest::Response;
use reqwest::header::{DATE, HeaderMap};

use super::sigv4::Keys;
use super::target::{Target, is_region};
use super::{keys, xml};
use crate::client::Client;
use crate::error::Cause;
use crate::options::Access;
use crate::wire::{retry_after, small_body};

/// The header that names the region of a bucket.
pub(super) const REGION: &str = "x-amz-bucket-region";
/// Most bytes of an answer that says why.
const MAX_ANSWER: u64 = 64 << 10;
/// Most characters of a store's own words that are shown.
const MAX_WORDS: usize = 200;

/// What a store said in the place of what was asked for.
pub(super) struct Refusal {
    /// HTTP status; 0 if there was no answer.
    pub(super) status: u16,
    /// What S3 calls it; empty if it was not said.
    pub(super) code: String,
    region: Option<String>,
    pub(super) cause: Cause,
    /// It was asked before, and nobody knows whether that was done.
    pub(super) again: bool,
    /// How long the store asks to wait.
    pub(super) wait: Option<Duration>,
}

impl From<Cause> for Refusal {
    fn from(cause: Cause) -> Self {
        Self {
            status: cause.status().unwrap_or_default(),
            code: String::new(),
            region: None,
            cause,
            again: false,
            wait: None,
        }
    }
}

impl Refusal {
    /// Reads an answer that is no success.
    pub(super) async fn read(
        client: &Client,
        access: &Access,
        target: &Target,
        keys: Option<&Keys>,
        mut response: Response,
    ) -> Self {
        let body = small_body(&mut response, MAX_ANSWER, access).await;
        let headers = response.headers();
        let status = response.status().as_u16();
        Self::of(
            client,
            (target, keys),
            (status, headers),
            &body.unwrap_or_default(),
        )
    }

    /// From what came.
    pub(super) fn of(
        client: &Client,
        (target, keys): (&Target, Option<&Keys>),
        (status, headers): (u16, &HeaderMap),
        body: &[u8],
    ) -> Self {
        let (mut code, mut words, mut region) = (String::new(), String::new(), None);
        // What is no document says nothing: a proxy may stand before the store.
        let _ = xml::walk(body, &["Error"], &mut |name, text| match (name, text) {
            ("Code", Some(text)) if code.is_empty() => code = plain(&text),
            ("Message", Some(text)) if words.is_empty() => words = plain(&text),
            ("Region", Some(text)) => region = Some(text),
            _ => {}
        });
        let in_head = headers.get(REGION);
        let in_head = in_head.and_then(|value| value.to_str().ok());
        let region = in_head.map(str::to_owned).or(region);
        let region = region.filter(|region| is_region(region) && *region != target.region);
        let why = match known(&code, keys.is_some()) {
            Some(why) => Some(why.to_owned()),
            None if code == "RequestTimeTooSkewed" => Some(skew(client, headers)),
            None if code.is_empty() => None,
            None => Some(said(&code, &words, keys)),
        };
        let is_kept_back = keys.is_none() && client.s3_environment().has_keys();
        let why = match target.withheld.filter(|_| is_kept_back) {
            Some(kept) if matches!(status, 401 | 403) => Some(format!(
                "{}; the access key of the environment is not used: {kept}",
                why.as_deref().unwrap_or("access denied")
            )),
            _ => why,
        };
        let cause = match (status, why) {
            // The plain status: others than S3 know it, too.
            (404 | 410, _) if code != "NoSuchBucket" && code != "NoSuchUpload" => {
                Cause::Status(status)
            }
            (_, None) => Cause::Status(status),
            (_, Some(why)) => {
                let why = format!("{}: {why}", target.name());
                Cause::Refused { status, why }
            }
        };
        Self {
            status,
            code,
            region,
            cause,
            again: false,
            wait: retry_after(headers),
        }
    }

    /// Whether the next request may go better: the bucket is in another region, or the keys were too old.
    pub(super) async fn heals(&self, client: &Client, target: &Target) -> bool {
        if let Some(region) = &self.region {
            target.remember_region(client, region);
            return true;
        }
        matches!(self.code.as_str(), "ExpiredToken" | "TokenRefreshRequired")
            && keys::forget(client).await
    }

    /// Whether asking the same again may help.
    pub(super) fn is_passing(&self) -> bool {
        const PASSING: [&str; 4] = [
            "ConditionalRequestConflict",
            "OperationAborted",
            "RequestTimeout",
            "SlowDown",
        ];
        self.cause.is_passing() || PASSING.contains(&self.code.as_str())
    }
}

/// What the codes mean that have a remedy.
fn known(code: &str, is_signed: bool) -> Option<&'static str> {
    Some(match code {
        "InvalidAccessKeyId" => {
            "the access key id is not known there: check username= of the repository, AWS_ACCESS_KEY_ID or ~/.aws/credentials"
        }
        "SignatureDoesNotMatch" => {
            "the secret key is not the one of the access key id: check password= of the section, AWS_SECRET_ACCESS_KEY or ~/.aws/credentials"
        }
        "ExpiredToken" | "InvalidToken" | "TokenRefreshRequired" => {
            "the session token is not good, or not any more: get a new one (AWS_SESSION_TOKEN)"
        }
        "AccessDenied" | "AllAccessDisabled" | "AccountProblem" if is_signed => {
            "access denied: the access key has no right to this"
        }
        "AccessDenied" => {
            "access denied without an access key: set username= and password= of the section, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        }
        "NoSuchBucket" => "there is no such bucket: check the URL, s3_endpoint and s3_region",
        "AuthorizationHeaderMalformed"
        | "PermanentRedirect"
        | "TemporaryRedirect"
        | "IllegalLocationConstraintException" => {
            "it is in another region: set s3_region, or s3_endpoint"
        }
        "SlowDown"
        | "ServiceUnavailable"
        | "Throttling"
        | "TooManyRequests"
        | "RequestLimitExceeded" => "the store asks for fewer requests: try again later",
        "QuotaExceeded" | "InsufficientStorage" | "XMinioStorageFull" | "StorageFull" => {
            "it is full: make room, or raise its quota"
        }
        "XAmzContentSHA256Mismatch" | "BadDigest" | "XAmzContentChecksumMismatch" => {
            "what arrived is not what was sent"
        }
        _ => return None,
    })
}

/// How far the clocks are apart.
fn skew(client: &Client, headers: &HeaderMap) -> String {
    let theirs = headers.get(DATE).and_then(|value| value.to_str().ok());
    let theirs = theirs.and_then(|text| DateTime::parse_from_rfc2822(text).ok());
    let ours = client.clock().and_then(|now| i64::try_from(now).ok());
    let apart = ours.zip(theirs).map(|(ours, theirs)| {
        let apart = ours.saturating_sub(theirs.timestamp());
        let way = if apart < 0 { "behind" } else { "ahead" };
        format!(" ({} min {way})", apart.unsigned_abs() / 60)
    });
    format!(
        "the clock here differs too much from the server's{}: set it right",
        apart.unwrap_or_default()
    )
}

/// The words of a store, without a key that it may repeat.
fn said(code: &str, words: &str, keys: Option<&Keys>) -> String {
    let mut text = match words {
        "" => code.to_owned(),
        words => format!("{code} ({words})"),
    };
    for key in keys.into_iter().flat_map(|keys| [&keys.id, &keys.secret]) {
        if !key.is_empty() {
            text = text.replace(key.as_str(), "***");
        }
    }
    text
}

/// A text of a server as it may be shown.
pub(super) fn plain(text: &str) -> String {
    let shown = text.chars().filter(|c| !c.is_control());
    shown.take(MAX_WORDS).collect()
}
