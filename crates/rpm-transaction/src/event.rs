//! What a transaction tells while it runs.

/// Receives the events of a transaction.
pub trait TransactionObserver {
    /// Something happened. Called in the order of the transaction, from its thread.
    fn event(&mut self, event: Event<'_>);
}

/// An observer that hears nothing.
impl TransactionObserver for () {
    fn event(&mut self, _: Event<'_>) {}
}

/// One thing that happened.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// The checks begin; nothing has changed yet.
    Checking,
    /// The payload of a package is being unpacked beside its target.
    Staging {
        /// Position, from 1.
        position: usize,
        /// How many packages are installed in all.
        total: usize,
        /// NEVRA.
        package: &'a str,
    },
    /// The files of a package are being installed; its %pre has run.
    Installing {
        /// Position among all elements, from 1.
        position: usize,
        /// How many elements there are.
        total: usize,
        /// NEVRA.
        package: &'a str,
    },
    /// The files of a package are being removed; its %preun has run.
    Erasing {
        /// Position among all elements, from 1.
        position: usize,
        /// How many elements there are.
        total: usize,
        /// NEVRA.
        package: &'a str,
    },
    /// A scriptlet is about to run.
    ScriptStarted {
        /// NEVRA.
        package: &'a str,
        /// "%pre" and so on.
        script: &'a str,
    },
    /// A scriptlet wrote something.
    ScriptOutput {
        /// NEVRA.
        package: &'a str,
        /// "%pre" and so on.
        script: &'a str,
        /// Where to.
        stream: ScriptStream,
        /// What, unchanged.
        bytes: &'a [u8],
    },
    /// Something went wrong that does not stop the transaction.
    Warning(&'a Warning),
    /// The commit point is reached: from here on there is no way back.
    Committing,
    /// An error or a request to stop: the old system is being restored.
    RollingBack,
}

/// The two streams of a scriptlet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScriptStream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// Something that went wrong but did not stop the transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Warning {
    /// A scriptlet failed after which rpm goes on.
    Scriptlet {
        /// NEVRA.
        package: String,
        /// "%post" and so on.
        script: String,
        /// "exit status 1", "signal 9", or why it could not be run.
        status: String,
    },
    /// A user or group of a package is unknown in the root: root owns the file instead.
    UnknownOwner {
        /// NEVRA.
        package: String,
        /// "user x" or "group x".
        owner: String,
    },
    /// A line of a package that names a user or group is not understood; it was skipped.
    Account {
        /// NEVRA.
        package: String,
        /// The line.
        line: String,
    },
    /// A configuration file was kept: the new one stands beside it, or the old one does.
    ConfigKept {
        /// The path of the file.
        path: String,
        /// The name that was written.
        saved_as: String,
    },
    /// A file step that failed without stopping the transaction.
    File {
        /// The path in the root.
        path: String,
        /// What happened.
        reason: String,
    },
}

impl std::fmt::Display for Warning {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Warning::Scriptlet {
                package,
                script,
                status,
            } => {
                write!(f, "{script}({package}) scriptlet failed, {status}")
            }
            Warning::UnknownOwner { package, owner } => {
                write!(f, "{package}: {owner} does not exist - using root")
            }
            Warning::Account { package, line } => {
                write!(
                    f,
                    "{package}: user or group not made, not understood: {line}"
                )
            }
            Warning::ConfigKept { path, saved_as } if saved_as.ends_with(".rpmnew") => {
                write!(f, "{path} created as {saved_as}")
            }
            Warning::ConfigKept { path, saved_as } => write!(f, "{path} saved as {saved_as}"),
            Warning::File { path, reason } => write!(f, "{path}: {reason}"),
        }
    }
}
