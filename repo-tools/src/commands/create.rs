//! `createrepo DIR`, with the options that createrepo_c's users type.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use cli_kit::counted;
use rpm_pkg::digest::DigestAlgo;
use rpm_repo::compress::Format;
use rpm_repo::other::CHANGELOG_LIMIT;
use rpm_repo::repomd::Repomd;

use super::{RunContext, checksum, example, namesake, number, workers};
use crate::check;
use crate::create::{self, CreateOptions, Extra};
use crate::document::format;
use crate::error::{Error, Result};
use crate::package::RecordStyle;
use crate::repository::Repository;
use crate::scan::FileChoice;

/// Most earlier revisions that `--deltas` looks back to.
const MAX_DELTAS: usize = 100;

/// Makes or refreshes a repository of a tree of packages
#[derive(Args)]
#[command(after_help = example("repo-tools createrepo --compress-type zst /srv/repo"))]
pub(super) struct Create {
    /// The tree of packages
    dir: PathBuf,
    /// Leave out files whose path or name matches the pattern
    #[arg(long, short = 'x', value_name = "PATTERN")]
    excludes: Vec<String>,
    /// Paths of other options are relative to this
    #[arg(long, value_name = "DIR")]
    basedir: Option<PathBuf>,
    /// Base URL of every location
    #[arg(long, short = 'u', value_name = "URL")]
    baseurl: Option<String>,
    /// Take in a comps file
    #[arg(long, short, value_name = "FILE")]
    groupfile: Option<PathBuf>,
    /// Take in an updateinfo file
    #[arg(long, value_name = "FILE")]
    updateinfo: Vec<PathBuf>,
    /// Take in a modules file
    #[arg(long, value_name = "FILE")]
    modules: Vec<PathBuf>,
    /// Take in a file as another record: TYPE=FILE
    #[arg(long, value_name = "TYPE=FILE", value_parser = record)]
    record: Vec<(String, PathBuf)>,
    /// Checksum of packages and records (sha256)
    #[arg(long, short = 's', value_name = "TYPE", value_parser = checksum)]
    checksum: Option<DigestAlgo>,
    /// Checksum of records, if another
    #[arg(long, value_name = "TYPE", value_parser = checksum)]
    repomd_checksum: Option<DigestAlgo>,
    /// Index exactly the paths listed in a file
    #[arg(long, short = 'i', value_name = "FILE")]
    pkglist: Option<PathBuf>,
    /// Index this path too, and no others
    #[arg(long, short = 'n', value_name = "PATH")]
    includepkg: Vec<String>,
    /// Put repodata there
    #[arg(long, short, value_name = "DIR")]
    outputdir: Option<PathBuf>,
    /// Pass over symbolic links
    #[arg(long, short = 'S')]
    skip_symlinks: bool,
    /// Newest changelog entries taken of each package (10)
    #[arg(long, value_name = "NUMBER", value_parser = number)]
    changelog_limit: Option<usize>,
    /// File names without checksum
    #[arg(long)]
    simple_md_filenames: bool,
    /// Older generations of metadata that stay (1)
    #[arg(long, value_name = "NUMBER", value_parser = number)]
    retain_old_md: Option<usize>,
    /// Keep the files of older metadata that are younger than this: NUMBER and s, m, h or d
    #[arg(long, value_name = "AGE", value_parser = age, conflicts_with = "retain_old_md")]
    retain_old_md_by_age: Option<u64>,
    /// Earlier revisions from which deltas lead to the new one (0)
    #[arg(long, value_name = "NUMBER", value_parser = number)]
    deltas: Option<usize>,
    /// Distribution: [CPEID,]TEXT
    #[arg(long, value_name = "TEXT")]
    distro: Vec<String>,
    /// Tag for the content
    #[arg(long, value_name = "TEXT")]
    content: Vec<String>,
    /// Tag for the repository
    #[arg(long, value_name = "TEXT")]
    repo: Vec<String>,
    /// Revision instead of the time
    #[arg(long, value_name = "TEXT")]
    revision: Option<String>,
    /// Take the revision for the time of everything
    #[arg(long)]
    set_timestamp_to_revision: bool,
    /// Write the paths of the packages that were opened to a file
    #[arg(long, value_name = "FILE")]
    read_pkgs_list: Option<PathBuf>,
    /// Threads that read packages
    #[arg(long, value_name = "NUMBER", value_parser = number)]
    workers: Option<usize>,
    /// The same as --compress-type xz
    #[arg(long)]
    xz: bool,
    /// Compression of all records but these three (gz)
    #[arg(long, value_name = "TYPE", value_parser = format)]
    compress_type: Option<Format>,
    /// Compression of all records
    #[arg(long, value_name = "TYPE", value_parser = format)]
    general_compress_type: Option<Format>,
    /// The same as --general-compress-type
    #[arg(long, value_name = "TYPE", value_parser = format)]
    compress: Option<Format>,
    /// Put in front of every location
    #[arg(long, value_name = "PREFIX")]
    location_prefix: Option<String>,
    /// Directories cut from the front of every location
    #[arg(long, value_name = "NUMBER", value_parser = number)]
    cut_dirs: Option<usize>,
    /// Open every package
    #[arg(long)]
    no_update: bool,
    /// Take over records of unchanged packages (always, unless started as createrepo_c)
    #[arg(long)]
    update: bool,
    /// Index the packages of the old metadata, and those of --pkglist and --includepkg
    #[arg(long, conflicts_with_all = ["no_update", "cut_dirs"])]
    recycle_pkglist: bool,
    /// Without old metadata in the output directory: take over records of those here
    #[arg(long, value_name = "DIR", conflicts_with = "no_update")]
    update_md_path: Vec<PathBuf>,
    /// A file of the same name counts as unchanged
    #[arg(long)]
    skip_stat: bool,
    /// Drop records that createrepo does not make
    #[arg(long)]
    discard_additional_metadata: bool,
    /// Leave out packages that cannot be used, with a warning each
    #[arg(long)]
    skip_broken: bool,
    /// Exit with 2 if packages could not be used
    #[arg(long)]
    pub(super) error_exit_val: bool,
    /// Write databases for the yum of CentOS 5 to 7 as well
    #[arg(long, short = 'd', overrides_with = "no_database")]
    database: bool,
    /// Write none, although --compatibility does
    #[arg(long)]
    no_database: bool,
    /// What the yum of CentOS 5 to 7 reads: gz, databases, comps as they are
    #[arg(long)]
    compatibility: bool,
    /// Remove what another run of createrepo_c left, or is still making
    #[arg(long)]
    ignore_lock: bool,
    /// Keep checksums of packages in a directory, for other repositories with the same packages
    #[arg(long, short = 'c', value_name = "DIR")]
    cachedir: Option<PathBuf>,
    #[command(flatten)]
    _accepted: CreateCompat,
}

// What createrepo_c knows and is done anyway.
#[derive(Args)]
struct CreateCompat {
    /// Accepted: done anyway
    #[arg(long = "pretty", short = 'p', hide = true)]
    _pretty: bool,
    /// Accepted (done anyway): no lock is taken on the file
    #[arg(long = "local-sqlite", hide = true)]
    _local_sqlite: bool,
    /// Accepted: done anyway
    #[arg(long = "unique-md-filenames", hide = true)]
    _unique_md_filenames: bool,
    /// Accepted: done anyway
    #[arg(long = "keep-all-metadata", hide = true)]
    _keep_all_metadata: bool,
}

/// An age in seconds: a number and its unit.
fn age(text: &str) -> std::result::Result<u64, &'static str> {
    const UNITS: [(char, u64); 4] = [('s', 1), ('m', 60), ('h', 3600), ('d', 86400)];
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match text.strip_prefix(digits).unwrap_or_default() {
        "" => Some(1),
        unit => UNITS
            .iter()
            .find(|(name, _)| unit.eq_ignore_ascii_case(&name.to_string()))
            .map(|(_, seconds)| *seconds),
    };
    let seconds = digits.parse::<u64>().ok().zip(unit);
    let seconds = seconds.and_then(|(number, unit)| number.checked_mul(unit));
    seconds.ok_or("expected a number and s, m, h or d")
}

fn record(text: &str) -> std::result::Result<(String, PathBuf), &'static str> {
    match text.split_once('=') {
        Some((kind, path)) if !kind.is_empty() => Ok((kind.to_owned(), path.into())),
        _ => Err("expected TYPE=FILE"),
    }
}

impl Create {
    pub(super) fn run(&self, session: &RunContext) -> Result<()> {
        if session.namesake {
            let (group, list) = (self.group_path(true), self.pkglist.as_ref());
            let list = list.map(|path| self.based(path));
            let dir = self.based(&self.dir);
            let missing = namesake::missing(&dir, group.as_deref(), list.as_deref());
            missing.map_or(Ok(()), |what| Err(Error::Usage(what)))?;
        }
        let options = self.options(session)?;
        self.say_unused(session, &options);
        let outcome = create::run(&options, &session.printer)?;
        if session.namesake {
            return Ok(());
        }
        let packages = counted(outcome.packages as u64, "package");
        let what = if outcome.changed {
            format!("{packages}, {} read", outcome.read)
        } else {
            format!("{packages}, nothing changed")
        };
        session
            .printer
            .info(&format!("{}: {what}", options.out.display()));
        Ok(())
    }

    /// Says what is taken and has no effect, or not the one that was meant.
    fn say_unused(&self, session: &RunContext, options: &CreateOptions) {
        let warn = |what: &str| session.printer.err(&format!("warning: {what}"));
        if let Some(base) = &self.baseurl
            && let Some(why) = check::refused_over_http(base)
        {
            warn(&format!(
                "--baseurl {base}: clients refuse it over http: {why}"
            ));
        }
        if !self.update_md_path.is_empty() && !options.update {
            warn("--update-md-path has no effect without --update");
        } else if !self.update_md_path.is_empty()
            && !self.recycle_pkglist
            && !session.namesake
            && Repository::open(&options.out).is_ok()
        {
            let out = options.out.display();
            warn(&format!(
                "--update-md-path is not read: {out} has metadata of its own"
            ));
        }
    }

    fn options(&self, session: &RunContext) -> Result<CreateOptions> {
        let dir = self.based(&self.dir);
        let checksum = self.checksum.unwrap_or(DigestAlgo::Sha256);
        let (format, general) = self.formats(session.namesake);
        let by_default = !session.namesake && self.retain_old_md_by_age.is_none();
        Ok(CreateOptions {
            choice: self.choice()?,
            progress: session.namesake,
            database: self.database_format(),
            ignore_lock: self.ignore_lock,
            retain_age: self.retain_old_md_by_age,
            style: RecordStyle {
                checksum,
                base: self.baseurl.clone(),
                changelogs: self.changelog_limit.unwrap_or(CHANGELOG_LIMIT),
                cache: self.cachedir.as_ref().map(|path| self.based(path)),
            },
            format,
            general,
            repomd_checksum: self.repomd_checksum.unwrap_or(checksum),
            unique_names: !self.simple_md_filenames,
            prefix: self.location_prefix.clone().unwrap_or_default(),
            cut_dirs: self.cut_dirs.unwrap_or(0),
            workers: workers(
                self.workers
                    .or(session.namesake.then_some(namesake::WORKERS)),
            ),
            update: !self.no_update && (self.update || !session.namesake),
            recycle: self.recycle_pkglist,
            other_old: self
                .update_md_path
                .iter()
                .filter(|_| self.update || !session.namesake)
                .map(|path| self.based(path))
                .collect(),
            skip_stat: self.skip_stat,
            retain: self.retain_old_md.unwrap_or(usize::from(by_default)),
            deltas: self.deltas.unwrap_or(0).min(MAX_DELTAS),
            keep_records: !self.discard_additional_metadata,
            extras: self.extras(session.namesake),
            tags: self.tags(),
            skip_broken: self.skip_broken,
            index_the_rest: session.namesake,
            revision: self.revision.clone(),
            time: self.time(session)?,
            read_list: self.read_pkgs_list.as_ref().map(|path| self.based(path)),
            out: self
                .outputdir
                .as_ref()
                .map_or_else(|| dir.clone(), |path| self.based(path)),
            dir,
        })
    }

    /// Where a path of another option leads.
    fn based(&self, path: &Path) -> PathBuf {
        self.basedir
            .as_ref()
            .map_or_else(|| path.to_owned(), |base| base.join(path))
    }

    fn time(&self, session: &RunContext) -> Result<u64> {
        if !self.set_timestamp_to_revision {
            return Ok(session.now);
        }
        let number = self.revision.as_ref().and_then(|text| text.parse().ok());
        let what = "--set-timestamp-to-revision needs --revision with seconds since 1970";
        number.ok_or_else(|| Error::Usage(what.to_owned()))
    }

    /// Compression of the three documents and of other records: with createrepo_c `--compress-type`
    /// means the others only, and `--general-compress-type` all.
    fn formats(&self, is_namesake: bool) -> (Format, Format) {
        let all = self.general_compress_type.or(self.compress);
        let others = match self.xz {
            true => Some(Format::Xz),
            false => self.compress_type,
        };
        let default = namesake::default_format(is_namesake && !self.compatibility);
        (all.unwrap_or(default), all.or(others).unwrap_or(default))
    }

    /// Compression of databases, if there are to be any; `yum` of CentOS 5 reads bz2.
    fn database_format(&self) -> Option<Format> {
        let is_wanted = self.database || self.compatibility && !self.no_database;
        let xz = self.xz.then_some(Format::Xz);
        let asked = self.general_compress_type.or(self.compress).or(xz);
        is_wanted.then(|| asked.or(self.compress_type).unwrap_or(Format::Bzip2))
    }

    /// Where the comps file lies: createrepo_c looks for it in the tree.
    fn group_path(&self, is_namesake: bool) -> Option<PathBuf> {
        let group = self.groupfile.as_ref()?;
        Some(match is_namesake {
            true => self.based(&self.dir).join(group),
            false => self.based(group),
        })
    }

    fn choice(&self) -> Result<FileChoice> {
        let mut list = None;
        if let Some(path) = &self.pkglist {
            let path = self.based(path);
            let text = fs::read_to_string(&path).map_err(Error::file(&path, "read"))?;
            let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
            list = Some(lines.map(str::to_owned).collect());
        }
        if !self.includepkg.is_empty() {
            let list: &mut Vec<String> = list.get_or_insert_default();
            list.extend_from_slice(&self.includepkg);
        }
        Ok(FileChoice {
            excludes: self.excludes.clone(),
            list,
            skip_symlinks: self.skip_symlinks,
        })
    }

    fn extras(&self, is_namesake: bool) -> Vec<Extra> {
        let updateinfo = self.updateinfo.iter().map(|path| ("updateinfo", path));
        let modules = self.modules.iter().map(|path| ("modules", path));
        let records = self.record.iter().map(|(kind, path)| (kind.as_str(), path));
        let others = updateinfo.chain(modules).chain(records);
        let others = others.map(|(kind, path)| Extra::of(kind, self.based(path)));
        let group = self.group_path(is_namesake).map(|path| Extra {
            format: self.compatibility.then_some(Format::Plain),
            ..Extra::of("group", path)
        });
        group.into_iter().chain(others).collect()
    }

    fn tags(&self) -> Repomd {
        let distro = |text: &String| match text.split_once(',') {
            Some((cpe, name)) => (Some(cpe.to_owned()), name.to_owned()),
            None => (None, text.clone()),
        };
        Repomd {
            repo_tags: self.repo.clone(),
            content_tags: self.content.clone(),
            distro_tags: self.distro.iter().map(distro).collect(),
            ..Repomd::default()
        }
    }
}
