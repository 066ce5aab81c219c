//! Many files at once.

use futures_util::stream::{self, StreamExt};

use crate::client::Client;
use crate::download::download;
use crate::error::{Error, Result};
use crate::event::Observer;
use crate::request::{Fetched, FileRequest};

/// Files fetched at the same time when the caller has no opinion.
pub const DEFAULT_PARALLEL: usize = 4;
/// Most files fetched at the same time.
pub const MAX_PARALLEL: usize = 32;

/// Fetches all files, at most `parallel` at a time (0 means [`DEFAULT_PARALLEL`]; never more than
/// [`MAX_PARALLEL`]), and returns one result for each, in the order of the requests. One failure
/// does not stop the others. Two requests must not share a `dest`.
pub fn fetch(
    client: &Client,
    requests: Vec<FileRequest>,
    parallel: usize,
    observer: &dyn Observer,
) -> Vec<Result<Fetched>> {
    let width = if parallel == 0 {
        DEFAULT_PARALLEL
    } else {
        parallel.min(MAX_PARALLEL)
    };
    let work = stream::iter(requests.iter().enumerate())
        .map(|(at, request)| async move { (at, download(client, request, observer).await) })
        .buffer_unordered(width)
        .collect::<Vec<_>>();
    match client.block_on(work) {
        Ok(mut results) => {
            results.sort_by_key(|(at, _)| *at);
            results.into_iter().map(|(_, result)| result).collect()
        }
        Err(error) => {
            let text = error.to_string();
            requests
                .iter()
                .map(|_| Err(Error::Setup(text.clone())))
                .collect()
        }
    }
}
