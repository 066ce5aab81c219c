//! The page for people: one file of HTML, nothing fetched from anywhere, readable without scripts,
//! on a telephone, in the dark and on paper.

use std::fmt::Write;

use cli_kit::{counted, iec_rate, iec_size};

use super::browse;
use super::state::State;
use super::{RepoStatus, Status, ago, repo_file};
use crate::config::{Config, RepoMode};
use crate::manifest::date;

pub(super) const STYLE: &str = include_str!("style.css");
/// Most snapshots that a card names.
const MAX_NAMED: usize = 30;

/// Whose page it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum PageOf {
    /// Of `serve`, which searches and lists folders.
    Serve,
    /// A file for any web server.
    Static,
}

pub(crate) fn page(status: &Status, config: &Config, of: PageOf) -> String {
    let mut out = String::new();
    let name = escaped(&status.name);
    // Writing into a string cannot fail.
    let _ = write!(
        out,
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <title>{name}</title><style>{STYLE}</style></head><body><main>\n\
         <header><h1>{name}</h1><span class=\"sum\">{}</span></header>\n",
        summary(status)
    );
    for why in status.of_run() {
        let _ = writeln!(out, "<p class=\"why\">{}</p>", commands(&escaped(why)));
    }
    if of == PageOf::Serve {
        out.push_str(&browse::form(""));
    }
    out.push_str("<section class=\"cards\">\n");
    for repo in &status.repos {
        card(repo, status.now, of, &mut out);
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
                 THIS-MIRROR.\nWho runs it: with mirror.url set in the configuration, the file is here, ready."
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
    let state = match status.reasons.len() {
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

/// The class of a card.
fn class(repo: &RepoStatus) -> &'static str {
    match repo.state {
        _ if repo.disabled => "",
        _ if matches!(repo.outcome.as_str(), "failed" | "partial") => "bad",
        State::Failed => "bad",
        State::Held | State::Behind | State::NothingYet => "wait",
        _ if !repo.warnings.is_empty() => "warn",
        State::UpToDate | State::OnDemand | State::Bundle => "",
    }
}

/// How the last run ended, and what that means for clients.
fn last_run(repo: &RepoStatus) -> &'static str {
    let is_served = repo.snapshot.is_some();
    match (repo.mode, repo.outcome.as_str()) {
        (RepoMode::Proxy, "failed") => "upstream cannot be asked, what is here is served",
        (RepoMode::Proxy, "") => "nobody has asked yet",
        (RepoMode::Proxy, _) => "upstream answered",
        (_, "new") if repo.first_part => "first part published",
        (_, "new") => "published a new set",
        (_, "nothing-new") => "nothing new",
        (_, "partial") if is_served => "incomplete, last good set is served",
        (_, "failed") if is_served => "failed, last good set is served",
        (_, "partial") => "incomplete, nothing is served yet",
        (_, "failed") => "failed, nothing is served yet",
        _ => "none yet",
    }
}

fn card(repo: &RepoStatus, now: u64, of: PageOf, out: &mut String) {
    let (class, words) = (class(repo), repo.words());
    let id = escaped(&repo.id);
    let shown_id = match of {
        PageOf::Serve if repo.snapshot.is_some() => format!("<a href=\"/{id}/\">{id}</a>"),
        _ => id.clone(),
    };
    // Writing into a string cannot fail.
    let _ = write!(
        out,
        "<article class=\"{class}\"><div class=\"top\"><h2>{}<span class=\"id\">{shown_id}</span></h2>\
         <span class=\"state\">{words}</span></div>\n<dl>",
        escaped(&repo.name)
    );
    let mut fact = |name: &str, value: String| {
        let _ = write!(out, "<div><dt>{name}</dt><dd>{value}</dd></div>");
    };
    if repo.mode != RepoMode::Bundle {
        let when = repo
            .try_age_seconds
            .map_or_else(String::new, |age| format!(", {}", ago(age)));
        fact("Last run", format!("{}{when}", last_run(repo)));
    }
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
        let _ = writeln!(out, "<p class=\"why\">{}</p>", commands(&escaped(error)));
    }
    for note in repo.notes() {
        let _ = writeln!(out, "<p class=\"note\">{}</p>", commands(&escaped(&note)));
    }
    if let Some(limit) = &repo.limit {
        let _ = writeln!(out, "<p class=\"limit\">{}</p>", escaped(limit));
    }
    changes(repo, out);
    links(repo, &id, out);
    out.push_str("</article>\n");
}

/// What the last runs have changed.
fn changes(repo: &RepoStatus, out: &mut String) {
    if repo.changes.is_empty() {
        return;
    }
    // Writing into a string cannot fail.
    let _ = write!(out, "<details><summary>Last changes</summary>");
    for change in &repo.changes {
        let mut said = Vec::new();
        match change.is_first {
            true => said.push("the first set".to_owned()),
            false => {
                said.push(format!("{} new", change.added_count));
                said.push(format!("{} gone", change.removed_count));
            }
        }
        said.push(format!(
            "{} in all",
            counted(change.packages as u64, "package")
        ));
        let _ = write!(
            out,
            "<p class=\"when\"><b>{}</b> {}</p>",
            date(change.at),
            said.join(", ")
        );
        if change.is_first {
            continue;
        }
        out.push_str("<ul class=\"names\">");
        for advisory in &change.advisories {
            let _ = write!(
                out,
                "<li class=\"security\"><b>{}</b> {} {}</li>",
                escaped(&advisory.id),
                escaped(&advisory.severity),
                escaped(&advisory.title)
            );
        }
        more(
            change.advisory_count,
            change.advisories.len(),
            "security advisories",
            out,
        );
        for (sign, names, count) in [
            ("+", &change.added, change.added_count),
            ("−", &change.removed, change.removed_count),
        ] {
            for name in names {
                let _ = write!(out, "<li>{sign} {}</li>", escaped(name));
            }
            more(
                count,
                names.len(),
                if sign == "+" { "new" } else { "gone" },
                out,
            );
        }
        out.push_str("</ul>");
    }
    out.push_str("</details>\n");
}

fn more(count: usize, shown: usize, what: &str, out: &mut String) {
    if count > shown {
        // Writing into a string cannot fail.
        let _ = write!(out, "<li>and {} more {what}</li>", count - shown);
    }
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

/// Escaped text whose commands, in backquotes, are shown as such.
fn commands(text: &str) -> String {
    let pieces = text.split('`').enumerate();
    let pieces = pieces.map(|(at, piece)| match at % 2 {
        0 => piece.to_owned(),
        _ => format!("<code>{piece}</code>"),
    });
    pieces.collect()
}

/// Text for HTML.
pub(super) fn escaped(text: &str) -> String {
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
