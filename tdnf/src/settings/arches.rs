//! The architectures that there are: a name that is none would find nothing, and say so of a whole system.

use crate::error::{Failure, Outcome};
use crate::near::nearest;

/// Architectures of machines that rpm packages are built for.
const MACHINES: [&str; 58] = [
    "aarch64",
    "alpha",
    "alphaev5",
    "alphaev56",
    "alphaev6",
    "alphaev67",
    "armv3l",
    "armv4l",
    "armv5tejl",
    "armv5tel",
    "armv5tl",
    "armv6hl",
    "armv6l",
    "armv7hl",
    "armv7hnl",
    "armv7l",
    "armv8hl",
    "armv8l",
    "athlon",
    "e2k",
    "geode",
    "i386",
    "i486",
    "i586",
    "i686",
    "ia64",
    "loongarch64",
    "m68k",
    "mips",
    "mips64",
    "mips64el",
    "mips64r6",
    "mips64r6el",
    "mipsel",
    "mipsr6",
    "mipsr6el",
    "pentium3",
    "pentium4",
    "ppc",
    "ppc64",
    "ppc64iseries",
    "ppc64le",
    "ppc64p7",
    "ppc64pseries",
    "riscv64",
    "s390",
    "s390x",
    "sh3",
    "sh4",
    "sh4a",
    "sparc",
    "sparc64",
    "sparc64v",
    "sparcv9",
    "x86_64",
    "x86_64_v2",
    "x86_64_v3",
    "x86_64_v4",
];

/// Architectures of packages that no machine has.
const PACKAGES: [&str; 3] = ["noarch", "nosrc", "src"];

/// Names that other systems have for some of them.
const ELSEWHERE: [(&str, &str); 2] = [("amd64", "x86_64"), ("arm64", "aarch64")];

/// The architecture of a machine, as the option names it.
///
/// Errors: there is none of this name.
pub(crate) fn machine(option: &str, arch: &str) -> Outcome<()> {
    known(option, arch, &[])
}

/// The same of a package.
pub(crate) fn package(option: &str, arch: &str) -> Outcome<()> {
    known(option, arch, &PACKAGES)
}

fn known(option: &str, arch: &str, besides: &[&str]) -> Outcome<()> {
    let mut known = MACHINES.iter().chain(besides).copied();
    if known.clone().any(|known| known == arch) {
        return Ok(());
    }
    let mut elsewhere = ELSEWHERE.iter();
    let meant = elsewhere.find(|(name, _)| *name == arch);
    let meant = meant.map(|(_, own)| *own);
    let near = meant.or_else(|| nearest(arch, known.by_ref()));
    let failure = Failure::invalid(format!("--{option}={arch}: there is no such architecture"));
    Err(failure.hint(match near {
        Some(near) => format!("did you mean '{near}'?"),
        None => "rpm's names are meant, such as x86_64, aarch64 or i686".to_owned(),
    }))
}
