//! The order of packages against real rpm, which prints its own with `-vv`.

use std::collections::HashMap;
use std::fmt::Write;

use fastrand::Rng;

use super::random::{seeded, some_of};
use super::*;

/// Packages of the pool.
const POOL: usize = 48;
/// Sets of packages that one run orders.
const SETS: usize = 40;

/// What the dependency generator of the pool finds in a file.
const GENERATOR: &str = "#!/bin/sh\nwhile read f; do grep -a \"^$1 \" \"$f\" | cut -c3-; done\n:\n";

/// Begins of ELF programs, for 32 and 64 bit.
const ELF: [(&str, &str); 2] = [
    (
        "e32",
        "\\177ELF\\001\\001\\001\\0\\0\\0\\0\\0\\0\\0\\0\\0\\002\\0\\003\\0\\001\\0\\0\\0",
    ),
    (
        "e64",
        "\\177ELF\\002\\001\\001\\0\\0\\0\\0\\0\\0\\0\\0\\0\\002\\0\\076\\0\\001\\0\\0\\0",
    ),
];

fn name(number: usize) -> String {
    format!("o{number:02}")
}

/// A dependency on something in the pool: name, version, file, soname, expression.
fn wish(random: &mut Rng) -> String {
    let [a, b, c] = [(); 3].map(|()| name(random.usize(..POOL)));
    match random.usize(..20) {
        0..9 => a,
        9 => format!("virtual{}", random.usize(..4)),
        10 | 11 => format!("/opt/o/{a}/file"),
        12 => format!("/srv/o/{a}/file"),
        13 => format!("{a} > 1"),
        14 => format!("{a} >= 1"),
        15 => format!("({a} and {b})"),
        16 => format!("({a} or {b} or {c})"),
        17 => format!("({a} with {b})"),
        18 => format!("({a} if {b} else {c})"),
        _ => format!("({a} and ({b} if {c}))"),
    }
}

const REQUIRES: [&str; 12] = [
    "Requires",
    "Requires",
    "Requires",
    "Requires(pre)",
    "Requires(post)",
    "Requires(preun)",
    "Requires(postun)",
    "Requires(pre,postun)",
    "Requires(pretrans)",
    "Requires(verify)",
    "Requires(meta)",
    "Requires(meta,pre)",
];
const WEAK: [&str; 5] = [
    "Recommends",
    "Suggests",
    "Supplements",
    "Enhances",
    "OrderWithRequires",
];

/// All packages of the pool, from one spec.
fn pool(random: &mut Rng) -> HashMap<String, PathBuf> {
    let mut spec = String::from(
        "%global __elf_requires /bin/sh %{_sourcedir}/generator R\n\
         %global __elf_provides /bin/sh %{_sourcedir}/generator P\n\
         %global __os_install_post %{nil}\n\
         Name: pool\nVersion: 1\nRelease: 1\nSummary: test\nLicense: MIT\n%description\ntest\n",
    );
    let mut install = String::from("%install\n");
    for name in (0..POOL).map(name) {
        write!(spec, "%package -n {name}\nSummary: test\n").unwrap();
        let elf: Vec<_> = ELF.iter().filter(|_| random.usize(..3) == 0).collect();
        if elf.is_empty() && random.usize(..2) == 0 {
            spec.push_str("BuildArch: noarch\n");
        }
        if random.usize(..4) == 0 {
            writeln!(spec, "Provides: virtual{}", random.usize(..4)).unwrap();
        }
        if random.usize(..6) == 0 {
            writeln!(spec, "Provides: so{}", random.usize(..3)).unwrap();
        }
        for _ in 0..random.usize(..4) {
            let wish = wish(random);
            let group = match random.usize(..4) {
                0 if !wish.contains('(') => WEAK[random.usize(..WEAK.len())],
                _ => REQUIRES[random.usize(..REQUIRES.len())],
            };
            writeln!(spec, "{group}: {wish}").unwrap();
        }
        write!(spec, "%description -n {name}\ntest\n").unwrap();
        write!(spec, "%files -n {name}\n/opt/o/{name}\n").unwrap();
        let dir = format!("%{{buildroot}}/opt/o/{name}");
        write!(install, "mkdir -p {dir}\necho {name} > {dir}/file\n").unwrap();
        for (kind, begin) in elf {
            let pad = "\\0".repeat(64);
            write!(install, "printf '{begin}{pad}\\n").unwrap();
            for so in 0..3 {
                for kind in ["R", "P"].iter().filter(|_| random.usize(..3) == 0) {
                    write!(install, "{kind} so{so}\\n").unwrap();
                }
            }
            write!(install, "' > {dir}/{kind}\nchmod 755 {dir}/{kind}\n").unwrap();
        }
    }
    spec.push_str(&install);
    let files = testkit::spec::build(&spec, &[("generator", GENERATOR.as_bytes())]);
    let named = |path: &PathBuf| {
        let file = path.file_name().unwrap().to_string_lossy();
        Some((file.split_once('-')?.0.to_owned(), path.clone()))
    };
    files.iter().filter_map(named).collect()
}

/// The order that rpm prints.
fn rpm_order(root: &Path, words: &[&str], packages: &[String]) -> Vec<String> {
    let mut words = words.to_vec();
    words.extend(["--nodeps", "-vv", "--nosignature", "--test"]);
    words.extend(packages.iter().map(String::as_str));
    let text = Rpm::on_root(root).run(&words).err;
    let (_, sorted) = text
        .split_once("tsorting packages")
        .unwrap_or_else(|| panic!("{text}"));
    let lines = sorted.lines().skip(1);
    let lines = lines.map_while(|line| line.split(['+', '-']).nth(1).filter(|_| line.len() > 20));
    let names: Vec<String> = lines.map(str::to_owned).collect();
    names.into_iter().take(packages.len()).collect()
}

fn names(nevras: &[String]) -> Vec<String> {
    let name = |nevra: &String| nevra.split('-').next().unwrap().to_owned();
    nevras.iter().map(name).collect()
}

/// Install and erase sets of packages with every kind of relation, loops among them.
#[test]
fn the_order_is_that_of_rpm() {
    if unprivileged() {
        return;
    }
    let mut random = seeded();
    let pool = pool(&mut random);
    assert_eq!(pool.len(), POOL);
    for set in 0..SETS {
        let most = if set % 4 == 0 { POOL } else { 10 };
        let chosen = some_of(&mut random, POOL, most);
        let chosen: Vec<String> = chosen.into_iter().map(name).collect();
        let root = Sandbox::empty();
        std::fs::create_dir_all(root.join("var/lib/rpm")).unwrap();
        std::fs::create_dir_all(root.join("opt")).unwrap();
        let paths: Vec<&Path> = chosen.iter().map(|name| pool[name].as_path()).collect();
        let files: Vec<String> = paths.iter().map(|p| p.display().to_string()).collect();
        let theirs = rpm_order(root.path(), &["-i"], &files);
        let asks: Vec<Ask<'_>> = paths.iter().map(|path| Ask::Install(path)).collect();
        let done = run(root.path(), &asks, &options(), &mut Transcript::default()).unwrap();
        assert_eq!(names(done.installed()), theirs, "install {chosen:?}");
        let mut gone = chosen.clone();
        random.shuffle(&mut gone);
        let theirs = rpm_order(root.path(), &["-e"], &gone);
        let asks: Vec<Ask<'_>> = gone.iter().map(|name| Ask::Erase(name)).collect();
        let done = run(root.path(), &asks, &options(), &mut Transcript::default()).unwrap();
        assert_eq!(names(done.erased()), theirs, "erase {gone:?}");
    }
}
