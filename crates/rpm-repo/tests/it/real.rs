//! Every document of `shared/fixtures/real`, field by field against Python's expat.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use rpm_pkg::dep::DepGroup;
use rpm_pkg::digest::{DigestAlgo, Hasher};
use rpm_repo::compress::{Decoder, Format};
use rpm_repo::primary::{FileKind, PrimaryPackage};
use rpm_repo::xml::XmlLimits;
use rpm_repo::{Error, comps, filelists, metalink, mirrorlist, other, primary, repomd, updateinfo};

use crate::fixtures;

/// Collects fields for a hash: see `oracle.py`.
struct Dump(Hasher);

impl Dump {
    fn new() -> Dump {
        Dump(Hasher::new(DigestAlgo::Sha256))
    }

    fn put(&mut self, field: impl AsRef<str>) {
        self.0.update(field.as_ref().as_bytes());
        self.0.update(b"\0");
    }
}

fn kind_name(kind: FileKind) -> &'static str {
    match kind {
        FileKind::File => "file",
        FileKind::Dir => "dir",
        FileKind::Ghost => "ghost",
    }
}

fn flags_name(flags: u32) -> &'static str {
    ["", "", "LT", "", "GT", "", "", "", "EQ", "", "LE", "", "GE"][flags as usize]
}

fn dump_primary(dump: &mut Dump, p: &PrimaryPackage) {
    for text in [
        p.name(),
        p.arch(),
        p.checksum(),
        p.summary(),
        p.description(),
        p.packager(),
        p.url(),
    ] {
        dump.put(text);
    }
    for text in [
        p.license(),
        p.vendor(),
        p.group(),
        p.buildhost(),
        p.sourcerpm(),
        p.checksum_type(),
    ] {
        dump.put(text);
    }
    dump.put(p.epoch().to_string());
    dump.put(p.version());
    dump.put(p.release());
    let (start, end) = p.header_range();
    let sizes = [
        p.package_size(),
        p.installed_size(),
        p.archive_size(),
        start,
        end,
    ];
    for number in [p.file_time(), p.build_time()].into_iter().chain(sizes) {
        dump.put(number.to_string());
    }
    dump.put(p.location());
    dump.put(p.location_base().unwrap_or_default());
    for kind in DepGroup::ALL {
        for dep in p.deps(kind) {
            dump.put(format!("{kind:?}").to_lowercase());
            dump.put(dep.name);
            dump.put(flags_name(dep.flags));
            dump.put(dep.epoch.map(|epoch| epoch.to_string()).unwrap_or_default());
            dump.put(dep.version);
            dump.put(dep.release);
            dump.put(if dep.pre { "1" } else { "0" });
        }
    }
    for file in p.files() {
        dump.put(kind_name(file.kind));
        dump.put(file.path);
    }
}

fn open(path: &Path) -> Decoder<std::fs::File> {
    Decoder::new(std::fs::File::open(path).unwrap(), path.to_str().unwrap()).unwrap()
}

fn read_all(path: &Path) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    let document = path.display().to_string();
    match std::io::Read::read_to_end(&mut open(path), &mut bytes) {
        Ok(_) => Ok(bytes),
        Err(source) => Err(Error::Stream { document, source }),
    }
}

/// Our line for the oracle's; the root tells which parser is asked.
fn ours(path: &Path, root: &str) -> Result<String, String> {
    let (name, limits) = (path.to_str().unwrap(), XmlLimits::default());
    let told = |error: Error| error.to_string();
    // What one record costs is a refusal, too.
    let whole = |summary: rpm_repo::primary::ParseSummary| match summary.left_out {
        Some(left_out) => Err(left_out.to_string()),
        None => Ok(summary.records),
    };
    let mut dump = Dump::new();
    let go_on = ControlFlow::Continue(());
    let count = match root {
        "metadata" => primary::read(name, open(path), &limits, &mut |package| {
            dump_primary(&mut dump, package);
            go_on
        })
        .map(whole)
        .map_err(told)??,
        "filelists" => filelists::read(name, open(path), &limits, &mut |p| {
            for text in [
                p.pkgid(),
                p.name(),
                p.arch(),
                &p.epoch().to_string(),
                p.version(),
                p.release(),
            ] {
                dump.put(text);
            }
            for file in p.files() {
                dump.put(kind_name(file.kind));
                dump.put(file.path);
            }
            go_on
        })
        .map(whole)
        .map_err(told)??,
        "otherdata" => other::read(name, open(path), &limits, &mut |p| {
            for text in [
                p.pkgid(),
                p.name(),
                p.arch(),
                &p.epoch().to_string(),
                p.version(),
                p.release(),
            ] {
                dump.put(text);
            }
            for entry in p.changelogs() {
                dump.put(entry.author);
                dump.put(entry.date.to_string());
                dump.put(entry.text);
            }
            go_on
        })
        .map(whole)
        .map_err(told)??,
        "updates" => updateinfo::read(name, open(path), &limits, &mut |a| {
            for text in [
                &a.kind,
                &a.id,
                &a.title,
                &a.severity,
                &a.description,
                &a.issued,
                &a.updated,
            ] {
                dump.put(text);
            }
            for r in &a.references {
                [&r.kind, &r.id, &r.title, &r.href]
                    .into_iter()
                    .for_each(|text| dump.put(text));
            }
            for p in &a.packages {
                for text in [
                    &p.name,
                    &p.version,
                    &p.release,
                    &p.arch,
                    &p.src,
                    &p.filename,
                ] {
                    dump.put(text);
                }
            }
            go_on
        })
        .map(whole)
        .map_err(told)??,
        "comps" => dump_comps(
            &mut dump,
            &comps::read(name, open(path), &limits).map_err(told)?,
        ),
        "repomd" => dump_repomd(
            &mut dump,
            &repomd::parse(name, &read_all(path).map_err(told)?).map_err(told)?,
        ),
        _ => panic!("{name}: unknown root {root}"),
    };
    Ok(format!("{root} {count} {}", dump.0.finish().hex()))
}

fn dump_comps(dump: &mut Dump, comps: &comps::Comps) -> u64 {
    for group in &comps.groups {
        dump.put("group");
        dump.put(&group.id);
        for package in &group.packages {
            dump.put(&package.name);
            dump.put(match package.kind {
                comps::PackageKind::Mandatory => "mandatory",
                comps::PackageKind::Default => "default",
                comps::PackageKind::Optional => "optional",
                comps::PackageKind::Conditional => "conditional",
            });
        }
    }
    comps.environments.iter().for_each(|e| {
        dump.put("environment");
        dump.put(&e.id);
    });
    comps.categories.iter().for_each(|c| {
        dump.put("category");
        dump.put(&c.id);
    });
    (comps.groups.len() + comps.environments.len() + comps.categories.len()) as u64
}

fn dump_repomd(dump: &mut Dump, repomd: &repomd::Repomd) -> u64 {
    let number = |value: Option<u64>| value.map(|n| n.to_string()).unwrap_or_default();
    for record in &repomd.records {
        dump.put(&record.kind);
        dump.put(record.href.as_str());
        dump.put(record.checksum.map(|d| d.hex()).unwrap_or_default());
        dump.put(record.open_checksum.map(|d| d.hex()).unwrap_or_default());
        dump.put(number(record.size));
        dump.put(number(record.open_size));
        dump.put(number(record.timestamp));
    }
    repomd.records.len() as u64
}

/// Documents that expat reads and we refuse, or records of theirs, and why.
const REFUSED: &[(&str, &str)] = &[
    ("error_00-filelists.xml", "without pkgid"),
    ("error_00-other.xml", "without pkgid"),
    ("error_00-primary.xml", "without a checksum"),
    ("missing_type-repomd.xml", "without a type"),
    ("no_pkgid-filelists.xml", "without pkgid"),
    ("no_pkgid-other.xml", "without pkgid"),
    ("updateinfo_02.xml.xz", "without an id"),
];

#[test]
fn every_real_document_field_by_field() {
    let Some(root) = testkit::fixtures::real() else {
        return;
    };
    let wanted = [
        "primary",
        "filelists",
        "other",
        "updateinfo",
        "comps",
        "repomd",
    ];
    let is_wanted = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap();
        let ending = [".xml", ".xml.gz", ".xml.xz", ".xml.bz2", ".xml.zst"];
        wanted.iter().any(|w| name.contains(w)) && ending.iter().any(|e| name.ends_with(e))
    };
    let files: Vec<PathBuf> = testkit::tree::files(&root)
        .into_iter()
        .filter(is_wanted)
        .collect();
    assert!(files.len() > 100, "{}", files.len());
    let Some(oracle) = fixtures::oracle(&files) else {
        return;
    };
    let (mut same, mut records, mut wrong) = (0, 0, Vec::new());
    for (path, line) in files.iter().zip(oracle) {
        let short = path.strip_prefix(&root).unwrap().to_str().unwrap();
        let refused = REFUSED.iter().find(|(name, _)| short.ends_with(name));
        let root_name = line.split(' ').next().unwrap();
        let roots = [
            "metadata",
            "filelists",
            "otherdata",
            "updates",
            "comps",
            "repomd",
        ];
        if root_name == "bad" {
            for root_name in roots {
                if let Ok(line) = ours(path, root_name) {
                    wrong.push(format!("{short}: expat refuses it, we read {line}"));
                }
            }
            continue;
        }
        match (ours(path, root_name), refused) {
            (Ok(ours), None) if ours == line => {
                same += 1;
                records += line.split(' ').nth(1).unwrap().parse::<u64>().unwrap();
            }
            (Err(error), Some((_, why))) if error.contains(why) => {}
            (ours, _) => wrong.push(format!("{short}: {line}\n    ours {ours:?}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    println!("{same} documents with {records} records agree");
    assert!(same > 90 && records > 20_000, "{same} {records}");
}

#[test]
fn real_zchunk_is_named_as_unsupported() {
    let Some(root) = testkit::fixtures::real() else {
        return;
    };
    let path = testkit::tree::files(&root)
        .into_iter()
        .find(|p| p.to_str().unwrap().ends_with(".xml.zck"));
    let path = path.unwrap();
    let error = Decoder::new(std::fs::File::open(&path).unwrap(), "x.zck")
        .err()
        .unwrap();
    assert_eq!(
        error.to_string(),
        format!("{} compression is not supported", Format::Zchunk)
    );
}

#[test]
fn every_real_repository_agrees_with_its_repomd() {
    let Some(root) = testkit::fixtures::real() else {
        return;
    };
    let (mut parts, mut wrong) = (0, Vec::new());
    for path in testkit::tree::files(&root)
        .into_iter()
        .filter(|p| p.ends_with("repodata/repomd.xml"))
    {
        let Ok(repomd) = repomd::parse(path.to_str().unwrap(), &std::fs::read(&path).unwrap())
        else {
            continue;
        };
        for record in &repomd.records {
            let file = path
                .parent()
                .unwrap()
                .parent()
                .unwrap()
                .join(record.href.path());
            let Ok(stream) = std::fs::File::open(&file) else {
                continue;
            };
            let reader = rpm_repo::compress::VerifiedReader::new(
                stream,
                record.href.file_name(),
                record.expected(),
            );
            if record.kind.ends_with("_zck") {
                assert!(reader.is_err());
                continue;
            }
            let result = reader.and_then(|mut r| std::io::copy(&mut r, &mut std::io::sink()));
            match result {
                Ok(_) => parts += 1,
                Err(error) => wrong.push(format!("{}: {error}", file.display())),
            }
        }
    }
    // createrepo_c's repo_01 really has a primary that is one byte longer than its repomd says.
    wrong.retain(|line| !(line.contains("/repo_01/") && line.contains("larger than 782 bytes")));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    println!("{parts} parts verified");
    assert!(parts > 100, "{parts}");
}

#[test]
fn real_metalinks_and_mirror_lists() {
    let Some(root) = testkit::fixtures::real() else {
        return;
    };
    let dir = root.join("rpm-software-management+librepo/tests/test_data");
    let parse = |name: &str| {
        let path = dir.join("metalinks").join(name);
        metalink::parse(name, &std::fs::read(path).unwrap())
    };
    let good = parse("metalink_good_01").unwrap();
    assert_eq!(good.hashes[0].algo(), DigestAlgo::Sha512);
    assert_eq!(good.size, Some(4309));
    assert!(
        good.urls[0].starts_with("http://mirror.pnl.gov/"),
        "{}",
        good.urls[0]
    );
    assert!(parse("metalink_good_02").unwrap().hashes.is_empty());
    assert!(parse("metalink_good_03").unwrap().urls.is_empty());
    assert_eq!(parse("metalink_bad_01").unwrap().size, None);
    assert!(parse("metalink_bad_02").unwrap().urls.is_empty());
    for bad in [
        "metalink_really_bad_01",
        "metalink_really_bad_02",
        "metalink_really_bad_03",
    ] {
        assert!(parse(bad).is_err(), "{bad}");
    }
    assert!(!parse("metalink_with_alternates").unwrap().older.is_empty());
    for (name, count) in [
        ("mirrorlist_01", 2),
        ("mirrorlist_02", 0),
        ("mirrorlist_03", 0),
    ] {
        let bytes = std::fs::read(dir.join("mirrorlists").join(name)).unwrap();
        let urls = mirrorlist::parse(name, &bytes).unwrap();
        assert_eq!(urls.len(), count, "{name}: {urls:?}");
    }
}
