//! The access log: a line for each answer, written by a thread of its own. Whatever a client sends stays on its line, and
//! no token stands there: of a request's address the path alone is told.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::task::{Context, Poll};
use std::thread::JoinHandle;
use std::time::Instant;

use chrono::{DateTime, Utc};
use cli_kit::{Printer, counted};
use hyper::body::{Body, Bytes, Frame, SizeHint};
use hyper::header::{HeaderName, REFERER, USER_AGENT};
use hyper::{Request, Response};

use super::answer::{Content, HttpAnswer};
use crate::config::{LogFormat, ServeSection};
use crate::error::{Error, Result};

/// Lines that wait while the disk is slow; more are lost, and counted.
const WAITING: usize = 8192;
/// Most bytes of a path or a header that a line has.
const MAX_WORD: usize = 2048;

/// The log.
pub(super) struct AccessLog {
    format: LogFormat,
    /// None only while the log ends.
    lines: Option<SyncSender<Order>>,
    lost: Arc<AtomicU64>,
    writer: Option<JoinHandle<()>>,
}

enum Order {
    Line(String),
    /// The file may have another name by now: a new one is begun.
    Reopen,
}

impl AccessLog {
    /// As `serve.access_log` says; none where it says nothing.
    pub(super) fn open(section: &ServeSection, printer: &Printer) -> Result<Option<Self>> {
        let Some(path) = section.access_log.clone() else {
            return Ok(None);
        };
        let to = match path.as_os_str() == "-" {
            true => None,
            false => Some((append(&path).map_err(Error::file(&path, "write"))?, path)),
        };
        let (lines, orders) = sync_channel(WAITING);
        let lost = Arc::new(AtomicU64::new(0));
        let (missed, printer) = (Arc::clone(&lost), printer.clone());
        let writer = std::thread::Builder::new()
            .name("access-log".to_owned())
            .spawn(move || match to {
                None => print(&orders, &printer),
                Some((file, path)) => write(&orders, file, &path, &missed, &printer),
            })
            .map_err(Error::file("access log", "start"))?;
        Ok(Some(Self {
            format: section.access_log_format,
            lines: Some(lines),
            lost,
            writer: Some(writer),
        }))
    }

    pub(super) fn reopen(&self) {
        // The thread that reads lives as long as the log.
        let _ = self.lines.as_ref().map(|lines| lines.send(Order::Reopen));
    }

    fn tell(&self, visit: &Visit, status: u16, bytes: u64) {
        let line = match self.format {
            LogFormat::Json => visit.json(status, bytes),
            format => visit.common(status, bytes, format == LogFormat::Combined),
        };
        let sent = self.lines.as_ref().map(|to| to.try_send(Order::Line(line)));
        if let Some(Err(TrySendError::Full(_))) = sent {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Drop for AccessLog {
    /// What waits is written.
    fn drop(&mut self) {
        self.lines = None;
        let _ = self.writer.take().map(JoinHandle::join);
    }
}

fn append(path: &Path) -> io::Result<File> {
    let mut how = File::options();
    how.append(true).create(true).mode(0o640).open(path)
}

fn print(orders: &Receiver<Order>, printer: &Printer) {
    while let Ok(order) = orders.recv() {
        if let Order::Line(line) = order {
            printer.crit(&line);
        }
    }
}

fn write(orders: &Receiver<Order>, file: File, path: &Path, lost: &AtomicU64, printer: &Printer) {
    let mut out = BufWriter::new(file);
    let mut failing = false;
    let mut note = |done: io::Result<()>| {
        if let Err(error) = &done
            && !failing
        {
            let why = cli_kit::plain(io::Error::from(error.kind()));
            let path = path.display();
            printer.err(&format!(
                "warning: {path}: cannot write the access log: {why}"
            ));
        }
        failing = done.is_err();
    };
    while let Ok(first) = orders.recv() {
        let mut next = Some(first);
        while let Some(order) = next {
            match order {
                Order::Line(line) => note(writeln!(out, "{line}")),
                Order::Reopen => match append(path) {
                    Ok(file) => {
                        note(out.flush());
                        out = BufWriter::new(file);
                    }
                    Err(error) => note(Err(error)),
                },
            }
            next = orders.try_recv().ok();
        }
        note(out.flush());
        let missing = lost.swap(0, Ordering::Relaxed);
        if missing > 0 {
            let lines = counted(missing, "line");
            let path = path.display();
            printer.err(&format!(
                "warning: {path}: {lines} of the access log are lost"
            ));
        }
    }
}

/// A request, as far as it is told.
pub(super) struct Visit {
    began: Instant,
    time: DateTime<Utc>,
    from: IpAddr,
    pub(super) user: Option<String>,
    method: String,
    path: String,
    version: String,
    referer: String,
    agent: String,
}

impl Visit {
    pub(super) fn of<B>(request: &Request<B>, from: IpAddr) -> Self {
        let header = |name: HeaderName| {
            let value = request.headers().get(name);
            word(value.map_or(b"".as_slice(), |value| value.as_bytes()))
        };
        Self {
            began: Instant::now(),
            time: Utc::now(),
            from: from.to_canonical(),
            user: None,
            method: word(request.method().as_str().as_bytes()),
            path: word(request.uri().path().as_bytes()),
            version: format!("{:?}", request.version()),
            // Its query may be somebody else's secret.
            referer: header(REFERER)
                .split('?')
                .next()
                .unwrap_or_default()
                .to_owned(),
            agent: header(USER_AGENT),
        }
    }

    fn common(&self, status: u16, bytes: u64, more: bool) -> String {
        let user = self.user.as_ref().map(|user| word(user.as_bytes()));
        // Names with blanks would move the columns.
        let user = user.map_or("-".to_owned(), |user| user.replace(' ', "\\x20"));
        let time = self.time.format("%d/%b/%Y:%H:%M:%S +0000");
        let (from, method, path, version) = (self.from, &self.method, &self.path, &self.version);
        let bytes = match bytes {
            0 => "-".to_owned(),
            some => some.to_string(),
        };
        let mut line =
            format!("{from} - {user} [{time}] \"{method} {path} {version}\" {status} {bytes}");
        if more {
            let or_none = |text: &str| match text {
                "" => "-".to_owned(),
                text => text.to_owned(),
            };
            let (referer, agent) = (or_none(&self.referer), or_none(&self.agent));
            // Writing into a string cannot fail.
            let _ = write!(line, " \"{referer}\" \"{agent}\"");
        }
        line
    }

    fn json(&self, status: u16, bytes: u64) -> String {
        let user = self.user.as_ref().map(|user| word(user.as_bytes()));
        serde_json::json!({
            "time": self.time.format("%Y-%m-%dT%H:%M:%SZ").to_string(),
            "client": self.from.to_string(),
            "user": user,
            "method": self.method,
            "path": self.path,
            "protocol": self.version,
            "status": status,
            "bytes": bytes,
            "milliseconds": u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX),
            "referer": self.referer,
            "agent": self.agent,
        })
        .to_string()
    }
}

/// Bytes from outside as a word between quotes: visible ASCII as it is, anything else as `\xHH`.
fn word(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().min(MAX_WORD));
    for byte in bytes.iter().take(MAX_WORD) {
        match byte {
            b'"' | b'\\' => {
                out.push('\\');
                out.push(char::from(*byte));
            }
            b' '..=b'~' => out.push(char::from(*byte)),
            // Writing into a string cannot fail.
            other => drop(write!(out, "\\x{other:02X}")),
        }
    }
    out
}

/// An answer's body that is told when it ends, however it does.
pub(super) struct Told {
    content: Content,
    sent: u64,
    line: Option<Line>,
}

/// What is told of it.
struct Line {
    log: Arc<AccessLog>,
    visit: Visit,
    status: u16,
}

/// The answer, which will be told if there is a log.
pub(super) fn told(answer: HttpAnswer, to: Option<(Arc<AccessLog>, Visit)>) -> Response<Told> {
    let status = answer.status().as_u16();
    answer.map(|content| Told {
        content,
        sent: 0,
        line: to.map(|(log, visit)| Line { log, visit, status }),
    })
}

impl Body for Told {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<std::result::Result<Frame<Bytes>, io::Error>>> {
        let poll = Pin::new(&mut self.content).poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &poll {
            let bytes = frame.data_ref().map_or(0, Bytes::len);
            self.sent = self.sent.saturating_add(bytes as u64);
        }
        poll
    }

    fn is_end_stream(&self) -> bool {
        self.content.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.content.size_hint()
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        if let Some(line) = self.line.take() {
            line.log.tell(&line.visit, line.status, self.sent);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn visit(path: &str, agent: &[u8]) -> Visit {
        let request = Request::get(path)
            .header(USER_AGENT, agent)
            .header(REFERER, "http://a.example/x?token=t")
            .body(())
            .unwrap();
        Visit::of(&request, "::ffff:192.0.2.7".parse().unwrap())
    }

    #[test]
    fn row_116_a_line_of_the_log_is_one_line_whatever_clients_send() {
        let mut visit = visit("/a%0Ab\"?token=secret", b"x\" \"\\y\xff\t\xc2\x9b2J");
        visit.user = Some("a b\n".to_owned());
        let line = visit.common(200, 5, true);
        assert!(line.starts_with("192.0.2.7 - a\\x20b\\x0A ["), "{line}");
        let end =
            r#"] "GET /a%0Ab\" HTTP/1.1" 200 5 "http://a.example/x" "x\" \"\\y\xFF\x09\xC2\x9B2J""#;
        assert!(line.ends_with(end), "{line}");
        assert!(visit.common(304, 0, false).ends_with(" 304 -"));
        let read: serde_json::Value = serde_json::from_str(&visit.json(404, 0)).unwrap();
        assert_eq!(read["client"], "192.0.2.7");
        assert_eq!(read["path"], r#"/a%0Ab\""#);
        assert_eq!(read["bytes"], 0);
        for line in [line, visit.json(200, 1)] {
            assert!(line.chars().all(|c| (' '..='~').contains(&c)), "{line}");
            assert!(!line.contains("secret") && !line.contains("=t"), "{line}");
        }
        let long = Visit::of(
            &Request::get(format!("/{}", "a".repeat(9000)))
                .body(())
                .unwrap(),
            "192.0.2.7".parse().unwrap(),
        );
        assert!(long.common(404, 0, true).len() < 2200);
    }
}
