//! A session with Postgres, by its own client.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::Failure;

/// A session; it ends with this value.
pub(crate) struct Psql {
    child: Child,
    asks: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Psql {
    /// A session with the database at `url`, by the `psql` of the folder `bin`.
    pub(crate) fn open(bin: &Path, url: &str) -> Result<Self, Failure> {
        let mut child = Command::new(bin.join("psql"))
            .args(["-XAtq", "-v", "ON_ERROR_STOP=1", url])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let asks = child.stdin.take().ok_or("no input")?;
        let answers = BufReader::new(child.stdout.take().ok_or("no output")?);
        Ok(Self {
            child,
            asks,
            answers,
        })
    }

    /// The rows of the answers, a line each, with `|` between the columns.
    pub(crate) fn ask(&mut self, sql: &str) -> Result<Vec<String>, Failure> {
        writeln!(self.asks, "{sql};\nSELECT '{END}';")?;
        self.asks.flush()?;
        let mut rows = Vec::new();
        loop {
            let mut row = String::new();
            if self.answers.read_line(&mut row)? == 0 {
                return Err("psql ended, see its words above".into());
            }
            match row.trim_end() {
                END => return Ok(rows),
                row => rows.push(row.to_owned()),
            }
        }
    }

    /// The one number that is the answer.
    pub(crate) fn number(&mut self, sql: &str) -> Result<i64, Failure> {
        let rows = self.ask(sql)?;
        let row = rows.last().ok_or("an answer without a row")?;
        Ok(row.parse()?)
    }
}

impl Drop for Psql {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const END: &str = "-- end --";
