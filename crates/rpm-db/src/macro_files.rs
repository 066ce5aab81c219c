//! The macro files that rpm reads (docs/reference/rpmdb.md, 2.1): those of a root, and those that packages bring.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use rpm_pkg::macros;
use rustix::fs::OFlags;
use whole_file::open_plain;

use crate::root;

/// Bytes read of one macro file; rpm's own main file has 40 KiB.
pub const MAX_MACRO_FILE: u64 = 1 << 20;
/// Macro files of one root; real ones have about a hundred.
const MAX_FILES: usize = 10_000;

/// A macro file that a package brings.
#[derive(Clone, Debug)]
pub struct MacroFile {
    /// Its path in the root.
    pub path: String,
    /// Its content, [`MAX_MACRO_FILE`] bytes of it at most.
    pub text: String,
}

/// Whether rpm reads the file of this path as a macro file.
pub fn is_macro_file(path: &str) -> bool {
    rank(path).is_some()
}

/// The place of a macro file among the others: later ones win.
fn rank(path: &str) -> Option<u8> {
    let file_in = |folder| path.strip_prefix(folder).filter(|name| !name.contains('/'));
    let is_set = |name: &&str| name.starts_with("macros.");
    match path {
        "/usr/lib/rpm/macros" => Some(0),
        "/etc/rpm/macros" => Some(4),
        _ if file_in("/usr/lib/rpm/macros.d/").is_some_and(|name| is_set(&name)) => Some(1),
        _ if file_in("/etc/rpm/").is_some_and(|name| is_set(&name)) => Some(3),
        _ => {
            // Of a vendor: rpm is compiled with the name of one.
            let (vendor, name) = path.strip_prefix("/usr/lib/rpm/")?.split_once('/')?;
            (name == "macros" && vendor != "platform").then_some(2)
        }
    }
}

/// The macros of a root, not expanded.
#[derive(Default)]
pub struct MacroSet(BTreeMap<String, String>);

impl MacroSet {
    /// Those that the macro files of a root set; none where there is no root.
    pub fn of_root(root: &Path) -> Self {
        let root = fs::canonicalize(root);
        root.map(|root| Self::read(&root, &[])).unwrap_or_default()
    }

    /// Those of the files in `root` once `incoming` are there, too.
    pub(crate) fn read(root: &Path, incoming: &[MacroFile]) -> Self {
        let mut files = BTreeMap::new();
        for path in paths_in(root) {
            if let (Some(rank), Some(text)) = (rank(&path), text_of(root, &path)) {
                files.insert((rank, path), text);
            }
        }
        for file in incoming {
            if let Some(rank) = rank(&file.path) {
                files.insert((rank, file.path.clone()), file.text.clone());
            }
        }
        let mut set = BTreeMap::new();
        files.values().for_each(|text| add(&mut set, text));
        Self(set)
    }

    /// The text of a macro as the last file that has it sets it, not expanded.
    pub fn raw(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// `%_dbpath`; none when it is computed in a way that only rpm can follow.
    pub(crate) fn dbpath(&self) -> Option<PathBuf> {
        self.path("_dbpath")
    }

    /// `%_keyringpath` where it is not what it is by default, a directory of that of the database.
    pub(crate) fn keyring_path(&self) -> Option<PathBuf> {
        let by_default = |text: &&str| text.trim_end_matches('/') == "%{_dbpath}/pubkeys";
        match self.raw("_keyringpath").filter(by_default) {
            Some(_) => None,
            None => self.path("_keyringpath"),
        }
    }

    fn path(&self, name: &str) -> Option<PathBuf> {
        let value = |name: &str| {
            let own = self.raw(name);
            own.or_else(|| macros::directory(name)).map(str::to_owned)
        };
        let text = macros::expand(self.raw(name)?, &value);
        (text.starts_with('/') && !text.contains(['%', '\0'])).then(|| PathBuf::from(text))
    }
}

/// The paths, as seen from inside the root, of what may be a macro file.
fn paths_in(root: &Path) -> Vec<String> {
    let mut paths = Vec::new();
    for folder in ["/usr/lib/rpm", "/usr/lib/rpm/macros.d", "/etc/rpm"] {
        let Ok(place) = root::resolve(root, Path::new(folder)) else {
            continue;
        };
        for entry in fs::read_dir(place).into_iter().flatten().flatten() {
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            paths.push(format!("{folder}/{name}"));
            paths.push(format!("{folder}/{name}/macros"));
        }
    }
    paths.retain(|path| is_macro_file(path));
    paths.sort();
    paths.truncate(MAX_FILES);
    paths
}

/// A macro as one file sets it, the last one that does; not expanded. Symbolic links and special files are not read.
pub fn macro_of(path: &Path, name: &str) -> Option<String> {
    let mut set = BTreeMap::new();
    add(&mut set, &read(path)?);
    set.remove(name)
}

/// The content of a file of a root. Links lead to nowhere outside of it.
fn text_of(root: &Path, path: &str) -> Option<String> {
    read(&root::resolve(root, Path::new(path)).ok()?)
}

fn read(path: &Path) -> Option<String> {
    let file = open_plain(path, OFlags::RDONLY).ok()?;
    let mut text = Vec::new();
    file.take(MAX_MACRO_FILE).read_to_end(&mut text).ok()?;
    Some(String::from_utf8_lossy(&text).into_owned())
}

/// Adds what a file defines: `%NAME VALUE` or `%NAME(OPTIONS) VALUE`, a backslash at the end goes on in the next line.
fn add(set: &mut BTreeMap<String, String>, text: &str) {
    let joined = text.replace("\\\r\n", " ").replace("\\\n", " ");
    for line in joined.lines() {
        let Some(line) = line.trim_start().strip_prefix('%') else {
            continue;
        };
        let end = line.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let (name, value) = line.split_at(end.unwrap_or(line.len()));
        if !name.is_empty() && value.starts_with([' ', '\t']) {
            set.insert(name.to_owned(), value.trim().to_owned());
        }
    }
}
