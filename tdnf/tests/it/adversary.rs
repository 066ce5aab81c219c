//! A hostile mirror: answers of every kind are replayed, exchanged, cut, stretched, held back, drawn from a seed. What
//! comes of it is the right content, or a clear error and an unchanged root; and nothing of it stays: the next run
//! with an honest server installs what is right.
//!
//! `TDNF_ADVERSARY=5000` tries so many instead of the usual 300, `TDNF_TEST_SEED=N` other ones.

use std::fs;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use fastrand::Rng;
use testkit::adversary::{Attack, Materials};
use testkit::fixtures::unprivileged;
use testkit::program::Run;
use testkit::tree;

use crate::scene::{Scene, package};
use crate::scene_repo::Published;
use crate::scene_rpm::RpmFile;

const USUAL: u64 = 300;
const SEED: u64 = 1;
/// Longest run, and the most memory of one in KiB.
const MOST_TIME: Duration = Duration::from_secs(60);
const MOST_MEMORY: u64 = 128 * 1024;

/// What is attacked.
const TARGETS: [&str; 8] = [
    "repodata/repomd.xml",
    "repodata/repomd.xml.asc",
    "repodata/primary.xml.gz",
    "repodata/filelists.xml.gz",
    "Packages/app-2.rpm",
    "Packages/lib-1.rpm",
    "metalink",
    "mirrorlist",
];

fn number(variable: &str, usual: u64) -> u64 {
    let set = std::env::var(variable).ok();
    set.and_then(|text| text.parse().ok()).unwrap_or(usual)
}

/// The packages of the two states, unsigned.
fn packages() -> &'static [RpmFile; 3] {
    static PACKAGES: OnceLock<[RpmFile; 3]> = OnceLock::new();
    PACKAGES.get_or_init(|| {
        [
            package("app", "1", "Requires: lib"),
            package("app", "2", "Requires: lib\nRequires: /usr/share/scene/lib"),
            package("lib", "1", ""),
        ]
    })
}

/// One attacked host.
struct Hunt {
    scene: Scene,
    attacks: Vec<(&'static str, Attack, bool)>,
    /// The metadata are signed, and a newer state has been seen.
    safe_from_replay: bool,
    told: String,
}

/// A metalink of `index` that names both servers' copies.
fn metalink(scene: &Scene, index: &[u8]) -> String {
    let digest = crate::scene_rpm::sha256(index);
    let url = |name: &str, preference: u32| {
        let url = scene.server.url(&format!("/{name}/repodata/repomd.xml"));
        format!("<url protocol=\"http\" type=\"http\" preference=\"{preference}\">{url}</url>")
    };
    format!(
        "<?xml version=\"1.0\"?><metalink version=\"3.0\" xmlns=\"http://www.metalinker.org/\"><files>\
         <file name=\"repomd.xml\"><size>{}</size><verification><hash type=\"sha256\">{digest}</hash></verification>\
         <resources>{}{}</resources></file></files></metalink>",
        index.len(),
        url("main", 100),
        url("good", 50)
    )
}

impl Hunt {
    fn new(seed: u64) -> Self {
        let mut random = Rng::with_seed(seed);
        let scene = Scene::new();
        let signed = packages()
            .each_ref()
            .map(|file| file.clone().signed(&scene.key));
        let [app_1, app_2, lib] = &signed;
        Published {
            revision: 1,
            ..scene.publish("old", &[app_1, lib])
        }
        .write(Some(&scene.key));
        let new = Published {
            revision: 2,
            ..scene.publish("main", &[app_2, lib])
        };
        new.write(Some(&scene.key));
        tree::copy(&new.dir, &scene.www().join("good"));
        let index = fs::read(new.dir.join("repodata/repomd.xml")).unwrap();
        fs::write(new.dir.join("metalink"), metalink(&scene, &index)).unwrap();
        let (main, good) = (scene.server.url("/main/"), scene.server.url("/good/"));
        fs::write(new.dir.join("mirrorlist"), format!("{main}\n{good}\n")).unwrap();
        let ways = [
            String::new(),
            format!("baseurl={main} {good}"),
            format!("baseurl=\nmetalink={main}metalink"),
            format!("baseurl=\nmirrorlist={main}mirrorlist"),
        ];
        let way = random.usize(..ways.len());
        let (is_signed, has_seen) = (random.u8(..4) > 0, random.bool());
        let check = if is_signed { "" } else { "\nrepo_gpgcheck=0" };
        let patience = "retries=1\ntimeout=2\nminrate=1000\nmetadata_max_age=never";
        scene.configure("main", &format!("{}\n{patience}{check}", ways[way]));
        if has_seen {
            scene.tdnf(&["makecache"]).ok();
        }
        let mut attacks = Vec::new();
        for _ in 0..random.usize(1..=3) {
            let target = match way {
                2 => TARGETS[random.usize(..7)],
                3 => TARGETS[[0, 1, 2, 3, 4, 5, 7][random.usize(..7)]],
                _ => TARGETS[random.usize(..6)],
            };
            attacks.push((target, Attack::draw(&mut random), random.u8(..3) > 0));
        }
        let told = format!(
            "TDNF_TEST_SEED={seed} TDNF_ADVERSARY=1: way {way}, signed {is_signed}, seen {has_seen}, {attacks:?}"
        );
        let hunt = Self {
            scene,
            attacks,
            safe_from_replay: is_signed && has_seen,
            told,
        };
        hunt.arm(&mut random);
        hunt
    }

    fn arm(&self, random: &mut Rng) {
        let www = self.scene.www();
        for &(target, attack, always) in &self.attacks {
            let path = format!("/main/{target}");
            let older = target.replace("app-2", "app-1");
            let other = TARGETS[random.usize(..4)];
            let of = Materials {
                honest: fs::read(www.join("main").join(target)).unwrap(),
                old: fs::read(www.join("old").join(&older)).ok(),
                old_url: self.scene.server.url(&format!("/old/{older}")),
                other: fs::read(www.join("main").join(other)).unwrap(),
                path: path.clone(),
            };
            let answer = attack.answer(&of, random);
            match always {
                true => self.scene.server.always(&path, answer),
                false => self.scene.server.next(&path, [answer]),
            }
        }
    }

    /// Packages that an attacked run may leave.
    fn allowed(&self) -> Vec<Vec<String>> {
        let set = |app: &str| vec![app.to_owned(), "first-1".to_owned(), "lib-1".to_owned()];
        let replayed = self.attacks.iter().any(|(_, attack, _)| attack.replays());
        match replayed && !self.safe_from_replay {
            // Nobody can tell whoever is asked for the first time, or does not sign, from an old mirror.
            true => vec![set("app-2"), set("app-1")],
            false => vec![set("app-2")],
        }
    }

    fn look(&self, run: &Run, installed: &[String]) -> Result<(), String> {
        let fault = |what: &str| Err(format!("{what}: {}\n{}", self.told, run.text()));
        let text = run.text();
        if run.code == -1 || text.contains("panicked") {
            return fault("killed, or a panic");
        }
        if run.time > MOST_TIME {
            return fault(&format!("took {:?}", run.time));
        }
        if run.peak.is_none_or(|peak| peak > MOST_MEMORY) {
            return fault(&format!("took {:?} KiB", run.peak));
        }
        if run.code == 0 {
            return match self.allowed().iter().any(|set| set == installed) {
                true => Ok(()),
                false => fault(&format!("left {installed:?}")),
            };
        }
        let named = ["main", "app", "lib"];
        let tells = |line: &str| named.iter().any(|name| line.contains(name));
        match run.err.lines().any(tells) && run.err.contains("Error(") {
            true => Ok(()),
            false => fault("no clear error"),
        }
    }

    fn end(&self) -> Result<bool, String> {
        let before = self.scene.state();
        let run = self.scene.install(&["app"]);
        let installed = self.scene.installed();
        self.look(&run, &installed)?;
        if run.code == 0 {
            let verified = self.scene.rpm().run(&["-V", "app", "lib"]);
            return match verified.success() {
                true => Ok(true),
                false => Err(format!("rpm -V: {}\n{verified:?}", self.told)),
            };
        }
        let changed = before
            .without_metadata()
            .differences(&self.scene.state().without_metadata());
        if !changed.is_empty() {
            return Err(format!(
                "changed: {changed:#?}: {}\n{}",
                self.told,
                run.text()
            ));
        }
        self.scene.server.behave();
        let again = self.scene.tdnf(&["--refresh", "-y", "install", "app"]);
        let installed = self.scene.installed();
        match again.code == 0 && installed == ["app-2", "first-1", "lib-1"] {
            true => Ok(false),
            false => Err(format!(
                "an honest server afterwards: {installed:?}: {}\n{}\n--- then\n{}",
                self.told,
                run.text(),
                again.text()
            )),
        }
    }
}

#[test]
fn row_124_a_hostile_mirror() {
    if unprivileged() {
        return;
    }
    let (first, count) = (
        number("TDNF_TEST_SEED", SEED),
        number("TDNF_ADVERSARY", USUAL),
    );
    println!("TDNF_TEST_SEED={first} TDNF_ADVERSARY={count}");
    packages();
    let next = AtomicU64::new(first);
    let results: Vec<Result<bool, String>> = thread::scope(|scope| {
        let work = || {
            let seeds = std::iter::from_fn(|| {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                (seed < first + count).then_some(seed)
            });
            seeds.map(|seed| Hunt::new(seed).end()).collect::<Vec<_>>()
        };
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(work)).collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect()
    });
    let wrong: Vec<&String> = results
        .iter()
        .filter_map(|one| one.as_ref().err())
        .collect();
    let installed = results.iter().filter(|one| **one == Ok(true)).count();
    println!(
        "{count} attacks: {installed} ended with the right content, {} refused",
        count as usize - installed - wrong.len()
    );
    assert!(
        wrong.is_empty(),
        "{} of {count}: {}",
        wrong.len(),
        wrong
            .iter()
            .map(|one| one.as_str())
            .collect::<Vec<_>>()
            .join("\n\n")
    );
    // Both ways out are really taken.
    assert!(count < 50 || (installed > 0 && installed < count as usize));
}
