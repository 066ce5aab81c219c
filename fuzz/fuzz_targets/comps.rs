//! `comps.xml` of a stranger: groups, read, written and read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rpm_repo::comps;
use rpm_repo::xml::XmlLimits;

fuzz_target!(|data: &[u8]| fuzz::settles(data, |document| {
    let read = comps::read("comps.xml", document, &XmlLimits::default()).ok()?;
    Some(comps::write(&read))
}));
