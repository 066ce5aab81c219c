//! Records of upstream's metadata that lead astray or cannot be used.

use crate::guards::rewrite_primary;
use crate::scene::Scene;

#[test]
fn row_31_32_33_34_a_location_that_leads_astray_is_named_and_the_rest_goes_on() {
    // It is what it means for a client of the server, and there is nothing.
    for bad in [
        "../../etc/cron.d/x",
        "a/../../b",
        "%2e%2e/x.rpm",
        "..%2fx.rpm",
        "/etc/shadow",
        "repodata/repomd.xml",
    ] {
        let scene = Scene::usual();
        rewrite_primary(&scene, "base", |text| {
            text.replace("Packages/gamma-1-1.noarch.rpm", bad)
        });
        let run = scene.run(&["sync"]).ends(4);
        assert!(run.err.contains("gamma-1-1.noarch"), "{bad}: {}", run.err);
        let way = "add \"gamma\" to select.exclude of [repo.base] to go on without it";
        assert!(run.err.contains(way), "{bad}: {}", run.err);
        assert!(!scene.public("base").exists(), "{bad}");
        // The other packages are there for the run after upstream has mended it.
        let asked = scene.server.seen_at("/base/Packages/alpha-1-1.noarch.rpm");
        assert_eq!(asked.len(), 1, "{bad}");
        let outside = scene.path("mirror");
        let names = crate::scene::files_in(&outside);
        assert!(
            names
                .iter()
                .all(|n| !n.ends_with("/x") && !n.contains("cron")),
            "{names:?}"
        );
    }
    // It means nothing, or what no server may name.
    for bad in [
        "\\..\\x.rpm",
        "file:///etc/shadow",
        "gopher://127.0.0.1/x",
        "http://\u{1}/",
    ] {
        let scene = Scene::usual();
        rewrite_primary(&scene, "base", |text| {
            text.replace("Packages/gamma-1-1.noarch.rpm", bad)
        });
        costs_gamma(&scene, bad);
    }
}

/// A record that cannot be used costs its own package, in the mirror and in its metadata.
fn costs_gamma(scene: &Scene, what: &str) {
    let run = scene.run(&["sync"]).ends(0);
    let told = "base: warning: gamma-1-1.noarch is left out: ";
    assert_eq!(run.err.matches(told).count(), 1, "{what}: {}", run.err);
    let url = format!("file://{}", scene.public("base").display());
    assert_eq!(scene.dnf_list(&url), ["alpha-1", "beta-1"], "{what}");
    scene.run(&["verify"]).ends(0);
    scene.run(&["sync"]).ends(3);
}

/// Of two contents at one path nobody knows which is right; the same package listed twice is one.
#[test]
fn row_127_a_doubled_record_costs_its_own_package() {
    let scene = Scene::usual();
    let twice = |text: &str, change: &dyn Fn(&str) -> String| {
        let at = text.find("<name>gamma").unwrap();
        let start = text[..at].rfind("<package ").unwrap();
        let end = at + text[at..].find("</package>").unwrap() + "</package>".len();
        let text = text.replace("packages=\"3\"", "packages=\"4\"");
        format!(
            "{}{}{}",
            &text[..end],
            change(&text[start..end]),
            &text[end..]
        )
    };
    rewrite_primary(&scene, "base", |text| {
        twice(text, &|record| {
            let digest = record.split("pkgid=\"YES\">").nth(1).unwrap();
            record.replace(&digest[..8], "01234567")
        })
    });
    costs_gamma(&scene, "two contents");
    let scene = Scene::usual();
    rewrite_primary(&scene, "base", |text| twice(text, &str::to_owned));
    scene.sync();
    let url = format!("file://{}", scene.public("base").display());
    assert_eq!(scene.dnf_list(&url), ["alpha-1", "beta-1", "gamma-1"]);
}

#[test]
fn row_34_a_base_elsewhere_is_only_followed_to_https_or_the_same_scheme() {
    let scene = Scene::usual();
    rewrite_primary(&scene, "base", |text| {
        text.replace(
            "<location href=\"Packages/gamma",
            "<location xml:base=\"file:///etc\" href=\"Packages/gamma",
        )
    });
    let run = scene.run(&["sync", "--dry-run"]).ends(0);
    assert!(run.err.contains("its scheme is neither"), "{}", run.err);
    costs_gamma(&scene, "a base");
}
