//! Whether a repository is what it says: checksums of all records, documents that agree, every
//! package against its metadata, dependencies that something in it provides.

mod closure;
mod packages;

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::path::PathBuf;

use rpm_repo::compress::{Format, HashingReader};
use rpm_repo::layout::{check_base, is_relative_base};
use rpm_repo::repomd::RepomdRecord;

use crate::document::MetadataDocument;
use crate::error::{Error, Result};
use crate::repository::{Repository, decoded};

/// What is checked.
#[derive(Debug, Clone, Copy)]
pub struct CheckChoice {
    /// Read every package file.
    pub packages: bool,
    /// Look for unresolved dependencies.
    pub closure: bool,
    /// Threads that read packages.
    pub workers: usize,
}

/// What a check found.
#[derive(Debug, Default)]
pub struct CheckReport {
    /// One line per problem, each naming what it is about.
    pub problems: Vec<String>,
    /// Packages in primary.
    pub packages: usize,
    /// Packages that lie elsewhere and were not read.
    pub elsewhere: usize,
    /// Each `xml:base` that only clients of a `file:` URL follow, and why others do not.
    pub refused_over_http: BTreeMap<String, String>,
}

/// What the documents say of a package.
struct CheckEntry {
    location: String,
    /// `xml:base`.
    base: Option<String>,
    size: u64,
    time: u64,
    checksum_type: String,
    checksum: String,
    nevra: String,
    changelogs: usize,
    /// Hashes of its records in primary, filelists and other, rewritten.
    hashes: [u64; 3],
}

/// Checks a repository.
///
/// # Errors
/// Only what prevents the check as a whole; everything else is a problem in the report.
pub fn run(repository: &Repository, checks: &CheckChoice) -> Result<CheckReport> {
    let mut report = CheckReport::default();
    for record in &repository.repomd.records {
        if let Err(problem) = check_record(repository, record) {
            report.problems.push(problem);
        }
    }
    for document in MetadataDocument::ALL {
        if repository.repomd.record(document.kind()).is_none() {
            report
                .problems
                .push(format!("repomd.xml has no {} record", document.kind()));
        }
    }
    if !report.problems.is_empty() {
        // What is known to be damaged is not compared with anything.
        return Ok(report);
    }
    let entries = read_documents(repository, &mut report)?;
    report.packages = entries.len();
    for entry in &entries {
        let base = entry.base.as_ref();
        if let Some((base, why)) = base.and_then(|base| Some((base, refused_over_http(base)?))) {
            report.refused_over_http.insert(base.clone(), why);
        }
        match place(repository, entry) {
            Ok(Some(_)) => {}
            Ok(None) => report.elsewhere += 1,
            Err(problem) => report.problems.push(problem),
        }
    }
    if checks.packages {
        report
            .problems
            .extend(packages::run(repository, &entries, checks.workers));
    }
    if checks.closure {
        report.problems.extend(closure::run(repository)?);
    }
    Ok(report)
}

/// Why clients that read a repository over http or https refuse a base for its packages.
pub(crate) fn refused_over_http(base: &str) -> Option<String> {
    const SERVER: &str = "http://server/";
    let refused = (!is_relative_base(base, SERVER)).then(|| check_base(base, SERVER));
    match refused?.err()? {
        rpm_repo::Error::BadHref { why, .. } => Some(why.to_owned()),
        other => Some(other.to_string()),
    }
}

/// The URL of a repository on this machine, for the rules about bases.
const LOCAL: &str = "file:///";

/// Where the file of a package lies; none if on a server.
///
/// # Errors
/// Clients refuse its `xml:base`.
fn place(
    repository: &Repository,
    entry: &CheckEntry,
) -> std::result::Result<Option<PathBuf>, String> {
    let path = match entry.base.as_deref() {
        None => repository.dir.clone(),
        Some(base) if is_relative_base(base, LOCAL) => repository.dir.join(decoded(base)),
        Some(base) if is_of_server(base) => return Ok(None),
        Some(base) => {
            check_base(base, LOCAL).map_err(|why| format!("{}: {why}", entry.location))?;
            PathBuf::from(decoded(base.trim_start_matches("file://")))
        }
    };
    // Some tools write locations encoded: clients try that reading last.
    let written = path.join(&entry.location);
    let read = path.join(decoded(&entry.location));
    let is_encoded = !written.exists() && read.exists();
    Ok(Some(if is_encoded { read } else { written }))
}

fn is_of_server(base: &str) -> bool {
    let scheme = base
        .split_once("://")
        .map(|(scheme, _)| scheme.to_ascii_lowercase());
    matches!(scheme.as_deref(), Some("http" | "https" | "ftp"))
}

fn check_record(repository: &Repository, record: &RepomdRecord) -> std::result::Result<(), String> {
    if record.base.is_some() {
        return Ok(());
    }
    let name = record.href.to_string();
    if record.checksum.is_none() {
        return Err(format!(
            "{name}: repomd.xml has no checksum that this program knows"
        ));
    }
    let told = |error: io::Error| format!("{name}: {error}");
    if Format::of_name(&name) == Format::Zchunk {
        return check_packed(repository, record)
            .map_err(told)?
            .map_or(Ok(()), |what| Err(format!("{name}: {what}")));
    }
    let (_, mut stream) = repository
        .open_record(record)
        .map_err(|error| error.to_string())?;
    io::copy(&mut stream, &mut io::sink())
        .map(drop)
        .map_err(told)
}

/// A compression that is not read: the file alone is checked.
fn check_packed(
    repository: &Repository,
    record: &RepomdRecord,
) -> io::Result<Option<&'static str>> {
    let algo = record.checksum.map(|digest| digest.algo());
    let mut stream = HashingReader::new(repository.open_packed(record)?, algo);
    io::copy(&mut stream.by_ref(), &mut io::sink())?;
    Ok(match (record.size, stream.take_digest()) {
        (Some(size), _) if size != stream.count() => Some("its size is not that of repomd.xml"),
        (_, digest) if digest != record.checksum => Some("its checksum is not that of repomd.xml"),
        _ => None,
    })
}

fn read_documents(repository: &Repository, report: &mut CheckReport) -> Result<Vec<CheckEntry>> {
    let mut entries: Vec<CheckEntry> = Vec::new();
    let summary = repository.usable_packages(&mut |_, package| {
        if let Some(why) = package.location_fault() {
            let location = package.refused_location();
            report
                .problems
                .push(format!("{location:?}: bad location: {why}"));
        }
        entries.push(CheckEntry {
            location: package.location().to_owned(),
            base: package.location_base().map(str::to_owned),
            size: package.package_size(),
            time: package.file_time(),
            checksum_type: package.checksum_type().to_owned(),
            checksum: package.checksum().to_owned(),
            nevra: crate::nevra(package),
            changelogs: 0,
            hashes: [0; 3],
        });
    })?;
    if let Some(left_out) = summary.left_out {
        // The other documents have these packages, and cannot be compared place by place.
        report.problems.push(format!("primary: {left_out}"));
        return Ok(entries);
    }
    for (number, document) in MetadataDocument::ALL.into_iter().enumerate() {
        read_document(repository, document, number, &mut entries, report)?;
    }
    Ok(entries)
}

fn read_document(
    repository: &Repository,
    document: MetadataDocument,
    number: usize,
    entries: &mut [CheckEntry],
    report: &mut CheckReport,
) -> Result<()> {
    let (name, stream) = repository.open_kind(document.kind())?;
    let mut place = 0;
    let mut text = String::new();
    let mut misplaced = Vec::new();
    let count = entries.len();
    let summary = document.each(&name, stream, None, &mut |checksum, write| {
        text.clear();
        write(&mut text);
        match entries.get_mut(place) {
            Some(entry) if entry.checksum == checksum => {
                if let Some(hash) = entry.hashes.get_mut(number) {
                    *hash = crate::hash(&text);
                }
                if document == MetadataDocument::Other {
                    entry.changelogs = text.matches("\n  <changelog ").count();
                }
            }
            Some(entry) => misplaced.push(format!(
                "{}: {} has another package in its place",
                entry.nevra,
                document.kind()
            )),
            None => {}
        }
        place += 1;
        ControlFlow::Continue(())
    })?;
    if let Some(left_out) = summary.left_out {
        let kind = document.kind();
        report.problems.push(format!("{kind}: {left_out}"));
        return Ok(());
    }
    report.problems.extend(misplaced);
    if place != count {
        report.problems.push(format!(
            "{} has {place} packages, primary {count}",
            document.kind()
        ));
    }
    if let Some(declared) = summary
        .declared
        .filter(|declared| *declared != place as u64)
    {
        report.problems.push(format!(
            "{} announces {declared} packages and has {place}",
            document.kind()
        ));
    }
    Ok(())
}

/// For callers that want the exit code: an error if there are problems.
pub fn judge(report: &CheckReport) -> Result<()> {
    match report.problems.len() {
        0 => Ok(()),
        count => Err(Error::Problems(count)),
    }
}
