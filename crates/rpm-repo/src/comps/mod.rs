//! `comps.xml` (record `group`): groups, environments, categories and language packs.

use std::collections::BTreeMap;
use std::io::Read;

use crate::error::Result;
use crate::xml::{XmlLimits, XmlReader};

#[cfg(test)]
mod tests;
mod write;

pub use write::write;

/// Longest text of one element in bytes.
const MAX_TEXT: usize = 64 << 10;
/// Most bytes of a document's texts, with what each costs besides; the comps of a distribution take 5 MB.
const MAX_KEPT: usize = 32 << 20;
/// Bytes that a text costs besides its own, in the structure that it stands in.
const ITEM_COST: usize = 128;

/// A parsed comps document.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Comps {
    /// `group`, in the order of the document.
    pub groups: Vec<Group>,
    /// `environment`, in the order of the document.
    pub environments: Vec<GroupSet>,
    /// `category`, in the order of the document; none has options.
    pub categories: Vec<GroupSet>,
    /// `langpacks/match`: name and the pattern of what to install for it.
    pub langpacks: Vec<(String, String)>,
}

/// A text with its translations.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Localized {
    /// The text without `xml:lang`.
    pub text: String,
    /// Language to text.
    pub translations: BTreeMap<String, String>,
}

/// How much a group wants a package.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum PackageKind {
    /// Always installed with the group (also when the type is absent or unknown).
    #[default]
    Mandatory,
    /// Installed unless asked otherwise.
    Default,
    /// Installed only if asked for.
    Optional,
    /// Installed if the package that `requires` names is.
    Conditional,
}

/// One package of a group.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GroupPackage {
    /// The name.
    pub name: String,
    /// How much the group wants it.
    pub kind: PackageKind,
    /// For [`PackageKind::Conditional`]: the package it depends on.
    pub requires: Option<String>,
}

/// One group.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Group {
    /// The id; never empty.
    pub id: String,
    /// The name people see.
    pub name: Localized,
    /// The description.
    pub description: Localized,
    /// `default`: marked for installation from the start.
    pub default: bool,
    /// `uservisible`; true if absent.
    pub user_visible: bool,
    /// `display_order`; smaller is earlier.
    pub display_order: Option<u32>,
    /// `langonly`: the language the group is for.
    pub lang_only: Option<String>,
    /// The packages.
    pub packages: Vec<GroupPackage>,
}

/// A set of groups: an environment, or a category, which is a heading over them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GroupSet {
    /// The id; never empty.
    pub id: String,
    /// The name people see.
    pub name: Localized,
    /// The description.
    pub description: Localized,
    /// `display_order`; smaller is earlier.
    pub display_order: Option<u32>,
    /// `grouplist`: ids of groups that belong to it.
    pub groups: Vec<String>,
    /// `optionlist`: ids of groups that may be added, and whether that is the default.
    pub options: Vec<(String, bool)>,
}

/// One child of a group, an environment or a category, as it was found.
struct CompsChild {
    name: Vec<u8>,
    lang: Option<String>,
    kind: Option<String>,
    requires: Option<String>,
    default: Option<String>,
}

/// Reads a comps document; `document` is its name in errors.
///
/// A DOCTYPE is refused everywhere else; comps is the one document that real tools write with one
/// (`<!DOCTYPE comps PUBLIC ...>`): it is skipped if it has no internal subset, and nothing is fetched.
///
/// Errors: what [`XmlReader`] refuses; a group, environment or category without id; a limit.
pub fn read(document: &str, stream: impl Read, limits: &XmlLimits) -> Result<Comps> {
    let xml = XmlReader::new(document, stream, limits).allow_plain_doctype();
    let mut parser = CompsParser {
        xml,
        limits: *limits,
        kept: 0,
    };
    parser.xml.root("comps")?;
    let mut comps = Comps::default();
    while let Some(child) = parser.child()? {
        match child.name.as_slice() {
            b"group" => comps.groups.push(parser.group()?),
            b"environment" => comps.environments.push(parser.set(true)?),
            b"category" => comps.categories.push(parser.set(false)?),
            b"langpacks" => parser.langpacks(&mut comps.langpacks)?,
            _ => parser.xml.skip()?,
        }
        let count = comps.groups.len() + comps.environments.len() + comps.categories.len();
        if count as u64 > limits.max_records {
            return Err(parser.xml.error("too many groups"));
        }
    }
    parser.xml.finish()?;
    Ok(comps)
}

struct CompsParser<'d, R> {
    xml: XmlReader<'d, R>,
    limits: XmlLimits,
    /// Bytes of all texts so far, and what each costs besides.
    kept: usize,
}

impl<R: Read> CompsParser<'_, R> {
    /// The next child of the open element; `None` at its end.
    fn child(&mut self) -> Result<Option<CompsChild>> {
        let child = self.xml.child(|tag| {
            Ok(CompsChild {
                name: tag.name().to_vec(),
                lang: tag.attribute(b"lang")?,
                kind: tag.attribute(b"type")?,
                requires: tag.attribute(b"requires")?,
                default: tag.attribute(b"default")?,
            })
        })?;
        if let Some(child) = &child {
            let kept = [&child.lang, &child.requires].into_iter().flatten();
            self.kept += ITEM_COST + kept.map(String::len).sum::<usize>();
        }
        if self.kept > MAX_KEPT {
            return Err(self.xml.error("too many items"));
        }
        Ok(child)
    }

    fn text(&mut self) -> Result<String> {
        let text = self.xml.text(MAX_TEXT)?.trim().to_owned();
        self.kept += text.len();
        Ok(text)
    }

    fn localized(&mut self, lang: Option<String>, into: &mut Localized) -> Result<()> {
        let text = self.text()?;
        match lang {
            None => into.text = text,
            Some(lang) => {
                into.translations.insert(lang, text);
            }
        }
        Ok(())
    }

    fn boolean(&mut self) -> Result<bool> {
        Ok(crate::config::parse_bool(&self.text()?).unwrap_or(false))
    }

    fn order(&mut self) -> Result<Option<u32>> {
        Ok(self.text()?.parse().ok())
    }

    fn group(&mut self) -> Result<Group> {
        let mut group = Group {
            user_visible: true,
            ..Group::default()
        };
        while let Some(child) = self.child()? {
            match child.name.as_slice() {
                b"id" => group.id = self.text()?,
                b"name" => self.localized(child.lang, &mut group.name)?,
                b"description" => self.localized(child.lang, &mut group.description)?,
                b"default" => group.default = self.boolean()?,
                b"uservisible" => group.user_visible = self.boolean()?,
                b"display_order" => group.display_order = self.order()?,
                b"langonly" => group.lang_only = Some(self.text()?),
                b"packagelist" => self.packages(&mut group.packages)?,
                _ => self.xml.skip()?,
            }
        }
        self.check_id(&group.id)?;
        Ok(group)
    }

    fn packages(&mut self, packages: &mut Vec<GroupPackage>) -> Result<()> {
        while let Some(child) = self.child()? {
            if child.name != b"packagereq" {
                self.xml.skip()?;
                continue;
            }
            let kind = match child.kind.as_deref() {
                Some("default") => PackageKind::Default,
                Some("optional") => PackageKind::Optional,
                Some("conditional") => PackageKind::Conditional,
                _ => PackageKind::Mandatory,
            };
            let name = self.text()?;
            packages.push(GroupPackage {
                name,
                kind,
                requires: child.requires,
            });
            self.check_count(packages.len())?;
        }
        Ok(())
    }

    /// An environment, or a category: `has_options` tells them apart.
    fn set(&mut self, has_options: bool) -> Result<GroupSet> {
        let mut set = GroupSet::default();
        while let Some(child) = self.child()? {
            match child.name.as_slice() {
                b"id" => set.id = self.text()?,
                b"name" => self.localized(child.lang, &mut set.name)?,
                b"description" => self.localized(child.lang, &mut set.description)?,
                b"display_order" => set.display_order = self.order()?,
                b"grouplist" => {
                    let ids = self.ids()?;
                    set.groups.extend(ids.into_iter().map(|(id, _)| id));
                }
                b"optionlist" if has_options => set.options.extend(self.ids()?),
                _ => self.xml.skip()?,
            }
        }
        self.check_id(&set.id)?;
        Ok(set)
    }

    /// `groupid` elements and their `default` flag.
    fn ids(&mut self) -> Result<Vec<(String, bool)>> {
        let mut ids = Vec::new();
        while let Some(child) = self.child()? {
            if child.name != b"groupid" {
                self.xml.skip()?;
                continue;
            }
            let default = child
                .default
                .and_then(|text| crate::config::parse_bool(&text));
            ids.push((self.text()?, default.unwrap_or(false)));
            self.check_count(ids.len())?;
        }
        Ok(ids)
    }

    fn langpacks(&mut self, langpacks: &mut Vec<(String, String)>) -> Result<()> {
        while let Some(found) = self.xml.child(|tag| {
            let name = tag.attribute(b"name")?;
            Ok(name.zip(tag.attribute(b"install")?))
        })? {
            langpacks.extend(found);
            self.xml.skip()?;
            self.check_count(langpacks.len())?;
        }
        Ok(())
    }

    fn check_id(&self, id: &str) -> Result<()> {
        if id.is_empty() {
            return Err(self
                .xml
                .error("a group, environment or category without an id"));
        }
        Ok(())
    }

    fn check_count(&self, count: usize) -> Result<()> {
        if count > self.limits.max_items {
            return Err(self.xml.error("too many items"));
        }
        Ok(())
    }
}
