//! `gpg-pubkey` entries.

use std::path::Path;

use rpm_db::pubkey::{self, KeyFacts, KeyForm};
use rpm_db::{Db, DbLocation, KeyStore};
use testkit::rpm::Rpm;
use testkit::rpmdb;

use crate::common::{NOW, folder};

const FINGERPRINT: &str = "52b3c03c794a984c053e02df6881c8af151c5ec4";
const CREATED: u32 = 0x6a50_c62d;

/// Imports a real key with real rpm, and writes the same key with ours.
fn both(form: KeyForm) -> Option<(tempfile::TempDir, tempfile::TempDir)> {
    let real = testkit::fixtures::real()?;
    let key = real.join("Lemric+photon-php/RPM-GPG-KEY-photon-php");
    let (ours, theirs) = (folder(), folder());
    Rpm::on_db(theirs.path()).program_ok("rpmkeys", &["--import", key.to_str().unwrap()]);
    let their_db = Db::open_read(&DbLocation::at(theirs.path()).unwrap()).unwrap();
    let (_, header) = their_db.by_name("gpg-pubkey").unwrap().remove(0);
    let stored = pubkey::read(&header).unwrap();
    let facts = KeyFacts {
        base64: &stored.base64,
        armored: header.text(rpm_pkg::header::tag::DESCRIPTION).unwrap(),
        user_id: "Photon PHP RPM Repository <packages@lemric.com>",
        fingerprint: FINGERPRINT,
        key_id: "6881c8af151c5ec4",
        subkeys: &[("944ff08095823205", CREATED)],
        created: CREATED,
    };
    let blob = pubkey::header(&facts, form, "4.18.0", NOW).unwrap();
    let db = Db::open_write(&DbLocation::at(ours.path()).unwrap()).unwrap();
    let mut tx = db.begin().unwrap();
    let hnum = tx.add(&blob).unwrap();
    tx.commit().unwrap();
    let keys = pubkey::all(&db).unwrap();
    assert_eq!(keys[0].0, hnum);
    assert_eq!(keys[0].1.base64, stored.base64);
    Some((ours, theirs))
}

#[test]
fn the_header_is_the_one_that_rpm_makes() {
    let Some((ours, theirs)) = both(KeyForm::KeyId) else {
        return;
    };
    let dump =
        |dir: &tempfile::TempDir| rpmdb::dump(&dir.path().join("rpmdb.sqlite"), &rpmdb::TIMES);
    assert_eq!(rpmdb::differences(&dump(&ours), &dump(&theirs)), [""; 0]);
    let rpm = Rpm::on_db(ours.path());
    let shown = rpm.ok(&["-qi", "gpg-pubkey"]);
    assert!(shown.contains("Photon PHP RPM Repository"), "{shown}");
    rpm.ok(&["-e", "gpg-pubkey-151c5ec4-6a50c62d"]);
    assert_eq!(rpm.ok(&["-qa"]), "");
}

#[test]
fn packages_verify_with_a_key_we_stored() {
    let Some((ours, _theirs)) = both(KeyForm::KeyId) else {
        return;
    };
    let file = testkit::fixtures::real()
        .unwrap()
        .join("Lemric+photon-php/x86_64/libzip-1.11.4-1.photon5.x86_64.rpm");
    let said = Rpm::on_db(ours.path()).program_ok("rpmkeys", &["-Kv", file.to_str().unwrap()]);
    assert!(said.contains("95823205: OK"), "{said}");
}

#[test]
fn rpm_6_reads_both_forms() {
    let Some(root) = testkit::fixtures::oracle("sid") else {
        return;
    };
    for form in [KeyForm::KeyId, KeyForm::Fingerprint] {
        let Some((ours, _theirs)) = both(form) else {
            return;
        };
        let rpm = Rpm::oracle(&root, ours.path());
        let said = rpm.program_ok("rpmkeys", &["--define", "_keyring rpmdb", "--list"]);
        assert!(said.contains(FINGERPRINT), "{form:?}: {said}");
        rpm.program_ok("rpmdb", &["--verifydb"]);
    }
}

#[test]
fn ids_that_are_no_hex_are_refused() {
    let facts = KeyFacts {
        base64: "",
        armored: "",
        user_id: "",
        fingerprint: "../../etc",
        key_id: "",
        subkeys: &[],
        created: 0,
    };
    assert!(pubkey::header(&facts, KeyForm::KeyId, "4.18.0", 0).is_err());
}

/// What rpm of such a setting trusts, and nothing else: neither links nor the files of another setting.
#[test]
fn keys_in_files_are_those_of_the_store_that_is_set() {
    let (root, outside) = (folder(), folder());
    let store = root.path().join("var/lib/rpm/pubkeys");
    let (start, rest) = FINGERPRINT.split_at(2);
    std::fs::create_dir_all(store.join(start)).unwrap();
    let named = store.join(format!("gpg-pubkey-{FINGERPRINT}.key"));
    std::fs::write(&named, "armored").unwrap();
    std::fs::write(store.join("site.key"), "of the site").unwrap();
    std::fs::write(store.join(start).join(rest), "binary").unwrap();
    std::fs::write(store.join("writelock"), "").unwrap();
    std::fs::write(outside.path().join("secret"), "not a key").unwrap();
    std::os::unix::fs::symlink(outside.path().join("secret"), store.join("x.key")).unwrap();
    std::os::unix::fs::symlink(outside.path(), store.join("ab")).unwrap();
    std::fs::create_dir_all(root.path().join("etc/rpm")).unwrap();
    let found = rpm_db::location::find(root.path(), rpm_db::DatabaseSearch::default()).unwrap();
    let of = |macros: &str| {
        std::fs::write(root.path().join("etc/rpm/macros"), macros).unwrap();
        let store = KeyStore::of(&found);
        let files = store.files().unwrap().into_iter();
        let contents: Vec<_> = files
            .map(|file| String::from_utf8(file.bytes).unwrap())
            .collect();
        (store, contents.join(", "))
    };
    for macros in ["", "%_keyring rpmdb\n", "%_keyring other\n"] {
        let (store, contents) = of(macros);
        assert!(store.is_database() && contents.is_empty(), "{macros}");
        assert_eq!(store.file_of(FINGERPRINT).unwrap(), None);
    }
    let (store, contents) = of("%_keyring fs\n%_keyringpath %{_dbpath}/pubkeys/\n");
    assert_eq!(contents, "armored, of the site");
    assert_eq!(
        store.file_of(FINGERPRINT).unwrap(),
        Some(named.canonicalize().unwrap())
    );
    let (store, contents) = of("%_keyring openpgp\n");
    assert_eq!(contents, "binary");
    let file = store.file_of(FINGERPRINT).unwrap().unwrap();
    assert!(file.ends_with(Path::new(start).join(rest)), "{file:?}");
    assert!(store.file_of("../../etc").is_err() && store.file_of("").is_err());
    let (store, contents) = of("%_keyring fs\n%_keyringpath %{_sysconfdir}/keys\n");
    assert_eq!(contents, "");
    let file = store.file_of(FINGERPRINT).unwrap().unwrap();
    assert_eq!(
        file.parent().unwrap(),
        root.path().canonicalize().unwrap().join("etc/keys")
    );
}
