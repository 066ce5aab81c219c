//! How long a server that is written to is waited for.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::client::Client;
use crate::error::Cause;

/// Who hears that a server is waited for: `waiting for HOST (why), trying again`.
pub type Waiting<'a> = &'a (dyn Fn(&str) + Sync);

/// Extra tries of a server that has not answered yet and cannot be reached.
const UNREACHABLE: u32 = 2;
/// A pause so long is told, whatever it is for.
const LONG: Duration = Duration::from_secs(1);

/// What a client remembers of servers that it writes to, by their origins.
#[derive(Default)]
struct Memory {
    /// They could not be reached: they are not waited for again.
    away: Mutex<HashSet<String>>,
    /// It was said that they are waited for.
    told: Mutex<HashSet<String>>,
}

/// With one server.
#[derive(Default)]
pub(crate) struct Patience<'a> {
    pub(crate) tell: Option<Waiting<'a>>,
    /// It has answered.
    reached: AtomicBool,
}

impl Patience<'_> {
    /// The server answered, whatever it said.
    pub(crate) fn answered(&self, client: &Client, server: &str) {
        if !self.reached.swap(true, Ordering::Relaxed) {
            let memory = client.kept::<Memory>();
            let away = memory.away.lock();
            away.unwrap_or_else(PoisonError::into_inner).remove(server);
        }
    }

    /// How many tries may follow the first one that failed so, of `retries`.
    pub(crate) fn tries(&self, client: &Client, server: &str, cause: &Cause, retries: u32) -> u32 {
        if !cause.is_unreachable() || self.reached.load(Ordering::Relaxed) {
            return retries;
        }
        let memory = client.kept::<Memory>();
        let away = memory.away.lock().unwrap_or_else(PoisonError::into_inner);
        // Silence has been waited for already.
        if matches!(cause, Cause::Timeout(_)) || away.contains(server) {
            return 0;
        }
        retries.min(UNREACHABLE)
    }

    /// It is given up.
    pub(crate) fn given_up(&self, client: &Client, server: &str, cause: &Cause) {
        if cause.is_unreachable() {
            let memory = client.kept::<Memory>();
            let mut away = memory.away.lock().unwrap_or_else(PoisonError::into_inner);
            away.insert(server.to_owned());
        }
    }

    /// Waits, and says so once.
    ///
    /// # Errors
    /// [`Cause::Stopped`].
    pub(crate) async fn wait(
        &self,
        client: &Client,
        (server, host): (&str, &str),
        cause: &Cause,
        pause: Duration,
    ) -> Result<(), Cause> {
        if let Some(tell) = self.tell
            && (pause >= LONG || cause.is_unreachable())
        {
            let memory = client.kept::<Memory>();
            let told = memory.told.lock();
            let is_first = told
                .unwrap_or_else(PoisonError::into_inner)
                .insert(server.to_owned());
            if is_first {
                tell(&format!("waiting for {host} ({cause}), trying again"));
            }
        }
        client.pause(pause).await
    }
}
