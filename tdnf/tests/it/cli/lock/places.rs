//! Where the files of a lock are looked for: logins, releases, other repositories.

use std::fs;

use super::*;

/// docs/threats.md, row 142.
#[test]
fn a_login_is_used_and_not_written_down() {
    let Some((scene, _)) = scene() else { return };
    let url = scene.server.url("/main");
    let with = |login: &str| url.replace("http://", &format!("http://{login}@"));
    scene.configure("main", &format!("baseurl={}", with("ann:secret")));
    let text = lock(&scene, &["app"]);
    assert!(
        !text.contains("ann") && !text.contains("secret") && !text.contains("***"),
        "{text}"
    );
    assert_eq!(
        json(&text)["architectures"]["x86_64"]["repositories"][0]["baseurl"],
        Value::from(url)
    );
    let file = scene.write("set.lock", &text).display().to_string();
    scene.tdnf(&["clean", "all"]).ok();
    scene.server.forget();
    scene.tdnf(&["-y", "install", "--locked", &file]).ok();
    let packages = scene.server.seen_at("/main/Packages/app-1.rpm");
    assert!(
        packages[0].header("authorization").is_some(),
        "the section's login is used below its URL"
    );
    // At the URL of the lock, where no section is of that id, nobody logs in.
    scene.tdnf(&["-y", "erase", "app"]).ok();
    scene.tdnf(&["clean", "all"]).ok();
    scene.configure("main", "");
    let keys = format!(
        "[other]\nname=other\nenabled=0\nbaseurl={}\nusername=ann\npassword=secret\n",
        scene.server.url("/other")
    );
    scene.write_repo("other", &keys);
    let foreign = scene
        .write(
            "foreign.lock",
            text.replace("\"repo\": \"main\"", "\"repo\": \"other\""),
        )
        .display()
        .to_string();
    scene.server.forget();
    scene
        .tdnf(&["-y", "--disablerepo=main", "install", "--locked", &foreign])
        .ok();
    let asked = scene.server.seen_at("/main/Packages/app-1.rpm");
    assert!(
        asked
            .iter()
            .all(|seen| seen.header("authorization").is_none())
    );
    assert_eq!(scene.installed(), ["app-1", "first-1", "lib-1"]);
}

#[test]
fn the_release_of_a_lock_is_that_of_its_repositories() {
    let Some((scene, _)) = scene() else { return };
    let url = scene.server.url("");
    let base = format!("baseurl={}/$releasever", url.trim_end_matches('/'));
    scene.configure("main", &base);
    scene
        .tdnf(&["lock", "app"])
        .refused(&["nothing installed in"]);
    let text = lock(&scene, &["--releasever=main", "app"]);
    assert_eq!(json(&text)["releasever"], "main");
    let file = scene.write("set.lock", &text).display().to_string();
    scene.tdnf(&["lock", "--check", &file]).ok();
    let ran = scene.tdnf(&["-y", "install", "--locked", &file]).ok();
    assert!(!ran.err.contains("warning"), "{ran:?}");
    assert_eq!(scene.installed(), ["app-1", "first-1", "lib-1"]);
}

#[test]
fn any_repository_that_lists_the_same_digest_will_do() {
    let Some((scene, monday)) = scene() else {
        return;
    };
    let file = at(&scene, "set.lock");
    scene.tdnf(&["lock", "-o", &file, "app"]).ok();
    scene.tdnf(&["clean", "all"]).ok();
    fs::remove_dir_all(scene.www().join("main")).unwrap();
    scene.write_repo("main", "");
    scene.publish("other", &monday.iter().collect::<Vec<_>>());
    scene.configure("other", "");
    scene.rpm().ok(&["--import", &at(&scene, "keys/scene.asc")]);
    scene.server.forget();
    scene.tdnf(&["-y", "install", "--locked", &file]).ok();
    assert_eq!(scene.installed(), ["app-1", "first-1", "lib-1"]);
    assert_eq!(
        scene.server.seen_at("/main/Packages/app-1.rpm").len(),
        1,
        "its own place is asked first"
    );
    assert_eq!(scene.server.seen_at("/other/Packages/app-1.rpm").len(), 1);
}
