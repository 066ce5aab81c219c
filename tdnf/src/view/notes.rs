//! What is said about how words were understood.

use cli_kit::Printer;

use crate::note::{Note, no_same_version, not_found};

/// Says the notes in order: how a word was understood at level info, the rest on stderr.
pub fn show(printer: &Printer, notes: &[Note]) {
    for note in notes {
        let line = line(note);
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

/// A note in words.
pub fn line(note: &Note) -> String {
    match note {
        Note::CaseIgnored(word) => format!("[ignoring case for '{word}']"),
        Note::FileMatch(word) => format!("[using file list match for '{word}']"),
        Note::CapabilityMatch(word) => format!("[using capability match for '{word}']"),
        Note::AlreadyInstalled(name) => format!("Package {name} is already installed."),
        Note::NameExcluded(name) => format!("all packages named {name} are excluded"),
        Note::AllExcluded(word) => format!("all packages that {word} names are excluded"),
        Note::Excluded(word, file) => format!(
            "{word} is excluded (--exclude, or excludepkgs of {})",
            file.display()
        ),
        Note::NoDowngrade(name) => format!("There is no downgrade path for {name}."),
        Note::NotFound(word) => not_found(word),
        Note::NoSameVersion(nevra) => no_same_version(nevra),
    }
}
