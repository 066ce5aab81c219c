//! The tables (docs/reference/tdnf.md, 17).

/// Makes what is missing. C tdnf makes the same tables, on demand and without indexes.
pub(super) const CREATE: &str = "
CREATE TABLE IF NOT EXISTS rpms(Id INTEGER PRIMARY KEY AUTOINCREMENT, nevra TEXT);
CREATE TABLE IF NOT EXISTS transactions(Id INTEGER PRIMARY KEY AUTOINCREMENT,
    cookie TEXT, cmdline TEXT, timestamp INTEGER, type INTEGER);
CREATE TABLE IF NOT EXISTS trans_items(Id INTEGER PRIMARY KEY AUTOINCREMENT,
    trans_id INTEGER, type INTEGER, rpm_id INTEGER);
CREATE TABLE IF NOT EXISTS names(Id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT);
CREATE TABLE IF NOT EXISTS flag_set(Id INTEGER PRIMARY KEY AUTOINCREMENT,
    trans_id INTEGER, name_id INTEGER, value INTEGER);
";

/// Transactions that did not happen. C tdnf knows nothing of this table and leaves it alone; in
/// its own tables such a row would be a change without a change.
pub(super) const CREATE_FAILURES: &str = "
CREATE TABLE IF NOT EXISTS failed_transactions(Id INTEGER PRIMARY KEY AUTOINCREMENT,
    after_trans INTEGER, cmdline TEXT, timestamp INTEGER, reason TEXT)";

/// The transaction that is being made: one at most. C tdnf leaves these tables alone, too.
pub(super) const CREATE_BEGUN: &str = "
CREATE TABLE IF NOT EXISTS begun_transaction(Id INTEGER PRIMARY KEY,
    cookie TEXT, cmdline TEXT, timestamp INTEGER);
CREATE TABLE IF NOT EXISTS begun_items(Id INTEGER PRIMARY KEY, type INTEGER, nevra TEXT);
CREATE TABLE IF NOT EXISTS begun_flags(Id INTEGER PRIMARY KEY, name TEXT, value INTEGER);
CREATE TABLE IF NOT EXISTS begun_weak(Id INTEGER PRIMARY KEY, nevra TEXT, weakness TEXT)";

/// Packages that came with a weak signature which was admitted. C tdnf leaves this table alone, too.
pub(super) const CREATE_WEAK: &str = "
CREATE TABLE IF NOT EXISTS weak_signatures(Id INTEGER PRIMARY KEY AUTOINCREMENT,
    trans_id INTEGER, nevra TEXT, weakness TEXT)";

/// Names whose newest flag says auto-installed. Beside `MAX`, SQLite takes the other columns from the
/// row that has it (its documentation of SELECT, "bare columns"); a subquery for each row would
/// read the table as often as it has rows.
pub(super) const AUTO_NAMES: &str = "
SELECT names.name
FROM (SELECT name_id, value, MAX(Id) FROM flag_set GROUP BY name_id) AS newest
JOIN names ON names.Id = newest.name_id
WHERE newest.value = 1";

/// Items of all transactions in order, with the kind of item.
pub(super) const ITEMS: &str = "
SELECT transactions.type, transactions.Id, trans_items.type, rpms.nevra
FROM transactions JOIN trans_items ON trans_items.trans_id = transactions.Id
JOIN rpms ON rpms.Id = trans_items.rpm_id
ORDER BY transactions.Id, trans_items.Id";
