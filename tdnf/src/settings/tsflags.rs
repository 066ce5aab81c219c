//! `tsflags`: what a transaction leaves out.

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
    /// Reads the words of `tsflags`. An unknown one has no effect, as in tdnf, but is mentioned.
    pub(super) fn of(words: &[String], warnings: &mut Vec<String>) -> Self {
        let mut flags = Self::default();
        for word in words {
            match flags.flag(word) {
                Some(flag) => *flag = true,
                None => warnings.push(format!("tsflags: unknown flag '{word}'")),
            }
        }
        flags
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
