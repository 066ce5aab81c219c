//! Package lists with all that they need, over all repositories of the run.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::prepare::{Work, stored};
use crate::config::Select;
use crate::error::Result;
use crate::plan::closure::{self, Closure, Source, Wish};
use crate::report::Outcome;
use crate::store::digest_text;
use crate::sync::Run;

/// Says whether a location may be taken.
type Filter<'a> = Box<dyn Fn(&str) -> bool + 'a>;
/// Repository id to locations.
type Chosen = BTreeMap<String, BTreeSet<String>>;

/// Decides what lists of packages need, and what is published first. Each repository that has a
/// list asks for itself: what it has itself is taken from it, what it lacks from the others.
pub(super) fn solve(run: &Run<'_>, works: &mut [Work]) -> Result<()> {
    let chosen = ask_all(run, works, |select| &select.packages)?;
    let first = ask_all(run, works, |select| &select.first)?;
    for work in works.iter_mut() {
        if work.done || work.upstream.is_none() {
            continue;
        }
        work.first = first.get(&work.id).cloned().unwrap_or_default();
        if !work.section.select.wants_closure() {
            continue;
        }
        let wanted = chosen.get(&work.id).cloned().unwrap_or_default();
        let up = work.upstream.iter().flat_map(|up| up.packages.iter());
        let picked = up.map(|package| wanted.contains(&package.location));
        work.keep = picked.collect();
        work.settle_if_same(run);
    }
    Ok(())
}

fn ask_all(
    run: &Run<'_>,
    works: &mut [Work],
    list: impl Fn(&Select) -> &Vec<String>,
) -> Result<Chosen> {
    let mut chosen = Chosen::new();
    for place in 0..works.len() {
        let Some(work) = works.get(place) else { break };
        let asks = !list(&work.section.select).is_empty() && work.upstream.is_some();
        if !asks || work.done {
            continue;
        }
        let wish = wish_of(work, &list)?;
        let closure = ask_solver(run, works, &wish, place)?;
        for (repo, locations) in closure.chosen {
            chosen.entry(repo).or_default().extend(locations);
        }
        if let Some(work) = works.get_mut(place) {
            work.note_failures(closure.failed);
        }
    }
    Ok(chosen)
}

impl Work {
    /// A closure that came out the same from the same upstream is nothing new.
    fn settle_if_same(&mut self, run: &Run<'_>) {
        let Some((current, up)) = self.current.as_ref().zip(self.upstream.as_ref()) else {
            return;
        };
        let packages = current.files.iter().filter(|file| file.package.is_some());
        let had: BTreeSet<&str> = packages.map(|file| file.path.as_str()).collect();
        let now: BTreeSet<&str> = self.packages().map(|(_, p)| p.location.as_str()).collect();
        let same = current.upstream == digest_text(&up.set.repomd_digest)
            && current.selection == self.selection
            && !current.first_part
            && up.refused.is_empty()
            && had == now;
        if same && !run.options.force {
            self.report.outcome = Outcome::NothingNew;
            self.done = true;
        }
    }

    /// A wish that nobody can fulfil makes the set of the repository that asked incomplete.
    fn note_failures(&mut self, failed: Vec<(String, String)>) {
        self.report.failed.extend(failed.iter().cloned());
        if let Some(up) = &mut self.upstream {
            up.refused.extend(failed);
        }
    }
}

fn wish_of(work: &Work, list: impl Fn(&Select) -> &Vec<String>) -> Result<Wish> {
    let select = &work.section.select;
    let foreign = |arch: &&String| !matches!(arch.as_str(), "noarch" | "src" | "nosrc");
    let arch = select.arch.iter().find(foreign).cloned();
    let installed = match &select.installed {
        Some(path) => closure::read_installed(path)?,
        None => Vec::new(),
    };
    Ok(Wish {
        specs: list(select).clone(),
        upgrade: false,
        recommends: select.recommends,
        installed,
        arch: arch.unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
    })
}

fn ask_solver(run: &Run<'_>, works: &[Work], wish: &Wish, asking: usize) -> Result<Closure> {
    let filters: Vec<Filter<'_>> = works
        .iter()
        .map(|work| {
            let locations = work.packages().map(|(_, p)| p.location.as_str());
            let set: BTreeSet<&str> = locations.collect();
            // A repository that is current and complete offers all that it has.
            let all = work.done;
            Box::new(move |location: &str| all || set.contains(location)) as Filter<'_>
        })
        .collect();
    let mut sources = Vec::new();
    for (place, (work, keep)) in works.iter().zip(&filters).enumerate() {
        let up = work.upstream.as_ref();
        let Some((up, part)) = up.and_then(|up| Some((up, up.set.part("primary")?))) else {
            continue;
        };
        let record = up.set.repomd.record("filelists");
        let filelists = record
            .map(|record| (stored(run, record), record.clone()))
            .filter(|(path, _)| path.is_file());
        sources.push(Source {
            id: &work.id,
            preferred: place == asking,
            primary: (Path::new(&part.path), &part.record),
            filelists,
            keep: keep.as_ref(),
        });
    }
    closure::closure(&sources, wish)
}
