//! The line of a request that was answered, written without an event: every request has one, and as
//! an event it costs six times as much, a tenth of all that a small request costs.

use core::cell::RefCell;
use core::fmt::{self, Write};
use core::net::IpAddr;

use tessera_http::{AccessLog, Answered};
use tracing::Level;

use super::buffered::Buffered;
use super::line::{quoted, write_moment};

/// Takes down requests as objects of JSON, each the same to the byte as that of its event.
pub(crate) struct JsonAccessLog(pub(crate) Buffered);

impl AccessLog for JsonAccessLog {
    fn answered(&self, request: &Answered<'_>) {
        if !tracing::event_enabled!(target: Answered::TARGET, Level::INFO) {
            return;
        }
        LINE.with_borrow_mut(|line| {
            line.clear();
            // A text takes everything, and nobody could be told of a log that cannot be written.
            let _ = write(line, request);
            let _ = self.0.add(line);
        });
    }
}

thread_local! {
    /// The memory of the thread's lines.
    static LINE: RefCell<String> = const { RefCell::new(String::new()) };
}

fn write(line: &mut String, request: &Answered<'_>) -> fmt::Result {
    let mut digits = itoa::Buffer::new();
    line.push_str("{\"timestamp\":\"");
    write_moment(line, request.at)?;
    line.push_str("\",\"level\":\"INFO\",\"message\":\"request\",\"method\":\"");
    // Neither a token nor an address nor an id has what would have to be escaped.
    line.push_str(request.method);
    line.push_str("\",\"route\":");
    quoted(line, |text| text.write_str(request.route))?;
    line.push_str(",\"status\":");
    line.push_str(digits.format(request.status));
    line.push_str(",\"micros\":");
    line.push_str(digits.format(request.micros));
    if let Some(client) = request.client {
        line.push_str(",\"client\":\"");
        write_address(line, client)?;
        line.push('"');
    }
    line.push_str(",\"request_id\":\"");
    line.push_str(request.id);
    line.push_str("\",\"target\":\"");
    line.push_str(Answered::TARGET);
    line.push_str("\"}\n");
    Ok(())
}

/// The library writes an address four times slower, since it could be asked to pad it.
fn write_address(line: &mut String, address: IpAddr) -> fmt::Result {
    match address {
        IpAddr::V4(address) => {
            let mut digits = itoa::Buffer::new();
            for (separator, octet) in ["", ".", ".", "."].into_iter().zip(address.octets()) {
                line.push_str(separator);
                line.push_str(digits.format(octet));
            }
            Ok(())
        }
        IpAddr::V6(address) => write!(line, "{address}"),
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use tessera_domain::Timestamp;
    use tessera_http::AccessEvents;
    use tracing_subscriber::EnvFilter;

    use super::super::line::Line;
    use super::*;
    use crate::config::Format;

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

    /// The lines of `request` where `filter` says what is logged: that of its event, and ours.
    fn lines(filter: &str, request: &Answered<'_>) -> Vec<String> {
        let written = Written::default();
        let buffered = Buffered::start(written.clone()).unwrap();
        let subscriber = tracing_subscriber::fmt()
            .with_env_filter(EnvFilter::new(filter))
            .event_format(Line(Format::Json))
            .with_writer(buffered.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            AccessEvents.answered(request);
            JsonAccessLog(buffered.clone()).answered(request);
        });
        drop(buffered.guard());
        let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
        text.split_inclusive('\n').map(str::to_owned).collect()
    }

    fn request() -> Answered<'static> {
        Answered {
            at: Timestamp::from_micros(1_000_000_000_000_042),
            method: "GET",
            route: "/api/users/{id}/",
            status: 200,
            micros: 1_234,
            client: Some([198, 51, 100, 4].into()),
            id: "trace-7",
        }
    }

    #[test]
    fn a_line_is_the_same_as_that_of_its_event() {
        let addresses = ["0.0.0.0", "255.255.255.255", "127.0.0.1", "2001:db8::4"];
        let clients = addresses.map(|address| Answered {
            client: Some(address.parse().unwrap()),
            ..request()
        });
        let others = [
            request(),
            Answered {
                client: None,
                micros: u64::MAX,
                ..request()
            },
            Answered {
                method: "M-SEARCH",
                route: "/a\"quoted\"\\route\n/é",
                status: 503,
                micros: 0,
                ..request()
            },
        ];
        for request in clients.into_iter().chain(others) {
            let lines = lines("info", &request);
            let [event, ours] = &lines[..] else {
                panic!("{lines:?}")
            };
            // The event has another moment, and nobody set the id of the request.
            let begin = r#"{"timestamp":"2001-09-09T01:46:40.000042Z""#;
            let (_, rest) = event.split_at(begin.len());
            let target = r#","target":"#;
            let rest = rest.replace(target, &format!(r#","request_id":"trace-7"{target}"#));
            assert_eq!(*ours, format!("{begin}{rest}"));
        }
    }

    #[test]
    fn a_line_is_left_out_where_its_event_would_be() {
        for (filter, count) in [
            ("info", 2),
            ("warn,tessera_http::access=info", 2),
            ("off", 0),
            ("warn", 0),
            ("info,tessera_http=warn", 0),
        ] {
            assert_eq!(lines(filter, &request()).len(), count, "{filter}");
        }
    }
}
