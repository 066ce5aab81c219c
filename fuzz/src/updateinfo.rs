//! `updateinfo.xml` of a stranger: advisories, read, written and read again.

use std::ops::ControlFlow;

use rpm_repo::updateinfo;
use rpm_repo::xml::XmlLimits;

/// One input.
pub fn run(data: &[u8]) {
    super::settles(data, |document| {
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
    });
}
