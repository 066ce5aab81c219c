//! Images of containers: a root that was filled in a private folder becomes layers.
//!
//! [`Workplace`] is that folder and what keeps it apart from the machine; [`Tree`] is the root as the image shows it,
//! a step between what lies on the disk and what the packages say; [`layer`] writes it as tar, [`oci`] puts the layers
//! and their description together, [`Target`] is where the image goes. Nothing here depends on the machine, the user,
//! the time or the order of directories: equal packages give equal bytes.

mod archive;
mod base;
mod config;
mod layer;
pub mod namespace;
mod oci;
mod overlay;
mod provenance;
mod row;
mod sbom;
mod scanned;
mod settled;
mod spread;
mod target;
mod tree;
mod unpack;
mod users;
mod workplace;

pub use base::{Base, BaseEntry};
pub use config::{ImageConfig, ImageFile};
pub use layer::Compression;
pub use oci::{Built, Image, Parts, Pieces, Referrer, check_archs, write_tar};
pub use overlay::lay_over;
pub use provenance::{Asked, Sources, provenance};
pub use row::PackageRow;
pub use sbom::{Billed, SbomKind};
pub use scanned::replace_database;
pub use spread::spread;
pub use target::Target;
pub use tree::{Entry, Rules, Tree};
pub use users::ImageUser;
pub use workplace::Workplace;
