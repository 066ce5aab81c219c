//! Which files and directories a run uses, with and without an installroot.

use std::path::{Path, PathBuf};

use rpm_repo::config::MainConfig;
use whole_file::inside;

use super::CONFIG_FILE;
use crate::args::options::Setopt;
use crate::error::{Failure, Outcome};

/// The directories of a run.
pub(super) struct SystemPaths {
    pub(super) repo_dirs: Vec<PathBuf>,
    pub(super) vars_dirs: Vec<PathBuf>,
    pub(super) cache_dir: PathBuf,
    pub(super) persist_dir: PathBuf,
    pub(super) plugin_conf_dir: PathBuf,
    pub(super) brought: Brought,
}

/// Configuration that an installroot brings, and that nobody has named. Its root may be somebody else's: what its files
/// have sent to servers (variables, headers, certificates) is taken from the root, and never from this machine.
#[derive(Debug, Clone, Default)]
pub struct Brought {
    root: PathBuf,
    /// Directories of its `.repo` files.
    dirs: Vec<PathBuf>,
}

impl Brought {
    /// Whether there are `.repo` files of its own.
    pub(crate) fn any(&self) -> bool {
        !self.dirs.is_empty()
    }

    /// What `path` means, which `file` names.
    ///
    /// # Errors
    /// As [`below`].
    pub(crate) fn path(&self, file: &Path, path: &Path) -> Outcome<PathBuf> {
        match self.dirs.iter().any(|dir| file.starts_with(dir)) {
            true => below(&self.root, path),
            false => Ok(path.to_owned()),
        }
    }
}

/// The configuration file: `-c`, else the root's own if it has one, else the host's.
pub(super) fn config_file(given: Option<&str>, root: &Path) -> Outcome<PathBuf> {
    if let Some(given) = given {
        return Ok(PathBuf::from(given));
    }
    let own = below(root, Path::new(CONFIG_FILE))?;
    Ok(match own.is_file() {
        true => own,
        false => PathBuf::from(CONFIG_FILE),
    })
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
    /// it); `.repo` files and variables are those below it where it has such a directory. Its own configuration has no
    /// others, but the `.repo` files of this machine where it has none and names no directory.
    pub(super) fn of(
        (named, config): (Option<&str>, &Path),
        setopts: &[Setopt],
        main: &MainConfig,
        root: &Path,
    ) -> Outcome<Self> {
        let given = |key: &str| setopts.iter().any(|pair| pair.key == key);
        let own_config = named.is_none() && config != Path::new(CONFIG_FILE);
        let only_own = |dirs: &[PathBuf]| {
            let own = dirs.iter().map(|dir| below(root, dir));
            own.collect::<Outcome<Vec<_>>>()
        };
        let own_or_host = |dirs: &[PathBuf]| {
            let choose = |dir: &PathBuf| {
                let own = below(root, dir)?;
                Ok(if own.is_dir() { own } else { dir.clone() })
            };
            dirs.iter().map(choose).collect::<Outcome<Vec<_>>>()
        };
        let repo_dirs = if given("reposdir") || given("repodir") {
            main.repo_dirs.clone()
        } else if own_config && main.repo_dirs != MainConfig::default().repo_dirs {
            only_own(&main.repo_dirs)?
        } else {
            own_or_host(&main.repo_dirs)?
        };
        let mut brought = Brought {
            root: root.to_owned(),
            dirs: repo_dirs.clone(),
        };
        // What is not named here is that of this machine where it is not another path.
        brought.dirs.retain(|dir| !main.repo_dirs.contains(dir));
        let of_root = own_config || named.is_none() && !brought.dirs.is_empty();
        let vars_dirs = match of_root && !given("varsdir") {
            true => only_own(&main.vars_dirs)?,
            false => own_or_host(&main.vars_dirs)?,
        };
        let cache_dir = match given("cachedir") {
            true => main.cache_dir.clone(),
            false => below(root, &main.cache_dir)?,
        };
        Ok(Self {
            repo_dirs,
            vars_dirs,
            brought,
            plugin_conf_dir: own_or_host(std::slice::from_ref(&main.pluginconfpath))?
                .pop()
                .unwrap_or_default(),
            cache_dir,
            persist_dir: below(root, &main.persist_dir)?,
        })
    }
}

/// `path` inside `root`, its symbolic links followed as if `root` were `/`: a link of an image to
/// `/srv` means the image's own `/srv`. Never leads out of `root`.
///
/// # Errors
/// Links in a circle; a folder that cannot be looked into.
pub(crate) fn below(root: &Path, path: &Path) -> Outcome<PathBuf> {
    let refused = |error| Failure::io(&root.join(path.strip_prefix("/").unwrap_or(path)), &error);
    inside(root, path).map_err(refused)
}
