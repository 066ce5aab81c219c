//! Installed packages: the rpm database in SQLite, read and written so that rpm 4.16 to 6 cannot tell; those of older
//! rpm (Berkeley DB) and of SUSE (ndb), read, and the latter written as a whole.
//!
//! Source of every rule: `docs/reference/rpmdb.md`, measured on rpm 4.16.1, 4.18.0, 4.20.1 and 6.1.
//!
//! * [`location`]: which directory of a root holds the database, and in which format;
//! * [`Db`]: open, iterate, look up; [`WriteTransaction`]: add, remove, rewrite;
//! * [`index`]: the rows that one header has in the 18 index tables;
//! * [`installed`] and [`pubkey`]: make the header blobs that are stored;
//! * [`key_store`]: where keys are that are not in the database;
//! * [`lock`]: rpm's own transaction lock;
//! * [`check`]: do index rows and headers agree?
//!
//! ```no_run
//! # fn main() -> Result<(), rpm_db::DbError> {
//! use std::path::Path;
//! use rpm_db::{Db, Search, TransactionLock, Wait, create_directory, location};
//!
//! let place = location::find(Path::new("/srv/root"), Search::default())?;
//! create_directory(&place)?;
//! let _lock = TransactionLock::acquire(&place.dir, Wait::Forever, &mut |_pid| true)?;
//! let db = Db::open_write(&place)?;
//! let mut tx = db.begin()?;
//! for (hnum, _header) in db.by_name("old-package")? {
//!     tx.remove(hnum)?;
//! }
//! tx.commit()
//! # }
//! ```

pub mod check;
pub mod index;
pub mod installed;
pub mod key_store;
pub mod location;
pub mod lock;
pub mod pubkey;
pub mod schema;

mod bdb;
mod convert;
mod error;
mod macro_files;
mod ndb;
mod open;
mod read;
mod record_file;
mod root;
mod write;

pub use convert::{
    back_to_ndb, convert, convert_for_change, finish_conversion, follow_rpm, kept_directory,
    wants_ndb,
};
pub use error::{DbError, is_out_of_memory};
pub use installed::{FileState, InstallFacts, InstalledHeader, StoredSignature};
pub use key_store::KeyStore;
pub use location::{Backend, DatabaseSearch, DbLocation};
pub use lock::{TransactionLock, Wait};
pub use macro_files::{MAX_MACRO_FILE, MacroFile, MacroSet, is_macro_file, macro_of};
pub use open::{Db, create_directory, make_reproducible};
pub use read::{Damaged, Match, Snapshot, cookie};
pub use schema::IndexTable;
pub use write::WriteTransaction;
