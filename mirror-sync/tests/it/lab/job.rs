//! A client as a process of its own: to be put into a namespace, and to be killed.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use repo_client::LimitKind;
use repo_client::transfer::{TransferLimits, fetch_all};
use repo_client::{Access, Client, ClientOptions, FileRequest, Silent, Tls};
use rpm_pkg::digest::{Digest, DigestAlgo};

/// Names the job for [`the_client_of_the_laboratory`].
const JOB: &str = "MIRROR_LAB_JOB";

/// What a run came to.
#[derive(Debug, Default, Clone)]
pub(crate) struct Outcome {
    pub(crate) seconds: f64,
    pub(crate) files: u64,
    pub(crate) bytes: u64,
    pub(crate) requests: u64,
    pub(crate) connections: usize,
    pub(crate) limit: String,
    pub(crate) failed: String,
}

/// As mirror-sync asks servers; `MIRROR_LAB_CLIENT=tdnf`: as tdnf does.
pub(crate) fn limits(connections: usize) -> TransferLimits {
    let tdnf = std::env::var_os("MIRROR_LAB_CLIENT").is_some_and(|client| client == "tdnf");
    let limits = match tdnf {
        true => TransferLimits::hasty(),
        false => TransferLimits::default(),
    };
    TransferLimits {
        connections_per_host: connections,
        ..limits
    }
}

/// Runs a transfer here.
pub(crate) fn run(wanted: Vec<FileRequest>, connections: usize) -> Outcome {
    let client = Client::new(ClientOptions::default());
    let began = Instant::now();
    let never = AtomicBool::new(false);
    let mut sink = |_| Ok(());
    let all = limits(connections);
    let done = fetch_all(&client, wanted, &all, &Silent, &mut sink, &never).unwrap();
    let words = |limit: LimitKind| limit.words(cli_kit::iec_rate);
    Outcome {
        seconds: began.elapsed().as_secs_f64(),
        files: done.files,
        bytes: done.bytes,
        requests: done.requests,
        connections: done.connections,
        limit: words(done.limit),
        failed: done
            .failed
            .iter()
            .map(|(_, why)| why.to_string())
            .take(3)
            .collect::<Vec<_>>()
            .join("; "),
    }
}

/// Writes a job down.
pub(crate) fn write(path: &Path, wanted: &[FileRequest], connections: usize) {
    let ca = wanted.first().and_then(|one| one.access.tls.ca.clone());
    let mut text = format!("{connections}\t{}\n", ca.unwrap_or_default().display());
    for one in wanted {
        let hex = one.digest.map(|digest| digest.hex()).unwrap();
        let (size, partial) = (one.size.unwrap(), one.dest.display());
        writeln!(
            text,
            "{}\t{size}\t{hex}\t{partial}\t{}",
            one.label,
            one.urls.join("\t")
        )
        .unwrap();
    }
    std::fs::write(path, text).unwrap();
}

/// Makes a command run the job at `path`.
pub(crate) fn client(mut command: Command, path: &Path) -> Command {
    command.args([
        "--exact",
        "lab::job::the_client_of_the_laboratory",
        "--ignored",
        "--nocapture",
    ]);
    command
        .env(JOB, path)
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    command
}

/// The path of this test program.
pub(crate) fn program() -> std::path::PathBuf {
    std::env::current_exe().unwrap()
}

/// Reads what a client said.
pub(crate) fn outcome(output: &std::process::Output) -> Outcome {
    let text = String::from_utf8_lossy(&output.stdout);
    let value = |key: &str| {
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        line.unwrap_or_else(|| {
            panic!(
                "no {key} in {text}\n{}",
                String::from_utf8_lossy(&output.stderr)
            )
        })
        .to_owned()
    };
    let number = |key: &str| value(key).parse::<f64>().unwrap();
    Outcome {
        seconds: number("seconds"),
        files: number("files") as u64,
        bytes: number("bytes") as u64,
        requests: number("requests") as u64,
        connections: number("connections") as usize,
        limit: value("limit"),
        failed: value("failed"),
    }
}

#[test]
#[ignore = "started by the other tests as a process of its own"]
fn the_client_of_the_laboratory() {
    let Some(path) = std::env::var_os(JOB) else {
        return;
    };
    let text = std::fs::read_to_string(path).unwrap();
    let mut lines = text.lines();
    let (connections, ca) = lines.next().unwrap().split_once('\t').unwrap();
    let connections = connections.parse().unwrap();
    let tls = Tls {
        ca: (!ca.is_empty()).then(|| ca.into()),
        ..Tls::default()
    };
    let access = Arc::new(Access {
        tls,
        ..Access::default()
    });
    let wanted = lines.map(|line| {
        let words: Vec<&str> = line.split('\t').collect();
        let urls = words[4..].iter().map(|url| (*url).to_owned()).collect();
        FileRequest {
            size: Some(words[1].parse().unwrap()),
            digest: Some(Digest::from_hex(DigestAlgo::Sha256, words[2]).unwrap()),
            access: Arc::clone(&access),
            ..FileRequest::new(words[0], urls, words[3])
        }
    });
    let got = run(wanted.collect(), connections);
    println!();
    println!(
        "seconds={}\nfiles={}\nbytes={}",
        got.seconds, got.files, got.bytes
    );
    println!("requests={}\nconnections={}", got.requests, got.connections);
    println!("limit={}\nfailed={}", got.limit, got.failed);
}
