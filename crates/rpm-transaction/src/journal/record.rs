//! The records of the journal and their bytes.

/// One step on the file system. `mount` is the index of the staging directory, `id` names the
/// staged file `n<id>` and the backup `b<id>` in it.
///
/// Each step can be undone by looking at the disk only:
/// - a backup exists: it goes back to `target`, whatever stands there;
/// - no backup, but the staged file is gone: the step was made where nothing had been, and
///   `target` is deleted;
/// - the staged file is still there: the step was not made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    /// The staged file moves to `target`; what is there is first linked to the backup name.
    Place {
        /// Absolute path in the root, without symbolic links.
        target: Vec<u8>,
        /// Staging directory.
        mount: u32,
        /// Number of the staged file.
        id: u32,
    },
    /// As `Place`, but the staged file is a link to what stands at a configuration file's place.
    /// It is made just before [`Record::Begin`] of the element; without that record the step
    /// was not made.
    Keep {
        /// Where the kept file goes: `.rpmsave`, `.rpmorig`.
        target: Vec<u8>,
        /// Staging directory.
        mount: u32,
        /// Number of the staged file.
        id: u32,
    },
    /// What is at `target` moves to the backup name.
    Remove {
        /// Absolute path in the root, without symbolic links.
        target: Vec<u8>,
        /// Staging directory.
        mount: u32,
        /// Number of the backup.
        id: u32,
    },
    /// A directory is made; nothing was there.
    MakeDir {
        /// Absolute path in the root.
        target: Vec<u8>,
    },
    /// A directory is removed if it is empty: it moves to the backup name, so that it comes back
    /// with all it had where there is no room for a new one. Without a backup it is recreated.
    RemoveDir {
        /// Absolute path in the root.
        target: Vec<u8>,
        /// Previous permission bits.
        mode: u32,
        /// Previous owner.
        uid: u32,
        /// Previous group.
        gid: u32,
        /// Staging directory.
        mount: u32,
        /// Number of the backup.
        id: u32,
    },
    /// Owner and permissions of a directory change.
    DirOwner {
        /// Absolute path in the root.
        target: Vec<u8>,
        /// Previous permission bits.
        mode: u32,
        /// Previous owner.
        uid: u32,
        /// Previous group.
        gid: u32,
    },
}

/// One record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// The first record.
    Start {
        /// Version of the format.
        version: u32,
        /// INSTALLTID of the transaction.
        tid: u32,
    },
    /// Directories that are going to be made for staging, as absolute paths in the root.
    Staging(Vec<Vec<u8>>),
    /// All file steps of one element. A later record for the same element replaces this one.
    Element {
        /// Position in the order.
        index: u32,
        /// For messages.
        nevra: String,
        /// It is installed (or else erased).
        install: bool,
        /// The steps in their order.
        ops: Vec<Op>,
    },
    /// Everything is staged and on the disk; changes may begin.
    Prepared,
    /// The kept files of this element are linked; its steps begin.
    Begin(u32),
    /// A scriptlet is started.
    ScriptStart {
        /// NEVRA of its package.
        nevra: String,
        /// "%pre" and so on.
        script: String,
    },
    /// The scriptlet that was started last is over.
    ScriptEnd {
        /// It succeeded.
        ok: bool,
    },
    /// The database is about to be committed.
    Committing {
        /// Numbers of the records that will be gone afterwards.
        erased: Vec<u32>,
        /// NEVRA of the packages that will be there with this transaction's INSTALLTID.
        added: Vec<String>,
    },
    /// The database is committed: only forward from here. Names the scriptlets still to run.
    Committed {
        /// "NEVRA %posttrans" and so on.
        scripts: Vec<String>,
    },
    /// Every step was undone and is on the disk: only staging directories are left to delete.
    RolledBack,
}

impl Record {
    /// The body of the record.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::default();
        match self {
            Record::Start { version, tid } => out.tag(1).number(*version).number(*tid),
            Record::Staging(dirs) => out.tag(2).list(dirs.iter().map(Vec::as_slice)),
            Record::Element {
                index,
                nevra,
                install,
                ops,
            } => {
                out.tag(3)
                    .number(*index)
                    .bytes(nevra.as_bytes())
                    .tag(u8::from(*install));
                for op in ops {
                    op.encode(&mut out);
                }
                &mut out
            }
            Record::Prepared => out.tag(4),
            Record::Begin(index) => out.tag(5).number(*index),
            Record::ScriptStart { nevra, script } => {
                out.tag(6).bytes(nevra.as_bytes()).bytes(script.as_bytes())
            }
            Record::ScriptEnd { ok } => out.tag(7).tag(u8::from(*ok)),
            Record::Committing { erased, added } => {
                out.tag(8).list(added.iter().map(String::as_bytes));
                erased.iter().fold(&mut out, |out, hnum| out.number(*hnum))
            }
            Record::Committed { scripts } => out.tag(9).list(scripts.iter().map(String::as_bytes)),
            Record::RolledBack => out.tag(10),
        };
        out.0
    }

    /// The record of a body; `None` when it is not understood.
    pub fn decode(body: &[u8]) -> Option<Record> {
        let mut from = Reader(body);
        let record = match from.tag()? {
            1 => Record::Start {
                version: from.number()?,
                tid: from.number()?,
            },
            2 => Record::Staging(from.list()?),
            3 => Record::Element {
                index: from.number()?,
                nevra: from.text()?,
                install: from.tag()? != 0,
                ops: from.rest(Op::decode)?,
            },
            4 => Record::Prepared,
            5 => Record::Begin(from.number()?),
            6 => Record::ScriptStart {
                nevra: from.text()?,
                script: from.text()?,
            },
            7 => Record::ScriptEnd {
                ok: from.tag()? != 0,
            },
            8 => Record::Committing {
                added: from.texts()?,
                erased: from.rest(Reader::number)?,
            },
            9 => Record::Committed {
                scripts: from.texts()?,
            },
            10 => Record::RolledBack,
            _ => return None,
        };
        from.0.is_empty().then_some(record)
    }
}

impl Op {
    /// The path that the step changes.
    pub fn target(&self) -> &[u8] {
        match self {
            Op::Place { target, .. }
            | Op::Keep { target, .. }
            | Op::Remove { target, .. }
            | Op::MakeDir { target }
            | Op::RemoveDir { target, .. }
            | Op::DirOwner { target, .. } => target,
        }
    }

    fn encode(&self, out: &mut Writer) {
        match self {
            Op::Place { target, mount, id } => out.tag(1).bytes(target).number(*mount).number(*id),
            Op::Keep { target, mount, id } => out.tag(2).bytes(target).number(*mount).number(*id),
            Op::Remove { target, mount, id } => out.tag(3).bytes(target).number(*mount).number(*id),
            Op::MakeDir { target } => out.tag(4).bytes(target),
            Op::RemoveDir {
                target,
                mode,
                uid,
                gid,
                mount,
                id,
            } => out
                .tag(5)
                .bytes(target)
                .number(*mode)
                .number(*uid)
                .number(*gid)
                .number(*mount)
                .number(*id),
            Op::DirOwner {
                target,
                mode,
                uid,
                gid,
            } => out
                .tag(6)
                .bytes(target)
                .number(*mode)
                .number(*uid)
                .number(*gid),
        };
    }

    fn decode(from: &mut Reader<'_>) -> Option<Op> {
        let kind = from.tag()?;
        let target = from.bytes()?.to_vec();
        Some(match kind {
            1 => Op::Place {
                target,
                mount: from.number()?,
                id: from.number()?,
            },
            2 => Op::Keep {
                target,
                mount: from.number()?,
                id: from.number()?,
            },
            3 => Op::Remove {
                target,
                mount: from.number()?,
                id: from.number()?,
            },
            4 => Op::MakeDir { target },
            5 => Op::RemoveDir {
                target,
                mode: from.number()?,
                uid: from.number()?,
                gid: from.number()?,
                mount: from.number()?,
                id: from.number()?,
            },
            6 => Op::DirOwner {
                target,
                mode: from.number()?,
                uid: from.number()?,
                gid: from.number()?,
            },
            _ => return None,
        })
    }
}

/// Builds a body.
#[derive(Default)]
struct Writer(Vec<u8>);

impl Writer {
    fn tag(&mut self, tag: u8) -> &mut Writer {
        self.0.push(tag);
        self
    }

    fn number(&mut self, number: u32) -> &mut Writer {
        self.0.extend_from_slice(&number.to_le_bytes());
        self
    }

    fn bytes(&mut self, bytes: &[u8]) -> &mut Writer {
        // A path or name is far below 4 GiB: MAX_PATH and the header limits see to that.
        self.number(bytes.len() as u32);
        self.0.extend_from_slice(bytes);
        self
    }

    fn list<'a>(&mut self, items: impl ExactSizeIterator<Item = &'a [u8]>) -> &mut Writer {
        self.number(items.len() as u32);
        items.fold(self, |out, item| out.bytes(item))
    }
}

/// Takes a body apart.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn tag(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    fn number(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = self.number()?;
        self.take(length as usize)
    }

    fn text(&mut self) -> Option<String> {
        String::from_utf8(self.bytes()?.to_vec()).ok()
    }

    fn list(&mut self) -> Option<Vec<Vec<u8>>> {
        let count = self.number()?;
        (0..count)
            .map(|_| self.bytes().map(<[u8]>::to_vec))
            .collect()
    }

    fn texts(&mut self) -> Option<Vec<String>> {
        let count = self.number()?;
        (0..count).map(|_| self.text()).collect()
    }

    fn rest<T>(&mut self, mut item: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let mut items = Vec::new();
        while !self.0.is_empty() {
            items.push(item(self)?);
        }
        Some(items)
    }
}
