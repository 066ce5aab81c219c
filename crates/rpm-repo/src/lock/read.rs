//! Reading: which format a file has, and our own.

use std::collections::BTreeSet;

use rpm_pkg::digest::{Digest, DigestAlgo};

use super::tree::{Fields, Read, of_json};
use super::{
    LOCK_VERSION, Lock, LockReason, LockedArch, LockedPackage, LockedRepo, MAX_LOCK, MAX_PACKAGES,
    Signer, konflux, manifest, yaml,
};
use crate::error::{Error, Result, quoted};
use crate::layout::{Href, Place, tidied};

/// Longest name of a package, a repository, a version.
const MAX_NAME: usize = 255;
/// How a URL of a package begins.
pub(super) const SCHEMES: [&str; 6] = [
    "http://",
    "https://",
    "s3://",
    "oci://",
    "oci+http://",
    "file:///",
];
/// Longest URL.
const MAX_URL: usize = 8192;

impl Lock {
    /// Reads a lock file of any of the formats; `name` is its name in errors. The second value names keys that nobody
    /// knows, each once.
    ///
    /// # Errors
    /// It is longer than [`MAX_LOCK`], of a format or version that is not known, has a key or a package twice, a name
    /// or location that leads elsewhere, a digest weaker than SHA-256 or none, or more than [`MAX_PACKAGES`] packages.
    pub fn read(name: &str, bytes: &[u8]) -> Result<(Self, Vec<String>)> {
        let bad = |why: String| Error::Lock {
            file: quoted(name),
            why,
        };
        if bytes.len() as u64 > MAX_LOCK {
            return Err(bad(format!("it is longer than {} MiB", MAX_LOCK >> 20)));
        }
        let tree = match bytes.trim_ascii_start().first() {
            Some(b'{') => of_json(bytes).map_err(|error| bad(error.to_string()))?,
            _ => {
                let text =
                    std::str::from_utf8(bytes).map_err(|_| bad("it is not UTF-8".to_owned()))?;
                yaml::of_yaml(text).map_err(bad)?
            }
        };
        let mut unknown = BTreeSet::new();
        let lock = Fields::of("", tree).and_then(|fields| Self::of(fields, &mut unknown));
        let mut lock = lock.map_err(bad)?;
        lock.architectures.values_mut().for_each(LockedArch::sort);
        Ok((lock, unknown.into_iter().collect()))
    }

    fn of(mut fields: Fields, unknown: &mut BTreeSet<String>) -> Read<Self> {
        if fields.has("lockfileVersion") {
            return konflux::read(fields, unknown);
        }
        if fields.has("document") {
            return manifest::read(fields, unknown);
        }
        let Some(version) = fields.number_if("lock")? else {
            return Err(
                "it is no lock file: the keys lock, lockfileVersion and document are missing"
                    .to_owned(),
            );
        };
        if version != LOCK_VERSION {
            return Err(format!(
                "version {version} of the format is not known here, {LOCK_VERSION} is: a newer tdnf reads it"
            ));
        }
        let mut lock = Self {
            words: fields.texts("words")?,
            releasever: fields.text_if("releasever")?,
            ..Self::default()
        };
        let architectures = match fields.take("architectures") {
            Some(tree) => Fields::of("architectures", tree)?,
            None => return Err("architectures is missing".to_owned()),
        };
        fields.end(unknown);
        let mut left = MAX_PACKAGES;
        for (place, arch, tree) in architectures.rest() {
            check_arch(&arch).map_err(|why| format!("{place}: {why}"))?;
            let mut fields = Fields::of(&place, tree)?;
            let repositories = repositories(&mut fields, unknown)?;
            let packages = fields.list("packages")?;
            fields.end(unknown);
            let mut section = LockedArch {
                repositories,
                packages: Vec::new(),
            };
            for (place, tree) in packages {
                let fields = Fields::of(&place, tree)?;
                add(&mut section, &mut left, &place, package(fields, unknown)?)?;
            }
            no_doubles(&section, &place)?;
            lock.architectures.insert(arch, section);
        }
        Ok(lock)
    }
}

fn repositories(fields: &mut Fields, unknown: &mut BTreeSet<String>) -> Read<Vec<LockedRepo>> {
    let (mut found, mut ids) = (Vec::new(), BTreeSet::new());
    for (place, tree) in fields.list("repositories")? {
        let mut fields = Fields::of(&place, tree)?;
        let id = name(&mut fields, "id", repo_fault)?;
        let mut repo = LockedRepo {
            id,
            ..LockedRepo::default()
        };
        repo.baseurl = fields.text_if("baseurl")?.unwrap_or_default();
        repo.repomd = match fields.text_if("repomd")? {
            Some(text) => Some(digest(&text).map_err(|why| fields.bad_value("repomd", &why))?),
            None => None,
        };
        for key in fields.texts("keys")? {
            repo.keys
                .push(fingerprint(&key).map_err(|why| fields.bad_value("keys", &why))?);
        }
        if !ids.insert(repo.id.clone()) {
            return Err(fields.bad(&format!("repository {} stands twice", repo.id)));
        }
        fields.end(unknown);
        found.push(repo);
    }
    Ok(found)
}

fn package(mut fields: Fields, unknown: &mut BTreeSet<String>) -> Read<LockedPackage> {
    let epoch = fields.number_if("epoch")?.unwrap_or_default();
    let epoch = u32::try_from(epoch).map_err(|_| fields.bad_value("epoch", "it is too large"))?;
    let signer = match fields.has("signer") {
        false => return Err(fields.bad("signer is missing")),
        true => match fields.text_if("signer")? {
            Some(text) => {
                Signer::Key(fingerprint(&text).map_err(|why| fields.bad_value("signer", &why))?)
            }
            None => Signer::Nobody,
        },
    };
    let reason = match fields.text("reason")?.as_str() {
        "user" => LockReason::User,
        "dependency" => LockReason::Dependency,
        "weak" => LockReason::Weak,
        other => {
            return Err(fields.bad_value(
                "reason",
                &format!("{}: user, dependency or weak is expected", quoted(other)),
            ));
        }
    };
    let location = fields.text("location")?;
    let package = LockedPackage {
        name: name(&mut fields, "name", name_fault)?,
        epoch,
        version: name(&mut fields, "version", evr_fault)?,
        release: name(&mut fields, "release", evr_fault)?,
        arch: name(&mut fields, "arch", arch_fault)?,
        repo: name(&mut fields, "repo", repo_fault)?,
        location: self::location(&location).map_err(|why| fields.bad_value("location", &why))?,
        url: url(&mut fields)?,
        size: fields
            .number_if("size")?
            .ok_or_else(|| fields.bad("size is missing"))?,
        checksum: checksum(&mut fields)?,
        signer,
        reason,
        sourcerpm: None,
    };
    fields.end(unknown);
    Ok(package)
}

/// Adds a package where there is room for it.
pub(super) fn add(
    section: &mut LockedArch,
    left: &mut usize,
    place: &str,
    package: LockedPackage,
) -> Read<()> {
    *left = left
        .checked_sub(1)
        .ok_or_else(|| format!("{place}: it names more than {MAX_PACKAGES} packages"))?;
    section.packages.push(package);
    Ok(())
}

/// An error where a package stands twice.
pub(super) fn no_doubles(section: &LockedArch, place: &str) -> Read<()> {
    let mut seen = BTreeSet::new();
    for package in &section.packages {
        if !seen.insert(package.nevra()) {
            return Err(format!("{place}: {} stands twice", package.nevra()));
        }
    }
    Ok(())
}

/// A name of a package, version or repository, and what may be wrong with it.
pub(super) fn name(
    fields: &mut Fields,
    key: &str,
    fault: fn(&str) -> Option<&'static str>,
) -> Read<String> {
    let text = fields.text(key)?;
    match fault(&text) {
        None => Ok(text),
        Some(why) => Err(fields.bad_value(key, &format!("{}: {why}", quoted(&text)))),
    }
}

/// Why a text cannot be a name of a package.
pub(super) fn name_fault(text: &str) -> Option<&'static str> {
    let strange = |c: char| !c.is_alphanumeric() && !"._+-~^:()[]{}@,=".contains(c);
    plain_fault(text).or_else(|| {
        let leads = text.starts_with(['.', '-']);
        (leads || text.contains(strange)).then_some("it cannot be the name of a package")
    })
}

/// Why a text cannot be a version or release.
pub(super) fn evr_fault(text: &str) -> Option<&'static str> {
    let strange = |c: char| !c.is_ascii_alphanumeric() && !"._+~^".contains(c);
    plain_fault(text).or_else(|| {
        text.contains(strange)
            .then_some("it cannot be a version or release")
    })
}

/// Why a text cannot be an architecture.
pub(super) fn arch_fault(text: &str) -> Option<&'static str> {
    let strange = |c: char| !c.is_ascii_alphanumeric() && c != '_';
    plain_fault(text).or_else(|| {
        text.contains(strange)
            .then_some("it cannot be an architecture")
    })
}

pub(super) fn check_arch(text: &str) -> Read<()> {
    arch_fault(text).map_or(Ok(()), |why| Err(why.to_owned()))
}

/// Why a text cannot be the id of a repository.
pub(super) fn repo_fault(text: &str) -> Option<&'static str> {
    plain_fault(text).or_else(|| match text.as_bytes().first() {
        Some(b'.') => Some("it begins with a dot"),
        // Packages of the command line and of the system have such ids: their digests are not looked at.
        Some(b'@') => Some("it begins with @, as no repository does"),
        _ => None,
    })
}

fn plain_fault(text: &str) -> Option<&'static str> {
    match text {
        "" => Some("it is empty"),
        text if text.len() > MAX_NAME => Some("it is too long"),
        text if text.contains(['/', '\\']) => Some("it leads to another folder"),
        text if text.contains(|c: char| c.is_control() || c.is_whitespace()) => {
            Some("it has a blank or control character")
        }
        _ => None,
    }
}

/// A location that a package may have.
pub(super) fn location(text: &str) -> Read<String> {
    let href = Href::parse(text).map_err(|error| error.to_string())?;
    match Place::of(href.as_str()) {
        Place::Package => Ok(tidied(text).into_owned()),
        _ => Err(format!("{}: packages do not lie there", quoted(text))),
    }
}

/// The URL of a package.
pub(super) fn url(fields: &mut Fields) -> Read<String> {
    let text = fields.text("url")?;
    let plain =
        text.len() <= MAX_URL && !text.contains(|c: char| c.is_control() || c.is_whitespace());
    match plain && SCHEMES.iter().any(|scheme| text.starts_with(scheme)) {
        true => Ok(text),
        false => Err(fields.bad_value(
            "url",
            &format!(
                "{}: http://, https://, s3://, oci:// or file:/// is expected",
                quoted(&text)
            ),
        )),
    }
}

/// The digest of a package.
pub(super) fn checksum(fields: &mut Fields) -> Read<Digest> {
    let text = fields.text("checksum")?;
    digest(&text).map_err(|why| fields.bad_value("checksum", &why))
}

/// `sha256:HEX`; what is weaker names no file.
fn digest(text: &str) -> Read<Digest> {
    let (algo, hex) = text.split_once(':').unwrap_or(("", text));
    let algo = DigestAlgo::from_name(algo).filter(|algo| algo.is_strong());
    let algo =
        algo.ok_or_else(|| format!("{}: sha256:, sha384: or sha512: is expected", quoted(text)))?;
    Digest::from_hex(algo, hex)
        .map_err(|_| format!("{}: it is no {} digest", quoted(text), algo.name()))
}

/// A fingerprint, in lower case.
fn fingerprint(text: &str) -> Read<String> {
    match [40, 64].contains(&text.len()) && text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        true => Ok(text.to_ascii_lowercase()),
        false => Err(format!(
            "{}: a fingerprint of 40 or 64 hex digits is expected",
            quoted(text)
        )),
    }
}

/// Splits `[epoch:]version-release`.
pub(super) fn evr(text: &str) -> Option<(u32, String, String)> {
    let (epoch, rest) = match text.split_once(':') {
        Some((epoch, rest)) => (epoch.parse().ok()?, rest),
        None => (0, text),
    };
    let (version, release) = rest.split_once('-')?;
    let good = evr_fault(version).is_none() && evr_fault(release).is_none();
    good.then(|| (epoch, version.to_owned(), release.to_owned()))
}
