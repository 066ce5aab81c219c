//! One line of sysusers.d(5), out of the provide that carries it.

use base64::alphabet;
use base64::engine::{DecodePaddingMode, Engine, GeneralPurpose, GeneralPurposeConfig};

/// The longest name of a user or group, as systemd and shadow have it.
const MAX_NAME: usize = 31;
/// The longest line that is looked at.
const MAX_LINE: usize = 4096;
/// Numbers that mean "no number" in 16 and 32 bits; nobody may have them (sysusers.d(5)).
const FORBIDDEN_IDS: [u32; 2] = [0xffff, 0xffff_ffff];

/// A number that a line asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Id {
    /// Any that is free.
    Any,
    /// This one, or any other if it is taken.
    Number(u32),
    /// That of the group with this name.
    Group(String),
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Line {
    /// `u`: a user, and a group of its name unless another is named.
    User {
        /// Its name.
        name: String,
        /// Its number; never [`Id::Group`].
        uid: Id,
        /// Its primary group; [`Id::Any`] stands for the group of its name.
        group: Id,
        /// The comment field.
        gecos: String,
        /// Home directory; it is not made.
        home: Option<String>,
        /// Login shell.
        shell: Option<String>,
        /// `u!`: the account is expired, too.
        expired: bool,
    },
    /// `g`: a group.
    Group {
        /// Its name.
        name: String,
        /// Its number; never [`Id::Group`].
        gid: Id,
    },
    /// `m`: a user in a further group; both are made if they do not exist.
    Member {
        /// The user.
        user: String,
        /// The group.
        group: String,
    },
}

impl Line {
    /// The line of one provide. `None` for a provide that is something else or carries no line;
    /// `Err` with the text of a line that is not understood.
    pub(crate) fn of_provide(name: &[u8], version: &[u8]) -> Option<Result<Line, String>> {
        let kinds: [&[u8]; 3] = [b"user(", b"group(", b"groupmember("];
        let named = kinds.iter().any(|kind| name.starts_with(kind)) && name.ends_with(b")");
        if !named || version.is_empty() {
            return None;
        }
        let shown = || String::from_utf8_lossy(version).escape_debug().to_string();
        let Some(mut text) = decode_base64(version) else {
            return Some(Err(shown()));
        };
        // rpm fills the text up with NULs, so that base64 needs no padding.
        while text.last() == Some(&0) {
            text.pop();
        }
        let read = String::from_utf8(text).map_err(|_| shown());
        Some(read.and_then(|text| {
            let strange = || text.escape_debug().to_string();
            Line::parse(&text).ok_or_else(strange)
        }))
    }

    /// Reads a line. Specifiers (`%b`) and numbers that are taken from files are not known.
    pub(crate) fn parse(text: &str) -> Option<Line> {
        if text.len() > MAX_LINE {
            return None;
        }
        let words = split(text)?;
        let mut words = words.into_iter();
        let (kind, name) = (words.next()?, words.next()?);
        if !is_name(&name) {
            return None;
        }
        let mut rest = || words.next().filter(|word| !word.is_empty() && word != "-");
        match kind.as_str() {
            "u" | "u!" => {
                let (uid, group) = user_ids(rest())?;
                Some(Line::User {
                    name,
                    uid,
                    group,
                    gecos: field(rest().unwrap_or_default())?,
                    home: optional(rest())?,
                    shell: optional(rest())?,
                    expired: kind == "u!",
                })
            }
            "g" => Some(Line::Group {
                name,
                gid: number(rest().as_deref())?,
            }),
            "m" => {
                let group = rest().filter(|group| is_name(group))?;
                Some(Line::Member { user: name, group })
            }
            _ => None,
        }
    }
}

/// A path that may be left out; `None` for one that is wrong.
fn optional(path: Option<String>) -> Option<Option<String>> {
    match path {
        None => Some(None),
        Some(path) => field(path).filter(|path| path.starts_with('/')).map(Some),
    }
}

/// `UID`, `UID:GID` or `UID:GROUP`.
fn user_ids(text: Option<String>) -> Option<(Id, Id)> {
    let Some(text) = text else {
        return Some((Id::Any, Id::Any));
    };
    let (uid, group) = match text.split_once(':') {
        Some((uid, group)) => (uid, Some(group)),
        None => (text.as_str(), None),
    };
    let uid = number(Some(uid).filter(|uid| *uid != "-"))?;
    let group = match group {
        None => Id::Any,
        Some(group) => match number(Some(group)) {
            Some(gid) => gid,
            None if is_name(group) => Id::Group(group.to_owned()),
            None => return None,
        },
    };
    Some((uid, group))
}

fn number(text: Option<&str>) -> Option<Id> {
    let Some(text) = text else {
        return Some(Id::Any);
    };
    let id = text.parse().ok().filter(|id| !FORBIDDEN_IDS.contains(id))?;
    Some(Id::Number(id))
}

/// A name as strict as shadow has it, capitals and dots inside allowed.
fn is_name(name: &str) -> bool {
    let first = |b: u8| b.is_ascii_alphabetic() || b == b'_';
    let later = |b: u8| first(b) || b.is_ascii_digit() || b == b'-' || b == b'.';
    let bytes = name.as_bytes();
    bytes.first().is_some_and(|&b| first(b))
        && bytes.len() <= MAX_NAME
        && bytes.iter().all(|&b| later(b))
}

/// A field of passwd: nothing that would end it.
fn field(text: String) -> Option<String> {
    let bad = |c: char| c == ':' || c.is_control();
    (!text.contains(bad) && !text.contains('%')).then_some(text)
}

/// Words apart by blanks; quotes keep blanks together and a backslash keeps what follows it.
/// `None` for an open quote.
fn split(text: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, quote) {
            ('\\', _) => word.get_or_insert_default().push(chars.next()?),
            (c, Some(open)) if c == open => quote = None,
            (c, Some(_)) => word.get_or_insert_default().push(c),
            ('"' | '\'', None) => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (c, None) if c.is_ascii_whitespace() => words.extend(word.take()),
            (c, None) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    quote.is_none().then_some(words)
}

/// RFC 4648; rpm leaves the padding out where it can.
fn decode_base64(text: &[u8]) -> Option<Vec<u8>> {
    const ENGINE: GeneralPurpose = GeneralPurpose::new(
        &alphabet::STANDARD,
        GeneralPurposeConfig::new()
            .with_decode_padding_mode(DecodePaddingMode::Indifferent)
            .with_decode_allow_trailing_bits(true),
    );
    (text.len() <= 2 * MAX_LINE)
        .then(|| ENGINE.decode(text).ok())
        .flatten()
}
