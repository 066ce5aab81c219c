//! `updateinfo.xml`: advisories.

use std::io::Read;
use std::ops::ControlFlow;

use crate::error::Result;
use crate::primary::epoch;
pub use crate::record::ParseSummary;
use crate::xml::{Tag, XmlEvent, XmlFault, XmlLimits, XmlReader, unescape_into};

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
/// Errors: what [`XmlReader`] refuses; an advisory without id; a limit.
pub fn read(
    document: &str,
    stream: impl Read,
    limits: &XmlLimits,
    each: &mut dyn FnMut(Advisory) -> ControlFlow<()>,
) -> Result<ParseSummary> {
    let mut parser = AdvisoryParser {
        xml: XmlReader::new(document, stream, limits),
        limits: *limits,
    };
    parser.xml.root("updates")?;
    let mut summary = ParseSummary::default();
    loop {
        let advisory = match parser.xml.next()? {
            XmlEvent::Start(tag) if tag.name() == b"update" => advisory_tag(&tag),
            XmlEvent::Start(_) => {
                parser.xml.skip()?;
                continue;
            }
            XmlEvent::End => break,
            XmlEvent::Other => continue,
        };
        let advisory = advisory.map_err(|fault| parser.xml.fault(fault))?;
        if summary.records == limits.max_records {
            return Err(parser.xml.error("too many advisories"));
        }
        let advisory = parser.advisory(advisory)?;
        summary.records += 1;
        if each(advisory).is_break() {
            return Ok(summary);
        }
    }
    parser.xml.finish()?;
    summary.complete = true;
    Ok(summary)
}

struct AdvisoryParser<'d, R> {
    xml: XmlReader<'d, R>,
    limits: XmlLimits,
}

/// What a child of `update` is.
enum AdvisoryChild {
    Text(fn(&mut Advisory) -> &mut String),
    References,
    Packages,
    Done,
}

impl<R: Read> AdvisoryParser<'_, R> {
    fn advisory(&mut self, mut advisory: Advisory) -> Result<Advisory> {
        loop {
            let child = match self.xml.next()? {
                XmlEvent::Start(tag) => update_child(&tag, &mut advisory),
                XmlEvent::End => break,
                XmlEvent::Other => continue,
            };
            match child.map_err(|fault| self.xml.fault(fault))? {
                AdvisoryChild::Text(slot) => *slot(&mut advisory) = self.text()?,
                AdvisoryChild::References => self.references(&mut advisory)?,
                AdvisoryChild::Packages => self.packages(&mut advisory)?,
                AdvisoryChild::Done => self.xml.skip()?,
            }
        }
        if advisory.id.is_empty() {
            return Err(self.xml.error("an advisory without an id"));
        }
        advisory.reboot_suggested |= advisory.packages.iter().any(|p| p.reboot_suggested);
        Ok(advisory)
    }

    fn text(&mut self) -> Result<String> {
        let text = self.xml.text(self.limits.max_event)?;
        Ok(text.trim().to_owned())
    }

    fn references(&mut self, advisory: &mut Advisory) -> Result<()> {
        loop {
            let reference = match self.xml.next()? {
                XmlEvent::Start(tag) if tag.name() == b"reference" => reference(&tag),
                XmlEvent::Start(_) => Ok(AdvisoryReference::default()),
                XmlEvent::End => return Ok(()),
                XmlEvent::Other => continue,
            };
            let reference = reference.map_err(|fault| self.xml.fault(fault))?;
            self.xml.skip()?;
            if reference != AdvisoryReference::default() {
                advisory.references.push(reference);
            }
            self.check_count(advisory.references.len())?;
        }
    }

    /// `pkglist`: collections, each with a name and packages.
    fn packages(&mut self, advisory: &mut Advisory) -> Result<()> {
        loop {
            match self.xml.next()? {
                XmlEvent::Start(tag) if tag.name() == b"collection" => {}
                XmlEvent::Start(_) => {
                    self.xml.skip()?;
                    continue;
                }
                XmlEvent::End => return Ok(()),
                XmlEvent::Other => continue,
            }
            self.collection(advisory)?;
        }
    }

    fn collection(&mut self, advisory: &mut Advisory) -> Result<()> {
        let mut name = String::new();
        loop {
            let package = match self.xml.next()? {
                XmlEvent::Start(tag) if tag.name() == b"package" => package_tag(&tag).map(Some),
                XmlEvent::Start(tag) => {
                    let is_name = tag.name() == b"name";
                    if is_name {
                        Ok(None)
                    } else {
                        self.xml.skip()?;
                        continue;
                    }
                }
                XmlEvent::End => return Ok(()),
                XmlEvent::Other => continue,
            };
            match package.map_err(|fault| self.xml.fault(fault))? {
                None => name = self.text()?,
                Some(mut package) => {
                    package.collection.clone_from(&name);
                    self.package(&mut package)?;
                    if !package.name.is_empty() {
                        advisory.packages.push(package);
                    }
                    self.check_count(advisory.packages.len())?;
                }
            }
        }
    }

    fn package(&mut self, package: &mut AdvisoryPackage) -> Result<()> {
        loop {
            let name = match self.xml.next()? {
                XmlEvent::Start(tag) => tag.name().to_vec(),
                XmlEvent::End => return Ok(()),
                XmlEvent::Other => continue,
            };
            match name.as_slice() {
                b"filename" => package.filename = self.text()?,
                b"reboot_suggested" => package.reboot_suggested = self.flag()?,
                b"restart_suggested" => package.restart_suggested = self.flag()?,
                b"relogin_suggested" => package.relogin_suggested = self.flag()?,
                _ => self.xml.skip()?,
            }
        }
    }

    /// An empty element is true, as is any text but `0`, `false` and `no`.
    fn flag(&mut self) -> Result<bool> {
        let text = self.text()?.to_ascii_lowercase();
        Ok(!matches!(text.as_str(), "0" | "false" | "no"))
    }

    fn check_count(&self, count: usize) -> Result<()> {
        if count > self.limits.max_items {
            return Err(self.xml.error("an advisory with too many items"));
        }
        Ok(())
    }
}

type Parsed<T> = std::result::Result<T, XmlFault>;

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

fn advisory_tag(tag: &Tag<'_>) -> Parsed<Advisory> {
    let mut advisory = Advisory::default();
    put(
        tag,
        &mut [
            (b"from", &mut advisory.from),
            (b"status", &mut advisory.status),
            (b"type", &mut advisory.kind),
            (b"version", &mut advisory.version),
        ],
    )?;
    Ok(advisory)
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
        b"issued" => {
            put(tag, &mut [(b"date", &mut advisory.issued)])?;
            AdvisoryChild::Done
        }
        b"updated" => {
            put(tag, &mut [(b"date", &mut advisory.updated)])?;
            AdvisoryChild::Done
        }
        b"reboot_suggested" => {
            advisory.reboot_suggested = true;
            AdvisoryChild::Done
        }
        _ => AdvisoryChild::Done,
    })
}
