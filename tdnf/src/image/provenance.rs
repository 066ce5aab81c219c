//! Where an image comes from: a statement of in-toto whose predicate is SLSA's provenance, version 1. Nothing in it
//! depends on time, machine or user.

use std::collections::BTreeMap;

use rpm_pkg::digest::Digest;
use rpm_repo::lock::LockedRepo;
use serde_json::{Value, json};

use super::oci::Built;

/// Who made it, and where the words of the statement are explained.
const PROJECT: &str = env!("CARGO_PKG_REPOSITORY");

/// What an image was made of.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// Repositories that packages came from.
    pub repos: Vec<LockedRepo>,
    /// The digest of the lock file, where there was one.
    pub lock: Option<Digest>,
}

/// What was asked for.
pub struct Asked<'a> {
    /// Packages that come.
    pub words: &'a [String],
    /// Packages of the base that go.
    pub erased: &'a [String],
    /// Architectures, as rpm names them.
    pub archs: Vec<&'a str>,
}

/// The statement about an image of this name. `bases` are digests of manifests (`sha256:HEX`).
pub fn provenance(
    (name, image): (&str, &Built),
    asked: &Asked<'_>,
    sources: &[&Sources],
    bases: &[&str],
) -> Value {
    let mut all: BTreeMap<(&str, String), Value> = BTreeMap::new();
    for lock in sources.iter().filter_map(|one| one.lock.as_ref()) {
        let about = json!({"name": "lock", "digest": {lock.algo().name(): lock.hex()}});
        all.insert(("lock", lock.hex()), about);
    }
    for base in bases {
        let digest = json!({"sha256": base.trim_start_matches("sha256:")});
        let about = json!({"name": "base", "digest": digest});
        all.insert(("base", (*base).to_owned()), about);
    }
    for repo in sources.iter().flat_map(|one| &one.repos) {
        let mut about = json!({
            "name": repo.id,
            "annotations": {"kind": "repository", "keys": repo.keys},
        });
        // Locks of other makers do not say them.
        if !repo.baseurl.is_empty() {
            about["uri"] = json!(repo.baseurl);
        }
        if let Some(repomd) = &repo.repomd {
            about["digest"] = json!({repomd.algo().name(): repomd.hex()});
        }
        let key = format!("{} {} {:?}", repo.id, repo.baseurl, repo.repomd);
        all.insert(("repository", key), about);
    }
    let dependencies: Vec<Value> = all.into_values().collect();
    json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{
            "name": name,
            "digest": {"sha256": image.digest.trim_start_matches("sha256:")},
        }],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": format!("{PROJECT}/blob/main/docs/images.md"),
                "externalParameters": {
                    "words": asked.words,
                    "erase": asked.erased,
                    "architectures": asked.archs,
                },
                "resolvedDependencies": dependencies,
            },
            "runDetails": {
                "builder": {"id": PROJECT, "version": {"tdnf": crate::VERSION}},
            },
        },
    })
}
