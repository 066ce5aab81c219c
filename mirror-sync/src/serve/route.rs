//! What a request's path means. Pure: no file is touched.

use percent_encoding::percent_decode_str;
use rpm_repo::layout::tidied;

/// Longest path after decoding, in bytes.
const MAX_PATH: usize = 4096;

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Route {
    /// The page for people.
    Page,
    /// `/status.json`.
    Status,
    /// `/metrics`.
    Metrics,
    /// `/mirror.repo`.
    RepoFile,
    /// `/healthz`.
    Health,
    /// `/search`.
    Search,
    /// A file below `public/`.
    File(String),
    /// `/@DATE/REPO/PATH`: the repository as it was.
    Dated {
        /// Date or stamp.
        date: String,
        repo: String,
        /// Path below it.
        path: String,
    },
}

/// Understands a path, in which `//` and `/./` mean what they mean to other servers; none for what no file of ours can be called.
pub(crate) fn route(raw: &str) -> Option<Route> {
    let path = raw.split(['?', '#']).next().unwrap_or_default();
    let path = decoded(path)?;
    let path = &*tidied(path.strip_prefix('/')?.trim_start_matches('/'));
    match path {
        "" | "index.html" => return Some(Route::Page),
        "status.json" => return Some(Route::Status),
        "metrics" => return Some(Route::Metrics),
        "mirror.repo" => return Some(Route::RepoFile),
        "healthz" => return Some(Route::Health),
        "search" => return Some(Route::Search),
        _ => {}
    }
    if !is_plain(path) {
        return None;
    }
    if let Some(rest) = path.strip_prefix('@') {
        let (date, rest) = rest.split_once('/')?;
        let (repo, path) = rest.split_once('/').unwrap_or((rest, ""));
        return Some(Route::Dated {
            date: date.to_owned(),
            repo: repo.to_owned(),
            path: path.to_owned(),
        });
    }
    Some(Route::File(path.to_owned()))
}

/// Relative, downward, visible: no empty, `.`, `..` or hidden part, no backslash or control
/// character.
fn is_plain(path: &str) -> bool {
    let fits = !path.is_empty() && path.len() <= MAX_PATH;
    let clean = !path.chars().any(|c| c.is_control() || c == '\\');
    let visible = |part: &str| !part.is_empty() && !part.starts_with('.') && part.len() <= 255;
    fits && clean && path.split('/').all(visible)
}

/// Percent-decoded once; none if the result is no UTF-8 or a `%` has no digits after it.
fn decoded(text: &str) -> Option<String> {
    let is_code = |after: &[u8]| {
        let digits = after.get(..2);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    let mut codes = text.as_bytes().split(|byte| *byte == b'%').skip(1);
    let text = codes.all(is_code).then(|| percent_decode_str(text))?;
    Some(text.decode_utf8().ok()?.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn row_116_paths_that_lead_astray_mean_nothing() {
        for bad in [
            "/../etc/passwd",
            "/base/../../etc/passwd",
            "/%2e%2e/etc/passwd",
            "/base/%2e%2e%2f%2e%2e%2fetc/passwd",
            "/..%5c..%5cetc",
            "//../etc/passwd",
            "/.//.hidden",
            "/.live/current/base/1/repodata/repomd.xml",
            "/base/.making",
            "/a%00b",
            "/a%0ab",
            "/%ff",
            "/%zz",
            "/%2",
            "/%+f/x",
            "",
            "base",
            "/@2026-01-01",
        ] {
            assert_eq!(route(bad), None, "{bad}");
        }
        assert_eq!(route(&format!("/{}", "a/".repeat(4000))), None);
    }

    #[test]
    fn good_paths_mean_what_they_say() {
        for idle in ["//base//x", "/./base/x", "/base/.//./x"] {
            assert_eq!(route(idle), Some(Route::File("base/x".into())), "{idle}");
        }
        assert_eq!(route("/"), Some(Route::Page));
        assert_eq!(
            route("/base/Packages/a%2Bb-1.rpm?x=1"),
            Some(Route::File("base/Packages/a+b-1.rpm".into()))
        );
        assert_eq!(
            route("/@2026-11-20/base/repodata/repomd.xml"),
            Some(Route::Dated {
                date: "2026-11-20".into(),
                repo: "base".into(),
                path: "repodata/repomd.xml".into(),
            })
        );
    }
}
