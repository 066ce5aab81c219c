//! The upstream: two states of a repository, and one server that attacks.

use std::fs;
use std::path::{Path, PathBuf};

use fastrand::Rng;
use rpm_pkg::digest::{DigestAlgo, Hasher};
use tempfile::TempDir;
use testkit::adversary::{Attack, Materials};
use testkit::gpg::Gpg;
use testkit::program;
use testkit::rpm::createrepo;
use testkit::server::Server;
use testkit::tree;

use super::{Hunted, Outcome, Shown, behaved, shown};
use crate::scene::{Scene, VENDOR, package};

/// The index of a repository.
pub(super) const INDEX: &str = "repodata/repomd.xml";

/// Two states of a repository, signed. The new one keeps the files of the old one, as a mirror does: an older index
/// alone brings the older state back.
pub(super) struct Upstream {
    dir: TempDir,
    old: State,
    new: State,
}

/// What the clients of a state see.
struct State {
    dir: PathBuf,
    shown: Shown,
}

/// What a mirror saw before the attack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Before {
    Nothing,
    Old,
    New,
}

/// One attacked mirror.
pub(super) struct Hunt<'a> {
    pub(super) scene: Scene,
    /// Another server, which is always honest. Not every way leads there.
    good: Server,
    pub(super) before: Before,
    upstream: &'a Upstream,
    signed: bool,
    attacks: Vec<(String, Attack, bool)>,
    random: Rng,
    told: String,
}

impl Upstream {
    pub(super) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let vendor = Gpg::with_key(&dir.path().join("vendor"), VENDOR);
        fs::write(dir.path().join("vendor.asc"), vendor.public()).unwrap();
        let state = |name: &str, app: &str, revision: &str| {
            let at = dir.path().join(name);
            fs::create_dir_all(at.join("Packages")).unwrap();
            for (package_name, version) in [("app", app), ("lib", "1")] {
                let built = package(package_name, version, "");
                let to = at.join("Packages").join(built.file_name().unwrap());
                fs::copy(built, &to).unwrap();
                if package_name == "app" || name == "old" {
                    vendor.sign_package(VENDOR, &to);
                } else {
                    fs::copy(dir.path().join("old/Packages/lib-1-1.noarch.rpm"), &to).unwrap();
                }
            }
            let words = ["--no-database", "--general-compress-type=gz", "--revision"];
            createrepo(&at, &[&words[..], &[revision]].concat());
            let index = at.join("repodata/repomd.xml");
            vendor.ok(&["--detach-sign", "--armor", index.to_str().unwrap()]);
            let shown = shown(&at);
            State { dir: at, shown }
        };
        let (old, new) = (
            state("old", "1", "1700000000"),
            state("new", "2", "1700086400"),
        );
        for (name, bytes) in &old.shown {
            if !new.shown.contains_key(name) {
                fs::write(new.dir.join(name), bytes).unwrap();
            }
        }
        Self { dir, old, new }
    }

    /// Names of the new state, and then those of the old one alone.
    pub(super) fn names(&self) -> Vec<&str> {
        let (new, old) = (self.new.shown.keys(), self.old.shown.keys());
        let gone = old.filter(|name| !self.new.shown.contains_key(*name));
        new.chain(gone).map(String::as_str).collect()
    }

    /// The file of the new state.
    pub(super) fn now(&self, name: &str) -> Option<&[u8]> {
        self.new.shown.get(name).map(Vec::as_slice)
    }

    /// The file of the old state.
    pub(super) fn before(&self, name: &str) -> Option<&[u8]> {
        self.old.shown.get(name).map(Vec::as_slice)
    }

    /// What is attacked: the index, its signature, the parts and the packages.
    fn targets(&self) -> Vec<String> {
        let mut names: Vec<String> = self.new.shown.keys().cloned().collect();
        // Half of the attacks that are of any use go to these.
        names.extend(["repodata/repomd.xml", "repodata/repomd.xml.asc"].map(str::to_owned));
        names
    }

    /// The file of the old state that has the part of this one.
    fn older(&self, name: &str) -> String {
        let kind = |name: &str| name.rsplit_once('-').map(|(_, kind)| kind.to_owned());
        if name.starts_with("Packages/") {
            return name.replace("app-2", "app-1");
        }
        let mut names = self.old.shown.keys();
        let twin = names.find(|old| kind(old).is_some() && kind(old) == kind(name));
        twin.map_or(name, String::as_str).to_owned()
    }

    /// A mirror that hears lies, drawn from a seed.
    pub(super) fn attacked(&self, seed: u64, mode: &str) -> Hunt<'_> {
        let mut random = Rng::with_seed(seed);
        let scene = Scene::new();
        let before = [Before::Nothing, Before::Old, Before::New][random.usize(..3)];
        let signed = random.u8(..4) > 0;
        tree::copy(&self.old.dir, &scene.www().join("old"));
        let good = Server::start(&scene.path("good"));
        let way = random.usize(..4);
        let lines = format!("mode = {mode:?}\nrepo_gpgcheck = {signed}");
        self.configure(&scene, &good, way, &lines);
        let mut targets = self.targets();
        match way {
            2 => targets.push("metalink".to_owned()),
            3 => targets.push("mirrorlist".to_owned()),
            _ => {}
        }
        let attacks: Vec<_> = (0..random.usize(1..=3))
            .map(|_| {
                let target = targets[random.usize(..targets.len())].clone();
                (target, Attack::draw(&mut random), random.u8(..3) > 0)
            })
            .collect();
        let told = format!("way {way}, signed {signed}, before {before:?}, {attacks:?}");
        Hunt {
            scene,
            good,
            before,
            upstream: self,
            signed,
            attacks,
            random,
            told,
        }
    }

    /// The mirror's configuration, with one of four ways to upstream.
    fn configure(&self, scene: &Scene, good: &Server, way: usize, lines: &str) {
        let (main, good) = (scene.server.url("/main/"), good.url("/"));
        let ways = [
            format!("baseurl = {main:?}"),
            format!("baseurl = [{main:?}, {good:?}]"),
            format!("metalink = {:?}", format!("{main}metalink")),
            format!("mirrorlist = {:?}", format!("{main}mirrorlist")),
        ];
        scene.config_text(&format!(
            "[mirror]\npath = {:?}\ngrace = 0\ndeltas = 0\n[serve]\nproxy_expire = 0\n[repo.main]\n{}\ngpgkey = {:?}\ntimeout = 2\nretries = 1\n{lines}\n",
            scene.path("mirror"),
            ways[way],
            self.dir.path().join("vendor.asc"),
        ));
    }
}

/// A metalink of `index` that names both servers' copies.
fn metalink(urls: &[String; 2], index: &[u8]) -> String {
    let digest = Hasher::digest(DigestAlgo::Sha256, index).hex();
    let url = |url: &str, preference: u32| {
        format!(
            "<url protocol=\"http\" type=\"http\" preference=\"{preference}\">{url}repodata/repomd.xml</url>"
        )
    };
    format!(
        "<?xml version=\"1.0\"?><metalink version=\"3.0\" xmlns=\"http://www.metalinker.org/\"><files>\
         <file name=\"repomd.xml\"><size>{}</size><verification><hash type=\"sha256\">{digest}</hash></verification>\
         <resources>{}{}</resources></file></files></metalink>",
        index.len(),
        url(&urls[0], 100),
        url(&urls[1], 50)
    )
}

impl Hunt<'_> {
    fn main(&self) -> PathBuf {
        self.scene.www().join("main")
    }

    /// Upstream is at this state and honest.
    pub(super) fn publish(&self, state: Before) {
        self.scene.server.behave();
        let (main, good) = (self.main(), self.scene.path("good"));
        let state = match state {
            Before::Old => &self.upstream.old,
            _ => &self.upstream.new,
        };
        for at in [&main, &good] {
            let _ = fs::remove_dir_all(at);
            tree::copy(&state.dir, at);
        }
        let index = &state.shown["repodata/repomd.xml"];
        let urls = [self.scene.server.url("/main/"), self.good.url("/")];
        fs::write(main.join("metalink"), metalink(&urls, index)).unwrap();
        fs::write(main.join("mirrorlist"), urls.join("\n")).unwrap();
    }

    /// Upstream has the new state and lies.
    pub(super) fn attack(&mut self) {
        self.publish(Before::New);
        let main = self.main();
        let read = |name: &str| fs::read(main.join(name)).unwrap();
        let targets = self.upstream.targets();
        for (target, attack, always) in self.attacks.clone() {
            let path = format!("/main/{target}");
            let older = self.upstream.older(&target);
            let of = Materials {
                honest: read(&target),
                old: self.upstream.old.shown.get(&older).cloned(),
                old_url: self.scene.server.url(&format!("/old/{older}")),
                other: read(&targets[self.random.usize(..targets.len())]),
                path: path.clone(),
            };
            let answer = attack.answer(&of, &mut self.random);
            match always {
                true => self.scene.server.always(&path, answer),
                false => self.scene.server.next(&path, [answer]),
            }
        }
    }

    pub(super) fn fault(&self, what: &str) -> String {
        format!("{what}: {}", self.told)
    }

    /// Whether `bytes` may be shown under this name: the new state's, or the old one's.
    pub(super) fn honest(&self, name: &str, bytes: &[u8]) -> bool {
        let states = [&self.upstream.new, &self.upstream.old];
        let mut has = states.iter().map(|state| state.shown.get(name));
        has.any(|found| {
            found.is_some_and(|found| found == bytes || self.nobody_can_tell(name, found, bytes))
        })
    }

    /// One bit of an index that is not signed was changed on the way, and what it says is still possible.
    fn nobody_can_tell(&self, name: &str, honest: &[u8], bytes: &[u8]) -> bool {
        let flipped = |(target, attack, _): &(String, Attack, bool)| {
            target == INDEX && *attack == Attack::Flip
        };
        let bits = |(one, other): (&u8, &u8)| (one ^ other).count_ones();
        name.ends_with(INDEX)
            && !self.signed
            && self.attacks.iter().any(flipped)
            && honest.len() == bytes.len()
            && honest.iter().zip(bytes).map(bits).sum::<u32>() == 1
    }

    /// Whether upstream may have looked as if it had the old state.
    pub(super) fn replayed(&self) -> bool {
        self.attacks.iter().any(|(_, attack, _)| attack.replays())
    }

    /// Whether upstream may have looked as if it had nothing new.
    fn still(&self) -> bool {
        let mut attacks = self.attacks.iter();
        self.replayed() || attacks.any(|(_, attack, _)| *attack == Attack::Unmodified)
    }
}

impl Hunt<'_> {
    /// Whether a published tree is a state, but for the signature of the index where nobody asks for it.
    fn is(&self, tree: &Shown, state: &State) -> bool {
        let missing = |name: &&String| !tree.contains_key(*name);
        let missing: Vec<&String> = state.shown.keys().filter(missing).collect();
        let same = |(name, bytes): (&String, &Vec<u8>)| {
            let found = state.shown.get(name);
            found.is_some_and(|found| found == bytes || self.nobody_can_tell(name, found, bytes))
        };
        tree.iter().all(same) && missing.iter().all(|name| name.ends_with(".asc"))
    }
}

impl Upstream {
    /// `sync`.
    pub(super) fn sync(&self, seed: u64) -> Hunted {
        let mut hunt = self.attacked(seed, "mirror");
        if hunt.before != Before::Nothing {
            hunt.publish(hunt.before);
            hunt.scene.sync();
        }
        let dir = hunt.scene.public("main");
        let before = shown(&dir);
        hunt.attack();
        let is_new = |tree: &Shown| hunt.is(tree, &self.new);
        let run = program::measured(&hunt.scene.command(&["sync"]));
        let fault = |what: &str| Err(hunt.fault(&format!("{what}: {}", run.text())));
        if let Err(what) = behaved(&run) {
            return fault(&what);
        }
        let after = shown(&dir);
        let outcome = match run.code {
            0 if is_new(&after) => Outcome::Right,
            // Nobody can tell whoever is asked for the first time from an old mirror.
            0 if hunt.before == Before::Nothing
                && hunt.replayed()
                && hunt.is(&after, &self.old) =>
            {
                Outcome::Right
            }
            0 => return fault(&format!("published {:?}", after.keys())),
            3 if hunt.before == Before::New && after == before => Outcome::Right,
            3 if hunt.before == Before::Old && hunt.still() && after == before => Outcome::Refused,
            1 | 4 if after != before => return fault("changed what is published"),
            1 | 4 if run.err.lines().any(|line| line.contains("main")) => Outcome::Refused,
            _ => return fault(&format!("exit code {}", run.code)),
        };
        hunt.scene.server.behave();
        let again = hunt.scene.run(&["sync"]);
        match [0, 3].contains(&again.code) && is_new(&shown(&dir)) {
            true => Ok(outcome),
            false => fault(&format!(
                "an honest upstream afterwards: {}\n--- before",
                again.text()
            )),
        }
    }
}

/// Names and contents of the files in a store that are no file of any state.
pub(super) fn strange(store: &Path, hunt: &Hunt<'_>) -> Vec<String> {
    let states = [&hunt.upstream.old, &hunt.upstream.new];
    let known = |bytes: &Vec<u8>| {
        let mut all = states.iter().flat_map(|state| &state.shown);
        all.any(|(name, found)| found == bytes || hunt.nobody_can_tell(name, found, bytes))
    };
    let files = shown(store).into_iter();
    let strange = files.filter(|(name, bytes)| {
        let named = name.ends_with(&Hasher::digest(DigestAlgo::Sha256, bytes.as_slice()).hex());
        !(name.starts_with('.') || named && known(bytes))
    });
    strange.map(|(name, _)| name).collect()
}
