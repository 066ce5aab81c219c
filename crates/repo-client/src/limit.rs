//! Speed: an upper limit shared by transfers, and the lower limit that finds stuck ones.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::error::Cause;

/// Spreads bytes over time: at most `rate` bytes per second over all users.
pub(crate) struct Limiter {
    rate: u64,
    free_at: Mutex<Option<Instant>>,
}

impl Limiter {
    pub(crate) fn new(rate: u64) -> Self {
        Self {
            rate: rate.max(1),
            free_at: Mutex::new(None),
        }
    }

    /// Accounts for `bytes` that came and says how long to wait before reading more.
    pub(crate) fn charge(&self, bytes: usize) -> Duration {
        let cost = Duration::from_secs_f64(bytes as f64 / self.rate as f64);
        let mut free_at = self.free_at.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let next = free_at.unwrap_or(now).max(now) + cost;
        *free_at = Some(next);
        next - now
    }
}

/// Watches one transfer: fewer than `rate` bytes per second over a whole window is too slow.
pub(crate) struct Pace {
    window: Duration,
    rate: u64,
    began: Instant,
    bytes: u64,
    /// Time we slept ourselves (speed limit): not the server's fault.
    slept: Duration,
}

impl Pace {
    pub(crate) fn new(window: Duration, rate: u64) -> Self {
        Self {
            window,
            rate: rate.max(1),
            began: Instant::now(),
            bytes: 0,
            slept: Duration::ZERO,
        }
    }

    pub(crate) fn excuse(&mut self, slept: Duration) {
        self.slept += slept;
    }

    pub(crate) fn count(&mut self, bytes: usize) -> Result<(), Cause> {
        self.bytes = self.bytes.saturating_add(bytes as u64);
        let spent = self.began.elapsed().saturating_sub(self.slept);
        if spent < self.window {
            return Ok(());
        }
        let seconds = spent.as_secs().max(1);
        if self.bytes < self.rate.saturating_mul(seconds) {
            return Err(Cause::TooSlow {
                got: self.bytes,
                seconds,
            });
        }
        *self = Self::new(self.window, self.rate);
        Ok(())
    }
}
