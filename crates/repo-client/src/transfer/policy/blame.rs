//! Who brought wrong bytes.
//!
//! The metadata have one digest for the whole file, so a wrong segment cannot be seen by itself.
//! Three rules keep the price of a mirror with wrong bytes low:
//! 1. a server that has not yet brought a file that turned out right begins with a file of its
//!    own; if there is none, with a short sample of what another one has brought, and the two must agree;
//! 2. a file that is wrong is fetched again only as far as the least trusted source brought it,
//!    from the others; if it is right then, that source is a liar and not asked again in this run;
//! 3. if that leads nowhere, one source at a time is asked for all of it.

use crate::transfer::file::{FileSource, Sample, WantedFile};
use crate::transfer::ids::{FileId, SourceId};
use crate::transfer::picture::Picture;
use crate::transfer::segments::SourcedSpan;

/// What a sample shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sampled {
    /// The source has the same bytes as others.
    Same,
    /// It has other bytes than this one.
    Differs(SourceId),
    /// What it was to be compared with is gone.
    Nothing,
}

/// Compares a sample with what is there.
pub(crate) fn compare(file: &WantedFile, sample: &Sample, there: Option<&[u8]>) -> Sampled {
    let holds = |span: &&SourcedSpan| span.from <= sample.from && span.to > sample.from;
    let Some(other) = file.map.done().iter().find(holds) else {
        return Sampled::Nothing;
    };
    if there.is_some_and(|there| sample.data.starts_with(there)) {
        Sampled::Same
    } else {
        Sampled::Differs(other.source)
    }
}

/// Whether two sources differ from a third: then it is the third that is left out.
pub(crate) fn is_outvoted(file: &WantedFile, source: SourceId) -> bool {
    let against = |one: &&FileSource| one.suspect && one.differs == Some(source);
    !file.sources[source].suspect && file.sources.rows().iter().filter(against).count() >= 2
}

/// What follows from a whole file that is not what it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Blame {
    /// What an earlier run left may have been damaged since: all of it once more before blaming.
    Again,
    /// This source brought all of it.
    Lied(SourceId),
    /// The least trusted one: the file without its bytes.
    LeaveOut(SourceId),
    /// No source has brought anything.
    Nobody,
}

/// Judges a file with the wrong digest.
pub(crate) fn judge(picture: &Picture, id: FileId) -> Blame {
    let file = &picture.files[id];
    let mut brought = file.map.contributors();
    if let [(only, _)] = brought[..] {
        return if file.kept {
            Blame::Again
        } else {
            Blame::Lied(only)
        };
    }
    // The least trusted first: nothing verified, then the fewest bytes.
    let trust = |source: SourceId| {
        let host = file.sources[source].host;
        host.map_or(0, |host| picture.hosts[host].verified)
    };
    brought.sort_by_key(|(source, bytes)| (trust(*source), *bytes));
    let least = brought.first();
    least.map_or(Blame::Nobody, |(source, _)| Blame::LeaveOut(*source))
}

/// Whether a server that brought wrong bytes is not asked again at all: one that was right before may
/// have one bad file, and the only one there is has to be asked for the other files in any case.
pub(crate) fn is_liar(picture: &Picture, id: FileId, source: SourceId) -> bool {
    let file = &picture.files[id];
    let Some(host) = file.sources[source].host else {
        return false;
    };
    let mut others = file.sources.iter().filter(|(other, _)| *other != source);
    picture.hosts[host].verified == 0
        && others.any(|(_, one)| {
            let other = one.host.filter(|other| !one.out && *other != host);
            other.is_some_and(|other| picture.hosts[other].is_usable())
        })
}

#[cfg(test)]
mod tests;
