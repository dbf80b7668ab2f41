//! What a consumer sees of an event, and where none can go.

use core::slice;
use core::time::Duration;

use rdkafka::message::Message;
use tessera_app::{Occasion, Publisher, Receipt, StoredEvent};
use tessera_contract::values;
use tessera_domain::{EventKind, Fact, Subject};
use tokio::time::timeout;

use crate::publisher;
use crate::topic::{self, header};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn key_and_headers_say_what_the_body_says() {
    let topic = topic::on_shared().await;
    let (event, replay) = (stored(1), stored(2));
    let publisher = publisher(&topic.brokers, &topic.name);
    assert_eq!(
        publisher.publish(&[&event], Occasion::News).await,
        [Receipt::Sent]
    );
    assert_eq!(
        publisher.publish(&[&replay], Occasion::Replay).await,
        [Receipt::Sent]
    );

    let records = topic.records().await;
    let find = |event: &StoredEvent| {
        let body = event.body.as_bytes();
        records
            .iter()
            .find(|record| record.payload() == Some(body))
            .unwrap()
    };
    let record = find(&event);
    let key = format!("{}:user/{}", event.tenant, values::id::<()>(1));
    assert_eq!(record.key(), Some(key.as_bytes()));
    let id = event.id.to_string();
    let tenant = event.tenant.to_string();
    for (name, value) in [
        (
            "content-type",
            "application/cloudevents+json; charset=UTF-8",
        ),
        ("ce_specversion", "1.0"),
        ("ce_id", &id),
        ("ce_source", "urn:tessera"),
        ("ce_type", "PasswordChanged"),
        ("ce_subject", &event.subject),
        ("ce_time", "2026-01-01T00:00:00.123457Z"),
        ("ce_tenantid", &tenant),
        ("ce_sequence", "7"),
        ("ce_position", "1"),
    ] {
        assert_eq!(header(record, name), Some(value), "{name}");
        if let Some(attribute) = name.strip_prefix("ce_") {
            let member = format!("\"{attribute}\":\"{value}\"");
            assert!(event.body.contains(&member), "{member} in {}", event.body);
        }
    }
    assert_eq!(header(record, "tessera-replay"), None);
    assert_eq!(header(find(&replay), "tessera-replay"), Some("true"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_waits_for_a_topic_that_does_not_exist() {
    let topic = topic::absent();
    let publisher = publisher(&topic.brokers, &topic.name);
    let event = stored(1);
    let unknown = Receipt::Held("the topic does not exist".to_owned());
    for _ in 0..2 {
        assert_eq!(
            publisher.publish(&[&event], Occasion::News).await,
            slice::from_ref(&unknown)
        );
    }
    topic.create(&[]).await;
    let sent = async {
        while publisher.publish(&[&event], Occasion::News).await != [Receipt::Sent] {
            tokio::task::yield_now().await;
        }
    };
    timeout(HANG, sent).await.expect("it is never sent");
    assert!(!topic.records().await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_set_that_is_too_large_each_event_is_sent_alone() {
    let topic = topic::on_shared_with(&[("max.message.bytes", "2000")]).await;
    let publisher = publisher(&topic.brokers, &topic.name);
    let events: Vec<StoredEvent> = (1..=500).map(stored).collect();
    let events: Vec<&StoredEvent> = events.iter().collect();
    let receipts = publisher.publish(&events, Occasion::News).await;
    let refused = receipts.iter().find(|receipt| **receipt != Receipt::Sent);
    assert_eq!(refused, None);
    assert_eq!(topic.records().await.len(), 500);
}

/// The event of that place, of a user of its own.
pub(crate) fn stored(position: u32) -> StoredEvent {
    let fact = Fact {
        subject: Subject::User(values::id(position)),
        sequence: 7,
        kind: EventKind::PasswordChanged,
    };
    let event = values::event(position, &values::tenant("Acme"), fact);
    let encoded = tessera_wire::encode(&event);
    let position = u64::from(position);
    StoredEvent {
        position,
        id: event.id,
        tenant: event.tenant,
        subject: encoded.subject,
        sequence: event.fact.sequence,
        event_type: encoded.event_type.to_owned(),
        at: event.at,
        body: tessera_wire::with_position(&encoded.body, position),
    }
}

const HANG: Duration = Duration::from_mins(1);
