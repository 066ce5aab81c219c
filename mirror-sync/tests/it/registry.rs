//! A mirror of a repository that lies in a registry of containers.

use testkit::registry::Registry;

use crate::scene::Scene;

/// What is under the tag is mirrored, the next time what it has become; where there is no such tag a line says so, and
/// clients keep what they have.
#[test]
fn a_mirror_of_a_registry() {
    let scene = Scene::usual();
    let Some(registry) = Registry::start(&scene.path("registry")) else {
        return;
    };
    let upstream = scene.path("up/base");
    registry.put_tree(&upstream, "photon/base", "prod");
    let config = |tag: &str| {
        let (mirror, url) = (
            scene.path("mirror"),
            registry.url(&format!("photon/base:{tag}")),
        );
        scene.config_text(&format!(
            "[mirror]\npath = {mirror:?}\n\n[repo.base]\nbaseurl = {url:?}\n"
        ));
    };
    config("prod");
    scene.sync();
    let names = |text: &[String]| {
        let packages = text.iter().filter(|name| name.ends_with(".rpm"));
        packages.cloned().collect::<Vec<_>>()
    };
    let first = names(&scene.published("base"));
    assert_eq!(first.len(), 3, "{first:?}");
    scene.put("base", "delta", "1", "");
    scene.publish("base");
    registry.put_tree(&upstream, "photon/base", "prod");
    scene.sync();
    assert_eq!(names(&scene.published("base")).len(), 4);
    assert!(scene.server.seen().is_empty());
    config("gone");
    let run = scene.run(&["sync"]);
    assert_ne!(run.code, 0);
    assert!(
        run.err.contains(
            "photon/base:gone/repodata/repomd.xml: the registry has no such repository or tag"
        ),
        "{run:?}"
    );
    assert_eq!(names(&scene.published("base")).len(), 4);
}
