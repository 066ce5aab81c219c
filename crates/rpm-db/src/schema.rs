//! Tables of `rpmdb.sqlite` (docs/reference/rpmdb.md, 2.2; the same from rpm 4.16 to 6.1).

use std::time::Duration;

/// How long a busy database is waited for; rpm waits as long.
pub const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// How long closing waits for readers before it leaves the log to the next writer.
pub(crate) const CLOSE_TIMEOUT: Duration = Duration::from_millis(100);
/// Bytes of a header; longer values in the database are not even read.
pub const MAX_HEADER: u32 = 256 << 20;
/// Pages in the write-ahead log before SQLite copies them into the database; rpm's number.
pub(crate) const CHECKPOINT_PAGES: u32 = 10_000;

/// An index table of the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)] // Named after the tag that each is made from.
pub enum IndexTable {
    Name,
    Basenames,
    Group,
    Requirename,
    Providename,
    Conflictname,
    Obsoletename,
    Triggername,
    Dirnames,
    Installtid,
    Sigmd5,
    Sha1header,
    Filetriggername,
    Transfiletriggername,
    Recommendname,
    Suggestname,
    Supplementname,
    Enhancename,
}

impl IndexTable {
    /// All tables in the order in which rpm creates them.
    pub const ALL: [Self; 18] = [
        Self::Name,
        Self::Basenames,
        Self::Group,
        Self::Requirename,
        Self::Providename,
        Self::Conflictname,
        Self::Obsoletename,
        Self::Triggername,
        Self::Dirnames,
        Self::Installtid,
        Self::Sigmd5,
        Self::Sha1header,
        Self::Filetriggername,
        Self::Transfiletriggername,
        Self::Recommendname,
        Self::Suggestname,
        Self::Supplementname,
        Self::Enhancename,
    ];

    /// The table's name.
    pub const fn table(self) -> &'static str {
        match self {
            Self::Name => "Name",
            Self::Basenames => "Basenames",
            Self::Group => "Group",
            Self::Requirename => "Requirename",
            Self::Providename => "Providename",
            Self::Conflictname => "Conflictname",
            Self::Obsoletename => "Obsoletename",
            Self::Triggername => "Triggername",
            Self::Dirnames => "Dirnames",
            Self::Installtid => "Installtid",
            Self::Sigmd5 => "Sigmd5",
            Self::Sha1header => "Sha1header",
            Self::Filetriggername => "Filetriggername",
            Self::Transfiletriggername => "Transfiletriggername",
            Self::Recommendname => "Recommendname",
            Self::Suggestname => "Suggestname",
            Self::Supplementname => "Supplementname",
            Self::Enhancename => "Enhancename",
        }
    }

    /// The header tag that the keys come from.
    pub const fn tag(self) -> u32 {
        match self {
            Self::Name => 1000,
            Self::Basenames => 1117,
            Self::Group => 1016,
            Self::Requirename => 1049,
            Self::Providename => 1047,
            Self::Conflictname => 1054,
            Self::Obsoletename => 1090,
            Self::Triggername => 1066,
            Self::Dirnames => 1118,
            Self::Installtid => 1128,
            Self::Sigmd5 => 261,
            Self::Sha1header => 269,
            Self::Filetriggername => 5069,
            Self::Transfiletriggername => 5079,
            Self::Recommendname => 5046,
            Self::Suggestname => 5049,
            Self::Supplementname => 5052,
            Self::Enhancename => 5055,
        }
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
