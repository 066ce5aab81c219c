//! `snapshottime`: what a repository had at a time, by the file times that its metadata tells.

use std::fs::{self, File};
use std::time::{Duration, SystemTime};

use testkit::program::Run;
use testkit::rpm::createrepo;

use super::{Site, plain};

/// alpha-1 came at 1000, alpha-2 at 2000, beta-1 at 3000.
fn site() -> Site {
    let site = Site::with(&[]);
    for (spec, time) in [
        (plain("alpha", "1"), 1000),
        (plain("alpha", "2"), 2000),
        (plain("beta", "1"), 3000),
    ] {
        let file = File::options().append(true).open(site.add(&spec)).unwrap();
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(time);
        file.set_modified(time).unwrap();
    }
    createrepo::<&str>(&site.path("repo"), &[]);
    site
}

fn available(site: &Site, words: &[&str]) -> (Run, Vec<String>) {
    let format = [
        "-q",
        "repoquery",
        "--available",
        "--qf",
        "%{name}-%{version}",
    ];
    let ran = site.run(&[words, &format].concat()).ok();
    let names = ran.out.lines().map(str::to_owned).collect();
    (ran, names)
}

const LEFT_OUT: &str = "warning: 2 packages later than 1970-01-01 00:33:19 UTC (snapshottime=1999) are left out of test";

#[test]
fn packages_that_came_later_do_not_exist() {
    let site = site();
    for (time, there) in [
        ("999", &[][..]),
        ("1000", &["alpha-1"]),
        ("1999", &["alpha-1"]),
        ("2000", &["alpha-1", "alpha-2"]),
        ("3000", &["alpha-1", "alpha-2", "beta-1"]),
    ] {
        let option = format!("--snapshottime={time}");
        if there.is_empty() {
            site.run(&[&option, "repoquery", "--available"])
                .ok()
                .says(&["No data available"]);
            continue;
        }
        assert_eq!(available(&site, &[&option]).1, there, "{time}");
    }
    let (said, _) = available(&site, &["--snapshottime", "1999"]);
    assert_eq!(said.err.matches(LEFT_OUT).count(), 1, "{said:?}");
    // The cache of the metadata is the same with and without.
    assert_eq!(available(&site, &[]).1.len(), 3);
    let words = ["-y", "--snapshottime=1999", "install", "alpha"];
    let said = site.run(&words).ok();
    assert_eq!(said.err.matches(LEFT_OUT).count(), 1, "{said:?}");
    assert_eq!(site.rpm_names(), ["alpha-1"]);
    site.run(&["-y", "--snapshottime=1999", "install", "beta"])
        .failed()
        .says(&[LEFT_OUT]);
    site.run(&["-y", "--snapshottime=1999", "upgrade"]).ok();
    assert_eq!(site.rpm_names(), ["alpha-1"]);
    site.run(&["-y", "upgrade"]).ok();
    assert_eq!(site.rpm_names(), ["alpha-2"]);
}

#[test]
fn the_time_stands_in_files_and_in_setopt() {
    let site = site();
    let conf = fs::read_to_string(site.path("tdnf.conf")).unwrap();
    site.write("tdnf.conf", conf.clone() + "snapshottime=2000\n");
    assert_eq!(available(&site, &[]).1, ["alpha-1", "alpha-2"]);
    // The option wins over the file, and a section over [main].
    assert_eq!(available(&site, &["--snapshottime=1000"]).1, ["alpha-1"]);
    assert_eq!(available(&site, &["--setopt=snapshottime="]).1.len(), 3);
    let text = site.repo_text("gpgcheck=0\nsnapshottime=1000");
    site.write("repos.d/test.repo", text);
    assert_eq!(available(&site, &[]).1, ["alpha-1"]);
    assert_eq!(available(&site, &["--snapshottime=3000"]).1.len(), 3);
    let one = ["--setopt=test.snapshottime=2000"];
    assert_eq!(available(&site, &one).1, ["alpha-1", "alpha-2"]);
    let off = ["--setopt=t*.snapshottime="];
    assert_eq!(available(&site, &off).1.len(), 3);
    site.write("repos.d/test.repo", site.repo_text("gpgcheck=0"));
    site.write(
        "tdnf.conf",
        conf + "snapshottime=2000\nsnapshotexcluderepos=other test\n",
    );
    let (said, all) = available(&site, &[]);
    assert_eq!(all.len(), 3);
    let none = ["--setopt=snapshotexcluderepos="];
    assert_eq!(available(&site, &none).1, ["alpha-1", "alpha-2"]);
    said.says(&["warning: snapshotexcluderepos: there is no repository 'other'"]);
}

#[test]
fn excluded_repositories_are_not_limited() {
    let site = site();
    let second = site.repo_text("gpgcheck=0").replace("[test]", "[second]");
    site.write("repos.d/second.repo", second);
    let count = |words: &[&str]| {
        let (said, all) = available(&site, words);
        (all.len(), said)
    };
    assert_eq!(count(&["--snapshottime=1000"]).0, 2);
    for excluded in ["second", "s*", "second,", "absent,second"] {
        let option = format!("--snapshotexcluderepos={excluded}");
        let (number, said) = count(&["--snapshottime=1000", &option]);
        assert_eq!(number, 4, "{excluded}");
        assert!(!said.err.contains("left out of second"), "{said:?}");
        assert_eq!(said.err.contains("'absent'"), excluded.contains("absent"));
    }
    let twice = [
        "--snapshotexcluderepos=second",
        "--snapshotexcluderepos=test",
    ];
    assert_eq!(count(&[&["--snapshottime=1000"], &twice[..]].concat()).0, 6);
    let (number, said) = count(&["--snapshotexcluderepos=second"]);
    assert_eq!(number, 6);
    said.says(&["snapshotexcluderepos has no effect without snapshottime"]);
    site.run(&["--snapshotexcluderepos=", "repolist"])
        .failed()
        .says(&["snapshotexcluderepos=: REPO,REPO.. expected"]);
}

#[test]
fn times_are_read_strictly() {
    let site = site();
    let expected = ["a POSIX time", "seconds since 1970, digits only"];
    for bad in [
        "12x",
        "1e9",
        "-5",
        "2024-08-30",
        " 5",
        "99999999999999999999",
    ] {
        for option in [
            "--snapshottime=",
            "--setopt=snapshottime=",
            "--setopt=test.snapshottime=",
        ] {
            // --setopt takes blanks around a value away.
            if bad.starts_with(' ') && option.contains("setopt") {
                continue;
            }
            let said = site.run(&[&format!("{option}{bad}"), "list"]).failed();
            said.says(&expected);
        }
    }
    site.run(&["--snapshottime=", "list"])
        .failed()
        .says(&expected);
    let text = site.repo_text("gpgcheck=0\nsnapshottime=2000s");
    site.write("repos.d/test.repo", text);
    let said = site.run(&["list"]).failed();
    said.says(&["test.repo:6: snapshottime", expected[0], expected[1]]);
    site.write("repos.d/test.repo", site.repo_text("gpgcheck=0"));
    // The last of two counts; a time in milliseconds limits nothing, which is said.
    let twice = ["--snapshottime=1000", "--snapshottime=2000"];
    assert_eq!(available(&site, &twice).1.len(), 2);
    let (said, all) = available(&site, &["--snapshottime=1756000000000"]);
    assert_eq!(all.len(), 3);
    assert!(!said.err.contains("left out"), "{said:?}");
    said.says(&["snapshottime=1756000000000 is later than now: is it in seconds?"]);
    site.run(&["--snapshottime=1s", "list"])
        .fails(86, "Error(1622) : Invalid argument");
    let (said, _) = available(&site, &["--setopt=absent.snapshottime=5"]);
    said.says(&["warning: --setopt: there is no repository 'absent'"]);
}

#[test]
fn what_has_no_file_time_is_left_out_too() {
    let site = site();
    let undated = site.path("repo/beta-1-1.noarch.rpm");
    let file = File::options().append(true).open(undated).unwrap();
    file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
    createrepo::<&str>(&site.path("repo"), &[]);
    let (said, there) = available(&site, &["--snapshottime=2500"]);
    assert_eq!(there, ["alpha-1", "alpha-2"]);
    said.says(&[
        "1 package without a file time, which snapshottime cannot judge, is left out of test",
    ]);
    let words = [
        "--json-version=2",
        "--snapshottime=1500",
        "list",
        "available",
    ];
    let document = site.run(&words).ok().json();
    let told =
        serde_json::json!([{"Repo": "test", "SnapshotTime": 1500, "Later": 1, "Undated": 1}]);
    assert_eq!(document["SnapshotTimes"], told);
    assert_eq!(document["Data"].as_array().unwrap().len(), 1);
}

#[test]
fn a_copy_of_a_repository_is_that_of_the_time() {
    let site = site();
    let target = site.path("copy").display().to_string();
    let words = [
        "--snapshottime=1999",
        "reposync",
        "--norepopath",
        "--repo=test",
        "--download-path",
        &target,
    ];
    site.run(&words).ok().says(&[LEFT_OUT]);
    let names = fs::read_dir(&target).unwrap();
    let names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["alpha-1-1.noarch.rpm"]);
    let dir = site.path("repo").display().to_string();
    let folder = format!("--repofromdir=folder,{dir}");
    let words = [&folder, "--repo=folder", "--snapshottime=1999"];
    assert_eq!(available(&site, &words).1, ["alpha-1"]);
}
