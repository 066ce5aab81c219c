//! What the command line says about configuration values and repositories.

use rpm_repo::Place;
use rpm_repo::config::MainConfig;

use super::bad_value;
use crate::args::{Args, Origin, find};
use crate::error::{Code, Failure, Outcome};

/// Switches repositories on or off, by id or glob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RepoSwitch {
    /// `--enablerepo`.
    Enable(String),
    /// `--disablerepo`.
    Disable(String),
    /// `--repo`, `--repoid`: the first one switches everything off before.
    Only(String),
}

/// `--setopt REPO.KEY=VALUE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepoOverride {
    /// Repository id or glob.
    pub repo: String,
    /// Key of the `.repo` file.
    pub key: String,
    /// Its value.
    pub value: String,
    /// Where it was given.
    pub place: Place,
}

/// `--repofrompath ID,URL`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemporaryRepo {
    /// The id.
    pub id: String,
    /// The base URL; a directory becomes `file://`.
    pub url: String,
}

/// Keys of `--setopt` that are no configuration keys and no options.
const OTHER_KEYS: &[&str] = &["tsflags"];

/// The place that values from the command line name.
fn command_line_place() -> Place {
    Place::named("--setopt")
}

/// Applies `--setopt KEY=VALUE` to the configuration; returns those that name a repository.
/// A key that nobody knows has no effect, as in tdnf, but is mentioned.
pub(super) fn apply_setopts(
    args: &Args,
    main: &mut MainConfig,
    warnings: &mut Vec<String>,
) -> Outcome<Vec<RepoOverride>> {
    let mut overrides = Vec::new();
    let place = command_line_place();
    for entry in args
        .entries
        .iter()
        .filter(|entry| entry.origin == Origin::Setopt)
    {
        if let Some((repo, key)) = entry.key.rsplit_once('.') {
            overrides.push(RepoOverride {
                repo: repo.to_owned(),
                key: key.to_owned(),
                value: entry.value.clone(),
                place: place.clone(),
            });
        } else if !main.set(&entry.key, &entry.value, &place)?
            && find(&entry.key).is_none()
            && !OTHER_KEYS.contains(&entry.key.as_str())
        {
            warnings.push(format!("--setopt: nobody knows the key '{}'", entry.key));
        }
    }
    Ok(overrides)
}

/// Repository switches in the order of the command line.
pub(super) fn switches(args: &Args) -> Vec<RepoSwitch> {
    let switch = |key: &str, value: &str| match key {
        "enablerepo" => Some(RepoSwitch::Enable(value.to_owned())),
        "disablerepo" => Some(RepoSwitch::Disable(value.to_owned())),
        "repo" | "repoid" => Some(RepoSwitch::Only(value.to_owned())),
        _ => None,
    };
    args.entries
        .iter()
        .filter_map(|entry| switch(&entry.key, &entry.value))
        .collect()
}

/// Repositories of this run.
pub(super) fn temporary_repos(args: &Args) -> Outcome<Vec<TemporaryRepo>> {
    if args.value("repofromdir").is_some() {
        return Err(Failure::because(
            Code::INVALID_PARAMETER,
            "--repofromdir: a directory without metadata cannot be used as a repository yet",
        )
        .hint("run createrepo on the directory and use --repofrompath"));
    }
    args.values("repofrompath").map(temporary_repo).collect()
}

fn temporary_repo(text: &str) -> Outcome<TemporaryRepo> {
    let wrong = || bad_value("repofrompath", text, "ID,URL or ID,DIRECTORY");
    let (id, path) = text.split_once(',').ok_or_else(wrong)?;
    let (id, path) = (id.trim(), path.trim());
    if id.is_empty() || path.is_empty() {
        return Err(wrong());
    }
    let url = if path.contains("://") {
        path.to_owned()
    } else {
        let path = std::path::absolute(path).map_err(|_| wrong())?;
        format!("file://{}", path.display())
    };
    Ok(TemporaryRepo {
        id: id.to_owned(),
        url,
    })
}
