//! Requests to a registry: who asks, tokens, redirects, refusals in our words.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::{Method, Response, StatusCode, Url};
use serde::Deserialize;
use tokio::time::Instant;

use super::address::{Address, is_registry};
use super::challenge::{self, Challenge};
use super::login_files::{self, Found, Login};
use super::send::{Body, Sending};
use crate::auth_header::{self, is_here};
use crate::client::{Client, origin};
use crate::error::{Cause, server_name};
use crate::options::Access;
use crate::wire::small_body;

/// Most bytes of an answer that brings a token.
const MAX_TOKEN: u64 = 128 << 10;
/// Most bytes of an answer that says why it refuses.
pub(crate) const MAX_REFUSAL: u64 = 64 << 10;
/// How long a token lasts that does not say so, in seconds (as the protocol has it).
const TOKEN_LASTS: u64 = 60;
/// A token is renewed so long before it ends.
const TOKEN_MARGIN: Duration = Duration::from_secs(5);
/// How often a registry that is too busy is asked again by a request itself, where anything is asked again at all.
const MAX_BUSY: u32 = 3;
/// Longest that a request waits for that.
const MAX_WAIT: Duration = Duration::from_secs(60);
/// Name of this program where tokens are asked for.
const CLIENT_ID: &str = "tdnf";

/// What the registries of a client are known by.
#[derive(Default)]
pub(crate) struct Doors {
    /// By registry, repository, what is to be done there and who asks.
    all: Mutex<HashMap<String, Arc<tokio::sync::Mutex<Door>>>>,
}

/// How a repository of a registry lets us in.
#[derive(Default)]
struct Door {
    /// What it wanted when it refused.
    wants: Option<Challenge>,
    /// What it is shown.
    proof: Option<HeaderValue>,
    /// It was taken. One that never was is not what the registry wants.
    worked: bool,
    /// When it ends.
    until: Option<Instant>,
}

/// Requests to one repository of a registry.
#[derive(Clone, Copy)]
pub(crate) struct Talk<'a> {
    pub(crate) client: &'a Client,
    pub(crate) access: &'a Access,
    pub(crate) address: &'a Address,
    /// What is to be done there: `pull`, `pull,push` or `delete`.
    pub(crate) actions: &'static str,
    /// Where requests are counted.
    pub(crate) sent: Option<&'a AtomicU64>,
}

/// One request.
pub(crate) struct Request<'a> {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Body<'a>,
}

impl Request<'_> {
    /// One without a body.
    pub(crate) fn new(method: Method, url: Url) -> Self {
        Self {
            method,
            url,
            headers: HeaderMap::new(),
            body: Body::Empty,
        }
    }
}

#[derive(Deserialize)]
struct Token {
    token: Option<String>,
    access_token: Option<String>,
    expires_in: Option<u64>,
}

impl Talk<'_> {
    /// Sends a request; logs in where that is wanted, waits where the registry is too busy. Any other answer is returned
    /// as it is, redirects among them.
    pub(crate) async fn send(&self, request: &Request<'_>) -> Result<Response, Cause> {
        let (mut busy, mut left) = (0, MAX_WAIT);
        loop {
            // A place for an upload may be on another server.
            let proof = if self.is_ours(&request.url) {
                self.proof().await?
            } else {
                HeaderMap::new()
            };
            let response = self.once(request, &proof).await?;
            match response.status() {
                // A server that the registry led to may not say who is to get the login.
                StatusCode::UNAUTHORIZED if !self.is_ours(response.url()) => {
                    let led = server_name(&origin(response.url()));
                    let why = format!(
                        "it led to {led}, which wants a login: none is sent to another server"
                    );
                    return Err(Cause::Refused { status: 401, why });
                }
                StatusCode::UNAUTHORIZED => self.log_in(&proof, response.headers()).await?,
                StatusCode::TOO_MANY_REQUESTS
                    if busy < MAX_BUSY.min(self.access.retries) && !left.is_zero() =>
                {
                    busy += 1;
                    let wait = crate::wire::retry_after(response.headers());
                    let wait = wait.unwrap_or(Duration::from_secs(1 << busy)).min(left);
                    left -= wait;
                    self.client.pause(wait).await?;
                }
                _ => {
                    self.took(&proof).await;
                    return Ok(response);
                }
            }
        }
    }

    /// Whether a URL is at the registry itself: scheme, host and port.
    fn is_ours(&self, url: &Url) -> bool {
        url.origin() == self.address.server.origin()
    }

    /// The registry took what it was shown.
    pub(crate) async fn took(&self, shown: &HeaderMap) {
        if let Some(shown) = shown.get(AUTHORIZATION) {
            let door = self.door();
            let mut door = door.lock().await;
            door.worked |= door.proof.as_ref() == Some(shown);
        }
    }

    /// The request with these headers besides, as it is.
    async fn once(&self, request: &Request<'_>, proof: &HeaderMap) -> Result<Response, Cause> {
        if let Some(sent) = self.sent {
            sent.fetch_add(1, Ordering::Relaxed);
        }
        Sending {
            client: self.client,
            access: self.access,
        }
        .send(request, proof)
        .await
    }

    /// What a request shows of who asks: renewed where it has ended, nothing before the registry has asked for it.
    pub(crate) async fn proof(&self) -> Result<HeaderMap, Cause> {
        let mut headers = HeaderMap::new();
        if let Some(file) = self.header_file() {
            let (name, value) = auth_header::read(file)?;
            headers.insert(name, value);
        }
        let door = self.door();
        let mut door = door.lock().await;
        if door
            .until
            .is_some_and(|until| Instant::now() + TOKEN_MARGIN >= until)
            && let Some(wants) = door.wants.clone()
        {
            *door = self.enter(wants).await?;
        }
        // A token takes the place of a header that brought it.
        headers.extend(door.proof.clone().map(|proof| (AUTHORIZATION, proof)));
        Ok(headers)
    }

    /// Finds a proof in the place of the one that was refused by an answer with these headers.
    ///
    /// # Errors
    /// There is no better one.
    pub(crate) async fn log_in(&self, shown: &HeaderMap, headers: &HeaderMap) -> Result<(), Cause> {
        let door = self.door();
        let mut door = door.lock().await;
        let refused = shown.get(AUTHORIZATION);
        // Another request was faster.
        if door.proof.is_some() && door.proof.as_ref() != refused {
            return Ok(());
        }
        let wants = challenge::of(headers);
        let is_token = matches!(wants, Some(Challenge::Bearer { .. }));
        // Whoever asks next may have another login.
        let was = std::mem::take(&mut *door);
        let had_worked = was.proof.is_some() && was.worked;
        let why = match wants {
            Some(wants) if refused.is_none() || is_token && had_worked => {
                *door = self.enter(wants).await?;
                return Ok(());
            }
            _ if refused.is_some() => {
                let what = self.actions;
                format!("the registry refuses the login, or it is none that may {what}")
            }
            _ => "the registry wants a login of a kind that is not spoken here".to_owned(),
        };
        Err(Cause::Refused { status: 401, why })
    }

    fn door(&self) -> Arc<tokio::sync::Mutex<Door>> {
        let doors = self.client.kept::<Doors>();
        let Access { repo, username, .. } = self.access;
        let own = self.address.login.as_ref().map(|(user, _)| user);
        let user = own.or(username.as_ref()).map_or("", String::as_str);
        let key = format!(
            "{} {} {} {repo} {user}",
            self.address.server, self.address.name, self.actions
        );
        let mut all = doors.all.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(all.entry(key).or_default())
    }

    /// Does what the registry wants.
    async fn enter(&self, wants: Challenge) -> Result<Door, Cause> {
        let login = self.login()?;
        let (proof, until) = match &wants {
            Challenge::Basic => match &login {
                Found::Login(Login::Basic(user, password)) => (basic(user, password)?, None),
                _ => {
                    return Err(self.login_wanted(&login));
                }
            },
            Challenge::Bearer { realm, service } => {
                self.token(realm, service.as_deref(), &login).await?
            }
        };
        Ok(Door {
            wants: Some(wants),
            proof: Some(proof),
            worked: false,
            until,
        })
    }

    /// A token of the place that the registry names.
    async fn token(
        &self,
        realm: &str,
        service: Option<&str>,
        login: &Found,
    ) -> Result<(HeaderValue, Option<Instant>), Cause> {
        let refuse = |why: &str| {
            Err(Cause::Settings(format!(
                "the registry names a place for tokens {why}"
            )))
        };
        let server = &self.address.server;
        let Ok(realm) = Url::parse(realm) else {
            return refuse("that is no URL");
        };
        match (server.scheme(), realm.scheme()) {
            (_, "https") | ("http", "http") => {}
            ("https", "http") => return refuse("without https: nothing is sent there"),
            _ => return refuse("that is none of http"),
        }
        // Whoever sits on a line in clear may name any place: what is sent there is then not for him to see.
        let is_trusted = realm.origin() == server.origin()
            || realm.scheme() == "https" && server.scheme() == "https"
            || is_here(&realm) && is_here(server);
        let scope = format!("repository:{}:{}", self.address.name, self.actions);
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        let mut request = Request::new(Method::GET, realm.clone());
        let known = match login {
            Found::Login(login) if is_trusted => Some(login),
            Found::Login(_) => {
                return refuse(
                    "on another server, and https is not spoken with both: the login is not sent there",
                );
            }
            _ => None,
        };
        let mut values = vec![("scope", scope.as_str())];
        values.extend(service.map(|service| ("service", service)));
        match known {
            Some(Login::Refresh(secret)) => {
                values.extend([
                    ("grant_type", "refresh_token"),
                    ("client_id", CLIENT_ID),
                    ("refresh_token", secret),
                ]);
                let mut form = Url::parse("http://form.invalid/")
                    .map_err(|e| Cause::Settings(e.to_string()))?;
                form.query_pairs_mut().extend_pairs(values);
                request.method = Method::POST;
                request.body = Body::Form(form.query().unwrap_or_default().to_owned());
            }
            other => {
                request.url.query_pairs_mut().extend_pairs(values);
                if let Some(Login::Basic(user, password)) = other {
                    headers.insert(AUTHORIZATION, basic(user, password)?);
                } else if let Some(file) = self
                    .header_file()
                    .filter(|_| realm.origin() == server.origin())
                {
                    let (name, value) = auth_header::read(file)?;
                    headers.insert(name, value);
                }
            }
        }
        let mut response = self.once(&request, &headers).await?;
        let status = response.status().as_u16();
        match status {
            200 => {}
            401 | 403 if known.is_none() && !headers.contains_key(AUTHORIZATION) => {
                return Err(self.login_wanted(login));
            }
            400 | 401 | 403 => {
                let why = "the registry refuses the login".to_owned();
                return Err(Cause::Refused { status, why });
            }
            status => {
                let why = format!(
                    "no token from {}: HTTP status {status}",
                    realm.host_str().unwrap_or_default()
                );
                return Err(Cause::Refused { status, why });
            }
        }
        let body = small_body(&mut response, MAX_TOKEN, self.access).await?;
        let bad = || Cause::Malformed("the place for tokens gave none".to_owned());
        // The words of the library may hold what stands there.
        let token: Token = serde_json::from_slice(&body).map_err(|_| bad())?;
        let text = token
            .token
            .or(token.access_token)
            .filter(|text| !text.is_empty());
        let mut value = HeaderValue::from_str(&format!("Bearer {}", text.ok_or_else(bad)?))
            .map_err(|_| bad())?;
        value.set_sensitive(true);
        let lasts = token.expires_in.unwrap_or(TOKEN_LASTS).max(TOKEN_LASTS);
        let until = Instant::now().checked_add(Duration::from_secs(lasts));
        Ok((value, until))
    }

    /// Who asks: the URL says, or the configuration where it names the registry, or a file of logins.
    fn login(&self) -> Result<Found, Cause> {
        if let Some((user, password)) = self.address.login.clone() {
            return Ok(Found::Login(Login::Basic(user, password)));
        }
        let named = self.is_named();
        if let (Some(user), Some(password), true) =
            (&self.access.username, &self.access.password, named)
        {
            return Ok(Found::Login(Login::Basic(user.clone(), password.clone())));
        }
        let logins = self.client.registry_logins();
        let found = login_files::find(logins, &self.address.place());
        // A section or a list from anywhere may name the registry, no TLS and a proxy: what stands in a file of this
        // user for its host is not for the line.
        match self.client.exposes(self.access, &self.address.server) {
            None => found.map_err(Cause::Settings),
            Some(why) => Ok(match found {
                Ok(Found::Login(_)) => Found::Withheld(why),
                _ => Found::Nothing,
            }),
        }
    }

    /// The file with a header for the registry.
    fn header_file(&self) -> Option<&std::path::Path> {
        let file = self.access.auth_header_file.as_deref()?;
        self.is_named().then_some(file)
    }

    /// Whether the configuration names the registry.
    fn is_named(&self) -> bool {
        let urls = self.access.origins.iter();
        let mut urls = urls.filter_map(|text| Url::parse(text).ok());
        urls.any(|url| match is_registry(&url) {
            true => Address::of(&url).is_ok_and(|other| other.server == self.address.server),
            false => url.origin() == self.address.server.origin(),
        })
    }

    fn login_wanted(&self, found: &Found) -> Cause {
        let place = self.address.place();
        let host = place.split('/').next().unwrap_or_default();
        let more = match found {
            Found::Helper(program, file) => format!(
                " ({} leaves it to docker-credential-{program}, which is not run)",
                file.display()
            ),
            Found::Withheld(why) => format!("; the one of docker's files is not used: {why}"),
            _ => String::new(),
        };
        let why = format!(
            "there is no such repository, or the registry wants a login: set username and password, or `docker login {host}`{more}"
        );
        Cause::Refused { status: 401, why }
    }
}

fn basic(user: &str, password: &str) -> Result<HeaderValue, Cause> {
    let text = STANDARD.encode(format!("{user}:{password}"));
    let value = HeaderValue::from_str(&format!("Basic {text}"));
    let mut value = value.map_err(|_| Cause::Settings("the login is none of HTTP".to_owned()))?;
    value.set_sensitive(true);
    Ok(value)
}
