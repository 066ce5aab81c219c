//! Images without an rpm database: the lists in its place that scanners of distroless images read.
//!
//! The form is that of Azure Linux, whose makers agreed on it with those of the scanners: NAME-VERSION-RELEASE.ARCH a
//! line in the first list; in the second name, version-release, times of installation and build, vendor, `(none)`,
//! size, architecture, epoch as a number and source package, with tabs between them. What there is not is `(none)`.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

use rpm_transaction::RootDir;
use rustix::fs::{self, AtFlags};
use whole_file::{Access, Durability, WholeFile};

use super::row::PackageRow;
use crate::error::{At, Failure, Outcome};

/// Where the lists are.
const DIR: &[u8] = b"/var/lib/rpmmanifest";
/// What stands for nothing.
const NONE: &str = "(none)";

/// Writes the lists into `root` and takes the rpm database away, which is in `database` below it.
///
/// # Errors
/// Something cannot be written or removed.
pub fn replace_database(root: &Path, database: &Path, packages: &[PackageRow]) -> Outcome<()> {
    let dir = RootDir::open(root)?;
    // Keys are rows of the database as well.
    let packages = packages.iter().filter(|row| !row.arch.is_empty());
    let mut lists = [String::new(), String::new()];
    for row in packages {
        let _ = writeln!(lists[0], "{}", name_of(row));
        let _ = writeln!(lists[1], "{}", line_of(row));
    }
    let path = root.join("var/lib/rpmmanifest");
    let (folder, _) = dir.create_dirs(DIR).at(&path)?;
    for (number, list) in (1..).zip(lists) {
        let name = format!("container-manifest-{number}");
        let write = || {
            use std::os::fd::AsFd;
            let mut file = WholeFile::below(folder.as_fd(), Path::new(&name), Access::Mode(0o644))?;
            file.write_all(list.as_bytes())?;
            file.place(Durability::Cache)
        };
        write().map_err(|error: std::io::Error| Failure::io(&path.join(&name), &error))?;
    }
    remove(&dir, database)
}

/// Files of the database; folders that packages own stay.
fn remove(root: &RootDir, database: &Path) -> Outcome<()> {
    use std::os::unix::ffi::OsStrExt;
    let path = Path::new("/").join(database);
    let folder = root.open_dir(path.as_os_str().as_bytes()).at(&path)?;
    for entry in fs::Dir::read_from(&folder).at(&path)? {
        let entry = entry.at(&path)?;
        let name = entry.file_name();
        let stat = fs::statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW).at(&path)?;
        if !fs::FileType::from_raw_mode(stat.st_mode).is_dir() {
            fs::unlinkat(&folder, name, AtFlags::empty()).at(&path)?;
        }
    }
    Ok(())
}

fn name_of(row: &PackageRow) -> String {
    let PackageRow {
        name,
        version,
        release,
        arch,
        ..
    } = row;
    format!("{name}-{version}-{release}.{arch}")
}

fn line_of(row: &PackageRow) -> String {
    let or_none = |text: &str| match text {
        "" => NONE.to_owned(),
        // A list has one line for each.
        text => text.replace(['\t', '\n'], " "),
    };
    let [installed, built] = row.times;
    let columns = [
        row.name.clone(),
        format!("{}-{}", row.version, row.release),
        installed.to_string(),
        built.to_string(),
        or_none(&row.vendor),
        NONE.to_owned(),
        row.size.to_string(),
        row.arch.clone(),
        row.epoch.unwrap_or(0).to_string(),
        or_none(&row.source),
    ];
    columns.join("\t")
}
