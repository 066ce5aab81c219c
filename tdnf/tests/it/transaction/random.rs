//! Random transactions against real rpm, the machine's 4.18 here and others in `generations`: after each one
//! tree, database and what the scriptlets said are equal.
//!
//! Not generated, because it differs on purpose: transactions that fail before their commit point
//! (rpm stops half way, we undo), and named pipes (rpm 4.18 opens them and waits for a reader).

use std::fmt::Write;

use fastrand::Rng;
use rpm_pkg::dep::{DepGroup, Deps};

use super::*;

/// Names of packages.
const NAMES: usize = 14;
/// Versions of each.
const VERSIONS: usize = 3;
/// Transactions of one test.
const STEPS: usize = 50;
/// What all tests start from, unless `TDNF_TEST_SEED` says something else.
const SEED: u64 = 20_261_121;

/// From `TDNF_TEST_SEED`, or always the same; printed.
pub(super) fn seeded() -> Rng {
    let seed = seed();
    println!("TDNF_TEST_SEED={seed}");
    Rng::with_seed(seed)
}

/// Some of the numbers below `limit`, at least one and at most `most`, in any order.
pub(super) fn some_of(random: &mut Rng, limit: usize, most: usize) -> Vec<usize> {
    let mut all: Vec<usize> = (0..limit).collect();
    random.shuffle(&mut all);
    all.truncate(1 + random.usize(..most));
    all
}

fn seed() -> u64 {
    let seed = std::env::var("TDNF_TEST_SEED").ok();
    seed.and_then(|s| s.parse().ok()).unwrap_or(SEED)
}

fn name_of(number: usize) -> String {
    format!("r{number:02}")
}

/// Files of a package: some stay, change, come and go with the version, some are shared with
/// others, in every kind and with every trait.
fn contents(name: &str, version: usize, random: &mut Rng) -> (String, String) {
    let (own, etc) = (format!("opt/r/{name}"), format!("etc/{name}"));
    let stamp = 1_600_000_000 + version;
    let mut install = format!(
        "mkdir -p {own}/dir-{version}/deep {etc} opt/r/shared\n\
         echo same > {own}/same\necho {version} > {own}/changed\necho x > {own}/dir-{version}/deep/x\n\
         echo shared > opt/r/shared/file\ntouch -d @{stamp} opt/r/shared/file\n\
         echo common > opt/r/shared/conf\ntouch -d @{stamp} opt/r/shared/conf\n\
         ln -s target-{version} {own}/link\necho h > {own}/hard1\nln {own}/hard1 {own}/hard2\n\
         ln {own}/hard1 {own}/dir-{version}/hard3\necho ghost > {own}/ghost\n\
         echo s > {own}/suid\necho c > {own}/caps\necho doc > {own}/doc\necho o > {own}/owner\n"
    );
    let mut files = format!(
        "%dir /opt/r\n%dir %attr(0751,bin,users) /{own}\n/{own}/same\n/{own}/changed\n/{own}/link\n\
         /{own}/dir-{version}\n/{own}/hard1\n/{own}/hard2\n%ghost /{own}/ghost\n\
         %attr(4755,bin,users) /{own}/suid\n%caps(cap_net_raw=ep) /{own}/caps\n%doc /{own}/doc\n\
         %attr(0640,nobody-here,users) /{own}/owner\n%attr(2755,root,root) %dir /{etc}\n"
    );
    if random.usize(..2) == 0 {
        files.push_str("/opt/r/shared/file\n");
    }
    if random.usize(..3) == 0 {
        files.push_str("%config(noreplace) /opt/r/shared/conf\n");
    }
    for (conf, flags) in [
        ("plain", ["%config", "%config", ""]),
        (
            "kept",
            ["%config(noreplace)", "%config(noreplace)", "%config"],
        ),
        ("missing", ["%config(missingok,noreplace)"; 3]),
        ("late", ["", "%config(noreplace)", "%config"]),
    ] {
        // The second version has the configuration of the first.
        let content = version.max(2);
        writeln!(install, "echo {conf} {content} > {etc}/{conf}").unwrap();
        writeln!(files, "{} /{etc}/{conf}", flags[version - 1]).unwrap();
    }
    // A regular file or a link, by version.
    let odd = match version % 2 {
        0 => format!("echo file > {own}/odd\n"),
        _ => format!("ln -s changed {own}/odd\n"),
    };
    writeln!(files, "/{own}/odd").unwrap();
    (install + &odd, files)
}

/// What a package needs and replaces.
fn needs(number: usize, version: usize, random: &mut Rng) -> String {
    let mut text = String::new();
    for _ in 0..random.usize(..3) {
        let kinds = [
            "Requires",
            "Requires(pre)",
            "Requires(postun)",
            "Recommends",
            "Supplements",
        ];
        let other = name_of(random.usize(..NAMES));
        writeln!(text, "{}: {other}", kinds[random.usize(..kinds.len())]).unwrap();
    }
    // The last three names take over from one another.
    if number >= NAMES - 3 && version > 1 {
        let old = NAMES - 3 + (number + 1) % 3;
        writeln!(text, "Obsoletes: {} < {version}", name_of(old)).unwrap();
    }
    text
}

/// Adds scriptlets and triggers that say what they see; some fail where rpm only warns.
fn scripts(mut spec: Spec, name: &str, version: usize, random: &mut Rng) -> Spec {
    for script in ["pretrans", "pre", "post", "preun", "postun", "posttrans"] {
        if random.usize(..4) == 0 {
            continue;
        }
        let may_fail = matches!(script, "post" | "postun" | "posttrans");
        let end = if may_fail && random.usize(..6) == 0 {
            "exit 3"
        } else {
            ":"
        };
        let body = format!(
            "echo {name}-{version} {script} $# $1\n[ -e /opt/r/{name}/same ] && echo there\n{end}"
        );
        spec = spec.script(script, &body);
    }
    for kind in ["triggerprein", "triggerin", "triggerun", "triggerpostun"] {
        if random.usize(..3) == 0 {
            let mut other = name_of(random.usize(..NAMES));
            other.push_str(["", " > 1", " < 3"][random.usize(..3)]);
            let body = format!("echo {name}-{version} {kind} {other:?} $# $1 $2");
            spec = spec.script(&format!("{kind} -- {other}"), &body);
        }
    }
    for kind in ["filetriggerin", "filetriggerun", "filetriggerpostun"] {
        for kind in [kind.to_owned(), format!("trans{kind}")] {
            if random.usize(..8) == 0 {
                let on = name_of(random.usize(..NAMES));
                let on = [
                    format!("/opt/r/{on}"),
                    "/opt/r/shared".into(),
                    "/etc/r0".into(),
                ];
                let priority = [50, 2_000_000][random.usize(..2)];
                let kind_on = format!("{kind} -P {priority} -- {}", on[random.usize(..3)]);
                let body = format!(
                    "echo {name}-{version} {kind} $# $1\nwhile read file; do echo $file; done"
                );
                spec = spec.script(&kind_on, &body);
            }
        }
    }
    spec
}

/// All packages: `pool[name][version - 1]`. One spec for each version.
fn pool(random: &mut Rng) -> Vec<Vec<PathBuf>> {
    let mut pool = vec![Vec::new(); NAMES];
    for version in 1..=VERSIONS {
        let mut spec = Spec::new("pool", &version.to_string()).install("cd %{buildroot}");
        for number in 0..NAMES {
            let name = name_of(number);
            let (install, files) = contents(&name, version, random);
            let part = Spec::new(&name, &version.to_string())
                .lines(&needs(number, version, random))
                .install(&install);
            let part = scripts(part, &name, version, random);
            spec = spec.with(part.files(&files));
        }
        let mut built = spec.build_all();
        assert_eq!(built.len(), NAMES);
        built.sort();
        for (list, path) in pool.iter_mut().zip(built) {
            list.push(path);
        }
    }
    pool
}

/// Something an administrator does, the same on both roots.
fn meddle(pair: &Pair, random: &mut Rng) {
    let name = name_of(random.usize(..NAMES));
    let path = match random.usize(..8) {
        0 => "opt/r/shared/conf".to_owned(),
        1 => format!("opt/r/{name}/ghost"),
        2 => format!("opt/r/{name}/changed"),
        _ => format!(
            "etc/{name}/{}",
            ["plain", "kept", "missing", "late"][random.usize(..4)]
        ),
    };
    let edit = random.usize(..5);
    let content = [
        "edited\n".to_owned(),
        path.rsplit('/').next().unwrap().to_owned() + " 3\n",
    ];
    pair.each(|root| {
        let file = root.join(&path);
        if !file.parent().unwrap().is_dir() {
            return;
        }
        match edit {
            0 => drop(std::fs::remove_file(&file)),
            1 if file.exists() => {
                let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
                std::fs::set_permissions(&file, mode).unwrap();
            }
            2 => {
                drop(std::fs::remove_file(&file));
                std::os::unix::fs::symlink("elsewhere", &file).unwrap();
                let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(NOW);
                set_link_time(&file, time);
            }
            _ => {
                drop(std::fs::remove_file(&file));
                root.write(&path, &content[edit % 2]);
                let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(NOW);
                let file = File::options().write(true).open(file).unwrap();
                file.set_modified(time).unwrap();
            }
        }
    });
}

fn set_link_time(path: &Path, time: std::time::SystemTime) {
    let seconds = time
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let time = rustix::fs::Timespec {
        tv_sec: i64::try_from(seconds).unwrap(),
        tv_nsec: 0,
    };
    let times = rustix::fs::Timestamps {
        last_access: time,
        last_modification: time,
    };
    let flags = rustix::fs::AtFlags::SYMLINK_NOFOLLOW;
    rustix::fs::utimensat(rustix::fs::CWD, path, &times, flags).unwrap();
}

/// Names that are obsoleted by these packages.
fn obsoleted(paths: &[&PathBuf]) -> Vec<String> {
    let names = paths.iter().flat_map(|path| {
        let package = rpm_pkg::package::Package::open(File::open(path).unwrap()).unwrap();
        let names: Vec<String> = Deps::of(&package.header, DepGroup::Obsoletes)
            .map(|dep| dep.to_dep().name)
            .collect();
        names
    });
    names.collect()
}

/// The next transaction: packages to install in any version, or installed ones to erase.
fn next<'p>(
    random: &mut Rng,
    pair: &Pair,
    pool: &'p [Vec<PathBuf>],
    names: &'p [String],
) -> Vec<Ask<'p>> {
    let chosen = some_of(random, NAMES, 8);
    if random.usize(..3) == 0 {
        let db = open_db(pair.ours.path());
        let installed = chosen.into_iter().map(|i| &names[i]);
        let installed = installed.filter(|name| hnums(&db, name).next().is_some());
        return installed.map(|name| Ask::Erase(name)).collect();
    }
    let mut paths: Vec<(usize, &PathBuf)> = Vec::new();
    for i in chosen {
        paths.push((i, &pool[i][random.usize(..VERSIONS)]));
    }
    // rpm leaves out what another package of the same transaction obsoletes; the solver does so
    // before us.
    let gone = obsoleted(&paths.iter().map(|(_, path)| *path).collect::<Vec<_>>());
    paths.retain(|(i, _)| !gone.contains(&names[*i]));
    paths
        .into_iter()
        .map(|(_, path)| Ask::Upgrade(path))
        .collect()
}

fn told(asks: &[Ask<'_>]) -> String {
    let word = |ask: &Ask<'_>| match ask {
        Ask::Upgrade(path) | Ask::Install(path) => {
            format!(" {}", path.file_stem().unwrap().to_string_lossy())
        }
        Ask::Erase(name) => format!(" -{name}"),
    };
    asks.iter().map(word).collect()
}

/// Runs random transactions on two roots; `after` looks at them after each one.
pub(super) fn random_transactions(
    number: u64,
    steps: usize,
    pair: &Pair,
    after: &mut dyn FnMut(&Pair),
) {
    let seed = seed();
    println!("TDNF_TEST_SEED={seed}, run {number}");
    let pool = pool(&mut Rng::with_seed(seed));
    let mut random = Rng::with_seed(seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    pair.each(|root| {
        root.write(
            "etc/passwd",
            "root:x:0:0::/:/bin/sh\nbin:x:7:8::/:/bin/sh\n",
        );
        root.write("etc/group", "root:x:0:\nusers:x:100:\n");
    });
    let names: Vec<String> = (0..NAMES).map(name_of).collect();
    let mut done = 0;
    for step in 0.. {
        for _ in 0..random.usize(..4) {
            meddle(pair, &mut random);
        }
        let asks = next(&mut random, pair, &pool, &names);
        println!("run {number}, step {step}:{}", told(&asks));
        if !asks.is_empty() {
            pair.same(&asks);
            after(pair);
            done += 1;
        }
        if done == steps {
            break;
        }
    }
    verify_installed(pair);
}

/// Several tests, so that they run side by side: 350 transactions together.
macro_rules! runs {
    ($($name:ident $number:literal)*) => {
        $(
            #[test]
            fn $name() {
                if !unprivileged() {
                    random_transactions($number, STEPS, &Pair::new(), &mut |_| {});
                }
            }
        )*
    };
}

runs! { run_1 1 run_2 2 run_3 3 run_4 4 run_5 5 run_6 6 run_7 7 }

/// `rpm -Va` says the same about both roots.
fn verify_installed(pair: &Pair) {
    let said = |root: &Sandbox| Rpm::on_root(root.path()).run(&["-Va", "--nodeps"]).out;
    assert_eq!(said(&pair.ours), said(&pair.rpm));
}
