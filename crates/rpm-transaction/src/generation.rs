//! Generations of rpm, where scriptlets can tell them apart.
//!
//! A package expects its scriptlets to be called as by the rpm of the system it was made for, so
//! the rules are those of the rpm that is installed in the root (docs/reference/transactions.md, 3.3 to 3.6).

/// A range of versions of rpm with the same rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Generation {
    /// Up to 4.17.
    Rpm4_16,
    /// 4.18 and 4.19: `$1` of %posttrans counts the replaced package.
    Rpm4_18,
    /// 4.20: file triggers are told how many packages there are.
    Rpm4_20,
    /// 6.0 and later: of a file trigger's two owners in an upgrade one runs it, a failing
    /// %triggerun stops the transaction, and records are written in the form of version 6.
    Rpm6,
}

impl Generation {
    /// The generation of a version such as `4.18.0`; what cannot be read counts as 4.18.
    pub fn of_version(version: &str) -> Generation {
        let mut numbers = version.split(['.', '~', '^']).map(str::parse::<u32>);
        let (major, minor) = match (numbers.next(), numbers.next()) {
            (Some(Ok(major)), Some(Ok(minor))) => (major, minor),
            (Some(Ok(major)), _) => (major, 0),
            _ => return Generation::Rpm4_18,
        };
        match (major, minor) {
            // 5.99 is the numbering of the previews of 6.
            (5.., _) => Generation::Rpm6,
            (4, 20..) => Generation::Rpm4_20,
            (4, 18..) => Generation::Rpm4_18,
            _ => Generation::Rpm4_16,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Generation;

    #[test]
    fn versions_have_generations() {
        for (version, generation) in [
            ("4.14.3", Generation::Rpm4_16),
            ("4.16.1.2", Generation::Rpm4_16),
            ("4.18.0", Generation::Rpm4_18),
            ("4.19.1.1", Generation::Rpm4_18),
            ("4.20.1", Generation::Rpm4_20),
            ("5.99.90", Generation::Rpm6),
            ("6.0~rc1", Generation::Rpm6),
            ("6.1.0", Generation::Rpm6),
            ("unknown", Generation::Rpm4_18),
        ] {
            assert_eq!(Generation::of_version(version), generation, "{version}");
        }
    }
}
