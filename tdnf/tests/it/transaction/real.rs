//! Real packages of many distributions: what rpm installs with `--nodeps --noscripts` into an
//! empty root, we install as well, with the same tree and the same rows.

use std::ffi::OsStr;

use super::*;

fn install(root: &Path, package: &Path) -> bool {
    let words = ["--nosignature", "-i", "--nodeps", "--noscripts", "--quiet"];
    let words = words
        .map(OsStr::new)
        .into_iter()
        .chain([package.as_os_str()]);
    let words: Vec<&OsStr> = words.collect();
    Rpm::on_root(root).run(&words).success()
}

/// Packages with sysusers lines: rpm from 4.19 on makes these accounts, and so do we; the 4.18 that
/// the tests meet does not, so the owners of files differ. Their rows are compared all the same.
const WITH_ACCOUNTS: [&str; 1] = ["v6/rpm-file-attrs-1.0-1.noarch.rpm"];

/// Every package of one part of the fixtures that is for this machine.
fn part(number: usize, parts: usize) {
    let Some(shared) = testkit::fixtures::shared().filter(|_| !unprivileged()) else {
        testkit::fixtures::skipped("needs root and the real packages");
        return;
    };
    let mut files = rpm::packages_in(&shared.join("fixtures/real"));
    // rpm unpacks source packages into a build folder; that is not an installation.
    files.retain(|path| !path.to_string_lossy().ends_with("src.rpm"));
    let (mut equal, mut refused, mut different) = (0, Vec::new(), Vec::new());
    for path in files.iter().skip(number).step_by(parts) {
        let (ours, theirs) = (Sandbox::empty(), Sandbox::empty());
        for root in [&ours, &theirs] {
            std::fs::create_dir_all(root.join("var/lib/rpm")).unwrap();
        }
        if !install(theirs.path(), path) {
            refused.push(path);
            continue;
        }
        let mut options = options();
        options.no_scripts = true;
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            run(ours.path(), &[Ask::Install(path)], &options, &mut ())
        }));
        let said = match done {
            Ok(Ok(_)) => {
                let accounts = WITH_ACCOUNTS.iter().any(|name| path.ends_with(name));
                let trees = match accounts {
                    true => Vec::new(),
                    false => tree::differences(&tree_of(ours.path()), &tree_of(theirs.path())),
                };
                let dump =
                    |r: &Sandbox| rpmdb::dump(&r.join("var/lib/rpm/rpmdb.sqlite"), &rpmdb::TIMES);
                [trees, rpmdb::differences(&dump(&ours), &dump(&theirs))].concat()
            }
            Ok(Err(error)) => vec![error.to_string()],
            Err(_) => vec!["not read".to_owned()],
        };
        if said.is_empty() {
            equal += 1;
        } else {
            different.push((path, said));
        }
    }
    println!("equal {equal}, rpm refuses {}", refused.len());
    for (path, said) in &different {
        println!("DIFF {}: {}", path.display(), said.join("\n     "));
    }
    assert!(different.is_empty(), "{} differ", different.len());
    assert!(equal > 0);
}

macro_rules! parts {
    ($($name:ident $number:literal)*) => {
        $(
            #[test]
            fn $name() {
                part($number, 8);
            }
        )*
    };
}

parts! { real_1 0 real_2 1 real_3 2 real_4 3 real_5 4 real_6 5 real_7 6 real_8 7 }
