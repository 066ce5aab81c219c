//! The log of a run: what our crates tell `tracing`, each event a line on standard error.

use std::ffi::OsString;
use std::io;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt;
use tracing_subscriber::fmt::format::FmtSpan;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry;

use crate::Printer;
use crate::printer::steers;

/// The variable that says what is logged: a level, `CRATE=LEVEL`, or several of both with commas.
pub const LOG_VARIABLE: &str = "TDNF_LOG";

/// The crates that have something to log. Nobody else is heard: what a library for HTTP says of
/// headers and URLs may have passwords in it.
const CRATES: [&str; 6] = [
    "mirror_sync",
    "repo_client",
    "repo_tools",
    "rpm_solv",
    "rpm_transaction",
    "tdnf",
];

/// Longest value of the variable that is shown when it is refused.
const MAX_SHOWN: usize = 80;

impl Printer {
    /// Begins the log of this process, for its whole life: as the value of [`LOG_VARIABLE`] wants it,
    /// else from `info` on where a run is `verbose`, else there is none. A value that cannot be read
    /// is said and ignored.
    pub fn start_log(&self, wanted: Option<OsString>, verbose: bool) {
        let wanted = wanted.filter(|wanted| !wanted.is_empty());
        let read = wanted.map(|wanted| {
            let wanted = wanted.to_string_lossy();
            let read = filter(&wanted);
            if read.is_none() {
                self.err(&refusal(&wanted));
            }
            read
        });
        let by_default = || verbose.then(|| all(LevelFilter::INFO));
        let Some(filter) = read.flatten().or_else(by_default) else {
            return;
        };
        let printer = self.clone();
        let lines = fmt::layer()
            .with_ansi(false)
            .with_span_events(FmtSpan::CLOSE)
            .with_writer(move || LogWriter(printer.clone()));
        let subscriber = registry().with(lines).with(filter);
        // It fails where a log has begun already: that one goes on.
        let _ = tracing::subscriber::set_global_default(subscriber);
    }
}

/// What to let through; none for a value that names no level, or somebody else's crate.
fn filter(wanted: &str) -> Option<Targets> {
    let wanted: Targets = wanted.replace('-', "_").parse().ok()?;
    let is_ours = |target: &str| {
        let name = target.split("::").next().unwrap_or(target);
        CRATES.contains(&name)
    };
    let rest = wanted.default_level().unwrap_or(LevelFilter::OFF);
    let ours = wanted.iter().all(|(target, _)| is_ours(target));
    ours.then(|| all(rest).with_targets(wanted.iter()))
}

fn all(level: LevelFilter) -> Targets {
    Targets::new().with_targets(CRATES.map(|name| (name, level)))
}

fn refusal(wanted: &str) -> String {
    let shown: String = wanted.chars().take(MAX_SHOWN).collect();
    format!(
        "warning: {LOG_VARIABLE}: '{}' is ignored: expected a level (off, error, warn, info, debug, trace) or \
         CRATE=LEVEL, several with commas; crates: {}",
        shown.escape_debug(),
        CRATES.join(", ")
    )
}

/// Writes each event as one line, out of the way of the lines that show transfers.
struct LogWriter(Printer);

impl io::Write for LogWriter {
    /// The subscriber writes an event by one call.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        // Words of a server must neither begin a line of their own nor steer a terminal.
        let mut line = String::with_capacity(text.len());
        for c in text.trim_end_matches('\n').chars() {
            match c.is_control() || steers(c) {
                true => line.extend(c.escape_default()),
                false => line.push(c),
            }
        }
        self.0.err(&line);
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use tracing::Level;

    use super::*;
    use crate::OutputMode;

    #[test]
    fn a_level_is_that_of_our_crates_alone() {
        let filter = filter("debug").unwrap();
        assert!(filter.would_enable("repo_client::refresh", &Level::DEBUG));
        assert!(!filter.would_enable("repo_client::refresh", &Level::TRACE));
        for other in ["h2", "reqwest::connect", "hyper_util", "repo", "rustls"] {
            assert!(!filter.would_enable(other, &Level::ERROR), "{other}");
        }
    }

    #[test]
    fn a_crate_may_have_its_own_level() {
        let filter = filter("repo-client::transfer=trace,info,tdnf=off").unwrap();
        assert!(filter.would_enable("repo_client::transfer::drive", &Level::TRACE));
        assert!(!filter.would_enable("repo_client::refresh", &Level::DEBUG));
        assert!(filter.would_enable("rpm_solv", &Level::INFO));
        assert!(!filter.would_enable("tdnf::change", &Level::ERROR));
    }

    #[test]
    fn what_cannot_be_read_is_said_once_on_one_line() {
        for wrong in [
            "loud",
            "tdnf=loud",
            "h2=trace",
            "reqwest",
            "info,\x1b[31m\nx=1",
        ] {
            assert!(filter(wrong).is_none(), "{wrong}");
            let printer = Printer::recording(OutputMode::default());
            printer.start_log(Some(wrong.into()), false);
            let said = printer.recorded().err;
            assert!(said.starts_with("warning: TDNF_LOG: '"), "{said}");
            assert_eq!(said.lines().count(), 1, "{said}");
            assert!(!said.contains('\x1b'), "{said}");
        }
    }

    #[test]
    fn an_event_stays_one_line() {
        let printer = Printer::recording(OutputMode::default());
        let mut writer = LogWriter(printer.clone());
        writer
            .write_all("INFO caf\u{e9}\x1b[2J\nError: all is lost\r\n".as_bytes())
            .unwrap();
        let said = printer.recorded().err;
        assert_eq!(said, "INFO caf\u{e9}\\u{1b}[2J\\nError: all is lost\\r\n");
    }

    /// The list of crates is that of the manifests.
    #[test]
    fn whoever_logs_is_on_the_list() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let crates = std::fs::read_dir(root.join("crates")).unwrap();
        let crates = crates.map(|entry| entry.unwrap().path());
        let tools = ["tdnf", "mirror-sync", "repo-tools"].map(|tool| root.join(tool));
        let mut found = Vec::new();
        for dir in crates.chain(tools) {
            let name = dir.file_name().unwrap().to_string_lossy().replace('-', "_");
            let manifest = std::fs::read_to_string(dir.join("Cargo.toml")).unwrap();
            if manifest.contains("\ntracing.workspace") && name != "cli_kit" {
                found.push(name);
            }
        }
        found.sort();
        assert_eq!(found, CRATES);
    }
}
