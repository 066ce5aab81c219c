//! What an answer does: where its bytes go, and what follows when it ends or fails.

use std::time::{Duration, Instant};

use crate::{Cause, MAX_UNKNOWN, RangeEvent, RangeId, redact};

use super::error::{Error, Result};
use super::run::Run;
use super::wanted::Event;

/// How an answer begins.
struct Answer {
    from: u64,
    /// The whole file, whatever was asked for.
    whole: bool,
    total: Option<u64>,
    etag: Option<String>,
}

impl Run<'_> {
    pub(crate) fn event(&mut self, id: RangeId, event: RangeEvent) -> Result<()> {
        match event {
            RangeEvent::Opened {
                from,
                partial,
                total,
                etag,
                waited,
                multiplexed,
            } => {
                self.told(id, multiplexed);
                let whole = !partial;
                self.opened(
                    id,
                    Answer {
                        from,
                        whole,
                        total,
                        etag,
                    },
                    waited,
                )
            }
            RangeEvent::Data(data) => self.data(id, &data),
            RangeEvent::Ended => self.ended(id),
            RangeEvent::Failed { cause, retry_after } => self.failed(id, cause, retry_after),
        }
    }

    /// An answer tells whether its server lets requests share a connection.
    fn told(&mut self, id: RangeId, multiplexed: bool) {
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        let Some(size) = stream.shared else { return };
        stream.shared = multiplexed.then_some(size);
        if let Some(host) = self.hosts.get_mut(stream.host) {
            host.tells(multiplexed, size);
        }
    }

    fn opened(&mut self, id: RangeId, answer: Answer, waited: Duration) -> Result<()> {
        let Some(stream) = self.streams.get_mut(&id) else {
            return Ok(());
        };
        let (at, source, ranged) = (stream.file, stream.source, stream.ranged);
        let loaded = stream.loaded;
        if let Some(host) = self.hosts.get_mut(stream.host) {
            host.answered(waited, loaded);
        }
        let Some(file) = self.files.get_mut(at) else {
            return Ok(());
        };
        if let (Some(got), Some(expected)) = (answer.total, file.wanted.size)
            && got != expected
        {
            // Another version of the file: this server is older or newer than the metadata.
            return self.failed(id, Cause::Size { got, expected }, None);
        }
        let known = file.part.as_ref().and_then(|part| part.etag(source));
        // Asked with If-Range, all of a changed file comes: no sign that it knows no ranges.
        let changed = known.is_some() && known != answer.etag.as_deref();
        if let Some(part) = &mut file.part {
            part.set_etag(source, answer.etag)?;
        }
        if let Some(total) = answer.total.filter(|_| file.wanted.size.is_none()) {
            file.map.set_size(total);
        }
        if ranged && answer.whole && answer.from == 0 {
            return self.whole_instead(id, changed);
        }
        Ok(())
    }

    /// A server sends the whole file though a part of it was asked for.
    fn whole_instead(&mut self, id: RangeId, changed: bool) -> Result<()> {
        let Some(stream) = self.streams.get(&id) else {
            return Ok(());
        };
        let (at, host, sampling) = (stream.file, stream.host, stream.sample.is_some());
        if let Some(host) = self.hosts.get_mut(host) {
            host.no_ranges |= !changed;
        }
        let Some(file) = self.files.get_mut(at) else {
            return Ok(());
        };
        let from_start = file.map.claim_of(id).is_some_and(|claim| claim.at == 0);
        let alone = file.map.claims().len() == 1 && !sampling;
        let hosts = &self.hosts;
        let others = file.sources.iter().any(|one| {
            let ranges = hosts
                .get(one.host)
                .is_some_and(|h| h.is_usable() && !h.no_ranges);
            ranges && !one.out && !one.suspect && one.host != host
        });
        if from_start && !sampling {
            // What was asked for comes first; without anybody else at it, take all the rest, too.
            if alone {
                file.map.replace(id, 0, u64::MAX);
            }
            return Ok(());
        }
        if !alone || others {
            self.close(id, Instant::now());
            return Ok(());
        }
        // The only one there is: all of it, from the beginning, in one stream.
        file.map.clear();
        file.map.replace(id, 0, u64::MAX);
        match &mut file.part {
            Some(part) => part.dropped(&file.map, 0),
            None => Ok(()),
        }
    }

    fn data(&mut self, id: RangeId, data: &[u8]) -> Result<()> {
        let now = Instant::now();
        let Some(stream) = self.streams.get_mut(&id) else {
            return Ok(());
        };
        let length = data.len() as u64;
        stream.gave(length, now);
        self.summary.bytes += length;
        let (at, source) = (stream.file, stream.source);
        if let Some(host) = self.hosts.get_mut(stream.host) {
            host.gave(length, now);
        }
        let Some(file) = self.files.get_mut(at) else {
            return Ok(());
        };
        file.received += length;
        file.source_gave(source);
        if let Some(sample) = &mut stream.sample {
            sample.data.extend_from_slice(data);
            return if sample.data.len() >= sample.length {
                self.sampled(id)
            } else {
                Ok(())
            };
        }
        let Some(arrived) = file.map.arrived(id, length) else {
            return Ok(());
        };
        if let Some(part) = &mut file.part {
            part.write(arrived.from, &arrived.fresh, data)?;
            if !file.map.is_whole() {
                part.note(&file.map, now, false)?;
            }
            if let Some(handle) = part.sync_due(&file.map, now) {
                self.finisher.sync(at, handle);
            }
        }
        let bytes = file.map.have();
        if file.map.size() == u64::MAX && bytes > MAX_UNKNOWN {
            return self.failed(id, Cause::TooLarge { limit: MAX_UNKNOWN }, None);
        }
        let name = file.wanted.id.as_str();
        self.observer.event(&Event::Progress { id: name, bytes });
        let whole = file.map.is_whole();
        // A shortened claim ends before its answer does; a whole answer ends by itself, and its
        // connection is kept.
        if arrived.over && arrived.from + length > file.map.claim_of(id).map_or(0, |c| c.to) {
            self.close(id, now);
        }
        if whole { self.check(at) } else { Ok(()) }
    }

    fn ended(&mut self, id: RangeId) -> Result<()> {
        let Some(stream) = self.streams.get(&id) else {
            return Ok(());
        };
        let at = stream.file;
        let Some(file) = self.files.get_mut(at) else {
            return Ok(());
        };
        if let Some(claim) = file.map.claim_of(id) {
            if file.map.size() == u64::MAX {
                file.map.set_size(claim.at);
            } else if claim.at < claim.to && stream.sample.is_none() {
                let (got, expected) = (claim.at, claim.to);
                return self.failed(id, Cause::Truncated { got, expected }, None);
            }
        }
        self.close(id, Instant::now());
        let whole = self.files.get(at).is_some_and(|file| file.map.is_whole());
        if whole { self.check(at) } else { Ok(()) }
    }

    pub(crate) fn failed(
        &mut self,
        id: RangeId,
        cause: Cause,
        retry: Option<Duration>,
    ) -> Result<()> {
        let now = Instant::now();
        let Some(stream) = self.streams.get(&id) else {
            return Ok(());
        };
        let (at, source, host, bytes) = (stream.file, stream.source, stream.host, stream.bytes);
        self.close(id, now);
        let (Some(file), Some(host_state)) = (self.files.get_mut(at), self.hosts.get_mut(host))
        else {
            return Ok(());
        };
        match &cause {
            Cause::Stopped => return Err(Error::Stopped),
            Cause::Status(429 | 503) => {
                if host_state.refused(now, retry) {
                    self.probe.refused(host, host_state.cap);
                    return Ok(());
                }
                file.source_failed(source, cause.clone(), now, file.retries());
                if let Some(wait) = retry {
                    file.source_rests(source, now + wait);
                }
            }
            Cause::Range(_) if !host_state.no_ranges => {
                // It may still send whole files.
                host_state.no_ranges = true;
                host_state.errors += 1;
                return Ok(());
            }
            passing if passing.is_passing() && bytes > 0 => {
                // A break with progress: once more, soon.
                host_state.errors += 1;
                file.source_failed(source, cause.clone(), now, file.retries());
            }
            passing if passing.is_passing() => {
                let limit = file.retries();
                // One failure of a server is one, however many connections tell it.
                if host_state.is_ready(now) {
                    host_state.failed(now, &cause, limit);
                }
                file.source_failed(source, cause.clone(), now, limit);
            }
            Cause::Tls { .. } => {
                host_state.failed(now, &cause, 0);
                file.source_failed(source, cause.clone(), now, 0);
            }
            _ => {
                host_state.errors += 1;
                file.source_failed(source, cause.clone(), now, 0);
            }
        }
        self.tell_source(at, source, &cause);
        Ok(())
    }

    pub(crate) fn tell_source(&self, file: usize, source: usize, cause: &Cause) {
        let Some(file) = self.files.get(file) else {
            return;
        };
        if let Some(url) = file.wanted.sources.get(source) {
            let (id, url) = (file.wanted.id.as_str(), redact(url));
            self.observer.event(&Event::Source {
                id,
                url: &url,
                cause,
            });
        }
    }
}
