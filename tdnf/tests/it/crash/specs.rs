//! The packages of the upgrade. Scriptlets and triggers write what they were called with to `/var/log/crash.log`; that
//! is all they do to the root.

use std::fmt::Write as _;
use std::path::PathBuf;

use testkit::spec::Spec;

/// Where scriptlets write.
pub(super) const LOG: &str = "var/log/crash.log";

/// Makes the directory that goes from gamma to delta.
const MOVES: &str = "mkdir -p %{buildroot}/opt/moves\necho moves > %{buildroot}/opt/moves/file";

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
    let mut files = vec![shell()];
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
    let zeta = Spec::new("zeta", "1").install(install).files("/opt/zeta");
    files.push(zeta.build());
    files
}

/// A package that stands in for the shell of the root.
pub(super) fn shell() -> PathBuf {
    Spec::new("shell", "1")
        .lines("Provides: /bin/sh")
        .files("")
        .build()
}

/// With one scriptlet of each kind.
fn scriptlets(mut spec: Spec, name: &str, version: &str) -> Spec {
    for kind in ["pretrans", "pre", "post", "preun", "postun", "posttrans"] {
        let body = format!("echo \"{name}-{version} {kind} $*\" >> /{LOG}");
        spec = spec.script(kind, &body);
    }
    spec
}

/// All kinds of scriptlets, and configuration files of which the administrator has edited some. Becomes x86_64.
fn alpha(version: &str) -> PathBuf {
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
    let mut spec = scriptlets(Spec::new("alpha", version), "alpha", version)
        .files("%config /etc/alpha.conf\n%config(noreplace) /etc/alpha-keep.conf")
        .files("%config /etc/alpha-plain.conf\n/opt/alpha\n%ghost /etc/alpha.ghost");
    if version == "1" {
        install.push_str("echo gone > etc/alpha-gone.conf\n");
        spec = spec.files("%config /etc/alpha-gone.conf");
    } else {
        spec = spec.native();
    }
    spec.install(&install).build()
}

/// Triggers of all kinds.
fn beta(version: &str) -> PathBuf {
    let mut spec = Spec::new("beta", version);
    for kind in ["triggerprein", "triggerin", "triggerun", "triggerpostun"] {
        let body = format!("echo \"beta-{version} {kind} $*\" >> /{LOG}");
        spec = spec.script(&format!("{kind} -- alpha"), &body);
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
        spec = spec.script(&format!("{kind} -- /opt/alpha /etc"), &body);
    }
    let install =
        format!("mkdir -p %{{buildroot}}/opt/beta\necho {version} > %{{buildroot}}/opt/beta/file");
    spec.install(&install).files("/opt/beta").build()
}

/// Files of every kind; a link becomes a file and a file a link.
fn gamma(version: &str) -> PathBuf {
    let (link, file) = if version == "1" {
        ("turns", "spins")
    } else {
        ("spins", "turns")
    };
    let install = format!(
        "d=%{{buildroot}}/opt/gamma\nmkdir -p $d/empty $d/closed \"$d/odd dir\"\necho {version} > $d/hard-1\n\
         ln $d/hard-1 $d/hard-2\nln $d/hard-1 $d/hard-3\nln -s suid $d/link\nln -s away-{version} $d/dangling\n\
         echo suid{version} > $d/suid\necho caps{version} > $d/caps\necho {version} > $d/owned\n\
         echo {version} > \"$d/odd dir/a file\"\n: > $d/nothing\nln -s nothing $d/{link}\necho file > $d/{file}\n\
         mkdir $d/dir-{version}\necho x > $d/dir-{version}/x\n"
    );
    let mode = if version == "1" { "0700" } else { "0750" };
    let mut spec = Spec::new("gamma", version)
        .install(&install)
        .files(&format!(
            "%dir %attr(1777, root, root) /opt/gamma\n/opt/gamma/hard-*\n/opt/gamma/link\n\
         /opt/gamma/dangling\n%attr(4755, root, root) /opt/gamma/suid\n\
         %caps(cap_net_raw=ep) %attr(0755, root, root) /opt/gamma/caps\n\
         %attr(0600, bin, bin) /opt/gamma/owned\n\"/opt/gamma/odd dir\"\n/opt/gamma/nothing\n\
         /opt/gamma/turns\n/opt/gamma/spins\n/opt/gamma/dir-*\n%dir /opt/gamma/empty\n\
         %ghost /opt/gamma/ghost\n%dir %attr({mode}, bin, root) /opt/gamma/closed"
        ));
    if version == "1" {
        spec = spec.install(MOVES).files("/opt/moves");
    }
    spec.build()
}

/// Takes a file over from gamma.
fn delta(version: &str) -> PathBuf {
    let mut spec = scriptlets(Spec::new("delta", version), "delta", version)
        .install(&format!(
            "mkdir -p %{{buildroot}}/opt/delta\necho {version} > %{{buildroot}}/opt/delta/file"
        ))
        .files("/opt/delta");
    if version == "2" {
        spec = spec.install(MOVES).files("/opt/moves");
    }
    spec.build()
}

/// Content of more than one piece, scriptlets in Lua, and an obsoleted package.
fn epsilon(version: &str) -> PathBuf {
    let install = format!(
        "mkdir -p %{{buildroot}}/opt/epsilon\nyes {version} | head -c 300000 > %{{buildroot}}/opt/epsilon/big\n\
         for n in $(seq 8); do echo {version} > %{{buildroot}}/opt/epsilon/$n; done"
    );
    let mut spec = Spec::new("epsilon", version)
        .install(&install)
        .files("/opt/epsilon");
    for kind in ["pretrans", "post", "preun", "posttrans"] {
        let body = format!(
            "local f = io.open(\"/{LOG}\", \"a\")\nf:write(\"epsilon-{version} {kind}\\n\")\nf:close()"
        );
        spec = spec.script(&format!("{kind} -p <lua>"), &body);
    }
    if version == "2" {
        spec = spec.lines("Obsoletes: zeta");
    }
    spec.build()
}
