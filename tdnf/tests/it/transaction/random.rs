//! Random transactions against real rpm 4.18: after each one tree, database and what the
//! scriptlets said are equal.
//!
//! No difference is allowed. What is known to differ is not generated: transactions that fail
//! (rpm stops half way, we undo), and the time of a file that several new packages share: which
//! of them writes it depends on who owned it before (the times are equal).

use super::*;

const NAMES: [&str; 4] = ["ra", "rb", "rc", "rd"];
const VERSIONS: usize = 3;
/// How many transactions one run makes.
const STEPS: usize = 60;

/// xorshift: the same numbers for the same seed, everywhere.
pub(super) struct Random(u64);

impl Random {
    /// From `TDNF_TEST_SEED`, or always the same; printed.
    pub(super) fn seeded() -> Random {
        let seed = std::env::var("TDNF_TEST_SEED").ok();
        let seed = seed.and_then(|s| s.parse().ok()).unwrap_or(20_261_121);
        println!("TDNF_TEST_SEED={seed}");
        Random(seed)
    }

    /// Some of the numbers below `limit`, at least one and at most `most`, in any order.
    pub(super) fn some_of(&mut self, limit: usize, most: usize) -> Vec<usize> {
        let mut all: Vec<usize> = (0..limit).collect();
        self.shuffle(&mut all);
        all.truncate(1 + self.below(most));
        all
    }

    pub(super) fn shuffle<T>(&mut self, list: &mut [T]) {
        for i in (1..list.len()).rev() {
            list.swap(i, self.below(i + 1));
        }
    }

    pub(super) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % limit
    }
}

/// Version `version` of package `name`: files that stay, change, come and go; a file and a
/// directory shared with the others; scriptlets that say what they see.
fn package(name: &str, version: usize) -> PathBuf {
    let mut install = format!(
        "cd %{{buildroot}}\nmkdir -p opt/r/{name}/dir-{version}/deep etc/{name} opt/r/shared\n\
         echo same > opt/r/{name}/same\necho {version} > opt/r/{name}/changed\n\
         echo x > opt/r/{name}/dir-{version}/deep/x\necho shared > opt/r/shared/file\n\
         touch -d @1600000000 opt/r/shared/file\n\
         ln -s target-{version} opt/r/{name}/link\necho h > opt/r/{name}/hard1\n\
         ln opt/r/{name}/hard1 opt/r/{name}/hard2\n"
    );
    let mut files = format!(
        "%dir /opt/r\n/opt/r/{name}\n/opt/r/shared/file\n%attr(2755,root,root) %dir /etc/{name}\n"
    );
    for (conf, flags) in [
        ("plain", "%config"),
        ("kept", "%config(noreplace)"),
        ("missing", "%config(missingok,noreplace)"),
    ] {
        // The second version has the configuration of the first.
        let content = version.max(2);
        install.push_str(&format!("echo {conf} {content} > etc/{name}/{conf}\n"));
        files.push_str(&format!("{flags} /etc/{name}/{conf}\n"));
    }
    // A regular file or a link, by version.
    let odd = match version % 2 {
        0 => format!("echo file > opt/r/{name}/odd\n"),
        _ => format!("ln -s changed opt/r/{name}/odd\n"),
    };
    install.push_str(&odd);
    let mut rest = String::new();
    for script in ["pretrans", "pre", "post", "preun", "postun", "posttrans"] {
        rest.push_str(&format!(
            "%{script}\necho {name}-{version} {script} $1\n[ -e /opt/r/{name}/same ] && echo there\n:\n"
        ));
    }
    let needs = match name {
        "rc" => "Requires: ra\n",
        _ => "",
    };
    let rest = format!("{rest}%files\n{files}");
    build(name, &version.to_string(), needs, &install, &rest)
}

/// Something an administrator does, the same on both roots.
fn meddle(pair: &Pair, random: &mut Random) {
    let name = NAMES[random.below(NAMES.len())];
    let conf = ["plain", "kept", "missing"][random.below(3)];
    let path = format!("etc/{name}/{conf}");
    let edit = random.below(3);
    pair.each(|root| {
        let path = root.join(&path);
        if !path.exists() {
            return;
        }
        match edit {
            0 => std::fs::remove_file(path).unwrap(),
            // The content of a later version.
            1 => std::fs::write(path, format!("{conf} 3\n")).unwrap(),
            _ => std::fs::write(path, "edited\n").unwrap(),
        }
    });
    if edit > 0 {
        let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(NOW);
        pair.each(|root| {
            if let Ok(file) = File::options().write(true).open(root.join(&path)) {
                file.set_modified(time).unwrap();
            }
        });
    }
}

#[test]
fn random_transactions() {
    if unprivileged() {
        return;
    }
    let mut random = Random::seeded();
    let packages: Vec<Vec<PathBuf>> = NAMES
        .iter()
        .map(|name| (1..=VERSIONS).map(|v| package(name, v)).collect())
        .collect();
    let pair = Pair::new();
    let mut installed = [false; NAMES.len()];
    for step in 0..STEPS {
        for _ in 0..random.below(3) {
            meddle(&pair, &mut random);
        }
        let mut chosen: Vec<usize> = (0..NAMES.len()).filter(|_| random.below(2) == 0).collect();
        let erase = random.below(3) == 0;
        chosen.retain(|&i| !erase || installed[i]);
        let mut told = format!("step {step}:");
        let mut asks = Vec::new();
        for i in chosen {
            installed[i] = !erase;
            let version = random.below(VERSIONS);
            told.push_str(&format!(" {}{}", if erase { "-" } else { "+" }, NAMES[i]));
            if erase {
                asks.push(Ask::Erase(NAMES[i]));
            } else {
                told.push_str(&format!("-{}", version + 1));
                asks.push(Ask::Upgrade(&packages[i][version]));
            }
        }
        println!("{told}");
        if !asks.is_empty() {
            pair.same(&asks);
        }
    }
    verify_installed(&pair);
}

/// `rpm -Va` says the same about both roots.
fn verify_installed(pair: &Pair) {
    let said = |root: &Sandbox| {
        let mut command = Command::new("rpm");
        command.arg("--root").arg(root.path());
        command.args(["--dbpath", "/var/lib/rpm", "-Va", "--nodeps"]);
        command.args(["--define", "_db_backend sqlite"]);
        String::from_utf8_lossy(&command.output().unwrap().stdout).into_owned()
    };
    assert_eq!(said(&pair.ours), said(&pair.rpm));
}
