//! The records of the journal and their bytes.

/// What a record holds, as bytes: numbers in little endian, texts and lists behind their length.
trait RecordPart: Sized {
    fn write(&self, out: &mut Vec<u8>);
    /// `None` when it is not understood.
    fn read(from: &mut &[u8]) -> Option<Self>;
}

/// An enum whose bytes are the number of the variant, then what it holds in the order given here.
macro_rules! numbered {
    ($(#[$of_enum:meta])* enum $name:ident { $(
        $(#[$of_variant:meta])*
        $variant:ident = $number:literal
        $(($held:ident: $held_type:ty))?
        $({ $($(#[$of_field:meta])* $field:ident: $type:ty,)* })?,
    )* }) => {
        $(#[$of_enum])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub(crate) enum $name { $(
            $(#[$of_variant])*
            $variant $(($held_type))? $({ $($(#[$of_field])* $field: $type,)* })?,
        )* }

        impl RecordPart for $name {
            fn write(&self, out: &mut Vec<u8>) {
                match self { $(
                    $name::$variant $(($held))? $({ $($field),* })? => {
                        out.push($number);
                        $($held.write(out);)?
                        $($($field.write(out);)*)?
                    }
                )* }
            }

            fn read(from: &mut &[u8]) -> Option<$name> {
                Some(match from.split_off_first()? {
                    $($number => $name::$variant
                        $((<$held_type>::read(from)?))?
                        $({ $($field: RecordPart::read(from)?,)* })?,)*
                    _ => return None,
                })
            }
        }
    };
}

numbered! {
    /// One step on the file system. `target` is an absolute path in the root, without symbolic
    /// links; `mount` is the index of the staging directory, `id` names the staged file `n<id>` and
    /// the backup `b<id>` in it. Mode and owner are those that a directory had before.
    ///
    /// Each step can be undone by looking at the disk only:
    /// - a backup exists: it goes back to `target`, whatever stands there;
    /// - no backup, but the staged file is gone: the step was made where nothing had been, and
    ///   `target` is deleted;
    /// - the staged file is still there: the step was not made.
    enum Op {
        /// The staged file moves to `target`; what is there is first linked to the backup name.
        Place = 1 { target: Vec<u8>, mount: u32, id: u32, },
        /// As `Place`, but the staged file is a link to what stands at a configuration file's place,
        /// and `target` ends in `.rpmsave` or `.rpmorig`. It is made just before [`Record::Begin`] of
        /// the element; without that record the step was not made.
        Keep = 2 { target: Vec<u8>, mount: u32, id: u32, },
        /// What is at `target` moves to the backup name.
        Remove = 3 { target: Vec<u8>, mount: u32, id: u32, },
        /// A directory is made; nothing was there.
        MakeDir = 4 { target: Vec<u8>, },
        /// A directory is removed if it is empty: it moves to the backup name, so that it comes back
        /// with all it had where there is no room for a new one. Without a backup it is recreated.
        RemoveDir = 5 { target: Vec<u8>, mode: u32, uid: u32, gid: u32, mount: u32, id: u32, },
        /// Owner and permissions of a directory change.
        DirOwner = 6 { target: Vec<u8>, mode: u32, uid: u32, gid: u32, },
    }
}

numbered! {
    /// One record.
    enum Record {
        /// The first record: version of the format, and INSTALLTID of the transaction.
        Start = 1 { version: u32, tid: u32, },
        /// Directories that are going to be made for staging, as absolute paths in the root.
        Staging = 2(dirs: Vec<Vec<u8>>),
        /// All file steps of one element. A later record for the same element replaces this one.
        Element = 3 {
            /// Position in the order.
            index: u32,
            nevra: String,
            /// It is installed (or else erased).
            install: bool,
            ops: Vec<Op>,
        },
        /// Everything is staged and on the disk; changes may begin.
        Prepared = 4,
        /// The kept files of this element are linked; its steps begin.
        Begin = 5(index: u32),
        /// A scriptlet ("%pre" and so on) is started.
        ScriptStart = 6 { nevra: String, script: String, },
        /// The scriptlet that was started last is over.
        ScriptEnd = 7 { ok: bool, },
        /// The database is about to be committed.
        Committing = 8 {
            /// NEVRA of the packages that will be there with this transaction's INSTALLTID.
            added: Vec<String>,
            /// Numbers of the records that will be gone afterwards.
            erased: Vec<u32>,
        },
        /// The database is committed: only forward from here. Names the scriptlets still to run.
        Committed = 9 {
            /// "NEVRA %posttrans" and so on.
            scripts: Vec<String>,
        },
        /// Every step was undone and is on the disk: only staging directories are left to delete.
        RolledBack = 10,
    }
}

impl Record {
    /// The body of the record.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(&mut out);
        out
    }

    /// The record of a body; `None` when it is not understood.
    pub(crate) fn decode(mut body: &[u8]) -> Option<Record> {
        let record = Record::read(&mut body)?;
        body.is_empty().then_some(record)
    }
}

/// The target of any step.
macro_rules! target {
    ($op:expr) => {
        match $op {
            Op::Place { target, .. }
            | Op::Keep { target, .. }
            | Op::Remove { target, .. }
            | Op::MakeDir { target }
            | Op::RemoveDir { target, .. }
            | Op::DirOwner { target, .. } => target,
        }
    };
}

impl Op {
    /// The path that the step changes.
    pub(crate) fn target(&self) -> &[u8] {
        target!(self)
    }

    /// The same, to be changed.
    pub(crate) fn target_mut(&mut self) -> &mut Vec<u8> {
        target!(self)
    }

    /// Adds the bytes of the step to others.
    pub(crate) fn append_to(&self, out: &mut Vec<u8>) {
        self.write(out);
    }

    /// Takes a step off the front of bytes; `None` when it is not understood.
    pub(crate) fn take_from(bytes: &mut &[u8]) -> Option<Op> {
        Op::read(bytes)
    }
}

impl RecordPart for u32 {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend(self.to_le_bytes());
    }

    fn read(from: &mut &[u8]) -> Option<u32> {
        let bytes = from.split_off(..4)?;
        Some(u32::from_le_bytes(bytes.try_into().ok()?))
    }
}

impl RecordPart for bool {
    fn write(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }

    fn read(from: &mut &[u8]) -> Option<bool> {
        Some(*from.split_off_first()? != 0)
    }
}

impl RecordPart for Vec<u8> {
    fn write(&self, out: &mut Vec<u8>) {
        // A path or name is far below 4 GiB: MAX_PATH and the header limits see to that.
        (self.len() as u32).write(out);
        out.extend(self);
    }

    fn read(from: &mut &[u8]) -> Option<Vec<u8>> {
        let length = u32::read(from)?;
        Some(from.split_off(..length as usize)?.to_vec())
    }
}

impl RecordPart for String {
    fn write(&self, out: &mut Vec<u8>) {
        (self.len() as u32).write(out);
        out.extend(self.as_bytes());
    }

    fn read(from: &mut &[u8]) -> Option<String> {
        String::from_utf8(Vec::read(from)?).ok()
    }
}

/// What lists are made of.
trait ListPart: RecordPart {
    /// The list stands behind its length; otherwise it goes on to the end of the body.
    const COUNTED: bool;
}

impl ListPart for Vec<u8> {
    const COUNTED: bool = true;
}

impl ListPart for String {
    const COUNTED: bool = true;
}

impl ListPart for u32 {
    const COUNTED: bool = false;
}

impl ListPart for Op {
    const COUNTED: bool = false;
}

impl<T: ListPart> RecordPart for Vec<T> {
    fn write(&self, out: &mut Vec<u8>) {
        if T::COUNTED {
            (self.len() as u32).write(out);
        }
        self.iter().for_each(|item| item.write(out));
    }

    fn read(from: &mut &[u8]) -> Option<Vec<T>> {
        if T::COUNTED {
            return (0..u32::read(from)?).map(|_| T::read(from)).collect();
        }
        let mut items = Vec::new();
        while !from.is_empty() {
            items.push(T::read(from)?);
        }
        Some(items)
    }
}
