//! mirror-sync against `dnf reposync` and `wget -c`.
//!
//! The program is `mirror-sync` beside the `tdnf` that is measured; without it there are no cases.

use crate::cases::Case;
use crate::lab::{Lab, must, serve_more};
use crate::measure::Program;
use crate::report::Mark;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Packages of the mirrored repository.
const PACKAGES: usize = 600;
/// Bytes of the one package behind the limit, and bytes per second of one connection there.
const LARGE: usize = 6_000_000;
const EACH: usize = 100_000;
/// Connections that mirror-sync may have there.
const CONNECTIONS: usize = 16;
/// Several packages behind a tighter limit: how many, their bytes, bytes per second of one
/// connection. dnf fetches three at once, so mirror-sync may have twice as many connections.
const SEVERAL: (usize, usize, usize) = (8, 4_000_000, 50_000);
const SEVERAL_CONNECTIONS: usize = 32;

pub(crate) fn all(lab: &mut Lab) -> Result<Vec<Case>, String> {
    let program = lab.tdnf.with_file_name("mirror-sync");
    if !program.is_file() {
        eprintln!("no {}: mirrors are not measured", program.display());
        return Ok(Vec::new());
    }
    let top = lab.scratch.join("upstream");
    let many = packages(&top.join("many"), "many", PACKAGES, 30_000)?;
    let large = packages(&top.join("large"), "large", 1, LARGE)?;
    let (count, size, each) = SEVERAL;
    let several = packages(&top.join("several"), "several", count, size)?;
    let locations = format!(
        "location /many/ {{ alias {}/; }}\nlocation /large/ {{ alias {}/; limit_rate {EACH}; }}\n\
         location /several/ {{ alias {}/; limit_rate {each}; }}",
        many.display(),
        large.display(),
        several.display()
    );
    let url = serve_more(lab, &locations)?;
    let file = first_rpm(&large)?;
    Ok(vec![
        Case {
            name: "mirror of 600 packages",
            ours: ours(lab, &program, "many", &url, CONNECTIONS)?,
            peers: vec![("dnf reposync", reposync(lab, "many", &url)?)],
            limit: None,
            prepare: empty(lab),
            mark: ratio(0.6),
            scratch: lab.scratch.clone(),
        },
        Case {
            name: "6 MB at 100 kB/s per connection",
            ours: ours(lab, &program, "large", &url, CONNECTIONS)?,
            peers: vec![("wget -c", wget(lab, &format!("{url}/large/{file}")))],
            limit: None,
            prepare: empty(lab),
            mark: ratio(0.125),
            scratch: lab.scratch.clone(),
        },
        Case {
            name: "the same against dnf reposync",
            ours: ours(lab, &program, "large", &url, CONNECTIONS)?,
            peers: vec![("dnf reposync", reposync(lab, "large", &url)?)],
            limit: None,
            prepare: empty(lab),
            mark: ratio(0.125),
            scratch: lab.scratch.clone(),
        },
        Case {
            name: "8 packages of 4 MB at 50 kB/s per connection",
            ours: ours(lab, &program, "several", &url, SEVERAL_CONNECTIONS)?,
            peers: vec![("dnf reposync", reposync(lab, "several", &url)?)],
            limit: None,
            prepare: empty(lab),
            mark: ratio(0.125),
            scratch: lab.scratch.clone(),
        },
    ])
}

fn ratio(wall: f64) -> Mark {
    Mark {
        wall_ratio: Some(wall),
        ..Mark::default()
    }
}

/// What each program brings goes into a folder of its own below this one.
fn out(lab: &Lab) -> PathBuf {
    lab.scratch.join("mirrored")
}

fn empty(lab: &Lab) -> crate::cases::Prepare {
    let out = out(lab);
    Box::new(move || {
        if out.exists() {
            std::fs::remove_dir_all(&out).map_err(|e| format!("{}: {e}", out.display()))?;
        }
        std::fs::create_dir_all(&out).map_err(|e| e.to_string())
    })
}

fn ours(
    lab: &Lab,
    program: &Path,
    repo: &str,
    url: &str,
    connections: usize,
) -> Result<Program, String> {
    let file = lab.scratch.join(format!("{repo}.toml"));
    let text = format!(
        "[mirror]\npath = \"{}/ours\"\n[limits]\nconnections_per_host = {connections}\n\
         connections_per_file = {connections}\n[repo.{repo}]\nbaseurl = \"{url}/{repo}/\"\n",
        out(lab).display()
    );
    std::fs::write(&file, text).map_err(|e| e.to_string())?;
    let (program, file) = (program.display().to_string(), file.display().to_string());
    Ok(Program::new(
        &[program.as_str(), "-c", &file, "sync", "--quiet"],
        &[0],
    ))
}

fn reposync(lab: &Lab, repo: &str, url: &str) -> Result<Program, String> {
    let out = out(lab).display().to_string();
    let words = [
        "dnf",
        "--quiet",
        "--disableplugin=local",
        "--releasever=5",
        &format!("--repofrompath={repo},{url}/{repo}/"),
        &format!("--setopt=cachedir={out}/cache"),
        "--setopt=reposdir=/nonexistent",
        &format!("--setopt={repo}.gpgcheck=0"),
        &format!("--setopt=logdir={out}/log"),
        "reposync",
        &format!("--repoid={repo}"),
        "--download-metadata",
        &format!("--download-path={out}/theirs"),
    ];
    Ok(Program::new(&words, &[0]))
}

fn wget(lab: &Lab, url: &str) -> Program {
    let out = out(lab).display().to_string();
    Program::new(&["wget", "-q", "-c", "-P", &out, url], &[0])
}

fn first_rpm(dir: &Path) -> Result<String, String> {
    let entries = std::fs::read_dir(dir).map_err(|e| e.to_string())?;
    let mut names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    names
        .find(|name| name.ends_with(".rpm"))
        .ok_or_else(|| "rpmbuild made nothing".to_owned())
}

/// A repository of `count` packages with `size` bytes each that do not compress.
fn packages(top: &Path, name: &str, count: usize, size: usize) -> Result<PathBuf, String> {
    std::fs::create_dir_all(top).map_err(|e| e.to_string())?;
    let mut spec = format!(
        "Name: {name}\nVersion: 1\nRelease: 1\nSummary: s\nLicense: MIT\nBuildArch: noarch\n\
         %description\nd\n%install\nmkdir -p %{{buildroot}}/opt/{name}\n\
         for i in $(seq 1 {count}); do head -c {size} /dev/urandom > %{{buildroot}}/opt/{name}/f$i; done\n"
    );
    for i in 1..=count {
        let _ = write!(
            spec,
            "%package -n {name}{i}\nSummary: number {i}\n%description -n {name}{i}\nd\n\
             %files -n {name}{i}\n/opt/{name}/f{i}\n"
        );
    }
    let file = top.join("all.spec");
    std::fs::write(&file, spec).map_err(|e| e.to_string())?;
    let define = format!("_topdir {}", top.display());
    must(
        Command::new("rpmbuild")
            .args(["-bb", "--quiet", "--define", &define])
            .args(["--define", "_binary_payload w1.gzdio"])
            .arg(&file),
    )?;
    let made = top.join("RPMS/noarch");
    must(Command::new("createrepo_c").arg("-q").arg(&made))?;
    Ok(made)
}
