//! For tests only: sandbox roots, package and repository builders, a server that misbehaves.
