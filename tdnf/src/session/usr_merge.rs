//! `/bin/x` is `/usr/bin/x` where the root's `/bin` is a link to `usr/bin`.
//!
//! rpm looks files up by what their folder really is, so that a package that requires one name is
//! content with a package that holds the other. The solver only knows names.

use std::path::Path;

/// Folders that may be links to their namesakes in `/usr`.
const FOLDERS: [&str; 4] = ["bin", "sbin", "lib", "lib64"];

/// The folders that are, in a root.
pub(super) fn merged(root: &Path) -> Vec<&'static str> {
    let is_link = |name: &&str| {
        let target = std::fs::read_link(root.join(name)).unwrap_or_default();
        target == Path::new("/usr").join(name) || target == Path::new("usr").join(name)
    };
    FOLDERS.into_iter().filter(is_link).collect()
}

/// The other name of a path, if it has one.
pub(super) fn other_name(path: &str, merged: &[&str]) -> Option<String> {
    let (prefix, rest) = match path.strip_prefix("/usr/") {
        Some(rest) => ("/", rest),
        None => ("/usr/", path.strip_prefix('/')?),
    };
    let (folder, name) = rest.split_once('/')?;
    let known = merged.contains(&folder) && !name.is_empty();
    known.then(|| format!("{prefix}{rest}"))
}

#[cfg(test)]
mod tests {
    use super::other_name;

    #[test]
    fn paths_have_other_names_only_below_merged_folders() {
        let merged = ["bin", "lib64"];
        let name = |path| other_name(path, &merged);
        assert_eq!(name("/bin/sh").as_deref(), Some("/usr/bin/sh"));
        assert_eq!(name("/usr/bin/sh").as_deref(), Some("/bin/sh"));
        assert_eq!(name("/usr/lib64/a/b").as_deref(), Some("/lib64/a/b"));
        assert_eq!(name("/sbin/x"), None);
        assert_eq!(name("/usr/binary/x"), None);
        assert_eq!(name("/bin"), None);
        assert_eq!(name("sh"), None);
    }
}
