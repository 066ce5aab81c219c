//! Images, read and run by other people's programs.

mod base;
mod bills;
mod bytes;
mod content;
mod kill;
mod peers;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use testkit::program::{self, Run};
use testkit::{fixtures, stage};

use crate::interop_lab::{Site, program};

/// Packages with every kind of file, owners and capabilities; a shell that runs in the image.
const PACKAGES: [&str; 4] = ["tiny-shell", "tiny-users", "kinds", "config"];

/// A site of the small packages, and a folder of the user nobody.
pub(crate) struct Place {
    site: Site,
}

const NOBODY: u32 = 65534;

impl Place {
    pub(crate) fn new() -> Self {
        let site = Site::small();
        let own = site.path("own");
        fs::create_dir(&own).unwrap();
        rustix::fs::chown(
            &own,
            Some(rustix::fs::Uid::from_raw(NOBODY)),
            Some(rustix::fs::Gid::from_raw(NOBODY)),
        )
        .unwrap();
        fs::copy(program(), site.path("tdnf")).unwrap();
        fs::set_permissions(site.path("tdnf"), fs::Permissions::from_mode(0o755)).unwrap();
        // The metadata come once.
        site.ok(&["makecache"]);
        Self { site }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.site.path(name)
    }

    /// `tdnf -y -q OPTIONS image`.
    pub(crate) fn command(&self, options: &[&str]) -> Command {
        let mut command = self
            .site
            .command(&[&["-y", "-q"], options, &["image"]].concat());
        command.env("TMPDIR", self.path(""));
        command
    }

    /// The same by the user nobody, whose temporary files are in his folder.
    pub(crate) fn by_nobody(&self, options: &[&str]) -> Command {
        let mut command = stage::program(Path::new("setpriv"));
        let numbers = [format!("--reuid={NOBODY}"), format!("--regid={NOBODY}")];
        command
            .args(numbers)
            .arg("--clear-groups")
            .arg(self.path("tdnf"));
        command
            .args(["--releasever", "12", "--installroot"])
            .arg(self.site.root.path());
        command.args([&["-y", "-q"], options, &["image"]].concat());
        command
            .env("HOME", self.path("own"))
            .env("TMPDIR", self.path("own"));
        command.current_dir("/").stdin(Stdio::null());
        command
    }

    /// Makes an image of the packages, or of others, and gives its digest.
    #[track_caller]
    pub(crate) fn digest(&self, mut command: Command, target: &str, packages: &[&str]) -> String {
        let run = program::run(command.args(["-o", target]).args(packages)).ok();
        let digest = run.out.trim_end().to_owned();
        assert!(
            digest.starts_with("sha256:") && digest.len() == 71,
            "{run:?}"
        );
        digest
    }

    #[track_caller]
    pub(crate) fn image(&self, target: &str) -> String {
        self.digest(self.command(&[]), target, &PACKAGES)
    }

    /// A run that must fail.
    #[track_caller]
    pub(crate) fn refused(&self, words: &[&str]) -> Run {
        program::run(self.command(&[]).args(words)).failed()
    }

    /// Folders of runs that were not removed.
    pub(crate) fn left(&self) -> Vec<PathBuf> {
        let folders = [self.path(""), self.path("own")];
        let entries = folders
            .iter()
            .flat_map(|dir| fs::read_dir(dir).unwrap().flatten());
        let paths = entries.map(|entry| entry.path());
        paths
            .filter(|path| {
                path.file_name()
                    .unwrap()
                    .to_string_lossy()
                    .starts_with(".tdnf-image-")
            })
            .collect()
    }
}

/// Whether this machine has a program; without it the test is skipped, in words.
pub(crate) fn has(name: &str) -> bool {
    let found =
        program::run(stage::program(Path::new("sh")).args(["-c", "command -v \"$1\"", "sh", name]));
    if !found.success() {
        fixtures::skipped(&format!("no {name}"));
    }
    found.success()
}
