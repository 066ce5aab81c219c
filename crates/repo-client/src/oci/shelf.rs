//! What is read: which blob a file of a repository is. The artifact under a tag is looked up when the index of the
//! repository is asked for, and stays what it was for everything that follows: a tag that moves in between mixes nothing.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use reqwest::header::{ACCEPT, HeaderMap, HeaderName, HeaderValue, IF_NONE_MATCH};
use reqwest::{Method, Response, StatusCode, Url};
use rpm_pkg::digest::{Digest, DigestAlgo, Hasher};
use serde::Deserialize;

use super::address::{Address, Reference, parse_digest};
use super::manifest::{self, MAX_FILES, MAX_MANIFEST, MAX_TEXT, is_package};
use super::talk::{MAX_REFUSAL, Request, Talk};
use crate::client::Client;
use crate::error::Cause;
use crate::options::Access;
use crate::wire::small_body;

/// Whoever asks for this wants the repository as it is now.
const INDEX: &str = "repodata/repomd.xml";
/// What may be done by who reads.
const PULL: &str = "pull";

/// The digest of what comes.
pub(crate) const DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");

/// What the registries of a client have, as far as it was looked up.
#[derive(Default)]
struct Shelves {
    all: Mutex<HashMap<String, Arc<tokio::sync::Mutex<Option<Shelf>>>>>,
}

/// An artifact whose manifests are read as they are needed.
struct Shelf {
    /// Of what is under the tag.
    digest: Digest,
    files: HashMap<String, Digest>,
    /// Bytes of the manifests that were read.
    text: usize,
    /// Manifests not read.
    left: VecDeque<Digest>,
}

/// Where the file of a URL is, and what is shown there. A file of known SHA-256 is asked for by that: no manifest is read
/// for it, and an older one is found as long as the registry has it.
pub(crate) async fn place(
    client: &Client,
    access: &Access,
    url: &Url,
    digest: Option<Digest>,
) -> Result<(Url, HeaderMap), Cause> {
    let address = Address::of(url).map_err(Cause::Settings)?;
    let talk = reader(client, access, &address);
    let known = digest.filter(|digest| digest.algo() == DigestAlgo::Sha256);
    let digest = match known {
        Some(digest) => digest,
        None => find(&talk).await?,
    };
    let proof = talk.proof().await?;
    Ok((address.url(&format!("blobs/{digest}")), proof))
}

/// What is shown instead, where an answer wants another login.
pub(crate) async fn again(
    client: &Client,
    access: &Access,
    url: &Url,
    (shown, response): (&HeaderMap, &Response),
) -> Result<HeaderMap, Cause> {
    let address = Address::of(url).map_err(Cause::Settings)?;
    let talk = reader(client, access, &address);
    talk.log_in(shown, response.headers()).await?;
    talk.proof().await
}

/// An answer that wants no other login: what was shown is good.
pub(crate) async fn took(client: &Client, access: &Access, url: &Url, shown: &HeaderMap) {
    if let Ok(address) = Address::of(url) {
        reader(client, access, &address).took(shown).await;
    }
}

/// What a registry says that refuses a file.
pub(crate) async fn refusal(access: &Access, response: Response) -> Cause {
    if response.status() == StatusCode::NOT_FOUND {
        let why = "the registry does not have the file any more".to_owned();
        return Cause::Refused { status: 404, why };
    }
    refused(access, PULL, response).await
}

fn reader<'a>(client: &'a Client, access: &'a Access, address: &'a Address) -> Talk<'a> {
    Talk {
        client,
        access,
        address,
        actions: PULL,
        sent: None,
    }
}

/// The blob that the file of an address is.
async fn find(talk: &Talk<'_>) -> Result<Digest, Cause> {
    let address = talk.address;
    let path = address.path.as_str();
    let shelves = talk.client.kept::<Shelves>();
    let shelf = {
        let key = format!("{}{}", address.server, address.artifact());
        let mut all = shelves.all.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(all.entry(key).or_default())
    };
    let mut shelf = shelf.lock().await;
    let moves = matches!(address.reference(), Reference::Tag(_)) && path.ends_with(INDEX);
    if shelf.is_none() || moves {
        let new = resolve(talk, shelf.as_ref().map(|known| known.digest)).await?;
        *shelf = new.or(shelf.take());
    }
    let shelf = shelf.as_mut().ok_or(Cause::NotFound)?;
    loop {
        if let Some(digest) = shelf.files.get(path) {
            return Ok(*digest);
        }
        // What is no package is in the first manifest.
        if !is_package(path) {
            return Err(Cause::NotFound);
        }
        let next = shelf.left.front().ok_or(Cause::NotFound)?;
        let read = fetch(talk, &Reference::Digest(*next), None).await?;
        let read = read.ok_or(Cause::NotFound)?;
        shelf.text += read.1.len();
        if shelf.text > MAX_TEXT {
            return Err(too_many());
        }
        add(&mut shelf.files, read_manifest(&read.1, false)?)?;
        shelf.left.pop_front();
    }
}

/// What is under the tag now; none if it is what is known.
async fn resolve(talk: &Talk<'_>, known: Option<Digest>) -> Result<Option<Shelf>, Cause> {
    let answer = fetch(talk, &talk.address.reference(), known).await?;
    let Some((digest, bytes)) = answer.filter(|(digest, _)| known != Some(*digest)) else {
        return Ok(None);
    };
    let read = read_manifest(&bytes, true)?;
    let left = read.more.iter().copied().collect();
    let mut files = HashMap::new();
    add(&mut files, read)?;
    tracing::debug!(artifact = talk.address.artifact(), %digest, "what is under the tag");
    Ok(Some(Shelf {
        digest,
        files,
        text: bytes.len(),
        left,
    }))
}

fn read_manifest(bytes: &[u8], may_be_index: bool) -> Result<manifest::Read, Cause> {
    let wrong = |why| Cause::Malformed(format!("no repository of packages is there: {why}"));
    manifest::read(bytes, may_be_index).map_err(wrong)
}

fn add(files: &mut HashMap<String, Digest>, read: manifest::Read) -> Result<(), Cause> {
    for file in read.files {
        let before = files.insert(file.path, file.digest);
        if files.len() > MAX_FILES || before.is_some_and(|before| before != file.digest) {
            return Err(too_many());
        }
    }
    Ok(())
}

fn too_many() -> Cause {
    let why = "no repository of packages is there: it has too many files, or two of one path";
    Cause::Malformed(why.to_owned())
}

/// A manifest and its digest, which is that of its text; none if it is still the known one.
pub(crate) async fn fetch(
    talk: &Talk<'_>,
    reference: &Reference,
    known: Option<Digest>,
) -> Result<Option<(Digest, Vec<u8>)>, Cause> {
    let url = talk.address.url(&format!("manifests/{}", reference.text()));
    let mut request = Request::new(Method::GET, url);
    let accepted = HeaderValue::from_str(&manifest::accepted());
    request
        .headers
        .extend(accepted.ok().map(|value| (ACCEPT, value)));
    let known = known.and_then(|digest| HeaderValue::from_str(&format!("\"{digest}\"")).ok());
    request
        .headers
        .extend(known.map(|value| (IF_NONE_MATCH, value)));
    let mut response = talk.send(&request).await?;
    match response.status() {
        StatusCode::OK => {}
        StatusCode::NOT_MODIFIED if request.headers.contains_key(IF_NONE_MATCH) => return Ok(None),
        _ => return Err(refused(talk.access, talk.actions, response).await),
    }
    let named = response.headers().get(DIGEST);
    let named = named.and_then(|value| parse_digest(value.to_str().ok()?));
    let bytes = small_body(&mut response, MAX_MANIFEST, talk.access).await?;
    let digest = Hasher::digest(DigestAlgo::Sha256, &bytes);
    let expected = match reference {
        Reference::Digest(expected) => Some(*expected),
        Reference::Tag(_) => named,
    };
    match expected {
        Some(expected) if expected != digest => Err(Cause::Digest {
            got: digest.to_string(),
            expected: expected.to_string(),
        }),
        _ => Ok(Some((digest, bytes))),
    }
}

#[derive(Deserialize)]
struct Refusal {
    errors: Vec<Code>,
}

#[derive(Deserialize)]
struct Code {
    code: String,
}

/// What a status means that is no success: what is refused, and what to do. Of what the registry says, only its code
/// is passed on.
pub(crate) async fn refused(access: &Access, actions: &str, mut response: Response) -> Cause {
    let status = response.status().as_u16();
    let body = small_body(&mut response, MAX_REFUSAL, access).await;
    let said: Option<Refusal> = serde_json::from_slice(&body.unwrap_or_default()).ok();
    let code = said.and_then(|said| said.errors.into_iter().next());
    let plain = |code: &String| {
        code.len() <= 64 && code.bytes().all(|b| b.is_ascii_uppercase() || b == b'_')
    };
    let code = code.map(|code| code.code).filter(plain).unwrap_or_default();
    let why = match (status, code.as_str()) {
        (404, "NAME_UNKNOWN") => "the registry has no such repository".to_owned(),
        (404, _) => "the registry has no such repository or tag".to_owned(),
        (401 | 403, _) => format!(
            "the registry denies what is asked of it ({actions}): has the user the right to it?"
        ),
        (429, _) => "the registry has had too many requests".to_owned(),
        (413, _) => "the registry, or a proxy before it, takes nothing so large".to_owned(),
        (status, "") => format!("the registry answers HTTP status {status}"),
        (status, code) => format!("the registry answers {code} (HTTP status {status})"),
    };
    Cause::Refused { status, why }
}
