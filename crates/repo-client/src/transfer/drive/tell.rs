//! What is said of a run while it goes on.

use std::time::{Duration, Instant};

use super::Drive;
use crate::error::Cause;
use crate::event::Event;
use crate::request::FileRequest;
use crate::transfer::ids::{FileId, SourceId};
use crate::transfer::policy::turns::{NextTurn, Pause, Turns};

impl Drive<'_> {
    pub(super) fn tell_begun(&self, requests: &[FileRequest]) {
        let sizes = requests.iter().filter_map(|request| request.size);
        self.observer.event(Event::RunBegun {
            files: requests.len(),
            bytes: sizes.clone().fold(0, u64::saturating_add),
            unsized_files: requests.len() - sizes.count(),
        });
    }

    pub(super) fn started(&self, id: FileId, resumed: u64) {
        let file = &self.picture.files[id];
        self.observer.event(Event::Started {
            id: file.id,
            label: &file.request.label,
            total: file.request.size,
            resumed,
        });
    }

    pub(super) fn tell(&self, id: FileId, source: SourceId, cause: &Cause) {
        let file = &self.picture.files[id];
        let url = file.shown(source);
        let some_lack = file.request.access.some_lack;
        // A bucket says 403 to whoever may not know what is there.
        let lacks = match cause {
            Cause::Status(404 | 410) | Cause::NotFound => true,
            Cause::Status(403) => some_lack,
            _ => false,
        };
        if lacks && some_lack && file.request.urls.len() > 1 {
            tracing::debug!(url, "{cause}");
        } else {
            self.observer.event(Event::MirrorFailed {
                id: file.id,
                label: &file.request.label,
                url: &url,
                cause,
                next: self.next_server(id, source),
            });
        }
        // A 404 is said of the file, not of the mirror.
        let of_file = lacks || matches!(cause, Cause::Stopped);
        let blamed = self.mode.is_each() && !of_file;
        if let Some(host) = file.sources[source].host.filter(|_| blamed) {
            self.client.blame(&self.picture.hosts[host].name, cause);
        }
    }

    /// The other server that goes on with a file.
    fn next_server(&self, id: FileId, failed: SourceId) -> Option<&str> {
        let file = &self.picture.files[id];
        let next = match file.turns.as_ref().map(Turns::next) {
            None => self.picture.other(id, failed),
            Some(NextTurn::Ask(source)) => file.sources[source].host,
            Some(_) => None,
        };
        let next = next.filter(|host| file.sources[failed].host != Some(*host));
        Some(self.picture.hosts[next?].name.as_str())
    }

    pub(super) fn tell_rest(&self, id: FileId, source: SourceId, limit: u32, now: Instant) {
        let file = &self.picture.files[id];
        let one = &file.sources[source];
        let host = one.host.map(|host| &self.picture.hosts[host]);
        let pause = Pause {
            // One that refuses requests has not failed, but has not given this file either.
            attempt: host.map_or(0, |host| host.failures).max(one.failures),
            limit,
            lasts: host.map_or(Duration::ZERO, |host| host.rests(now)),
        };
        self.observer
            .event(pause.event(file.id, &file.request.label));
    }

    pub(super) fn tell_end(&self) {
        let hosts = self.picture.hosts.rows().iter();
        let gave = hosts.filter(|host| host.bytes > 0 && !host.name.starts_with("file:"));
        let servers: Vec<_> = gave.map(|host| (host.name.as_str(), host.bytes)).collect();
        self.observer.event(Event::RunEnded { servers: &servers });
    }
}
