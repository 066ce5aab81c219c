//! `filelists.xml` and `other.xml` of a stranger, read, written and read again.
#![no_main]

use std::ops::ControlFlow;

use libfuzzer_sys::fuzz_target;
use rpm_repo::xml::XmlLimits;
use rpm_repo::{filelists, other};

fuzz_target!(|data: &[u8]| {
    fuzz::settles(data, |document| {
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
    fuzz::settles(data, |document| {
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
});
