//! How the work grows with the packages that a repository has: generated ones, so that anybody can run it.

use crate::cases::{Case, caches, limit, nothing, removing, tdnf};
use crate::generated::{self, Shape};
use crate::growth::Series;
use crate::lab::{Lab, serve_more};
use crate::managers::Job;
use crate::report::Mark;

pub(crate) const MAKECACHE: Series = (
    "cold makecache, by packages",
    &[
        (1_000, "cold makecache of 1,000"),
        (16_500, "cold makecache of 16,500"),
        (65_564, "cold makecache of 65,564"),
        (500_000, "cold makecache of 500,000"),
    ],
);
pub(crate) const SOLVE: Series = (
    "warm solve of five, by packages",
    &[
        (1_000, "solve of five among 1,000"),
        (16_500, "solve of five among 16,500"),
        (65_564, "solve of five among 65,564"),
        (500_000, "solve of five among 500,000"),
    ],
);
pub(crate) const INFO: Series = (
    "info, by packages",
    &[
        (1_000, "info among 1,000"),
        (16_500, "info among 16,500"),
        (65_564, "info among 65,564"),
        (500_000, "info among 500,000"),
    ],
);
/// The largest of a short run.
const QUICK: usize = 16_500;

pub(crate) fn all(lab: &mut Lab) -> Result<Vec<Case>, String> {
    let mut cases = Vec::new();
    for (place, &(size, makecache)) in MAKECACHE.1.iter().enumerate() {
        if lab.quick && size > QUICK {
            continue;
        }
        let id = format!("available-{size}");
        let folder = lab.scratch.join(format!("{id}-served"));
        let shape = Shape {
            packages: size,
            files: 0,
            newer: 0,
        };
        generated::write(&folder, &shape).map_err(|e| format!("{}: {e}", folder.display()))?;
        let url = serve_more(
            lab,
            &format!("location /{id}/ {{ alias {}/; }}", folder.display()),
        )?;
        let cold = lab.root_at(&format!("{id}-cold"), &id, &format!("{url}/{id}/"), "")?;
        let warm = lab.root_at(&format!("{id}-warm"), &id, &format!("{url}/{id}/"), "")?;
        lab.warm(&warm)?;
        let packed = folder.join("repodata/primary.xml.gz").display().to_string();
        let five = generated::five(size);
        let five: Vec<&str> = five.iter().map(String::as_str).collect();
        let mut solve = vec!["--assumeno", "install"];
        solve.extend(&five);
        let scratch = lab.scratch.clone();
        cases.push(Case {
            name: makecache,
            ours: tdnf(lab, &cold, &["makecache"], &[0]),
            peers: lab.managers.programs(&cold, Job::Makecache),
            limit: limit("zcat of it", "zcat \"$1\" > /dev/null", &[&packed]),
            prepare: removing(caches(&cold)),
            mark: Mark::default(),
            scratch: scratch.clone(),
        });
        cases.push(Case {
            name: SOLVE.1[place].1,
            ours: tdnf(lab, &warm, &solve, &[8]),
            peers: lab.managers.programs(&warm, Job::Solve(&five)),
            limit: None,
            prepare: nothing(),
            mark: Mark::default(),
            scratch: scratch.clone(),
        });
        cases.push(Case {
            name: INFO.1[place].1,
            ours: tdnf(lab, &warm, &["info", "package0500"], &[0]),
            peers: lab.managers.programs(&warm, Job::Info("package0500")),
            limit: None,
            prepare: nothing(),
            mark: Mark::default(),
            scratch,
        });
    }
    Ok(cases)
}
