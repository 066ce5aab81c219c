//! `updateinfo.xml` of a stranger: advisories, read, written and read again.
#![no_main]

use std::ops::ControlFlow;

use libfuzzer_sys::fuzz_target;
use rpm_repo::updateinfo;
use rpm_repo::xml::XmlLimits;

fuzz_target!(|data: &[u8]| fuzz::settles(data, |document| {
    let mut out = String::from(updateinfo::BEGIN);
    let limits = XmlLimits::default();
    let read = updateinfo::read("updateinfo.xml", document, &limits, &mut |advisory| {
        assert!(!advisory.id.is_empty());
        updateinfo::write_advisory(&advisory, &mut out);
        ControlFlow::Continue(())
    });
    read.ok()?;
    out.push_str(updateinfo::END);
    Some(out)
}));
