//! Connections to the file, set up alike.

use std::fmt::Write;
use std::path::Path;
use std::thread;
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::result::{ConnectionError, Error};
use diesel::sql_query;
use diesel::sql_types::{Integer, Text};

/// What a connection is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Purpose {
    /// Looks at what is there, and changes nothing.
    Inspect,
    /// Looks at a file that nobody uses and that has no log, and makes no files beside it.
    InspectAlone,
    Read,
    Write,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    #[error(transparent)]
    Connection(#[from] ConnectionError),
    #[error(transparent)]
    Query(#[from] Error),
}

/// Opens the file at `path`, which exists. `patience` is how long a lock of another process is
/// waited for.
pub(crate) fn connect(
    path: &Path,
    purpose: Purpose,
    patience: Duration,
) -> Result<SqliteConnection, ConnectError> {
    let (options, settings) = match purpose {
        Purpose::Inspect => ("mode=ro", ""),
        Purpose::InspectAlone => ("immutable=1", ""),
        Purpose::Read => ("mode=rw", READING),
        Purpose::Write => ("mode=rw", WRITING),
    };
    let mut conn = SqliteConnection::establish(&uri(path, options))?;
    let patience = patience.as_millis();
    conn.batch_execute(&format!("PRAGMA busy_timeout = {patience}; {settings}"))?;
    Ok(conn)
}

/// Whose database it is, as its header says; 0 when it does not say.
pub(crate) fn application(conn: &mut SqliteConnection) -> QueryResult<i32> {
    let header: Header = sql_query("PRAGMA application_id").get_result(conn)?;
    Ok(header.application_id)
}

/// The size of its pages in bytes.
pub(crate) fn page_size(conn: &mut SqliteConnection) -> QueryResult<u64> {
    let header: PageSize = sql_query("PRAGMA page_size").get_result(conn)?;
    Ok(u64::from(header.page_size.unsigned_abs()))
}

/// What is wrong with the first thing that is wrong with it; reads all of it.
pub(crate) fn quick_check(conn: &mut SqliteConnection) -> QueryResult<Option<String>> {
    let found: QuickCheck = sql_query("PRAGMA quick_check(1)").get_result(conn)?;
    let what = found.quick_check.lines().last().unwrap_or_default();
    Ok((what != "ok").then(|| what.to_owned()))
}

/// Marks a new database as ours and turns the write-ahead log on, unless that is done; answers
/// whether the log is on.
///
/// The mark comes first, for what is written once the log is on is not in the file at once. It is
/// written without a journal beside the file, which a kill would leave there.
pub(crate) fn settle(conn: &mut SqliteConnection) -> QueryResult<bool> {
    if application(conn)? != APPLICATION_ID {
        conn.batch_execute(&format!(
            "PRAGMA journal_mode = MEMORY; PRAGMA application_id = {APPLICATION_ID}"
        ))?;
    }
    let mode: JournalMode = sql_query("PRAGMA journal_mode = WAL").get_result(conn)?;
    Ok(mode.journal_mode == "wal")
}

/// Writes what is there already, to see whether it can be written.
pub(crate) fn touch(conn: &mut SqliteConnection) -> QueryResult<()> {
    conn.batch_execute("PRAGMA user_version = 0")
}

/// Tries again while another connection holds a lock, until `patience` is over.
///
/// It asks often: `SQLite`'s own waiting asks ever more seldom, and starves beside a writer that is
/// never idle for long.
pub(crate) fn patiently<T>(
    patience: Duration,
    mut attempt: impl FnMut() -> QueryResult<T>,
) -> QueryResult<T> {
    let mut left = patience;
    loop {
        let outcome = attempt();
        if left.is_zero() || !outcome.as_ref().is_err_and(is_busy) {
            return outcome;
        }
        thread::sleep(PAUSE);
        left = left.saturating_sub(PAUSE);
    }
}

fn is_busy(error: &Error) -> bool {
    matches!(error, Error::DatabaseError(_, said) if said.message() == "database is locked")
}

#[derive(QueryableByName)]
struct Header {
    #[diesel(sql_type = Integer)]
    application_id: i32,
}

#[derive(QueryableByName)]
struct PageSize {
    #[diesel(sql_type = Integer)]
    page_size: i32,
}

#[derive(QueryableByName)]
struct QuickCheck {
    #[diesel(sql_type = Text)]
    quick_check: String,
}

#[derive(QueryableByName)]
struct JournalMode {
    #[diesel(sql_type = Text)]
    journal_mode: String,
}

/// `SQLite`'s own notation for a path with options; it takes any byte that is escaped.
fn uri(path: &Path, options: &str) -> String {
    let mut uri = if path.is_absolute() {
        "file://".to_owned()
    } else {
        "file:".to_owned()
    };
    for &byte in path.as_os_str().as_encoded_bytes() {
        if byte.is_ascii_alphanumeric() || b"/._-~:".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(uri, "%{byte:02x}");
        }
    }
    uri + "?" + options
}

/// "TESS", by which a database of ours is known.
pub(crate) const APPLICATION_ID: i32 = 0x5445_5353;

const PAUSE: Duration = Duration::from_millis(1);

const READING: &str = "
    PRAGMA query_only = ON;
    PRAGMA temp_store = MEMORY;
    PRAGMA trusted_schema = OFF;
";

const WRITING: &str = "
    PRAGMA foreign_keys = ON;
    PRAGMA journal_size_limit = 67108864;
    PRAGMA synchronous = FULL;
    PRAGMA temp_store = MEMORY;
    PRAGMA trusted_schema = OFF;
";
