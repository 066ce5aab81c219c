//! Repositories as people make them, with createrepo_c and with repo-tools, and everybody who uses them: tdnf and dnf from
//! a server, from a directory, and from a mirror whose upstream is gone.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use testkit::fixtures::skipped;
use testkit::program::{self, Run};

use crate::scene::{Scene, beside, package, tdnf};

/// Who makes a repository.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Maker {
    CreaterepoC,
    RepoTools,
}

impl Maker {
    /// `createrepo` or `mergerepo`.
    fn command(self, name: &str) -> Command {
        match self {
            Maker::CreaterepoC => Command::new(format!("{name}_c")),
            Maker::RepoTools => {
                let mut command = Command::new(beside("repo-tools").expect("it was built"));
                command.arg(name);
                command
            }
        }
    }

    fn run(self, name: &str, words: &[&str]) {
        program::ok(self.command(name).args(words));
    }
}

/// A way to make a repository, and the packages that it has.
struct Way {
    name: &'static str,
    packages: &'static [&'static str],
    /// Gets the maker, the directory that is to become the repository, and the URL of the directory above it.
    make: fn(Maker, &Path, &str),
}

const WAYS: [Way; 5] = [
    Way {
        name: "listed",
        packages: &["alpha", "beta"],
        make: listed,
    },
    Way {
        name: "merged",
        packages: &["alpha", "beta"],
        make: merged,
    },
    Way {
        name: "pooled",
        packages: &["alpha", "beta"],
        make: pooled,
    },
    Way {
        name: "below",
        packages: &["alpha", "beta"],
        make: below,
    },
    Way {
        name: "odd",
        packages: &["c++lib", "pre", "post", "escaped", "hundred"],
        make: odd,
    },
];

fn text(path: &Path) -> &str {
    path.to_str().expect("test paths are UTF-8")
}

/// Puts packages of these names into a directory.
fn fill(dir: &Path, names: &[&str]) {
    fs::create_dir_all(dir).expect("ours");
    for name in names {
        let built = package(name, "1", "");
        fs::copy(&built, dir.join(built.file_name().expect("a file"))).expect("ours");
    }
}

/// `find | createrepo_c -i`.
fn listed(maker: Maker, dir: &Path, _: &str) {
    fill(&dir.join("Packages/a"), &["alpha"]);
    fill(&dir.join("Packages"), &["beta"]);
    let found = program::ok(
        Command::new("find")
            .args([".", "-name", "*.rpm"])
            .current_dir(dir),
    );
    assert!(
        found.contains("./Packages/a/alpha-1-1.noarch.rpm"),
        "{found}"
    );
    let list = dir.join("list");
    fs::write(&list, found).expect("ours");
    program::ok(
        maker
            .command("createrepo")
            .args(["-i", "list", "."])
            .current_dir(dir),
    );
}

/// mergerepo of two that lie beside it.
fn merged(maker: Maker, dir: &Path, above: &str) {
    let root = dir.parent().expect("it has one");
    let out = text(dir);
    let mut words = vec![
        "--all",
        "-o",
        out,
        "--repo-prefix-search",
        text(root),
        "--repo-prefix-replace",
        above,
    ];
    let parts = ["one", "two"].map(|part| dir.join("parts").join(part));
    for (part, name) in parts.iter().zip(["alpha", "beta"]) {
        fill(part, &[name]);
        maker.run("createrepo", &[text(part)]);
        words.extend(["--repo", text(part)]);
    }
    maker.run("mergerepo", &words);
}

/// A pool by its URL.
fn pooled(maker: Maker, dir: &Path, above: &str) {
    let name = dir
        .file_name()
        .and_then(|name| name.to_str())
        .expect("a name");
    let pool = dir.with_file_name(format!("{name}-pool"));
    fill(&pool, &["alpha", "beta"]);
    fs::create_dir_all(dir).expect("ours");
    let base = format!("{above}/{name}-pool/");
    maker.run("createrepo", &["-u", &base, "-o", text(dir), text(&pool)]);
}

/// A pool by a base that is relative.
fn below(maker: Maker, dir: &Path, _: &str) {
    let pool = dir.join("the pool");
    fill(&pool, &["alpha", "beta"]);
    maker.run(
        "createrepo",
        &["-u", "the%20pool/", "-o", text(dir), text(&pool)],
    );
}

/// File names with `+`, `^`, `~` and `%`.
fn odd(maker: Maker, dir: &Path, _: &str) {
    fs::create_dir_all(dir).expect("ours");
    for (name, version, file) in [
        ("c++lib", "1", "c++lib-1-1.noarch.rpm"),
        ("pre", "1~rc1", "pre-1~rc1-1.noarch.rpm"),
        ("post", "1^git2", "post-1^git2-1.noarch.rpm"),
        ("escaped", "1", "escaped-1%3A1-1.noarch.rpm"),
        ("hundred", "1", "hundred-100%-1.noarch.rpm"),
    ] {
        fs::copy(package(name, version, ""), dir.join(file)).expect("ours");
    }
    maker.run("createrepo", &[text(dir)]);
}

/// Lets a client install all packages of a repository into a new root.
fn installs(scene: &Scene, way: &Way, url: &str, client: &str) {
    if way.packages.is_empty() {
        return;
    }
    let root = scene.path(&format!("{client}-root"));
    let _ = fs::remove_dir_all(&root);
    let run = match client {
        "dnf" => scene.dnf(url, &[&["install"], way.packages].concat()),
        _ => with_tdnf(&root, url, way.packages),
    };
    for name in way.packages {
        let file = root.join("usr/share/stage").join(name);
        assert!(
            file.is_file(),
            "{} from {url}: {client} lacks {name}: {}{}",
            way.name,
            run.out,
            run.err
        );
    }
}

/// Our own tdnf installs from a repository into a root of its own.
pub(crate) fn with_tdnf(root: &Path, url: &str, packages: &[&str]) -> Run {
    for dir in ["etc/yum.repos.d", "etc/tdnf", "var/lib/rpm"] {
        fs::create_dir_all(root.join(dir)).expect("ours");
    }
    let write = |path: &str, text: String| fs::write(root.join(path), text).expect("ours");
    write(
        "etc/tdnf/tdnf.conf",
        "[main]\nrepodir=/etc/yum.repos.d\n".to_owned(),
    );
    write(
        "etc/yum.repos.d/m.repo",
        format!("[m]\nname=m\nbaseurl={url}\nenabled=1\ngpgcheck=0\n"),
    );
    let mut command = Command::new(tdnf().expect("it was built"));
    command.arg(format!("--installroot={}", root.display()));
    program::run(
        command
            .args(["--releasever=1", "-y", "install"])
            .args(packages),
    )
}

/// What dnf 4.14 can get: it follows no relative base, and librepo hands `%3A` to the server as it stands, which then
/// looks for another file.
fn for_dnf(way: &Way, from: &str) -> Way {
    let packages = match (way.name, from) {
        ("below", "http" | "file") => &[],
        ("odd", "http") => &way.packages[..3],
        _ => way.packages,
    };
    Way { packages, ..*way }
}

fn everybody_uses_what_is_made_by(maker: Maker) {
    if tdnf().is_none() || beside("repo-tools").is_none() {
        return skipped("tdnf or repo-tools was not built");
    }
    for way in &WAYS {
        let scene = Scene::new();
        let up = scene.path("up");
        let server = scene.server.url("");
        let server = server.trim_end_matches('/');
        let here = format!("file://{}", up.display());
        for (access, above) in [("http", server), ("file", here.as_str())] {
            let name = format!("{}-{access}", way.name);
            (way.make)(maker, &up.join(&name), above);
            // By the rules of clients.
            let dir = up.join(&name);
            Maker::RepoTools.run("check", &[text(&dir), "--no-closure"]);
            let url = format!("{above}/{name}");
            installs(&scene, way, &url, "tdnf");
            installs(&scene, &for_dnf(way, access), &url, "dnf");
        }
        let url = scene.server.url(&format!("/{}-http", way.name));
        scene.config_text(&format!(
            "[mirror]\npath = {:?}\n\n[repo.base]\nbaseurl = {url:?}\n",
            scene.path("mirror")
        ));
        let run = scene.sync();
        let says = run.err.contains("upstream's packages lie elsewhere");
        assert_eq!(
            says,
            ["merged", "pooled", "below"].contains(&way.name),
            "{}",
            run.err
        );
        // A mirror stands alone.
        fs::rename(&up, scene.path("gone")).expect("ours");
        let url = format!("file://{}", scene.public("base").display());
        installs(&scene, way, &url, "tdnf");
        installs(&scene, &for_dnf(way, "mirror"), &url, "dnf");
    }
}

#[test]
fn what_createrepo_c_makes_is_used_by_everybody() {
    everybody_uses_what_is_made_by(Maker::CreaterepoC);
}

#[test]
fn what_repo_tools_makes_is_used_by_everybody() {
    everybody_uses_what_is_made_by(Maker::RepoTools);
}

/// Upstream that is the same costs nothing, although its metadata are made here.
#[test]
fn packages_that_lie_elsewhere_are_fetched_once() {
    let scene = Scene::new();
    let up: PathBuf = scene.path("up");
    let above = scene.server.url("");
    pooled(
        Maker::CreaterepoC,
        &up.join("base"),
        above.trim_end_matches('/'),
    );
    scene.config("");
    let first = scene.run(&["sync", "--json"]).ends(0).json();
    assert_eq!(first["repos"][0]["outcome"], "new", "{first}");
    assert!(
        scene
            .published("base")
            .contains(&"alpha-1-1.noarch.rpm".to_owned())
    );
    let again = scene.run(&["sync"]).ends(3);
    assert!(again.out.contains("nothing new"), "{}", again.out);
    let forced = scene.run(&["sync", "--force", "--json"]).json();
    assert_eq!(forced["repos"][0]["change"]["to_fetch"], 0, "{forced}");
}
