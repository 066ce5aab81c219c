//! What is remembered for the run of a client.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use super::sigv4::Keys;

/// Keys that were found, and until when they are good, in seconds since 1970.
pub(super) struct KeptKeys {
    /// None: requests are not signed.
    pub(super) keys: Option<Arc<Keys>>,
    pub(super) until: u64,
}

/// What is remembered for the run of a client.
#[derive(Default)]
pub(super) struct Memory {
    /// Held while they are looked for: who comes second waits.
    pub(super) keys: tokio::sync::Mutex<Option<KeptKeys>>,
    /// Endpoint and region of the profile, once it was read.
    pub(super) server: Mutex<Option<(Option<String>, Option<String>)>>,
    /// By server and bucket, as servers have told.
    pub(super) regions: Mutex<HashMap<String, String>>,
}
