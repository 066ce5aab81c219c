//! What the guarded lines stand on, the same bytes on every machine: a generated repository, small real packages, roots.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use testkit::rpm::Rpm;
use testkit::stage::{self, Stage};
use testkit::{many, program, spec};

use crate::generated::{self, Shape, path};

/// Packages of the generated repository.
const MIDDLE: usize = 4_000;
/// Files of each in the file lists.
const FILES: usize = 25;
/// Installed packages, and how many of them the generated repository has in a newer version.
const INSTALLED: usize = 300;
const NEWER: usize = 50;
/// Small packages with files.
const FEW: usize = 10;

/// A program with its words, and what it ends with.
pub(crate) struct Line {
    pub(crate) name: &'static str,
    pub(crate) program: PathBuf,
    pub(crate) words: Vec<String>,
    pub(crate) code: i32,
    /// Puts back what a run changes.
    pub(crate) before: Box<dyn Fn()>,
}

/// Everything made once; removed when dropped.
pub(crate) struct Scene {
    stage: Stage,
    tdnf: PathBuf,
}

impl Scene {
    /// For the `tdnf` of this path, and `repo-tools` beside it.
    pub(crate) fn new(tdnf: &Path) -> Self {
        let stage = Stage::serving("www");
        let shape = Shape {
            packages: MIDDLE,
            files: FILES,
            newer: NEWER,
        };
        generated::write(&stage.www().join("middle"), &shape).expect("ours");
        let (few, newer) = (few(1), few(2));
        stage.publish_files("few", &[&few[..], &newer[..1]].concat());
        let tdnf = tdnf.to_owned();
        let scene = Self { stage, tdnf };
        let installed = many::packages(1, INSTALLED);
        scene.root("cold", "middle", &[]);
        for (root, repo, packages) in [
            ("asked", "middle", installed.clone()),
            ("empty", "few", Vec::new()),
            ("changed", "few", [&installed[..], &few[..]].concat()),
        ] {
            scene.root(root, repo, &packages);
            program::ok(&mut scene.command(&scene.on(root, &["makecache"])));
        }
        scene.keep("empty");
        scene.keep("changed");
        let tree = scene.stage.path("tree");
        fs::create_dir(&tree).expect("ours");
        for file in installed {
            let name = file.file_name().expect("a package has a name");
            fs::copy(&file, tree.join(name)).expect("ours");
        }
        scene
    }

    /// The guarded lines.
    pub(crate) fn lines(&self) -> Vec<Line> {
        let five = generated::five(MIDDLE);
        let mut install = vec!["--assumeno", "install"];
        install.extend(five.iter().map(String::as_str));
        let path = path(MIDDLE / 2, FILES / 2);
        let all: Vec<String> = (0..FEW).map(|n| format!("few{n}")).collect();
        let mut real = vec!["-y", "install"];
        real.extend(all.iter().map(String::as_str));
        let asked = |name, words: &[&str], code| Line {
            code,
            ..self.line(name, self.on("asked", words))
        };
        vec![
            self.line("--version", vec!["--version".into()]),
            asked("repolist", &["repolist"], 0),
            asked("refresh, nothing new", &["makecache"], 0),
            Line {
                before: removing(self.stage.path("cold/var/cache/tdnf")),
                ..self.line("cold makecache of 4,000", self.on("cold", &["makecache"]))
            },
            asked("warm solve of five", &install, 8),
            asked("check-update, 50 of 300", &["check-update"], 0),
            asked("info", &["info", "package1234"], 0),
            asked("provides of a path", &["provides", &path], 0),
            asked("list installed, 300", &["list", "installed"], 0),
            Line {
                before: self.anew("empty"),
                ..self.line("install of ten, root empty", self.on("empty", &real))
            },
            Line {
                before: self.anew("changed"),
                ..self.line(
                    "upgrade of one among 310",
                    self.on("changed", &["-y", "upgrade", "few0"]),
                )
            },
            Line {
                program: self.tdnf.with_file_name("repo-tools"),
                before: removing(self.stage.path("tree/repodata")),
                ..self.line(
                    "createrepo of 300",
                    ["createrepo", "-q", "--workers=1"]
                        .map(str::to_owned)
                        .into_iter()
                        .chain([self.stage.path("tree").display().to_string()])
                        .collect(),
                )
            },
        ]
    }

    /// The command of a line.
    pub(crate) fn command(&self, words: &[String]) -> Command {
        let mut command = stage::program(&self.tdnf);
        command.args(words);
        command
    }

    fn line(&self, name: &'static str, words: Vec<String>) -> Line {
        Line {
            name,
            program: self.tdnf.clone(),
            words,
            code: 0,
            before: Box::new(|| ()),
        }
    }

    fn on(&self, root: &str, words: &[&str]) -> Vec<String> {
        let root = self.stage.path(root).display().to_string();
        let start = ["--installroot", &root, "--releasever=1"].map(str::to_owned);
        let words = words.iter().map(|word| (*word).to_owned());
        start.into_iter().chain(words).collect()
    }

    /// A root with one repository, and these packages in its database by the real rpm.
    fn root(&self, name: &str, repo: &str, packages: &[PathBuf]) {
        self.stage.write(
            &format!("{name}/etc/tdnf/tdnf.conf"),
            "[main]\ngpgcheck=0\n",
        );
        let section = format!(
            "[{repo}]\nname={repo}\nbaseurl={}\nenabled=1\ngpgcheck=0\nmetadata_expire=never\n",
            self.stage.server.url(&format!("/{repo}"))
        );
        self.stage
            .write(&format!("{name}/etc/yum.repos.d/{repo}.repo"), section);
        let root = self.stage.path(name);
        fs::create_dir_all(root.join("var/lib/rpm")).expect("ours");
        if !packages.is_empty() {
            let mut rpm = Rpm::on_root(&root).command("rpm");
            rpm.args(["-i", "--justdb", "--nodeps", "--nosignature"]);
            program::ok(rpm.args(packages));
        }
    }

    fn keep(&self, root: &str) {
        let [root, kept] = [root.to_owned(), format!("{root}-kept")].map(|n| self.stage.path(&n));
        program::ok(Command::new("cp").arg("-a").arg(root).arg(kept));
    }

    fn anew(&self, root: &str) -> Box<dyn Fn()> {
        let [root, kept] = [root.to_owned(), format!("{root}-kept")].map(|n| self.stage.path(&n));
        Box::new(move || {
            fs::remove_dir_all(&root).expect("ours");
            program::ok(Command::new("cp").arg("-a").arg(&kept).arg(&root));
        })
    }
}

fn removing(folder: PathBuf) -> Box<dyn Fn()> {
    Box::new(move || {
        if folder.exists() {
            fs::remove_dir_all(&folder).expect("ours");
        }
    })
}

/// Small packages `few0`, `few1`, ... with twenty files each; the same bytes whenever they are built.
fn few(version: u32) -> Vec<PathBuf> {
    let mut text = format!(
        "%global source_date_epoch_from_changelog 1\n%global use_source_date_epoch_as_buildtime 1\n\
         %global clamp_mtime_to_source_date_epoch 1\n\
         Name: few\nVersion: {version}\nRelease: 1\nSummary: Few packages\nLicense: MIT\nBuildArch: noarch\n\
         %description\nFew.\n%install\nfor n in $(seq 0 {}); do d=%{{buildroot}}/usr/share/few$n; mkdir -p $d\n\
         for f in $(seq 20); do seq $((n * f)) 999 > $d/file$f; done; done\n",
        FEW - 1
    );
    for n in 0..FEW {
        // Writing into a string cannot fail.
        let _ = write!(
            text,
            "%package -n few{n}\nSummary: Package {n}\n%description -n few{n}\nPackage {n}.\n\
             %files -n few{n}\n/usr/share/few{n}\n"
        );
    }
    text.push_str("%changelog\n* Tue Jan 02 2024 A <a@b> - 1-1\n- first\n");
    spec::build(&text, &[])
}
