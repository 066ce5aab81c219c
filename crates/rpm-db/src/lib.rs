//! Installed packages: the rpm database in SQLite, read and written.
