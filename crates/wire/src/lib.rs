//! How an event is written down for others: one `CloudEvents` JSON shape.
//!
//! An event is encoded once, by the commit that stores it, and what is stored is what is sent: a
//! repeat is byte-identical. Only its [`position`](with_position) joins later, for a log gives it
//! out while it stores. Within a type of event, members may be added; none changes its meaning.

#![warn(missing_docs)]

mod asyncapi;
mod audit;
mod data;
mod json;

use tessera_domain::{Event, Subject, Timestamp};

pub use crate::asyncapi::asyncapi;
pub use crate::audit::audit_data;
use crate::json::Object;

/// The type of the event whose entry of the audit trail outlives its tenant: it says who began the
/// deletion.
pub const DELETION_STARTED: &str = "TenantDeletionStarted";

/// The `CloudEvents` `source` of every event.
pub const SOURCE: &str = "urn:tessera";

/// An event as a store keeps it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct EncodedEvent {
    /// The `CloudEvents` `type`.
    pub event_type: &'static str,
    /// The `CloudEvents` `subject`: the aggregate's kind and id.
    pub subject: String,
    /// The whole event as a JSON object.
    pub body: String,
}

/// Writes an event down (`CloudEvents` 1.0, JSON format): the same bytes for the same event.
pub fn encode(event: &Event) -> EncodedEvent {
    let event_type = data::event_type(&event.fact.kind);
    let subject = subject(&event.fact.subject);
    let body = Object::new()
        .text("specversion", "1.0")
        .text("id", &event.id.to_string())
        .text("source", SOURCE)
        .text("type", event_type)
        .text("subject", &subject)
        .text("time", &time(event.at))
        .text("datacontenttype", "application/json")
        .text("tenantid", &event.tenant.to_string())
        .text("sequence", &event.fact.sequence.to_string())
        .object("data", data::of(&event.fact.kind))
        .finish();
    EncodedEvent {
        event_type,
        subject,
        body,
    }
}

/// The event `body` with its place in the log, as the extension `position`.
pub fn with_position(body: &str, position: u64) -> String {
    let open = body.strip_suffix('}').unwrap_or(body);
    format!("{open},\"position\":\"{position}\"}}")
}

/// The routing key of a type on a topic exchange: its words in lower case, joined by dots.
///
/// `user.#` so binds to every type that starts with `User`, `user.*` to those of two words only.
pub fn routing_key(event_type: &str) -> String {
    let mut key = String::new();
    for letter in event_type.chars() {
        if letter.is_ascii_uppercase() && !key.is_empty() {
            key.push('.');
        }
        key.push(letter.to_ascii_lowercase());
    }
    key
}

fn subject(subject: &Subject) -> String {
    match subject {
        Subject::Attempt(id) => format!("attempt/{id}"),
        Subject::Key(id) => format!("key/{id}"),
        Subject::Session(id) => format!("session/{id}"),
        Subject::Tenant(id) => format!("tenant/{id}"),
        Subject::User(id) => format!("user/{id}"),
    }
}

/// RFC 3339 in UTC, to the microsecond; a moment that has no year of four digits becomes the
/// nearest that has. What [`encode`] writes as `time`.
pub fn time(at: Timestamp) -> String {
    let micros = at.as_micros().clamp(FIRST_MICROS, LAST_MICROS);
    let at = jiff::Timestamp::from_microsecond(micros).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    format!("{at:.6}")
}

const FIRST_MICROS: i64 = -62_167_219_200_000_000;
const LAST_MICROS: i64 = 253_402_207_199_999_999;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_always_has_microseconds_and_a_year_of_four_digits() {
        let written = |micros| time(Timestamp::from_micros(micros));
        assert_eq!(written(0), "1970-01-01T00:00:00.000000Z");
        assert_eq!(
            written(1_767_225_600_000_001),
            "2026-01-01T00:00:00.000001Z"
        );
        assert_eq!(written(i64::MIN), "0000-01-01T00:00:00.000000Z");
        assert_eq!(written(i64::MAX), "9999-12-30T21:59:59.999999Z");
    }

    #[test]
    fn a_routing_key_has_each_word_of_the_type() {
        assert_eq!(routing_key("UserCreated"), "user.created");
        assert_eq!(routing_key("UserLoggedIn"), "user.logged.in");
        assert_eq!(routing_key("LoginFailed"), "login.failed");
        assert_eq!(routing_key("SigningKeyRotated"), "signing.key.rotated");
        assert_eq!(routing_key("TenantDomainAdded"), "tenant.domain.added");
        assert_eq!(routing_key("One"), "one");
        assert_eq!(routing_key(""), "");
    }
}
