//! A filled root becomes what the target holds, and bills of materials.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;

use serde_json::Value;
use whole_file::{Access, Durability, Waiting, WholeFile};

use super::{Filled, Wanted};
use crate::error::{At, Outcome};
use crate::image::{
    Asked, Billed, Built, Entry, Image, PackageRow, Parts, Pieces, Referrer, Sources, Target,
    Workplace, provenance, spread, write_tar,
};
use crate::session::Session;
use crate::view::image::BuiltImage;

/// Writes the image to its target.
pub(super) fn write(
    session: &Session<'_>,
    wanted: &Wanted,
    words: &[String],
    built: &[Filled],
    place: &Workplace,
) -> Outcome<BuiltImage> {
    let configs = built.iter().map(|one| match &one.base {
        Some(base) => base.file().with(wanted.file.clone()).config(),
        None => wanted.file.config(),
    });
    let configs = configs.collect::<Outcome<Vec<_>>>()?;
    let annotations = &wanted.file.annotations;
    let flat = wanted.target.is_flat();
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
    let mut layers = Vec::new();
    let mut top = Built::default();
    let pieces;
    let mut deeds: Vec<Deed<'_>> = Vec::new();
    match &wanted.target {
        Target::Stdout => {
            for (tree, parts) in trees {
                let shown = Path::new("standard output");
                let out = std::io::stdout().lock();
                (_, top) = write_tar(out, shown, tree, parts, &mut each)?;
            }
        }
        Target::Tar(path) => {
            for (tree, parts) in trees {
                let file = WholeFile::new(path, Access::Umask).at(path)?;
                let (file, tar) = write_tar(file, path, tree, parts, &mut each)?;
                top = tar;
                deeds.push(placing(path, file.wait(Durability::Synced).at(path)?));
            }
        }
        Target::Dir(path) => {
            for (tree, parts) in trees {
                (_, top) = write_tar(std::io::sink(), path, tree, parts, &mut each)?;
                tree.become_dir()?;
                deeds.push(Box::new(|| tree.move_to(path)));
            }
        }
        target => {
            pieces = match target {
                Target::Oci(path, _) => Pieces::new(path, true)?,
                _ => Pieces::new(&place.layout(), false)?,
            };
            let images = trees.map(|(tree, parts)| pieces.image(tree, parts, &mut each));
            let images = images.collect::<Outcome<Vec<Image>>>()?;
            top = pieces.index(&images, annotations)?;
            let all = images.iter().flat_map(|image| &image.layers);
            layers.extend(all.cloned());
            match target {
                Target::Oci(_, tag) => {
                    let referrers = refer(&pieces, wanted, built, &images, tag)?;
                    let (pieces, top) = (&pieces, top.clone());
                    let tag = move || pieces.tag(&images, &top, tag, &referrers);
                    deeds.push(Box::new(tag));
                }
                Target::OciArchive(path, tag) => {
                    let referrers = refer(&pieces, wanted, built, &images, tag)?;
                    pieces.tag(&images, &top, tag, &referrers)?;
                    let file = pieces.archive(path, &images, (&top, &referrers), epoch)?;
                    deeds.push(placing(path, file));
                }
                Target::DockerArchive(path, name) => {
                    for image in &images {
                        let file = pieces.docker_archive(path, image, name.as_deref(), epoch)?;
                        deeds.push(placing(path, file));
                    }
                }
                Target::Stdout | Target::Tar(_) | Target::Dir(_) => {}
            }
        }
    }
    for (kind, path) in &wanted.bills {
        for (one, path) in built.iter().zip(path) {
            let document = kind.document(&one.billed(wanted, &top.digest));
            deeds.push(written(path, &document)?);
        }
    }
    if let Some(path) = &wanted.provenance {
        let asked = Asked {
            words,
            erased: &wanted.erased,
            archs: built.iter().map(|one| one.arch.as_str()).collect(),
        };
        let sources: Vec<&Sources> = built.iter().map(|one| &one.sources).collect();
        let bases = built.iter().filter_map(|one| one.base.as_ref());
        let bases: Vec<&str> = bases.map(|base| base.digest.as_str()).collect();
        let document = provenance((&wanted.name, &top), &asked, &sources, &bases);
        deeds.push(written(path, &document)?);
    }
    // All that is new is there.
    for deed in deeds {
        deed()?;
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

/// What gives something that is complete its name.
type Deed<'a> = Box<dyn FnOnce() -> Outcome<()> + 'a>;

fn placing<'a>(path: &'a Path, file: Waiting<'a>) -> Deed<'a> {
    Box::new(move || file.place().at(path))
}

/// Writes a document beside the place that it will have.
fn written<'a>(path: &'a Path, document: &Value) -> Outcome<Deed<'a>> {
    let mut file = WholeFile::new(path, Access::Umask).at(path)?;
    file.write_all(document.to_string().as_bytes()).at(path)?;
    Ok(placing(path, file.wait(Durability::Synced).at(path)?))
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
