//! `keys`: the keys that the rpm database trusts, without rpm.

use clap::ValueEnum;
use rpm_pkg::glob::glob_matches;
use rpm_repo::Place;
use rpm_repo::config::RepoConfig;
use rpm_trust::{KeyInfo, Keyring};

use super::Command;
use super::operands::{Operand, Operands, unknown_action, words};
use crate::args::options::{self, of};
use crate::change;
use crate::error::{Code, Failure, Outcome};
use crate::session::{
    InstanceLock, KeyPlace, NO_REPOSITORY, OfferedKey, Session, StoredKey, offered_keys,
};
use crate::view::keys::{KeyRow, Keys};

pub(super) const COMMAND: Command = Command {
    name: "keys",
    usage: "[list|import|remove|refresh] [FILE|URL|KEY...]",
    operands: Operands::after(words::<KeysVerb>, Operand::File),
    options: &[of::<options::ChangeOptions>()],
    example: "keys list",
    about: "Show, import, remove and renew the keys that packages are checked with",
    run,
    never_dry: true,
    ..Command::PLAIN
};

/// What is done with keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum KeysVerb {
    List,
    Import,
    Remove,
    Refresh,
}

fn run(session: &Session<'_>, words: &[String]) -> Outcome<u8> {
    let Some((word, rest)) = words.split_first() else {
        return list(session);
    };
    let verb = KeysVerb::from_str(word, false).map_err(|_| unknown_action::<KeysVerb>(word))?;
    match verb {
        KeysVerb::List => return list(session),
        KeysVerb::Import | KeysVerb::Remove if rest.is_empty() => {
            let needed = "need key files, URLs or names of keys as argument";
            return Err(Failure::new(Code::INVALID_PARAMETER).remark(needed));
        }
        _ => {}
    }
    let _lock: InstanceLock = session.change_lock()?;
    change::recover(session)?;
    match verb {
        KeysVerb::Import => import(session, rest),
        KeysVerb::Remove => remove(session, rest),
        _ => refresh(session),
    }
}

fn stored_row(stored: &StoredKey, now: u64) -> KeyRow {
    let row = match &stored.key {
        Ok(key) => KeyRow::of(key, now),
        Err(error) => KeyRow {
            state: format!("unusable: {error}"),
            ..KeyRow::default()
        },
    };
    KeyRow {
        package: Some(stored.package.clone()),
        ..row
    }
}

fn list(session: &Session<'_>) -> Outcome<u8> {
    let now = session.settings.environment.now;
    let all = session.stored_keys()?;
    let rows = all.iter().map(|stored| stored_row(stored, now)).collect();
    session.printer.show(&Keys(rows));
    if all.is_empty() {
        session.printer.info("The rpm database has no key");
    }
    Ok(0)
}

/// Keys of files and URLs; those that are stored in the same form are left out.
fn import(session: &Session<'_>, words: &[String]) -> Outcome<u8> {
    let place = Place::named("keys import");
    let mut named = RepoConfig::new(NO_REPOSITORY, place, &session.settings.main)?;
    let absolute = |word: &String| match word.contains(':') {
        true => word.clone(),
        false => std::path::absolute(word).map_or(word.clone(), |p| p.display().to_string()),
    };
    let now = session.settings.environment.now;
    let stored = session.stored_keys()?;
    let mut changes = Vec::new();
    for word in words {
        named.gpgkey = vec![absolute(word)];
        let offered = offered_keys(session, &named)?.into_iter();
        changes.extend(offered.filter_map(|offered| KeyChange::of(offered, &stored, now)));
    }
    carry_out(session, changes)
}

/// New copies of keys that are stored, from the `gpgkey` of the repositories that are on. A repository
/// whose keys cannot be had leaves the others.
fn refresh(session: &Session<'_>) -> Outcome<u8> {
    let now = session.settings.environment.now;
    let stored = session.stored_keys()?;
    let mut changes: Vec<KeyChange> = Vec::new();
    let repos = session.enabled_repos()?;
    for repo in repos.iter().filter(|repo| !repo.gpgkey.is_empty()) {
        let offered = match offered_keys(session, repo) {
            Ok(offered) => offered,
            Err(failure) => {
                session.go_on()?;
                let line = failure.details.join(": ");
                session.warn_once(&format!("warning: {line}; it is left out"));
                continue;
            }
        };
        for offered in offered {
            let known = |change: &KeyChange| change.key.fingerprint == offered.key.fingerprint;
            if !changes.iter().any(known) {
                let change = KeyChange::of(offered, &stored, now);
                changes.extend(change.filter(|change| change.replaces.is_some()));
            }
        }
    }
    carry_out(session, changes)
}

/// A key that is to be stored.
struct KeyChange {
    key: KeyInfo,
    source: String,
    /// The stored copy.
    replaces: Option<KeyInfo>,
}

impl KeyChange {
    /// None where what is stored of the key says all that this copy says.
    fn of(offered: OfferedKey, stored: &[StoredKey], now: u64) -> Option<Self> {
        let mut usable = stored.iter().filter_map(|stored| stored.key.as_ref().ok());
        let old = usable.find(|old| old.fingerprint == offered.key.fingerprint);
        let source = offered.source();
        let Some(old) = old else {
            let (key, replaces) = (offered.key, None);
            return Some(Self {
                key,
                source,
                replaces,
            });
        };
        if !old.is_older_than(&offered.key) {
            return None;
        }
        // Both together: what is stored may say more, that the key is revoked.
        let mut both = Keyring::new();
        for copy in [old, &offered.key] {
            both.add_armored_or_binary(&copy.binary).ok()?;
        }
        let (key, replaces) = (both.keys(now).into_iter().next()?, Some(old.clone()));
        Some(Self {
            key,
            source,
            replaces,
        })
    }

    fn row(&self, now: u64) -> KeyRow {
        let replaced = |old: &KeyInfo| format!("{} ({})", old.pretty_fingerprint(), old.state(now));
        KeyRow {
            source: Some(self.source.clone()),
            replaces: self.replaces.as_ref().map(replaced),
            ..KeyRow::of(&self.key, now)
        }
    }
}

fn carry_out(session: &Session<'_>, changes: Vec<KeyChange>) -> Outcome<u8> {
    let now = session.settings.environment.now;
    let rows = changes.iter().map(|change| change.row(now)).collect();
    session.printer.show(&Keys(rows));
    if changes.is_empty() {
        session.printer.info("All of these keys are stored already");
        return Ok(0);
    }
    session.confirm()?;
    let keys: Vec<KeyInfo> = changes.into_iter().map(|change| change.key).collect();
    change::change_keys(session, &keys, &[]).map(|()| 0)
}

/// Whether a word names packages that are keys: no other package may have such a name.
pub(super) fn is_key(word: &str) -> bool {
    word.starts_with("gpg-pubkey")
}

/// Removes keys by name among packages (`gpg-pubkey-VERSION-RELEASE`, the release may be left out, or a
/// glob), fingerprint or key id. The caller holds the lock.
pub(super) fn remove(session: &Session<'_>, words: &[String]) -> Outcome<u8> {
    let now = session.settings.environment.now;
    let all = session.stored_keys()?;
    let mut gone: Vec<&StoredKey> = Vec::new();
    for word in words {
        let named: Vec<&StoredKey> = all.iter().filter(|key| names(word, key)).collect();
        if named.is_empty() {
            return Err(
                Failure::because(Code::NO_MATCH, format!("{word}: no such key"))
                    .hint("`tdnf keys list` shows what is there"),
            );
        }
        gone.extend(named);
    }
    gone.sort_by_key(|stored| &stored.place);
    gone.dedup_by_key(|stored| &stored.place);
    let rows = gone.iter().map(|stored| stored_row(stored, now)).collect();
    session.printer.show(&Keys(rows));
    if session.settings.dry_run {
        return Ok(0);
    }
    session.confirm()?;
    let places: Vec<KeyPlace> = gone.iter().map(|stored| stored.place.clone()).collect();
    change::change_keys(session, &[], &places).map(|()| 0)
}

/// Whether a word means this key: its package with or without release, or its end of hex digits, 8 at
/// least, with or without blanks and `0x`.
fn names(word: &str, stored: &StoredKey) -> bool {
    let package = stored.package.as_str();
    let without_release = package.rsplit_once('-').map_or(package, |(start, _)| start);
    let known = [package, without_release, "gpg-pubkey"];
    if known.iter().any(|name| glob_matches(word, name)) {
        return true;
    }
    let digits: String = word.split_whitespace().collect();
    let digits = digits.to_ascii_lowercase();
    let digits = digits.strip_prefix("0x").unwrap_or(&digits);
    let version = without_release.trim_start_matches("gpg-pubkey-");
    let fingerprint = stored.key.as_ref().map(|key| key.fingerprint.as_str());
    digits.len() >= 8 && fingerprint.unwrap_or(version).ends_with(digits)
}
