//! `mergerepo --repo A --repo B -o OUT`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use rpm_pkg::digest::DigestAlgo;
use rpm_repo::compress::Format;
use rpm_repo::repomd::{Repomd, RepomdRecord};

use super::{RunContext, example};
use crate::create::{Extra, add_record, load, write_repomd};
use crate::document::{FileStyle, format};
use crate::error::{Error, Result};
use crate::merge::{self, Method};
use crate::repository::Repository;
use crate::select;
use crate::stage::RepoChange;

/// Merges the metadata of several repositories in directories
#[derive(Args)]
#[command(after_help = example("repo-tools mergerepo --repo /srv/a --repo /srv/b --outputdir /srv/both"))]
pub(super) struct Merge {
    /// A repository (directory or file:// URL)
    #[arg(long = "repo", short, value_name = "REPO", required = true)]
    repos: Vec<String>,
    /// Where repodata goes (merged_repo)
    #[arg(
        long,
        short,
        value_name = "DIR",
        default_value = "merged_repo",
        hide_default_value = true
    )]
    outputdir: PathBuf,
    /// Take these architectures only
    #[arg(long, short, value_name = "ARCH", value_delimiter = ',')]
    archlist: Vec<String>,
    /// Of several packages of one name and architecture: repo (the first), ts (the newest file), nvr (the highest version)
    #[arg(long, value_parser = method)]
    method: Option<Method>,
    /// Take all versions
    #[arg(long)]
    all: bool,
    /// Locations stay as they are
    #[arg(long)]
    omit_baseurl: bool,
    /// No comps
    #[arg(long)]
    nogroups: bool,
    /// No updateinfo
    #[arg(long)]
    noupdateinfo: bool,
    /// Take in this comps file
    #[arg(long, short, value_name = "FILE")]
    groupfile: Option<PathBuf>,
    /// Compression (gz)
    #[arg(long, value_name = "TYPE", value_parser = format)]
    compress_type: Option<Format>,
    /// File names without checksum
    #[arg(long)]
    simple_md_filenames: bool,
    #[command(flatten)]
    _accepted: MergeCompat,
}

// What mergerepo_c knows and is done anyway, or never.
#[derive(Args)]
struct MergeCompat {
    /// File names with checksum (done anyway)
    #[arg(long = "unique-md-filenames")]
    _unique: bool,
    /// Accepted: databases for yum are not made
    #[arg(long = "database", short = 'd')]
    _database: bool,
    /// Accepted: done anyway
    #[arg(long = "no-database")]
    _no_database: bool,
}

fn method(word: &str) -> std::result::Result<Method, &'static str> {
    match word {
        "repo" => Ok(Method::First),
        "ts" => Ok(Method::Newest),
        "nvr" => Ok(Method::Highest),
        _ => Err("expected repo, ts or nvr"),
    }
}

impl Merge {
    pub(super) fn run(&self, session: &RunContext) -> Result<()> {
        let out = &self.outputdir;
        let mut repositories = Vec::new();
        for repo in &self.repos {
            let repository = Arc::new(Repository::open(Path::new(repo))?);
            let base = (!self.omit_baseurl).then(|| repo.clone());
            repositories.push((repository, base));
        }
        let method = match self.method {
            _ if self.all => Method::All,
            method => method.unwrap_or(Method::First),
        };
        let sources = merge::choose(&repositories, method, &self.archlist)?;
        std::fs::create_dir_all(out).map_err(Error::file(out, "create"))?;
        let stage = RepoChange::open(out)?;
        let style = FileStyle {
            dir: stage.begin()?,
            format: self.compress_type.unwrap_or(Format::Gzip),
            checksum: DigestAlgo::Sha256,
            unique_names: !self.simple_md_filenames,
            timestamp: session.now,
        };
        let mut records = select::write(&sources, &style)?;
        let all: Vec<_> = repositories
            .iter()
            .map(|(repository, _)| Arc::clone(repository))
            .collect();
        self.others(&all, &style, &mut records)?;
        let repomd = Repomd {
            revision: Some(session.now.to_string()),
            records,
            ..Repomd::default()
        };
        write_repomd(&repomd, &style.dir)?;
        if let Ok(old) = Repository::open(out) {
            let names = old
                .repomd
                .records
                .iter()
                .map(|r| r.href.file_name().to_owned());
            stage.keep(&names.collect())?;
        }
        stage.publish()?;
        let count: usize = sources.iter().map(|source| source.kept.len()).sum();
        session
            .printer
            .info(&format!("{}: {count} packages", out.display()));
        Ok(())
    }

    /// comps of the first repository that has one, advisories and modules of all.
    fn others(
        &self,
        repositories: &[Arc<Repository>],
        style: &FileStyle,
        records: &mut Vec<RepomdRecord>,
    ) -> Result<()> {
        let own = self.groupfile.clone();
        let first = || {
            repositories
                .iter()
                .find_map(|r| Some(r.file(r.repomd.record("group")?)))
        };
        let group = own.or_else(|| first().filter(|_| !self.nogroups));
        if let Some(path) = group {
            let loaded = load(&[Extra {
                kind: "group".to_owned(),
                path,
                name: Some("comps.xml".to_owned()),
                format: None,
            }])?;
            for loaded in &loaded {
                add_record(loaded, style, records)?;
            }
        }
        if !self.noupdateinfo {
            records.extend(merge::updateinfo(repositories, style)?);
        }
        records.extend(merge::concatenated(
            "modules",
            "modules.yaml",
            repositories,
            style,
        )?);
        Ok(())
    }
}
