//! Packages made by the real rpmbuild, each once: what was made is kept beside the test binaries.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest, Sha256};

use crate::rpm::packages_in;
use crate::{fixtures, program};

/// A package to be built: `NAME-VERSION-1.noarch`. Its files stay as `%install` leaves them, and it needs and
/// provides only what its lines say.
#[derive(Clone, Debug)]
pub struct Spec {
    name: String,
    version: String,
    release: String,
    summary: String,
    license: String,
    about: String,
    noarch: bool,
    lines: String,
    install: String,
    /// Scriptlets and triggers: what they are and what they do.
    scripts: Vec<(String, String)>,
    /// Sections as they are.
    rest: String,
    /// Lines of `%files`; none: the package itself is not made.
    files: Option<String>,
    parts: Vec<Spec>,
    sources: Vec<(String, Vec<u8>)>,
    /// Further words for rpmbuild.
    words: Vec<String>,
}

impl Spec {
    /// A package of this name; it is only made when it gets [`Spec::file`] or [`Spec::files`].
    pub fn new(name: &str, version: &str) -> Self {
        Self {
            name: name.to_owned(),
            version: version.to_owned(),
            release: "1".to_owned(),
            summary: "test".to_owned(),
            license: "MIT".to_owned(),
            about: "test".to_owned(),
            noarch: true,
            lines: String::new(),
            install: String::new(),
            scripts: Vec::new(),
            rest: String::new(),
            files: None,
            parts: Vec::new(),
            sources: Vec::new(),
            words: Vec::new(),
        }
    }

    /// Another release than 1.
    #[must_use]
    pub fn release(mut self, release: &str) -> Self {
        release.clone_into(&mut self.release);
        self
    }

    /// Another summary than `test`.
    #[must_use]
    pub fn summary(mut self, summary: &str) -> Self {
        summary.clone_into(&mut self.summary);
        self
    }

    /// Another license than `MIT`.
    #[must_use]
    pub fn license(mut self, license: &str) -> Self {
        license.clone_into(&mut self.license);
        self
    }

    /// Another description than `test`.
    #[must_use]
    pub fn about(mut self, about: &str) -> Self {
        about.clone_into(&mut self.about);
        self
    }

    /// For the machine's architecture.
    #[must_use]
    pub fn native(mut self) -> Self {
        self.noarch = false;
        self
    }

    /// Lines of the header: `Requires: x`.
    #[must_use]
    pub fn lines(mut self, lines: &str) -> Self {
        put(&mut self.lines, lines);
        self
    }

    /// Lines of `%install`; the build root is there.
    #[must_use]
    pub fn install(mut self, script: &str) -> Self {
        put(&mut self.install, script);
        self
    }

    /// A scriptlet or a trigger: `post`, `triggerin -- other`, `pre -p <lua>`.
    #[must_use]
    pub fn script(mut self, kind: &str, body: &str) -> Self {
        self.scripts.push((kind.to_owned(), body.to_owned()));
        self
    }

    /// Any sections, as in a spec file.
    #[must_use]
    pub fn rest(mut self, sections: &str) -> Self {
        put(&mut self.rest, sections);
        self
    }

    /// A further package of the same build.
    #[must_use]
    pub fn with(mut self, part: Self) -> Self {
        self.parts.push(part);
        self
    }

    /// A file with one line of text.
    #[must_use]
    pub fn file(self, path: &str, line: &str) -> Self {
        let at = format!("%{{buildroot}}{path}");
        self.install(&format!("mkdir -p $(dirname {at})\necho {line} > {at}"))
            .files(path)
    }

    /// Lines of `%files`.
    #[must_use]
    pub fn files(mut self, lines: &str) -> Self {
        put(self.files.get_or_insert_default(), lines);
        self
    }

    /// A file that the build finds as `%{_sourcedir}/NAME`.
    #[must_use]
    pub fn source(mut self, name: &str, bytes: &[u8]) -> Self {
        self.sources.push((name.to_owned(), bytes.to_vec()));
        self
    }

    /// A macro of the build: `_binary_payload w.ufdio`.
    #[must_use]
    pub fn define(mut self, text: &str) -> Self {
        self.words.extend(["--define".to_owned(), text.to_owned()]);
        self
    }

    /// For another architecture.
    #[must_use]
    pub fn target(mut self, arch: &str) -> Self {
        self.words.extend(["--target".to_owned(), arch.to_owned()]);
        self.native()
    }

    /// The spec file.
    pub fn text(&self) -> String {
        let mut text = format!(
            "%global __os_install_post %{{nil}}\nName: {}\n{}%description\n{}\n{}",
            self.name,
            self.header(),
            self.about,
            self.sections("")
        );
        let mut install = self.install.clone();
        for part in &self.parts {
            let name = format!(" -n {}", part.name);
            let (header, about) = (part.header(), &part.about);
            put(
                &mut text,
                &format!("%package{name}\n{header}%description{name}\n{about}"),
            );
            text.push_str(&part.sections(&name));
            install.push_str(&part.install);
        }
        text + "%install\nmkdir -p %{buildroot}\n" + &install + &self.rest
    }

    /// The lines of the header but for its name.
    fn header(&self) -> String {
        let arch = if self.noarch {
            "BuildArch: noarch\n"
        } else {
            ""
        };
        format!(
            "Version: {}\nRelease: {}\nSummary: {}\nLicense: {}\n{arch}AutoReqProv: no\n{}",
            self.version, self.release, self.summary, self.license, self.lines
        )
    }

    /// Scriptlets and files; `name` names a further package.
    fn sections(&self, name: &str) -> String {
        let mut text = String::new();
        for (kind, body) in &self.scripts {
            let (kind, options) = kind.split_at(kind.find(' ').unwrap_or(kind.len()));
            put(&mut text, &format!("%{kind}{name}{options}\n{body}"));
        }
        if let Some(files) = &self.files {
            put(&mut text, &format!("%files{name}\n{files}"));
        }
        text
    }

    /// Builds the package; where there are several, the first by name.
    pub fn build(&self) -> PathBuf {
        let built = self.build_all().into_iter().next();
        built.unwrap_or_else(|| panic!("{} has no %files", self.name))
    }

    /// Builds all packages of the spec; sorted.
    pub fn build_all(&self) -> Vec<PathBuf> {
        self.rpmbuild("-bb")
    }

    /// Builds the source package.
    pub fn build_source(&self) -> PathBuf {
        self.rpmbuild("-bs").remove(0)
    }

    fn rpmbuild(&self, stage: &str) -> Vec<PathBuf> {
        let sources: Vec<(&str, &[u8])> = self
            .sources
            .iter()
            .map(|(name, bytes)| (name.as_str(), bytes.as_slice()))
            .collect();
        let words: Vec<&str> = self.words.iter().map(String::as_str).collect();
        built(stage, &self.text(), &sources, &words)
    }
}

/// Adds lines; the last one ends, too.
fn put(text: &mut String, lines: &str) {
    text.push_str(lines);
    if !lines.is_empty() && !lines.ends_with('\n') {
        text.push('\n');
    }
}

/// Builds the binary packages of a spec file as it is; sorted. `sources` are written beside it.
pub fn build(spec: &str, sources: &[(&str, &[u8])]) -> Vec<PathBuf> {
    built("-bb", spec, sources, &[])
}

/// What `rpmbuild STAGE WORDS` makes of a spec file, kept in [`fixtures::cache_dir`] under the digest of all input.
fn built(stage: &str, spec: &str, sources: &[(&str, &[u8])], words: &[&str]) -> Vec<PathBuf> {
    let mut hasher = Sha256::new();
    hasher.update(spec);
    for (name, data) in sources {
        hasher.update(name.as_bytes());
        hasher.update([0]);
        hasher.update(data);
    }
    for word in [stage].iter().chain(words) {
        hasher.update(word.as_bytes());
        hasher.update([0]);
    }
    let digest = hasher.finalize();
    let key: String = digest.iter().take(12).map(|b| format!("{b:02x}")).collect();
    let cache = fixtures::cache_dir();
    let kept = cache.join(&key);
    if !kept.is_dir() {
        let work = tempfile::tempdir_in(&cache).expect("the cache is writable");
        let top = work.path();
        for (name, data) in sources.iter().chain(&[("package.spec", spec.as_bytes())]) {
            let path = top.join("SOURCES").join(name);
            fs::create_dir_all(path.parent().expect("a file has a folder")).expect("ours");
            fs::write(path, data).expect("the cache is writable");
        }
        program::ok(rpmbuild(top, stage).args(words).arg("SOURCES/package.spec"));
        // Another test process may have been faster; its result is as good.
        let _ = fs::rename(top.join("made"), &kept);
    }
    packages_in(&kept)
}

/// rpmbuild in a folder of its own; what it makes is below `made`.
fn rpmbuild(top: &Path, stage: &str) -> Command {
    let mut command = Command::new("rpmbuild");
    command.current_dir(top).args([stage, "--nodeps"]);
    let folders = ["_rpmdir", "_srcrpmdir"].map(|name| format!("{name} {}/made", top.display()));
    let fixed = [
        &format!("_topdir {}", top.display()),
        "_buildhost tests.invalid",
        "debug_package %{nil}",
        "_build_id_links none",
    ];
    for define in fixed.into_iter().chain(folders.iter().map(String::as_str)) {
        command.args(["--define", define]);
    }
    command
}

#[cfg(test)]
mod tests {
    use super::Spec;
    use crate::program;
    use crate::rpm::Rpm;

    #[test]
    fn what_a_spec_says_is_built() {
        let spec = Spec::new("built", "2")
            .release("3")
            .lines("Requires: other\nObsoletes: older < 2")
            .script("post", ":")
            .script("triggerin -- other", ":")
            .file("/opt/built/one", "1")
            .file("/opt/built/two", "2")
            .with(
                Spec::new("apart", "4")
                    .script("pre -p <lua>", "x = 1")
                    .files(""),
            );
        let format = "%{NAME}-%{VERSION}-%{RELEASE}.%{ARCH} [%{REQUIRENAME} ][%{OBSOLETENAME} ][%{FILENAMES} ]\n";
        let mut rpm = Rpm::of_files().command("rpm");
        rpm.args(["-qp", "--nosignature", "--qf", format]);
        let said = program::ok(rpm.args(spec.build_all()));
        let lines: Vec<&str> = said.lines().collect();
        assert_eq!(lines.len(), 2, "{said}");
        assert!(lines[0].starts_with("apart-4-1.noarch "), "{said}");
        assert!(lines[1].starts_with("built-2-3.noarch "), "{said}");
        for word in ["other ", "older ", "/opt/built/one /opt/built/two "] {
            assert!(lines[1].contains(word), "{word}: {said}");
        }
        let source = spec.build_source();
        assert!(source.ends_with("built-2-3.src.rpm"), "{source:?}");
        let other = Spec::new("built", "2").target("i686").files("").build();
        assert!(other.ends_with("built-2-1.i686.rpm"), "{other:?}");
    }
}
