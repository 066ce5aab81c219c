//! mirror-sync into a bucket and a registry, against `rclone sync` and `s3cmd sync` of the same published tree.
//!
//! The mirror has fetched everything before, and keeps nothing older: what is timed is the way of the same files from its disk to
//! the place. An nginx before the place counts requests and bytes. `--only` names `PLACE` or `PLACE: TREE`.

use crate::lab::{Lab, cache, must, serve_more, serve_with};
use crate::many::{packages, rpmbuild};
use crate::measure::{Figures, Program, median, median_of};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use testkit::registry::Registry;
use testkit::stores::Store;

const BUCKET: &str = "packages";
/// Connections of every program that has a choice.
const CONNECTIONS: &str = "8";
/// What is done with each place, one after the other.
const STEPS: [&str; 3] = ["first", "unchanged", "one changed package"];
const OURS: &str = "mirror-sync";
const AGAIN: &str = "mirror-sync --force";

/// One run: the process, requests, bytes that were sent.
struct Shot {
    figures: Figures,
    requests: f64,
    bytes: f64,
}

/// All runs of a step by a program.
struct Line {
    tree: &'static str,
    step: &'static str,
    program: &'static str,
    shots: Vec<Shot>,
}

/// Where is published to: as it is called, the URL of the front, its log; the key where it is a bucket.
struct Place {
    kind: &'static str,
    url: String,
    log: PathBuf,
    key: Option<(&'static str, &'static str)>,
}

/// The table, and whether we ask no more than `rclone sync` and take no longer.
pub(crate) fn run(
    lab: &mut Lab,
    runs: usize,
    only: Option<&str>,
) -> Result<(String, bool), String> {
    let mut text = format!(
        "mirror-sync into a bucket and a registry, medians of {runs} runs in turn; {CONNECTIONS} connections (s3cmd has one); an nginx before the place counts.\n"
    );
    let mut reached = true;
    if only.is_none_or(|only| only.starts_with("radosgw"))
        && let Some(store) = Store::rados()
    {
        store.bucket(BUCKET);
        let key = Some((store.key_id, store.secret));
        let place = front(lab, store.kind, store.port, key)?;
        reached &= place_table(lab, &place, (runs, only), &mut text)?;
    }
    if only.is_none_or(|only| only.starts_with("docker-registry"))
        && let Some(registry) = Registry::start(&lab.scratch.join("registry"))
    {
        let place = front(lab, "docker-registry", registry.port(), None)?;
        reached &= place_table(lab, &place, (runs, only), &mut text)?;
    }
    Ok((text, reached))
}

fn front(
    lab: &mut Lab,
    kind: &'static str,
    port: u16,
    key: Option<(&'static str, &'static str)>,
) -> Result<Place, String> {
    let log = lab.scratch.join(format!("{kind}.log"));
    let http = "log_format counted '$status $request_length'; client_max_body_size 0;";
    let location = format!(
        "location / {{ access_log {} counted; proxy_pass http://127.0.0.1:{port}; proxy_http_version 1.1; proxy_set_header Host $http_host;\n\
         proxy_set_header Connection \"\"; proxy_request_buffering off; proxy_buffering off; }}",
        log.display()
    );
    let url = serve_with(lab, http, &location)?;
    Ok(Place {
        kind,
        url,
        log,
        key,
    })
}

/// Requests and bytes since the last call.
fn counted(log: &Path) -> Result<(f64, f64), String> {
    // The last line may come after the answer.
    std::thread::sleep(Duration::from_millis(200));
    let text = std::fs::read_to_string(log).map_err(|e| format!("{}: {e}", log.display()))?;
    std::fs::OpenOptions::new()
        .write(true)
        .truncate(true)
        .open(log)
        .map_err(|e| e.to_string())?;
    let sizes = text
        .lines()
        .filter_map(|line| line.split(' ').nth(1)?.parse::<f64>().ok());
    Ok((
        text.lines().count() as f64,
        sizes.fold(0.0, |sum, one| sum + one),
    ))
}

fn place_table(
    lab: &mut Lab,
    place: &Place,
    (runs, only): (usize, Option<&str>),
    text: &mut String,
) -> Result<bool, String> {
    let mut lines = Vec::new();
    for tree in [
        Tree::metadata(lab, place.kind)?,
        Tree::many(lab, place.kind)?,
    ] {
        let name = format!("{}: {}", place.kind, tree.name);
        if only.is_some_and(|only| !name.contains(only)) {
            continue;
        }
        eprintln!("==> {name}");
        measure(lab, place, &tree, runs, &mut lines)?;
    }
    let _ = writeln!(
        text,
        "\n## {}\n\n| tree | step | program | wall s | cpu s | MiB | requests | MB sent |\n|---|---|---|---|---|---|---|---|",
        place.kind
    );
    for line in &lines {
        let figures: Vec<Figures> = line.shots.iter().map(|shot| shot.figures).collect();
        let figures = median(&figures);
        let _ = writeln!(
            text,
            "| {} | {} | {} | {:.2} | {:.2} | {:.0} | {:.0} | {:.2} |",
            line.tree,
            line.step,
            line.program,
            figures.wall,
            figures.cpu,
            figures.memory,
            line.requests(),
            median_of(line.shots.iter().map(|shot| shot.bytes).collect()) / 1e6
        );
    }
    let mut misses = Vec::new();
    for ours in lines.iter().filter(|line| line.program == OURS) {
        let is_peer = |line: &&Line| {
            line.program == "rclone sync" && (line.tree, line.step) == (ours.tree, ours.step)
        };
        if let Some(peer) = lines.iter().find(is_peer) {
            let mut check = |what: &str, we: f64, they: f64| {
                if we > they {
                    misses.push(format!(
                        "{}, {}: {what} {we:.2} > {they:.2}",
                        ours.tree, ours.step
                    ));
                }
            };
            check("requests", ours.requests(), peer.requests());
            check("wall", ours.wall(), peer.wall());
        }
    }
    if place.key.is_some() {
        let verdict = match misses.is_empty() {
            true => "reached".to_owned(),
            false => misses.join("; "),
        };
        let _ = writeln!(
            text,
            "\nNo more requests than `rclone sync`, and no longer: {verdict}."
        );
    }
    Ok(misses.is_empty())
}

impl Line {
    fn requests(&self) -> f64 {
        median_of(self.shots.iter().map(|shot| shot.requests).collect())
    }

    fn wall(&self) -> f64 {
        median_of(self.shots.iter().map(|shot| shot.figures.wall).collect())
    }
}

fn measure(
    lab: &Lab,
    place: &Place,
    tree: &Tree,
    runs: usize,
    lines: &mut Vec<Line>,
) -> Result<(), String> {
    let mirror = lab.tdnf.with_file_name("mirror-sync").display().to_string();
    let fetch = |name: &str, target: &str| -> Result<String, String> {
        let file = lab.scratch.join(format!("{name}.toml"));
        let text = format!(
            "[mirror]\npath = {:?}\ngrace = \"0s\"\n[repo.base]\nbaseurl = {:?}\n{target}\n",
            tree.mirror, tree.url
        );
        std::fs::write(&file, text).map_err(|e| e.to_string())?;
        Ok(file.display().to_string())
    };
    let alone = fetch("alone", "")?;
    let sync = |file: &str, more: &[&str]| {
        let words = [&[mirror.as_str(), "-c", file, "sync", "--quiet"], more].concat();
        Program::new(&words, &[0, 3])
    };
    for number in 0..=runs {
        tree.change(2 * number)?;
        sync(&alone, &[]).run(&lab.scratch)?;
        let ours = fetch("ours", &place.target(&format!("ours-{number}")))?;
        let mut programs = vec![(OURS, sync(&ours, &[]))];
        if place.key.is_some() {
            programs.extend(peers(lab, place, tree, number)?);
        }
        if number % 2 == 0 {
            programs.reverse();
        }
        for step in STEPS {
            if step == STEPS[2] {
                tree.change(2 * number + 1)?;
                sync(&alone, &[]).run(&lab.scratch)?;
            }
            let mut now = programs.clone();
            if step == STEPS[1] {
                now.push((AGAIN, sync(&ours, &["--force"])));
            }
            for (name, program) in now {
                counted(&place.log)?;
                let figures = program.run(&lab.scratch)?;
                let (requests, bytes) = counted(&place.log)?;
                let shot = Shot {
                    figures,
                    requests,
                    bytes,
                };
                // The first round warms up.
                if number > 0 {
                    add(lines, (tree.name, step, name), shot);
                }
            }
        }
    }
    Ok(())
}

fn add(
    lines: &mut Vec<Line>,
    (tree, step, program): (&'static str, &'static str, &'static str),
    shot: Shot,
) {
    let is_it = |line: &&mut Line| (line.tree, line.step, line.program) == (tree, step, program);
    if let Some(line) = lines.iter_mut().find(is_it) {
        line.shots.push(shot);
        return;
    }
    let shots = vec![shot];
    lines.push(Line {
        tree,
        step,
        program,
        shots,
    });
}

impl Place {
    /// The section of a target below this place.
    fn target(&self, name: &str) -> String {
        match self.key {
            Some((id, secret)) => format!(
                "[target.store]\nurl = \"s3://{BUCKET}/{name}\"\ns3_endpoint = {:?}\nusername = {id:?}\npassword = {secret:?}\nconnections = {CONNECTIONS}",
                self.url
            ),
            None => format!(
                "[target.store]\nurl = \"{}/{name}\"\nconnections = {CONNECTIONS}",
                self.url.replacen("http://", "oci://", 1)
            ),
        }
    }
}

/// The others: rclone as it comes, rclone with all that spares requests, s3cmd.
fn peers(
    lab: &Lab,
    place: &Place,
    tree: &Tree,
    number: usize,
) -> Result<Vec<(&'static str, Program)>, String> {
    let (id, secret) = place.key.unwrap_or_default();
    let rclone = lab.scratch.join("rclone.conf");
    let text = format!(
        "[store]\ntype = s3\nprovider = Ceph\naccess_key_id = {id}\nsecret_access_key = {secret}\nendpoint = {}\nregion = us-east-1\n",
        place.url
    );
    std::fs::write(&rclone, text).map_err(|e| e.to_string())?;
    let s3cmd = lab.scratch.join("s3cmd.conf");
    let host = place.url.trim_start_matches("http://");
    let text = format!(
        "[default]\naccess_key = {id}\nsecret_key = {secret}\nhost_base = {host}\nhost_bucket = {host}\nuse_https = False\nbucket_location = us-east-1\n"
    );
    std::fs::write(&s3cmd, text).map_err(|e| e.to_string())?;
    let (rclone, s3cmd) = (rclone.display().to_string(), s3cmd.display().to_string());
    let from = format!("{}/public/base/", tree.mirror.display());
    let config = format!("--config={rclone}");
    let sync = |to: &str, more: &[&str]| {
        let to = format!("store:{BUCKET}/{to}-{number}");
        let words = [
            "env",
            "--unset=AWS_CA_BUNDLE",
            "rclone",
            &config,
            "sync",
            "--copy-links",
            "--transfers",
            CONNECTIONS,
        ];
        let words = [&words[..], &["--checkers", CONNECTIONS, &from, &to], more].concat();
        Program::new(&words, &[0])
    };
    let spare = [
        "--checksum",
        "--fast-list",
        "--s3-no-head",
        "--s3-no-check-bucket",
    ];
    let to = format!("s3://{BUCKET}/s3cmd-{number}/");
    let words = [
        "s3cmd",
        "-c",
        &s3cmd,
        "sync",
        "--follow-symlinks",
        "--no-progress",
    ];
    let words = [&words[..], &["--delete-removed", &from, &to]].concat();
    Ok(vec![
        ("rclone sync", sync("rclone", &[])),
        ("rclone sync, sparing", sync("sparing", &spare)),
        ("s3cmd sync", Program::new(&words, &[0])),
    ])
}

/// What is published, and its upstream.
pub(crate) struct Tree {
    pub(crate) name: &'static str,
    upstream: PathBuf,
    pub(crate) url: String,
    pub(crate) mirror: PathBuf,
    /// Folder of a source package that is built anew at each change; none where the parts of the metadata are changed themselves.
    work: Option<PathBuf>,
}

impl Tree {
    fn new(lab: &mut Lab, name: &'static str, of: &str) -> Result<Self, String> {
        let top = lab.scratch.join(of);
        let upstream = top.join("upstream");
        std::fs::create_dir_all(&upstream).map_err(|e| e.to_string())?;
        let location = format!("location / {{ root {}; }}", upstream.display());
        Ok(Self {
            name,
            url: serve_more(lab, &location)?,
            upstream,
            mirror: top.join("mirror"),
            work: None,
        })
    }

    /// The metadata of the large repository: its primary stands under another name, so that the mirror need not have the packages.
    fn metadata(lab: &mut Lab, of: &str) -> Result<Self, String> {
        let name = match lab.big_is_real {
            true => "metadata of 65,484 packages",
            false => "metadata of the recipe",
        };
        Self::new(lab, name, &format!("metadata-{of}"))
    }

    /// 600 packages.
    pub(crate) fn many(lab: &mut Lab, of: &str) -> Result<Self, String> {
        let mut tree = Self::new(lab, "600 packages", &format!("many-{of}"))?;
        for file in packages()? {
            let name = Path::new(&file).file_name().unwrap_or_default();
            std::fs::copy(&file, tree.upstream.join(name)).map_err(|e| e.to_string())?;
        }
        tree.work = Some(tree.upstream.with_file_name("work"));
        Ok(tree)
    }

    /// Upstream has another version of one package, and new metadata.
    pub(crate) fn change(&self, number: usize) -> Result<(), String> {
        let repodata = self.upstream.join("repodata");
        let Some(work) = &self.work else {
            if repodata.exists() {
                std::fs::remove_dir_all(&repodata).map_err(|e| e.to_string())?;
            }
            must(Command::new("createrepo_c").arg("-q").arg(&self.upstream))?;
            return ["primary", "filelists", "other"]
                .iter()
                .try_for_each(|kind| self.add_part(kind, number));
        };
        std::fs::create_dir_all(work).map_err(|e| e.to_string())?;
        let spec = format!(
            "Name: many-p1\nVersion: 2\nRelease: {number}\nSummary: bench\nLicense: MIT\nBuildArch: noarch\nAutoReqProv: no\n\
             %description\nbench\n%install\nmkdir -p %{{buildroot}}/usr/share/many/1\n\
             head -c 20000 /dev/urandom > %{{buildroot}}/usr/share/many/1/4\n%files\n/usr/share/many/1\n"
        );
        rpmbuild(work, "one", &spec)?;
        let entries = std::fs::read_dir(&self.upstream).map_err(|e| e.to_string())?;
        for path in entries.filter_map(|entry| entry.ok().map(|entry| entry.path())) {
            let name = path.file_name().and_then(|name| name.to_str());
            if name.is_some_and(|name| name.starts_with("many-p1-")) {
                std::fs::remove_file(&path).map_err(|e| e.to_string())?;
            }
        }
        let name = format!("many-p1-2-{number}.noarch.rpm");
        std::fs::copy(
            work.join("RPMS/noarch").join(&name),
            self.upstream.join(&name),
        )
        .map_err(|e| format!("{name}: {e}"))?;
        must(
            Command::new("createrepo_c")
                .args(["-q", "--update"])
                .arg(&self.upstream),
        )
    }

    /// A part of the large metadata beside those of the index, with other bytes each time: an empty member at its end.
    fn add_part(&self, kind: &str, number: usize) -> Result<(), String> {
        let from = cache().join("big/repodata").join(format!("{kind}.xml.gz"));
        let script = "cd \"$3\" && cp \"$1\" new && i=$2 && while [ $i -gt 0 ]; do gzip -nc < /dev/null >> new; i=$((i - 1)); done && \
             sum=$(sha256sum < new | cut -c -64) && name=$sum-large-$4.xml.gz && mv new $name && \
             part=\"<data type=\\\"large-$4\\\"><checksum type=\\\"sha256\\\">$sum</checksum><location href=\\\"repodata/$name\\\"/><size>$(stat -c %s $name)</size></data>\" && \
             sed -i \"s|</repomd>|$part</repomd>|\" repomd.xml";
        let mut sh = Command::new("sh");
        sh.args(["-ec", script, "sh"])
            .arg(from)
            .arg(number.to_string());
        must(sh.arg(self.upstream.join("repodata")).arg(kind))
    }
}
