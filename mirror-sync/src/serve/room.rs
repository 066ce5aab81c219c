//! Who may stay while more clients come than there is room for.
//!
//! A client that takes nothing must not keep another one out. When all connections are taken and one more comes, the
//! one that goes belongs to the address that has most of them, and of those it is the one that took nothing for
//! longest. Where one client may have so many and no more (`serve.connections_per_client`), one of its own goes for the
//! next, or the next is not let in. Only bytes that a client takes count: whoever sends a request byte by byte, stays after its answer, or waits
//! for an upstream, is among the first. A connection that takes bytes all the time stays.

use std::collections::hash_map::{Entry, HashMap};
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
    /// Most connections of one client.
    each: usize,
    guests: Mutex<Guests>,
}

#[derive(Default)]
struct Guests {
    came: u64,
    here: HashMap<u64, Guest>,
    /// How many connections each client has.
    of_client: HashMap<IpAddr, usize>,
}

impl Guests {
    fn add(&mut self, guest: Guest) -> u64 {
        self.came += 1;
        *self.of_client.entry(guest.from).or_default() += 1;
        self.here.insert(self.came, guest);
        self.came
    }

    fn remove(&mut self, number: u64) -> Option<Guest> {
        let gone = self.here.remove(&number)?;
        if let Entry::Occupied(mut count) = self.of_client.entry(gone.from) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
        Some(gone)
    }

    /// Sends away who took nothing for longest, of the client that has most connections, among those `of` whom one
    /// may go. Whether anybody went.
    fn send_one_away(&mut self, now: u64, of: impl Fn(IpAddr) -> bool) -> bool {
        let still = u64::try_from(STILL.as_millis()).unwrap_or(u64::MAX);
        let all = self.here.iter().filter(|(_, guest)| of(guest.from));
        let all = all.map(|(number, guest)| {
            let idle = now.saturating_sub(guest.took.load(Ordering::Relaxed));
            let others = self.of_client.get(&guest.from).copied().unwrap_or(0);
            (others, idle, *number)
        });
        let goes = all.filter(|(_, idle, _)| *idle >= still).max();
        let gone = goes.and_then(|(_, _, number)| self.remove(number));
        if let Some(guest) = &gone {
            guest.leave.notify_one();
        }
        gone.is_some()
    }
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
    /// Room for so many connections, and for so many of `each` client; 0 is no limit.
    pub(super) fn new(limit: usize, each: usize) -> Self {
        Self {
            opened: Instant::now(),
            free: Arc::new(Semaphore::new(limit)),
            each: if each == 0 { usize::MAX } else { each },
            guests: Mutex::default(),
        }
    }

    /// Whether one more connection from this address may come in: the client has fewer than it may have, or one of
    /// its own went.
    pub(super) fn lets_in(&self, from: IpAddr) -> bool {
        let client = network_of(from);
        let mut guests = self.guests();
        let count = guests.of_client.get(&client).copied().unwrap_or(0);
        count < self.each || guests.send_one_away(self.now(), |from| from == client)
    }

    /// A place for a connection from this address; none if nobody left for a while: ask again.
    pub(super) async fn place(self: &Arc<Self>, from: IpAddr) -> Option<Place> {
        if self.free.available_permits() == 0 {
            self.guests().send_one_away(self.now(), |_| true);
        }
        let free = Arc::clone(&self.free).acquire_owned();
        let free = tokio::time::timeout(LOOK_EVERY, free).await.ok()?.ok()?;
        let took = Arc::new(AtomicU64::new(self.now()));
        let leave = Arc::new(Notify::new());
        let guest = Guest {
            from: network_of(from),
            took: Arc::clone(&took),
            leave: Arc::clone(&leave),
        };
        Some(Place {
            number: self.guests().add(guest),
            room: Arc::clone(self),
            took,
            leave,
            _free: free,
        })
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
        self.room.guests().remove(self.number);
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
        filled(0, guests).await
    }

    /// The same where each client may have so many.
    async fn filled(each: usize, guests: &[(&str, u64)]) -> (Arc<Room>, Vec<Place>) {
        let more = if each == 0 { 0 } else { 10 };
        let mut room = Room::new(guests.len() + more, each);
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
            drop(room.place("192.0.2.2".parse().unwrap()).await);
            let guests = room.guests();
            assert!(guests.here.is_empty() && guests.of_client.is_empty());
        });
    }

    #[test]
    fn row_116_a_client_has_no_more_connections_than_it_may() {
        run(async {
            let (room, places) =
                filled(3, &[("192.0.2.1", 7), ("192.0.2.1", 9), ("192.0.2.2", 30)]).await;
            let lets_in = |from: &str| room.lets_in(from.parse().unwrap());
            assert!(lets_in("192.0.2.1") && lets_in("192.0.2.2"));
            let place = room.place("192.0.2.1".parse().unwrap()).await.unwrap();
            // The fourth takes the place of the one that took nothing for longest, of its own client.
            assert!(lets_in("::ffff:192.0.2.1"));
            let gone = async |place: &Place| {
                let leaves = tokio::time::timeout(Duration::ZERO, place.leaves());
                leaves.await.is_ok()
            };
            assert!(!gone(&places[0]).await && gone(&places[1]).await && !gone(&places[2]).await);
            // All that are left take bytes: the next is not let in, another client is.
            places[0].took();
            let more = room.place("192.0.2.1".parse().unwrap()).await.unwrap();
            assert!(!lets_in("192.0.2.1") && lets_in("192.0.2.2"));
            drop((place, more));
            assert!(lets_in("192.0.2.1"));
            drop(places);
        });
    }
}
