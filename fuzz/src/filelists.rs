//! `filelists.xml` and `other.xml` of a stranger, read, written and read again.

use std::ops::ControlFlow;

use rpm_repo::xml::XmlLimits;
use rpm_repo::{filelists, other};

/// One input.
pub fn run(data: &[u8]) {
    super::reads_alike(
        data,
        |stream, each: &mut dyn FnMut(&filelists::FilelistsPackage) -> _| {
            let end = filelists::read("filelists.xml", stream, &XmlLimits::default(), each);
            end.map_err(|error| format!("{error:?}"))
        },
    );
    super::settles(data, |document| {
        let mut out = String::new();
        filelists::begin(1, &mut out);
        let limits = XmlLimits::default();
        let read = filelists::read("filelists.xml", document, &limits, &mut |package| {
            assert_eq!(package.fault(), None);
            filelists::write_package(package, &mut out);
            ControlFlow::Continue(())
        });
        read.ok()?;
        out.push_str(filelists::END);
        Some(out)
    });
    super::settles(data, |document| {
        let mut out = String::new();
        other::begin(1, &mut out);
        let limits = XmlLimits::default();
        let read = other::read("other.xml", document, &limits, &mut |package| {
            assert_eq!(package.fault(), None);
            other::write_package(package, &mut out);
            ControlFlow::Continue(())
        });
        read.ok()?;
        out.push_str(other::END);
        Some(out)
    });
}
