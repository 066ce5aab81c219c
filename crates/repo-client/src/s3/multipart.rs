//! Large files go in parts; what was left of an upload that did not end is found and ended.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use reqwest::Method;
use rpm_repo::xml::push_text;

use super::bucket::{
    Bucket, MAX_DONE, Unfinished, document_headers, etag_of, is_none, quoted, written,
};
use super::refusal::Refusal;
use super::send::{Call, Payload};
use super::upload::{Upload, hash, part_of};
use super::xml;
use crate::error::{Cause, Result};

/// Files larger than that go in parts.
pub(super) const FROM: u64 = 64 << 20;
/// Size of a part.
const PART: u64 = 16 << 20;
/// Most parts that there may be.
const MAX_PARTS: u64 = 10_000;
/// Most bytes of a list of unfinished uploads.
const MAX_PAGE: u64 = 8 << 20;
/// Most uploads that are listed.
const MAX_UPLOADS: usize = 100_000;
/// How long an upload that ends early waits for its end to be taken.
const ABORT: Duration = Duration::from_secs(5);

/// Size of all parts of a file but the last.
pub(super) fn part_size(size: u64) -> u64 {
    PART.max(size.div_ceil(MAX_PARTS))
}

/// An upload that was begun.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Begun {
    whole: String,
    id: String,
}

impl Bucket<'_> {
    pub(super) async fn put_parts(
        &self,
        whole: &str,
        file: &Upload,
        begun: &Mutex<Vec<Begun>>,
    ) -> std::result::Result<String, Refusal> {
        let upload = self.begin(whole, file).await?;
        let ours = || begun.lock().unwrap_or_else(PoisonError::into_inner);
        ours().push(upload.clone());
        let done = self.parts(&upload, file).await;
        // Whoever stops it ends what is left.
        if !matches!(&done, Err(refusal) if refusal.cause == Cause::Stopped) {
            if done.is_err() {
                self.abort_quietly(&upload).await;
            }
            ours().retain(|one| *one != upload);
        }
        done
    }

    async fn begin(&self, whole: &str, file: &Upload) -> std::result::Result<Begun, Refusal> {
        let mut call = Call::new(Method::POST, whole.to_owned(), MAX_DONE);
        call.query = vec![("uploads", "")];
        call.headers = file.how.headers()?;
        let reply = self.call(&call).await?;
        let mut id = None;
        xml::walk(&reply.body, &[], &mut |name, text| {
            if name == "UploadId" {
                id = text;
            }
        })?;
        let lacks = || Cause::Malformed("the store begins an upload without an id".to_owned());
        Ok(Begun {
            whole: whole.to_owned(),
            id: id.ok_or_else(lacks)?,
        })
    }

    async fn parts(&self, upload: &Begun, file: &Upload) -> std::result::Result<String, Refusal> {
        let size = part_size(file.size);
        let mut etags = Vec::new();
        let mut from = 0;
        while from < file.size {
            let mut part = part_of(file, from, size.min(file.size - from));
            part.sha256 = hash(&part)?;
            from += part.size;
            let number = (etags.len() + 1).to_string();
            let mut call = Call::new(Method::PUT, upload.whole.clone(), MAX_DONE);
            call.query = vec![("partNumber", &number), ("uploadId", &upload.id)];
            call.payload = Payload::Part(part);
            etags.push(etag_of(&self.call(&call).await?.headers));
        }
        match self.complete(upload, &etags, file).await {
            Ok(etag) if etag.is_empty() => {
                let there = self.looked(&upload.whole).await?;
                Ok(written(there.map(|(_, etag)| etag).unwrap_or_default())?)
            }
            // An answer that was lost may have been: it is done.
            Err(refusal) if refusal.code == "NoSuchUpload" && refusal.again => {
                match self.looked(&upload.whole).await {
                    Ok(Some((size, etag))) if size == file.size => Ok(etag),
                    _ => Err(refusal),
                }
            }
            other => other,
        }
    }

    async fn complete(
        &self,
        upload: &Begun,
        etags: &[String],
        file: &Upload,
    ) -> std::result::Result<String, Refusal> {
        let mut body =
            "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
                .to_owned();
        for (at, etag) in etags.iter().enumerate() {
            body.push_str(&format!("<Part><PartNumber>{}</PartNumber><ETag>", at + 1));
            push_text(etag, &mut body);
            body.push_str("</ETag></Part>");
        }
        body.push_str("</CompleteMultipartUpload>");
        let mut call = Call::new(Method::POST, upload.whole.clone(), MAX_DONE);
        call.query = vec![("uploadId", &upload.id)];
        call.headers = document_headers(body.as_bytes())?;
        call.payload = Payload::Bytes(Bytes::from(body));
        let reply = self.call_if(call, &file.how).await?;
        let mut etag = etag_of(&reply.headers);
        xml::walk(&reply.body, &[], &mut |name, text| {
            if let ("ETag", Some(text)) = (name, text) {
                etag = quoted(&text);
            }
        })?;
        Ok(etag)
    }

    /// Uploads below the prefix that were begun, by whomever, and not ended: a kill leaves them. None where the store
    /// does not list them.
    ///
    /// # Errors
    /// [`crate::Error::Transfer`]: the server refuses. [`crate::Error::Stopped`].
    pub fn unfinished(&self) -> Result<Vec<Unfinished>> {
        let prefix = self.key("");
        let done = self.client.block_on(self.all_unfinished(&prefix))?;
        done.map_err(|refusal| self.failed("listing of uploads", &prefix, refusal))
    }

    async fn all_unfinished(&self, prefix: &str) -> std::result::Result<Vec<Unfinished>, Refusal> {
        let mut found = Vec::new();
        let mut next = None::<(String, String)>;
        loop {
            let mut call = Call::new(Method::GET, String::new(), MAX_PAGE);
            call.query = vec![("uploads", ""), ("prefix", prefix)];
            if let Some((key, id)) = &next {
                call.query.push(("key-marker", key));
                call.query.push(("upload-id-marker", id));
            }
            let reply = match self.call(&call).await {
                Err(refusal) if refusal.status == 501 => return Ok(found),
                other => other?,
            };
            let before = next.take();
            next = self.uploads(&reply.body, &mut found)?;
            if next.is_none() {
                return Ok(found);
            }
            if next == before || found.len() > MAX_UPLOADS {
                let why = "the store's list of uploads does not end".to_owned();
                return Err(Cause::Malformed(why).into());
            }
        }
    }

    /// Adds the uploads of a page; where the next begins.
    fn uploads(
        &self,
        body: &[u8],
        found: &mut Vec<Unfinished>,
    ) -> std::result::Result<Option<(String, String)>, Cause> {
        let (mut key, mut id, mut since) = (String::new(), String::new(), String::new());
        let (mut next_key, mut next_id, mut goes_on) = (String::new(), String::new(), false);
        let inner = ["Upload", "Owner", "Initiator"];
        xml::walk(body, &inner, &mut |name, text| match (name, text) {
            ("Key", Some(text)) => key = text,
            ("UploadId", Some(text)) => id = text,
            ("Initiated", Some(text)) => since = text,
            ("NextKeyMarker", Some(text)) => next_key = text,
            ("NextUploadIdMarker", Some(text)) => next_id = text,
            ("IsTruncated", Some(text)) => goes_on = text.trim() == "true",
            ("Upload", None) => {
                // A store that knows no prefix here lists all.
                if let Some(below) = self.below(&key) {
                    found.push(Unfinished {
                        key: below.to_owned(),
                        id: std::mem::take(&mut id),
                        since: std::mem::take(&mut since),
                    });
                }
            }
            _ => {}
        })?;
        Ok(goes_on.then_some((next_key, next_id)))
    }

    /// Ends an upload that was begun; its parts are removed. One that has ended counts as that.
    ///
    /// # Errors
    /// [`crate::Error::Transfer`]: the server refuses. [`crate::Error::Stopped`].
    pub fn abort(&self, upload: &Unfinished) -> Result<()> {
        let whole = self.key(&upload.key);
        let begun = Begun {
            whole: whole.clone(),
            id: upload.id.clone(),
        };
        match self.client.block_on(self.call(&abortion(&begun)))? {
            Ok(_) => Ok(()),
            Err(refusal) if is_none(&refusal) || refusal.code == "NoSuchUpload" => Ok(()),
            Err(refusal) => Err(self.failed("end of an upload", &whole, refusal)),
        }
    }

    /// Ends an upload of ours; one that cannot be ended is found the next time.
    pub(super) async fn abort_quietly(&self, upload: &Begun) {
        let ended =
            tokio::time::timeout(ABORT, self.exchange(&abortion(upload), &Arc::default())).await;
        if !matches!(ended, Ok(Ok(_))) {
            tracing::debug!(key = upload.whole, "an unfinished upload is left");
        }
    }
}

fn abortion(upload: &Begun) -> Call<'_> {
    let mut call = Call::new(Method::DELETE, upload.whole.clone(), MAX_DONE);
    call.query = vec![("uploadId", &upload.id)];
    call
}
