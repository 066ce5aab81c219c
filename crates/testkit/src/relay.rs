//! A TCP relay on loopback: what a slow, capped or failing line does to connections.
//!
//! Plain threads, two per connection. Everything it passes on is counted, so that bytes that were sent
//! twice are seen.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What the line gives, in bytes per second towards the client.
#[derive(Debug, Clone, Copy, Default)]
pub struct Line {
    /// To all connections together: a limit per client.
    pub total: Option<u64>,
    /// To each connection.
    pub each: Option<u64>,
}

/// Time that a bucket may be behind.
const CREDIT: Duration = Duration::from_millis(200);

struct Shared {
    to: SocketAddr,
    line: Line,
    stop: AtomicBool,
    refuse: AtomicBool,
    /// Connections from before the last freeze carry nothing any more.
    frozen: AtomicUsize,
    next: AtomicUsize,
    bytes: AtomicU64,
    open: AtomicUsize,
    most: AtomicUsize,
    bucket: Mutex<Option<Instant>>,
    streams: Mutex<Vec<TcpStream>>,
    /// Answers to requests that begin so are lost; empty: none.
    lost: Mutex<String>,
}

/// The running relay; dropping it ends it and its connections.
pub struct Relay {
    address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Relay {
    /// Relays a free port of 127.0.0.1 to a port there.
    pub fn start(port: u16, line: Line) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port on loopback");
        let address = listener.local_addr().expect("address of the listener");
        let shared = Arc::new(Shared {
            to: SocketAddr::from(([127, 0, 0, 1], port)),
            line,
            stop: AtomicBool::new(false),
            refuse: AtomicBool::new(false),
            frozen: AtomicUsize::new(0),
            next: AtomicUsize::new(0),
            bytes: AtomicU64::new(0),
            open: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
            bucket: Mutex::new(None),
            streams: Mutex::default(),
            lost: Mutex::default(),
        });
        let ours = Arc::clone(&shared);
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if ours.stop.load(Ordering::Relaxed) {
                    break;
                }
                if ours.refuse.load(Ordering::Relaxed) {
                    reset(&stream);
                    continue;
                }
                let each = Arc::clone(&ours);
                std::thread::spawn(move || {
                    let _ = each.connection(stream);
                });
            }
        });
        Self {
            address,
            shared,
            thread: Some(thread),
        }
    }

    /// `http://127.0.0.1:PORT` + `path` (which begins with `/`).
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Its port of 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// From now on HTTP requests that begin so reach the server, and their connections end instead of an answer; empty: none.
    pub fn lose_answers(&self, start: &str) {
        start.clone_into(&mut lock(&self.shared.lost));
    }

    /// Bytes passed on to clients.
    pub fn bytes(&self) -> u64 {
        self.shared.bytes.load(Ordering::Relaxed)
    }

    /// Connections open now.
    pub fn open(&self) -> usize {
        self.shared.open.load(Ordering::Relaxed)
    }

    /// Most connections open at once.
    pub fn most(&self) -> usize {
        self.shared.most.load(Ordering::Relaxed)
    }

    /// Resets every connection.
    pub fn reset_all(&self) {
        let mut all = lock(&self.shared.streams);
        for stream in all.drain(..) {
            reset(&stream);
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Every connection stays open and brings nothing any more; new ones work.
    pub fn freeze_all(&self) {
        let next = self.shared.next.load(Ordering::Relaxed);
        self.shared.frozen.store(next, Ordering::Relaxed);
    }

    /// From now on connections are refused, or not.
    pub fn refuse(&self, refuse: bool) {
        self.shared.refuse.store(refuse, Ordering::Relaxed);
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        self.reset_all();
        // Wakes the listener out of accept().
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn reset(stream: &TcpStream) {
    let _ = socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO));
}

impl Shared {
    fn connection(self: &Arc<Self>, client: TcpStream) -> std::io::Result<()> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let server = TcpStream::connect(self.to)?;
        let _ = client.set_nodelay(true);
        lock(&self.streams).push(client.try_clone()?);
        let now = self.open.fetch_add(1, Ordering::Relaxed) + 1;
        self.most.fetch_max(now, Ordering::Relaxed);
        let (from, to) = (client.try_clone()?, server.try_clone()?);
        let (shared, is_lost) = (Arc::clone(self), Arc::new(AtomicBool::new(false)));
        let lost = Arc::clone(&is_lost);
        std::thread::spawn(move || {
            let _ = shared.up(from, &to, &lost);
            let _ = to.shutdown(Shutdown::Both);
        });
        let outcome = self.down(server, &client, number, &is_lost);
        self.open.fetch_sub(1, Ordering::Relaxed);
        let _ = client.shutdown(Shutdown::Both);
        outcome
    }

    fn up(
        &self,
        mut client: TcpStream,
        mut server: &TcpStream,
        is_lost: &AtomicBool,
    ) -> std::io::Result<()> {
        let mut buffer = vec![0; 65_536];
        loop {
            let got = client.read(&mut buffer)?;
            if got == 0 {
                return Ok(());
            }
            let start = lock(&self.lost).clone();
            if !start.is_empty() && buffer[..got].starts_with(start.as_bytes()) {
                is_lost.store(true, Ordering::SeqCst);
            }
            server.write_all(&buffer[..got])?;
        }
    }

    fn down(
        &self,
        mut server: TcpStream,
        mut client: &TcpStream,
        number: usize,
        is_lost: &AtomicBool,
    ) -> std::io::Result<()> {
        let slowest = self.line.total.into_iter().chain(self.line.each).min();
        let piece = slowest.map_or(65_536, |rate| (rate / 200).clamp(16, 16_384));
        let mut buffer = vec![0; usize::try_from(piece).unwrap_or(4096)];
        let own = Mutex::new(None);
        loop {
            let got = server.read(&mut buffer)?;
            if got == 0 {
                return Ok(());
            }
            // The interim answer that a body is waited for is none.
            if is_lost.load(Ordering::SeqCst) && !buffer.starts_with(b"HTTP/1.1 100") {
                return Ok(());
            }
            pay(&own, self.line.each, got);
            pay(&self.bucket, self.line.total, got);
            while self.frozen.load(Ordering::Relaxed) > number {
                if self.stop.load(Ordering::Relaxed) {
                    return Ok(());
                }
                std::thread::sleep(Duration::from_millis(50));
            }
            client.write_all(&buffer[..got])?;
            self.bytes.fetch_add(got as u64, Ordering::Relaxed);
        }
    }
}

/// Waits until the bucket has `bytes`.
fn pay(bucket: &Mutex<Option<Instant>>, rate: Option<u64>, bytes: usize) {
    let Some(rate) = rate else { return };
    let cost = Duration::from_secs_f64(bytes as f64 / rate as f64);
    let until = {
        let mut free = lock(bucket);
        let now = Instant::now();
        // A machine that is late may catch up a little, as a real bucket lets it.
        let earliest = now.checked_sub(CREDIT).unwrap_or(now);
        let next = free.unwrap_or(now).max(earliest) + cost;
        *free = Some(next);
        next
    };
    std::thread::sleep(until.saturating_duration_since(Instant::now()));
}
