//! The commands: one record each, with what it needs opened.

mod change;
mod check;
mod check_installed;
mod clean;
mod convert_db;
mod count;
mod download;
mod files;
pub mod help;
mod history;
mod image;
mod keys;
mod list;
mod lock;
mod makecache;
mod mark;
pub mod operands;
mod query;
mod repolist;
mod repoquery;
mod reposync;
mod search;
mod security;
mod source;
mod updateinfo;

use crate::args::Args;
use crate::args::options::Definition;
use crate::change::{recover, say_pending};
use crate::error::{Code, Failure, Outcome, Restart};
use crate::hooks;
use crate::interrupt::{Interrupt, Listener};
use crate::near::nearest;
use crate::screen::Screen;
use crate::session::{Needs, OnDemand, Session};
use crate::settings::{Environment, Settings};
use crate::view::Version;
use operands::{Operand, Operands};

/// What a command does: gets the session and the words after its name, returns the exit code.
pub type CommandFn = fn(&Session<'_>, &[String]) -> Outcome<u8>;

/// A command.
pub struct Command {
    /// Its name.
    pub name: &'static str,
    /// Its other names.
    pub aliases: &'static [&'static str],
    /// Its operands, for the help.
    pub usage: &'static str,
    /// Its operands, for the completion.
    pub operands: Operands,
    /// The options that mean something to it, those of all commands left out.
    pub options: &'static [Definition],
    /// Words after `tdnf` that show what it is for.
    pub example: &'static str,
    /// One line of help.
    pub about: &'static str,
    /// What it needs before it runs.
    pub needs: Needs,
    /// What is done before anything is opened, and before there is a second thread.
    pub before: fn(&Settings) -> Outcome<()>,
    /// It can do nothing without a repository.
    pub asks_repos: bool,
    /// It fetches or changes something without a plan that could be shown instead.
    pub never_dry: bool,
    /// What it does.
    pub run: CommandFn,
}

impl Command {
    /// What a record leaves out: one name, nothing behind it, no options of its own; it only reads.
    /// What its subcommands need beyond that they ask for when they run.
    const PLAIN: Self = Self {
        name: "",
        aliases: &[],
        usage: "",
        operands: Operands::all(Operand::Nothing),
        options: &[],
        example: "",
        about: "",
        needs: Needs::Nothing,
        before: |_| Ok(()),
        asks_repos: false,
        never_dry: false,
        run: |_, _| Ok(0),
    };

    /// Its name and its other names.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.name).chain(self.aliases.iter().copied())
    }
}

/// How often a command may begin again: for a damaged cache file, or a repository that was published anew.
const MAX_RESTARTS: usize = 16;

/// Every command, by name.
pub const ALL: &[Command] = &[
    change::AUTOREMOVE,
    check::CHECK,
    check_installed::CHECK_INSTALLED,
    check::CHECK_LOCAL,
    list::CHECK_UPDATE,
    clean::COMMAND,
    convert_db::COMMAND,
    count::COMMAND,
    change::DISTRO_SYNC,
    change::DOWNGRADE,
    download::COMMAND,
    change::ERASE,
    history::COMMAND,
    image::COMMAND,
    list::INFO,
    change::INSTALL,
    keys::COMMAND,
    list::LIST,
    lock::COMMAND,
    makecache::COMMAND,
    mark::COMMAND,
    search::PROVIDES,
    change::REINSTALL,
    repolist::COMMAND,
    repoquery::COMMAND,
    reposync::COMMAND,
    search::SEARCH,
    change::UPDATE,
    updateinfo::COMMAND,
];

/// Runs the command that the words name and returns the exit code. `--version` and help come
/// first and open nothing, and signals are heard by `listener` only after them.
pub fn dispatch(args: &Args, printer: &Screen, listener: &mut Listener) -> Outcome<u8> {
    if args.options.output.version {
        printer.show(&Version {
            name: "tdnf",
            version: crate::VERSION,
        });
        return Ok(0);
    }
    let word = args.command();
    if args.options.output.help || word == Some("help") {
        return show_help(args, printer);
    }
    let Some(word) = word else {
        return Err(Failure::new(Code::CLI_NO_SUCH_CMD)
            .remark("You need to give some command")
            .remark(help::overview().trim_end()));
    };
    let command = find(word).ok_or_else(|| no_such_command(word))?;
    let environment = Environment::of_process();
    if command.needs == Needs::Lock && environment.euid != 0 {
        return Err(Failure::new(Code::PERM).hint(format!("try `sudo tdnf {}`", args.pasted())));
    }
    refuse_halting(command, args)?;
    let settings = Settings::resolve(args, environment)?;
    (command.before)(&settings)?;
    let interrupt = listener.start(printer);
    let outcome = run(command, settings, args, printer, interrupt.clone());
    match (outcome, interrupt.exit_code()) {
        (Err(failure), Some(code)) => {
            printer.show_failure(&failure);
            Ok(code)
        }
        (outcome, _) => outcome,
    }
}

fn run(
    command: &'static Command,
    settings: Settings,
    args: &Args,
    printer: &Screen,
    interrupt: Interrupt,
) -> Outcome<u8> {
    let mut session = Session::open(settings, args, printer, interrupt, command.needs)?;
    session.on_new_metadata = hooks::refreshed;
    match command.needs {
        Needs::Lock => recover(&session)?,
        Needs::Nothing => say_pending(&session),
    }
    show_options(args, printer);
    tell_foreign_options(command, &session)?;
    if !session.settings.switches.is_empty() {
        // Commands that ask no repository do not miss one either.
        let _ = session.repos();
    }
    if session.settings.dry_run && command.never_dry {
        let line = format!(
            "--dryrun: {} has no dry run, and nothing was done",
            command.name
        );
        return Err(Failure::invalid(line));
    }
    let is_locked = args.options.locked.locked.is_some();
    let asks = command.asks_repos && !is_locked;
    if asks && (args.operands().is_empty() || session.misses_repos()) {
        session.require_repos()?;
    }
    tell_surplus(command, &session, args.operands());
    run_healing(command, &session, args.operands())
}

/// Answers that nobody asks for, and excludes that are not there, change nothing.
const ALWAYS_FITTING: [&str; 3] = ["assumeno", "assumeyes", "disableexcludes"];

/// Options with which a command stops before it changes anything.
const HALTING: [&str; 3] = ["downloadonly", "testonly", "urls"];

/// Refuses them where a command that changes the system does not know them: who gives one wants no change.
fn refuse_halting(command: &'static Command, args: &Args) -> Outcome<()> {
    if command.needs != Needs::Lock {
        return Ok(());
    }
    let given = args.special.iter().map(String::as_str);
    let given: Vec<&str> = given.filter(|name| HALTING.contains(name)).collect();
    if given.is_empty() {
        return Ok(());
    }
    let known = help::with_options(command);
    let is_known = |name: &str| {
        let mut own = known.get_arguments();
        own.any(|own| own.get_long() == Some(name))
    };
    let Some(name) = given.into_iter().find(|name| !is_known(name)) else {
        return Ok(());
    };
    let command = command.name;
    let line = format!(
        "--{name}: {command} does not know it and would change the system; nothing was done"
    );
    let failure = Failure::invalid(line);
    Err(match is_known("dryrun") {
        true => failure.hint("--dryrun shows what would be done and stops there"),
        false => failure,
    })
}

/// Options of other commands are taken, as in tdnf, and have no effect.
fn tell_foreign_options(command: &'static Command, session: &Session<'_>) -> Outcome<()> {
    let defines = |command: &'static Command, name: &str| {
        let known = help::with_options(command);
        // Scopes; --update is short for --updates there.
        let is_scope = ["obsoletes", "update"].contains(&name)
            && known.get_arguments().any(|own| own.get_id() == "recent");
        is_scope
            || known
                .get_arguments()
                .any(|own| own.get_long() == Some(name))
    };
    for name in &session.args.special {
        if ALWAYS_FITTING.contains(&name.as_str()) || defines(command, name) {
            continue;
        }
        let owners = ALL.iter().filter(|other| defines(other, name));
        let owners: Vec<&str> = owners.map(|other| other.name).collect();
        let line = format!(
            "--{name} has no effect on '{}': it is an option of {}",
            command.name,
            owners.join(", ")
        );
        // Whoever has exactly a set in mind is not given another one.
        if name == "locked" {
            return Err(Failure::invalid(line));
        }
        session.warn_once(&format!("warning: {line}"));
    }
    Ok(())
}

/// Words behind a command that takes none are no reason to stop, as in tdnf; they are named.
fn tell_surplus(command: &Command, session: &Session<'_>, words: &[String]) {
    let operands = &command.operands;
    let taken = usize::from(!(operands.keywords)().is_empty());
    let surplus = words.get(taken..).unwrap_or_default();
    if operands.rest == Operand::Nothing && !surplus.is_empty() {
        let (name, words) = (command.name, surplus.join(" "));
        let line = format!("warning: {words}: no effect here, see `tdnf {name} --help`");
        session.printer.err(&line);
    }
}

/// Runs a command. A cache file of ours that turns out to be damaged is rebuilt, and where a repository was published
/// anew since its metadata were read, they are asked for again: nothing has been changed by then, so the command
/// just begins again.
fn run_healing(command: &Command, session: &Session<'_>, words: &[String]) -> Outcome<u8> {
    for _ in 0..MAX_RESTARTS {
        let failure = match (command.run)(session, words) {
            Err(failure) => failure,
            done => return done,
        };
        match &failure.restart {
            Some(Restart::Renewed) => {}
            Some(Restart::WithNewer(repo)) if session.has_moved_on(repo) => {
                let line = failure.details.first().map_or("", String::as_str);
                session.warn_once(&format!("warning: {}", line.trim_start_matches("Error: ")));
            }
            Some(Restart::WithoutCache(path)) if std::fs::remove_file(path).is_ok() => {
                for line in &failure.details {
                    let note = line.trim_start_matches("Error: ");
                    session.printer.err(&format!("{note}; it is rebuilt"));
                }
            }
            _ => return Err(without_repos(command, session, failure)),
        }
    }
    (command.run)(session, words)
}

/// What is not found may be in a repository that could not be read, or in one that a typing error hides.
fn without_repos(command: &Command, session: &Session<'_>, failure: Failure) -> Failure {
    let absent = [Code::NO_MATCH, Code::NO_SEARCH_RESULTS, Code::NO_DATA];
    let is_without = match command.needs {
        Needs::Nothing => session.misses_repos(),
        Needs::Lock => command.asks_repos && session.is_without_repos(),
    };
    if absent.contains(&failure.code) && is_without {
        let code = Code::NO_ENABLED_REPOS;
        return Failure { code, ..failure };
    }
    match session.left_out_repos() {
        // That nothing could be read has been said.
        unread if unread.is_empty() || failure.code.is_benign() || session.none_read() => failure,
        unread => {
            let is = if unread.len() == 1 { "is" } else { "are" };
            failure.hint(format!(
                "not all repositories could be read: {} {is} left out, for the reason above",
                unread.join(", ")
            ))
        }
    }
}

/// The text of the command that is named, else the whole text.
///
/// Errors: `help` names what is no command.
fn show_help(args: &Args, printer: &Screen) -> Outcome<u8> {
    let asked = args.command() == Some("help");
    let named = match asked {
        true => args.operands().first().map(String::as_str),
        false => args.command(),
    };
    let text = match named.map(|word| find(word).ok_or(word)) {
        Some(Ok(command)) => help::of_command(command),
        Some(Err(word)) if asked && word != "help" => return Err(no_such_command(word)),
        _ => help::overview(),
    };
    printer.help(&text);
    Ok(0)
}

/// The names of all commands, other names included.
pub fn names() -> impl Iterator<Item = &'static str> {
    ALL.iter().flat_map(Command::names)
}

/// Finds a command by name or alias.
pub fn find(word: &str) -> Option<&'static Command> {
    ALL.iter()
        .find(|command| command.names().any(|name| name == word))
}

/// `-v` shows what long options and `--setopt` set, in order.
fn show_options(args: &Args, printer: &Screen) {
    if !printer.mode().verbose || args.shown.is_empty() {
        return;
    }
    printer.info("Setting options:");
    for (key, value) in &args.shown {
        printer.info(&format!("\t{key} = {value}"));
    }
}

fn no_such_command(word: &str) -> Failure {
    if word == "automatic" {
        return Failure::new(Code::CLI_NO_SUCH_CMD)
            .hint("'automatic' comes first, its options after it: `tdnf automatic --help`");
    }
    let failure = Failure::new(Code::CLI_NO_SUCH_CMD).remark(format!(
        "No such command: {word}. Please use /usr/bin/tdnf --help"
    ));
    // Of all words the nearest one is the opposite.
    let near = match word {
        "uninstall" => Some("remove"),
        _ => nearest(word, names()),
    };
    match near {
        Some(near) => failure.hint(format!("did you mean '{near}'?")),
        None => failure,
    }
}
