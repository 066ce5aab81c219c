//! What a client needs: a `.repo` file that checks everything that can be checked, and the keys.

use std::fmt::Write;
use std::path::PathBuf;

use super::Status;
use crate::config::{Config, RepoMode};
use crate::error::{Error, Result};
use crate::trust;

/// The text of the `.repo` file for clients that reach the mirror at `url`.
pub(crate) fn repo_file(config: &Config, status: &Status, url: &str) -> String {
    let url = url.trim_end_matches('/');
    let name = config.mirror.name.replace(['\n', '\r'], " ");
    let mut out = String::new();
    let (mut absent, mut to_fetch) = (Vec::new(), Vec::new());
    // A key that comes over http is anybody's: clients take it from a file that a person has compared.
    let mut key = |file: &str| match url.starts_with("http://") {
        true => {
            let kept = format!("/etc/pki/rpm-gpg/mirror-{file}");
            to_fetch.push(format!("curl -o {kept} {url}/keys/{file}"));
            format!("file://{kept}")
        }
        false => format!("{url}/keys/{file}"),
    };
    for repo in &status.repos {
        let Some(section) = config.repo.get(&repo.id) else {
            continue;
        };
        if repo.mode != RepoMode::Proxy && repo.snapshot.is_none() {
            absent.push(repo.id.as_str());
            continue;
        }
        let made_here = repo.part && config.mirror.sign_key.is_some();
        let mut keys = Vec::new();
        for number in 0..section.gpgkey.0.len() {
            keys.push(key(&format!("{}-{number}.asc", repo.id)));
        }
        if made_here {
            keys.push(key("mirror.asc"));
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
    to_fetch.sort();
    to_fetch.dedup();
    let mut head = format!("# {name}: put this file into /etc/yum.repos.d/\n");
    if !to_fetch.is_empty() {
        head.push_str("# First fetch the keys, and compare their fingerprints with what the publisher says:\n");
        head.extend(to_fetch.iter().map(|line| format!("#   {line}\n")));
    }
    if !absent.is_empty() {
        let _ = writeln!(head, "# Nothing is mirrored yet of: {}", absent.join(", "));
    }
    head + &out
}

/// The public keys that clients need: path below the mirror's URL, and content; and what keeps others from being there.
pub(crate) fn public_keys(config: &Config) -> (Vec<(String, Vec<u8>)>, Vec<Error>) {
    let (mut keys, mut faults) = (Vec::new(), Vec::new());
    let of_repos = config.repo.keys().map(|id| keys_of(config, id));
    for found in of_repos.chain([own_key(config)]) {
        match found {
            Ok(found) => keys.extend(found),
            Err(error) => faults.push(error),
        }
    }
    (keys, faults)
}

fn keys_of(config: &Config, id: &str) -> Result<Vec<(String, Vec<u8>)>> {
    // Read as keys first: a private key named by mistake must never be published.
    trust::repo_keyring(config, id)?;
    let files = config.key_files(id).into_iter().enumerate();
    let read = |(number, path): (usize, PathBuf)| {
        Ok((format!("keys/{id}-{number}.asc"), trust::key_bytes(&path)?))
    };
    files.map(read).collect()
}

fn own_key(config: &Config) -> Result<Vec<(String, Vec<u8>)>> {
    let Some(path) = &config.mirror.sign_key else {
        return Ok(Vec::new());
    };
    let text = trust::signing_key(path)?.public_armored();
    let text = text.map_err(Error::trust(path.display()))?;
    Ok(vec![("keys/mirror.asc".to_owned(), text.into_bytes())])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::RepoStatus;

    #[test]
    fn keys_over_http_come_from_files_and_what_is_not_there_is_not_offered() {
        let text = "[mirror]\npath = \"m\"\n[repo.base]\nbaseurl = \"http://h\"\ngpgkey = \"k\"\n\
                    [repo.extras]\nbaseurl = \"http://h\"\ngpgcheck = false\n";
        let config: Config = toml::from_str(text).unwrap();
        let mut status = Status::default();
        for (id, snapshot) in [("base", Some("1".to_owned())), ("extras", None)] {
            status.repos.push(RepoStatus {
                id: id.to_owned(),
                snapshot,
                ..RepoStatus::default()
            });
        }
        let over_http = repo_file(&config, &status, "http://mirror/");
        let file = "/etc/pki/rpm-gpg/mirror-base-0.asc";
        assert!(
            over_http.contains(&format!("\ngpgkey=file://{file}\n")),
            "{over_http}"
        );
        let fetch = format!("#   curl -o {file} http://mirror/keys/base-0.asc\n");
        assert!(over_http.contains(&fetch), "{over_http}");
        assert!(!over_http.contains("[extras]"), "{over_http}");
        assert!(
            over_http.contains("# Nothing is mirrored yet of: extras\n"),
            "{over_http}"
        );
        let over_https = repo_file(&config, &status, "https://mirror");
        assert!(
            over_https.contains("\ngpgkey=https://mirror/keys/base-0.asc\n"),
            "{over_https}"
        );
        assert!(!over_https.contains("curl"), "{over_https}");
    }
}
