//! A file of lines that are on the disk once they are written.

use core::time::Duration;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread;

/// Appends lines to a file, and begins a new one at its size.
pub(crate) struct Lines {
    path: PathBuf,
    limit: u64,
    file: Option<File>,
    /// How often a lock is tried for.
    attempts: u32,
}

impl Lines {
    pub(crate) fn new(path: PathBuf, limit: u64) -> Self {
        Self {
            path,
            limit,
            file: None,
            attempts: ATTEMPTS,
        }
    }

    /// Writes whole lines and waits for the disk: all of them, or an error and none that stays.
    pub(crate) fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        let file = self.current()?;
        let written = write(&file, lines);
        if written.is_ok() {
            self.file = Some(file);
        }
        // Where it failed the file is looked at afresh the next time; dropping it unlocks it.
        written
    }

    /// The file at the path, locked against other processes, ending with a whole line, and not
    /// beyond its size.
    fn current(&mut self) -> io::Result<File> {
        loop {
            let file = match self.file.take() {
                Some(file) => file,
                None => open(&self.path)?,
            };
            lock(&file, self.attempts)?;
            // Another process may have moved it away while this one waited.
            if !is_at(&file, &self.path)? {
                continue;
            }
            let length = repair(&file)?;
            if length < self.limit {
                return Ok(file);
            }
            self.rotate()?;
        }
    }

    fn rotate(&self) -> io::Result<()> {
        for number in (1..KEPT).rev() {
            match fs::rename(self.numbered(number), self.numbered(number + 1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                Ok(()) | Err(_) => {}
            }
        }
        fs::rename(&self.path, self.numbered(1))
    }

    fn numbered(&self, number: u8) -> PathBuf {
        let mut path = self.path.clone().into_os_string();
        path.push(format!(".{number}"));
        path.into()
    }
}

/// Another process holds the lock for as long as a write takes; one that is stopped, for ever.
fn lock(file: &File, attempts: u32) -> io::Result<()> {
    for _ in 0..attempts {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) => thread::sleep(PAUSE),
        }
    }
    Err(io::Error::new(
        io::ErrorKind::WouldBlock,
        "another process keeps it locked",
    ))
}

fn write(mut file: &File, lines: &[u8]) -> io::Result<()> {
    let before = file.metadata()?.len();
    let written = file.write_all(lines).and_then(|()| file.sync_data());
    if written.is_err() {
        // If this fails too, the part of a line that is left goes with the next repair.
        let _ = file.set_len(before);
    }
    let unlocked = file.unlock();
    written.and(unlocked)
}

fn open(path: &Path) -> io::Result<File> {
    let exists = path.exists();
    let file = OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)?;
    if !exists {
        // The name of a new file is in its folder, which has to reach the disk as well.
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
    }
    Ok(file)
}

fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let opened = file.metadata()?;
    match fs::metadata(path) {
        Ok(there) => Ok((there.dev(), there.ino()) == (opened.dev(), opened.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Cuts off what a crash left of a line; answers the length.
fn repair(mut file: &File) -> io::Result<u64> {
    let length = file.metadata()?.len();
    let (mut whole, mut block) = (length, Vec::new());
    while whole > 0 {
        let begin = whole.saturating_sub(BLOCK);
        block.clear();
        file.seek(SeekFrom::Start(begin))?;
        file.take(whole - begin).read_to_end(&mut block)?;
        let ends = block.iter().rposition(|byte| *byte == b'\n');
        whole = begin;
        if let Some(end) = ends.and_then(|end| u64::try_from(end).ok()) {
            whole += end + 1;
            break;
        }
    }
    if whole < length {
        file.set_len(whole)?;
    }
    Ok(whole)
}

const ATTEMPTS: u32 = 1_000;
const BLOCK: u64 = 4_096;
const KEPT: u8 = 10;
const PAUSE: Duration = Duration::from_millis(5);

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(folder: &tempfile::TempDir, limit: u64) -> Lines {
        Lines::new(folder.path().join("e"), limit)
    }

    fn text(folder: &tempfile::TempDir, name: &str) -> String {
        fs::read_to_string(folder.path().join(name)).unwrap()
    }

    #[test]
    fn a_line_that_a_crash_cut_off_goes_before_the_next_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let long = "x".repeat(10_000);
        let (torn, whole) = (format!("a\n{long}"), format!("{long}\n"));
        let repaired = format!("{whole}c\n");
        for (left, expected) in [
            (&*torn, "a\nc\n"),
            (&whole, &repaired),
            (&long, "c\n"),
            ("a\nb", "a\nc\n"),
            ("b", "c\n"),
            ("", "c\n"),
            ("a\n", "a\nc\n"),
        ] {
            fs::write(folder.path().join("e"), left).unwrap();
            lines(&folder, 100_000).append(b"c\n").unwrap();
            assert_eq!(text(&folder, "e"), expected);
        }
    }

    #[test]
    fn at_its_size_a_new_file_is_begun_and_ten_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let mut lines = lines(&folder, 3);
        for line in 1..=13 {
            lines.append(format!("{line:02}\n").as_bytes()).unwrap();
        }
        assert_eq!(text(&folder, "e"), "13\n");
        assert_eq!(text(&folder, "e.1"), "12\n");
        assert_eq!(text(&folder, "e.10"), "03\n");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 11);
    }

    #[test]
    fn a_file_that_was_moved_away_is_followed_by_a_new_one() {
        let folder = tempfile::tempdir().unwrap();
        let [mut one, mut other] = [lines(&folder, 5), lines(&folder, 5)];
        one.append(b"one\n").unwrap();
        other.append(b"two\n").unwrap();
        other.append(b"three\n").unwrap();
        one.append(b"four\n").unwrap();
        assert_eq!(text(&folder, "e.2"), "one\ntwo\n");
        assert_eq!(text(&folder, "e.1"), "three\n");
        assert_eq!(text(&folder, "e"), "four\n");
        fs::remove_file(folder.path().join("e")).unwrap();
        one.append(b"five\n").unwrap();
        assert_eq!(text(&folder, "e"), "five\n");
    }

    #[test]
    fn a_file_that_another_process_keeps_locked_is_not_waited_for_for_ever() {
        let folder = tempfile::tempdir().unwrap();
        let mut lines = lines(&folder, 5);
        lines.attempts = 1;
        lines.append(b"one\n").unwrap();
        let stopped = File::open(folder.path().join("e")).unwrap();
        stopped.lock().unwrap();
        assert!(lines.append(b"two\n").is_err());
        drop(stopped);
        lines.append(b"two\n").unwrap();
        assert_eq!(text(&folder, "e"), "one\ntwo\n");
    }

    #[test]
    fn a_file_is_its_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        lines(&folder, 5).append(b"one\n").unwrap();
        let mode = fs::metadata(folder.path().join("e")).unwrap().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
