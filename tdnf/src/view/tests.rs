//! Snapshots of what commands show: as text of 80 and of 200 columns, as JSON of version 1 and as the
//! document of version 2. `INSTA_UPDATE=always` writes those that differ anew; where `CI` is set none is written.

use chrono::{DateTime, Local};
use cli_kit::OutputMode;
use rpm_catalog::ChangelogEntry;
use rpm_repo::updateinfo::{Advisory, AdvisoryPackage, AdvisoryReference};

use super::advisories::{AdvisoryCounts, AdvisoryDetails, AdvisoryInfo, AdvisoryList};
use super::conversion::Conversion;
use super::history::Transactions;
use super::image::BuiltImage;
use super::keys::{KeyRow, Keys};
use super::packages::{PackageInfo, PackageList, PackageMatches, PackageProviders, PackageRow};
use super::repoquery::{PackageDetail, QueriedPackage, QueryResult};
use super::repos::{RepoCopies, RepoCopy, RepoRow, RepoTable};
use super::transcript::Transcript;
use super::{Addresses, Findings, PackageCount, Version, notes};
use crate::audit::AuditFinding;
use crate::error::{Code, Failure};
use crate::history::{Failed, HistoryEntry};
use crate::image::Built;
use crate::note::Note;
use crate::plan::PackageId;
use crate::screen::{JsonShape, Screen, View};

/// Both streams of all three shapes; the text at both widths where that makes a difference.
pub(crate) fn in_all_shapes(show: impl Fn(&Screen)) -> String {
    let shapes = [
        ("text", JsonShape::None, 80),
        ("text of 200 columns", JsonShape::None, 200),
        ("JSON 1", JsonShape::Bare, 80),
        ("JSON 2", JsonShape::Document, 80),
    ];
    let mut all = String::new();
    let mut before = None;
    for (name, shape, columns) in shapes {
        let mode = OutputMode {
            columns: Some(columns),
            ..OutputMode::default()
        };
        let screen = Screen::recording(mode, shape);
        show(&screen);
        screen.close(Some("command"), 0);
        let recorded = screen.recorded();
        if before.replace(recorded.clone()).as_ref() == Some(&recorded) {
            continue;
        }
        all += &format!("== {name}\n{}", recorded.out);
        if !recorded.out.ends_with('\n') {
            all += "(no line break)\n";
        }
        if !recorded.err.is_empty() {
            all += &format!("-- stderr\n{}", recorded.err);
        }
    }
    all
}

pub(crate) fn shown(view: &impl View) -> String {
    in_all_shapes(|screen| screen.show(view))
}

fn package(name: &str, epoch: u32) -> PackageId {
    PackageId {
        name: name.into(),
        epoch,
        version: "1.0.1".into(),
        release: "2".into(),
        arch: "x86_64".into(),
    }
}

fn rows() -> Vec<PackageRow> {
    let one = PackageRow {
        id: package("one", 0),
        repo: "photon".into(),
        install_size: 65,
        download_size: 6649,
        summary: "The first".into(),
        url: Some("https://example.org/one".into()),
        license: "MIT".into(),
        description: "Two lines\nof text.".into(),
    };
    let two = PackageRow {
        id: package("two", 3),
        repo: "@System".into(),
        install_size: 5_000_000_000,
        download_size: 0,
        summary: "The \"second\"".into(),
        url: None,
        ..one.clone()
    };
    vec![one, two]
}

#[test]
fn packages() {
    let rows = rows();
    let list = |rows: &[PackageRow]| shown(&PackageList { rows, folded: true });
    insta::assert_snapshot!("list", list(&rows));
    insta::assert_snapshot!("list_of_nothing", list(&[]));
    let long = PackageRow {
        id: package(&"long-".repeat(12), 0),
        ..rows[0].clone()
    };
    insta::assert_snapshot!("list_of_long_names", list(&[rows[0].clone(), long]));
    insta::assert_snapshot!("info", shown(&PackageInfo(&rows)));
    insta::assert_snapshot!("search", shown(&PackageMatches(&rows)));
    insta::assert_snapshot!("provides", shown(&PackageProviders(&rows)));
}

#[test]
fn queries() {
    let result = |answers: Vec<PackageDetail>| {
        let names = ["one", "two"].into_iter().zip(answers);
        shown(&QueryResult(
            names
                .map(|(name, answer)| QueriedPackage {
                    id: package(name, 1),
                    repo: "photon".into(),
                    answer,
                })
                .collect(),
        ))
    };
    let texts = |all: &[&str]| all.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
    let change = ChangelogEntry {
        author: "A. Person <a@example.org> 1-1".into(),
        date: 1_700_000_000,
        text: "- first".into(),
    };
    insta::assert_snapshot!(
        "query_names",
        result(vec![PackageDetail::Name, PackageDetail::Name])
    );
    insta::assert_snapshot!(
        "query_files",
        result(vec![
            PackageDetail::Files(texts(&["/usr/bin/b", "/usr/bin/a"])),
            PackageDetail::Files(texts(&["/usr/bin/a"])),
        ])
    );
    insta::assert_snapshot!(
        "query_requires",
        result(vec![
            PackageDetail::Deps("Requires", texts(&["lib >= 2", "/bin/sh"])),
            PackageDetail::Deps("Requires", Vec::new()),
        ])
    );
    insta::assert_snapshot!(
        "query_changelogs",
        result(vec![PackageDetail::Changelog(vec![change])])
    );
    insta::assert_snapshot!(
        "query_source",
        result(vec![PackageDetail::Source("one-1-1.src".into())])
    );
    insta::assert_snapshot!(
        "query_format",
        result(vec![PackageDetail::Formatted("one and 1".into())])
    );
}

#[test]
fn repositories() {
    let row = |id: &str, enabled| RepoRow {
        id: id.into(),
        name: format!("Repository {id}"),
        enabled,
    };
    let table = |rows| shown(&RepoTable { rows, folded: true });
    insta::assert_snapshot!("repolist", table(vec![row("a", true), row("b", false)]));
    insta::assert_snapshot!("repolist_of_nothing", table(Vec::new()));
    let long = row(&"long-".repeat(8), true);
    insta::assert_snapshot!("repolist_of_long_names", table(vec![row("a", true), long]));
    let copy = RepoCopy {
        repo: "a".into(),
        packages: 3,
        downloaded: 1,
        failed: vec!["x-1-1.noarch".into()],
        ..RepoCopy::default()
    };
    insta::assert_snapshot!("reposync", shown(&RepoCopies(&[copy])));
}

/// A date of the machine's own time, as the views write it.
fn local(seconds: i64, form: &str) -> String {
    let time = DateTime::from_timestamp(seconds, 0).unwrap();
    time.with_timezone(&Local).format(form).to_string()
}

#[test]
fn history() {
    let time = 1_700_000_000;
    let done = [
        HistoryEntry {
            id: 1,
            command_line: "-y install one".into(),
            timestamp: time,
            added: vec!["one-1-1.noarch".into(), "dep-1-1.noarch".into()],
            removed: Vec::new(),
            weak: vec![("dep-1-1.noarch".into(), "sha1,expired".into())],
        },
        HistoryEntry {
            id: 2,
            command_line: format!("erase -c /a/{} one", "long/".repeat(12)),
            timestamp: time,
            added: Vec::new(),
            removed: vec!["one-1-1.noarch".into()],
            weak: Vec::new(),
        },
    ];
    let failed = [Failed {
        after: 2,
        command_line: "install two".into(),
        timestamp: time,
        reason: "no space".into(),
    }];
    let text = |failed: &[Failed], info| {
        let text = shown(&Transactions {
            done: &done,
            failed,
            info,
            folded: true,
        });
        text.replace(&local(time, "%a %b %d %Y %H:%M"), "[Www Mmm dd yyyy HH]")
    };
    insta::assert_snapshot!("history", text(&[], false));
    insta::assert_snapshot!("history_info", text(&failed, true));
}

#[test]
fn advisories() {
    let time = 1_700_000_000;
    let advisory = |id: &str, kind: &str| Advisory {
        id: id.into(),
        kind: kind.into(),
        description: "What was wrong.".into(),
        severity: "Important".into(),
        references: ["cve", "bugzilla", "cve", "self", "cve", "cve"]
            .into_iter()
            .enumerate()
            .map(|(number, kind)| AdvisoryReference {
                kind: kind.into(),
                id: format!("{}-2026-{number}", kind.to_uppercase()),
                ..AdvisoryReference::default()
            })
            .collect(),
        updated: time.to_string(),
        packages: vec![AdvisoryPackage {
            name: "one".into(),
            filename: "one-2-1.noarch.rpm".into(),
            reboot_suggested: kind == "security",
            ..AdvisoryPackage::default()
        }],
        ..Advisory::default()
    };
    let all = [advisory("A-1", "security"), advisory("A-2", "newpackage")];
    let dated = |text: String| {
        text.replace(
            &local(time, "%a %b %e %H:%M:%S %Y"),
            "[Www Mmm dd HH:MM:SS yyyy]",
        )
    };
    insta::assert_snapshot!("updateinfo_summary", shown(&AdvisoryCounts(&all)));
    insta::assert_snapshot!("updateinfo_summary_of_nothing", shown(&AdvisoryCounts(&[])));
    insta::assert_snapshot!("updateinfo_list", shown(&AdvisoryList(&all)));
    insta::assert_snapshot!("updateinfo_details", shown(&AdvisoryDetails(&all)));
    insta::assert_snapshot!("updateinfo_info", dated(shown(&AdvisoryInfo(&all))));
}

pub(crate) fn failed(failure: &Failure) -> String {
    in_all_shapes(|screen| screen.show_failure(failure))
}

#[test]
fn errors() {
    insta::assert_snapshot!("error_benign", failed(&Code::CLI_NOTHING_TO_DO.into()));
    let full = Failure::because(Code::NO_MATCH, "what happened")
        .detail("and what else")
        .hint("what to do next")
        .remark("a remark");
    insta::assert_snapshot!("error", failed(&full));
}

#[test]
fn remarks() {
    let word = || "word".to_owned();
    let all = [
        Note::CaseIgnored(word()),
        Note::FileMatch(word()),
        Note::CapabilityMatch(word()),
        Note::AlreadyInstalled(word()),
        Note::NameExcluded(word()),
        Note::AllExcluded(word()),
        Note::Excluded(word(), "/etc/tdnf/tdnf.conf".into()),
        Note::NoDowngrade(word()),
        Note::NotFound(word()),
        Note::NoneRead(word()),
        Note::NotInstalled(word()),
        Note::FileNotInstalled(word()),
        Note::HeldBack(word(), String::new()),
        Note::HeldBack(word(), "the reason".into()),
        Note::LeftOut(word(), "the reason".into()),
        Note::NothingNewer(word()),
        Note::AllNewest(None),
        Note::AllNewest(Some("/etc/tdnf/tdnf.conf".into())),
        Note::AllOldest,
        Note::LeftOutOfRepo("b-2-1.noarch is left out of repository r by /r.repo:3".into()),
        Note::Locked(
            word(),
            "b-2-1.noarch".into(),
            "/etc/tdnf/locks.d/l.conf".into(),
        ),
        Note::InStep(None),
        Note::BuildDepsThere,
        Note::AllNeeded,
        Note::LeftOver(vec![word(), "other".into()]),
        Note::NoSameVersion(word()),
    ];
    insta::assert_snapshot!("notes", in_all_shapes(|screen| notes::show(screen, &all)));
}

#[test]
fn small_things() {
    let version = Version {
        name: "tdnf",
        version: "1.2.3",
    };
    insta::assert_snapshot!("version", shown(&version));
    insta::assert_snapshot!("count", shown(&PackageCount(42)));
    let findings = [
        AuditFinding::Database {
            what: "an index is damaged".into(),
        },
        AuditFinding::Duplicate {
            kept: "a-2-1.noarch".into(),
            surplus: "a-1-1.noarch".into(),
            number: 7,
        },
        AuditFinding::Incomplete {
            package: "b-1-1.noarch".into(),
            missing: 1,
            changed: 0,
            example: "/usr/bin/b".into(),
        },
    ];
    insta::assert_snapshot!("check_installed", shown(&Findings(&findings)));
    let mut transcript = Transcript {
        committed: true,
        installed: vec!["a-1-1.noarch".into()],
        ..Transcript::default()
    };
    transcript.script("a-1-1.noarch", "%post");
    insta::assert_snapshot!("transaction", shown(&transcript));
    let urls = ["http://h/r/a-1-1.noarch.rpm", "file:///r/b%20c.rpm"].map(str::to_owned);
    insta::assert_snapshot!("addresses", shown(&Addresses(urls.into())));
    let conversion = Conversion {
        database: "/srv/an image/var/lib/rpm/Packages".into(),
        headers: 131,
        kept: "/srv/an image/var/lib/rpm/before-sqlite".into(),
    };
    insta::assert_snapshot!("conversion", shown(&conversion));
}

#[test]
fn keys() {
    let stored = KeyRow {
        package: Some("gpg-pubkey-0123abcd-5f3e".into()),
        fingerprint: "0123456789ABCDEF0123456789ABCDEF0123ABCD".into(),
        user_id: "A vendor whose name is long <packages@vendor-with-a-long-name.example.com>"
            .into(),
        created: 1_500_000_000,
        expires: Some(1_600_000_000),
        state: "expired on 2020-09-13".into(),
        ..KeyRow::default()
    };
    let offered = KeyRow {
        package: None,
        expires: None,
        state: "valid".into(),
        source: Some("file:///etc/pki/rpm-gpg/KEY".into()),
        replaces: Some("gpg-pubkey-0123abcd-5f3e (expired on 2020-09-13)".into()),
        ..stored.clone()
    };
    insta::assert_snapshot!("keys", shown(&Keys(vec![stored, offered])));
    insta::assert_snapshot!("keys_none", shown(&Keys(Vec::new())));
}

#[test]
fn image() {
    let blob = |kind: &str, digit: &str, size| Built {
        media_type: format!("application/vnd.oci.image.{kind}"),
        digest: format!("sha256:{}", digit.repeat(64)),
        size,
    };
    let image = BuiltImage {
        target: "oci:/srv/images:web".into(),
        blob: blob("manifest.v1+json", "a", 405),
        layers: vec![blob("layer.v1.tar+gzip", "b", 1_234_567)],
        packages: vec!["nginx-1:1.24-1.x86_64".into()],
    };
    insta::assert_snapshot!("image", shown(&image));
}

#[test]
fn a_document_is_one_object() {
    let screen = Screen::recording(OutputMode::default(), JsonShape::Document);
    screen.crit("for people");
    screen.show(&PackageCount(1));
    screen.close(Some("count"), 0);
    assert_eq!(
        screen.recorded().out,
        "{\"Command\":\"count\",\"Data\":1,\"ExitCode\":0,\"Version\":2}\n"
    );
}
