//! Many files from many mirrors.
//!
//! [`fetch_all`] is the one scheduler of a run: it gets every file of every repository. Transport is
//! [`crate::Ranges`]; here is the policy.
//!
//! | module | what it knows |
//! |---|---|
//! | [`wanted`] [`error`] | what is asked, told and answered |
//! | [`run`] | the loop: who is told what came, and the clocks |
//! | [`answers`] | what an answer does: its bytes, its end, its failure |
//! | [`outcome`] | what happens to a file: begun, whole, checked, handed over, given up |
//! | [`plan`] | who is asked for what next: segments, stealing, hedging |
//! | [`probe`] | how many connections a server is worth |
//! | [`words`] | which limit was met |
//! | [`blame`] | who brought wrong bytes |
//! | [`host`] [`file`] [`segments`] | one server; one file; the map of its bytes |
//! | [`part`] [`journal`] [`finish`] | the unfinished file on disk, and what takes the disk's time |

mod answers;
mod blame;
mod error;
mod file;
mod finish;
mod host;
mod journal;
mod outcome;
mod part;
mod plan;
mod probe;
mod run;
mod segments;
mod wanted;
mod words;

use std::sync::atomic::AtomicBool;

use crate::client::Client;

pub use error::{Error, Result};
pub use wanted::{
    Event, Fetched, HostReport, LimitKind, Limits, Observer, POLITE, Silent, Summary, Wanted,
};

/// Gets all files; each goes to `sink` as soon as it is whole, checked and under its name
/// ([`Wanted::partial`]); whoever keeps it syncs it (the store does so for all at once). A file that cannot be had does not stop the others: it stands in
/// [`Summary::failed`].
///
/// # Errors
/// [`Error::Stopped`] when `interrupt` became true (a second call goes on where this one
/// stopped), [`Error::Sink`] when the sink refused, [`Error::Client`] when no network could be
/// set up or a URL is none, [`Error::Io`] when a part could not be written.
pub fn fetch_all(
    client: &Client,
    wanted: Vec<Wanted>,
    limits: &Limits,
    observer: &dyn Observer,
    sink: &mut dyn FnMut(Fetched) -> Result<()>,
    interrupt: &AtomicBool,
) -> Result<Summary> {
    run::Run::new(client, wanted, limits, observer, sink)?.run(interrupt)
}
