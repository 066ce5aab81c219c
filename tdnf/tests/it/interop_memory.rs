//! The five programs inside a memory limit of 128 MB, with a large repository enabled.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use testkit::program::ok;

use testkit::fixtures;

use crate::interop_lab::{FIVE, Nginx, Site, recipe, unprivileged};
use testkit::stage::open_section;

const LIMIT: u64 = 128 << 20;
/// Packages of the generated repository.
const GENERATED: usize = 20_000;

/// A memory cgroup of either version; removed when dropped.
struct Cage {
    dir: PathBuf,
    limit: &'static str,
    peak: &'static str,
}

impl Cage {
    /// None where the machine does not permit it.
    fn new() -> Option<Cage> {
        let name = format!("tdnf-test-{}", std::process::id());
        let (parent, limit, peak) = if Path::new("/sys/fs/cgroup/memory").is_dir() {
            (
                "/sys/fs/cgroup/memory",
                "memory.limit_in_bytes",
                "memory.max_usage_in_bytes",
            )
        } else {
            ("/sys/fs/cgroup", "memory.max", "memory.peak")
        };
        let dir = Path::new(parent).join(name);
        let cage = Cage { dir, limit, peak };
        let made = fs::create_dir(&cage.dir)
            .and_then(|()| fs::write(cage.dir.join(cage.limit), LIMIT.to_string()));
        if let Err(error) = made {
            fixtures::skipped(&format!("no memory cgroup: {error}"));
            return None;
        }
        // Without swap the limit means memory; not every kernel counts swap.
        for (name, value) in [
            ("memory.swap.max", 0),
            ("memory.memsw.limit_in_bytes", LIMIT),
        ] {
            let _ = fs::write(cage.dir.join(name), value.to_string());
        }
        Some(cage)
    }

    /// Runs a command inside; answers its output when it succeeds.
    fn run(&self, command: &Command) -> String {
        let mut inside = Command::new("sh");
        inside.args(["-c", "echo $$ > \"$0\" && exec \"$@\""]);
        inside
            .arg(self.dir.join("cgroup.procs"))
            .arg(command.get_program());
        ok(inside.args(command.get_args()).env("LC_ALL", "C.UTF-8"))
    }

    fn peak(&self) -> String {
        let text = fs::read_to_string(self.dir.join(self.peak)).unwrap_or_default();
        let bytes: u64 = text.trim().parse().unwrap_or(0);
        format!("{} MB with page cache", bytes >> 20)
    }
}

impl Drop for Cage {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.dir);
    }
}

/// The folder of a large repository: `TDNF_BIG_REPO`, the cached one, or one made here.
fn large() -> PathBuf {
    let home = std::env::var_os("HOME").unwrap_or_default();
    let cached = Path::new(&home).join(".cache/tdnf-dev/big");
    let named = std::env::var_os("TDNF_BIG_REPO").map(PathBuf::from);
    [named, Some(cached)]
        .into_iter()
        .flatten()
        .find(|dir| dir.join("repodata/repomd.xml").is_file())
        .unwrap_or_else(generated)
}

fn generated() -> PathBuf {
    let dir = fixtures::cache_dir().join(format!("large-{GENERATED}"));
    if !dir.join("repodata/repomd.xml").is_file() {
        let work = tempfile::tempdir_in(fixtures::cache_dir()).unwrap();
        write_repository(&work.path().join("repodata"));
        // Another test process may have been faster; its result is as good.
        let _ = fs::rename(work.path(), &dir);
    }
    dir
}

fn write_repository(dir: &Path) {
    fs::create_dir_all(dir).unwrap();
    let mut xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<metadata xmlns=\"http://linux.duke.edu/metadata/common\" \
         xmlns:rpm=\"http://linux.duke.edu/metadata/rpm\" packages=\"{GENERATED}\">\n"
    );
    for number in 0..GENERATED {
        put_package(&mut xml, number);
    }
    xml.push_str("</metadata>\n");
    fs::write(dir.join("primary.xml"), &xml).unwrap();
    let digest = ok(Command::new("sha256sum").arg(dir.join("primary.xml")));
    let digest = digest.split(' ').next().unwrap();
    let repomd = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<repomd xmlns=\"http://linux.duke.edu/metadata/repo\">\n\
         <revision>1</revision>\n<data type=\"primary\"><checksum type=\"sha256\">{digest}</checksum>\
         <location href=\"repodata/primary.xml\"/><timestamp>1</timestamp><size>{}</size></data>\n</repomd>\n",
        xml.len()
    );
    fs::write(dir.join("repomd.xml"), repomd).unwrap();
}

fn put_package(xml: &mut String, number: usize) {
    let name = format!("generated-{number}");
    let needs = number / 2;
    let _ = writeln!(
        xml,
        "<package type=\"rpm\"><name>{name}</name><arch>noarch</arch><version epoch=\"0\" ver=\"1.{number}\" rel=\"1\"/>\
         <checksum type=\"sha256\" pkgid=\"YES\">{number:064x}</checksum><summary>Generated package number {number}</summary>\
         <description>A package that is here to be one of many: {name} says nothing, does nothing and needs half a \
         thought.</description><packager>nobody</packager><url>https://example.invalid/{name}</url>\
         <time file=\"1\" build=\"1\"/><size package=\"1000\" installed=\"2000\" archive=\"2200\"/>\
         <location href=\"Packages/{name}-1.{number}-1.noarch.rpm\"/><format><rpm:license>MIT</rpm:license>\
         <rpm:provides><rpm:entry name=\"{name}\" flags=\"EQ\" epoch=\"0\" ver=\"1.{number}\" rel=\"1\"/>\
         <rpm:entry name=\"lib{name}.so.1()(64bit)\"/></rpm:provides><rpm:requires>\
         <rpm:entry name=\"generated-{needs}\"/><rpm:entry name=\"/usr/bin/generated-{needs}\"/></rpm:requires>\
         <file>/usr/bin/{name}</file><file>/etc/{name}.conf</file></format></package>"
    );
}

/// The packages of the large repository that ours would take along (their `Supplements`): their
/// files do not exist.
fn supplements(site: &Site) -> String {
    let mut names = vec!["none".to_owned()];
    loop {
        let unwanted = names.join(",");
        let words = [
            &["-j", "--assumeno", "install", "--exclude", &unwanted],
            &FIVE[..],
        ]
        .concat();
        let plan: serde_json::Value = serde_json::from_str(&site.ok(&words)).unwrap();
        let rows = plan["Install"].as_array().unwrap();
        let large = rows.iter().filter(|row| row["Repo"] == "large");
        let known = names.len();
        names.extend(large.map(|row| row["Name"].as_str().unwrap().to_owned()));
        if names.len() == known {
            return unwanted;
        }
    }
}

fn five_within(large: &Path) {
    let Some(cage) = Cage::new() else {
        return;
    };
    let nginx = Nginx::start(&recipe());
    // Debian's own names are in it, too, without package files: ours come first.
    let large = open_section("large", large) + "priority=90\n";
    let sections = format!("{}\n{large}", nginx.repo_file());
    let site = Site::new(&sections);
    let unwanted = supplements(&site);
    let mut words = [&["install", "-y"], &FIVE[..]].concat();
    words.extend(["--exclude", unwanted.as_str()]);
    // What the questions above have cached is gone.
    fs::remove_dir_all(site.root.join("var/cache")).unwrap();
    cage.run(&site.command(&words));
    println!("cold, five installed: {}", cage.peak());
    site.root.chroot(&["tar", "--version"]);
    let listed = cage.run(&site.command(&["list", "libc6"]));
    assert!(listed.contains("libc6"), "{listed}");
    site.rpm().verify();
}

#[test]
fn five_programs_in_128_mb() {
    if !unprivileged() {
        five_within(&large());
    }
}
