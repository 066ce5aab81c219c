//! Files from their servers: the one engine of every transfer.
//!
//! [`Picture`](picture::Picture) is all that is known of a run; policies look at it and say what is to
//! be asked; one driver has the sockets and the disk. [`fetch_all`] spreads each file over all servers
//! that have it; [`fetch`] asks its servers one after the other.
//!
//! | module | what it knows |
//! |---|---|
//! | [`ids`] [`tuning`] | names of files, servers and sources; every number, with its reason |
//! | [`picture`] [`file`] [`host`] [`segments`] | the picture; one file, one server, the map of a file's bytes |
//! | [`policy`] | what is done next: segments, steal, hedge, blame, probe, turns |
//! | [`answers`] | what an answer does to the picture: its bytes, its end, its failure |
//! | [`drive`] | the loop with the sockets and the disk |
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

pub(crate) use ids::{Id, IdTable, SourceId};
pub(crate) use journal::url_key;
pub use limits::{HostReport, POLITE, TransferLimits, TransferSummary};
pub(crate) use policy::turns::{NextTurn, Rounds, Turns};

/// Files fetched at the same time when the caller has no opinion.
pub const DEFAULT_PARALLEL: usize = 4;
/// Most files fetched at the same time.
pub const MAX_PARALLEL: usize = 32;

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
    let how = (Sharing::Spread, limits.clone());
    let observer = Logged(observer);
    let work = drive::transfer(client, requests, how, &observer, &mut take, &stop);
    let mut summary = client.block_on(work)??;
    summary.failed = failed;
    Ok(summary)
}

/// Fetches all files, at most `parallel` at a time (0 means [`DEFAULT_PARALLEL`]; never more than
/// [`MAX_PARALLEL`]), and returns one result for each, in the order of the requests. The servers of a
/// file are asked one after the other, those that failed before last. One failure does not stop the
/// others. Two requests must not share a `dest`.
pub fn fetch(
    client: &Client,
    requests: Vec<FileRequest>,
    parallel: usize,
    observer: &dyn Observer,
) -> Vec<Result<FetchedFile>> {
    let count = requests.len();
    if count == 0 {
        return Vec::new();
    }
    let observer = Logged(observer);
    let work = fetch_in_turn(client, requests, parallel, &observer);
    client.block_on(work).unwrap_or_else(|error| {
        let failed = || Err(Error::Setup(error.to_string()));
        std::iter::repeat_with(failed).take(count).collect()
    })
}

/// [`fetch`], to be waited for with others.
pub(crate) async fn fetch_in_turn(
    client: &Client,
    requests: Vec<FileRequest>,
    parallel: usize,
    observer: &dyn Observer,
) -> Vec<Result<FetchedFile>> {
    let width = match parallel {
        0 => DEFAULT_PARALLEL,
        some => some.min(MAX_PARALLEL),
    };
    let mut results: Vec<Option<Result<FetchedFile>>> = requests.iter().map(|_| None).collect();
    let mut take = |id: FileId, outcome: Result<FetchedFile>| {
        if let Some(slot) = results.get_mut(id.place()) {
            *slot = Some(outcome);
        }
        Ok(())
    };
    let how = (Sharing::Turns { width }, TransferLimits::default());
    let ended = drive::transfer(client, requests, how, observer, &mut take, &|| false).await;
    // A run that ended early has its error told once; the others have only been stopped by it.
    let mut why = ended.err();
    let mut missing = || Err(why.take().unwrap_or(Error::Stopped));
    results
        .into_iter()
        .map(|one| one.unwrap_or_else(&mut missing))
        .collect()
}
