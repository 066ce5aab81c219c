//! A fleet of hosts that refresh within one hour, through `mirror-sync serve` and through a bucket behind a CDN.
//!
//! Every host is a root of its own with a cache of its own, every refresh a run of tdnf. The hour is compressed, and with it how
//! long a cache may keep things. `FLEET_HOSTS` and `FLEET_HOUR` (seconds) set the size.

use crate::lab::{Lab, free_port, must, serve_with};
use crate::publish::Tree;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use testkit::stores::Store;

/// Runs of tdnf at once.
const AT_ONCE: usize = 8;
const BUCKET: &str = "packages";
/// Clock ticks of the kernel's accounts in a second.
const TICKS: f64 = 100.0;
/// What every host does, and before which of it upstream has something new.
const PHASES: [(&str, &[&str], bool); 4] = [
    ("first refresh", &["makecache"], false),
    ("nothing is new", &["makecache"], false),
    ("one package has changed", &["makecache"], true),
    (
        "each installs that package",
        &["--nogpgcheck", "-y", "install", "many-p1"],
        false,
    ),
];

/// A log that grows: requests and bytes of bodies since it was looked at last.
struct Log {
    path: PathBuf,
    at: usize,
}

impl Log {
    fn new(path: PathBuf) -> Self {
        Self { path, at: 0 }
    }

    /// `bytes` is the last word of a line.
    fn news(&mut self) -> Result<(usize, f64), String> {
        let text = std::fs::read_to_string(&self.path)
            .map_err(|e| format!("{}: {e}", self.path.display()))?;
        let new = text.get(self.at..).unwrap_or_default();
        let bytes = new
            .lines()
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
        let found = (new.lines().count(), bytes.fold(0.0, |sum, one| sum + one));
        self.at = text.len();
        Ok(found)
    }
}

/// The way of the hosts to the repository.
struct Way {
    name: &'static str,
    url: String,
    /// What the hosts asked.
    front: Log,
    /// What of it reached the bucket.
    behind: Option<Log>,
    /// Process whose time is counted.
    server: Option<u32>,
}

/// Ends with the value.
struct Served(Child);

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn number(name: &str, usual: usize) -> usize {
    let set = std::env::var(name).ok();
    set.and_then(|text| text.parse().ok()).unwrap_or(usual)
}

/// The table. It has no marks but that every run ends well.
pub(crate) fn run(lab: &mut Lab) -> Result<(String, bool), String> {
    let (hosts, hour) = (number("FLEET_HOSTS", 2000), number("FLEET_HOUR", 60));
    let mut text = format!(
        "{hosts} hosts, each with a cache of its own, refresh in one hour, a repository of 600 packages; the hour takes {hour} s here, or as long as the machine needs, and \
         caches keep things {} times as short.\n\n\
         | through | what | took s | requests per host | kB per host | CPU s of `serve` | requests to the bucket | MB from it | answered by the CDN |\n\
         |---|---|---|---|---|---|---|---|---|\n",
        3600 / hour.max(1)
    );
    let tree = Tree::many(lab, "fleet")?;
    tree.change(0)?;
    let mirror = lab.tdnf.with_file_name("mirror-sync");
    let port = free_port()?;
    let log = lab.scratch.join("serve.log");
    let config = |target: &str| -> Result<PathBuf, String> {
        let file = lab.scratch.join("fleet.toml");
        let text = format!(
            "[mirror]\npath = {:?}\n[serve]\nlisten = \"127.0.0.1:{port}\"\naccess_log = {log:?}\n[repo.base]\nbaseurl = {:?}\n{target}\n",
            tree.mirror, tree.url
        );
        std::fs::write(&file, text).map_err(|e| e.to_string())?;
        Ok(file)
    };
    let sync = |config: &Path| {
        let mut sync = Command::new(&mirror);
        must(sync.arg("-c").arg(config).args(["sync", "--quiet"]))
    };
    let file = config("")?;
    sync(&file)?;
    let mut serve = Command::new(&mirror);
    serve.arg("-c").arg(&file).arg("serve");
    serve.stdout(Stdio::null()).stderr(Stdio::null());
    let served = Served(serve.spawn().map_err(|e| e.to_string())?);
    wait_for(port)?;
    let mut way = Way {
        name: "`mirror-sync serve`",
        url: format!("http://127.0.0.1:{port}/base"),
        front: Log::new(log.clone()),
        behind: None,
        server: Some(served.0.id()),
    };
    let change = |number: usize, file: &Path| {
        tree.change(number)?;
        sync(file)
    };
    rounds(
        lab,
        &mut way,
        (hosts, hour),
        &|| change(1, &file),
        &mut text,
    )?;
    drop(served);
    let Some(store) = Store::rados() else {
        return Ok((text, true));
    };
    store.bucket(BUCKET);
    store.publish(BUCKET);
    let file = config(&format!(
        "[target.store]\nurl = \"s3://{BUCKET}/photon\"\ns3_endpoint = {:?}\nusername = {:?}\npassword = {:?}",
        store.endpoint, store.key_id, store.secret
    ))?;
    change(2, &file)?;
    let mut way = through_cdn(lab, &store, hour)?;
    rounds(
        lab,
        &mut way,
        (hosts, hour),
        &|| change(3, &file),
        &mut text,
    )?;
    Ok((text, true))
}

fn wait_for(port: u16) -> Result<(), String> {
    for _ in 0..200 {
        if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Err("mirror-sync serve did not come up".to_owned())
}

/// One nginx before the bucket makes the times of caches as short as the hour and counts; one before that is the CDN.
fn through_cdn(lab: &mut Lab, store: &Store, hour: usize) -> Result<Way, String> {
    let (front, behind) = (lab.scratch.join("cdn.log"), lab.scratch.join("bucket.log"));
    let short = |seconds: usize| (seconds * hour / 3600).max(1);
    let format = "log_format counted '$status $upstream_cache_status $body_bytes_sent';\n";
    let http = format!(
        "{format}map $upstream_http_cache_control $shortened {{ default no-store; ~=31536000 \"public, max-age={}, immutable\";\n\
         ~=86400 \"public, max-age={}\"; ~=60 \"public, max-age={}, must-revalidate\"; }}",
        short(31_536_000),
        short(86_400),
        short(60)
    );
    let location = format!(
        "location / {{ access_log {} counted; proxy_pass http://127.0.0.1:{}/{BUCKET}/photon/; proxy_http_version 1.1; proxy_set_header Connection \"\";\n\
         proxy_hide_header Cache-Control; add_header Cache-Control $shortened; }}",
        behind.display(),
        store.port
    );
    let bucket = serve_with(lab, &http, &location)?;
    let kept = lab.scratch.join("cdn");
    let http = format!(
        "{format}proxy_cache_path {} keys_zone=cdn:10m max_size=1g inactive=1d use_temp_path=off;",
        kept.display()
    );
    let location = format!(
        "location / {{ access_log {} counted; proxy_pass {bucket}; proxy_cache cdn; proxy_cache_lock on; proxy_cache_revalidate on; }}",
        front.display()
    );
    let url = serve_with(lab, &http, &location)?;
    Ok(Way {
        name: "bucket and CDN",
        url: format!("{url}/base"),
        front: Log::new(front),
        behind: Some(Log::new(behind)),
        server: None,
    })
}

fn rounds(
    lab: &Lab,
    way: &mut Way,
    (hosts, hour): (usize, usize),
    change: &dyn Fn() -> Result<(), String>,
    text: &mut String,
) -> Result<(), String> {
    let roots = lab.scratch.join("hosts");
    for host in 0..hosts {
        set_up(&roots.join(host.to_string()), &way.url)?;
    }
    for (name, words, is_new) in PHASES {
        if is_new {
            change()?;
        }
        way.front.news()?;
        if let Some(behind) = &mut way.behind {
            behind.news()?;
        }
        let before = ticks(way.server)?;
        let began = Instant::now();
        one_hour(lab, &roots, (hosts, hour), words)?;
        let took = began.elapsed().as_secs_f64();
        eprintln!("==> {}: {name}: {took:.0} s", way.name);
        // Logs come a little later than answers.
        std::thread::sleep(Duration::from_millis(1500));
        let (asked, bytes) = way.front.news()?;
        let each = |value: f64| value / hosts as f64;
        let _ = write!(
            text,
            "| {} | {name} | {took:.0} | {:.2} | {:.1} ",
            way.name,
            each(asked as f64),
            each(bytes) / 1e3
        );
        let cpu = (ticks(way.server)? - before) / TICKS;
        let _ = match &mut way.behind {
            None => writeln!(text, "| {cpu:.2} | | | |"),
            Some(behind) => {
                let (reached, bytes) = behind.news()?;
                let kept = asked.saturating_sub(reached) as f64 / asked.max(1) as f64;
                writeln!(
                    text,
                    "| | {reached} | {:.2} | {:.1} % |",
                    bytes / 1e6,
                    kept * 100.0
                )
            }
        };
    }
    std::fs::remove_dir_all(&roots).map_err(|e| e.to_string())
}

fn set_up(root: &Path, url: &str) -> Result<(), String> {
    let files = [
        ("etc/tdnf/tdnf.conf", "[main]\ngpgcheck=0\n".to_owned()),
        (
            "etc/yum.repos.d/base.repo",
            format!("[base]\nname=base\nbaseurl={url}\nenabled=1\ngpgcheck=0\n"),
        ),
    ];
    for (path, text) in files {
        let path = root.join(path);
        let parent = path.parent().ok_or("a path without a parent")?;
        std::fs::create_dir_all(parent).map_err(|e| e.to_string())?;
        std::fs::write(&path, text).map_err(|e| format!("{}: {e}", path.display()))?;
    }
    Ok(())
}

/// User and system time of a process so far.
fn ticks(process: Option<u32>) -> Result<f64, String> {
    let Some(process) = process else {
        return Ok(0.0);
    };
    let text = std::fs::read_to_string(format!("/proc/{process}/stat"))
        .map_err(|e| format!("mirror-sync serve has ended: {e}"))?;
    // The name, which may have anything in it, ends with the last parenthesis.
    let rest = text.rsplit(')').next().unwrap_or_default();
    let times = rest.split_whitespace().skip(11).take(2);
    Ok(times.filter_map(|word| word.parse::<f64>().ok()).sum())
}

/// Every host runs tdnf once, spread evenly over the hour.
fn one_hour(
    lab: &Lab,
    roots: &Path,
    (hosts, hour): (usize, usize),
    words: &[&str],
) -> Result<(), String> {
    let next = AtomicUsize::new(0);
    let began = Instant::now();
    let worker = || -> Result<(), String> {
        loop {
            let host = next.fetch_add(1, Ordering::Relaxed);
            if host >= hosts {
                return Ok(());
            }
            let due = Duration::from_secs_f64((hour * host) as f64 / hosts as f64);
            std::thread::sleep(due.saturating_sub(began.elapsed()));
            let mut run = Command::new("nice");
            run.arg(&lab.tdnf)
                .arg("--installroot")
                .arg(roots.join(host.to_string()))
                .args(["--releasever=5", "--quiet"])
                .args(words);
            must(run.stdin(Stdio::null()))?;
        }
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(worker)).collect();
        workers
            .into_iter()
            .try_for_each(|worker| worker.join().map_err(|_| "a worker panicked")?)
    })
}
