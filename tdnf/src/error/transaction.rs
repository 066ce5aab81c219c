//! The number and words of a transaction that did not happen.

use rustix::io::Errno;

use super::{Code, Failure};
use rpm_transaction::{DEVICE_FAILED, OWNER_FAILED, Problem, TransactionError};

impl From<TransactionError> for Failure {
    fn from(error: TransactionError) -> Self {
        let failure = Failure::new(Code::TRANSACTION_FAILED);
        match error {
            TransactionError::Problems(problems) => {
                let failure = needed_before(failure, &problems);
                let first = failure.remark(format!("Found {} problems", problems.len()));
                // On stdout as in tdnf; the reason stands with the error, too.
                problems.iter().fold(first, |failure, problem| {
                    let failure = failure.remark(problem.to_string());
                    failure.detail(format!("error: {problem}"))
                })
            }
            TransactionError::Database(error) => {
                let failure = Failure::from(error);
                Failure {
                    code: Code::TRANSACTION_FAILED,
                    ..failure
                }
            }
            TransactionError::Scriptlet {
                package,
                script,
                status,
            } => failure
                .remark(format!("package {package}: script error in {script}"))
                .detail(format!(
                    "error: {script}({package}) scriptlet failed, {status}"
                ))
                .hint(format!(
                    "nothing has changed; what {} itself did stays",
                    script.strip_suffix("in").unwrap_or(&script)
                )),
            TransactionError::Cancelled => Failure::because(
                Code::OPERATION_ABORTED,
                "the transaction was stopped and undone; nothing has changed",
            ),
            other => match rootless_hint(&other) {
                Some(hint) => failure.detail(format!("error: {other}")).hint(hint),
                None => failure.detail(format!("error: {other}")),
            },
        }
    }
}

/// Requires(pretrans) that are not installed have a number of their own.
fn needed_before(failure: Failure, problems: &[Problem]) -> Failure {
    let needed = problems.iter().filter_map(|problem| match problem {
        Problem::NeededBefore { dep, .. } => Some(dep),
        _ => None,
    });
    needed.fold(failure, |failure, dep| {
        let failure = failure.detail(format!(
            "Detected rpm pre-transaction dependency errors. Install {dep} first to resolve this failure."
        ));
        Failure {
            code: Code::RPM_CHECK,
            ..failure
        }
    })
}

/// What root of a user namespace cannot do, and the way out.
fn rootless_hint(error: &TransactionError) -> Option<&'static str> {
    let TransactionError::File { action, source, .. } = error else {
        return None;
    };
    match (*action, source.raw_os_error().map(Errno::from_raw_os_error)) {
        (OWNER_FAILED, Some(Errno::INVAL)) => Some(
            "its owner has no number in this user namespace: map more of them (newuidmap, newgidmap, /etc/subuid), \
             or run as root",
        ),
        (DEVICE_FAILED, Some(Errno::PERM)) => {
            Some("device files cannot be made in a user namespace: run as root")
        }
        _ => None,
    }
}
