//! Local mirrors of RPM repositories: fetched once, whole or not at all, served to many.
//!
//! | module | what it knows |
//! |---|---|
//! | [`args`] [`config`] | what the user typed; one TOML file, and the same by flags |
//! | [`layout`] [`store`] | where everything lies; every file once, by its digest |
//! | [`manifest`] [`snapshot`] | what a snapshot consists of; listed, compared, promoted, rolled back to |
//! | [`upstream`] | what upstream has now |
//! | [`plan`] | which packages are wanted (filters, solver), and whether too many would go |
//! | [`fetch`] | many files from many mirrors (`repo_client::transfer`); from there into the store, each judged |
//! | [`seed`] | packages that need not be fetched: an ISO, a cache, another mirror |
//! | [`trust`] | keys and verdicts |
//! | [`regenerate`] | metadata of a part of a repository |
//! | [`sync`] [`publish`] | one run over the repositories; the atomic switch |
//! | [`serve`] | HTTP: files, pages, proxy mode |
//! | [`verify`] | flipped bits found and mended |
//! | [`bundle`] | updates for sites without a network |
//! | [`report`] [`observer`] [`status`] | what is told: of a run, meanwhile, of the mirror |
//!
//! Invariants: clients see whole, checked sets only; a stored file is never rewritten; what came is
//! kept over kills and failures; upstream's bytes and layout stay as they are unless a part was
//! selected. Only this file reads the clock, the environment and signals.

pub mod args;
pub mod bundle;
pub mod config;
mod error;
pub mod fetch;
mod hooks;
pub mod layout;
pub mod manifest;
pub mod observer;
pub mod plan;
pub mod publish;
pub mod regenerate;
pub mod report;
pub mod seed;
pub mod serve;
pub mod snapshot;
pub mod status;
pub mod store;
pub mod sync;
pub mod trust;
pub mod upstream;
pub mod verify;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::ArgMatches;
use cli_kit::{Mode, Printer};
use repo_client::{Client, ClientOptions, ProxyEnvironment};

use args::Common;
pub use error::{
    EXIT_DONE, EXIT_FAILED, EXIT_NOTHING_NEW, EXIT_PARTIAL, EXIT_USAGE, Error, Result,
};
use layout::Layout;
use snapshot::Publisher;
use store::Store;
use sync::{Options, Run};

/// The version that `--version` and the user agent name.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Runs the program with its words (the first is its name); the exit code.
pub fn run(words: Vec<String>) -> u8 {
    let matches = match args::command().try_get_matches_from(words) {
        Ok(matches) => matches,
        Err(error) => {
            let printer = Printer::standard(Mode::default());
            if error.use_stderr() {
                printer.err_part(&error.render().to_string());
                return EXIT_USAGE;
            }
            printer.crit_part(&error.render().to_string());
            return EXIT_DONE;
        }
    };
    let printer = Printer::standard(args::mode(&matches));
    match dispatch(&matches, &printer) {
        Ok(code) => match printer.failed() {
            Some(kind) if kind != std::io::ErrorKind::BrokenPipe => {
                printer.err("Error: standard output cannot be written");
                EXIT_FAILED
            }
            _ => code,
        },
        Err(error) => {
            printer.json(&serde_json::json!({ "error": error.to_string() }));
            printer.err(&format!("Error: {error}"));
            error.exit_code()
        }
    }
}

fn dispatch(matches: &ArgMatches, printer: &Printer) -> Result<u8> {
    let (name, sub) = matches
        .subcommand()
        .ok_or_else(|| Error::Usage("no command".into()))?;
    if name == "key" {
        return key(sub, printer);
    }
    let common = args::common(matches)?;
    match name {
        "sync" => sync_command(sub, &common, printer),
        "verify" => verify_command(sub, &common, printer),
        "snapshot" => snapshot_command(sub, &common, printer),
        "clean" => clean(sub, &common, printer),
        "bundle" => bundle_command(sub, &common, printer),
        "serve" => serve_command(&common, printer),
        "status" => {
            let layout = Layout::new(&common.config.mirror.path);
            status::print(&status::collect(&common.config, &layout, now())?, printer);
            Ok(EXIT_DONE)
        }
        other => Err(Error::Usage(format!("no command {other}"))),
    }
}

/// Seconds since 1970.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

fn client(stop: &Arc<AtomicBool>) -> Client {
    let variable = |names: &[&str]| names.iter().find_map(|name| std::env::var(name).ok());
    Client::new(ClientOptions {
        user_agent: format!("mirror-sync/{VERSION}"),
        proxy_environment: ProxyEnvironment {
            http: variable(&["http_proxy"]),
            https: variable(&["https_proxy", "HTTPS_PROXY"]),
            all: variable(&["all_proxy", "ALL_PROXY"]),
            no_proxy: variable(&["no_proxy", "NO_PROXY"]),
        },
        stop: Some(Arc::clone(stop)),
        ..ClientOptions::default()
    })
}

/// A flag that becomes true when the process is asked to end.
fn stop_flag() -> Arc<AtomicBool> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        // The second signal ends the process at once; what is on disk stands a kill anyhow.
        let _ = signal_hook::flag::register_conditional_default(signal, Arc::clone(&stop));
        let _ = signal_hook::flag::register(signal, Arc::clone(&stop));
    }
    stop
}

fn with_run<T>(
    common: &Common,
    options: &Options,
    printer: &Printer,
    work: impl FnOnce(&Run<'_>) -> Result<T>,
) -> Result<T> {
    let layout = Layout::new(&common.config.mirror.path);
    let _lock = layout.lock(common.wait)?;
    let store = Store::open(&layout.store())?;
    let stop = stop_flag();
    work(&Run {
        config: &common.config,
        options,
        store,
        client: client(&stop),
        layout,
        printer,
        observer: observer::TerminalObserver::new(printer),
        stop,
        now: now(),
    })
}

fn sync_command(sub: &ArgMatches, common: &Common, printer: &Printer) -> Result<u8> {
    let options = Options {
        only: args::named(sub),
        dry_run: sub.get_flag("dry-run"),
        allow_delete: sub.get_flag("allow-delete"),
        allow_older: sub.get_flag("allow-older"),
        force: sub.get_flag("force"),
    };
    let report = with_run(common, &options, printer, |run| {
        let report = sync::run(run)?;
        report.print(printer);
        if !run.options.dry_run {
            status::write_pages(run.config, &run.layout, run.now)?;
        }
        Ok(report)
    })?;
    if !options.dry_run {
        hooks::run(&common.config.hooks, &report, printer);
    }
    Ok(report.exit_code)
}

fn bundle_command(sub: &ArgMatches, common: &Common, printer: &Printer) -> Result<u8> {
    let (name, sub) = sub
        .subcommand()
        .ok_or_else(|| Error::Usage("no command".into()))?;
    if let Some(code) = bundle::commands::look(name, sub, common, now(), printer)? {
        return Ok(code);
    }
    with_run(common, &Options::default(), printer, |run| {
        bundle::commands::change(name, sub, run)
    })
}

/// All repositories, or the ones named, which must be known.
fn repositories(sub: &ArgMatches, common: &Common, layout: &Layout) -> Result<Vec<String>> {
    let named = args::named(sub);
    let mut known: Vec<String> = common.config.repo.keys().cloned().collect();
    known.extend(layout::names_in(&layout.root().join("state"))?);
    known.sort();
    known.dedup();
    for id in &named {
        if !known.contains(id) {
            return Err(Error::Usage(format!("no repository {id} in this mirror")));
        }
    }
    Ok(if named.is_empty() { known } else { named })
}

fn verify_command(sub: &ArgMatches, common: &Common, printer: &Printer) -> Result<u8> {
    let repair = !sub.get_flag("no-repair");
    with_run(common, &Options::default(), printer, |run| {
        let ids = repositories(sub, common, &run.layout)?;
        let found = verify::verify(run, &ids, repair)?;
        found.print(printer);
        Ok(found.exit_code(repair))
    })
}

fn serve_command(common: &Common, printer: &Printer) -> Result<u8> {
    let stop = stop_flag();
    serve::serve(serve::Setting {
        config: &common.config,
        client: client(&stop),
        printer,
        stop,
    })?;
    Ok(EXIT_DONE)
}

fn clean(sub: &ArgMatches, common: &Common, printer: &Printer) -> Result<u8> {
    with_run(common, &Options::default(), printer, |run| {
        let all = sub.get_flag("all");
        let keep = if all { 0 } else { 7 * 86_400 };
        for id in layout::names_in(&run.layout.root().join("state"))? {
            publish::prune(&run.layout, &id, &manifest::read_state(&run.layout, &id)?)?;
        }
        let (files, bytes) = run.store.sweep(run.now, keep)?;
        if all {
            layout::remove_tree(&run.layout.partial())?;
        }
        printer.json(&serde_json::json!({ "files": files, "bytes": bytes }));
        let size = cli_kit::human_size(bytes);
        printer.info(&format!("{files} files removed, {} freed", size.trim()));
        Ok(EXIT_DONE)
    })
}

fn key(sub: &ArgMatches, printer: &Printer) -> Result<u8> {
    let Some(("generate", sub)) = sub.subcommand() else {
        return Err(Error::Usage("no command".into()));
    };
    let file = args::text(sub, "file").unwrap_or_default();
    let user = args::text(sub, "user-id").unwrap_or_else(|| "RPM mirror".into());
    let key = trust::generate(std::path::Path::new(&file), &user, now())?;
    printer.json(&serde_json::json!({ "fingerprint": key.fingerprint(), "file": file }));
    printer.info(&format!(
        "{file}: key {}; public half in {file}.pub",
        key.fingerprint()
    ));
    Ok(EXIT_DONE)
}

fn snapshot_command(sub: &ArgMatches, common: &Common, printer: &Printer) -> Result<u8> {
    let layout = Layout::new(&common.config.mirror.path);
    let (name, sub) = sub
        .subcommand()
        .ok_or_else(|| Error::Usage("no command".into()))?;
    let text = |name: &str| args::text(sub, name);
    let repo = || text("repo").unwrap_or_default();
    match name {
        "list" => {
            let ids = repositories(sub, common, &layout)?;
            snapshot::print_list(&snapshot::list(&layout, &ids)?, printer);
        }
        "diff" => {
            let from = snapshot::find(&layout, &repo(), &text("from").unwrap_or_default())?;
            let to = match text("to") {
                Some(word) => snapshot::find(&layout, &repo(), &word)?,
                None => snapshot::shown(&layout, &repo(), layout::CURRENT)?,
            };
            snapshot::print_diff(&snapshot::diff(&from, &to), printer);
        }
        _ => return change_channel(name, sub, common, printer),
    }
    Ok(EXIT_DONE)
}

fn change_channel(name: &str, sub: &ArgMatches, common: &Common, printer: &Printer) -> Result<u8> {
    let repo = args::text(sub, "repo").unwrap_or_default();
    with_run(common, &Options::default(), printer, |run| {
        let publisher = Publisher {
            config: run.config,
            layout: &run.layout,
            store: &run.store,
            now: run.now,
        };
        let current = || layout::CURRENT.to_owned();
        let (channel, manifest) = if name == "promote" {
            let from = args::text(sub, "from").unwrap_or_else(current);
            let manifest = match args::text(sub, "snapshot") {
                Some(word) => snapshot::find(&run.layout, &repo, &word)?,
                None => snapshot::shown(&run.layout, &repo, &from)?,
            };
            (args::text(sub, "to").unwrap_or_default(), manifest)
        } else {
            let channel = args::text(sub, "channel").unwrap_or_else(current);
            let manifest = match args::text(sub, "which") {
                Some(word) => snapshot::find(&run.layout, &repo, &word)?,
                None => publisher.before(&repo, &channel)?,
            };
            (channel, manifest)
        };
        publisher.show(&channel, &manifest)?;
        printer.json(&serde_json::json!({
            "repo": repo, "channel": channel, "snapshot": manifest.stamp,
        }));
        printer.info(&format!("{repo}: {channel} shows {} now", manifest.stamp));
        Ok(EXIT_DONE)
    })
}
