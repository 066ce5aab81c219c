//! A world on disk, and what tdnf and dnf would make of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::OnceLock;

use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::program::{self, Run, ok};
use testkit::rpm::{Rpm, createrepo};
use testkit::spec::Spec;
use testkit::stage::tdnf;

use super::package::Package;
use super::world::{Modules, Repo, World};
use crate::interop_lab;
use crate::scene_rpm::RpmFile;

/// What a program would do: the packages that there are afterwards, or why it refuses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    After(BTreeSet<String>),
    Refused(String),
}

impl Verdict {
    /// The packages that there are afterwards.
    pub(super) fn after(&self) -> Option<&BTreeSet<String>> {
        match self {
            Self::After(set) => Some(set),
            Self::Refused(_) => None,
        }
    }
}

/// What all packages are made of.
fn template() -> &'static RpmFile {
    static TEMPLATE: OnceLock<RpmFile> = OnceLock::new();
    TEMPLATE.get_or_init(|| RpmFile::read(&Spec::new("template", "1").files("").build()))
}

fn write(folder: &Path, packages: &[Package]) -> Vec<std::path::PathBuf> {
    fs::create_dir_all(folder).unwrap();
    let each = packages.iter().map(|package| {
        let path = folder.join(format!("{}.rpm", package.nevra()));
        fs::write(&path, package.file(template()).bytes()).unwrap();
        path
    });
    each.collect()
}

impl Repo {
    /// Writes packages, metadata and configuration, over those of before.
    pub(super) fn publish(&self, dir: &Path, modules: Option<&Modules>) {
        let folder = dir.join(self.id);
        write(&folder, &self.packages);
        createrepo(&folder, &["--no-database"]);
        let section = testkit::stage::open_section(self.id, &folder);
        let (priority, excludes) = (self.priority, self.excludes.join(","));
        let section = format!("{section}priority={priority}\nexcludepkgs={excludes}\n");
        fs::write(dir.join(format!("repos.d/{}.repo", self.id)), section).unwrap();
        if let Some(modules) = modules {
            let file = dir.join("modules.yaml");
            fs::write(&file, documents(modules, &self.packages)).unwrap();
            let mut modifyrepo = Command::new("modifyrepo_c");
            modifyrepo.arg("--mdtype=modules").arg(&file);
            ok(modifyrepo.arg(folder.join("repodata")));
        }
    }
}

impl World {
    /// Writes packages, repositories, configuration and the database of the root.
    pub(super) fn write(&self, dir: &Path) {
        let root = dir.join("root");
        fs::create_dir_all(root.join("var/lib/rpm")).unwrap();
        let files = write(&dir.join("installed"), &self.installed);
        let rpm = Rpm::on_root(&root);
        if files.is_empty() {
            rpm.program_ok("rpmdb", &["--initdb"]);
        } else {
            let flags = [
                "-i",
                "--justdb",
                "--nodeps",
                "--nosignature",
                "--nodigest",
                "--ignorearch",
                "--force",
            ];
            ok(rpm.command("rpm").args(flags).args(files));
        }
        let mut conf = format!(
            "[main]\ngpgcheck=0\nreposdir={}\n",
            dir.join("repos.d").display()
        );
        conf.extend(self.conf.iter().flat_map(|line| [line, "\n"]));
        fs::write(dir.join("main.conf"), conf).unwrap();
        fs::create_dir(dir.join("repos.d")).unwrap();
        for repo in &self.repos {
            repo.publish(dir, self.modules.as_ref());
        }
        self.enable_streams(&root);
    }

    /// dnf keeps the streams in use in files; tdnf reads them from the labels of what is installed.
    fn enable_streams(&self, root: &Path) {
        let streams = self
            .installed
            .iter()
            .filter_map(|own| own.stream.as_deref());
        let streams: BTreeMap<&str, &str> = streams.filter_map(|own| own.split_once(':')).collect();
        let folder = root.join("etc/dnf/modules.d");
        fs::create_dir_all(&folder).unwrap();
        for (module, stream) in streams {
            let text =
                format!("[{module}]\nname={module}\nstream={stream}\nprofiles=\nstate=enabled\n");
            fs::write(folder.join(format!("{module}.module")), text).unwrap();
        }
    }

    /// The names of what is installed.
    pub(super) fn before(&self) -> BTreeSet<String> {
        self.installed.iter().map(Package::nevra).collect()
    }

    pub(super) fn tdnf(&self, dir: &Path, words: &[&str]) -> Run {
        let common = ["--releasever", "5", "--json-version=2", "-c"];
        let mut command = tdnf(&interop_lab::program(), &dir.join("root"), &common);
        program::run(command.arg(dir.join("main.conf")).args(words))
    }

    /// The command line, options first.
    fn request<'a>(&'a self, first: &'a str) -> Vec<&'a str> {
        let options = self.options.iter().map(String::as_str);
        let words = self.words.iter().map(String::as_str);
        [first]
            .into_iter()
            .chain(options)
            .chain([self.command])
            .chain(words)
            .collect()
    }

    /// What tdnf would do.
    pub(super) fn asked_of_tdnf(&self, dir: &Path) -> Verdict {
        if !self.auto.is_empty() {
            let mut words = vec!["-y", "mark", "remove"];
            words.extend(self.auto.iter().map(String::as_str));
            self.tdnf(dir, &words).ok();
        }
        let document = self.tdnf(dir, &self.request("--assumeno")).json();
        match (document.get("Data"), document.get("Error")) {
            (Some(plan), _) => Verdict::After(self.after(plan)),
            (None, Some(error)) => Verdict::Refused(error.to_string()),
            (None, None) => Verdict::After(self.before()),
        }
    }

    /// Does it, and tells what rpm says there is then.
    pub(super) fn carried_out(&self, dir: &Path) -> BTreeSet<String> {
        self.tdnf(dir, &self.request("-y")).ok();
        Rpm::on_root(&dir.join("root")).all()
    }

    /// What `check-update` of tdnf and of dnf lists, where the request is to update everything.
    pub(super) fn updates(
        &self,
        dir: &Path,
        dnf: &mut Peer,
    ) -> Option<(BTreeSet<String>, BTreeSet<String>)> {
        if self.command != "update" || !self.words.is_empty() {
            return None;
        }
        let excludes = self
            .options
            .iter()
            .filter(|option| option.starts_with("--exclude"));
        let mut words: Vec<&str> = excludes.map(String::as_str).collect();
        words.push("check-update");
        let document = self.tdnf(dir, &words).json();
        let rows = document["Data"].as_array().cloned().unwrap_or_default();
        // tdnf lists every version that an update could take, dnf the newest.
        let mut newest: BTreeMap<(String, String), String> = BTreeMap::new();
        for row in &rows {
            let [name, evr, arch] = ["Name", "Evr", "Arch"].map(|key| row[key].as_str().unwrap());
            let best = newest
                .entry((name.to_owned(), arch.to_owned()))
                .or_default();
            *best = evr.to_owned().max(std::mem::take(best));
        }
        let own = newest
            .into_iter()
            .map(|((name, arch), evr)| format!("{name}-{evr}.{arch}"));
        let answer = dnf.ask(&json!({"root": dir, "auto": [], "words": words}));
        Some((own.collect(), texts(&answer["came"]).into_iter().collect()))
    }

    /// What is installed once a plan is carried out.
    fn after(&self, plan: &Value) -> BTreeSet<String> {
        let rows = |kind: &str| {
            plan.get(kind)
                .and_then(Value::as_array)
                .cloned()
                .unwrap_or_default()
        };
        let came = || {
            ["Install", "Upgrade", "Downgrade"]
                .into_iter()
                .flat_map(rows)
        };
        let gone: Vec<String> = rows("Remove").iter().map(nevra).collect();
        let replaced = |own: &Package| {
            let mut new = rows("Upgrade").into_iter().chain(rows("Downgrade"));
            new.any(|row| {
                row["Name"] == own.name
                    && (row["Arch"] == own.arch || row["Arch"] == "noarch" || own.arch == "noarch")
            })
        };
        let left = self
            .installed
            .iter()
            .filter(|own| !gone.contains(&own.nevra()) && !replaced(own));
        let left = left.map(Package::nevra);
        left.chain(came().map(|row| nevra(&row))).collect()
    }

    /// What dnf would do.
    pub(super) fn asked_of_dnf(&self, dir: &Path, dnf: &mut Peer) -> Verdict {
        let mut words = self.options.clone();
        // tdnf wants the best of what is named, and of everything what can be had.
        let strict = ["install", "update"].contains(&self.command) && !self.words.is_empty();
        if !words.iter().any(|word| word.ends_with("best")) {
            words.push(if strict { "--best" } else { "--nobest" }.to_owned());
        }
        words.push(self.command.to_owned());
        words.extend(self.words.iter().cloned());
        let answer = dnf.ask(&json!({"root": dir, "auto": self.auto, "words": words}));
        if let Some(why) = answer.get("refused") {
            return Verdict::Refused(why.to_string());
        }
        let mut after = self.before();
        for name in texts(&answer["went"]) {
            after.remove(&name);
        }
        after.extend(texts(&answer["came"]));
        Verdict::After(after)
    }
}

/// The package of a row of JSON.
fn nevra(row: &Value) -> String {
    let [name, evr, arch] = ["Name", "Evr", "Arch"].map(|key| row[key].as_str().unwrap());
    format!("{name}-{evr}.{arch}")
}

pub(super) fn texts(list: &Value) -> Vec<String> {
    let all = list.as_array().unwrap().iter();
    all.map(|text| text.as_str().unwrap().to_owned()).collect()
}

/// The documents of the modules in a repository.
fn documents(modules: &Modules, packages: &[Package]) -> String {
    let mut text = String::new();
    for (module, stream) in [("m", "1"), ("m", "2"), ("n", "1")] {
        let own = packages
            .iter()
            .filter(|own| own.stream.as_deref() == Some(&format!("{module}:{stream}")));
        let artifacts: Vec<String> = own
            .map(|own| format!("        - {}-0:{}-1.{}\n", own.name, own.version, own.arch))
            .collect();
        if artifacts.is_empty() {
            continue;
        }
        let needs = match modules.n_requires.filter(|_| module == "n") {
            Some(stream) => format!("\n          m: [\"{stream}\"]"),
            None => String::new(),
        };
        text += &format!(
            "---\ndocument: modulemd\nversion: 2\ndata:\n  name: {module}\n  stream: \"{stream}\"\n  version: 1\n  \
             context: c0ffee\n  arch: x86_64\n  summary: test\n  description: test\n  license:\n    module:\n      - MIT\n  \
             dependencies:\n    - requires:\n          platform: [el8]{needs}\n  artifacts:\n    rpms:\n{}...\n",
            artifacts.concat()
        );
        let default = match module {
            "m" => modules.default.map(|stream| stream.to_string()),
            _ => Some("1".to_owned()),
        };
        if default.as_deref() == Some(stream) {
            text += &format!(
                "---\ndocument: modulemd-defaults\nversion: 1\ndata:\n  module: {module}\n  stream: \"{stream}\"\n...\n"
            );
        }
    }
    text
}

/// dnf in one process for many worlds.
pub(super) struct Peer {
    process: Child,
    /// Debian's rpm would keep a database below the home directory; macros there say otherwise.
    _home: TempDir,
    input: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Peer {
    pub(super) fn start() -> Self {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join(".rpmmacros"), "%_dbpath /var/lib/rpm\n").unwrap();
        let mut command = Command::new("/usr/bin/python3");
        command.env("HOME", home.path());
        command
            .args(["-c", include_str!("peer.py")])
            .env("LC_ALL", "C.UTF-8");
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit());
        let mut process = command.spawn().expect("python3 and its dnf are installed");
        Self {
            input: process.stdin.take().unwrap(),
            answers: BufReader::new(process.stdout.take().unwrap()),
            process,
            _home: home,
        }
    }

    pub(super) fn ask(&mut self, request: &Value) -> Value {
        writeln!(self.input, "{request}").unwrap();
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|e| panic!("dnf: {e}: {line}; {request}"))
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
