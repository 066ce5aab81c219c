//! The page for people: one file of HTML, nothing fetched from anywhere, readable without scripts,
//! on a telephone, in the dark and on paper.

use std::fmt::Write;

use cli_kit::{iec_rate, iec_size};

use super::{RepoStatus, Status, ago, repo_file};
use crate::config::{Config, RepoMode};
use crate::manifest::date;

const STYLE: &str = include_str!("style.css");
/// Most snapshots that a card names.
const MAX_NAMED: usize = 30;

pub(crate) fn page(status: &Status, config: &Config) -> String {
    let mut out = String::new();
    let name = escaped(&status.name);
    // Writing into a string cannot fail.
    let _ = write!(
        out,
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <title>{name}</title><style>{STYLE}</style></head><body><main>\n\
         <header><h1>{name}</h1><span class=\"sum\">{}</span></header>\n<section class=\"cards\">\n",
        summary(status)
    );
    for repo in &status.repos {
        card(repo, status.now, &mut out);
    }
    out.push_str("</section>\n");
    let url = config.mirror.url.as_deref();
    let text = escaped(&repo_file(
        config,
        status,
        url.unwrap_or("http://THIS-MIRROR"),
    ));
    let fetch = match url {
        Some(url) => format!(
            "curl -o /etc/yum.repos.d/mirror.repo {}/mirror.repo",
            url.trim_end_matches('/')
        ),
        // Nobody has said where this page is to be had.
        None => "Put the text below into a file in /etc/yum.repos.d, this mirror's address in the place of \
                 THIS-MIRROR."
            .to_owned(),
    };
    let fetch = escaped(&fetch);
    let _ = write!(
        out,
        "<h3>Use this mirror</h3>\n<pre>{fetch}</pre>\n\
         <details><summary>What is in that file</summary><pre>{text}</pre></details>\n\
         <footer>Looked at {}. For programs: <a href=\"/status.json\">status.json</a>, \
         <a href=\"/metrics\">metrics</a>. mirror-sync {}</footer>\n</main></body></html>\n",
        date(status.now),
        escaped(&status.version)
    );
    out
}

fn summary(status: &Status) -> String {
    let count = status.repos.len();
    let unwell = status.repos.iter().filter(|repo| !repo.is_well()).count();
    let state = match unwell {
        0 => "all is well".to_owned(),
        1 => "1 needs a look".to_owned(),
        more => format!("{more} need a look"),
    };
    let word = if count == 1 {
        "repository"
    } else {
        "repositories"
    };
    format!(
        "{count} {word}, {state} · {} published, {} free",
        iec_size(status.published_bytes),
        iec_size(status.disk_free)
    )
}

/// The class of a card and its words.
fn state(repo: &RepoStatus) -> (&'static str, &'static str) {
    match (repo.mode, repo.outcome.as_str()) {
        (RepoMode::Proxy, "failed") => ("bad", "upstream cannot be asked, what is here is served"),
        (RepoMode::Proxy, _) => ("", "fills on demand"),
        (_, "new" | "nothing-new") if repo.rolled_back_from.is_some() => {
            ("wait", "rolled back, an older snapshot is held")
        }
        (_, "new" | "nothing-new") if repo.first_part => ("wait", "first part published"),
        (_, "new" | "nothing-new") => ("", "up to date"),
        (_, "partial") if repo.snapshot.is_some() => {
            ("wait", "last run incomplete, last good set is served")
        }
        (_, "failed") if repo.snapshot.is_some() => {
            ("bad", "last run failed, last good set is served")
        }
        (_, "failed" | "partial") => ("bad", "failed, nothing is served yet"),
        _ => ("wait", "not mirrored yet"),
    }
}

fn card(repo: &RepoStatus, now: u64, out: &mut String) {
    let (class, words) = state(repo);
    let id = escaped(&repo.id);
    // Writing into a string cannot fail.
    let _ = write!(
        out,
        "<article class=\"{class}\"><div class=\"top\"><h2>{}<span class=\"id\">{id}</span></h2>\
         <span class=\"state\">{words}</span></div>\n<dl>",
        escaped(&repo.name)
    );
    let mut fact = |name: &str, value: String| {
        let _ = write!(out, "<div><dt>{name}</dt><dd>{value}</dd></div>");
    };
    if repo.last_success > 0 && repo.rolled_back_from.is_none() {
        fact(
            "Same as upstream",
            ago(now.saturating_sub(repo.last_success)),
        );
    }
    if repo.upstream_time > 0 {
        fact("Upstream’s date", date(repo.upstream_time));
    }
    if let Some(newer) = &repo.rolled_back_from {
        fact("Rolled back from", escaped(newer));
    }
    if repo.snapshot.is_some() || repo.mode == RepoMode::Proxy {
        let part = if repo.part { " (a part)" } else { "" };
        fact("Packages", format!("{}{part}", repo.packages));
        fact("Size", iec_size(repo.bytes));
    }
    if repo.rate > 0 {
        fact("Last transfer", iec_rate(repo.rate));
    }
    out.push_str("</dl>\n");
    if let Some(error) = &repo.error {
        let _ = writeln!(out, "<p class=\"why\">{}</p>", escaped(error));
    }
    if let Some(limit) = &repo.limit {
        let _ = writeln!(out, "<p class=\"limit\">{}</p>", escaped(limit));
    }
    links(repo, &id, out);
    out.push_str("</article>\n");
}

fn links(repo: &RepoStatus, id: &str, out: &mut String) {
    if repo.snapshots.is_empty() {
        return;
    }
    let count = repo.snapshots.len();
    let word = if count == 1 { "snapshot" } else { "snapshots" };
    // Writing into a string cannot fail.
    let _ = write!(out, "<details><summary>{count} {word}</summary><ul>");
    for stamp in repo.snapshots.iter().take(MAX_NAMED) {
        let shown: Vec<&str> = repo
            .channels
            .iter()
            .filter(|(_, what)| what == stamp)
            .map(|(channel, _)| channel.as_str())
            .collect();
        let stamp = escaped(stamp);
        let _ = write!(
            out,
            "<li><a href=\"/snapshots/{id}/{stamp}/repodata/repomd.xml\">{stamp}</a> {}</li>",
            escaped(&shown.join(", "))
        );
    }
    out.push_str("</ul></details>\n");
}

/// Text for HTML.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c if c.is_control() && c != '\n' => out.push(' '),
            c => out.push(c),
        }
    }
    out
}
