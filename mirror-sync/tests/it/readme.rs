//! The lines of the README under "Use it", typed as they stand there, on a machine of their own: a root above the
//! machine's, where what is changed ends with the test.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use testkit::gpg::Gpg;
use testkit::program::{Run, ok};
use testkit::words::write_manual;
use testkit::{fixtures, mounts};

use crate::scene::{Scene, VENDOR, beside, tdnf};
use crate::serving::Serving;

const PACKAGES: [&str; 7] = [
    "ipset", "socat", "ethtool", "ebtables", "tar", "bash", "vim",
];

fn project() -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    path.canonicalize().unwrap()
}

/// A machine: overlays and bind mounts below a folder.
struct Machine {
    scene: Scene,
}

impl Machine {
    fn new() -> Self {
        let scene = Scene::new();
        let script = r#"
            mkdir "$1" "$1/above"
            mount -t tmpfs none "$1/above"
            mkdir "$1/above/up" "$1/above/work" "$1/root"
            mount -t overlay -o "lowerdir=/,upperdir=$1/above/up,workdir=$1/above/work" none "$1/root"
            for place in /proc /dev /sys /tmp; do mount --rbind $place "$1/root$place"; done
            for place in /srv /media /etc/yum.repos.d /etc/pki/rpm-gpg /var/lib/rpm /etc/tdnf /run; do
                mkdir -p "$1/root$place"
                mount -t tmpfs none "$1/root$place"
            done
            mkdir "$1/root/media/usb" "$1/root/srv/repo" "$1/root/etc/tdnf/vars"
            # The machine need not be one of RPM packages.
            echo 5.0 > "$1/root/etc/tdnf/vars/releasever"
        "#;
        let machine = scene.path("machine");
        ok(Command::new("sh").args(["-ec", script, "sh"]).arg(machine));
        Self { scene }
    }

    fn path(&self, below: &str) -> PathBuf {
        self.scene.path("machine/root").join(below)
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new("chroot");
        command.arg(self.path("")).args(["sh", "-c"]);
        command.arg(format!(
            "cd {} && {line}",
            self.scene.path("project").display()
        ));
        command.env("TDNF_PROGRAMS", self.scene.path("programs"));
        command.env("TDNF_MAN_PAGES", self.scene.path("pages"));
        command
    }
}

#[test]
fn the_lines_of_the_readme_run() {
    let (Some(tdnf), Some(repo_tools)) = (tdnf(), beside("repo-tools")) else {
        return fixtures::skipped("tdnf or repo-tools was not built");
    };
    if !mounts::own("readme::the_lines_of_the_readme_run") {
        return;
    }
    let machine = Machine::new();
    let scene = &machine.scene;
    let gpg = Gpg::with_key(&scene.path("gnupg"), VENDOR);
    for name in PACKAGES {
        gpg.sign_package(VENDOR, &scene.put("base", name, "1", ""));
    }
    scene.publish("base");
    // What `./dev install` would build.
    let programs = scene.path("programs");
    fs::create_dir(&programs).unwrap();
    let ours = PathBuf::from(env!("CARGO_BIN_EXE_mirror-sync"));
    for (name, from) in [
        ("tdnf", &tdnf),
        ("repo-tools", &repo_tools),
        ("mirror-sync", &ours),
    ] {
        fs::copy(from, programs.join(name)).unwrap();
    }
    write_manual(&mirror_sync::parser(), &scene.path("pages")).unwrap();
    for tool in ["tdnf", "repo-tools"] {
        fs::write(scene.path("pages").join(format!("{tool}.1")), "").unwrap();
    }
    ok(Command::new("mkdir").arg(scene.path("project")));
    ok(Command::new("cp")
        .arg("-r")
        .args(["dev", "conf", "docs"].map(|name| project().join(name)))
        .arg(scene.path("project")));
    let key = scene.path("vendor.asc");
    fs::write(&key, gpg.public()).unwrap();
    fs::copy(&key, machine.path("srv/vendor.asc")).unwrap();
    let ship = "mirror.path = \"/srv/ship\"\nbundle = { site = \"ship\", keys = [\"/srv/maker.key.pub\"] }\n\
                repo.base = { mode = \"bundle\", gpgkey = \"/srv/vendor.asc\" }\n";
    fs::write(machine.path("srv/ship.toml"), ship).unwrap();

    let readme = fs::read_to_string(project().join("README.md")).unwrap();
    let chapter = readme.split("\n## Use it\n").nth(1).unwrap();
    let chapter = chapter.split("\n## ").next().unwrap();
    let blocks = chapter.split("```sh\n").skip(1);
    let lines = blocks.flat_map(|block| block.split("```").next().unwrap().lines());
    let (mut serving, mut count) = (None::<Serving>, 0);
    for line in lines {
        let mut typed = line.replace(
            "https://packages.example.com/base",
            &scene.server.url("/base"),
        );
        if let Some(server) = &serving {
            typed = typed.replace("http://mirror.example.com:8080", &server.url(""));
        }
        count += 1;
        if let Some(server) = typed.strip_suffix(" &") {
            let server = server.replace("0.0.0.0:8080", "127.0.0.1:0");
            serving = Some(Serving::of(&mut machine.command(&format!("exec {server}"))));
            continue;
        }
        let run = Run::of(machine.command(&typed).output().unwrap());
        assert!(run.code == 0, "{line}: {}", run.text());
        if line.starts_with("cp conf/example.repo") {
            // What its comment says.
            let file = machine.path("etc/yum.repos.d/example.repo");
            let text = fs::read_to_string(&file).unwrap();
            let text = text.lines().map(|line| match line.split_once('=') {
                Some(("baseurl", _)) => format!("baseurl={}\n", scene.server.url("/base")),
                Some(("gpgkey", _)) => "gpgkey=file:///srv/vendor.asc\n".to_owned(),
                Some(("enabled", _)) => "enabled=1\n".to_owned(),
                _ => format!("{line}\n"),
            });
            fs::write(&file, text.collect::<String>()).unwrap();
        }
        if line.contains("/mirror.repo") {
            // From now on everything comes from the mirror.
            fs::remove_file(machine.path("etc/yum.repos.d/example.repo")).unwrap();
        }
    }
    assert!(count >= 17, "{count}");
    for name in PACKAGES {
        let root = if name == "bash" { "srv/image" } else { "" };
        let file = machine.path(root).join("usr/share/stage").join(name);
        assert!(file.is_file(), "{}", file.display());
    }
    assert!(
        machine
            .path("srv/ship/public/base/repodata/repomd.xml")
            .is_file()
    );
    assert!(!Path::new("/srv/ship").exists());
}
