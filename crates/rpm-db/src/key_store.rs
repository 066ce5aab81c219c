//! Where the rpm of a root keeps the keys that it trusts: in its database, or in files (docs/reference/rpmdb.md, 2.6).

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::macro_files::MacroSet;
use crate::{DbError, DbLocation, root};

/// Bytes of a key file; the largest distribution key has 40 KiB.
const MAX_KEY_FILE: u64 = 4 << 20;
/// Directory of the files below that of the database where `%_keyringpath` says nothing else.
const STORE: &str = "pubkeys";

/// What `%_keyring` of the root's macro files chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Database,
    /// `gpg-pubkey-FINGERPRINT.key`, or another name with that end.
    Files,
    /// Two digits of the fingerprint are a directory, the others a file in it.
    Certificates,
}

/// The keys of a root's rpm: it trusts those of one store alone.
#[derive(Clone, Debug)]
pub struct KeyStore {
    form: Form,
    root: PathBuf,
    /// The directory of files, seen from inside the root.
    dir: PathBuf,
}

/// A certificate in a file, armoured or binary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFile {
    /// The file.
    pub path: PathBuf,
    /// Its content, at most 4 MiB.
    pub bytes: Vec<u8>,
}

impl KeyStore {
    /// The store of the rpm whose database this is. A word of `%_keyring` that rpm does not know is its default: the
    /// database.
    pub fn of(location: &DbLocation) -> Self {
        let set = MacroSet::read(&location.root, &[]);
        let form = match set.raw("_keyring") {
            Some("fs") => Form::Files,
            Some("openpgp") => Form::Certificates,
            _ => Form::Database,
        };
        let beside = location.dir.strip_prefix(&location.root);
        let beside = Path::new("/")
            .join(beside.unwrap_or(&location.dir))
            .join(STORE);
        Self {
            form,
            root: location.root.clone(),
            dir: set.keyring_path().unwrap_or(beside),
        }
    }

    /// Whether the keys are records of the database.
    pub fn is_database(&self) -> bool {
        self.form == Form::Database
    }

    /// The keys in files, none of them where the database has them. Symbolic links are skipped.
    ///
    /// # Errors
    /// [`DbError::Io`] when the directory exists and cannot be read.
    pub fn files(&self) -> Result<Vec<KeyFile>, DbError> {
        let mut found = Vec::new();
        if self.is_database() {
            return Ok(found);
        }
        for path in entries(&root::resolve(&self.root, &self.dir)?)? {
            let name = path.file_name().unwrap_or_default().as_encoded_bytes();
            let is_hex = |name: &[u8]| name.iter().all(u8::is_ascii_hexdigit);
            match self.form {
                Form::Files if name.ends_with(b".key") => found.extend(read_file(&path)?),
                Form::Certificates if name.len() == 2 && is_hex(name) => {
                    for path in entries(&path)? {
                        if is_hex(path.file_name().unwrap_or_default().as_encoded_bytes()) {
                            found.extend(read_file(&path)?);
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(found)
    }

    /// The file that a key of this fingerprint (lower case hex) has or gets; none where the database has the keys.
    ///
    /// # Errors
    /// [`DbError::BadKey`] when the fingerprint is no hex, [`DbError::Links`], or a directory cannot be looked at.
    pub fn file_of(&self, fingerprint: &str) -> Result<Option<PathBuf>, DbError> {
        let is_hex = fingerprint.bytes().all(|byte| byte.is_ascii_hexdigit());
        let (Some((start, rest)), true) = (fingerprint.split_at_checked(2), is_hex) else {
            let key = fingerprint.to_owned();
            return Err(DbError::BadKey { key });
        };
        let (dir, name) = match self.form {
            Form::Database => return Ok(None),
            Form::Files => (self.dir.clone(), format!("gpg-pubkey-{fingerprint}.key")),
            Form::Certificates => (self.dir.join(start), rest.to_owned()),
        };
        Ok(Some(root::resolve(&self.root, &dir)?.join(name)))
    }

    /// The file whose lock (`flock`) whoever writes holds; none where there is no such rule.
    ///
    /// # Errors
    /// As [`KeyStore::file_of`].
    pub fn write_lock(&self) -> Result<Option<PathBuf>, DbError> {
        match self.form {
            Form::Database | Form::Files => Ok(None),
            Form::Certificates => Ok(Some(
                root::resolve(&self.root, &self.dir)?.join("writelock"),
            )),
        }
    }
}

/// Paths in a directory, sorted; none when it is absent or a link.
fn entries(dir: &Path) -> Result<Vec<PathBuf>, DbError> {
    if !fs::symlink_metadata(dir).is_ok_and(|meta| meta.is_dir()) {
        return Ok(Vec::new());
    }
    let read =
        || -> io::Result<Vec<PathBuf>> { fs::read_dir(dir)?.map(|e| Ok(e?.path())).collect() };
    let mut paths = read().map_err(DbError::io(dir))?;
    paths.sort();
    Ok(paths)
}

fn read_file(path: &Path) -> Result<Option<KeyFile>, DbError> {
    let meta = fs::symlink_metadata(path).map_err(DbError::io(path))?;
    if !meta.is_file() || meta.len() > MAX_KEY_FILE {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_KEY_FILE).read_to_end(&mut bytes))
        .map_err(DbError::io(path))?;
    let path = path.to_path_buf();
    Ok(Some(KeyFile { path, bytes }))
}
