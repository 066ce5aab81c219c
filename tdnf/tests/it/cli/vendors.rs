//! `.repo` files as vendors ship them: each key is obeyed, named, or changes nothing about what is installed.
//!
//! Sections, keys and the shapes of values are those of vmware/photon SPECS/photon-repos, microsoft/azurelinux
//! SPECS/mariner-repos and SPECS/azurelinux-repos, centos-stream-repos, epel-release, openEuler-repos,
//! subscription-manager and openSUSE-repos; hosts are short.

use std::fs;

use rpm_repo::config::{REPO_KEYS, is_harmless};

use super::Site;

/// A file: its name, its text, and what is said of it.
type VendorFile = (&'static str, &'static str, &'static [&'static str]);

const VENDORS: &[VendorFile] = &[
    (
        "photon-3",
        "[photon]\nname=VMware Photon Linux 3.0 ($basearch)\nbaseurl=https://h/photon/$releasever/photon_release_$releasever_$basearch\n\
         gpgkey=file:///k/VMWARE-RPM-GPG-KEY\ngpgcheck=1\nenabled=1\nskip_if_unavailable=True\n\
         [photon-updates]\nname=VMware Photon Linux 3.0 ($basearch) Updates\nbaseurl=https://h/photon_updates_$releasever_$basearch\n\
         gpgkey=file:///k/VMWARE-RPM-GPG-KEY\ngpgcheck=1\nenabled=1\nskip_if_unavailable=True\n\
         [photon-extras]\nname=VMware Photon Extras 3.0(x86_64)\nbaseurl=https://h/vmware/photon_extras_$releasever_$basearch\n\
         gpgkey=file:///k/VMWARE-RPM-GPG-KEY\ngpgcheck=1\nenabled=1\nskip_if_unavailable=True\n\
         [photon-iso]\nname=VMWare Photon Linux ISO 3.0(x86_64)\nbaseurl=file:///mnt/cdrom/RPMS\n\
         gpgkey=file:///k/VMWARE-RPM-GPG-KEY\ngpgcheck=1\nenabled=0\nskip_if_unavailable=True\n",
        &[],
    ),
    (
        "photon-4",
        "[photon-release]\nname=VMware Photon Linux $releasever ($basearch)\nbaseurl=https://h/photon_release_$releasever_$basearch\n\
         gpgkey=file:///k/VMWARE-RPM-GPG-KEY file:///k/VMWARE-RPM-GPG-KEY-4096\ngpgcheck=1\nenabled=1\nskip_if_unavailable=1\n\
         [photon-updates]\nname=VMware Photon Linux $releasever ($basearch) Updates\nbaseurl=https://h/photon_updates_$releasever_$basearch\n\
         gpgkey=file:///k/VMWARE-RPM-GPG-KEY file:///k/VMWARE-RPM-GPG-KEY-4096\ngpgcheck=1\nenabled=1\nskip_if_unavailable=1\n\
         [photon-debuginfo]\nname=VMware Photon Linux debuginfo $releasever ($basearch)\nbaseurl=https://h/photon_debuginfo_$releasever_$basearch\n\
         gpgkey=file:///k/VMWARE-RPM-GPG-KEY file:///k/VMWARE-RPM-GPG-KEY-4096\ngpgcheck=1\nenabled=0\nskip_if_unavailable=1\n",
        &[],
    ),
    (
        "photon",
        "[photon]\nname=VMware Photon Linux $releasever ($basearch)\nbaseurl=https://h/photon_$releasever_$basearch\n\
         gpgkey=file:///k/OLD file:///k/NEW\ngpgcheck=1\nenabled=1\nskip_if_unavailable=1\nskip_md_filelists=1\n\
         [photon-debuginfo]\nname=VMware Photon Linux debuginfo $releasever ($basearch)\nbaseurl=https://h/photon_debuginfo_$releasever_$basearch\n\
         gpgkey=file:///k/OLD file:///k/NEW\ngpgcheck=1\nenabled=0\nskip_if_unavailable=1\nskip_md_filelists=1\n\
         [photon-srpms]\nname=VMware Photon Linux $releasever ($basearch) Source Packages\nbaseurl=https://h/photon_srpms_$releasever_$basearch\n\
         gpgkey=file:///k/OLD file:///k/NEW\ngpgcheck=1\nenabled=0\nskip_if_unavailable=1\nskip_md_filelists=1\n",
        &[],
    ),
    (
        "photon-snapshot",
        "[photon-snapshot]\nname=VMware Photon Linux $releasever ($basearch) Snapshot for Updates\n\
         baseurl=https://h/photon/$releasever/photon_$releasever_$basearch\n\
         snapshot=https://h/photon/$releasever/photon_snapshots_$releasever_$basearch/$subrelease/snapshot-$subrelease-$updatenumber.$basearch.list\n\
         gpgkey=file:///k/OLD file:///k/NEW\ngpgcheck=1\nenabled=1\nskip_if_unavailable=1\n",
        &[
            "'subrelease' is not defined",
            "'updatenumber' is not defined",
        ],
    ),
    (
        "mariner-2",
        "[mariner-official-base]\nname=CBL-Mariner Official Base $releasever $basearch\nbaseurl=https://h/cbl-mariner/$releasever/prod/base/$basearch\n\
         gpgkey=file:///k/MICROSOFT-RPM-GPG-KEY file:///k/MICROSOFT-METADATA-GPG-KEY\ngpgcheck=1\nrepo_gpgcheck=1\nenabled=1\n\
         skip_if_unavailable=True\nsslverify=1\n\
         [mariner-official-microsoft]\nname=CBL-Mariner Official Microsoft $releasever $basearch\nbaseurl=https://h/cbl-mariner/$releasever/prod/Microsoft/$basearch\n\
         gpgkey=file:///k/MICROSOFT-RPM-GPG-KEY file:///k/MICROSOFT-METADATA-GPG-KEY\ngpgcheck=1\nrepo_gpgcheck=1\nenabled=1\n\
         skip_if_unavailable=True\nsslverify=1\n\
         [mariner-official-extras-preview]\nname=CBL-Mariner Official Extras Preview $releasever $basearch\nbaseurl=https://h/cbl-mariner/$releasever/preview/extras/$basearch/rpms\n\
         gpgkey=file:///k/MICROSOFT-RPM-GPG-KEY file:///k/MICROSOFT-METADATA-GPG-KEY\ngpgcheck=1\nrepo_gpgcheck=1\nenabled=1\n\
         skip_if_unavailable=True\nsslverify=1\n",
        &[],
    ),
    (
        "azurelinux",
        "[azurelinux-official-base]\nname=Base\nbaseurl=https://h/azurelinux/$releasever/prod/base/$basearch\n\
         gpgkey=file:///k/MS\ngpgcheck=1\nrepo_gpgcheck=1\nenabled=1\nskip_if_unavailable=True\nsslverify=1\n\
         \n[azurelinux-official-base-debuginfo]\nname=Azure Linux Official Base $releasever $basearch Debuginfo\nbaseurl=https://h/azurelinux/$releasever/prod/base/debuginfo/$basearch\n\
         gpgkey=file:///k/MS\ngpgcheck=1\nrepo_gpgcheck=1\nenabled=0\nskip_if_unavailable=True\nsslverify=1\n\
         \n[azurelinux-official-base-source]\nname=Azure Linux Official Base $releasever Source\nbaseurl=https://h/azurelinux/$releasever/prod/base/srpms\n\
         gpgkey=file:///k/MS\ngpgcheck=1\nrepo_gpgcheck=1\nenabled=0\nskip_if_unavailable=True\nsslverify=1\n",
        &[],
    ),
    (
        "azurelinux-more",
        "[azurelinux-official-ms-oss]\nname=Azure Linux Official Microsoft Open-Source $releasever $basearch\n\
         baseurl=https://h/azurelinux/$releasever/prod/ms-oss/$basearch\ngpgkey=file:///k/MS file:///k/MS-METADATA\n\
         gpgcheck=1\nrepo_gpgcheck=1\nenabled=1\nskip_if_unavailable=True\nsslverify=1\n\
         [azurelinux-official-ms-non-oss-preview]\nname=Azure Linux Official Microsoft Non-Open-Source Preview $releasever $basearch\n\
         baseurl=https://h/azurelinux/$releasever/preview/ms-non-oss/$basearch\ngpgkey=file:///k/MS\n\
         gpgcheck=1\nrepo_gpgcheck=1\nenabled=1\nskip_if_unavailable=True\nsslverify=1\n\
         [azurelinux-official-extended-debug-preview]\nname=Azure Linux Official Extended DebugInfo Preview $releasever $basearch\n\
         baseurl=https://h/azurelinux/$releasever/preview/extended/debuginfo/$basearch\ngpgkey=file:///k/MS\n\
         gpgcheck=1\nrepo_gpgcheck=1\nenabled=1\nskip_if_unavailable=True\nsslverify=1\n\
         [azurelinux]\nname=Azure Linux $releasever - $basearch\nbaseurl=https://h/base/$basearch\nenabled=1\ncountme=1\nmetadata_expire=6h\n\
         repo_gpgcheck=0\ntype=rpm\ngpgcheck=0\ngpgkey=file:///k/RPM-GPG-KEY-azurelinux-$releasever-$basearch\nskip_if_unavailable=True\n",
        &[],
    ),
    (
        "centos",
        "[baseos]\nname=CentOS Stream $releasever - BaseOS\n\
         metalink=https://h/metalink?repo=centos-baseos-$stream&arch=$basearch&protocol=https,http\n\
         gpgkey=file:///k/RPM-GPG-KEY-centosofficial\ngpgcheck=1\nrepo_gpgcheck=0\nmetadata_expire=6h\ncountme=1\nenabled=1\n\
         [crb]\nname=CentOS Stream $releasever - CRB\nmetalink=https://h/metalink?repo=centos-crb-$stream&arch=$basearch&protocol=https,http\n\
         gpgkey=file:///k/RPM-GPG-KEY-centosofficial\ngpgcheck=1\nrepo_gpgcheck=0\nmetadata_expire=6h\ncountme=1\nenabled=0\n\
         [extras-common]\nname=CentOS Stream $releasever - Extras packages\n\
         metalink=https://h/metalink?repo=centos-extras-sig-extras-common-$stream&arch=$basearch&protocol=https,http\n\
         gpgkey=file:///k/RPM-GPG-KEY-CentOS-SIG-Extras\ngpgcheck=1\nrepo_gpgcheck=0\nmetadata_expire=6h\ncountme=1\nenabled=1\n",
        &["'stream' is not defined"],
    ),
    (
        "epel",
        "[epel]\nname=EPEL $releasever_major - $basearch\n\
         metalink=https://h/metalink?repo=epel-z-$releasever_major${releasever_minor:+.$releasever_minor}&arch=$basearch\n\
         enabled=1\ngpgcheck=1\ncountme=1\ngpgkey=file:///k/EPEL-$releasever_major\nfailovermethod=priority\n\
         [epel-source]\nname=EPEL $releasever_major - $basearch - Source\n\
         metalink=https://h/metalink?repo=epel-source-z-$releasever_major${releasever_minor:+.$releasever_minor}&arch=$basearch\n\
         enabled=0\ngpgcheck=1\ngpgkey=file:///k/EPEL-$releasever_major\n",
        &[],
    ),
    (
        "openeuler",
        "[OS]\nname=OS\nbaseurl=http://h/openEuler-24.03-LTS/OS/$basearch/\n\
         metalink=https://h/metalink?repo=$releasever/OS&arch=$basearch\nmetadata_expire=1h\nenabled=1\ngpgcheck=1\n\
         gpgkey=http://h/RPM-GPG-KEY-openEuler\n\
         [update-source]\nname=update-source\nbaseurl=http://h/openEuler-24.03-LTS/update/source/\n\
         metalink=https://h/metalink?repo=$releasever/update&arch=source\nmetadata_expire=1h\nenabled=0\ngpgcheck=1\n\
         gpgkey=http://h/RPM-GPG-KEY-openEuler\n",
        &[],
    ),
    (
        "redhat",
        "[rhel-9-for-$basearch-baseos-rpms]\nname = Red Hat\nbaseurl = https://h/rhel9/$releasever/$basearch/os\n\
         enabled = 1\ngpgcheck = 1\ngpgkey = file:///k/redhat\nsslverify = 1\nsslcacert = /c/ca.pem\n\
         sslclientkey = /c/1-key.pem\nsslclientcert = /c/1.pem\nsslverifystatus = 1\nmetadata_expire = 86400\n\
         enabled_metadata = 1\nui_repoid_vars = releasever basearch\n",
        &["the key 'sslverifystatus' has no effect here"],
    ),
    (
        "suse",
        "[repo-oss]\nname=Main\nenabled=1\nautorefresh=1\nbaseurl=http://h/tumbleweed/repo/oss/\npath=/\n\
         type=rpm-md\nkeeppackages=0\n",
        &[],
    ),
];

#[test]
fn files_of_vendors_are_read_and_what_has_no_effect_is_named() {
    for (vendor, text, told) in VENDORS {
        let site = Site::with(&[]);
        fs::remove_file(site.path("repos.d/test.repo")).unwrap();
        site.write(&format!("repos.d/{vendor}.repo"), text);
        let listed = site.run(&["--releasever=10.1", "repolist", "all"]).ok();
        let offline = [
            "-C",
            "--releasever=10.1",
            "--setopt=*.skip_if_unavailable=1",
        ];
        let said = site
            .run(&[&offline[..], &["list", "available"]].concat())
            .ok();
        let warnings = said.err.lines().filter(|line| line.contains("warning:"));
        for line in warnings {
            // Nothing is in the cache here, and the keys are nowhere.
            let absent = [
                "is not in the cache",
                "Failed to synchronize cache",
                "none of the repositories could be read",
                "(of the installroot) is there",
            ];
            let mut known = told.iter().chain(&absent);
            assert!(known.any(|what| line.contains(what)), "{vendor}: {line}");
        }
        for what in *told {
            assert!(said.err.contains(what), "{vendor}: {what}: {said:?}");
        }
        let keys = text.lines().filter_map(|line| line.split_once('='));
        for key in keys.map(|(key, _)| key.trim()) {
            let obeyed = REPO_KEYS.iter().any(|known| known.name == key);
            let named = told.iter().any(|what| what.contains(&format!("'{key}'")));
            // zypper's own, said with `/`: no directory below the base URL.
            let known = obeyed || named || is_harmless(key) || key == "path";
            assert!(known, "{vendor}: {key}");
        }
        let sections = text.lines().filter(|line| line.starts_with('[')).count();
        assert_eq!(
            listed.out.lines().count(),
            // The heading, and the pseudo repository of the command line.
            sections + 2,
            "{vendor}: {listed:?}"
        );
    }
}
