//! Rows 43 to 46: documents that want more than there is.

use testkit::program::MAX_PEAK_KIB;

use super::*;

const LAUGHS: &str = "<!DOCTYPE x [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;\">\
    <!ENTITY c \"&b;&b;&b;&b;&b;&b;&b;&b;\"><!ENTITY d \"&c;&c;&c;&c;&c;&c;&c;&c;\">\
    <!ENTITY e \"&d;&d;&d;&d;&d;&d;&d;&d;\"><!ENTITY f \"&e;&e;&e;&e;&e;&e;&e;&e;\">\
    <!ENTITY g \"&f;&f;&f;&f;&f;&f;&f;&f;\"><!ENTITY h \"&g;&g;&g;&g;&g;&g;&g;&g;\">]>";

#[test]
fn row_43_billion_laughs_xxe_dtd() {
    let (scene, published) = cached_scene();
    let stolen = scene.write("secret", "the secret text");
    let external = format!(
        "<!DOCTYPE x [<!ENTITY h SYSTEM \"file://{}\">]>",
        stolen.display()
    );
    let remote = format!("<!DOCTYPE x SYSTEM \"{}\">", scene.server.url("/evil.dtd"));
    let parameter = format!(
        "<!DOCTYPE x [<!ENTITY % p SYSTEM \"{}\"> %p;]>",
        scene.server.url("/evil.dtd")
    );
    scene.write("www/evil.dtd", "<!ENTITY h \"fetched\">");
    for prolog in [LAUGHS, &external, &remote, &parameter] {
        let mut lying = next(&published);
        let text = String::from_utf8(lying.primary().text.clone()).unwrap();
        let (head, body) = text.split_once("?>").unwrap();
        let body = body.replace("Scene package app", "Scene &h; package");
        lying.primary().text = format!("{head}?>{prolog}{body}").into_bytes();
        lying.write(Some(&scene.key));
        let run = scene.refuses(&["--refresh", "info", "app"], &["main"]);
        assert!(!run.text().contains("the secret text"), "{}", run.text());
        let mut lying = next(&published);
        lying.prolog = prolog.to_owned();
        lying.write(Some(&scene.key));
        let text = lying.repomd().replace("<revision>", "<revision>&h;");
        lying.write_index(&text, Some(&scene.key));
        let run = scene.refuses(&["makecache"], &["main", "repomd.xml"]);
        assert!(!run.text().contains("the secret text"), "{}", run.text());
        assert!(run.time < Duration::from_secs(60));
    }
    assert!(
        scene.server.seen_at("/evil.dtd").is_empty(),
        "the DTD was fetched"
    );
}

#[test]
fn row_44_number_overflow() {
    let (scene, published) = cached_scene();
    let numbers = [
        "-1",
        "9223372036854775808",
        "18446744073709551616",
        "1e99",
        "0x10",
        "1.5",
        "٣",
    ];
    let text = String::from_utf8(published.parts[0].text.clone()).unwrap();
    let size = between(&text, "<size package=\"", "\"");
    let start = between(&text, "<rpm:header-range start=\"", "\"");
    for number in numbers {
        for (from, to) in [
            (
                format!("package=\"{size}\""),
                format!("package=\"{number}\""),
            ),
            (
                format!("range start=\"{start}\""),
                format!("range start=\"{number}\""),
            ),
            ("epoch=\"0\"".to_owned(), format!("epoch=\"{number}\"")),
        ] {
            let lying = next(&published).replace("primary", &from, &to);
            lying.write(Some(&scene.key));
            let run = scene.tdnf(&["-y", "--refresh", "install", "app"]);
            run.refused(&["main: primary: 1 record is left out: app: a"]);
        }
        for field in ["size", "open_size"] {
            let mut lying = next(&published);
            let part = lying.primary();
            *(if field == "size" {
                &mut part.size
            } else {
                &mut part.open_size
            }) = Some(number.to_owned());
            lying.write(Some(&scene.key));
            scene.refuses(&["-y", "--refresh", "install", "app"], &["main"]);
        }
    }
    assert_eq!(scene.installed(), ["first-1"]);
    // Sizes that fit a number and no disk.
    let from = format!("package=\"{size}\"");
    for (number, word) in [
        ("9223372036854775807", "space"),
        ("18446744073709551615", "too large"),
    ] {
        let to = format!("package=\"{number}\"");
        next(&published)
            .replace("primary", &from, &to)
            .write(Some(&scene.key));
        let run = scene.tdnf(&["-y", "--refresh", "install", "app"]);
        run.refused(&[word]);
    }
    // In HTTP.
    next(&published).write(Some(&scene.key));
    for length in ["-1", "18446744073709551616", "1e3", "0x20", "12, 13"] {
        let raw = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\nbody");
        scene.server.always(REPOMD, Answer::raw(raw.clone()));
        scene.refuses(&["makecache"], &["main", "repomd.xml"]);
        scene.server.behave();
        scene.tdnf(&["makecache"]).ok();
        scene.server.always(APP, Answer::raw(raw));
        scene.refuses_install(&["app"], &["app-1"]);
        scene.server.behave();
    }
}

fn between<'a>(text: &'a str, from: &str, to: &str) -> &'a str {
    let (_, rest) = text.split_once(from).unwrap_or_else(|| panic!("no {from}"));
    rest.split_once(to).unwrap_or_else(|| panic!("no {to}")).0
}

#[test]
fn row_45_deep_xml_huge_attr() {
    let (scene, published) = cached_scene();
    let text = String::from_utf8(published.parts[0].text.clone()).unwrap();
    let (head, tail) = text.split_once("<description>").unwrap();
    let tail = format!("<description>{tail}");
    let deep = format!(
        "{head}{}{}{tail}",
        "<a>".repeat(1_000_000),
        "</a>".repeat(1_000_000)
    );
    let unclosed = format!("{head}{}", "<a>".repeat(1_000_000));
    let attribute = format!("{head}<a b=\"{}\"/>{tail}", "x".repeat(64 << 20));
    let long_text = text.replace("Scene package app", &"x".repeat(80 << 20));
    let long_name = text.replace("<name>app<", &format!("<name>{}<", "x".repeat(32 << 20)));
    let entry = "<rpm:entry name=\"a\"/>";
    let end = "</rpm:provides>";
    let provides = text.replace(end, &format!("{}{end}", entry.repeat(3_000_000)));
    let install = ["-y", "--refresh", "install", "app"];
    for text in [deep, unclosed] {
        let mut lying = next(&published);
        lying.primary().text = text.into_bytes();
        lying.write(Some(&scene.key));
        scene.refuses(&install, &["main", "primary"]);
    }
    for text in [attribute, long_text, long_name, provides] {
        let mut lying = next(&published);
        lying.primary().text = text.into_bytes();
        lying.write(Some(&scene.key));
        let run = scene.tdnf(&install);
        run.refused(&["main: primary: 1 record is left out: "]);
    }
    assert_eq!(scene.installed(), ["first-1"]);
}

/// Row 127: what one package of a repository says costs that package; it is counted and named.
#[test]
fn a_bad_record_costs_its_own_package() {
    let (scene, published) = cached_scene();
    let text = String::from_utf8(published.parts[0].text.clone()).unwrap();
    let app = between(&text, "<package type=\"rpm\">", "</package>");
    let long = "x".repeat(20 << 20);
    let bad = [
        app.replace("<name>app<", "<name>a/b<"),
        app.replace("<name>app<", "<name/><summary>x<")
            .replace("</name>", "</summary>"),
        app.replace("Scene package app", &long),
        app.replace("epoch=\"0\"", &format!("epoch=\"{long}\"")),
    ];
    for bad in bad {
        assert_ne!(bad, app);
        let record = format!("<package type=\"rpm\">{bad}</package>").repeat(2);
        let mut lying = next(&published);
        lying.primary().text = text
            .replacen("<package ", &format!("{record}<package "), 1)
            .into();
        lying.write(Some(&scene.key));
        let run = scene.tdnf(&["--refresh", "info", "app"]).ok();
        let said = run.text();
        let lines: Vec<&str> = said
            .lines()
            .filter(|line| line.contains("left out"))
            .collect();
        let is_said =
            |line: &&str| line.contains("main: primary: 2 records are left out, the first: ");
        assert!(lines.len() == 1 && lines.iter().all(is_said), "{said}");
    }
}

/// A compressed part that becomes 300 MB, whatever repomd.xml says of it.
fn bomb(packer: Packer, text: &[u8]) -> Part {
    const OPEN: usize = 300 << 20;
    let mut open = text.to_vec();
    open.resize(OPEN, b' ');
    Part {
        kind: "primary".into(),
        packed: Some(packer.pack(&open)),
        packer,
        text: text.to_vec(),
        ..Part::default()
    }
}

#[test]
fn row_46_bombs() {
    for packer in [Packer::Gzip, Packer::Xz, Packer::Zstd, Packer::Bzip2] {
        let (scene, published) = cached_scene();
        let mut lying = next(&published);
        // The text is the good one with endless white space behind it: only sizes can tell.
        lying.parts[0] = bomb(packer, &published.parts[0].text);
        lying.write(Some(&scene.key));
        let run = scene.refuses(&["-y", "--refresh", "install", "app"], &["main", "primary"]);
        assert!(
            run.time < Duration::from_secs(60),
            "{packer:?}: {:?}",
            run.time
        );
        // Where nothing is said of the open size, memory stays bounded all the same.
        lying.parts[0].open_untold = true;
        lying.revision += 1;
        lying.write(Some(&scene.key));
        let run = scene.tdnf(&["--refresh", "info", "app"]);
        let peak = run.peak.unwrap();
        assert!(peak <= MAX_PEAK_KIB, "{packer:?}: {peak} KiB");
        assert!(run.code != -1, "{packer:?}: {}", run.text());
    }
}

#[test]
fn row_46_zstd_window_of_two_gigabytes() {
    let (scene, published) = cached_scene();
    // Frame header (RFC 8878, 3.1.1): no content size, window descriptor for 2 GiB; then one RLE
    // block that says it is 128 KiB of one byte, without end.
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, 21 << 3];
    for _ in 0..1000 {
        let block: u32 = (128 << 10) << 3 | 1 << 1;
        frame.extend(&block.to_le_bytes()[..3]);
        frame.push(b' ');
    }
    let mut lying = next(&published);
    lying.parts[0].packer = Packer::Zstd;
    lying.parts[0].packed = Some(frame);
    lying.write(Some(&scene.key));
    scene.refuses(&["-y", "--refresh", "install", "app"], &["main", "primary"]);
}

#[test]
fn row_46_a_part_is_not_what_its_name_says() {
    let (scene, published) = cached_scene();
    for bytes in [
        crate::scene::noise(5000),
        // A cut stream.
        {
            let packed = Packer::Gzip.pack(&published.parts[0].text);
            packed[..packed.len() / 2].to_vec()
        },
        Packer::None.pack(&published.parts[0].text),
        Vec::new(),
    ] {
        let mut lying = next(&published);
        lying.parts[0].packed = Some(bytes);
        lying.write(Some(&scene.key));
        scene.refuses(&["-y", "--refresh", "install", "app"], &["main", "primary"]);
    }
}

#[test]
fn a_repository_whose_metadata_cannot_be_read_is_left_out_where_it_may_be() {
    let scene = Scene::new();
    let [lib, app] = ["lib", "app"].map(|name| package(name, "1", "").signed(&scene.key));
    scene.publish("main", &[&lib]);
    scene.configure("main", "");
    let bad = scene.publish("bad", &[&app]);
    let bad = bad.replace("primary", "<name>app</name>", "<name>app</nam>");
    bad.write(Some(&scene.key));
    let why = ["bad", "expected `</name>`"];
    scene.configure("bad", "");
    let run = scene.refuses_install(&["lib"], &why);
    run.says(&["--disablerepo=bad"]);
    assert!(!run.text().contains("clean"), "{run:?}");
    scene
        .tdnf(&["-y", "--disablerepo=bad", "install", "lib"])
        .ok();
    scene
        .tdnf(&["-y", "--disablerepo=bad", "erase", "lib"])
        .ok();
    scene.configure("bad", "skip_if_unavailable=1");
    let run = scene.install(&["lib"]).ok();
    run.says(&["warning", why[0], why[1]]);
    assert_eq!(scene.installed(), ["first-1", "lib-1"]);
}
