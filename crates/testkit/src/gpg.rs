//! The real gpg and rpmsign, with keys of their own.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::program::{self, Run};

/// A home of gpg; its agent ends with it.
pub struct Gpg {
    home: PathBuf,
}

impl Gpg {
    /// In this folder, which is made if it is not there.
    pub fn at(home: &Path) -> Self {
        fs::create_dir_all(home).unwrap_or_else(|e| panic!("{}: {e}", home.display()));
        fs::set_permissions(home, fs::Permissions::from_mode(0o700)).expect("the folder is ours");
        Self {
            home: home.to_owned(),
        }
    }

    /// With a new RSA key of this user id, without passphrase, that signs and never expires.
    pub fn with_key(home: &Path, user_id: &str) -> Self {
        let gpg = Self::at(home);
        gpg.ok(&["--quick-generate-key", user_id, "rsa2048", "sign", "never"]);
        gpg
    }

    /// Runs gpg, which must succeed.
    #[track_caller]
    pub fn ok(&self, words: &[&str]) -> Run {
        program::run(self.command().args(words)).ok()
    }

    /// What gpg, which must succeed, writes: text or not.
    #[track_caller]
    pub fn bytes(&self, words: &[&str]) -> Vec<u8> {
        program::filter(self.command().args(words), b"")
    }

    /// What gpg, which must succeed, writes where it asks questions: `answers` has a line for each.
    #[track_caller]
    pub fn answering(&self, words: &[&str], answers: &str) -> Vec<u8> {
        let mut command = Command::new("gpg");
        command.arg("--homedir").arg(&self.home);
        command.args(["--no-tty", "--quiet", "--command-fd", "0"]);
        command.args(["--pinentry-mode", "loopback", "--passphrase", ""]);
        program::filter(command.args(words), answers.as_bytes())
    }

    /// The public keys, armored.
    pub fn public(&self) -> String {
        self.ok(&["--armor", "--export"]).out
    }

    /// Signs a package by rpmsign with the key of a user id.
    #[track_caller]
    pub fn sign_package(&self, user_id: &str, file: &Path) {
        self.sign_package_with(user_id, file, "");
    }

    /// As [`Self::sign_package`], with further options of gpg: another digest, another time.
    #[track_caller]
    pub fn sign_package_with(&self, user_id: &str, file: &Path, options: &str) {
        let mut command = Command::new("rpmsign");
        for define in [
            &format!("_gpg_name {user_id}"),
            &format!("_gpg_path {}", self.home.display()),
            "__gpg /usr/bin/gpg",
            // A macro must not be empty.
            &format!("_gpg_sign_cmd_extra_args --quiet {options}"),
        ] {
            command.args(["--define", define]);
        }
        program::ok(command.arg("--addsign").arg(file));
    }

    fn command(&self) -> Command {
        let mut command = Command::new("gpg");
        command
            .arg("--homedir")
            .arg(&self.home)
            .args(["--batch", "--yes", "--quiet"])
            .args(["--pinentry-mode", "loopback", "--passphrase", ""]);
        command
    }
}

/// The agent would outlive the test.
impl Drop for Gpg {
    fn drop(&mut self) {
        let mut command = Command::new("gpgconf");
        command.arg("--homedir").arg(&self.home);
        let _ = command.args(["--kill", "all"]).output();
    }
}
