//! The plugins of C tdnf, which are part of this program: signed metadata and metalinks. Their
//! conf files, names and switches are those of C tdnf.

use rpm_pkg::glob::glob_matches;
use std::collections::BTreeMap;
use std::path::Path;

use cli_kit::Printer;
use repo_client::Cause;
use rpm_repo::config::{RepoConfig, parse_bool};
use rpm_repo::ini;
use rpm_trust::{DetachedOutcome, Keyring, SignatureState};

use crate::args::{Args, PluginSwitch};
use crate::error::{Failure, Outcome};
use crate::settings::Settings;

/// `repo_gpgcheck=1`.
const REPO_GPGCHECK: &str = "tdnfrepogpgcheck";
/// `metalink=`.
const METALINK: &str = "tdnfmetalink";
/// Where C tdnf looks for the files of plugins.
const PLUGIN_PATH: &str = "/usr/lib/tdnf-plugins";

/// Which of them are on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Plugins {
    /// Signatures of metadata are checked where a repository asks for it.
    pub repo_gpgcheck: bool,
    /// Metalinks are followed.
    pub metalink: bool,
    /// Hooks are run.
    pub hooks: bool,
}

impl Plugins {
    /// Works out what is on: everything, unless a conf file (`enabled=0`), `--disableplugin` or
    /// `--noplugins` says otherwise. With `plugins=1` in tdnf.conf each plugin that has a conf
    /// file is named, as C tdnf does; one that is not part of this program is named as missing.
    pub(super) fn resolve(args: &Args, settings: &Settings, printer: &Printer) -> Outcome<Self> {
        if args.options.general.noplugins {
            return Ok(Self::default());
        }
        let mut configured = read_dir(&settings.root, &settings.plugin_conf_dir)?;
        let named: Vec<String> = configured.keys().cloned().collect();
        for name in [REPO_GPGCHECK, METALINK] {
            configured.entry(name.to_owned()).or_insert(true);
        }
        switch(&args.options.plugins.0, &mut configured)?;
        if settings.main.plugins {
            for name in named {
                if configured.get(&name) == Some(&true) {
                    tell(settings, printer, &name);
                }
            }
        }
        let on = |name: &str| configured.get(name) == Some(&true);
        Ok(Self {
            repo_gpgcheck: on(REPO_GPGCHECK),
            metalink: on(METALINK),
            hooks: true,
        })
    }

    /// What a repository is without the plugins that are off.
    pub(super) fn apply(self, repo: &mut RepoConfig) {
        if !self.metalink {
            repo.metalink = None;
        }
        if !self.repo_gpgcheck {
            repo.repo_gpgcheck = false;
        }
    }

    /// A check that is switched off is never silent.
    pub(super) fn warn(self, printer: &Printer, wanted: &[String]) {
        for repo in wanted.iter().filter(|_| !self.repo_gpgcheck) {
            printer.err(&format!(
                "warning: repo '{repo}': repo_gpgcheck=1 is not checked: plugin {REPO_GPGCHECK} \
                 is switched off"
            ));
        }
    }
}

/// Why signed metadata is refused, in the words of C tdnf's plugin first.
pub(super) fn signature_words(outcome: &DetachedOutcome, trusted: &Keyring) -> String {
    let explanation = outcome.explain(trusted);
    let explanation = explanation.as_deref().unwrap_or("not signed");
    match outcome.refusal() {
        Some(SignatureState::NoKey { .. }) => format!("No public key: {explanation}"),
        Some(SignatureState::Bad { key_id, why }) => {
            format!("Bad signature: by key {key_id}: {why}")
        }
        _ => explanation.to_owned(),
    }
}

/// What the plugins of C tdnf say about metadata that they refuse: lines that scripts know.
pub(super) fn lines_about(repo: &RepoConfig, error: &repo_client::Error) -> Vec<String> {
    let repo_client::Error::Transfer { label, failures } = error else {
        return Vec::new();
    };
    let Some(cause) = failures.last().map(|failure| &failure.cause) else {
        return Vec::new();
    };
    let of_metalink = || {
        let of_list = label.ends_with(": metalink");
        repo.metalink.is_some() && (of_list || label.ends_with(": repomd.xml"))
    };
    match cause {
        Cause::Signature { text, .. } => vec![
            format!("repo md signature check: {text}"),
            "Plugin error: repogpgcheck plugin error: failed to verify signature".to_owned(),
        ],
        Cause::Digest { .. } if of_metalink() => vec![
            "Error: Validating Checksum (repomd.xml) FAILED (digest mismatch)".to_owned(),
            format!("Plugin error: metalink plugin error: {cause}"),
        ],
        Cause::NoChecksum | Cause::Malformed(_) if of_metalink() => {
            vec![format!("Plugin error: metalink plugin error: {cause}")]
        }
        _ => Vec::new(),
    }
}

fn tell(settings: &Settings, printer: &Printer, name: &str) {
    if [REPO_GPGCHECK, METALINK].contains(&name) {
        return printer.info(&format!("Loaded plugin: {name}"));
    }
    let dir = settings.main.pluginpath.as_deref();
    let dir = dir.unwrap_or(Path::new(PLUGIN_PATH));
    let file = dir.join(format!("lib{name}.so"));
    printer.err(&format!("Error loading plugin: {}", file.display()));
    printer.err(&format!(
        "Error: 1519 dlerror: {}: only {REPO_GPGCHECK} and {METALINK} are known; hooks do the work \
         of others",
        file.display()
    ));
}

/// The conf files of a directory: plugin to `enabled`. No directory, no plugins.
fn read_dir(root: &Path, dir: &Path) -> Outcome<BTreeMap<String, bool>> {
    let mut found = BTreeMap::new();
    let Ok(entries) = std::fs::read_dir(dir) else {
        return Ok(found);
    };
    for entry in entries.flatten() {
        let path = entry.path();
        let is_conf = path.extension().is_some_and(|ending| ending == "conf");
        let Some(name) = path.file_stem().and_then(|name| name.to_str()) else {
            continue;
        };
        if !is_conf {
            continue;
        }
        let document = ini::read(root, &path, |key| key == "enabled")?;
        let mut sections = document.sections.iter();
        let main = sections.find(|section| section.name == "main");
        let on = match main.and_then(|section| section.get("enabled")) {
            None => false,
            Some(entry) => parse_bool(&entry.value).ok_or_else(|| {
                let line = format!("{}: enabled={}: 0 or 1 expected", entry.place, entry.value);
                Failure::invalid(line)
            })?,
        };
        found.insert(name.to_owned(), on);
    }
    Ok(found)
}

/// `--enableplugin` and `--disableplugin` in the order of the command line.
fn switch(switches: &[PluginSwitch], plugins: &mut BTreeMap<String, bool>) -> Outcome<()> {
    for switch in switches {
        let (option, pattern, on) = match switch {
            PluginSwitch::Enable(pattern) => ("enableplugin", pattern, true),
            PluginSwitch::Disable(pattern) => ("disableplugin", pattern, false),
        };
        if pattern.contains('/') {
            let line = format!("--{option}={pattern}: a name, not a path");
            return Err(Failure::invalid(line));
        }
        for (name, state) in plugins.iter_mut() {
            if glob_matches(pattern, name) {
                *state = on;
            }
        }
    }
    Ok(())
}
