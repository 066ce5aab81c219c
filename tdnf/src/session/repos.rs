//! Which repositories a run has, and which of them are on.

use rpm_pkg::glob::glob_matches;
use std::path::Path;

use rpm_repo::config::{RepoConfig, RepoFiles, read_repo_dirs};
use rpm_repo::layout::file_url;
use rpm_repo::vars::Vars;
use rpm_repo::{Error, Place};

use crate::args::RepoSwitch;
use crate::error::{At, Code, Failure, Outcome};
use crate::session::from_dir;
use crate::settings::{RepoOrigin, Settings};

/// The repositories of a run.
pub(super) struct FoundRepos {
    /// Those that are on can be used.
    pub(super) repos: Vec<RepoConfig>,
    /// What is said of the others, a line each.
    pub(super) warnings: Vec<String>,
    /// The first thing that is left out and would be, or may be, on: why nothing is on, where nothing is.
    pub(super) unusable: Option<Failure>,
}

/// Reads all repositories of the settings: `.repo` files, those of the command line, overrides
/// and switches, in this order. A repository with a fault is left out, whatever its section says.
///
/// Errors: a switch names a repository that has a fault.
pub(super) fn read(settings: &Settings, cache: &Path, vars: &Vars) -> Outcome<FoundRepos> {
    let missing = settings.repo_dirs.iter().find(|dir| !dir.is_dir());
    if let Some(dir) = missing
        && settings.temporary_repos.is_empty()
    {
        let line = format!("{}: no such directory", dir.display());
        return Err(Failure::because(Code::REPO_DIR_OPEN, line));
    }
    let RepoFiles {
        mut repos,
        passed_over,
        unusable,
    } = read_repo_dirs(&settings.root, &settings.repo_dirs, &settings.main, vars)?;
    for repo in &mut repos {
        let file = repo.source.file().to_owned();
        let sent = [
            &mut repo.auth_header_file,
            &mut repo.sslclientcert,
            &mut repo.sslclientkey,
        ];
        for path in sent.into_iter().flatten() {
            *path = settings.brought.path(&file, path)?;
        }
    }
    for temporary in &settings.temporary_repos {
        let (option, url) = match &temporary.origin {
            RepoOrigin::Url(url) => ("--repofrompath", url.clone()),
            RepoOrigin::Dir(dir) => {
                // Its metadata is made when it is asked for.
                std::fs::read_dir(dir).at(dir)?;
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
            let line = format!("{option}: there is a repository '{}' already", repo.id);
            return Err(Failure::because(Code::DUPLICATE_REPO_ID, line));
        }
        repos.push(repo);
    }
    override_keys(settings, &mut repos, vars)?;
    let unlimited = &settings.main.snapshotexcluderepos;
    for repo in &mut repos {
        if unlimited.iter().any(|glob| glob_matches(glob, &repo.id)) {
            repo.snapshottime = None;
        }
    }
    if settings.no_excludes {
        for repo in &mut repos {
            repo.excludepkgs.clear();
            repo.includepkgs.clear();
        }
    }
    switch(&settings.switches, &mut repos);
    leave_out(settings, repos, passed_over, unusable)
}

/// Takes out what cannot be used.
fn leave_out(
    settings: &Settings,
    mut repos: Vec<RepoConfig>,
    passed_over: Vec<Error>,
    unusable: Vec<Error>,
) -> Outcome<FoundRepos> {
    let mut warnings: Vec<String> = passed_over.iter().map(Error::to_string).collect();
    let mut reasons = Vec::new();
    for error in unusable {
        warnings.push(match &error {
            Error::RepoFile(_) => error.to_string(),
            _ => format!("{error}; the repository is not used"),
        });
        let hint = "correct the file, or move it away: no option leaves a file out";
        reasons.push(Failure::from(error).hint(hint));
    }
    for repo in &mut repos {
        let Some(fault) = repo.fault.clone() else {
            continue;
        };
        if !repo.enabled {
            warnings.push(format!("{fault}; the repository is off"));
            continue;
        }
        warnings.push(format!("{fault}; the repository is not used"));
        let failure = Failure::from(Error::Section(fault));
        let failure = failure.hint("correct the line: the repository cannot be used before");
        if is_named(&settings.switches, repo) {
            return Err(failure);
        }
        reasons.push(failure);
        repo.enabled = false;
    }
    Ok(FoundRepos {
        repos,
        warnings,
        unusable: reasons.into_iter().next(),
    })
}

/// Whether the command line switches just this repository on.
fn is_named(switches: &[RepoSwitch], repo: &RepoConfig) -> bool {
    let mut on = switches
        .iter()
        .filter(|switch| !matches!(switch, RepoSwitch::Disable(_)));
    on.any(|switch| *switch.pattern() == repo.id)
}

fn override_keys(settings: &Settings, repos: &mut [RepoConfig], vars: &Vars) -> Outcome<()> {
    for change in &settings.repo_overrides {
        let named = |repo: &&mut RepoConfig| glob_matches(&change.repo, &repo.id);
        for repo in repos.iter_mut().filter(named) {
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
        let on = !matches!(switch, RepoSwitch::Disable(_));
        repos
            .iter_mut()
            .filter(|repo| glob_matches(switch.pattern(), &repo.id))
            .for_each(|repo| repo.enabled = on);
    }
}
