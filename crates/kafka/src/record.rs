//! How an event looks as a record.

use rdkafka::message::{Header, OwnedHeaders};
use tessera_app::{Occasion, StoredEvent};

/// The events of an aggregate share a key, and so a partition.
pub(crate) fn key(event: &StoredEvent) -> String {
    format!("{}:{}", event.tenant, event.subject)
}

/// What stands beside the event: what kind of text it is, the attributes of the event under the
/// names of the Kafka binding's binary mode, and whether it is a replay.
pub(crate) fn headers(event: &StoredEvent, occasion: Occasion) -> OwnedHeaders {
    let headers = [
        ("content-type", CONTENT_TYPE),
        ("ce_specversion", "1.0"),
        ("ce_id", &event.id.to_string()),
        ("ce_source", tessera_wire::SOURCE),
        ("ce_type", &event.event_type),
        ("ce_subject", &event.subject),
        ("ce_time", &tessera_wire::time(event.at)),
        ("ce_tenantid", &event.tenant.to_string()),
        ("ce_sequence", &event.sequence.to_string()),
        ("ce_position", &event.position.to_string()),
    ];
    let replay = match occasion {
        Occasion::News => None,
        Occasion::Replay => Some(("tessera-replay", "true")),
    };
    let all = OwnedHeaders::new_with_capacity(headers.len() + 1);
    headers
        .into_iter()
        .chain(replay)
        .fold(all, |all, (key, value)| {
            all.insert(Header {
                key,
                value: Some(value),
            })
        })
}

const CONTENT_TYPE: &str = "application/cloudevents+json; charset=UTF-8";
