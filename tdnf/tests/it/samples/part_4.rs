//! Samples 3001 to 3025: release version, configuration files, ranges of the history.

use super::Step;
use super::Step::{Do, Samples};
use super::stage::{CONF, Stage};

pub(super) const STEPS: &[Step] = &[
    Do(|stage| {
        stage.repo(
            "rv",
            "name=rv $releasever x\nbaseurl=http://localhost:8080/$releasever\nenabled=0\n",
        )
    }),
    Samples(3001..=3002),
    Do(|stage| stage.write("tmp/ir/tmp/.keep", "")),
    Samples(3003..=3003),
    Do(|stage| stage.erase(&["photon-release"])),
    Samples(3004..=3004),
    Do(|stage| {
        stage.forget_repo("rv");
        stage.conf(&format!("# a comment stands first\n{CONF}"));
    }),
    Samples(3005..=3005),
    Do(|stage| {
        stage.conf(CONF);
        stage.repo(
            "long",
            &format!(
                "name=long\nbaseurl=http://localhost:8080/{}\ngpgcheck=0\nenabled=0\n",
                "x".repeat(233)
            ),
        );
    }),
    Samples(3006..=3006),
    Do(|stage| {
        stage.repo("yes", "name=Yes Repo\nbaseurl=http://localhost:8080/yes\nenabled=yes\ngpgcheck=no ; x\npriority=5 # c\n")
    }),
    Samples(3007..=3007),
    Do(|stage| stage.forget_repo("yes")),
    Do(|stage| {
        stage.repo("ml2", "name=multi\nbaseurl=http://localhost:8080/doesntexist\n  http://localhost:8080/photon-test\ngpgcheck=0\nenabled=0\n")
    }),
    Samples(3008..=3008),
    Do(|stage| {
        for name in ["long", "ml2"] {
            stage.forget_repo(name);
        }
        stage.remove("var/cache/tdnf");
        test_repo(stage, 1);
    }),
    Samples(3009..=3009),
    Do(|stage| {
        stage.rpm().program_ok(
            "rpmkeys",
            &[
                "--import",
                &stage
                    .root()
                    .join("etc/pki/rpm-gpg/VMWARE-RPM-GPG-KEY")
                    .to_string_lossy(),
            ],
        );
        test_repo(stage, 0);
    }),
    Samples(3010..=3010),
    Do(|stage| stage.erase(&["tdnf-test-cleanreq-leaf1"])),
    Samples(3012..=3025),
];

fn test_repo(stage: &Stage, gpgcheck: u8) {
    stage.repo("photon-test", &format!("name=basic\nbaseurl=http://localhost:8080/photon-test\ngpgkey=file:///etc/pki/rpm-gpg/VMWARE-RPM-GPG-KEY\ngpgcheck={gpgcheck}\nenabled=1\n"));
}
