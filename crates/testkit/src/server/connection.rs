//! One connection: reads requests, answers them as the script says.

use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::Ordering;
use std::time::Duration;

use percent_encoding::percent_decode_str;

use super::{Answer, Seen, Shared, hold};

pub(super) fn serve(shared: &Shared, stream: TcpStream) {
    let _ = stream.set_nodelay(true);
    let _ = stream.set_read_timeout(Some(Duration::from_secs(60)));
    let Ok(copy) = stream.try_clone() else { return };
    let mut reader = BufReader::new(copy);
    let mut stream = stream;
    while let Some(seen) = read_request(&mut reader) {
        if seen.method == "CONNECT" {
            let login = shared.answer_for("CONNECT").login;
            hold(&shared.seen).push(seen.clone());
            if refused_login(login.as_ref(), &seen, "proxy-authorization") {
                let _ = stream.write_all(b"HTTP/1.1 407 Login\r\nContent-Length: 0\r\n\r\n");
                return;
            }
            let _ = tunnel(stream, &seen.target);
            return;
        }
        let answer = shared.answer_for(&seen.path);
        hold(&shared.seen).push(seen.clone());
        let goes_on = respond(shared, &mut stream, &seen, &answer);
        if answer.reset {
            return; // dropped with zero linger: a reset, no orderly end
        }
        if !matches!(goes_on, Ok(true)) {
            break;
        }
    }
    let _ = stream.shutdown(Shutdown::Both);
}

pub(crate) fn read_request(reader: &mut impl BufRead) -> Option<Seen> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|got| *got > 0)?;
    let mut words = line.split_whitespace();
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|got| *got > 0)?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length = length.and_then(|(_, value)| value.parse().ok());
    let mut body = Vec::new();
    reader
        .take(length.unwrap_or(0))
        .read_to_end(&mut body)
        .ok()?;
    let path = match target.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("/", |at| &rest[at..]),
        None => target.as_str(),
    };
    let path = path.split('?').next().unwrap_or_default().to_owned();
    Some(Seen {
        method,
        path,
        target,
        headers,
        body,
    })
}

fn refused_login(login: Option<&(String, String)>, seen: &Seen, header: &str) -> bool {
    let Some((user, password)) = login else {
        return false;
    };
    let wanted = format!("Basic {}", base64(format!("{user}:{password}").as_bytes()));
    seen.header(header) != Some(wanted.as_str())
}

fn tunnel(client: TcpStream, target: &str) -> io::Result<()> {
    let mut client = client;
    let mut server = TcpStream::connect(target)?;
    client.write_all(b"HTTP/1.1 200 Connected\r\n\r\n")?;
    let (mut up_from, mut up_to) = (client.try_clone()?, server.try_clone()?);
    std::thread::spawn(move || {
        let _ = io::copy(&mut up_from, &mut up_to);
        let _ = up_to.shutdown(Shutdown::Write);
    });
    io::copy(&mut server, &mut client)?;
    client.shutdown(Shutdown::Both)
}

struct Content {
    body: Vec<u8>,
    etag: String,
    modified: String,
}

/// Answers one request; true if the connection may go on.
fn respond(shared: &Shared, out: &mut TcpStream, seen: &Seen, answer: &Answer) -> io::Result<bool> {
    if let Some(delay) = answer.delay {
        std::thread::sleep(delay);
    }
    if let Some(raw) = &answer.raw {
        out.write_all(raw)?;
        return Ok(false);
    }
    let proxied = seen.target.contains("://");
    let header = if proxied {
        "proxy-authorization"
    } else {
        "authorization"
    };
    if refused_login(answer.login.as_ref(), seen, header) {
        let status = if proxied { 407 } else { 401 };
        return send(shared, out, &Answer::status(status), status, &[], &[]);
    }
    let Some(content) = content(shared, seen, answer) else {
        return send(
            shared,
            out,
            answer,
            answer.status.unwrap_or(404),
            b"no such file\n",
            &[],
        );
    };
    let mut headers = Vec::new();
    if answer.etag.as_deref() != Some("") {
        headers.push(("ETag".to_owned(), content.etag.clone()));
        headers.push(("Last-Modified".to_owned(), content.modified.clone()));
    }
    let matches = seen.header("if-none-match") == Some(&content.etag)
        || (seen.header("if-none-match").is_none()
            && seen.header("if-modified-since") == Some(&content.modified));
    if answer.not_modified || (matches && answer.status.is_none()) {
        return send(shared, out, answer, 304, &[], &headers);
    }
    let total = content.body.len();
    let valid = seen
        .header("if-range")
        .is_none_or(|v| v == content.etag || v == content.modified);
    let from = seen
        .header("range")
        .filter(|_| valid && !answer.ignore_range)
        .and_then(asked_range);
    match from {
        Some((from, _)) if from >= total => {
            headers.push(("Content-Range".into(), format!("bytes */{total}")));
            send(shared, out, answer, 416, &[], &headers)
        }
        Some((from, last)) => {
            let from = (from + answer.shift_range as usize).min(total.saturating_sub(1));
            let last = last.unwrap_or(total).clamp(from, total - 1);
            headers.push((
                "Content-Range".into(),
                format!("bytes {from}-{last}/{total}"),
            ));
            let status = answer.status.unwrap_or(206);
            let body = &content.body[from..=last];
            send(shared, out, answer, status, body, &headers)
        }
        None => send(
            shared,
            out,
            answer,
            answer.status.unwrap_or(200),
            &content.body,
            &headers,
        ),
    }
}

/// First byte and, if given, last byte of `bytes=FIRST-LAST`.
fn asked_range(range: &str) -> Option<(usize, Option<usize>)> {
    let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
    Some((first.parse().ok()?, last.parse().ok()))
}

fn content(shared: &Shared, seen: &Seen, answer: &Answer) -> Option<Content> {
    let (body, stamp) = match &answer.body {
        Some(body) => (body.clone(), (0, body.len() as u64)),
        None => {
            let name: Vec<u8> = percent_decode_str(seen.path.trim_start_matches('/')).collect();
            let path = shared.root.join(OsString::from_vec(name));
            let about = std::fs::metadata(&path)
                .ok()
                .filter(|about| about.is_file())?;
            (
                std::fs::read(&path).ok()?,
                (about.mtime(), about.ino() ^ about.mtime_nsec() as u64),
            )
        }
    };
    let honest = format!("\"{:x}-{:x}-{:x}\"", stamp.0, stamp.1, body.len());
    let etag = answer.etag.clone().unwrap_or(honest);
    // Fixed but for the second: tests need a validator, not a calendar.
    let modified = format!("Thu, 01 Jan 2026 00:00:{:02} GMT", stamp.0.rem_euclid(60));
    Some(Content {
        body,
        etag,
        modified,
    })
}

fn send(
    shared: &Shared,
    out: &mut TcpStream,
    answer: &Answer,
    status: u16,
    body: &[u8],
    headers: &[(String, String)],
) -> io::Result<bool> {
    let mut head = format!("HTTP/1.1 {status} Answer\r\n");
    let mut add = |name: &str, value: &str| head.push_str(&format!("{name}: {value}\r\n"));
    for (name, value) in headers.iter().chain(&answer.headers) {
        add(name, value);
    }
    if let Some(location) = &answer.location {
        add("Location", location);
    }
    if let Some(kind) = &answer.content_type {
        add("Content-Type", kind);
    }
    let open_end = answer.no_length || answer.endless;
    if !open_end && status != 304 {
        add(
            "Content-Length",
            &answer.length.unwrap_or(body.len() as u64).to_string(),
        );
    }
    let last = open_end || answer.cut_at.is_some() || answer.reset || answer.length.is_some();
    if last {
        add("Connection", "close");
    }
    head.push_str("\r\n");
    out.write_all(head.as_bytes())?;
    let cut = answer
        .cut_at
        .map_or(body.len(), |at| body.len().min(at as usize));
    send_body(out, answer, &body[..cut])?;
    while answer.endless && !shared.stop.load(Ordering::Relaxed) {
        out.write_all(&[b'x'; 4096])?;
    }
    if answer.reset {
        reset(out);
    }
    Ok(!last)
}

fn send_body(out: &mut TcpStream, answer: &Answer, body: &[u8]) -> io::Result<()> {
    let Some((size, pause)) = answer.pieces else {
        return out.write_all(body);
    };
    for piece in body.chunks(size.max(1)) {
        out.write_all(piece)?;
        std::thread::sleep(pause);
    }
    Ok(())
}

/// Closes with a reset: a zero linger time throws the unsent bytes away.
fn reset(stream: &TcpStream) {
    let _ = socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO));
}

/// Bytes as Base64 has them (RFC 4648).
pub fn base64(data: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for group in data.chunks(3) {
        let bits = group
            .iter()
            .fold(0_u32, |sum, byte| sum << 8 | u32::from(*byte));
        let bits = bits << (8 * (3 - group.len()));
        for at in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * at) & 63) as usize];
            out.push(if at <= group.len() {
                char::from(digit)
            } else {
                '='
            });
        }
    }
    out
}
