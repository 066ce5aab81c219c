use super::*;

const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// A lock with epochs, several versions of a name, several architectures and names that YAML could misread.
fn sample() -> Lock {
    let package = |name: &str, evr: (u32, &str, &str), arch: &str| LockedPackage {
        name: name.to_owned(),
        epoch: evr.0,
        version: evr.1.to_owned(),
        release: evr.2.to_owned(),
        arch: arch.to_owned(),
        repo: "base".to_owned(),
        location: format!("Packages/{name}-{}-{}.{arch}.rpm", evr.1, evr.2),
        url: format!(
            "https://a.example/base/Packages/{name}-{}-{}.{arch}.rpm",
            evr.1, evr.2
        ),
        size: 7,
        checksum: Digest::from_hex(rpm_pkg::digest::DigestAlgo::Sha256, &DIGEST[7..]).unwrap(),
        signer: Signer::Key("0123456789abcdef0123456789abcdef01234567".to_owned()),
        reason: LockReason::Dependency,
        sourcerpm: Some(format!("{name}-1-1.src.rpm")),
    };
    let repository = LockedRepo {
        id: "base".to_owned(),
        baseurl: "https://a.example/base".to_owned(),
        ..LockedRepo::default()
    };
    let section = |arch: &str| {
        let mut section = LockedArch {
            repositories: vec![repository.clone()],
            packages: vec![
                package("zlib", (0, "1.10", "1"), arch),
                package("zlib", (0, "1.9", "1"), arch),
                package("no", (3, "1.0", "2.ph5"), "noarch"),
                package("libstdc++", (0, "5e3", "1~rc1"), arch),
            ],
        };
        section.sort();
        section
    };
    let sections = ["x86_64", "aarch64"].map(|arch| (arch.to_owned(), section(arch)));
    Lock {
        words: vec!["zlib".to_owned()],
        releasever: Some("5.0".to_owned()),
        architectures: sections.into(),
    }
}

fn read(text: &str) -> std::result::Result<(Lock, Vec<String>), String> {
    Lock::read("x", text.as_bytes()).map_err(|error| error.to_string())
}

#[test]
fn every_format_keeps_the_set() {
    let lock = sample();
    let packages = |lock: &Lock| {
        let sections = lock.architectures.iter();
        let all = sections.flat_map(|(arch, section)| {
            section.packages.iter().map(move |one| {
                (
                    arch.clone(),
                    one.nevra(),
                    one.url.clone(),
                    one.size,
                    one.checksum,
                )
            })
        });
        all.collect::<Vec<_>>()
    };
    for format in [LockFormat::Tdnf, LockFormat::Konflux, LockFormat::Manifest] {
        let text = lock.write(format);
        let (again, unknown) =
            read(&text).unwrap_or_else(|why| panic!("{format:?}: {why}\n{text}"));
        assert_eq!(packages(&again), packages(&lock), "{text}");
        assert!(unknown.is_empty(), "{unknown:?}");
        assert_eq!(again.write(format), text);
    }
    let order: Vec<String> = lock.architectures["x86_64"]
        .packages
        .iter()
        .map(LockedPackage::nevra)
        .collect();
    assert_eq!(
        order,
        [
            "libstdc++-5e3-1~rc1.x86_64",
            "no-3:1.0-2.ph5.noarch",
            "zlib-1.9-1.x86_64",
            "zlib-1.10-1.x86_64"
        ]
    );
    let own = read(&lock.write(LockFormat::Tdnf)).unwrap().0;
    let without_sources = |mut lock: Lock| {
        let packages = lock
            .architectures
            .values_mut()
            .flat_map(|section| &mut section.packages);
        packages.for_each(|package| package.sourcerpm = None);
        lock
    };
    assert_eq!(own, without_sources(lock));
}

#[test]
fn foreign_files_as_others_write_them() {
    let konflux = format!(
        "---\nlockfileVersion: 1\nlockfileVendor: redhat\narches:\n- arch: x86_64\n  packages:\n\
         \x20 - url: https://a.example/b/vim-enhanced-9.1.158-1.fc38.x86_64.rpm\n    checksum: {DIGEST}\n    size: 3\n\
         \x20   new: 1\n  source:\n  - url: https://a.example/vim.src.rpm\n  module_metadata: []\n"
    );
    let (lock, unknown) = read(&konflux).unwrap();
    let package = &lock.architectures["x86_64"].packages[0];
    assert_eq!(package.nevra(), "vim-enhanced-9.1.158-1.fc38.x86_64");
    assert_eq!(
        (package.repo.as_str(), &package.signer),
        ("", &Signer::Untold)
    );
    assert_eq!(unknown, ["new"]);
    let manifest = format!(
        "document: rpm-package-manifest\nversion: 0.2.0\ndata:\n  repositories:\n  - id: fedora\n    metalink: https://a.example/m\n\
         \x20 packages:\n    noarch:\n    - {{name: abcde, repo_id: fedora, checksum: '{DIGEST}', size: 5, evr: 2.9-1.fc29}}\n\
         \x20   x86_64:\n    - name: bash\n      repo_id: fedora\n      checksum: {DIGEST}\n      size: 9\n      evr: 1:5.2-3\n\
         \x20   src:\n    - name: bash\n      repo_id: fedora\n      checksum: {DIGEST}\n      size: 9\n      evr: 1:5.2-3\n"
    );
    let (lock, _) = read(&manifest).unwrap();
    let names: Vec<String> = lock.architectures["x86_64"]
        .packages
        .iter()
        .map(LockedPackage::nevra)
        .collect();
    assert_eq!(names, ["abcde-2.9-1.fc29.noarch", "bash-1:5.2-3.x86_64"]);
}

/// docs/threats.md, row 141.
#[test]
fn what_cannot_be_trusted_is_refused_with_its_place() {
    let own = sample().write(LockFormat::Tdnf);
    let konflux = sample().write(LockFormat::Konflux);
    let manifest = sample().write(LockFormat::Manifest);
    for (text, from, to, why) in [
        (
            &own,
            "\"lock\": 1",
            "\"lock\": \"1\"",
            "lock: a number is expected",
        ),
        (&own, "\"lock\": 1,", "", "it is no lock file"),
        (
            &own,
            "\"aarch64\"",
            "\"../x\"",
            "architectures.../x: it leads to another folder",
        ),
        (
            &own,
            "\"aarch64\"",
            "\"x86_64\"",
            "the key x86_64 stands twice",
        ),
        (
            &own,
            "\"epoch\": 0",
            "\"epoch\": -1",
            "a number is expected",
        ),
        (
            &own,
            "\"epoch\": 0",
            "\"epoch\": 4294967296",
            "it is too large",
        ),
        (&own, "\"signer\":", "\"signet\":", "signer is missing"),
        (
            &own,
            "\"dependency\"",
            "\"maybe\"",
            "user, dependency or weak is expected",
        ),
        (
            &own,
            "https://a.example/base/Packages",
            "ftp://a.example/base/Packages",
            "http://, https://, s3://, oci:// or file:/// is expected",
        ),
        (&own, "\"Packages/libstdc++", "\"/etc/libstdc++", "location"),
        (
            &own,
            "\"Packages/libstdc++",
            "\"repodata/libstdc++",
            "packages do not lie there",
        ),
        (
            &konflux,
            "lockfileVersion: 1",
            "lockfileVersion: 2",
            "lockfileVersion 1 of lockfileVendor redhat is read here alone",
        ),
        (
            &konflux,
            "    checksum: ",
            "    checksums: ",
            "checksum is missing",
        ),
        (
            &konflux,
            ".rpm\n    repoid",
            ".zip\n    repoid",
            "it does not end like a package",
        ),
        (
            &konflux,
            "- arch: aarch64",
            "- &a arch: *a",
            "aliases are not taken",
        ),
        (
            &manifest,
            "version: 0.2.2",
            "version: 1.0.0",
            "version 1.0.0 of a manifest is not known here",
        ),
        (
            &manifest,
            "repo_id: base",
            "repo_id: other",
            "it is not one of data.repositories",
        ),
    ] {
        let bad = text.replacen(from, to, 1);
        let said = read(&bad).expect_err(from);
        assert!(
            said.starts_with("x: ") && said.contains(why),
            "{from}: {said}"
        );
    }
    for text in [
        "",
        "{",
        "[]",
        "a: b",
        "- a",
        "a: &x 1\nb: *x",
        "\u{0}",
        "{\"lock\": 1}",
        &"[".repeat(1000),
    ] {
        assert!(read(text).is_err(), "{text}");
    }
    let many = format!(
        "{{\"lock\": 1, \"words\": [{}\"a\"]}}",
        "\"a\",".repeat(2_000_001)
    );
    assert!(
        read(&many)
            .unwrap_err()
            .contains("it has more than 2000000 values")
    );
}

#[test]
fn row_141_a_damaged_lock_never_panics() {
    let mut random = fastrand::Rng::with_seed(17);
    for format in [LockFormat::Tdnf, LockFormat::Konflux, LockFormat::Manifest] {
        let good = sample().write(format).into_bytes();
        for _ in 0..2000 {
            let mut bad = good.clone();
            for _ in 0..random.usize(1..4) {
                let at = random.usize(..bad.len());
                match random.u8(..3) {
                    0 => bad[at] = random.u8(..),
                    1 => drop(bad.drain(at..bad.len().min(at + random.usize(..40)))),
                    _ => bad.insert(at, b"{}[]\":,-&*\n "[random.usize(..12)]),
                }
                if bad.is_empty() {
                    break;
                }
            }
            let _ = Lock::read("x", &bad);
        }
    }
}

#[test]
fn row_141_ids_that_are_not_of_repositories_are_refused() {
    for (id, is_good) in [
        ("base", true),
        ("a@b", true),
        ("@cmdline", false),
        ("@System", false),
        (".x", false),
        ("", false),
    ] {
        assert_eq!(super::read::repo_fault(id).is_none(), is_good, "{id}");
    }
}
