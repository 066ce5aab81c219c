//! What to do next when a transfer failed.

use std::io::ErrorKind;
use std::path::Path;

use cli_kit::human_size;
use repo_client::{Cause, Failure, SignatureFault, TlsFault, free_space};

/// What to do where there is not enough memory.
pub(super) const MORE_MEMORY: &str = "raise the limit (`ulimit -v`, or that of the control group)";

/// What to do about a lock that another program keeps.
pub(crate) const WAIT_LONGER: &str =
    "wait for it to end, or give --lock-timeout more seconds; nothing has changed";

/// One line on a folder of ours that takes no file, such as the cache.
pub(super) fn for_disk(path: &Path, kind: ErrorKind) -> Option<String> {
    let dir = path.parent().unwrap_or(path);
    let dir = dir.ancestors().find(|dir| dir.is_dir()).unwrap_or(dir);
    let dir = dir.display();
    let other = "name another cache with --setopt=cachedir=DIR";
    Some(match kind {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            let free = free_space(path).map_or_else(|_| "no space".into(), human_size);
            let free = free.trim_start();
            format!("{dir} has {free} left: free some space (`tdnf clean packages`), or {other}")
        }
        ErrorKind::ReadOnlyFilesystem => {
            format!("{dir} is on a read-only file system: use --cacheonly, or {other}")
        }
        ErrorKind::PermissionDenied => format!(
            "{dir} cannot be written by this user: run it as root, use --cacheonly, or {other}"
        ),
        _ => return None,
    })
}

/// One line for a person, by what failed.
pub(super) fn for_failure(failure: &Failure) -> Option<String> {
    let variable = match failure.url.starts_with("https:") || failure.url.starts_with("oci:") {
        true => "https_proxy",
        false => "http_proxy",
    };
    let behind = format!("behind a proxy, name it with proxy= in tdnf.conf or in {variable}");
    Some(match &failure.cause {
        cause if cause.is_of_proxy() => {
            "check proxy=, proxy_username= and proxy_password= in tdnf.conf, and the \
             variables http_proxy, https_proxy and no_proxy"
                .to_owned()
        }
        Cause::Dns(_) => format!(
            "check the host name in the URL and the name servers in /etc/resolv.conf; {behind}"
        ),
        Cause::Connect(_) => {
            format!("check that the server is up and can be reached from here; {behind}")
        }
        other => for_transfer(other)?.to_owned(),
    })
}

fn for_transfer(cause: &Cause) -> Option<&'static str> {
    Some(match cause {
        Cause::Status(401) => "set username= and password= in the .repo file",
        Cause::Status(403) => "the server refuses this client: ask its operator",
        Cause::Status(404 | 410) | Cause::NotFound => {
            "check the URL and $releasever (`tdnf repolist` names the repositories that are on); \
             if the repository has just been changed, run `tdnf makecache`"
        }
        Cause::Status(429 | 500..=599) => "the server has a problem: try again later",
        Cause::Timeout(_) | Cause::TooSlow { .. } | Cause::Broken(_) | Cause::Truncated { .. } => {
            "try again: what was fetched is kept and continued; timeout= and minrate= of the .repo \
             file set the limits"
        }
        Cause::Html => "a web page was received instead: log in to the network, or correct the URL",
        Cause::Digest { .. } | Cause::Size { .. } => {
            "the mirror is damaged or is being changed: run `tdnf makecache` and try again, or \
             use another mirror"
        }
        Cause::Signature {
            fault: SignatureFault::Missing,
            ..
        } => {
            "the publisher has to sign it: tell him; repo_gpgcheck=0 in the .repo file does without the \
             signature of the metadata"
        }
        Cause::Signature {
            fault: SignatureFault::NotAccepted,
            ..
        }
        | Cause::SignatureFile(_) => {
            "nothing of it is used; compare gpgkey= of the .repo file with the key that the \
             publisher names, and ask the publisher if they differ"
        }
        Cause::Tls {
            fault: TlsFault::Expired | TlsFault::NotYetValid,
            ..
        }
        | Cause::Signature {
            fault: SignatureFault::Date,
            ..
        }
        | Cause::Future { .. } => "check the date of this machine first (`date`)",
        Cause::Older { .. } => {
            "the mirror is out of date, or old metadata is being replayed: use another mirror; --allow-older \
             takes it where the publisher went back"
        }
        _ => return None,
    })
}
