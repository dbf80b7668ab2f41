//! A broker in trouble, and messages that are trouble to it.

use core::time::Duration;

use tessera_app::{Occasion, Publisher, Receipt, StoredEvent};
use tessera_rabbitmq::{RabbitMqPublisher, RabbitMqSettings};
use tokio::time::timeout;

use crate::server::{Server, event, next, publisher, settings};

#[tokio::test]
async fn events_that_are_too_large_are_found_among_those_that_are_not() {
    let server = Server::start(10_000).await;
    let publisher = publisher(server.url());
    let batch: Vec<StoredEvent> = (1..40)
        .map(|number| StoredEvent {
            body: "x".repeat(if number % 13 == 0 { 10_001 } else { 10_000 }),
            ..event(number)
        })
        .collect();
    let events: Vec<&StoredEvent> = batch.iter().collect();
    let receipts = publisher.publish(&events, Occasion::News).await;
    for (event, receipt) in batch.iter().zip(&receipts) {
        let rejected = matches!(receipt, Receipt::Rejected(_));
        assert_eq!(rejected, event.body.len() > 10_000, "{receipt:?}");
        assert!(rejected || *receipt == Receipt::Sent, "{receipt:?}");
    }
}

#[tokio::test]
async fn a_blocked_broker_is_unavailable_in_time_and_goes_on_after() {
    let server = Server::start(100_000).await;
    let publisher = RabbitMqPublisher::new(RabbitMqSettings {
        time_out: Duration::from_secs(1),
        ..settings(server.url())
    })
    .unwrap();
    until_sent(&publisher, &event(1)).await;
    server.control(&["set_vm_memory_high_watermark", "0"]).await;
    for number in 2..5 {
        let event = event(number);
        let receipts = timeout(HANG, async {
            publisher.publish(&[&event], Occasion::News).await
        });
        let receipts = receipts.await.unwrap();
        let [Receipt::Unavailable(reason)] = receipts.as_slice() else {
            panic!("{receipts:?}");
        };
        assert!(reason.contains("blocked"), "{reason}");
    }
    let enough = ["set_vm_memory_high_watermark", "absolute", "512MiB"];
    server.control(&enough).await;
    until_sent(&publisher, &event(5)).await;
    let mut arrived = Vec::new();
    while let Some(message) = next(&server.url()).await {
        arrived.push(message.data.clone());
    }
    assert_eq!(arrived.last(), Some(&event(5).body.into_bytes()));
    // What was on its way when the broker was blocked, and nothing that was tried after.
    assert!(arrived.len() <= 3, "{}", arrived.len());
}

#[tokio::test]
async fn a_connection_is_encrypted_for_a_server_with_a_trusted_certificate() {
    let server = Server::start(100_000).await;
    until_sent(&publisher(server.encrypted_url()), &event(1)).await;
    assert!(next(&server.url()).await.is_some());
    let (distrusted, _) = server.encrypted_url().split_once('?').map_or_else(
        || panic!("no parameter"),
        |(address, rest)| (address.to_owned(), rest.to_owned()),
    );
    let receipts = publisher(distrusted)
        .publish(&[&event(2)], Occasion::News)
        .await;
    assert!(
        matches!(&*receipts, [Receipt::Unavailable(reason)] if reason.contains("certificate")),
        "{receipts:?}"
    );
}

async fn until_sent(publisher: &RabbitMqPublisher, event: &StoredEvent) {
    let sent = async {
        while publisher.publish(&[event], Occasion::News).await != [Receipt::Sent] {
            tokio::task::yield_now().await;
        }
    };
    timeout(HANG, sent).await.unwrap();
}

/// What takes longer hangs.
const HANG: Duration = Duration::from_mins(1);
