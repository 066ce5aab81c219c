//! What skopeo, umoci and runc make of our images.

use std::collections::BTreeMap;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use testkit::fixtures::unprivileged;
use testkit::program::{self, ok};
use testkit::tree::{self, Entry};

use super::{PACKAGES, Place, has};

fn inspect(words: &[&str]) -> Value {
    let text = ok(Command::new("skopeo").arg("inspect").args(words));
    serde_json::from_str(&text).unwrap()
}

/// What an image shows of a root: not what an installation leaves beside it.
fn shown(root: &Path) -> BTreeMap<PathBuf, Entry> {
    let own = |path: &Path| {
        let left = [
            "etc/tdnf",
            "etc/yum.repos.d",
            "var/cache",
            "var/lib/tdnf",
            "var/lib/rpm",
            "var/log",
        ];
        left.iter().any(|name| path == Path::new(name))
    };
    tree::read(root, &own)
}

/// Unpacked by umoci, an image is what `--installroot` makes: owners, modes, capabilities, times, links.
#[test]
fn umoci_unpacks_what_an_installroot_has() {
    if unprivileged() || !has("umoci") || !has("skopeo") {
        return;
    }
    let place = Place::new();
    let dir = place.path("layout");
    for (tag, options) in [
        ("one", &[][..]),
        ("three", &["--layers", "3"]),
        ("zstd", &["--compress", "zstd"]),
    ] {
        let mut command = place.command(&[]);
        command.args(options);
        let digest = place.digest(command, &format!("oci:{}:{tag}", dir.display()), &PACKAGES);
        let image = format!("{}:{tag}", dir.display());
        let seen = inspect(&[&format!("oci:{image}")]);
        assert_eq!(seen["Digest"], digest);
        assert_eq!(seen["Os"], "linux");
        // The umoci of Debian 12 reads no zstd.
        if tag == "zstd" {
            continue;
        }
        let bundle = place.path(&format!("bundle-{tag}"));
        ok(Command::new("umoci")
            .args(["unpack", "--image", &image])
            .arg(&bundle));
        let epoch = seen["Created"].as_str().unwrap().to_owned();
        let epoch = ok(Command::new("date").args(["-u", "+%s", "-d", &epoch]));
        let root = place.path(&format!("root-{tag}"));
        let mut install = place.command(&[]);
        // The same repositories; another root.
        install = rooted(&install, &root);
        install
            .env("SOURCE_DATE_EPOCH", epoch.trim())
            .arg("install")
            .args(PACKAGES);
        program::run(&mut install).ok();
        let differences = tree::differences(&shown(&bundle.join("rootfs")), &shown(&root));
        assert!(differences.is_empty(), "{tag}: {differences:#?}");
        let rpm = testkit::rpm::Rpm::on_root(&bundle.join("rootfs"));
        assert_eq!(
            rpm.ok(&["-qa", "--qf", "%{NAME}\\n"]).lines().count(),
            PACKAGES.len() + 1
        );
        rpm.verify();
    }
}

/// The command of a site for another root that has the same configuration.
fn rooted(command: &Command, root: &Path) -> Command {
    let words: Vec<_> = command
        .get_args()
        .map(std::borrow::ToOwned::to_owned)
        .collect();
    let at = words
        .iter()
        .position(|word| word == "--installroot")
        .unwrap();
    let own = PathBuf::from(&words[at + 1]);
    for dir in ["etc/tdnf", "etc/yum.repos.d"] {
        tree::copy(&own.join(dir), &root.join(dir));
    }
    let mut rooted = testkit::stage::program(Path::new(command.get_program()));
    rooted
        .args(["-y", "--releasever", "12", "--installroot"])
        .arg(root);
    rooted
}

/// Every target holds the same layers; copies by skopeo keep the digest.
#[test]
fn skopeo_copies_every_archive() {
    if unprivileged() || !has("skopeo") {
        return;
    }
    let place = Place::new();
    let path = |name: &str| place.path(name).display().to_string();
    let layout = format!("oci:{}:a", path("layout"));
    let digest = place.image(&layout);
    let archive = format!("oci-archive:{}:a", path("oci.tar"));
    assert_eq!(place.image(&archive), digest);
    assert_eq!(inspect(&[&archive])["Digest"], digest);
    let copied = format!("dir:{}", path("copied"));
    ok(Command::new("skopeo").args([
        "copy",
        "-q",
        "--preserve-digests",
        "--insecure-policy",
        &archive,
        &copied,
    ]));
    assert_eq!(inspect(&[&copied])["Digest"], digest);
    let docker = format!("docker-archive:{}:example.com/a/b:1", path("docker.tar"));
    place.image(&docker);
    let seen = inspect(&[&format!("docker-archive:{}", path("docker.tar"))]);
    let tar = place.image(&format!("tar:{}", path("root.tar")));
    assert_eq!(seen["Layers"], serde_json::json!([tar]));
    let config: Value = serde_json::from_str(&ok(
        Command::new("skopeo").args(["inspect", "--config", &layout])
    ))
    .unwrap();
    assert_eq!(config["rootfs"]["diff_ids"], serde_json::json!([tar]));
    // A second image in the same folder leaves the first one.
    place.image(&format!("oci:{}:b", path("layout")));
    assert_eq!(inspect(&[&layout])["Digest"], digest);
    // The folder is the tree of the archive.
    assert_eq!(place.image(&format!("dir:{}", path("tree"))), tar);
    fs::create_dir(place.path("unpacked")).unwrap();
    ok(Command::new("tar")
        .args([
            "--numeric-owner",
            "--xattrs",
            "--xattrs-include=*",
            "-xpf",
            &path("root.tar"),
        ])
        .arg("-C")
        .arg(place.path("unpacked")));
    let all = |name: &str| tree::read(&place.path(name), &|_| false);
    assert_eq!(
        tree::differences(&all("tree"), &all("unpacked")),
        Vec::<String>::new()
    );
    place
        .refused(&["-o", &format!("dir:{}", path("tree")), "config"])
        .says(&["it is there already, and not empty"]);
}

/// A registry that was started here; it ends with the value.
struct Registry(Child, u16);

impl Registry {
    fn start(dir: &Path) -> Self {
        let config = dir.join("registry.yml");
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let text = format!(
            "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\nhttp: {{addr: '127.0.0.1:{port}'}}\n",
            dir.join("registry").display()
        );
        fs::write(&config, text).unwrap();
        let mut command = Command::new("docker-registry");
        let child = command.arg("serve").arg(config).spawn().unwrap();
        let registry = Self(child, port);
        for _ in 0..400 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return registry;
            }
            std::thread::sleep(Duration::from_millis(25));
        }
        panic!("the registry does not answer");
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A registry takes an image and gives it back with the same digest.
#[test]
fn a_registry_keeps_the_digest() {
    if unprivileged() || !has("skopeo") || !has("docker-registry") {
        return;
    }
    let place = Place::new();
    let registry = Registry::start(&place.path(""));
    let layout = format!("oci:{}:a", place.path("layout").display());
    let digest = place.image(&layout);
    let there = format!("docker://127.0.0.1:{}/a/b:1", registry.1);
    let back = format!("oci:{}:a", place.path("back").display());
    let copy = |from: &str, to: &str| {
        let mut skopeo = Command::new("skopeo");
        skopeo.args(["copy", "-q", "--insecure-policy", "--preserve-digests"]);
        skopeo.args(["--src-tls-verify=false", "--dest-tls-verify=false"]);
        ok(skopeo.args([from, to]));
    };
    copy(&layout, &there);
    let seen = inspect(&["--tls-verify=false", &there]);
    assert_eq!(seen["Digest"], digest);
    copy(&there, &back);
    assert_eq!(inspect(&[&back])["Digest"], digest);
}

/// The commands of the first two blocks of docs/images.md, as they stand there but for places and names.
#[test]
fn the_commands_of_the_guide_run() {
    let tools = ["skopeo", "umoci", "runc", "docker-registry"];
    if unprivileged() || !tools.into_iter().all(has) {
        return;
    }
    let place = Place::new();
    let registry = Registry::start(&place.path(""));
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/images.md");
    let guide = fs::read_to_string(guide).unwrap();
    let blocks = guide.split("```").skip(1).step_by(2).take(2);
    let container = format!("tdnf-guide-{}", std::process::id());
    let mut count = 0;
    for line in blocks.flat_map(str::lines).filter(|line| !line.is_empty()) {
        let here = [
            ("/srv", place.path("").display().to_string()),
            ("registry.example.com", format!("127.0.0.1:{}", registry.1)),
            ("nginx", "tiny-shell".to_owned()),
            ("/usr/bin/busybox", "/bin/sh".to_owned()),
            ("/bundle web", format!("/bundle {container}")),
            // What a registry without TLS and a machine without a policy need.
            (
                "skopeo copy",
                "skopeo copy --insecure-policy --dest-tls-verify=false".to_owned(),
            ),
        ];
        let line = here
            .iter()
            .fold(line.to_owned(), |line, (old, new)| line.replace(old, new));
        let words: Vec<&str> = line.split(' ').collect();
        let mut command = match words[0] {
            "tdnf" => place.site.command(&words[1..]),
            "runc" => {
                runs_anywhere(&place.path("bundle"));
                Command::new("runc")
            }
            other => Command::new(other),
        };
        if words[0] != "tdnf" {
            command.args(&words[1..]);
        }
        command.env("TMPDIR", place.path("")).stdin(Stdio::null());
        program::run(&mut command).ok();
        count += 1;
    }
    assert_eq!(count, 8, "commands of the guide");
    let digest = |tag: &str| {
        let seen = inspect(&[&format!("oci:{}:{tag}", place.path("images").display())]);
        seen["Digest"].clone()
    };
    assert_eq!(digest("offline"), digest("web"));
}

/// Data in both shapes of JSON, and nothing else on standard output; what cannot be is refused before anything is fetched.
#[test]
fn an_image_is_told_as_json_and_refusals_name_the_way_out() {
    if unprivileged() {
        return;
    }
    let place = Place::new();
    let path = |name: &str| place.path(name).display().to_string();
    let target = format!("oci:{}", path("layout"));
    let words = |json: &'static str| {
        program::run(place.command(&[json]).args(["-o", &target]).args(PACKAGES)).ok()
    };
    let first: Value = serde_json::from_str(&words("-j").out).unwrap();
    let second: Value = serde_json::from_str(&words("--json-version=2").out).unwrap();
    assert_eq!(first["Target"], target);
    assert_eq!(
        first["MediaType"],
        "application/vnd.oci.image.manifest.v1+json"
    );
    assert_eq!(first["Layers"].as_array().unwrap().len(), 1);
    let packages: Vec<&str> = first["Packages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|name| name.as_str().unwrap())
        .collect();
    assert!(packages.contains(&"config-3-1.noarch"), "{packages:?}");
    assert_eq!(second["Image"], first);
    fs::write(place.path("bad.toml"), "entrypiont = [\"/bin/sh\"]\n").unwrap();
    let bad = path("bad.toml");
    fs::write(
        place.path("twice.toml"),
        "arch = [\"x86_64\", \"x86_64\"]\n",
    )
    .unwrap();
    let twice = path("twice.toml");
    fs::create_dir(place.path("other")).unwrap();
    fs::write(place.path("other/file"), "x").unwrap();
    let other = format!("oci:{}", path("other"));
    for (words, line) in [
        (&["config"][..], "-o TARGET says where the image goes"),
        (&["-o", "oic:x", "config"], "did you mean 'oci'?"),
        (
            &["-o", "oci:x", "--image-config", &bad, "config"],
            "unknown key 'entrypiont': did you mean 'entrypoint'?",
        ),
        (
            &["-o", "oci:x", "--layers", "0", "config"],
            "1 to 100 are possible",
        ),
        (
            &["-o", "oci:x", "--image-config", &twice, "config"],
            "arch: x86_64 stands twice",
        ),
        (
            &["-o", "oci:x", "--arch", "amd65", "config"],
            "images are known of aarch64, ",
        ),
        (
            &["-o", "oci:x", "--label", "a=b\nc", "config"],
            "labels: \"b\\nc\": control characters have no place in it",
        ),
        (
            &["-o", "oci:x", "--workdir", "/a\x1b[1m", "config"],
            "workdir: ",
        ),
        (
            &["-o", "oci:x:a/b", "config"],
            "behind the second colon is the tag",
        ),
        (
            &["-o", "oci:x", "--port", "x", "config"],
            "port x: a number",
        ),
        (
            &["-o", "oci:x", "--env", "=", "config"],
            "NAME=VALUE is expected",
        ),
        (
            &["-o", "oci:x", "--compress", "xz", "config"],
            "gzip, zstd or none is expected",
        ),
        (
            &[
                "-o", "tar:x", "--arch", "x86_64", "--arch", "aarch64", "config",
            ],
            "holds one architecture",
        ),
        (
            &["-o", &other, "config"],
            "neither empty nor an OCI image layout",
        ),
    ] {
        place.refused(words).says(&[line]);
    }
    let words = ["image", "--output", "oci:x", "--entrypoint", "/x", "nosuch"];
    let run = place.site.run(&words).failed();
    run.says(&["nosuch package not found"]);
    let run = program::run(place.by_nobody(&["--setopt=tsflags=noscripts"]).args([
        "-o",
        "dir:/tmp/x",
        "config",
    ]));
    run.failed()
        .says(&["only root can give files to other users"]);
    assert_eq!(place.left(), Vec::<PathBuf>::new());
}

/// How a container is started stands in options, or in a description; a container runs.
#[test]
fn a_container_runs() {
    if unprivileged() || !has("umoci") || !has("skopeo") || !has("runc") {
        return;
    }
    let place = Place::new();
    let image = place.path("layout").display().to_string();
    let description = "entrypoint = [\"/bin/sh\", \"-c\"]\nuser = \"2:8\"\nworkdir = \"/usr\"\nports = [\"80\"]\n\
                       env = [\"A=1\", \"B=2\"]\n[labels]\n\"org.example.a\" = \"x\"\n[annotations]\n\"org.example.b\" = \"y\"\n";
    fs::write(place.path("image.toml"), description).unwrap();
    let mut command = place.command(&[]);
    command.arg("--image-config").arg(place.path("image.toml"));
    command.args([
        "--cmd",
        "echo $A $B; pwd; id -u",
        "--env",
        "B=3",
        "--port",
        "53/udp",
    ]);
    command.args([
        "--label",
        "org.example.d=w",
        "--annotation",
        "org.example.c=z",
    ]);
    place.digest(command, &format!("oci:{image}"), &PACKAGES);
    let text =
        ok(Command::new("skopeo").args(["inspect", "--config", &format!("oci:{image}:latest")]));
    let config: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        config["config"],
        serde_json::json!({
            "Cmd": ["echo $A $B; pwd; id -u"],
            "Entrypoint": ["/bin/sh", "-c"],
            "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "A=1", "B=3"],
            "ExposedPorts": {"53/udp": {}, "80/tcp": {}},
            "Labels": {"org.example.a": "x", "org.example.d": "w"},
            "User": "2:8",
            "WorkingDir": "/usr",
        })
    );
    let raw = inspect(&["--raw", &format!("oci:{image}:latest")]);
    let about = serde_json::json!({"org.example.b": "y", "org.example.c": "z"});
    assert_eq!(raw["annotations"], about);
    let bundle = place.path("bundle");
    ok(Command::new("umoci")
        .args(["unpack", "--image", &format!("{image}:latest")])
        .arg(&bundle));
    runs_anywhere(&bundle);
    let name = format!("tdnf-image-{}", std::process::id());
    let run = program::run(
        Command::new("runc")
            .args(["run", "--bundle"])
            .arg(&bundle)
            .arg(&name),
    );
    assert_eq!(run.ok().out, "1 3\n/usr\n2\n");
}

/// The container of a bundle needs no terminal and no control groups.
fn runs_anywhere(bundle: &Path) {
    let spec = bundle.join("config.json");
    let mut value: Value = serde_json::from_slice(&fs::read(&spec).unwrap()).unwrap();
    value["process"]["terminal"] = false.into();
    // Groups of processes are the machine's affair, and of many kinds.
    value["linux"]
        .as_object_mut()
        .unwrap()
        .retain(|key, _| !["resources", "cgroupsPath"].contains(&key.as_str()));
    value["mounts"]
        .as_array_mut()
        .unwrap()
        .retain(|mount| mount["type"] != "cgroup");
    fs::write(&spec, value.to_string()).unwrap();
}
