//! The writer of comps.

use super::{Comps, Group, GroupPackage, GroupSet, Localized, PackageKind};
use crate::xml::{push_element, push_pair, push_text};

/// A whole document: what [`super::read`] keeps of one.
pub fn write(comps: &Comps) -> String {
    let mut out = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <!DOCTYPE comps PUBLIC \"-//Red Hat, Inc.//DTD Comps info//EN\" \"comps.dtd\">\n<comps>\n",
    );
    for one in &comps.groups {
        group(one, &mut out);
    }
    for one in &comps.environments {
        set("environment", one, &mut out);
    }
    for one in &comps.categories {
        set("category", one, &mut out);
    }
    if !comps.langpacks.is_empty() {
        out.push_str("  <langpacks>\n");
        for (name, install) in &comps.langpacks {
            out.push_str("    <match");
            push_pair("install", install, &mut out);
            push_pair("name", name, &mut out);
            out.push_str("/>\n");
        }
        out.push_str("  </langpacks>\n");
    }
    out.push_str("</comps>\n");
    out
}

fn localized(name: &str, text: &Localized, out: &mut String) {
    push_element("    ", name, &text.text, out);
    for (lang, translated) in &text.translations {
        for part in ["    <", name] {
            out.push_str(part);
        }
        push_pair("xml:lang", lang, out);
        out.push('>');
        push_text(translated, out);
        for part in ["</", name, ">\n"] {
            out.push_str(part);
        }
    }
}

fn order(value: Option<u32>, out: &mut String) {
    if let Some(value) = value {
        push_element("    ", "display_order", &value.to_string(), out);
    }
}

fn group(group: &Group, out: &mut String) {
    let word = |flag: bool| if flag { "true" } else { "false" };
    out.push_str("  <group>\n");
    push_element("    ", "id", &group.id, out);
    localized("name", &group.name, out);
    localized("description", &group.description, out);
    push_element("    ", "default", word(group.default), out);
    push_element("    ", "uservisible", word(group.user_visible), out);
    order(group.display_order, out);
    if let Some(lang) = &group.lang_only {
        push_element("    ", "langonly", lang, out);
    }
    out.push_str("    <packagelist>\n");
    for one in &group.packages {
        package(one, out);
    }
    out.push_str("    </packagelist>\n  </group>\n");
}

fn package(package: &GroupPackage, out: &mut String) {
    let kind = match package.kind {
        PackageKind::Mandatory => "mandatory",
        PackageKind::Default => "default",
        PackageKind::Optional => "optional",
        PackageKind::Conditional => "conditional",
    };
    out.push_str("      <packagereq");
    if let Some(requires) = &package.requires {
        push_pair("requires", requires, out);
    }
    push_pair("type", kind, out);
    out.push('>');
    push_text(&package.name, out);
    out.push_str("</packagereq>\n");
}

fn ids<'a>(list: &str, ids: impl Iterator<Item = (&'a String, bool)>, out: &mut String) {
    for part in ["    <", list, ">\n"] {
        out.push_str(part);
    }
    for (id, default) in ids {
        out.push_str("      <groupid");
        if default {
            push_pair("default", "true", out);
        }
        out.push('>');
        push_text(id, out);
        out.push_str("</groupid>\n");
    }
    for part in ["    </", list, ">\n"] {
        out.push_str(part);
    }
}

fn set(element: &str, set: &GroupSet, out: &mut String) {
    for part in ["  <", element, ">\n"] {
        out.push_str(part);
    }
    push_element("    ", "id", &set.id, out);
    localized("name", &set.name, out);
    localized("description", &set.description, out);
    order(set.display_order, out);
    ids("grouplist", set.groups.iter().map(|id| (id, false)), out);
    if element == "environment" {
        let options = set.options.iter().map(|(id, default)| (id, *default));
        ids("optionlist", options, out);
    }
    for part in ["  </", element, ">\n"] {
        out.push_str(part);
    }
}
