//! Opens the file: makes it when there is none, refuses what is not ours, and changes nothing of
//! what it refuses.
//!
//! An existing file is looked at through `SQLite` alone. Closing a handle of our own would let go of
//! the locks that this process holds on the file through other connections (POSIX).

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::Text;

use crate::connection::{APPLICATION_ID, ConnectError, Purpose};
use crate::connection::{application, connect, patiently, settle};
use crate::migrations::{self, MigrateError};

/// Why the file cannot be used. Each is one sentence for the operator; the file is as it was.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It is ours, and parts of it cannot be read.
    #[error("{path} is damaged ({what}) and was left as it is; restore it from a backup", path = .0.display(), what = .1)]
    Damaged(PathBuf, String),
    /// It is another program's, or no database.
    #[error("{path} is not a database of Tessera and was left as it is", path = .0.display())]
    Foreign(PathBuf),
    /// The operating system refuses it.
    #[error("cannot open {path}: {source}", path = .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What was said.
        source: io::Error,
    },
    /// Its file system cannot share memory between processes.
    #[error("{path} is on a file system without shared memory, which SQLite needs; use a local disk", path = .0.display())]
    NoLog(PathBuf),
    /// It is a folder or a device.
    #[error("{path} is not a file", path = .0.display())]
    NotAFile(PathBuf),
    /// It takes no writes.
    #[error("cannot write to {path}", path = .0.display())]
    ReadOnly(PathBuf),
    /// `SQLite` refuses it.
    #[error("cannot open {path}: {what}", path = .0.display(), what = .1)]
    Refused(PathBuf, String),
    /// Its tables are not of this version's making.
    #[error("cannot use {path}: {why}", path = .0.display(), why = .1)]
    Schema(PathBuf, MigrateError),
}

/// The writer's connection and those of `readers` readers.
pub(crate) fn open(
    path: &Path,
    readers: usize,
    patience: Duration,
) -> Result<(SqliteConnection, Vec<SqliteConnection>), OpenError> {
    if exists_with_content(path)? {
        inspect(path, patience)?;
    }
    let refused = |error: ConnectError| refused(path, &error);
    let mut writer = connect(path, Purpose::Write, patience).map_err(refused)?;
    let settled =
        patiently(patience, || settle(&mut writer)).map_err(|error| refused(error.into()))?;
    if !settled {
        return Err(OpenError::NoLog(path.to_owned()));
    }
    patiently(patience, || writer.batch_execute("BEGIN IMMEDIATE"))
        .and_then(|()| writer.batch_execute("ROLLBACK"))
        .map_err(|error| refused(error.into()))?;
    let readers = (0..readers)
        .map(|_| connect(path, Purpose::Read, patience).map_err(refused))
        .collect::<Result<_, _>>()?;
    Ok((writer, readers))
}

/// Whether there is something in the file, which is made when it is missing.
fn exists_with_content(path: &Path) -> Result<bool, OpenError> {
    let failed = |source| OpenError::Io {
        path: path.to_owned(),
        source,
    };
    match fs::metadata(path) {
        Ok(found) if found.is_file() => Ok(found.len() > 0),
        Ok(_) => Err(OpenError::NotAFile(path.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            create(path).map_err(failed)?;
            Ok(false)
        }
        Err(error) => Err(failed(error)),
    }
}

/// Makes the file, for its owner alone; `SQLite` gives the files beside it the same mode.
fn create(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        Ok(_) | Err(_) => (),
    }
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    let folder = folder.unwrap_or(Path::new("."));
    if cfg!(unix) {
        File::open(folder)?.sync_all()
    } else {
        Ok(())
    }
}

/// Refuses what is not ours, damaged, or of a later version.
fn inspect(path: &Path, patience: Duration) -> Result<(), OpenError> {
    let identified =
        connect(path, Purpose::Identify, patience).and_then(|mut conn| Ok(application(&mut conn)?));
    if !identified.is_ok_and(|found| found == APPLICATION_ID) {
        return Err(OpenError::Foreign(path.to_owned()));
    }
    let refused = |error: ConnectError| refused(path, &error);
    let mut conn = connect(path, Purpose::Inspect, patience).map_err(refused)?;
    if fs::metadata(path).is_ok_and(|file| file.len() <= QUICKLY_CHECKED) {
        let found: Vec<QuickCheck> = sql_query("PRAGMA quick_check(1)")
            .load(&mut conn)
            .map_err(|error| refused(error.into()))?;
        if let Some(found) = found.into_iter().find(|found| found.quick_check != "ok") {
            return Err(OpenError::Damaged(path.to_owned(), found.quick_check));
        }
    }
    migrations::is_current(&mut conn)
        .map(|_| ())
        .map_err(|why| OpenError::Schema(path.to_owned(), why))
}

fn refused(path: &Path, error: &ConnectError) -> OpenError {
    let path = path.to_owned();
    let what = error.to_string();
    if DAMAGE.iter().any(|damage| what.contains(damage)) {
        OpenError::Damaged(path, what)
    } else if what.contains("readonly") {
        OpenError::ReadOnly(path)
    } else {
        OpenError::Refused(path, what)
    }
}

#[derive(QueryableByName)]
struct QuickCheck {
    #[diesel(sql_type = Text)]
    quick_check: String,
}

/// What `SQLite` says of a file that it cannot read.
const DAMAGE: [&str; 3] = [
    "database disk image is malformed",
    "file is not a database",
    "malformed database schema",
];

/// The largest file, in bytes, that is read through at each start.
const QUICKLY_CHECKED: u64 = 8 * 1024 * 1024;
