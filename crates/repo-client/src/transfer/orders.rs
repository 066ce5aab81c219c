//! Files that several callers order of one run while it goes on: one scheduler for all of them.

use std::cell::RefCell;

use tokio::sync::oneshot;

use super::ids::{FileId, Id};
use crate::error::{Error, Result};
use crate::ranges::Bell;
use crate::request::{FetchedFile, FileRequest};

type Results = Vec<Result<FetchedFile>>;

/// The orders of a run.
#[derive(Default)]
pub(crate) struct Orders {
    bell: Bell,
    book: RefCell<OrderBook>,
}

#[derive(Default)]
struct OrderBook {
    /// Not seen by the run yet.
    waiting: Vec<(Vec<FileRequest>, oneshot::Sender<Results>)>,
    taken: Vec<TakenOrder>,
    /// For each file of the run its order, and its place in that.
    places: Vec<(usize, usize)>,
    closed: bool,
    /// The run has ended: nothing is answered any more.
    over: bool,
}

struct TakenOrder {
    results: Vec<Option<Result<FetchedFile>>>,
    answer: Option<oneshot::Sender<Results>>,
}

impl Orders {
    /// Orders files and waits for them: one result for each, in the order of the requests. Where the run has ended
    /// it is [`Error::Stopped`].
    pub(crate) async fn fetch(&self, requests: Vec<FileRequest>) -> Results {
        let count = requests.len();
        if count == 0 {
            return Vec::new();
        }
        let stopped = || Err(Error::Stopped);
        let (send, receive) = oneshot::channel();
        self.put(requests, send);
        let results = receive.await;
        results.unwrap_or_else(|_| std::iter::repeat_with(stopped).take(count).collect())
    }

    /// A run that is over drops it.
    fn put(&self, requests: Vec<FileRequest>, answer: oneshot::Sender<Results>) {
        let mut book = self.book.borrow_mut();
        if !book.over {
            book.waiting.push((requests, answer));
        }
        self.bell.notify_one();
    }

    /// Nobody orders more.
    pub(crate) fn close(&self) {
        self.book.borrow_mut().closed = true;
        self.bell.notify_one();
    }

    /// The run has ended: who still waits hears of it.
    pub(crate) fn end(&self) {
        let book = &mut *self.book.borrow_mut();
        book.over = true;
        book.waiting.clear();
        book.taken.clear();
    }

    /// Rings at each order.
    pub(crate) fn bell(&self) -> Bell {
        self.bell.clone()
    }

    /// Whether there are orders that the run has not seen.
    pub(crate) fn is_waiting(&self) -> bool {
        !self.book.borrow().waiting.is_empty()
    }

    /// Waits for an order; false if none is to come.
    pub(crate) async fn any(&self) -> bool {
        while !self.is_waiting() {
            if self.book.borrow().closed {
                return false;
            }
            self.bell.notified().await;
        }
        true
    }

    /// What has been ordered since the last call. Its files must be the next ones of the run.
    pub(crate) fn take(&self) -> Vec<FileRequest> {
        let book = &mut *self.book.borrow_mut();
        let mut all = Vec::new();
        for (requests, answer) in std::mem::take(&mut book.waiting) {
            let order = book.taken.len();
            let places = (0..requests.len()).map(|place| (order, place));
            book.places.extend(places);
            book.taken.push(TakenOrder {
                results: requests.iter().map(|_| None).collect(),
                answer: Some(answer),
            });
            all.extend(requests);
        }
        all
    }

    /// A file has come, or cannot be had: who ordered it hears of it with the last file of the order.
    pub(crate) fn answer(&self, file: FileId, result: Result<FetchedFile>) {
        let book = &mut *self.book.borrow_mut();
        let Some((order, place)) = book.places.get(file.place()) else {
            return;
        };
        let Some(order) = book.taken.get_mut(*order) else {
            return;
        };
        if let Some(slot) = order.results.get_mut(*place) {
            *slot = Some(result);
        }
        if order.results.iter().all(Option::is_some)
            && let Some(answer) = order.answer.take()
        {
            // Who ordered it may have gone.
            let _ = answer.send(order.results.drain(..).flatten().collect());
        }
    }
}
