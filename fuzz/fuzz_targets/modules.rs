//! `modules.yaml` of a stranger: counted line by line, and read as what decides over packages.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rpm_repo::modules::{self, ModuleIndex};

fuzz_target!(|data: &[u8]| {
    let _ = modules::read("modules.yaml", data);
    let _ = ModuleIndex::read("modules.yaml", data);
});
