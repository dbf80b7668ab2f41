//! What an operator made before, and what a user may do.

use lapin::ExchangeKind;
use lapin::options::{ExchangeDeclareOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use tessera_app::{Occasion, Publisher, Receipt};

use crate::server::{VirtualHost, client, event, next, publisher};

#[tokio::test]
async fn a_queue_that_is_there_is_used_as_it_is() {
    let corner = VirtualHost::new();
    declare_queue(&corner, "quorum", QueueDeclareOptions::durable()).await;
    let publisher = publisher(corner.url());
    let receipts = publisher.publish(&[&event(1)], Occasion::News).await;
    assert_eq!(receipts, [Receipt::Sent]);
    let message = next(&corner.url()).await.unwrap();
    assert_eq!(message.data, event(1).body.into_bytes());
}

#[tokio::test]
async fn a_queue_that_does_not_last_is_no_place_for_events() {
    let corner = VirtualHost::new();
    let options = QueueDeclareOptions {
        durable: false,
        ..QueueDeclareOptions::default()
    };
    declare_queue(&corner, "classic", options).await;
    let reason = refusal(corner.url()).await;
    assert!(reason.contains("does not last"), "{reason}");
}

#[tokio::test]
async fn an_exchange_of_another_type_is_named_as_the_reason() {
    let corner = VirtualHost::new();
    declare_exchange(&corner, ExchangeKind::Fanout, FieldTable::default()).await;
    let reason = refusal(corner.url()).await;
    assert!(reason.contains("is no topic exchange"), "{reason}");
}

#[tokio::test]
async fn a_topic_exchange_with_other_arguments_is_used_as_it_is() {
    let corner = VirtualHost::new();
    let mut arguments = FieldTable::default();
    let other = AMQPValue::LongString("others".into());
    arguments.insert("alternate-exchange".into(), other);
    declare_exchange(&corner, ExchangeKind::Topic, arguments).await;
    let publisher = publisher(corner.url());
    let receipts = publisher.publish(&[&event(1)], Occasion::News).await;
    assert_eq!(receipts, [Receipt::Sent]);
}

#[tokio::test]
async fn a_user_who_may_only_write_uses_what_is_there() {
    let corner = VirtualHost::new();
    let may_write = r#"{"configure":"^$","write":"^events$","read":"^$"}"#;
    let url = corner.url_with(may_write);
    let reason = refusal(url.clone()).await;
    assert!(
        reason.contains("ACCESS_REFUSED") && reason.contains("NOT_FOUND"),
        "{reason}"
    );
    let first = publisher(corner.url());
    let receipts = first.publish(&[&event(1)], Occasion::News).await;
    assert_eq!(receipts, [Receipt::Sent]);
    let receipts = publisher(url).publish(&[&event(2)], Occasion::News).await;
    assert_eq!(receipts, [Receipt::Sent]);
}

#[tokio::test]
async fn a_wrong_password_is_named_as_the_reason_and_not_shown() {
    let corner = VirtualHost::new();
    let url = corner.url().replace("guest:guest", "guest:secret");
    let reason = refusal(url).await;
    assert!(reason.contains("ACCESS_REFUSED"), "{reason}");
    assert!(!reason.contains("secret"), "{reason}");
}

#[tokio::test]
async fn a_virtual_host_that_is_not_there_is_named_as_the_reason() {
    let corner = VirtualHost::new();
    let reason = refusal(format!("{}-not", corner.url())).await;
    assert!(reason.contains("vhost"), "{reason}");
}

async fn refusal(url: String) -> String {
    let receipts = publisher(url).publish(&[&event(1)], Occasion::News).await;
    let [Receipt::Unavailable(reason)] = receipts.as_slice() else {
        panic!("{receipts:?}");
    };
    reason.clone()
}

async fn declare_queue(corner: &VirtualHost, kind: &'static str, options: QueueDeclareOptions) {
    let (_connection, channel) = client(&corner.url()).await;
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), AMQPValue::LongString(kind.into()));
    let declared = channel.queue_declare("all-events".into(), options, arguments);
    declared.await.unwrap();
}

async fn declare_exchange(corner: &VirtualHost, kind: ExchangeKind, arguments: FieldTable) {
    let (_connection, channel) = client(&corner.url()).await;
    let options = ExchangeDeclareOptions {
        durable: true,
        ..ExchangeDeclareOptions::default()
    };
    let declared = channel.exchange_declare("events".into(), kind, options, arguments);
    declared.await.unwrap();
}
