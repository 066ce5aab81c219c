//! `primary.xml` of a stranger: what was read is written by createrepo and mergerepo, and read again.

use std::ops::ControlFlow;

use rpm_repo::primary::{self, PrimaryPackage};
use rpm_repo::xml::XmlLimits;

/// One input.
pub fn run(data: &[u8]) {
    super::reads_alike(
        data,
        |stream, each: &mut dyn FnMut(&PrimaryPackage) -> _| {
            let end = primary::read("primary.xml", stream, &XmlLimits::default(), each);
            end.map_err(|error| format!("{error:?}"))
        },
    );
    super::settles(data, |document| {
        let mut out = String::new();
        primary::begin(1, &mut out);
        let mut each = |package: &PrimaryPackage| {
            assert_eq!(package.fault(), None);
            // Where it would be fetched from, and kept.
            if package.location_fault().is_none() {
                assert!(!package.location().split('/').any(|part| part == ".."));
                assert!(!package.location().starts_with('/'));
            }
            let _ = (package.digest(), package.header_range());
            primary::write_package(package, &mut out);
            ControlFlow::Continue(())
        };
        primary::read("primary.xml", document, &XmlLimits::default(), &mut each).ok()?;
        out.push_str(primary::END);
        Some(out)
    });
}
