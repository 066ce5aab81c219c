//! A filled root becomes what the target holds, and bills of materials.

use std::collections::BTreeSet;

use whole_file::{Access, Durability};

use super::{Filled, Wanted};
use crate::error::{At, Outcome};
use crate::image::{
    Billed, Entry, Image, PackageRow, Parts, Pieces, Referrer, Target, Workplace, spread,
    write_dir, write_tar,
};
use crate::session::Session;
use crate::view::image::BuiltImage;

/// Writes the image to its target.
pub(super) fn write(
    session: &Session<'_>,
    wanted: &Wanted,
    built: &[Filled],
    place: &Workplace,
) -> Outcome<BuiltImage> {
    let configs = built.iter().map(|one| match &one.base {
        Some(base) => base.file().with(wanted.file.clone()).config(),
        None => wanted.file.config(),
    });
    let configs = configs.collect::<Outcome<Vec<_>>>()?;
    let annotations = &wanted.file.annotations;
    let flat = matches!(wanted.target, Target::Tar(_) | Target::Dir(_));
    let mut each = |entry: Option<&Entry<'_>>| match entry {
        None => session.go_on(),
        Some(socket) => {
            let path = String::from_utf8_lossy(socket.path);
            session.warn_once(&format!(
                "warning: /{path}: a socket has no place in an image, and is left out"
            ));
            Ok(())
        }
    };
    let spreads = built
        .iter()
        .map(|one| spread(one.tree.packages(), wanted.layers));
    let spreads: Vec<(Vec<usize>, usize)> = spreads.collect();
    let parts = built
        .iter()
        .zip(&spreads)
        .zip(&configs)
        .map(|((one, (layers, count)), config)| Parts {
            base: one.base.as_ref().filter(|_| !flat),
            config,
            annotations,
            arch: &one.arch,
            epoch: one.epoch,
            compression: wanted.compression(),
            layers,
            count: *count,
        });
    let parts: Vec<Parts<'_>> = parts.collect();
    let epoch = built.iter().map(|one| one.epoch).max().unwrap_or(0);
    let trees = built.iter().map(|one| &one.tree).zip(&parts);
    let (top, layers) = match &wanted.target {
        Target::Tar(path) => {
            let mut tar = None;
            for (tree, parts) in trees {
                tar = Some(write_tar(path, tree, parts, &mut each)?);
            }
            (tar.unwrap_or_default(), Vec::new())
        }
        Target::Dir(path) => {
            let mut dir = None;
            for (tree, parts) in trees {
                dir = Some(write_dir(path, tree, parts, &mut each)?);
            }
            (dir.unwrap_or_default(), Vec::new())
        }
        target => {
            let pieces = match target {
                Target::Oci(path, _) => Pieces::new(path, true)?,
                _ => Pieces::new(&place.layout(), false)?,
            };
            let images = trees.map(|(tree, parts)| pieces.image(tree, parts, &mut each));
            let images = images.collect::<Outcome<Vec<Image>>>()?;
            let top = pieces.index(&images, annotations)?;
            match target {
                Target::Oci(_, tag) => {
                    let referrers = refer(&pieces, wanted, built, &images, tag)?;
                    pieces.tag(&images, &top, tag, &referrers)?;
                }
                Target::OciArchive(path, tag) => {
                    let referrers = refer(&pieces, wanted, built, &images, tag)?;
                    pieces.tag(&images, &top, tag, &referrers)?;
                    pieces.archive(path, &images, (&top, &referrers), epoch)?;
                }
                Target::DockerArchive(path, name) => {
                    for image in &images {
                        pieces.docker_archive(path, image, name.as_deref(), epoch)?;
                    }
                }
                Target::Tar(_) | Target::Dir(_) => {}
            }
            let layers = images.into_iter().flat_map(|image| image.layers).collect();
            (top, layers)
        }
    };
    for (kind, path) in &wanted.bills {
        for (one, path) in built.iter().zip(path) {
            let document = kind.document(&one.billed(wanted, &top.digest));
            whole_file::replace(
                path,
                document.to_string().as_bytes(),
                Access::Umask,
                Durability::Synced,
            )
            .at(path)?;
        }
    }
    let packages = built.iter().flat_map(|one| one.tree.packages());
    let packages: BTreeSet<String> = packages.map(PackageRow::nevra).collect();
    Ok(BuiltImage {
        target: wanted.output.clone(),
        blob: top,
        layers,
        packages: packages.into_iter().collect(),
    })
}

/// Bills of materials that are kept beside the images.
fn refer(
    pieces: &Pieces,
    wanted: &Wanted,
    built: &[Filled],
    images: &[Image],
    tag: &str,
) -> Outcome<Vec<Referrer>> {
    let mut referrers = Vec::new();
    for (kind, _) in &wanted.bills {
        for (one, image) in built.iter().zip(images) {
            let document = kind.document(&one.billed(wanted, &image.manifest.digest));
            referrers.push(pieces.refer(image, kind.media_type(), &document, tag, one.epoch)?);
        }
    }
    Ok(referrers)
}

impl Filled {
    fn billed<'a>(&'a self, wanted: &'a Wanted, digest: &'a str) -> Billed<'a> {
        Billed {
            name: &wanted.name,
            digest,
            epoch: self.epoch,
            system: self.system.clone(),
            packages: self.tree.packages(),
            checksums: &self.checksums,
        }
    }
}
