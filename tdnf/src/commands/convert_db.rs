//! `convert-db`: an rpm database of an old format becomes one of SQLite.

use rpm_db::{Backend, Db, DbLocation};

use super::{Command, Needs};
use crate::args::options::{self, of};
use crate::change;
use crate::error::{Code, Failure, Outcome};
use crate::session::Session;
use crate::view::conversion::Conversion;

pub(super) const COMMAND: Command = Command {
    name: "convert-db",
    options: &[of::<options::ChangeOptions>()],
    example: "convert-db",
    about: "Convert a Berkeley DB or ndb rpm database to SQLite, and keep the old files",
    needs: Needs::Lock,
    run,
    never_dry: true,
    ..Command::PLAIN
};

fn run(session: &Session<'_>, _: &[String]) -> Outcome<u8> {
    let location = session.db_location()?;
    match location.backend {
        Backend::Ndb if rpm_db::wants_ndb(&location) => {
            let line = format!(
                "{} stays: the rpm of this root is set to ndb (_db_backend), and each change leaves it so",
                location.file().display()
            );
            session.printer.info(&line);
            return Err(Code::CLI_NOTHING_TO_DO.into());
        }
        Backend::Bdb | Backend::Ndb => {}
        Backend::Sqlite => return sqlite(session, &location),
        Backend::None => {
            let path = location.dir.clone();
            return Err(Failure::from(rpm_db::DbError::Missing { path }));
        }
    }
    let db = Db::open_read(&location)?;
    change::refuse_old_rpm(&location, &db)?;
    session.printer.show(&Conversion {
        database: location.file(),
        headers: db.count()?,
        kept: rpm_db::kept_directory(&location),
    });
    drop(db);
    session.confirm()?;
    if session.settings.test_only {
        return Ok(0);
    }
    let lock = session.database_lock(&location)?;
    session
        .interrupt
        .during(crate::interrupt::Phase::Committed, || {
            rpm_db::convert(&location)
        })?;
    drop(lock);
    session.printer.info("Converted.");
    Ok(0)
}

/// Nothing is to be converted, unless an earlier run was stopped.
fn sqlite(session: &Session<'_>, location: &DbLocation) -> Outcome<u8> {
    let printer = session.printer;
    if !session.settings.test_only && rpm_db::wants_ndb(location) {
        change::follow_rpm(session)?;
        let file = session.db_location()?.file();
        printer.info(&format!("The rpm database is now {}", file.display()));
        return Ok(0);
    }
    if !session.settings.test_only && finish(session, location)? {
        return Ok(0);
    }
    printer.info(&format!(
        "{} is a SQLite database already",
        location.file().display()
    ));
    Err(Code::CLI_NOTHING_TO_DO.into())
}

/// Ends a conversion that was stopped when the new database was in its place.
fn finish(session: &Session<'_>, location: &DbLocation) -> Outcome<bool> {
    let _lock = session.database_lock(location)?;
    let finished = rpm_db::finish_conversion(location)?;
    if finished {
        let kept = rpm_db::kept_directory(location);
        let line = format!(
            "The conversion that was stopped is finished; the old files are in {}.",
            kept.display()
        );
        session.printer.info(&line);
    }
    Ok(finished)
}
