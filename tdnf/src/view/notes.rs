//! What is said about how words were understood.

use crate::note::Note;
use crate::screen::Screen;
use crate::typed::told;

/// Says the notes in order: how a word was understood at level info, the rest on stderr.
pub fn show(printer: &Screen, notes: &[Note]) {
    for note in notes {
        let line = told(&note.to_string());
        printer.note(&line);
        match is_info(note) {
            true => printer.info(&line),
            false => printer.err(&line),
        }
    }
}

fn is_info(note: &Note) -> bool {
    use Note::{CapabilityMatch, CaseIgnored, FileMatch, NameExcluded};
    matches!(
        note,
        CaseIgnored(_) | FileMatch(_) | CapabilityMatch(_) | NameExcluded(_)
    )
}
