//! Scriptlets and triggers as data. Nothing here runs anything.
//!
//! Tags: docs/reference/transactions.md, 3.5 and 3.7 (rpm 4.18, and 6.1 for the `untrans` pair).

use crate::dep::DepFlags;
use crate::header::{Header, tag};

/// Run by default when a scriptlet names no program.
pub const DEFAULT_PROGRAM: &[u8] = b"/bin/sh";
/// Priority of a file trigger that names none.
pub const DEFAULT_PRIORITY: u32 = 1_000_000;
/// Script flag: macros are expanded at install time.
pub const FLAG_EXPAND: u32 = 1;
/// Script flag: the body is a query format.
pub const FLAG_QUERY_FORMAT: u32 = 2;
/// Script flag: a failure is an error whatever the kind.
pub const FLAG_CRITICAL: u32 = 4;

/// When a scriptlet runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ScriptletKind {
    /// Before the transaction.
    PreTrans,
    /// Before the files are installed.
    Pre,
    /// After the files are installed.
    Post,
    /// Before the files are erased.
    PreUn,
    /// After the files are erased.
    PostUn,
    /// After the transaction.
    PostTrans,
    /// Before a transaction that erases the package.
    PreUnTrans,
    /// After a transaction that erased the package.
    PostUnTrans,
    /// By `rpm -V`.
    Verify,
}

impl ScriptletKind {
    /// All kinds.
    pub const ALL: [ScriptletKind; 9] = [
        ScriptletKind::PreTrans,
        ScriptletKind::Pre,
        ScriptletKind::Post,
        ScriptletKind::PreUn,
        ScriptletKind::PostUn,
        ScriptletKind::PostTrans,
        ScriptletKind::PreUnTrans,
        ScriptletKind::PostUnTrans,
        ScriptletKind::Verify,
    ];

    /// The tags of body, program and flags.
    pub fn tags(self) -> (u32, u32, u32) {
        match self {
            ScriptletKind::PreTrans => (tag::PRETRANS, tag::PRETRANSPROG, tag::PRETRANSFLAGS),
            ScriptletKind::Pre => (tag::PREIN, tag::PREINPROG, tag::PREINFLAGS),
            ScriptletKind::Post => (tag::POSTIN, tag::POSTINPROG, tag::POSTINFLAGS),
            ScriptletKind::PreUn => (tag::PREUN, tag::PREUNPROG, tag::PREUNFLAGS),
            ScriptletKind::PostUn => (tag::POSTUN, tag::POSTUNPROG, tag::POSTUNFLAGS),
            ScriptletKind::PostTrans => (tag::POSTTRANS, tag::POSTTRANSPROG, tag::POSTTRANSFLAGS),
            ScriptletKind::PreUnTrans => {
                (tag::PREUNTRANS, tag::PREUNTRANSPROG, tag::PREUNTRANSFLAGS)
            }
            ScriptletKind::PostUnTrans => (
                tag::POSTUNTRANS,
                tag::POSTUNTRANSPROG,
                tag::POSTUNTRANSFLAGS,
            ),
            ScriptletKind::Verify => (
                tag::VERIFYSCRIPT,
                tag::VERIFYSCRIPTPROG,
                tag::VERIFYSCRIPTFLAGS,
            ),
        }
    }

    /// The name in spec files, with its percent sign.
    pub fn name(self) -> &'static str {
        match self {
            ScriptletKind::PreTrans => "%pretrans",
            ScriptletKind::Pre => "%pre",
            ScriptletKind::Post => "%post",
            ScriptletKind::PreUn => "%preun",
            ScriptletKind::PostUn => "%postun",
            ScriptletKind::PostTrans => "%posttrans",
            ScriptletKind::PreUnTrans => "%preuntrans",
            ScriptletKind::PostUnTrans => "%postuntrans",
            ScriptletKind::Verify => "%verifyscript",
        }
    }
}

/// One scriptlet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scriptlet {
    /// When it runs.
    pub kind: ScriptletKind,
    /// Program and its arguments; [`DEFAULT_PROGRAM`] when the header names none.
    pub program: Vec<Vec<u8>>,
    /// The script; `None` means that the program runs alone, without numeric arguments.
    pub body: Option<Vec<u8>>,
    /// `FLAG_` bits.
    pub flags: u32,
}

/// All scriptlets of a package.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scriptlets {
    list: Vec<Scriptlet>,
}

impl Scriptlets {
    /// Reads the scriptlets of a header. One exists if its body or its program does.
    pub fn from_header(header: &Header) -> Self {
        let read = |kind: ScriptletKind| {
            let (body, program, flags) = kind.tags();
            if !header.has(body) && !header.has(program) {
                return None;
            }
            let mut words: Vec<Vec<u8>> = header.strings(program).map(<[u8]>::to_vec).collect();
            if words.is_empty() {
                words.push(DEFAULT_PROGRAM.to_vec());
            }
            Some(Scriptlet {
                kind,
                program: words,
                body: header.string(body).map(<[u8]>::to_vec),
                flags: header.u32(flags).unwrap_or(0),
            })
        };
        Scriptlets {
            list: ScriptletKind::ALL.into_iter().filter_map(read).collect(),
        }
    }

    /// The scriptlet of one kind.
    pub fn get(&self, kind: ScriptletKind) -> Option<&Scriptlet> {
        self.list.iter().find(|script| script.kind == kind)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Scriptlet> {
        self.list.iter()
    }
}

/// What a trigger watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TriggerClass {
    /// Another package, by name and version.
    Package,
    /// Paths by prefix, once per package.
    File,
    /// Paths by prefix, once per transaction.
    TransactionFile,
}

/// The tags of one class of triggers.
struct TriggerTags {
    scripts: u32,
    program: u32,
    flags: u32,
    name: u32,
    index: u32,
    version: u32,
    sense: u32,
    priority: Option<u32>,
}

impl TriggerClass {
    fn tags(self) -> TriggerTags {
        match self {
            TriggerClass::Package => TriggerTags {
                scripts: tag::TRIGGERSCRIPTS,
                program: tag::TRIGGERSCRIPTPROG,
                flags: tag::TRIGGERSCRIPTFLAGS,
                name: tag::TRIGGERNAME,
                index: tag::TRIGGERINDEX,
                version: tag::TRIGGERVERSION,
                sense: tag::TRIGGERFLAGS,
                priority: None,
            },
            TriggerClass::File => TriggerTags {
                scripts: tag::FILETRIGGERSCRIPTS,
                program: tag::FILETRIGGERSCRIPTPROG,
                flags: tag::FILETRIGGERSCRIPTFLAGS,
                name: tag::FILETRIGGERNAME,
                index: tag::FILETRIGGERINDEX,
                version: tag::FILETRIGGERVERSION,
                sense: tag::FILETRIGGERFLAGS,
                priority: Some(tag::FILETRIGGERPRIORITIES),
            },
            TriggerClass::TransactionFile => TriggerTags {
                scripts: tag::TRANSFILETRIGGERSCRIPTS,
                program: tag::TRANSFILETRIGGERSCRIPTPROG,
                flags: tag::TRANSFILETRIGGERSCRIPTFLAGS,
                name: tag::TRANSFILETRIGGERNAME,
                index: tag::TRANSFILETRIGGERINDEX,
                version: tag::TRANSFILETRIGGERVERSION,
                sense: tag::TRANSFILETRIGGERFLAGS,
                priority: Some(tag::TRANSFILETRIGGERPRIORITIES),
            },
        }
    }
}

/// One condition of a trigger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TriggerCondition {
    /// Package name, or path prefix.
    pub name: Vec<u8>,
    /// Version range; empty for file triggers.
    pub evr: Vec<u8>,
    /// Relation and sense (`TRIGGERIN`, `TRIGGERUN`, ...).
    pub flags: DepFlags,
}

/// One trigger script with all its conditions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trigger {
    /// What it watches.
    pub class: TriggerClass,
    /// Its number among the scripts of its class in this header.
    pub index: usize,
    /// The program; [`DEFAULT_PROGRAM`] when the header names none.
    pub program: Vec<u8>,
    /// The script; `None` for a program without one.
    pub body: Option<Vec<u8>>,
    /// `FLAG_` bits.
    pub flags: u32,
    /// Higher runs first; [`DEFAULT_PRIORITY`] unless the header says otherwise.
    pub priority: u32,
    /// At least one must match.
    pub conditions: Vec<TriggerCondition>,
}

/// Reads the triggers of one class. Conditions that point at no script are dropped: rpm has
/// nothing to run for them either.
pub fn triggers(header: &Header, class: TriggerClass) -> Vec<Trigger> {
    let tags = class.tags();
    let mut bodies = header.strings(tags.scripts);
    let mut programs = header.strings(tags.program);
    let mut flags = header.u32s(tags.flags);
    let mut priorities = tags
        .priority
        .map(|tag| header.u32s(tag))
        .unwrap_or_default();
    let count = bodies.len().max(programs.len());
    let mut list: Vec<Trigger> = (0..count)
        .map(|index| Trigger {
            class,
            index,
            body: bodies
                .next()
                .map(<[u8]>::to_vec)
                .filter(|body| !body.is_empty()),
            program: programs.next().unwrap_or(DEFAULT_PROGRAM).to_vec(),
            flags: flags.next().unwrap_or(0),
            priority: priorities.next().unwrap_or(DEFAULT_PRIORITY),
            conditions: Vec::new(),
        })
        .collect();
    let mut versions = header.strings(tags.version);
    let mut senses = header.u32s(tags.sense);
    for (name, index) in header.strings(tags.name).zip(header.u32s(tags.index)) {
        let condition = TriggerCondition {
            name: name.to_vec(),
            evr: versions.next().unwrap_or_default().to_vec(),
            flags: DepFlags(senses.next().unwrap_or(0)),
        };
        if let Some(trigger) = list.get_mut(index as usize) {
            trigger.conditions.push(condition);
        }
    }
    list
}
