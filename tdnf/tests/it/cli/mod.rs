//! The binary on real repositories: packages by rpmbuild, metadata by createrepo_c, results asked
//! of the real rpm.

mod answers;
mod automatic;
mod changes;
mod convert;
mod decided;
mod exits;
mod help;
mod hints;
mod history;
mod interrupts;
mod journeys;
mod json;
mod key_life;
mod keys;
mod layouts;
mod locations;
mod lock;
mod log;
mod plugins;
mod programs;
mod queries;
mod reach;
mod refusals;
mod repoquery;
mod reposync;
mod rotated;
mod screens;
mod sections;
mod signed;
mod silence;
mod slow;
mod snapshottime;
mod solved;
mod sources;
mod told;
mod unheard;
mod updateinfo;
mod vendors;
mod weak;
mod words;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use testkit::program::{self, Run};
use testkit::rpm::createrepo;
use testkit::spec::Spec;
use testkit::stage::{self, Stage};

use crate::interop_lab::program;

/// A root, a configuration and a repository directory, all temporary.
pub(crate) struct Site {
    stage: Stage,
}

/// A package of a test repository; it has one file `/opt/NAME`.
pub(crate) fn plain(name: &str, version: &str) -> Spec {
    Spec::new(name, version)
        .summary(&format!("test of {name}"))
        .license("none")
        .about("A package for tests.")
        .file(&format!("/opt/{name}"), &format!("{name} {version}"))
}

impl std::ops::Deref for Site {
    type Target = Stage;

    fn deref(&self) -> &Stage {
        &self.stage
    }
}

impl Site {
    /// A site whose repository `test` has these packages; gpgcheck is off.
    pub(crate) fn with(specs: &[Spec]) -> Self {
        let site = Self {
            stage: Stage::serving("repo"),
        };
        fs::create_dir_all(site.path("repos.d")).expect("ours");
        fs::create_dir_all(site.path("root")).expect("ours");
        for spec in specs {
            site.add(spec);
        }
        createrepo::<&str>(&site.path("repo"), &[]);
        site.write("repos.d/test.repo", site.repo_text("gpgcheck=0"));
        site.write(
            "tdnf.conf",
            format!(
                "[main]\nreposdir={}\ncachedir={}\n",
                site.path("repos.d").display(),
                "/var/cache/tdnf"
            ),
        );
        site
    }

    pub(crate) fn repo_text(&self, keys: &str) -> String {
        let url = self.path("repo").display().to_string();
        format!("[test]\nname=Test packages\nbaseurl=file://{url}\nenabled=1\n{keys}\n")
    }

    /// Builds one more package into the repository; its metadata stays as it is.
    pub(crate) fn add(&self, spec: &Spec) -> PathBuf {
        let built = spec.build();
        let name = built.file_name().expect("a package has a name");
        let target = self.path("repo").join(name);
        fs::copy(&built, &target).expect("ours");
        target
    }

    /// Runs tdnf on this site with no input.
    pub(crate) fn run(&self, words: &[&str]) -> Run {
        answer(&mut self.command(words))
    }

    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = stage::program(&program());
        command.arg("-c").arg(self.path("tdnf.conf"));
        command
            .arg("--installroot")
            .arg(self.root.path())
            .args(words);
        command
    }

    /// Names of what the real rpm finds installed, sorted.
    pub(crate) fn rpm_names(&self) -> Vec<String> {
        let text = self.rpm(&["-qa", "--qf", "%{NAME}-%{VERSION}\\n"]);
        let mut names: Vec<String> = text.lines().map(str::to_owned).collect();
        names.sort();
        names
    }

    /// The options of [`Self::run`] as hints repeat them.
    pub(crate) fn options(&self) -> String {
        let (conf, root) = (self.path("tdnf.conf"), self.root.path());
        format!(
            "--config={} --installroot={}",
            conf.display(),
            root.display()
        )
    }

    pub(crate) fn rpm(&self, words: &[&str]) -> String {
        self.stage.rpm().run(words).out
    }
}

/// A run of tdnf always ends by itself and prints text.
pub(crate) fn answer(command: &mut Command) -> Run {
    let run = program::run(command);
    assert_ne!(run.code, -1, "killed by a signal: {run:#?}");
    assert!(!run.text().contains('\u{fffd}'), "no text: {run:#?}");
    run
}

/// Runs tdnf with words alone.
pub(crate) fn bare(words: &[&str]) -> Run {
    let mut command = Command::new(program());
    answer(command.args(words).env_clear())
}

/// The repository's own conf folder.
fn conf_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../conf")
}

#[test]
fn what_is_shipped_in_conf_is_read() {
    let site = Site::with(&[]);
    for name in ["example.repo", "photon-legacy.repo"] {
        let to = site.path("repos.d").join(name);
        fs::copy(conf_dir().join(name), to).unwrap();
    }
    let conf = conf_dir().join("tdnf.conf").display().to_string();
    let repos = format!("--setopt=reposdir={}", site.path("repos.d").display());
    let ran = bare(&[
        "-c",
        &conf,
        &repos,
        "--releasever=5",
        "-j",
        "repolist",
        "all",
    ])
    .ok();
    assert!(ran.out.contains(
        r#"{"Repo":"example","RepoName":"Example packages 5 (x86_64)","Enabled":false}"#
    ));
    assert!(ran.out.contains(r#"{"Repo":"photon-legacy","#), "{ran:?}");
    assert_eq!(ran.err, "", "each key is known");
}
