//! Which limit was met, told from what was measured.

use std::time::{Duration, Instant};

use crate::event::LimitKind;
use crate::transfer::file::WantedFile;
use crate::transfer::ids::HostId;
use crate::transfer::picture::Picture;
use crate::transfer::tuning::limit::{
    EACH, HELD, MAX_QUEUE, MORE, OWN, PACKET, QUEUE, QUEUED, QUEUED_PACKETS, WAITING,
};

/// Bytes per second of all servers together.
fn total(picture: &Picture) -> f64 {
    let rate = |host| picture.probe.standing(host).rate;
    picture.hosts.ids().map(rate).sum()
}

/// Whether the configured limit over everything is what limits.
pub(crate) fn own_is_reached(picture: &Picture) -> bool {
    let global = picture.limits.global_bps;
    global.is_some_and(|own| total(picture) >= OWN * own as f64)
}

/// Whether it is we who hold back what comes of a file. Then nothing is asked for a second time: what is cut off has been
/// sent, and is paid for, all the same.
pub(crate) fn is_held_back(picture: &Picture, file: &WantedFile, now: Instant) -> bool {
    let (limits, throttle) = (&picture.limits, file.request.access.throttle);
    let ours = (throttle > 0).then_some(throttle);
    let ours = [limits.global_bps, limits.per_host_bps, ours]
        .into_iter()
        .flatten()
        .min();
    let rates = picture
        .streams
        .values()
        .filter_map(|stream| stream.rate(now));
    ours.is_some_and(|ours| rates.sum::<f64>() >= HELD * ours as f64)
}

/// What limits a server; `lossy` if packets are lost on the way.
pub(crate) fn limit_of(picture: &Picture, at: HostId, lossy: bool) -> LimitKind {
    let total = total(picture);
    let standing = picture.probe.standing(at);
    let host = &picture.hosts[at];
    if host.bytes == 0 {
        return LimitKind::Unknown;
    }
    let near = |own: Option<u64>, rate: f64| own.filter(|own| rate >= OWN * *own as f64);
    if let Some(bps) =
        near(picture.limits.global_bps, total).or(near(picture.limits.per_host_bps, standing.rate))
    {
        return LimitKind::Own { bps };
    }
    // What limits can be told only where more than one connection was tried.
    if standing.rate <= 0.0 || standing.alone.is_none() || standing.tried < 2 {
        return LimitKind::Unknown;
    }
    let bps = standing.rate as u64;
    let connections = standing.measured;
    let each = bps / connections.max(1) as u64;
    if host.waiting_share() > WAITING && !host.is_multiplexed() {
        let answer = host.fastest.unwrap_or_default();
        return LimitKind::Latency {
            answer,
            connections,
        };
    }
    if !picture.probe.has_settled() {
        return LimitKind::Unknown;
    }
    let (alone, loaded) = (host.fastest.unwrap_or_default(), host.answers_loaded());
    let packets = QUEUED_PACKETS * PACKET / standing.rate;
    let least = QUEUE.max(Duration::from_secs_f64(packets.min(MAX_QUEUE)));
    // A full line loses packets, too; but there more connections do not bring more.
    let more = standing
        .alone
        .is_some_and(|alone| standing.rate >= MORE * alone);
    if connections > 1 && lossy && more && !standing.fewer_did() {
        return LimitKind::Loss {
            bps: each,
            connections,
        };
    }
    if connections > 1 && standing.share() >= EACH {
        return LimitKind::PerConnection {
            bps: each,
            connections,
        };
    }
    if loaded.is_some_and(|loaded| loaded > alone.mul_f64(QUEUED) + least) {
        LimitKind::FullLink { bps }
    } else {
        LimitKind::PerClient { bps }
    }
}
