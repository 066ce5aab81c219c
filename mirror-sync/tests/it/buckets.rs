//! Repositories in buckets of object stores.

use std::fs;

use repo_client::{Access, Bucket, Client, ClientOptions, PutOptions, S3Environment};
use testkit::program;
use testkit::stores::Store;

use crate::scene::Scene;

/// A bucket is mirrored as any server is, and again when it has changed.
#[test]
fn a_bucket_is_mirrored() {
    let scene = Scene::usual();
    for store in Store::all() {
        store.bucket("photon");
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
        let bucket = Bucket::open(&client, &access, "s3://photon/a+b").unwrap();
        let put = || {
            let base = scene.path("up/base");
            for folder in ["Packages", "repodata"] {
                for entry in fs::read_dir(base.join(folder)).unwrap().flatten() {
                    let key = format!("{folder}/{}", entry.file_name().display());
                    let bytes = fs::read(entry.path()).unwrap();
                    bucket.put(&key, &bytes, &PutOptions::default()).unwrap();
                }
            }
        };
        put();
        let kind = store.kind;
        let mirror = scene.path(kind);
        scene.config_text(&format!(
            "[mirror]\npath = {mirror:?}\n\n[repo.base]\nbaseurl = \"s3://photon/a+b\"\n\
             s3_endpoint = {:?}\ns3_style = \"path\"\nusername = {:?}\npassword = {:?}\n",
            store.endpoint, store.key_id, store.secret
        ));
        let ran = scene.sync();
        assert!(!ran.text().contains(store.secret), "{ran:?}");
        let public = mirror.join("public/base");
        let count = || fs::read_dir(public.join("Packages")).unwrap().count();
        assert_eq!(count(), 3, "{kind}");
        scene.run(&["sync"]).ends(3).says(&["nothing new"]);
        scene.put("base", "delta", kind.get(..1).unwrap(), "");
        scene.publish("base");
        put();
        scene.sync();
        assert_eq!(count(), 4, "{kind}");
        scene.take("base", "delta");
        scene.publish("base");
        // A key that is none, in the environment: said in a line.
        let text = fs::read_to_string(scene.path("mirror.toml")).unwrap();
        let bare = text
            .lines()
            .filter(|line| !line.starts_with("username") && !line.starts_with("password"));
        scene.config_text(&bare.collect::<Vec<_>>().join("\n"));
        let mut command = scene.command(&["sync"]);
        command.env("AWS_ACCESS_KEY_ID", store.key_id);
        command.env("AWS_SECRET_ACCESS_KEY", "wr0ng-secret");
        let ran = program::run(&mut command);
        assert_ne!(ran.code, 0);
        assert!(
            ran.err.contains("the secret key is not the one of"),
            "{ran:?}"
        );
        assert!(!ran.text().contains("wr0ng-secret"), "{ran:?}");
    }
}
