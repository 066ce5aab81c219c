//! `createrepo DIR`, with the options that createrepo_c's users type.

use std::path::{Path, PathBuf};

use clap::{Arg, ArgMatches, Command};
use rpm_repo::compress::Format;
use rpm_repo::other::CHANGELOG_LIMIT;
use rpm_repo::repomd::Repomd;

use super::{Entry, Session, checksum, flag, number, text, texts, value, values};
use crate::create::{self, CreateOptions, Extra};
use crate::document::format;
use crate::error::{Error, Result};
use crate::package::RecordStyle;
use crate::scan::Choice;

pub(super) const ENTRY: Entry = Entry {
    name: "createrepo",
    programs: &["createrepo", "createrepo_c"],
    args,
    run,
};

/// Most earlier revisions that `--deltas` looks back to.
const MAX_DELTAS: usize = 100;

/// Options of createrepo_c that ask for what is done anyway.
const ALREADY: [&str; 7] = [
    "pretty",
    "no-database",
    "unique-md-filenames",
    "keep-all-metadata",
    "local-sqlite",
    "compatibility",
    "recycle-pkglist",
];

fn args(command: Command) -> Command {
    let command = command
        .about("Makes or refreshes a repository of a tree of packages")
        .arg(
            Arg::new("dir")
                .required(true)
                .value_name("DIR")
                .help("The tree of packages"),
        )
        .arg(values("excludes", "Leave out paths that match the pattern").short('x'))
        .arg(value(
            "basedir",
            "Paths of other options are relative to this",
        ))
        .arg(value("baseurl", "Base URL of every location").short('u'))
        .arg(value("groupfile", "Take in a comps file").short('g'))
        .arg(values("updateinfo", "Take in an updateinfo file"))
        .arg(values("modules", "Take in a modules file"))
        .arg(values(
            "record",
            "Take in a file as another record: TYPE=FILE",
        ))
        .arg(value("checksum", "Checksum of packages and records (sha256)").short('s'))
        .arg(value("repomd-checksum", "Checksum of records, if another"))
        .arg(value("pkglist", "Index exactly the paths listed in a file").short('i'))
        .arg(values("includepkg", "Index this path too, and no others").short('n'))
        .arg(value("outputdir", "Put repodata there").short('o'))
        .arg(flag("skip-symlinks", "Pass over symbolic links").short('S'))
        .arg(value(
            "changelog-limit",
            "Newest changelog entries taken of each package (10)",
        ))
        .arg(flag("simple-md-filenames", "File names without checksum"))
        .arg(value(
            "retain-old-md",
            "Older generations of metadata that stay (1)",
        ))
        .arg(value(
            "deltas",
            "Earlier revisions from which deltas lead to the new one (0)",
        ))
        .arg(values("distro", "Distribution: [CPEID,]TEXT"))
        .arg(values("content", "Tag for the content"))
        .arg(values("repo", "Tag for the repository"))
        .arg(value("revision", "Revision instead of the time"))
        .arg(flag(
            "set-timestamp-to-revision",
            "Take the revision for the time of everything",
        ))
        .arg(value(
            "read-pkgs-list",
            "Write the paths of the packages that were opened to a file",
        ))
        .arg(value("workers", "Threads that read packages"))
        .arg(flag("xz", "The same as --compress-type xz"))
        .arg(value(
            "compress-type",
            "Compression of all records but these three (gz)",
        ))
        .arg(value("general-compress-type", "Compression of all records"))
        .arg(value("compress", "The same as --general-compress-type"))
        .arg(value("location-prefix", "Put in front of every location"))
        .arg(value(
            "cut-dirs",
            "Directories cut from the front of every location",
        ))
        .arg(flag(
            "update",
            "Take over records of unchanged packages (done anyway)",
        ))
        .arg(flag("no-update", "Open every package"))
        .arg(flag(
            "skip-stat",
            "A file of the same name counts as unchanged",
        ))
        .arg(flag(
            "discard-additional-metadata",
            "Drop records that createrepo does not make",
        ))
        .arg(flag(
            "skip-broken",
            "Leave out packages that cannot be used, with a warning each",
        ))
        .arg(flag(
            "error-exit-val",
            "Accepted: errors always show in the exit code",
        ))
        .arg(flag("database", "Accepted: databases for yum are not made").short('d'))
        .arg(
            value(
                "cachedir",
                "Accepted: checksums are known from the last run",
            )
            .short('c'),
        );
    ALREADY.iter().fold(command, |command, name| {
        let arg = flag(name, "Accepted: done anyway").hide(true);
        command.arg(if *name == "pretty" {
            arg.short('p')
        } else {
            arg
        })
    })
}

fn run(args: &ArgMatches, session: &Session) -> Result<()> {
    let options = options(args, session)?;
    if args.get_flag("database") {
        session
            .printer
            .err("Warning: databases for yum (--database) are not made");
    }
    let outcome = create::run(&options, &session.printer)?;
    let what = if outcome.changed {
        format!("{} packages, {} read", outcome.packages, outcome.read)
    } else {
        format!("{} packages, nothing changed", outcome.packages)
    };
    session
        .printer
        .info(&format!("{}: {what}", options.out.display()));
    Ok(())
}

fn options(args: &ArgMatches, session: &Session) -> Result<CreateOptions> {
    let base = text(args, "basedir").map(PathBuf::from).unwrap_or_default();
    let dir = base.join(text(args, "dir").unwrap_or_default());
    let out = text(args, "outputdir").map_or_else(|| dir.clone(), |out| base.join(out));
    let sum = checksum(&text(args, "checksum").unwrap_or_else(|| "sha256".to_owned()))?;
    let repomd_sum = text(args, "repomd-checksum").map(|name| checksum(&name));
    let (format, general) = formats(args)?;
    let revision = text(args, "revision");
    let time = if args.get_flag("set-timestamp-to-revision") {
        let number = revision.as_deref().and_then(|text| text.parse().ok());
        let what = "--set-timestamp-to-revision needs --revision with seconds since 1970";
        number.ok_or_else(|| Error::Usage(what.to_owned()))?
    } else {
        session.now
    };
    let cores = || {
        std::thread::available_parallelism()
            .map_or(2, usize::from)
            .min(16)
    };
    Ok(CreateOptions {
        choice: choice(args, &base)?,
        style: RecordStyle {
            checksum: sum,
            base: text(args, "baseurl"),
            changelogs: number(args, "changelog-limit")?.unwrap_or(CHANGELOG_LIMIT),
        },
        format,
        general,
        repomd_checksum: repomd_sum.transpose()?.unwrap_or(sum),
        unique_names: !args.get_flag("simple-md-filenames"),
        prefix: text(args, "location-prefix").unwrap_or_default(),
        cut_dirs: number(args, "cut-dirs")?.unwrap_or(0),
        workers: number(args, "workers")?.unwrap_or_else(cores).clamp(1, 64),
        update: !args.get_flag("no-update"),
        skip_stat: args.get_flag("skip-stat"),
        retain: number(args, "retain-old-md")?.unwrap_or(1),
        deltas: number(args, "deltas")?.unwrap_or(0).min(MAX_DELTAS),
        keep_records: !args.get_flag("discard-additional-metadata"),
        extras: extras(args, &base)?,
        tags: tags(args),
        skip_broken: args.get_flag("skip-broken"),
        revision,
        time,
        read_list: text(args, "read-pkgs-list").map(|path| base.join(path)),
        dir,
        out,
    })
}

/// Compression of the three documents and of other records: with createrepo_c `--compress-type`
/// means the others only, and `--general-compress-type` all.
fn formats(args: &ArgMatches) -> Result<(Format, Format)> {
    let all = text(args, "general-compress-type").or(text(args, "compress"));
    let all = all.map(|name| format(&name)).transpose()?;
    let others = if args.get_flag("xz") {
        Some(Format::Xz)
    } else {
        text(args, "compress-type")
            .map(|name| format(&name))
            .transpose()?
    };
    Ok((
        all.unwrap_or(Format::Gzip),
        all.or(others).unwrap_or(Format::Gzip),
    ))
}

fn choice(args: &ArgMatches, base: &Path) -> Result<Choice> {
    let mut list = text(args, "pkglist")
        .map(|path| {
            let path = base.join(path);
            let text = std::fs::read_to_string(&path).map_err(Error::file(&path, "read"))?;
            let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
            Ok::<Vec<_>, Error>(lines.map(str::to_owned).collect())
        })
        .transpose()?;
    let more = texts(args, "includepkg");
    if !more.is_empty() {
        list.get_or_insert_default().extend(more);
    }
    Ok(Choice {
        excludes: texts(args, "excludes"),
        list,
        skip_symlinks: args.get_flag("skip-symlinks"),
    })
}

fn extras(args: &ArgMatches, base: &Path) -> Result<Vec<Extra>> {
    let mut found = Vec::new();
    let mut add = |kind: &str, path: &str| {
        found.push(Extra {
            kind: kind.to_owned(),
            path: base.join(path),
            name: None,
            format: None,
        });
    };
    for (option, kind) in [
        ("groupfile", "group"),
        ("updateinfo", "updateinfo"),
        ("modules", "modules"),
    ] {
        texts(args, option).iter().for_each(|path| add(kind, path));
    }
    for record in texts(args, "record") {
        match record.split_once('=') {
            Some((kind, path)) if !kind.is_empty() => add(kind, path),
            _ => {
                return Err(Error::Usage(format!(
                    "--record {record}: expected TYPE=FILE"
                )));
            }
        }
    }
    Ok(found)
}

fn tags(args: &ArgMatches) -> Repomd {
    let distro = |text: String| match text.split_once(',') {
        Some((cpe, name)) => (Some(cpe.to_owned()), name.to_owned()),
        None => (None, text),
    };
    Repomd {
        repo_tags: texts(args, "repo"),
        content_tags: texts(args, "content"),
        distro_tags: texts(args, "distro").into_iter().map(distro).collect(),
        ..Repomd::default()
    }
}
