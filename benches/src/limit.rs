//! A control group with a memory limit.

use std::fs;
use std::path::{Path, PathBuf};

/// A group of our own; removed at the end.
pub(crate) struct Group(pub PathBuf);

impl Group {
    /// A group that gets `bytes` of memory, page cache included; `None` where we may not make one.
    pub(crate) fn new(bytes: u64) -> Option<Group> {
        let name = format!("tdnf-bench-{}", std::process::id());
        let places = [
            ("/sys/fs/cgroup", "memory.max"),
            ("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
        ];
        places.iter().find_map(|(top, file)| {
            let top = Path::new(top);
            // Only version 2 has this file, and there the controller must be switched on.
            let _ = fs::write(top.join("cgroup.subtree_control"), "+memory");
            let group = Group(top.join(&name));
            fs::create_dir(&group.0).ok()?;
            let limit = group.0.join(file);
            (limit.exists() && fs::write(limit, bytes.to_string()).is_ok()).then_some(group)
        })
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}
