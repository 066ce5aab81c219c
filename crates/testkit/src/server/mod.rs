//! An HTTP/1.1 server on loopback that serves a folder and misbehaves as it is told, path by path.
//!
//! Plain threads, one per connection. Also a proxy: absolute request targets are answered from the same folder,
//! `CONNECT` opens a real tunnel. Everything that was asked is recorded.

mod answer;
mod connection;

use std::collections::{HashMap, VecDeque};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use answer::Answer;
pub use connection::base64;
pub(crate) use connection::read_request;

/// One request as it came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Method.
    pub method: String,
    /// Path without query; for a proxied request the path of its URL.
    pub path: String,
    /// Target as sent (absolute for a proxied request).
    pub target: String,
    /// Header names in lower case with their values.
    pub headers: Vec<(String, String)>,
    /// Body, where its length was said.
    pub body: Vec<u8>,
}

impl Seen {
    /// The first header of that (lower case) name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }
}

#[derive(Default)]
struct Script {
    once: VecDeque<Answer>,
    always: Option<Answer>,
}

struct Shared {
    root: PathBuf,
    stop: AtomicBool,
    scripts: Mutex<HashMap<String, Script>>,
    seen: Mutex<Vec<Seen>>,
}

fn hold<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The running server; dropping it stops it.
pub struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Server {
    /// Serves `root` on a free port of 127.0.0.1.
    pub fn start(root: &Path) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port on loopback");
        let address = listener.local_addr().expect("address of the listener");
        let shared = Arc::new(Shared {
            root: root.to_owned(),
            stop: AtomicBool::new(false),
            scripts: Mutex::default(),
            seen: Mutex::default(),
        });
        let ours = Arc::clone(&shared);
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if ours.stop.load(Ordering::Relaxed) {
                    break;
                }
                let each = Arc::clone(&ours);
                std::thread::spawn(move || connection::serve(&each, stream));
            }
        });
        Self {
            address,
            shared,
            thread: Some(thread),
        }
    }

    /// Port.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// `http://127.0.0.1:PORT` + `path` (which begins with `/`).
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// From now on every request for `path` is answered so.
    pub fn always(&self, path: &str, answer: Answer) {
        hold(&self.shared.scripts)
            .entry(path.to_owned())
            .or_default()
            .always = Some(answer);
    }

    /// The next requests for `path` are answered so, one each, in this order; then as before.
    pub fn next(&self, path: &str, answers: impl IntoIterator<Item = Answer>) {
        hold(&self.shared.scripts)
            .entry(path.to_owned())
            .or_default()
            .once
            .extend(answers);
    }

    /// Back to good behaviour everywhere.
    pub fn behave(&self) {
        hold(&self.shared.scripts).clear();
    }

    /// All requests so far.
    pub fn seen(&self) -> Vec<Seen> {
        hold(&self.shared.seen).clone()
    }

    /// Requests for one path so far.
    pub fn seen_at(&self, path: &str) -> Vec<Seen> {
        self.seen()
            .into_iter()
            .filter(|seen| seen.path == path)
            .collect()
    }

    /// Forgets the requests so far.
    pub fn forget(&self) {
        hold(&self.shared.seen).clear();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        // Wakes the listener out of accept().
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn answer_for(&self, path: &str) -> Answer {
        let mut scripts = hold(&self.scripts);
        let Some(script) = scripts.get_mut(path) else {
            return Answer::default();
        };
        script
            .once
            .pop_front()
            .or_else(|| script.always.clone())
            .unwrap_or_default()
    }
}
