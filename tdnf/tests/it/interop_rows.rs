//! Row for row and file for file: tdnf and the real rpm 4.18 do the same to two equal roots.

use std::path::{Path, PathBuf};
use std::process::Command;
use testkit::program::ok;
use testkit::spec::Spec;

use testkit::fixtures::shipped_conf;
use testkit::root::Sandbox;
use testkit::rpm::Rpm;

use crate::interop_lab::{Site, file_of, recipe, repo_section, same, small, unprivileged};

/// One root for tdnf, one for rpm, and the repository of both.
struct Twins {
    site: Site,
    theirs: Sandbox,
    repo: PathBuf,
    since: i64,
}

impl Twins {
    fn on(repo: PathBuf) -> Twins {
        let url = format!("file://{}", repo.display());
        let twins = Twins {
            site: Site::new(&repo_section("test", &url, &repo)),
            theirs: Sandbox::empty(),
            repo,
            since: testkit::now().cast_signed(),
        };
        // By rpm in both: rpm writes its version into the armor. What tdnf imports is looked at
        // by the tests of [`crate::interop`].
        let key = twins.repo.join("RPM-GPG-KEY-recipe");
        for root in [twins.site.root.path(), twins.theirs.path()] {
            Rpm::on_root(root).program_ok("rpmkeys", &["--import".as_ref(), key.as_os_str()]);
        }
        twins
    }

    /// The small packages, and in both roots what scriptlets and owners need.
    fn small() -> Twins {
        let twins = Twins::on(small().join("repo"));
        twins.install(&["tiny-shell", "tiny-users"]);
        twins
    }

    /// The same with these packages beside them, and no signature checked.
    fn with(more: &[PathBuf]) -> Twins {
        let mut files = testkit::rpm::packages_in(&small().join("repo/Packages"));
        files.extend_from_slice(more);
        let site = Site::new("");
        let twins = Twins {
            repo: site.add_repo("test", &files),
            site,
            theirs: Sandbox::empty(),
            since: testkit::now().cast_signed(),
        };
        twins.install(&["tiny-shell", "tiny-users"]);
        twins
    }

    fn tool(&self, program: &str) -> Command {
        Rpm::on_root(self.theirs.path()).command(program)
    }

    fn files(&self, plan: &[String]) -> Vec<PathBuf> {
        plan.iter().map(|n| file_of(&self.repo, n)).collect()
    }

    /// tdnf does `words`, rpm does `theirs` with the packages that tdnf planned, by name: so does
    /// tdnf hand them to the transaction. Both order them from there.
    fn both(&self, words: &[&str], theirs: &[&str]) -> Vec<String> {
        let plan = self.both_unverified(words, theirs);
        self.site.rpm().verify();
        plan
    }

    fn install(&self, names: &[&str]) -> Vec<String> {
        self.both(&[&["install"], names].concat(), &["-i"])
    }

    fn erase(&self, names: &[&str]) {
        let words = [&["erase", "-y", "--noautoremove"], names].concat();
        self.site.ok(&words);
        let mut names = names.to_vec();
        names.sort_unstable();
        ok(self.tool("rpm").arg("-e").args(names));
        self.same();
    }

    #[track_caller]
    fn same(&self) {
        same(self.site.root.path(), self.theirs.path(), self.since);
        self.site.rpm().verify();
    }

    fn each(&self, change: impl Fn(&Sandbox)) {
        change(&self.site.root);
        change(&self.theirs);
    }

    fn log(&self) -> String {
        self.site.root.read("var/log/small.log")
    }
}

/// Every package of the recipe repository, nfs-common and all it needs among them.
#[test]
fn the_whole_recipe_repository() {
    if unprivileged() {
        return;
    }
    let twins = Twins::on(recipe());
    let names = all_names(&twins.repo);
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let plan = twins.install(&names);
    assert_eq!(plan.len(), names.len());
    assert!(plan.len() > 90 && plan.iter().any(|n| n.starts_with("nfs-common-")));
}

fn all_names(repo: &Path) -> Vec<String> {
    let files = testkit::rpm::packages_in(&repo.join("Packages"));
    let mut rpm = Rpm::of_files().command("rpm");
    let text = ok(rpm
        .args(["-qp", "--nosignature", "--qf", "%{NAME}\n"])
        .args(files));
    text.lines().map(str::to_owned).collect()
}

#[test]
fn install_with_every_kind_of_file_and_payload() {
    if unprivileged() {
        return;
    }
    let twins = Twins::small();
    twins.install(&["kinds", "multi.x86_64", "share-a", "share-b", "turns-1-1"]);
    twins.install(&[
        "payload-gzip",
        "payload-bzip2",
        "payload-xz",
        "payload-lzma",
        "payload-zstd",
        "payload-none",
        "bulk",
    ]);
    twins.install(&["cycle-a", "needs-file", "rich-with", "weak", "epoch-5"]);
    twins.erase(&["share-a"]);
    twins.erase(&["kinds", "share-b", "payload-lzma"]);
}

/// A package whose scriptlets and package triggers write their arguments down.
fn talks(version: u32) -> PathBuf {
    let mut spec = Spec::new("talks", &version.to_string());
    let plain = ["pretrans", "pre", "post", "preun", "postun", "posttrans"];
    let triggers = ["triggerprein", "triggerin", "triggerun", "triggerpostun"];
    let triggers = triggers.map(|kind| (kind, " -- chain"));
    for (kind, on) in plain.map(|kind| (kind, "")).into_iter().chain(triggers) {
        let body = format!("echo \"talks-{version} {kind} $*\" >> /var/log/small.log");
        spec = spec.script(&format!("{kind}{on}"), &body);
    }
    spec.file("/opt/talks", &version.to_string()).build()
}

/// Arguments, order and transcript of scriptlets, shell and Lua.
#[test]
fn scriptlets_of_install_upgrade_downgrade_reinstall_erase() {
    if unprivileged() {
        return;
    }
    let twins = Twins::with(&[talks(1), talks(2), talks(3)]);
    twins.install(&["talks-1-1", "logged-lua-1-1"]);
    twins.both(&["update", "talks", "logged-lua"], &["-U"]);
    twins.both(&["downgrade", "talks-2-1"], &["-U", "--oldpackage"]);
    twins.both(&["reinstall", "talks-2-1"], &["-U", "--replacepkgs"]);
    twins.erase(&["talks"]);
    twins.erase(&["logged-lua"]);
    let log = twins.log();
    for line in [
        "talks-1 pre 1",
        "talks-3 pre 2",
        "talks-2 preun 0",
        "logged-lua-2 postun 0",
    ] {
        assert!(log.lines().any(|l| l == line), "{line} is not in\n{log}");
    }
}

/// What one package's coming and going makes another one run.
#[test]
fn package_triggers() {
    if unprivileged() {
        return;
    }
    let twins = Twins::with(&[talks(1), talks(2)]);
    twins.install(&["talks-1-1"]);
    twins.install(&["chain-1-1"]);
    twins.both(&["update", "chain", "talks"], &["-U"]);
    twins.erase(&["chain"]);
    twins.install(&["chain-2-1"]);
    twins.erase(&["talks"]);
    let log = twins.log();
    for kind in ["triggerprein", "triggerin", "triggerun", "triggerpostun"] {
        let said = log.lines().any(|line| line.contains(&format!(" {kind} ")));
        assert!(said, "{kind} is not in\n{log}");
    }
}

#[test]
fn configuration_files_edited_between() {
    if unprivileged() {
        return;
    }
    let twins = Twins::small();
    twins.install(&["config-1-1"]);
    let edit = |root: &Sandbox| {
        for name in ["small.conf", "small-keep.conf", "small-same.conf"] {
            root.write(&format!("etc/{name}"), "edited by the administrator\n");
        }
        root.write("etc/small.ghost", "runtime data\n");
    };
    twins.each(edit);
    twins.both_unverified(&["update", "config-2-1"], &["-U"]);
    assert!(twins.site.root.join("etc/small.conf.rpmsave").exists());
    assert!(twins.site.root.join("etc/small-keep.conf.rpmnew").exists());
    twins.each(edit);
    twins.both_unverified(&["downgrade", "config-1-1"], &["-U", "--oldpackage"]);
    twins.site.ok(&["erase", "-y", "config"]);
    ok(twins.tool("rpm").args(["-e", "config"]));
    twins.same();
}

impl Twins {
    fn same_but_verify(&self) {
        same(self.site.root.path(), self.theirs.path(), self.since);
    }

    /// As `both`; edited configuration files make `rpm -Va` speak.
    fn both_unverified(&self, words: &[&str], theirs: &[&str]) -> Vec<String> {
        let mut plan = self.site.plan(words);
        plan.sort_by_cached_key(|nevra| name_and_rest(nevra));
        self.site.ok(&[words, &["-y"]].concat());
        let mut command = self.tool("rpm");
        command.arg("--nosignature").args(theirs);
        ok(command.args(self.files(&plan)));
        self.same_but_verify();
        plan
    }
}

/// Name, and version, release and architecture, of a NEVRA without epoch.
fn name_and_rest(nevra: &str) -> (String, String) {
    let mut parts = nevra.rsplitn(3, '-');
    let rest = [parts.next().unwrap(), parts.next().unwrap()];
    let name = parts.next().unwrap().to_owned();
    (name, format!("{}-{}", rest[1], rest[0]))
}

#[test]
fn upgrade_of_everything_and_back() {
    if unprivileged() {
        return;
    }
    let twins = Twins::small();
    twins.install(&[
        "chain-1-1",
        "config-1-1",
        "logged-lua-1-1",
        "moved-1-1",
        "turns-1-1",
        "tilde-1~rc1-1",
        "epoch-5-1",
    ]);
    let plan = twins.both(&["upgrade"], &["-U"]);
    assert_eq!(plan.len(), 7, "{plan:?}");
    twins.both(
        &["downgrade", "chain-2-1", "moved-2-1"],
        &["-U", "--oldpackage"],
    );
    twins.both(&["reinstall", "chain", "config"], &["-U", "--replacepkgs"]);
    twins.erase(&["chain", "moved", "turns"]);
}

#[test]
fn obsoletes() {
    if unprivileged() {
        return;
    }
    let twins = Twins::small();
    twins.install(&["old-name-1-1"]);
    twins.both(&["upgrade"], &["-U"]);
    let all = twins.site.rpm().all();
    assert!(all.contains("new-name-2-1.noarch") && !all.contains("old-name-1-1.noarch"));
}

/// A package that may stand beside its other versions.
fn kern(version: u32) -> PathBuf {
    Spec::new("kern", &version.to_string())
        .lines("Provides: installonlypkg(kernel)")
        .file(&format!("/boot/kern-{version}"), &version.to_string())
        .build()
}

#[test]
fn several_versions_side_by_side() {
    if unprivileged() {
        return;
    }
    let files = [1, 2, 3, 4].map(kern);
    let site = Site::new("");
    site.add_repo("plain", &files);
    site.conf(&(shipped_conf() + "installonlypkgs=kern\n"));
    let theirs = Sandbox::empty();
    let rpm = |words: &[&str]| {
        Rpm::on_root(theirs.path()).ok(&[&["--nosignature"], words].concat());
    };
    let name = |version: usize| files[version - 1].to_str().unwrap();
    site.ok(&["install", "-y", "kern-1-1"]);
    rpm(&["-i", name(1)]);
    same(site.root.path(), theirs.path(), i64::MAX);
    for version in [2, 3] {
        site.ok(&["install", "-y", &format!("kern-{version}-1")]);
        rpm(&["-i", name(version)]);
        same(site.root.path(), theirs.path(), i64::MAX);
    }
    // installonly_limit=3: the oldest goes.
    site.ok(&["update", "-y"]);
    rpm(&["-i", name(4)]);
    rpm(&["-e", "kern-1-1"]);
    same(site.root.path(), theirs.path(), i64::MAX);
    site.rpm().verify();
}
