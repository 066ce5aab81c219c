use super::*;
use crate::screen::View;

fn identity(name: &str, epoch: u32) -> PackageId {
    PackageId {
        name: name.into(),
        epoch,
        version: "1.0.1".into(),
        release: "2".into(),
        arch: "x86_64".into(),
    }
}

fn install(name: &str) -> PlannedChange {
    PlannedChange {
        install_size: 65,
        origin: Some(PackageOrigin {
            repo: "photon-test".into(),
            location: "x.rpm".into(),
            base: None,
            checksum: None,
            size: 6649,
            url: String::new(),
            promised: None,
        }),
        ..PlannedChange::bare(identity(name, 0))
    }
}

#[test]
fn the_table_is_that_of_tdnf() {
    let plan = Plan {
        changes: vec![install("tdnf-test-one")],
        ..Plan::default()
    };
    assert_eq!(
        plan.text(80),
        "\nPackage          Arch         Version          Repo         Size     Download\n\
         \nInstalling:\n\
         tdnf-test-one    x86_64       1.0.1-2          photon-test   65.00b     6.49k\n\
         \nPackages: 1 to install\n\
         Total installed size:  65.00b\nTotal download size:   6.49k\n"
    );
}

#[test]
fn json_is_that_of_tdnf() {
    let plan = Plan {
        changes: vec![install("tdnf-test-one")],
        ..Plan::default()
    };
    assert_eq!(
        serde_json::to_string(&plan.json()).unwrap(),
        r#"{"Install":[{"Name":"tdnf-test-one","Arch":"x86_64","Evr":"1.0.1-2","InstallSize":65,"Repo":"photon-test"}]}"#
    );
}

#[test]
fn the_epoch_is_shown_where_there_is_one() {
    assert_eq!(identity("a", 0).nevra(), "a-1.0.1-2.x86_64");
    assert_eq!(identity("a", 3).nevra(), "a-3:1.0.1-2.x86_64");
    assert_eq!(identity("a", 3).nvra(), "a-1.0.1-2.x86_64");
}
