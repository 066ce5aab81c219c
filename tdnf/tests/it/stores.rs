//! Repositories in buckets of real object stores.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use repo_client::{Access, Bucket, Client, ClientOptions, PutOptions, S3Environment, Upload};
use testkit::program::{self, Run};
use testkit::stores::Store;

use crate::interop_lab::{FIVE, Site, recipe, repo_section, small, unprivileged};

/// Files below a folder.
fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).unwrap().flatten();
    let each = entries.map(|entry| entry.path());
    each.flat_map(|path| match path.is_dir() {
        true => files(&path),
        false => vec![path],
    })
    .collect()
}

/// Puts a folder below a prefix of a bucket.
fn put(store: &Store, folder: &Path, url: &str) {
    let variables = store.variables();
    let value = |name: &str| {
        let found = variables.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| (*value).to_owned())
    };
    let client = Client::new(ClientOptions {
        s3: S3Environment::of(&value, None),
        clock: Some(testkit::now),
        ..ClientOptions::default()
    });
    let access = Access::default();
    let bucket = Bucket::open(&client, &access, url).unwrap();
    let upload = |path: PathBuf| Upload {
        key: path.strip_prefix(folder).unwrap().display().to_string(),
        size: path.metadata().unwrap().len(),
        path,
        sha256: None,
        how: PutOptions::default(),
    };
    let uploads: Vec<Upload> = files(folder).into_iter().map(upload).collect();
    let done = bucket.put_files(&uploads, 8, &mut |_, done| done.map(|_| ()));
    done.unwrap();
}

fn run(site: &Site, variables: &[(&str, &str)], words: &[&str]) -> Run {
    // Files that somebody has named: what an image brings gets no key of this user.
    let of_host = format!(
        "--setopt=reposdir={}",
        site.root.join("etc/yum.repos.d").display()
    );
    let mut command = site.command(&[&[of_host.as_str()], words].concat());
    program::run(command.envs(variables.iter().copied()))
}

/// Row 146: the sections of an image are not signed for with the key of the user.
#[test]
fn row_146_an_image_gets_no_key_of_the_user() {
    let dir = tempfile::tempdir().unwrap();
    let server = testkit::server::Server::start(dir.path());
    let endpoint = server.url("");
    let variables = [
        ("AWS_ENDPOINT_URL", endpoint.as_str()),
        ("AWS_ACCESS_KEY_ID", "USERSKEY"),
        ("AWS_SECRET_ACCESS_KEY", "s3cret"),
        ("AWS_SESSION_TOKEN", "t0ken"),
    ];
    let site = Site::new("[r]\nname=r\nbaseurl=s3://photon/x\nenabled=1\nretries=0\n");
    let mut command = site.command(&["makecache"]);
    let ran = program::run(command.envs(variables)).failed();
    assert!(
        ran.err.contains("access key for object stores is not used"),
        "{ran:?}"
    );
    let told = format!("{:?}", server.seen());
    assert!(told.contains("/photon/x/repodata/repomd.xml"), "{told}");
    assert!(
        !told.contains("USERSKEY") && !told.contains("t0ken"),
        "{told}"
    );
    let ran = run(&site, &variables, &["makecache"]).failed();
    assert!(!ran.err.contains("is not used"), "{ran:?}");
    assert!(format!("{:?}", server.seen()).contains("USERSKEY"));
}

/// The five with all that they need, signatures of packages and metadata checked.
#[test]
fn the_five_come_from_a_bucket() {
    if unprivileged() {
        return;
    }
    for store in Store::all() {
        store.bucket("photon");
        put(&store, &recipe(), "s3://photon/site/recipe");
        let url = "s3://photon/site/recipe";
        let site = Site::new(&repo_section("recipe", url, &recipe()));
        let words = [&["install", "-y"], &FIVE[..]].concat();
        run(&site, &store.variables(), &words).ok();
        let all = site.rpm().all();
        let is_there = |name: &&str| all.iter().any(|one| one.starts_with(&format!("{name}-")));
        assert!(FIVE.iter().all(is_there), "{all:?}");
        site.rpm().verify();
        // Nothing has changed since.
        let again = run(&site, &store.variables(), &["--refresh", "makecache"]).ok();
        assert!(!again.text().contains(store.secret), "{again:?}");
    }
}

/// Lists and metalinks in buckets and with buckets in them; keys of the section, of a file, and none.
#[test]
fn every_way_to_name_a_bucket_and_its_key() {
    let Some(store) = Store::rados() else { return };
    let folder = small().join("repo");
    for bucket in ["private", "public"] {
        store.bucket(bucket);
        put(&store, &folder, &format!("s3://{bucket}/a b+c/"));
    }
    store.publish("public");
    let url = "s3://private/a%20b+c";
    let lists = tempfile::tempdir().unwrap();
    let sum = testkit::program::ok(
        std::process::Command::new("sha256sum").arg(folder.join("repodata/repomd.xml")),
    );
    let metalink = format!(
        "<metalink version=\"3.0\" xmlns=\"http://www.metalinker.org/\"><files><file name=\"repomd.xml\">\
         <verification><hash type=\"sha256\">{}</hash></verification><resources>\
         <url protocol=\"s3\" preference=\"100\">{url}/repodata/repomd.xml</url>\
         </resources></file></files></metalink>",
        sum.split(' ').next().unwrap()
    );
    fs::write(lists.path().join("metalink"), metalink).unwrap();
    fs::write(lists.path().join("mirrors"), format!("# us\n{url}\n")).unwrap();
    put(&store, lists.path(), "s3://private/lists");

    let section = repo_section("r", url, &folder);
    let own = format!(
        "s3_endpoint={}\nusername={}\npassword={}\n",
        store.endpoint, store.key_id, store.secret
    );
    let file = lists.path().join("credentials");
    fs::write(
        &file,
        format!(
            "[site]\naws_access_key_id = {}\naws_secret_access_key = {}\n",
            store.key_id, store.secret
        ),
    )
    .unwrap();
    let by_list = section
        .replace("baseurl=", "#")
        .replace("gpgkey", "mirrorlist=s3://private/lists/mirrors\ngpgkey");
    let by_link = section
        .replace("baseurl=", "#")
        .replace("gpgkey", "metalink=s3://private/lists/metalink\ngpgkey");
    let by_file = [
        ("AWS_ENDPOINT_URL_S3", store.endpoint.as_str()),
        ("AWS_SHARED_CREDENTIALS_FILE", file.to_str().unwrap()),
        ("AWS_PROFILE", "site"),
    ];
    let nobody = [("AWS_ENDPOINT_URL_S3", store.endpoint.as_str())];
    let all = store.variables();
    for (text, variables) in [
        (section.clone(), &all[..]),
        (by_list, &all),
        (by_link, &all),
        (
            format!("{section}{own}s3_region=default\ns3_style=path\n"),
            &[],
        ),
        (section.clone(), &by_file),
        (section.replace("private", "public"), &nobody),
    ] {
        let site = Site::new(&text);
        run(&site, variables, &["makecache"]).ok();
        let listed = run(&site, variables, &["list", "available"]).ok();
        assert!(listed.out.lines().count() > 2, "{text}{listed:?}");
    }
    // A package is named by its URL.
    let site = Site::new(&section);
    let package = files(&folder);
    let package = package
        .iter()
        .find(|path| path.extension().is_some_and(|end| end == "rpm"));
    let below = package.unwrap().strip_prefix(&folder).unwrap().display();
    let url = repo_client::join_url(url, &below.to_string()).unwrap();
    let ran = run(&site, &all, &["install", "--assumeno", &url]);
    assert!(ran.out.contains("Installing:"), "{ran:?}");
}

/// Each fault is one line that names bucket and server; no key is ever told.
#[test]
fn faults_of_buckets_are_one_line_without_a_key() {
    for store in Store::all() {
        store.bucket("photon");
        let place = format!("at 127.0.0.1:{}", store.port);
        let folder = small().join("repo");
        let section = |url: &str, id: &str, secret: &str| {
            format!(
                "{}s3_endpoint={}\nretries=1\nusername={id}\npassword={secret}\n",
                repo_section("r", url, &folder),
                store.endpoint
            )
        };
        let (id, secret) = (store.key_id, store.secret);
        for (text, words) in [
            (
                section("s3://photon/none", id, "wrongsecret"),
                "the secret key is not the one of the access key id",
            ),
            // s3s-fs says nothing of the bucket.
            (
                section("s3://absent/none", id, secret),
                match store.kind {
                    "radosgw" => "there is no such bucket: check the URL",
                    _ => "404",
                },
            ),
            (section("s3://photon/none", id, secret), "404"),
            (
                section("s3://pho_ton:80/x", id, secret),
                "s3://BUCKET/PREFIX is expected",
            ),
            (
                section("s3://photon/x", id, secret)
                    .replace("s3_endpoint=http:", "s3_endpoint=ftp:"),
                "http://SERVER or https://SERVER is expected",
            ),
        ] {
            let site = Site::new(&text);
            let mut command = site.command(&["-v", "makecache"]);
            let ran = program::run(command.env("TDNF_LOG", "trace")).failed();
            let told = ran.text();
            assert!(told.contains(words), "{} {words}: {told}", store.kind);
            for secret in [secret, "wrongsecret", "Signature=", id] {
                assert!(!told.contains(secret), "{} {secret}: {told}", store.kind);
            }
            if words.contains("secret") {
                assert!(told.contains(&format!("bucket photon {place}")), "{told}");
                let is_error = |line: &&str| line.starts_with("Error") && line.contains(words);
                assert_eq!(ran.err.lines().filter(is_error).count(), 1, "{told}");
            }
        }
    }
}

/// A file of keys that everybody may read is said.
#[test]
fn a_file_of_keys_that_everybody_may_read_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("credentials");
    fs::write(
        &file,
        "[default]\naws_access_key_id=I\naws_secret_access_key=S3CRET\n",
    )
    .unwrap();
    let named = file.to_str().unwrap();
    let endpoint = ("AWS_ENDPOINT_URL", "http://127.0.0.1:1");
    for (url, bits, told) in [
        ("s3://photon/x", 0o644, true),
        ("s3://photon/x", 0o600, false),
        ("http://127.0.0.1:1/x", 0o644, false),
    ] {
        fs::set_permissions(&file, fs::Permissions::from_mode(bits)).unwrap();
        let site = Site::new(&format!(
            "[r]\nname=r\nbaseurl={url}\nenabled=1\nretries=0\n"
        ));
        let variables = [endpoint, ("AWS_SHARED_CREDENTIALS_FILE", named)];
        let ran = run(&site, &variables, &["makecache"]).failed();
        assert_eq!(ran.err.contains("everybody may read"), told, "{ran:?}");
        assert!(!ran.text().contains("S3CRET"), "{ran:?}");
    }
}
