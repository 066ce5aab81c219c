//! `repomd.xml`: the list of a repository's records.

mod read;
mod write;

use rpm_pkg::digest::Digest;

use crate::compress::Expected;
use crate::layout::{Href, Place};

pub use read::parse;
pub use write::write;

/// Largest `repomd.xml` in bytes.
pub const MAX_SIZE: usize = 10 << 20;
/// Most records in one `repomd.xml` (real ones have up to 40).
pub const MAX_RECORDS: usize = 1000;

/// A parsed `repomd.xml`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Repomd {
    /// `revision`: usually the time of making in seconds since 1970, but any text.
    pub revision: Option<String>,
    /// The records in the order of the file.
    pub records: Vec<RepomdRecord>,
    /// `tags/repo`, in order.
    pub repo_tags: Vec<String>,
    /// `tags/content`, in order.
    pub content_tags: Vec<String>,
    /// `tags/distro`: CPE id (may be absent) and name, in order.
    pub distro_tags: Vec<(Option<String>, String)>,
}

/// One `<data>`: a file of the repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepomdRecord {
    /// `type`: `primary`, `filelists`, `other`, `updateinfo`, `group`, ...
    pub kind: String,
    /// Where it is, relative to the repository.
    pub href: Href,
    /// `xml:base` of the location. Before it is followed, ask [`crate::layout::check_base`].
    pub base: Option<String>,
    /// Checksum of the file. `None` if there is none of a known algorithm and right length.
    pub checksum: Option<Digest>,
    /// Checksum of the decompressed file.
    pub open_checksum: Option<Digest>,
    /// Size of the file in bytes.
    pub size: Option<u64>,
    /// Size of the decompressed file in bytes.
    pub open_size: Option<u64>,
    /// Time of making, seconds since 1970.
    pub timestamp: Option<u64>,
    /// `database_version`: the schema of a database for yum.
    pub database_version: Option<u64>,
}

impl Repomd {
    /// The first record of a kind.
    pub fn record(&self, kind: &str) -> Option<&RepomdRecord> {
        self.records.iter().find(|record| record.kind == kind)
    }

    /// The latest timestamp of all records: the age of the repository.
    pub fn max_timestamp(&self) -> Option<u64> {
        self.records
            .iter()
            .filter_map(|record| record.timestamp)
            .max()
    }

    /// Takes out the records whose location is none of metadata ([`Place`]): the same bytes could be an unjudged package.
    /// Of one that lies elsewhere (`xml:base`) the file name counts.
    pub fn take_misplaced(&mut self) -> Vec<RepomdRecord> {
        let is_misplaced = |record: &mut RepomdRecord| match record.base {
            None => Place::of(record.href.as_str()) != Place::Metadata,
            Some(_) => Place::of(&record.href_here()) != Place::Metadata,
        };
        self.records.extract_if(.., is_misplaced).collect()
    }

    /// The revision as a number, if it is one.
    pub fn revision_number(&self) -> Option<u64> {
        crate::xml::number(self.revision.as_deref()?).ok()
    }
}

impl RepomdRecord {
    /// Where the file lies in a repository that stands alone: what lies elsewhere (`xml:base`) comes into `repodata/`.
    pub fn href_here(&self) -> String {
        match self.base {
            None => self.href.as_str().to_owned(),
            Some(_) => format!("repodata/{}", self.href.file_name()),
        }
    }

    /// What [`crate::compress::VerifiedReader`] must check.
    pub fn expected(&self) -> Expected {
        Expected {
            size: self.size,
            checksum: self.checksum,
            open_size: self.open_size,
            open_checksum: self.open_checksum,
        }
    }
}
