//! Who sees which repository: tokens, as bearer tokens or as passwords of a login.
//!
//! Of a token only its digest is kept, and digests are compared: how long that takes says nothing about a token. No
//! token stands in a log or an error.

use std::collections::{BTreeMap, HashSet};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::header::{AUTHORIZATION, HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use hyper::{StatusCode, header};
use rpm_pkg::digest::{Digest, DigestAlgo, Hasher};
use tokio_rustls::TlsAcceptor;

use super::answer::{HttpAnswer, refusal};
use super::tls;
use super::watched::Watched;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::layout::{self, Layout};

/// Largest file of tokens.
const MAX_TOKENS_FILE: u64 = 1 << 20;
/// Shortest and longest token: one that can be guessed is none.
const TOKEN_BYTES: std::ops::RangeInclusive<usize> = 16..=512;

/// What is locked, and what opens it.
pub(super) struct Doors {
    tls: Option<Watched<TlsAcceptor>>,
    files: Vec<Watched<Tokens>>,
    /// The file of each repository that is locked.
    of_repo: BTreeMap<String, usize>,
    /// Repositories of the configuration.
    known: HashSet<String>,
    /// Those of former configurations, which may have been locked.
    former: HashSet<String>,
}

/// The digests of the tokens of a file.
struct Tokens(Vec<Digest>);

/// Who asks.
#[derive(Default)]
pub(super) struct Visitor {
    /// He says who he is.
    pub(super) shows_something: bool,
    token: Option<Digest>,
    login: Option<Login>,
}

/// A login as it was sent.
#[derive(Clone)]
pub(crate) struct Login {
    /// Anything: tokens alone count.
    pub(crate) user: String,
    pub(crate) token: String,
}

/// Why a path is not shown.
pub(super) enum Refused {
    /// Its repository wants a token.
    Locked,
    /// Its repository is not part of the mirror any more.
    Gone,
}

impl Doors {
    pub(super) fn new(config: &Config, layout: &Layout) -> Result<Self> {
        let mut doors = Self {
            tls: tls::acceptor(&config.serve)?,
            files: Vec::new(),
            of_repo: BTreeMap::new(),
            known: config.repo.keys().cloned().collect(),
            former: HashSet::new(),
        };
        let mut known: BTreeMap<PathBuf, usize> = BTreeMap::new();
        for (id, repo) in &config.repo {
            let Some(file) = config.tokens_file(repo) else {
                continue;
            };
            let at = match known.get(file) {
                Some(at) => *at,
                None => {
                    let path = file.clone();
                    let tokens = Watched::new(vec![file.clone()], move || tokens(&path))?;
                    doors.files.push(tokens);
                    known.insert(file.clone(), doors.files.len() - 1);
                    doors.files.len() - 1
                }
            };
            doors.of_repo.insert(id.clone(), at);
        }
        let all = all_ever(layout)?.into_iter();
        doors
            .former
            .extend(all.filter(|id| !config.repo.contains_key(id)));
        Ok(doors)
    }

    /// How TLS is spoken; none where it is not.
    pub(super) fn tls(&self) -> Option<TlsAcceptor> {
        self.tls.as_ref().map(|tls| TlsAcceptor::clone(&tls.get()))
    }

    pub(super) fn is_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// Whether any repository is locked.
    pub(super) fn are_locked(&self) -> bool {
        !self.of_repo.is_empty()
    }

    /// The files that have no token.
    pub(super) fn empty_files(&self) -> impl Iterator<Item = String> {
        let empty = self.files.iter().filter(|file| file.get().0.is_empty());
        empty.map(Watched::name)
    }

    /// Reads again what has changed, or everything if somebody `asked`; lines to be said.
    pub(super) fn look(&self, asked: bool) -> Vec<String> {
        let mut lines = Vec::new();
        let mut say = |what: &str, read: Option<Result<()>>| match read {
            None => {}
            Some(Ok(())) => lines.push(format!("{what} were read again")),
            Some(Err(error)) => {
                lines.push(format!("warning: {error}; the {what} read before count"));
            }
        };
        if let Some(tls) = &self.tls {
            say("certificates", tls.look(asked));
        }
        for file in &self.files {
            say("tokens", file.look(asked));
        }
        lines
    }

    /// Who sends these headers.
    pub(super) fn visitor(&self, headers: &HeaderMap) -> Visitor {
        let Some(value) = headers.get(AUTHORIZATION).filter(|_| self.are_locked()) else {
            return Visitor::default();
        };
        let login = value.to_str().ok().and_then(login);
        Visitor {
            shows_something: true,
            token: login.as_ref().map(|login| digest(&login.token)),
            login,
        }
    }

    /// Whether a repository is open, or the visitor has a token for it.
    pub(super) fn lets(&self, visitor: &Visitor, id: &str) -> bool {
        let Some(file) = self.of_repo.get(id).and_then(|at| self.files.get(*at)) else {
            return true;
        };
        visitor.token.is_some_and(|token| {
            let known = file.get();
            known
                .0
                .iter()
                .fold(false, |found, one| found | (*one == token))
        })
    }

    /// Whether a repository wants a token.
    pub(super) fn is_locked(&self, id: &str) -> bool {
        self.of_repo.contains_key(id)
    }

    /// Why a path below `public/` is not shown to a visitor. Repositories are the first part of a path, or the second:
    /// of a channel, of `snapshots`; of `keys` it is the file's name up to its number.
    pub(super) fn refuses(&self, visitor: &Visitor, path: &str) -> Option<Refused> {
        let key = path
            .strip_prefix("keys/")
            .and_then(|file| file.rsplit_once('-'));
        let key = key.map(|(id, _)| id);
        let parts = || path.split('/').take(2).chain(key);
        if parts().any(|part| !self.lets(visitor, part)) {
            return Some(Refused::Locked);
        }
        // A folder of a repository may have any name.
        let is_known = parts()
            .next()
            .is_some_and(|first| self.known.contains(first));
        let gone = !is_known && parts().any(|part| self.former.contains(part));
        gone.then_some(Refused::Gone)
    }

    /// The user that a visitor with a good token calls himself.
    pub(super) fn user(&self, visitor: &Visitor) -> Option<String> {
        let known = |id: &String| self.lets(visitor, id);
        if !visitor.shows_something || !self.of_repo.keys().any(known) {
            return None;
        }
        let user = visitor.login.as_ref().map(|login| &login.user)?;
        // Whoever mixes the two up must not find the token in a log.
        let own = digest(user);
        let is_token = self.files.iter().any(|file| file.get().0.contains(&own));
        (!user.is_empty() && !is_token).then(|| user.clone())
    }
}

impl Visitor {
    /// What he sent, for a file that says the same.
    pub(super) fn login(&self) -> Option<&Login> {
        self.login.as_ref()
    }
}

/// The repositories that the mirror has, or had, anything of.
fn all_ever(layout: &Layout) -> Result<HashSet<String>> {
    let (public, state) = (layout.public(), layout.root().join("state"));
    let live = public.join(".live");
    let mut dirs = vec![state, public.join("snapshots")];
    dirs.extend(names(&live)?.iter().map(|channel| live.join(channel)));
    let mut all = HashSet::new();
    for dir in &dirs {
        all.extend(names(dir)?);
    }
    for file in names(&public.join("keys"))? {
        let parts = file
            .strip_suffix(".asc")
            .and_then(|name| name.rsplit_once('-'));
        let of_repo = parts.filter(|(_, number)| number.parse::<usize>().is_ok());
        all.extend(of_repo.map(|(id, _)| id.to_owned()));
    }
    Ok(all)
}

/// Names in a folder; none if it is something else, which nothing is shown of.
fn names(dir: &Path) -> Result<Vec<String>> {
    match dir.is_dir() {
        true => layout::names_in(dir),
        false => Ok(Vec::new()),
    }
}

/// The answer to whoever has no token for what he wants.
pub(super) fn unauthorized() -> HttpAnswer {
    let mut answer = refusal(
        StatusCode::UNAUTHORIZED,
        "this needs a token: as a bearer token, or as the password of any user",
    );
    let headers = answer.headers_mut();
    for way in [
        "Basic realm=\"mirror\", charset=\"UTF-8\"",
        "Bearer realm=\"mirror\"",
    ] {
        headers.append(WWW_AUTHENTICATE, HeaderValue::from_static(way));
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

/// `Bearer TOKEN`, or `Basic` and the Base64 of `USER:TOKEN`.
fn login(value: &str) -> Option<Login> {
    let (way, rest) = value.split_once(' ')?;
    let rest = rest.trim();
    if way.eq_ignore_ascii_case("bearer") {
        return Some(Login {
            user: String::new(),
            token: rest.to_owned(),
        });
    }
    let decoded = way
        .eq_ignore_ascii_case("basic")
        .then(|| STANDARD.decode(rest));
    let text = String::from_utf8(decoded?.ok()?).ok()?;
    let (user, token) = text.split_once(':')?;
    Some(Login {
        user: user.to_owned(),
        token: token.to_owned(),
    })
}

fn digest(token: &str) -> Digest {
    Hasher::digest(DigestAlgo::Sha256, token.as_bytes())
}

/// Reads a file of tokens. Lines that are empty or begin with `#` say nothing.
///
/// Errors: it cannot be read, others may, or a line is no token.
fn tokens(path: &Path) -> Result<Tokens> {
    let wrong = |what: String| Error::Config {
        place: path.display().to_string(),
        what,
    };
    let file = layout::open_named(path).map_err(Error::file(path, "read"))?;
    let about = file.metadata().map_err(Error::file(path, "read"))?;
    if about.mode() & 0o007 != 0 {
        let word = cli_kit::shell_word(&path.to_string_lossy());
        return Err(wrong(format!(
            "tokens that everybody may use are none: `chmod o= {word}`"
        )));
    }
    let data = layout::read_named(path, MAX_TOKENS_FILE)?;
    let text = String::from_utf8_lossy(&data);
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let plain = |c: char| c.is_ascii_alphanumeric() || "-._~+/=".contains(c);
        if !line.chars().all(plain) || !TOKEN_BYTES.contains(&line.len()) {
            return Err(wrong(format!(
                "line {} is no token: {} to {} letters, digits and -._~+/= (`openssl rand -hex 24` makes one)",
                number + 1,
                TOKEN_BYTES.start(),
                TOKEN_BYTES.end()
            )));
        }
        found.push(digest(line));
    }
    Ok(Tokens(found))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logins_are_read_in_both_forms() {
        let read = |text: &str| login(text).map(|login| (login.user, login.token));
        let is = |user: &str, token: &str| Some((user.to_owned(), token.to_owned()));
        assert_eq!(read("Bearer abc"), is("", "abc"));
        assert_eq!(read("bearer  abc "), is("", "abc"));
        let basic = |text: &str| format!("Basic {}", STANDARD.encode(text));
        assert_eq!(read(&basic("me:a:b")), is("me", "a:b"));
        assert_eq!(read(&basic(":t")), is("", "t"));
        for bad in ["", "Bearer", "Basic", "Basic !", "Digest x", &basic("none")] {
            assert!(read(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_file_of_tokens_is_private_and_has_no_token_that_can_be_guessed() {
        use std::os::unix::fs::PermissionsExt;
        let file = tempfile::NamedTempFile::new().unwrap();
        let read = |text: &str, mode: u32| {
            std::fs::write(file.path(), text).unwrap();
            std::fs::set_permissions(file.path(), PermissionsExt::from_mode(mode)).unwrap();
            tokens(file.path())
                .map(|tokens| tokens.0.len())
                .map_err(|error| error.to_string())
        };
        let good = "# the office\nabcdefghijklmnop\n\n0123456789abcdef-._~+/=\r\n";
        assert_eq!(read(good, 0o640), Ok(2));
        assert_eq!(read("", 0o600), Ok(0));
        let open = read(good, 0o644).unwrap_err();
        assert!(open.contains("chmod o= "), "{open}");
        let long = "x".repeat(513);
        for bad in ["short", "a token with blanks", "$(abcdefghijklmnop)", &long] {
            let why = read(&format!("abcdefghijklmnop\n{bad}\n"), 0o600).unwrap_err();
            assert!(why.contains("line 2 is no token"), "{why}");
            assert!(!why.contains(bad), "{why}");
        }
    }
}
