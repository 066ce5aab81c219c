//! Whatever stands in the place of a mirror's own files: docs/threats.md, row 134.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::Path;

use testkit::program;

use crate::adversary::behaved;
use crate::scene::{Scene, files_in};

/// What stands there.
#[derive(Debug, Clone, Copy)]
enum Odd {
    /// Whoever opens it waits for a writer.
    Pipe,
    /// It never ends.
    Endless,
    /// Half a gigabyte of nothing.
    Sparse,
    /// A gigabyte of nothing.
    Huge,
}

impl Odd {
    fn stand_at(self, path: &Path) {
        let _ = fs::remove_file(path);
        let sized = |bytes: u64| File::create(path).unwrap().set_len(bytes).unwrap();
        match self {
            Odd::Pipe => {
                let mode = rustix::fs::Mode::from_raw_mode(0o644);
                let kind = rustix::fs::FileType::Fifo;
                rustix::fs::mknodat(rustix::fs::CWD, path, kind, mode, 0).unwrap();
            }
            Odd::Endless => symlink("/dev/zero", path).unwrap(),
            Odd::Sparse => sized(500 << 20),
            Odd::Huge => sized(1 << 30),
        }
    }
}

/// No command waits, takes memory or panics; a later run mends it, or says in one line which file is to be removed.
#[test]
fn row_134_whatever_stands_in_the_place_of_a_mirrors_files() {
    let scene = Scene::usual();
    scene.sync();
    let good = scene.published("base");
    let mirror = scene.path("mirror");
    let kept = scene.path("kept");
    testkit::tree::copy(&mirror, &kept);
    let mut names = files_in(&mirror);
    names.retain(|name| !name.starts_with("public/.live") && !name.starts_with("public/base"));
    names.push("store/.unsynced".to_owned());
    names.push("bundles/applied.json".to_owned());
    names.push("state/base/asked".to_owned());
    assert!(names.len() > 15, "{names:?}");
    let mut told = 0;
    for name in &names {
        for odd in [Odd::Pipe, Odd::Endless, Odd::Sparse, Odd::Huge] {
            if matches!(odd, Odd::Huge) && !name.starts_with("state/") {
                continue;
            }
            fs::remove_dir_all(&mirror).unwrap();
            testkit::tree::copy(&kept, &mirror);
            let path = mirror.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            odd.stand_at(&path);
            let commands: [&[&str]; 4] =
                [&["status"], &["sync"], &["verify"], &["sync", "--force"]];
            let mut last = None;
            for words in commands {
                let run = program::measured(&scene.command(words));
                let fault =
                    |why: &str| panic!("{odd:?} at {name}, {words:?}: {why}\n{}", run.text());
                if let Err(why) = behaved(&run) {
                    fault(&why);
                }
                if ![0, 3, 5].contains(&run.code) && !run.text().contains(path.to_str().unwrap()) {
                    fault("the file is not named");
                }
                last = Some(run);
            }
            let last = last.unwrap();
            if last.code == 0 {
                assert_eq!(scene.published("base"), good, "{odd:?} at {name}");
            } else {
                assert!(
                    last.err.contains("remove it"),
                    "{odd:?} at {name}: {}",
                    last.text()
                );
                told += 1;
            }
        }
    }
    println!("{} files, {told} times to be removed by hand", names.len());
}

/// The same of what somebody names: a part on a medium, what a site sent, keys, certificates.
#[test]
fn row_134_a_pipe_that_somebody_named() {
    let scene = Scene::usual();
    let pipe = scene.path("pipe");
    Odd::Pipe.stand_at(&pipe);
    let pipe = pipe.to_str().unwrap();
    let key = scene.path("key");
    let key = key.to_str().unwrap();
    scene.run(&["key", "generate", key]).ends(0);
    let [sign, vendor, ca] = [
        ("mirror.sign_key", key),
        ("repo.base.gpgkey", pipe),
        ("repo.base.sslcacert", pipe),
    ]
    .map(|(name, value)| format!("{name}={value}"));
    let make = ["--set", &sign, "bundle", "make", "--site", "s", "--output"];
    let out = scene.path("out");
    let make = [&make[..], &[out.to_str().unwrap()]].concat();
    let commands: [&[&str]; 5] = [
        &["bundle", "verify", pipe],
        &[&make[..], &["--receipt", pipe]].concat(),
        &[&make[..], &["--request", pipe]].concat(),
        &["--set", &vendor, "sync"],
        &[
            "--set",
            &ca,
            "--set",
            "repo.base.baseurl=https://127.0.0.1:1/",
            "--set",
            "repo.base.retries=0",
            "sync",
        ],
    ];
    for words in commands {
        let run = program::measured(&scene.command(words));
        if let Err(why) = behaved(&run) {
            panic!("{words:?}: {why}\n{}", run.text());
        }
        assert!(run.err.contains(pipe), "{words:?}: {}", run.text());
    }
}
