//! Metadata that the real createrepo_c makes of packages that the real rpmbuild made.

use std::io::Read;
use std::ops::ControlFlow;
use std::path::Path;

use rpm_pkg::dep::DepGroup;
use rpm_repo::compress::{Ahead, Expected, VerifiedReader};
use rpm_repo::primary::{self, FileKind};
use rpm_repo::repomd::{self, Repomd};
use rpm_repo::xml::XmlLimits;
use rpm_repo::{filelists, other};

use crate::fixtures::run;

const SPEC: &str = "\
Name: odd
Epoch: 3
Version: 1.0~rc1
Release: 2^git
Summary: Odd & <strange> \"quoted\"
License: MIT and 'more'
Vendor: V & Co
Packager: P <p@example.com>
Group: Tools/Ödd
URL: https://example.com/?a=1&b=2
BuildArch: noarch
Provides: thing = 4:5-6
Provides: config(odd) = %{epoch}:%{version}-%{release}
Requires: bash >= 4
Requires(pre): coreutils
Requires: (foo if bar)
Recommends: nice
Suggests: maybe
Supplements: other
Enhances: better
Conflicts: bad < 2
Obsoletes: old <= 1:1-1
%description
Line one
  line two & <tag>
%install
mkdir -p %{buildroot}/etc/odd %{buildroot}/usr/bin '%{buildroot}/usr/share/a b&c'
echo x > %{buildroot}/etc/odd/conf
echo x > %{buildroot}/usr/bin/odd
echo x > '%{buildroot}/usr/share/a b&c/ü'
%pre
exit 0
%files
%dir /etc/odd
%config /etc/odd/conf
/usr/bin/odd
\"/usr/share/a b&c\"
%ghost /etc/odd/ghost
%changelog
* Mon Jan 01 2024 A & B <a@b> - 3:1.0-1
- <first>
";

/// Builds the package into `repo/noarch`.
fn packages(dir: &Path) {
    let place = dir.join("repo/noarch");
    std::fs::create_dir_all(&place).unwrap();
    for package in testkit::spec::build(SPEC, &[]) {
        std::fs::copy(&package, place.join(package.file_name().unwrap())).unwrap();
    }
}

/// Runs createrepo_c and parses what it wrote; every part is verified on the way.
fn created(dir: &Path, args: &[&str]) -> Option<Repomd> {
    let mut all = vec!["--quiet", "--update"];
    all.extend(args);
    all.push("repo");
    run("createrepo_c", &all, dir)?;
    let path = dir.join("repo/repodata/repomd.xml");
    let repomd = repomd::parse("repomd.xml", &std::fs::read(path).unwrap()).unwrap();
    for kind in ["primary", "filelists", "other"] {
        let record = repomd.record(kind).unwrap_or_else(|| panic!("{kind}"));
        assert!(
            record.checksum.is_some() && record.size.is_some(),
            "{record:?}"
        );
        open(dir, &repomd, kind)
            .read_to_end(&mut Vec::new())
            .unwrap();
    }
    Some(repomd)
}

fn open(dir: &Path, repomd: &Repomd, kind: &str) -> impl Read + use<> {
    let record = repomd.record(kind).unwrap();
    let (file, name) = (
        dir.join("repo").join(record.href.path()),
        record.href.to_string(),
    );
    let expected = record.expected();
    Ahead::spawn(move || VerifiedReader::new(std::fs::File::open(file)?, &name, expected)).unwrap()
}

fn query(dir: &Path, format: &str) -> String {
    let packages: Vec<_> = std::fs::read_dir(dir.join("repo/noarch"))
        .unwrap()
        .flatten()
        .collect();
    let path = packages[0].path();
    let args = [
        "-qp",
        "--nosignature",
        "--qf",
        format,
        path.to_str().unwrap(),
    ];
    String::from_utf8(run("rpm", &args, dir).unwrap()).unwrap()
}

#[test]
fn every_compression_and_checksum_of_createrepo() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    packages(dir);
    for compression in ["gz", "xz", "bz2"] {
        for checksum in ["sha1", "sha256", "sha512"] {
            let general = format!("--general-compress-type={compression}");
            let compress = format!("--compress-type={compression}");
            let args = [
                &*general,
                &*compress,
                "--checksum",
                checksum,
                "--no-database",
            ];
            let Some(repomd) = created(dir, &args) else {
                return;
            };
            let record = repomd.record("primary").unwrap();
            assert_eq!(record.checksum.unwrap().algo().name(), checksum);
            let mut names = Vec::new();
            let each = &mut |p: &primary::PrimaryPackage| {
                names.push((p.name().to_owned(), p.digest().unwrap().algo().name()));
                ControlFlow::Continue(())
            };
            let stream = open(dir, &repomd, "primary");
            let summary = primary::read("p", stream, &XmlLimits::default(), each).unwrap();
            assert_eq!(
                (summary.declared, summary.records, summary.complete),
                (Some(1), 1, true)
            );
            assert_eq!(names, [("odd".to_owned(), checksum)], "{compression}");
            println!("{compression} {checksum}: {}", record.href);
        }
    }
}

/// createrepo_c before 1.0 writes no zstd: the real zstd compresses its primary instead, in two
/// frames. (Real zstd metadata of a newer createrepo_c is among the real fixtures.)
#[test]
fn zstd_in_two_frames() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    packages(dir);
    let Some(repomd) = created(dir, &[]) else {
        return;
    };
    let mut text = Vec::new();
    open(dir, &repomd, "primary")
        .read_to_end(&mut text)
        .unwrap();
    let (first, second) = text.split_at(text.len() / 2);
    let mut packed = Vec::new();
    for (name, half) in [("1", first), ("2", second)] {
        std::fs::write(dir.join(name), half).unwrap();
        let Some(frame) = run("zstd", &["-19", "--long=27", "-qc", name], dir) else {
            return;
        };
        packed.extend(frame);
    }
    let expected = Expected {
        size: Some(packed.len() as u64),
        ..repomd.record("primary").unwrap().expected()
    };
    let expected = Expected {
        checksum: None,
        ..expected
    };
    let stream = VerifiedReader::new(&packed[..], "primary.xml.zst", expected).unwrap();
    let each = &mut |_: &primary::PrimaryPackage| ControlFlow::Continue(());
    assert_eq!(
        primary::read("p", stream, &XmlLimits::default(), each)
            .unwrap()
            .records,
        1
    );
}

#[test]
fn every_field_is_what_rpm_says() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    packages(dir);
    let Some(repomd) = created(dir, &[]) else {
        return;
    };
    let (limits, go_on) = (XmlLimits::default(), ControlFlow::Continue(()));
    let mut seen = 0;
    primary::read("p", open(dir, &repomd, "primary"), &limits, &mut |p| {
        seen += 1;
        let ours = [
            p.name(), &p.epoch().to_string(), p.version(), p.release(), p.arch(), p.summary(),
            p.license(), p.vendor(), p.packager(), p.group(), p.url(), p.sourcerpm(), p.buildhost(),
            &p.build_time().to_string(), &p.installed_size().to_string(), p.description(),
        ];
        let format = "%{NAME}|%{EPOCH}|%{VERSION}|%{RELEASE}|%{ARCH}|%{SUMMARY}|%{LICENSE}|%{VENDOR}|\
            %{PACKAGER}|%{GROUP}|%{URL}|%{SOURCERPM}|%{BUILDHOST}|%{BUILDTIME}|%{LONGSIZE}|%{DESCRIPTION}";
        assert_eq!(ours.join("|"), query(dir, format));
        let provides: Vec<_> = p.deps(DepGroup::Provides).map(|d| (d.name, d.flags, d.epoch, d.version, d.release)).collect();
        assert!(provides.contains(&("thing", 8, Some(4), "5", "6")), "{provides:?}");
        assert!(provides.contains(&("odd", 8, Some(3), "1.0~rc1", "2^git")), "{provides:?}");
        let requires: Vec<_> = p.deps(DepGroup::Requires).map(|d| (d.name, d.flags, d.pre)).collect();
        for wanted in [("bash", 12, false), ("coreutils", 0, true), ("(foo if bar)", 0, false)] {
            assert!(requires.contains(&wanted), "{requires:?}");
        }
        let one = |kind| p.deps(kind).map(|d| d.name.to_owned()).collect::<Vec<_>>();
        assert_eq!(one(DepGroup::Recommends), ["nice"]);
        assert_eq!(one(DepGroup::Suggests), ["maybe"]);
        assert_eq!(one(DepGroup::Supplements), ["other"]);
        assert_eq!(one(DepGroup::Enhances), ["better"]);
        assert_eq!(p.deps(DepGroup::Conflicts).next().unwrap().flags, 2);
        assert_eq!(p.deps(DepGroup::Obsoletes).next().unwrap().flags, 10);
        let package = dir.join("repo").join(p.location());
        assert_eq!(std::fs::metadata(&package).unwrap().len(), p.package_size());
        let digest = rpm_pkg::digest::Hasher::digest_reader(
            p.digest().unwrap().algo(),
            std::fs::File::open(package).unwrap(),
        );
        assert_eq!(digest.unwrap(), p.digest().unwrap());
        let (start, end) = p.header_range();
        assert!(0 < start && start < end && end < p.package_size());
        go_on
    })
    .unwrap();
    filelists::read("f", open(dir, &repomd, "filelists"), &limits, &mut |p| {
        seen += 1;
        let mut ours: Vec<&str> = p.files().map(|file| file.path).collect();
        ours.sort_unstable();
        let theirs = query(dir, "[%{FILENAMES}\n]");
        let mut theirs: Vec<&str> = theirs.lines().collect();
        theirs.sort_unstable();
        assert_eq!(ours, theirs);
        let kind = |path: &str| p.files().find(|file| file.path == path).unwrap().kind;
        assert_eq!(kind("/etc/odd"), FileKind::Dir);
        assert_eq!(kind("/etc/odd/ghost"), FileKind::Ghost);
        assert_eq!(kind("/usr/share/a b&c/ü"), FileKind::File);
        go_on
    })
    .unwrap();
    other::read("o", open(dir, &repomd, "other"), &limits, &mut |p| {
        seen += 1;
        let entry = p.changelogs().next().unwrap();
        assert_eq!(
            (entry.author, entry.text),
            ("A & B <a@b> - 3:1.0-1", "- <first>")
        );
        assert_eq!(entry.date.to_string(), query(dir, "%{CHANGELOGTIME}"));
        go_on
    })
    .unwrap();
    assert_eq!(seen, 3);
}

#[test]
fn what_we_write_reads_the_same_and_dnf_takes_it() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    packages(dir);
    let Some(mut repomd) = created(
        dir,
        &[
            "--distro",
            "cpe:/o:x,Dist & ro",
            "--content",
            "c",
            "--repo",
            "r",
        ],
    ) else {
        return;
    };
    assert_eq!(
        repomd.distro_tags,
        [(Some("cpe:/o:x".to_owned()), "Dist & ro".to_owned())]
    );
    repomd.revision = Some("a <b> & \"c\"".to_owned());
    let mut bytes = Vec::new();
    repomd::write(&repomd, &mut bytes).unwrap();
    assert_eq!(repomd::parse("again", &bytes).unwrap(), repomd);
    repomd.revision = Some("12".to_owned());
    let mut file = std::fs::File::create(dir.join("repo/repodata/repomd.xml")).unwrap();
    repomd::write(&repomd, &mut file).unwrap();
    let (from, cache) = (
        format!("t,file://{}/repo", dir.display()),
        format!("{}/cache", dir.display()),
    );
    let root = format!("{}/root", dir.display());
    let cache = format!("--setopt=cachedir={cache}");
    let args = [
        "-q",
        "--disableplugin=local",
        "--installroot",
        &root,
        "--releasever=1",
        "--repofrompath",
        &from,
        "--repo=t",
        &cache,
        "repoquery",
        "--qf",
        "%{name} %{evr} %{arch}",
        "odd",
    ];
    let Some(out) = run("dnf", &args, dir) else {
        return;
    };
    assert_eq!(
        String::from_utf8(out).unwrap().trim(),
        "odd 3:1.0~rc1-2^git noarch"
    );
}
