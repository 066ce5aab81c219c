//! Dependencies: a name, a relation, an EVR; and the boolean ("rich") form.

pub mod rich;
#[cfg(test)]
mod tests;

use crate::evr::EvrRef;
use crate::header::{Header, Strings, U32s, tag};
use std::cmp::Ordering;
use std::fmt;
use std::ops::{BitAnd, BitOr, BitOrAssign};

/// The sense bits of a dependency (rpm's `rpmsenseFlags`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, PartialOrd, Ord)]
pub struct DepFlags(pub u32);

impl DepFlags {
    /// No relation: any version.
    pub const ANY: DepFlags = DepFlags(0);
    /// `<`.
    pub const LESS: DepFlags = DepFlags(1 << 1);
    /// `>`.
    pub const GREATER: DepFlags = DepFlags(1 << 2);
    /// `=`.
    pub const EQUAL: DepFlags = DepFlags(1 << 3);
    /// The three relation bits.
    pub const RELATION: DepFlags = DepFlags(0b1110);
    /// Needed by `%posttrans`.
    pub const POSTTRANS: DepFlags = DepFlags(1 << 5);
    /// Legacy `PreReq`.
    pub const PREREQ: DepFlags = DepFlags(1 << 6);
    /// Needed by `%pretrans`.
    pub const PRETRANS: DepFlags = DepFlags(1 << 7);
    /// A scriptlet's interpreter.
    pub const INTERP: DepFlags = DepFlags(1 << 8);
    /// Needed by `%pre`.
    pub const PRE: DepFlags = DepFlags(1 << 9);
    /// Needed by `%post`.
    pub const POST: DepFlags = DepFlags(1 << 10);
    /// Needed by `%preun`.
    pub const PREUN: DepFlags = DepFlags(1 << 11);
    /// Needed by `%postun`.
    pub const POSTUN: DepFlags = DepFlags(1 << 12);
    /// Needed by `%verify`.
    pub const VERIFY: DepFlags = DepFlags(1 << 13);
    /// Trigger when the other package is installed.
    pub const TRIGGERIN: DepFlags = DepFlags(1 << 16);
    /// Trigger when the other package is about to be erased.
    pub const TRIGGERUN: DepFlags = DepFlags(1 << 17);
    /// Trigger after the other package was erased.
    pub const TRIGGERPOSTUN: DepFlags = DepFlags(1 << 18);
    /// Never fails.
    pub const MISSINGOK: DepFlags = DepFlags(1 << 19);
    /// Needed by `%preuntrans`.
    pub const PREUNTRANS: DepFlags = DepFlags(1 << 20);
    /// Needed by `%postuntrans`.
    pub const POSTUNTRANS: DepFlags = DepFlags(1 << 21);
    /// A feature of the installer itself.
    pub const RPMLIB: DepFlags = DepFlags(1 << 24);
    /// Trigger before the other package is installed.
    pub const TRIGGERPREIN: DepFlags = DepFlags(1 << 25);
    /// A capability of a `gpg-pubkey` entry.
    pub const KEYRING: DepFlags = DepFlags(1 << 26);
    /// A `config()` capability.
    pub const CONFIG: DepFlags = DepFlags(1 << 28);
    /// Imposes no ordering.
    pub const META: DepFlags = DepFlags(1 << 29);

    /// Whether any bit of `other` is set.
    pub fn has(self, other: DepFlags) -> bool {
        self.0 & other.0 != 0
    }

    /// The relation bits alone.
    pub fn relation(self) -> DepFlags {
        self & DepFlags::RELATION
    }

    /// The relation as text: `<`, `<=`, `=`, `>=`, `>`, also `<>`; empty without one.
    pub fn symbol(self) -> &'static str {
        match self.0 & DepFlags::RELATION.0 {
            2 => "<",
            4 => ">",
            6 => "<>",
            8 => "=",
            10 => "<=",
            12 => ">=",
            14 => "<=>",
            _ => "",
        }
    }

    /// The relation that `symbol` means in spec files and on command lines.
    pub fn from_symbol(symbol: &str) -> Option<DepFlags> {
        Some(match symbol {
            "<" => DepFlags::LESS,
            ">" => DepFlags::GREATER,
            "=" | "==" => DepFlags::EQUAL,
            "<=" | "=<" => DepFlags::LESS | DepFlags::EQUAL,
            ">=" | "=>" => DepFlags::GREATER | DepFlags::EQUAL,
            _ => return None,
        })
    }

    /// Whether a requirement is only needed while its package is installed (`Requires(pre)` and
    /// the like) and so gets no Requirename row (docs/reference/rpmdb.md, 2.3 rule 3).
    pub fn is_transient(self) -> bool {
        let early = DepFlags::PRE
            | DepFlags::POST
            | DepFlags::RPMLIB
            | DepFlags::KEYRING
            | DepFlags::PRETRANS
            | DepFlags::POSTTRANS;
        let late = DepFlags::PREUN
            | DepFlags::POSTUN
            | DepFlags::PREUNTRANS
            | DepFlags::POSTUNTRANS
            | DepFlags::META;
        self.has(early) && !self.has(late)
    }
}

impl BitOr for DepFlags {
    type Output = DepFlags;
    fn bitor(self, other: DepFlags) -> DepFlags {
        DepFlags(self.0 | other.0)
    }
}

impl BitOrAssign for DepFlags {
    fn bitor_assign(&mut self, other: DepFlags) {
        self.0 |= other.0;
    }
}

impl BitAnd for DepFlags {
    type Output = DepFlags;
    fn bitand(self, other: DepFlags) -> DepFlags {
        DepFlags(self.0 & other.0)
    }
}

/// One dependency of any kind.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Dep {
    /// What is provided, required, ...; a rich dependency when it begins with `(`.
    pub name: String,
    /// Relation and sense.
    pub flags: DepFlags,
    /// `[epoch:]version[-release]`, empty without a relation.
    pub evr: String,
}

impl Dep {
    /// Makes a dependency of its parts.
    pub fn new(name: impl Into<String>, flags: DepFlags, evr: impl Into<String>) -> Self {
        Dep {
            name: name.into(),
            flags,
            evr: evr.into(),
        }
    }

    /// Reads `name` or `name <relation> evr`, separated by blanks. `None` when a relation is not
    /// known or a part is missing. A rich dependency is taken whole.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.starts_with('(') {
            return Some(Dep::new(text, DepFlags::ANY, ""));
        }
        let mut words = text.split_ascii_whitespace();
        let name = words.next()?;
        match (words.next(), words.next(), words.next()) {
            (None, ..) => Some(Dep::new(name, DepFlags::ANY, "")),
            (Some(symbol), Some(evr), None) => {
                Some(Dep::new(name, DepFlags::from_symbol(symbol)?, evr))
            }
            _ => None,
        }
    }

    /// Borrows the dependency.
    pub fn borrow(&self) -> DepRef<'_> {
        DepRef {
            name: self.name.as_bytes(),
            flags: self.flags,
            evr: self.evr.as_bytes(),
        }
    }

    /// Whether the name is a boolean expression.
    pub fn is_rich(&self) -> bool {
        self.name.starts_with('(')
    }

    /// Whether two dependencies have the same name and their version ranges meet.
    pub fn overlaps(&self, other: &Dep) -> bool {
        self.borrow().overlaps(&other.borrow())
    }
}

impl fmt::Display for Dep {
    /// `name` or `name >= evr`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        if self.flags.relation().0 != 0 && !self.evr.is_empty() {
            write!(f, " {} {}", self.flags.symbol(), self.evr)?;
        }
        Ok(())
    }
}

/// One dependency, borrowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DepRef<'a> {
    /// See [`Dep::name`].
    pub name: &'a [u8],
    /// See [`Dep::flags`].
    pub flags: DepFlags,
    /// See [`Dep::evr`].
    pub evr: &'a [u8],
}

impl DepRef<'_> {
    /// Copies the dependency; bytes that are not UTF-8 are replaced.
    pub fn to_dep(&self) -> Dep {
        let own = |bytes| String::from_utf8_lossy(bytes).into_owned();
        Dep {
            name: own(self.name),
            flags: self.flags,
            evr: own(self.evr),
        }
    }

    /// Whether the name is a boolean expression.
    pub fn is_rich(&self) -> bool {
        self.name.starts_with(b"(")
    }

    /// Whether two dependencies have the same name and their version ranges meet.
    pub fn overlaps(&self, other: &DepRef<'_>) -> bool {
        self.name == other.name && self.range_overlaps(other)
    }

    /// Whether the version ranges of two dependencies meet, whatever their names (rpm's
    /// `rpmdsCompare`; docs/reference/transactions.md, 5.1).
    pub fn range_overlaps(&self, other: &DepRef<'_>) -> bool {
        let (a, b) = (self.flags, other.flags);
        let unbounded = |flags: DepFlags, evr: &[u8]| flags.relation().0 == 0 || evr.is_empty();
        if unbounded(a, self.evr) || unbounded(b, other.evr) {
            return true;
        }
        let (x, y) = (EvrRef::parse(self.evr), EvrRef::parse(other.evr));
        let mut order = x.compare_version(&y);
        if order == Ordering::Equal {
            match (x.release, y.release) {
                (Some(x), Some(y)) => order = crate::evr::vercmp(x, y),
                (None, Some(_)) if a.has(DepFlags::EQUAL) => return true,
                (Some(_), None) if b.has(DepFlags::EQUAL) => return true,
                _ => {}
            }
        }
        let both = |flag| a.has(flag) && b.has(flag);
        match order {
            Ordering::Less => a.has(DepFlags::GREATER) || b.has(DepFlags::LESS),
            Ordering::Greater => a.has(DepFlags::LESS) || b.has(DepFlags::GREATER),
            Ordering::Equal => {
                both(DepFlags::EQUAL) || both(DepFlags::LESS) || both(DepFlags::GREATER)
            }
        }
    }
}

crate::table! {
    /// The kinds of dependency that a package has.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub enum DepGroup: (u32, u32, u32) {
        /// What the package offers.
        Provides => (tag::PROVIDENAME, tag::PROVIDEVERSION, tag::PROVIDEFLAGS),
        /// What it needs.
        Requires => (tag::REQUIRENAME, tag::REQUIREVERSION, tag::REQUIREFLAGS),
        /// What must not be there.
        Conflicts => (tag::CONFLICTNAME, tag::CONFLICTVERSION, tag::CONFLICTFLAGS),
        /// What it replaces.
        Obsoletes => (tag::OBSOLETENAME, tag::OBSOLETEVERSION, tag::OBSOLETEFLAGS),
        /// Weak: wanted by default.
        Recommends => (tag::RECOMMENDNAME, tag::RECOMMENDVERSION, tag::RECOMMENDFLAGS),
        /// Weak: only a hint.
        Suggests => (tag::SUGGESTNAME, tag::SUGGESTVERSION, tag::SUGGESTFLAGS),
        /// Weak, backwards: wanted where the named package is.
        Supplements => (tag::SUPPLEMENTNAME, tag::SUPPLEMENTVERSION, tag::SUPPLEMENTFLAGS),
        /// Weak, backwards: only a hint.
        Enhances => (tag::ENHANCENAME, tag::ENHANCEVERSION, tag::ENHANCEFLAGS),
        /// Only orders a transaction; headers have it, repository metadata does not.
        OrderWithRequires => (tag::ORDERNAME, tag::ORDERVERSION, tag::ORDERFLAGS),
    }
}

impl DepGroup {
    /// The tags of names, versions and flags.
    pub fn tags(self) -> (u32, u32, u32) {
        self.row()
    }
}

/// The dependencies of one kind, in header order.
#[derive(Debug, Clone)]
pub struct Deps<'a> {
    names: Strings<'a>,
    versions: Strings<'a>,
    flags: U32s<'a>,
}

impl<'a> Deps<'a> {
    /// The dependencies of `kind` in `header`. Versions and flags that are missing (old
    /// packages have names only) read as none.
    pub fn of(header: &'a Header, kind: DepGroup) -> Self {
        let (names, versions, flags) = kind.tags();
        Deps {
            names: header.strings(names),
            versions: header.strings(versions),
            flags: header.u32s(flags),
        }
    }
}

impl<'a> Iterator for Deps<'a> {
    type Item = DepRef<'a>;

    fn next(&mut self) -> Option<DepRef<'a>> {
        Some(DepRef {
            name: self.names.next()?,
            evr: self.versions.next().unwrap_or_default(),
            flags: DepFlags(self.flags.next().unwrap_or(0)),
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.names.size_hint()
    }
}
