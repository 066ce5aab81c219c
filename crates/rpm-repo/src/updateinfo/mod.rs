//! `updateinfo.xml`: advisories.

use std::io::Read;
use std::ops::ControlFlow;

use crate::error::Result;
use crate::primary::epoch;
pub use crate::record::ParseSummary;
use crate::record::{RecordParser, read_records};
use crate::xml::{Parsed, Tag, XmlFault, XmlLimits, XmlReader, unescape_into};

/// Most bytes of memory for one advisory; one of 20,000 packages takes 7 MB.
const MAX_ADVISORY: usize = 24 << 20;

#[cfg(test)]
mod tests;
mod write;

pub use write::{BEGIN, END, write_advisory};

/// One advisory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Advisory {
    /// `id`; never empty.
    pub id: String,
    /// `type`: `security`, `bugfix`, `enhancement`, `newpackage`, ...; as written.
    pub kind: String,
    /// `status`: `final`, `stable`, ...; as written.
    pub status: String,
    /// `from`: who issued it.
    pub from: String,
    /// `version` of the advisory; as written.
    pub version: String,
    /// `severity`: `Critical`, `Important`, `Moderate`, `Low`, or empty.
    pub severity: String,
    /// `title`.
    pub title: String,
    /// `summary`.
    pub summary: String,
    /// `description`.
    pub description: String,
    /// `solution`.
    pub solution: String,
    /// `rights`.
    pub rights: String,
    /// `release`.
    pub release: String,
    /// `issued date=`; as written: `2009-06-11 00:00:00` or seconds since 1970.
    pub issued: String,
    /// `updated date=`; as written.
    pub updated: String,
    /// Bugs, CVEs, pages.
    pub references: Vec<AdvisoryReference>,
    /// The packages that have it fixed, over all collections.
    pub packages: Vec<AdvisoryPackage>,
    /// A reboot is suggested, by the advisory or by one of its packages.
    pub reboot_suggested: bool,
}

impl Advisory {
    /// Forgets of its packages all but the names of their files.
    pub fn forget_versions(&mut self) {
        for package in &mut self.packages {
            *package = AdvisoryPackage {
                filename: std::mem::take(&mut package.filename),
                reboot_suggested: package.reboot_suggested,
                ..AdvisoryPackage::default()
            };
        }
    }

    /// Bytes of memory, roughly.
    #[must_use]
    pub fn weight(&self) -> usize {
        let references = self.references.iter().map(AdvisoryReference::weight);
        let packages = self.packages.iter().map(AdvisoryPackage::weight);
        let texts = [
            &self.title,
            &self.summary,
            &self.description,
            &self.solution,
        ];
        size_of_val(self) + weight(&texts) + references.chain(packages).sum::<usize>()
    }
}

impl AdvisoryReference {
    fn weight(&self) -> usize {
        size_of_val(self) + weight(&[&self.kind, &self.id, &self.title, &self.href])
    }
}

impl AdvisoryPackage {
    fn weight(&self) -> usize {
        let versions = [&self.version, &self.release, &self.arch];
        let names = [&self.name, &self.src, &self.filename, &self.collection];
        size_of_val(self) + weight(&versions) + weight(&names)
    }
}

/// Bytes of texts, and what an allocation costs.
fn weight(texts: &[&String]) -> usize {
    let filled = texts.iter().filter(|text| !text.is_empty());
    filled.map(|text| text.len() + 16).sum()
}

/// One reference of an advisory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AdvisoryReference {
    /// `type`: `bugzilla`, `cve`, `self`, ...
    pub kind: String,
    /// `id`: the number or CVE name.
    pub id: String,
    /// `title`.
    pub title: String,
    /// `href`.
    pub href: String,
}

/// One package of an advisory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AdvisoryPackage {
    /// Name; never empty.
    pub name: String,
    /// Epoch; 0 if there is none.
    pub epoch: u32,
    /// Version.
    pub version: String,
    /// Release.
    pub release: String,
    /// Architecture.
    pub arch: String,
    /// File name of the source package.
    pub src: String,
    /// File name of the package.
    pub filename: String,
    /// `name` of the collection it stands in.
    pub collection: String,
    /// A reboot is suggested after this package.
    pub reboot_suggested: bool,
    /// A restart of programs is suggested after this package.
    pub restart_suggested: bool,
    /// A new login is suggested after this package.
    pub relogin_suggested: bool,
}

/// Reads an updateinfo document; `document` is its name in errors. `each` sees every advisory in the
/// order of the document and may stop the reading. As with [`crate::primary::read`], what was
/// made of them must be thrown away when this returns an error.
///
/// A package without a name can match nothing and is left out.
///
/// An advisory that cannot be used (without an id, with numbers that are none) is left out, and the summary tells of it.
/// Errors: what [`XmlReader`] refuses; too many advisories, or one over a limit.
pub fn read(
    document: &str,
    stream: impl Read,
    limits: &XmlLimits,
    each: &mut dyn FnMut(Advisory) -> ControlFlow<()>,
) -> Result<ParseSummary> {
    let mut parser = AdvisoryParser {
        advisory: Advisory::default(),
        weight: 0,
        limits: *limits,
        each,
    };
    read_records(document, stream, limits, &mut parser)
}

struct AdvisoryParser<'e> {
    advisory: Advisory,
    /// Bytes of its references and packages.
    weight: usize,
    limits: XmlLimits,
    each: &'e mut dyn FnMut(Advisory) -> ControlFlow<()>,
}

/// What a child of `collection` is.
enum CollectionChild {
    Package(AdvisoryPackage),
    Name,
    Other,
}

/// What a child of `update` is.
enum AdvisoryChild {
    Text(fn(&mut Advisory) -> &mut String),
    References,
    Packages,
    Done,
}

impl RecordParser for AdvisoryParser<'_> {
    const ROOT: &'static str = "updates";
    const RECORD: &'static [u8] = b"update";
    const TOO_MANY: &'static str = "too many advisories";

    fn begin(&mut self, tag: &Tag<'_>) -> Parsed<()> {
        self.advisory = Advisory::default();
        self.weight = 0;
        let advisory = &mut self.advisory;
        put(
            tag,
            &mut [
                (b"from", &mut advisory.from),
                (b"status", &mut advisory.status),
                (b"type", &mut advisory.kind),
                (b"version", &mut advisory.version),
            ],
        )
    }

    fn called(&self) -> &str {
        &self.advisory.id
    }

    fn record(&mut self, xml: &mut XmlReader<'_, impl Read>) -> Result<ControlFlow<()>> {
        while let Some(child) = xml.child(|tag| update_child(tag, &mut self.advisory))? {
            match child {
                AdvisoryChild::Text(slot) => *slot(&mut self.advisory) = self.text(xml)?,
                AdvisoryChild::References => self.references(xml)?,
                AdvisoryChild::Packages => self.packages(xml)?,
                AdvisoryChild::Done => xml.skip()?,
            }
        }
        let mut advisory = std::mem::take(&mut self.advisory);
        if advisory.id.is_empty() {
            return Err(xml.fault(XmlFault::of("an advisory without an id")));
        }
        advisory.reboot_suggested |= advisory.packages.iter().any(|p| p.reboot_suggested);
        Ok((self.each)(advisory))
    }
}

impl AdvisoryParser<'_> {
    fn text(&self, xml: &mut XmlReader<'_, impl Read>) -> Result<String> {
        Ok(xml.text(self.limits.max_event)?.trim().to_owned())
    }

    fn references(&mut self, xml: &mut XmlReader<'_, impl Read>) -> Result<()> {
        while let Some(reference) = xml.child(|tag| match tag.name() {
            b"reference" => reference(tag),
            _ => Ok(AdvisoryReference::default()),
        })? {
            xml.skip()?;
            if reference != AdvisoryReference::default() {
                self.weight += reference.weight();
                self.advisory.references.push(reference);
            }
            self.check_size(xml, self.advisory.references.len())?;
        }
        Ok(())
    }

    /// `pkglist`: collections, each with a name and packages.
    fn packages(&mut self, xml: &mut XmlReader<'_, impl Read>) -> Result<()> {
        while let Some(is_collection) = xml.child(|tag| Ok(tag.name() == b"collection"))? {
            if is_collection {
                self.collection(xml)?;
            } else {
                xml.skip()?;
            }
        }
        Ok(())
    }

    fn collection(&mut self, xml: &mut XmlReader<'_, impl Read>) -> Result<()> {
        let mut name = String::new();
        while let Some(child) = xml.child(|tag| {
            Ok(match tag.name() {
                b"package" => CollectionChild::Package(package_tag(tag)?),
                b"name" => CollectionChild::Name,
                _ => CollectionChild::Other,
            })
        })? {
            match child {
                CollectionChild::Other => xml.skip()?,
                CollectionChild::Name => name = self.text(xml)?,
                CollectionChild::Package(mut package) => {
                    package.collection.clone_from(&name);
                    self.package(xml, &mut package)?;
                    if !package.name.is_empty() {
                        self.weight += package.weight();
                        self.advisory.packages.push(package);
                    }
                    self.check_size(xml, self.advisory.packages.len())?;
                }
            }
        }
        Ok(())
    }

    fn package(
        &self,
        xml: &mut XmlReader<'_, impl Read>,
        package: &mut AdvisoryPackage,
    ) -> Result<()> {
        while let Some(name) = xml.child(|tag| Ok(tag.name().to_vec()))? {
            match name.as_slice() {
                b"filename" => package.filename = self.text(xml)?,
                b"reboot_suggested" => package.reboot_suggested = self.flag(xml)?,
                b"restart_suggested" => package.restart_suggested = self.flag(xml)?,
                b"relogin_suggested" => package.relogin_suggested = self.flag(xml)?,
                _ => xml.skip()?,
            }
        }
        Ok(())
    }

    /// An empty element is true, as is any text but `0`, `false` and `no`.
    fn flag(&self, xml: &mut XmlReader<'_, impl Read>) -> Result<bool> {
        let text = self.text(xml)?.to_ascii_lowercase();
        Ok(!matches!(text.as_str(), "0" | "false" | "no"))
    }

    fn check_size(&self, xml: &XmlReader<'_, impl Read>, count: usize) -> Result<()> {
        if count > self.limits.max_items || self.weight > MAX_ADVISORY {
            return Err(xml.error("an advisory with too many items"));
        }
        Ok(())
    }
}

/// Puts attributes into their slots.
fn put(tag: &Tag<'_>, slots: &mut [(&[u8], &mut String)]) -> Parsed<()> {
    tag.attributes(|key, value| {
        for (name, slot) in slots.iter_mut() {
            if *name == key {
                slot.clear();
                unescape_into(value, slot)?;
            }
        }
        Ok(())
    })
}

fn reference(tag: &Tag<'_>) -> Parsed<AdvisoryReference> {
    let mut reference = AdvisoryReference::default();
    put(
        tag,
        &mut [
            (b"type", &mut reference.kind),
            (b"id", &mut reference.id),
            (b"title", &mut reference.title),
            (b"href", &mut reference.href),
        ],
    )?;
    Ok(reference)
}

fn package_tag(tag: &Tag<'_>) -> Parsed<AdvisoryPackage> {
    let mut package = AdvisoryPackage::default();
    let mut epoch_text = String::new();
    put(
        tag,
        &mut [
            (b"name", &mut package.name),
            (b"version", &mut package.version),
            (b"release", &mut package.release),
            (b"arch", &mut package.arch),
            (b"src", &mut package.src),
            (b"epoch", &mut epoch_text),
        ],
    )?;
    // Bodhi once wrote Python's None.
    if epoch_text != "None" {
        package.epoch = epoch(&epoch_text)?.unwrap_or(0);
    }
    Ok(package)
}

fn update_child(tag: &Tag<'_>, advisory: &mut Advisory) -> Parsed<AdvisoryChild> {
    Ok(match tag.name() {
        b"id" => AdvisoryChild::Text(|a| &mut a.id),
        b"title" => AdvisoryChild::Text(|a| &mut a.title),
        b"severity" => AdvisoryChild::Text(|a| &mut a.severity),
        b"summary" => AdvisoryChild::Text(|a| &mut a.summary),
        b"description" => AdvisoryChild::Text(|a| &mut a.description),
        b"solution" => AdvisoryChild::Text(|a| &mut a.solution),
        b"rights" => AdvisoryChild::Text(|a| &mut a.rights),
        b"release" => AdvisoryChild::Text(|a| &mut a.release),
        b"references" => AdvisoryChild::References,
        b"pkglist" => AdvisoryChild::Packages,
        name => {
            match name {
                b"issued" => put(tag, &mut [(b"date", &mut advisory.issued)])?,
                b"updated" => put(tag, &mut [(b"date", &mut advisory.updated)])?,
                b"reboot_suggested" => advisory.reboot_suggested = true,
                _ => {}
            }
            AdvisoryChild::Done
        }
    })
}
