//! What a person sees of a download that takes its time: on terminals (of tmux), in a pipe, when it is stopped.

use std::fs;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use testkit::fixtures::{skipped, unprivileged};
use testkit::program;
use testkit::server::{Answer, Server};

use super::{Site, plain};

/// How long a screen may take to come.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(50);
/// Pieces of a package, and the pause after each: longer than any test, in all.
const PIECES: u64 = 150;
const STALL: Duration = Duration::from_millis(300);

/// A name that does not fit into a line of 80 columns.
const LONG: &str = "a-package-whose-name-is-longer-than-a-line-of-eighty-columns-has-room-for-it";

/// A terminal that ends with the test.
struct Terminal {
    socket: String,
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.tmux(&["kill-server"]);
    }
}

impl Terminal {
    /// Runs a command line in a terminal of so many columns; a line says when it has ended.
    fn start(site: &Site, columns: u16, line: &str) -> Self {
        let socket = site.path(&format!("tmux{columns}")).display().to_string();
        let terminal = Self { socket };
        let script = format!("{line}; echo \"ended: $?\"; sleep 600");
        let columns = columns.to_string();
        let words = ["new-session", "-d", "-x", &columns, "-y", "24", &script];
        terminal.tmux(&[&["-f", "/dev/null"], &words[..]].concat());
        terminal
    }

    fn tmux(&self, words: &[&str]) -> String {
        let mut command = Command::new("tmux");
        let run = program::run(command.arg("-S").arg(&self.socket).args(words));
        run.out
    }

    /// The screen with all of its numbers as `N`, once it has what is waited for.
    #[track_caller]
    fn screen(&self, has: impl Fn(&str) -> bool) -> String {
        let begin = Instant::now();
        loop {
            let screen = masked(&self.tmux(&["capture-pane", "-p"]));
            if has(&screen) {
                return screen;
            }
            assert!(begin.elapsed() < PATIENCE, "{screen}");
            sleep(PAUSE);
        }
    }
}

/// Each number is `N`, and so is each run of blanks one blank: numbers have as many as they need.
fn masked(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
        let mut last = '\n';
        for c in line.chars() {
            let c = if c.is_ascii_digit() { 'N' } else { c };
            if !(c == 'N' && last == 'N') {
                out.push(c);
            }
            last = c;
        }
        out.push('\n');
    }
    out
}

/// The lines that change: that of everything, and those below it.
fn drawn(screen: &str) -> Vec<&str> {
    let lines = screen.lines().skip_while(|line| !is_head(line));
    lines.filter(|line| !line.is_empty()).collect()
}

fn is_head(line: &str) -> bool {
    line.starts_with("N of N files, ")
}

/// Two packages that come piece by piece; the first of their servers is none.
fn slow() -> (Site, Server) {
    let filler: String = (0..20_000).map(|n| format!("{n} ")).collect();
    let big = |name: &str| plain(name, "1.0").file(&format!("/opt/{name}.list"), &filler);
    let site = Site::with(&[big("alpha"), big(LONG)]);
    let server = Server::start(&site.path("repo"));
    site.write(
        "repos.d/test.repo",
        format!(
            "[test]\nname=Test\nbaseurl=http://127.0.0.1:9/x {}\nenabled=1\ngpgcheck=0\n",
            server.url("/")
        ),
    );
    for name in ["alpha", LONG] {
        let file = format!("{name}-1.0-1.noarch.rpm");
        let size = fs::metadata(site.path("repo").join(&file))
            .expect("built")
            .len();
        let piece = usize::try_from(size / PIECES).expect("small");
        let answer = Answer {
            pieces: Some((piece, STALL)),
            ..Answer::default()
        };
        server.always(&format!("/{file}"), answer);
    }
    (site, server)
}

fn line(site: &Site, variables: &str) -> String {
    let words = ["-y", "install", "--downloadonly", "alpha", LONG];
    let command = site.command(&words);
    let words = command.get_args().map(|word| word.to_string_lossy());
    let words: Vec<_> = words.collect();
    let program = command.get_program().to_string_lossy().into_owned();
    format!("env {variables} {program} {}", words.join(" "))
}

fn has_tmux() -> bool {
    let has = Command::new("tmux").arg("-V").output().is_ok();
    if !has {
        skipped("no tmux");
    }
    has
}

const HEAD: &str = "N of N files, N.N of N.N KiB";

#[test]
fn a_terminal_shows_how_far_a_download_is() {
    if unprivileged() || !has_tmux() {
        return;
    }
    let (site, _server) = slow();
    let files = |screen: &str| screen.matches(".noarch N% ").count() == 2;
    let has_rate = |screen: &str| files(screen) && screen.contains("B/s, N s left\n");
    for (columns, variables) in [(80, "TERM=screen"), (200, "TERM=screen NO_COLOR=1")] {
        let terminal = Terminal::start(&site, columns, &line(&site, variables));
        let screen = terminal.screen(has_rate);
        let shown = drawn(&screen);
        assert_eq!(shown.len(), 3, "{screen}");
        assert!(shown[0].starts_with(HEAD), "{screen}");
        assert!(
            shown[2].starts_with("alpha-N.N-N.noarch N% N.N of N.N KiB"),
            "{screen}"
        );
        // The label is cut, and no number.
        assert!(shown[1].starts_with("a-package-whose-name-is-"), "{screen}");
        assert!(
            shown[1].contains("..") && shown[1].contains(".noarch N% N.N of N.N KiB"),
            "{screen}"
        );
        for line in &shown[1..] {
            assert_eq!(line.ends_with("]"), columns > 80, "{screen}");
        }
        let warning = "warning: N.N.N.N:N: connection refused; going on with N.N.N.N:N\n";
        assert_eq!(screen.matches(warning).count(), 1, "{screen}");
        // Narrower and wider again: no line is torn or stays behind.
        for columns in ["60", "40", "120", "80"] {
            terminal.tmux(&["resize-window", "-x", columns, "-y", "24"]);
            let heads = |screen: &str| screen.matches("N of N files").count();
            let screen = terminal.screen(|screen| heads(screen) == 1 && drawn(screen).len() == 3);
            assert!(drawn(&screen)[0].starts_with(HEAD), "{screen}");
        }
        terminal.tmux(&["send-keys", "C-c"]);
        let screen = terminal.screen(|screen| screen.contains("ended: N"));
        assert!(drawn(&screen).is_empty(), "{screen}");
        assert!(screen.contains("\nFetched N.N KiB in N.N s "), "{screen}");
    }
}

/// A terminal that cannot move its cursor has lines as a log has them.
#[test]
fn a_dumb_terminal_is_not_drawn_on() {
    if unprivileged() || !has_tmux() {
        return;
    }
    let (site, server) = slow();
    let terminal = Terminal::start(&site, 80, &line(&site, "TERM=dumb"));
    let asked = || {
        let seen = server.seen();
        seen.iter()
            .filter(|one| format!("{one:?}").contains(".rpm"))
            .count()
            >= 2
    };
    terminal.screen(|_| asked());
    terminal.tmux(&["send-keys", "C-c"]);
    let screen = terminal.screen(|screen| screen.contains("ended: N"));
    assert!(!screen.contains("noarch N%"), "{screen}");
    assert!(!screen.lines().any(is_head), "{screen}");
}

/// In a pipe a run ends with what it fetched; quiet runs say nothing, and data stand behind it.
#[test]
fn what_was_fetched_is_said_once() {
    if unprivileged() {
        return;
    }
    let site = Site::with(&[plain("alpha", "1.0")]);
    let server = Server::start(&site.path("repo"));
    let at = server.url("/");
    let text = format!("[test]\nname=Test\nbaseurl={at}\nenabled=1\ngpgcheck=0\n");
    site.write("repos.d/test.repo", text);
    let fetched = |words: &[&str]| {
        let out = masked(&site.run(words).ok().out);
        let lines: Vec<String> = out.lines().map(str::to_owned).collect();
        let at = lines.iter().position(|line| line.starts_with("Fetched"));
        assert_eq!(
            out.matches("Fetched").count(),
            usize::from(at.is_some()),
            "{out}"
        );
        at.map(|at| (lines[at].clone(), lines.len() - at - 1))
    };
    let (line, after) = fetched(&["repoquery", "alpha"]).expect("metadata");
    assert!(
        line.ends_with(" in N.N s (N.N KiB/s) from N.N.N.N:N"),
        "{line}"
    );
    assert_eq!(after, 1);
    assert_eq!(fetched(&["repoquery", "alpha"]), None);
    assert_eq!(fetched(&["-q", "--refresh", "makecache"]), None);
    // The last word of a transaction stays the last one.
    let (_, after) = fetched(&["-y", "--refresh", "install", "alpha"]).expect("a package");
    assert_eq!(after, 3);
    let ran = site
        .run(&["--json-version=2", "-y", "reinstall", "alpha"])
        .ok();
    let document: serde_json::Value = serde_json::from_str(&ran.out).expect("one document");
    let size = fs::metadata(site.path("repo/alpha-1.0-1.noarch.rpm"))
        .expect("built")
        .len();
    assert_eq!(document["Fetched"]["Bytes"], size, "{ran:#?}");
    assert_eq!(
        document["Fetched"]["Servers"]
            .as_object()
            .map(serde_json::Map::len),
        Some(1)
    );
}
