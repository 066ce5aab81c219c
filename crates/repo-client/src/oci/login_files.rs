//! Logins to registries as docker, podman and skopeo write them down (`docker login`).

use std::collections::HashMap;
use std::path::PathBuf;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use rustix::fs::OFlags;
use serde::Deserialize;

use crate::options::RegistryLogins;

/// Most bytes of such a file.
const MAX_FILE: u64 = 1 << 20;
/// `auth` is written with and without padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What a registry is told of who asks.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Login {
    /// User and password.
    Basic(String, String),
    /// Exchanged for a token (`identitytoken`).
    Refresh(String),
}

/// What the files say of a repository.
pub(crate) enum Found {
    /// How to log in.
    Login(Login),
    /// A file says that a program knows: which, and where it says so.
    Helper(String, PathBuf),
    /// There is a login, and why it is not used.
    Withheld(&'static str),
    /// Nothing.
    Nothing,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct LoginFile {
    auths: HashMap<String, Entry>,
    #[serde(rename = "credsStore")]
    store: Option<String>,
    #[serde(rename = "credHelpers")]
    helpers: HashMap<String, String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Entry {
    auth: Option<String>,
    identitytoken: Option<String>,
}

/// The login for a repository, `HOST[:PORT]/NAME`. In words, without what stands in it, why a file cannot be read.
pub(crate) fn find(logins: &RegistryLogins, place: &str) -> Result<Found, String> {
    let mut helper = Found::Nothing;
    for path in &logins.files {
        let failed = |why: &dyn std::fmt::Display| format!("{}: {why}", path.display());
        let opened = whole_file::open_named(path, OFlags::RDONLY);
        let text = match opened.and_then(|(file, _)| whole_file::read_up_to(file, MAX_FILE)) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(failed(&error)),
        };
        // The words of the library may hold what stands there.
        let parsed: LoginFile = serde_json::from_slice(&text)
            .map_err(|_| failed(&"no file of logins to registries (JSON with \"auths\")"))?;
        match parsed.login(place).map_err(|why| failed(&why))? {
            Some(login) => return Ok(Found::Login(login)),
            None => {
                let named = parsed
                    .helper(place)
                    .filter(|_| matches!(helper, Found::Nothing));
                helper = named.map_or(helper, |name| Found::Helper(name, path.clone()));
            }
        }
    }
    Ok(helper)
}

impl LoginFile {
    fn login(&self, place: &str) -> Result<Option<Login>, &'static str> {
        let entry = keys(place).find_map(|key| {
            let mut all = self.auths.iter();
            all.find(|(written, one)| bare(written) == key && one.is_filled())
        });
        entry.map(|(_, entry)| entry.login()).transpose()
    }

    fn helper(&self, place: &str) -> Option<String> {
        let host = place.split('/').next().unwrap_or_default();
        let own = self
            .helpers
            .iter()
            .find(|(written, _)| bare(written) == host);
        own.map(|(_, name)| name.clone())
            .or_else(|| self.store.clone())
    }
}

impl Entry {
    fn is_filled(&self) -> bool {
        let filled = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
        filled(&self.auth) || filled(&self.identitytoken)
    }

    fn login(&self) -> Result<Login, &'static str> {
        if let Some(token) = self
            .identitytoken
            .as_ref()
            .filter(|token| !token.is_empty())
        {
            return Ok(Login::Refresh(token.clone()));
        }
        let bad = "an `auth` in it is not USER:PASSWORD in base64";
        let bytes = BASE64.decode(self.auth.as_deref().unwrap_or_default().trim());
        let text = String::from_utf8(bytes.map_err(|_| bad)?).map_err(|_| bad)?;
        // Some writers fill it up with NUL.
        let (user, password) = text.trim_end_matches('\0').split_once(':').ok_or(bad)?;
        Ok(Login::Basic(user.to_owned(), password.to_owned()))
    }
}

/// `HOST/a/b`, `HOST/a`, `HOST`: the most special login counts.
fn keys(place: &str) -> impl Iterator<Item = &str> {
    let ends = place.rmatch_indices('/').map(|(at, _)| at);
    let shorter = ends.filter_map(|at| place.get(..at));
    std::iter::once(place).chain(shorter)
}

/// Old entries are URLs.
fn bare(written: &str) -> &str {
    let text = written.strip_prefix("https://").unwrap_or(written);
    let text = text.strip_prefix("http://").unwrap_or(text);
    let text = text.trim_end_matches('/');
    let text = text
        .strip_suffix("/v1")
        .or(text.strip_suffix("/v2"))
        .unwrap_or(text);
    text.trim_end_matches('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str, place: &str) -> Result<Found, String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.json");
        std::fs::write(&path, text).unwrap();
        let logins = RegistryLogins::of(Some(path.into()), None, None, None);
        find(&logins, place)
    }

    fn basic(text: &str, place: &str) -> Option<(String, String)> {
        match found(text, place) {
            Ok(Found::Login(Login::Basic(user, password))) => Some((user, password)),
            _ => None,
        }
    }

    #[test]
    fn the_most_special_login_counts() {
        // u:p, v:q:r, w:s
        let text = r#"{"auths": {"h:5000": {"auth": "dTpw"}, "h:5000/a": {"auth": "djpxOnI="},
            "https://old.site/v1/": {"auth": "dzpz"}, "empty.site": {}}, "credHelpers": {"empty.site": "pass"}}"#;
        let pair = |user: &str, password: &str| Some((user.to_owned(), password.to_owned()));
        assert_eq!(basic(text, "h:5000/b"), pair("u", "p"));
        assert_eq!(basic(text, "h:5000/a/b"), pair("v", "q:r"));
        assert_eq!(basic(text, "old.site/x"), pair("w", "s"));
        assert_eq!(basic(text, "h/a"), None);
        assert_eq!(basic(text, "h:5000.evil.site/a"), None);
        let helper = found(text, "empty.site/a");
        assert!(matches!(helper, Ok(Found::Helper(name, _)) if name == "pass"));
    }

    #[test]
    fn what_is_wrong_is_said_without_the_secret() {
        for text in [
            "{\"auths\": {\"h\": {\"auth\": \"s3cret\"",
            "{\"auths\": {\"h\": {\"auth\": 5}}, \"s3cret\": 1}",
            "{\"auths\": {\"h\": {\"auth\": \"s3cret!\"}}}",
            "{\"auths\": {\"h\": {\"auth\": \"czNjcmV0\"}}}",
        ] {
            let why = found(text, "h/a").map(|_| ()).unwrap_err();
            assert!(
                why.contains("config.json: ") && !why.contains("s3cret"),
                "{why}"
            );
        }
    }
}
