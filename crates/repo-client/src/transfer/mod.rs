//! Files from their servers: the one engine of every transfer.
//!
//! [`Picture`](picture::Picture) is all that is known of a run; policies look at it and say what is to
//! be asked; one driver has the sockets and the disk. Each file is spread over all servers that have it, but for
//! files without a digest in [`fetch`]: those come from one server at a time.
//!
//! | module | what it knows |
//! |---|---|
//! | [`ids`] [`tuning`] | names of files, servers and sources; every number, with its reason |
//! | [`picture`] [`file`] [`host`] [`segments`] | the picture; one file, one server, the map of a file's bytes |
//! | [`policy`] | what is done next: segments, steal, hedge, blame, probe, turns |
//! | [`answers`] | what an answer does to the picture: its bytes, its end, its failure |
//! | [`drive`] [`orders`] | the loop with the sockets and the disk; files ordered of it while it goes on |
//! | [`disk`] [`part`] [`journal`] [`finish`] | the unfinished file on disk, and what takes the disk's time |
//! | [`limits`] [`watch`] [`loss`] | what is asked and told; what is measured meanwhile; whether packets are lost |

mod answers;
mod disk;
mod drive;
mod file;
mod finish;
mod host;
mod ids;
mod journal;
mod limits;
mod loss;
mod orders;
mod part;
mod picture;
mod policy;
mod segments;
mod tuning;
mod watch;

use std::sync::atomic::{AtomicBool, Ordering};

use crate::client::Client;
use crate::error::{Error, Result};
use crate::event::{Logged, Observer};
use crate::request::{FetchedFile, FileRequest};
use drive::Sharing;
use ids::FileId;

pub(crate) use drive::serve;
pub(crate) use ids::{Id, IdTable, SourceId};
pub(crate) use journal::url_key;
pub use limits::{HostReport, POLITE, TransferLimits, TransferSummary};
pub(crate) use orders::Orders;
pub(crate) use policy::turns::{NextTurn, Pause, Rounds, Turns};

/// Files without a digest that are fetched at the same time.
const DEFAULT_PARALLEL: usize = 4;

/// Gets all files, each from all of its servers at once where that helps; each goes to `sink` as soon
/// as it is whole, checked and under its name ([`FileRequest::dest`]). A file that cannot be had does
/// not stop the others: it stands in [`Summary::failed`].
///
/// # Errors
/// [`Error::Stopped`] when `interrupt` became true (a second call goes on where this one
/// stopped), [`Error::Sink`] when the sink refused, [`Error::Setup`] when no network could be
/// set up, [`Error::Io`] when a part could not be written.
pub fn fetch_all(
    client: &Client,
    requests: Vec<FileRequest>,
    limits: &TransferLimits,
    observer: &dyn Observer,
    sink: &mut dyn FnMut(FetchedFile) -> Result<()>,
    interrupt: &AtomicBool,
) -> Result<TransferSummary> {
    let labels: Vec<String> = requests.iter().map(|one| one.label.clone()).collect();
    let mut failed = Vec::new();
    let mut take = |id: FileId, outcome: Result<FetchedFile>| match outcome {
        Ok(done) => sink(done),
        Err(error) => {
            failed.push((labels.get(id.place()).cloned().unwrap_or_default(), error));
            Ok(())
        }
    };
    let stop = || interrupt.load(Ordering::Relaxed);
    let how = (Sharing::Spread { each: false }, limits.clone());
    let observer = Logged(observer);
    let work = drive::transfer(client, requests, how, &observer, &mut take, &stop);
    let mut summary = client.block_on(work)??;
    summary.failed = failed;
    Ok(summary)
}

/// Fetches all files and returns one result for each, in the order of the requests. One failure does not stop the
/// others. Two requests must not share a `dest`. Files without a digest, whose pieces could not be told to fit, come
/// whole, [`DEFAULT_PARALLEL`] at a time, from one server after the other, those that failed before last.
pub fn fetch(
    client: &Client,
    requests: Vec<FileRequest>,
    limits: &TransferLimits,
    observer: &dyn Observer,
) -> Vec<Result<FetchedFile>> {
    fetch_each(client, requests, limits, observer, &mut |_, _| {})
}

/// The same; `seen` is told of each file (with its place among the requests) as soon as it is there.
pub fn fetch_each(
    client: &Client,
    requests: Vec<FileRequest>,
    limits: &TransferLimits,
    observer: &dyn Observer,
    seen: &mut dyn FnMut(usize, &FetchedFile),
) -> Vec<Result<FetchedFile>> {
    let count = requests.len();
    if count == 0 {
        return Vec::new();
    }
    let mut results: Vec<Option<Result<FetchedFile>>> = requests.iter().map(|_| None).collect();
    let mut take = |id: FileId, outcome: Result<FetchedFile>| {
        if let Ok(file) = &outcome {
            seen(id.place(), file);
        }
        if let Some(slot) = results.get_mut(id.place()) {
            *slot = Some(outcome);
        }
        Ok(())
    };
    let spread = requests.iter().all(|request| request.digest.is_some());
    let width = DEFAULT_PARALLEL.min(limits.connections.max(1));
    let sharing = match spread {
        true => Sharing::Spread { each: true },
        false => Sharing::Turns { width },
    };
    let how = (sharing, limits.clone());
    let observer = Logged(observer);
    // Where sources have their turns a request under way ends by itself.
    let stop = || spread && client.stopped();
    let work = drive::transfer(client, requests, how, &observer, &mut take, &stop);
    let ended = client.block_on(work).and_then(|ended| ended);
    // A run that ended early has its error told once; the others have only been stopped by it.
    let mut why = ended.err();
    let mut missing = || Err(why.take().unwrap_or(Error::Stopped));
    results
        .into_iter()
        .map(|one| one.unwrap_or_else(&mut missing))
        .collect()
}
