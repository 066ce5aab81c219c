//! Where a URL leads: what is no URL of HTTP stands for one.

use reqwest::header::HeaderMap;
use reqwest::{Response, Url};
use rpm_pkg::digest::Digest;

use crate::client::Client;
use crate::error::Cause;
use crate::oci::address::is_registry;
use crate::oci::shelf;
use crate::options::Access;
use crate::s3;

/// The HTTP request that a URL stands for.
pub(super) struct Place {
    pub(super) url: Url,
    /// What is sent in the place of a login, to the server of `url` alone. None for a URL of HTTP.
    pub(super) proof: Option<HeaderMap>,
    /// The server has said before how it is to be asked.
    again: bool,
}

/// What an answer means.
pub(super) enum Judged {
    /// It is one.
    Answer(Response),
    /// There is to be asked instead.
    Again(Place),
}

/// Where to ask for `url`, a file of this digest.
pub(super) async fn of(
    client: &Client,
    access: &Access,
    url: &Url,
    digest: Option<Digest>,
) -> Result<Place, Cause> {
    let asked = match url.scheme() {
        s3::SCHEME => Some(s3::place(client, access, url).await?),
        _ if is_registry(url) => Some(shelf::place(client, access, url, digest).await?),
        _ => None,
    };
    let (url, proof) = asked.map_or((url.clone(), None), |(url, proof)| (url, Some(proof)));
    let again = false;
    Ok(Place { url, proof, again })
}

/// What the server that `url` stands for says with an answer.
///
/// # Errors
/// It refuses, in its own words.
pub(super) async fn judge(
    client: &Client,
    access: &Access,
    url: &Url,
    (place, response): (&Place, Response),
) -> Result<Judged, Cause> {
    let Some(shown) = &place.proof else {
        return Ok(Judged::Answer(response));
    };
    if url.scheme() == s3::SCHEME {
        let judged = s3::judge(client, access, url, response, !place.again).await?;
        return Ok(match judged {
            Some(response) => Judged::Answer(response),
            None => Judged::Again(Place {
                again: true,
                ..of(client, access, url, None).await?
            }),
        });
    }
    match response.status().as_u16() {
        401 => {
            let asked = (shown, &response);
            let proof = Some(shelf::again(client, access, url, asked).await?);
            let url = place.url.clone();
            let again = true;
            Ok(Judged::Again(Place { url, proof, again }))
        }
        // How long to wait stands in its headers.
        403 | 404 => Err(shelf::refusal(access, response).await),
        _ => {
            shelf::took(client, access, url, shown).await;
            Ok(Judged::Answer(response))
        }
    }
}
