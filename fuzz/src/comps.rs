//! `comps.xml` of a stranger: groups, read, written and read again.

use rpm_repo::comps;
use rpm_repo::xml::XmlLimits;

/// One input.
pub fn run(data: &[u8]) {
    super::settles(data, |document| {
        let read = comps::read("comps.xml", document, &XmlLimits::default()).ok()?;
        Some(comps::write(&read))
    });
}
