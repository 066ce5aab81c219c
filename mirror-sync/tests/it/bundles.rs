//! Isolated sites: what is asked for inside is made outside, carried, checked and published inside.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use testkit::gpg::Gpg;
use testkit::rpm::Rpm;
use testkit::spec::Spec;

use crate::gap::Gap;
use crate::scene::{files_in, package, tdnf};
use crate::selection::lock_of;
use testkit::program::Run;

/// A root in which real rpm says that 100 packages are installed, gamma 0 among them.
fn isolated_root(dir: &Path) -> PathBuf {
    let mut spec = Spec::new("host", "1");
    for number in 0..99 {
        spec = spec.with(Spec::new(&format!("host{number}"), "1").files(""));
    }
    let mut all = spec.build_all();
    all.push(package("gamma", "0", ""));
    assert_eq!(all.len(), 100);
    let root = dir.join("host");
    fs::create_dir_all(root.join("var/lib/rpm")).unwrap();
    let rpm = Rpm::on_root(&root);
    let mut words = vec![
        "-i".to_owned(),
        "--justdb".into(),
        "--nodeps".into(),
        "--nosignature".into(),
    ];
    words.extend(all.iter().map(|path| path.display().to_string()));
    rpm.ok(&words);
    root
}

/// The whole way, as an operator goes it: request, make, carry, apply, upgrade offline, receipt,
/// and a second bundle with nothing but what is new.
#[test]
fn request_make_apply_upgrade_receipt_and_an_incremental_second() {
    let gap = Gap::new();
    let host = isolated_root(&gap.outside.path(""));
    let request = gap.request(&[
        "--installed-root",
        host.to_str().unwrap(),
        "--upgrade",
        "alpha",
        "--arch",
        "x86_64",
    ]);
    let text: serde_json::Value = serde_json::from_slice(&fs::read(&request).unwrap()).unwrap();
    assert_eq!(text["installed"].as_array().unwrap().len(), 100);
    let first = gap.make(&["--request", &request]);
    assert!(first[0].ends_with("ship-0001.tbundle"), "{first:?}");
    let listed = gap.inside(&["bundle", "list", &first[0]]).ends(0).out;
    for name in [
        "+ base alpha-1-1.noarch",
        "+ base beta-1-1.noarch",
        "+ base gamma-1-1.noarch",
    ] {
        assert!(listed.contains(name), "{listed}");
    }
    gap.inside(&["bundle", "verify", &first[0]]).ends(0);
    gap.apply(&first).ends(0);
    assert_eq!(gap.inside_list(), ["alpha-1", "beta-1", "gamma-1"]);
    upgrade_offline(&gap, &host);
    let receipt = gap.path("receipt.json");
    let receipt = receipt.to_str().unwrap();
    gap.inside(&["bundle", "receipt", "--output", receipt])
        .ends(0);
    // Nothing new is no bundle.
    let again = gap.outside.run(&[
        "bundle",
        "make",
        "--receipt",
        receipt,
        "--request",
        &request,
    ]);
    assert_eq!(again.code, 3, "{}{}", again.out, again.err);
    gap.put("beta", "2", "");
    gap.publish();
    let host_path = host.to_str().unwrap();
    let words = [
        "--installed-root",
        host_path,
        "--upgrade",
        "beta",
        "--arch",
        "x86_64",
    ];
    let request = gap.request(&words);
    let second = gap.make(&["--receipt", receipt, "--request", &request]);
    let brought = gap.path("brought");
    plain(&gap, &second[0], &brought);
    assert_eq!(
        files_in(&brought.join("base/Packages")),
        ["beta-2-1.noarch.rpm"],
        "nothing that the site has is carried again"
    );
    gap.apply(&second).ends(0);
    assert_eq!(
        gap.inside_list(),
        ["alpha-1", "beta-1", "beta-2", "gamma-1"]
    );
    upgrade_offline(&gap, &host);
    let installed = Rpm::on_root(&host).ok(&["-q", "beta"]);
    if tdnf().is_some() {
        assert_eq!(installed.trim(), "beta-2-1.noarch");
    }
}

/// What a lock names is carried, whatever else it needs.
#[test]
fn a_lock_is_carried_to_a_site() {
    let gap = Gap::new();
    let lock = lock_of(&gap.outside, &["alpha-1"]);
    gap.apply(&gap.make(&["--site", "ship", "--lock", &lock]))
        .ends(0);
    assert_eq!(gap.inside_list(), ["alpha-1"]);
    let lock = lock_of(&gap.outside, &["alpha-1", "omega-1"]);
    let output = gap.path("carried");
    let output = output.to_str().unwrap();
    let words = [
        "bundle", "make", "--site", "ship", "--lock", &lock, "--output", output,
    ];
    let made = gap.outside.run(&words);
    assert_eq!(made.code, 4, "{}", made.err);
    let words = "omega-1-1.noarch is not in the bundle: the lock names it, and there is no file with sha256:";
    assert!(made.err.contains(words), "{}", made.err);
}

/// A site that asked for packages gets newer versions of what it has, with what they need, and nothing else.
#[test]
fn without_a_request_a_site_goes_on_as_before() {
    let gap = Gap::new();
    let list = gap.path("installed");
    fs::write(&list, "bash-5-1.x86_64\n").unwrap();
    let list = list.to_str().unwrap();
    let request = gap.request(&["--installed", list, "alpha"]);
    gap.apply(&gap.make(&["--request", &request])).ends(0);
    let receipt = gap.path("receipt.json");
    let receipt = receipt.to_str().unwrap();
    let confirmed = || {
        let words = ["bundle", "receipt", "--output", receipt];
        gap.inside(&words).ends(0);
    };
    confirmed();
    let nothing = ["bundle", "make", "--receipt", receipt];
    gap.outside.run(&nothing).ends(3);
    // An unknown name is told although there is nothing else to carry.
    let unknown = gap.request(&["--installed", list, "alhpa"]);
    let made = gap.outside.run(&["bundle", "make", "--request", &unknown]);
    assert_eq!(made.code, 4, "{}", made.err);
    assert!(
        made.err.contains("alhpa is not in the bundle"),
        "{}",
        made.err
    );
    gap.put("alpha", "2", "Requires: delta");
    gap.put("delta", "1", "");
    gap.put("gamma", "2", "");
    gap.publish();
    let second = gap.make(&["--receipt", receipt]);
    gap.apply(&second).ends(0);
    assert_eq!(
        gap.inside_list(),
        ["alpha-1", "alpha-2", "beta-1", "delta-1"]
    );
    confirmed();
    gap.outside.run(&nothing).ends(3);
    // All of it, if it is asked for so; from then on the site has the repository whole.
    let words = ["--receipt", receipt, "--full"];
    gap.apply(&gap.make(&words)).ends(0);
    confirmed();
    gap.put("omega", "1", "");
    gap.publish();
    gap.apply(&gap.make(&["--receipt", receipt])).ends(0);
    assert!(gap.inside_list().contains(&"omega-1".to_owned()));
}

/// Real tdnf upgrades from what was applied, without a network.
fn upgrade_offline(gap: &Gap, host: &Path) {
    let Some(program) = tdnf() else {
        return testkit::fixtures::skipped("tdnf was not built");
    };
    fs::create_dir_all(host.join("etc/yum.repos.d")).unwrap();
    fs::create_dir_all(host.join("etc/tdnf")).unwrap();
    fs::write(
        host.join("etc/tdnf/tdnf.conf"),
        "[main]\nrepodir=/etc/yum.repos.d\n",
    )
    .unwrap();
    let repo = format!(
        "[base]\nname=base\nbaseurl=file://{}\nenabled=1\ngpgcheck=1\ngpgkey=file://{}\n",
        gap.path("inside/public/base").display(),
        gap.path("vendor.asc").display()
    );
    fs::write(host.join("etc/yum.repos.d/base.repo"), repo).unwrap();
    for words in [&["install", "alpha"][..], &["upgrade"]] {
        let mut command = Command::new("unshare");
        command.arg("-n").arg(&program);
        command.arg(format!("--installroot={}", host.display()));
        command
            .args(["--releasever=1", "-y", "--refresh"])
            .args(words);
        Run::of(command.output().unwrap()).ends(0);
    }
    let rpm = Rpm::on_root(host);
    assert_eq!(rpm.ok(&["-q", "gamma"]).trim(), "gamma-1-1.noarch");
}

/// Any tar unpacks a bundle, and what comes out is a repository that dnf reads.
fn plain(gap: &Gap, bundle: &str, to: &Path) {
    fs::create_dir_all(to).unwrap();
    let tar = Command::new("tar")
        .args(["-xf", bundle, "-C"])
        .arg(to)
        .output();
    Run::of(tar.unwrap()).ends(0);
    let url = format!("file://{}", to.join("base").display());
    let names = gap.outside.dnf_list(&url);
    let files = files_in(&to.join("base/Packages"));
    assert_eq!(names.len(), files.len(), "{names:?} {files:?}");
}

/// What is not whole, not signed, not next or not for this site changes nothing.
#[test]
fn row_113_a_tampered_reordered_replayed_or_incomplete_bundle_changes_nothing() {
    let gap = Gap::new();
    let first = gap.make(&["--site", "ship"]);
    gap.put("delta", "1", "");
    gap.publish();
    // Made after the first was confirmed, so that it follows it.
    let whole = fs::read(&first[0]).unwrap();
    tampered(&gap, &whole);
    gap.apply(&first).ends(0);
    gap.refused(&first, "already been applied");
    let receipt = gap.path("receipt.json");
    let receipt = receipt.to_str().unwrap();
    gap.inside(&["bundle", "receipt", "--output", receipt])
        .ends(0);
    let second = gap.make(&["--receipt", receipt]);
    gap.put("epsilon", "1", "");
    gap.publish();
    // A third that counts on the second, whose receipt the maker got by another way.
    let second_id = id_of(&second[0]);
    let text = fs::read_to_string(receipt).unwrap();
    let told: serde_json::Value = serde_json::from_str(&text).unwrap();
    let text = text
        .replace(told["bundle"]["id"].as_str().unwrap(), &second_id)
        .replace("\"number\":1", "\"number\":2");
    fs::write(receipt, text).unwrap();
    let third = gap.make(&["--receipt", receipt, "--split", "15k"]);
    assert!(third.len() > 1, "{third:?}");
    gap.refused(&third, "it follows bundle 2");
    gap.apply(&second).ends(0);
    gap.refused(&third[..third.len() - 1], "files are missing");
    gap.refused(
        &[third[0].clone(), second[0].clone()],
        "a part of another bundle",
    );
    gap.refused(&[third[0].clone(), third[0].clone()], "is in it twice");
    // What an earlier bundle brought is not there any more.
    let lost = store_file(&gap, "beta-1-1.noarch.rpm");
    let bytes = fs::read(&lost).unwrap();
    fs::remove_file(&lost).unwrap();
    gap.refused(&third, "ask for a full one");
    fs::write(&lost, bytes).unwrap();
    gap.apply(&third).ends(0);
    assert_eq!(
        gap.inside_list(),
        ["alpha-1", "beta-1", "delta-1", "epsilon-1", "gamma-1"]
    );
    gap.refused(&second, "this one is older");
    // A full one needs nothing before it.
    let full = gap.make(&["--site", "ship", "--full"]);
    fs::remove_dir_all(gap.path("inside")).unwrap();
    gap.apply(&full).ends(0);
    assert_eq!(gap.inside_list().len(), 5);
    let late = gap.make(&["--site", "ship", "--full", "--expires", "0s"]);
    gap.refused(&late, "it expired");
    let other = gap.make(&["--site", "island"]);
    gap.refused(&other, "it is for site island");
}

/// Killed at any moment of applying, a site shows the old set or the new one, and applying again
/// ends with the new one.
#[test]
fn row_113_killed_while_applying() {
    const MOMENTS: u32 = 30;
    let gap = Gap::new();
    let first = gap.make(&["--site", "ship"]);
    gap.apply(&first).ends(0);
    let receipt = gap.path("receipt.json");
    let receipt = receipt.to_str().unwrap();
    gap.inside(&["bundle", "receipt", "--output", receipt])
        .ends(0);
    gap.put("delta", "1", "");
    gap.publish();
    let second = gap.make(&["--receipt", receipt]);
    let (inside, kept) = (gap.path("inside"), gap.path("kept"));
    let copy = |from: &Path, to: &Path| {
        let _ = fs::remove_dir_all(to);
        testkit::tree::copy(from, to);
    };
    let shown = || {
        let dir = gap.path("inside/public/base");
        let index = fs::read(dir.join("repodata/repomd.xml")).unwrap();
        (index, files_in(&dir.join("Packages")))
    };
    copy(&inside, &kept);
    let before = shown();
    let started = std::time::Instant::now();
    gap.apply(&second).ends(0);
    let whole = started.elapsed();
    let after = shown();
    assert_ne!(before.0, after.0);
    let (mut old, mut new) = (0, 0);
    for moment in 0..MOMENTS {
        copy(&kept, &inside);
        let mut child = Command::new(env!("CARGO_BIN_EXE_mirror-sync"))
            .arg("--config")
            .arg(gap.path("inside.toml"))
            .args(["--quiet", "bundle", "apply", &second[0]])
            .spawn()
            .unwrap();
        std::thread::sleep(whole.mul_f64(1.2) * moment / MOMENTS);
        child.kill().unwrap();
        child.wait().unwrap();
        match shown() {
            now if now == before => old += 1,
            now if now == after => new += 1,
            now => panic!("moment {moment}: neither old nor new: {:?}", now.1),
        }
        let run = gap.apply(&second);
        let done = run.code == 0 || run.err.contains("already been applied");
        assert!(done, "moment {moment}: {}", run.err);
        assert!(shown() == after, "moment {moment}");
        assert!(files_in(&gap.path("inside/partial")).is_empty());
    }
    println!("{old} times the old set, {new} times the new one; a run takes {whole:?}");
    assert!(old > 0, "the moments do not cover the run");
}

/// Bits anywhere in the file, the end cut off, another key.
fn tampered(gap: &Gap, whole: &[u8]) {
    let bad = gap.path("bad.tbundle");
    let name = [bad.display().to_string()];
    let step = whole.len() / 60;
    for at in (0..whole.len()).step_by(step.max(1)) {
        let mut bytes = whole.to_vec();
        bytes[at] ^= 0x41;
        fs::write(&bad, &bytes).unwrap();
        let before = gap.state();
        let run = gap.apply(&name);
        assert!(!run.err.contains("panicked"), "{}", run.err);
        // A changed time or owner in a tar header, or padding, is no part of the content.
        if run.code == 0 {
            assert_eq!(
                gap.inside_list(),
                ["alpha-1", "beta-1", "gamma-1"],
                "byte {at}"
            );
            fs::remove_dir_all(gap.path("inside")).unwrap();
        } else {
            assert_eq!(run.code, 1, "byte {at}: {}", run.err);
            assert!(gap.state() == before, "byte {at}: something changed");
        }
    }
    for part in [0, 100, 2000, whole.len() / 2, whole.len() - 2000] {
        fs::write(&bad, &whole[..part]).unwrap();
        gap.refused(&name, "nothing was applied");
    }
    let stranger = gap.path("stranger.key");
    gap.outside
        .run(&["key", "generate", stranger.to_str().unwrap()])
        .ends(0);
    let trusted = gap.path("maker.key.pub");
    let kept = fs::read(&trusted).unwrap();
    fs::copy(gap.path("stranger.key.pub"), &trusted).unwrap();
    fs::write(&bad, whole).unwrap();
    gap.refused(&name, "not signed by a key of bundle.keys");
    fs::write(&trusted, kept).unwrap();
}

/// The maker's signature does not replace the vendor's.
#[test]
fn a_package_that_its_vendor_did_not_sign_is_refused() {
    let gap = Gap::new();
    gap.outside.put("base", "delta", "1", "");
    gap.outside.publish("base");
    let text = fs::read_to_string(gap.path("mirror.toml")).unwrap();
    fs::write(gap.path("mirror.toml"), format!("{text}gpgcheck = false\n")).unwrap();
    gap.outside.sync();
    let bundle = gap.make(&["--site", "ship"]);
    gap.refused(&bundle, "delta-1-1.noarch");
}

/// Nothing that a bundle names leads out of where it is unpacked, whoever signed it.
#[test]
fn extract_needs_a_new_directory_and_gives_a_repository() {
    let gap = Gap::new();
    let bundle = gap.make(&["--site", "ship"]);
    let dir = gap.path("unpacked");
    let words = [
        "bundle",
        "extract",
        &bundle[0],
        "--output",
        dir.to_str().unwrap(),
    ];
    gap.inside(&words).ends(0);
    assert_eq!(
        gap.outside
            .dnf_list(&format!("file://{}", dir.join("base").display())),
        ["alpha-1", "beta-1", "gamma-1"]
    );
    let again = gap.inside(&words);
    assert_eq!(again.code, 2, "{}", again.err);
}

fn id_of(bundle: &str) -> String {
    let json = Command::new("tar")
        .args(["-xOf", bundle, "bundle.json"])
        .output()
        .unwrap();
    let digest = sha256sum(&json.stdout);
    assert_eq!(digest.len(), 64);
    digest
}

/// By the real sha256sum.
fn sha256sum(data: &[u8]) -> String {
    use std::io::Write;
    let mut child = Command::new("sha256sum")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(data).unwrap();
    let output = child.wait_with_output().unwrap();
    String::from_utf8_lossy(&output.stdout)[..64].to_owned()
}

/// The stored file of a published package.
fn store_file(gap: &Gap, name: &str) -> PathBuf {
    let package = gap.path("inside/public/base/Packages").join(name);
    let digest = sha256sum(&fs::read(package).unwrap());
    gap.path("inside/store/sha256")
        .join(&digest[..2])
        .join(digest)
}

/// Every line of the guide runs as it stands there, each on its host.
#[test]
fn the_lines_of_the_guide_run() {
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/air-gap.md");
    let guide = fs::read_to_string(guide).unwrap();
    let gap = Gap::new();
    let usb = gap.path("usb");
    fs::create_dir(&usb).unwrap();
    let mut lines = 0;
    for block in guide.split("\n```").skip(1).step_by(2) {
        let (head, text) = block.split_once('\n').unwrap();
        let (kind, host) = head.split_once(' ').unwrap();
        let srv = gap.path(host).join("srv");
        fs::create_dir_all(srv.join("keys")).unwrap();
        fs::copy(gap.path("vendor.asc"), srv.join("keys/vendor.asc")).unwrap();
        let text = text
            .replace("/srv", srv.to_str().unwrap())
            .replace("/media/usb", usb.to_str().unwrap())
            .replace(
                "https://packages.example.com/base",
                &gap.outside.server.url("/base"),
            );
        let bin = gap.path(host).join("bin");
        if kind == "toml" {
            fs::create_dir_all(&bin).unwrap();
            let config = gap.path(host).join("mirror-sync.toml");
            fs::write(&config, text).unwrap();
            let program = format!(
                "#!/bin/sh\nexec {} --config {} \"$@\"\n",
                env!("CARGO_BIN_EXE_mirror-sync"),
                config.display()
            );
            let file = bin.join("mirror-sync");
            fs::write(&file, program).unwrap();
            Run::of(
                Command::new("chmod")
                    .arg("755")
                    .arg(&file)
                    .output()
                    .unwrap(),
            )
            .ends(0);
            continue;
        }
        for line in text.lines() {
            let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
            let run = Command::new("sh")
                .args(["-c", line])
                .env("PATH", path)
                .output();
            let run = Run::of(run.unwrap());
            // `sync` that finds nothing new says so by its exit code.
            let calm = line.ends_with(" sync") && run.code == 3;
            assert!(run.code == 0 || calm, "{line}\n{}{}", run.out, run.err);
            lines += 1;
        }
    }
    assert!(lines >= 14, "{lines}");
    let published = gap.path("inside/srv/mirror/public/base");
    let from = |dir: &Path| gap.outside.dnf_list(&format!("file://{}", dir.display()));
    assert_eq!(from(&published), ["alpha-1", "beta-1"]);
    assert_eq!(
        from(&gap.path("inside/srv/plain/base")),
        ["alpha-1", "beta-1"]
    );
    assert!(usb.join("ship-0002.tbundle").exists());
}

/// A copy that was broken off is known as one, wherever it ends.
#[test]
fn a_bundle_that_is_cut_short_is_said_to_be() {
    let gap = Gap::new();
    let made = gap.make(&["--site", "ship"]);
    let whole = fs::read(&made[0]).unwrap();
    let cut = gap.path("cut.tbundle");
    let cut = cut.to_str().unwrap();
    let blocks = whole.len() / 512;
    let places = [
        0,
        1,
        511,
        512,
        700,
        1024,
        1536,
        9000,
        whole.len() - 1,
        whole.len() - 512,
    ];
    let spread = (1..24).map(|part| blocks * part / 24 * 512);
    let odd = (1..24).map(|part| whole.len() * part / 24);
    for at in places.into_iter().chain(spread).chain(odd) {
        fs::write(cut, &whole[..at]).unwrap();
        for words in [&["bundle", "apply", cut][..], &["bundle", "verify", cut]] {
            let run = gap.inside(words).ends(1);
            assert!(
                run.err.contains("cut short"),
                "{at} of {}: {}",
                whole.len(),
                run.err
            );
        }
    }
    fs::write(cut, "a text\n".repeat(900)).unwrap();
    let run = gap.inside(&["bundle", "apply", cut]).ends(1);
    assert!(
        run.err.contains("this is not part of a bundle"),
        "{}",
        run.err
    );
    let junk = gap.path("junk.json");
    for (text, why) in [
        ("junk", "it is not JSON (line 1)"),
        ("", "it is empty"),
        ("{}", "missing field `format`"),
    ] {
        fs::write(&junk, text).unwrap();
        let words = ["bundle", "make", "--request", junk.to_str().unwrap()];
        let run = gap.outside.run(&words).ends(2);
        assert!(
            run.err.contains("this is no request of a site: "),
            "{}",
            run.err
        );
        assert!(run.err.contains(why), "{}", run.err);
        assert!(
            run.err.contains("`mirror-sync bundle request` writes one"),
            "{}",
            run.err
        );
    }
}

/// Row 113: rules that have become stricter count for what is shown already, too.
#[test]
fn row_113_what_is_shown_is_judged_again_when_the_rules_have_changed() {
    let gap = Gap::new();
    gap.outside.put("base", "unsigned", "1", "");
    let relaxed = |name: &str| {
        let text = fs::read_to_string(gap.path(name)).unwrap();
        fs::write(gap.path(name), text + "gpgcheck = false\n").unwrap();
    };
    relaxed("mirror.toml");
    relaxed("inside.toml");
    gap.publish();
    gap.apply(&gap.make(&["--site", "ship"])).ends(0);
    let shown = ["alpha-1", "beta-1", "gamma-1", "unsigned-1"];
    assert_eq!(gap.inside_list(), shown);

    gap.inside_config("");
    gap.put("beta", "2", "");
    gap.publish();
    let second = gap.make(&["--site", "ship"]);
    gap.refused(&second, "base: unsigned-1-1.noarch: not signed");
    relaxed("inside.toml");
    gap.apply(&second).ends(0);

    // Without the unsigned one all is well, under the strict rules as well.
    gap.inside_config("");
    gap.outside.take("base", "unsigned");
    gap.publish();
    gap.apply(&gap.make(&["--site", "ship"])).ends(0);
    let shown = ["alpha-1", "beta-1", "beta-2", "gamma-1"];
    assert_eq!(gap.inside_list(), shown);

    // Another key in the same file.
    let other = Gpg::with_key(&gap.path("other"), "other@example.com");
    gap.put("beta", "3", "");
    gap.publish();
    let last = gap.make(&["--site", "ship"]);
    gap.outside.write("vendor.asc", other.public());
    gap.refused(&last, "signed by unknown key");
}
