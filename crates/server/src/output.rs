//! What a command prints: a table for people, or one JSON document for programs.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::Value;

use crate::failure::Failure;

/// How the answer of a command is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Output {
    /// As JSON.
    Json,
    /// As text that is easy to read.
    Text,
}

impl Output {
    /// One thing: an object, or a line for each of its members.
    pub(crate) fn one(self, thing: &impl Serialize) -> Result<(), Failure> {
        match self {
            Self::Json => document(thing),
            Self::Text => {
                let value = value(thing)?;
                let members = value.as_object().into_iter().flatten();
                let rows: Vec<Vec<String>> = members
                    .map(|(name, value)| vec![name.clone(), cell(value)])
                    .collect();
                write(&aligned(&rows))
            }
        }
    }

    /// Several things of a kind: an array, or a table of these columns.
    pub(crate) fn many(self, columns: &[&str], things: &[impl Serialize]) -> Result<(), Failure> {
        match self {
            Self::Json => document(&things),
            Self::Text => {
                let head = columns.iter().map(|name| name.to_uppercase()).collect();
                let mut rows = vec![head];
                for thing in things {
                    let value = value(thing)?;
                    let of = |column: &&str| value.get(*column).map(cell).unwrap_or_default();
                    rows.push(columns.iter().map(of).collect());
                }
                write(&aligned(&rows))
            }
        }
    }
}

/// One thing as a line of a table of these columns, as wide as it alone needs.
pub(crate) fn line(columns: &[&str], thing: &impl Serialize) -> Result<String, Failure> {
    let value = value(thing)?;
    let of = |column: &&str| value.get(*column).map(cell).unwrap_or_default();
    Ok(aligned(&[columns.iter().map(of).collect()]))
}

/// A JSON document, whatever is asked for.
pub(crate) fn document(thing: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(thing).map_err(|error| Failure::because(&error))?;
    write(&(text + "\n"))
}

/// Text as it is.
pub(crate) fn write(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        // Who closes a pipe has read enough.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::because(&error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn value(thing: &impl Serialize) -> Result<Value, Failure> {
    serde_json::to_value(thing).map_err(|error| Failure::because(&error))
}

fn cell(value: &Value) -> String {
    match value {
        Value::Array(values) => values.iter().map(cell).collect::<Vec<_>>().join(", "),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Null => "-".to_owned(),
        Value::Number(_) | Value::Object(_) => value.to_string(),
        Value::String(text) => text.chars().map(printable).collect(),
    }
}

/// A name that somebody else chose must not speak to the terminal.
fn printable(c: char) -> char {
    if c.is_control() { '\u{fffd}' } else { c }
}

fn aligned(rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let mut text = String::new();
    for row in rows {
        let padded = row
            .iter()
            .enumerate()
            .map(|(column, cell)| format!("{cell:0$}", width(column)));
        text.push_str(padded.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [["NAME", "N"], ["ädäm", "1"], ["a", "10"]];
        let rows: Vec<Vec<String>> = rows.map(|row| row.map(str::to_owned).into()).into();
        assert_eq!(aligned(&rows), "NAME  N\nädäm  1\na     10\n");
    }

    #[test]
    fn a_cell_cannot_speak_to_the_terminal() {
        assert_eq!(cell(&Value::from("a\u{1b}[2J")), "a\u{fffd}[2J");
        assert_eq!(cell(&serde_json::json!(["a", null, true])), "a, -, yes");
    }
}
