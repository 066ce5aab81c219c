//! `tdnf-automatic`: looks for updates, reports them, installs them. For timers.
//!
//! Everything is done by `tdnf` itself in a child: an automatic update goes the same way through
//! checks and transaction as one that is typed.

pub(super) mod config;

use std::cell::RefCell;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use chrono::Utc;
use clap::{ArgAction, Parser};
use cli_kit::{OutputMode, Printer, SaidOnce};
use serde_json::Value;

use crate::error::{At, Outcome};
use crate::settings::Environment;
use config::{Config, UpgradeType};

use super::{Refusal, options, path};

const CONFIG_FILE: &str = "/etc/tdnf/automatic.conf";

pub(super) const HELP: &str = "\
tdnf-automatic help:
tdnf-automatic [{-c|--conf config-file}(optional)] [{-i|--install}] [{-n|--notify}] [{-t|--timer}] [{-h|--help}] [{-v|--version}]

-c, --conf\ttdnf-automatic configuration file (Optional argument)
-i, --install\tOverride automatic.conf apply_updates and install updates
-n, --notify\tShow available updates
-t, --timer\tWait up to random_sleep seconds first
    --installroot\tWork on the system below a directory
-h, --help\tShow this help message
-v, --version\tShow tdnf-automatic version information
";

/// Pause between two tries to reach the repositories.
const PAUSE: Duration = Duration::from_secs(5);

/// How a run ends, other than well: numbers of errno, those of the script of C tdnf.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// No configuration file, of its own or of tdnf.
    NoConfig = 2,
    NotRoot = 13,
    /// A bad option or configuration.
    Invalid = 22,
    /// The repositories could not be reached in time, or none is on.
    OffLine = 64,
    /// The report could not be written.
    Report = 77,
    /// Refreshing, looking for updates or installing them failed.
    Failed = 121,
}

/// Exit code of tdnf where a file is not there: that of its configuration, unless words name another.
const NO_SUCH_FILE: u8 = 66;

/// A run that stops: how, and why.
struct Stop(End, String);

#[derive(Parser)]
#[command(
    no_binary_name = true,
    args_override_self = true,
    version,
    disable_version_flag = true
)]
struct Options {
    #[arg(long, short, value_parser = path, allow_hyphen_values = true)]
    conf: Option<PathBuf>,
    #[arg(long = "installroot", allow_hyphen_values = true)]
    root: Option<String>,
    #[arg(long, short)]
    install: bool,
    #[arg(long, short)]
    notify: bool,
    #[arg(long, short)]
    timer: bool,
    /// Show the version; clap's own letter for it is a capital.
    #[arg(long, short, action = ArgAction::Version)]
    version: Option<bool>,
}

pub(super) fn run(words: &[String]) -> u8 {
    let printer = Printer::standard(OutputMode::default());
    printer.crit(&format!("\ntdnf-automatic - started at {}...\n", date()));
    let outcome = work(&printer, words);
    let code = outcome
        .as_ref()
        .map_or_else(|Stop(end, _)| *end as u8, |()| 0);
    let last = format!(
        "\ntdnf-automatic - completed with exit status {code} at {}...\n",
        date()
    );
    match outcome {
        Ok(()) => printer.crit(&last),
        Err(Stop(_, why)) => {
            printer.err(&why);
            printer.err(&last);
        }
    }
    code
}

fn date() -> String {
    Utc::now().format("%a %b %d %H:%M:%S UTC %Y").to_string()
}

fn work(printer: &Printer, words: &[String]) -> Result<(), Stop> {
    let options: Options = match options(words, "a value") {
        Ok(options) => options,
        Err(Refusal::Help) => {
            printer.crit(&format!("\n{HELP}"));
            return Ok(());
        }
        Err(Refusal::Version) => {
            printer.crit(&format!("tdnf-automatic - version: {}", crate::VERSION));
            return Ok(());
        }
        Err(Refusal::NoValue(line) | Refusal::Unknown(line)) => {
            return Err(Stop(End::Invalid, format!("{line}\n\n{HELP}")));
        }
    };
    let environment = Environment::of_process();
    if environment.euid != 0 {
        return Err(Stop(
            End::NotRoot,
            "tdnf-automatic - this script must be run as root...".into(),
        ));
    }
    let path = options.conf.clone().unwrap_or_else(|| CONFIG_FILE.into());
    let config = Config::read(&path)?;
    if options.timer {
        let pause = random_pause(config.random_sleep)?;
        printer.crit(&format!("Sleep for {} second(s)...", pause.as_secs()));
        sleep(pause);
    }
    Run {
        printer,
        program: environment.program,
        config,
        options,
        said: SaidOnce::default(),
        warnings: RefCell::default(),
    }
    .go()
}

/// A pause of at most so many seconds, so that a fleet does not ask at the same moment.
fn random_pause(most: u64) -> Result<Duration, Stop> {
    let random = getrandom::u64().map_err(|error| {
        Stop(
            End::Invalid,
            format!("random_sleep: no random number: {error}"),
        )
    })?;
    let pause = random.checked_rem(most.saturating_add(1)).unwrap_or(0);
    Ok(Duration::from_secs(pause))
}

struct Run<'a> {
    printer: &'a Printer,
    program: PathBuf,
    config: Config,
    options: Options,
    said: SaidOnce,
    /// What tdnf warned of, for the report.
    warnings: RefCell<Vec<String>>,
}

impl Run<'_> {
    /// What stops the run stands in the report file, too.
    fn go(&self) -> Result<(), Stop> {
        self.steps().map_err(|Stop(end, why)| {
            let name = &self.config.system_name;
            let told = match end {
                End::Report => Ok(()),
                _ => self.report(&format!("\nUpdates failed on - {name}:\n{why}\n")),
            };
            told.err().unwrap_or(Stop(end, why))
        })
    }

    fn steps(&self) -> Result<(), Stop> {
        if let Some(conf) = self.config.tdnf_conf.as_ref().filter(|conf| !conf.exists()) {
            let why = format!("tdnf conf '{}' does not exist...", conf.display());
            return Err(Stop(End::NoConfig, why));
        }
        let repos = self.tdnf(&["-q", "repolist", "enabled"])?;
        match repos.code {
            0 if !repos.out.trim().is_empty() => {}
            0 => {
                let why = "no repository is enabled\nSystem is off-line...";
                return Err(Stop(End::OffLine, why.into()));
            }
            NO_SUCH_FILE => return Err(Stop(End::NoConfig, repos.err)),
            _ => return Err(failed("Failed to refresh repo cache..", &repos)),
        }
        self.refresh()?;
        self.printer.crit("RefreshCache success...");
        let updates = self.updates()?;
        let name = &self.config.system_name;
        if updates.is_empty() {
            return self.emit(&format!(
                "\nNo updates available on {name}. System upto date...\n"
            ));
        }
        let list = updates.join("\n");
        if self.options.notify || self.config.show_updates {
            self.emit(&format!(
                "\nThe following updates are available on - {name}:\n{list}\n\n"
            ))?;
        }
        if !self.options.notify && (self.options.install || self.config.apply_updates) {
            let ran = self.tdnf(&self.upgrade("-y"))?;
            if ran.code != 0 {
                return Err(failed("installing updates failed", &ran));
            }
            self.emit(&format!(
                "\nThe following updates are applied on - {name}:\n{list}\n\n\
                 --- Updates completed at {} ---\n",
                date()
            ))?;
        }
        Ok(())
    }

    /// Brings metadata up to date; where the network may come later, asks again for a while.
    fn refresh(&self) -> Result<(), Stop> {
        let started = Instant::now();
        let limit = Duration::from_secs(self.config.network_online_timeout);
        loop {
            let ran = self.tdnf(&["-q", "--refresh", "makecache"])?;
            if ran.code == 0 {
                return Ok(());
            }
            let waited = started.elapsed();
            if waited + PAUSE <= limit {
                sleep(PAUSE);
                continue;
            }
            let what = "Failed to refresh repo cache..";
            return Err(match limit.is_zero() {
                true => failed(what, &ran),
                false => Stop(
                    End::OffLine,
                    format!("{what}\n{}System is off-line...", ran.err),
                ),
            });
        }
    }

    /// What an upgrade would bring, each as `name-version-release`.
    fn updates(&self) -> Result<Vec<String>, Stop> {
        let mut words = self.upgrade("--assumeno");
        words.insert(0, "-j");
        let ran = self.tdnf(&words)?;
        if ran.code != 0 {
            return Err(failed("the updates cannot be installed as they are", &ran));
        }
        if ran.out.trim().is_empty() {
            return Ok(Vec::new());
        }
        let plan: Value = serde_json::from_str(&ran.out)
            .map_err(|_| failed("the list of updates cannot be read", &ran))?;
        let groups = ["Install", "Upgrade", "Downgrade"];
        let rows = groups
            .iter()
            .filter_map(|group| plan.get(group)?.as_array());
        let name = |row: &Value| {
            let part = |key: &str| {
                row.get(key)
                    .and_then(Value::as_str)
                    .unwrap_or_default()
                    .to_owned()
            };
            format!("{}-{}", part("Name"), part("Evr"))
        };
        Ok(rows.flatten().map(name).collect())
    }

    fn upgrade(&self, consent: &'static str) -> Vec<&'static str> {
        match self.config.upgrade_type {
            UpgradeType::All => vec![consent, "upgrade"],
            UpgradeType::Security => vec![consent, "--security", "update"],
        }
    }

    fn tdnf(&self, words: &[&str]) -> Result<Ran, Stop> {
        let mut all: Vec<String> = Vec::new();
        if let Some(conf) = &self.config.tdnf_conf {
            all.extend(["-c".to_owned(), conf.display().to_string()]);
        }
        if let Some(root) = &self.options.root {
            all.extend(["--installroot".to_owned(), root.clone()]);
        }
        all.extend(words.iter().map(|word| (*word).to_owned()));
        let ran =
            child(&self.program, &all).map_err(|failure| Stop(End::Failed, failure.to_string()))?;
        let warnings = ran.err.lines().filter(|line| {
            let (line, mark) = (line.to_ascii_lowercase(), "warning:");
            ran.code == 0 && line.starts_with(mark)
        });
        for line in warnings.filter(|line| self.said.is_first(line)) {
            self.printer.err(line);
            self.warnings.borrow_mut().push(line.to_owned());
        }
        Ok(ran)
    }

    /// Tells the administrator: on standard output, and behind what the report file has.
    fn emit(&self, text: &str) -> Result<(), Stop> {
        if self.config.emit_to_stdio {
            self.printer.crit(text);
        }
        let warnings: Vec<String> = self.warnings.take();
        let end = if warnings.is_empty() { "" } else { "\n" };
        self.report(&format!("{text}{}{end}", warnings.join("\n")))
    }

    fn report(&self, text: &str) -> Result<(), Stop> {
        let Some(path) = &self.config.emit_to_file else {
            return Ok(());
        };
        OpenOptions::new()
            .append(true)
            .create(true)
            .open(path)
            .and_then(|mut file| writeln!(file, "{}{text}", date()))
            .map_err(|error| Stop(End::Report, format!("{}: {error}", path.display())))
    }
}

/// A step of tdnf that failed, with everything that it said.
fn failed(what: &str, ran: &Ran) -> Stop {
    let said = format!("{}{}", ran.out, ran.err);
    let why = format!("{what}\n{said}Failed to Show/Apply updates...");
    Stop(End::Failed, why)
}

/// What a child said and how it ended.
pub(super) struct Ran {
    pub(super) code: u8,
    pub(super) out: String,
    pub(super) err: String,
}

/// Runs this binary as `tdnf`.
pub(super) fn child(program: &Path, words: &[String]) -> Outcome<Ran> {
    let output = Command::new(program)
        .arg0("tdnf")
        .args(words)
        .stdin(Stdio::null())
        .output()
        .at(program)?;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let code = output.status.code().unwrap_or(1);
    Ok(Ran {
        code: u8::try_from(code).unwrap_or(1),
        out: text(output.stdout),
        err: text(output.stderr),
    })
}
