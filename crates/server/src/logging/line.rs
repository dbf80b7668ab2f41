//! One event as one line, with the id of the request that its thread works for.
//!
//! Written by hand: it costs a third of what the library's own JSON and a span for each request cost
//! together. The line that each request has costs less again where it is JSON: see `access`.

use core::cell::RefCell;
use core::fmt::{self, Write};

use tessera_app::Clock;
use tessera_domain::Timestamp;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::clock::SystemClock;
use crate::config::Format;

/// How a line is written.
pub(crate) struct Line(pub(crate) Format);

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        match self.0 {
            Format::Json => json(writer, event),
            Format::Pretty => text(writer, event, |writer| context.format_fields(writer, event)),
        }
    }
}

/// A flat object: the fields stand beside the rest.
fn json(mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
    let metadata = event.metadata();
    writer.write_str("{\"timestamp\":\"")?;
    write_moment(&mut writer, SystemClock.now())?;
    writer.write_str("\",\"level\":\"")?;
    writer.write_str(metadata.level().as_str())?;
    writer.write_char('"')?;
    let mut members = Members {
        writer: &mut writer,
        written: Ok(()),
    };
    event.record(&mut members);
    members.written?;
    tessera_http::current_request_id(|id| match id {
        None => Ok(()),
        Some(id) => {
            writer.write_str(",\"request_id\":")?;
            quoted(&mut writer, |text| text.write_str(id))
        }
    })?;
    writer.write_str(",\"target\":\"")?;
    writer.write_str(metadata.target())?;
    writer.write_str("\"}\n")
}

/// For people.
fn text(
    mut writer: Writer<'_>,
    event: &Event<'_>,
    fields: impl FnOnce(Writer<'_>) -> fmt::Result,
) -> fmt::Result {
    let metadata = event.metadata();
    write_moment(&mut writer, SystemClock.now())?;
    let level = *metadata.level();
    if writer.has_ansi_escapes() {
        write!(writer, " \x1b[{}m{level:>5}\x1b[0m ", colour(level))?;
    } else {
        write!(writer, " {level:>5} ")?;
    }
    fields(writer.by_ref())?;
    tessera_http::current_request_id(|id| match id {
        None => Ok(()),
        Some(id) => write!(writer, " request_id={id}"),
    })?;
    writeln!(writer)
}

/// The moment as RFC 3339 writes it, UTC, with six digits behind the second. Each thread spells a
/// second once, and not for each line.
pub(super) fn write_moment(writer: &mut impl Write, moment: Timestamp) -> fmt::Result {
    let micros = moment.as_micros();
    let (second, fraction) = (micros.div_euclid(MICROS), micros.rem_euclid(MICROS));
    SPELT.with_borrow_mut(|(of, text)| {
        if *of != Some(second) {
            *text = tessera_http::rfc3339(Timestamp::from_secs(second));
            *of = Some(second);
        }
        writer.write_str(text.strip_suffix('Z').unwrap_or(text))
    })?;
    writer.write_char('.')?;
    // A second is put before it, so that its zeros are kept.
    let mut digits = itoa::Buffer::new();
    writer.write_str(digits.format(MICROS + fraction).split_at(1).1)?;
    writer.write_char('Z')
}

thread_local! {
    static SPELT: RefCell<(Option<i64>, String)> = const { RefCell::new((None, String::new())) };
}

const MICROS: i64 = 1_000_000;

/// As the library paints them.
fn colour(level: Level) -> u8 {
    match level {
        Level::ERROR => 31,
        Level::WARN => 33,
        Level::INFO => 32,
        Level::DEBUG => 34,
        Level::TRACE => 35,
    }
}

/// The fields of an event, each a member.
struct Members<'a, 'w> {
    writer: &'a mut Writer<'w>,
    written: fmt::Result,
}

impl Members<'_, '_> {
    fn member(&mut self, field: &Field, value: impl FnOnce(&mut Writer<'_>) -> fmt::Result) {
        self.written = self.written.and_then(|()| {
            self.writer.write_str(",\"")?;
            self.writer.write_str(field.name())?;
            self.writer.write_str("\":")?;
            value(self.writer)
        });
    }
}

impl Visit for Members<'_, '_> {
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.member(field, |writer| write!(writer, "{value}"));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.member(field, |writer| write!(writer, "{value}"));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.member(field, |writer| write!(writer, "{value}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.member(field, |writer| quoted(writer, |text| text.write_str(value)));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.member(field, |writer| {
            quoted(writer, |text| write!(text, "{value:?}"))
        });
    }
}

/// A text of JSON.
pub(super) fn quoted<W: Write>(
    writer: &mut W,
    text: impl FnOnce(&mut Escaping<'_, W>) -> fmt::Result,
) -> fmt::Result {
    writer.write_char('"')?;
    text(&mut Escaping(writer))?;
    writer.write_char('"')
}

/// Writes into a text of JSON.
pub(super) struct Escaping<'a, W>(&'a mut W);

impl<W: Write> Write for Escaping<'_, W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        // Most need none of it.
        let any = |any, byte| any | special(char::from(byte));
        if !text.bytes().fold(false, any) {
            return self.0.write_str(text);
        }
        for part in text.split_inclusive(special) {
            let plain = part.trim_end_matches(special);
            self.0.write_str(plain)?;
            if let Some(character) = part
                .strip_prefix(plain)
                .and_then(|rest| rest.chars().next())
            {
                write!(self.0, "\\u{:04x}", u32::from(character))?;
            }
        }
        Ok(())
    }
}

/// Whether a text of JSON cannot hold it as it is; none is outside of ASCII.
fn special(character: char) -> bool {
    character.is_ascii_control() || character == '"' || character == '\\'
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use serde_json::{Value, json};

    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What `log` writes in that format.
    fn written(format: Format, log: impl FnOnce()) -> String {
        let written = Written::default();
        let writer = written.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .event_format(Line(format))
            .with_writer(move || writer.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, log);
        let bytes = written.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_line_of_json_is_one_flat_object_whatever_is_in_it() {
        let text = "a \"quoted\" \\ line\nbreak \u{7} é";
        let line = written(Format::Json, || {
            tracing::warn!(text, count = 3_u64, sign = -1_i64, yes = true, debug = ?text, "it is so");
        });
        assert_eq!(line.lines().count(), 1, "{line}");
        let mut object: Value = serde_json::from_str(&line).unwrap();
        let timestamp = object["timestamp"].take();
        assert!(timestamp.as_str().unwrap().ends_with('Z'));
        assert_eq!(
            object,
            json!({
                "timestamp": null,
                "level": "WARN",
                "message": "it is so",
                "text": text,
                "count": 3,
                "sign": -1,
                "yes": true,
                "debug": format!("{text:?}"),
                "target": "tessera::logging::line::tests",
            })
        );
    }

    #[test]
    fn a_moment_has_six_digits_behind_its_second() {
        let spelt = |micros| {
            let mut text = String::new();
            write_moment(&mut text, Timestamp::from_micros(micros)).unwrap();
            text
        };
        for _ in 0..2 {
            assert_eq!(spelt(1_000_000_000_000_042), "2001-09-09T01:46:40.000042Z");
            assert_eq!(spelt(1_000_000_001_999_999), "2001-09-09T01:46:41.999999Z");
        }
        assert_eq!(spelt(-1), "1969-12-31T23:59:59.999999Z");
    }

    #[test]
    fn a_line_for_people_has_the_message_and_the_fields() {
        let line = written(Format::Pretty, || tracing::info!(count = 3, "it is so"));
        let (_, rest) = line.split_once(' ').unwrap();
        assert_eq!(rest, " INFO it is so count=3\n");
    }
}
