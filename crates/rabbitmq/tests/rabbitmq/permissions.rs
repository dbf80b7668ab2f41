//! Users who may not write all, or anything.

use tessera_app::{Occasion, Publisher, Receipt, StoredEvent};

use crate::server::{VirtualHost, bodies, either, publisher};

#[tokio::test]
async fn an_event_whose_routing_key_is_forbidden_is_held_alone_until_it_is_allowed() {
    let corner = VirtualHost::new();
    let url = corner.url_with(r#"{"configure":".*","write":".*","read":".*"}"#);
    corner.allow_keys(r"^user\\.");
    let publisher = publisher(url);
    let batch: Vec<StoredEvent> = (1..=1_500).map(either).collect();
    let events: Vec<&StoredEvent> = batch.iter().collect();
    let mut arrived = Vec::new();
    for _ in 0..3 {
        let receipts = publisher.publish(&events, Occasion::News).await;
        assert_eq!(receipts.len(), batch.len());
        for (event, receipt) in batch.iter().zip(receipts) {
            if event.event_type == "TenantCreated" {
                let named = |reason: &str| {
                    reason.contains("ACCESS_REFUSED") && reason.contains("tenant.created")
                };
                assert!(
                    matches!(&receipt, Receipt::Held(reason) if named(reason)),
                    "{receipt:?}"
                );
            } else {
                assert_eq!(receipt, Receipt::Sent);
            }
        }
        arrived.push(bodies(&corner.url()).await.len());
    }
    let [first, second, third] = arrived.as_slice() else {
        panic!("{arrived:?}");
    };
    // What is known to be forbidden takes nothing along that would have to be repeated.
    assert_eq!([second - first, third - second], [1_000; 2]);
    corner.allow_keys(".*");
    let receipts = publisher.publish(&events, Occasion::News).await;
    assert!(receipts.iter().all(|receipt| *receipt == Receipt::Sent));
}

#[tokio::test]
async fn where_nothing_may_be_written_every_event_is_held() {
    let corner = VirtualHost::new();
    let url = corner.url_with(r#"{"configure":".*","write":"^$","read":".*"}"#);
    let publisher = publisher(url);
    let batch: Vec<StoredEvent> = (1..=100).map(either).collect();
    let events: Vec<&StoredEvent> = batch.iter().collect();
    for _ in 0..2 {
        let receipts = publisher.publish(&events, Occasion::News).await;
        assert_eq!(receipts.len(), batch.len());
        for receipt in receipts {
            let Receipt::Held(reason) = receipt else {
                panic!("{receipt:?}");
            };
            assert!(
                reason.contains("ACCESS_REFUSED") && reason.contains("'events'"),
                "{reason}"
            );
        }
    }
    assert!(bodies(&corner.url()).await.is_empty());
}
