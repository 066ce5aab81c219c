//! From URL to verified file, from repository to refreshed metadata.
