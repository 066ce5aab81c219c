//! Which weak signatures count: what a repository admits (`weak_signatures`), and what a root's own old
//! rpm takes anyway (docs/signatures.md).

use rpm_pkg::evr::vercmp;
use rpm_pkg::glob::glob_matches;
use rpm_pkg::header::tag;
use rpm_repo::config::RepoConfig;
use rpm_repo::vars::Vars;
use rpm_trust::Weaknesses;
use rpm_trust::policy::Refusal;

use crate::change::CMDLINE;
use crate::error::Outcome;
use crate::session::Session;

/// The first rpm with rules of its own about what a signature must be.
const FIRST_STRICT: &str = "4.16";
/// The key that admits.
const KEY: &str = "weak_signatures";

/// The rpm that is installed in the root.
#[derive(Debug)]
pub struct RootRpm {
    /// Its version, where it is older than [`FIRST_STRICT`].
    old: Option<String>,
}

impl RootRpm {
    /// Asks the rpm database; a root without rpm has none.
    pub fn of(session: &Session<'_>) -> Outcome<Self> {
        let Some(db) = session.db()? else {
            return Ok(Self { old: None });
        };
        let installed = db.by_name("rpm")?;
        let versions = installed
            .iter()
            .filter_map(|(_, header)| header.text(tag::VERSION));
        // The newest counts where several are recorded: an old one beside it judges nothing.
        let newest = versions.max_by(|a, b| vercmp(a.as_bytes(), b.as_bytes()));
        let is_old = |version: &&str| vercmp(version.as_bytes(), FIRST_STRICT.as_bytes()).is_lt();
        Ok(Self {
            old: newest.filter(is_old).map(str::to_owned),
        })
    }
}

/// What is admitted of the signatures of one repository's packages.
#[derive(Debug)]
pub struct Admitted {
    /// The weaknesses that may be there.
    pub weaknesses: Weaknesses,
    /// Who admits them, for people.
    pub source: String,
    /// Id of the repository.
    repo: String,
    /// The `.repo` file, where there is one.
    file: Option<String>,
}

impl Admitted {
    /// What this repository admits, or the command line for the packages that it names, and the root's
    /// old rpm.
    pub fn by(session: &Session<'_>, rpm: &RootRpm, repo: Option<&RepoConfig>) -> Outcome<Self> {
        let (id, words, place) = match repo {
            Some(repo) => {
                let place = repo.place_of(KEY).unwrap_or(&repo.source);
                (
                    repo.id.as_str(),
                    repo.weak_signatures.clone(),
                    place.to_string(),
                )
            }
            None => (CMDLINE, of_command_line(session)?, "--setopt".to_owned()),
        };
        let mut admitted = Self {
            weaknesses: words.iter().filter_map(|word| word.parse().ok()).collect(),
            source: format!("{KEY} of repository {id}, {place}"),
            repo: id.to_owned(),
            file: repo
                .filter(|repo| repo.source.line_number() > 0)
                .map(|repo| repo.source.file().display().to_string()),
        };
        if let Some(version) = &rpm.old {
            admitted.weaknesses = Weaknesses::all();
            admitted.source = format!("as rpm {version} of this root judges");
        }
        Ok(admitted)
    }

    /// What to do where nothing but weaknesses that can be admitted stands against a package.
    pub(super) fn way_out(&self, refusal: &Refusal) -> Option<String> {
        let mut all = refusal.admissible()?;
        all.extend(self.weaknesses.clone());
        let (repo, line) = (&self.repo, format!("{KEY}={all}"));
        let in_file = self.file.as_ref().map_or_else(String::new, |file| {
            format!(", or {line} in [{repo}] of {file},")
        });
        Some(format!(
            "`--setopt={repo}.{line}`{in_file} admits such signatures"
        ))
    }
}

/// `--setopt=@cmdline.weak_signatures=...`: packages that the command line names are of no repository.
fn of_command_line(session: &Session<'_>) -> Outcome<Vec<String>> {
    let mut overrides = session.settings.repo_overrides.iter();
    let last = overrides.rfind(|set| set.key == KEY && glob_matches(&set.repo, CMDLINE));
    let Some(set) = last else {
        return Ok(Vec::new());
    };
    let mut none = RepoConfig::new("cmdline", set.place.clone(), &session.settings.main)?;
    none.set(KEY, &set.value, &set.place, &Vars::new())?;
    Ok(none.weak_signatures)
}
