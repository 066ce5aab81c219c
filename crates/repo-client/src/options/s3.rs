//! How object stores are spoken to: what the environment says, and what a repository says.

use std::fmt;
use std::path::{Path, PathBuf};

use rpm_repo::config::S3Style;

/// How one repository's buckets are reached: its keys `s3_endpoint`, `s3_region`, `s3_style`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct S3Access {
    /// URL of the server; none is the environment's, else that of AWS in the region.
    pub endpoint: Option<String>,
    /// Region that requests are signed for; none is the environment's, else `us-east-1`.
    pub region: Option<String>,
    /// None: in the path where a server is named, else in the host.
    pub style: Option<S3Style>,
}

/// What the environment says of object stores, read by the caller. Its debug output tells nothing: keys are in it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct S3Environment {
    /// `AWS_ENDPOINT_URL_S3`, else `AWS_ENDPOINT_URL`.
    pub endpoint: Option<String>,
    /// `AWS_ENDPOINT_URL_STS`, else `AWS_ENDPOINT_URL`: who gives keys for a web identity.
    pub identity_endpoint: Option<String>,
    /// `AWS_REGION`, else `AWS_DEFAULT_REGION`.
    pub region: Option<String>,
    /// `AWS_ACCESS_KEY_ID`.
    pub key_id: Option<String>,
    /// `AWS_SECRET_ACCESS_KEY`.
    pub secret: Option<String>,
    /// `AWS_SESSION_TOKEN`.
    pub session_token: Option<String>,
    /// `AWS_PROFILE`: the section of the two files; none is `default`.
    pub profile: Option<String>,
    /// `AWS_SHARED_CREDENTIALS_FILE`, else `~/.aws/credentials`.
    pub credentials_file: Option<PathBuf>,
    /// `AWS_CONFIG_FILE`, else `~/.aws/config`.
    pub config_file: Option<PathBuf>,
    /// `AWS_ROLE_ARN`: the role that the web identity takes.
    pub role: Option<String>,
    /// `AWS_WEB_IDENTITY_TOKEN_FILE`.
    pub identity_file: Option<PathBuf>,
    /// `AWS_ROLE_SESSION_NAME`.
    pub session_name: Option<String>,
}

impl S3Environment {
    /// Server and region alone: whoever signs is somebody else.
    #[must_use]
    pub fn without_keys(&self) -> Self {
        Self {
            endpoint: self.endpoint.clone(),
            region: self.region.clone(),
            ..Self::default()
        }
    }

    /// Whether it names a key, or may.
    pub fn has_keys(&self) -> bool {
        let file = self.credentials_file.as_ref();
        self.key_id.is_some() || self.role.is_some() || file.is_some_and(|file| file.is_file())
    }
}

impl fmt::Debug for S3Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("S3Environment(***)")
    }
}

impl S3Environment {
    /// From the variables (`variable` gives the value of one; an empty one counts as none) and the user's home directory.
    pub fn of(variable: &dyn Fn(&str) -> Option<String>, home: Option<&Path>) -> Self {
        let text = |name: &str| variable(name).filter(|value| !value.is_empty());
        let file = |name: &str, below: &str| {
            let named = text(name).map(PathBuf::from);
            named.or_else(|| home.map(|home| home.join(".aws").join(below)))
        };
        let endpoint = || text("AWS_ENDPOINT_URL");
        Self {
            endpoint: text("AWS_ENDPOINT_URL_S3").or_else(endpoint),
            identity_endpoint: text("AWS_ENDPOINT_URL_STS").or_else(endpoint),
            region: text("AWS_REGION").or_else(|| text("AWS_DEFAULT_REGION")),
            key_id: text("AWS_ACCESS_KEY_ID"),
            secret: text("AWS_SECRET_ACCESS_KEY"),
            session_token: text("AWS_SESSION_TOKEN"),
            profile: text("AWS_PROFILE"),
            credentials_file: file("AWS_SHARED_CREDENTIALS_FILE", "credentials"),
            config_file: file("AWS_CONFIG_FILE", "config"),
            role: text("AWS_ROLE_ARN"),
            identity_file: text("AWS_WEB_IDENTITY_TOKEN_FILE").map(PathBuf::from),
            session_name: text("AWS_ROLE_SESSION_NAME"),
        }
    }
}
