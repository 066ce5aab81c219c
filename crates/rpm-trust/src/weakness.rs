//! What may be admitted of weak signatures, and what a root's own crypto policy forbids
//! (docs/signatures.md).

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use sequoia_openpgp::policy::StandardPolicy;
use sequoia_policy_config::ConfiguredStandardPolicy;

use crate::TrustError;
use crate::trust;

/// A weakness that a repository can admit for its packages. Vendors have signed so for years.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Weakness {
    /// The signature is made over a SHA-1 digest.
    Sha1,
    /// An RSA key of 1024 to 2047 bits.
    Rsa1024,
    /// The key had expired when it signed.
    Expired,
}

impl Weakness {
    /// All of them.
    pub const ALL: [Weakness; 3] = [Weakness::Sha1, Weakness::Rsa1024, Weakness::Expired];

    /// Its word in `weak_signatures`, JSON and history.
    pub fn word(self) -> &'static str {
        match self {
            Weakness::Sha1 => "sha1",
            Weakness::Rsa1024 => "rsa1024",
            Weakness::Expired => "expired",
        }
    }
}

impl FromStr for Weakness {
    type Err = ();

    fn from_str(word: &str) -> Result<Self, ()> {
        let mut all = Weakness::ALL.into_iter();
        all.find(|weakness| weakness.word() == word).ok_or(())
    }
}

/// Some of the weaknesses; none unless said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Weaknesses(BTreeSet<Weakness>);

impl Weaknesses {
    /// All of them.
    pub fn all() -> Self {
        Weakness::ALL.into_iter().collect()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether all of `others` are among these.
    pub fn covers(&self, others: &Weaknesses) -> bool {
        others.0.is_subset(&self.0)
    }
}

impl FromIterator<Weakness> for Weaknesses {
    fn from_iter<I: IntoIterator<Item = Weakness>>(all: I) -> Self {
        Self(all.into_iter().collect())
    }
}

impl Extend<Weakness> for Weaknesses {
    fn extend<I: IntoIterator<Item = Weakness>>(&mut self, more: I) {
        self.0.extend(more);
    }
}

impl IntoIterator for Weaknesses {
    type Item = Weakness;
    type IntoIter = std::collections::btree_set::IntoIter<Weakness>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// As `weak_signatures` takes it: `sha1,rsa1024`.
impl fmt::Display for Weaknesses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<&str> = self.0.iter().map(|weakness| weakness.word()).collect();
        f.write_str(&words.join(","))
    }
}

/// What the crypto policy of a root lets pass. It forbids; what it allows beyond our own rules has no
/// effect.
#[derive(Debug, Clone)]
pub struct CryptoPolicy(pub(crate) Arc<StandardPolicy<'static>>);

impl CryptoPolicy {
    /// Reads the form of `/etc/crypto-policies/back-ends/rpm-sequoia.config`, which rpm reads, too.
    ///
    /// # Errors
    /// [`TrustError::BadCryptoPolicy`]: the text is not of this form.
    pub fn parse(config: &[u8]) -> Result<Self, TrustError> {
        let mut policy = ConfiguredStandardPolicy::from_policy(trust::strength().clone());
        policy
            .parse_bytes(config)
            .map_err(|error| TrustError::BadCryptoPolicy {
                why: error.to_string(),
            })?;
        Ok(Self(Arc::new(policy.build())))
    }
}
