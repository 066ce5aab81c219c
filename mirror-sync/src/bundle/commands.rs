//! `mirror-sync bundle ...`: what is typed, what is printed.

use std::path::{Path, PathBuf};

use clap::{Arg, ArgAction, ArgMatches, Command};
use cli_kit::{Printer, human_size};

use super::make::{Orders, make};
use super::opened::{Opened, open};
use super::record::{self, Receipt};
use super::request::{Request, installed_in};
use super::{apply, contents::Contents};
use crate::args::{Common, text};
use crate::config::{Bytes, Span};
use crate::error::{EXIT_DONE, EXIT_NOTHING_NEW, EXIT_PARTIAL, Error, Result};
use crate::layout::{Layout, write_json};
use crate::plan::closure::read_installed;
use crate::sync::Run;
use crate::{manifest, trust};

fn value(name: &'static str, what: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name(what).help(help)
}

fn several(name: &'static str, what: &'static str, help: &'static str) -> Arg {
    value(name, what, help).action(ArgAction::Append)
}

fn flag(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name)
        .long(name)
        .help(help)
        .action(ArgAction::SetTrue)
}

fn parts() -> Arg {
    Arg::new("part")
        .value_name("FILE")
        .required(true)
        .num_args(1..)
        .help("The bundle; all its parts if it was split")
}

/// The command line below `bundle`.
pub fn command() -> Command {
    Command::new("bundle")
        .about("Updates for sites without a network: request, make, carry, apply")
        .subcommand_required(true)
        .subcommands([
            request(),
            making(),
            Command::new("apply")
                .about("Checks a bundle whole and publishes what it brings")
                .args([parts(), flag("dry-run", "Only check").short('n')]),
            Command::new("verify")
                .about("Reads and checks a bundle")
                .arg(parts()),
            Command::new("list")
                .about("Tells what a bundle brings")
                .arg(parts()),
            Command::new("extract")
                .about("Checks a bundle and unpacks its plain repositories")
                .args([
                    parts(),
                    value("output", "DIR", "A new directory").required(true),
                ]),
            Command::new("receipt")
                .about("Writes what was applied here last, for whoever makes the next bundle")
                .arg(value("output", "FILE", "Where to; standard output if none")),
        ])
}

fn request() -> Command {
    Command::new("request")
        .about("Writes what this host needs into a file to be carried out")
        .args([
            Arg::new("package")
                .value_name("PACKAGE")
                .num_args(0..)
                .help("Packages to install"),
            value("site", "NAME", "The site (bundle.site)"),
            value(
                "installed-root",
                "DIR",
                "Reads the packages installed below it (/)",
            ),
            value(
                "installed",
                "FILE",
                "Takes them from a list instead, one full name a line",
            ),
            flag("upgrade", "Also newer versions of what is installed"),
            flag("recommends", "Recommended packages count as needed"),
            several("repo", "REPO", "Only from these repositories"),
            value("arch", "ARCH", "Architecture, if not this machine's"),
            value("output", "FILE", "Where to").required(true),
        ])
}

fn making() -> Command {
    Command::new("make")
        .about("Makes a bundle of what the mirror has")
        .args([
            value("site", "NAME", "The site; that of the requests"),
            several(
                "request",
                "FILE",
                "What a host asks for; without any everything is taken",
            ),
            several("receipt", "FILE", "What the site applied"),
            several("repo", "REPO", "Only these repositories"),
            value(
                "snapshot",
                "WHICH",
                "Snapshot or date instead of what is published",
            ),
            flag("full", "Needs nothing that the site has"),
            flag(
                "only-requested",
                "What earlier bundles brought and nobody asks for goes",
            ),
            value("split", "BYTES", "Most bytes of a part (4.4G for a DVD)"),
            value("expires", "TIME", "Refused after that time (90d)"),
            value("key", "FILE", "Private key that signs it (mirror.sign_key)"),
            value("output", "DIR", "Where to (.)"),
        ])
}

/// Runs a command that changes nothing in the mirror; none if it is not one of these.
///
/// # Errors
/// What the commands say.
pub fn look(
    name: &str,
    sub: &ArgMatches,
    common: &Common,
    now: u64,
    printer: &Printer,
) -> Result<Option<u8>> {
    let layout = Layout::new(&common.config.mirror.path);
    let opened = || {
        open(
            &paths(sub),
            &trust::keyring(&common.config.bundle.keys)?,
            now,
        )
    };
    match name {
        "request" => {
            let request = requested(sub, common, &layout, now)?;
            let output = PathBuf::from(text(sub, "output").unwrap_or_default());
            write_json(&output, &request)?;
            printer.json(&request);
            printer.info(&format!(
                "{}: {} packages installed, {} wanted",
                output.display(),
                request.installed.len(),
                request.packages.len()
            ));
        }
        "verify" => {
            let bundle = opened()?;
            let files = bundle.check()?;
            printer.json(&serde_json::json!({ "bundle": bundle.name, "files": files }));
            printer.info(&format!("{}: {files} files are good", bundle.name));
        }
        "list" => list(&opened()?, printer),
        "extract" => {
            let dir = PathBuf::from(text(sub, "output").unwrap_or_default());
            let bundle = opened()?;
            bundle.extract(&dir)?;
            printer.json(&serde_json::json!({ "bundle": bundle.name, "directory": dir }));
            printer.info(&format!("{}: unpacked into {}", bundle.name, dir.display()));
        }
        "receipt" => receipt(&layout, text(sub, "output").as_deref(), printer)?,
        _ => return Ok(None),
    }
    Ok(Some(EXIT_DONE))
}

/// Runs a command that needs the mirror for itself.
///
/// # Errors
/// What the commands say.
pub fn change(name: &str, sub: &ArgMatches, run: &Run<'_>) -> Result<u8> {
    let printer = run.printer;
    if name == "apply" {
        let done = apply::apply(run, &paths(sub), sub.get_flag("dry-run"))?;
        printer.json(&done);
        for (sign, repos) in [("+", &done.added), ("-", &done.removed)] {
            for (repo, packages) in repos {
                for package in packages {
                    printer.info(&format!("{sign} {repo} {package}"));
                }
            }
        }
        let word = if done.dry_run { "is good" } else { "applied" };
        printer.info(&format!("{}: {word}", done.bundle));
        return Ok(EXIT_DONE);
    }
    let orders = orders(sub)?;
    let file = text(sub, "key").map(PathBuf::from);
    let file = file.or_else(|| run.config.mirror.sign_key.clone());
    let file = file.ok_or_else(|| {
        Error::Usage("a bundle is signed: name a key with --key or mirror.sign_key".into())
    })?;
    let key = trust::signing_key(&file)?;
    let Some(made) = make(run, &orders, &key)? else {
        printer.json(&serde_json::json!({ "site": orders.site, "nothing_new": true }));
        printer.info(&format!("{}: nothing new", orders.site));
        return Ok(EXIT_NOTHING_NEW);
    };
    printer.json(&serde_json::json!({
        "site": orders.site,
        "number": made.contents.number,
        "parts": made.parts,
        "bytes": made.contents.bytes(),
        "failed": made.failed,
    }));
    for (wish, why) in &made.failed {
        printer.err(&format!("Error: {wish} is not in the bundle: {why}"));
    }
    describe(&made.contents, printer);
    for part in &made.parts {
        printer.info(&part.display().to_string());
    }
    Ok(if made.failed.is_empty() {
        EXIT_DONE
    } else {
        EXIT_PARTIAL
    })
}

fn paths(sub: &ArgMatches) -> Vec<PathBuf> {
    let list = sub.get_many::<String>("part").into_iter().flatten();
    list.map(PathBuf::from).collect()
}

fn all(sub: &ArgMatches, name: &str) -> Vec<String> {
    let list = sub.get_many::<String>(name).into_iter().flatten();
    list.cloned().collect()
}

fn requested(sub: &ArgMatches, common: &Common, layout: &Layout, now: u64) -> Result<Request> {
    let site = text(sub, "site").or_else(|| common.config.bundle.site.clone());
    let site = site.ok_or_else(|| Error::Usage("name the site: --site or bundle.site".into()))?;
    if let Some(why) = crate::config::unfit(&site) {
        return Err(Error::Usage(format!("site {site}: {why}")));
    }
    let arch = text(sub, "arch").unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    let installed = match text(sub, "installed") {
        Some(file) => read_installed(Path::new(&file))?,
        None => installed_in(Path::new(
            text(sub, "installed-root").as_deref().unwrap_or("/"),
        ))?,
    };
    let last = record::applied(layout)?.receipts.pop();
    Ok(Request {
        repos: all(sub, "repo"),
        installed,
        packages: all(sub, "package"),
        upgrade: sub.get_flag("upgrade"),
        recommends: sub.get_flag("recommends"),
        last: last.map(|receipt| receipt.bundle),
        ..Request::new(&site, &arch, now)
    })
}

fn orders(sub: &ArgMatches) -> Result<Orders> {
    let files = |name: &str| all(sub, name).into_iter().map(PathBuf::from);
    let requests = files("request").map(|file| Request::read(&file));
    let requests = requests.collect::<Result<Vec<_>>>()?;
    let receipts = files("receipt").map(|file| Receipt::read(&file));
    let receipts = receipts.collect::<Result<Vec<_>>>()?;
    let named = requests.iter().map(|one| &one.site);
    let named = named.chain(receipts.iter().map(|one| &one.site));
    let mut sites: Vec<String> = text(sub, "site")
        .into_iter()
        .chain(named.cloned())
        .collect();
    sites.dedup();
    let [site] = sites.as_slice() else {
        return Err(Error::Usage(match sites.is_empty() {
            true => "name the site: --site, or a request of it".into(),
            false => format!("these are requests of several sites: {}", sites.join(", ")),
        }));
    };
    if let Some(why) = crate::config::unfit(site) {
        return Err(Error::Usage(format!("site {site}: {why}")));
    }
    let split = text(sub, "split").map(|text| {
        let bytes = Bytes::parse(&text).filter(|bytes| bytes.0 > 0);
        bytes.ok_or_else(|| Error::Usage(format!("--split {text}: expected a size such as 4.4G")))
    });
    let expires = text(sub, "expires").map(|text| {
        Span::parse(&text)
            .ok_or_else(|| Error::Usage(format!("--expires {text}: expected a time such as 90d")))
    });
    Ok(Orders {
        site: site.clone(),
        requests,
        receipts,
        repos: all(sub, "repo"),
        snapshot: text(sub, "snapshot"),
        full: sub.get_flag("full"),
        only_requested: sub.get_flag("only-requested"),
        split: split.transpose()?.map_or(0, |bytes| bytes.0),
        expires: expires.transpose()?.map(|span| span.0.as_secs()),
        out: text(sub, "output").map_or_else(|| PathBuf::from("."), PathBuf::from),
    })
}

fn describe(contents: &Contents, printer: &Printer) {
    let size = human_size(contents.bytes());
    printer.info(&format!(
        "bundle {} for {}, {}: {} files, {}",
        contents.number,
        contents.site,
        contents.previous.as_ref().map_or_else(
            || "full".to_owned(),
            |old| format!("after bundle {}", old.number)
        ),
        contents.files.len(),
        size.trim()
    ));
}

fn list(bundle: &Opened, printer: &Printer) {
    printer.json(&bundle.contents);
    describe(&bundle.contents, printer);
    if let Some(end) = bundle.contents.expires {
        printer.info(&format!("refused from {}", manifest::date(end)));
    }
    for goal in &bundle.contents.repos {
        for (sign, packages) in [("+", &goal.added), ("-", &goal.removed)] {
            for package in packages {
                printer.crit(&format!("{sign} {} {package}", goal.whole.repo));
            }
        }
    }
}

fn receipt(layout: &Layout, output: Option<&str>, printer: &Printer) -> Result<()> {
    let last = record::applied(layout)?.receipts.pop();
    let last = last.ok_or_else(|| Error::NotFound("no bundle was applied here yet".into()))?;
    match output {
        Some(path) => {
            write_json(Path::new(path), &last)?;
            printer.info(&format!(
                "{path}: bundle {} was applied",
                last.bundle.number
            ));
        }
        None => printer.crit(&serde_json::to_string(&last).unwrap_or_default()),
    }
    Ok(())
}
