//! `sqliterepo DIR`: databases for yum of the documents that a repository has.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::Args;
use rpm_pkg::digest::DigestAlgo;
use rpm_repo::compress::Format;
use rpm_repo::repomd::Repomd;

use super::{RunContext, checksum, example};
use crate::databases;
use crate::document::{FileStyle, format};
use crate::error::{Error, Result};
use crate::repository::Repository;
use crate::update::Update;

/// Adds databases for the yum of CentOS 5 to 7 to a repository
#[derive(Args)]
#[command(after_help = example("repo-tools sqliterepo /srv/repo"))]
pub(super) struct Sqliterepo {
    /// The repository's directory
    dir: PathBuf,
    /// Replace databases that are there
    #[arg(long, short)]
    force: bool,
    /// With --force: leave the files of the databases before
    #[arg(long, requires = "force")]
    keep_old: bool,
    /// The same as --compress-type xz
    #[arg(long)]
    xz: bool,
    /// Compression (bz2)
    #[arg(long, value_name = "TYPE", value_parser = format)]
    compress_type: Option<Format>,
    /// Checksum in repomd.xml (that of primary)
    #[arg(long, value_name = "TYPE", value_parser = checksum)]
    checksum: Option<DigestAlgo>,
    /// Accepted (done anyway): no lock is taken on the file
    #[arg(long = "local-sqlite")]
    _local: bool,
}

impl Sqliterepo {
    pub(super) fn run(&self, session: &RunContext) -> Result<()> {
        let before = Repository::open(&self.dir)?;
        let update = Update::begin(before.folder().clone())?;
        let old = &update.old;
        let is_database = |kind: &str| databases::is_kind(kind);
        let (before, others): (Vec<_>, Vec<_>) = old
            .repomd
            .records
            .iter()
            .cloned()
            .partition(|record| is_database(&record.kind));
        if !before.is_empty() && !self.force {
            let what = match session.namesake {
                true => super::namesake::DATABASES_EXIST.to_owned(),
                false => format!(
                    "{} has databases: --force replaces them",
                    self.dir.display()
                ),
            };
            return Err(Error::Usage(what));
        }
        let primary = old.record("primary")?;
        let name = primary.href.file_name();
        let style = FileStyle {
            dir: update.dir.clone(),
            format: match self.xz {
                true => Format::Xz,
                false => self.compress_type.unwrap_or(Format::Bzip2),
            },
            checksum: self
                .checksum
                .or(primary.checksum.map(|digest| digest.algo()))
                .unwrap_or(DigestAlgo::Sha256),
            unique_names: !name.starts_with("primary."),
            timestamp: session.now,
        };
        let made = databases::write(old.repodata(), &others, &style)?;
        let mut dropped = BTreeSet::new();
        if !self.keep_old {
            dropped.extend(
                before
                    .iter()
                    .map(|record| record.href.file_name().to_owned()),
            );
        }
        let repomd = Repomd {
            records: others.into_iter().chain(made).collect(),
            ..old.repomd.clone()
        };
        update.publish(&repomd, &dropped)?;
        let what = format!("{}: databases are written", self.dir.display());
        session.printer.info(&what);
        Ok(())
    }
}
