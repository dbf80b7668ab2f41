//! A file that starts anew when it has grown to its size, and keeps those before it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

/// Writes to `log`; at `limit` bytes that becomes `log.1`, and so on to `log.5`.
pub(crate) struct RotatedFile {
    path: PathBuf,
    file: File,
    written: u64,
    limit: u64,
}

impl RotatedFile {
    /// Goes on where the file ends.
    pub(crate) fn open(path: PathBuf, limit: u64) -> io::Result<Self> {
        let file = append(&path)?;
        let written = file.metadata()?.len();
        Ok(Self {
            path,
            file,
            written,
            limit,
        })
    }

    fn rotate(&mut self) -> io::Result<()> {
        for number in (1..KEPT).rev() {
            match fs::rename(self.numbered(number), self.numbered(number + 1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                Ok(()) | Err(_) => {}
            }
        }
        fs::rename(&self.path, self.numbered(1))?;
        self.file = append(&self.path)?;
        self.written = 0;
        Ok(())
    }

    fn numbered(&self, number: u8) -> PathBuf {
        let mut path = self.path.clone().into_os_string();
        path.push(format!(".{number}"));
        path.into()
    }
}

impl Write for RotatedFile {
    /// Takes whole lines, which stay together: more than the limit get a file of their own.
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        let bytes = u64::try_from(lines.len()).unwrap_or(u64::MAX);
        if self.written > 0 && self.written.saturating_add(bytes) > self.limit {
            // A log that grows beyond its size is better than one that ends.
            let _ = self.rotate();
        }
        self.file.write_all(lines)?;
        self.written = self.written.saturating_add(bytes);
        Ok(lines.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn append(path: &PathBuf) -> io::Result<File> {
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o640)
        .open(path)
}

const KEPT: u8 = 5;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_files_are_kept_beside_the_one_that_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut file = RotatedFile::open(path.clone(), 8).unwrap();
        for line in 0..9 {
            file.write_all(format!("line {line}\n").as_bytes()).unwrap();
        }
        drop(file);
        let text = |name: &str| fs::read_to_string(folder.path().join(name)).ok();
        assert_eq!(text("log").unwrap(), "line 8\n");
        assert_eq!(text("log.1").unwrap(), "line 7\n");
        assert_eq!(text("log.5").unwrap(), "line 3\n");
        assert_eq!(text("log.6"), None);

        let mut again = RotatedFile::open(path, 8).unwrap();
        again.write_all(b"next\n").unwrap();
        assert_eq!(text("log.1").unwrap(), "line 8\n");
        assert_eq!(text("log").unwrap(), "next\n");
    }
}
