//! Source packages unpacked into a build tree, as `rpm -i X.src.rpm` does: the spec file to
//! `%_specdir` (`SPECS`), everything else to `%_sourcedir` (`SOURCES`).

use std::cell::OnceCell;
use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rpm_db::MacroSet;
use rpm_pkg::files::{FileFlags, FileType};
use rpm_pkg::macros;
use rpm_pkg::nevra::Nevra;
use rpm_pkg::package::{DigestChoice, payload_passes};
use rpm_pkg::payload::{Payload, PayloadLimits};
use whole_file::{Access, Durability, Waiting, WholeFile};

use crate::error::{At, Code, Failure, Outcome};
use crate::settings::Settings;

use crate::change::VerifiedPackage;

/// Copied at a time.
const PIECE: usize = 128 << 10;
/// Permission bits that a file of a source package may have.
const MODE: u32 = 0o755;

/// Unpacks one package. Files get their names when the whole payload was read and is right.
pub fn unpack(settings: &Settings, package: &VerifiedPackage) -> Outcome<()> {
    let staged = stage(settings, package)?;
    staged
        .into_iter()
        .try_for_each(|(path, file)| file.place().at(&path))
}

fn bad(path: &Path, why: &dyn std::fmt::Display) -> Failure {
    Failure::package(Code::TRANSACTION_FAILED, path, why)
}

/// The files, written and waiting for their names; dropped, they go.
type Staged = Vec<(PathBuf, Waiting<'static>)>;

fn stage(settings: &Settings, package: &VerifiedPackage) -> Outcome<Staged> {
    let mut staged = Vec::new();
    let source = package.path();
    let opened = rpm_transaction::open_verified(source, package.identity())
        .map_err(|error| bad(source, &error))?;
    let opened_name = opened.nevra().clone();
    let mut payload = opened
        .into_payload(DigestChoice::Strongest, PayloadLimits::default())
        .map_err(|error| bad(source, &error))?;
    let tree = BuildTree::of(settings, opened_name);
    let dirs = (tree.dir("_specdir")?, tree.dir("_sourcedir")?);
    while let Some(entry) = payload.next_entry().map_err(|error| bad(source, &error))? {
        let Some(file) = payload.files().get(entry.index) else {
            continue;
        };
        let dir = match file.flags.has(FileFlags::SPECFILE) {
            true => &dirs.0,
            false => &dirs.1,
        };
        let (mode, kind) = (u32::from(file.mode) & MODE, file.kind);
        let name = plain_name(file.base).ok_or_else(|| bad(source, &"a file with a bad name"))?;
        if kind != FileType::Regular {
            return Err(bad(source, &"a file that is not a regular file"));
        }
        fs::create_dir_all(dir).at(dir)?;
        let path = dir.join(&name);
        let out = WholeFile::new(&path, Access::Mode(mode | 0o600)).at(&path)?;
        let written = write(&mut payload, out, &path, source)?;
        staged.push((path, written));
    }
    let summary = payload.finish().map_err(|error| bad(source, &error))?;
    if payload_passes(&summary.digests) {
        Ok(staged)
    } else {
        Err(bad(source, &"a digest does not match"))
    }
}

/// Where rpm's own macros put a build tree and its parts.
const TREE: [(&str, &str); 3] = [
    ("_topdir", "%{getenv:HOME}/rpmbuild"),
    ("_specdir", "%{_topdir}/SPECS"),
    ("_sourcedir", "%{_topdir}/SOURCES"),
];

/// The build tree that a source package is unpacked to, inside the root: as the macros of the command line say, those
/// of the user, of the package, of the root, else rpm's own.
struct BuildTree<'s> {
    settings: &'s Settings,
    package: Nevra,
    home: String,
    /// The user's macro file.
    own: Option<PathBuf>,
    of_root: OnceCell<MacroSet>,
}

impl<'s> BuildTree<'s> {
    fn of(settings: &'s Settings, package: Nevra) -> Self {
        let home = settings.environment.home.as_deref();
        let home = home.unwrap_or(Path::new("/root"));
        Self {
            settings,
            package,
            home: home.to_string_lossy().into_owned(),
            own: fs::canonicalize(home.join(".rpmmacros")).ok(),
            of_root: OnceCell::new(),
        }
    }

    fn dir(&self, name: &str) -> Outcome<PathBuf> {
        let text = self.lookup(name).unwrap_or_default();
        let whole = worked_out(&text, &self.home, &|name| self.lookup(name));
        let whole = whole.filter(|path| path.starts_with('/')).ok_or_else(|| {
            // What the user can mend is the macro that it is built of.
            let top = self.lookup("_topdir").filter(|_| text.contains("_topdir"));
            let (name, text) = top.map_or((name, text), |top| ("_topdir", top));
            let line = format!("{name} is '{text}', which only rpm can work out");
            Failure::invalid(line).hint(format!("name the directory: --rpmdefine '{name} /DIR'"))
        })?;
        self.settings.in_root(Path::new(&whole))
    }

    fn lookup(&self, name: &str) -> Option<String> {
        let mut defines = self.settings.defines.iter().rev();
        let given = defines.find(|(known, value)| known == name && !value.is_empty());
        let of_user = || {
            self.own
                .as_deref()
                .and_then(|own| rpm_db::macro_of(own, name))
        };
        let of_package = || match name {
            "name" => Some(self.package.name.clone()),
            "version" => Some(self.package.evr.version.clone()),
            "release" => Some(self.package.evr.release.clone()),
            _ => None,
        };
        let of_root = || {
            let set = self
                .of_root
                .get_or_init(|| MacroSet::of_root(&self.settings.root));
            set.raw(name).map(str::to_owned)
        };
        let own = || TREE.iter().find(|(known, _)| *known == name);
        given
            .map(|(_, value)| value.clone())
            .or_else(of_user)
            .or_else(of_package)
            .or_else(of_root)
            .or_else(|| own().map(|(_, text)| (*text).to_owned()))
    }
}

/// A value with its macros put in; none where something stays that only rpm can work out.
fn worked_out(text: &str, home: &str, lookup: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    let value = |name: &str| {
        let built_in = || match name {
            "_usrsrc" => Some("%{_usr}/src"),
            _ => macros::directory(name),
        };
        let text = lookup(name).or_else(|| built_in().map(str::to_owned))?;
        Some(with_home(&text, home))
    };
    let whole = macros::expand(&with_home(text, home), &value);
    (!whole.contains('%')).then_some(whole)
}

/// The two ways in which macro files of users name the home directory.
fn with_home(text: &str, home: &str) -> String {
    let text = text.replace("%{getenv:HOME}", home);
    text.replace("%(echo $HOME)", home)
}

/// The name of a file without folders; `None` if it is not one.
fn plain_name(base: &[u8]) -> Option<PathBuf> {
    let text = std::str::from_utf8(base).ok()?;
    let wrong = matches!(text, "" | "." | "..") || text.contains('/');
    (!wrong && !text.chars().any(char::is_control)).then(|| PathBuf::from(OsStr::from_bytes(base)))
}

fn write<R: std::io::Read>(
    payload: &mut Payload<R>,
    mut out: WholeFile<'static>,
    path: &Path,
    source: &Path,
) -> Outcome<Waiting<'static>> {
    let mut piece = vec![0; PIECE];
    loop {
        let got = payload
            .read_data(&mut piece)
            .map_err(|error| bad(source, &error))?;
        let Some(data) = piece.get(..got).filter(|data| !data.is_empty()) else {
            let waiting = out.wait(Durability::Synced);
            return waiting.at(path);
        };
        out.write_all(data).at(path)?;
    }
}

#[cfg(test)]
mod tests {
    fn work_out(text: &str) -> Option<String> {
        let lookup = |name: &str| match name {
            "_build" => Some("%{_usrsrc}/photon".to_owned()),
            "_loop" => Some("%_loop".to_owned()),
            _ => None,
        };
        super::worked_out(text, "/home/me", &lookup)
    }

    #[test]
    fn plain_macros_of_a_build_tree_are_worked_out() {
        let found = |text| work_out(text).unwrap_or_default();
        assert_eq!(found("/srv/build"), "/srv/build");
        assert_eq!(found("%{getenv:HOME}/rpmbuild"), "/home/me/rpmbuild");
        assert_eq!(found("%(echo $HOME)/rpmbuild"), "/home/me/rpmbuild");
        assert_eq!(found("%_build/x"), "/usr/src/photon/x");
        assert_eq!(found("%{_var}/%{_build}"), "/var//usr/src/photon");
        for odd in ["%_loop", "%nothing", "%(date)", "%{lua: print(1)}", "%{"] {
            assert_eq!(work_out(odd), None, "{odd}");
        }
    }
}
