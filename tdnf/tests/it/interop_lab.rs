//! What the interop tests stand on: the recipe repositories, nginx, roots that tdnf or the real
//! rpm installs into, and questions to several versions of rpm.

use std::collections::BTreeSet;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use testkit::program::{self, Run, ok};
use testkit::spec::Spec;

use testkit::fixtures;
pub(crate) use testkit::fixtures::unprivileged;
use testkit::stage::{self, Stage};
use testkit::{rpmdb, tree};

/// Where the database of a root stands.
pub(crate) const DBPATH: &str = "/var/lib/rpm";
/// The five programs of issue 2.
pub(crate) const FIVE: [&str; 5] = ["ipset", "socat", "ethtool", "ebtables", "tar"];

/// The program under test.
pub(crate) fn program() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_tdnf"))
}

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/recipe")
}

/// The output folder of a recipe script with these arguments; made once per version of the scripts.
fn made_by(script: &str, words: &[&str]) -> PathBuf {
    let mut key = DefaultHasher::new();
    words.hash(&mut key);
    for name in [script, "common.sh", "debian2rpm.py"] {
        fs::read(scripts().join(name)).unwrap().hash(&mut key);
    }
    let folder = fixtures::cache_dir().join(format!("{script}-{:016x}", key.finish()));
    if !folder.is_dir() {
        let work = tempfile::tempdir_in(fixtures::cache_dir()).unwrap();
        let out = work.path().join("out");
        let mut recipe = Command::new("bash");
        ok(recipe.arg(scripts().join(script)).arg(&out).args(words));
        // Another test process may have been faster; its result is as good.
        let _ = fs::rename(&out, &folder);
    }
    folder
}

/// The repository of real packages. Not to be changed.
pub(crate) fn recipe() -> PathBuf {
    made_by("build.sh", &[])
}

/// The same for this architecture, with these programs. Not to be changed.
pub(crate) fn recipe_of(arch: &str, programs: &[&str]) -> PathBuf {
    made_by("build.sh", &[&[arch], programs].concat())
}

/// The small packages: `repo`, `unsigned`, `other`, `expired`. Not to be changed.
pub(crate) fn small() -> PathBuf {
    made_by("small.sh", &[])
}

/// A copy of a folder, beside the caches so that files can be shared with the original.
pub(crate) fn copy(from: &Path) -> tempfile::TempDir {
    tree::copied(from, &fixtures::cache_dir())
}

/// A private nginx in front of a copy of a folder.
pub(crate) struct Nginx {
    dir: tempfile::TempDir,
    /// Its URL.
    pub url: String,
}

impl Nginx {
    pub(crate) fn start(folder: &Path) -> Nginx {
        let dir = copy(folder);
        let mut serve = Command::new("bash");
        serve.arg(scripts().join("serve.sh")).arg(dir.path());
        // nginx stays in the background and would hold a pipe open.
        let log = fs::File::create(dir.path().with_extension("log")).unwrap();
        let status = serve
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .status();
        assert!(status.unwrap().success(), "serve.sh failed");
        let _ = fs::remove_file(dir.path().with_extension("log"));
        let url = fs::read_to_string(state(dir.path()).join("url")).unwrap();
        Nginx {
            url: url.trim().to_owned(),
            dir,
        }
    }

    /// The `.repo` file that serve.sh wrote: signatures of packages and metadata are checked.
    pub(crate) fn repo_file(&self) -> String {
        fs::read_to_string(state(self.dir.path()).join("recipe.repo")).unwrap()
    }
}

fn state(dir: &Path) -> PathBuf {
    PathBuf::from(format!("{}.serve", dir.display()))
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let mut stop = Command::new("bash");
        stop.arg(scripts().join("serve.sh"))
            .arg("--stop")
            .arg(self.dir.path());
        let _ = stop.status();
    }
}

/// A `.repo` section with both signature checks on.
pub(crate) fn repo_section(id: &str, url: &str, folder: &Path) -> String {
    let key = folder.join("RPM-GPG-KEY-recipe");
    format!(
        "[{id}]\nname={id}\nbaseurl={url}\ngpgkey=file://{}\nenabled=1\ngpgcheck=1\nrepo_gpgcheck=1\n",
        key.display()
    )
}

/// A root with a shell, for which one package stands in the database, and the repository `test` of these packages.
pub(crate) fn shell_site(packages: &[PathBuf]) -> Site {
    let stage = Stage::with_conf("[main]\n");
    stage.root.add_shell();
    stage.add_repo("test", packages);
    fs::create_dir_all(stage.root.join("var/lib/rpm")).unwrap();
    // A root with a shell that no package owns lacks it for the solver.
    let shell = Spec::new("shell-of-the-root", "1").lines("Provides: /bin/sh");
    let shell = shell.files("").build().display().to_string();
    stage.rpm().ok(&["-i", "--nosignature", &shell]);
    Site { stage }
}

/// A root that tdnf works on from outside.
pub(crate) struct Site {
    stage: Stage,
}

impl std::ops::Deref for Site {
    type Target = Stage;

    fn deref(&self) -> &Stage {
        &self.stage
    }
}

impl Site {
    /// An empty root but for the tdnf.conf that is shipped and one `.repo` file.
    pub(crate) fn new(repo_file: &str) -> Site {
        let stage = Stage::with_conf(&fixtures::shipped_conf());
        stage.write_repo("test", repo_file);
        Site { stage }
    }

    /// The recipe repository of small packages, read from its folder.
    pub(crate) fn small() -> Site {
        let folder = small().join("repo");
        let url = format!("file://{}", folder.display());
        Site::new(&repo_section("small", &url, &folder))
    }

    /// `tdnf --installroot ROOT --releasever 12 WORDS`.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        tdnf_12(self.root.path(), words)
    }

    pub(crate) fn run(&self, words: &[&str]) -> Run {
        program::run(&mut self.command(words))
    }

    /// Standard output of a run that must succeed.
    pub(crate) fn ok(&self, words: &[&str]) -> String {
        ok(&mut self.command(words))
    }

    /// Standard error and status of a run that must fail.
    pub(crate) fn refused(&self, words: &[&str]) -> (String, i32) {
        let run = self.run(words).failed();
        (run.err, run.code)
    }

    /// What a run of these words would install, as `name-version-release.arch`, in its order.
    pub(crate) fn plan(&self, words: &[&str]) -> Vec<String> {
        let text = self.ok(&[&["-j", "--assumeno"], words].concat());
        let plan: serde_json::Value = serde_json::from_str(&text).unwrap();
        let rows = ["Install", "Upgrade", "Downgrade", "Reinstall"]
            .iter()
            .filter_map(|group| plan.get(group)?.as_array());
        let nevra = |row: &serde_json::Value| {
            let field = |name: &str| row[name].as_str().unwrap().to_owned();
            let evr = field("Evr");
            let evr = evr
                .split_once(':')
                .map_or(evr.as_str(), |(_, rest)| rest)
                .to_owned();
            format!("{}-{evr}.{}", field("Name"), field("Arch"))
        };
        rows.flatten().map(nevra).collect()
    }

    /// `tdnf list installed`, as `name-version-release.arch` without epochs.
    pub(crate) fn listed(&self) -> BTreeSet<String> {
        let text = self.ok(&["-j", "list", "installed"]);
        let list: serde_json::Value = serde_json::from_str(&text).unwrap();
        let nevra = |row: &serde_json::Value| {
            let evr = row["Evr"].as_str().unwrap();
            let evr = evr.split_once(':').map_or(evr, |(_, rest)| rest);
            let (name, arch) = (row["Name"].as_str().unwrap(), row["Arch"].as_str().unwrap());
            format!("{name}-{evr}.{arch}")
        };
        let rows = list.as_array().unwrap().iter().map(nevra);
        rows.filter(|name| !name.starts_with("gpg-pubkey"))
            .collect()
    }
}

/// tdnf for release 12 on a root.
pub(crate) fn tdnf_12(root: &Path, words: &[&str]) -> Command {
    stage::tdnf(&program(), root, &[&["--releasever", "12"], words].concat())
}

/// The database file of a root.
pub(crate) fn database(root: &Path) -> PathBuf {
    root.join(DBPATH.trim_start_matches('/'))
        .join("rpmdb.sqlite")
}

/// Files that are tdnf's own or differ between any two runs.
fn own(path: &Path) -> bool {
    let names = [
        "etc/tdnf",
        "etc/yum.repos.d",
        "var/cache/tdnf",
        "var/lib/tdnf",
        "var/lib/rpm",
        // Holds inode numbers.
        "var/cache/ldconfig/aux-cache",
    ];
    names.iter().any(|name| path == Path::new(name))
}

/// Fails unless two roots hold the same files and the same rows. Times after `since` (seconds) are
/// those of files that scriptlets wrote, and are not compared.
#[track_caller]
pub(crate) fn same(ours: &Path, theirs: &Path, since: i64) {
    let read = |root: &Path| {
        let mut tree = tree::read(root, &own);
        for entry in tree.values_mut().filter(|entry| entry.mtime >= since) {
            entry.mtime = 0;
        }
        // Parents of what was skipped may stand on one side only.
        for dir in ["etc", "var", "var/cache", "var/lib", "var/tmp"] {
            tree.remove(Path::new(dir));
        }
        tree
    };
    let trees = tree::differences(&read(ours), &read(theirs));
    assert!(
        trees.is_empty(),
        "ours left, rpm's right:\n{}",
        trees.join("\n")
    );
    let dump = |root: &Path| rpmdb::dump(&database(root), &rpmdb::TIMES);
    let rows = rpmdb::differences(&dump(ours), &dump(theirs));
    assert!(
        rows.is_empty(),
        "ours left, rpm's right:\n{}",
        rows.join("\n")
    );
}

/// The package file `NAME-VERSION-RELEASE.ARCH.rpm` of a repository folder.
pub(crate) fn file_of(repo: &Path, nevra: &str) -> PathBuf {
    let name = format!("{nevra}.rpm");
    let places = [repo.join("Packages").join(&name), repo.join(&name)];
    let found = places.into_iter().find(|path| path.is_file());
    found.unwrap_or_else(|| panic!("{name} is not in {}", repo.display()))
}
