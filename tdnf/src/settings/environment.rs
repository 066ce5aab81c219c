//! What the process finds around it. Read once; nothing below the settings asks again.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use repo_client::{CaEnvironment, RegistryLogins, S3Environment};
use rpm_transaction::scripts::allowed_variable;

/// The environment of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Environment {
    /// Effective user id.
    pub euid: u32,
    /// Seconds since 1970, or `SOURCE_DATE_EPOCH`: what is written into the root.
    pub now: u64,
    /// Seconds since 1970 by the clock: what is told to people.
    pub clock: u64,
    /// `SOURCE_DATE_EPOCH`: roots are to be built twice alike.
    pub source_date: Option<u64>,
    /// Where it is set, and no number of seconds.
    pub odd_source_date: bool,
    /// The machine's name for its architecture (`x86_64`).
    pub machine: String,
    /// Release of the running kernel.
    pub kernel: String,
    /// This program, as it can be started again.
    pub program: PathBuf,
    /// The user's home directory.
    pub home: Option<PathBuf>,
    /// The user's cache directory (`XDG_CACHE_HOME`, else `~/.cache`).
    pub user_cache: Option<PathBuf>,
    /// Where large files go that last as long as the run (`TMPDIR`, else `/var/tmp`).
    pub temporary: PathBuf,
    /// Variables of the user that scriptlets may see.
    pub script_variables: Vec<(OsString, OsString)>,
    /// `SSL_CERT_FILE` and `SSL_CERT_DIR`: certificates that take the place of the system's.
    pub certificates: CaEnvironment,
    /// Where logins to registries stand: `REGISTRY_AUTH_FILE`, `XDG_RUNTIME_DIR`, `DOCKER_CONFIG`, home directory.
    pub registry_logins: RegistryLogins,
    /// `http_proxy`.
    pub http_proxy: Option<String>,
    /// `https_proxy` or `HTTPS_PROXY`.
    pub https_proxy: Option<String>,
    /// `all_proxy` or `ALL_PROXY`.
    pub all_proxy: Option<String>,
    /// `no_proxy` or `NO_PROXY`.
    pub no_proxy: Option<String>,
    /// `AWS_...`: how object stores are reached.
    pub stores: S3Environment,
}

impl Environment {
    /// Reads the process's environment, clock and user. `SOURCE_DATE_EPOCH` stands for the clock
    /// where it is set, so that roots can be built twice alike.
    pub fn of_process() -> Self {
        let absolute = |name| {
            let path = variable(name).map(PathBuf::from);
            path.filter(|path| path.is_absolute())
        };
        let text = variable("SOURCE_DATE_EPOCH");
        let source_date = text.as_ref().and_then(|text| text.parse().ok());
        let system = rustix::system::uname();
        let home_cache = || absolute("HOME").map(|home| home.join(".cache"));
        let clock = clock();
        Self {
            euid: rustix::process::geteuid().as_raw(),
            now: source_date.unwrap_or(clock),
            clock,
            source_date,
            odd_source_date: text.is_some() && source_date.is_none(),
            machine: system.machine().to_string_lossy().into_owned(),
            kernel: system.release().to_string_lossy().into_owned(),
            program: own_program(),
            home: absolute("HOME"),
            user_cache: absolute("XDG_CACHE_HOME").or_else(home_cache),
            temporary: absolute("TMPDIR").unwrap_or_else(|| PathBuf::from("/var/tmp")),
            script_variables: std::env::vars_os()
                .filter(|(name, _)| allowed_variable(name))
                .map(|(name, value)| {
                    match name.as_bytes().to_ascii_lowercase().ends_with(b"_proxy") {
                        true => (name, without_user(value)),
                        false => (name, value),
                    }
                })
                .collect(),
            certificates: CaEnvironment::of(
                std::env::var_os("SSL_CERT_FILE"),
                std::env::var_os("SSL_CERT_DIR"),
            ),
            registry_logins: RegistryLogins::of(
                std::env::var_os("REGISTRY_AUTH_FILE"),
                std::env::var_os("XDG_RUNTIME_DIR"),
                std::env::var_os("DOCKER_CONFIG"),
                absolute("HOME").as_deref(),
            ),
            // Upper case http_proxy can be set by a web request's header; curl ignores it, too.
            http_proxy: variable("http_proxy"),
            https_proxy: variable("https_proxy").or_else(|| variable("HTTPS_PROXY")),
            all_proxy: variable("all_proxy").or_else(|| variable("ALL_PROXY")),
            no_proxy: variable("no_proxy").or_else(|| variable("NO_PROXY")),
            stores: S3Environment::of(&variable, absolute("HOME").as_deref()),
        }
    }
}

/// The running file itself; where `/proc` is not mounted (a bare chroot), the path that it was
/// started by.
fn own_program() -> PathBuf {
    let running = PathBuf::from("/proc/self/exe");
    if running.symlink_metadata().is_ok() {
        return running;
    }
    let path = OsStr::from_bytes(rustix::param::linux_execfn().to_bytes());
    // A relative path would be lost with the directory.
    std::path::absolute(path).unwrap_or(running)
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Seconds since 1970 by the clock.
pub(crate) fn clock() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |passed| passed.as_secs())
}

/// A proxy's address without user and password: scriptlets are code of packages. What is not UTF-8 is no address.
fn without_user(value: OsString) -> OsString {
    let Ok(text) = value.into_string() else {
        return OsString::new();
    };
    let (scheme, rest) = text.split_once("://").unwrap_or(("", &text));
    match rest.rsplit_once('@') {
        Some((_, host)) if scheme.is_empty() => host.into(),
        Some((_, host)) => format!("{scheme}://{host}").into(),
        None => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Row 122: what a scriptlet gets of the caller holds no password of a proxy.
    #[test]
    fn row_122_proxies_without_passwords() {
        let told = |value: &str| without_user(value.into()).into_string().unwrap();
        assert_eq!(told("http://u:p@proxy:3128/"), "http://proxy:3128/");
        assert_eq!(told("u:p/q@proxy:3128"), "proxy:3128");
        assert_eq!(told("http://proxy:3128"), "http://proxy:3128");
        assert_eq!(told("localhost,.example.com"), "localhost,.example.com");
    }
}
