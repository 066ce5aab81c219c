//! `modules.yaml` of a stranger: counted line by line, and read as what decides over packages.

use rpm_repo::modules::{self, ModuleIndex};

/// One input.
pub fn run(data: &[u8]) {
    let _ = modules::read("modules.yaml", data);
    let _ = ModuleIndex::read("modules.yaml", data);
}
