//! Events that no queue is bound for, and queues that take no more.

use lapin::options::QueueDeclareOptions;
use lapin::types::{AMQPValue, FieldTable};
use tessera_app::{Occasion, Publisher, Receipt, StoredEvent};
use tessera_rabbitmq::{Mandatory, RabbitMqPublisher, RabbitMqSettings};

use crate::server::{VirtualHost, client, either, event, next, publisher, settings};

#[tokio::test]
async fn of_a_batch_those_without_a_route_are_held_and_no_others() {
    let corner = VirtualHost::new();
    let publisher = publisher(corner.url());
    send(&publisher, &event(1)).await;
    corner.rebind("#", "user.#").await;
    // Many, so that one answer of the broker is for several.
    let batch: Vec<StoredEvent> = (2..1_500).map(either).collect();
    for _ in 0..3 {
        let events: Vec<&StoredEvent> = batch.iter().collect();
        let receipts = publisher.publish(&events, Occasion::News).await;
        for (event, receipt) in batch.iter().zip(receipts) {
            let held = event.event_type == "TenantCreated";
            let expected = matches!(receipt, Receipt::Held(_)) == held;
            assert!(
                expected && (held || receipt == Receipt::Sent),
                "{receipt:?}"
            );
        }
    }
}

#[tokio::test]
async fn an_event_without_a_route_arrives_once_there_is_one() {
    let corner = VirtualHost::new();
    let publisher = publisher(corner.url());
    send(&publisher, &event(1)).await;
    assert!(next(&corner.url()).await.is_some());
    corner.rebind("#", "nothing").await;
    let receipts = publisher.publish(&[&event(2)], Occasion::News).await;
    let [Receipt::Held(reason)] = receipts.as_slice() else {
        panic!("{receipts:?}");
    };
    assert!(reason.contains("NO_ROUTE"), "{reason}");
    assert!(next(&corner.url()).await.is_none());
    corner.rebind("nothing", "#").await;
    send(&publisher, &event(2)).await;
    let message = next(&corner.url()).await.unwrap();
    assert_eq!(message.data, event(2).body.into_bytes());
}

#[tokio::test]
async fn where_a_route_is_not_asked_for_an_event_without_one_is_sent() {
    let corner = VirtualHost::new();
    let publisher = RabbitMqPublisher::new(RabbitMqSettings {
        mandatory: Mandatory::Off,
        ..settings(corner.url())
    })
    .unwrap();
    send(&publisher, &event(1)).await;
    corner.rebind("#", "nothing").await;
    send(&publisher, &event(2)).await;
    assert!(next(&corner.url()).await.is_some());
    assert!(next(&corner.url()).await.is_none());
}

#[tokio::test]
async fn an_event_for_a_full_queue_is_held_and_arrives_once_there_is_room() {
    let corner = VirtualHost::new();
    let mut arguments = FieldTable::default();
    arguments.insert("x-max-length".into(), AMQPValue::LongInt(1));
    let overflow = AMQPValue::LongString("reject-publish".into());
    arguments.insert("x-overflow".into(), overflow);
    {
        let (_connection, channel) = client(&corner.url()).await;
        let options = QueueDeclareOptions::durable();
        let declared = channel.queue_declare("all-events".into(), options, arguments);
        declared.await.unwrap();
    }
    let publisher = publisher(corner.url());
    send(&publisher, &event(1)).await;
    let receipts = publisher.publish(&[&event(2)], Occasion::News).await;
    assert!(matches!(&*receipts, [Receipt::Held(_)]), "{receipts:?}");
    assert!(next(&corner.url()).await.is_some());
    send(&publisher, &event(2)).await;
}

async fn send(publisher: &RabbitMqPublisher, event: &StoredEvent) {
    let receipts = publisher.publish(&[event], Occasion::News).await;
    assert_eq!(receipts, [Receipt::Sent]);
}
