//! Which repositories a run has, and which of them are on.

use std::path::Path;

use rpm_repo::Place;
use rpm_repo::config::{RepoConfig, read_repo_dirs};
use rpm_repo::vars::Vars;

use crate::args::RepoSwitch;
use crate::error::{Code, Failure, Outcome};
use crate::session::from_dir;
use crate::settings::{RepoOrigin, Settings, file_url};

/// Reads all repositories of the settings: `.repo` files, those of the command line, overrides
/// and switches, in this order.
pub(super) fn read(settings: &Settings, cache: &Path, vars: &Vars) -> Outcome<Vec<RepoConfig>> {
    let missing = settings.repo_dirs.iter().find(|dir| !dir.is_dir());
    if let Some(dir) = missing
        && settings.temporary_repos.is_empty()
    {
        return Err(Failure::because(
            Code::REPO_DIR_OPEN,
            format!("{}: no such directory", dir.display()),
        ));
    }
    let mut repos = read_repo_dirs(&settings.repo_dirs, &settings.main, vars)?;
    for temporary in &settings.temporary_repos {
        let (option, url) = match &temporary.origin {
            RepoOrigin::Url(url) => ("--repofrompath", url.clone()),
            RepoOrigin::Dir(dir) => {
                // Its metadata is made when it is asked for.
                std::fs::read_dir(dir).map_err(|error| Failure::io(dir, &error))?;
                let made = from_dir::metadata_dir(cache, &temporary.id);
                ("--repofromdir", file_url(&made))
            }
        };
        let place = Place::named(option);
        let mut repo = RepoConfig::new(&temporary.id, place.clone(), &settings.main)?;
        repo.set("baseurl", &url, &place, vars)?;
        if matches!(temporary.origin, RepoOrigin::Dir(_)) {
            // What lies in the folder now counts.
            repo.metadata_expire = Some(std::time::Duration::ZERO);
        }
        repo.enabled = true;
        if repos.iter().any(|known| known.id == repo.id) {
            return Err(Failure::because(
                Code::DUPLICATE_REPO_ID,
                format!("ERROR: duplicate repo id: {}", repo.id),
            ));
        }
        repos.push(repo);
    }
    override_keys(settings, &mut repos, vars)?;
    switch(&settings.switches, &mut repos);
    Ok(repos)
}

fn override_keys(settings: &Settings, repos: &mut [RepoConfig], vars: &Vars) -> Outcome<()> {
    for change in &settings.repo_overrides {
        for repo in repos.iter_mut().filter(|repo| glob(&change.repo, &repo.id)) {
            repo.set(&change.key, &change.value, &change.place, vars)?;
        }
    }
    Ok(())
}

/// Applies the switches strictly in order; an unknown id is ignored, as in tdnf.
fn switch(switches: &[RepoSwitch], repos: &mut [RepoConfig]) {
    let mut only_seen = false;
    for switch in switches {
        if matches!(switch, RepoSwitch::Only(_)) && !only_seen {
            only_seen = true;
            repos.iter_mut().for_each(|repo| repo.enabled = false);
        }
        let (pattern, on) = match switch {
            RepoSwitch::Enable(pattern) | RepoSwitch::Only(pattern) => (pattern, true),
            RepoSwitch::Disable(pattern) => (pattern, false),
        };
        repos
            .iter_mut()
            .filter(|repo| glob(pattern, &repo.id))
            .for_each(|repo| repo.enabled = on);
    }
}

/// Shell patterns with `*`, `?` and `[...]`, over the whole text.
pub fn glob(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    let (mut p, mut t) = (0, 0);
    // Where to go on when a mismatch follows a star: (pattern after it, text it has consumed).
    let mut retry: Option<(usize, usize)> = None;
    while t < text.len() {
        let step = match pattern.get(p) {
            Some('*') => {
                retry = Some((p + 1, t));
                p += 1;
                continue;
            }
            Some('?') => Some(p + 1),
            Some('[') => class(&pattern, p, text[t]),
            Some(c) if *c == text[t] => Some(p + 1),
            _ => None,
        };
        match (step, retry) {
            (Some(next), _) => (p, t) = (next, t + 1),
            (None, Some((after, eaten))) => {
                retry = Some((after, eaten + 1));
                (p, t) = (after, eaten + 1);
            }
            (None, None) => return false,
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

/// Matches one character against the class that opens at `at`; returns what follows the class.
/// A class that never closes is a plain `[`.
fn class(pattern: &[char], at: usize, c: char) -> Option<usize> {
    let negated = matches!(pattern.get(at + 1), Some('!' | '^'));
    let first = at + 1 + usize::from(negated);
    let close = (first + 1..pattern.len()).find(|&i| pattern[i] == ']');
    let Some(close) = close else {
        return (c == '[').then_some(at + 1);
    };
    let members = &pattern[first..close];
    let mut found = false;
    let mut i = 0;
    while let Some(&low) = members.get(i) {
        match (members.get(i + 1), members.get(i + 2)) {
            (Some('-'), Some(&high)) => {
                found |= (low..=high).contains(&c);
                i += 3;
            }
            _ => {
                found |= low == c;
                i += 1;
            }
        }
    }
    (found != negated).then_some(close + 1)
}
