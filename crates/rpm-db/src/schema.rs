//! Tables of `rpmdb.sqlite` (docs/reference/rpmdb.md, 2.2; the same from rpm 4.16 to 6.1).

use rpm_pkg::header::tag;
use std::time::Duration;

/// How long a busy database is waited for; rpm waits as long.
pub const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// How long closing waits for readers before it leaves the log to the next writer.
pub(crate) const CLOSE_TIMEOUT: Duration = Duration::from_millis(100);
/// Bytes of a header; longer values in the database are not even read.
pub const MAX_HEADER: u32 = 256 << 20;
/// Pages in the write-ahead log before SQLite copies them into the database; rpm's number.
pub(crate) const CHECKPOINT_PAGES: u32 = 10_000;

rpm_pkg::table! {
    /// An index table of the database, in the order in which rpm creates them: its name, and the header tag that its
    /// keys come from.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    #[allow(missing_docs)] // Named after the tag that each is made from.
    pub enum IndexTable: (&'static str, u32) {
        Name => ("Name", tag::NAME),
        Basenames => ("Basenames", tag::BASENAMES),
        Group => ("Group", tag::GROUP),
        Requirename => ("Requirename", tag::REQUIRENAME),
        Providename => ("Providename", tag::PROVIDENAME),
        Conflictname => ("Conflictname", tag::CONFLICTNAME),
        Obsoletename => ("Obsoletename", tag::OBSOLETENAME),
        Triggername => ("Triggername", tag::TRIGGERNAME),
        Dirnames => ("Dirnames", tag::DIRNAMES),
        Installtid => ("Installtid", tag::INSTALLTID),
        Sigmd5 => ("Sigmd5", tag::SIGMD5),
        Sha1header => ("Sha1header", tag::SHA1HEADER),
        Filetriggername => ("Filetriggername", tag::FILETRIGGERNAME),
        Transfiletriggername => ("Transfiletriggername", tag::TRANSFILETRIGGERNAME),
        Recommendname => ("Recommendname", tag::RECOMMENDNAME),
        Suggestname => ("Suggestname", tag::SUGGESTNAME),
        Supplementname => ("Supplementname", tag::SUPPLEMENTNAME),
        Enhancename => ("Enhancename", tag::ENHANCENAME),
    }
}

impl IndexTable {
    /// The table's name.
    pub const fn table(self) -> &'static str {
        self.row().0
    }

    /// The header tag that the keys come from.
    pub const fn tag(self) -> u32 {
        self.row().1
    }

    /// Keys of these tables are bytes, all others text.
    pub const fn is_blob(self) -> bool {
        matches!(self, Self::Installtid | Self::Sigmd5)
    }

    /// Tables made of an array tag are also searched by header number.
    const fn is_array(self) -> bool {
        !matches!(
            self,
            Self::Name | Self::Group | Self::Installtid | Self::Sigmd5 | Self::Sha1header
        )
    }

    /// Rich dependencies have rows for their operands in these tables.
    pub(crate) const fn may_be_rich(self) -> bool {
        matches!(
            self,
            Self::Requirename
                | Self::Conflictname
                | Self::Recommendname
                | Self::Suggestname
                | Self::Supplementname
                | Self::Enhancename
        )
    }
}

/// The statements that create whatever is missing, word for word as rpm 4.18 leaves them in `sqlite_master`.
pub(crate) fn create_statements() -> String {
    let mut sql = String::from(
        "CREATE TABLE IF NOT EXISTS 'Packages' (hnum INTEGER PRIMARY KEY AUTOINCREMENT,blob BLOB NOT NULL);\n",
    );
    for index in IndexTable::ALL {
        let table = index.table();
        let kind = if index.is_blob() { "BLOB" } else { "TEXT" };
        sql += &format!(
            "CREATE TABLE IF NOT EXISTS '{table}' (key '{kind}' NOT NULL, hnum INTEGER NOT NULL, idx INTEGER NOT NULL, FOREIGN KEY (hnum) REFERENCES 'Packages'(hnum));\n"
        );
        if !index.is_blob() {
            sql +=
                &format!("CREATE INDEX IF NOT EXISTS '{table}_key_idx' ON '{table}'(key ASC);\n");
        }
        if index.is_array() {
            sql +=
                &format!("CREATE INDEX IF NOT EXISTS '{table}_hnum_idx' ON '{table}'(hnum ASC);\n");
        }
    }
    sql
}
