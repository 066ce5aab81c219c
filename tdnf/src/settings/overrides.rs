//! What the command line says about configuration values and repositories.

use std::path::{Path, PathBuf};

use rpm_repo::Place;
use rpm_repo::config::MainConfig;

use super::bad_value;
use crate::args::{Args, Origin, find};
use crate::error::Outcome;

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

/// `--repofrompath ID,URL` and `--repofromdir ID,DIR`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemporaryRepo {
    /// The id.
    pub id: String,
    /// Where its packages are.
    pub origin: RepoOrigin,
}

/// Where the packages of a repository of this run are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RepoOrigin {
    /// A repository with metadata; a directory has become `file://`.
    Url(String),
    /// A folder of packages without metadata.
    Dir(PathBuf),
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

/// Repositories of this run, in the order of the command line.
pub(super) fn temporary_repos(args: &Args) -> Outcome<Vec<TemporaryRepo>> {
    let mut repos = Vec::new();
    for entry in &args.entries {
        if matches!(entry.key.as_str(), "repofrompath" | "repofromdir") {
            repos.push(temporary_repo(&entry.key, &entry.value)?);
        }
    }
    Ok(repos)
}

fn temporary_repo(option: &str, text: &str) -> Outcome<TemporaryRepo> {
    let from_dir = option == "repofromdir";
    let expected = match from_dir {
        true => "ID,DIRECTORY",
        false => "ID,URL or ID,DIRECTORY",
    };
    let wrong = || bad_value(option, text, expected);
    let (id, path) = text.split_once(',').ok_or_else(wrong)?;
    let (id, path) = (id.trim(), path.trim());
    if id.is_empty() || path.is_empty() {
        return Err(wrong());
    }
    let absolute = || std::path::absolute(path).map_err(|_| wrong());
    let origin = match (from_dir, path.contains("://")) {
        (true, _) => RepoOrigin::Dir(absolute()?),
        (false, true) => RepoOrigin::Url(path.to_owned()),
        (false, false) => RepoOrigin::Url(file_url(&absolute()?)),
    };
    Ok(TemporaryRepo {
        id: id.to_owned(),
        origin,
    })
}

/// A `file://` URL of an absolute path.
pub fn file_url(path: &Path) -> String {
    let mut url = String::from("file://");
    for byte in path.as_os_str().as_encoded_bytes() {
        let plain = byte.is_ascii_alphanumeric() || b"/._~+-@:,=".contains(byte);
        if plain {
            url.push(char::from(*byte));
        } else {
            url.push_str(&format!("%{byte:02X}"));
        }
    }
    url
}
