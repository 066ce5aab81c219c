//! `tsflags`: what a transaction leaves out.

use crate::error::{Failure, Outcome};

/// Flags of rpm that C tdnf and dnf pass on to it and that mean nothing here, and why.
const INERT: [(&str, &str); 6] = [
    (
        "allfiles",
        "files are chosen as rpm chooses them without it",
    ),
    (
        "deploops",
        "loops of dependencies are said where they matter",
    ),
    ("noplugins", "there are no plugins of rpm"),
    ("nocrypto", "signatures are switched off by --nogpgcheck"),
    ("nomd5", "digests of files are always checked"),
    ("nofiledigest", "digests of files are always checked"),
];

/// The flags of a run. C tdnf knows the first two; the others have rpm's and dnf's names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TsFlags {
    /// `noscripts`: no scriptlet and no trigger.
    pub no_scripts: bool,
    /// `nodocs`: no `%doc` files.
    pub no_docs: bool,
    /// `notriggers`: no trigger.
    pub no_triggers: bool,
    /// `nocaps`: no file capabilities.
    pub no_caps: bool,
    /// `nocontexts`: no SELinux labels.
    pub no_contexts: bool,
    /// `justdb`: the database alone.
    pub just_db: bool,
    /// `test`: checks alone, as `--testonly`.
    pub test: bool,
}

impl TsFlags {
    /// Reads the words of `tsflags`. One that has no effect is mentioned.
    ///
    /// Errors: an unknown one, as a transaction is not what was meant without it.
    pub(super) fn of(words: &[String], warnings: &mut Vec<String>) -> Outcome<Self> {
        let mut flags = Self::default();
        for word in words {
            match (
                flags.flag(word),
                INERT.iter().find(|(inert, _)| inert == word),
            ) {
                (Some(flag), _) => *flag = true,
                (None, Some((_, why))) => {
                    warnings.push(format!("tsflags: {word} has no effect: {why}"));
                }
                (None, None) => {
                    return Err(Failure::invalid(format!("tsflags: unknown flag '{word}'")));
                }
            }
        }
        Ok(flags)
    }

    fn flag(&mut self, word: &str) -> Option<&mut bool> {
        Some(match word {
            "noscripts" => &mut self.no_scripts,
            "nodocs" => &mut self.no_docs,
            "notriggers" => &mut self.no_triggers,
            "nocaps" => &mut self.no_caps,
            "nocontexts" => &mut self.no_contexts,
            "justdb" => &mut self.just_db,
            "test" => &mut self.test,
            _ => return None,
        })
    }
}
