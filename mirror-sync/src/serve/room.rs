//! Who may stay while more clients come than there is room for.
//!
//! A client that takes nothing must not keep another one out. When all connections are taken and one more comes, the
//! one that goes belongs to the address that has most of them, and of those it is the one that took nothing for
//! longest. Only bytes that a client takes count: whoever sends a request byte by byte, stays after its answer, or waits
//! for an upstream, is among the first. A connection that takes bytes all the time stays.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

/// A connection that took bytes so lately does not go.
const STILL: Duration = Duration::from_secs(1);
/// Time between two looks at who may go.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Bits of an IPv6 address that are a client's own to choose.
const OWN_BITS: u32 = 64;

/// All connections.
pub(super) struct Room {
    opened: Instant,
    free: Arc<Semaphore>,
    guests: Mutex<Guests>,
}

#[derive(Default)]
struct Guests {
    came: u64,
    here: HashMap<u64, Guest>,
}

/// One connection, as the others see it.
struct Guest {
    from: IpAddr,
    /// Milliseconds after the room was opened.
    took: Arc<AtomicU64>,
    leave: Arc<Notify>,
}

/// A connection's place; free again when the value goes.
pub(super) struct Place {
    room: Arc<Room>,
    number: u64,
    took: Arc<AtomicU64>,
    leave: Arc<Notify>,
    _free: OwnedSemaphorePermit,
}

impl Room {
    /// Room for so many connections.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            opened: Instant::now(),
            free: Arc::new(Semaphore::new(limit)),
            guests: Mutex::default(),
        }
    }

    /// A place for a connection from this address; none if nobody left for a while: ask again.
    pub(super) async fn place(self: &Arc<Self>, from: IpAddr) -> Option<Place> {
        if self.free.available_permits() == 0 {
            self.send_one_away();
        }
        let free = Arc::clone(&self.free).acquire_owned();
        let free = tokio::time::timeout(LOOK_EVERY, free).await.ok()?.ok()?;
        let took = Arc::new(AtomicU64::new(self.now()));
        let leave = Arc::new(Notify::new());
        let mut guests = self.guests();
        guests.came += 1;
        let number = guests.came;
        let guest = Guest {
            from: network_of(from),
            took: Arc::clone(&took),
            leave: Arc::clone(&leave),
        };
        guests.here.insert(number, guest);
        Some(Place {
            room: Arc::clone(self),
            number,
            took,
            leave,
            _free: free,
        })
    }

    fn send_one_away(&self) {
        let mut guests = self.guests();
        let now = self.now();
        let mut of_address: HashMap<IpAddr, usize> = HashMap::new();
        for guest in guests.here.values() {
            *of_address.entry(guest.from).or_default() += 1;
        }
        let still = u64::try_from(STILL.as_millis()).unwrap_or(u64::MAX);
        let all = guests.here.iter().map(|(number, guest)| {
            let idle = now.saturating_sub(guest.took.load(Ordering::Relaxed));
            let others = of_address.get(&guest.from).copied().unwrap_or(0);
            (others, idle, *number)
        });
        let goes = all.filter(|(_, idle, _)| *idle >= still).max();
        if let Some(guest) = goes.and_then(|(_, _, number)| guests.here.remove(&number)) {
            guest.leave.notify_one();
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn guests(&self) -> MutexGuard<'_, Guests> {
        self.guests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// The client took bytes.
    pub(super) fn took(&self) {
        self.took.store(self.room.now(), Ordering::Relaxed);
    }

    /// Ends when the connection has to go.
    pub(super) fn leaves(&self) -> impl Future<Output = ()> + use<> {
        let leave = Arc::clone(&self.leave);
        async move { leave.notified().await }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.room.guests().here.remove(&self.number);
    }
}

/// What stands for one client: its address, of IPv6 the network that it has for itself.
fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let network = address.to_bits() >> OWN_BITS << OWN_BITS;
            IpAddr::V6(Ipv6Addr::from_bits(network))
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The places of connections from these addresses, which took nothing for so many seconds.
    async fn full(guests: &[(&str, u64)]) -> (Arc<Room>, Vec<Place>) {
        let mut room = Room::new(guests.len());
        room.opened -= Duration::from_secs(1000);
        let room = Arc::new(room);
        let mut places = Vec::new();
        for (from, idle) in guests {
            let place = room.place(from.parse().unwrap()).await.unwrap();
            place.took.fetch_sub(idle * 1000, Ordering::Relaxed);
            places.push(place);
        }
        (room, places)
    }

    /// Which of them has to go for one more.
    async fn goes(guests: &[(&str, u64)]) -> Option<usize> {
        let (room, places) = full(guests).await;
        assert!(room.place("192.0.2.9".parse().unwrap()).await.is_none());
        let mut gone = None;
        for (at, place) in places.iter().enumerate() {
            if tokio::time::timeout(Duration::ZERO, place.leaves())
                .await
                .is_ok()
            {
                assert_eq!(gone.replace(at), None, "two go");
            }
        }
        gone
    }

    fn run(test: impl Future<Output = ()>) {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.enable_all().build().unwrap().block_on(test);
    }

    #[test]
    fn row_116_whoever_takes_nothing_goes_first() {
        run(async {
            assert_eq!(
                goes(&[("192.0.2.1", 5), ("192.0.2.1", 9), ("192.0.2.1", 7)]).await,
                Some(1)
            );
            let many = [("192.0.2.1", 30), ("2001:db8::1", 2), ("2001:db8::2:1", 3)];
            assert_eq!(goes(&many).await, Some(2));
            let mapped = [("192.0.2.1", 4), ("::ffff:192.0.2.1", 5), ("192.0.2.2", 30)];
            assert_eq!(goes(&mapped).await, Some(1));
            assert_eq!(goes(&[("192.0.2.1", 0), ("192.0.2.2", 0)]).await, None);
        });
    }

    #[test]
    fn a_place_is_free_again_when_its_connection_ends() {
        run(async {
            let (room, places) = full(&[("192.0.2.1", 0)]).await;
            drop(places);
            assert!(room.place("192.0.2.2".parse().unwrap()).await.is_some());
            assert!(room.guests().here.is_empty());
        });
    }
}
