//! Messages as a consumer sees them.

use lapin::message::BasicGetMessage;
use tessera_app::{Occasion, Publisher, Receipt, StoredEvent};
use tessera_rabbitmq::{Format, RabbitMqPublisher, RabbitMqSettings};

use crate::server::{VirtualHost, event, next, publisher, settings};

#[tokio::test]
async fn a_message_says_what_it_is_and_keeps_the_event_as_it_is() {
    let corner = VirtualHost::new();
    let publisher = publisher(corner.url());
    let message = sent(&corner, &publisher, Occasion::News).await;
    assert_eq!(message.exchange.as_str(), "events");
    assert_eq!(message.routing_key.as_str(), "user.logged.in");
    let properties = &message.properties;
    let text = |value: &Option<lapin::types::ShortString>| value.clone().map(String::from);
    let says = |text: Option<String>, what: &str| assert_eq!(text.as_deref(), Some(what));
    says(text(properties.app_id()), "tessera");
    says(
        text(properties.content_type()),
        "application/cloudevents+json",
    );
    says(text(properties.message_id()), &event(1).id.to_string());
    says(text(properties.kind()), "UserLoggedIn");
    assert_eq!(properties.delivery_mode(), &Some(2));
    assert_eq!(properties.timestamp(), &Some(1_767_225_600));
    assert_eq!(properties.content_encoding(), &None);
    assert_eq!(properties.headers(), &None);
    assert_eq!(message.data, event(1).body.into_bytes());
}

#[tokio::test]
async fn a_replay_says_so_in_a_header() {
    let corner = VirtualHost::new();
    let publisher = publisher(corner.url());
    let message = sent(&corner, &publisher, Occasion::Replay).await;
    let headers = message.properties.headers().clone().unwrap();
    assert_eq!(headers.inner().get("tessera-replay"), Some(&true.into()));
    assert_eq!(message.data, event(1).body.into_bytes());
}

#[tokio::test]
async fn a_plain_body_is_flat_and_has_what_every_event_has() {
    let corner = VirtualHost::new();
    let publisher = RabbitMqPublisher::new(RabbitMqSettings {
        format: Format::Plain,
        ..settings(corner.url())
    })
    .unwrap();
    let message = sent(&corner, &publisher, Occasion::News).await;
    let content_type = message.properties.content_type().clone().unwrap();
    assert_eq!(content_type.as_str(), "application/json");
    let event = event(1);
    let user = event.subject.strip_prefix("user/").unwrap();
    let expected = format!(
        "{{\"event\":\"UserLoggedIn\",\"id\":\"{}\",\"session\":null,\"tenant_id\":\"{}\",\
         \"timestamp\":\"2026-01-01T00:00:00.000000Z\",\"user_id\":\"{user}\"}}",
        event.id, event.tenant
    );
    assert_eq!(String::from_utf8(message.data.clone()).unwrap(), expected);
}

#[tokio::test]
async fn an_event_that_cannot_be_a_message_is_rejected_alone() {
    let corner = VirtualHost::new();
    let nameless = StoredEvent {
        event_type: "x".repeat(256),
        ..event(1)
    };
    let (publisher, event) = (publisher(corner.url()), event(2));
    let receipts = publisher
        .publish(&[&nameless, &event], Occasion::News)
        .await;
    assert!(
        matches!(&*receipts, [Receipt::Rejected(_), Receipt::Sent]),
        "{receipts:?}"
    );
}

async fn sent(
    corner: &VirtualHost,
    publisher: &RabbitMqPublisher,
    occasion: Occasion,
) -> BasicGetMessage {
    let receipts = publisher.publish(&[&event(1)], occasion).await;
    assert_eq!(receipts, [Receipt::Sent]);
    next(&corner.url()).await.unwrap()
}
