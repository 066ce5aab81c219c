//! The packages of the upgrade. Scriptlets and triggers write what they were called with to `/var/log/crash.log`; that
//! is all they do to the root.

use std::fmt::Write as _;
use std::path::PathBuf;

use testkit::rpm;

/// Where scriptlets write.
pub(super) const LOG: &str = "var/log/crash.log";

/// What is installed before.
pub(super) const OLD: [&str; 7] = [
    "shell-1",
    "alpha-1",
    "beta-1",
    "gamma-1",
    "delta-1",
    "epsilon-1",
    "zeta-1",
];
/// Their names; `zeta` is obsoleted by the new epsilon.
pub(super) const UPGRADED: [&str; 5] = ["alpha", "beta", "gamma", "delta", "epsilon"];

/// All package files of both versions.
pub(super) fn packages() -> Vec<PathBuf> {
    let mut files = vec![built(
        "shell",
        "1",
        "Provides: /bin/sh\nBuildArch: noarch",
        "",
        "%files\n",
    )];
    for version in ["1", "2"] {
        files.extend([
            alpha(version),
            beta(version),
            gamma(version),
            delta(version),
            epsilon(version),
        ]);
    }
    let install = "mkdir -p %{buildroot}/opt/zeta/sub\necho zeta > %{buildroot}/opt/zeta/sub/file";
    files.push(built(
        "zeta",
        "1",
        "BuildArch: noarch",
        install,
        "%files\n/opt/zeta\n",
    ));
    files
}

pub(super) fn built(name: &str, version: &str, tags: &str, install: &str, rest: &str) -> PathBuf {
    let spec = format!(
        "Name: {name}\nVersion: {version}\nRelease: 1\nSummary: test\nLicense: MIT\nAutoReqProv: no\n{tags}\n\
         %global __os_install_post %{{nil}}\n%description\ntest\n%install\nmkdir -p %{{buildroot}}\n{install}\n{rest}\n"
    );
    rpm::build_spec(&spec, &[]).remove(0)
}

/// One scriptlet of each kind.
fn scriptlets(name: &str, version: &str) -> String {
    let mut text = String::new();
    for kind in ["pretrans", "pre", "post", "preun", "postun", "posttrans"] {
        let _ = writeln!(
            text,
            "%{kind}\necho \"{name}-{version} {kind} $*\" >> /{LOG}"
        );
    }
    text
}

/// All kinds of scriptlets, and configuration files of which the administrator has edited some. Becomes x86_64.
fn alpha(version: &str) -> PathBuf {
    let arch = if version == "1" {
        "BuildArch: noarch"
    } else {
        ""
    };
    let from = if version == "1" { 0 } else { 3 };
    let mut install = format!(
        "cd %{{buildroot}}\nmkdir -p etc opt/alpha/only-{version}/deep\necho {version} > etc/alpha.conf\n\
         echo {version} > etc/alpha-keep.conf\necho {version} > etc/alpha-plain.conf\n\
         echo {version} > opt/alpha/only-{version}/deep/file\necho same > opt/alpha/same\n"
    );
    let _ = writeln!(
        install,
        "for n in $(seq {from} $(({from} + 14))); do echo {version} $n > opt/alpha/f$n; done"
    );
    let mut files = "%files\n%config /etc/alpha.conf\n%config(noreplace) /etc/alpha-keep.conf\n\
                     %config /etc/alpha-plain.conf\n/opt/alpha\n%ghost /etc/alpha.ghost\n"
        .to_owned();
    if version == "1" {
        install.push_str("echo gone > etc/alpha-gone.conf\n");
        files.push_str("%config /etc/alpha-gone.conf\n");
    }
    built(
        "alpha",
        version,
        arch,
        &install,
        &(scriptlets("alpha", version) + &files),
    )
}

/// Triggers of all kinds.
fn beta(version: &str) -> PathBuf {
    let mut rest = String::new();
    for kind in ["triggerprein", "triggerin", "triggerun", "triggerpostun"] {
        let _ = writeln!(
            rest,
            "%{kind} -- alpha\necho \"beta-{version} {kind} $*\" >> /{LOG}"
        );
    }
    for kind in [
        "filetriggerin",
        "filetriggerun",
        "filetriggerpostun",
        "transfiletriggerin",
        "transfiletriggerun",
        "transfiletriggerpostun",
    ] {
        let body =
            format!("while read -r path; do echo \"beta-{version} {kind} $path\" >> /{LOG}; done");
        let _ = writeln!(rest, "%{kind} -- /opt/alpha /etc\n{body}");
    }
    let install =
        format!("mkdir -p %{{buildroot}}/opt/beta\necho {version} > %{{buildroot}}/opt/beta/file");
    built(
        "beta",
        version,
        "BuildArch: noarch",
        &install,
        &(rest + "%files\n/opt/beta\n"),
    )
}

/// Files of every kind; a link becomes a file and a file a link.
fn gamma(version: &str) -> PathBuf {
    let (link, file) = if version == "1" {
        ("turns", "spins")
    } else {
        ("spins", "turns")
    };
    let mut install = format!(
        "d=%{{buildroot}}/opt/gamma\nmkdir -p $d/empty $d/closed \"$d/odd dir\"\necho {version} > $d/hard-1\n\
         ln $d/hard-1 $d/hard-2\nln $d/hard-1 $d/hard-3\nln -s suid $d/link\nln -s away-{version} $d/dangling\n\
         echo suid{version} > $d/suid\necho caps{version} > $d/caps\necho {version} > $d/owned\n\
         echo {version} > \"$d/odd dir/a file\"\n: > $d/nothing\nln -s nothing $d/{link}\necho file > $d/{file}\n\
         mkdir $d/dir-{version}\necho x > $d/dir-{version}/x\n"
    );
    if version == "1" {
        install.push_str(
            "mkdir -p %{buildroot}/opt/moves\necho moves > %{buildroot}/opt/moves/file\n",
        );
    }
    let mut rest = "%files\n%dir %attr(1777, root, root) /opt/gamma\n/opt/gamma/hard-*\n/opt/gamma/link\n\
                    /opt/gamma/dangling\n%attr(4755, root, root) /opt/gamma/suid\n\
                    %caps(cap_net_raw=ep) %attr(0755, root, root) /opt/gamma/caps\n\
                    %attr(0600, bin, bin) /opt/gamma/owned\n\"/opt/gamma/odd dir\"\n/opt/gamma/nothing\n\
                    /opt/gamma/turns\n/opt/gamma/spins\n/opt/gamma/dir-*\n%dir /opt/gamma/empty\n\
                    %ghost /opt/gamma/ghost\n"
        .to_owned();
    let mode = if version == "1" { "0700" } else { "0750" };
    let _ = writeln!(rest, "%dir %attr({mode}, bin, root) /opt/gamma/closed");
    if version == "1" {
        rest.push_str("/opt/moves\n");
    }
    built("gamma", version, "BuildArch: noarch", &install, &rest)
}

/// Takes a file over from gamma.
fn delta(version: &str) -> PathBuf {
    let mut install = format!(
        "mkdir -p %{{buildroot}}/opt/delta\necho {version} > %{{buildroot}}/opt/delta/file\n"
    );
    let mut rest = scriptlets("delta", version) + "%files\n/opt/delta\n";
    if version == "2" {
        install.push_str(
            "mkdir -p %{buildroot}/opt/moves\necho moves > %{buildroot}/opt/moves/file\n",
        );
        rest.push_str("/opt/moves\n");
    }
    built("delta", version, "BuildArch: noarch", &install, &rest)
}

/// Content of more than one piece, scriptlets in Lua, and an obsoleted package.
fn epsilon(version: &str) -> PathBuf {
    let install = format!(
        "mkdir -p %{{buildroot}}/opt/epsilon\nyes {version} | head -c 300000 > %{{buildroot}}/opt/epsilon/big\n\
         for n in $(seq 8); do echo {version} > %{{buildroot}}/opt/epsilon/$n; done"
    );
    let mut rest = String::new();
    for kind in ["pretrans", "post", "preun", "posttrans"] {
        let _ = writeln!(
            rest,
            "%{kind} -p <lua>\nlocal f = io.open(\"/{LOG}\", \"a\")\nf:write(\"epsilon-{version} {kind}\\n\")\nf:close()"
        );
    }
    let tags = if version == "1" {
        "BuildArch: noarch"
    } else {
        "BuildArch: noarch\nObsoletes: zeta"
    };
    built(
        "epsilon",
        version,
        tags,
        &install,
        &(rest + "%files\n/opt/epsilon\n"),
    )
}
