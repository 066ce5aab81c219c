//! Who brought wrong bytes.
//!
//! The metadata have one digest for the whole file, so a wrong segment cannot be seen by itself.
//! Three rules keep the price of a mirror with wrong bytes low:
//! 1. a server that has not yet brought a file that turned out right begins with a file of its
//!    own; if there is none, with a short sample of what another one has brought, and the two must agree;
//! 2. a file that is wrong is fetched again only as far as the least trusted source brought it,
//!    from the others; if it is right then, that source is a liar and not asked again in this run;
//! 3. if that leads nowhere, one source at a time is asked for all of it.

use std::time::Instant;

use crate::{Cause, RangeId};
use rpm_pkg::digest::Digest;

use super::error::{Error, Result};
use super::file::{Source, Stage};
use super::host::Host;
use super::run::Run;
use super::segments::{Segments, Span};

impl Run<'_> {
    /// A sample has come: the source agrees with the others, or is left out of this file.
    pub(crate) fn sampled(&mut self, id: RangeId) -> Result<()> {
        let now = Instant::now();
        let Some(stream) = self.streams.get_mut(&id) else {
            return Ok(());
        };
        let (at, source) = (stream.file, stream.source);
        let Some(sample) = stream.sample.take() else {
            return Ok(());
        };
        self.close(id, now);
        let Some(file) = self.files.get_mut(at) else {
            return Ok(());
        };
        let part = file.part.as_ref();
        let ours = part.and_then(|part| part.read_at(sample.from, sample.length));
        let same = ours.is_some_and(|ours| sample.data.starts_with(&ours));
        let holds = |span: &&Span| span.from <= sample.from && span.to > sample.from;
        let Some(other) = file.map.done().iter().find(holds).map(|span| span.source) else {
            return Ok(());
        };
        let Some(one) = file.sources.get_mut(source) else {
            return Ok(());
        };
        if same {
            one.sampled = true;
            return Ok(());
        }
        let cause = Cause::Broken("its bytes differ from those of another source".into());
        one.differs = Some(other);
        one.suspect = true;
        one.last = Some(cause.clone());
        self.tell_source(at, source, &cause);
        self.outvote(at, other, now)
    }

    /// Two sources differ from a third: it is the third that is left out.
    fn outvote(&mut self, at: usize, other: usize, now: Instant) -> Result<()> {
        let Some(file) = self.files.get_mut(at) else {
            return Ok(());
        };
        let against = |one: &Source| one.suspect && one.differs == Some(other);
        if file.sources.iter().filter(|one| against(one)).count() < 2 {
            return Ok(());
        }
        let Some(one) = file.sources.get_mut(other).filter(|one| !one.suspect) else {
            return Ok(());
        };
        let cause = Cause::Broken("its bytes differ from those of two other sources".into());
        one.suspect = true;
        one.last = Some(cause.clone());
        for one in &mut file.sources {
            if one.differs == Some(other) {
                (one.suspect, one.differs) = (false, None);
            }
        }
        let claims = file.map.claims().iter();
        let running: Vec<RangeId> = claims
            .filter(|c| c.source == other)
            .map(|c| c.key)
            .collect();
        let from = file.map.forget(other);
        if let (Some(part), Some(from)) = (&mut file.part, from) {
            part.dropped(&file.map, from)?;
        }
        for id in running {
            self.close(id, now);
        }
        self.tell_source(at, other, &cause);
        Ok(())
    }

    /// A whole file is not what it should be.
    pub(crate) fn mismatch(&mut self, at: usize, found: &Digest) -> Result<()> {
        let Some(file) = self.files.get_mut(at) else {
            return Ok(());
        };
        file.stage = Stage::Open;
        if file.part.is_none() {
            return self.begin_anew(at);
        }
        let wanted = file
            .wanted
            .digest
            .map(|digest| digest.to_string())
            .unwrap_or_default();
        let cause = Cause::Digest {
            got: found.to_string(),
            expected: wanted,
        };
        let mut brought = file.map.contributors();
        if let [(only, _)] = brought[..] {
            let resumed = std::mem::take(&mut file.resumed) > 0;
            file.map.clear();
            if let Some(part) = &mut file.part {
                part.dropped(&file.map, 0)?;
            }
            // What an earlier run left may have been damaged since: once more before blaming.
            if !resumed {
                self.lied(at, only, &cause);
            }
            return Ok(());
        }
        // The least trusted first: nothing verified, then the fewest bytes.
        let hosts = &self.hosts;
        let trust = |source: usize| {
            let host = file.sources.get(source).and_then(|one| hosts.get(one.host));
            host.map_or(0, |host| host.verified)
        };
        brought.sort_by_key(|(source, bytes)| (trust(*source), *bytes));
        let Some((suspect, _)) = brought.first().copied() else {
            return Ok(());
        };
        let from = file.map.forget(suspect);
        if let Some(one) = file.sources.get_mut(suspect) {
            one.suspect = true;
            one.last = Some(cause);
        }
        if let (Some(part), Some(from)) = (&mut file.part, from) {
            part.dropped(&file.map, from)?;
        }
        Ok(())
    }

    /// What an earlier run had finished is not right any more: away with it.
    fn begin_anew(&mut self, at: usize) -> Result<()> {
        let Some(file) = self.files.get_mut(at) else {
            return Ok(());
        };
        let path = &file.wanted.partial;
        std::fs::remove_file(path).map_err(|e| Error::io(path, "remove", e))?;
        file.map = Segments::new(file.wanted.size.unwrap_or(u64::MAX));
        self.begin(at, Instant::now())
    }

    /// A file is right: whoever was left out of it for being different was wrong.
    pub(crate) fn trusted_after(&mut self, at: usize) {
        let Some(file) = self.files.get(at) else {
            return;
        };
        let wrong: Vec<usize> = (0..file.sources.len())
            .filter(|source| file.sources.get(*source).is_some_and(|one| one.suspect))
            .collect();
        for source in wrong {
            let cause = Cause::Broken("its bytes were wrong".into());
            let last = self
                .files
                .get(at)
                .and_then(|f| f.sources.get(source)?.last.clone());
            self.lied(at, source, &last.unwrap_or(cause));
        }
    }

    /// A source is known to have brought wrong bytes.
    fn lied(&mut self, at: usize, source: usize, cause: &Cause) {
        let Some(one) = self
            .files
            .get_mut(at)
            .and_then(|file| file.sources.get_mut(source))
        else {
            return;
        };
        one.out = true;
        one.last = Some(cause.clone());
        let host = one.host;
        let hosts = &self.hosts;
        let others = self.files.get(at).is_some_and(|file| {
            let mut rest = file
                .sources
                .iter()
                .filter(|one| !one.out && one.host != host);
            rest.any(|one| hosts.get(one.host).is_some_and(Host::is_usable))
        });
        if let Some(host) = self.hosts.get_mut(host) {
            host.errors += 1;
            // A server that was right before may have one bad file; and the only one there is has
            // to be asked for the other files in any case.
            host.liar |= host.verified == 0 && others;
            host.verified = 0;
        }
        self.tell_source(at, source, cause);
    }

    /// A file that nobody is left for: suspects are asked once more, each alone; false if there are none.
    pub(crate) fn second_thoughts(&mut self, at: usize, now: Instant) -> Result<bool> {
        let Some(file) = self.files.get_mut(at) else {
            return Ok(false);
        };
        let hosts = &self.hosts;
        let worth = |host: usize| hosts.get(host).is_some_and(Host::is_usable);
        let mut any = false;
        for one in file.sources.iter_mut().filter(|one| one.suspect) {
            one.suspect = false;
            any |= !one.out && worth(one.host);
        }
        if !any {
            return Ok(false);
        }
        file.solo = true;
        file.map.clear();
        if let Some(part) = &mut file.part {
            part.dropped(&file.map, 0)?;
        }
        if file.stage == Stage::Waiting {
            self.begin(at, now)?;
        }
        Ok(true)
    }
}
