//! Objects are written: from memory, or many at once from the disk.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use reqwest::Method;
use reqwest::header::{
    CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, IF_MATCH, IF_NONE_MATCH,
};
use rpm_pkg::digest::{Digest, DigestAlgo, Hasher};

use super::bucket::{Bucket, MAX_DONE, etag_of, written};
use super::multipart;
use super::refusal::Refusal;
use super::send::{Call, FilePart, Payload, Reply, open};
use super::sigv4;
use crate::error::{Cause, Error, Result};

/// Buffer for hashing what is on disk.
const BUFFER: usize = 256 << 10;

/// How an object is written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PutOptions {
    /// `Content-Type` that it is served with.
    pub content_type: Option<String>,
    /// `Cache-Control` that it is served with.
    pub cache_control: Option<String>,
    /// Only if the version that is there goes by this `ETag`; an empty one (some stores list none) is asked for just before.
    pub if_match: Option<String>,
    /// Only if there is none of this key.
    pub if_none_match: bool,
}

/// A file that becomes an object.
#[derive(Debug, Clone)]
pub struct Upload {
    /// Its key, below the prefix.
    pub key: String,
    /// Where it is; it may not change meanwhile.
    pub path: PathBuf,
    /// Its size in bytes.
    pub size: u64,
    /// Its SHA-256, if known: otherwise it is read twice.
    pub sha256: Option<[u8; 32]>,
    /// How it is written.
    pub how: PutOptions,
}

impl PutOptions {
    pub(super) fn is_conditional(&self) -> bool {
        self.if_match.is_some() || self.if_none_match
    }

    /// What is said of the object.
    pub(super) fn headers(&self) -> std::result::Result<HeaderMap, Cause> {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            (CONTENT_TYPE, &self.content_type),
            (CACHE_CONTROL, &self.cache_control),
        ] {
            if let Some(value) = value {
                headers.insert(name.clone(), header(&name, value)?);
            }
        }
        Ok(headers)
    }

    /// When it is to be written; the version without its quotation marks if that is to be `plain`.
    pub(super) fn conditions(&self, plain: bool) -> std::result::Result<HeaderMap, Cause> {
        let mut headers = HeaderMap::new();
        if let Some(etag) = &self.if_match {
            let etag = if plain { etag.trim_matches('"') } else { etag };
            headers.insert(IF_MATCH, header(&IF_MATCH, etag)?);
        }
        if self.if_none_match {
            headers.insert(IF_NONE_MATCH, HeaderValue::from_static("*"));
        }
        Ok(headers)
    }
}

fn header(name: &HeaderName, value: &str) -> std::result::Result<HeaderValue, Cause> {
    HeaderValue::from_str(value)
        .map_err(|_| Cause::Settings(format!("{name}: not a header: {value:?}")))
}

impl Bucket<'_> {
    /// Writes an object from memory; returns what its version goes by.
    ///
    /// # Errors
    /// [`Error::Conflict`]: a condition of `how` does not hold. [`Error::NotConditional`]: the server knows no
    /// conditions; there are servers that do not know them and say nothing. [`Error::Transfer`], [`Error::Stopped`].
    pub fn put(&self, key: &str, bytes: &[u8], how: &PutOptions) -> Result<String> {
        let whole = self.key(key);
        let done = self.client.block_on(self.put_bytes(&whole, bytes, how))?;
        done.map_err(|refusal| self.unwritten(&whole, how, refusal))
    }

    async fn put_bytes(
        &self,
        whole: &str,
        bytes: &[u8],
        how: &PutOptions,
    ) -> std::result::Result<String, Refusal> {
        let payload = Payload::Bytes(Bytes::copy_from_slice(bytes));
        match self.put_payload(whole, payload, how).await {
            // An answer that was lost may have been: it is done.
            Err(refusal) if refusal.status == 412 && refusal.again => {
                match self.got(whole, bytes.len() as u64).await {
                    Ok(Some((there, etag))) if there == bytes => Ok(etag),
                    _ => Err(refusal),
                }
            }
            other => other,
        }
    }

    async fn put_payload(
        &self,
        whole: &str,
        payload: Payload,
        how: &PutOptions,
    ) -> std::result::Result<String, Refusal> {
        let mut call = Call::new(Method::PUT, whole.to_owned(), MAX_DONE);
        call.headers = how.headers()?;
        call.payload = payload;
        let reply = self.call_if(call, how).await?;
        Ok(written(etag_of(&reply.headers))?)
    }

    /// The answer to a request that is done on the conditions of `how`. Some stores compare the version with its
    /// quotation marks to theirs, which has none.
    pub(super) async fn call_if(
        &self,
        mut call: Call<'_>,
        how: &PutOptions,
    ) -> std::result::Result<Reply, Refusal> {
        let mut how = how.clone();
        if how.if_match.as_deref() == Some("") {
            let there = self.looked(&call.key).await?;
            let gone = Cause::Status(412);
            how.if_match = Some(there.ok_or(gone)?.1);
        }
        let is_plain = self.plain_etags.load(Ordering::Relaxed);
        call.headers.extend(how.conditions(is_plain)?);
        let refusal = match (self.call(&call).await, &how.if_match) {
            (Err(refusal), Some(_)) if refusal.status == 412 && !is_plain => refusal,
            (other, _) => return other,
        };
        let there = self.looked(&call.key).await?.map(|(_, etag)| etag);
        if there.is_none() || there != how.if_match {
            return Err(refusal);
        }
        call.headers.extend(how.conditions(true)?);
        let done = self.call(&call).await;
        self.plain_etags.fetch_or(done.is_ok(), Ordering::Relaxed);
        done
    }

    /// Writes files, `at_once` of them at the same time, large ones in parts. `done` is told of each as it is there, or
    /// cannot be: the others go on. Parts of what did not become whole are removed.
    ///
    /// # Errors
    /// [`Error::Stopped`] when the client was asked to stop; what `done` returns.
    pub fn put_files(
        &self,
        files: &[Upload],
        at_once: usize,
        done: &mut dyn FnMut(&Upload, Result<String>) -> Result<()>,
    ) -> Result<()> {
        let begun = Mutex::default();
        self.client.block_on(async {
            let begun = &begun;
            let work = stream::iter(files).map(|file| async move {
                let outcome = self.put_file(file, begun).await;
                (file, outcome)
            });
            let mut work = Box::pin(work.buffer_unordered(at_once.max(1)));
            let mut ended = Ok(());
            while let Some((file, outcome)) = work.next().await {
                let whole = self.key(&file.key);
                let outcome = outcome.map_err(|refusal| self.unwritten(&whole, &file.how, refusal));
                ended = match outcome {
                    Err(Error::Stopped) => Err(Error::Stopped),
                    outcome => done(file, outcome),
                };
                if ended.is_err() {
                    break;
                }
            }
            drop(work);
            let left = std::mem::take(&mut *begun.lock().unwrap_or_else(PoisonError::into_inner));
            for upload in left {
                self.abort_quietly(&upload).await;
            }
            ended
        })?
    }

    async fn put_file(
        &self,
        file: &Upload,
        begun: &Mutex<Vec<multipart::Begun>>,
    ) -> std::result::Result<String, Refusal> {
        if self.client.stopped() {
            return Err(Cause::Stopped.into());
        }
        let about = std::fs::metadata(&file.path);
        let about = about.map_err(|error| unread(&file.path, &error))?;
        if about.len() != file.size {
            let (got, expected) = (about.len(), file.size);
            return Err(Cause::Size { got, expected }.into());
        }
        let whole = self.key(&file.key);
        if file.size > multipart::FROM {
            return self.put_parts(&whole, file, begun).await;
        }
        let sha256 = file
            .sha256
            .map(|bytes| Digest::from_bytes(DigestAlgo::Sha256, &bytes));
        let known = sha256
            .and_then(std::result::Result::ok)
            .map(|sha| sha.hex());
        let mut part = part_of(file, 0, file.size);
        part.sha256 = match known {
            Some(known) => known,
            None => hash(&part)?,
        };
        let payload = Payload::Part(part.clone());
        match self.put_payload(&whole, payload, &file.how).await {
            Err(refusal) if refusal.status == 412 && refusal.again => {
                // An answer that was lost may have been: it is done.
                match self.got(&whole, file.size).await {
                    Ok(Some((there, etag))) if sigv4::sha256_hex(&there) == part.sha256 => Ok(etag),
                    _ => Err(refusal),
                }
            }
            other => other,
        }
    }

    /// What the version of a file goes by once it is an object: MD5 of it, or of the MD5s of its parts where it goes in
    /// parts. So most stores do it; one that encrypts does not.
    ///
    /// # Errors
    /// [`Error::Io`]: it cannot be read.
    pub fn etag_of_file(path: &Path) -> Result<String> {
        let failed = |error| Error::io(path, "read", error);
        let mut file = File::open(path).map_err(failed)?;
        let size = file.metadata().map_err(failed)?.len();
        let mut md5 = |most| {
            let piece = io::BufReader::with_capacity(BUFFER, (&mut file).take(most));
            Hasher::digest_reader(DigestAlgo::Md5, piece).map_err(failed)
        };
        if size <= multipart::FROM {
            return Ok(format!("\"{}\"", md5(u64::MAX)?.hex()));
        }
        let part = multipart::part_size(size);
        let count = size.div_ceil(part);
        let mut whole = Hasher::new(DigestAlgo::Md5);
        for _ in 0..count {
            whole.update(md5(part)?.bytes());
        }
        Ok(format!("\"{}-{count}\"", whole.finish().hex()))
    }

    /// What a refusal to write is.
    fn unwritten(&self, whole: &str, how: &PutOptions, refusal: Refusal) -> Error {
        let url = self.shown(whole);
        match refusal.status {
            412 if how.is_conditional() => Error::Conflict { url },
            501 if how.is_conditional() => Error::NotConditional { url },
            _ => self.failed("upload", whole, refusal),
        }
    }
}

/// A piece of a file without its hash.
pub(super) fn part_of(file: &Upload, from: u64, size: u64) -> FilePart {
    FilePart {
        path: file.path.clone(),
        from,
        size,
        sha256: String::new(),
    }
}

/// The hash of a piece of a file, in hexadecimal.
pub(super) fn hash(part: &FilePart) -> std::result::Result<String, Cause> {
    let opened = open(part).map(|file| file.take(part.size));
    let hashed = opened.and_then(|piece| {
        Hasher::digest_reader(
            DigestAlgo::Sha256,
            io::BufReader::with_capacity(BUFFER, piece),
        )
    });
    hashed
        .map(|digest| digest.hex())
        .map_err(|error| unread(&part.path, &error))
}

fn unread(path: &Path, error: &io::Error) -> Cause {
    Cause::Read(format!("{}: {error}", path.display()))
}
