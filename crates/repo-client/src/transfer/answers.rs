//! What an answer does to the picture: where its bytes go, and what follows when it ends or fails.

use std::time::{Duration, Instant};

use super::disk::PartsOnDisk;
use super::file::{FileStage, WantedFile};
use super::host::Host;
use super::ids::{FileId, SourceId};
use super::picture::Picture;
use super::policy::blame::{self, Blame, Sampled};
use super::policy::turns::NextTurn;
use crate::error::{Cause, Error, Result};
use crate::html::looks_like_html;
use crate::ranges::{Answer, RangeId};
use rpm_pkg::digest::Digest;

/// What is to be done outside of the picture.
#[derive(Debug)]
pub(crate) enum Act {
    /// Nothing more is to come of a request that is over.
    Stop(RangeId),
    /// A request is to be taken as failed.
    Fail(RangeId, Cause),
    /// A source failed for a file: who listens is told.
    Tell(FileId, SourceId, Cause),
    /// Bytes from here on do not count any more.
    Dropped(FileId, u64),
    /// A source's validator is to be written down.
    Learned(FileId, SourceId),
    /// All bytes are there.
    Check(FileId),
    /// What was there before the run is wrong.
    Anew(FileId),
    /// A source rests, and there is no other one of the file; after so many failures in a row it is given up.
    Rest(FileId, SourceId, u32),
    GiveUp(FileId, Error),
}

pub(crate) fn opened(picture: &mut Picture, id: RangeId, answer: Answer) -> Result<Vec<Act>> {
    let stream = picture.stream(id)?;
    let shared = stream.shared;
    // It tells whether its server lets requests share a connection.
    stream.shared = shared.filter(|_| answer.multiplexed);
    let (at, source, ranged, loaded) = (stream.file, stream.source, stream.ranged, stream.loaded);
    let host = stream.host;
    let host = &mut picture.hosts[host];
    if let Some(size) = shared {
        host.tells(answer.multiplexed, size);
    }
    host.answered(answer.waited, loaded);
    let file = &mut picture.files[at];
    if let Some(cause) = wrong_size(file, &answer) {
        return Ok(vec![Act::Fail(id, cause)]);
    }
    let one = &mut file.sources[source];
    // Asked with If-Range, all of a changed file comes: no sign that it knows no ranges.
    let changed = one.validator.is_some() && one.validator != answer.validator;
    let mut acts = Vec::new();
    if answer.validator.is_some() && one.validator != answer.validator {
        one.validator = answer.validator;
        acts.push(Act::Learned(at, source));
    }
    if let Some(total) = answer.total.filter(|_| file.request.size.is_none()) {
        file.map.set_size(total);
    }
    if ranged && !answer.partial && answer.from == 0 {
        acts.extend(whole_instead(picture, id, changed)?);
    }
    Ok(acts)
}

/// Why the announced size cannot be right: another version of the file, older or newer than the
/// metadata, or more than may be.
fn wrong_size(file: &WantedFile, answer: &Answer) -> Option<Cause> {
    let got = answer.total?;
    match file.request.size {
        // A page in place of the file: let the body tell.
        Some(_) if answer.page && answer.from == 0 => None,
        Some(expected) => (got != expected).then_some(Cause::Size { got, expected }),
        None => {
            let limit = file.request.max_size;
            (got > limit).then_some(Cause::TooLarge { limit })
        }
    }
}

/// A server sends the whole file though a part of it was asked for.
fn whole_instead(picture: &mut Picture, id: RangeId, changed: bool) -> Result<Vec<Act>> {
    let stream = picture.stream(id)?;
    let (at, host, sampling) = (stream.file, stream.host, stream.sample.is_some());
    picture.hosts[host].no_ranges |= !changed;
    let hosts = &picture.hosts;
    let file = &mut picture.files[at];
    let from_start = file.map.claim_of(id).is_some_and(|claim| claim.at == 0);
    let alone = file.map.claims().len() == 1 && !sampling;
    if from_start && !sampling {
        // What was asked for comes first; without anybody else at it, take all the rest, too.
        if alone {
            file.map.replace(id, 0, u64::MAX);
        }
        return Ok(Vec::new());
    }
    let ranges = |host: &Host| host.is_usable() && !host.no_ranges;
    let others = file.turns.is_none()
        && file.sources.rows().iter().any(|one| {
            let other = one.host.filter(|other| one.is_open() && *other != host);
            other.is_some_and(|other| ranges(&hosts[other]))
        });
    if !alone || others {
        // A file that is another one each time would be asked for without end.
        if changed {
            let why = "all of another file came for a part".to_owned();
            return Ok(vec![Act::Fail(id, Cause::Range(why))]);
        }
        picture.over(id, Instant::now());
        return Ok(vec![Act::Stop(id)]);
    }
    // The only one there is: all of it, from the beginning, in one stream.
    file.drop_all();
    file.map.replace(id, 0, u64::MAX);
    Ok(vec![Act::Dropped(at, 0)])
}

/// Bytes came.
pub(crate) fn data(
    picture: &mut Picture,
    disk: &mut PartsOnDisk,
    id: RangeId,
    data: &[u8],
) -> Result<Vec<Act>> {
    let now = Instant::now();
    let length = data.len() as u64;
    let stream = picture.stream(id)?;
    stream.gave(length, now);
    let (at, source, host) = (stream.file, stream.source, stream.host);
    if let Some(sample) = &mut stream.sample {
        sample.data.extend_from_slice(data);
    }
    let full = stream.sample.as_ref().map(|s| s.data.len() >= s.length);
    picture.hosts[host].gave(length, now);
    let file = &mut picture.files[at];
    file.received += length;
    // All of it is there already: what an answer brings beyond that is nobody's.
    if file.stage != FileStage::Open {
        picture.over(id, now);
        return Ok(vec![Act::Stop(id)]);
    }
    match full {
        Some(true) => return sampled(picture, disk, id, now),
        Some(false) => return Ok(Vec::new()),
        None => {}
    }
    let arrived = file.map.arrived(id, length);
    let arrived = arrived.ok_or(Error::Fault("bytes arrived that were not requested"))?;
    disk.write(at, file, &arrived, data, now)?;
    file.gained(source);
    let turn = file.turns.is_some();
    let limit = file.request.size.unwrap_or(file.request.max_size);
    let open_end = file.map.size() == u64::MAX && file.map.have() > limit;
    if open_end || turn && arrived.length < length {
        return Ok(vec![Act::Fail(id, Cause::TooLarge { limit })]);
    }
    let mut acts = Vec::new();
    // A shortened claim ends before its answer does; a whole answer ends by itself, and its
    // connection is kept.
    if arrived.over && arrived.length < length {
        picture.over(id, now);
        acts.push(Act::Stop(id));
    }
    // Where one source has its turn its answer has to end well, too.
    if !turn && picture.files[at].map.is_whole() {
        acts.push(Act::Check(at));
    }
    Ok(acts)
}

/// An answer ended as announced.
pub(crate) fn ended(picture: &mut Picture, id: RangeId) -> Result<Vec<Act>> {
    let stream = picture.stream(id)?;
    let (at, sampling) = (stream.file, stream.sample.is_some());
    let file = &mut picture.files[at];
    if let Some(claim) = file.map.claim_of(id) {
        if file.map.size() == u64::MAX {
            file.map.set_size(claim.at);
        } else if claim.at < claim.to && !sampling {
            let (got, expected) = (claim.at, claim.to);
            return Ok(vec![Act::Fail(id, Cause::Truncated { got, expected })]);
        }
    }
    picture.over(id, Instant::now());
    let whole = picture.files[at].map.is_whole();
    Ok(whole.then_some(Act::Check(at)).into_iter().collect())
}

pub(crate) fn failed(
    picture: &mut Picture,
    disk: &mut PartsOnDisk,
    id: RangeId,
    cause: Cause,
    retry: Option<Duration>,
) -> Result<Vec<Act>> {
    let now = Instant::now();
    let stream = picture.stream(id)?;
    let (at, source, host) = (stream.file, stream.source, stream.host);
    let (progress, ranged) = (stream.bytes > 0, stream.ranged);
    picture.over(id, now);
    let mut acts = vec![Act::Stop(id)];
    if picture.files[at].turns.is_some() {
        let more = matches!(cause, Cause::TooLarge { .. });
        if picture.files[at].map.is_whole() && !more {
            acts.push(Act::Check(at));
        } else if ranged && matches!(cause, Cause::Range(_)) {
            // It misunderstood: from the beginning.
            picture.files[at].drop_all();
            acts.push(Act::Dropped(at, 0));
        } else {
            picture.hosts[host].errors += 1;
            acts.extend(turn_failed(picture, disk, at, source, cause, retry));
        }
        return Ok(acts);
    }
    let limit = picture.files[at].retries();
    let file = &mut picture.files[at];
    let dropped = match &cause {
        // None of it can be part of the file.
        Cause::TooLarge { .. } => file.forget(source),
        // Nobody knows how long the file is, and what is there may be too much: from the beginning.
        Cause::Range(_) if file.map.size() == u64::MAX => {
            file.drop_all();
            Some(0)
        }
        _ => None,
    };
    acts.extend(dropped.map(|from| Act::Dropped(at, from)));
    let mut rest = None;
    let (host_state, one) = (
        &mut picture.hosts[host],
        &mut picture.files[at].sources[source],
    );
    match &cause {
        Cause::Stopped => return Err(Error::Stopped),
        Cause::Status(429 | 503)
        | Cause::Refused {
            status: 429 | 503, ..
        } => {
            if host_state.refused(now, retry) {
                picture.probe.refused(host, host_state.cap);
                return Ok(acts);
            }
            one.failed(cause.clone(), now, limit);
            if let Some(wait) = retry {
                one.rests(now + wait);
            }
            let goes_on = one.is_open();
            rest = (goes_on && picture.other(at, source).is_none())
                .then_some(Act::Rest(at, source, limit));
        }
        Cause::Range(_) if !host_state.no_ranges => {
            // It may still send whole files.
            host_state.no_ranges = true;
            host_state.errors += 1;
            return Ok(acts);
        }
        passing if passing.is_passing() && progress => {
            // A break with progress: once more, soon.
            host_state.errors += 1;
            one.failed(cause.clone(), now, limit);
        }
        passing if passing.is_passing() => {
            let most = match picture.limits.unreachable {
                Some(most) if cause.is_unreachable() && host_state.bytes == 0 => limit.min(most),
                _ => limit,
            };
            // One failure of a server is one, however many connections tell it.
            if host_state.is_ready(now) {
                host_state.failed(now, &cause, most);
            }
            one.failed(cause.clone(), now, limit);
            let others =
                picture.limits.unreachable.is_some() && picture.other(at, source).is_some();
            picture.hosts[host].left_out |= others && cause.is_unreachable();
            if !others && !picture.hosts[host].dead {
                rest = Some(Act::Rest(at, source, most));
            }
        }
        Cause::Tls { .. } | Cause::ProxyLogin(_) => {
            host_state.failed(now, &cause, 0);
            one.failed(cause.clone(), now, 0);
        }
        _ => {
            host_state.errors += 1;
            one.failed(cause.clone(), now, 0);
        }
    }
    acts.push(Act::Tell(at, source, cause));
    acts.extend(rest);
    Ok(acts)
}

fn drop_wrong(picture: &mut Picture, at: FileId) -> Act {
    picture.files[at].drop_wrong();
    Act::Dropped(at, 0)
}

/// A source whose turn it was has failed: what cannot be part of the file goes.
pub(crate) fn turn_failed(
    picture: &mut Picture,
    disk: &mut PartsOnDisk,
    at: FileId,
    source: SourceId,
    cause: Cause,
    retry: Option<Duration>,
) -> Vec<Act> {
    let doubtful = matches!(
        cause,
        Cause::Truncated { .. } | Cause::TooLarge { .. } | Cause::Digest { .. }
    );
    let cause = if doubtful && looks_like_html(&disk.head(at)) {
        Cause::Html
    } else {
        cause
    };
    let mut acts = Vec::new();
    if matches!(
        cause,
        Cause::Html | Cause::TooLarge { .. } | Cause::Digest { .. }
    ) {
        acts.push(drop_wrong(picture, at));
    }
    if let Some(turns) = &mut picture.files[at].turns {
        turns.failed(source, cause.clone(), retry);
    }
    acts.push(Act::Tell(at, source, cause));
    acts
}

/// A sample has come: the source agrees with the others, or is left out of this file.
fn sampled(
    picture: &mut Picture,
    disk: &mut PartsOnDisk,
    id: RangeId,
    now: Instant,
) -> Result<Vec<Act>> {
    let stream = picture.stream(id)?;
    let (at, source) = (stream.file, stream.source);
    let sample = stream.sample.take();
    let sample = sample.ok_or(Error::Fault("a request that is no sample brought one"))?;
    picture.over(id, now);
    let mut acts = vec![Act::Stop(id)];
    let there = disk.part(at)?.read_at(sample.from, sample.length);
    let file = &mut picture.files[at];
    match blame::compare(file, &sample, there.as_deref()) {
        Sampled::Nothing => {}
        Sampled::Same => file.sources[source].sampled = true,
        Sampled::Differs(other) => {
            let cause = Cause::Broken("its bytes differ from those of another source".into());
            let one = &mut file.sources[source];
            one.differs = Some(other);
            one.doubted(cause.clone());
            acts.push(Act::Tell(at, source, cause));
            if blame::is_outvoted(file, other) {
                acts.extend(outvoted(picture, at, other, now));
            }
        }
    }
    Ok(acts)
}

/// A source is left out, and those that differed from it are taken in again.
fn outvoted(picture: &mut Picture, at: FileId, source: SourceId, now: Instant) -> Vec<Act> {
    let file = &mut picture.files[at];
    let cause = Cause::Broken("its bytes differ from those of two other sources".into());
    for one in file.sources.rows_mut() {
        if one.differs == Some(source) {
            (one.suspect, one.differs) = (false, None);
        }
    }
    file.sources[source].doubted(cause.clone());
    let claims = file.map.claims().iter();
    let running: Vec<RangeId> = claims
        .filter(|claim| claim.source == source)
        .map(|claim| claim.key)
        .collect();
    let mut acts = forget(file, at, source);
    for id in running {
        picture.over(id, now);
        acts.push(Act::Stop(id));
    }
    acts.push(Act::Tell(at, source, cause));
    acts
}

fn forget(file: &mut WantedFile, at: FileId, source: SourceId) -> Vec<Act> {
    let from = file.forget(source).into_iter();
    from.map(|from| Act::Dropped(at, from)).collect()
}

/// A whole file is not what it should be.
pub(crate) fn mismatch(
    picture: &mut Picture,
    disk: &mut PartsOnDisk,
    at: FileId,
    found: &Digest,
) -> Vec<Act> {
    let file = &mut picture.files[at];
    file.stage = FileStage::Open;
    if !disk.has(at) {
        return vec![Act::Anew(at)];
    }
    let wanted = file.request.digest.map(|digest| digest.to_string());
    let cause = match looks_like_html(&disk.head(at)) {
        true => Cause::Html,
        false => Cause::Digest {
            got: found.to_string(),
            expected: wanted.unwrap_or_default(),
        },
    };
    if let Some(turns) = &file.turns {
        let kept = file.kept;
        return match turns.next() {
            // What we kept may have been another content: once more, from zero.
            _ if kept => vec![drop_wrong(picture, at)],
            NextTurn::Ask(source) => turn_failed(picture, disk, at, source, cause, None),
            _ => vec![Act::GiveUp(at, file.hopeless())],
        };
    }
    let verdict = blame::judge(picture, at);
    let label = picture.files[at].request.label.as_str();
    tracing::debug!(label, %cause, ?verdict, "a whole file is wrong");
    match verdict {
        Blame::Again => vec![drop_wrong(picture, at)],
        Blame::Lied(source) => {
            let dropped = drop_wrong(picture, at);
            let mut acts = lied(picture, at, source, cause);
            acts.insert(0, dropped);
            acts
        }
        Blame::LeaveOut(source) => {
            let file = &mut picture.files[at];
            file.sources[source].doubted(cause);
            forget(file, at, source)
        }
        Blame::Nobody => vec![Act::GiveUp(at, picture.files[at].hopeless())],
    }
}

/// A file is right: the sources that brought it are trusted, and those left out of it for being different
/// was wrong.
pub(crate) fn right(picture: &mut Picture, at: FileId) -> Vec<Act> {
    for (source, bytes) in picture.files[at].map.contributors() {
        if let Some(host) = picture.files[at].sources[source].host {
            picture.hosts[host].verified += bytes;
        }
    }
    let file = &picture.files[at];
    let suspects = file.sources.iter().filter(|(_, one)| one.suspect);
    let wrong: Vec<(SourceId, Option<Cause>)> =
        suspects.map(|(id, one)| (id, one.last.clone())).collect();
    let mut acts = Vec::new();
    for (source, last) in wrong {
        let cause = last.unwrap_or(Cause::Broken("its bytes were wrong".into()));
        acts.extend(lied(picture, at, source, cause));
    }
    acts
}

/// A source is known to have brought wrong bytes.
fn lied(picture: &mut Picture, at: FileId, source: SourceId, cause: Cause) -> Vec<Act> {
    let one = &mut picture.files[at].sources[source];
    one.out = true;
    one.last = Some(cause.clone());
    let Some(host) = one.host else {
        return Vec::new();
    };
    let liar = blame::is_liar(picture, at, source);
    let host = &mut picture.hosts[host];
    host.errors += 1;
    host.liar |= liar;
    host.verified = 0;
    tracing::info!(host = host.name, never_again = liar, %cause, "blamed for wrong bytes");
    vec![Act::Tell(at, source, cause)]
}

/// A file for which no source is left: servers that were left out are asked again, else suspects, each alone; none
/// if there are none.
pub(crate) fn second_chance(picture: &mut Picture, at: FileId) -> Option<Vec<Act>> {
    let hosts = &mut picture.hosts;
    let file = &mut picture.files[at];
    let open = file.sources.rows().iter().filter(|one| one.is_open());
    let mut back = false;
    for host in open.filter_map(|one| one.host) {
        back |= hosts[host].come_back();
    }
    if back {
        return Some(Vec::new());
    }
    let mut any = false;
    for one in file.sources.rows_mut().iter_mut().filter(|one| one.suspect) {
        one.suspect = false;
        any |= !one.out && one.host.is_some_and(|host| hosts[host].is_usable());
    }
    file.solo |= any;
    any.then(|| vec![drop_wrong(picture, at)])
}
