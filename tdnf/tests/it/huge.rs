//! docs/threats.md, row 106: a repository of more packages than any has.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use testkit::program::Run;

use crate::scene::Scene;
use crate::scene_repo::{Part, Published};

/// Packages of the scaled test; `TDNF_HUGE=500000` for the full one.
const SCALED: usize = 50_000;
/// Memory for the program itself and for each package, in bytes; whoever lists all of them has their lines besides. A
/// package of this repository has 1,200 in primary, which no run may hold as a whole.
const FIXED: u64 = 28 << 20;
const EACH: u64 = 512;
const EACH_LISTED: u64 = 1024;

fn count() -> usize {
    let asked = std::env::var("TDNF_HUGE").ok();
    asked.map_or(SCALED, |text| text.parse().expect("a number of packages"))
}

fn name(number: usize) -> String {
    format!("many{number:06}")
}

/// What a package needs: a tree, so that the last one needs few of all.
fn needs(number: usize) -> Option<usize> {
    (number > 0).then_some(number / 2)
}

fn record(out: &mut impl Write, number: usize) -> std::io::Result<()> {
    let (own, evr) = (name(number), "epoch=\"0\" ver=\"1\" rel=\"1\"");
    write!(
        out,
        "<package type=\"rpm\"><name>{own}</name><arch>noarch</arch><version {evr}/>\
         <checksum type=\"sha256\" pkgid=\"YES\">{number:064x}</checksum><summary>Package {number} of many</summary>\
         <description>This is package {number} of a repository that has more of them than any other one.\n\
         It is there to be listed, looked up and solved, and nobody will ever install it: there is no file.</description>\
         <packager>Tests</packager><url>https://tests.invalid/{own}</url>\
         <time file=\"1700000000\" build=\"1700000000\"/><size package=\"{size}\" installed=\"40000\" archive=\"41000\"/>\
         <location href=\"Packages/{own}-1-1.noarch.rpm\"/><format><rpm:license>MIT</rpm:license>\
         <rpm:vendor>Tests</rpm:vendor><rpm:group>Unspecified</rpm:group><rpm:buildhost>tests</rpm:buildhost>\
         <rpm:sourcerpm>{own}-1-1.src.rpm</rpm:sourcerpm><rpm:header-range start=\"4504\" end=\"9000\"/>\
         <rpm:provides><rpm:entry name=\"{own}\" flags=\"EQ\" {evr}/><rpm:entry name=\"thing({number:x})\"/></rpm:provides>",
        size = 10_000 + number % 1000,
    )?;
    if let Some(need) = needs(number) {
        let entry = "<rpm:requires><rpm:entry name=\"thing(";
        write!(out, "{entry}{need:x})\"/></rpm:requires>")?;
    }
    writeln!(out, "<file>/usr/bin/{own}</file></format></package>")
}

/// The packed primary metadata of so many packages.
fn primary(path: &Path, count: usize) -> Vec<u8> {
    let mut gzip = Command::new("gzip");
    gzip.arg("-n1")
        .stdin(Stdio::piped())
        .stdout(File::create(path).unwrap());
    let mut gzip = gzip.spawn().unwrap();
    let mut out = BufWriter::new(gzip.stdin.take().unwrap());
    writeln!(
        out,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<metadata xmlns=\"http://linux.duke.edu/metadata/common\" \
         xmlns:rpm=\"http://linux.duke.edu/metadata/rpm\" packages=\"{count}\">"
    )
    .unwrap();
    for number in 0..count {
        record(&mut out, number).unwrap();
    }
    writeln!(out, "</metadata>").unwrap();
    drop(out.into_inner().unwrap());
    assert!(gzip.wait().unwrap().success());
    fs::read(path).unwrap()
}

#[test]
fn row_106_a_repository_of_very_many_packages() {
    let (scene, count) = (Scene::new(), count());
    let dir = scene.www().join("main");
    fs::create_dir_all(dir.join("repodata")).unwrap();
    let primary = Part {
        kind: "primary".to_owned(),
        packed: Some(primary(&scene.path("primary.gz"), count)),
        open_untold: true,
        ..Part::default()
    };
    let published = Published {
        dir,
        revision: 1_700_000_000,
        parts: vec![primary],
        prolog: String::new(),
    };
    published.write(Some(&scene.key));
    scene.configure("main", "");
    let run = |words: &[&str], each: u64| -> Run {
        let run = scene.tdnf(words);
        let most = (FIXED + each * count as u64) / 1024;
        let peak = run.peak.unwrap();
        println!("{words:?}: {peak} KiB of {most}, {:?}", run.time);
        assert!(peak <= most, "{words:?}: {peak} KiB, not {most}");
        run
    };
    // Fetched, read and laid down as a catalog; then from the catalog.
    run(&["makecache"], EACH).ok();
    let last = name(count - 1);
    let tree = std::iter::successors(Some(count - 1), |number| needs(*number));
    let wanted: Vec<String> = tree.map(name).collect();
    let plan = run(&["-j", "--assumeno", "install", &last], EACH);
    let planned = wanted
        .iter()
        .filter(|name| plan.out.contains(&format!("\"{name}\"")));
    assert_eq!(planned.count(), wanted.len(), "{}", plan.text());
    let total = plan.out.matches("many").count();
    assert!(total <= 4 * wanted.len(), "{}", plan.text());
    run(&["provides", "thing(abc)"], EACH)
        .ok()
        .says(&[&name(0xabc)]);
    let listed = run(&["list", "available"], EACH_LISTED).ok();
    assert_eq!(listed.out.matches("many").count(), count);
}
