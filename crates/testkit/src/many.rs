//! Many packages of one build: metadata of a usable size for little work.

use std::fmt::Write as _;
use std::path::PathBuf;

use crate::spec;

/// Files of a package; they are listed and never made.
const FILES: usize = 25;

/// `count` packages `many000`, `many001`, ... `-1-RELEASE.noarch`, each with a description, dependencies,
/// files and two changelog entries. Every build of a release has the same bytes, whenever it is made: where blocks
/// and chunks of its metadata end depends on them. One release differs from another as a rebuilt package does: in
/// its versions, and a file or two.
pub fn packages(release: u32, count: usize) -> Vec<PathBuf> {
    let mut text = format!(
        "%global source_date_epoch_from_changelog 1\n%global use_source_date_epoch_as_buildtime 1\n\
         %global clamp_mtime_to_source_date_epoch 1\n\
         Name: many\nVersion: 1\nRelease: {release}\nSummary: Many packages\nLicense: MIT\nBuildArch: noarch\n\
         %description\nMany.\n"
    );
    let mut random = fastrand::Rng::with_seed(1);
    let mut noise = move || random.u64(..1 << 44);
    // Writing into a string cannot fail.
    for number in 0..count {
        let (words, need) = (noise(), noise() as usize % count);
        let _ = writeln!(
            text,
            "%package -n many{number:03}\nSummary: Package {number} with {words:x}\nProvides: thing({words:x}) = %{{version}}-%{{release}}\n\
             Requires: many{need:03}\nRequires: many{number:03} = %{{version}}-%{{release}}\nConflicts: few < {number}\n\
             %description -n many{number:03}\nThis is package {number}: {words:x} of {:x}.\nIt does {:x}.\n\
             %files -n many{number:03}",
            noise(),
            noise()
        );
        for file in 0..FILES {
            let _ = writeln!(
                text,
                "%ghost /usr/share/many{number:03}/{file}/{:x}",
                noise()
            );
        }
        let _ = writeln!(
            text,
            "%ghost /usr/share/doc/many{number:03}/release-{release}"
        );
    }
    text.push_str("%changelog\n");
    for entry in (1..=release).rev() {
        let _ = writeln!(
            text,
            "* Tue Jan {:02} 2024 A <a@b> - 1-{entry}\n- release {entry}",
            entry + 1
        );
    }
    spec::build(&text, &[])
}
