//! Makes a bundle of what the mirror has: what the requests need, less what the site has.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use repo_client::MetadataSet;
use rpm_pkg::digest::DigestAlgo;
use rpm_pkg::nevra::Nevra;
use rpm_trust::sign::SigningKey;

use super::archive::{self, Head};
use super::contents::{BundleReference, Contents, FORMAT, MAX_PARTS, Packed, RepoGoal, id_of};
use super::record::{self, Receipt};
use super::request::SiteRequest;
use crate::config::{self, Bytes, OptionValue};
use crate::error::{Error, Result};
use crate::layout::CURRENT;
use crate::manifest::{self, Manifest, SnapshotFile};
use crate::plan::closure::{self, ClosureRequest, SolverSource};
use crate::plan::locked::LockedSet;
use crate::plan::{differences, package_names};
use crate::regenerate::stored::{self, damaged};
use crate::regenerate::{self, MetadataOrder, MetadataSource};
use crate::snapshot;
use crate::store::{hash_file, parse_digest};
use crate::sync::SyncRun;
use crate::trust::PackageTrust;
use crate::upstream::{self, Refused};

// How a bundle is made; its docs are the help.
#[derive(clap::Args)]
pub(crate) struct BundleOptions {
    /// Only these repositories
    #[arg(long = "repo", value_name = "REPO")]
    repos: Vec<String>,
    /// Snapshot or date instead of what is published
    #[arg(long, value_name = "WHICH")]
    snapshot: Option<String>,
    /// Needs nothing that the site has
    #[arg(long)]
    full: bool,
    /// Remove what earlier bundles brought and is not requested now
    #[arg(long)]
    only_requested: bool,
    /// Most bytes of a part (4.4G for a DVD)
    #[arg(long, value_name = "BYTES", value_parser = part_size)]
    split: Option<Bytes>,
    /// Refused after that time (90d)
    #[arg(long, value_name = "TIME", value_parser = config::time("90d"))]
    expires: Option<Duration>,
    /// Private key that signs it (mirror.sign_key)
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
    /// Where to (.)
    #[arg(
        long,
        value_name = "DIR",
        default_value = ".",
        hide_default_value = true
    )]
    output: PathBuf,
}

/// A part has at least a byte.
fn part_size(text: &str) -> OptionValue<Bytes> {
    let example = "4.4G";
    let bytes = config::size(example)(text)?;
    let some = (bytes.0 > 0).then_some(bytes);
    some.ok_or_else(|| format!("expected a size such as {example}"))
}

/// What is asked of [`make`].
pub(crate) struct Orders<'a> {
    pub(crate) site: String,
    /// What its hosts ask for; everything if there is none.
    pub(crate) requests: Vec<SiteRequest>,
    /// Locks whose packages it is to have.
    pub(crate) locks: Vec<LockedSet>,
    /// What it confirmed.
    pub(crate) receipts: Vec<Receipt>,
    pub(crate) options: &'a BundleOptions,
}

/// What was made.
#[derive(Debug)]
pub(crate) struct Made {
    /// None if the site has everything, or nothing of what it asks for can be had.
    pub(crate) bundle: Option<MadeBundle>,
    /// Wishes that cannot be fulfilled, and why.
    pub(crate) failed: Refused,
}

/// One bundle.
#[derive(Debug)]
pub(crate) struct MadeBundle {
    pub(crate) contents: Contents,
    pub(crate) parts: Vec<PathBuf>,
}

/// One repository on its way.
struct BundleRepo {
    source: Manifest,
    set: MetadataSet,
    packages: Vec<upstream::Listed>,
    /// Locations that the site is to have.
    keep: BTreeSet<String>,
    /// The site asks for packages of it.
    part: bool,
}

/// Makes a bundle, unless there is nothing to carry. The caller holds the mirror's lock.
///
/// # Errors
/// A snapshot is missing or damaged; a receipt does not fit; the disk is full.
pub(crate) fn make(run: &SyncRun<'_>, orders: &Orders<'_>, key: &SigningKey) -> Result<Made> {
    let mut made = record::made(&run.layout, &orders.site)?;
    let requests = orders.requests.iter().filter_map(|one| one.last.as_ref());
    let receipts = orders.receipts.iter().map(|one| &one.bundle);
    for told in requests.chain(receipts) {
        made.confirm(&orders.site, told)?;
    }
    record::write_made(&run.layout, &orders.site, &made)?;
    let previous = made.confirmed.clone().filter(|_| !orders.options.full);
    let before = previous
        .as_ref()
        .map(|told| record::contents(&run.layout, &orders.site, told.number))
        .transpose()?;
    let mut works = Vec::new();
    for id in repositories(run, orders)? {
        works.push(BundleRepo::open(
            run,
            &id,
            orders.options.snapshot.as_deref(),
        )?);
    }
    let (failed, is_filled) = choose(&mut works, orders, before.as_ref())?;
    // Such a bundle would bring nothing, and take away what the site has.
    if !is_filled && (before.is_none() || !failed.is_empty()) {
        return Ok(Made {
            bundle: None,
            failed,
        });
    }
    let builder = Builder {
        run,
        key,
        previous: before.as_ref(),
        had: before
            .iter()
            .flat_map(|old| &old.repos)
            .flat_map(|old| &old.whole.files)
            .map(|file| file.digest.as_str())
            .collect(),
    };
    let mut files = Vec::new();
    let mut repos = Vec::new();
    for work in &works {
        repos.push(builder.goal(work, &mut files)?);
    }
    // A repository that is not named this time stays as it is.
    let kept = before.iter().flat_map(|old| &old.repos);
    for old in kept.filter(|old| works.iter().all(|work| work.source.repo != old.whole.repo)) {
        repos.push(RepoGoal {
            added: Vec::new(),
            removed: Vec::new(),
            ..old.clone()
        });
    }
    let same = |goal: &RepoGoal| goal.added.is_empty() && goal.removed.is_empty();
    if before.is_some() && repos.iter().all(same) && !files.iter().any(|(f, _)| is_news(f)) {
        return Ok(Made {
            bundle: None,
            failed,
        });
    }
    let parts = split(&mut files, orders.options.split)?;
    let contents = Contents {
        format: FORMAT,
        site: orders.site.clone(),
        number: made.next(),
        previous,
        made: run.now,
        expires: orders
            .options
            .expires
            .map(|span| run.now.saturating_add(span.as_secs())),
        tool: format!("mirror-sync/{}", crate::VERSION),
        parts,
        repos,
        files: files.iter().map(|(file, _)| file.clone()).collect(),
    };
    let json = serde_json::to_vec(&contents)
        .map_err(|error| Error::unfit("bundle.json", "write", error))?;
    let id = id_of(&json);
    let parts = write(&contents, json, &files, orders, key)?;
    made.bundles.push(BundleReference {
        number: contents.number,
        id,
    });
    record::keep_contents(&run.layout, &contents)?;
    record::write_made(&run.layout, &orders.site, &made)?;
    Ok(Made {
        bundle: Some(MadeBundle { contents, parts }),
        failed,
    })
}

/// Whether a file is worth a bundle: metadata rebuilt from the same packages is not.
fn is_news(file: &Packed) -> bool {
    !file.path.contains("repodata/")
}

fn repositories(run: &SyncRun<'_>, orders: &Orders<'_>) -> Result<Vec<String>> {
    let named = run.config.meant(&orders.options.repos);
    let mut ids: BTreeSet<String> = named.into_iter().collect();
    if ids.is_empty() {
        let asked = orders.requests.iter();
        ids.extend(asked.flat_map(|one| run.config.meant(&one.repos)));
    }
    let open = orders.requests.iter().any(|one| one.repos.is_empty());
    if ids.is_empty() || (orders.options.repos.is_empty() && open) {
        ids.extend(run.config.repo.keys().cloned());
    }
    match ids.iter().find(|id| !run.config.repo.contains_key(*id)) {
        Some(id) => Err(Error::Usage(format!("no repository {id} in this mirror"))),
        None => Ok(ids.into_iter().collect()),
    }
}

impl BundleRepo {
    fn open(run: &SyncRun<'_>, id: &str, word: Option<&str>) -> Result<BundleRepo> {
        let source = snapshot::find_or_shown(&run.layout, id, word, CURRENT)?;
        // Sites may trust whoever makes the bundle.
        let source = run.judged(&PackageTrust::of(run.config, id)?, source)?;
        let (set, packages) = stored::open(&run.layout, &run.store, &source)?;
        Ok(BundleRepo {
            source,
            set,
            packages,
            keep: BTreeSet::new(),
            part: false,
        })
    }

    fn is_whole(&self) -> bool {
        self.keep.len() == self.packages.len()
    }

    fn locations(&self) -> impl Iterator<Item = String> {
        self.packages.iter().map(|package| package.location.clone())
    }

    /// What earlier bundles brought, and the repository still has.
    fn keep_what_was(&mut self, before: Option<&Contents>) {
        let old = before.iter().flat_map(|old| &old.repos);
        let old = old.filter(|old| old.whole.repo == self.source.repo);
        let had: BTreeSet<&str> = old
            .flat_map(|old| &old.whole.files)
            .map(|file| file.path.as_str())
            .collect();
        let kept: Vec<String> = self
            .locations()
            .filter(|location| had.contains(location.as_str()))
            .collect();
        self.keep.extend(kept);
    }
}

/// Decides what the site is to have of each repository; returns requests that cannot be met, and whether anything is for
/// the others.
fn choose(
    works: &mut [BundleRepo],
    orders: &Orders<'_>,
    before: Option<&Contents>,
) -> Result<(Refused, bool)> {
    if orders.requests.is_empty() && orders.locks.is_empty() {
        return Ok((as_before(works, before)?, true));
    }
    let mut failed = Vec::new();
    let mut chosen: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for request in &orders.requests {
        let wish = ClosureRequest {
            specs: request.packages.clone(),
            upgrade: request.upgrade,
            recommends: request.recommends,
            installed: request.installed.clone(),
            assume: Vec::new(),
            explain: false,
            arch: request.arch.clone(),
        };
        let wanted = |id: &String| request.repos.is_empty() || request.repos.contains(id);
        let closure = closure::closure(&sources(works, &wanted), &wish)?;
        failed.extend(closure.failed);
        for (id, set) in closure.chosen {
            chosen.entry(id).or_default().extend(set);
        }
    }
    failed.extend(of_locks(works, &orders.locks, &mut chosen));
    let is_filled = chosen.values().any(|set| !set.is_empty());
    for work in works {
        work.part = true;
        work.keep = chosen.remove(&work.source.repo).unwrap_or_default();
        if !orders.options.only_requested {
            work.keep_what_was(before);
        }
    }
    Ok((failed, is_filled))
}

/// Adds the packages that locks name, wherever they are; returns those that no repository has.
fn of_locks(
    works: &[BundleRepo],
    locks: &[LockedSet],
    chosen: &mut BTreeMap<String, BTreeSet<String>>,
) -> Refused {
    let mut failed = Refused::new();
    for locked in locks {
        for work in works {
            let named = locked.named(&work.packages).into_iter();
            let named = work.locations().zip(named).filter(|(_, named)| *named);
            let own = chosen.entry(work.source.repo.clone()).or_default();
            own.extend(named.map(|(location, _)| location));
        }
        let all = works.iter().flat_map(|work| &work.packages);
        failed.extend(locked.missing(all, |_| true));
    }
    failed
}

/// Without a request a site goes on as before: it gets all of a repository that it has whole, and of one that it
/// asked for packages of the newer versions of these, with what they need.
fn as_before(works: &mut [BundleRepo], before: Option<&Contents>) -> Result<Refused> {
    let goals = || before.iter().flat_map(|old| &old.repos);
    let asks = goals().any(|goal| goal.part);
    let mut installed: BTreeMap<(String, String), Nevra> = BTreeMap::new();
    for work in works.iter_mut() {
        let old = goals().find(|goal| goal.whole.repo == work.source.repo);
        work.part = old.map_or(asks, |old| old.part);
        if !work.part {
            work.keep = work.locations().collect();
            continue;
        }
        work.keep_what_was(before);
        let names = old.iter().flat_map(|old| &old.whole.files);
        let had = names.filter_map(|file| Nevra::parse(file.package.as_deref()?).ok());
        for nevra in had.filter(|nevra| !matches!(nevra.arch.as_str(), "src" | "nosrc")) {
            let newest = installed.entry((nevra.name.clone(), nevra.arch.clone()));
            let newest = newest.or_insert_with(|| nevra.clone());
            if nevra.evr > newest.evr {
                *newest = nevra;
            }
        }
    }
    if installed.is_empty() {
        return Ok(Refused::new());
    }
    let own = installed.keys().map(|(_, arch)| arch.as_str());
    let arch = own.filter(|arch| *arch != "noarch").max();
    let wish = ClosureRequest {
        upgrade: true,
        installed: installed.values().map(ToString::to_string).collect(),
        arch: arch.unwrap_or(std::env::consts::ARCH).to_owned(),
        ..ClosureRequest::default()
    };
    let parts: BTreeSet<String> = works
        .iter()
        .filter(|work| work.part)
        .map(|work| work.source.repo.clone())
        .collect();
    let mut closure = closure::closure(&sources(works, &|id| parts.contains(id)), &wish)?;
    for work in works {
        let newer = closure.chosen.remove(&work.source.repo);
        work.keep.extend(newer.unwrap_or_default());
    }
    Ok(closure.failed)
}

fn sources<'w>(works: &'w [BundleRepo], wanted: &dyn Fn(&String) -> bool) -> Vec<SolverSource<'w>> {
    let source = |work: &'w BundleRepo| {
        let primary = work.set.part("primary")?;
        let lists = work.set.part("filelists");
        Some(SolverSource {
            id: &work.source.repo,
            preferred: false,
            primary: (&primary.path, &primary.record),
            filelists: lists.map(|part| (part.path.clone(), part.record.clone())),
            keep: &|_| true,
        })
    };
    let taken = works.iter().filter(|work| wanted(&work.source.repo));
    taken.filter_map(source).collect()
}

/// Turns decisions into files.
struct Builder<'b> {
    run: &'b SyncRun<'b>,
    key: &'b SigningKey,
    previous: Option<&'b Contents>,
    /// Names in the store of all files that the site has.
    had: BTreeSet<&'b str>,
}

impl Builder<'_> {
    /// What a repository is afterwards; what has to come is added to `files`.
    fn goal(&self, work: &BundleRepo, files: &mut Vec<(Packed, PathBuf)>) -> Result<RepoGoal> {
        let id = &work.source.repo;
        let old = self.previous.iter().flat_map(|old| &old.repos);
        let old = old.map(|old| &old.whole).find(|old| old.repo == *id);
        let packages = self.packages(work, &|_| true);
        let old_packages = old.map(|old| old.files.as_slice()).unwrap_or_default();
        let (added, removed) = differences(old_packages, &package_names(&packages));
        let whole = match old {
            // Nothing new: the metadata stay, too.
            Some(old)
                if added.is_empty()
                    && removed.is_empty()
                    && old.upstream == work.source.upstream =>
            {
                old.clone()
            }
            _ => self.manifest(work, packages, old)?,
        };
        let comes = |entry: &SnapshotFile| !self.had.contains(entry.digest.as_str());
        let fresh: Vec<&SnapshotFile> = whole.files.iter().filter(|file| comes(file)).collect();
        let new_packages = fresh.iter().filter(|file| file.package.is_some()).count();
        let is_plain = new_packages == whole.packages;
        for entry in fresh {
            let is_package = entry.package.is_some();
            let folder = if is_package || is_plain { "" } else { "whole/" };
            files.push(self.packed(&format!("{folder}{id}/{}", entry.path), entry)?);
        }
        if !is_plain && new_packages > 0 {
            // Unpacked, this bundle is a repository of what it brings.
            let packages = self.packages(work, &|digest| !self.had.contains(digest));
            for entry in self.metadata(work, &packages)? {
                files.push(self.packed(&format!("{id}/{}", entry.path), &entry)?);
            }
        }
        Ok(RepoGoal {
            whole,
            part: work.part,
            added,
            removed,
        })
    }

    /// The packages that the site is to have.
    fn packages(&self, work: &BundleRepo, wanted: &dyn Fn(&str) -> bool) -> Vec<SnapshotFile> {
        let kept = work
            .packages
            .iter()
            .filter(|p| work.keep.contains(&p.location));
        kept.map(upstream::Listed::entry)
            .filter(|entry| wanted(&entry.digest))
            .collect()
    }

    fn metadata(&self, work: &BundleRepo, packages: &[SnapshotFile]) -> Result<Vec<SnapshotFile>> {
        regenerate::write(&MetadataOrder {
            sources: &[MetadataSource {
                set: &work.set,
                keep: &packages.iter().map(|entry| entry.path.as_str()).collect(),
            }],
            store: &self.run.store,
            work: &self.run.layout.partial().join("bundle-metadata"),
            key: Some(self.key),
            now: self.run.now,
        })
    }

    fn manifest(
        &self,
        work: &BundleRepo,
        packages: Vec<SnapshotFile>,
        old: Option<&Manifest>,
    ) -> Result<Manifest> {
        let source = &work.source;
        let count = packages.len();
        let mut files = packages;
        if work.is_whole() {
            let others = source.files.iter().filter(|file| file.package.is_none());
            files.extend(others.filter(|file| file.is_in_place()).cloned());
        } else {
            files.extend(self.metadata(work, &files)?);
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        let mut at = self.run.now;
        while old.is_some_and(|old| manifest::stamp(at) <= old.stamp) {
            at += 1;
        }
        Ok(Manifest {
            stamp: manifest::stamp(at),
            made: self.run.now,
            selection: "bundle".to_owned(),
            // The site judges by its own.
            rules: String::new(),
            made_here: source.made_here || !work.is_whole(),
            first_part: false,
            packages: count,
            bytes: files.iter().map(|file| file.size).sum(),
            files,
            sources: Vec::new(),
            deltas: Vec::new(),
            ..source.clone()
        })
    }

    fn packed(&self, path: &str, entry: &SnapshotFile) -> Result<(Packed, PathBuf)> {
        let source = self.run.store.path(&entry.digest()?);
        let (sha256, size) =
            hash_file(&source, DigestAlgo::Sha256).map_err(Error::file(&source, "read"))?;
        let digest = parse_digest(&entry.digest);
        let is_sha256 = digest.is_some_and(|digest| digest.algo() == DigestAlgo::Sha256);
        if size != entry.size || (is_sha256 && digest != Some(sha256)) {
            return Err(damaged("store", &entry.path));
        }
        let file = Packed {
            path: path.to_owned(),
            size,
            sha256: sha256.hex(),
            stored: (!is_sha256).then(|| entry.digest.clone()),
            part: 1,
        };
        Ok((file, source))
    }
}

/// Gives each file its part: as many parts as are needed for `most` bytes each; one without.
fn split(files: &mut [(Packed, PathBuf)], most: Option<Bytes>) -> Result<u32> {
    let (mut part, mut bytes) = (1_u32, 0_u64);
    for (file, _) in files {
        let all = bytes.saturating_add(file.size);
        if bytes > 0 && most.is_some_and(|most| all > most.0) {
            part += 1;
            bytes = 0;
        }
        if part > MAX_PARTS {
            return Err(Error::Usage(format!(
                "more than {MAX_PARTS} parts: split less"
            )));
        }
        bytes = bytes.saturating_add(file.size);
        file.part = part;
    }
    Ok(part)
}

fn write(
    contents: &Contents,
    json: Vec<u8>,
    files: &[(Packed, PathBuf)],
    orders: &Orders<'_>,
    key: &SigningKey,
) -> Result<Vec<PathBuf>> {
    let signature = key
        .sign_detached(json.as_slice(), contents.made)
        .map_err(Error::trust("the bundle's key"))?;
    let head = Head {
        json,
        signature: signature.into_bytes(),
    };
    let out: &Path = &orders.options.output;
    std::fs::create_dir_all(out).map_err(Error::file(out, "create"))?;
    repo_client::require_space(out, contents.bytes())?;
    let mut parts = Vec::new();
    for number in 1..=contents.parts {
        let of_part = files.iter().filter(|(file, _)| file.part == number);
        let list: Vec<(&Packed, PathBuf)> = of_part.map(|(f, p)| (f, p.clone())).collect();
        let path = out.join(contents.part_name(number));
        archive::write(&path, &head, &list, contents.made)?;
        parts.push(path);
    }
    Ok(parts)
}
