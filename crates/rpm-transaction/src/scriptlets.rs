//! Scriptlets and triggers that are to run, each written down as started and as done.

use super::Options;
use super::element::{Runs, Script, ScriptKind};
use super::error::TransactionError;
use super::event::Warning;
use super::log::Log;
use super::progress::Progress;
use super::root::RootDir;
use super::scripts::{BodyFile, Call, Ended, Runner};

/// Bit 2 of a script's flags: a failure is an error whatever the type.
const CRITICAL: u32 = 4;

/// One scriptlet or trigger that is to run.
pub(crate) struct Scriptlet {
    /// The package that has it.
    pub nevra: String,
    /// rpm's name of the kind.
    pub label: &'static str,
    /// A failure stops the transaction.
    pub fatal: bool,
    /// What to run.
    pub script: Script,
    /// `$1` and, if there is one, `$2`.
    pub arguments: Vec<i64>,
    /// What it reads.
    pub input: Vec<u8>,
}

impl Scriptlet {
    /// The scriptlet of an element, if the kind is one of what is done with it and it has one. `$1`
    /// is the number of packages of that name plus `by`.
    pub(crate) fn of_element(
        progress: &Progress<'_>,
        index: usize,
        kind: ScriptKind,
        by: i64,
    ) -> Result<Option<Scriptlet>, TransactionError> {
        let element = progress.elements().get(index);
        let Some(element) = element.filter(|e| e.is_install() == kind.is_of_install()) else {
            return Ok(None);
        };
        let Some(script) = kind.of(&element.package.header) else {
            return Ok(None);
        };
        Ok(Some(Scriptlet {
            nevra: element.package.nevra.clone(),
            label: kind.label(),
            fatal: kind.fatal(),
            script,
            arguments: vec![progress.count(&element.package.name)? + by],
            input: Vec::new(),
        }))
    }

    /// Runs it. A failure that stops nothing is a warning.
    pub(crate) fn run(
        self,
        root: &RootDir,
        options: &Options<'_>,
        log: &mut Log<'_>,
    ) -> Result<(), TransactionError> {
        if self.script.needs_expansion() {
            // Only of a package that another program installed: ours are refused.
            let status = "not run: its macros cannot be expanded".to_owned();
            return self.failed(log, status, self.fatal);
        }
        let body = BodyFile::choose(root, &options.state_dir, self.script.body.as_deref());
        log.script_starts(&self.nevra, self.label)?;
        let runner = Runner {
            root,
            program: &options.runner,
            environment: &options.environment,
        };
        let call = Call {
            package: &self.nevra,
            script: self.label,
            program: &self.script.program,
            body: self.script.body.as_deref(),
            arguments: &self.arguments,
            input: &self.input,
            prefixes: &self.script.prefixes,
        };
        let ended = match runner.run(&call, &body, log.observer()) {
            Err(error) if log.is_committed() => Ended::Badly(error.to_string()),
            other => other?,
        };
        log.script_ends(ended == Ended::Well)?;
        match ended {
            Ended::Well => Ok(()),
            Ended::Badly(status) => {
                self.failed(log, status, self.fatal || self.script.flags & CRITICAL != 0)
            }
        }
    }

    fn failed(
        &self,
        log: &mut Log<'_>,
        status: String,
        fatal: bool,
    ) -> Result<(), TransactionError> {
        let (package, script) = (self.nevra.clone(), self.label.to_owned());
        if fatal {
            return Err(TransactionError::Scriptlet {
                package,
                script,
                status,
            });
        }
        log.warn(Warning::Scriptlet {
            package,
            script,
            status,
        });
        Ok(())
    }
}
