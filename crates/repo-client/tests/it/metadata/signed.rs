//! Signed metadata: rows 1 to 8.

use super::*;
use repo_client::SignatureFault;

fn key(who: &str) -> SigningKey {
    let new = NewKey {
        user_id: who,
        algorithm: KeyAlgorithm::Ed25519,
        created: testkit::now() - 1000,
        lifetime: None,
        signing_subkey: false,
    };
    SigningKey::generate(&new).unwrap()
}

fn ring(key: &SigningKey) -> Keyring {
    let mut ring = Keyring::new();
    ring.add_armored_or_binary(key.public_armored().unwrap().as_bytes())
        .unwrap();
    ring
}

fn sign(repo: &Repo, key: &SigningKey) {
    let bytes = std::fs::read(repo.repomd()).unwrap();
    let text = key
        .sign_detached(bytes.as_slice(), testkit::now() - 10)
        .unwrap();
    std::fs::write(repo.site.www().join("repodata/repomd.xml.asc"), text).unwrap();
}

fn signed_go(repo: &Repo, ring: &Keyring, allow_older: bool) -> repo_client::Result<MetadataSet> {
    let check = keyring_check(ring, testkit::now());
    let job = RepoRefresh {
        check_signature: Some(&check),
        older: if allow_older {
            repo_client::OlderMetadata::Take
        } else {
            repo_client::OlderMetadata::RefuseSigned
        },
        force: true,
        ..repo.job()
    };
    refresh_one(job, &Log::default())
}

#[test]
fn row_01_replay_old_repomd() {
    let repo = Repo::with("repo_gpgcheck=1");
    let key = key("a");
    let ring = ring(&key);
    sign(&repo, &key);
    let old = snapshot(repo.site.www());
    signed_go(&repo, &ring, false).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(1100));
    repo.publish("21");
    sign(&repo, &key);
    signed_go(&repo, &ring, false).unwrap();
    let live = snapshot(&repo.cache().join("repodata"));
    for (path, bytes) in &old {
        std::fs::write(path, bytes).unwrap();
    }
    let error = signed_go(&repo, &ring, false).unwrap_err();
    assert!(
        error.to_string().contains("older than seen before"),
        "{error}"
    );
    assert_eq!(snapshot(&repo.cache().join("repodata")), live);
    assert_eq!(
        signed_go(&repo, &ring, true)
            .unwrap()
            .repomd
            .revision
            .as_deref(),
        Some("20")
    );
}

#[test]
fn row_03_fast_forward() {
    let repo = Repo::new();
    repo.go().unwrap();
    let original = std::fs::read_to_string(repo.repomd()).unwrap();
    for revision in ["9223372036854775808", "18446744073709551615"] {
        repo.edit(|_| original.replace("<revision>20", &format!("<revision>{revision}")));
        let causes = repo.must_fail();
        assert!(matches!(causes[0], Cause::Future { .. }), "{causes:?}");
    }
    repo.edit(|_| {
        let at = original.find("<timestamp>").unwrap() + 11;
        let end = original[at..].find('<').unwrap() + at;
        format!("{}4070908800{}", &original[..at], &original[end..])
    });
    let causes = repo.must_fail();
    assert!(
        causes[0].to_string().contains("clock looks wrong"),
        "{causes:?}"
    );
}

fn fault(error: &Error) -> Option<SignatureFault> {
    match error.failures().first().map(|failure| &failure.cause) {
        Some(Cause::Signature { fault, .. }) => Some(*fault),
        _ => None,
    }
}

#[test]
fn a_signature_from_the_future_is_a_matter_of_the_clock() {
    let repo = Repo::with("repo_gpgcheck=1");
    let key = key("a");
    let index = std::fs::read(repo.repomd()).unwrap();
    let text = key.sign_detached(index.as_slice(), testkit::now() + 172_800);
    let file = repo.site.www().join("repodata/repomd.xml.asc");
    std::fs::write(file, text.unwrap()).unwrap();
    let error = signed_go(&repo, &ring(&key), false).unwrap_err();
    assert_eq!(fault(&error), Some(SignatureFault::Date), "{error}");
}

#[test]
fn row_07_repomd_asc_missing() {
    let repo = Repo::with("repo_gpgcheck=1");
    let ring = ring(&key("a"));
    let error = signed_go(&repo, &ring, false).unwrap_err();
    assert!(
        error.to_string().contains("repomd.xml.asc is missing"),
        "{error}"
    );
    assert_eq!(error.tdnf_code(), Some(2004));
    assert_eq!(fault(&error), Some(SignatureFault::Missing));
    assert!(!repo.cache().join("repodata").exists());
    let no_key = refresh_one(repo.job(), &Log::default()).unwrap_err();
    assert!(no_key.to_string().contains("set gpgkey"), "{no_key}");
}

#[test]
fn row_08_repomd_asc_other_key() {
    let repo = Repo::with("repo_gpgcheck=1");
    let (trusted, other) = (key("a"), key("b"));
    sign(&repo, &other);
    let error = signed_go(&repo, &ring(&trusted), false)
        .unwrap_err()
        .to_string();
    for id in [trusted.key_id(), other.key_id()] {
        assert!(
            error.to_lowercase().contains(&id.to_lowercase()),
            "{id} not in {error}"
        );
    }
    // The right key, but other bytes; then right, and the cache is checked again when read.
    sign(&repo, &trusted);
    repo.edit(|text| text.replace("<revision>20", "<revision>21"));
    assert!(signed_go(&repo, &ring(&trusted), false).is_err());
    sign(&repo, &trusted);
    signed_go(&repo, &ring(&trusted), false).unwrap();
    let keys = ring(&other);
    let check = keyring_check(&keys, testkit::now());
    let only = RepoRefresh {
        cache_only: true,
        check_signature: Some(&check),
        ..repo.job()
    };
    assert!(matches!(
        refresh_one(only, &Log::default()),
        Err(Error::NotCached { .. })
    ));
}

/// Row 1: what was seen counts for the repository, whatever address it has now.
#[test]
fn row_01_replay_at_another_address() {
    let repo = Repo::with("repo_gpgcheck=1");
    let (key, log) = (key("a"), Log::default());
    let ring = ring(&key);
    let check = keyring_check(&ring, testkit::now());
    let mut moved = repo.config.clone();
    let url = format!("{}/", repo.config.baseurl[0]);
    let place = moved.source.clone();
    moved
        .set("baseurl", &url, &place, &rpm_repo::vars::Vars::default())
        .unwrap();
    let go_as = |config, cache: &str, older| {
        let job = RepoRefresh {
            config,
            check_signature: Some(&check),
            cache: repo.site.path(cache),
            force: true,
            older,
            ..repo.job()
        };
        refresh_one(job, &log)
    };
    let go = |cache: &str, older| go_as(&moved, cache, older);
    let (usual, allowed) = (OlderMetadata::RefuseSigned, OlderMetadata::Take);
    sign(&repo, &key);
    let old = snapshot(repo.site.www());
    std::thread::sleep(std::time::Duration::from_millis(1100));
    repo.publish("21");
    sign(&repo, &key);
    go_as(&repo.config, "r-00000001", usual).unwrap();
    for (path, bytes) in &old {
        std::fs::write(path, bytes).unwrap();
    }
    let error = go("r-00000002", usual).unwrap_err().to_string();
    assert!(error.contains("older than seen before"), "{error}");
    // What is written alike, with other values of its variables, is another release.
    go_as(&repo.config, "r-00000003", usual).unwrap();
    // Another repository has seen nothing; and once an older one was asked for, it is that of this address.
    go("r-s-00000002", usual).unwrap();
    go("r-00000002", allowed).unwrap();
    go("r-00000002", usual).unwrap();
    assert!(!log.text().contains("ChangedMetadata"), "{}", log.text());
    // Another signed index of the same age is told of.
    repo.edit(|text| text.replace("</repomd>", "<!-- other --></repomd>"));
    sign(&repo, &key);
    go("r-00000002", usual).unwrap();
    assert_eq!(log.text().matches("ChangedMetadata").count(), 1);
}
