//! Metadata: rows 4 to 6, 31 to 35, 48, 54 and 83, the cache, swapping.

use std::path::{Path, PathBuf};

use repo_client::{Cause, Error, MetadataSet, OlderMetadata, RepoRefresh, keyring_check, refresh};
use rpm_repo::config::RepoConfig;
use rpm_trust::Keyring;
use rpm_trust::sign::{KeyAlgorithm, NewKey, SigningKey};
use testkit::server::{Answer, Seen};

use crate::fixture::{Log, Site, client, config, createrepo, job, noise, refresh_one, snapshot};

mod servers;
mod signed;

const REPOMD: &str = "/repodata/repomd.xml";

/// A served repository and a cache.
struct Repo {
    site: Site,
    config: RepoConfig,
}

impl Repo {
    fn new() -> Self {
        Self::with("")
    }

    fn with(lines: &str) -> Self {
        let site = Site::new();
        createrepo(site.www(), "20");
        let config = config(&format!("baseurl={}\n{lines}", site.server.url("/")));
        Self { site, config }
    }

    fn cache(&self) -> PathBuf {
        self.site.path("cache")
    }

    fn job(&self) -> RepoRefresh<'_> {
        job(&self.config, &self.cache())
    }

    fn go(&self) -> repo_client::Result<MetadataSet> {
        refresh_one(
            RepoRefresh {
                force: true,
                ..self.job()
            },
            &Log::default(),
        )
    }

    fn repomd(&self) -> PathBuf {
        self.site.www().join("repodata/repomd.xml")
    }

    /// Changes what is published.
    fn publish(&self, revision: &str) {
        std::fs::remove_dir_all(self.site.www().join("repodata")).unwrap();
        createrepo(self.site.www(), revision);
    }

    /// Edits repomd.xml as text.
    fn edit(&self, change: impl Fn(&str) -> String) {
        let text = std::fs::read_to_string(self.repomd()).unwrap();
        std::fs::write(self.repomd(), change(&text)).unwrap();
    }

    /// A refresh that must fail without touching the last good set; its causes.
    fn must_fail(&self) -> Vec<Cause> {
        let live = self.cache().join("repodata");
        let before = snapshot(&live);
        let error = self.go().expect_err("must fail");
        assert_eq!(snapshot(&live), before, "the last good set was touched");
        error
            .failures()
            .iter()
            .map(|failure| failure.cause.clone())
            .collect()
    }
}

fn path_of(set: &MetadataSet, kind: &str) -> PathBuf {
    set.part(kind)
        .unwrap_or_else(|| panic!("no {kind}"))
        .path
        .clone()
}

#[test]
fn first_refresh_then_cache_then_nothing_new() {
    let repo = Repo::new();
    let set = refresh_one(repo.job(), &Log::default()).unwrap();
    assert!(!set.from_cache);
    assert_eq!(set.repomd.revision.as_deref(), Some("20"));
    for kind in ["primary", "filelists"] {
        let path = path_of(&set, kind);
        assert!(path.starts_with(repo.cache().join("repodata")));
        let published = repo
            .site
            .www()
            .join("repodata")
            .join(path.file_name().unwrap());
        assert_eq!(
            std::fs::read(&path).unwrap(),
            std::fs::read(published).unwrap()
        );
    }
    assert!(set.part("other").is_none());
    assert_eq!(repo.site.server.seen().len(), 3);
    // Not expired: no request at all.
    repo.site.server.forget();
    let again = refresh_one(repo.job(), &Log::default()).unwrap();
    assert!(again.from_cache && repo.site.server.seen().is_empty());
    assert_eq!(again.base_urls, set.base_urls);
    // Asked again: one conditional request.
    assert!(repo.go().unwrap().from_cache);
    let seen = repo.site.server.seen();
    assert_eq!(seen.len(), 1);
    assert!(seen[0].header("if-none-match").is_some());
    // Expired by the clock.
    repo.site.server.forget();
    let later = RepoRefresh {
        now: testkit::now() + 200_000,
        ..repo.job()
    };
    assert!(
        refresh_one(later.clone(), &Log::default())
            .unwrap()
            .from_cache
    );
    assert_eq!(repo.site.server.seen().len(), 1);
    // cache_only asks nobody, however old.
    repo.site.server.forget();
    assert!(
        refresh_one(
            RepoRefresh {
                cache_only: true,
                ..later
            },
            &Log::default()
        )
        .is_ok()
    );
    assert!(repo.site.server.seen().is_empty());
}

#[test]
fn what_a_killed_run_left_in_the_cache_goes() {
    let repo = Repo::new();
    repo.go().unwrap();
    let left = repo.cache().join(".new-0123456789abcdef");
    std::fs::write(&left, "x").unwrap();
    repo.go().unwrap();
    assert!(!left.exists());
}

#[test]
fn a_part_wanted_later_is_fetched_alone() {
    let repo = Repo::new();
    refresh_one(repo.job(), &Log::default()).unwrap();
    repo.site.server.forget();
    let all: &[&str] = &["primary", "filelists", "other"];
    let set = refresh_one(
        RepoRefresh {
            parts: all,
            ..repo.job()
        },
        &Log::default(),
    )
    .unwrap();
    assert!(set.part("other").is_some());
    assert_eq!(
        repo.site.server.seen().len(),
        1,
        "{:?}",
        repo.site.server.seen()
    );
    let only = RepoRefresh {
        parts: all,
        cache_only: true,
        ..repo.job()
    };
    assert!(refresh_one(only, &Log::default()).is_ok());
}

#[test]
fn a_new_revision_replaces_the_set_as_one() {
    let repo = Repo::new();
    let old = repo.go().unwrap();
    repo.publish("21");
    let new = repo.go().unwrap();
    assert_eq!(new.repomd.revision.as_deref(), Some("21"));
    assert_ne!(old.repomd_digest, new.repomd_digest);
    // The former set is kept until somebody has read the new one.
    new.accept();
    let names: Vec<_> = snapshot(&repo.cache())
        .into_iter()
        .map(|(path, _)| path)
        .collect();
    assert!(
        !names
            .iter()
            .any(|path| path.to_string_lossy().contains("repodata.")),
        "{names:?}"
    );
}

#[test]
fn not_in_the_cache() {
    let repo = Repo::new();
    let only = RepoRefresh {
        cache_only: true,
        ..repo.job()
    };
    assert!(matches!(
        refresh_one(only, &Log::default()),
        Err(Error::NotCached { .. })
    ));
    assert!(repo.site.server.seen().is_empty());
}

#[test]
fn row_04_metadata_swap_after_check() {
    let repo = Repo::new();
    let set = repo.go().unwrap();
    repo.publish("21");
    let text = std::fs::read_to_string(repo.repomd()).unwrap();
    let at = text.find("-primary.xml.gz").unwrap();
    let start = text[..at].rfind('/').unwrap() + 1;
    let file = repo.site.www().join("repodata").join(&text[start..at + 15]);
    let mut bytes = std::fs::read(&file).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&file, &bytes).unwrap();
    // createrepo_c of an empty folder gives equal parts for equal content: the old one is reused
    // and the altered one never asked for. So take the old one away.
    std::fs::remove_file(path_of(&set, "primary")).unwrap();
    let causes = repo.must_fail();
    assert!(
        causes
            .iter()
            .any(|cause| matches!(cause, Cause::Digest { .. })),
        "{causes:?}"
    );
}

#[test]
fn row_05_mix_and_match() {
    let repo = Repo::new();
    repo.go().unwrap();
    repo.publish("21");
    // Another filelists of the same name: genuine, but not the one this index names.
    repo.edit(|text| {
        let at = text.find("type=\"filelists\"").unwrap();
        let sum = text[at..].find("type=\"sha256\">").unwrap() + at + 14;
        format!("{}{}{}", &text[..sum], "0".repeat(64), &text[sum + 64..])
    });
    let causes = repo.must_fail();
    assert!(
        causes
            .iter()
            .any(|cause| matches!(cause, Cause::Digest { .. })),
        "{causes:?}"
    );
}

#[test]
fn row_06_304_lie() {
    let repo = Repo::new();
    let set = repo.go().unwrap();
    repo.site.server.always(
        REPOMD,
        Answer {
            not_modified: true,
            ..Answer::default()
        },
    );
    // An altered part is fetched again.
    let primary = path_of(&set, "primary");
    let good = std::fs::read(&primary).unwrap();
    let mut bad = good.clone();
    bad[20] ^= 1;
    std::fs::write(&primary, &bad).unwrap();
    repo.go().unwrap();
    assert_eq!(std::fs::read(&primary).unwrap(), good);
    // An altered index is not trusted, whatever the server says.
    let index = repo.cache().join("repodata/repomd.xml");
    let text = std::fs::read_to_string(&index).unwrap();
    std::fs::write(&index, text.replace("<revision>20", "<revision>99")).unwrap();
    let causes = repo.go().unwrap_err();
    assert!(causes.to_string().contains("304"), "{causes}");
    repo.site.server.behave();
    assert_eq!(repo.go().unwrap().repomd.revision.as_deref(), Some("20"));
}

/// Row 6: a server that compares dates says "not modified" for ever where its operator has gone back.
#[test]
fn row_06_304_after_the_publisher_went_back() {
    let repo = Repo::new();
    repo.edit(|text| text.replace("-filelists.xml.gz", "-gone.xml.gz"));
    let asked = || {
        let all = repo.site.server.seen_at(REPOMD);
        let is_conditional = |seen: &Seen| seen.header("if-none-match").is_some();
        all.iter().map(is_conditional).collect::<Vec<bool>>()
    };
    let etag = Some("\"for-ever\"".to_owned());
    let answer = Answer {
        etag,
        ..Answer::default()
    };
    repo.site.server.always(REPOMD, answer);
    let primary = RepoRefresh {
        parts: &["primary"],
        ..repo.job()
    };
    refresh_one(primary, &Log::default()).unwrap();
    repo.publish("19");
    // The filelists that the cached index lists are gone.
    let set = repo.go().unwrap();
    assert_eq!(set.repomd.revision.as_deref(), Some("19"));
    assert_eq!(asked(), [false, true, false]);
    // Nothing is lacking: the server is believed, unless older metadata is allowed.
    repo.publish("18");
    let set = repo.go().unwrap();
    assert_eq!(set.repomd.revision.as_deref(), Some("19"));
    let allowed = RepoRefresh {
        force: true,
        older: OlderMetadata::Take,
        ..repo.job()
    };
    let set = refresh_one(allowed, &Log::default()).unwrap();
    assert_eq!(set.repomd.revision.as_deref(), Some("18"));
    assert_eq!(asked(), [false, true, false, true, false]);
}

/// Puts `href` in place of primary's location; whatever happens, nothing is written elsewhere.
fn with_href(href: &str) -> Vec<Cause> {
    let repo = Repo::new();
    repo.go().unwrap();
    repo.edit(|text| {
        let at = text.find("type=\"primary\"").unwrap();
        let start = text[at..].find("href=\"").unwrap() + at + 6;
        let end = text[start..].find('"').unwrap() + start;
        format!("{}{href}{}", &text[..start], &text[end..])
    });
    let outside = |dir: &Path| {
        let all = snapshot(dir).into_iter();
        all.filter(|(path, _)| !path.starts_with(repo.cache()))
            .collect::<Vec<_>>()
    };
    let before = outside(&repo.site.path(""));
    let causes = repo.must_fail();
    assert_eq!(outside(&repo.site.path("")), before, "{href}");
    causes
}

#[test]
fn row_31_href_dotdot() {
    for href in ["../../etc/cron.d/x", "a/../../b", "..", "repodata/../../x"] {
        assert!(matches!(with_href(href)[0], Cause::Malformed(_)), "{href}");
    }
}

#[test]
fn row_32_href_encoded() {
    let long = "a/".repeat(3000) + "b";
    for href in [
        "%2e%2e/x", "..%2fx", "\\..\\x", "a%00b", "a&#10;b", "a&#0;b", &long,
    ] {
        assert!(
            matches!(with_href(href)[0], Cause::Malformed(_)),
            "{href:.40}"
        );
    }
}

#[test]
fn row_34_href_absolute_url() {
    for href in ["file:///etc/shadow", "http://127.0.0.1:1/x", "/etc/shadow"] {
        assert!(matches!(with_href(href)[0], Cause::Malformed(_)), "{href}");
    }
    // xml:base: never file: from a server.
    let repo = Repo::new();
    repo.edit(|text| text.replace("<location href", "<location xml:base=\"file:///etc/\" href"));
    let error = repo.go().unwrap_err();
    assert!(matches!(error, Error::BadUrl { .. }), "{error}");
}

#[test]
fn row_35_content_disposition_is_ignored() {
    let repo = Repo::new();
    let headers = vec![(
        "Content-Disposition".into(),
        "attachment; filename=../../x".into(),
    )];
    repo.site.server.always(
        REPOMD,
        Answer {
            headers,
            ..Answer::default()
        },
    );
    repo.go().unwrap();
    assert!(repo.cache().join("repodata/repomd.xml").exists());
    assert!(!repo.site.path("x").exists());
}

#[test]
fn row_48_endless_repomd() {
    let repo = Repo::new();
    repo.go().unwrap();
    repo.site.server.always(
        REPOMD,
        Answer {
            endless: true,
            status: Some(200),
            ..Answer::default()
        },
    );
    assert_eq!(repo.must_fail()[0], Cause::TooLarge { limit: 10 << 20 });
    repo.site.server.always(
        REPOMD,
        Answer {
            length: Some(1 << 40),
            status: Some(200),
            ..Answer::default()
        },
    );
    assert_eq!(repo.must_fail()[0], Cause::TooLarge { limit: 10 << 20 });
}

#[test]
fn row_54_html_instead_of_metadata() {
    let repo = Repo::new();
    repo.go().unwrap();
    repo.site.server.always(REPOMD, Answer::login_page());
    assert_eq!(repo.must_fail(), [Cause::Html]);
    let redirected = Answer::redirect(302, "/login");
    repo.site.server.always(REPOMD, redirected);
    repo.site.server.always("/login", Answer::login_page());
    assert_eq!(repo.must_fail(), [Cause::Html]);
}

#[test]
fn an_interrupted_refresh_goes_on() {
    let repo = Repo::new();
    let text = std::fs::read_to_string(repo.repomd()).unwrap();
    let at = text.find("-filelists.xml.gz").unwrap();
    let start = text[..at].rfind('/').unwrap();
    let filelists = format!("/repodata{}", &text[start..at + 17]);
    repo.site.server.next(&filelists, [Answer::cut_at(50)]);
    repo.site.server.always(&filelists, Answer::status(404));
    assert!(repo.go().is_err());
    assert!(!repo.cache().join("repodata").exists());
    repo.site.server.behave();
    repo.site.server.forget();
    repo.go().unwrap();
    let seen = repo.site.server.seen();
    assert_eq!(seen.len(), 2, "index and the rest of filelists: {seen:?}");
    assert_eq!(seen[1].header("range"), Some("bytes=50-"));
}

#[test]
fn file_repository() {
    let repo = Repo::new();
    let config = config(&format!("baseurl=file://{}", repo.site.www().display()));
    let cache = repo.site.path("filecache");
    let set = refresh_one(job(&config, &cache), &Log::default()).unwrap();
    assert!(path_of(&set, "primary").starts_with(&cache));
    let forced = RepoRefresh {
        force: true,
        ..job(&config, &cache)
    };
    assert!(refresh_one(forced, &Log::default()).unwrap().from_cache);
}

#[test]
fn a_cache_of_others_is_read_while_it_is_fresh() {
    let repo = Repo::new();
    let system = repo.site.path("system");
    refresh_one(job(&repo.config, &system), &Log::default()).unwrap();
    repo.site.server.forget();
    let wish = |force| RepoRefresh {
        shared: Some(system.clone()),
        force,
        ..repo.job()
    };
    let set = refresh_one(wish(false), &Log::default()).unwrap();
    assert!(set.from_cache && set.dir.starts_with(&system));
    assert!(repo.site.server.seen().is_empty() && !repo.cache().exists());
    // Asked for anew: into the cache that is ours, which counts from then on.
    let before = snapshot(&system);
    repo.publish("30");
    let set = refresh_one(wish(true), &Log::default()).unwrap();
    assert_eq!(set.repomd.revision.as_deref(), Some("30"));
    let set = refresh_one(wish(false), &Log::default()).unwrap();
    assert_eq!(set.repomd.revision.as_deref(), Some("30"));
    assert_eq!(snapshot(&system), before);
}

#[test]
fn row_83_garbage_in_the_cache() {
    let repo = Repo::new();
    std::fs::create_dir_all(repo.cache().join("repodata.new/x")).unwrap();
    std::fs::create_dir_all(repo.cache().join("repodata/repomd.xml")).unwrap();
    std::fs::write(repo.cache().join("repodata/tdnf.state"), noise(300)).unwrap();
    repo.go().unwrap();
    let set = refresh_one(repo.job(), &Log::default()).unwrap();
    assert!(set.from_cache);
}
