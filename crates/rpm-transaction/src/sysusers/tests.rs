//! Lines as rpm 4.20 writes them, and what they do to the files of a root.

use super::accounts::create;
use super::*;
use crate::RootDir;

fn parsed(text: &str) -> Line {
    Line::parse(text).unwrap_or_else(|| panic!("{text}"))
}

#[test]
fn provides_of_rpm_carry_lines() {
    let line = |name: &str, version: &str| Line::of_provide(name.as_bytes(), version.as_bytes());
    let alpha = "dSBhbHBoYSAtICJBbHBoYSB1c2VyIiAvdmFyL3N1IC9iaW4vc2gA";
    assert_eq!(
        line("user(alpha)", alpha),
        Some(Ok(parsed("u alpha - \"Alpha user\" /var/su /bin/sh")))
    );
    assert_eq!(
        line("group(gam)", "ZyBnYW0gNDU2"),
        Some(Ok(Line::Group {
            name: "gam".into(),
            gid: Id::Number(456)
        }))
    );
    let member = Line::Member {
        user: "alpha".into(),
        group: "gam".into(),
    };
    assert_eq!(
        line("groupmember(alpha/gam)", "bSBhbHBoYSBnYW0A"),
        Some(Ok(member))
    );
    assert_eq!(line("group(alpha)", ""), None);
    assert_eq!(line("alpha", alpha), None);
    assert!(matches!(line("user(x)", "1.0-1"), Some(Err(_))));
}

#[test]
fn only_clean_lines_are_understood() {
    for text in [
        "u a:b - x",
        "u a 65535",
        "u a 4294967295",
        "u a -1",
        "u a - \"x:y\"",
        "u a - x relative",
        "u a - x /home/%b",
        "u a - \"open",
        "g 7up 7",
        "m a",
        "r - 100-200",
        "u abcdefghijklmnopqrstuvwxyzabcdefg",
        "u ",
        "",
    ] {
        assert_eq!(Line::parse(text), None, "{text}");
    }
    let Line::User {
        uid,
        group,
        gecos,
        home,
        shell,
        expired,
        ..
    } = parsed("u! x 7:wheel 'a b' - /bin/false")
    else {
        panic!("a user");
    };
    assert_eq!((uid, group), (Id::Number(7), Id::Group("wheel".into())));
    assert_eq!((gecos.as_str(), home, expired), ("a b", None, true));
    assert_eq!(shell.as_deref(), Some("/bin/false"));
}

#[test]
fn accounts_are_added_and_nothing_else_changes() {
    let dir = tempfile::tempdir().expect("a folder");
    let etc = dir.path().join("etc");
    std::fs::create_dir(&etc).expect("ours");
    let write = |name: &str, text: &str| std::fs::write(etc.join(name), text).expect("ours");
    let read = |name: &str| std::fs::read_to_string(etc.join(name)).expect("ours");
    write(
        "passwd",
        "root:x:0:0::/root:/bin/sh\nold:x:345:345:::\n+::::::\n",
    );
    write("group", "root:x:0:\nold:x:345:\nusers:x:100:old\n");
    write("shadow", "root:*:1::::::\n");
    let root = RootDir::open(dir.path()).expect("the folder is there");
    let lines = [
        "m one users",
        "u one - \"The one\" /var/one",
        "u two 345",
        "u three 700:users",
        "u! four 701:grp",
        "u old 9",
        "g root 5",
        "m five six",
    ];
    let lines: Vec<Line> = lines.into_iter().map(parsed).collect();
    create(&root, &lines, 20_000).expect("the files can be written");
    assert_eq!(
        read("passwd"),
        "root:x:0:0::/root:/bin/sh\nold:x:345:345:::\n\
         one:x:999:999:The one:/var/one:/usr/sbin/nologin\n\
         two:x:998:998::/:/usr/sbin/nologin\n\
         three:x:700:100::/:/usr/sbin/nologin\n\
         four:x:701:997::/:/usr/sbin/nologin\n\
         five:x:995:995::/:/usr/sbin/nologin\n+::::::\n"
    );
    assert_eq!(
        read("group"),
        "root:x:0:\nold:x:345:\nusers:x:100:old,one\none:x:999:\ntwo:x:998:\ngrp:x:997:\n\
         six:x:996:five\nfive:x:995:\n"
    );
    assert!(read("shadow").contains("\nfour:!*:20000:::::1:\n"));
    assert!(!etc.join("gshadow").exists());
    let before = [read("passwd"), read("group"), read("shadow")];
    create(&root, &lines, 30_000).expect("the files can be written");
    assert_eq!(
        [read("passwd"), read("group"), read("shadow")],
        before,
        "twice is once"
    );
    let mut names: Vec<_> = std::fs::read_dir(&etc)
        .expect("ours")
        .flatten()
        .map(|e| e.file_name())
        .collect();
    names.sort();
    assert_eq!(names, [".pwd.lock", "group", "passwd", "shadow"]);
}
