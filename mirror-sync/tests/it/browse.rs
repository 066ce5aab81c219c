//! What a browser is shown beside the page: folders and a search, in HTML that a browser parses.

use std::fs;

use testkit::program::Run;

use crate::scene::{Scene, package};
use crate::serving::{Serving, curl};

/// The code and the text of an answer.
fn get(serving: &Serving, path: &str) -> (String, String) {
    let run = curl(&["--path-as-is", "-w", "%{http_code}", &serving.url(path)]).ends(0);
    let at = run.out.len() - 3;
    (run.out[at..].to_owned(), run.out[..at].to_owned())
}

/// The links and the visible text of a page, as Python's own parser reads it; what runs or is fetched must not be there.
fn parsed(html: &str) -> (Vec<String>, String) {
    let code = "import sys, json\nfrom html.parser import HTMLParser\n\
        links, text = [], []\n\
        class Reader(HTMLParser):\n\
        \x20   def handle_starttag(self, tag, attrs):\n\
        \x20       assert tag in 'html head meta title style body main header h1 h3 a span form input button p table thead tbody tr th td'.split(), tag\n\
        \x20       for name, value in attrs:\n\
        \x20           assert not name.startswith('on') and name not in ('src', 'style'), name\n\
        \x20           if name == 'href': links.append(value)\n\
        \x20   def handle_data(self, data): text.append(data)\n\
        Reader().feed(sys.stdin.buffer.read().decode())\n\
        print(json.dumps([links, ' '.join(text)]))";
    let mut child = std::process::Command::new("python3")
        .args(["-c", code])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    std::io::Write::write_all(&mut input, html.as_bytes()).unwrap();
    drop(input);
    let run = Run::of(child.wait_with_output().unwrap());
    assert!(run.code == 0, "{}{html}", run.err);
    serde_json::from_str(&run.out).unwrap()
}

/// What an upstream wrote runs no script where the pages are that show a client its token.
#[test]
fn row_116_files_of_an_upstream_run_no_script() {
    let scene = Scene::usual();
    scene.sync();
    fs::write(scene.public("base").join("x.html"), "<script>").unwrap();
    let serving = Serving::start(&scene);
    for path in ["/base/repodata/repomd.xml", "/base/x.html"] {
        let answer = curl(&["-i", &serving.url(path)]).ends(0).out;
        let head = answer.to_ascii_lowercase();
        assert!(
            head.contains("content-security-policy: sandbox; default-src 'none'\r\n"),
            "{answer}"
        );
        assert!(
            head.contains("x-content-type-options: nosniff\r\n"),
            "{answer}"
        );
        assert!(!head.contains("content-type: text/html"), "{answer}");
    }
}

#[test]
fn row_116_folders_are_lists_of_what_may_be_seen() {
    let scene = Scene::usual();
    scene.sync();
    let packages = fs::canonicalize(scene.public("base"))
        .unwrap()
        .join("Packages");
    let odd = "a<img src=x onerror=alert(1)>&\"' %41:b\u{e9}?#.rpm";
    fs::write(packages.join(odd), "odd").unwrap();
    fs::write(packages.join(".hidden"), "hidden").unwrap();
    std::os::unix::fs::symlink("/etc", packages.join("out")).unwrap();
    let serving = Serving::start(&scene);
    let answer = curl(&["-i", &serving.url("/base/Packages")]).ends(0).out;
    assert!(answer.starts_with("HTTP/1.1 301 "), "{answer}");
    assert!(answer.contains("location: ./Packages/\r\n"), "{answer}");
    let (code, html) = get(&serving, "/base/Packages/");
    assert_eq!(code, "200");
    let (links, text) = parsed(&html);
    assert!(
        text.contains("alpha-1-1.noarch.rpm") && text.contains(odd),
        "{text}"
    );
    assert!(!text.contains("hidden") && !text.contains("out"), "{text}");
    // Every link leads to what it names.
    for link in links.iter().filter(|link| link.starts_with("./")) {
        let (code, _) = get(&serving, &format!("/base/Packages/{}", &link[2..]));
        assert_eq!(code, "200", "{link}");
    }
    let count = links.iter().filter(|link| link.starts_with("./")).count();
    assert_eq!(count, 4, "{links:?}");
    // Snapshots, by name and by date, and channels.
    scene
        .run(&["snapshot", "promote", "base", "--to", "prod"])
        .ends(0);
    let day = scene.run(&["snapshot", "list", "--json"]).ends(0).json()[0]["stamp"].clone();
    let day = day.as_str().unwrap();
    for path in [
        "/snapshots/",
        "/prod/",
        &format!("/@{day}/base/"),
        &format!("/@{day}/base/repodata/"),
    ] {
        let (code, html) = get(&serving, path);
        assert_eq!(code, "200", "{path}");
        parsed(&html);
    }
    assert!(
        get(&serving, &format!("/@{day}/base/repodata/"))
            .1
            .contains("repomd.xml")
    );
    // A long folder has more than one page.
    for number in 0..1500 {
        fs::write(packages.join(format!("many{number:04}")), "").unwrap();
    }
    let (mut path, mut seen) = ("/base/Packages/".to_owned(), Vec::new());
    loop {
        let (links, _) = parsed(&get(&serving, &path).1);
        seen.extend(links.iter().filter(|link| link.starts_with("./")).cloned());
        let next = links.iter().find(|link| link.starts_with("?after="));
        let Some(next) = next else { break };
        path = format!("/base/Packages/{next}");
    }
    assert_eq!(seen.len(), 1504);
    seen.dedup();
    assert_eq!(seen.len(), 1504);
}

#[test]
fn a_search_finds_packages_by_parts_of_their_names() {
    let scene = Scene::usual();
    let text = fs::read_to_string(scene.path("mirror.toml")).unwrap();
    scene.put("lazy", "alpine", "3", "");
    scene.publish("lazy");
    scene.config_text(&format!(
        "{text}\n[repo.lazy]\nmode = \"proxy\"\nbaseurl = {:?}\n",
        scene.server.url("/lazy")
    ));
    scene.sync();
    let page = fs::read_to_string(scene.public("index.html")).unwrap();
    assert!(!page.contains("<form"), "a static mirror cannot search");
    let serving = Serving::start(&scene);
    assert!(get(&serving, "/").1.contains("<form action=\"/search\">"));
    let found = |query: &str| {
        let (code, html) = get(&serving, &format!("/search?q={query}"));
        assert_eq!(code, "200", "{query}");
        let (links, text) = parsed(&html);
        let links = links.into_iter().filter(|link| link.ends_with(".rpm"));
        (links.collect::<Vec<_>>(), text)
    };
    let alpha = "/base/Packages/alpha-1-1.noarch.rpm";
    assert_eq!(found("ALPHA").0, [alpha]);
    assert_eq!(found("noarch+alp").0, [alpha]);
    assert_eq!(found("").0.len(), 0);
    assert_eq!(found("nosuch").0.len(), 0);
    // Of a proxied repository once somebody has asked it for something.
    get(&serving, "/lazy/repodata/repomd.xml");
    assert_eq!(
        found("alp").0,
        [alpha, "/lazy/Packages/alpine-3-1.noarch.rpm"]
    );
    for link in found("a").0 {
        let (code, _) = (get(&serving, &link).0, ());
        assert_eq!(code, "200", "{link}");
    }
    for hostile in [
        "%3Cscript%3Ealert(1)%3C/script%3E",
        "%22%20onfocus=alert(1)%20autofocus=%22",
        "%00%ff%zz",
        &"a".repeat(20_000),
        "+++",
        "&q=x&q",
    ] {
        let (links, _) = found(hostile);
        assert_eq!(links.len(), 0, "{hostile}");
    }
    let size = package("alpha", "1", "").metadata().unwrap().len();
    assert!(found("alpha").1.contains(&cli_kit::iec_size(size)));
}
