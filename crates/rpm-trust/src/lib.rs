//! Who may sign what: keyring, policy, verdicts on packages and metadata.
