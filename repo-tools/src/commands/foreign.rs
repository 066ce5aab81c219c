//! What createrepo_c, mergerepo_c, modifyrepo_c and sqliterepo_c know and is not done here: it is refused with the
//! reason.

use clap::error::{ContextKind, ContextValue, ErrorKind};

const ZCHUNK: &str = "zchunk is not written";
const DELTA_PACKAGES: &str = "delta packages are not made";
const KOJI: &str = "the rules of Koji are not known here";

/// Command, option, and why it is not taken.
const REFUSED: [(&str, &str, &str); 15] = [
    (
        "createrepo",
        "--split",
        "media of several volumes are not made",
    ),
    ("createrepo", "--zck", ZCHUNK),
    ("createrepo", "--zck-dict-dir", ZCHUNK),
    ("createrepo", "--oldpackagedirs", DELTA_PACKAGES),
    ("createrepo", "--num-deltas", DELTA_PACKAGES),
    ("createrepo", "--max-delta-rpm-size", DELTA_PACKAGES),
    ("mergerepo", "--zck", ZCHUNK),
    ("mergerepo", "--zck-dict-dir", ZCHUNK),
    ("mergerepo", "--koji", KOJI),
    ("mergerepo", "--simple", KOJI),
    ("mergerepo", "--pkgorigins", KOJI),
    ("mergerepo", "--blocked", KOJI),
    (
        "mergerepo",
        "--noarch-repo",
        "give the repository first, with --method repo",
    ),
    ("modifyrepo", "--zck", ZCHUNK),
    ("modifyrepo", "--zck-dict-dir", ZCHUNK),
];

/// The long form of options of one letter.
const LETTERS: [(&str, &str); 2] = [("-k", "--koji"), ("-b", "--blocked")];

/// Why a word is not taken under the name of createrepo_c that has another meaning here.
pub(super) fn other_meaning(command: &str, word: &str) -> Option<String> {
    let is_deltas = command == "createrepo" && word == "--deltas";
    is_deltas.then(|| format!("{word}: {DELTA_PACKAGES}"))
}

/// Why an option of these programs is not taken, if `error` is about one.
pub(super) fn reason(command: Option<&str>, error: &clap::Error) -> Option<String> {
    if error.kind() != ErrorKind::UnknownArgument {
        return None;
    }
    let Some(ContextValue::String(word)) = error.get(ContextKind::InvalidArg) else {
        return None;
    };
    let mut letters = LETTERS.iter();
    let long = letters.find_map(|(letter, long)| (letter == word).then_some(*long));
    let long = long.unwrap_or(word);
    let mut known = REFUSED.iter();
    let found = known.find(|(of, option, _)| Some(*of) == command && *option == long);
    found.map(|(_, _, why)| format!("{word}: {why}"))
}
