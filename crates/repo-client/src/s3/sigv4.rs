//! Signatures of requests (AWS Signature Version 4, in headers), and the keys that make them. No network, no clock.
//!
//! By hand, for it is a hash of a canonical text: a crate for it would bring a second library of dates and a second
//! reader of XML, and signs URLs, which servers and proxies write to their logs.

use std::fmt;

use percent_encoding::{AsciiSet, percent_decode_str, utf8_percent_encode};
use reqwest::Url;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use ring::hmac;
use rpm_pkg::digest::{DigestAlgo, Hasher};

use crate::error::Cause;
use crate::path::IN_PATH;

const CONTENT_SHA256: HeaderName = HeaderName::from_static("x-amz-content-sha256");
const AMZ_DATE: HeaderName = HeaderName::from_static("x-amz-date");
const SECURITY_TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");

/// All but the unreserved characters of RFC 3986.
const STRICT: &AsciiSet = &IN_PATH.add(b'/');

/// An access key.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Keys {
    pub(super) id: String,
    pub(super) secret: String,
    /// Of a session.
    pub(super) token: Option<String>,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys(***)")
    }
}

/// What a request is signed with.
pub(super) struct Signer<'a> {
    pub(super) keys: &'a Keys,
    pub(super) region: &'a str,
    /// Seconds since 1970.
    pub(super) now: u64,
}

impl Signer<'_> {
    /// Adds what proves who asks: date, hash of the body in hexadecimal, signature over method, URL,
    /// host and all headers that are there already.
    ///
    /// # Errors
    /// A key or token that is none of a header, or a time that is none.
    pub(super) fn sign(
        &self,
        method: &str,
        url: &Url,
        headers: &mut HeaderMap,
        payload: &str,
    ) -> Result<(), Cause> {
        let secret = |text: &str| {
            let mut value = HeaderValue::from_str(text).map_err(|_| {
                Cause::Settings("the access key holds what no access key has".to_owned())
            })?;
            value.set_sensitive(true);
            Ok::<_, Cause>(value)
        };
        let time = i64::try_from(self.now).ok();
        let time = time.and_then(|now| chrono::DateTime::from_timestamp(now, 0));
        let time = time.ok_or_else(|| Cause::Settings("the clock is wrong".to_owned()))?;
        let stamp = time.format("%Y%m%dT%H%M%SZ").to_string();
        headers.insert(CONTENT_SHA256, secret(payload)?);
        headers.insert(AMZ_DATE, secret(&stamp)?);
        if let Some(token) = &self.keys.token {
            headers.insert(SECURITY_TOKEN, secret(token)?);
        }
        let (names, signed) = canonical_headers(url, headers);
        let request = format!(
            "{method}\n{}\n{}\n{signed}\n{names}\n{payload}",
            url.path(),
            url.query().unwrap_or_default()
        );
        let day = stamp.get(..8).unwrap_or_default();
        let scope = format!("{day}/{}/s3/aws4_request", self.region);
        let text = format!(
            "AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{}",
            sha256_hex(request.as_bytes())
        );
        let start = format!("AWS4{}", self.keys.secret);
        let parts = [day, self.region, "s3", "aws4_request"];
        let key = parts
            .iter()
            .fold(start.into_bytes(), |key, part| hmac(&key, part));
        let signature = hex(&hmac(&key, &text));
        let proof = format!(
            "AWS4-HMAC-SHA256 Credential={}/{scope},SignedHeaders={names},Signature={signature}",
            self.keys.id
        );
        headers.insert(AUTHORIZATION, secret(&proof)?);
        Ok(())
    }
}

/// Names of headers and `host`, sorted, with `;` between them; and a line for each.
fn canonical_headers(url: &Url, headers: &HeaderMap) -> (String, String) {
    let host = url.host_str().unwrap_or_default();
    let port = url.port().map(|port| format!(":{port}"));
    let mut all = vec![("host", format!("{host}{}", port.unwrap_or_default()))];
    all.extend(headers.iter().map(|(name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes());
        (name.as_str(), value.trim().to_owned())
    }));
    all.sort();
    let names: Vec<&str> = all.iter().map(|(name, _)| *name).collect();
    let lines = all.iter().map(|(name, value)| format!("{name}:{value}\n"));
    (names.join(";"), lines.collect())
}

/// A path as it is signed and sent.
pub(super) fn path(plain: &str) -> String {
    utf8_percent_encode(plain, IN_PATH).to_string()
}

/// A query as it is signed and sent.
pub(super) fn query(pairs: &[(&str, &str)]) -> String {
    let strict = |text: &str| utf8_percent_encode(text, STRICT).to_string();
    let pairs = pairs
        .iter()
        .map(|(name, value)| (strict(name), strict(value)));
    let mut pairs: Vec<(String, String)> = pairs.collect();
    pairs.sort();
    let pairs = pairs.iter().map(|(name, value)| format!("{name}={value}"));
    pairs.collect::<Vec<_>>().join("&")
}

/// The same of one that somebody wrote.
pub(super) fn query_of(written: &str) -> String {
    let plain = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let pairs = written.split('&').filter(|pair| !pair.is_empty());
    let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let pairs: Vec<(String, String)> = pairs
        .map(|(name, value)| (plain(name), plain(value)))
        .collect();
    let pairs: Vec<(&str, &str)> = pairs
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    query(&pairs)
}

/// In hexadecimal.
pub(super) fn sha256_hex(bytes: &[u8]) -> String {
    let mut hasher = Hasher::new(DigestAlgo::Sha256);
    hasher.update(bytes);
    hasher.finish().hex()
}

fn hmac(key: &[u8], text: &str) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    hmac::sign(&key, text.as_bytes()).as_ref().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the documentation of S3: a GET of a range.
    #[test]
    fn the_signature_is_the_one_of_the_documentation() {
        let keys = Keys {
            id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
            secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned(),
            token: None,
        };
        let signer = Signer {
            keys: &keys,
            region: "us-east-1",
            now: 1_369_353_600,
        };
        let url = Url::parse("https://examplebucket.s3.amazonaws.com/test.txt").unwrap();
        let mut headers = HeaderMap::new();
        headers.insert("range", HeaderValue::from_static("bytes=0-9"));
        let empty = sha256_hex(b"");
        signer.sign("GET", &url, &mut headers, &empty).unwrap();
        let proof = headers.get(AUTHORIZATION).unwrap();
        assert_eq!(
            proof.to_str().unwrap(),
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,\
             SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,\
             Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
        );
        let shown = format!("{headers:?}{keys:?}");
        assert!(
            !shown.contains("Signature=") && !shown.contains("wJal"),
            "{shown}"
        );
    }

    #[test]
    fn paths_and_queries_are_encoded_strictly() {
        assert_eq!(path("a b/c+d~e^f%g"), "a%20b/c%2Bd~e%5Ef%25g");
        assert_eq!(query(&[("b", "x/y"), ("a", "")]), "a=&b=x%2Fy");
        assert_eq!(query_of("uploads&a=b%2Bc&&d"), "a=b%2Bc&d=&uploads=");
    }
}
