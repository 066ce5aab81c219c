//! Every number of the transfer that was chosen, with its reason.
//!
//! Rates are in bytes per second, sizes in bytes; a number of type `f64` whose name tells of time is
//! in seconds.

/// One request and one small file.
pub(crate) mod file {
    use std::time::Duration;

    /// A file up to this size is asked for whole, over a connection shared with others if there is one.
    pub(crate) const SMALL: u64 = 1 << 20;
    /// Rates are over the last one to two of these.
    pub(crate) const WINDOW: Duration = Duration::from_secs(3);
}

/// One server: rests, refusals, shared connections.
pub(crate) mod host {
    use std::time::Duration;

    /// What a server is taken to give before it has been asked, bytes per second.
    pub(crate) const FAIR: u64 = 256 * 1024;
    /// A server whose answers take less is near: waiting for each of many small files takes longer than they do.
    pub(crate) const NEAR: Duration = Duration::from_millis(5);
    /// Small files that are asked of such a one at once before anything is measured.
    pub(crate) const FEW: usize = 4;
    /// First rest after a failure; doubled each time.
    pub(crate) const FIRST_REST: Duration = Duration::from_millis(250);
    /// Longest rest.
    pub(crate) const MAX_REST: Duration = Duration::from_secs(8);
    /// A server that trickles rests as after so many failures in a row.
    pub(crate) const TRICKLED: u32 = 4;
    /// Rest after a refusal that names no time.
    pub(crate) const REFUSAL_REST: Duration = Duration::from_secs(1);
    /// How long a server is assumed to take no more requests than it had when it refused.
    pub(crate) const CAPPED: Duration = Duration::from_secs(60);
    /// Most requests under way over one shared connection (HTTP/2). Servers allow a hundred and more. Those
    /// that are sent together come together; so many that the line is busy while the next are asked for.
    pub(crate) const STREAMS: usize = 64;
    /// Bytes asked for ahead over a shared connection before any rate is known, and how many seconds'
    /// worth afterwards: on a slow one each request would wait for all others.
    pub(crate) const AHEAD: u64 = 512 * 1024;
    pub(crate) const AHEAD_LASTS: f64 = 2.0;
    /// The present rate is over one of these ...
    pub(crate) const LATELY: Duration = Duration::from_millis(500);
    /// ... and the best one is forgotten as slowly as this: one packet lost holds up all that share a
    /// connection, and they go on at once when it has come again.
    pub(crate) const FADES: f64 = 0.9;
}

/// Pieces of files: how long, and when one is taken over.
pub(crate) mod segments {
    /// Smallest segment that is planned.
    pub(crate) const SEGMENT: u64 = 256 * 1024;
    /// A file that one connection brings in so many seconds is one request: more of them cost the server and us more
    /// than they bring, and a file that turns out to last longer is still split by stealing.
    pub(crate) const SOON: f64 = 2.0;
    /// A segment is to last so long, in seconds.
    pub(crate) const LASTS: f64 = 30.0;
    /// Smallest rest that is taken from a slow request at the end, and how long it must last.
    pub(crate) const REST: u64 = 16 * 1024;
    pub(crate) const REST_LASTS: f64 = 2.0;
    /// Silence after which a request is taken for stalled; where packets are lost one of them can hold up the
    /// last bytes for seconds.
    pub(crate) const STALLS: f64 = 2.0;
    pub(crate) const LOSSY_STALLS: f64 = 1.0;
    /// A whole segment's worth is taken from a request that would last so long.
    pub(crate) const STEAL_LASTS: f64 = 0.5;
    /// Bytes that a new source must have in common with another one.
    pub(crate) const SAMPLE: u64 = 32 * 1024;
    /// Files begun at once, beyond one for each connection.
    pub(crate) const OPEN: usize = 64;
    /// Files looked through for one that a server has.
    pub(crate) const LOOKAHEAD: usize = 1000;
    /// Files not begun that are looked at at once for whether anybody is left to bring them.
    pub(crate) const LOOKED_AT: usize = 64;
    /// A request that brings less than this (bytes per second), and less than a fiftieth of what
    /// others bring, is given up.
    pub(crate) const USELESS: f64 = 1024.0;
    pub(crate) const USELESS_SHARE: f64 = 0.02;
}

/// How many connections a server is worth. Times in seconds.
pub(crate) mod probe {
    /// First window: the first answer often comes in a burst.
    pub(crate) const FIRST: f64 = 1.0;
    /// The first window waits so long for a second piece.
    pub(crate) const PATIENCE: f64 = 5.0;
    /// Window of a step up.
    pub(crate) const STEP: f64 = 0.5;
    /// Window for a judgement that stays.
    pub(crate) const LONG: f64 = 2.5;
    /// Time for new connections to get going before a long window.
    pub(crate) const SETTLE: f64 = 0.5;
    /// Windows last this many answers at least, up to so many seconds.
    pub(crate) const ANSWERS: f64 = 4.0;
    pub(crate) const MAX_SLOW: f64 = 3.0;
    /// Answers that take so long are far away: what a step brings shows late.
    pub(crate) const FAR: f64 = 0.05;
    /// There a step up lasts this many answers.
    pub(crate) const FAR_ANSWERS: f64 = 1.0;
    /// ... and no longer than the first window of one that is near.
    pub(crate) const FAR_FIRST: f64 = 0.5;
    /// Where packets are lost connections stall in turn, and those that fill the line in one window do
    /// not in the next: they stay unless all of them bring less than this share of what half did.
    pub(crate) const LOSSY_HELPS: f64 = 0.95;
    /// ... and half of them must do as much, but for this, or they stay.
    pub(crate) const LOSSY_HOLDS: f64 = 1.03;
    /// Pause between trials when all is settled; doubled each time that nothing has changed.
    pub(crate) const REST: f64 = 60.0;
    pub(crate) const MAX_REST: f64 = 600.0;
    /// What a trial adds: one connection, or a fourth of those there are, so that it can be seen.
    pub(crate) const TRIAL: usize = 4;
    /// Doublings that are remembered.
    pub(crate) const LEVELS: usize = 10;
    /// The total must grow by this factor, or a step has not helped.
    pub(crate) const HELPS: f64 = 1.10;
    /// Of the growth that more connections promise, this much must come.
    pub(crate) const SHARE: f64 = 0.25;
    /// This share of a rate is as much.
    pub(crate) const AS_MUCH: f64 = 0.85;
    /// Connections that keep this much of the first one's rate do not disturb each other.
    pub(crate) const ALONE: f64 = 0.7;
}

/// The unfinished file on disk.
pub(crate) mod disk {
    use std::time::Duration;

    /// Stack of a thread, in bytes: it hashes, renames and syncs, its buffers are on the heap.
    pub(crate) const STACK: usize = 256 << 10;
    /// Written down after so many bytes, or so long.
    pub(crate) const NOTE_BYTES: u64 = 16 * 1024;
    pub(crate) const NOTE_AFTER: Duration = Duration::from_millis(2);
    /// The journal is begun so long after the part: what is done in no time needs none, and is one file
    /// less to create and to remove.
    pub(crate) const BEGIN_AFTER: Duration = Duration::from_millis(10);
    /// Synced after so many bytes, or so long.
    pub(crate) const SYNC_BYTES: u64 = 4 << 20;
    pub(crate) const SYNC_AFTER: Duration = Duration::from_secs(10);
    /// The hash of the first bytes is carried on when it is so far behind them, by so much at a time.
    pub(crate) const HASH_BYTES: u64 = 8 << 20;
    pub(crate) const MAX_HASH: u64 = 64 << 20;
    /// Buffer for reading back.
    pub(crate) const BUFFER: usize = 1 << 20;
}

/// Which limit was met.
pub(crate) mod limit {
    use std::time::Duration;

    /// Of our own limit, this much in use means that requests are slow because of it.
    pub(crate) const HELD: f64 = 0.5;
    /// Of our own limit, this much in use means that it is what limits.
    pub(crate) const OWN: f64 = 0.85;
    /// Connections that keep this share of the first one's rate are limited one by one.
    pub(crate) const EACH: f64 = 0.6;
    /// Answers that wait so much longer under load stand in a queue.
    pub(crate) const QUEUE: Duration = Duration::from_millis(20);
    /// ... at low rates, so many packets longer: a few of them are on the line whatever limits it ...
    pub(crate) const QUEUED_PACKETS: f64 = 8.0;
    /// ... and so many times as long: a new connection alone makes it twice.
    pub(crate) const QUEUED: f64 = 2.0;
    /// A full packet, bytes.
    pub(crate) const PACKET: f64 = 1500.0;
    /// No queue is asked to be longer, in seconds.
    pub(crate) const MAX_QUEUE: f64 = 60.0;
    /// Packets out of order, per packet received, that mean loss.
    pub(crate) const LOSS: f64 = 0.002;
    /// Connections that together bring so many times what the first one did help.
    pub(crate) const MORE: f64 = 1.3;
    /// Received packets before that can be told.
    pub(crate) const PACKETS: u64 = 50;
    /// Share of time spent waiting for answers that means that nothing else matters.
    pub(crate) const WAITING: f64 = 0.5;
}

/// The loop.
pub(crate) mod drive {
    use std::time::Duration;

    /// Longest wait between two looks at the clocks.
    pub(crate) const TICK: Duration = Duration::from_millis(100);
    /// A server that brought so many bytes in a run has a rate.
    pub(crate) const RATED: u64 = 256 * 1024;
}

/// Sources of a file asked in turn.
pub(crate) mod turns {
    use std::time::Duration;

    /// A round that brought this many bytes counts as progress and resets the retries.
    pub(crate) const PROGRESS: u64 = 4096;
    /// Extra rounds when no server could even be reached.
    pub(crate) const UNREACHABLE_ROUNDS: u32 = 2;
    /// How soon a file that another process fetches is looked at again.
    pub(crate) const HELD: Duration = Duration::from_millis(100);
    /// First bytes of a file that tell whether it is a web page.
    pub(crate) const HEAD: usize = 1024;
}
