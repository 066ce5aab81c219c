//! Real keys.

use rpm_trust::{Keyring, TrustError, read_keys};

use testkit::fixtures::real;
use testkit::tree;

use crate::fixtures::{NOW, key_files};

/// docs/threats.md, row 20.
#[test]
fn every_key_file_is_taken_but_those_made_to_be_refused() {
    let Some(real) = real() else { return };
    let mut refused = Vec::new();
    let mut taken = 0;
    for path in key_files(&real)
        .iter()
        .filter(|path| !path.ends_with("rpmdb.sqlite"))
    {
        match read_keys(&std::fs::read(path).unwrap(), NOW) {
            Ok(read) => {
                assert_eq!(read.refused, [], "{}", path.display());
                taken += read.keys.len();
            }
            Err(TrustError::UnboundSubkey { .. }) => {
                refused.push(path.file_name().unwrap().to_string_lossy().into_owned());
            }
            Err(error) => panic!("{}: {error}", path.display()),
        }
    }
    assert_eq!(
        refused,
        [
            "CVE-2021-3521-badbind.asc",
            "CVE-2021-3521-nosubsig-last.asc",
            "CVE-2021-3521-nosubsig.asc",
            "type-confusion.asc"
        ]
    );
    assert!(taken >= 185, "{taken}");
}

#[test]
fn all_distribution_keys_are_taken() {
    let Some(real) = real() else { return };
    let all = tree::files(&real.join("xsuchy+distribution-gpg-keys/keys"));
    assert_eq!(all.len(), 156);
    for path in all {
        // A bare elliptic curve key for IMA and a text file: no OpenPGP at all.
        if path.ends_with("epel/RPM-GPG-KEY-EPEL-10-IMA") || path.ends_with("README.txt") {
            let refused = read_keys(&std::fs::read(&path).unwrap(), NOW);
            assert_eq!(refused, Err(TrustError::NoKey));
            continue;
        }
        let keys = read_keys(&std::fs::read(&path).unwrap(), NOW)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert_eq!(keys.refused, [], "{}", path.display());
        for key in keys.keys {
            let id = format!("{} {}", path.display(), key.user_id);
            assert!(!key.user_id.is_empty() && key.created > 0, "{id}");
            assert!(key.fingerprint.ends_with(&key.key_id), "{id}");
            // The facts of the armored form are the facts of the key: nothing gets lost.
            let again = read_keys(key.armored().as_bytes(), NOW).unwrap();
            assert_eq!(again.keys, [key], "{id}");
        }
    }
}

#[test]
fn key_facts_of_a_known_key() {
    let Some(real) = real() else { return };
    let file = real.join("vmware+photon/SPECS/photon-repos/VMWARE-RPM-GPG-KEY");
    let keys = read_keys(&std::fs::read(file).unwrap(), NOW).unwrap();
    let [key] = &keys.keys[..] else {
        panic!("{keys:?}")
    };
    assert_eq!(key.short_id(), "66fd4949");
    assert_eq!(key.weak.as_deref(), Some("RSA1024"));
    assert_eq!(key.expires, Some(1_500_966_000));
    assert!(key.base64().lines().all(|line| line.len() <= 64));
}

#[test]
fn limits_and_other_things_than_keys() {
    let mut keyring = Keyring::new();
    let mut add = |data: &[u8]| keyring.add_armored_or_binary(data).unwrap_err();
    assert_eq!(add(b""), TrustError::NoKey);
    assert_eq!(
        add(b"<html><body>404 Not Found</body></html>"),
        TrustError::NoKey
    );
    assert!(matches!(
        add(&vec![b'a'; 3 << 20]),
        TrustError::TooLarge { .. }
    ));
    let open = b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmQEN";
    assert!(matches!(add(open), TrustError::BadArmor { .. }));
    assert!(matches!(add(&[0xff; 100]), TrustError::MalformedKey { .. }));
    assert!(keyring.is_empty());
}
