//! Many files from many mirrors.
//!
//! [`fetch_all`] is the one scheduler of a run: it gets every file of every repository.

mod error;
mod wanted;

use std::sync::atomic::{AtomicBool, Ordering};

use repo_client::{Client, FileRequest, fetch};

pub use error::{Error, Result};
pub use wanted::{
    Event, Fetched, HostReport, LimitKind, Limits, Observer, POLITE, Silent, Summary, Wanted,
};

/// Gets all files; each goes to `sink` as soon as it is whole and checked. A file that cannot be
/// had does not stop the others: it stands in [`Summary::failed`].
///
/// # Errors
/// [`Error::Stopped`] when `interrupt` became true (a second call goes on where this one
/// stopped), [`Error::Sink`] when the sink refused, [`Error::Client`] when no network could be set up.
pub fn fetch_all(
    client: &Client,
    wanted: Vec<Wanted>,
    limits: &Limits,
    observer: &dyn Observer,
    sink: &mut dyn FnMut(Fetched) -> Result<()>,
    interrupt: &AtomicBool,
) -> Result<Summary> {
    let mut summary = Summary::default();
    let mut queue = wanted;
    queue.sort_by_key(|one| one.priority);
    for batch in queue.chunks(limits.connections_per_host.max(1)) {
        if interrupt.load(Ordering::Relaxed) {
            return Err(Error::Stopped);
        }
        let requests = batch.iter().map(request).collect();
        let results = fetch(
            client,
            requests,
            limits.connections_per_host,
            &repo_client::Silent,
        );
        for (one, result) in batch.iter().zip(results) {
            match result {
                Ok(done) => {
                    summary.files += 1;
                    summary.bytes = summary.bytes.saturating_add(done.transferred);
                    let (id, bytes) = (one.id.as_str(), done.size);
                    observer.event(&Event::Done { id, bytes });
                    sink(Fetched {
                        id: one.id.clone(),
                        path: done.path,
                        size: done.size,
                        bytes_received: done.transferred,
                    })?;
                }
                Err(error) => {
                    let (id, error) = (one.id.clone(), Error::Client(error));
                    let (name, why) = (id.as_str(), &error);
                    observer.event(&Event::Failed {
                        id: name,
                        error: why,
                    });
                    summary.failed.push((id, error));
                }
            }
        }
    }
    Ok(summary)
}

fn request(one: &Wanted) -> FileRequest {
    FileRequest {
        access: one.access.clone(),
        size: one.size,
        digest: one.digest,
        ..FileRequest::new(&one.id, one.sources.clone(), &one.partial)
    }
}
