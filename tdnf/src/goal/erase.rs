//! `erase` and `autoremove`.

use rpm_solv::SelectFlags;

use super::matcher::Matcher;
use super::solve::unneeded;
use crate::error::Outcome;
use crate::note::Note;

impl Matcher<'_> {
    /// What `erase WORD...` asks for. Globs are about installed packages.
    pub(super) fn erase(&mut self) -> Outcome<()> {
        self.goal.allow_uninstall = true;
        self.goal.clean_dependencies = self.request.clean_requirements;
        for word in &self.request.words {
            let installed = self.select(word, SelectFlags::INSTALLED)?;
            if !installed.is_empty() {
                for id in installed.solvables() {
                    self.goal.unwant(*id);
                }
                continue;
            }
            // Known, but not installed: there is nothing to do for it.
            let pool = &mut self.packages.pool;
            let known = pool.select(word, SelectFlags::USUAL, true)?;
            match known.is_empty() {
                true => self.not_found(word)?,
                false => self.notes.push(Note::NotInstalled(word.clone())),
            }
        }
        Ok(())
    }

    /// What `autoremove [WORD...]` asks for. Without words: every package that came as a
    /// dependency and that nothing needs any more.
    pub(super) fn autoremove(&mut self) -> Outcome<()> {
        let unneeded = match self.request.words.as_slice() {
            [] => {
                self.goal.if_nothing.push(Note::AllNeeded);
                unneeded(self.request, self.packages)?
            }
            _ => Vec::new(),
        };
        self.erase()?;
        self.goal.clean_dependencies = !self.request.words.is_empty();
        for id in unneeded {
            self.goal.unwant(id);
        }
        Ok(())
    }
}
