//! Buckets of two servers of the S3 protocol: one that everybody may read at its plain address, and one that wants signed requests.

use std::process::Command;

use testkit::program::ok;
use testkit::stores::Store;

use super::{Shop, writes};

const BUCKET: &str = "packages";

/// A bucket, and a mirror that publishes there.
struct Bucket {
    store: Store,
    shop: Shop,
}

impl Bucket {
    fn of(store: Store) -> Self {
        Self::behind(store, None)
    }

    /// Behind an nginx that answers 503 to what is more than `most` requests a second.
    fn behind(store: Store, most: Option<u32>) -> Self {
        store.bucket(BUCKET);
        let shop = Shop::behind(&format!("127.0.0.1:{}", store.port), most);
        let bucket = Self { store, shop };
        if bucket.is_public() {
            bucket.store.publish(BUCKET);
        }
        bucket.config(bucket.store.secret);
        bucket
    }

    fn is_public(&self) -> bool {
        self.store.kind == "radosgw"
    }

    /// The server as seen through the nginx.
    fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.shop.front.port)
    }

    /// The address of a path for plain HTTP.
    fn plain(&self, path: &str) -> String {
        format!("{}/{BUCKET}/photon/{path}", self.endpoint())
    }

    fn config(&self, secret: &str) {
        let (endpoint, id) = (self.endpoint(), self.store.key_id);
        let public = match self.is_public() {
            true => format!("public_url = {:?}", self.plain("").trim_end_matches('/')),
            false => String::new(),
        };
        self.shop.config(&format!(
            "url = \"s3://{BUCKET}/photon\"\ns3_endpoint = {endpoint:?}\nusername = {id:?}\npassword = {secret:?}\n{public}"
        ));
    }

    /// The lines of a `.repo` section: `key` is `baseurl` or `metalink`.
    fn lines(&self, key: &str, path: &str) -> String {
        if self.is_public() {
            return format!("{key}={}", self.plain(path));
        }
        let Store { key_id, secret, .. } = &self.store;
        let endpoint = self.endpoint();
        format!(
            "{key}=s3://{BUCKET}/photon/{path}\ns3_endpoint={endpoint}\nusername={key_id}\npassword={secret}"
        )
    }
}

fn each(test: impl Fn(Bucket)) {
    for store in Store::all() {
        println!("{}", store.kind);
        test(Bucket::of(store));
    }
}

#[test]
fn a_bucket_shows_what_the_mirror_shows_and_nothing_is_sent_twice() {
    each(|bucket| {
        let (shop, scene) = (&bucket.shop, &bucket.shop.scene);
        scene.sync();
        let first = writes(&shop.front.seen());
        // Packages; primary, filelists, other; the index of the snapshot and of what is current; the key and mirror.repo.
        assert_eq!(first.len(), 3 + 3 + 2 + 2, "{first:#?}");
        let rpm = first.iter().rposition(|line| line.ends_with(".rpm"));
        let primary = first.iter().position(|line| line.contains("primary"));
        assert!(rpm < primary, "{first:#?}");
        let index = format!("/{BUCKET}/photon/base/repodata/repomd.xml");
        assert!(first[7].ends_with(&index), "{first:#?}");

        // Nothing is new: nobody is asked.
        scene.run(&["sync"]).ends(3);
        assert_eq!(shop.front.seen(), []);

        // Signed packages, by tdnf with the keys of the bucket; by dnf from the plain address.
        let base = bucket.lines("baseurl", "base");
        if let Some(run) = shop.tdnf("one", &base, &["install", "alpha"]) {
            run.ends(0);
            assert_eq!(shop.versions("one"), ("1".to_owned(), "1".to_owned()));
        }
        if bucket.is_public() {
            let list = scene.dnf_list(&bucket.plain("base"));
            assert_eq!(list, ["alpha-1", "beta-1", "gamma-1"]);
        }

        // A promotion is one write.
        shop.front.seen();
        let promote = ["snapshot", "promote", "base", "--to", "prod"];
        scene.run(&promote).ends(0);
        let promoted = writes(&shop.front.seen());
        assert_eq!(promoted.len(), 1, "{promoted:?}");

        // Two new packages: they, the new metadata, the index twice.
        shop.renew("2");
        let run = scene.run(&["sync", "--json"]).ends(0);
        let second = writes(&shop.front.seen());
        assert_eq!(second.len(), 2 + 3 + 2, "{second:#?}");
        let target = &run.json()["repos"][0]["targets"][0];
        assert_eq!(target["objects"], 7, "{target}");
        if let Some(run) = shop.tdnf("two", &base, &["install", "alpha"]) {
            run.ends(0);
            assert_eq!(shop.versions("two").0, "2");
        }
        // The channel has what it had, and nobody complains.
        let prod = bucket.lines("metalink", "prod/base/metalink.xml");
        if let Some(run) = shop.tdnf("prod", &prod, &["install", "alpha"]) {
            let run = run.ends(0);
            assert_eq!(shop.versions("prod"), ("1".to_owned(), "1".to_owned()));
            assert!(!run.err.contains("warning"), "{}", run.err);
        }

        // Back is the index alone.
        shop.front.seen();
        scene.run(&["snapshot", "rollback", "base"]).ends(0);
        let back = writes(&shop.front.seen());
        assert_eq!(back.len(), 1, "{back:?}");
        if let Some(run) = shop.tdnf("back", &base, &["install", "alpha"]) {
            run.ends(0);
            assert_eq!(shop.versions("back").0, "1");
        }
    });
}

#[test]
fn a_kill_at_any_moment_shows_the_old_set_or_the_new_one_in_a_bucket() {
    each(|bucket| {
        bucket.shop.scene.sync();
        let base = bucket.lines("baseurl", "base");
        let last = bucket.shop.kill_while_clients_read(&base);
        if let Some(run) = bucket.shop.tdnf("last", &base, &["install", "alpha"]) {
            run.ends(0);
            assert_eq!(bucket.shop.versions("last").0, last.to_string());
        }
    });
}

#[test]
fn a_bucket_that_cannot_be_written_is_one_line_and_is_made_up_for() {
    each(|bucket| {
        let scene = &bucket.shop.scene;
        bucket.config("wrong-wrong-wrong-wrong-wrong-wrong-wron");
        let run = scene.run(&["sync"]).ends(4);
        let errors = run.err.lines().filter(|line| line.starts_with("Error"));
        let errors: Vec<&str> = errors.collect();
        assert_eq!(errors.len(), 1, "{}", run.err);
        assert!(errors[0].contains("target store: "), "{}", run.err);
        assert!(!run.err.contains("wrong-wrong"), "{}", run.err);
        let status = scene.run(&["status"]);
        assert!(status.out.contains("target store: "), "{}", status.out);
        let metric = "mirror_sync_target_up{repo=\"base\",target=\"store\"} 0";
        let metrics = std::fs::read_to_string(scene.public("metrics")).unwrap();
        assert!(metrics.contains(metric), "{metrics}");
        // Here it is published all the same.
        assert!(scene.public("base/repodata/repomd.xml").is_file());
        bucket.config(bucket.store.secret);
        // Something was sent: that is new.
        scene.run(&["sync"]).ends(0);
        let base = bucket.lines("baseurl", "base");
        if let Some(run) = bucket.shop.tdnf("late", &base, &["install", "alpha"]) {
            run.ends(0);
        }
    });
}

#[test]
fn what_no_snapshot_names_leaves_the_bucket() {
    each(|bucket| {
        let scene = &bucket.shop.scene;
        scene.sync();
        bucket.shop.renew("2");
        let few = [
            "--set",
            "mirror.keep_snapshots=1",
            "--set",
            "mirror.keep_for=0s",
            "--set",
            "mirror.grace=0s",
            "sync",
        ];
        scene.run(&few).ends(0);
        let seen = bucket.shop.front.seen();
        let removals = seen.iter().filter(|(method, path)| {
            method == "DELETE" || (method == "POST" && path.contains("delete"))
        });
        assert!(removals.count() > 0, "{seen:#?}");
        let base = bucket.lines("baseurl", "base");
        let list = ["repoquery", "--location"];
        if let Some(run) = bucket.shop.tdnf("list", &base, &list) {
            let run = run.ends(0);
            assert!(!run.out.contains("alpha-1"), "{}", run.out);
        }
        if bucket.is_public() {
            let code = |path: &str| {
                let words = ["-s", "-o", "/dev/null", "-w", "%{http_code}"];
                let mut curl = std::process::Command::new("curl");
                let out = curl.args(words).arg(bucket.plain(path)).output().unwrap();
                String::from_utf8(out.stdout).unwrap()
            };
            assert_eq!(code("base/Packages/alpha-2-1.noarch.rpm"), "200");
            assert_eq!(code("base/Packages/gamma-1-1.noarch.rpm"), "200");
            // Nobody is told what is not there.
            assert_ne!(code("base/Packages/alpha-1-1.noarch.rpm"), "200");
        }
    });
}

/// Where lists have no tags, a run that looks at all of it knows of older snapshots only that they are ours.
#[test]
fn what_expires_after_a_look_at_all_leaves_the_bucket() {
    let Some(store) = Store::s3s() else {
        return;
    };
    let bucket = Bucket::of(store);
    let few = "[mirror]\nkeep_snapshots = 2\nkeep_for = \"0s\"\ngrace = \"0s\"\n";
    bucket.shop.reconfigure(&[("[mirror]\n", few)]);
    let scene = &bucket.shop.scene;
    scene.sync();
    for _ in 0..3 {
        scene.run(&["sync", "--force"]).ends(0);
    }
    let there = bucket.store.file(BUCKET, "photon/snapshots/base");
    let indexes = || {
        let mut files = crate::scene::files_in(&there);
        files.retain(|name| name.ends_with("repomd.xml"));
        files.len()
    };
    // One of what is shown, one of the snapshot before it.
    assert_eq!(indexes(), 2);
    scene.run(&["clean"]).ends(0);
    assert_eq!(indexes(), 2);
}

#[test]
fn a_storm_of_503_costs_time_alone() {
    for store in Store::all() {
        let bucket = Bucket::behind(store, Some(4));
        let scene = &bucket.shop.scene;
        let run = scene.run(&["--set", "target.store.retries=10", "sync"]);
        assert!(run.ends(0).out.contains("base: published "));
        let refused = bucket.shop.front.refused();
        assert!(refused > 0, "nothing was refused");
        let base = bucket.lines("baseurl", "base");
        if let Some(run) = bucket.shop.tdnf("storm", &base, &["install", "alpha"]) {
            run.ends(0);
        }
    }
}

#[test]
fn a_full_bucket_is_one_line_and_is_made_up_for() {
    let Some(store) = Store::rados() else {
        return;
    };
    store.quota(30_000);
    let bucket = Bucket::of(store);
    let scene = &bucket.shop.scene;
    let run = scene.run(&["sync"]).ends(4);
    let errors = run.err.lines().filter(|line| line.starts_with("Error"));
    let errors: Vec<&str> = errors.collect();
    assert_eq!(errors.len(), 1, "{}", run.err);
    // Here it is published all the same.
    assert!(run.out.contains("base: published "), "{}", run.out);
    assert!(errors[0].contains("it is full"), "{}", run.err);
    bucket.store.quota(1 << 30);
    scene.run(&["sync"]).ends(0);
    let base = bucket.lines("baseurl", "base");
    if let Some(run) = bucket.shop.tdnf("room", &base, &["install", "alpha"]) {
        run.ends(0);
    }
}

/// A section that stands for several repositories may be named whole.
#[test]
fn a_target_takes_the_repositories_of_a_section() {
    let scene = crate::scene::Scene::new();
    let text = |names: &str| {
        format!(
            "[mirror]\npath = \"m\"\n[repo.up]\nbaseurl = \"http://h/$basearch\"\narches = [\"x86_64\", \"aarch64\"]\n\
             [target.store]\nurl = \"s3://b\"\nrepos = [{names:?}]\n"
        )
    };
    // 1: no mirror is there yet; 2: the configuration is refused.
    for (names, code) in [("up", 1), ("up-aarch64", 1), ("down", 2)] {
        scene.config_text(&text(names));
        let run = scene.run(&["snapshot", "list"]);
        assert_eq!(run.code, code, "{}", run.err);
    }
}

#[test]
fn another_public_address_reaches_what_names_it() {
    each(|bucket| {
        let (shop, scene) = (&bucket.shop, &bucket.shop.scene);
        scene.sync();
        let promote = ["snapshot", "promote", "base", "--to", "prod"];
        scene.run(&promote).ends(0);
        shop.front.seen();
        let public = "target.store.public_url=https://cdn.example.com/p";
        scene.run(&["--set", public, "sync"]).ends(0);
        let wrote = writes(&shop.front.seen());
        for page in ["prod/base/metalink.xml", "mirror.repo"] {
            let path = format!("PUT /{BUCKET}/photon/{page}");
            let is_it = |line: &&String| line.starts_with(&path);
            assert_eq!(wrote.iter().filter(is_it).count(), 1, "{wrote:#?}");
        }
        assert!(
            !wrote.iter().any(|line| line.contains(".rpm")),
            "{wrote:#?}"
        );
        // Once.
        scene.run(&["--set", public, "sync"]).ends(3);
        assert_eq!(shop.front.seen(), []);
    });
}

#[test]
fn a_write_whose_answer_was_lost_is_no_reason_to_stay_with_it_in_a_bucket() {
    each(|bucket| {
        let relay = bucket.shop.through_a_relay();
        let write = format!("PUT /{BUCKET}/photon/base/repodata/repomd.xml ");
        let lines = bucket.lines("baseurl", "base");
        bucket
            .shop
            .goes_back_after_a_lost_answer(&relay, &write, &lines);
    });
}

/// What stores without tags in their lists have is not known without a look at each object.
#[test]
fn another_mirror_at_the_same_bucket_is_told_of() {
    for store in Store::all()
        .into_iter()
        .filter(|store| store.kind == "radosgw")
    {
        Bucket::of(store).shop.tells_of_another_mirror();
    }
}

/// A package that upstream has built again under its name: what older snapshots have of it is kept beside.
#[test]
fn a_package_replaced_under_its_name_leaves_a_channel_whole() {
    each(|bucket| {
        let (shop, scene) = (&bucket.shop, &bucket.shop.scene);
        scene.sync();
        let promote = ["snapshot", "promote", "base", "--to", "prod"];
        scene.run(&promote).ends(0);
        shop.put("beta", "1", "Provides: again");
        scene.publish("base");
        scene.sync();
        let [prod, base] = [("metalink", "prod/base/metalink.xml"), ("baseurl", "base")]
            .map(|(key, path)| bucket.lines(key, path));
        for (root, lines, again) in [("prod", prod, false), ("base", base, true)] {
            if let Some(run) = shop.tdnf(root, &lines, &["install", "alpha"]) {
                run.ends(0);
                // As it was promoted, or as it is now.
                let found = shop.tdnf(root, &lines, &["provides", "again"]).unwrap();
                assert_eq!(found.out.contains("beta"), again, "{}", found.out);
            }
        }
    });
}

/// Bytes that somebody has put in the place of others, of the same size, where lists have no tags.
#[test]
fn force_looks_at_what_a_list_says_nothing_of() {
    let Some(store) = Store::s3s() else {
        return;
    };
    let bucket = Bucket::of(store);
    let scene = &bucket.shop.scene;
    scene.sync();
    let published = scene.published("base");
    let package = published.iter().find(|name| name.contains("alpha"));
    let key = format!("photon/base/{}", package.unwrap());
    let file = bucket.store.file(BUCKET, &key);
    let whole = std::fs::read(&file).unwrap();
    let mut other = whole.clone();
    other[whole.len() - 1] ^= 1;
    let other_file = scene.path("other");
    std::fs::write(&other_file, &other).unwrap();
    let user = format!("{}:{}", bucket.store.key_id, bucket.store.secret);
    ok(Command::new("curl")
        .args([
            "-sSf",
            "--aws-sigv4",
            "aws:amz:us-east-1:s3",
            "-H",
            "x-amz-content-sha256: UNSIGNED-PAYLOAD",
            "--user",
            &user,
            "-T",
        ])
        .arg(&other_file)
        .arg(format!("{}/{BUCKET}/{key}", bucket.store.endpoint)));
    assert!(std::fs::read(&file).unwrap() == other, "{key}");
    scene.run(&["sync", "--force"]).ends(0);
    assert!(std::fs::read(&file).unwrap() == whole, "{key}");
}
