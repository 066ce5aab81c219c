//! A mirror outside, one inside, and what is carried between them.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::scene::{Scene, VENDOR, files_in};
use testkit::gpg::Gpg;
use testkit::program::Run;

/// A mirror outside, one inside, and a host inside.
pub(crate) struct Gap {
    vendor: Gpg,
    pub(crate) outside: Scene,
}

impl Gap {
    /// alpha (needs beta), beta and gamma, signed by their vendor.
    pub(crate) fn new() -> Gap {
        let outside = Scene::new();
        let vendor = Gpg::with_key(&outside.path("vendor"), VENDOR);
        outside.write("vendor.asc", vendor.public());
        let gap = Gap { vendor, outside };
        gap.put("alpha", "1", "Requires: beta");
        gap.put("beta", "1", "");
        gap.put("gamma", "1", "");
        let key = gap.path("maker.key");
        let made = gap.outside.run(&["key", "generate", key.to_str().unwrap()]);
        assert_eq!(made.code, 0, "{}", made.err);
        let text = format!(
            "[mirror]\npath = {:?}\nsign_key = {key:?}\n[repo.base]\nbaseurl = {:?}\ngpgkey = {:?}\n",
            gap.path("mirror"),
            gap.outside.server.url("/base"),
            gap.path("vendor.asc")
        );
        gap.outside.config_text(&text);
        gap.publish();
        gap.inside_config("");
        gap
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.outside.path(name)
    }

    /// A signed package upstream.
    pub(crate) fn put(&self, name: &str, version: &str, lines: &str) {
        self.vendor
            .sign_package(VENDOR, &self.outside.put("base", name, version, lines));
    }

    /// Upstream publishes, the mirror outside follows.
    pub(crate) fn publish(&self) {
        self.outside.publish("base");
        self.outside.sync();
    }

    pub(crate) fn inside_config(&self, lines: &str) {
        let text = format!(
            "[mirror]\npath = {:?}\n[bundle]\nkeys = [{:?}]\nsite = \"ship\"\n{lines}\n\
             [repo.base]\nmode = \"bundle\"\ngpgkey = {:?}\n",
            self.path("inside"),
            self.path("maker.key.pub"),
            self.path("vendor.asc")
        );
        fs::write(self.path("inside.toml"), text).unwrap();
    }

    /// Our program on the isolated host.
    pub(crate) fn inside(&self, words: &[&str]) -> Run {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mirror-sync"));
        command
            .arg("--config")
            .arg(self.path("inside.toml"))
            .args(words);
        Run::of(command.env("LC_ALL", "C.UTF-8").output().unwrap())
    }

    /// Makes a bundle outside; its parts.
    pub(crate) fn make(&self, words: &[&str]) -> Vec<String> {
        let carried = self.path("carried");
        let mut all = vec![
            "--json",
            "bundle",
            "make",
            "--output",
            carried.to_str().unwrap(),
        ];
        all.extend(words);
        let made = self.outside.run(&all).ends(0).json();
        let parts = made["parts"].as_array().unwrap().iter();
        parts
            .map(|part| part.as_str().unwrap().to_owned())
            .collect()
    }

    pub(crate) fn apply(&self, parts: &[String]) -> Run {
        let mut words = vec!["bundle", "apply"];
        words.extend(parts.iter().map(String::as_str));
        self.inside(&words)
    }

    /// What must not change when a bundle is refused.
    pub(crate) fn state(&self) -> BTreeMap<String, Vec<u8>> {
        let root = self.path("inside");
        let names = files_in(&root).into_iter().filter(|name| name != "lock");
        names
            .map(|name| {
                let bytes = fs::read(root.join(&name)).unwrap();
                (name, bytes)
            })
            .collect()
    }

    /// The bundle is refused for this reason, and nothing changed.
    pub(crate) fn refused(&self, parts: &[String], why: &str) {
        let before = self.state();
        let run = self.apply(parts);
        assert_eq!(run.code, 1, "{why}: {}{}", run.out, run.err);
        assert!(run.err.contains(why), "{why}: {}", run.err);
        assert!(self.state() == before, "{why}: something changed");
    }

    pub(crate) fn request(&self, words: &[&str]) -> String {
        let file = self.path("request.json");
        let file = file.to_str().unwrap().to_owned();
        let mut all = vec!["bundle", "request", "--output", &file];
        all.extend(words);
        self.inside(&all).ends(0);
        file
    }

    pub(crate) fn inside_list(&self) -> Vec<String> {
        let url = format!("file://{}", self.path("inside/public/base").display());
        self.outside.dnf_list(&url)
    }
}
