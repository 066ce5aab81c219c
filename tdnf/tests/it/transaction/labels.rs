//! SELinux labels: those of the root's policy, compared with what libselinux's `matchpathcon` says, else those of the
//! place.

use testkit::fixtures;

use super::*;

fn label(path: &Path) -> Option<String> {
    let mut room = [0; 256];
    let length = rustix::fs::lgetxattr(path, "security.selinux", &mut room).ok()?;
    Some(String::from_utf8_lossy(&room[..length]).into_owned())
}

/// New files get the label of what they replace, else that of their directory.
#[test]
fn labels_come_from_the_place() {
    if unprivileged() {
        return;
    }
    let install = "mkdir -p %{buildroot}/opt/l; cd %{buildroot}/opt/l; echo x > old; echo x > new; ln -s new link";
    let file = build("labelled", "1", "", install, "%files\n/opt/l/*\n");
    for skipped in [false, true] {
        let root = Sandbox::with_shell();
        root.write("opt/l/old", "before");
        let set = |path: &str, text: &str| {
            let flags = rustix::fs::XattrFlags::empty();
            rustix::fs::lsetxattr(root.join(path), "security.selinux", text.as_bytes(), flags)
        };
        if set("", "u:r:root_t:s0").is_err() {
            fixtures::skipped("no security attributes on this file system");
            return;
        }
        set("opt/l", "u:r:dir_t:s0").unwrap();
        set("opt/l/old", "u:r:old_t:s0").unwrap();
        let mut options = options();
        options.no_contexts = skipped;
        drop(run(root.path(), &[Ask::Upgrade(&file)], &options, &mut ()).unwrap());
        let labels = ["old", "new", "link"].map(|name| label(&root.join(&format!("opt/l/{name}"))));
        let expected = match skipped {
            true => [None, None, None],
            false => ["old_t", "dir_t", "dir_t"].map(|kind| Some(format!("u:r:{kind}:s0"))),
        };
        assert_eq!(labels, expected);
    }
}

/// Every form of line that the tables of distributions have.
const POLICY: &str = r"# a comment
/.*    system_u:object_r:default_t:s0
/   -d system_u:object_r:root_t:s0
/opt/.* system_u:object_r:usr_t:s0
/opt(/.*)?  system_u:object_r:opt_t:s0
/opt/p/bin/.*   --  system_u:object_r:bin_t:s0
/opt/p/bin/[^/]*\.sh    --  system_u:object_r:shell_exec_t:s0
/opt/p/(lib|lib64)/.*\.so(\.[0-9]+)*   --  system_u:object_r:lib_t:s0
/opt/p/lib/.*   -l  system_u:object_r:lib_link_t:s0
/opt/p/exact\.conf  --  system_u:object_r:exact_t:s0
/opt/p/exact.*  system_u:object_r:not_exact_t:s0
/opt/p/plain    --  system_u:object_r:plain_t:s0
/opt/p/pl.*n    system_u:object_r:late_t:s0
/opt/p/none(/.*)?   <<none>>
/opt/p/dir  -d  system_u:object_r:dir_t:s0
/opt/p/dir/.*   system_u:object_r:in_dir_t:s0
/opt/p/pipe -p  system_u:object_r:pipe_t:s0
/opt/p/nul  -c  system_u:object_r:null_t:s0
/opt/p/disk -b  system_u:object_r:disk_t:s0
/opt/p/x{2,3}   system_u:object_r:braces_t:s0
/opt/p/odds?    system_u:object_r:odd_t:s0
/opt/p/either|/opt/p/other  system_u:object_r:either_t:s0
/opt/q/bin(/.*)?    system_u:object_r:q_bin_t:s0
/opt/p/local    system_u:object_r:overruled_t:s0
";
const LOCAL: &str = "/opt/p/local system_u:object_r:local_t:s0\n";
const ALIASES: &str = "/opt/alias /opt/q\n";

/// What `matchpathcon` says of a path; a path without a label answers none.
fn matchpathcon(table: &Path, kind: &str, path: &str) -> Option<Option<String>> {
    let mut command = Command::new("matchpathcon");
    command.args(["-n", "-m", kind, "-f"]).arg(table).arg(path);
    let output = command.output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    Some((output.status.success() && !text.contains("<<none>>")).then_some(text))
}

/// The policy of the root labels each new file and directory as libselinux says.
#[test]
fn labels_come_from_the_policy() {
    if unprivileged() {
        return;
    }
    let install = "mkdir -p %{buildroot}/opt/p %{buildroot}/opt/alias/bin; cd %{buildroot}/opt/p\n\
                   mkdir -p bin lib/deep lib64 none/in dir/sub\n\
                   for f in bin/prog bin/run.sh bin/run.shx lib/a.so lib/a.so.1 lib/a.so.1.2 \\\n\
                   lib64/b.so lib/deep/c.so lib/not.sox exact.conf exactly plain plainn none/in/f \\\n\
                   dir/sub/f x xx xxx xxxx odd odds oddss either other local ../alias/bin/prog \\\n\
                   ../alias/f; do echo $f > $f; done\nln -s a.so lib/link\nmkfifo pipe\n";
    let rest = "%files\n%defattr(-,root,root)\n/opt/p\n/opt/alias\n\
                %dev(c,1,3) %attr(0666,root,root) /opt/p/nul\n";
    let file = build("policy", "1", "", install, rest);
    let root = Sandbox::with_shell();
    let files = "etc/selinux/sample/contexts/files/file_contexts";
    root.write(
        "etc/selinux/config",
        "# c\nSELINUX=enforcing\nSELINUXTYPE=sample\n",
    );
    root.write(files, POLICY);
    root.write(&format!("{files}.local"), LOCAL);
    root.write(&format!("{files}.subs_dist"), ALIASES);
    if matchpathcon(&root.join(files), "file", "/opt/p/plain").is_none() {
        fixtures::skipped("no matchpathcon (selinux-utils)");
        return;
    }
    drop(run(root.path(), &[Ask::Upgrade(&file)], &options(), &mut ()).unwrap());
    let tree = tree::read(&root.join("opt"), &|_| false);
    assert!(tree.len() > 30, "{}", tree.len());
    let mut labels = std::collections::BTreeSet::new();
    for (path, entry) in tree {
        let kind = match entry.kind {
            "link" => "lnk_file",
            "char" => "chr_file",
            "fifo" => "pipe",
            other => other,
        };
        let inside = format!("/opt/{}", path.display());
        let expected = matchpathcon(&root.join(files), kind, &inside).unwrap();
        assert_eq!(
            label(&root.join(&inside[1..])),
            expected,
            "{inside} ({kind})"
        );
        labels.extend(expected);
    }
    // Nothing but the block device is left out.
    assert!(labels.len() >= 18, "{labels:?}");
    // A policy that is switched off labels nothing.
    let off = Sandbox::with_shell();
    off.write(
        "etc/selinux/config",
        "SELINUX=disabled\nSELINUXTYPE=sample\n",
    );
    off.write(files, POLICY);
    drop(run(off.path(), &[Ask::Upgrade(&file)], &options(), &mut ()).unwrap());
    assert_eq!(label(&off.join("opt/p/plain")), None);
}
