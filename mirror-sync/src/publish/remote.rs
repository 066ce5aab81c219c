//! Places on other servers: brought to what this mirror shows, whatever they showed before.
//!
//! No order to send is remembered: what a place was last brought to show is compared with what the mirror shows. So a run
//! that was killed, a place that was away and one that was just configured are the same case, and the next run ends it.

use std::collections::{BTreeMap, BTreeSet};

use cli_kit::Printer;
use repo_client::{Access, Client, Waiting};
use serde::{Deserialize, Serialize};

use super::Publisher;
use super::bucket::Bucket;
use super::registry::Registry;
use super::target::{RemoteTarget, Sent};
use crate::config::{TargetKind, TargetSection};
use crate::error::{Error, Result};
use crate::layout;
use crate::manifest;

/// What became of a repository at a place.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct TargetReport {
    pub(crate) target: String,
    /// What was sent there.
    #[serde(flatten)]
    pub(crate) sent: Sent,
    /// The channels that show something else than before.
    pub(crate) channels: Vec<String>,
    pub(crate) error: Option<String>,
}

impl TargetReport {
    /// Whether anything was sent there.
    pub(crate) fn has_sent(&self) -> bool {
        self.sent.objects > 0
    }
}

/// Said of what this mirror has put there last, and which is something else now.
pub(super) const CHANGED: &str = "is not what this mirror has put there: does another mirror publish to this place? A place belongs to one";

/// Path below the place, and content.
pub(crate) type Page = (String, Vec<u8>);

/// Who publishes to other servers. The caller holds the mirror's lock.
pub(crate) struct Remotes<'a> {
    pub(crate) publisher: Publisher<'a>,
    pub(crate) client: &'a Client,
    pub(crate) printer: &'a Printer,
}

impl Remotes<'_> {
    /// Brings every place to what this mirror shows of a repository. One that fails stops no other; the next run goes on
    /// with it. `again` looks at what is shown already, too: somebody may have removed things there.
    pub(crate) fn send(&self, id: &str, again: bool) -> Vec<TargetReport> {
        let targets = self.publisher.config.target.iter();
        let targets = targets.filter(|(_, section)| section.takes(id));
        let mut reports = Vec::new();
        for (name, section) in targets {
            let mut report = TargetReport {
                target: name.clone(),
                ..TargetReport::default()
            };
            if let Err(error) = self.bring((name, section), id, again, &mut report) {
                let error = Error::Target {
                    name: name.clone(),
                    why: error.to_string(),
                };
                report.error.get_or_insert(error.to_string());
            }
            reports.push(report);
        }
        reports
    }

    fn bring(
        &self,
        (name, section): (&str, &TargetSection),
        id: &str,
        again: bool,
        report: &mut TargetReport,
    ) -> Result<()> {
        let mut state = manifest::read_state(self.publisher.layout, id)?;
        let now = self.publisher.now;
        let known = state.targets.get(name);
        let mut there = known
            .filter(|there| there.url == section.url)
            .cloned()
            .unwrap_or_default();
        there.url.clone_from(&section.url);
        // What is there names the former address.
        let again = again || there.public_url != section.public_url;
        let wanted: Vec<(String, u64, String)> = state
            .shown()
            .map(|(channel, one)| (channel.clone(), one.tree, one.stamp.clone()))
            .collect();
        let (sent, ended) = self.with((name, section), id, again, |target| {
            for (channel, number, stamp) in &wanted {
                if !again && there.shows(channel, stamp) {
                    continue;
                }
                let manifest = manifest::read(self.publisher.layout, id, stamp)?;
                target.place(&manifest)?;
                // Until the answer has come nobody knows what is shown there.
                if there.shown.remove(channel).is_some() {
                    state.targets.insert(name.to_owned(), there.clone());
                    manifest::write_state(self.publisher.layout, id, &state)?;
                }
                target.switch(channel, &manifest, *number)?;
                there.shown.insert(channel.clone(), stamp.clone());
                report.channels.push(channel.clone());
            }
            Ok(())
        });
        report.sent = sent;
        match ended {
            Ok(()) => {
                (there.at, there.since, there.error) = (now, 0, None);
                there.public_url.clone_from(&section.public_url);
            }
            Err(error) => {
                let why = error.to_string();
                there.since = if there.since == 0 { now } else { there.since };
                there.error = Some(why.clone());
                report.error = Some(why);
            }
        }
        state.targets.insert(name.to_owned(), there);
        manifest::write_state(self.publisher.layout, id, &state)
    }

    /// Puts pages beside the repositories of the places that are named and show pages; what could not be done is said of
    /// each place once.
    pub(crate) fn put(
        &self,
        names: &BTreeSet<String>,
        pages: &dyn Fn(&TargetSection) -> Vec<Page>,
    ) -> Vec<Error> {
        let mut faults = Vec::new();
        for (name, section) in &self.publisher.config.target {
            if !names.contains(name) || section.kind() != Some(TargetKind::Bucket) {
                continue;
            }
            let put = |target: &dyn RemoteTarget| {
                let pages = pages(section);
                pages
                    .iter()
                    .try_for_each(|(path, data)| target.put(path, data))
            };
            faults.extend(self.with((name, section), "pages", false, put).1.err());
        }
        faults
    }

    /// Removes from every place the snapshots that this mirror does not keep any more.
    pub(crate) fn clean(&self, id: &str) -> Result<Vec<Error>> {
        let mut kept = Vec::new();
        for stamp in manifest::stamps(self.publisher.layout, id)? {
            kept.push(manifest::read(self.publisher.layout, id, &stamp)?);
        }
        let mut faults = Vec::new();
        for (name, section) in &self.publisher.config.target {
            if !section.takes(id) {
                continue;
            }
            let keep = |target: &dyn RemoteTarget| target.keep(id, &kept);
            faults.extend(self.with((name, section), id, false, keep).1.err());
        }
        Ok(faults)
    }

    /// Works at a place, `about` a repository, and looks at all that is there `again`; what was sent there, and how it
    /// ended: [`Error::Target`] if not well.
    fn with(
        &self,
        (name, section): (&str, &TargetSection),
        about: &str,
        again: bool,
        work: impl FnOnce(&dyn RemoteTarget) -> Result<()>,
    ) -> (Sent, Result<()>) {
        let of_target = |error: Error| Error::Target {
            name: name.to_owned(),
            why: error.to_string(),
        };
        let config = match section.client_config(self.publisher.config, name) {
            Ok(config) => config,
            Err(error) => return (Sent::default(), Err(of_target(error))),
        };
        let access = Access::from_config(&config);
        let tell = |words: &str| {
            let line = format!("{about}: target {name}: {words}");
            self.printer.err(&line);
        };
        let place = Place {
            tell: &tell,
            name,
            section,
            again,
            access: &access,
            client: self.client,
            publisher: &self.publisher,
        };
        let (sent, ended) = match section.kind() {
            Some(TargetKind::Bucket) => done(Bucket::open(&place), work),
            _ => done(Ok(Registry::open(&place)), work),
        };
        (sent, ended.map_err(of_target))
    }
}

/// Where and how something is published on another server.
pub(super) struct Place<'a> {
    /// Who hears that it is waited for.
    pub(super) tell: Waiting<'a>,
    pub(super) name: &'a str,
    pub(super) section: &'a TargetSection,
    /// What was sent may not be there any more.
    pub(super) again: bool,
    pub(super) access: &'a Access,
    pub(super) client: &'a Client,
    pub(super) publisher: &'a Publisher<'a>,
}

/// What this mirror has put at a place, of one repository.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Noted {
    url: String,
    /// A bucket's key, or a registry's tag -> digest of what was sent, and the name that the server has for it; both are
    /// empty where what is there has to be found out.
    pub(super) known: BTreeMap<String, (String, String)>,
}

impl Place<'_> {
    /// What is written down of a repository. What was lost or damaged, or is of another place, is found out again.
    pub(super) fn noted(&self, id: &str) -> Noted {
        let path = self.publisher.layout.sent(id, self.name);
        let noted: Noted = layout::read_json(&path).ok().flatten().unwrap_or_default();
        match noted.url == self.section.url {
            true => noted,
            false => Noted {
                url: self.section.url.clone(),
                ..Noted::default()
            },
        }
    }

    pub(super) fn note(&self, id: &str, noted: &Noted) -> Result<()> {
        let layout = self.publisher.layout;
        layout.write_json(&layout.sent(id, self.name), noted)
    }
}

fn done<T: RemoteTarget>(
    target: Result<T>,
    work: impl FnOnce(&dyn RemoteTarget) -> Result<()>,
) -> (Sent, Result<()>) {
    match target {
        Ok(target) => {
            let ended = work(&target);
            (target.sent(), ended)
        }
        Err(error) => (Sent::default(), Err(error)),
    }
}
