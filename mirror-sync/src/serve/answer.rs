//! Files as answers: validators, conditions, ranges (RFC 9110), and a body that is read as it goes.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use chrono::DateTime;
use hyper::body::{Body, Bytes, Frame, SizeHint};
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat, openat2};
use rustix::io::Errno;
use tokio::task::JoinHandle;

/// Bytes read and sent at a time: as much as each client that does not take its bytes costs.
const CHUNK: u64 = 32 << 10;
/// Largest file held in memory for its answer: the index, so that it is one moment's.
const SMALL: u64 = 64 << 10;

/// What a browser may do with a file: nothing but show it.
const NO_SCRIPTS: &str = "sandbox; default-src 'none'";

/// What is sent.
pub(crate) enum Content {
    /// Nothing, or text.
    Text(Option<Bytes>),
    /// A part of a file.
    File {
        /// The open file.
        file: Arc<File>,
        /// Where the bytes that are still to be sent begin, and where they end.
        rest: Range<u64>,
        /// The next ones, while they are read.
        next: Option<JoinHandle<io::Result<Vec<u8>>>>,
    },
}

/// The type of all answers.
pub(crate) type HttpAnswer = Response<Content>;

impl Body for Content {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        match &mut *self {
            Content::Text(text) => Poll::Ready(text.take().map(|text| Ok(Frame::data(text)))),
            Content::File { rest, .. } if rest.is_empty() => Poll::Ready(None),
            Content::File { file, rest, next } => {
                // One buffer for each client that does not take its bytes: no more is read ahead.
                let read = next.get_or_insert_with(|| read_at(Arc::clone(file), rest, CHUNK));
                let buffer = ready!(Pin::new(read).poll(cx)).map_err(io::Error::other)??;
                *next = None;
                if buffer.is_empty() {
                    // Stored files are never rewritten, so this is a damaged disk: break off, so
                    // that the client does not take a short file for a whole one.
                    let error = io::Error::from(io::ErrorKind::UnexpectedEof);
                    return Poll::Ready(Some(Err(error)));
                }
                rest.start = rest.start.saturating_add(buffer.len() as u64);
                Poll::Ready(Some(Ok(Frame::data(Bytes::from(buffer)))))
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Content::Text(text) => {
                SizeHint::with_exact(text.as_ref().map_or(0, |t| t.len() as u64))
            }
            Content::File { rest, .. } => SizeHint::with_exact(rest.end.saturating_sub(rest.start)),
        }
    }
}

/// Reads the next bytes of a file, as many as `most`, on a thread that may wait for the disk.
fn read_at(file: Arc<File>, rest: &Range<u64>, most: u64) -> JoinHandle<io::Result<Vec<u8>>> {
    let (start, left) = (rest.start, rest.end.saturating_sub(rest.start));
    tokio::task::spawn_blocking(move || {
        let mut buffer = vec![0; usize::try_from(left.min(most)).unwrap_or(0)];
        let count = file.read_at(&mut buffer, start)?;
        buffer.truncate(count);
        Ok(buffer)
    })
}

pub(crate) fn text(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> HttpAnswer {
    let mut answer = Response::new(Content::Text(Some(body.into())));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    answer
}

pub(crate) fn refusal(status: StatusCode, why: &str) -> HttpAnswer {
    text(status, "text/plain; charset=utf-8", format!("{why}\n"))
}

/// A folder in which things are opened: links may lead anywhere below it and nowhere else.
pub(super) struct Inside<'a> {
    root: &'a Path,
    dir: OwnedFd,
}

impl<'a> Inside<'a> {
    pub(super) fn of(root: &'a Path) -> io::Result<Self> {
        let how = OFlags::CLOEXEC | OFlags::DIRECTORY;
        let dir = openat(CWD, root, how, Mode::empty())?;
        Ok(Self { root, dir })
    }

    /// Opens what a path leads to.
    pub(super) fn open(&self, path: &str, how: OFlags) -> io::Result<OwnedFd> {
        let how = how | OFlags::CLOEXEC;
        let inside = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        match openat2(&self.dir, path, how, Mode::empty(), inside) {
            // Kernels before 5.6 do not know it, and systemd's RestrictSUIDSGID takes it away.
            Err(Errno::NOSYS | Errno::PERM) => {
                let how = how | OFlags::NOFOLLOW;
                Ok(openat(CWD, resolved(self.root, path)?, how, Mode::empty())?)
            }
            opened => Ok(opened?),
        }
    }
}

/// Opens a file below `root`.
pub(crate) fn open(root: &Path, path: &str) -> io::Result<File> {
    let file = File::from(Inside::of(root)?.open(path, OFlags::NONBLOCK)?);
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::from(io::ErrorKind::NotFound))
    }
}

/// Where a path leads, which is below `root`. Only the mirror's user can change that meanwhile.
fn resolved(root: &Path, path: &str) -> io::Result<PathBuf> {
    let place = root.join(path).canonicalize()?;
    match place.starts_with(root.canonicalize()?) {
        true => Ok(place),
        false => Err(io::Error::from(io::ErrorKind::NotFound)),
    }
}

/// The answer that is this file, or what the request's conditions make of it.
pub(crate) async fn file<B>(
    request: &Request<B>,
    path: &str,
    file: File,
) -> io::Result<HttpAnswer> {
    let about = file.metadata()?;
    let size = about.len();
    // Inode and time of writing to the nanosecond: a stored file is never rewritten.
    let tag = format!(
        "\"{:x}-{:x}-{:x}{:08x}\"",
        about.ino(),
        size,
        about.mtime(),
        about.mtime_nsec()
    );
    let modified = http_date(about.mtime());
    let range = match conditions(request.headers(), &tag, &modified, size) {
        RangeVerdict::NotModified => {
            return Ok(validated(StatusCode::NOT_MODIFIED, &tag, &modified));
        }
        RangeVerdict::Unsatisfiable => {
            let mut answer = validated(StatusCode::RANGE_NOT_SATISFIABLE, &tag, &modified);
            set(
                &mut answer,
                header::CONTENT_RANGE,
                &format!("bytes */{size}"),
            );
            return Ok(answer);
        }
        RangeVerdict::Whole => None,
        RangeVerdict::Part(start, end) => Some((start, end)),
    };
    let (start, end) = range.unwrap_or((0, size));
    let left = end.saturating_sub(start);
    let status = match range {
        Some(_) => StatusCode::PARTIAL_CONTENT,
        None => StatusCode::OK,
    };
    let mut answer = validated(status, &tag, &modified);
    set(&mut answer, header::ACCEPT_RANGES, "bytes");
    set(&mut answer, header::CONTENT_TYPE, content_type(path));
    set(&mut answer, header::CONTENT_LENGTH, &left.to_string());
    if range.is_some() {
        let shown = format!("bytes {start}-{}/{size}", end.saturating_sub(1));
        set(&mut answer, header::CONTENT_RANGE, &shown);
    }
    if path.ends_with("repomd.xml") || path.ends_with("repomd.xml.asc") {
        // A cache between here and the client must ask each time; everything else never changes.
        set(&mut answer, header::CACHE_CONTROL, "no-cache");
    }
    if request.method() == Method::HEAD || left == 0 {
        return Ok(answer);
    }
    *answer.body_mut() = if left <= SMALL {
        let data = read_at(Arc::new(file), &(start..end), SMALL);
        let data = data.await.map_err(io::Error::other)??;
        if data.len() as u64 != left {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Content::Text(Some(Bytes::from(data)))
    } else {
        Content::File {
            file: Arc::new(file),
            rest: start..end,
            next: None,
        }
    };
    Ok(answer)
}

fn validated(status: StatusCode, tag: &str, modified: &str) -> HttpAnswer {
    let mut answer = Response::new(Content::Text(None));
    *answer.status_mut() = status;
    set(&mut answer, header::ETAG, tag);
    set(&mut answer, header::LAST_MODIFIED, modified);
    // Files are an upstream's bytes: a browser runs no script of theirs beside our pages, nor guesses a type for them.
    set(&mut answer, header::CONTENT_SECURITY_POLICY, NO_SCRIPTS);
    set(&mut answer, header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    answer
}

fn set(answer: &mut HttpAnswer, name: header::HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        answer.headers_mut().insert(name, value);
    }
}

enum RangeVerdict {
    NotModified,
    Unsatisfiable,
    Whole,
    Part(u64, u64),
}

/// Conditions in the order of RFC 9110 13.2.2.
fn conditions(headers: &HeaderMap, tag: &str, modified: &str, size: u64) -> RangeVerdict {
    let value = |name| {
        headers
            .get(name)
            .and_then(|value: &HeaderValue| value.to_str().ok())
    };
    if let Some(tags) = value(header::IF_NONE_MATCH) {
        let same = |one: &str| one.trim() == "*" || one.trim().trim_start_matches("W/") == tag;
        if tags.split(',').any(same) {
            return RangeVerdict::NotModified;
        }
    } else if value(header::IF_MODIFIED_SINCE).is_some_and(|since| since == modified) {
        // Only the very same date: a snapshot that was rolled back to is older and yet new.
        return RangeVerdict::NotModified;
    }
    let Some(range) = value(header::RANGE) else {
        return RangeVerdict::Whole;
    };
    if value(header::IF_RANGE).is_some_and(|seen| seen != tag && seen != modified) {
        return RangeVerdict::Whole;
    }
    range_of(range, size)
}

/// One range; several, or what is none, count as not asked for (RFC 9110 14.2).
fn range_of(text: &str, size: u64) -> RangeVerdict {
    let Some(spec) = text.strip_prefix("bytes=") else {
        return RangeVerdict::Whole;
    };
    let Some((first, last)) = spec.trim().split_once('-') else {
        return RangeVerdict::Whole;
    };
    let number = |text: &str| -> Option<u64> {
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| text.parse().unwrap_or(u64::MAX))
    };
    let (first, last) = (first.trim(), last.trim());
    let range = match (number(first), number(last)) {
        (Some(start), None) if last.is_empty() => (start, size),
        (Some(start), Some(end)) if start <= end => (start, end.saturating_add(1).min(size)),
        (None, Some(count)) if first.is_empty() => (size.saturating_sub(count), size),
        _ => return RangeVerdict::Whole,
    };
    match range {
        (start, end) if start < end => RangeVerdict::Part(start, end),
        _ => RangeVerdict::Unsatisfiable,
    }
}

fn http_date(seconds: i64) -> String {
    let time = DateTime::from_timestamp(seconds, 0).unwrap_or_default();
    time.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit('.').next().unwrap_or_default() {
        "rpm" => "application/x-rpm",
        "xml" => "application/xml",
        "gz" => "application/gzip",
        "xz" => "application/x-xz",
        "zst" => "application/zstd",
        "asc" | "key" => "application/pgp-keys",
        "json" => "application/json",
        "html" | "yaml" | "repo" | "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn row_116_ranges() {
        let part = |text, size| match range_of(text, size) {
            RangeVerdict::Part(start, end) => Some((start, end)),
            _ => None,
        };
        assert_eq!(part("bytes=0-0", 10), Some((0, 1)));
        assert_eq!(part("bytes=5-", 10), Some((5, 10)));
        assert_eq!(part("bytes=-3", 10), Some((7, 10)));
        assert_eq!(part("bytes=-30", 10), Some((0, 10)));
        assert_eq!(part("bytes=8-99999999999999999999999", 10), Some((8, 10)));
        for whole in [
            "bytes=0-1,3-4",
            "items=0-1",
            "bytes=5-2",
            "bytes=a-b",
            "bytes",
            "bytes=-",
        ] {
            assert!(
                matches!(range_of(whole, 10), RangeVerdict::Whole),
                "{whole}"
            );
        }
        for none in [
            "bytes=10-",
            "bytes=10-20",
            "bytes=-0",
            "bytes=99999999999999999999999-",
        ] {
            assert!(
                matches!(range_of(none, 10), RangeVerdict::Unsatisfiable),
                "{none}"
            );
        }
        assert!(matches!(
            range_of("bytes=-1", 0),
            RangeVerdict::Unsatisfiable
        ));
    }
}
