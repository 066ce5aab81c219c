//! A part of a repository, its metadata made to match, as dnf reads it.

use std::fs;
use std::process::Command;

use crate::guards::rewrite_primary;
use crate::scene::{Scene, files_in};
use rpm_pkg::digest::{DigestAlgo, Hasher};
use testkit::gpg::Gpg;
use testkit::program::Run;

/// An upstream with updateinfo, comps and debug packages.
pub(crate) fn rich() -> Scene {
    let scene = Scene::new();
    scene.put("base", "alpha", "1", "Requires: beta");
    scene.put("base", "alpha", "2", "Requires: beta");
    scene.put("base", "beta", "1", "Requires: /usr/share/stage/gamma");
    scene.put("base", "gamma", "1", "Recommends: delta");
    scene.put("base", "delta", "1", "");
    scene.put("base", "alpha-debuginfo", "1", "");
    let updateinfo = "<updates><update from=\"s\" status=\"final\" type=\"security\" version=\"1\"><id>SEC-1</id>\
        <title>t</title><issued date=\"2026-01-01\"/><references><reference href=\"h\" id=\"CVE-2026-1\" type=\"cve\" \
        title=\"c\"/></references><pkglist><collection><name>c</name><package name=\"alpha\" version=\"2\" \
        release=\"1\" epoch=\"0\" arch=\"noarch\" src=\"a.src.rpm\"><filename>alpha-2-1.noarch.rpm</filename></package>\
        </collection></pkglist></update><update from=\"s\" status=\"final\" type=\"bugfix\" version=\"1\"><id>BUG-1</id>\
        <title>t</title><issued date=\"2026-01-01\"/><pkglist><collection><name>c</name><package name=\"delta\" \
        version=\"1\" release=\"1\" epoch=\"0\" arch=\"noarch\" src=\"d.src.rpm\"><filename>delta-1-1.noarch.rpm</filename>\
        </package></collection></pkglist></update></updates>";
    let comps = "<comps><group><id>g1</id><name>G1</name><description/><default>false</default><uservisible>true</uservisible>\
        <packagelist><packagereq type=\"mandatory\">alpha</packagereq><packagereq type=\"mandatory\">delta</packagereq></packagelist>\
        </group><group><id>g2</id><name>G2</name><description/><default>false</default><uservisible>true</uservisible>\
        <packagelist><packagereq type=\"mandatory\">delta</packagereq></packagelist></group></comps>";
    fs::write(scene.path("comps.xml"), comps).unwrap();
    fs::write(scene.path("updateinfo.xml"), updateinfo).unwrap();
    let comps = scene.path("comps.xml");
    testkit::rpm::createrepo(
        &scene.path("up/base"),
        &[
            "--general-compress-type=gz",
            "--groupfile",
            comps.to_str().unwrap(),
        ],
    );
    let mut command = Command::new("modifyrepo_c");
    command
        .arg(scene.path("updateinfo.xml"))
        .arg(scene.path("up/base/repodata"));
    Run::of(command.output().unwrap()).ends(0);
    scene
}

/// Mirrors with a selection and answers what dnf sees.
pub(crate) fn selected(scene: &Scene, select: &str) -> Vec<String> {
    scene.config(&format!("[repo.base.select]\n{select}\n"));
    let run = scene.run(&["sync", "--allow-delete"]);
    assert!(run.code == 0, "{select}: {}{}", run.out, run.err);
    scene.dnf_list(&format!("file://{}", scene.public("base").display()))
}

#[test]
fn filters_give_what_they_say_and_dnf_reads_it() {
    let scene = rich();
    for (select, expected) in [
        (
            "newest = 1\nno_debug = true",
            &["alpha-2", "beta-1", "delta-1", "gamma-1"][..],
        ),
        (
            "include = [\"alpha*\"]",
            &["alpha-1", "alpha-2", "alpha-debuginfo-1"],
        ),
        (
            "exclude = [\"alpha*\", \"gamma-1-1.noarch\"]",
            &["beta-1", "delta-1"],
        ),
        ("advisories = [\"security\"]", &["alpha-2"]),
        (
            "advisories = [\"CVE-2026-1\", \"BUG-1\"]",
            &["alpha-2", "delta-1"],
        ),
        (
            "arch = [\"noarch\"]\nbuilt_after = \"2001-01-01\"\ninclude = [\"beta\"]",
            &["beta-1"],
        ),
        ("built_before = \"2001-01-01\"", &[]),
    ] {
        assert_eq!(selected(&scene, select), expected, "{select}");
    }
}

#[test]
fn a_pattern_that_means_nothing_is_told_of() {
    let scene = rich();
    scene.config("select.include = [\"alpha*\", \"ipst\"]\n");
    let said = scene.run(&["sync"]).ends(0).err;
    assert!(
        said.contains("base: warning: select.include: no package upstream is ipst\n"),
        "{said}"
    );
    assert!(
        !said.contains("is alpha") && !said.contains("none is selected"),
        "{said}"
    );
    scene.config("select.include = [\"ipst\"]\n");
    let said = scene.run(&["sync", "--allow-delete"]).ends(0).err;
    assert!(said.contains("none is selected"), "{said}");
}

/// A lock of tdnf that names these files of the repository `base`.
pub(crate) fn lock_of(scene: &Scene, names: &[&str]) -> String {
    let packages = names.iter().map(|name| {
        let file = scene.path("up/base/Packages").join(format!("{name}-1.noarch.rpm"));
        let bytes = fs::read(&file).unwrap_or_default();
        let checksum = Hasher::digest(DigestAlgo::Sha256, &bytes).to_string();
        let (package, version) = name.rsplit_once('-').unwrap();
        serde_json::json!({
            "name": package, "epoch": 0, "version": version, "release": "1", "arch": "noarch", "repo": "base",
            "location": format!("Packages/{name}-1.noarch.rpm"), "url": format!("http://a.example/{name}.rpm"),
            "size": bytes.len(), "checksum": checksum, "signer": null, "reason": "user",
        })
    });
    let section = serde_json::json!({"repositories": [], "packages": packages.collect::<Vec<_>>()});
    let lock = serde_json::json!({"lock": 1, "words": [], "releasever": null, "architectures": {"x86_64": section}});
    let file = scene.path("set.lock");
    fs::write(&file, lock.to_string()).unwrap();
    file.display().to_string()
}

#[test]
fn a_lock_brings_exactly_what_it_names() {
    let scene = rich();
    let lock = lock_of(&scene, &["alpha-1", "gamma-1"]);
    let select = format!("lock = {lock:?}");
    assert_eq!(selected(&scene, &select), ["alpha-1", "gamma-1"]);
    // Another lock at the same place is another selection.
    lock_of(&scene, &["alpha-1", "beta-1"]);
    assert_eq!(selected(&scene, &select), ["alpha-1", "beta-1"]);
    // What upstream has not got is missed, and nothing is published.
    lock_of(&scene, &["alpha-1", "omega-1"]);
    let run = scene.run(&["sync", "--allow-delete"]);
    assert_eq!(run.code, 4, "{}{}", run.out, run.err);
    assert!(run.err.contains("omega-1-1.noarch"), "{}", run.err);
    let url = format!("file://{}", scene.public("base").display());
    assert_eq!(scene.dnf_list(&url), ["alpha-1", "beta-1"]);
    fs::write(&lock, "{}").unwrap();
    let run = scene.run(&["sync", "--allow-delete"]);
    assert!(
        run.code != 0 && run.err.contains("set.lock: it is no lock file"),
        "{}{}",
        run.out,
        run.err
    );
}

#[test]
fn a_package_list_brings_all_it_needs_and_installs_alone() {
    let scene = rich();
    let names = selected(&scene, "packages = [\"alpha\"]");
    assert_eq!(names, ["alpha-2", "beta-1", "gamma-1"]);
    let url = format!("file://{}", scene.public("base").display());
    scene.dnf(&url, &["install", "alpha"]).ends(0);
    assert!(scene.path("dnf-root/usr/share/stage/gamma").is_file());
    // Nothing dangles: what dnf's own repoclosure says.
    let closure = scene.dnf(&url, &["repoquery", "--unsatisfied"]).ends(0);
    assert_eq!(closure.out.trim(), "");
    // The metadata speak of nothing that is not there.
    let groups = scene
        .dnf(&url, &["group", "list", "--hidden", "-v"])
        .ends(0)
        .out;
    assert!(groups.contains("G1") && !groups.contains("G2"), "{groups}");
    let advisories = scene.dnf(&url, &["updateinfo", "list", "--all"]).ends(0);
    assert!(!advisories.out.contains("BUG-1"), "{}", advisories.out);
    scene.run(&["sync"]).ends(3);
    let names = selected(&scene, "packages = [\"alpha\"]\nrecommends = true");
    assert_eq!(names, ["alpha-2", "beta-1", "delta-1", "gamma-1"]);
}

#[test]
fn what_every_client_has_is_left_out() {
    let scene = rich();
    fs::write(
        scene.path("have.txt"),
        "# rpm -qa\nbeta-1-1.noarch\ngamma-1-1.noarch\n",
    )
    .unwrap();
    let select = format!(
        "packages = [\"alpha\"]\ninstalled = {:?}",
        scene.path("have.txt")
    );
    assert_eq!(selected(&scene, &select), ["alpha-2"]);
    scene.config("[repo.base.select]\npackages = [\"alpha\", \"nosuch\"]\n");
    let run = scene.run(&["sync", "--allow-delete"]).ends(4);
    assert!(
        run.err
            .contains("nosuch: no repository of this mirror has it"),
        "{}",
        run.err
    );
}

#[test]
fn a_closure_reaches_into_other_repositories() {
    let scene = Scene::new();
    scene.put("base", "beta", "1", "");
    scene.put("base", "unused", "1", "");
    scene.put("extra", "alpha", "1", "Requires: beta");
    scene.publish("base");
    scene.publish("extra");
    scene.config(&format!(
        "select.only_needed = true\n[repo.extra]\nbaseurl = {:?}\nselect.packages = [\"alpha\"]\n",
        scene.server.url("/extra")
    ));
    scene.sync();
    let list = |repo: &str| scene.dnf_list(&format!("file://{}", scene.public(repo).display()));
    assert_eq!(list("base"), ["beta-1"]);
    assert_eq!(list("extra"), ["alpha-1"]);
}

/// What a repository has itself is taken from it, although another one offers the same.
#[test]
fn a_closure_prefers_its_own_repository() {
    let scene = rich();
    scene.config(&format!(
        "[repo.part]\nbaseurl = {:?}\nselect.packages = [\"alpha\"]\n",
        scene.server.url("/base")
    ));
    scene.sync();
    let list = scene.dnf_list(&format!("file://{}", scene.public("part").display()));
    assert_eq!(list, ["alpha-2", "beta-1", "gamma-1"]);
    scene.run(&["sync"]).ends(3);
}

#[test]
fn what_is_asked_for_first_is_published_first() {
    let scene = rich();
    scene.config("[repo.base.select]\nfirst = [\"alpha\"]\n");
    let report = scene.run(&["sync", "--json"]).ends(0).json();
    let first = report["repos"][0]["first_light"]
        .as_str()
        .unwrap()
        .to_owned();
    let early = format!(
        "file://{}",
        scene.public("snapshots/base").join(first).display()
    );
    assert_eq!(scene.dnf_list(&early), ["alpha-2", "beta-1", "gamma-1"]);
    let whole = scene.dnf_list(&format!("file://{}", scene.public("base").display()));
    assert_eq!(whole.len(), 6, "{whole:?}");
    // The order on the wire: nothing else before the closure was there.
    let asked: Vec<String> = scene
        .server
        .seen()
        .into_iter()
        .map(|seen| seen.path)
        .filter(|path| path.ends_with(".rpm"))
        .collect();
    let place = |name: &str| asked.iter().position(|path| path.contains(name)).unwrap();
    for needed in ["alpha-2", "beta-1", "gamma-1"] {
        assert!(place(needed) < place("delta-1"), "{asked:?}");
    }
    scene.run(&["sync"]).ends(3);
}

#[test]
fn metadata_made_here_are_signed_by_the_local_key_and_gpg_agrees() {
    let scene = rich();
    let key = scene.path("mirror.key");
    scene.config("");
    scene
        .run(&[
            "key",
            "generate",
            key.to_str().unwrap(),
            "--user-id",
            "Mirror",
        ])
        .ends(0);
    scene
        .run(&["key", "generate", key.to_str().unwrap()])
        .ends(1);
    scene.config_text(&format!(
        "[mirror]\npath = {:?}\nsign_key = {key:?}\n[repo.base]\nbaseurl = {:?}\nselect.include = [\"beta\"]\n",
        scene.path("mirror"),
        scene.server.url("/base")
    ));
    scene.sync();
    let home = scene.path("gnupg");
    let gpg = Gpg::at(&home);
    let public = scene.path("mirror.key.pub");
    gpg.ok(&["--import", public.to_str().unwrap()]);
    let repodata = scene.public("base/repodata");
    gpg.ok(&[
        "--verify",
        repodata.join("repomd.xml.asc").to_str().unwrap(),
        repodata.join("repomd.xml").to_str().unwrap(),
    ]);
}

/// What cannot be had and is not wanted holds nothing up, and the words that hold it up name that way.
#[test]
fn a_package_at_a_bad_location_can_be_excluded() {
    let scene = Scene::usual();
    rewrite_primary(&scene, "base", |text| {
        text.replace("Packages/gamma-1-1.noarch.rpm", "../gamma.rpm")
    });
    let told = "add \"gamma\" to select.exclude of [repo.base] to go on without it";
    let run = scene.run(&["sync"]).ends(4);
    assert!(run.err.contains(told), "{}", run.err);
    scene.config("select.exclude = ['gamma']");
    let run = scene.sync();
    assert_eq!(run.err, "", "nothing is left to say");
    let url = format!("file://{}", scene.public("base").display());
    assert_eq!(scene.dnf_list(&url), ["alpha-1", "beta-1"]);
}

/// Row 127: upstream's metadata stay as they are, and the file of the record is not there.
#[test]
fn row_127_a_bad_record_costs_its_own_package() {
    let told = "base: warning: primary: 1 record is left out: ../gamma: a package name that could be a path\n";
    for select in ["", "select.packages = ['alpha']"] {
        let scene = Scene::usual();
        rewrite_primary(&scene, "base", |text| {
            text.replace("<name>gamma</name>", "<name>../gamma</name>")
        });
        scene.config(select);
        let run = scene.sync();
        assert_eq!(run.err, told, "{select}");
        let packages = files_in(&scene.public("base/Packages"));
        assert_eq!(packages, ["alpha-1-1.noarch.rpm", "beta-1-1.noarch.rpm"]);
        let index = |of: &str| fs::read(scene.path(of).join("repodata/repomd.xml")).unwrap();
        let same = index("up/base") == index("mirror/public/base");
        assert_eq!(same, select.is_empty(), "{select}");
        scene.run(&["verify"]).ends(0);
        scene.run(&["sync"]).ends(3);
    }
}
