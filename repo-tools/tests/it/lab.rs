//! What the tests stand on: trees of packages, our program, parsed metadata.

use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::Command;

use repo_tools::document::MetadataDocument;
use repo_tools::repository::Repository;
use testkit::program::{self, Run};

/// Our binary, with a fixed time unless `command` is changed.
pub(crate) fn tool() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_repo-tools"));
    command
        .env("LC_ALL", "C.UTF-8")
        .env_remove("SOURCE_DATE_EPOCH");
    command
}

/// Runs our program.
pub(crate) fn run(args: &[&str]) -> Run {
    program::run(tool().args(args))
}

/// Runs our program, which must succeed; its stdout.
pub(crate) fn ok(args: &[&str]) -> String {
    program::ok(tool().args(args))
}

/// Runs another program that must succeed; its stdout.
pub(crate) fn must(program: &str, args: &[&str]) -> String {
    program::ok(Command::new(program).args(args))
}

/// A path as text.
pub(crate) fn text(path: &Path) -> &str {
    path.to_str().expect("test paths are UTF-8")
}

/// Packages with everything that metadata can hold, some versions and sub-packages.
const SPEC: &str = r#"
Name: odd
Epoch: 3
Version: 1.0~rc1
Release: VERSION
Summary: Odd & <strange> "quoted"
License: MIT and 'more'
Vendor: V & Co
Packager: P <p@example.com>
Group: Tools/Ödd
URL: https://example.com/?a=1&b=2
BuildArch: noarch
Provides: thing = 4:5-6
Requires: bash >= 4, thing, /etc/odd/conf
Requires(pre): coreutils
Requires: coreutils
Requires: (foo if bar)
Requires: libc.so.6(GLIBC_2.4)(64bit), libc.so.6()(64bit), libc.so.6(GLIBC_2.14)(64bit)
Recommends: nice
Suggests: maybe
Supplements: other
Enhances: better
Conflicts: bad < 2
Obsoletes: old <= 1:1-1
%description
Line one
  line two & <tag>
%package -n plain
Summary: Nothing special
Requires: odd = 3:%{version}-%{release}
%description -n plain
Plain.
%package -n bare
Summary: No files
%description -n bare
%install
mkdir -p %{buildroot}/etc/odd %{buildroot}/usr/bin '%{buildroot}/usr/share/a b&c' %{buildroot}/opt
echo x > %{buildroot}/etc/odd/conf
echo x > %{buildroot}/usr/bin/odd
echo x > '%{buildroot}/usr/share/a b&c/ü'
ln -s conf %{buildroot}/etc/odd/link
echo x > %{buildroot}/opt/plain
%pre
exit 0
%files
%dir /etc/odd
%config /etc/odd/conf
/etc/odd/link
/usr/bin/odd
"/usr/share/a b&c"
%ghost /etc/odd/ghost
%files -n plain
/opt/plain
%files -n bare
%changelog
* Tue Jan 02 2024 A & B <a@b> - 3:1.0-2
- second <of the day>
* Tue Jan 02 2024 A & B <a@b> - 3:1.0-1
- first of the day
* Mon Jan 01 2024 C <c@d> - 3:0.9-1
- older
"#;

/// The packages of a release of the spec above: bare, odd, plain.
pub(crate) fn packages(release: &str) -> Vec<PathBuf> {
    testkit::spec::build(&SPEC.replace("VERSION", release), &[])
}

/// A tree with two releases in two folders.
pub(crate) fn tree(dir: &Path) -> PathBuf {
    let tree = dir.join("tree");
    for (folder, release) in [("one", "1"), ("two", "2")] {
        let to = tree.join(folder);
        fs::create_dir_all(&to).unwrap();
        for package in packages(release) {
            fs::copy(&package, to.join(package.file_name().unwrap())).unwrap();
        }
    }
    tree
}

/// Every package of the three documents in canonical text, by location or checksum: two metadata
/// with equal values have equal texts, whatever program wrote them.
pub(crate) fn parsed(dir: &Path) -> BTreeMap<String, Vec<String>> {
    let repository = Repository::open(dir).unwrap();
    let mut all = BTreeMap::new();
    for document in MetadataDocument::ALL {
        let (name, stream) = repository.open_kind(document.kind()).unwrap();
        let mut texts = Vec::new();
        let summary = document.each(&name, stream, None, &mut |_, write| {
            let mut text = String::new();
            write(&mut text);
            texts.push(text);
            ControlFlow::Continue(())
        });
        assert_eq!(summary.unwrap().declared, Some(texts.len() as u64));
        texts.sort();
        all.insert(document.kind().to_owned(), texts);
    }
    all
}

/// Every file below a folder with its bytes.
pub(crate) fn bytes(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(dir).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(bytes(&path));
        } else {
            found.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
    found
}

/// What dnf sees in a repository.
pub(crate) fn dnf(dir: &Path, words: &[&str]) -> String {
    let scratch = tempfile::tempdir().unwrap();
    let from = format!("t,file://{}", dir.canonicalize().unwrap().display());
    let mut command = Command::new("dnf");
    command
        .args(["-q", "--disableplugin=local", "--releasever=1"])
        .args(["--repofrompath", &from, "--repo=t"])
        .arg(format!(
            "--installroot={}",
            scratch.path().join("root").display()
        ))
        .arg(format!(
            "--setopt=cachedir={}",
            scratch.path().join("cache").display()
        ))
        .args(words);
    program::ok(&mut command)
}
