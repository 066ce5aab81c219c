//! What the command line says about configuration values and repositories.

use std::path::PathBuf;

use rpm_repo::Place;
use rpm_repo::config::{MAIN_KEYS, MainConfig, parse_list};
use rpm_repo::layout::file_url;

use super::bad_value;
use crate::args::options::{General, Setopt};
use crate::args::{OptionLookup, RepoFrom};
use crate::error::Outcome;
use crate::near::meant;

/// Keys that an empty value leaves as they are.
const PATHS: [&str; 5] = [
    "cachedir",
    "persistdir",
    "pluginconfpath",
    "repodir",
    "varsdir",
];

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

impl RepoOverride {
    /// What counts for all repositories, whatever their sections say.
    fn of_all(key: &str, value: &str, place: Place) -> Self {
        Self {
            repo: "*".to_owned(),
            key: key.to_owned(),
            value: value.to_owned(),
            place,
        }
    }
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

/// `--snapshottime` and `--snapshotexcluderepos`: as the keys of these names, and for every section of a `.repo`
/// file, whatever it says itself. Of an option an empty value is a mistake; `--setopt`, which names options, too,
/// takes a limit back with it.
pub(super) fn snapshot_time(
    general: &General,
    main: &mut MainConfig,
) -> Outcome<Vec<RepoOverride>> {
    let given = &general.snapshotexcluderepos;
    let repos: Vec<String> = given.iter().flat_map(|list| parse_list(list)).collect();
    let is_set = |key: &str| general.setopt.iter().any(|pair| pair.key == key);
    if !given.is_empty() && repos.is_empty() && !is_set("snapshotexcluderepos") {
        return Err(bad_value("snapshotexcluderepos", "", "REPO,REPO.."));
    }
    main.snapshotexcluderepos.extend(repos);
    let Some(value) = &general.snapshottime else {
        return Ok(Vec::new());
    };
    let (key, place) = ("snapshottime", Place::named("--snapshottime"));
    let wrong = || bad_value(key, value, "a POSIX time (seconds since 1970, digits only)");
    if value.is_empty() && !is_set(key) {
        return Err(wrong());
    }
    main.set(key, value, &place).map_err(|_| wrong())?;
    Ok(vec![RepoOverride::of_all(key, value, place)])
}

/// `-4` and `-6`: as `ip_resolve`, and for every section of a `.repo` file; both together allow both.
pub(super) fn ip_family(general: &General, main: &mut MainConfig) -> Outcome<Vec<RepoOverride>> {
    let (option, value) = match (general.ipv4, general.ipv6) {
        (false, false) => return Ok(Vec::new()),
        (true, false) => ("-4", "4"),
        (false, true) => ("-6", "6"),
        (true, true) => ("-4 -6", "whatever"),
    };
    let (key, place) = ("ip_resolve", Place::named(option));
    main.set(key, value, &place)?;
    Ok(vec![RepoOverride::of_all(key, value, place)])
}

/// Applies `--setopt KEY=VALUE` to the configuration; returns those that name a repository.
/// An unknown key has no effect, as in tdnf, but is mentioned.
pub(super) fn apply_setopts(
    setopts: &[Setopt],
    main: &mut MainConfig,
    warnings: &mut Vec<String>,
) -> Outcome<Vec<RepoOverride>> {
    let mut overrides = Vec::new();
    let place = Place::named("--setopt");
    for pair in setopts {
        if let Some((repo, key)) = pair.key.rsplit_once('.') {
            overrides.push(RepoOverride {
                repo: repo.to_owned(),
                key: key.to_owned(),
                value: pair.value.clone(),
                place: place.clone(),
            });
        } else if pair.key == "exclude" {
            // That is the option.
        } else if MAIN_KEYS.iter().any(|key| key.name == pair.key) {
            main.set(&pair.key, &pair.value, &place)?;
            if pair.value.is_empty() && PATHS.contains(&pair.key.as_str()) {
                warnings.push(format!(
                    "--setopt={}= has no effect: a path is expected",
                    pair.key
                ));
            }
        } else if OptionLookup::new().by_name(&pair.key).is_none() {
            let meant = meant(&pair.key, MAIN_KEYS.iter().map(|key| key.name));
            warnings.push(format!("--setopt: unknown key '{}'{meant}", pair.key));
        }
    }
    Ok(overrides)
}

/// What the command line says of a repository of this run.
pub(super) fn temporary_repo(given: &RepoFrom) -> Outcome<TemporaryRepo> {
    let (option, text, expected) = match given {
        RepoFrom::Dir(text) => ("repofromdir", text, "ID,DIRECTORY"),
        RepoFrom::Path(text) => ("repofrompath", text, "ID,URL or ID,DIRECTORY"),
    };
    let wrong = || bad_value(option, text, expected);
    let (id, path) = text.split_once(',').ok_or_else(wrong)?;
    let (id, path) = (id.trim(), path.trim());
    if id.is_empty() || path.is_empty() {
        return Err(wrong());
    }
    let absolute = || std::path::absolute(path).map_err(|_| wrong());
    let origin = match given {
        RepoFrom::Dir(_) => RepoOrigin::Dir(absolute()?),
        RepoFrom::Path(_) if path.contains("://") => RepoOrigin::Url(path.to_owned()),
        RepoFrom::Path(_) => RepoOrigin::Url(file_url(&absolute()?)),
    };
    Ok(TemporaryRepo {
        id: id.to_owned(),
        origin,
    })
}

/// The items of `--exclude`: they end at a comma or blank, or at a colon that parts no epoch from a version
/// (`foo-1:2.0-1`).
pub(super) fn excluded(list: &str) -> Vec<String> {
    let mut items: Vec<String> = Vec::new();
    for item in list.split(|c: char| c == ',' || c.is_whitespace()) {
        let mut open: Option<String> = None;
        for part in item.split(':').map(str::trim) {
            let is_epoch = |before: &String| {
                let digits = before.rsplit('-').next().unwrap_or_default();
                let number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
                number && digits.len() < before.len()
            };
            let version = part.starts_with(|c: char| c.is_ascii_digit() || c == '*');
            open = match open.take() {
                Some(before) if version && is_epoch(&before) => Some(format!("{before}:{part}")),
                before => {
                    items.extend(before);
                    Some(part.to_owned())
                }
            };
        }
        items.extend(open);
    }
    items.retain(|item| !item.is_empty());
    items
}
