//! Bills of materials.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use testkit::fixtures::{skipped, unprivileged};
use testkit::program::{self, ok};
use testkit::rpm::Rpm;

use super::{PACKAGES, Place, has};
use crate::scene::{Scene, package};

/// Both forms name every package of the image with licence, URL and the checksum of its file, the same each time; both are
/// beside the image, with the image as their subject, and go when the tag gets another image.
#[test]
fn bills_of_materials_name_every_package() {
    if unprivileged() || !has("skopeo") {
        return;
    }
    let place = Place::new();
    let path = |name: &str| place.path(name).display().to_string();
    let layout = place.path("layout");
    let target = format!("oci:{}:a", layout.display());
    let bills = [
        format!("spdx:{}", path("a.spdx.json")),
        format!("cyclonedx:{}", path("a.cdx.json")),
    ];
    let options = ["--sbom", &bills[0], "--sbom", &bills[1]];
    let packages = [&PACKAGES[..], &["epoch"]].concat();
    let digest = place.digest(place.command(&options), &target, &packages);
    let read = |name: &str| fs::read(place.path(name)).unwrap();
    let json = |name: &str| -> Value { serde_json::from_slice(&read(name)).unwrap() };
    let (spdx, cyclonedx) = (json("a.spdx.json"), json("a.cdx.json"));
    place.image(&format!("dir:{}", path("tree")));
    place.digest(
        place.command(&[]),
        &format!("dir:{}", path("other")),
        &packages,
    );
    let rpm = Rpm::on_root(&place.path("other"));
    let installed = rpm.ok(&["-qa", "--qf", "%{NAME} %{LICENSE}\\n"]);
    let installed: BTreeMap<&str, &str> = installed
        .lines()
        .filter_map(|line| line.split_once(' '))
        .filter(|(name, _)| *name != "gpg-pubkey")
        .collect();
    let rows: Vec<&Value> = spdx["packages"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| row["SPDXID"] != "SPDXRef-Image")
        .collect();
    assert_eq!(rows.len(), installed.len());
    let none = Vec::new();
    let texts = spdx["hasExtractedLicensingInfos"].as_array();
    let texts = texts.unwrap_or(&none);
    let small = crate::interop_lab::small().join("repo/Packages");
    for row in rows {
        let name = row["name"].as_str().unwrap();
        let said = row["licenseDeclared"].as_str().unwrap();
        let text = texts.iter().find(|text| text["licenseId"] == said);
        assert_eq!(
            text.map_or(said, |text| text["extractedText"].as_str().unwrap()),
            installed[name]
        );
        let url = row["externalRefs"][0]["referenceLocator"].as_str().unwrap();
        assert!(url.starts_with(&format!("pkg:rpm/{name}@")), "{url}");
        let version = row["versionInfo"].as_str().unwrap();
        let version = version.split_once(':').map_or(version, |(_, rest)| rest);
        let files = fs::read_dir(&small)
            .unwrap()
            .map(|entry| entry.unwrap().path());
        let file = files
            .into_iter()
            .find(|file| {
                file.file_name()
                    .unwrap()
                    .to_string_lossy()
                    .starts_with(&format!("{name}-{version}."))
            })
            .unwrap();
        let sum = ok(Command::new("sha256sum").arg(file));
        assert_eq!(
            row["checksums"][0]["checksumValue"],
            sum.split(' ').next().unwrap()
        );
    }
    assert_eq!(
        cyclonedx["components"].as_array().unwrap().len(),
        installed.len()
    );
    // Beside the image.
    let index: Value =
        serde_json::from_slice(&fs::read(layout.join("index.json")).unwrap()).unwrap();
    let blob = |value: &Value| -> Value {
        let hex = value["digest"]
            .as_str()
            .unwrap()
            .trim_start_matches("sha256:")
            .to_owned();
        serde_json::from_slice(&fs::read(layout.join("blobs/sha256").join(hex)).unwrap()).unwrap()
    };
    let manifests = index["manifests"].as_array().unwrap();
    assert_eq!(manifests.len(), 3);
    for (entry, bill) in manifests[1..].iter().zip([&spdx, &cyclonedx]) {
        let manifest = blob(entry);
        assert_eq!(manifest["subject"]["digest"], digest);
        assert_eq!(manifest["artifactType"], entry["artifactType"]);
        assert_eq!(&blob(&manifest["layers"][0]), bill);
    }
    let seen = ok(Command::new("skopeo").args(["inspect", "--format", "{{.Digest}}", &target]));
    assert_eq!(seen.trim(), digest);
    let before = [read("a.spdx.json"), read("a.cdx.json")];
    assert_eq!(
        place.digest(place.command(&options), &target, &packages),
        digest
    );
    assert_eq!([read("a.spdx.json"), read("a.cdx.json")], before);
    place.digest(place.command(&[]), &target, &["config"]);
    let index: Value =
        serde_json::from_slice(&fs::read(layout.join("index.json")).unwrap()).unwrap();
    assert_eq!(index["manifests"].as_array().unwrap().len(), 1);
    let refused = place.refused(&["--sbom", "spdx", "-o", "tar:x", "config"]);
    refused.says(&["--sbom KIND:FILE writes a file"]);
    place
        .refused(&["--sbom", "swid", "-o", &target, "config"])
        .says(&["spdx or cyclonedx"]);
    validate(&place.path("a.spdx.json"), "spdx_tools", SPDX);
    validate(&place.path("a.cdx.json"), "cyclonedx", CYCLONEDX);
}

/// The statement says what the image was made of, the same each time, with a lock what the lock says.
#[test]
fn a_statement_says_where_an_image_comes_from() {
    if unprivileged() {
        return;
    }
    let packages = ["one", "two"].map(|name| package(name, "1", ""));
    let (scene, _) = Scene::with(&packages.iter().collect::<Vec<_>>());
    scene.publish("unused", &[]);
    scene.configure("unused", "");
    let path = |name: &str| scene.path(name).display().to_string();
    let folder = format!("TMPDIR={}", path(""));
    let image = |name: &str, words: &[&str]| -> (String, Value) {
        let (target, file) = (format!("oci:{}:{name}", path("layout")), path("where.json"));
        let fixed = ["-y", "-q", "image", "-o", &target, "--provenance", &file];
        let run = scene.tdnf_under(&["env", &folder], &[&fixed[..], words].concat());
        let text = fs::read(&file).unwrap();
        (
            run.ok().out.trim().to_owned(),
            serde_json::from_slice(&text).unwrap(),
        )
    };
    let (digest, told) = image("a", &["one"]);
    let repomd = crate::scene::digest(&scene.www().join("main/repodata/repomd.xml"));
    let repo = serde_json::json!({
        "name": "main",
        "uri": scene.server.url("/main"),
        "digest": {"sha256": repomd},
        "annotations": {"kind": "repository", "keys": [scene.key.fingerprint()]},
    });
    assert_eq!(told["_type"], "https://in-toto.io/Statement/v1");
    assert_eq!(told["predicateType"], "https://slsa.dev/provenance/v1");
    assert_eq!(told["subject"][0]["digest"]["sha256"], digest[7..]);
    let made = &told["predicate"]["buildDefinition"];
    assert_eq!(
        made["externalParameters"]["words"],
        serde_json::json!(["one"])
    );
    assert_eq!(made["resolvedDependencies"], serde_json::json!([repo]));
    assert_eq!(image("a", &["one"]), (digest.clone(), told));
    let lock = path("one.lock");
    scene.tdnf(&["lock", "-o", &lock, "one"]).ok();
    let (same, told) = image("b", &["--locked", &lock]);
    assert_eq!(same, digest);
    let sum = crate::scene::digest(Path::new(&lock));
    let lock = serde_json::json!({"name": "lock", "digest": {"sha256": sum}});
    let made = &told["predicate"]["buildDefinition"]["resolvedDependencies"];
    assert_eq!(*made, serde_json::json!([lock, repo]));
    let base = format!("oci:{}:a", path("layout"));
    let (_, told) = image("c", &["--base", &base]);
    let base = serde_json::json!({"name": "base", "digest": {"sha256": digest[7..]}});
    let made = &told["predicate"]["buildDefinition"]["resolvedDependencies"];
    assert_eq!(*made, serde_json::json!([base]));
    let uris = [
        &told["predicate"]["buildDefinition"]["buildType"],
        &told["predicate"]["runDetails"]["builder"]["id"],
    ];
    for uri in uris {
        assert!(uri.as_str().unwrap().starts_with("https://"), "{uri}");
    }
}

/// Packages of a base have no files here: their checksum is that of their header, as rpm has it.
#[test]
fn packages_of_a_base_have_checksums() {
    if unprivileged() {
        return;
    }
    let place = Place::new();
    let path = |name: &str| place.path(name).display().to_string();
    let base = format!("oci:{}:base", path("layout"));
    place.digest(place.command(&[]), &base, &["kinds", "left"]);
    let file = |kind: &str| format!("{kind}.json");
    let bills = ["spdx", "cyclonedx"].map(|kind| format!("{kind}:{}", path(&file(kind))));
    let mut command = place.command(&["--sbom", &bills[0], "--sbom", &bills[1]]);
    command.args(["--base", &base]);
    place.digest(command, &format!("dir:{}", path("tree")), &["config"]);
    let json = |name: &str| -> Value {
        serde_json::from_slice(&fs::read(place.path(name)).unwrap()).unwrap()
    };
    let rpm = Rpm::on_root(&place.path("tree"));
    let (spdx, cyclonedx) = (json("spdx.json"), json("cyclonedx.json"));
    let rows = spdx["packages"].as_array().unwrap().iter();
    for row in rows.filter(|row| row["SPDXID"] != "SPDXRef-Image") {
        let name = row["name"].as_str().unwrap();
        let digest = rpm.ok(&["-q", "--qf", "%{SHA256HEADER}", name]);
        let own = row["checksums"][0]["checksumValue"] == *digest;
        assert_eq!(own, name != "config", "{row}");
        assert_eq!(row["checksums"][0]["algorithm"], "SHA256");
        assert_eq!(row["comment"].is_string(), own);
        let components = cyclonedx["components"].as_array().unwrap();
        let component = components.iter().find(|one| one["name"] == name).unwrap();
        assert_eq!(
            component["hashes"][0]["content"],
            row["checksums"][0]["checksumValue"]
        );
        assert_eq!(component["hashes"][0]["alg"], "SHA-256");
    }
    validate(&place.path("spdx.json"), "spdx_tools", SPDX);
    validate(&place.path("cyclonedx.json"), "cyclonedx", CYCLONEDX);
}

/// A bill that cannot be written leaves the old image, whatever the target is; of several architectures there is no one
/// bill.
#[test]
fn an_image_and_its_bills_are_new_together() {
    if unprivileged() {
        return;
    }
    let place = Place::new();
    let path = |name: &str| place.path(name).display().to_string();
    let bill = format!("spdx:{}", path("none/a.json"));
    for target in ["oci", "oci-archive", "docker-archive", "tar", "dir"] {
        let file = place.path(target);
        let target = format!("{target}:{}", file.display());
        let run = place.refused(&["--sbom", &bill, "-o", &target, "config"]);
        run.says(&["none/a.json", "No such file or directory"]);
        assert!(
            !file.join("index.json").exists() && !file.is_file(),
            "{target}"
        );
        if target.starts_with("dir") {
            assert!(!file.exists());
            continue;
        }
        place.digest(place.command(&[]), &target, &["config"]);
        let kept = || match file.is_dir() {
            true => fs::read(file.join("index.json")).unwrap(),
            false => fs::read(&file).unwrap(),
        };
        let before = kept();
        place.refused(&["--sbom", &bill, "-o", &target, "kinds"]);
        assert_eq!(kept(), before, "{target}");
    }
    assert!(place.left().is_empty());
    let target = format!("oci:{}", path("oci"));
    let words = [
        "--setopt=tsflags=noscripts",
        "--arch",
        "x86_64",
        "--arch",
        "aarch64",
    ];
    let bill = format!("spdx:{}", path("a.json"));
    let run = place.refused(&[&words[..], &["--sbom", &bill, "-o", &target, "config"]].concat());
    run.says(&["a bill is about the image of one architecture"]);
}

const SPDX: &str = "import sys\n\
    from spdx_tools.spdx.parser.parse_anything import parse_file\n\
    from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document\n\
    found = validate_full_spdx_document(parse_file(sys.argv[1]))\n\
    print(found); sys.exit(bool(found))\n";
const CYCLONEDX: &str = "import sys\n\
    from cyclonedx.schema import SchemaVersion\n\
    from cyclonedx.validation.json import JsonStrictValidator\n\
    found = JsonStrictValidator(SchemaVersion.V1_6).validate_str(open(sys.argv[1]).read())\n\
    print(found); sys.exit(bool(found))\n";

/// A Python that finds the makers' validators: `./dev test` puts them into a folder of their own.
fn python() -> Command {
    let mut python = Command::new("python3");
    if let Some(dir) = std::env::var_os("TDNF_VALIDATORS") {
        python.env("PYTHONPATH", dir);
    }
    python
}

/// Asks the validator of the makers, where it is installed.
fn validate(file: &Path, module: &str, program: &str) {
    let found = program::run(python().args(["-c", &format!("import {module}")]));
    if !found.success() {
        return skipped(&format!("no {module} of Python"));
    }
    program::run(python().args(["-c", program]).arg(file)).ok();
}
