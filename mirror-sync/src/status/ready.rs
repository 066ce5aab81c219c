//! What a client needs: a `.repo` file that checks everything that can be checked, and the keys.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::PathBuf;

use cli_kit::shell_word;
use rpm_trust::KeyInfo;

use super::{RepoStatus, Status};
use crate::config::{Config, RepoMode, TargetSection, Word};
use crate::error::{Error, Result};
use crate::trust;

/// How files of keys begin at the clients.
const KEPT: &str = "/etc/pki/rpm-gpg/mirror-";

/// The text of the `.repo` file for clients that reach the mirror at `url`.
pub(crate) fn repo_file(config: &Config, status: &Status, url: &str) -> String {
    repo_file_for(config, status, url, None)
}

/// The same for one who has shown user and token.
pub(crate) fn repo_file_for(
    config: &Config,
    status: &Status,
    url: &str,
    login: Option<(&str, &str)>,
) -> String {
    written(config, status, (url, &Reached::default()), login)
}

/// The same for the clients of a place on another server.
pub(super) fn target_repo_file(config: &Config, status: &Status, target: &TargetSection) -> String {
    if let Some(url) = &target.public_url {
        return repo_file(config, status, url);
    }
    let mut reached = Reached::default();
    for (key, word) in [
        ("s3_endpoint", &target.s3_endpoint),
        ("s3_region", &target.s3_region),
        ("s3_style", &target.s3_style),
    ] {
        if let Some(Word(value)) = word {
            // Writing into a string cannot fail.
            let _ = writeln!(reached.lines, "{key}={}", one_line(value));
        }
    }
    if let Some(Word(endpoint)) = &target.s3_endpoint {
        reached.endpoint = format!("--endpoint-url {} ", shell_word(&one_line(endpoint)));
    }
    written(config, status, (&target.url, &reached), None)
}

/// How clients come to a bucket, where its URL does not say it.
#[derive(Default)]
struct Reached {
    /// Lines of each section.
    lines: String,
    /// Words for the one who fetches the keys.
    endpoint: String,
}

fn written(
    config: &Config,
    status: &Status,
    (url, reached): (&str, &Reached),
    login: Option<(&str, &str)>,
) -> String {
    let url = url.trim_end_matches('/');
    let mut keys = Keys::new(url, &reached.endpoint);
    let (mut absent, mut open, mut locked) = (Vec::new(), Vec::new(), false);
    let mut out = String::new();
    let mut families = BTreeSet::new();
    for repo in &status.repos {
        let Some(section) = config.repo.get(&repo.id) else {
            continue;
        };
        if repo.mode != RepoMode::Proxy && repo.snapshot.is_none() {
            absent.push(repo.id.as_str());
            continue;
        }
        // One section stands for all of them at the clients, too.
        let member = section.member.as_ref();
        if member.is_some_and(|member| !families.insert(&member.family)) {
            continue;
        }
        let made_here = repo.part && config.mirror.sign_key.is_some();
        let (mut named, mut prints) = (Vec::new(), Vec::new());
        let way = config.tokens_file(section).map(|_| match login {
            Some((user, token)) => format!("-u {}:{token} ", user_word(user)),
            None => "-u mirror:TOKEN ".to_owned(),
        });
        let way = way.unwrap_or_default();
        let mut name = |file: &str, data: Option<Vec<u8>>| {
            let found = keys_in(&data.unwrap_or_default());
            prints.extend(found.iter().map(|key| key.fingerprint.to_uppercase()));
            named.push(keys.named(file, &found, way.clone()));
        };
        let trust = ClientTrust::of(config, repo);
        for (number, path) in trust.keys.iter().enumerate() {
            name(
                &format!("{}-{number}.asc", repo.id),
                trust::key_bytes(path).ok(),
            );
        }
        if made_here {
            let own = own_key(config).unwrap_or_default().pop();
            name("mirror.asc", own.map(|(_, data)| data));
        }
        let check = u8::from(trust.check);
        if !trust.unchecked.is_empty() {
            open.push(format!("{} (of {})", repo.id, trust.unchecked.join(", ")));
        }
        // Only what the mirror itself has checked, or signs itself, is promised to be signed.
        let signed = repo.signed_metadata && (section.repo_gpgcheck || made_here);
        let (id, path) = match member {
            Some(member) => (&member.family, &member.pattern),
            None => (&repo.id, &repo.id),
        };
        // Writing into a string cannot fail.
        let _ = write!(
            out,
            "\n[{id}]\nname={}\nbaseurl={url}/{path}\nenabled=1\ngpgcheck={check}\nrepo_gpgcheck={}\n",
            one_line(member.map_or(&repo.name, |member| member.name.as_ref().unwrap_or(id))),
            u8::from(signed)
        );
        out.push_str(&reached.lines);
        if !named.is_empty() {
            let _ = writeln!(out, "gpgkey={}", named.join(" "));
        }
        // What came over http, or from a bucket, into that file may be somebody else's; tdnf looks.
        if keys.are_fetched_first() && !prints.is_empty() {
            let _ = writeln!(out, "gpgkey_fingerprint={}", prints.join(","));
        }
        if !trust.weak.is_empty() {
            let words = trust.weak.join(",");
            let _ = writeln!(out, "weak_signatures={words}");
        }
        if config.tokens_file(section).is_some() {
            locked = true;
            let _ = match login {
                Some((user, token)) => {
                    writeln!(out, "username={}\npassword={token}", user_word(user))
                }
                None => writeln!(out, "#username=mirror\n#password=TOKEN"),
            };
        }
    }
    let name = one_line(&config.mirror.name);
    let mut head = format!("# {name}: put this file into /etc/yum.repos.d/\n");
    keys.tell(&mut head);
    if locked {
        head.push_str(match login {
            Some(_) => "# It holds your token: keep it from others.\n",
            None => "# Where password= stands, put in your token, and take the # away.\n",
        });
    }
    if config.serve.tls_client_ca.is_some() {
        head.push_str("# Clients need a certificate: name yours with sslclientcert= and sslclientkey= in each section.\n");
    }
    if !open.is_empty() {
        let _ = writeln!(
            head,
            "# WARNING: no signature of packages is checked, as sources are not checked by the mirror: {}",
            open.join("; ")
        );
    }
    if !absent.is_empty() {
        let _ = writeln!(head, "# Nothing is mirrored yet of: {}", absent.join(", "));
    }
    head + &out
}

/// How clients check the packages of a repository.
struct ClientTrust {
    keys: Vec<PathBuf>,
    check: bool,
    weak: Vec<String>,
    /// Sources of a merged one of whose packages no signature is known.
    unchecked: Vec<String>,
}

impl ClientTrust {
    /// As the section says; a merged one that says nothing of it has what its sources were checked with. What is of
    /// several is only checked if each of them was.
    fn of(config: &Config, repo: &RepoStatus) -> Self {
        let section = config.repo.get(&repo.id).cloned().unwrap_or_default();
        let mut trust = Self {
            keys: config.key_files(&repo.id),
            check: config.checks_packages(&section),
            weak: section.weak_signatures.0,
            unchecked: Vec::new(),
        };
        if repo.mode != RepoMode::Merge || section.gpgcheck.is_some() || !trust.keys.is_empty() {
            return trust;
        }
        for source in &repo.sources {
            let new = |path: &&PathBuf| !trust.keys.contains(path);
            let keys: Vec<PathBuf> = source.keys.iter().filter(new).cloned().collect();
            trust.keys.extend(keys);
            for word in &source.weak {
                if !trust.weak.contains(word) {
                    trust.weak.push(word.clone());
                }
            }
            // Whoever may not see a repository is not told of it.
            let name = match config.repo.contains_key(&source.repo) {
                true => source.repo.as_str(),
                false => "another",
            };
            trust
                .unchecked
                .extend((!source.check).then(|| name.to_owned()));
        }
        if repo.sources.is_empty() {
            trust
                .unchecked
                .push("what is not known: merge it again".to_owned());
        }
        trust.check = trust.unchecked.is_empty() && !trust.keys.is_empty();
        trust
    }
}

fn one_line(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}

/// A user as the value of a key: any will do, so what is odd becomes a plain one.
fn user_word(user: &str) -> &str {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._@+".contains(c);
    match !user.is_empty() && user.len() < 100 && user.chars().all(plain) {
        true => user,
        false => "mirror",
    }
}

/// The keys of a file, as far as they can be read.
fn keys_in(data: &[u8]) -> Vec<KeyInfo> {
    rpm_trust::read_keys(data, 0).map_or(Vec::new(), |read| read.keys)
}

/// The files of keys that sections name.
struct Keys<'a> {
    url: &'a str,
    /// Words for the one who fetches them from a bucket.
    endpoint: &'a str,
    /// Name below `keys/`; how curl comes in, and its keys for people.
    files: BTreeMap<String, (String, Vec<String>)>,
}

impl<'a> Keys<'a> {
    fn new(url: &'a str, endpoint: &'a str) -> Self {
        let files = BTreeMap::new();
        Self {
            url,
            endpoint,
            files,
        }
    }

    /// A key that comes over http is anybody's, and one in a bucket is nothing that clients fetch: they take it from a
    /// file that a person has compared.
    fn are_fetched_first(&self) -> bool {
        !self.url.starts_with("https://")
    }

    /// What a section calls a file.
    fn named(&mut self, file: &str, keys: &[KeyInfo], way: String) -> String {
        let line = |key: &KeyInfo| {
            let user = one_line(&key.user_id);
            format!("{} {user}", key.pretty_fingerprint())
        };
        let told = keys.iter().map(line).collect();
        self.files.insert(file.to_owned(), (way, told));
        match self.are_fetched_first() {
            true => format!("file://{KEPT}{file}"),
            false => format!("{}/keys/{file}", self.url),
        }
    }

    /// Where they come from, and their fingerprints.
    fn tell(&self, head: &mut String) {
        if self.files.is_empty() {
            return;
        }
        head.push_str(match self.are_fetched_first() {
            true => {
                "# First fetch the keys, and compare their fingerprints with what the publisher says:\n"
            }
            false => "# The keys, to be compared with what the publisher says:\n",
        });
        for (file, (way, told)) in &self.files {
            // Writing into a string cannot fail.
            let _ = match self.are_fetched_first() {
                true if self.url.starts_with("s3://") => writeln!(
                    head,
                    "#   aws s3 cp {}{}/keys/{file} {KEPT}{file}",
                    self.endpoint, self.url
                ),
                true => writeln!(
                    head,
                    "#   curl {way}-o {KEPT}{file} {}/keys/{file}",
                    self.url
                ),
                false => writeln!(head, "#   {}/keys/{file}", self.url),
            };
            head.extend(told.iter().map(|line| format!("#     {line}\n")));
        }
    }
}

/// The public keys that clients need: path below the mirror's URL, and content; and what keeps others from being there.
pub(crate) fn public_keys(
    config: &Config,
    status: &Status,
) -> (Vec<(String, Vec<u8>)>, Vec<Error>) {
    let (mut keys, mut faults) = (Vec::new(), Vec::new());
    let of_repos = config.repo.keys().map(|id| keys_of(config, status, id));
    for found in of_repos.chain([own_key(config)]) {
        match found {
            Ok(found) => keys.extend(found),
            Err(error) => faults.push(error),
        }
    }
    (keys, faults)
}

fn keys_of(config: &Config, status: &Status, id: &str) -> Result<Vec<(String, Vec<u8>)>> {
    // Read as keys first: a private key named by mistake must never be published.
    trust::repo_keyring(config, id)?;
    let mut files = config.key_files(id);
    if let Some(repo) = status.repos.iter().find(|repo| repo.id == id) {
        files = ClientTrust::of(config, repo).keys;
        trust::keyring(&files)
            .map_err(|error| Error::repository(id, format!("gpgkey: {error}")))?;
    }
    let files = files.into_iter().enumerate();
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

    #[test]
    fn a_bucket_has_keys_from_files_and_asks_for_no_token() {
        let text = "[mirror]\npath = \"m\"\n[serve]\ntokens_file = \"t\"\ntls_client_ca = \"c\"\n\
                    [repo.base]\nbaseurl = \"http://h\"\ngpgkey = \"k\"\n\
                    [target.store]\nurl = \"s3://b/p/\"\nrepos = [\"base\"]\ns3_endpoint = \"https://e\"\n\
                    s3_region = \"r\"\ns3_style = \"path\"\n";
        let mut config: Config = toml::from_str(text).unwrap();
        let mut status = Status::default();
        status.repos.push(RepoStatus {
            id: "base".to_owned(),
            snapshot: Some("1".to_owned()),
            ..RepoStatus::default()
        });
        let pages = |config: &Config| {
            let pages = crate::status::target_pages(config, &status, &config.target["store"]);
            let page = pages.into_iter().find(|(path, _)| path == "mirror.repo");
            String::from_utf8(page.unwrap().1).unwrap()
        };
        let text = pages(&config);
        let file = "/etc/pki/rpm-gpg/mirror-base-0.asc";
        for line in [
            format!("#   aws s3 cp --endpoint-url https://e s3://b/p/keys/base-0.asc {file}\n"),
            "\ns3_endpoint=https://e\ns3_region=r\ns3_style=path\n".to_owned(),
            format!("\ngpgkey=file://{file}\n"),
            "\nbaseurl=s3://b/p/base\n".to_owned(),
        ] {
            assert!(text.contains(&line), "{line}: {text}");
        }
        for word in ["TOKEN", "username", "password", "certificate"] {
            assert!(!text.contains(word), "{word}: {text}");
        }
        config.target.get_mut("store").unwrap().public_url = Some("https://cdn".to_owned());
        let text = pages(&config);
        let key = "\ngpgkey=https://cdn/keys/base-0.asc\n";
        assert!(text.contains(key) && !text.contains("s3"), "{text}");
        assert!(!text.contains("TOKEN"), "{text}");
    }

    #[test]
    fn a_locked_repository_has_the_login_of_whoever_asks() {
        let text = "[mirror]\npath = \"m\"\n[serve]\ntokens_file = \"t\"\n[repo.base]\nbaseurl = \"http://h\"\n\
                    [repo.open]\nbaseurl = \"http://h\"\ntokens_file = \"\"\n";
        let config: Config = toml::from_str(text).unwrap();
        let mut status = Status::default();
        for id in ["base", "open"] {
            status.repos.push(RepoStatus {
                id: id.to_owned(),
                snapshot: Some("1".to_owned()),
                ..RepoStatus::default()
            });
        }
        let file = |login| repo_file_for(&config, &status, "https://mirror", login);
        for (user, said) in [
            ("me", "me"),
            ("a\nb", "mirror"),
            ("$x", "mirror"),
            ("", "mirror"),
        ] {
            let text = file(Some((user, "TTT")));
            let lines = format!("username={said}\npassword=TTT\n\n[open]");
            assert!(text.contains(&lines), "{text}");
            assert!(text.contains("# It holds your token"), "{text}");
            assert_eq!(text.matches("username").count(), 1, "{text}");
        }
        let text = file(None);
        assert!(
            text.contains("#password=TOKEN\n") && !text.contains("\npassword="),
            "{text}"
        );
    }
}
