//! createrepo and its friends.

fn main() {}
