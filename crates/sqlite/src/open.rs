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

use crate::connection::{APPLICATION_ID, ConnectError, Purpose};
use crate::connection::{application, connect, page_size, patiently, quick_check, settle, touch};
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
    let refused = |error: ConnectError| refused(path, error.to_string());
    let mut writer = connect(path, Purpose::Write, patience).map_err(refused)?;
    let settled =
        patiently(patience, || settle(&mut writer)).map_err(|error| refused(error.into()))?;
    if !settled {
        return Err(OpenError::NoLog(path.to_owned()));
    }
    patiently(patience, || writer.batch_execute("BEGIN IMMEDIATE"))
        .and_then(|()| touch(&mut writer))
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
        Ok(found) if !found.is_file() => return Err(OpenError::NotAFile(path.to_owned())),
        Ok(found) if found.len() > 0 => return Ok(true),
        Ok(_) => (),
        Err(error) if error.kind() == io::ErrorKind::NotFound => (),
        Err(error) => return Err(failed(error)),
    }
    // `SQLite` would throw it away. Nothing of ours writes a log beside an empty file.
    if has_log(path) {
        let what = "it is empty, but its log is not".to_owned();
        return Err(OpenError::Damaged(path.to_owned(), what));
    }
    create(path).map_err(failed)?;
    Ok(false)
}

fn has_log(path: &Path) -> bool {
    log_length(path).is_some_and(|length| length > 0)
}

fn log_length(path: &Path) -> Option<u64> {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    Some(fs::metadata(log).ok()?.len())
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
///
/// Without a log beside it, nobody uses the file: looking at it alone sees everything, and leaves
/// nothing there. With one, the file by itself may be half of what was written.
fn inspect(path: &Path, patience: Duration) -> Result<(), OpenError> {
    let connect =
        |purpose| connect(path, purpose, patience).map_err(|why| refused(path, why.to_string()));
    if log_length(path).is_none() {
        let found = connect(Purpose::InspectAlone).and_then(|mut conn| {
            identify(path, &mut conn)?;
            whole(path, &mut conn)?;
            examine(path, &mut conn)
        });
        if log_length(path).is_none() {
            return found;
        }
    }
    let mut conn = connect(Purpose::Inspect)?;
    identify(path, &mut conn)?;
    examine(path, &mut conn)
}

fn identify(path: &Path, conn: &mut SqliteConnection) -> Result<(), OpenError> {
    let foreign = || OpenError::Foreign(path.to_owned());
    let found = application(conn).map_err(|error| {
        let what = error.to_string();
        if what == NO_DATABASE {
            foreign()
        } else {
            refused(path, what)
        }
    })?;
    (found == APPLICATION_ID).then_some(()).ok_or_else(foreign)
}

/// `SQLite` overlooks that a part of the last page is missing.
fn whole(path: &Path, conn: &mut SqliteConnection) -> Result<(), OpenError> {
    let size = page_size(conn).map_err(|error| refused(path, error.to_string()))?;
    let length = fs::metadata(path).map_or(0, |file| file.len());
    if length.is_multiple_of(size) {
        Ok(())
    } else {
        let what = "its end is missing".to_owned();
        Err(OpenError::Damaged(path.to_owned(), what))
    }
}

fn examine(path: &Path, conn: &mut SqliteConnection) -> Result<(), OpenError> {
    if fs::metadata(path).is_ok_and(|file| file.len() <= QUICKLY_CHECKED) {
        let found = quick_check(conn).map_err(|error| refused(path, error.to_string()))?;
        if let Some(what) = found {
            return Err(OpenError::Damaged(path.to_owned(), what));
        }
    }
    match migrations::is_current(conn) {
        Ok(_) => Ok(()),
        Err(MigrateError::Unavailable(why)) => Err(refused(path, why.0.to_string())),
        Err(why @ (MigrateError::Changed(_) | MigrateError::Newer(_))) => {
            Err(OpenError::Schema(path.to_owned(), why))
        }
    }
}

fn refused(path: &Path, what: String) -> OpenError {
    let path = path.to_owned();
    if DAMAGE.iter().any(|damage| what.contains(damage)) {
        OpenError::Damaged(path, what)
    } else if what.contains("readonly") {
        OpenError::ReadOnly(path)
    } else {
        OpenError::Refused(path, what)
    }
}

/// What `SQLite` says of a file that it cannot read.
const DAMAGE: [&str; 3] = [
    NO_DATABASE,
    "database disk image is malformed",
    "malformed database schema",
];

const NO_DATABASE: &str = "file is not a database";

/// The largest file, in bytes, that is read through at each start: some ten milliseconds.
const QUICKLY_CHECKED: u64 = 2 * 1024 * 1024;
