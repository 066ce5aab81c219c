//! `tdnf-automatic`: looks for updates, reports them, installs them. For timers.
//!
//! Everything is done by `tdnf` itself in a child: an automatic update goes the same way through
//! checks and transaction as one that is typed.

pub(super) mod config;
mod step;

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
use crate::session::ASKED_AGAIN;
use crate::settings::Environment;
use config::{Config, UpgradeType};
use step::Step;

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
            printer.err_lines(&why);
            printer.err_lines(&last);
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
        unreported: RefCell::default(),
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
    /// Why the report file does not have all that it should.
    unreported: RefCell<Option<String>>,
}

impl Run<'_> {
    /// What stops the run stands in the report file, too. A report that cannot be written stops nothing: updates
    /// that come are worth more than the word of it.
    fn go(&self) -> Result<(), Stop> {
        let outcome = self.steps();
        if let Err(Stop(_, why)) = &outcome {
            let name = &self.config.system_name;
            self.report(&format!("\nUpdates failed on - {name}:\n{why}\n"));
        }
        match (outcome, self.unreported.take()) {
            (Ok(done), Some(fault)) => Err(Stop(
                End::Report,
                format!("{fault}; {done}, and the report lacks it"),
            )),
            (Err(Stop(end, why)), Some(fault)) => Err(Stop(end, format!("{fault}\n{why}"))),
            (outcome, None) => outcome.map(|_| ()),
        }
    }

    /// Goes through all steps, and says what was done.
    fn steps(&self) -> Result<&'static str, Stop> {
        if let Some(conf) = self.config.tdnf_conf.as_ref().filter(|conf| !conf.exists()) {
            let why = format!("tdnf conf '{}' does not exist...", conf.display());
            return Err(Stop(End::NoConfig, why));
        }
        let notify = self.options.notify;
        if notify && self.options.install {
            self.warn("warning: --notify wins over --install: nothing is installed");
        }
        let repos = self.tdnf(&["-q", "repolist", "enabled"])?;
        let enabled = repos.data.as_array().map_or(0, Vec::len);
        match repos.code {
            0 if enabled > 0 => {}
            0 => {
                let why = "no repository is enabled\nSystem is off-line...";
                return Err(Stop(End::OffLine, why.into()));
            }
            NO_SUCH_FILE => return Err(Stop(End::NoConfig, repos.lines())),
            _ => return Err(failed("Failed to refresh repo cache..", &repos.lines())),
        }
        self.refresh(enabled)?;
        self.printer.crit("RefreshCache success...");
        let (updates, unread) = self.updates()?;
        if unread.len() >= enabled {
            return Err(failed(
                "Failed to refresh repo cache..",
                &none_read(&unread),
            ));
        }
        let name = &self.config.system_name;
        if updates.is_empty() {
            self.emit(&match unread.is_empty() {
                true => format!("\nNo updates available on {name}. System upto date...\n"),
                false => format!(
                    "\nNo updates available on {name} in the repositories that could be read (not: {})\n",
                    unread.join(", ")
                ),
            });
            return Ok("no updates are available");
        }
        let list = updates.join("\n");
        if notify || self.config.show_updates {
            self.emit(&format!(
                "\nThe following updates are available on - {name}:\n{list}\n\n"
            ));
        }
        if notify || !(self.options.install || self.config.apply_updates) {
            return Ok("nothing was to be installed");
        }
        let ran = self.tdnf(&self.upgrade("-y"))?;
        if ran.code != 0 {
            return Err(failed("installing updates failed", &ran.lines()));
        }
        self.emit(&format!(
            "\nThe following updates are applied on - {name}:\n{list}\n\n\
             --- Updates completed at {} ---\n",
            date()
        ));
        Ok("the updates were installed all the same")
    }

    /// Brings metadata up to date; where the network may come later, asks again for a while. Of `enabled`
    /// repositories one at least must be read.
    fn refresh(&self, enabled: usize) -> Result<(), Stop> {
        let started = Instant::now();
        let limit = Duration::from_secs(self.config.network_online_timeout);
        loop {
            let ran = self.tdnf(&["-q", "--refresh", "makecache"])?;
            let is_any_read = ran.unread.len() < enabled;
            if ran.code == 0 && is_any_read {
                return Ok(());
            }
            if started.elapsed() + PAUSE <= limit {
                sleep(PAUSE);
                continue;
            }
            let what = "Failed to refresh repo cache..";
            let why = match ran.code {
                0 => none_read(&ran.unread_names()),
                _ => ran.lines(),
            };
            let mut causes = ran.unread.iter();
            let is_off_line = !is_any_read && causes.all(|unread| unread.is_unreachable());
            return Err(match is_off_line && !limit.is_zero() {
                false => failed(what, &why),
                true => Stop(End::OffLine, format!("{what}\n{why}System is off-line...")),
            });
        }
    }

    /// What an upgrade would bring, each as `name-version-release`, and the repositories that were not looked at.
    fn updates(&self) -> Result<(Vec<String>, Vec<String>), Stop> {
        let ran = self.tdnf(&self.upgrade("--assumeno"))?;
        if ran.code != 0 {
            let what = "the updates cannot be installed as they are";
            return Err(failed(what, &ran.lines()));
        }
        let groups = ["Install", "Upgrade", "Downgrade"];
        let rows = groups
            .iter()
            .filter_map(|group| ran.data.get(group)?.as_array());
        let name = |row: &Value| {
            let part = |key: &str| {
                row.get(key)
                    .and_then(Value::as_str)
                    .unwrap_or_default()
                    .to_owned()
            };
            format!("{}-{}", part("Name"), part("Evr"))
        };
        Ok((rows.flatten().map(name).collect(), ran.unread_names()))
    }

    fn upgrade(&self, consent: &'static str) -> Vec<&'static str> {
        match self.config.upgrade_type {
            UpgradeType::All => vec![consent, "upgrade"],
            UpgradeType::Security => vec![consent, "--security", "update"],
        }
    }

    /// A step of tdnf. Where another process keeps a lock, that is said before it is waited for.
    fn tdnf(&self, words: &[&str]) -> Result<Step, Stop> {
        let step = self.step(words, 0)?;
        let seconds = self.config.lock_timeout;
        let Some(holder) = step.lock_holder().filter(|_| seconds > 0) else {
            return Ok(step);
        };
        self.warn(&format!(
            "warning: {holder}: waiting for it, {seconds} seconds at most (lock_timeout of automatic.conf)"
        ));
        self.step(words, seconds)
    }

    fn step(&self, words: &[&str], lock_timeout: u64) -> Result<Step, Stop> {
        let mut all = vec![
            "--json-version=2".to_owned(),
            format!("--lock-timeout={lock_timeout}"),
        ];
        if let Some(conf) = &self.config.tdnf_conf {
            all.extend(["-c".to_owned(), conf.display().to_string()]);
        }
        if let Some(root) = &self.options.root {
            all.extend(["--installroot".to_owned(), root.clone()]);
        }
        all.extend(words.iter().map(|word| (*word).to_owned()));
        let ran =
            child(&self.program, &all).map_err(|failure| Stop(End::Failed, failure.to_string()))?;
        let step = Step::of(ran);
        step.warnings().for_each(|line| self.warn(line));
        Ok(step)
    }

    /// Says a warning once, here and in the report.
    fn warn(&self, line: &str) {
        // A repository that could not be had is not asked by the steps behind.
        let again = line.rfind(" (").filter(|_| line.contains(ASKED_AGAIN));
        let what = again.and_then(|at| line.get(..at)).unwrap_or(line);
        if self.said.is_first(what) {
            self.printer.err(line);
            self.warnings.borrow_mut().push(line.to_owned());
        }
    }

    /// Tells the administrator: on standard output, and behind what the report file has.
    fn emit(&self, text: &str) {
        if self.config.emit_to_stdio {
            self.printer.crit(text);
        }
        self.report(text);
    }

    /// Adds text and what was warned of since the last one to the report file.
    fn report(&self, text: &str) {
        let Some((path, place)) = &self.config.emit_to_file else {
            return;
        };
        let warnings: Vec<String> = self.warnings.take();
        let end = if warnings.is_empty() { "" } else { "\n" };
        let text = format!("{}{text}{}{end}", date(), warnings.join("\n"));
        let written = OpenOptions::new()
            .append(true)
            .create(true)
            .open(path)
            .and_then(|mut file| writeln!(file, "{text}"));
        if let Err(error) = written {
            let fault = format!("{place}: emit_to_file = {}: {error}", path.display());
            self.unreported.borrow_mut().get_or_insert(fault);
        }
    }
}

/// Why nothing is known of updates.
fn none_read(unread: &[String]) -> String {
    let unread = unread.join(", ");
    format!("none of the repositories could be read ({unread})\n")
}

/// A step of tdnf that failed, with the lines that say why.
fn failed(what: &str, lines: &str) -> Stop {
    let why = format!("{what}\n{lines}Failed to Show/Apply updates...");
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
