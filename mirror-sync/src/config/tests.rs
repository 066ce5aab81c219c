use super::*;

fn config(text: &str) -> Result<Config> {
    let place = "mirror.toml";
    let table: toml::Table = toml::from_str(text).map_err(|e| in_place(place, text, &e))?;
    let config = from_table(table, place)?;
    config.check(place)?;
    Ok(config)
}

#[test]
fn a_small_file_is_enough() {
    let text =
        "[mirror]\npath = \"/srv/mirror\"\n[repo.base]\nbaseurl = \"https://example.com/base\"\n";
    let config = config(text).expect("it is a configuration");
    assert_eq!(config.mirror.max_delete_percent, 20);
    assert!(config.repo["base"].select.is_everything());
    assert_eq!(config.repo["base"].baseurl.0, ["https://example.com/base"]);
}

#[test]
fn a_key_nobody_knows_is_named_with_its_line() {
    let path = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(&path, "[mirror]\npath = \"/x\"\nmax_delet = 3\n").expect("written");
    let error = read(path.path()).expect_err("refused").to_string();
    assert!(error.contains(":3: "), "{error}");
    assert!(error.contains("max_delet"), "{error}");
}

#[test]
fn what_cannot_work_is_said_before_anything_is_done() {
    for (text, expected) in [
        ("[repo.a]\nbaseurl = \"x\"", "mirror.path is missing"),
        ("[mirror]\npath = \"/x\"\n[repo.a]\n", "no URL"),
        (
            "[mirror]\npath = \"/x\"\n[repo.a]\nbaseurl = \"x\"\nrepo_gpgcheck = true",
            "names no key",
        ),
        (
            "[mirror]\npath = \"/x\"\n[repo.snapshots]\nbaseurl = \"x\"",
            "name is taken",
        ),
        (
            "[mirror]\npath = \"/x\"\n[repo.healthz]\nbaseurl = \"x\"",
            "name is taken",
        ),
        (
            "[mirror]\npath = \"/x\"\nurl = \"mirror.example.com\"",
            "mirror.url: mirror.example.com: expected http://",
        ),
        (
            "[mirror]\npath = \"/x\"\nurl = \"ftp://h/\"",
            "mirror.url: ftp://h/: expected http://",
        ),
        (
            "[mirror]\npath = \"/x\"\n[target.a]\nurl = \"s3://b/p\"\n[target.b]\nurl = \"s3://b/p/\"",
            "target.b.url: another target has this place",
        ),
        (
            "[mirror]\npath = \"/x\"\n[target.s]\n",
            "target.s.url is missing: s3://BUCKET/PREFIX or oci://HOST/NAME",
        ),
        (
            "[mirror]\npath = \"/x\"\n[repo.\"../up\"]\nbaseurl = \"x\"",
            "letters, digits",
        ),
        (
            "[mirror]\npath = \"/x\"\n[repo.a]\nbaseurl = \"x\"\nselect.built_after = \"yesterday\"",
            "expected a day",
        ),
    ] {
        let error = config(text).expect_err(text).to_string();
        assert!(error.contains(expected), "{text}: {error}");
    }
}

/// A place on another server asks for no token of the mirror's.
#[test]
fn a_locked_repository_goes_to_a_place_only_by_its_name() {
    let with = |serve: &str, open: &str, target: &str| {
        config(&format!(
            "[mirror]\npath = \"/x\"\n[serve]\n{serve}\n[repo.open]\nbaseurl = \"x\"\n{open}\n[repo.shut]\n\
             baseurl = \"x\"\ntokens_file = \"t\"\n[target.store]\n{target}\n"
        ))
        .map_err(|error| error.to_string())
    };
    let all = "tokens_file = \"t\"";
    for url in ["s3://b/p", "oci://h/n"] {
        let url = format!("url = \"{url}\"\n");
        for (serve, name) in [("", "shut"), (all, "open")] {
            let why = with(serve, "", &url).expect_err(&url);
            let begin = format!("target.store.repos: repository {name} wants a token");
            assert!(why.contains(&begin), "{why}");
        }
        for (serve, open, more) in [
            ("", "", "repos = [\"open\"]"),
            ("", "", "repos = [\"open\", \"shut\"]"),
            (all, "", "repos = [\"open\"]"),
            ("", "", "disabled = true"),
        ] {
            with(serve, open, &format!("{url}{more}")).expect(more);
        }
        let why = with(all, "tokens_file = \"\"", &url).expect_err(&url);
        assert!(why.contains("repository shut wants"), "{why}");
    }
}

#[test]
fn flags_set_what_the_file_sets() {
    let mut table = toml::Table::new();
    for word in [
        "mirror.path=/srv/mirror",
        "mirror.grace=2h",
        "repo.photon-5.0.baseurl=https://example.com/x",
        "repo.photon-5.0.select.newest=2",
        "repo.photon-5.0.select.arch=[\"x86_64\", \"noarch\"]",
        "repo.photon-5.0.gpgcheck=false",
    ] {
        set::set(&mut table, word).expect(word);
    }
    let config = from_table(table, "command line").expect("it is a configuration");
    config.check("command line").expect("it can work");
    let repo = &config.repo["photon-5.0"];
    assert_eq!(repo.select.newest, 2);
    assert_eq!(repo.select.arch, ["x86_64", "noarch"]);
    assert_eq!(repo.gpgcheck, Some(false));
    assert_eq!(config.mirror.grace.0.as_secs(), 7200);
    let mut table = toml::Table::new();
    for wrong in ["novalue", "=1", "a..b=1"] {
        assert!(set::set(&mut table, wrong).is_err(), "{wrong}");
    }
}

#[test]
fn sizes_spans_and_days() {
    assert_eq!(Bytes::parse("10M"), Some(Bytes(10 << 20)));
    assert_eq!(Bytes::parse("4.4G").map(|b| b.0 >> 20), Some(4505));
    assert_eq!(Bytes::parse("5 kB"), Some(Bytes(5 << 10)));
    assert_eq!(Bytes::parse("5 parsec"), None);
    assert_eq!(
        TimeSpan::parse("24h"),
        Some(TimeSpan(Duration::from_secs(86_400)))
    );
    assert_eq!(TimeSpan::parse("99999999999999999999d"), None);
    assert_eq!(day_start("1970-01-02"), Some(86_400));
}

#[test]
fn a_moved_host_is_rewritten() {
    let text = "[mirror]\npath = \"/x\"\n[rewrite]\n\"https://old/\" = \"https://new/\"\n[repo.a]\nbaseurl = \"https://old/a\"\n";
    let config = config(text).expect("it is a configuration");
    let client = config.client_config("a", &config.repo["a"]).expect("an id");
    assert_eq!(client.baseurl, ["https://new/a"]);
}
