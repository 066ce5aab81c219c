//! Several repositories become one, in bounded memory: first the primaries are read to choose
//! packages, then each document is copied from record to record.

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};
use std::io::Read;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rpm_pkg::evr::Evr;
use rpm_repo::compress::Format;
use rpm_repo::comps::{self, Comps, GroupSet};
use rpm_repo::repomd::RepomdRecord;
use rpm_repo::xml::XmlLimits;

use crate::create::{is_kind, packed_kind};
use crate::document::{FileStyle, NewFile, whole};
use crate::error::{Error, Result};
use crate::modules::{self, ModulesFile};
use crate::repository::Repository;
use crate::select::SelectedPackages;

/// Which of several packages with the same name and architecture are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// The first one.
    First,
    /// The one whose file is the newest.
    Newest,
    /// The one with the highest epoch, version and release.
    Highest,
    /// All with different epoch, version or release; of equal ones the first.
    All,
}

/// A chosen package.
struct Winner {
    source: usize,
    place: u64,
    checksum: String,
    evr: Evr,
    time: u64,
}

/// Chooses packages. `bases` are what packages without a base get, per repository; `arches` are
/// the wanted architectures besides noarch, all when empty.
pub fn choose(
    repositories: &[(Arc<Repository>, Option<String>)],
    method: Method,
    arches: &[String],
) -> Result<Vec<SelectedPackages>> {
    let mut chosen: HashMap<(String, String), Vec<Winner>> = HashMap::new();
    for (number, (repository, _)) in repositories.iter().enumerate() {
        repository.packages(&mut |place, package| {
            let arch = package.arch();
            let wanted = arches.is_empty() || arch == "noarch" || arches.iter().any(|a| a == arch);
            if wanted {
                // Most names have one version: a vector of its own accord takes room for four.
                let winners = chosen
                    .entry((package.name().to_owned(), package.arch().to_owned()))
                    .or_insert_with(|| Vec::with_capacity(1));
                let new = Winner {
                    source: number,
                    place,
                    checksum: package.checksum().to_owned(),
                    evr: Evr::new(Some(package.epoch()), package.version(), package.release()),
                    time: package.file_time(),
                };
                compete(winners, new, method);
            }
        })?;
    }
    let mut sources: Vec<SelectedPackages> = repositories
        .iter()
        .map(|(repository, base)| SelectedPackages {
            repository: Arc::clone(repository),
            kept: Vec::new(),
            base: base.clone(),
        })
        .collect();
    for winner in chosen.into_values().flatten() {
        if let Some(source) = sources.get_mut(winner.source) {
            source.kept.push((winner.place, winner.checksum));
        }
    }
    sources
        .iter_mut()
        .for_each(|source| source.kept.sort_unstable());
    Ok(sources)
}

fn compete(winners: &mut Vec<Winner>, new: Winner, method: Method) {
    let Some(old) = winners.first_mut() else {
        return winners.push(new);
    };
    let better = match method {
        Method::First => false,
        Method::Newest => new.time > old.time,
        Method::Highest => new.evr.cmp(&old.evr) == Ordering::Greater,
        Method::All => {
            if winners.iter().all(|winner| winner.evr != new.evr) {
                winners.push(new);
            }
            return;
        }
    };
    if better {
        *old = new;
    }
}

/// Writes the advisories of all repositories into one updateinfo; of equal ids the first. None if no
/// repository has any, unless `is_always` is set.
pub fn updateinfo(
    repositories: &[Arc<Repository>],
    style: &FileStyle,
    is_always: bool,
) -> Result<Option<RepomdRecord>> {
    const KIND: &str = "updateinfo";
    let having = having(repositories, KIND);
    if having.is_empty() && !is_always {
        return Ok(None);
    }
    let mut file = NewFile::create(KIND, "updateinfo.xml", style)?;
    file.write(b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<updates>\n")?;
    let mut seen = HashSet::new();
    for repository in having {
        let mut ids = Vec::new();
        let (name, stream) = repository.open_kind(KIND)?;
        let summary = rpm_repo::updateinfo::read(&name, stream, &XmlLimits::default(), &mut |a| {
            ids.push(a.id.clone());
            ControlFlow::Continue(())
        })?;
        whole(&name, summary)?;
        let (name, stream) = repository.open_kind(KIND)?;
        let mut ids = ids.into_iter();
        elements(
            &name,
            stream,
            b"<update",
            b"</update>",
            &mut |element| match ids.next() {
                Some(id) if seen.insert(id.clone()) => {
                    file.write(b"  ")?;
                    file.write(element)?;
                    file.write(b"\n")
                }
                _ => Ok(()),
            },
        )?;
    }
    file.write(b"</updates>\n")?;
    file.finish().map(Some)
}

/// The repositories that have a record of a kind.
fn having<'r>(repositories: &'r [Arc<Repository>], kind: &str) -> Vec<&'r Repository> {
    let all = repositories.iter().map(Arc::as_ref);
    all.filter(|r| r.repomd.record(kind).is_some()).collect()
}

/// Largest single element that is copied.
const MAX_ELEMENT: usize = 64 << 20;

/// Calls `each` with the raw text of every element that starts with `open` and a space or `>`. The
/// document must have been read by a real parser before.
fn elements(
    name: &str,
    mut stream: impl Read,
    open: &[u8],
    close: &[u8],
    each: &mut dyn FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    let path = || PathBuf::from(name);
    let mut buffer: Vec<u8> = Vec::new();
    let mut block = vec![0; 64 << 10];
    loop {
        let count = stream
            .read(&mut block)
            .map_err(Error::file(path(), "read"))?;
        if count == 0 {
            return Ok(());
        }
        buffer.extend(block.get(..count).unwrap_or_default());
        let mut used = 0;
        while let Some(start) = find_open(&buffer, used, open) {
            let Some(end) = find(&buffer, start, close) else {
                used = start;
                break;
            };
            let end = end + close.len();
            each(buffer.get(start..end).unwrap_or_default())?;
            used = end;
        }
        if used == 0 && find_open(&buffer, 0, open).is_none() {
            // Only a possible beginning at the very end is of interest.
            used = buffer.len().saturating_sub(open.len() + 1);
        }
        buffer.drain(..used);
        if buffer.len() > MAX_ELEMENT {
            let what = "one element is too large".to_owned();
            return Err(Error::Damaged { path: path(), what });
        }
    }
}

fn find(text: &[u8], from: usize, wanted: &[u8]) -> Option<usize> {
    let at = memchr::memmem::find(text.get(from..)?, wanted)?;
    Some(at + from)
}

fn find_open(text: &[u8], mut from: usize, open: &[u8]) -> Option<usize> {
    while let Some(at) = find(text, from, open) {
        match text.get(at + open.len()) {
            Some(b' ' | b'>' | b'\n' | b'\t' | b'\r') => return Some(at),
            Some(_) => from = at + open.len(),
            None => return None,
        }
    }
    None
}

/// Writes the module metadata of all repositories.
pub(crate) fn modules(
    repositories: &[Arc<Repository>],
    style: &FileStyle,
) -> Result<Option<RepomdRecord>> {
    let having = having(repositories, modules::KIND);
    if having.is_empty() {
        return Ok(None);
    }
    let mut file = ModulesFile::create(style)?;
    for repository in having {
        let (name, stream) = repository.open_kind(modules::KIND)?;
        file.add(Path::new(&name), stream, false)?;
    }
    file.finish().map(Some)
}

/// Writes the comps of all repositories as one, compressed and, if `is_twice` is set, plain. Of groups, environments and categories of one
/// id the first gives the words, and all give packages and groups.
pub(crate) fn comps(
    repositories: &[Arc<Repository>],
    style: &FileStyle,
    is_twice: bool,
) -> Result<Vec<RepomdRecord>> {
    const KIND: &str = "group";
    let mut all: Option<(String, Comps)> = None;
    for repository in repositories {
        let mut records = repository.repomd.records.iter();
        let Some(record) = records.find(|record| is_kind(&record.kind, KIND)) else {
            continue;
        };
        let (name, stream) = repository.open_record(record)?;
        let more = comps::read(&name, stream, &XmlLimits::default())?;
        match &mut all {
            Some((_, all)) => add_comps(all, more),
            None => all = Some((stem(record), more)),
        }
    }
    let Some((stem, all)) = all else {
        return Ok(Vec::new());
    };
    let text = comps::write(&all);
    let written = |kind: &str, format: Format| {
        let style = FileStyle {
            format,
            ..style.clone()
        };
        let mut file = NewFile::create(kind, &stem, &style)?;
        file.write(text.as_bytes())?;
        file.finish()
    };
    if !is_twice {
        return Ok(vec![written(KIND, style.format)?]);
    }
    let plain = written(KIND, Format::Plain)?;
    if style.format == Format::Plain {
        return Ok(vec![plain]);
    }
    let packed = packed_kind(KIND, style.format);
    Ok(vec![plain, written(&packed, style.format)?])
}

/// The name of a record's file without checksum and compression.
fn stem(record: &RepomdRecord) -> String {
    let name = record.href.file_name();
    let packed = Format::of_name(name) != Format::Plain;
    let name = packed
        .then(|| name.rsplit_once('.'))
        .flatten()
        .map_or(name, |(stem, _)| stem);
    let is_digest = |text: &str| text.len() >= 32 && text.bytes().all(|b| b.is_ascii_hexdigit());
    let (_, stem) = name
        .split_once('-')
        .filter(|(digest, _)| is_digest(digest))
        .unwrap_or(("", name));
    stem.to_owned()
}

fn add_comps(all: &mut Comps, more: Comps) {
    for group in more.groups {
        match all.groups.iter_mut().find(|one| one.id == group.id) {
            Some(one) => {
                let seen: HashSet<String> = one.packages.iter().map(|p| p.name.clone()).collect();
                let new = group.packages.into_iter();
                one.packages.extend(new.filter(|p| !seen.contains(&p.name)));
            }
            None => all.groups.push(group),
        }
    }
    add_sets(&mut all.environments, more.environments);
    add_sets(&mut all.categories, more.categories);
    let new = more.langpacks.into_iter();
    let new: Vec<_> = new.filter(|one| !all.langpacks.contains(one)).collect();
    all.langpacks.extend(new);
}

fn add_sets(all: &mut Vec<GroupSet>, more: Vec<GroupSet>) {
    for set in more {
        let Some(one) = all.iter_mut().find(|one| one.id == set.id) else {
            all.push(set);
            continue;
        };
        for id in set.groups {
            if !one.groups.contains(&id) {
                one.groups.push(id);
            }
        }
        for (id, default) in set.options {
            if one.options.iter().all(|(known, _)| *known != id) {
                one.options.push((id, default));
            }
        }
    }
}

/// What machines of an architecture run, itself first; those of x86_64, ppc64 and s390x also run 32-bit packages.
pub(crate) fn expanded(arch: &str) -> Vec<&str> {
    let own: &[&str] = match arch {
        "i386" => &["i486", "i586", "geode", "i686", "athlon"],
        "x86_64" => &[
            "ia32e", "amd64", "i386", "i486", "i586", "geode", "i686", "athlon",
        ],
        "ppc64" => &["ppc64pseries", "ppc64iseries", "ppc"],
        "sparc64" => &["sparc64v", "sparc64v2"],
        "sparc" => &["sparcv8", "sparcv9", "sparcv9v", "sparcv9v2"],
        "s390x" => &["s390"],
        "armhfp" => &["armv7hl", "armv7hnl"],
        "arm" => &["armv5tel", "armv5tejl", "armv6l", "armv7l"],
        "sh4" => &["sh4a"],
        _ => &[],
    };
    std::iter::once(arch).chain(own.iter().copied()).collect()
}
