//! The elements of a transaction with their headers read.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use rpm_db::{Db, FileState, StoredSignature};
use rpm_pkg::digest::{Digest, DigestAlgo, Hasher};
use rpm_pkg::files::FileList;
use rpm_pkg::header::{Header, tag};
use rpm_pkg::nevra::{self, Nevra};
use rpm_pkg::package::Package;
pub(crate) use rpm_pkg::script::ScriptletKind as ScriptKind;
use rpm_pkg::script::{DEFAULT_PROGRAM, Trigger, TriggerClass, triggers};

use super::error::{Problem, TransactionError};
use super::files::{Entry, FileFlags, Kind};
use super::root::Canonical;
use super::{Element, Erase, Generation, Install, Mode, Options};

/// A package as the transaction needs it: to be installed, to be erased, or installed already.
#[derive(Debug)]
pub(crate) struct PackageFacts {
    pub nevra: String,
    pub name: String,
    pub header: Header,
    pub files: FileList,
    /// One state per file.
    pub states: Vec<u8>,
}

impl PackageFacts {
    /// Reads what a header says; `what` names it in errors.
    pub(crate) fn read(header: Header, what: &str) -> Result<PackageFacts, TransactionError> {
        let bad = |reason: String| TransactionError::Package {
            package: what.into(),
            reason,
        };
        let nevra = Nevra::from_header(&header).map_err(|e| bad(e.to_string()))?;
        let files = FileList::from_header(&header).map_err(|e| bad(e.to_string()))?;
        let states = FileState::of(&header).map(|state| state as u8);
        let mut states: Vec<u8> = states.collect();
        states.resize(files.len(), 0);
        Ok(PackageFacts {
            nevra: nevra.to_string(),
            name: nevra.name.clone(),
            header,
            files,
            states,
        })
    }

    /// The package of a database record.
    pub(crate) fn installed(db: &Db, hnum: u32) -> Result<PackageFacts, TransactionError> {
        match db.get(hnum)? {
            Some(header) => PackageFacts::read(header, &record_name(hnum)),
            None => Err(PackageFacts::missing(hnum)),
        }
    }

    /// A record that an index of the database names, and that is not there.
    pub(crate) fn missing(hnum: u32) -> TransactionError {
        TransactionError::Package {
            package: record_name(hnum),
            reason: "is not there".to_owned(),
        }
    }

    /// File `index` in the form of the file rules. `None` for an index out of range or type bits
    /// that mean nothing.
    pub(crate) fn entry(&self, index: usize) -> Option<Entry<'_>> {
        let file = self.files.get(index)?;
        Some(Entry {
            kind: Kind::from_mode(file.mode)?,
            mode: u32::from(file.mode),
            flags: file.flags.0,
            size: file.size,
            digest: file.digest,
            link: file.linkto,
            user: file.user.as_bytes(),
            group: file.group.as_bytes(),
            rdev: u32::from(file.rdev),
            color: file.color,
            languages: file.langs,
        })
    }

    /// Directory and base name of a file as packaged.
    pub(crate) fn name_of(&self, index: usize) -> (&[u8], &[u8]) {
        self.files.path_parts(index)
    }
}

fn record_name(hnum: u32) -> String {
    format!("record {hnum} of the rpm database")
}

/// Which package a verdict is about: a digest of its whole signature header and its whole main
/// header. Every digest and signature that was judged lies in the two, so bytes that keep to them
/// are the bytes that were judged (docs/threats.md, row 25). Where none of those digests covers the payload,
/// its own is part of the identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    headers: Digest,
    bare_payload: Option<Digest>,
}

impl Identity {
    /// The identity of a package, and of a payload that no digest of the package covers.
    pub fn of<R: Read>(package: &Package<R>, bare_payload: Option<Digest>) -> Identity {
        let headers = Identity::of_headers(package);
        Identity {
            headers,
            bare_payload,
        }
    }

    fn of_headers<R: Read>(package: &Package<R>) -> Digest {
        let mut hasher = Hasher::new(DigestAlgo::Sha256);
        for header in [&package.signature, &package.header] {
            let bytes = header.bytes();
            hasher.update(&(bytes.len() as u64).to_be_bytes());
            hasher.update(bytes);
        }
        hasher.finish()
    }
}

/// What is done with a package.
#[derive(Debug)]
pub(crate) enum Deed {
    /// It is installed from this file.
    Install {
        path: PathBuf,
        identity: Identity,
        mode: Mode,
        signature: StoredSignature,
    },
    /// It is removed.
    Erase { hnum: u32, linked_to: Option<usize> },
}

/// One element.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub package: PackageFacts,
    pub deed: Deed,
}

impl Loaded {
    pub(crate) fn is_install(&self) -> bool {
        matches!(self.deed, Deed::Install { .. })
    }

    /// Tells of the symbolic links that the package brings: they may stand for directories.
    pub(crate) fn add_links(&self, canonical: &mut Canonical) {
        let package = &self.package;
        for i in 0..package.files.len() {
            let link = package.entry(i).filter(|e| e.kind == Kind::Symlink);
            if let Some(entry) = link.filter(|e| e.flags & FileFlags::GHOST == 0) {
                canonical.add_link(package.files.path(i), entry.link.to_vec());
            }
        }
    }
}

/// Reads all headers. Packages that cannot be installed at all are reported together.
pub(crate) fn load(
    db: &Db,
    elements: Vec<Element>,
    options: &Options<'_>,
    problems: &mut Vec<Problem>,
) -> Result<Vec<Loaded>, TransactionError> {
    let mut loaded = Vec::with_capacity(elements.len());
    for element in elements {
        loaded.push(match element {
            Element::Install(install) => load_install(install, options, problems)?,
            Element::Erase(Erase { hnum, linked_to }) => Loaded {
                package: PackageFacts::installed(db, hnum)?,
                deed: Deed::Erase { hnum, linked_to },
            },
        });
    }
    Ok(loaded)
}

/// Bytes of a package file that are read at a time.
const PIECE: usize = 128 << 10;

/// A package file as it is read.
pub(crate) type Source = BufReader<File>;

/// Opens a package file that was verified before.
pub fn open_verified(
    path: &Path,
    identity: &Identity,
) -> Result<Package<BufReader<File>>, TransactionError> {
    let bad = |reason: String| TransactionError::Package {
        package: path.display().to_string(),
        reason,
    };
    let file = File::open(path).map_err(|e| bad(e.to_string()))?;
    let reader = BufReader::with_capacity(PIECE, file);
    let mut package = Package::open(reader).map_err(|e| bad(e.to_string()))?;
    if Identity::of_headers(&package) != identity.headers {
        return Err(bad("the file was changed after it was verified".to_owned()));
    }
    if let Some(digest) = identity.bare_payload {
        package.expect_payload(digest);
    }
    Ok(package)
}

/// SHA-256 and SHA-512 of a package file, with the numbers that rpm has for them.
pub(crate) fn file_digests(path: &Path) -> Result<Vec<(u32, String)>, TransactionError> {
    let bad = |e: std::io::Error| TransactionError::Package {
        package: path.display().to_string(),
        reason: e.to_string(),
    };
    let mut hashers = [(8, DigestAlgo::Sha256), (10, DigestAlgo::Sha512)]
        .map(|(number, algo)| (number, Hasher::new(algo)));
    let mut file = File::open(path).map_err(bad)?;
    let mut piece = vec![0; PIECE];
    loop {
        match file.read(&mut piece).map_err(bad)? {
            0 => break,
            count => hashers
                .iter_mut()
                .for_each(|(_, hasher)| hasher.update(piece.get(..count).unwrap_or_default())),
        }
    }
    Ok(hashers
        .map(|(number, hasher)| (number, hasher.finish().hex()))
        .into())
}

fn load_install(
    install: Install,
    options: &Options<'_>,
    problems: &mut Vec<Problem>,
) -> Result<Loaded, TransactionError> {
    let Install {
        path,
        identity,
        mode,
    } = install;
    let what = path.display().to_string();
    let package = open_verified(&path, &identity)?;
    let as_rpm6 = options.generation >= Generation::Rpm6;
    let signature = StoredSignature::of(&package.signature, &package.header, as_rpm6)?;
    let package = PackageFacts::read(package.header, &what)?;
    if let Some(reason) = unsupported(&package) {
        problems.push(Problem::Unsupported {
            package: package.nevra.clone(),
            reason,
        });
    } else if !fits(&package, options) {
        problems.push(Problem::Architecture {
            package: package.nevra.clone(),
        });
    }
    Ok(Loaded {
        package,
        deed: Deed::Install {
            path,
            identity,
            mode,
            signature,
        },
    })
}

/// Why a package cannot be installed by this program.
fn unsupported(package: &PackageFacts) -> Option<String> {
    let header = &package.header;
    if nevra::is_source(header) {
        return Some("a source package is not installed".to_owned());
    }
    match header.text(tag::PAYLOADFORMAT) {
        None | Some("cpio") => {}
        Some(other) => return Some(format!("payload format {other} is not supported")),
    }
    if let Some(script) = expanding(header) {
        return Some(format!(
            "its {script} needs macros expanded at install time, which is not supported"
        ));
    }
    (package.name == "gpg-pubkey").then(|| "the name gpg-pubkey is reserved".to_owned())
}

/// The scriptlet or trigger that would have to be expanded.
fn expanding(header: &Header) -> Option<&'static str> {
    let expands = |kind: &ScriptKind| kind.of(header).is_some_and(|s| s.needs_expansion());
    let mut run = ScriptKind::ALL
        .into_iter()
        .filter(|kind| *kind != ScriptKind::Verify);
    if let Some(kind) = run.find(expands) {
        return Some(kind.label());
    }
    let classes = [
        (TriggerClass::Package, "trigger"),
        (TriggerClass::File, "file trigger"),
        (TriggerClass::TransactionFile, "transaction file trigger"),
    ];
    let expands = |class| {
        let mut all = triggers(header, class).into_iter();
        all.any(|trigger| needs_expansion(trigger.flags, trigger.body.as_deref()))
    };
    let found = classes.into_iter().find(|(class, _)| expands(*class));
    found.map(|(_, name)| name)
}

/// Is the package for this machine? (the compatible lists of rpm's rpmrc)
fn fits(package: &PackageFacts, options: &Options<'_>) -> bool {
    let os = package.header.text(tag::OS).unwrap_or("linux");
    let arch = package.header.text(tag::ARCH).unwrap_or("noarch");
    os.eq_ignore_ascii_case("linux") && arch_fits(&options.arch, arch)
}

fn arch_fits(machine: &str, arch: &str) -> bool {
    const X86: [&str; 8] = [
        "x86_64", "amd64", "em64t", "athlon", "i686", "i586", "i486", "i386",
    ];
    arch == "noarch"
        || arch == machine
        || match machine {
            "x86_64" | "amd64" => X86.contains(&arch),
            "x86_64_v2" => X86.contains(&arch),
            "x86_64_v3" => arch == "x86_64_v2" || X86.contains(&arch),
            "x86_64_v4" => ["x86_64_v2", "x86_64_v3"].contains(&arch) || X86.contains(&arch),
            "i686" => ["i586", "i486", "i386"].contains(&arch),
            "ppc64le" => arch == "fat",
            "s390x" => arch == "s390",
            "armv7hl" | "armv7hnl" => ["armv7hl", "armv6hl"].contains(&arch),
            _ => false,
        }
}

/// One scriptlet as a header holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Script {
    /// Interpreter and arguments.
    pub program: Vec<Vec<u8>>,
    /// The text.
    pub body: Option<Vec<u8>>,
    /// Bit 0: macros to expand, bit 1: query format to expand, bit 2: failure is an error.
    pub flags: u32,
    /// Where a relocatable package is: for `RPM_INSTALL_PREFIX`.
    pub prefixes: Vec<Vec<u8>>,
}

/// Bits 0 and 1 of a script's flags: macros or a query format are expanded at install time.
const EXPANDED: u32 = 3;

impl Script {
    /// Must the body be expanded before it can run? Macros are rpm's own language, and this
    /// program claims no `rpmlib(ScriptletExpansion)`.
    pub(crate) fn needs_expansion(&self) -> bool {
        needs_expansion(self.flags, self.body.as_deref())
    }
}

fn needs_expansion(flags: u32, body: Option<&[u8]>) -> bool {
    flags & EXPANDED != 0 && body.is_some_and(|body| body.contains(&b'%'))
}

impl From<Trigger> for Script {
    fn from(trigger: Trigger) -> Script {
        Script {
            program: vec![trigger.program],
            body: trigger.body,
            flags: trigger.flags,
            prefixes: Vec::new(),
        }
    }
}

/// What a transaction makes of a kind of scriptlet (docs/reference/transactions.md, 3.7).
pub(crate) trait Runs {
    /// rpm's name for messages.
    fn label(&self) -> &'static str;
    /// A failure undoes the transaction. rpm keeps both versions when %preun or %preuntrans fails; here the
    /// old system comes back instead (docs/reference/transactions.md, 3.6).
    fn fatal(&self) -> bool;
    /// It runs when the package is installed, else when it is erased.
    fn is_of_install(&self) -> bool;
    /// The scriptlet of this kind in a header. It exists if it has a body or a program.
    fn of(&self, header: &Header) -> Option<Script>;
}

impl Runs for ScriptKind {
    fn label(&self) -> &'static str {
        match self {
            ScriptKind::Pre => "%prein",
            other => other.name(),
        }
    }

    fn fatal(&self) -> bool {
        use ScriptKind::{Pre, PreTrans, PreUn, PreUnTrans};
        matches!(self, PreTrans | Pre | PreUn | PreUnTrans)
    }

    fn is_of_install(&self) -> bool {
        use ScriptKind::{Post, PostTrans, Pre, PreTrans};
        matches!(self, PreTrans | Pre | Post | PostTrans)
    }

    fn of(&self, header: &Header) -> Option<Script> {
        let (body, program, flags) = self.tags();
        if !header.has(body) && !header.has(program) {
            return None;
        }
        let mut words: Vec<Vec<u8>> = header.strings(program).map(<[u8]>::to_vec).collect();
        if words.is_empty() {
            words.push(DEFAULT_PROGRAM.to_vec());
        }
        let body = header.string(body).map(<[u8]>::to_vec);
        let prefixes = match header.has(tag::INSTPREFIXES) {
            true => header.strings(tag::INSTPREFIXES),
            // Packages are installed where they were built to be.
            false => header.strings(tag::PREFIXES),
        };
        Some(Script {
            program: words,
            body,
            flags: header.u32(flags).unwrap_or(0),
            prefixes: prefixes.map(<[u8]>::to_vec).collect(),
        })
    }
}
