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
        /// NEVRA.
        package: &'a str,
    },
    /// The files of a package are being installed; its %pre has run.
    Installing {
        /// NEVRA.
        package: &'a str,
    },
    /// The files of a package are being removed; its %preun has run.
    Erasing {
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
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Warning {
    /// A scriptlet failed after which rpm goes on.
    #[error("{script}({package}) scriptlet failed, {status}")]
    Scriptlet {
        /// NEVRA.
        package: String,
        /// "%post" and so on.
        script: String,
        /// "exit status 1", "signal 9", or why it could not be run.
        status: String,
    },
    /// A user or group of a package is unknown in the root: root owns the file instead.
    #[error("{package}: {owner} does not exist - using root")]
    UnknownOwner {
        /// NEVRA.
        package: String,
        /// "user x" or "group x".
        owner: String,
    },
    /// A line of a package that names a user or group is not understood; it was skipped.
    #[error("{package}: user or group not made, not understood: {line}")]
    Account {
        /// NEVRA.
        package: String,
        /// The line.
        line: String,
    },
    /// A configuration file was kept: the new one stands beside it, or the old one does.
    #[error("{}", config_kept(path, saved_as))]
    ConfigKept {
        /// The path of the file.
        path: String,
        /// The name that was written.
        saved_as: String,
    },
    /// A file step that failed without stopping the transaction.
    #[error("{path}: {reason}")]
    File {
        /// The path in the root.
        path: String,
        /// What happened.
        reason: String,
    },
}

fn config_kept(path: &str, saved_as: &str) -> String {
    let done = match saved_as.ends_with(".rpmnew") {
        true => "created",
        false => "saved",
    };
    format!("{path} {done} as {saved_as}")
}
