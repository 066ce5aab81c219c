//! Measures while a run goes on: how many connections help, and what limits each server.

use std::time::Instant;

use super::host::Host;
use super::ids::HostId;
use super::limits::{HostReport, TransferSummary};
use super::loss::Loss;
use super::picture::Picture;
use super::policy::probe::Reading;
use super::policy::{idle, limit};
use crate::event::{Event, LimitKind, Observer};
use crate::ranges::RangeId;

/// The clock and the kernel's counters at the beginning of a run.
pub(crate) struct Watch {
    began: Instant,
    loss: Loss,
}

impl Watch {
    pub(crate) fn begin(now: Instant) -> Self {
        Self {
            began: now,
            loss: Loss::begin(),
        }
    }

    /// Measures, and decides how many connections each server is to have; the requests that are to be
    /// given back.
    pub(crate) fn probe(
        &self,
        picture: &mut Picture,
        observer: &dyn Observer,
        now: Instant,
    ) -> Vec<RangeId> {
        let most = picture.limits.connections_per_host;
        for host in picture.hosts.rows_mut() {
            host.recover(now, most);
        }
        let active: Vec<HostId> = picture.busy().collect();
        // Where our own limit is reached, more connections cannot help.
        let own = limit::own_is_reached(picture);
        let reading = |(id, host): (HostId, &Host)| Reading {
            bytes: host.bytes,
            in_use: host.in_use(),
            cap: if own { host.in_use() } else { host.cap },
            active: active.contains(&id),
        };
        let readings: Vec<Reading> = picture.hosts.iter().map(reading).collect();
        let time = now.duration_since(self.began).as_secs_f64();
        // A server that hardly brings anything is not waited for.
        let busiest = active.iter().max_by_key(|id| picture.hosts[**id].bytes);
        let answer = busiest.and_then(|id| picture.hosts[*id].fastest);
        let surplus = match picture.probe.sheds() {
            true => idle::surplus(picture),
            false => Vec::new(),
        };
        if picture.probe.is_due(time) {
            picture.probe.set_lossy(self.loss.is_lossy());
        }
        let answer = answer.unwrap_or_default().as_secs_f64();
        if picture.probe.tick(time, answer, &readings) {
            self.name_limits(picture, observer);
        }
        surplus
    }

    /// Says of each server what limits it.
    pub(crate) fn name_limits(&self, picture: &mut Picture, observer: &dyn Observer) {
        let lossy = self.loss.is_lossy();
        for id in picture.hosts.ids() {
            let limit = limit::limit_of(picture, id, lossy);
            let host = &mut picture.hosts[id];
            if limit != LimitKind::Unknown && limit != host.limit {
                host.limit = limit;
                let name = host.name.as_str();
                observer.event(Event::Limit { host: name, limit });
            }
        }
    }
}

/// What each server did, for the summary of a run.
pub(crate) fn report(picture: &Picture, summary: &mut TransferSummary) {
    let hosts = picture.hosts.rows();
    for host in hosts {
        let report = HostReport {
            bytes: host.bytes,
            requests: host.requests,
            errors: host.errors,
            bps: host.rate(),
            limit: host.limit,
        };
        summary.hosts.insert(host.name.clone(), report);
    }
    let busiest = hosts.iter().max_by_key(|host| host.bytes);
    summary.limit = busiest.map(|host| host.limit).unwrap_or_default();
}
