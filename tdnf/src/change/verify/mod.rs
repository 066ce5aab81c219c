//! Every package of a plan is opened, judged, and handed on by the identity of what was judged.
//!
//! [`Verified`] can only come out of [`verify`]: a package without a verdict cannot be installed.
//! A check that was switched off is a verdict, too, and is kept.

mod ahead;
mod promised;
mod weak;

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use rpm_db::StoredSignature;
use rpm_pkg::package::{Package, PackageError};
use rpm_repo::config::RepoConfig;
use rpm_trust::policy::{Evidence, Policy, Refusal, Verdict, judge_admitting};
use rpm_trust::{KeyInfo, Keyring};

use super::fetch::{CMDLINE, Fetched};
use crate::error::{At, Code, Failure, Outcome};
use crate::plan::{PackageOrigin, Plan, PlannedChange, WeakSignature};
use crate::session::{OfferedKey, Session, offered_keys_to_ask};
use rpm_transaction::Identity;

pub(super) use ahead::{Examined, beside};
pub use weak::{Admitted, RootRpm};

/// Bytes read at a time.
const CHUNK: usize = 128 * 1024;

/// A package that may be installed.
#[derive(Debug)]
pub struct VerifiedPackage {
    change: usize,
    path: PathBuf,
    identity: Identity,
    verdict: Verdict,
    cached: bool,
}

impl VerifiedPackage {
    /// Its change in the plan.
    pub fn change(&self) -> usize {
        self.change
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What was judged; nothing else may be taken from the file.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The judgement.
    pub fn verdict(&self) -> &Verdict {
        &self.verdict
    }

    /// It lies in our cache and may be removed after use.
    pub(super) fn is_cached(&self) -> bool {
        self.cached
    }

    /// The file, and what was judged of it.
    pub(super) fn into_file(self) -> (PathBuf, Identity) {
        (self.path, self.identity)
    }
}

/// All packages of a plan, judged: only [`verify`] makes it.
#[derive(Debug)]
#[must_use]
pub struct Verified {
    packages: Vec<VerifiedPackage>,
    accepted_keys: Vec<KeyInfo>,
    weak: Vec<WeakSignature>,
}

impl Verified {
    /// The packages whose weak signatures were admitted.
    pub fn weak(&self) -> &[WeakSignature] {
        &self.weak
    }

    /// The packages, in the order of the plan.
    pub fn packages(&self) -> &[VerifiedPackage] {
        &self.packages
    }

    /// The packages, and the keys that the user accepted: they are to be stored with them.
    pub(super) fn into_parts(self) -> (Vec<VerifiedPackage>, Vec<KeyInfo>) {
        (self.packages, self.accepted_keys)
    }
}

/// Judges every fetched package. The first that is refused stops the run; nothing has changed
/// then.
pub(super) fn verify(
    session: &Session<'_>,
    plan: &Plan,
    fetched: Fetched,
    repos: &[&RepoConfig],
) -> Outcome<Verified> {
    let (fetched, keyring, mut examined) = fetched.into_parts();
    examined.add_rest(plan, &fetched, &keyring, session.settings.environment.now);
    let mut bench = Judge {
        session,
        root: None,
        keyring,
        accepted: Vec::new(),
        weak: Vec::new(),
    };
    let mut packages = Vec::new();
    for item in fetched {
        let Some(change) = plan.changes.get(item.change) else {
            continue;
        };
        let repo = repos.iter().find(|repo| repo.id == change.repo());
        let found = examined.take(item.change);
        let result = bench.package(&item.path, change, found, repo.copied());
        match result {
            Ok((identity, verdict)) => packages.push(VerifiedPackage {
                change: item.change,
                path: item.path,
                identity,
                verdict,
                cached: item.cached,
            }),
            Err(failure) => {
                if item.cached && is_damage(failure.code) {
                    // The next run fetches it again.
                    let _ = std::fs::remove_file(&item.path);
                }
                // Locks of other makers say no location.
                let location = change.origin.as_ref().map(|origin| origin.location.clone());
                let name = location.filter(|location| !location.is_empty());
                let name = name.unwrap_or_else(|| change.package.nevra());
                return Err(failure.detail(format!("Error processing package: {name}")));
            }
        }
    }
    Ok(Verified {
        packages,
        accepted_keys: bench.accepted,
        weak: bench.weak,
    })
}

/// Whether a refusal says that the bytes of the file are bad.
fn is_damage(code: Code) -> bool {
    matches!(
        code,
        Code::RPMRC_FAIL | Code::CHECKSUM_MISMATCH | Code::SIZE_MISMATCH
    )
}

/// Judges a package file that is kept and not installed: it must be the package `expected`, whole,
/// and signed by a key of `keyring` as far as the policy asks for that.
pub fn file(
    session: &Session<'_>,
    path: &Path,
    expected: &crate::plan::PackageId,
    (keyring, admitted): (&Keyring, &Admitted),
    policy: Policy,
) -> Outcome<Verdict> {
    let change = PlannedChange::bare(expected.clone());
    let now = session.settings.environment.now;
    let (_, evidence) = examine(path, &change, keyring, now)?;
    match judge_admitting(&evidence, policy, &admitted.weaknesses) {
        Verdict::Refused(refusal) => Err(refused(path, &refusal, admitted)),
        accepted => Ok(accepted),
    }
}

struct Judge<'a, 'b> {
    session: &'a Session<'b>,
    /// Asked for with the first package.
    root: Option<RootRpm>,
    keyring: Keyring,
    accepted: Vec<KeyInfo>,
    weak: Vec<WeakSignature>,
}

/// A package that the keys at hand did not verify.
struct Unverified<'a> {
    path: &'a Path,
    change: &'a PlannedChange,
    repo: Option<&'a RepoConfig>,
    admitted: &'a Admitted,
}

impl Judge<'_, '_> {
    fn package(
        &mut self,
        path: &Path,
        change: &PlannedChange,
        examined: Option<(Identity, Evidence)>,
        repo: Option<&RepoConfig>,
    ) -> Outcome<(Identity, Verdict)> {
        let now = self.session.settings.environment.now;
        // Packages of the command line are checked like those of a repository.
        let settings = &self.session.settings;
        let of_file = || settings.main.cligpgcheck != Some(false);
        let check = settings.check_signatures && repo.map_or_else(of_file, |repo| repo.gpgcheck);
        let policy = match check {
            true => Policy::GpgCheck,
            false => Policy::NoGpgCheck,
        };
        let root = match self.root.take() {
            Some(known) => known,
            None => RootRpm::of(self.session)?,
        };
        let admitted = Admitted::by(self.session, self.root.insert(root), repo)?;
        // What was found before a key was accepted may be found otherwise now.
        let (mut identity, mut evidence) = match examined.filter(|_| self.accepted.is_empty()) {
            Some(found) => found,
            None => examine(path, change, &self.keyring, now)?,
        };
        let mut verdict = judge_admitting(&evidence, policy, &admitted.weaknesses);
        if let Verdict::Refused(refusal) = &verdict
            && self.offer_keys(
                &Unverified {
                    path,
                    change,
                    repo,
                    admitted: &admitted,
                },
                refusal,
            )?
        {
            (identity, evidence) = examine(path, change, &self.keyring, now)?;
            verdict = judge_admitting(&evidence, policy, &admitted.weaknesses);
        }
        if let Verdict::Refused(Refusal::Unsigned) = &verdict
            && self.takes_unsigned_files()
            && repo.is_none()
        {
            verdict = judge_admitting(&evidence, Policy::NoGpgCheck, &admitted.weaknesses);
        }
        tracing::debug!(path = %path.display(), ?verdict, "judged");
        match &verdict {
            Verdict::Accepted(_) => {
                if let Some((_, weak)) = verdict.admitted() {
                    self.weak.push(WeakSignature {
                        package: change.package.nevra(),
                        weaknesses: weak.to_string(),
                        admitted_by: admitted.source.clone(),
                    });
                }
                Ok((identity, verdict))
            }
            Verdict::Refused(refusal) => Err(refused(path, refusal, &admitted)),
        }
    }

    /// Whether the administrator says that files of the command line, and of a lock whose repository is not known here,
    /// for which no repository speaks, need no signature. One that is there is judged all the same.
    fn takes_unsigned_files(&self) -> bool {
        let main = &self.session.settings.main;
        main.cligpgcheck.or(main.gpgcheck) == Some(false)
    }

    /// Where the keys that are trusted do not do (the signer is unknown, or what is stored of his key has
    /// expired, is weak, lacks the subkey): looks among the keys that the repository names for one that
    /// verifies this package, and asks whether it may be trusted. Keys that verify nothing are never
    /// offered. What is stored of the same key counts beside its new copy: a revocation is not undone.
    fn offer_keys(&mut self, package: &Unverified<'_>, refusal: &Refusal) -> Outcome<bool> {
        let &Unverified {
            path,
            repo,
            admitted,
            ..
        } = package;
        let unknown = match refusal {
            Refusal::UnknownKey { .. } => true,
            Refusal::NotTrusted { .. } => false,
            _ => return Ok(false),
        };
        let Some(repo) = repo.filter(|repo| !repo.gpgkey.is_empty()) else {
            return match unknown {
                true => Err(no_key(path, Code::NO_GPGKEY_CONF_ENTRY, refusal)),
                false => Ok(false),
            };
        };
        let now = self.session.settings.environment.now;
        let offered_all = match offered_keys_to_ask(self.session, repo) {
            Err(failure) if !unknown => {
                let words = failure.details.join(": ");
                return Err(refused(path, refusal, admitted).detail(words));
            }
            other => other?,
        };
        let mut reason = None;
        for offered in &offered_all {
            let stored = self.keyring.key(&offered.key.fingerprint, now);
            // All copies count together, whichever file they came in: one of them may revoke the key.
            let copies = offered_all.iter().map(|other| &other.key);
            let copies = copies.filter(|other| other.fingerprint == offered.key.fingerprint);
            let copies: Vec<&KeyInfo> = stored.iter().chain(copies).collect();
            let alone = match self.try_key(package, &copies)? {
                Ok(alone) => alone,
                // It is by this key, but the key, or what it covers, does not do.
                Err(refusal) => {
                    let by_another = matches!(refusal, Refusal::UnknownKey { .. });
                    reason = reason.or((!by_another).then_some(refusal));
                    continue;
                }
            };
            self.ask(offered, stored.as_ref(), offered.needs_comparing(repo))?;
            offered.add_to(&mut self.keyring)?;
            self.accepted.extend(alone.keys(now));
            return Ok(true);
        }
        if let Some(refusal) = reason {
            return Err(refused(path, &refusal, admitted));
        }
        if !unknown {
            return Ok(false);
        }
        Err(no_key(path, Code::RPM_GPG_NO_MATCH, refusal)
            .detail(format!(
                "none of the keys in gpgkey of repository {} made the signature",
                repo.id
            ))
            .hint(
                "compare the key that the publisher names with gpgkey= of the .repo file; nothing \
                 was installed",
            ))
    }

    /// The keyring of these copies of one key, if that verifies the package; else why not.
    fn try_key(
        &self,
        package: &Unverified<'_>,
        copies: &[&KeyInfo],
    ) -> Outcome<Result<Keyring, Refusal>> {
        let mut alone = Keyring::under(self.keyring.crypto_policy().cloned());
        for copy in copies {
            let added = alone.add_armored_or_binary(&copy.binary);
            added
                .map_err(|error| Failure::because(Code::INVALID_PUBKEY_FILE, error.to_string()))?;
        }
        let now = self.session.settings.environment.now;
        let (_, evidence) = examine(package.path, package.change, &alone, now)?;
        let admits = &package.admitted.weaknesses;
        Ok(match judge_admitting(&evidence, Policy::GpgCheck, admits) {
            Verdict::Accepted(_) => Ok(alone),
            Verdict::Refused(refusal) => Err(refusal),
        })
    }

    /// Shows the key, and what it stands beside or in place of: the copy of the same key that does not do
    /// any more, else keys of the same user id. What only the user can vouch for is said.
    fn ask(&self, offered: &OfferedKey, stored: Option<&KeyInfo>, to_compare: bool) -> Outcome<()> {
        let (printer, key) = (self.session.printer, &offered.key);
        let source = offered.source();
        let settings = &self.session.settings;
        if settings.download_only || settings.test_only {
            let fingerprint = key.pretty_fingerprint();
            printer.err(&format!(
                "checked with the key {fingerprint} of {source}, which is not imported"
            ));
            return Ok(());
        }
        printer.crit(&format!("importing key from {source}"));
        printer.err(&format!("    User id     : {}", key.user_id));
        printer.err(&format!("    Fingerprint : {}", key.pretty_fingerprint()));
        if to_compare {
            printer.err("    Anybody on the line may have sent it: compare the fingerprint with what the publisher says");
        }
        let now = self.session.settings.environment.now;
        match stored {
            Some(stored) => {
                let fingerprint = stored.pretty_fingerprint();
                let line = format!("    Replaces    : {fingerprint} ({})", stored.state(now));
                printer.err(&line);
            }
            None => {
                let all = self.keyring.keys(now);
                for known in all.iter().filter(|known| known.user_id == key.user_id) {
                    let fingerprint = known.pretty_fingerprint();
                    let line = format!("    Beside      : {fingerprint} ({})", known.state(now));
                    printer.err(&line);
                }
            }
        }
        self.session.confirm()
    }
}

/// The signer is not known, and what that means for a package.
fn no_key(path: &Path, code: Code, refusal: &Refusal) -> Failure {
    let ids = match refusal {
        Refusal::UnknownKey { key_ids } => key_ids.join(", "),
        _ => String::new(),
    };
    let line = format!(
        "{}: signed by key {ids}, which is not known",
        path.display()
    );
    Failure::because(code, line)
}

/// The number and words of a refusal, and what would admit it.
fn refused(path: &Path, refusal: &Refusal, admitted: &Admitted) -> Failure {
    let code = match refusal {
        Refusal::Unsigned | Refusal::UnsignedWeakDigest(_) | Refusal::Unprotected => {
            Code::RPM_NOT_SIGNED
        }
        Refusal::NotTrusted { .. } => Code::RPMRC_NOTTRUSTED,
        Refusal::UnknownKey { .. } => Code::RPMRC_NOKEY,
        _ => Code::RPMRC_FAIL,
    };
    match admitted.way_out(refusal) {
        Some(way) => Failure::package(code, path, &format_args!("{refusal}; {way}")),
        None => Failure::package(code, path, refusal),
    }
}

fn broken(path: &Path, error: &PackageError) -> Failure {
    match error {
        PackageError::Io(source) => Failure::io(path, source),
        _ => Failure::package(Code::RPMRC_FAIL, path, error),
    }
}

/// Reads the whole file once: headers, digests, signatures; and compares the name inside with
/// that of the plan.
fn examine(
    path: &Path,
    change: &PlannedChange,
    keyring: &Keyring,
    now: u64,
) -> Outcome<(Identity, Evidence)> {
    let file = File::open(path).at(path)?;
    let reader = BufReader::with_capacity(CHUNK, file);
    let mut package = Package::open(reader).map_err(|error| broken(path, &error))?;
    check_identity(&package, path, change)?;
    check_promise(&package, path, change)?;
    let stored = StoredSignature::of(&package.signature, &package.header, false);
    let mut evidence =
        repo_client::evidence(&mut package, keyring, now).map_err(|error| broken(path, &error))?;
    // A signature header that the database could not take is refused now, not half-way.
    if let Err(error) = stored {
        evidence.malformed.insert(0, error.to_string());
    }
    Ok((Identity::of(&package, evidence.bare_payload), evidence))
}

/// A package that is not the one the plan names is refused, whatever its checksum says.
fn check_identity<R: Read>(
    package: &Package<R>,
    path: &Path,
    change: &PlannedChange,
) -> Outcome<()> {
    let inside = package.nevra();
    let id = &change.package;
    let same = inside.name == id.name
        && inside.evr.epoch_or_zero() == id.epoch
        && inside.evr.version == id.version
        && inside.evr.release == id.release
        && inside.arch == id.arch;
    if same {
        return Ok(());
    }
    let why = format!("it is {inside}, not {} as the metadata says", id.nevra());
    Err(Failure::package(Code::RPMRC_FAIL, path, &why))
}

/// The plan was made of what the metadata says: a package that needs or provides something else
/// is not what was planned. The header is right, the repository is broken.
fn check_promise<R: Read>(
    package: &Package<R>,
    path: &Path,
    change: &PlannedChange,
) -> Outcome<()> {
    let from_repo = |origin: &&PackageOrigin| origin.repo != CMDLINE;
    let Some(origin) = change.origin.as_ref().filter(from_repo) else {
        return Ok(());
    };
    let broken = |promised| promised::broken(&package.header, promised);
    let Some(difference) = origin.promised.as_ref().and_then(broken) else {
        return Ok(());
    };
    let repo = &origin.repo;
    let why = format!("it {difference}, but the metadata of repository {repo} says otherwise");
    Err(Failure::package(Code::RPMRC_FAIL, path, &why))
}
