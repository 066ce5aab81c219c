//! Real `.repo` files, and tdnf.conf as people write it.

use std::path::Path;
use std::time::Duration;

use rpm_repo::config::{MainConfig, read_main_config, read_repo_dir, read_repo_file};
use rpm_repo::vars::Vars;

fn photon_vars() -> Vars {
    let mut vars = Vars::new();
    vars.set_built_in("releasever", "5.0");
    vars.set_built_in("basearch", "x86_64");
    vars
}

#[test]
fn photon_repo_files() {
    let Some(root) = testkit::fixtures::real() else {
        return;
    };
    let dir = root.join("vmware+photon/SPECS/photon-repos");
    let repos = read_repo_dir(&dir, &MainConfig::default(), &photon_vars()).unwrap();
    assert!(repos.len() >= 7, "{}", repos.len());
    let photon = repos
        .iter()
        .find(|repo| repo.id == "photon-updates")
        .unwrap();
    assert!(photon.gpgcheck && photon.skip_if_unavailable);
    assert!(
        photon.baseurl[0].starts_with("https://packages"),
        "{:?}",
        photon.baseurl
    );
    assert!(photon.baseurl[0].contains("5.0") && photon.baseurl[0].contains("x86_64"));
    assert!(
        photon.gpgkey[0].starts_with("file:///etc/pki/"),
        "{:?}",
        photon.gpgkey
    );
    assert!(repos.iter().all(|repo| repo.unknown_variables.is_empty()));
    let names: Vec<&Path> = repos.iter().map(|repo| repo.source.file()).collect();
    assert!(names.is_sorted(), "{names:?}");
}

#[test]
fn every_real_repo_file() {
    let Some(root) = testkit::fixtures::real() else {
        return;
    };
    let mut count = 0;
    for path in testkit::tree::files(&root) {
        // libsolv's test cases use the same ending for another format.
        let name = path.to_str().unwrap();
        if !name.ends_with(".repo") || name.contains("libsolv") {
            continue;
        }
        let repos = read_repo_file(
            Path::new("/"),
            &path,
            &MainConfig::default(),
            &photon_vars(),
        );
        let repos = repos.unwrap_or_else(|error| panic!("{error}"));
        // librepo's have their sections too.
        assert!(!repos.is_empty(), "{name}");
        assert!(
            repos
                .iter()
                .any(|r| !r.baseurl.is_empty() || r.mirrorlist.is_some() || r.metalink.is_some()),
            "{name}"
        );
        count += repos.len();
    }
    println!("{count} repositories");
    assert!(count > 12, "{count}");
}

#[test]
fn tdnf_conf_with_everything_the_c_reader_stumbles_over() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tdnf.conf");
    let text = format!(
        "# a comment first\n\n; another\n[main]\ngpgcheck=yes\ninstallonly_limit = 3\n\
         clean_requirements_on_remove=no\nkeepcache = On\nrepodir=/a\nreposdir=/b\n\
         excludepkgs = one two\n   three*,\n  # not this\n\tfour\n  cachedir=/c\n\
         minversions=a=1 b=2:3-4\nplugins=False\nopenmax=0\nproxy_password=geheim\nfoo=bar\n\
         installonlypkgs={}\r\n",
        "kernel ".repeat(500)
    );
    std::fs::write(&path, text).unwrap();
    let config = read_main_config(Path::new("/"), &path).unwrap();
    assert_eq!(config.gpgcheck, Some(true));
    assert_eq!(config.installonly_limit, 3);
    assert!(!config.clean_requirements_on_remove && config.keepcache && !config.plugins);
    assert_eq!(config.repo_dirs, [Path::new("/b")]);
    assert_eq!(config.excludepkgs, ["one", "two", "three*", "four"]);
    assert_eq!(config.cache_dir, Path::new("/c"));
    assert_eq!(config.minversions[1].evr, "2:3-4");
    assert_eq!(config.openmax, 0);
    assert_eq!(config.installonlypkgs.len(), 500);
    assert_eq!(config.unknown_keys[0].0, "foo");
    assert_eq!(config.place_of("gpgcheck").unwrap().line_number(), 5);
    assert!(config.place_of("sslverify").is_none());
    assert!(!format!("{config:?}").contains("geheim"));
}

#[test]
fn errors_name_file_line_and_key() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.repo");
    let read = |text: &str| {
        std::fs::write(&path, text).unwrap();
        read_repo_dir(dir.path(), &MainConfig::default(), &Vars::new())
    };
    let error = |text: &str| read(text).unwrap_err().to_string();
    let at = |line: u32| format!("{}:{line}: ", path.display());
    assert_eq!(
        error("[a]\ngpgcheck=perhaps\n"),
        at(2) + "gpgcheck = perhaps: expected a boolean such as 1, 0, yes or no"
    );
    assert!(
        error("[a]\n\nmetadata_expire=soon\n").starts_with(&(at(3) + "metadata_expire = soon"))
    );
    assert!(error("[a]\nsslverify=high").contains("a.repo:2: sslverify = high: expected"));
    assert!(error("name=x\n").contains("a.repo:1: a key before the first [section]"));
    assert!(error("[a\n").contains("must end with ]"));
    assert!(error("[a]\nnonsense\n").contains("a.repo:2: expected [section] or key = value"));
    assert!(error("[a]\nname=x\0y\n").contains("control character"));
    assert!(error("[a]\n[b]\n[a]\n").starts_with("duplicate repo id: a ("));
    let repos = read("[a]\nname=N\nthrottle=2M\nminrate=1k\ntimeout=7\nmetadata_expire=6h\n[b]\nmetadata_expire=never").unwrap();
    assert_eq!((repos[0].speed_limit(), repos[0].minrate), (2 << 20, 1024));
    assert_eq!(repos[0].timeout, Some(Duration::from_secs(7)));
    assert_eq!(
        repos[0].metadata_expire,
        Some(Duration::from_secs(6 * 3600))
    );
    assert_eq!(repos[1].metadata_expire, None);
    assert_eq!(
        (repos[1].name.as_str(), repos[1].priority, repos[1].retries),
        ("b", 50, 10)
    );
    assert!(!repos[1].enabled && repos[1].gpgcheck && repos[1].sslverify);
}

#[test]
fn weak_signatures_are_words_of_a_list() {
    let dir = tempfile::tempdir().unwrap();
    let admitted = |value: &str| {
        let text = format!("[a]\nname=A\nweak_signatures={value}");
        std::fs::write(dir.path().join("a.repo"), text).unwrap();
        let repos = read_repo_dir(dir.path(), &MainConfig::default(), &Vars::new())?;
        Ok::<_, rpm_repo::Error>(repos[0].weak_signatures.join(" "))
    };
    assert_eq!(
        admitted("sha1,RSA1024 , expired").unwrap(),
        "sha1 rsa1024 expired"
    );
    assert_eq!(admitted("").unwrap() + &admitted("None").unwrap(), "");
    for wrong in ["md5", "sha1,sha256", "1", "none,sha1"] {
        assert!(admitted(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn fingerprints_are_words_or_groups_of_four() {
    let dir = tempfile::tempdir().unwrap();
    let read = |value: &str| {
        let text = format!("[a]\nname=A\ngpgkey_fingerprint={value}");
        std::fs::write(dir.path().join("a.repo"), text).unwrap();
        let repos = read_repo_dir(dir.path(), &MainConfig::default(), &Vars::new())?;
        Ok::<_, rpm_repo::Error>(repos[0].gpgkey_fingerprint.clone())
    };
    let (one, two) = ("0123456789abcdef0123456789abcdef01234567", "ab".repeat(32));
    let groups = "0123 4567 89AB CDEF 0123  4567 89AB CDEF 0123 4567";
    assert!(read("").unwrap().is_empty());
    assert_eq!(read(&one.to_uppercase()).unwrap(), [one]);
    assert_eq!(read(groups).unwrap(), [one]);
    for both in [
        format!("{one} {two}"),
        format!("{groups}, {two}"),
        format!("{one},{two},"),
    ] {
        assert_eq!(read(&both).unwrap(), [one, &two], "{both}");
    }
    // Short ids can be made to fit, and a slip must not admit every key.
    for wrong in [
        "89abcdef",
        "0x0123",
        &one[1..],
        &format!("{one}0"),
        &one.replace('0', "g"),
    ] {
        assert!(read(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn unreadable_values_have_no_effect_where_nothing_is_checked() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.repo");
    let text = "[a]\nenabled=perhaps\npriority=high\nretries=3\nretries=-1\nminrate=much\n\
                skip_if_unavailable=\ntimeout=1.5\nthrottle=fast\n";
    std::fs::write(&path, text).unwrap();
    let repos =
        read_repo_file(Path::new("/"), &path, &MainConfig::default(), &Vars::new()).unwrap();
    let repo = &repos[0];
    assert!(!repo.enabled && !repo.skip_if_unavailable);
    assert_eq!((repo.priority, repo.retries, repo.minrate), (50, 3, 0));
    assert_eq!((repo.timeout, repo.speed_limit()), (None, 0));
    let said: Vec<String> = repo
        .unreadable_values
        .iter()
        .map(|v| v.to_string())
        .collect();
    let line = |number: usize, rest: &str| format!("{}:{number}: {rest}", path.display());
    assert_eq!(
        said[..3],
        [
            line(
                2,
                "enabled = perhaps: expected a boolean such as 1, 0, yes or no; the default (0) counts"
            ),
            line(
                3,
                "priority = high: expected a whole number; the default (50) counts"
            ),
            line(
                5,
                "retries = -1: expected a whole number, zero or more; line 4 counts"
            ),
        ]
    );
    assert_eq!(said.len(), 7);

    let conf = dir.path().join("tdnf.conf");
    std::fs::write(&conf, "[main]\ninstallonly_limit=many\nkeepcache=perhaps\n").unwrap();
    let main = read_main_config(Path::new("/"), &conf).unwrap();
    assert_eq!((main.installonly_limit, main.keepcache), (2, false));
    assert_eq!(main.unreadable_values.len(), 2);
    for key in ["gpgcheck", "sslverify", "minversions"] {
        std::fs::write(&conf, format!("[main]\n{key}=perhaps\n")).unwrap();
        let error = read_main_config(Path::new("/"), &conf)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains(&format!("tdnf.conf:2: {key} = perhaps: expected")),
            "{error}"
        );
    }
}
