//! Signatures that real rpm and gpg accept.

use std::fs;
use std::path::{Path, PathBuf};

use rpm_trust::sign::{KeyAlgorithm, NewKey, SigningKey};
use testkit::gpg::Gpg;
use testkit::rpm::Rpm;

use crate::lab::{must, ok, packages, run, text, tree};
use testkit::program::Run;

/// A key as private and public file.
fn key(dir: &Path, name: &str, algorithm: KeyAlgorithm) -> (PathBuf, PathBuf) {
    let key = SigningKey::generate(&NewKey {
        user_id: "Example <sign@example.org>",
        algorithm,
        created: testkit::now() - 100,
        lifetime: None,
        signing_subkey: false,
    })
    .unwrap();
    let (private, public) = (
        dir.join(format!("{name}.key")),
        dir.join(format!("{name}.pub")),
    );
    fs::write(&private, key.private_armored().unwrap()).unwrap();
    fs::write(&public, key.public_armored().unwrap()).unwrap();
    (private, public)
}

#[test]
fn rpmkeys_accepts_signed_packages() {
    let dir = tempfile::tempdir().unwrap();
    let db = dir.path().join("db");
    fs::create_dir(&db).unwrap();
    let rpm = Rpm::on_db(&db);
    for (name, algorithm) in [
        ("rsa", KeyAlgorithm::Rsa2048),
        ("ed", KeyAlgorithm::Ed25519),
    ] {
        let (private, public) = key(dir.path(), name, algorithm);
        let package = dir.path().join(format!("{name}.rpm"));
        fs::copy(&packages("1")[1], &package).unwrap();
        ok(&["sign", "--key", text(&private), text(&package)]);
        let unknown = rpm.run_program("rpmkeys", &["-Kv", text(&package)]);
        assert!(!unknown.success(), "{}", unknown.out);
        rpm.program_ok("rpmkeys", &["--import", text(&public)]);
        let said = rpm.program_ok("rpmkeys", &["-Kv", text(&package)]);
        assert!(
            said.contains("Signature, key ID") && !said.contains("NO"),
            "{said}"
        );
        // Signing again replaces the signature.
        ok(&["sign", "--key", text(&private), text(&package)]);
        let said = rpm.program_ok("rpmkeys", &["-Kv", text(&package)]);
        assert_eq!(said.matches("Signature, key ID").count(), 1, "{said}");
        assert!(!dir.path().join(format!(".{name}.rpm.signing")).exists());
        let one = |path: &Path| {
            must(
                "rpm",
                &[
                    "-qp",
                    "--nosignature",
                    "--qf",
                    "[%{FILENAMES} %{FILEDIGESTS}\n]%{SHA256HEADER}",
                    text(path),
                ],
            )
        };
        assert_eq!(one(&package), one(&packages("1")[1]));
    }
}

/// Signed packages of others are signed anew; formats 4 and 6, several digests.
#[test]
fn real_packages_are_signed() {
    let Some(rpms) = testkit::fixtures::real_rpms() else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let db = dir.path().join("db");
    fs::create_dir(&db).unwrap();
    let rpm = Rpm::on_db(&db);
    let (private, public) = key(dir.path(), "rsa", KeyAlgorithm::Rsa2048);
    rpm.program_ok("rpmkeys", &["--import", text(&public)]);
    let mut signed = 0;
    for real in rpms.iter().filter(|r| {
        r.name.contains("rpm-rs") || r.name.contains("Lemric") || r.name.contains("AL2023")
    }) {
        let package = dir.path().join("p.rpm");
        fs::copy(&real.path, &package).unwrap();
        let bare = rpm.run_program("rpmkeys", &["-K", "--nosignature", text(&package)]);
        if !bare.success() || run(&["sign", "--key", text(&private), text(&package)]).code != 0 {
            continue;
        }
        let Run { code, out, err, .. } = rpm.run_program("rpmkeys", &["-Kv", text(&package)]);
        let is_v6 = out.lines().all(|line| !line.contains("Signature"));
        assert!(code == 0, "{}: {out}{err}", real.name);
        println!(
            "{}: {}",
            real.name,
            if is_v6 {
                "format 6, signature unknown to this rpm"
            } else {
                "signed"
            }
        );
        signed += 1;
    }
    assert!(signed > 10, "{signed}");
}

/// rpm 4.16, 4.20 and 6.1, where this machine has them; rpm 6 knows the signatures of format 6, too.
#[test]
fn other_generations_of_rpm_accept_signed_packages() {
    for (name, generation) in [("bullseye", "4.16"), ("trixie", "4.20"), ("sid", "6.")] {
        let Some(root) = testkit::fixtures::oracle(name) else {
            continue;
        };
        let dir = tempfile::tempdir().unwrap();
        let db = dir.path().join("db");
        fs::create_dir(&db).unwrap();
        let rpm = Rpm::oracle(&root, &db);
        assert!(rpm.ok(&["--version"]).contains(generation));
        let mut sources = vec![packages("1")[1].clone()];
        if let Some(rpms) = testkit::fixtures::real_rpms().filter(|_| name == "sid") {
            let six = rpms
                .iter()
                .filter(|r| r.name.contains("/v6/") && r.name.contains("rpm-rs"));
            sources.extend(six.map(|r| r.path.clone()).take(3));
        }
        for (kind, algorithm) in [
            ("rsa", KeyAlgorithm::Rsa2048),
            ("ed", KeyAlgorithm::Ed25519),
        ] {
            let (private, _) = key(dir.path(), kind, algorithm);
            let package = dir.path().join(format!("{kind}.rpm"));
            let inside = format!("/mnt/{kind}.rpm");
            for (number, source) in sources.iter().enumerate() {
                fs::copy(source, &package).unwrap();
                ok(&["sign", "--key", text(&private), text(&package)]);
                if number == 0 {
                    let unknown = rpm.run_program("rpmkeys", &["-K", &inside]);
                    assert!(!unknown.success(), "{name}: the key is known already");
                    rpm.program_ok("rpmkeys", &["--import", &format!("/mnt/{kind}.pub")]);
                }
                let said = rpm.program_ok("rpmkeys", &["-Kv", &inside]);
                println!("{name}, {}:\n{said}", source.display());
                let signatures = said
                    .lines()
                    .filter(|line| line.to_lowercase().contains("signature"));
                let good = signatures
                    .clone()
                    .filter(|line| line.ends_with("OK"))
                    .count();
                assert_eq!((good, signatures.count()), (1, 1), "{name}: {said}");
            }
        }
    }
}

#[test]
fn gpg_accepts_repomd() {
    let dir = tempfile::tempdir().unwrap();
    let tree = tree(dir.path());
    ok(&["createrepo", text(&tree)]);
    let (private, public) = key(dir.path(), "rsa", KeyAlgorithm::Rsa2048);
    ok(&["sign", "--key", text(&private), "--with-key", text(&tree)]);
    let gpg = Gpg::at(&dir.path().join("gpg"));
    gpg.ok(&["--import", text(&public)]);
    let (repomd, asc) = (
        tree.join("repodata/repomd.xml"),
        tree.join("repodata/repomd.xml.asc"),
    );
    let err = gpg.ok(&["--verify", text(&asc), text(&repomd)]).err;
    assert!(err.contains("Good signature"), "{err}");
    assert_eq!(
        fs::read(tree.join("repodata/repomd.xml.key")).unwrap(),
        fs::read(&public).unwrap()
    );
    assert!(ok(&["createrepo", text(&tree)]).contains("nothing changed"));
    assert!(asc.exists());
    // A changed repository is not signed any more.
    fs::remove_file(tree.join("one/bare-1.0~rc1-1.noarch.rpm")).unwrap();
    ok(&["createrepo", text(&tree)]);
    assert!(!asc.exists());
}

/// Others may write beside a package, as in a folder for uploads: links that they made lead nowhere.
#[test]
fn signing_follows_no_link_beside_the_package() {
    let dir = tempfile::tempdir().unwrap();
    let (private, _) = key(dir.path(), "ed", KeyAlgorithm::Ed25519);
    let (package, precious) = (dir.path().join("a.rpm"), dir.path().join("precious"));
    fs::copy(&packages("1")[1], &package).unwrap();
    fs::write(&precious, "precious").unwrap();
    for name in [".a.rpm.signing", ".a.rpm.new", "a.rpm.tmp", "a.new"] {
        std::os::unix::fs::symlink(&precious, dir.path().join(name)).unwrap();
    }
    ok(&["sign", "--key", text(&private), text(&package)]);
    assert_eq!(fs::read(&precious).unwrap(), b"precious");
    assert!(!package.is_symlink());
    assert!(fs::metadata(&package).unwrap().len() > 1000);
}

#[test]
fn a_signed_package_keeps_its_permissions() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let (private, _) = key(dir.path(), "ed", KeyAlgorithm::Ed25519);
    let package = dir.path().join("a.rpm");
    fs::copy(&packages("1")[1], &package).unwrap();
    fs::set_permissions(&package, fs::Permissions::from_mode(0o640)).unwrap();
    ok(&["sign", "--key", text(&private), text(&package)]);
    let mode = fs::metadata(&package).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o640);
}

/// Row 138: whoever uploads a package chooses its mode, and the signed one is root's.
#[test]
fn row_138_a_signed_package_runs_as_nobody_and_not_everybody_writes_it() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let (private, _) = key(dir.path(), "ed", KeyAlgorithm::Ed25519);
    let package = dir.path().join("a.rpm");
    fs::copy(&packages("1")[1], &package).unwrap();
    fs::set_permissions(&package, fs::Permissions::from_mode(0o7777)).unwrap();
    ok(&["sign", "--key", text(&private), text(&package)]);
    let mode = fs::metadata(&package).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o775);
}
