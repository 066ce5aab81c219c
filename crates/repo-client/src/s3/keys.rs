//! Whose key signs: the repository's, the environment's, that of a web identity, that of the shared files, or nobody's.

use std::sync::Arc;

use reqwest::Url;

use super::identity::{self, Identity};
use super::memory::{KeptKeys, Memory};
use super::profile::{self, Profile};
use super::sigv4::{Keys, Signer};
use super::target::Target;
use crate::client::Client;
use crate::error::Cause;
use crate::options::{Access, S3Environment, decode_percent};

/// How long what the shared files say is good, in seconds: other programs renew it.
const FILES_LAST: u64 = 60;
/// What a profile may have in the place of keys, and is not done here.
const NOT_DONE: [&str; 5] = [
    "credential_process",
    "sso_session",
    "sso_start_url",
    "source_profile",
    "credential_source",
];

/// Signs requests for a bucket.
pub(super) fn signer<'a>(
    client: &Client,
    keys: &'a Keys,
    target: &'a Target,
) -> Result<Signer<'a>, Cause> {
    let now = client.clock();
    Ok(Signer {
        keys,
        region: &target.region,
        now: now.ok_or_else(|| Cause::Settings("no clock to sign by".to_owned()))?,
    })
}

/// The key for `url`; none if there is none, and requests are not signed.
pub(super) async fn find(
    client: &Client,
    access: &Access,
    url: &Url,
    target: &Target,
) -> Result<Option<Arc<Keys>>, Cause> {
    let env = client.s3_environment();
    if let Some(own) = own(access, url) {
        return Ok(Some(Arc::new(own)));
    }
    if target.withheld.is_some() {
        return Ok(None);
    }
    match (&env.key_id, &env.secret) {
        (Some(id), Some(secret)) => {
            let (id, secret, token) = (id.clone(), secret.clone(), env.session_token.clone());
            return Ok(Some(Arc::new(Keys { id, secret, token })));
        }
        (None, None) => {}
        (Some(_), None) => return Err(half("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")),
        (None, Some(_)) => return Err(half("AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID")),
    }
    let memory = client.kept::<Memory>();
    let mut kept = memory.keys.lock().await;
    let now = client.clock().unwrap_or_default();
    if let Some(kept) = kept.as_ref().filter(|kept| now < kept.until) {
        return Ok(kept.keys.clone());
    }
    Ok(kept.insert(look(client, access, now).await?).keys.clone())
}

/// Forgets keys that are not good any more; false where no others can be had.
pub(super) async fn forget(client: &Client) -> bool {
    let memory = client.kept::<Memory>();
    memory.keys.lock().await.take().is_some()
}

/// The key in the URL, else of the repository: sent nowhere, it signs for the buckets that the configuration names.
fn own(access: &Access, url: &Url) -> Option<Keys> {
    let (id, secret) = match (url.username(), url.password()) {
        ("", None) if !access.names_bucket(url) => return None,
        ("", None) => (access.username.clone()?, access.password.clone()?),
        (id, secret) => (
            decode_percent(id),
            secret.map(decode_percent).unwrap_or_default(),
        ),
    };
    let token = None;
    Some(Keys { id, secret, token })
}

fn half(there: &str, missing: &str) -> Cause {
    Cause::Settings(format!("{there} is set without {missing}"))
}

async fn look(client: &Client, access: &Access, now: u64) -> Result<KeptKeys, Cause> {
    let env = client.s3_environment();
    if let (Some(role), Some(file)) = (&env.role, &env.identity_file) {
        return identity::keys(client, access, &Identity { role, file }, now).await;
    }
    let mut profile = profile::read(env)?;
    let id = profile.remove("aws_access_key_id");
    let secret = profile.remove("aws_secret_access_key");
    let until = now.saturating_add(FILES_LAST);
    match (id, secret) {
        (Some(id), Some(secret)) => {
            let token = profile.remove("aws_session_token");
            let keys = Some(Arc::new(Keys { id, secret, token }));
            return Ok(KeptKeys { keys, until });
        }
        (None, None) => {}
        _ => return Err(of_profile(env, "has one half of an access key alone")),
    }
    let (role, file) = (
        profile.get("role_arn"),
        profile.get("web_identity_token_file"),
    );
    if let (Some(role), Some(file)) = (role, file) {
        let file = file.as_ref();
        return identity::keys(client, access, &Identity { role, file }, now).await;
    }
    match not_done(&profile) {
        Some(key) => Err(of_profile(
            env,
            &format!("gets its key by {key}, which is not done here: name a key"),
        )),
        None => Ok(KeptKeys { keys: None, until }),
    }
}

fn not_done(profile: &Profile) -> Option<&'static str> {
    NOT_DONE.into_iter().find(|key| profile.contains_key(*key))
}

fn of_profile(env: &S3Environment, what: &str) -> Cause {
    let name = env.profile.as_deref().unwrap_or("default");
    let file = env.credentials_file.as_deref().unwrap_or("".as_ref());
    Cause::Settings(format!("profile {name} of {} {what}", file.display()))
}
