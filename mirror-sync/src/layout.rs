//! Where everything lies below the mirror's directory.
//!
//! ```text
//! ROOT/
//!   public/                    document root of any web server
//!     ID -> .live/current/ID/N         what clients use: one symbolic link, switched as one
//!     CHANNEL/ID -> ...                the same for promoted snapshots
//!     snapshots/ID/STAMP/              every snapshot, as it was
//!     keys/  mirror.repo  index.html  status.json  metrics
//!   store/ALGO/xx/HEX          every file once, by its digest; read-only, never rewritten
//!   proxied/ALGO/xx/HEX        what clients of repositories in proxy mode asked for
//!   partial/                   files on their way
//!   state/ID/                  upstream's metadata, manifests of snapshots, what was seen
//!   last-run                   how the last run ended, written over in place
//!   lock
//! ```

use std::fs::{self, File, TryLockError};
use std::io::{self, BufReader, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cli_kit::shell_word;
use rustix::fs::OFlags;
use rustix::io::Errno;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::error::Category;
use whole_file::{Access, Durability};

use crate::error::{Error, Result};

/// The channel that `public/ID` stands for.
pub(crate) const CURRENT: &str = "current";
/// Largest state or manifest file (a manifest of 400,000 packages has 100 MB).
const MAX_STATE: u64 = 512 << 20;
/// Stands in an error for the command line that was typed; it is none that gets the options of the run.
pub(crate) const AGAIN: &str = "mirror-sync...";
/// Largest list of users, bytes.
const MAX_USERS: u64 = 16 << 20;
/// The index of a repository, below it.
pub(crate) const INDEX: &str = "repodata/repomd.xml";
/// Largest repomd.xml, bytes.
pub(crate) const MAX_INDEX: u64 = rpm_repo::repomd::MAX_SIZE as u64;
/// Most bytes that are read of who holds the lock.
const MAX_HOLDER: u64 = 64;
/// Folders that nobody but root may write where root works in a mirror.
const OF_ROOT: &[&str] = &[
    "",
    "partial",
    "proxied",
    "public",
    "public/.live",
    "public/snapshots",
    "state",
    "store",
];
/// What to do about a thing in the place of a file.
const REMOVE: &str = "remove it";

/// The directories of a mirror.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    root: PathBuf,
}

/// The right to change a mirror; ends with the value, or with the process.
#[derive(Debug)]
#[must_use]
pub(crate) struct MirrorLock {
    _file: File,
}

impl Layout {
    pub(crate) fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
        }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// What the world sees.
    pub(crate) fn public(&self) -> PathBuf {
        self.root.join("public")
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.root.join("store")
    }

    /// What clients of repositories in proxy mode asked for: apart from the store, because no
    /// snapshot holds it.
    pub(crate) fn proxied(&self) -> PathBuf {
        self.root.join("proxied")
    }

    /// Files on their way.
    pub(crate) fn partial(&self) -> PathBuf {
        self.root.join("partial")
    }

    /// Files on their way to [`Layout::proxied`]: `sync`, another process, may be fetching the same ones for the store.
    pub(crate) fn proxied_partial(&self) -> PathBuf {
        self.partial().join("proxied")
    }

    pub(crate) fn state(&self, id: &str) -> PathBuf {
        self.root.join("state").join(id)
    }

    /// What is remembered of a repository.
    pub(crate) fn state_file(&self, id: &str) -> PathBuf {
        self.state(id).join("state.json")
    }

    /// Upstream's metadata of one repository, as the client keeps it.
    pub(crate) fn metadata(&self, id: &str) -> PathBuf {
        self.state(id).join("metadata")
    }

    pub(crate) fn manifests(&self, id: &str) -> PathBuf {
        self.state(id).join("snapshots")
    }

    pub(crate) fn manifest(&self, id: &str, stamp: &str) -> PathBuf {
        self.manifests(id).join(format!("{stamp}.json"))
    }

    /// What is known of the objects of a repository in a bucket: `target` is the bucket's name in the configuration.
    pub(crate) fn sent(&self, id: &str, target: &str) -> PathBuf {
        self.state(id).join("sent").join(format!("{target}.json"))
    }

    /// Makes a folder of the mirror.
    pub(crate) fn make(&self, dir: &Path) -> Result<()> {
        make_below(&self.root, dir)
    }

    /// Writes a value into a file of the mirror.
    pub(crate) fn write_json(&self, path: &Path, value: &impl Serialize) -> Result<()> {
        self.make(path.parent().unwrap_or(&self.root))?;
        write_json(path, value)
    }

    /// Refuses root's rights where others may exchange folders for links at any moment: what is made there would go
    /// where they want it.
    pub(crate) fn refuse_root_among_others(&self) -> Result<()> {
        if !rustix::process::geteuid().is_root() {
            return Ok(());
        }
        for name in OF_ROOT {
            if let Err(error) = whole_file::own_folder(&self.root, Path::new(name))
                && whole_file::is_of_others(&error)
            {
                let way = self.way_from_others(Path::new(name));
                return Err(Error::Usage(format!(
                    "{error}: they could lead what root makes there elsewhere; {way}"
                )));
            }
        }
        Ok(())
    }

    /// What to do about a folder that root shares with others.
    fn way_from_others(&self, name: &Path) -> String {
        let root = fs::canonicalize(&self.root).unwrap_or_else(|_| self.root.clone());
        let path = shell_word(&root.display().to_string());
        let owner = |below: &Path| fs::metadata(root.join(below)).map_or(0, |about| about.uid());
        let take = format!("chmod -R go-w {path}");
        if name.ancestors().all(|below| owner(below) == 0) {
            return format!("take their right away: `{take}`");
        }
        let give = format!("give the mirror to root (`chown -R root: {path}; {take}`)");
        let user = Some(owner(Path::new(""))).filter(|user| *user != 0);
        match user.and_then(user_name) {
            Some(user) => format!(
                "run mirror-sync as the mirror's user (`runuser -u {user} -- {AGAIN}`), or {give}"
            ),
            None => give,
        }
    }

    /// Refuses a place where no mirror is, as where its disk is not mounted.
    pub(crate) fn require(&self) -> Result<()> {
        let own = ["lock", "state", "public"];
        if own
            .iter()
            .any(|name| self.root.join(name).try_exists().unwrap_or(true))
        {
            return Ok(());
        }
        let root = self.root.display();
        Err(Error::NotFound(format!("there is no mirror at {root}")))
    }

    /// Takes the lock, waiting up to `wait`.
    pub(crate) fn lock(&self, wait: Duration) -> Result<MirrorLock> {
        self.make(&self.root)?;
        self.refuse_root_among_others()?;
        let path = self.root.join("lock");
        let mut file = match whole_file::open_plain(&path, OFlags::RDWR | OFlags::CREATE) {
            Err(error) if is_odd(&error) => return Err(odd(&path).way_out(REMOVE.to_owned())),
            other => other.map_err(Error::file(&path, "open"))?,
        };
        let mut left = wait;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if !left.is_zero() => {
                    if left == wait {
                        tracing::info!(path = %path.display(), "waiting for the lock");
                    }
                    let pause = left.min(Duration::from_millis(200));
                    std::thread::sleep(pause);
                    left -= pause;
                }
                Err(TryLockError::WouldBlock) => {
                    let mut holder = String::new();
                    // Only for the message.
                    let _ = (&file).take(MAX_HOLDER).read_to_string(&mut holder);
                    return Err(Error::Busy {
                        path: self.root.clone(),
                        holder: holder.trim().to_owned(),
                    });
                }
                Err(TryLockError::Error(error)) => return Err(Error::file(path, "lock")(error)),
            }
        }
        // Only for the message of a process that waits: the lock itself is the kernel's.
        let _ = file.set_len(0);
        let _ = writeln!(file, "process {}", std::process::id());
        Ok(MirrorLock { _file: file })
    }
}

/// Makes a folder below `base`. Where somebody put a link in the place of one of ours, it is not followed: what is
/// written, and removed, stays below.
pub(crate) fn make_below(base: &Path, dir: &Path) -> Result<()> {
    whole_file::make_folders(base, dir)
        .map_err(|(place, error)| Error::file(place, "create")(error))
}

/// A new file in the place of what a run that was killed may have left.
pub(crate) fn new_file(path: &Path) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => File::create_new(path),
    }
}

/// Opens a file of the mirror: a regular one and no link, so that nobody waits.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    whole_file::open_plain(path, OFlags::RDONLY)
}

/// Opens a regular file that somebody named; links are followed.
///
/// # Errors
/// As `open(2)`; what stands there is no regular file.
pub(crate) fn open_named(path: &Path) -> io::Result<File> {
    whole_file::open_named(path, OFlags::RDONLY).map(|(file, _)| file)
}

/// Whether [`open`] met something that is no regular file.
fn is_odd(error: &io::Error) -> bool {
    let code = error.raw_os_error().map(Errno::from_raw_os_error);
    code.is_none_or(|code| [Errno::LOOP, Errno::NXIO, Errno::ISDIR].contains(&code))
}

fn odd(path: &Path) -> Error {
    Error::Damaged {
        path: path.to_owned(),
        why: "it is no regular file".to_owned(),
        way: String::new(),
    }
}

/// Copies a file's content into a [`new_file`].
pub(crate) fn copy(from: &Path, to: &Path) -> io::Result<()> {
    io::copy(&mut open(from)?, &mut new_file(to)?).map(drop)
}

/// Writes a file as one: a reader sees the old text or the new one.
pub(crate) fn write_whole(path: &Path, data: &[u8]) -> Result<()> {
    let parent = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(parent).map_err(Error::file(parent, "create"))?;
    whole_file::replace(path, data, Access::Umask, Durability::Synced)
        .map_err(Error::file(path, "write"))
}

pub(crate) fn write_json(path: &Path, value: &impl Serialize) -> Result<()> {
    let text = serde_json::to_vec(value).map_err(|error| Error::unfit(path, "write", error))?;
    write_whole(path, &text)
}

/// Reads a value of the mirror; none if there is no such file.
///
/// # Errors
/// [`Error::Damaged`] if something else is there.
pub(crate) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    json_of(path, open(path))
}

/// Reads a value that was carried here; none if there is no such file.
pub(crate) fn read_carried_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    json_of(path, open_named(path))
}

fn json_of<T: DeserializeOwned>(path: &Path, opened: io::Result<File>) -> Result<Option<T>> {
    let file = match opened {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) if is_odd(&error) => return Err(odd(path)),
        other => other.map_err(Error::file(path, "read"))?,
    };
    let damaged = |why: String| Error::Damaged {
        path: path.to_owned(),
        why,
        way: String::new(),
    };
    let size = file.metadata().map_err(Error::file(path, "read"))?.len();
    if size > MAX_STATE {
        return Err(damaged(format!("it has more than {MAX_STATE} bytes")));
    }
    // Read as it comes: what is no JSON costs no memory.
    let text = BufReader::with_capacity(256 << 10, file.take(MAX_STATE));
    match serde_json::from_reader(text) {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.is_io() => Err(Error::file(path, "read")(error.into())),
        Err(error) => Err(damaged(not_json(&error))),
    }
}

/// Why a text is not the JSON that it should be, in plain words.
pub(crate) fn not_json(error: &serde_json::Error) -> String {
    match error.classify() {
        Category::Eof if (error.line(), error.column()) == (1, 0) => "it is empty".to_owned(),
        Category::Eof => "it is cut short".to_owned(),
        Category::Data => {
            let text = error.to_string();
            let what = text.split(" at line ").next().unwrap_or_default();
            format!("it holds something else ({what})")
        }
        _ => format!("it is not JSON (line {})", error.line()),
    }
}

/// Reads a file of the mirror of at most `limit` bytes.
pub(crate) fn read(path: &Path, limit: u64) -> Result<Vec<u8>> {
    match open(path) {
        Err(error) if is_odd(&error) => Err(odd(path).way_out(REMOVE.to_owned())),
        opened => read_limited(path, opened, limit),
    }
}

/// Reads a file that somebody named, of at most `limit` bytes.
pub(crate) fn read_named(path: &Path, limit: u64) -> Result<Vec<u8>> {
    read_limited(path, File::open(path), limit)
}

fn read_limited(path: &Path, opened: io::Result<File>, limit: u64) -> Result<Vec<u8>> {
    let mut data = Vec::new();
    opened
        .and_then(|file| file.take(limit.saturating_add(1)).read_to_end(&mut data))
        .map_err(Error::file(path, "read"))?;
    match data.len() as u64 > limit {
        true => Err(Error::unfit(path, "read", "too large")),
        false => Ok(data),
    }
}

/// What the machine calls a user, to be pasted; none if its list has no such user.
fn user_name(id: u32) -> Option<String> {
    let list = read(Path::new("/etc/passwd"), MAX_USERS).ok()?;
    let list = String::from_utf8_lossy(&list);
    let mut lines = list.lines().map(|line| line.split(':'));
    lines.find_map(|mut fields| {
        let name = fields.next()?;
        let is_it = fields.nth(1)?.parse() == Ok(id);
        is_it.then(|| shell_word(name))
    })
}

/// Removes a directory tree, if it is there.
pub(crate) fn remove_tree(dir: &Path) -> Result<()> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Error::file(dir, "remove")(error))
        }
        _ => Ok(()),
    }
}

/// Names in a directory, sorted; none if it does not exist.
pub(crate) fn names_in(dir: &Path) -> Result<Vec<String>> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(Error::file(dir, "read"))?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(Error::file(dir, "read"))?;
        names.extend(entry.file_name().into_string());
    }
    names.sort();
    Ok(names)
}
