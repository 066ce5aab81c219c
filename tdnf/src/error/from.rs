//! What the errors of the library crates become.
