//! What a client of a published tree would ask for, one after the other: the index, the parts that it names, every
//! package of its primary. What the lists of snapshots say plays no part in it.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::ops::ControlFlow;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use repo_client::join_below;
use rpm_pkg::digest::Digest;
use rpm_repo::compress::Doubt;
use rpm_repo::layout::Place;
use rpm_repo::repomd::{self, RepomdRecord};
use rpm_trust::{Keyring, verify_detached};

use crate::config::RepoMode;
use crate::error::Result;
use crate::layout::{self, CURRENT, INDEX, MAX_INDEX};
use crate::manifest::{self, Manifest};
use crate::store::hash_file;
use crate::sync::SyncRun;
use crate::{trust, upstream};

/// Largest signature of an index, bytes.
const MAX_SIGNATURE: u64 = 1 << 20;

/// Repository, path below `public`, what is wrong there.
pub(super) type Faults = Vec<(String, String, String)>;

/// A published tree.
struct Tree<'a> {
    id: &'a str,
    /// Its path below `public`.
    path: String,
    /// The list of what it shows, if that can be read.
    manifest: Option<Manifest>,
}

/// Asks of all trees of these repositories. `bad` are contents that the store itself does not have, which is told
/// already.
pub(super) fn ask(run: &SyncRun<'_>, ids: &[String], bad: &HashSet<Digest>) -> Result<Faults> {
    let mut client = TreeClient {
        run,
        bad,
        faults: Vec::new(),
        primaries: HashMap::new(),
    };
    for id in ids {
        let mode = run.config.repo.get(id).map(|section| section.mode);
        if mode == Some(RepoMode::Proxy) {
            continue;
        }
        let manifest = |stamp: &str| manifest::read(&run.layout, id, stamp).ok();
        for stamp in manifest::stamps(&run.layout, id)? {
            let manifest = manifest(&stamp);
            if manifest.is_some() {
                let path = format!("snapshots/{id}/{stamp}");
                client.look(&Tree { id, path, manifest }, None);
            }
        }
        let state = manifest::read_state(&run.layout, id).unwrap_or_default();
        for (channel, shown) in state.shown() {
            let path = match channel.as_str() {
                CURRENT => id.clone(),
                other => format!("{other}/{id}"),
            };
            let manifest = manifest(&shown.stamp);
            let keys = keys(run, id, manifest.as_ref());
            client.look(&Tree { id, path, manifest }, keys.as_ref());
        }
        client.primaries.clear();
    }
    Ok(client.faults)
}

/// The keys that clients of the current tree check its index with, if any.
fn keys(run: &SyncRun<'_>, id: &str, manifest: Option<&Manifest>) -> Option<Keyring> {
    let section = run.config.repo.get(id)?;
    if !manifest?.made_here {
        let asks = section.repo_gpgcheck;
        return asks.then(|| trust::repo_keyring(run.config, id).ok())?;
    }
    let key = trust::signing_key(run.config.mirror.sign_key.as_ref()?).ok()?;
    let mut ring = Keyring::new();
    let public = key.public_armored().ok()?;
    ring.add_armored_or_binary(public.as_bytes()).ok()?;
    Some(ring)
}

struct TreeClient<'a> {
    run: &'a SyncRun<'a>,
    bad: &'a HashSet<Digest>,
    faults: Faults,
    /// What a primary lists, by its digest: snapshots share them.
    primaries: HashMap<Digest, Vec<(String, Digest)>>,
}

impl TreeClient<'_> {
    fn fault(&mut self, tree: &Tree<'_>, path: &str, why: String) {
        let path = format!("{}/{path}", tree.path);
        self.faults.push((tree.id.to_owned(), path, why));
    }

    fn look(&mut self, tree: &Tree<'_>, keys: Option<&Keyring>) {
        let root = self.run.layout.public().join(&tree.path);
        if let Some(known) = tree.manifest.as_ref().and_then(|one| digest_of(one, INDEX))
            && self.bad.contains(&known)
        {
            return;
        }
        let read = layout::read(&root.join(INDEX), MAX_INDEX);
        let bytes = match read {
            Ok(bytes) => bytes,
            Err(error) => return self.fault(tree, INDEX, error.to_string()),
        };
        let repomd = match repomd::parse(INDEX, &bytes) {
            Ok(repomd) => repomd,
            Err(error) => return self.fault(tree, INDEX, error.to_string()),
        };
        if let Some(keys) = keys {
            let signature = layout::read(&root.join("repodata/repomd.xml.asc"), MAX_SIGNATURE);
            let good = signature.is_ok_and(|signature| {
                let judged = verify_detached(keys, &signature, &*bytes, self.run.now);
                judged.is_ok_and(|outcome| outcome.accepted().is_some())
            });
            if !good {
                let why = "it is not signed by the key that clients check it with";
                self.fault(tree, INDEX, why.to_owned());
            }
        }
        for record in &repomd.records {
            self.part(tree, &root, record);
        }
    }

    /// Looks at a part of the metadata, and at the packages that a primary lists.
    fn part(&mut self, tree: &Tree<'_>, root: &Path, record: &RepomdRecord) {
        let path = record.href.as_str();
        if record.base.is_some() {
            let way = format!(
                "repomd.xml sends clients elsewhere for it: `mirror-sync sync --force {}`",
                tree.id
            );
            return self.fault(tree, path, way);
        }
        // What was left out because it is none of metadata is known, and was said.
        let left_out = |manifest: &Manifest| digest_of(manifest, path).is_none();
        let is_primary = record.kind == "primary";
        if Place::of(path) != Place::Metadata
            || (!is_primary && tree.manifest.as_ref().is_some_and(left_out))
        {
            return;
        }
        let Some(digest) = record.checksum else {
            return self.fault(tree, path, "no checksum of a known kind".to_owned());
        };
        if !self.file(tree, root, path, &digest) || !is_primary {
            return;
        }
        let packages = match self.primaries.remove(&digest) {
            Some(known) => known,
            None => self.packages(tree, root, record),
        };
        for (path, digest) in &packages {
            self.file(tree, root, path, digest);
        }
        self.primaries.insert(digest, packages);
    }

    /// What a primary lists; what no client of the mirror can get by it is a fault.
    fn packages(
        &mut self,
        tree: &Tree<'_>,
        root: &Path,
        record: &RepomdRecord,
    ) -> Vec<(String, Digest)> {
        let mut packages = Vec::new();
        let path = record.href.as_str();
        let file = root.join(path);
        let read = upstream::read_primary(path, (&file, record), &Doubt::default(), &mut |one| {
            let name = upstream::name_of(one);
            let why = match (one.location_base(), one.location_fault(), one.digest()) {
                (Some(_), ..) | (_, Some(_), _) => "it is to be had elsewhere only",
                (_, _, None) => "no checksum of a known kind",
                (None, None, Some(digest)) => {
                    packages.push((one.location().to_owned(), digest));
                    return ControlFlow::Continue(());
                }
            };
            let way = format!("{name}: {why}: `mirror-sync sync --force {}`", tree.id);
            self.fault(tree, path, way);
            ControlFlow::Continue(())
        });
        if let Err(error) = read {
            self.fault(tree, path, error.to_string());
        }
        packages
    }

    /// Whether a file is what the metadata name. One that is a name of a stored file was read already.
    fn file(&mut self, tree: &Tree<'_>, root: &Path, path: &str, digest: &Digest) -> bool {
        if self.bad.contains(digest) {
            return false;
        }
        let why = match join_below(root, path) {
            Err(error) => Some(error.to_string()),
            Ok(file) => wrong(&file, &self.run.store.path(digest), digest),
        };
        let is_right = why.is_none();
        if let Some(why) = why {
            self.fault(tree, path, why);
        }
        is_right
    }
}

fn digest_of(manifest: &Manifest, path: &str) -> Option<Digest> {
    let entry = manifest.files.iter().find(|file| file.path == path)?;
    entry.digest().ok()
}

/// What is wrong with a file of a tree.
fn wrong(file: &Path, stored: &Path, digest: &Digest) -> Option<String> {
    let about = match fs::symlink_metadata(file) {
        Ok(about) => about,
        Err(error) => return Some(cli_kit::plain(error).to_string()),
    };
    let same = |stored: fs::Metadata| (stored.dev(), stored.ino()) == (about.dev(), about.ino());
    if fs::symlink_metadata(stored).is_ok_and(same) {
        return None;
    }
    match hash_file(file, digest.algo()) {
        Ok((got, _)) if got == *digest => None,
        Ok(_) => Some("its checksum is wrong".to_owned()),
        Err(error) => Some(cli_kit::plain(error).to_string()),
    }
}
