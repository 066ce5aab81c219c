//! Where packages are: `repoquery --location`, and an `xml:base` of the metadata; and what `-q` cannot ask.

use std::fs;

use testkit::rpm::createrepo;

use super::{Site, answer, plain};

/// A repository `meta/` whose packages lie in `pool/` beside it; `base` is their `xml:base`.
fn pooled(site: &Site, base: &str) {
    let _ = fs::remove_dir_all(site.www().join("meta"));
    fs::create_dir_all(site.www().join("meta")).unwrap();
    fs::create_dir_all(site.www().join("pool")).unwrap();
    let package = "alpha-1-1.noarch.rpm";
    fs::copy(
        site.path("repo").join(package),
        site.www().join("pool").join(package),
    )
    .unwrap();
    let below = site.www().join("meta/pool");
    fs::create_dir(&below).unwrap();
    fs::copy(site.path("repo").join(package), below.join(package)).unwrap();
    let out = site.www().join("meta").display().to_string();
    createrepo(
        &site.www().join("pool"),
        &["--baseurl", base, "--outputdir", &out],
    );
}

#[test]
fn the_base_of_packages_is_followed() {
    let site = Site::with(&[plain("alpha", "1")]);
    let pool = site.www().join("pool").display().to_string();
    let folder = format!("file://{}/meta", site.www().display());
    let (server, absolute) = (site.server.url("/meta"), site.server.url("/pool"));
    let on_disk = format!("file://{pool}");
    let cases = [
        (&folder, "../pool", format!("file://{pool}")),
        (&folder, "../pool/", format!("file://{pool}")),
        (&folder, &on_disk[..], format!("file://{pool}")),
        (&folder, "%2e%2e/pool", format!("file://{pool}")),
        (&folder, "x/../../pool", format!("file://{pool}")),
        (&server, "pool", format!("{server}/pool")),
        (&server, "./pool/", format!("{server}/pool")),
        (&server, "%70ool", format!("{server}/pool")),
        (&server, &absolute, absolute.clone()),
    ];
    for (url, base, expected) in &cases {
        pooled(&site, base);
        let text = format!("[meta]\nname=Meta\nbaseurl={url}/\nenabled=1\ngpgcheck=0\nretries=1\n");
        site.write("repos.d/test.repo", text);
        let location = format!("{expected}/alpha-1-1.noarch.rpm\n");
        let words = [
            "--refresh",
            "repoquery",
            "--available",
            "--location",
            "alpha",
        ];
        let said = site.run(&words).ok();
        assert!(said.out.ends_with(&location), "{base}: {said:?}");
        let said = site.run(&["-q", "install", "--urls", "alpha"]).ok();
        assert_eq!(said.out, location, "{base}");
        site.run(&["-y", "install", "alpha"]).ok();
        assert_eq!(site.rpm_names(), ["alpha-1"], "{base}");
        site.run(&["-y", "remove", "alpha"]).ok();
        let copy = site.path("copy").display().to_string();
        let words = [
            "reposync",
            "--repo=meta",
            "--delete",
            "--download-path",
            &copy,
        ];
        site.run(&words).ok();
        assert!(site.path("copy/meta/alpha-1-1.noarch.rpm").is_file());
        fs::remove_dir_all(site.path("copy")).unwrap();
    }
    for bad in [
        "../pool",
        "%2e%2e/pool",
        "/pool",
        "..\\pool",
        "gopher://h/pool",
        &on_disk,
    ] {
        pooled(&site, bad);
        site.run(&["--refresh", "-y", "install", "alpha"]).failed();
        assert!(site.rpm_names().is_empty(), "{bad}");
    }
}

#[test]
fn repoquery_tells_where_packages_are() {
    let site = Site::with(&[plain("alpha", "1"), plain("alpha", "2")]);
    let folder = site.path("repo").display().to_string();
    let url = |version: u32| format!("file://{folder}/alpha-{version}-1.noarch.rpm");
    let lines = format!("{}\n{}\n", url(1), url(2));
    assert_eq!(
        site.run(&["-q", "repoquery", "--location", "alpha"])
            .ok()
            .out,
        lines
    );
    let said = site
        .run(&["repoquery", "--qf", "%{location}", "alpha"])
        .ok();
    assert_eq!(said.out, lines);
    let said = site.run(&["-j", "repoquery", "--location", "alpha-2"]).ok();
    assert_eq!(said.json()[0]["Location"], url(2));
    site.run(&["repoquery", "--location", "--list", "alpha"])
        .failed()
        .says(&["Error(917)"]);
    site.run(&["-y", "install", "alpha-2"]).ok();
    let said = site.run(&["repoquery", "--installed", "--location"]).ok();
    assert_eq!(said.out, "");
    let said = site.run(&["repoquery", "--downgrades"]).ok();
    assert_eq!(said.out, "alpha-1-1.noarch\n");
    site.run(&["repoquery", "--upgrades"])
        .ok()
        .says(&["No data available"]);
    site.run(&["repoquery", "--location=1"])
        .failed()
        .says(&["--location=1"]);
}

#[test]
fn nobody_is_asked_what_quiet_hides() {
    let site = Site::with(&[plain("alpha", "1")]);
    let refusal = "Error(918) : --assumeyes|-y or --assumeno is required when quiet is set";
    for words in [
        &["-q", "install", "alpha"][..],
        &["install", "--quiet", "alpha"],
    ] {
        let said = site.run(words).fails(150, refusal);
        assert_eq!(said.out, "", "{said:?}");
    }
    // No answer helps.
    let mut command = site.command(&["-q", "install", "alpha"]);
    let yes = site.path("yes");
    fs::write(&yes, "y\n").unwrap();
    command.stdin(fs::File::open(&yes).unwrap());
    answer(&mut command).fails(150, refusal);
    assert!(site.rpm_names().is_empty());
    site.run(&["-q", "--assumeno", "install", "alpha"]).failed();
    let said = site.run(&["-q", "install", "--dryrun", "alpha"]).ok();
    assert_eq!(said.out, "");
    let said = site.run(&["-qy", "install", "alpha"]).ok();
    assert_eq!(said.out, "");
    for word in ["remove", "reinstall"] {
        site.run(&[word, "-q", "alpha"]).fails(150, refusal);
    }
    assert_eq!(site.rpm_names(), ["alpha-1"]);
    site.run(&["-q", "makecache"]).ok();
    site.run(&["-q", "list", "alpha"]).ok().says(&["alpha"]);
    site.run(&["-q", "clean", "all"]).ok();
}
