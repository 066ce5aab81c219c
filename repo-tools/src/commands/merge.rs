//! `mergerepo --repo A --repo B -o OUT`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{ArgMatches, Command};
use rpm_pkg::digest::DigestAlgo;
use rpm_repo::compress::Format;
use rpm_repo::repomd::{Record, Repomd};

use super::{Entry, Session, flag, text, texts, value, values};
use crate::create::{Extra, add_record, load, write_repomd};
use crate::document::{FileStyle, format};
use crate::error::{Error, Result};
use crate::merge::{self, Method};
use crate::repository::Repository;
use crate::select;
use crate::stage::Stage;

pub(super) const ENTRY: Entry = Entry {
    name: "mergerepo",
    programs: &["mergerepo", "mergerepo_c"],
    args,
    run,
};

fn args(command: Command) -> Command {
    command
        .about("Merges the metadata of several repositories in directories")
        .arg(values("repo", "A repository (directory or file:// URL)").short('r').required(true))
        .arg(value("outputdir", "Where repodata goes (merged_repo)").short('o'))
        .arg(values("archlist", "Take these architectures only").short('a').value_delimiter(','))
        .arg(value("method", "Of several packages of one name and architecture: repo (the first), ts (the newest file), nvr (the highest version)"))
        .arg(flag("all", "Take all versions"))
        .arg(flag("omit-baseurl", "Locations stay as they are"))
        .arg(flag("nogroups", "No comps"))
        .arg(flag("noupdateinfo", "No updateinfo"))
        .arg(value("groupfile", "Take in this comps file").short('g'))
        .arg(value("compress-type", "Compression (gz)"))
        .arg(flag("unique-md-filenames", "File names with checksum (done anyway)"))
        .arg(flag("simple-md-filenames", "File names without checksum"))
        .arg(flag("database", "Accepted: databases for yum are not made").short('d'))
        .arg(flag("no-database", "Accepted: done anyway"))
}

fn run(args: &ArgMatches, session: &Session) -> Result<()> {
    let out = PathBuf::from(text(args, "outputdir").unwrap_or_else(|| "merged_repo".to_owned()));
    let mut repositories = Vec::new();
    for repo in texts(args, "repo") {
        let repository = Arc::new(Repository::open(Path::new(&repo))?);
        let base = (!args.get_flag("omit-baseurl")).then_some(repo);
        repositories.push((repository, base));
    }
    let method = match text(args, "method").as_deref() {
        _ if args.get_flag("all") => Method::All,
        None | Some("repo") => Method::First,
        Some("ts") => Method::Newest,
        Some("nvr") => Method::Highest,
        Some(other) => {
            return Err(Error::Usage(format!(
                "--method {other}: expected repo, ts or nvr"
            )));
        }
    };
    let sources = merge::choose(&repositories, method, &texts(args, "archlist"))?;
    std::fs::create_dir_all(&out).map_err(Error::file(&out, "create"))?;
    let stage = Stage::open(&out)?;
    let style = FileStyle {
        dir: stage.begin()?,
        format: text(args, "compress-type").map_or(Ok(Format::Gzip), |name| format(&name))?,
        checksum: DigestAlgo::Sha256,
        unique_names: !args.get_flag("simple-md-filenames"),
        timestamp: session.now,
    };
    let mut records = select::write(&sources, &style)?;
    let all: Vec<_> = repositories
        .iter()
        .map(|(repository, _)| Arc::clone(repository))
        .collect();
    others(args, &all, &style, &mut records)?;
    let repomd = Repomd {
        revision: Some(session.now.to_string()),
        records,
        ..Repomd::default()
    };
    write_repomd(&repomd, &style.dir)?;
    if let Ok(old) = Repository::open(&out) {
        stage.keep(
            &old.repomd
                .records
                .iter()
                .map(|r| r.href.file_name().to_owned())
                .collect(),
        )?;
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
    args: &ArgMatches,
    repositories: &[Arc<Repository>],
    style: &FileStyle,
    records: &mut Vec<Record>,
) -> Result<()> {
    let own = text(args, "groupfile").map(PathBuf::from);
    let first = || {
        repositories
            .iter()
            .find_map(|r| Some(r.file(r.repomd.record("group")?)))
    };
    let group = own.or_else(|| first().filter(|_| !args.get_flag("nogroups")));
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
    if !args.get_flag("noupdateinfo") {
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
