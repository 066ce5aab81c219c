//! What is written: blobs, then the manifests that name them, then the tag.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue, LINK, LOCATION};
use reqwest::{Method, Response, StatusCode, Url};
use rpm_pkg::digest::{Digest, DigestAlgo, Hasher};
use serde::Deserialize;

use super::address::{Address, Reference, check_tag, is_registry, parse_digest};
use super::manifest::{self, ArtifactFile, EMPTY, MAX_FILES, MAX_TEXT};
use super::send::Body;
use super::shelf::{DIGEST, fetch, refused};
use super::talk::{Request, Talk};
use crate::client::{Client, parse_url};
use crate::error::{Cause, Error, Result, server_name};
use crate::options::Access;
use crate::patience::{Patience, Waiting};
use crate::redact::redact;
use crate::wire::small_body;

const PUSH: &str = "pull,push";
const DELETE: &str = "pull,delete";
/// Longest pause before something is sent again.
const MAX_PAUSE: Duration = Duration::from_secs(30);
/// Tags asked for at once, most bytes of them, and most of a repository.
const PAGE: usize = 1000;
const MAX_PAGE: u64 = 4 << 20;
const MAX_TAGS: usize = 100_000;
/// Most pages of a list of tags; some registries give a hundred tags a page.
const MAX_PAGES: usize = 5_000;

/// One repository of a registry, to be written to. Public functions block.
///
/// # Errors
/// Those of its functions are [`Error::Transfer`] with the registry's address and one [`Cause`]
/// ([`Cause::Refused`] where it refuses), [`Error::Stopped`] when the client was asked to stop, and
/// [`Error::NotOffered`] where a registry does not have a function. What fails for a passing reason is sent again,
/// [`Access::retries`] times, with growing pauses; where the registry cannot be reached at all, twice.
pub struct Registry<'a> {
    client: &'a Client,
    access: &'a Access,
    address: Address,
    sent: AtomicU64,
    patience: Patience<'a>,
}

/// What is under a tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact {
    /// Digest of its manifest, or of the index of its manifests.
    pub digest: Digest,
    /// Its files by path.
    pub files: BTreeMap<String, ArtifactFile>,
    /// What it is annotated with.
    pub annotations: BTreeMap<String, String>,
}

/// A file on disk that a repository is to have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlobFile {
    /// Where it is.
    pub path: PathBuf,
    /// Bytes.
    pub size: u64,
    /// SHA-256.
    pub digest: Digest,
    /// The registry is known not to have it: it is not asked.
    pub is_new: bool,
}

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// It was sent.
    Whole,
    /// The registry had it.
    There,
}

/// An outcome, or what of the registry's address failed.
type Outcome<T> = std::result::Result<T, Cause>;

impl<'a> Registry<'a> {
    /// The repository of `oci://HOST[:PORT]/NAME`, without tag and path. Nothing is asked of the registry yet.
    ///
    /// # Errors
    /// [`Error::BadUrl`].
    pub fn open(client: &'a Client, access: &'a Access, url: &str) -> Result<Self> {
        let bad = |why: String| Error::BadUrl {
            url: redact(url),
            why,
        };
        let parsed = parse_url(url)?;
        if !is_registry(&parsed) {
            return Err(bad("not the URL of a registry: oci://HOST/NAME".to_owned()));
        }
        let address = Address::of(&parsed).map_err(bad)?;
        if address.reference.is_some() {
            return Err(bad(
                "a repository is named without tag and digest".to_owned()
            ));
        }
        Ok(Self {
            client,
            access,
            address,
            sent: AtomicU64::new(0),
            patience: Patience::default(),
        })
    }

    /// Who hears, once for each registry, that it is waited for.
    #[must_use]
    pub fn telling(mut self, tell: Waiting<'a>) -> Self {
        self.patience.tell = Some(tell);
        self
    }

    /// Requests sent so far, those for tokens and those sent again included.
    pub fn requests(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// What is under `tag`, whole; none if there is no such tag or no such repository.
    ///
    /// # Errors
    /// See [`Registry`]; [`Cause::Malformed`] where something else than a repository of packages is there.
    pub fn resolve(&self, tag: &str) -> Result<Option<Artifact>> {
        self.run(async {
            let reference = tag_of(tag)?;
            let Some((digest, bytes)) = self.manifest(&reference).await? else {
                return Ok(None);
            };
            let wrong =
                |why| Cause::Malformed(format!("no repository of packages is under {tag}: {why}"));
            let top = manifest::read(&bytes, true).map_err(wrong)?;
            let mut files = BTreeMap::new();
            let (mut parts, mut text) = (vec![top.files], bytes.len());
            let more = stream::iter(top.more).map(|digest| async move {
                let read = self.manifest(&Reference::Digest(digest)).await?;
                let (_, bytes) = read.ok_or_else(|| {
                    Cause::Malformed(format!("{tag}: its manifest {digest} is gone"))
                })?;
                let read = manifest::read(&bytes, false).map_err(wrong)?;
                Ok((read.files, bytes.len()))
            });
            let mut more = more.buffered(4);
            while let Some(read) = more.next().await {
                let (files, size) = read?;
                parts.push(files);
                text += size;
                if parts.iter().map(Vec::len).sum::<usize>() > MAX_FILES || text > MAX_TEXT {
                    return Err(wrong("it has too many files".to_owned()));
                }
            }
            for file in parts.into_iter().flatten() {
                let before = files.insert(file.path.clone(), file);
                if before.is_some() {
                    return Err(wrong("it has two files of one path".to_owned()));
                }
            }
            Ok(Some(Artifact {
                digest,
                files,
                annotations: top.annotations,
            }))
        })
    }

    /// Whether the repository has a blob.
    ///
    /// # Errors
    /// See [`Registry`].
    pub fn has_blob(&self, digest: &Digest) -> Result<bool> {
        self.run(self.has(format!("blobs/{digest}")))
    }

    /// Makes the repository have these bytes; their SHA-256.
    ///
    /// # Errors
    /// See [`Registry`].
    pub fn put_blob(&self, bytes: &[u8]) -> Result<Digest> {
        let digest = Hasher::digest(DigestAlgo::Sha256, bytes);
        self.run(async {
            if !self.has(format!("blobs/{digest}")).await? {
                let bytes = Bytes::copy_from_slice(bytes);
                self.upload(&digest, &|| Body::Bytes(bytes.clone())).await?;
            }
            Ok(digest)
        })
    }

    /// Makes the repository have these files, so many at once; they are streamed from the disk. `done` hears of each as
    /// soon as it is known what became of it; what it refuses ends the run. A file that fails does not stop the others.
    /// What a run has not finished costs nothing: registries throw away uploads that were broken off.
    ///
    /// # Errors
    /// [`Error::Stopped`], [`Error::Setup`], what `done` said.
    pub fn put_files(
        &self,
        files: &[BlobFile],
        at_once: usize,
        done: &mut dyn FnMut(&BlobFile, Result<Sent>) -> Result<()>,
    ) -> Result<()> {
        let all = stream::iter(files).map(|file| async move { (file, self.put(file).await) });
        let mut all = all.buffer_unordered(at_once.max(1));
        self.client.block_on(async {
            while let Some((file, outcome)) = all.next().await {
                done(file, outcome.map_err(|cause| self.failed(cause)))?;
                if self.client.stopped() {
                    return Err(Error::Stopped);
                }
            }
            Ok(())
        })?
    }

    /// Puts the artifact of these files, which the repository has, under `tag`: its manifests first, then, by one
    /// request, the tag. The same files and annotations are the same artifact; nothing is sent if it is there already.
    /// The digest of what is under the tag.
    ///
    /// # Errors
    /// See [`Registry`]; [`Cause::Malformed`] for files that cannot be an artifact: two of one path, a path that leads out,
    /// too many.
    pub fn put_artifact(
        &self,
        files: &[ArtifactFile],
        annotations: &BTreeMap<String, String>,
        tag: &str,
    ) -> Result<Digest> {
        self.run(async {
            let reference = tag_of(tag)?;
            let written = manifest::write(files, annotations).map_err(Cause::Malformed)?;
            let mut parts = written.parts;
            let (kind, digest, bytes) = parts
                .pop()
                .ok_or_else(|| Cause::Malformed("an artifact of nothing".to_owned()))?;
            if self.digest_at(&reference).await? == Some(digest) {
                return Ok(digest);
            }
            let empty = Hasher::digest(DigestAlgo::Sha256, EMPTY);
            if !self.has(format!("blobs/{empty}")).await? {
                self.upload(&empty, &|| Body::Bytes(Bytes::from_static(EMPTY)))
                    .await?;
            }
            for (kind, digest, bytes) in parts {
                let reference = Reference::Digest(digest);
                if self.digest_at(&reference).await? != Some(digest) {
                    self.put_manifest(&reference, kind, bytes).await?;
                }
            }
            self.put_manifest(&reference, kind, bytes).await?;
            Ok(digest)
        })
    }

    /// Puts a manifest that the repository has under another tag: it is sent as it was, by one request.
    ///
    /// # Errors
    /// See [`Registry`]; [`Cause::Refused`] with 404 if the repository has no such manifest.
    pub fn tag(&self, digest: &Digest, tag: &str) -> Result<()> {
        self.run(async {
            let reference = tag_of(tag)?;
            let talk = self.talk(PUSH);
            let read = self
                .patiently(async || fetch(&talk, &Reference::Digest(*digest), None).await)
                .await?;
            let (_, bytes) = read.ok_or(Cause::Status(304))?;
            let top = manifest::read(&bytes, true).map_err(Cause::Malformed)?;
            let kind = if top.more.is_empty() {
                manifest::MANIFEST
            } else {
                manifest::INDEX
            };
            self.put_manifest(&reference, kind, bytes).await
        })
    }

    /// The tags of the repository, sorted; none if there is no such repository.
    ///
    /// # Errors
    /// See [`Registry`].
    pub fn tags(&self) -> Result<Vec<String>> {
        #[derive(Deserialize)]
        struct Page {
            tags: Option<Vec<String>>,
        }
        self.run(async {
            let (mut tags, mut listed, mut pages) = (Vec::new(), 0, 0);
            let mut next = Some(self.address.url("tags/list"));
            if let Some(url) = &mut next {
                url.set_query(Some(&format!("n={PAGE}")));
            }
            while let Some(url) = next {
                let request = Request::new(Method::GET, url.clone());
                let mut response = self.ask(PUSH, &request, &[200, 404]).await?;
                if response.status() == StatusCode::NOT_FOUND {
                    break;
                }
                next = next_page(&url, response.headers());
                let body = small_body(&mut response, MAX_PAGE, self.access).await?;
                let page: Page = serde_json::from_slice(&body)
                    .map_err(|_| Cause::Malformed("the list of tags cannot be read".to_owned()))?;
                let page = page.tags.unwrap_or_default();
                // A registry that goes on with nothing would do so without end.
                next = next.filter(|_| !page.is_empty());
                (listed, pages) = (listed + page.len(), pages + 1);
                tags.extend(page.into_iter().filter(|tag| check_tag(tag).is_ok()));
                if listed > MAX_TAGS {
                    return Err(Cause::Malformed(format!("more than {MAX_TAGS} tags")));
                }
                if next.as_ref() == Some(&url) || pages > MAX_PAGES {
                    let why = "the registry's list of tags does not end".to_owned();
                    return Err(Cause::Malformed(why));
                }
            }
            tags.sort();
            tags.dedup();
            Ok(tags)
        })
    }

    /// Deletes a manifest, with every tag that stands for it; false if there is none. Its blobs go when the registry
    /// collects its garbage.
    ///
    /// # Errors
    /// See [`Registry`].
    pub fn delete_manifest(&self, digest: &Digest) -> Result<bool> {
        self.delete(&Reference::Digest(*digest), "the deletion of manifests")
    }

    /// Deletes a tag, and not what it stands for; false if there is none. Not every registry knows how.
    ///
    /// # Errors
    /// See [`Registry`].
    pub fn delete_tag(&self, tag: &str) -> Result<bool> {
        let reference = tag_of(tag).map_err(|cause| self.failed(cause))?;
        self.delete(&reference, "the deletion of single tags")
    }

    fn delete(&self, reference: &Reference, what: &'static str) -> Result<bool> {
        let url = self.address.url(&format!("manifests/{}", reference.text()));
        let request = Request::new(Method::DELETE, url);
        let by_tag = matches!(reference, Reference::Tag(_));
        let status = self.run(async {
            // A registry that knows digests alone takes the tag for a bad one.
            let taken: &[u16] = if by_tag {
                &[200, 202, 404, 405, 400, 501]
            } else {
                &[200, 202, 404, 405, 501]
            };
            Ok(self.ask(DELETE, &request, taken).await?.status().as_u16())
        })?;
        match status {
            200 | 202 => Ok(true),
            404 => Ok(false),
            _ => Err(Error::NotOffered {
                server: self.address.place(),
                what,
            }),
        }
    }

    fn run<T>(&self, work: impl Future<Output = Outcome<T>>) -> Result<T> {
        let outcome = self.client.block_on(work)?;
        outcome.map_err(|cause| self.failed(cause))
    }

    fn failed(&self, cause: Cause) -> Error {
        match cause {
            Cause::Stopped => Error::Stopped,
            cause => Error::at(
                "registry".to_owned(),
                format!("oci://{}", self.address.place()),
                cause,
            ),
        }
    }

    fn talk(&self, actions: &'static str) -> Talk<'_> {
        Talk {
            client: self.client,
            access: self.access,
            address: &self.address,
            actions,
            sent: Some(&self.sent),
        }
    }

    /// The answer to a request, with one of these statuses.
    async fn ask(
        &self,
        actions: &'static str,
        request: &Request<'_>,
        taken: &[u16],
    ) -> Outcome<Response> {
        let talk = self.talk(actions);
        self.patiently(async || {
            let response = talk.send(request).await?;
            match taken.contains(&response.status().as_u16()) {
                true => Ok(response),
                false => Err(refused(self.access, actions, response).await),
            }
        })
        .await
    }

    /// Does something again that failed for a passing reason.
    async fn patiently<T>(&self, work: impl AsyncFn() -> Outcome<T>) -> Outcome<T> {
        let (client, patience) = (self.client, &self.patience);
        let server = self.address.server.origin().ascii_serialization();
        let mut tried = 0;
        loop {
            let outcome = work().await;
            match &outcome {
                Err(cause) if cause.status().is_none() => {}
                _ => patience.answered(client, &server),
            }
            let retries = match &outcome {
                Err(cause) if cause.is_passing() => {
                    patience.tries(client, &server, cause, self.access.retries)
                }
                _ => 0,
            };
            match outcome {
                Err(cause) if tried < retries => {
                    let pause = Duration::from_secs(1 << tried.min(5)).min(MAX_PAUSE);
                    tracing::info!(place = self.address.place(), %cause, ?pause, "sent again");
                    let host = server_name(self.address.server.as_str());
                    patience
                        .wait(client, (&server, &host), &cause, pause)
                        .await?;
                    tried += 1;
                }
                outcome => {
                    if let Err(cause) = &outcome {
                        patience.given_up(client, &server, cause);
                    }
                    return outcome;
                }
            }
        }
    }

    /// A manifest; none if there is none.
    async fn manifest(&self, reference: &Reference) -> Outcome<Option<(Digest, Vec<u8>)>> {
        let talk = self.talk(PUSH);
        let read = self.patiently(async || fetch(&talk, reference, None).await);
        match read.await {
            Err(Cause::Refused { status: 404, .. }) => Ok(None),
            other => other,
        }
    }

    /// The digest of what is under a reference.
    async fn digest_at(&self, reference: &Reference) -> Outcome<Option<Digest>> {
        let url = self.address.url(&format!("manifests/{}", reference.text()));
        let mut request = Request::new(Method::HEAD, url);
        let accepted = HeaderValue::from_str(&manifest::accepted());
        request
            .headers
            .extend(accepted.ok().map(|value| (ACCEPT, value)));
        let response = self.ask(PUSH, &request, &[200, 404]).await?;
        if response.status() == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        let named = response.headers().get(DIGEST);
        Ok(named.and_then(|value| parse_digest(value.to_str().ok()?)))
    }

    async fn has(&self, below: String) -> Outcome<bool> {
        let request = Request::new(Method::HEAD, self.address.url(&below));
        let response = self.ask(PUSH, &request, &[200, 404]).await?;
        Ok(response.status() == StatusCode::OK)
    }

    async fn put(&self, file: &BlobFile) -> Outcome<Sent> {
        if !file.is_new && self.has(format!("blobs/{}", file.digest)).await? {
            return Ok(Sent::There);
        }
        self.upload(&file.digest, &|| Body::File(&file.path, file.size))
            .await?;
        Ok(Sent::Whole)
    }

    /// Sends a blob: a place for it is asked for, and it is sent there as a whole.
    async fn upload<'b>(&self, digest: &Digest, body: &dyn Fn() -> Body<'b>) -> Outcome<()> {
        let talk = self.talk(PUSH);
        self.patiently(async || {
            let url = self.address.url("blobs/uploads/");
            let response = talk.send(&Request::new(Method::POST, url.clone())).await?;
            if response.status() != StatusCode::ACCEPTED {
                return Err(refused(self.access, PUSH, response).await);
            }
            let mut to = upload_place(&url, response.headers())?;
            to.query_pairs_mut()
                .append_pair("digest", &digest.to_string());
            let mut request = Request::new(Method::PUT, to);
            request.body = body();
            let kind = HeaderValue::from_static("application/octet-stream");
            request.headers.insert(CONTENT_TYPE, kind);
            let response = talk.send(&request).await?;
            match response.status() {
                StatusCode::CREATED | StatusCode::NO_CONTENT => Ok(()),
                _ => Err(refused(self.access, PUSH, response).await),
            }
        })
        .await
    }

    async fn put_manifest(
        &self,
        reference: &Reference,
        kind: &'static str,
        bytes: Vec<u8>,
    ) -> Outcome<()> {
        let url = self.address.url(&format!("manifests/{}", reference.text()));
        let mut request = Request::new(Method::PUT, url);
        request
            .headers
            .insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        request.body = Body::Bytes(bytes.into());
        self.ask(PUSH, &request, &[200, 201]).await.map(|_| ())
    }
}

fn tag_of(tag: &str) -> Outcome<Reference> {
    check_tag(tag).map_err(Cause::Settings)?;
    Ok(Reference::Tag(tag.to_owned()))
}

/// Where a blob is to be sent: `Location`, which leads to no other scheme.
fn upload_place(asked: &Url, headers: &HeaderMap) -> Outcome<Url> {
    let text = headers.get(LOCATION).and_then(|value| value.to_str().ok());
    let place = text.and_then(|text| asked.join(text).ok());
    let good = |place: &Url| place.scheme() == "https" || place.scheme() == asked.scheme();
    place.filter(good).ok_or_else(|| {
        Cause::Redirect("the registry names no usable place for an upload".to_owned())
    })
}

/// The next page of a list (`Link: </v2/...>; rel="next"`), on the same server alone.
fn next_page(asked: &Url, headers: &HeaderMap) -> Option<Url> {
    let text = headers.get(LINK)?.to_str().ok()?;
    let (target, rel) = text.strip_prefix('<')?.split_once('>')?;
    let next = asked.join(target).ok()?;
    (rel.contains("next") && next.origin() == asked.origin()).then_some(next)
}
