//! Which files and directories a run uses, with and without an installroot.

use std::ffi::OsString;
use std::fs;
use std::path::{Component, Path, PathBuf};

use rpm_repo::config::MainConfig;

use super::CONFIG_FILE;
use crate::args::options::Setopt;

/// How many symbolic links one path of a root may lead through.
const MAX_LINKS: u32 = 40;

/// The directories of a run.
pub(super) struct SystemPaths {
    pub(super) repo_dirs: Vec<PathBuf>,
    pub(super) vars_dirs: Vec<PathBuf>,
    pub(super) cache_dir: PathBuf,
    pub(super) persist_dir: PathBuf,
    pub(super) plugin_conf_dir: PathBuf,
}

/// The configuration file: `-c`, else the root's own if it has one, else the host's.
pub(super) fn config_file(given: Option<&str>, root: &Path) -> PathBuf {
    if let Some(given) = given {
        return PathBuf::from(given);
    }
    let inside = below(root, Path::new(CONFIG_FILE));
    if inside.is_file() {
        inside
    } else {
        PathBuf::from(CONFIG_FILE)
    }
}

/// The directory of hooks: beside the configuration file that was named, else that of the host.
pub(super) fn hooks_dir(given: Option<&str>) -> PathBuf {
    let config = Path::new(given.unwrap_or(CONFIG_FILE));
    let dir = config.parent().unwrap_or(Path::new("/"));
    let dir = if dir.as_os_str().is_empty() {
        Path::new(".")
    } else {
        dir
    };
    dir.join("hooks.d")
}

impl SystemPaths {
    /// With an installroot: cache and history are below it (the cache not if `--setopt` names
    /// it); `.repo` files and variables are those below it where it has such a directory.
    pub(super) fn of(setopts: &[Setopt], main: &MainConfig, root: &Path) -> Self {
        let given = |key: &str| setopts.iter().any(|pair| pair.key == key);
        let own_or_host = |dirs: &[PathBuf]| {
            let choose = |dir: &PathBuf| {
                let inside = below(root, dir);
                if inside.is_dir() { inside } else { dir.clone() }
            };
            dirs.iter().map(choose).collect::<Vec<_>>()
        };
        let repo_dirs = if given("reposdir") || given("repodir") {
            main.repo_dirs.clone()
        } else {
            own_or_host(&main.repo_dirs)
        };
        let cache_dir = match given("cachedir") {
            true => main.cache_dir.clone(),
            false => below(root, &main.cache_dir),
        };
        Self {
            repo_dirs,
            vars_dirs: own_or_host(&main.vars_dirs),
            plugin_conf_dir: own_or_host(std::slice::from_ref(&main.pluginconfpath))
                .pop()
                .unwrap_or_default(),
            cache_dir,
            persist_dir: below(root, &main.persist_dir),
        }
    }
}

/// `path` inside `root`, its symbolic links followed as if `root` were `/`: a link of an image to
/// `/srv` means the image's own `/srv`. Never leads out of `root`.
pub(super) fn below(root: &Path, path: &Path) -> PathBuf {
    let parts = |path: &Path| -> Vec<OsString> {
        let parts = path.components().rev().map(|part| match part {
            Component::Normal(name) => name.to_owned(),
            Component::ParentDir => OsString::from(".."),
            _ => OsString::new(),
        });
        parts.filter(|part| !part.is_empty()).collect()
    };
    let mut left = parts(path);
    let mut resolved = PathBuf::new();
    let mut links = 0;
    while let Some(part) = left.pop() {
        if part == ".." {
            resolved.pop();
            continue;
        }
        let next = resolved.join(&part);
        let Ok(target) = fs::read_link(root.join(&next)) else {
            resolved = next;
            continue;
        };
        links += 1;
        // A link too many is left out: what remains is a directory of the root.
        if links <= MAX_LINKS {
            if target.is_absolute() {
                resolved = PathBuf::new();
            }
            left.extend(parts(&target));
        }
    }
    root.join(resolved)
}
