//! The two files that tools of object stores share: `~/.aws/credentials` and `~/.aws/config`.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::PoisonError;

use rustix::fs::OFlags;

use super::memory::Memory;
use crate::client::Client;
use crate::error::Cause;
use crate::options::S3Environment;

/// Most bytes of each file.
const MAX_FILE: u64 = 1 << 20;
/// The profile where none is named.
const DEFAULT: &str = "default";

/// What both files say under the name of one profile, that of the credentials above.
pub(super) type Profile = HashMap<String, String>;

/// The profile of the environment; empty where there are no files.
///
/// # Errors
/// A file cannot be read, or there is none of a profile that is named.
pub(super) fn read(env: &S3Environment) -> Result<Profile, Cause> {
    let name = env.profile.as_deref().unwrap_or(DEFAULT);
    let in_config = match name {
        DEFAULT => DEFAULT.to_owned(),
        other => format!("profile {other}"),
    };
    let mut found = None::<Profile>;
    let files = [
        (&env.config_file, in_config.as_str()),
        (&env.credentials_file, name),
    ];
    for (path, section) in files {
        let Some(path) = path else { continue };
        if let Some(values) = text_of(path)?.and_then(|text| section_of(&text, section)) {
            found.get_or_insert_default().extend(values);
        }
    }
    match (found, &env.profile) {
        (None, Some(name)) => {
            let files = [&env.credentials_file, &env.config_file];
            let files = files.into_iter().flatten();
            let files: Vec<String> = files.map(|path| path.display().to_string()).collect();
            Err(Cause::Settings(format!(
                "no profile {name} (AWS_PROFILE) in {}",
                files.join(" and ")
            )))
        }
        (found, _) => Ok(found.unwrap_or_default()),
    }
}

/// Endpoint and region of the profile, read once.
pub(super) fn server(client: &Client) -> Result<(Option<String>, Option<String>), Cause> {
    let memory = client.kept::<Memory>();
    let kept = memory.server.lock();
    let mut kept = kept.unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = &*kept {
        return Ok(known.clone());
    }
    let mut profile = read(client.s3_environment())?;
    let known = (profile.remove("endpoint_url"), profile.remove("region"));
    Ok(kept.insert(known).clone())
}

/// Its text is in no error: keys are in it.
fn text_of(path: &Path) -> Result<Option<String>, Cause> {
    let opened = whole_file::open_named(path, OFlags::RDONLY);
    let bytes = opened.and_then(|(file, _)| whole_file::read_up_to(file, MAX_FILE));
    match bytes {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(error) => Err(Cause::Settings(format!("{}: {error}", path.display()))),
    }
}

/// The values of a section; none if there is none. Lines that are set in belong to the key above them.
fn section_of(text: &str, section: &str) -> Option<Profile> {
    let mut found = None::<Profile>;
    let mut is_inside = false;
    for line in text.lines() {
        let bare = line.trim();
        if let Some(rest) = line.strip_prefix('[') {
            let name = rest.split(']').next().unwrap_or_default();
            is_inside = name.split_whitespace().eq(section.split_whitespace());
            if is_inside {
                found.get_or_insert_default();
            }
        } else if is_inside
            && !bare.starts_with(['#', ';'])
            && !line.starts_with([' ', '\t'])
            && let Some((key, value)) = bare.split_once('=')
            && let Some(values) = &mut found
        {
            // A comment behind a value begins with a blank.
            let value = value.split(" #").next().unwrap_or_default();
            let value = value.split(" ;").next().unwrap_or_default().trim();
            if !value.is_empty() {
                values.insert(key.trim().to_ascii_lowercase(), value.to_owned());
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_are_read_as_other_tools_do() {
        let dir = tempfile::tempdir().unwrap();
        let (config, credentials) = (dir.path().join("config"), dir.path().join("credentials"));
        std::fs::write(
            &config,
            "# c\n[default]\nregion = a-1\n[profile  site]\nregion=b-2 # there\ns3 =\n  addressing_style = path\nendpoint_url = http://h\n",
        )
        .unwrap();
        std::fs::write(
            &credentials,
            "[default]\naws_access_key_id=D\n[site]\nAWS_ACCESS_KEY_ID = S\naws_secret_access_key = a=b/c+d\n",
        )
        .unwrap();
        let env = |profile: Option<&str>| S3Environment {
            profile: profile.map(str::to_owned),
            config_file: Some(config.clone()),
            credentials_file: Some(credentials.clone()),
            ..S3Environment::default()
        };
        let site = read(&env(Some("site"))).unwrap();
        let mut shown: Vec<String> = site.iter().map(|(k, v)| format!("{k}:{v}")).collect();
        shown.sort();
        assert_eq!(
            shown,
            [
                "aws_access_key_id:S",
                "aws_secret_access_key:a=b/c+d",
                "endpoint_url:http://h",
                "region:b-2"
            ]
        );
        assert_eq!(read(&env(None)).unwrap().len(), 2);
        assert!(read(&S3Environment::default()).unwrap().is_empty());
        let none = read(&env(Some("other"))).unwrap_err().to_string();
        assert!(
            none.starts_with("no profile other (AWS_PROFILE) in /"),
            "{none}"
        );
    }
}
