//! What a client needs: a `.repo` file that checks everything that can be checked, and the keys.

use std::fmt::Write;

use super::Status;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::trust;

/// The text of the `.repo` file for clients that reach the mirror at `url`.
pub(crate) fn repo_file(config: &Config, status: &Status, url: &str) -> String {
    let url = url.trim_end_matches('/');
    let name = config.mirror.name.replace(['\n', '\r'], " ");
    let mut out = format!("# {name}: put this file into /etc/yum.repos.d/\n");
    for repo in &status.repos {
        let Some(section) = config.repo.get(&repo.id) else {
            continue;
        };
        let made_here = repo.part && config.mirror.sign_key.is_some();
        let mut keys = Vec::new();
        for number in 0..section.gpgkey.0.len() {
            keys.push(format!("{url}/keys/{}-{number}.asc", repo.id));
        }
        if made_here {
            keys.push(format!("{url}/keys/mirror.asc"));
        }
        let check = u8::from(config.checks_packages(section));
        // Only what the mirror itself has checked, or signs itself, is promised to be signed.
        let signed = repo.signed_metadata && (section.repo_gpgcheck || made_here);
        let id = &repo.id;
        // Writing into a string cannot fail.
        let _ = write!(
            out,
            "\n[{id}]\nname={}\nbaseurl={url}/{id}\nenabled=1\ngpgcheck={check}\nrepo_gpgcheck={}\n",
            repo.name.replace(['\n', '\r'], " "),
            u8::from(signed)
        );
        if !keys.is_empty() {
            let _ = writeln!(out, "gpgkey={}", keys.join(" "));
        }
        if !section.weak_signatures.0.is_empty() {
            let words = section.weak_signatures.0.join(",");
            let _ = writeln!(out, "weak_signatures={words}");
        }
    }
    out
}

/// The public keys that clients need: path below the mirror's URL, and content.
pub(crate) fn public_keys(config: &Config) -> Result<Vec<(String, Vec<u8>)>> {
    let mut keys = Vec::new();
    for id in config.repo.keys() {
        for (number, path) in config.key_files(id).iter().enumerate() {
            // Read as a key first: a private key named by mistake must never be published.
            trust::keyring(std::slice::from_ref(path))?;
            keys.push((format!("keys/{id}-{number}.asc"), trust::key_bytes(path)?));
        }
    }
    if let Some(path) = &config.mirror.sign_key {
        let key = trust::signing_key(path)?;
        let text = key.public_armored();
        let text = text.map_err(Error::trust(path.display()))?;
        keys.push(("keys/mirror.asc".to_owned(), text.into_bytes()));
    }
    Ok(keys)
}
