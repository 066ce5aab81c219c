//! Folders of `public/` as lists, and packages by parts of their names.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::header::{CACHE_CONTROL, HeaderValue, LOCATION};
use hyper::{Request, StatusCode};
use percent_encoding::percent_decode_str;
use rustix::fs::{Dir, OFlags, fstat};

use super::answer::{HttpAnswer, Inside, refusal, text};
use super::doors::{Visitor, unauthorized};
use super::proxy::Proxy;
use super::{Server, unreadable};
use crate::config::{Config, RepoMode};
use crate::layout::{CURRENT, Layout};
use crate::snapshot;
use crate::status::{self, FolderEntry, FoundPackage};

/// How long a search waits for those before it.
const SEARCH_WITHIN: Duration = Duration::from_secs(10);
/// Most entries of one page.
const MAX_ENTRIES: usize = 1000;
/// Most packages that a search shows.
const MAX_FOUND: usize = 200;
/// Most characters of what is searched for.
const MAX_QUERY: usize = 100;
/// Most words of it.
const MAX_WORDS: usize = 8;

/// What one page shows of a folder, and the name after which the next one goes on.
type FolderPage = (Vec<FolderEntry>, Option<String>);

impl Server {
    /// A folder of `public/` as a list, for those who ask for it with a slash at the end; the others are sent there.
    pub(super) async fn folder(
        &self,
        request: &Request<Incoming>,
        visitor: &Visitor,
        path: &str,
    ) -> Option<HttpAnswer> {
        let uri = request.uri();
        if !uri.path().ends_with('/') {
            let root = self.layout.public();
            let folder = path.to_owned();
            let is_there = move || is_folder(&root, &folder);
            let is_there = tokio::task::spawn_blocking(is_there).await;
            let name = uri.path().rsplit('/').next().unwrap_or_default();
            let target = HeaderValue::from_str(&format!("./{name}/")).ok()?;
            let mut answer = refusal(StatusCode::MOVED_PERMANENTLY, "it is a folder");
            answer.headers_mut().insert(LOCATION, target);
            return is_there.is_ok_and(|there| there).then_some(answer);
        }
        let after = value(uri.query(), "after");
        let (root, folder) = (self.layout.public(), path.to_owned());
        let listed = move || list(&root, &folder, &after);
        let (mut entries, next) = tokio::task::spawn_blocking(listed).await.ok()?.ok()?;
        let is_shown = |name: &str| {
            self.doors
                .refuses(visitor, &format!("{path}/{name}"))
                .is_none()
        };
        entries.retain(|entry| is_shown(&entry.name));
        let next = next.filter(|name| is_shown(name));
        Some(self.html(status::folder(path, &entries, next.as_deref())))
    }

    /// What packages are called so: one search at a time, it reads the lists of all repositories.
    pub(super) async fn search(
        &self,
        request: &Request<Incoming>,
        visitor: &Visitor,
    ) -> HttpAnswer {
        let Some(shown) = self.shown_to(visitor) else {
            return unauthorized();
        };
        let words = value(request.uri().query(), "q");
        let turn = tokio::time::timeout(SEARCH_WITHIN, self.searching.lock()).await;
        let Ok(_turn) = turn else {
            return refusal(
                StatusCode::SERVICE_UNAVAILABLE,
                "many are searching: try again",
            );
        };
        let (layout, proxies, asked) = (self.layout.clone(), self.proxies.clone(), words.clone());
        let search = move || find(&shown, &layout, &proxies, &asked);
        match tokio::task::spawn_blocking(search).await {
            Ok((found, count)) => self.html(status::found(&words, &found, count)),
            Err(_) => unreadable(),
        }
    }

    fn html(&self, body: String) -> HttpAnswer {
        self.private(text(StatusCode::OK, "text/html; charset=utf-8", body))
    }

    /// An answer that no cache may keep where others get another one.
    pub(super) fn private(&self, mut answer: HttpAnswer) -> HttpAnswer {
        if self.doors.are_locked() {
            let headers = answer.headers_mut();
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
        }
        answer
    }
}

/// Whether there is such a folder below `root`.
fn is_folder(root: &Path, path: &str) -> bool {
    let opened = Inside::of(root).and_then(|root| root.open(path, OFlags::DIRECTORY));
    opened.is_ok()
}

/// A folder below `root`, from the first name after `after` on.
///
/// # Errors
/// There is no such folder below it.
fn list(root: &Path, path: &str, after: &str) -> io::Result<FolderPage> {
    let root = Inside::of(root)?;
    let dir = root.open(path, OFlags::DIRECTORY)?;
    let mut names = Vec::new();
    for entry in Dir::read_from(&dir)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().to_str() else {
            continue;
        };
        if !name.starts_with('.') && name > after {
            names.push(name.to_owned());
        }
    }
    names.sort();
    let next = names.get(MAX_ENTRIES - 1).cloned();
    let next = next.filter(|_| names.len() > MAX_ENTRIES);
    let look = |name: String| {
        let entry = root.open(&format!("{path}/{name}"), OFlags::PATH);
        // What leads elsewhere is not shown.
        let about = fstat(entry.ok()?).ok()?;
        Some(FolderEntry {
            name,
            is_folder: rustix::fs::FileType::from_raw_mode(about.st_mode).is_dir(),
            size: u64::try_from(about.st_size).unwrap_or(0),
            modified: u64::try_from(about.st_mtime).unwrap_or(0),
        })
    };
    let shown = names.into_iter().take(MAX_ENTRIES).filter_map(look);
    Ok((shown.collect(), next))
}

/// The value of a key of a query, decoded; empty if there is none.
fn value(query: Option<&str>, key: &str) -> String {
    let pairs = query.unwrap_or_default().split('&');
    let mut values = pairs.filter_map(|pair| pair.split_once('='));
    let value = values.find(|(name, _)| *name == key);
    let value = value.map_or(String::new(), |(_, value)| value.replace('+', " "));
    let text = percent_decode_str(&value).decode_utf8_lossy();
    text.chars()
        .filter(|c| !c.is_control())
        .take(MAX_QUERY)
        .collect()
}

/// Packages of these repositories whose full names have all the words: some of them, sorted, and how many there are. Of
/// one in proxy mode those count that upstream lists, once a client has asked.
fn find(
    config: &Config,
    layout: &Layout,
    proxies: &[Arc<Proxy>],
    words: &str,
) -> (Vec<FoundPackage>, usize) {
    let words = words.to_lowercase();
    let words: Vec<&str> = words.split_whitespace().take(MAX_WORDS).collect();
    let (mut found, mut count) = (Vec::new(), 0);
    if words.is_empty() {
        return (found, count);
    }
    let mut look = |repo: &str, package: &str, path: &str, size: u64| {
        let name = package.to_lowercase();
        if words.iter().all(|word| name.contains(word)) {
            count += 1;
            found.push(FoundPackage {
                repo: repo.to_owned(),
                package: package.to_owned(),
                path: path.to_owned(),
                size,
            });
            // The best stay.
            if found.len() >= 2 * MAX_FOUND {
                best(&mut found, &words);
            }
        }
    };
    for (id, section) in &config.repo {
        if section.mode == RepoMode::Proxy {
            let proxy = proxies.iter().find(|proxy| proxy.id() == id);
            let listed = proxy.map(|proxy| proxy.listed()).unwrap_or_default();
            for (path, size) in &listed {
                let name = path.rsplit('/').next().unwrap_or_default();
                look(id, name.strip_suffix(".rpm").unwrap_or(name), path, *size);
            }
            continue;
        }
        // What cannot be read has nothing to be found; the page says why.
        if let Ok(manifest) = snapshot::shown(layout, id, CURRENT) {
            for file in &manifest.files {
                if let Some(package) = &file.package {
                    look(id, package, &file.path, file.size);
                }
            }
        }
    }
    best(&mut found, &words);
    (found, count)
}

/// Leaves those that a page shows: names that begin with the first word come first.
fn best(found: &mut Vec<FoundPackage>, words: &[&str]) {
    let first = words.first().copied().unwrap_or_default();
    found.sort_by_cached_key(|one| {
        let name = one.package.to_lowercase();
        (!name.starts_with(first), name, one.repo.clone())
    });
    found.truncate(MAX_FOUND);
}

#[cfg(test)]
mod tests {
    use super::value;

    #[test]
    fn a_query_is_decoded_once_and_cut() {
        for (query, expected) in [
            (None, ""),
            (Some("q"), ""),
            (Some("p=1&q=a+b%2Bc%26&q=z"), "a b+c&"),
            (Some("q=%ff%zz%0a%00x"), "\u{fffd}%zzx"),
        ] {
            assert_eq!(value(query, "q"), expected, "{query:?}");
        }
        let long = format!("q={}", "a".repeat(5000));
        assert_eq!(value(Some(&long), "q").len(), 100);
    }
}
