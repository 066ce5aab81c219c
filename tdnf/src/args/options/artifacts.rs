//! Options about files that a run makes of packages, or installs from: locks, downloads, images.

use clap::Args;

/// Options of image.
#[derive(Debug, Clone, Default, Args)]
#[group(skip)]
#[command(next_help_heading = "options of image")]
pub struct ImageOptions {
    /// A user that it gets.
    #[arg(long, value_name = "NAME[:UID]")]
    pub add_user: Vec<String>,
    /// About the image, for registries.
    #[arg(long, value_name = "NAME=VALUE")]
    pub annotation: Vec<String>,
    /// The image that it is made upon: oci:DIR[:TAG].
    #[arg(long, value_name = "IMAGE")]
    pub base: Option<String>,
    /// A word behind the entry point, once for each.
    #[arg(long, value_name = "WORD")]
    pub cmd: Vec<String>,
    /// Pack layers with gzip, zstd or none (gzip).
    #[arg(long, value_name = "FORMAT")]
    pub compress: Option<String>,
    /// A word of what is started, once for each.
    #[arg(long, value_name = "WORD")]
    pub entrypoint: Vec<String>,
    /// A variable of the environment.
    #[arg(long, value_name = "NAME=VALUE")]
    pub env: Vec<String>,
    /// With --base: packages that go.
    #[arg(long, value_name = "NAME,..")]
    pub erase: Vec<String>,
    /// A description of the image in TOML.
    #[arg(long, value_name = "FILE")]
    pub image_config: Option<String>,
    /// About the image, for who runs it.
    #[arg(long, value_name = "NAME=VALUE")]
    pub label: Vec<String>,
    /// Spread the packages over N layers.
    #[arg(long, value_name = "N")]
    pub layers: Option<String>,
    /// No rpm database, but lists for scanners.
    #[arg(long)]
    pub no_rpmdb: bool,
    /// Lay what is in DIR over the root.
    #[arg(long, value_name = "DIR")]
    pub overlay: Option<String>,
    /// A port that it serves: 80, 53/udp.
    #[arg(long, value_name = "PORT")]
    pub port: Vec<String>,
    /// Write where it comes from: provenance of SLSA.
    #[arg(long, value_name = "FILE")]
    pub provenance: Option<String>,
    /// Whom it is started as: NAME, UID or UID:GID.
    #[arg(long, value_name = "USER")]
    pub run_as: Option<String>,
    /// A bill of materials: spdx or cyclonedx.
    #[arg(long, value_name = "KIND[:FILE]")]
    pub sbom: Vec<String>,
    /// Where it is started.
    #[arg(long, value_name = "PATH")]
    pub workdir: Option<String>,
}

/// Lock files, for install and download.
#[derive(Debug, Clone, Default, Args)]
#[group(skip)]
#[command(next_help_heading = "options about lock files")]
pub struct LockedOptions {
    /// Exactly the packages of the lock FILE, or nothing.
    #[arg(long, value_name = "FILE")]
    pub locked: Option<String>,
    /// With --locked: look for its files in DIR first.
    #[arg(long, value_name = "DIR")]
    pub seed: Vec<String>,
}

/// Options of download.
#[derive(Debug, Clone, Default, Args)]
#[group(skip)]
#[command(next_help_heading = "options of download")]
pub struct DownloadOptions {
    /// Where the packages go (the current folder).
    #[arg(long, value_name = "DIR")]
    pub destdir: Option<String>,
    /// With what they need and is not installed.
    #[arg(long)]
    pub resolve: bool,
}

/// Options of lock.
#[derive(Debug, Clone, Default, Args)]
#[group(skip)]
#[command(next_help_heading = "options of lock")]
pub struct LockOptions {
    /// Say what a lock would be today, and which of its files no repository has.
    #[arg(long)]
    pub check: bool,
    /// Say what differs between two locks.
    #[arg(long)]
    pub diff: bool,
    /// The form that is written: tdnf, konflux or manifest.
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<String>,
    /// Bring the named packages of a lock, or all, to today's versions.
    #[arg(long)]
    pub update: bool,
}

/// Where what is made goes, for lock and image.
#[derive(Debug, Clone, Default, Args)]
#[group(skip)]
#[command(next_help_heading = "options that say where it goes")]
pub struct TargetOption {
    /// FILE of lock (- is stdout); of image oci:, oci-archive:, docker-archive:, tar: or dir:, and PATH[:TAG].
    #[arg(short, long, value_name = "TARGET")]
    pub output: Option<String>,
}
