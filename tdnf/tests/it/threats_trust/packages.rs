//! Rows 10 to 19: packages, their signatures and headers.

use super::*;

/// Serves the working directory over TLS; the first line of output is the port.
const TLS_SERVER: &str = "
import http.server, ssl, sys
server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), http.server.SimpleHTTPRequestHandler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1], sys.argv[2])
server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_port, flush=True)
server.serve_forever()
";

#[test]
fn row_10_a_key_comes_over_a_channel_that_is_checked() {
    let (scene, _) = Scene::with(&[&package("app", "1", "")]);
    scene.tdnf(&["makecache"]).ok();
    fs::copy(scene.path("keys/scene.asc"), scene.www().join("key.asc")).unwrap();
    let (cert, private) = (scene.path("tls.crt"), scene.path("tls.key"));
    let mut openssl = Command::new("openssl");
    openssl.args([
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=localhost",
    ]);
    openssl.args(["-addext", "basicConstraints=critical,CA:FALSE"]);
    openssl.args(["-addext", "subjectAltName=IP:127.0.0.1", "-out"]);
    ok(openssl.arg(&cert).arg("-keyout").arg(&private));
    let mut python = Command::new("/usr/bin/python3");
    python.args(["-c", TLS_SERVER]).arg(&cert).arg(&private);
    python.current_dir(scene.www());
    python.stdout(Stdio::piped()).stderr(Stdio::null());
    let mut server = python.spawn().unwrap();
    let mut port = String::new();
    BufReader::new(server.stdout.as_mut().unwrap())
        .read_line(&mut port)
        .unwrap();
    let https = format!("https://127.0.0.1:{}/key.asc", port.trim());
    // The key is the right one, and it is there.
    let http = scene.server.url("/key.asc");
    for (lines, words) in [
        (
            format!("gpgkey={http}"),
            "GpgKey Url schemes other than file are not supported",
        ),
        (
            format!("gpgkey={https}\nsslverify=0"),
            "sslverify=0, so anybody may have sent this key",
        ),
        (format!("gpgkey={https}"), "certificate"),
    ] {
        scene.configure("main", &format!("repo_gpgcheck=0\n{lines}"));
        scene.refuses_install(&["app"], &[words]);
        assert!(scene.trusted_keys().is_empty(), "{lines}");
    }
    assert!(scene.server.seen_at("/key.asc").is_empty());
    let lines = format!(
        "repo_gpgcheck=0\ngpgkey={https}\nsslcacert={}",
        cert.display()
    );
    scene.configure("main", &lines);
    // In a cache of others the key is used as it came, and not kept.
    if !testkit::fixtures::unprivileged() {
        let repo = scene.cached("repodata/repomd.xml").remove(0);
        let cache = repo.ancestors().nth(2).unwrap();
        std::os::unix::fs::chown(cache, Some(12345), None).unwrap();
        let run = scene.tdnf(&["--assumeno", "install", "app"]);
        run.failed().says(&["chown -R root: "]);
        assert!(scene.cached(".key").is_empty());
        let run = scene.install(&["app"]).ok();
        assert!(scene.cached(".key").is_empty(), "{}", run.text());
        scene.tdnf(&["-y", "erase", "app"]).ok();
        std::os::unix::fs::chown(cache, Some(0), None).unwrap();
    }
    let run = scene.install(&["app"]);
    server.kill().unwrap();
    server.wait().unwrap();
    run.ok();
    assert_eq!(scene.trusted_keys().len(), 1);
}

#[test]
fn row_11_unsigned_rpm_gpgcheck1() {
    let scene = Scene::new();
    scene.publish("main", &[&package("app", "1", "")]);
    scene.configure("main", "");
    scene.refuses_install(&["app"], &["app-1", "not signed"]);
    let run = scene.refuses_install(&["app"], &["Error(1510)"]);
    assert!(!run.text().contains("importing key"), "{}", run.text());
}

#[test]
fn row_12_signed_dep_unsigned() {
    let scene = Scene::new();
    let app = package("app", "1", "Requires: lib").signed(&scene.key);
    scene.publish("main", &[&app, &package("lib", "1", "")]);
    scene.configure("main", "");
    scene.refuses_install(&["app"], &["lib-1", "not signed"]);
    assert_eq!(scene.installed(), ["first-1"]);
    assert!(scene.trusted_keys().is_empty());
}

#[test]
fn row_13_wrong_repo_key() {
    let scene = Scene::new();
    let key_a = new_key("A <a@tests.invalid>");
    let key_b = new_key("B <b@tests.invalid>");
    let good = package("good", "1", "").signed(&key_a);
    let evil = package("evil", "1", "").signed(&key_a);
    let own = package("own", "1", "").signed(&key_b);
    for (name, key, packages) in [("a", &key_a, vec![&good]), ("b", &key_b, vec![&evil, &own])] {
        scene.publish(name, &packages).write(Some(key));
        let url = scene.write_key(name, key);
        scene.configure(name, &format!("gpgkey={url}"));
    }
    // Only the keys of the package's own repository are offered.
    scene.refuses_install(&["evil"], &["evil-1", &key_a.key_id()]);
    scene.install(&["own"]).ok();
    scene.refuses_install(&["evil"], &["evil-1", &key_a.key_id()]);
    scene.install(&["good"]).ok();
    assert_eq!(scene.installed(), ["first-1", "good-1", "own-1"]);
    // A key that was imported vouches for packages of every repository, as in rpm.
    scene.install(&["evil"]).ok();
}

/// A package whose payload no digest of the signed header covers.
fn loose(key: &rpm_trust::sign::SigningKey, file_algorithm: Option<u32>) -> RpmFile {
    let file = package("app", "1", "").edit(|items| {
        let digests = [
            tag::PAYLOAD_DIGEST,
            tag::PAYLOAD_DIGEST_ALGO,
            tag::PAYLOAD_DIGEST_ALT,
        ];
        items.retain(|item| !digests.contains(&item.tag));
        if let Some(algorithm) = file_algorithm {
            replace(items, Item::number(tag::FILE_DIGEST_ALGO, algorithm));
            let md5 = "0".repeat(32);
            replace(items, Item::texts(tag::FILE_DIGESTS, &[&md5]));
        }
    });
    file.signed(key)
}

/// The same package with other content in its payload and digests outside the header renewed.
pub(super) fn with_other_content(file: &RpmFile) -> RpmFile {
    let other = RpmFile::read(&spec_of("app", "1", &noise(30_001)[1..]).build());
    let mut changed = file.clone();
    changed.payload = other.payload;
    assert_ne!(changed.payload, file.payload);
    changed.sealed()
}

#[test]
fn row_14_header_sig_only() {
    let scene = Scene::new();
    // Neither payload digest nor usable file digests: nothing ties the payload to the signature.
    let loose_md5 = loose(&scene.key, Some(1));
    scene.publish("main", &[&with_other_content(&loose_md5)]);
    scene.configure("main", "");
    scene.refuses_install(&["app"], &["app-1", "payload"]);
    // The package is refused even if nobody has changed it: it cannot be told.
    scene.publish("main", &[&loose_md5]);
    scene.refuses_install(&["--refresh", "app"], &["app-1", "payload"]);
    // Strong file digests in the signed header: the unpacker compares each file.
    let scene = Scene::new();
    let loose_sha = loose(&scene.key, None);
    scene.publish("main", &[&with_other_content(&loose_sha)]);
    scene.configure("main", "");
    scene.refuses_install(&["app"], &["app", "digest"]);
    let before = scene.publish("main", &[&loose_sha]);
    assert_eq!(before.parts.len(), 3);
    scene.install(&["--refresh", "app"]).ok();
    assert!(scene.rpm().run(&["-V", "app"]).success());
}

/// Every way that a package can come in refuses the same bad package.
fn refused_by_every_way(bad: impl Fn(&Scene) -> RpmFile, words: &[&str]) {
    let scene = Scene::new();
    let file = bad(&scene);
    scene.publish("main", &[&file]);
    scene.configure("main", "");
    scene.write("app.rpm", file.bytes());
    let key = scene.path("keys/scene.asc").to_string_lossy().into_owned();
    scene.rpm().program_ok("rpmkeys", &["--import", &key]);
    let url = scene.server.url("/main/Packages/app-1.rpm");
    let target = scene.path("target").to_string_lossy().into_owned();
    let absolute = scene.path("app.rpm").to_string_lossy().into_owned();
    let ways: [&[&str]; 6] = [
        &["app"],
        &["./app.rpm"],
        &[&absolute],
        &[&url],
        &["--downloadonly", "app"],
        &["--downloadonly", "--downloaddir", &target, "app"],
    ];
    for way in ways {
        scene.refuses_install(way, words);
        assert_eq!(scene.installed(), ["first-1"], "{way:?}");
    }
}

#[test]
fn row_15_every_way_refuses_an_unsigned_package() {
    refused_by_every_way(|_| package("app", "1", ""), &["not signed"]);
}

#[test]
fn row_15_every_way_refuses_an_unknown_key() {
    let other = new_key("Other <other@tests.invalid>");
    let id = other.key_id();
    refused_by_every_way(|_| package("app", "1", "").signed(&other), &[&id]);
}

#[test]
fn row_15_every_way_refuses_a_changed_payload() {
    let flip = |scene: &Scene| {
        let mut file = package("app", "1", "").signed(&scene.key);
        let middle = file.payload.len() / 2;
        file.payload[middle] ^= 1;
        file
    };
    refused_by_every_way(flip, &["digest"]);
    refused_by_every_way(|scene| flip(scene).sealed(), &["payload", "digest"]);
}

#[test]
fn row_15_every_way_refuses_a_changed_header() {
    let flip = |scene: &Scene| {
        let mut file = package("app", "1", "").signed(&scene.key);
        let summary = b"Scene package";
        let at = file
            .header
            .windows(summary.len())
            .position(|w| w == summary)
            .unwrap();
        file.header[at] = b'Z';
        file
    };
    refused_by_every_way(flip, &["bad signature"]);
    // With the digests renewed it is the signature alone that tells.
    refused_by_every_way(|scene| flip(scene).sealed(), &["bad signature"]);
}

#[test]
fn row_16_sig_header_injection() {
    let injected = [
        Item::text(tag::NAME, "evil"),
        Item::texts(tag::FILE_DIGESTS, &["0"]),
        Item::bytes(1029, b"\x02"),            // FILESTATES
        Item::number(1128, 4_000_000),         // INSTALLTID
        Item::text(1118, "/etc/"),             // DIRNAMES
        Item::text(1023, "echo injected"),     // PREIN
        Item::text(1000 + 47, "evil-provide"), // PROVIDENAME
        Item::number(5_000_000, 1),
    ];
    let plain = rows_of_install(None).expect("the plain package is installed");
    for item in injected {
        let shown = format!("{item:?}");
        if let Some(rows) = rows_of_install(Some(item)) {
            assert_eq!(rows, plain, "{shown} reached the database");
        }
    }
}

/// What the real rpm says of `app` after its installation with one more entry in the signature
/// header; none if it is refused (and nothing has changed).
fn rows_of_install(item: Option<Item>) -> Option<String> {
    let scene = Scene::new();
    let mut app = package("app", "1", "").signed(&scene.key);
    if let Some(item) = item {
        app.signature.push(item);
        app.signature.sort_by_key(|item| item.tag);
    }
    scene.publish("main", &[&app]);
    scene.configure("main", "");
    scene.tdnf(&["makecache"]).ok();
    let before = scene.state();
    let run = scene.install(&["app"]);
    if run.code != 0 {
        run.refused(&["app-1"]);
        scene.unchanged(&before, &run);
        return None;
    }
    assert_eq!(scene.installed(), ["app-1", "first-1"]);
    assert!(scene.rpm().run(&["-V", "app"]).success());
    let format =
        "%{nevra} [%{provides} ][%{filenames} %{filestates} %{filedigests} ]%{prein} %{5000000}";
    Some(
        scene
            .rpm()
            .ok(&["-q", "--qf", &format.replace(" %{5000000}", ""), "app"]),
    )
}

/// A main header with one number changed, and everything that covers it renewed and signed, so
/// that only the reading of the header itself can refuse.
fn with_header(scene: &Scene, change: impl FnOnce(&mut Vec<u8>)) -> RpmFile {
    let mut file = package("app", "1", "");
    change(&mut file.header);
    file.unsigned().sealed().signed(&scene.key)
}

fn put(header: &mut [u8], at: usize, value: u32) {
    header[at..at + 4].copy_from_slice(&value.to_be_bytes());
}

#[test]
fn row_17_header_bad_regions() {
    type Change = Box<dyn Fn(&mut Vec<u8>)>;
    // The region is entry 0 at byte 16: tag, type, offset, count.
    let field = |index: usize, value: u32| -> Change {
        Box::new(move |header: &mut Vec<u8>| put(header, 16 + 4 * index, value))
    };
    let entry = |entry: usize, index: usize, value: u32| -> Change {
        Box::new(move |header: &mut Vec<u8>| put(header, 16 + 16 * entry + 4 * index, value))
    };
    let trailer = |index: usize, value: u32| -> Change {
        Box::new(move |header: &mut Vec<u8>| {
            let at = header.len() - 16 + 4 * index;
            put(header, at, value);
        })
    };
    let cases: Vec<(&str, Change)> = vec![
        ("region tag", field(0, 61)),
        ("region tag of the signature", field(0, 62)),
        ("region type", field(1, 4)),
        ("region offset 0", field(2, 0)),
        ("region offset beyond", field(2, 0x7fff_ffff)),
        ("region offset negative", field(2, 0xffff_fff0)),
        ("region count", field(3, 15)),
        ("region count huge", field(3, 0x0fff_ffff)),
        ("trailer tag", trailer(0, 61)),
        ("trailer type", trailer(1, 4)),
        ("trailer offset positive", trailer(2, 16)),
        ("trailer offset short", trailer(2, 32_u32.wrapping_neg())),
        ("trailer offset long", trailer(2, 0x8000_0000)),
        ("trailer offset odd", trailer(2, 17_u32.wrapping_neg())),
        ("trailer count", trailer(3, 0)),
        ("entry type 0", entry(1, 1, 0)),
        ("entry type 10", entry(1, 1, 10)),
        ("entry offset beyond", entry(1, 2, 0x7fff_ffff)),
        ("entry offset negative", entry(1, 2, 0xffff_ffff)),
        ("entry count 0", entry(1, 3, 0)),
        ("entry count huge", entry(1, 3, 0xffff_ffff)),
        ("entry tag of a region", entry(2, 0, 63)),
        (
            "entries overlap",
            Box::new(|header| {
                let second = word(header, 16 + 16 * 2 + 8) as u32;
                put(header, 16 + 16 * 3 + 8, second.wrapping_sub(1));
            }),
        ),
        (
            "entry offset not aligned",
            Box::new(|header| {
                let count = word(header, 8);
                let numbers = (1..count)
                    .find(|i| word(header, 16 + 16 * i + 4) == 4)
                    .unwrap();
                let at = 16 + 16 * numbers + 8;
                let offset = word(header, at) as u32;
                put(header, at, offset + 1);
            }),
        ),
        ("no entries", Box::new(|header| put(header, 8, 0))),
        (
            "entry count of the header",
            Box::new(|header| {
                let count = word(header, 8) as u32;
                put(header, 8, count + 1);
            }),
        ),
        (
            "2^31 entries",
            Box::new(|header| put(header, 8, 0x8000_0000)),
        ),
        (
            "2^31 bytes",
            Box::new(|header| put(header, 12, 0x8000_0000)),
        ),
        (
            "data cut by one",
            Box::new(|header| {
                let size = word(header, 12) as u32;
                put(header, 12, size - 1);
            }),
        ),
        ("magic", Box::new(|header| header[3] = 2)),
        (
            "a string without end",
            Box::new(|header| {
                let data = 16 + 16 * word(header, 8);
                let end = header.len() - 16;
                header[data..end]
                    .iter_mut()
                    .filter(|b| **b == 0)
                    .for_each(|b| *b = b'x');
            }),
        ),
        (
            "a dribble",
            Box::new(|header| {
                // One more entry behind the region, as only a database may have.
                let (count, size) = (word(header, 8), word(header, 12));
                let index_end = 16 + 16 * count;
                let entry: Vec<u8> = [9999_u32, 4, size as u32, 1]
                    .iter()
                    .flat_map(|n| n.to_be_bytes())
                    .collect();
                header.splice(index_end..index_end, entry);
                header.extend(7_u32.to_be_bytes());
                put(header, 8, count as u32 + 1);
                put(header, 12, size as u32 + 4);
            }),
        ),
    ];
    let scene = Scene::new();
    for (what, change) in cases {
        let file = with_header(&scene, change);
        scene.write("app.rpm", file.bytes());
        for check in [&["./app.rpm"][..], &["--nogpgcheck", "./app.rpm"]] {
            let before = scene.state();
            let run = scene.install(check);
            assert_ne!(run.code, 0, "{what} was accepted: {}", run.text());
            run.refused(&["app.rpm"]);
            scene.unchanged(&before, &run);
        }
    }
}

#[test]
fn row_18_sig_tag_type_confusion() {
    let scene = Scene::new();
    scene.write_repo("none", "");
    let good = package("app", "1", "").signed(&scene.key);
    let packet = good
        .signature
        .iter()
        .find(|item| item.tag == tag::DSA_HEADER)
        .unwrap();
    let as_kind = |tag: u32, kind: u32, count: u32, data: &[u8]| Item {
        tag,
        kind,
        count,
        data: data.to_vec(),
    };
    let sha = sha256(&good.header);
    let cases = [
        (
            "a signature as a string",
            Item::text(tag::DSA_HEADER, "signature"),
        ),
        (
            "a signature as strings",
            Item::texts(tag::DSA_HEADER, &["a", "b"]),
        ),
        ("a signature as a number", Item::number(tag::DSA_HEADER, 1)),
        (
            "a signature as 8-bit numbers",
            as_kind(tag::DSA_HEADER, 2, packet.count, &packet.data),
        ),
        (
            "an RSA signature as a string",
            Item::text(tag::RSA_HEADER, "signature"),
        ),
        (
            "an empty signature",
            as_kind(tag::RSA_HEADER, kind::BIN, 1, b"\0"),
        ),
        (
            "a digest as bytes",
            Item::bytes(tag::SHA256_HEADER, sha.as_bytes()),
        ),
        (
            "a digest as strings",
            Item::texts(tag::SHA256_HEADER, &[&sha]),
        ),
        (
            "a digest that is not hex",
            Item::text(tag::SHA256_HEADER, &"z".repeat(64)),
        ),
        (
            "a digest too short",
            Item::text(tag::SHA256_HEADER, &sha[..40]),
        ),
        ("a SHA1 as a number", Item::number(tag::SHA1_HEADER, 1)),
        (
            "MD5 as a string",
            Item::text(tag::SIG_MD5, "0123456789abcdef"),
        ),
        ("MD5 too short", Item::bytes(tag::SIG_MD5, b"0123")),
        ("size as a string", Item::text(tag::SIG_SIZE, "123")),
        (
            "size as two numbers",
            as_kind(tag::SIG_SIZE, kind::INT32, 2, &[0; 8]),
        ),
        ("OPENPGP as bytes", Item::bytes(278, &packet.data)),
        ("OPENPGP that is not base64", Item::texts(278, &["%%%"])),
    ];
    for (what, item) in cases {
        let mut file = good.clone();
        replace(&mut file.signature, item);
        scene.write("app.rpm", file.bytes());
        let before = scene.state();
        for check in [&["./app.rpm"][..], &["--nogpgcheck", "./app.rpm"]] {
            let run = scene.install(check);
            assert_ne!(run.code, 0, "{what} was accepted: {}", run.text());
            run.refused(&["app.rpm"]);
            scene.unchanged(&before, &run);
        }
    }
}

#[test]
fn row_19_sha1_or_md5_only() {
    let scene = Scene::new();
    let weak =
        package("app", "1", "").signed_at(&scene.key, testkit::now() - 60, SignatureHash::Sha1);
    scene.publish("main", &[&weak]);
    scene.configure("main", "");
    scene.refuses_install(&["app"], &["app-1", "SHA1"]);
    // The user's waiver is for missing signatures and unknown keys, not for forgeable ones.
    let key = scene.path("keys/scene.asc").to_string_lossy().into_owned();
    scene.rpm().program_ok("rpmkeys", &["--import", &key]);
    scene.refuses_install(&["--nogpgcheck", "app"], &["app-1", "SHA1"]);
    let digests = [
        tag::PAYLOAD_DIGEST,
        tag::PAYLOAD_DIGEST_ALGO,
        tag::PAYLOAD_DIGEST_ALT,
    ];
    let mut old = package("app", "1", "").edit(|items| {
        items.retain(|item| !digests.contains(&item.tag));
    });
    old.signature
        .retain(|item| ![tag::SHA1_HEADER, tag::SHA256_HEADER].contains(&item.tag));
    scene.publish("main", &[&old]);
    scene.refuses_install(&["--refresh", "app"], &["app-1", "not signed", "MD5"]);
}

#[test]
fn a_wrong_md5_counts_only_where_nothing_stronger_is() {
    let scene = Scene::new();
    let wrong = Item::bytes(tag::SIG_MD5, &[0; 16]);
    let mut app = package("app", "1", "").signed(&scene.key);
    replace(&mut app.signature, wrong.clone());
    let mut old = package("old", "1", "").edit(|items| {
        items.retain(|item| ![tag::PAYLOAD_DIGEST, tag::PAYLOAD_DIGEST_ALT].contains(&item.tag));
    });
    replace(&mut old.signature, wrong);
    let old = old.signed(&scene.key);
    scene.publish("main", &[&app, &old]);
    scene.configure("main", "");
    let key = scene.path("keys/scene.asc").to_string_lossy().into_owned();
    scene.rpm().program_ok("rpmkeys", &["--import", &key]);
    scene.refuses_install(&["old"], &["old-1", "MD5 digest of header and payload"]);
    scene.install(&["app"]).ok();
    assert_eq!(scene.installed(), ["app-1", "first-1"]);
}
