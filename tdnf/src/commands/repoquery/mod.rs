//! `repoquery`: which packages, and what of them.

mod format;
mod select;

pub(in crate::commands) use select::extras;

use std::collections::HashMap;
use std::ops::ControlFlow;

use rpm_pkg::dep::DepGroup;
use rpm_pkg::files::FileList;
use rpm_pkg::header::{Header, tag};
use rpm_solv::SolvableId;

use super::Command;
use super::operands::{Operand, Operands};
use super::query::tell_unknown;
use crate::args::options::{self, QueryOptions, SelectOptions, of};
use crate::error::{Code, Failure, Outcome};
use crate::session::{Freshness, LoadedRepo, Packages, Session};
use crate::view::repoquery::{PackageDetail, QueriedPackage, QueryResult};
use rpm_catalog::ChangelogEntry;

pub(super) const COMMAND: Command = Command {
    name: "repoquery",
    usage: "[select options] [query options] [PACKAGE]",
    operands: Operands::all(Operand::Package),
    options: &[
        of::<options::SelectOptions>(),
        of::<options::PlaceOptions>(),
        of::<options::InstalledScope>(),
        of::<options::Arch>(),
        of::<options::QueryOptions>(),
        of::<options::ListOption>(),
        of::<options::SourceOptions>(),
    ],
    example: "repoquery --whatrequires openssl",
    about: "Query repositories",
    run,
    ..Command::PLAIN
};

/// What is shown of each package.
#[derive(Debug, Clone, Copy)]
enum DetailQuestion<'a> {
    Name,
    Files,
    Deps(&'static DepQuestion),
    Changelogs,
    Location,
    Source,
    Format(&'a str),
}

/// A kind of dependency that can be asked for.
#[derive(Debug)]
struct DepQuestion {
    /// Its tag.
    name: &'static str,
    /// Key in JSON.
    key: &'static str,
    /// Whether the option that shows it is given.
    asked: fn(&QueryOptions) -> bool,
    /// The capabilities of the option that selects by it.
    what: fn(&SelectOptions) -> &[String],
    /// None: the part of the requirements that scriptlets need.
    kinds: &'static [DepGroup],
}

/// A line each: tag, key in JSON, the option that shows it, the one that selects by it, kinds.
macro_rules! questions {
    ($($name:literal $key:literal $asked:ident $what:expr, [$($kind:ident)*];)*) => {
        &[$(DepQuestion {
            name: $name,
            key: $key,
            asked: |given| given.$asked,
            what: $what,
            kinds: &[$(DepGroup::$kind),*],
        }),*]
    };
}

/// All kinds, in the order in which `--what...` options are applied.
static DEPS: &[DepQuestion] = questions! {
    "provides" "Provides" provides |s| &s.whatprovides, [Provides];
    "obsoletes" "Obsoletes" obsoletes |s| &s.whatobsoletes, [Obsoletes];
    "conflicts" "Conflicts" conflicts |s| &s.whatconflicts, [Conflicts];
    "requires" "Requires" requires |s| &s.whatrequires, [Requires];
    "recommends" "Recommends" recommends |s| &s.whatrecommends, [Recommends];
    "suggests" "Suggests" suggests |s| &s.whatsuggests, [Suggests];
    "supplements" "Supplements" supplements |s| &s.whatsupplements, [Supplements];
    "enhances" "Enhances" enhances |s| &s.whatenhances, [Enhances];
    "depends" "Depends" depends |s| &s.whatdepends,
        [Requires Recommends Suggests Supplements Enhances];
    "requires-pre" "RequiresPre" requires_pre |_| &[], [];
};

impl<'a> DetailQuestion<'a> {
    /// The one query option; two of them are error 917. Their place on the command line does not
    /// matter.
    fn of(session: &'a Session<'_>) -> Outcome<Self> {
        let typed = &session.args.options;
        let given = &typed.query;
        let deps = DEPS.iter().filter(|dep| (dep.asked)(given));
        let mut all: Vec<Self> = deps.map(Self::Deps).collect();
        let plain = [
            (typed.listing.list, Self::Files),
            (given.changelogs, Self::Changelogs),
            (given.location, Self::Location),
            (typed.source.source, Self::Source),
        ];
        all.extend(plain.iter().filter(|(on, _)| *on).map(|(_, query)| *query));
        all.extend(given.qf.as_deref().map(Self::Format));
        match all.as_slice() {
            [] => Ok(Self::Name),
            [one] => Ok(*one),
            _ => Err(Code::CLI_INVALID_MIXED_QUERY_QUERYFORMAT.into()),
        }
    }

    /// The parts of the metadata that it takes.
    fn parts(self) -> &'static [&'static str] {
        match self {
            Self::Files => &["primary", "filelists"],
            Self::Changelogs => &["primary", "other"],
            _ => &["primary"],
        }
    }
}

fn run(session: &Session<'_>, words: &[String]) -> Outcome<u8> {
    let query = DetailQuestion::of(session)?;
    if let DetailQuestion::Format(format) = query {
        format::check(format)?;
    }
    let scope = select::QueryScope::of(session)?;
    if let [_, surplus @ ..] = words
        && !surplus.is_empty()
    {
        let line = format!("repoquery takes one package: {} is more", surplus.join(" "));
        return Err(Failure::because(Code::CLI_INVALID_ARGUMENT, line));
    }
    let sources = if scope.needs_repositories() {
        session.sources(query.parts(), Freshness::WhenExpired)?
    } else {
        Vec::new()
    };
    let reach = scope.reach(session, query, words);
    let mut packages = session.packages_within(sources, reach)?;
    let (chosen, unknown) = select::choose(session, &mut packages, scope, words)?;
    tell_unknown(session, unknown.as_ref());
    if chosen.is_empty() {
        session.printer.show(&QueryResult(Vec::new()));
        return Err(Code::NO_DATA.into());
    }
    let mut details = Details::read(session, &packages, &chosen, query)?;
    let mut found = Vec::new();
    for id in chosen {
        found.push(QueriedPackage {
            id: packages.package_id(id),
            repo: packages.repo_of(id),
            answer: answer(&packages, id, query, &mut details)?,
        });
    }
    session.printer.show(&QueryResult(found));
    Ok(0)
}

fn answer(
    packages: &Packages,
    id: SolvableId,
    query: DetailQuestion<'_>,
    details: &mut Details,
) -> Outcome<PackageDetail> {
    Ok(match query {
        DetailQuestion::Name => PackageDetail::Name,
        DetailQuestion::Files => {
            PackageDetail::Files(details.files.remove(&id).unwrap_or_default())
        }
        DetailQuestion::Deps(dep) => PackageDetail::Deps(dep.key, deps(packages, id, dep)),
        DetailQuestion::Changelogs => {
            PackageDetail::Changelog(details.changelogs.remove(&id).unwrap_or_default())
        }
        DetailQuestion::Location => PackageDetail::Location(location(packages, id)?),
        DetailQuestion::Source => PackageDetail::Source(source(packages, id)?),
        DetailQuestion::Format(format) => {
            PackageDetail::Formatted(format::fill(packages, id, format)?)
        }
    })
}

/// What is not in the pool.
#[derive(Default)]
struct Details {
    files: HashMap<SolvableId, Vec<String>>,
    changelogs: HashMap<SolvableId, Vec<ChangelogEntry>>,
}

impl Details {
    fn read(
        session: &Session<'_>,
        packages: &Packages,
        chosen: &[SolvableId],
        query: DetailQuestion<'_>,
    ) -> Outcome<Self> {
        let mut details = Self::default();
        match query {
            DetailQuestion::Files => details.files = packages.file_lists(session, chosen)?,
            DetailQuestion::Changelogs => {
                details.changelogs = packages.changelogs(session, chosen)?
            }
            _ => return Ok(details),
        }
        let mut installed = HashMap::new();
        for id in chosen.iter().filter(|id| packages.pool.is_installed(**id)) {
            installed.insert(packages.pool.plan_facts(*id)?.database_number, *id);
        }
        let db = if installed.is_empty() {
            None
        } else {
            session.db()?
        };
        if let Some(db) = db {
            db.for_each(&mut |number, header| {
                if let Some(id) = installed.get(&number) {
                    details.files.insert(*id, files(&header));
                    details.changelogs.insert(*id, changelog(&header));
                }
                ControlFlow::Continue(())
            })?;
        }
        Ok(details)
    }
}

fn files(header: &Header) -> Vec<String> {
    let Ok(list) = FileList::from_header(header) else {
        return Vec::new();
    };
    let paths = (0..list.len()).map(|index| list.path(index));
    paths
        .map(|path| String::from_utf8_lossy(&path).into_owned())
        .collect()
}

fn changelog(header: &Header) -> Vec<ChangelogEntry> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let times = header.u32s(tag::CHANGELOGTIME);
    let names = header.strings(tag::CHANGELOGNAME);
    let texts = header.strings(tag::CHANGELOGTEXT);
    times
        .zip(names.zip(texts))
        .map(|(date, (author, entry))| ChangelogEntry {
            author: text(author),
            date: u64::from(date),
            text: text(entry),
        })
        .collect()
}

/// The dependencies of a package, of all the kinds that count.
fn deps(packages: &Packages, id: SolvableId, dep: &DepQuestion) -> Vec<String> {
    match dep.kinds {
        [] => packages.pool.pre_requires(id),
        kinds => kinds
            .iter()
            .flat_map(|kind| packages.pool.deps(id, *kind))
            .collect(),
    }
}

/// The first of the URLs of a package; empty for what is installed.
fn location(packages: &Packages, id: SolvableId) -> Outcome<String> {
    let Some(source) = LoadedRepo::find(&packages.sources, &packages.repo_of(id)) else {
        return Ok(String::new());
    };
    let facts = packages.pool.plan_facts(id)?;
    let base = Some(facts.location_base.as_str()).filter(|base| !base.is_empty());
    let urls = source.urls_of(&facts.location, base)?;
    Ok(urls.into_iter().next().unwrap_or_default())
}

/// `NAME-VERSION-RELEASE.src` of the source package; empty if the metadata does not say.
fn source(packages: &Packages, id: SolvableId) -> Outcome<String> {
    let facts = packages.pool.facts(id)?;
    let name = facts.sourcerpm;
    Ok(name.strip_suffix(".rpm").unwrap_or(&name).to_owned())
}
