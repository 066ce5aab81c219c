//! Trusted keys as rpm keeps them in the database: headers named `gpg-pubkey` (docs/reference/rpmdb.md, 2.6).

use rpm_pkg::digest::DigestAlgo;
use rpm_pkg::header::{DatabaseHeader, Header, HeaderBuilder, HeaderKind, TagValue, tag};

use crate::{Db, DbError};

/// Sense flags KEYRING and EQUAL.
const PROVIDE_FLAGS: u32 = (1 << 26) | (1 << 3);
/// Columns of the base64 text.
const COLUMNS: usize = 64;

/// Which rpm's form the header has; each rpm reads both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeyForm {
    /// rpm 4.x and 5.x: version is the end of the key id.
    #[default]
    KeyId,
    /// rpm 6: version is the fingerprint.
    Fingerprint,
}

/// A key and what its header says of it.
#[derive(Clone, Debug)]
pub struct KeyFacts<'a> {
    /// Base64 of the binary certificate; line breaks in it do not matter.
    pub base64: &'a str,
    /// The ASCII-armoured certificate.
    pub armored: &'a str,
    /// Primary user id.
    pub user_id: &'a str,
    /// Fingerprint in lower-case hex.
    pub fingerprint: &'a str,
    /// Key id, 16 lower-case hex digits.
    pub key_id: &'a str,
    /// Signing subkeys: key id (16 lower-case hex digits) and creation time.
    pub subkeys: &'a [(&'a str, u32)],
    /// Creation time, seconds since 1970.
    pub created: u32,
}

/// A key read from a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredKey {
    /// Tag 1001: end of the key id, or fingerprint.
    pub version: String,
    /// Tag 1002: creation time in hex.
    pub release: String,
    /// Base64 of the binary certificate, with line breaks.
    pub base64: String,
    /// Tag 1015.
    pub user_id: String,
}

/// The blob for [`crate::WriteTransaction::add`]. `rpm_version` is tag 1064, `now` the time of import and
/// transaction id.
///
/// # Errors
/// [`DbError::BadKey`] when a key id or fingerprint is not hex of its length, [`DbError::Unwritable`] when a text holds
/// a NUL.
pub fn header(
    facts: &KeyFacts<'_>,
    form: KeyForm,
    rpm_version: &str,
    now: u32,
) -> Result<Vec<u8>, DbError> {
    check(facts)?;
    let release = format!("{:08x}", facts.created);
    let version = match form {
        KeyForm::KeyId => tail(facts.key_id, 8),
        KeyForm::Fingerprint => facts.fingerprint,
    };
    let (names, versions) = provides(facts, form);
    let flags = vec![PROVIDE_FLAGS; names.len()];
    let i18n = |text: &str| TagValue::I18nString(vec![text.as_bytes().to_vec()]);
    let mut region = HeaderBuilder::new();
    region
        .add(tag::PUBKEYS, TagValue::strings([wrap(facts.base64)]))
        .add(tag::NAME, TagValue::string("gpg-pubkey"))
        .add(tag::VERSION, TagValue::string(version))
        .add(tag::RELEASE, TagValue::string(release))
        .add(tag::SUMMARY, i18n(&format!("{} public key", facts.user_id)))
        .add(tag::DESCRIPTION, i18n(facts.armored))
        .add(tag::BUILDTIME, TagValue::int32(facts.created))
        .add(tag::BUILDHOST, TagValue::string("localhost"))
        .add(tag::SIZE, TagValue::int32(0))
        .add(tag::LICENSE, TagValue::string("pubkey"))
        .add(tag::PACKAGER, TagValue::string(facts.user_id))
        .add(tag::GROUP, i18n("Public Keys"))
        .add(tag::SOURCERPM, TagValue::string("(none)"))
        .add(tag::PROVIDENAME, TagValue::strings(names))
        .add(tag::RPMVERSION, TagValue::string(rpm_version))
        .add(tag::PROVIDEFLAGS, TagValue::Int32(flags))
        .add(tag::PROVIDEVERSION, TagValue::strings(versions));
    let unwritable = |source| DbError::Unwritable {
        what: format!("key {}", facts.fingerprint),
        source,
    };
    let header = region.build(HeaderKind::Main).map_err(unwritable)?;
    let record = with_digests_and_times(&header, form, now);
    Ok(record.build().map_err(unwritable)?.bytes().to_vec())
}

fn with_digests_and_times(header: &Header, form: KeyForm, now: u32) -> DatabaseHeader {
    let region = header.immutable_region();
    let digest = |algo| TagValue::string(region.digest(algo).hex());
    let mut record = DatabaseHeader::from_header(header);
    record
        .add(tag::SHA1HEADER, digest(DigestAlgo::Sha1))
        .add(tag::SHA256HEADER, digest(DigestAlgo::Sha256))
        .add(tag::INSTALLTIME, TagValue::int32(now))
        .add(tag::INSTALLTID, TagValue::int32(now));
    if form == KeyForm::Fingerprint {
        record.add(tag::SHA3_256HEADER, digest(DigestAlgo::Sha3_256));
    }
    record
}

/// Names and versions of what the key provides: user id, then short and long id of the key and of its subkeys.
fn provides(facts: &KeyFacts<'_>, form: KeyForm) -> (Vec<String>, Vec<String>) {
    let own = match form {
        KeyForm::KeyId => facts.key_id,
        KeyForm::Fingerprint => facts.fingerprint,
    };
    let versions = |id: &str, created: u32| format!("4:{id}-{created:08x}");
    let mut names = vec![format!("gpg({})", facts.user_id)];
    let mut evrs = vec![versions(own, facts.created)];
    let keys = std::iter::once((facts.key_id, own, facts.created)).chain(
        facts
            .subkeys
            .iter()
            .map(|(id, created)| (*id, *id, *created)),
    );
    for (id, version, created) in keys {
        for name in [tail(id, 8), id] {
            names.push(format!("gpg({name})"));
            evrs.push(versions(version, created));
        }
    }
    (names, evrs)
}

fn check(facts: &KeyFacts<'_>) -> Result<(), DbError> {
    let is_hex = |text: &str| text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let ids = facts.subkeys.iter().map(|(id, _)| *id);
    let ids_fit = ids
        .chain([facts.key_id])
        .all(|id| id.len() == 16 && is_hex(id));
    let fingerprint_fits = matches!(facts.fingerprint.len(), 40 | 64) && is_hex(facts.fingerprint);
    if ids_fit && fingerprint_fits {
        Ok(())
    } else {
        Err(DbError::BadKey {
            key: facts.fingerprint.to_owned(),
        })
    }
}

/// The last `n` characters; only for text that [`check`] found to be hex.
fn tail(text: &str, n: usize) -> &str {
    text.get(text.len().saturating_sub(n)..).unwrap_or(text)
}

fn wrap(base64: &str) -> String {
    let mut text = String::with_capacity(base64.len() + base64.len() / COLUMNS + 1);
    let plain = base64.chars().filter(|c| !c.is_whitespace());
    for (i, c) in plain.enumerate() {
        if i > 0 && i % COLUMNS == 0 {
            text.push('\n');
        }
        text.push(c);
    }
    text.push('\n');
    text
}

/// The key in a database header; none when the header is not a key's. Headers with an architecture are none, as for
/// rpm 6.
pub fn read(header: &Header) -> Option<StoredKey> {
    if header.string(tag::NAME) != Some(b"gpg-pubkey") || header.has(tag::ARCH) {
        return None;
    }
    Some(StoredKey {
        version: header.text(tag::VERSION)?.to_owned(),
        release: header.text(tag::RELEASE)?.to_owned(),
        base64: header.text(tag::PUBKEYS)?.to_owned(),
        user_id: String::from_utf8_lossy(header.string(tag::PACKAGER).unwrap_or_default())
            .into_owned(),
    })
}

/// All keys in the database with the numbers of their headers.
///
/// # Errors
/// As [`Db::by_name`].
pub fn all(db: &Db) -> Result<Vec<(u32, StoredKey)>, DbError> {
    let headers = db.by_name("gpg-pubkey")?;
    let keys = headers
        .iter()
        .filter_map(|(hnum, header)| Some((*hnum, read(header)?)));
    Ok(keys.collect())
}
