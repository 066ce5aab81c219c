//! Which bytes of one file are there, which are on their way, and who brought them.

use super::ids::SourceId;
use crate::ranges::RangeId;

/// Bytes `from..to` that a source brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SourcedSpan {
    pub(crate) from: u64,
    pub(crate) to: u64,
    pub(crate) source: SourceId,
}

/// Bytes `at..to` that a request is to bring; `at` moves on as they come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Claim {
    pub(crate) key: RangeId,
    pub(crate) at: u64,
    pub(crate) to: u64,
    pub(crate) source: SourceId,
}

/// What [`Segments::arrived`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Arrived {
    /// Where the first byte goes.
    pub(crate) from: u64,
    /// How many of them are within the claim.
    pub(crate) length: u64,
    /// Spans that were not there before: only these are to be written.
    pub(crate) fresh: Vec<SourcedSpan>,
    /// The claim has all it was to bring.
    pub(crate) over: bool,
}

/// The map of one file. Claims may overlap (a segment asked of two sources); bytes that are there
/// already are not taken twice.
#[derive(Debug, Clone)]
pub(crate) struct Segments {
    size: u64,
    done: Vec<SourcedSpan>,
    claims: Vec<Claim>,
}

impl Segments {
    /// Nothing is there. A size that is not known is `u64::MAX`.
    pub(crate) fn new(size: u64) -> Self {
        Self {
            size,
            done: Vec::new(),
            claims: Vec::new(),
        }
    }

    /// Fixes the size once it is known; claims that reached to the end end there.
    pub(crate) fn set_size(&mut self, size: u64) {
        self.size = size;
        for claim in &mut self.claims {
            claim.to = claim.to.min(size);
        }
    }

    /// Size; `u64::MAX` if not known.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// What is there, in order.
    pub(crate) fn done(&self) -> &[SourcedSpan] {
        &self.done
    }

    /// Bytes that are there.
    pub(crate) fn have(&self) -> u64 {
        self.done.iter().map(|span| span.to - span.from).sum()
    }

    /// Whether every byte is there.
    pub(crate) fn is_whole(&self) -> bool {
        self.frontier() >= self.size
    }

    /// Bytes there from the start without a gap.
    pub(crate) fn frontier(&self) -> u64 {
        let mut end = 0;
        for span in &self.done {
            if span.from > end {
                break;
            }
            end = end.max(span.to);
        }
        end
    }

    /// Requests under way.
    pub(crate) fn claims(&self) -> &[Claim] {
        &self.claims
    }

    pub(crate) fn claim_of(&self, key: RangeId) -> Option<Claim> {
        self.claims.iter().find(|claim| claim.key == key).copied()
    }

    /// Says that a request is to bring `from..to`.
    pub(crate) fn claim(&mut self, key: RangeId, from: u64, to: u64, source: SourceId) {
        self.claims.push(Claim {
            key,
            at: from,
            to: to.min(self.size),
            source,
        });
    }

    /// A request is over; what it has not brought is free again.
    pub(crate) fn release(&mut self, key: RangeId) {
        self.claims.retain(|claim| claim.key != key);
    }

    /// Shortens a claim, so that another request can bring the rest.
    pub(crate) fn shorten(&mut self, key: RangeId, to: u64) {
        if let Some(claim) = self.claims.iter_mut().find(|claim| claim.key == key) {
            claim.to = claim.to.min(to.max(claim.at));
        }
    }

    /// Moves a claim to where its answer begins, and to where it ends.
    pub(crate) fn replace(&mut self, key: RangeId, from: u64, to: u64) {
        let size = self.size;
        if let Some(claim) = self.claims.iter_mut().find(|claim| claim.key == key) {
            (claim.at, claim.to) = (from, to.min(size));
        }
    }

    /// The first gap that no request covers.
    pub(crate) fn gap(&self) -> Option<(u64, u64)> {
        let taken = self.done.iter().map(|span| (span.from, span.to));
        let coming = self.claims.iter().map(|claim| (claim.at, claim.to));
        let mut all: Vec<(u64, u64)> = taken.chain(coming).filter(|(a, b)| a < b).collect();
        all.sort_unstable();
        let mut end = 0;
        for (from, to) in all {
            if from > end {
                return Some((end, from));
            }
            end = end.max(to);
        }
        (end < self.size).then_some((end, self.size))
    }

    /// The first bytes of `from..to` that are not there.
    pub(crate) fn missing(&self, from: u64, to: u64) -> Option<(u64, u64)> {
        let mut at = from;
        for span in &self.done {
            if span.to <= at {
                continue;
            }
            if span.from > at {
                return (at < to).then(|| (at, to.min(span.from)));
            }
            at = span.to;
        }
        (at < to).then_some((at, to))
    }

    /// Requests whose bytes others have brought meanwhile.
    pub(crate) fn overtaken(&self) -> Vec<RangeId> {
        let open = self.claims.iter().filter(|claim| claim.at < claim.to);
        open.filter(|claim| self.missing(claim.at, claim.to).is_none())
            .map(|claim| claim.key)
            .collect()
    }

    /// Bytes that no request covers yet.
    pub(crate) fn unclaimed(&self) -> u64 {
        let coming: u64 = self.claims.iter().map(|claim| claim.to - claim.at).sum();
        self.size.saturating_sub(self.have()).saturating_sub(coming)
    }

    /// Accounts for `length` bytes that a request brought: where the first one goes, how many of
    /// them are within the claim, and which spans are new. None if the request has no claim.
    pub(crate) fn arrived(&mut self, key: RangeId, length: u64) -> Option<Arrived> {
        let claim = self.claims.iter_mut().find(|claim| claim.key == key)?;
        let (from, source) = (claim.at, claim.source);
        let taken = length.min(claim.to - claim.at);
        claim.at += taken;
        let over = claim.at >= claim.to;
        let to = from + taken;
        let fresh = self.add(SourcedSpan { from, to, source });
        Some(Arrived {
            from,
            length: taken,
            fresh,
            over,
        })
    }

    /// Adds what is there; what was there before keeps its source. The spans that are new.
    pub(crate) fn add(&mut self, new: SourcedSpan) -> Vec<SourcedSpan> {
        let mut at = new.from;
        let mut fresh = Vec::new();
        let touching = self.done.iter();
        for old in touching.filter(|old| old.to > new.from && old.from < new.to) {
            if old.from > at {
                fresh.push(SourcedSpan {
                    from: at,
                    to: old.from,
                    source: new.source,
                });
            }
            at = at.max(old.to);
        }
        if at < new.to {
            fresh.push(SourcedSpan { from: at, ..new });
        }
        for span in &fresh {
            self.insert(*span);
        }
        fresh
    }

    fn insert(&mut self, span: SourcedSpan) {
        let place = self.done.partition_point(|old| old.from < span.from);
        if let Some(before) = place.checked_sub(1).and_then(|i| self.done.get_mut(i))
            && before.to == span.from
            && before.source == span.source
        {
            before.to = span.to;
            return;
        }
        self.done.insert(place, span);
    }

    /// Drops what a source brought; the first byte dropped.
    pub(crate) fn forget(&mut self, source: SourceId) -> Option<u64> {
        let dropped = self.done.iter().filter(|span| span.source == source);
        let first = dropped.map(|span| span.from).min();
        self.done.retain(|span| span.source != source);
        first
    }

    /// Sources of what is there, each with its bytes.
    pub(crate) fn contributors(&self) -> Vec<(SourceId, u64)> {
        let mut list: Vec<(SourceId, u64)> = Vec::new();
        for span in &self.done {
            let bytes = span.to - span.from;
            match list.iter_mut().find(|(source, _)| *source == span.source) {
                Some((_, sum)) => *sum += bytes,
                None => list.push((span.source, bytes)),
            }
        }
        list
    }

    /// Drops everything.
    pub(crate) fn clear(&mut self) {
        self.done.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transfer::ids::Id;

    const KEY: fn(u64) -> RangeId = RangeId::test;

    fn span(from: u64, to: u64, source: usize) -> SourcedSpan {
        let source = SourceId::new(source);
        SourcedSpan { from, to, source }
    }

    fn fresh(map: &mut Segments, key: u64, length: u64) -> Vec<SourcedSpan> {
        map.arrived(KEY(key), length)
            .map(|a| a.fresh)
            .unwrap_or_default()
    }

    #[test]
    fn gaps_are_found_between_what_is_there_and_what_is_coming() {
        let mut map: Segments = Segments::new(100);
        map.claim(KEY(1), 0, 30, SourceId::new(0));
        assert_eq!(map.gap(), Some((30, 100)));
        map.claim(KEY(2), 60, 100, SourceId::new(1));
        assert_eq!(map.gap(), Some((30, 60)));
        assert_eq!(map.unclaimed(), 30);
        assert_eq!(fresh(&mut map, 1, 10), [span(0, 10, 0)]);
        assert_eq!(
            fresh(&mut map, 1, 50),
            [span(10, 30, 0)],
            "a claim ends where it ends"
        );
        map.release(KEY(2));
        assert_eq!(map.gap(), Some((30, 100)));
        assert_eq!(map.frontier(), 30);
        assert!(!map.is_whole());
    }

    #[test]
    fn bytes_brought_twice_count_once_and_keep_their_first_source() {
        let mut map: Segments = Segments::new(100);
        map.add(span(20, 40, 0));
        assert_eq!(map.add(span(10, 60, 1)), [span(10, 20, 1), span(40, 60, 1)]);
        assert_eq!(map.have(), 50);
        assert_eq!(
            map.contributors(),
            vec![(SourceId::new(1), 30), (SourceId::new(0), 20)]
        );
        assert_eq!(map.forget(SourceId::new(1)), Some(10));
        assert_eq!(map.done(), &[span(20, 40, 0)]);
        map.add(span(0, 100, 2));
        assert!(map.is_whole());
    }

    #[test]
    fn what_others_brought_is_not_asked_for_again() {
        let mut map: Segments = Segments::new(100);
        map.claim(KEY(1), 0, 40, SourceId::new(0));
        map.claim(KEY(2), 40, 100, SourceId::new(0));
        assert_eq!(map.missing(0, 40), Some((0, 40)));
        map.add(span(10, 20, 1));
        assert_eq!(map.missing(0, 40), Some((0, 10)));
        assert_eq!(map.missing(10, 40), Some((20, 40)));
        assert!(map.overtaken().is_empty());
        map.add(span(0, 40, 1));
        assert_eq!(map.missing(0, 40), None);
        assert_eq!(map.overtaken(), [KEY(1)]);
    }

    #[test]
    fn a_claim_is_shortened_but_never_behind_what_came() {
        let mut map: Segments = Segments::new(100);
        map.claim(KEY(7), 0, 100, SourceId::new(0));
        map.arrived(KEY(7), 50);
        map.shorten(KEY(7), 20);
        assert_eq!(map.claim_of(KEY(7)).map(|c| (c.at, c.to)), Some((50, 50)));
        assert_eq!(map.gap(), Some((50, 100)));
    }

    #[test]
    fn a_size_learnt_later_ends_the_claims() {
        let mut map: Segments = Segments::new(u64::MAX);
        map.claim(KEY(1), 0, u64::MAX, SourceId::new(0));
        map.set_size(10);
        assert_eq!(fresh(&mut map, 1, 99), [span(0, 10, 0)]);
        assert!(map.is_whole());
    }
}
