//! `automatic.conf`. An unknown key or value stops the run: a typing error must not decide
//! what is installed unattended.

use std::path::{Path, PathBuf};

use rpm_repo::Place;
use rpm_repo::config::{EffectiveKey, parse_bool};
use rpm_repo::ini;

use super::{End, Stop};
use crate::near::meant;

/// Longest `random_sleep`, `network_online_timeout` and `lock_timeout`, in seconds.
const MAX_SECONDS: u64 = 24 * 60 * 60;

/// How many seconds another program may keep a lock: a timer must end, and the next one tries again.
const LOCK_TIMEOUT: u64 = 600;

/// The sections that the keys stand in.
const SECTIONS: [&str; 3] = ["commands", "emitter", "base"];

/// Every key, for the man page.
pub(crate) const KEYS: &[EffectiveKey] = &[
    EffectiveKey::new("upgrade_type", "all", "all or security."),
    EffectiveKey::new(
        "random_sleep",
        "0",
        "Most seconds to wait before it begins.",
    ),
    EffectiveKey::new(
        "network_online_timeout",
        "0",
        "Seconds to wait for the network.",
    ),
    EffectiveKey::new(
        "lock_timeout",
        "600",
        "Seconds to wait for another program that holds a lock; of tdnf.conf it does not count here.",
    ),
    EffectiveKey::new("show_updates", "yes", "Report what could be updated."),
    EffectiveKey::new("apply_updates", "no", "Install it."),
    EffectiveKey::new("system_name", "the host's name", "Name in reports."),
    EffectiveKey::new("emit_to_stdio", "yes", "Report on standard output."),
    EffectiveKey::new("emit_to_file", "none", "Report into this file."),
    EffectiveKey::new(
        "tdnf_conf",
        "/etc/tdnf/tdnf.conf",
        "Configuration for the runs.",
    ),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum UpgradeType {
    All,
    Security,
}

#[derive(Debug)]
pub(super) struct Config {
    pub(super) upgrade_type: UpgradeType,
    /// Seconds; with `--timer`.
    pub(super) random_sleep: u64,
    /// Seconds that the repositories may take to be reachable.
    pub(super) network_online_timeout: u64,
    /// Seconds that another program may keep a lock.
    pub(super) lock_timeout: u64,
    pub(super) show_updates: bool,
    pub(super) apply_updates: bool,
    pub(super) system_name: String,
    pub(super) emit_to_stdio: bool,
    /// The report file, and where it is named.
    pub(super) emit_to_file: Option<(PathBuf, Place)>,
    /// `-c` for tdnf.
    pub(super) tdnf_conf: Option<PathBuf>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            upgrade_type: UpgradeType::All,
            random_sleep: 0,
            network_online_timeout: 0,
            lock_timeout: LOCK_TIMEOUT,
            show_updates: true,
            apply_updates: false,
            system_name: rustix::system::uname()
                .nodename()
                .to_string_lossy()
                .into_owned(),
            emit_to_stdio: true,
            emit_to_file: None,
            tdnf_conf: None,
        }
    }
}

impl Config {
    pub(super) fn read(path: &Path) -> Result<Self, Stop> {
        // As in tdnf, an empty file is none.
        if std::fs::metadata(path).is_ok_and(|found| found.is_file() && found.len() == 0) {
            let why = format!("Configuration file: '{}' is empty", path.display());
            return Err(Stop(End::NoConfig, why));
        }
        if !path.exists() {
            let why = format!("Configuration file: '{}' does not exist", path.display());
            return Err(Stop(End::NoConfig, why));
        }
        let invalid = |why: String| Stop(End::Invalid, why);
        let document = ini::read(Path::new("/"), path, |_| false)
            .map_err(|error| invalid(error.to_string()))?;
        let mut config = Self::default();
        for section in &document.sections {
            for entry in &section.entries {
                let (key, value) = (entry.key.as_str(), entry.value.as_str());
                let set = config.set(&section.name, key, value, &entry.place);
                set.map_err(|why| {
                    let (place, section) = (&entry.place, &section.name);
                    invalid(format!(
                        "{place}: Invalid entry '{section}'|'{key}'='{value}': {why}"
                    ))
                })?;
            }
        }
        Ok(config)
    }

    fn set(&mut self, section: &str, key: &str, value: &str, place: &Place) -> Result<(), String> {
        let path =
            || Some(PathBuf::from(value)).filter(|path| !value.is_empty() && path.is_absolute());
        match (section, key) {
            ("commands", "upgrade_type") => {
                self.upgrade_type = match value {
                    "all" => UpgradeType::All,
                    "security" => UpgradeType::Security,
                    _ => return Err("'all' or 'security' expected".to_owned()),
                }
            }
            ("commands", "random_sleep") => self.random_sleep = seconds(value)?,
            ("commands", "network_online_timeout") => self.network_online_timeout = seconds(value)?,
            ("commands", "lock_timeout") => self.lock_timeout = seconds(value)?,
            ("commands", "show_updates") => self.show_updates = boolean(value)?,
            ("commands", "apply_updates") => self.apply_updates = boolean(value)?,
            ("emitter", "system_name") if value.is_empty() => {}
            ("emitter", "system_name") => self.system_name = value.to_owned(),
            ("emitter", "emit_to_stdio") => self.emit_to_stdio = boolean(value)?,
            ("emitter", "emit_to_file") if value.is_empty() => {}
            ("emitter", "emit_to_file") => {
                let path = path().ok_or("an absolute path expected")?;
                self.emit_to_file = Some((path, place.clone()));
            }
            ("base", "tdnf_conf") => {
                self.tdnf_conf = Some(path().ok_or("an absolute path expected")?);
            }
            _ => return Err(unknown(section, key)),
        }
        Ok(())
    }
}

/// What is wrong with a key that is not one, or that stands in another section.
fn unknown(section: &str, key: &str) -> String {
    if !SECTIONS.contains(&section) {
        let near = meant(section, SECTIONS);
        return format!("unknown section{near}");
    }
    match KEYS.iter().any(|known| known.name == key) {
        true => format!("the key does not belong to the section '{section}'"),
        false => format!("unknown key{}", meant(key, KEYS.iter().map(|key| key.name))),
    }
}

fn seconds(value: &str) -> Result<u64, &'static str> {
    let number = value.parse().ok().filter(|seconds| *seconds <= MAX_SECONDS);
    number.ok_or("seconds expected, a day at most")
}

fn boolean(value: &str) -> Result<bool, &'static str> {
    parse_bool(value).ok_or("yes or no expected")
}
