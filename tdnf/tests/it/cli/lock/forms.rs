//! What a lock looks like: its schema, foreign formats, a section for each architecture.

use std::fs;
use std::process::Command;

use serde_json::Value;
use testkit::fixtures::skipped;
use testkit::program;
use testkit::spec::Spec;

use super::*;

/// Runs Python with the files as arguments; nothing where a module that it needs is absent, which is said.
fn python(module: &str, code: &str, files: &[&str]) -> Option<String> {
    let mut command = Command::new("/usr/bin/python3");
    let known = program::run(command.args(["-c", &format!("import {module}")]));
    if !known.success() {
        skipped(&format!("no {module} for python3"));
        return None;
    }
    let mut command = Command::new("/usr/bin/python3");
    Some(
        program::run(command.args(["-c", code]).args(files))
            .ok()
            .out,
    )
}

#[test]
fn a_lock_fits_its_schema() {
    let Some((scene, _)) = scene() else { return };
    let file = at(&scene, "set.lock");
    scene.tdnf(&["lock", "-o", &file, "app"]).ok();
    let schema = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/lock.schema.json");
    let code = "import json, sys, jsonschema\nlock, schema = (json.load(open(name)) for name in sys.argv[1:])\n\
                kind = jsonschema.validators.validator_for(schema)\nkind.check_schema(schema)\n\
                kind(schema).validate(lock)\nlock['architectures']['x86_64']['packages'][0].pop('checksum')\n\
                print(kind(schema).is_valid(lock))";
    if let Some(said) = python("jsonschema", code, &[&file, schema]) {
        assert_eq!(said, "False\n", "without a checksum it does not fit");
    }
}

#[test]
fn both_foreign_formats_keep_the_set() {
    let Some((scene, packages)) = scene() else {
        return;
    };
    // Files are called as builders call them: rpms.lock.yaml has the architecture of a package nowhere else.
    for (package, name) in packages.iter().zip(["app", "lib"]) {
        let file = format!("named/{name}-1-1.noarch.rpm");
        fs::create_dir_all(scene.www().join("named")).unwrap();
        fs::write(scene.www().join(file), package.bytes()).unwrap();
    }
    createrepo::<&str>(&scene.www().join("named"), &[]);
    let url = scene.server.url("/named");
    scene.configure("main", &format!("repo_gpgcheck=0\nbaseurl={url}"));
    let own = at(&scene, "set.lock");
    scene.tdnf(&["lock", "-o", &own, "app"]).ok();
    let lock = json(&fs::read_to_string(&own).unwrap());
    let [app, lib] = [0, 1].map(|at| &lock["architectures"]["x86_64"]["packages"][at]);
    let load = "import json, sys, yaml\njson.dump(yaml.safe_load(open(sys.argv[1])), sys.stdout)";
    let konflux = at(&scene, "rpms.lock.yaml");
    scene
        .tdnf(&["lock", "--format", "konflux", "-o", &konflux, "app"])
        .ok();
    let entry = |package: &Value| {
        serde_json::json!({
            "url": package["url"], "repoid": "main", "size": package["size"], "checksum": package["checksum"],
            "name": package["name"], "evr": "1-1", "sourcerpm": format!("{}-1-1.src.rpm", package["name"].as_str().unwrap()),
        })
    };
    if let Some(read) = python("yaml", load, &[&konflux]) {
        let expected = serde_json::json!({
            "lockfileVersion": 1, "lockfileVendor": "redhat",
            "arches": [{"arch": "x86_64", "packages": [entry(app), entry(lib)], "source": [], "module_metadata": []}],
        });
        assert_eq!(json(&read), expected);
    }
    let manifest = at(&scene, "packages.manifest.yaml");
    scene
        .tdnf(&["lock", "--format=manifest", "-o", &manifest, "app"])
        .ok();
    let entry = |package: &Value| {
        serde_json::json!({
            "name": package["name"], "repo_id": "main", "location": package["location"], "checksum": package["checksum"],
            "size": package["size"], "evr": "1-1", "srpm": format!("{}-1-1.src", package["name"].as_str().unwrap()),
            "parent_archs": ["x86_64"],
        })
    };
    if let Some(read) = python("yaml", load, &[&manifest]) {
        let expected = serde_json::json!({
            "document": "rpm-package-manifest", "version": "0.2.2",
            "data": {
                "repositories": [{"id": "main", "baseurl": url}],
                "packages": {"noarch": [entry(app), entry(lib)]},
            },
        });
        assert_eq!(json(&read), expected);
    }
    // No key is trusted yet.
    let text = fs::read_to_string(&konflux).unwrap();
    let text = text.replace("repoid: main", "repoid: nowhere");
    let file = scene.write("nowhere.yaml", &text).display().to_string();
    scene.tdnf(&["makecache"]).ok();
    scene.refuses(
        &["-y", "install", "--locked", &file],
        &["Error processing package: app-1-1.noarch"],
    );
    for file in [&konflux, &manifest] {
        scene.tdnf(&["lock", "--diff", &own, file]).ok();
        scene.tdnf(&["-y", "install", "--locked", file]).ok();
        assert_eq!(scene.installed(), ["app-1", "first-1", "lib-1"]);
        scene.tdnf(&["-y", "erase", "app"]).ok();
        scene
            .tdnf(&["lock", "--check", file])
            .refused(&["it does not say which packages were asked for"]);
    }
    scene
        .tdnf(&["lock", "--format", "toml", "app"])
        .refused(&["--format=toml: tdnf, konflux, manifest are known"]);
}

#[test]
fn a_lock_has_a_section_for_each_architecture() {
    let Some((scene, _)) = scene() else { return };
    let native = |arch: &str, version: &str| {
        let spec = Spec::new("native", version).files("").target(arch);
        RpmFile::read(&spec.build()).signed(&scene.key)
    };
    for (arch, version) in [("x86_64", "2"), ("aarch64", "1")] {
        scene.publish(arch, &[&native(arch, version)]);
    }
    let url = scene.server.url("");
    scene.configure(
        "main",
        &format!("baseurl={}/$basearch", url.trim_end_matches('/')),
    );
    let text = lock(&scene, &["--arch", "aarch64,x86_64", "native"]);
    let sections = &json(&text)["architectures"];
    for (arch, version) in [("x86_64", "2"), ("aarch64", "1")] {
        let package = &sections[arch]["packages"][0];
        assert_eq!(
            (&package["arch"], &package["version"]),
            (&Value::from(arch), &Value::from(version)),
            "{text}"
        );
        assert_eq!(
            sections[arch]["repositories"][0]["baseurl"],
            scene.server.url(&format!("/{arch}"))
        );
    }
    assert_eq!(
        lock(&scene, &["--arch=x86_64", "--arch=aarch64", "native"]),
        text
    );
    let file = scene.write("both.lock", &text).display().to_string();
    let one = lock(&scene, &["--arch", "x86_64", "native"]);
    let one = scene.write("one.lock", &one).display().to_string();
    for (old, new, sign) in [(&file, &one, "-"), (&one, &file, "+")] {
        let run = scene.tdnf(&["lock", "--diff", old, new]).ends(1);
        assert_eq!(run.out, format!("{sign} native-1-1.aarch64\n"));
        assert_eq!(run.err, format!("aarch64: only in {file}\n"));
    }
    scene.tdnf(&["lock", "--check", &file]).ok();
    scene.tdnf(&["-y", "install", "--locked", &file]).ok();
    assert_eq!(scene.installed(), ["first-1", "native-2"]);
    scene
        .tdnf(&["lock", "--arch=noarch", "native"])
        .refused(&["--arch=noarch: the architecture of a machine is expected"]);
}
