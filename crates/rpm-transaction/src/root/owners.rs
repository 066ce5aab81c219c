//! Users and groups of the target root, read from its own files.

use std::collections::HashMap;
use std::io;

use super::RootDir;

/// Names and numbers of the root's `/etc/passwd` and `/etc/group`. A static program has no name
/// service, and the host's users are not the root's.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Owners {
    users: HashMap<Vec<u8>, u32>,
    groups: HashMap<Vec<u8>, u32>,
}

impl Owners {
    /// Reads both files; a missing file has no names.
    ///
    /// # Errors
    /// A file that is there cannot be read.
    pub fn read(root: &RootDir) -> io::Result<Owners> {
        let users = parse(&root.read_small(b"/etc/passwd")?.unwrap_or_default());
        let groups = parse(&root.read_small(b"/etc/group")?.unwrap_or_default());
        Ok(Owners { users, groups })
    }

    /// The number of a user. `root` needs no file: the first packages bring it.
    pub fn uid(&self, name: &[u8]) -> Option<u32> {
        lookup(&self.users, name)
    }

    /// The number of a group.
    pub fn gid(&self, name: &[u8]) -> Option<u32> {
        lookup(&self.groups, name)
    }
}

fn lookup(names: &HashMap<Vec<u8>, u32>, name: &[u8]) -> Option<u32> {
    if name == b"root" {
        Some(0)
    } else {
        names.get(name).copied()
    }
}

/// Name and third field of each line; the first line of a name wins, as in glibc.
fn parse(text: &[u8]) -> HashMap<Vec<u8>, u32> {
    let mut names = HashMap::new();
    for line in text.split(|&b| b == b'\n') {
        let mut fields = line.split(|&b| b == b':');
        let (Some(name), Some(number)) = (fields.next(), fields.nth(1)) else {
            continue;
        };
        let number = std::str::from_utf8(number)
            .ok()
            .and_then(|n| n.parse().ok());
        if let (false, Some(number)) = (name.is_empty(), number) {
            names.entry(name.to_vec()).or_insert(number);
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_line_of_a_name_wins_and_root_needs_no_file() {
        let users = parse(b"a:x:7:7::/:/bin/sh\na:x:8:8::/:\n:x:9\nbad\nb:x:no:1\n");
        let owners = Owners {
            users,
            groups: HashMap::new(),
        };
        assert_eq!(owners.uid(b"a"), Some(7));
        assert_eq!(owners.uid(b"b"), None);
        assert_eq!(owners.uid(b"root"), Some(0));
        assert_eq!(owners.gid(b"root"), Some(0));
    }
}
