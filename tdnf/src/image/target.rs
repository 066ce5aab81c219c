//! Where an image goes.

use std::path::{Path, PathBuf};

use crate::error::{Failure, Outcome};
use crate::near::nearest;

/// The tag of an image whose target names none.
pub(super) const TAG: &str = "latest";
/// Longest tag, by the specification of the distribution API.
const MAX_TAG: usize = 128;

/// The path that means standard output.
const STDOUT: &str = "-";

/// The kinds of targets, by their names.
const KINDS: [&str; 5] = ["oci", "oci-archive", "docker-archive", "tar", "dir"];

/// Where an image goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// An OCI image layout, and the tag in it.
    Oci(PathBuf, String),
    /// The same in a tar file.
    OciArchive(PathBuf, String),
    /// What `docker load` reads, and the name that the image gets there.
    DockerArchive(PathBuf, Option<String>),
    /// The tree as a tar file.
    Tar(PathBuf),
    /// The same to standard output.
    Stdout,
    /// The tree as a folder.
    Dir(PathBuf),
}

impl Target {
    /// Reads `KIND:PATH[:TAG]`.
    ///
    /// # Errors
    /// Another kind, no path, a tag that registries do not take.
    pub fn parse(text: &str) -> Outcome<Self> {
        let wrong = |why: &str| Failure::invalid(format!("--output={text}: {why}"));
        let known = KINDS.join(":PATH, ");
        let (kind, rest) = text
            .split_once(':')
            .ok_or_else(|| wrong(&format!("the targets are {known}:PATH")))?;
        if rest.is_empty() || rest.starts_with(':') {
            return Err(wrong("a path is expected behind the colon"));
        }
        if rest == STDOUT {
            return match kind {
                "tar" => Ok(Self::Stdout),
                _ => Err(wrong("tar: alone goes to standard output")),
            };
        }
        let tagged = || -> Outcome<(PathBuf, String)> {
            // As other tools read it: a layout could have more in its names, and no registry takes them.
            let (path, tag) = rest.split_once(':').unwrap_or((rest, TAG));
            match is_tag(tag) {
                true => Ok((path.into(), tag.to_owned())),
                false => Err(wrong(
                    "behind the second colon is the tag, of letters, digits, '_', '.' and '-', 128 of them at most",
                )),
            }
        };
        Ok(match kind {
            "oci" => tagged().map(|(path, tag)| Self::Oci(path, tag))?,
            "oci-archive" => tagged().map(|(path, tag)| Self::OciArchive(path, tag))?,
            "docker-archive" => match rest.split_once(':') {
                Some((path, name)) if is_name(name) => {
                    Self::DockerArchive(path.into(), Some(with_tag(name)))
                }
                Some(_) => return Err(wrong("a name as `example.com/group/name:tag` is expected")),
                None => Self::DockerArchive(rest.into(), None),
            },
            "tar" => Self::Tar(rest.into()),
            "dir" => Self::Dir(rest.into()),
            other => {
                let near = nearest(other, KINDS);
                let near =
                    near.map_or_else(String::new, |near| format!("; did you mean '{near}'?"));
                return Err(wrong(&format!("the targets are {known}:PATH{near}")));
            }
        })
    }

    /// The file or folder.
    pub fn path(&self) -> &Path {
        match self {
            Self::Oci(path, _)
            | Self::OciArchive(path, _)
            | Self::DockerArchive(path, _)
            | Self::Tar(path)
            | Self::Dir(path) => path,
            Self::Stdout => Path::new(STDOUT),
        }
    }

    /// Whether it holds a tree alone, without layers and without what an image says of itself.
    pub fn is_flat(&self) -> bool {
        matches!(self, Self::Tar(_) | Self::Stdout | Self::Dir(_))
    }
}

fn is_tag(tag: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    let first = tag.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
    first && tag.len() <= MAX_TAG && tag.chars().all(plain)
}

/// Whether `docker load` takes a name: a repository, with or without a tag.
fn is_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_.-/:".contains(c);
    let (repository, tag) = split(name);
    !repository.is_empty() && repository.chars().all(plain) && tag.is_none_or(is_tag)
}

fn split(name: &str) -> (&str, Option<&str>) {
    match name.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => (repository, Some(tag)),
        _ => (name, None),
    }
}

fn with_tag(name: &str) -> String {
    match split(name).1 {
        Some(_) => name.to_owned(),
        None => format!("{name}:{TAG}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_have_a_kind_a_path_and_some_a_tag() {
        let parse = |text| Target::parse(text).map_err(|failure| failure.details.join(" "));
        assert_eq!(
            parse("oci:/x/y"),
            Ok(Target::Oci("/x/y".into(), "latest".into()))
        );
        assert_eq!(
            parse("oci:y:1.0"),
            Ok(Target::Oci("y".into(), "1.0".into()))
        );
        assert_eq!(parse("tar:-"), Ok(Target::Stdout));
        assert_eq!(parse("tar:a:b"), Ok(Target::Tar("a:b".into())));
        let named = Some("a.example:5000/b/c:latest".to_owned());
        assert_eq!(
            parse("docker-archive:x.tar:a.example:5000/b/c"),
            Ok(Target::DockerArchive("x.tar".into(), named))
        );
        for wrong in [
            "x",
            "oci:",
            "oci::t",
            "oic:x",
            "oci:x:-",
            "oci:a:b/c",
            "oci:a:b:c",
            "oci:-",
            "dir:-",
            "docker-archive:x:A b",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
        assert!(parse("oic:x").unwrap_err().contains("did you mean 'oci'?"));
    }
}
