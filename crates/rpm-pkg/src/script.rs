//! Scriptlets and triggers as data. Nothing here runs anything.
//!
//! Tags: docs/reference/transactions.md, 3.5 and 3.7 (rpm 4.18, and 6.1 for the `untrans` pair).

use crate::dep::DepFlags;
use crate::header::{Header, tag};

/// Run by default when a scriptlet names no program.
pub const DEFAULT_PROGRAM: &[u8] = b"/bin/sh";
/// Priority of a file trigger that names none.
pub const DEFAULT_PRIORITY: u32 = 1_000_000;

crate::table! {
    /// When a scriptlet runs.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
    pub enum ScriptletKind: (&'static str, (u32, u32, u32)) {
        /// Before the transaction.
        PreTrans => ("%pretrans", (tag::PRETRANS, tag::PRETRANSPROG, tag::PRETRANSFLAGS)),
        /// Before the files are installed.
        Pre => ("%pre", (tag::PREIN, tag::PREINPROG, tag::PREINFLAGS)),
        /// After the files are installed.
        Post => ("%post", (tag::POSTIN, tag::POSTINPROG, tag::POSTINFLAGS)),
        /// Before the files are erased.
        PreUn => ("%preun", (tag::PREUN, tag::PREUNPROG, tag::PREUNFLAGS)),
        /// After the files are erased.
        PostUn => ("%postun", (tag::POSTUN, tag::POSTUNPROG, tag::POSTUNFLAGS)),
        /// After the transaction.
        PostTrans => ("%posttrans", (tag::POSTTRANS, tag::POSTTRANSPROG, tag::POSTTRANSFLAGS)),
        /// Before a transaction that erases the package.
        PreUnTrans => ("%preuntrans", (tag::PREUNTRANS, tag::PREUNTRANSPROG, tag::PREUNTRANSFLAGS)),
        /// After a transaction that erased the package.
        PostUnTrans => ("%postuntrans", (tag::POSTUNTRANS, tag::POSTUNTRANSPROG, tag::POSTUNTRANSFLAGS)),
        /// By `rpm -V`.
        Verify => ("%verifyscript", (tag::VERIFYSCRIPT, tag::VERIFYSCRIPTPROG, tag::VERIFYSCRIPTFLAGS)),
    }
}

impl ScriptletKind {
    /// The tags of body, program and flags.
    pub fn tags(self) -> (u32, u32, u32) {
        self.row().1
    }

    /// The name in spec files, with its percent sign.
    pub fn name(self) -> &'static str {
        self.row().0
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
    /// 1: macros are expanded at install time; 2: the body is a query format; 4: a failure is an error whatever the kind.
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

crate::table! {
    /// What a trigger watches. Beside each class: its tags of scripts, programs, script flags, names, indexes, versions
    /// and senses, and that of priorities.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub enum TriggerClass: ([u32; 7], Option<u32>) {
        /// Another package, by name and version.
        Package => ([
            tag::TRIGGERSCRIPTS, tag::TRIGGERSCRIPTPROG, tag::TRIGGERSCRIPTFLAGS, tag::TRIGGERNAME, tag::TRIGGERINDEX,
            tag::TRIGGERVERSION, tag::TRIGGERFLAGS,
        ], None),
        /// Paths by prefix, once per package.
        File => ([
            tag::FILETRIGGERSCRIPTS, tag::FILETRIGGERSCRIPTPROG, tag::FILETRIGGERSCRIPTFLAGS, tag::FILETRIGGERNAME,
            tag::FILETRIGGERINDEX, tag::FILETRIGGERVERSION, tag::FILETRIGGERFLAGS,
        ], Some(tag::FILETRIGGERPRIORITIES)),
        /// Paths by prefix, once per transaction.
        TransactionFile => ([
            tag::TRANSFILETRIGGERSCRIPTS, tag::TRANSFILETRIGGERSCRIPTPROG, tag::TRANSFILETRIGGERSCRIPTFLAGS,
            tag::TRANSFILETRIGGERNAME, tag::TRANSFILETRIGGERINDEX, tag::TRANSFILETRIGGERVERSION,
            tag::TRANSFILETRIGGERFLAGS,
        ], Some(tag::TRANSFILETRIGGERPRIORITIES)),
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
    /// As [`Scriptlet::flags`].
    pub flags: u32,
    /// Higher runs first; [`DEFAULT_PRIORITY`] unless the header says otherwise.
    pub priority: u32,
    /// At least one must match.
    pub conditions: Vec<TriggerCondition>,
}

/// Reads the triggers of one class. Conditions that point at no script are dropped: rpm has
/// nothing to run for them either.
pub fn triggers(header: &Header, class: TriggerClass) -> Vec<Trigger> {
    let ([bodies, programs, flags, names, indexes, versions, senses], priorities) = class.row();
    let mut bodies = header.strings(bodies);
    let mut programs = header.strings(programs);
    let mut flags = header.u32s(flags);
    let mut priorities = priorities.map(|tag| header.u32s(tag)).unwrap_or_default();
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
    let mut versions = header.strings(versions);
    let mut senses = header.u32s(senses);
    for (name, index) in header.strings(names).zip(header.u32s(indexes)) {
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
