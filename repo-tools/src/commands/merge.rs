//! `mergerepo --repo A --repo B -o OUT`.

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use rpm_pkg::digest::DigestAlgo;
use rpm_repo::compress::Format;
use rpm_repo::layout::file_url;
use rpm_repo::repomd::{Repomd, RepomdRecord};

use super::{RunContext, example, namesake};
use crate::create::{Extra, add_record, load, write_repomd};
use crate::databases;
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
    /// Take these architectures only, and noarch
    #[arg(long, short, value_name = "ARCH")]
    archlist: Vec<String>,
    /// Take also what machines of these architectures run
    #[arg(long, requires = "archlist")]
    arch_expand: bool,
    /// Of several packages of one name and architecture: repo (the first), ts (the newest file), nvr (the highest version)
    #[arg(long, value_parser = method)]
    method: Option<Method>,
    /// Take all versions
    #[arg(long)]
    all: bool,
    /// Bases that begin so begin with --repo-prefix-replace instead
    #[arg(long, value_name = "PREFIX", requires = "repo_prefix_replace", value_parser = NonEmptyStringValueParser::new())]
    repo_prefix_search: Option<String>,
    /// What takes the place of --repo-prefix-search
    #[arg(long, value_name = "PREFIX", requires = "repo_prefix_search")]
    repo_prefix_replace: Option<String>,
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
    /// Write databases for the yum of CentOS 5 to 7 as well
    #[arg(long, short = 'd')]
    database: bool,
    #[command(flatten)]
    _accepted: MergeCompat,
}

// What mergerepo_c knows and is done anyway, or never.
#[derive(Args)]
struct MergeCompat {
    /// File names with checksum (done anyway)
    #[arg(long = "unique-md-filenames")]
    _unique: bool,
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
            let base = (!self.omit_baseurl).then(|| self.base(repo, &repository.dir));
            repositories.push((repository, base.transpose()?));
        }
        let method = match self.method {
            _ if self.all => Method::All,
            method => method.unwrap_or(Method::First),
        };
        let sources = merge::choose(&repositories, method, &self.arches())?;
        let mut stage = RepoChange::open(out)?;
        let style = FileStyle {
            dir: stage.begin()?,
            format: self
                .compress_type
                .unwrap_or(namesake::default_format(session.namesake)),
            checksum: DigestAlgo::Sha256,
            unique_names: !self.simple_md_filenames,
            timestamp: session.now,
        };
        let mut records = select::write(&sources, &style)?;
        if self.database {
            let style = FileStyle {
                format: Format::Bzip2,
                ..style.clone()
            };
            records.extend(databases::write(&style.dir, &records, &style)?);
        }
        let all: Vec<_> = repositories
            .iter()
            .map(|(repository, _)| Arc::clone(repository))
            .collect();
        self.others(&all, &style, session.namesake, &mut records)?;
        let repomd = Repomd {
            revision: Some(session.now.to_string()),
            records,
            ..Repomd::default()
        };
        write_repomd(&repomd, &style.dir)?;
        if let Ok(old) = Repository::of(stage.root()) {
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

    /// The URL from which clients can read the packages of a repository that was typed as `repo`.
    fn base(&self, repo: &str, dir: &Path) -> Result<String> {
        let absolute = std::path::absolute(dir).map_err(Error::file(dir, "read"))?;
        // Clients refuse a base with `..`.
        let leads_up = absolute
            .components()
            .any(|part| part == Component::ParentDir);
        let real = leads_up.then(|| std::fs::canonicalize(dir)).transpose();
        let path = real.map_err(Error::file(dir, "read"))?.unwrap_or(absolute);
        let url = file_url(&path);
        let (Some(old), Some(new)) = (&self.repo_prefix_search, &self.repo_prefix_replace) else {
            return Ok(url);
        };
        let encoded = |rest: &str| file_url(Path::new(rest)).split_off("file://".len());
        let of_url = url.strip_prefix(old.as_str()).map(str::to_owned);
        let of_path = || path.to_str()?.strip_prefix(old.as_str()).map(encoded);
        let of_word = || repo.strip_prefix(old.as_str()).map(encoded);
        let rest = of_url.or_else(of_path).or_else(of_word);
        Ok(rest.map_or(url, |rest| format!("{new}{rest}")))
    }

    /// The architectures that are taken besides noarch; none are all.
    fn arches(&self) -> Vec<String> {
        let words = self.archlist.iter().flat_map(|list| list.split([',', ';']));
        let words = words.filter(|word| !word.is_empty());
        match self.arch_expand {
            true => words.flat_map(merge::expanded).map(str::to_owned).collect(),
            false => words.map(str::to_owned).collect(),
        }
    }

    /// comps, advisories and modules of all.
    fn others(
        &self,
        repositories: &[Arc<Repository>],
        style: &FileStyle,
        is_namesake: bool,
        records: &mut Vec<RepomdRecord>,
    ) -> Result<()> {
        if let Some(path) = self.groupfile.clone() {
            let loaded = load(&[Extra {
                kind: "group".to_owned(),
                path,
                name: Some("comps.xml".to_owned()),
                format: None,
            }])?;
            for loaded in &loaded {
                add_record(loaded, style, records)?;
            }
        } else if !self.nogroups {
            records.extend(merge::comps(repositories, style, !is_namesake)?);
        }
        if !self.noupdateinfo {
            records.extend(merge::updateinfo(repositories, style, is_namesake)?);
        }
        records.extend(merge::modules(repositories, style)?);
        Ok(())
    }
}
