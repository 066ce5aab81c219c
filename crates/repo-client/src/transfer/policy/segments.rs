//! Which bytes a server is asked for next.

use std::time::Instant;

use super::{RequestKind, SegmentRequest, hedge, steal};
use crate::transfer::file::{FileStage, WantedFile};
use crate::transfer::host::{Host, Room};
use crate::transfer::ids::{FileId, HostId, SourceId};
use crate::transfer::picture::Picture;
use crate::transfer::segments::Claim;
use crate::transfer::tuning::segments::{
    LASTS, LOOKAHEAD, OPEN, REST_LASTS, SAMPLE, SEGMENT, SOON,
};

/// What a server with room is given.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NextSegment {
    Ask(SegmentRequest),
    /// A file is to be begun; then its first gap goes to the server.
    Begin(FileId),
    Nothing,
}

/// What a server is given now.
pub(crate) fn next(picture: &Picture, host: HostId, now: Instant) -> NextSegment {
    let Some(room) = picture.room(host, now) else {
        return NextSegment::Nothing;
    };
    let unknown = picture.hosts[host].verified == 0;
    if unknown && awaits_verdict(picture, host) {
        return NextSegment::Nothing;
    }
    // A server that has proved nothing yet begins with a file of its own.
    let first = match room {
        Room::Stream => small_at(picture, host, now),
        Room::Connection if unknown => alone_at(picture, host, now),
        Room::Connection => gap_at(picture, host, now),
    };
    if let Some(ask) = first {
        return NextSegment::Ask(ask);
    }
    let more = picture.open.len() < picture.streams.len() + OPEN;
    if let Some(file) = next_file(picture, host, room, now).filter(|_| more) {
        return NextSegment::Begin(file);
    }
    if room == Room::Stream {
        return NextSegment::Nothing;
    }
    let ask = gap_at(picture, host, now)
        .or_else(|| steal::steal(picture, host, now))
        .or_else(|| hedge::hedge(picture, host, now));
    ask.map_or(NextSegment::Nothing, NextSegment::Ask)
}

/// Whether the first bytes of a server are being checked: before, nothing more is asked of it if
/// there are others.
fn awaits_verdict(picture: &Picture, host: HostId) -> bool {
    let brought = |id: &FileId| {
        let file = &picture.files[*id];
        let mut sources = file.map.contributors().into_iter();
        file.stage == FileStage::Checking
            && sources.any(|(source, _)| file.sources[source].host == Some(host))
    };
    picture.hosts.len() > 1 && picture.open.iter().any(brought)
}

fn next_file(picture: &Picture, host: HostId, room: Room, now: Instant) -> Option<FileId> {
    let fits = |id: &&FileId| {
        let file = &picture.files[**id];
        file.source_at(host, now).is_some() && (room == Room::Connection || file.is_small())
    };
    picture.queue.iter().take(LOOKAHEAD).find(fits).copied()
}

fn gap_at(picture: &Picture, host: HostId, now: Instant) -> Option<SegmentRequest> {
    let mut open = picture.open.iter();
    open.find_map(|id| gap_in(picture, *id, host, now))
}

/// A small file that no request is fetching.
fn small_at(picture: &Picture, host: HostId, now: Instant) -> Option<SegmentRequest> {
    let mut open = picture
        .open
        .iter()
        .filter(|id| picture.files[**id].is_small());
    open.find_map(|id| gap_in(picture, *id, host, now))
}

/// A gap in a file that has no bytes of others.
fn alone_at(picture: &Picture, host: HostId, now: Instant) -> Option<SegmentRequest> {
    let alone = |id: &&FileId| {
        let file = &picture.files[**id];
        let source = file.source_at(host, now);
        let brought = file.map.contributors();
        brought.iter().all(|(who, _)| Some(*who) == source)
            && file
                .map
                .claims()
                .iter()
                .all(|claim| Some(claim.source) == source)
    };
    let mut open = picture.open.iter().filter(alone);
    open.find_map(|id| gap_in(picture, *id, host, now))
}

/// The next segment of a file for a server.
pub(crate) fn gap_in(
    picture: &Picture,
    id: FileId,
    host: HostId,
    now: Instant,
) -> Option<SegmentRequest> {
    let file = Some(&picture.files[id]).filter(|file| file.stage == FileStage::Open)?;
    let source = file.source_at(host, now)?;
    let claims = file.map.claims();
    if claims.len() >= picture.limits.connections_per_file.max(1) {
        return None;
    }
    let (from, end) = file.map.gap()?;
    let ask = |from, to, kind| SegmentRequest {
        file: id,
        source,
        host,
        from,
        to,
        kind,
    };
    let whole = from == 0 && claims.is_empty() && file.map.have() == 0;
    if !whole && (picture.hosts[host].no_ranges || !file.may_mix()) {
        // All of it or nothing, and only if nobody else is at it.
        let no_other = |(id, one): (SourceId, &crate::transfer::file::FileSource)| {
            let ranges = |host: HostId| {
                let host = &picture.hosts[host];
                host.is_usable() && !host.no_ranges
            };
            id == source || one.out || !one.host.is_some_and(ranges)
        };
        // What knows no ranges begins anew: only where nobody else goes on.
        let resume = !picture.hosts[host].no_ranges && file.map.contributors() == [(source, from)];
        let alone = claims.is_empty() && (resume || file.sources.iter().all(no_other));
        return alone.then(|| ask(from, end, RequestKind::Gap));
    }
    match look_at(picture, id, source, now) {
        Look::Compare(from) => return Some(ask(from, from + SAMPLE, RequestKind::Sample)),
        Look::Wait => return None,
        Look::Trusted => {}
    }
    let mut to = end;
    if file.may_mix() && !is_soon_there(picture, host, end - from) {
        to = end.min(from.saturating_add(length(picture, file, host)));
    }
    // No crumbs: what would be left is taken along.
    if end.saturating_sub(to) < SEGMENT / 2 {
        to = end;
    }
    Some(ask(from, to, RequestKind::Gap))
}

/// Whether the bytes of a source may be put beside those of others.
enum Look {
    Trusted,
    /// These bytes are to be compared first.
    Compare(u64),
    /// Nothing before it can be compared.
    Wait,
}

fn look_at(picture: &Picture, id: FileId, source: SourceId, now: Instant) -> Look {
    let file = &picture.files[id];
    let done = file.map.done().iter();
    let mut theirs = done.filter(|span| span.source != source).peekable();
    let claims = file.map.claims().iter();
    let mut running = claims.filter(|claim| claim.source != source).peekable();
    let alone = theirs.peek().is_none() && running.peek().is_none();
    // Where nobody else is left to bring it, what is there is judged when all of it is.
    if alone || picture.is_known(file, source) || picture.other(id, source).is_none() {
        return Look::Trusted;
    }
    let mut streams = picture.streams.values();
    if streams.any(|s| s.file == id && s.source == source && s.sample.is_some()) {
        return Look::Wait;
    }
    if let Some(span) = theirs.find(|span| span.to - span.from >= SAMPLE) {
        return Look::Compare(span.from);
    }
    // Nothing to compare with yet; but no waiting for one that may never bring it, however many
    // more requests it gets.
    let young = |host: &Host| host.age(now).as_secs_f64() < REST_LASTS;
    let soon = |claim: &Claim| {
        let host = file.sources[claim.source].host;
        host.is_some_and(|host| young(&picture.hosts[host]))
    };
    if running.any(soon) {
        Look::Wait
    } else {
        Look::Trusted
    }
}

/// Whether one connection brings so many bytes so soon that a second request is not worth its while.
fn is_soon_there(picture: &Picture, host: HostId, size: u64) -> bool {
    let each = each_so_far(picture, host);
    each.map_or(size <= picture.limits.first, |each| {
        size as f64 <= each * SOON
    })
}

/// What a connection brings, as far as it is known.
fn each_so_far(picture: &Picture, host: HostId) -> Option<f64> {
    let so_far = || picture.hosts[host].rate_so_far();
    picture.each(host).or_else(so_far)
}

/// Length of a new segment: some seconds' worth, shorter towards the end.
fn length(picture: &Picture, file: &WantedFile, host: HostId) -> u64 {
    let each = each_so_far(picture, host);
    let rate = each.map_or(picture.limits.first, |rate| (rate * LASTS) as u64);
    let asking = picture.streams.len().max(1);
    // Where there is a file for each connection nobody needs a share of this one.
    if picture.queue.len() > asking {
        return rate.max(SEGMENT);
    }
    let fair = file.map.unclaimed() / (asking as u64 + 1);
    rate.min(fair.max(SEGMENT)).max(SEGMENT)
}

#[cfg(test)]
mod tests;
