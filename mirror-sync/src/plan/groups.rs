//! The packages of groups and environments of comps.

use std::collections::BTreeSet;

use rpm_repo::comps::{Comps, Group, PackageKind};

/// Most ids that an error lists.
const MAX_LISTED: usize = 20;

/// The names of the mandatory and default packages of these groups; an environment stands for its groups.
///
/// # Errors
/// Comps have no such group, in words that name those that are near.
pub(crate) fn packages(comps: &Comps, asked: &[String]) -> Result<BTreeSet<String>, String> {
    let mut names = BTreeSet::new();
    for id in asked {
        let environment = comps.environments.iter().find(|one| one.id == *id);
        let of_environment = environment.iter().flat_map(|one| &one.groups);
        let ids: BTreeSet<&String> = of_environment.chain([id]).collect();
        let found: Vec<&Group> = comps
            .groups
            .iter()
            .filter(|group| ids.contains(&group.id))
            .collect();
        if found.is_empty() && environment.is_none() {
            return Err(unknown(comps, id));
        }
        let all = found.iter().flat_map(|group| &group.packages);
        let wanted =
            all.filter(|one| matches!(one.kind, PackageKind::Mandatory | PackageKind::Default));
        names.extend(wanted.map(|package| package.name.clone()));
    }
    Ok(names)
}

fn unknown(comps: &Comps, id: &str) -> String {
    let groups = comps.groups.iter().map(|group| group.id.as_str());
    let environments = comps.environments.iter().map(|one| one.id.as_str());
    let mut known: Vec<&str> = groups.chain(environments).collect();
    known.sort_unstable();
    let distance = |other: &&&str| strsim::damerau_levenshtein(id, other);
    let near = known.iter().min_by_key(distance);
    let near = near.filter(|near| distance(near) <= id.len().div_ceil(3));
    let near = near.map_or_else(String::new, |near| format!(", did you mean {near}?"));
    let more = known.len().saturating_sub(MAX_LISTED);
    known.truncate(MAX_LISTED);
    let list = match (known.join(", "), more) {
        (list, _) if list.is_empty() => "none".to_owned(),
        (list, 0) => list,
        (list, more) => format!("{list} and {more} more"),
    };
    format!("no group of upstream's comps is called {id}{near} (known: {list})")
}
