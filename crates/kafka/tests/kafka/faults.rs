//! What a real broker does too seldom to be tried: one inside the process does it when told.

use core::slice;
use core::time::Duration;
use std::time::Instant;

use rdkafka::mocking::MockCluster;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use tessera_app::{Occasion, Publisher, Receipt};

use crate::publisher;
use crate::records::stored;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_producer_takes_over_from_one_that_lost_its_place() {
    let cluster = MockCluster::new(1).unwrap();
    let publisher = publisher(&cluster.bootstrap_servers(), "events");
    let (event, next) = (stored(1), stored(2));
    cluster.request_errors(
        RDKafkaApiKey::Produce,
        &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER],
    );
    let receipts = publisher.publish(&[&event], Occasion::News).await;
    let lost = Receipt::Unavailable("the producer lost its place, another takes over".to_owned());
    assert_eq!(receipts, [lost]);
    let receipts = publisher.publish(&[&event, &next], Occasion::News).await;
    assert_eq!(receipts, [Receipt::Sent, Receipt::Sent]);
}

/// One real broker always has as many replicas as a topic of it can ask for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_waits_for_enough_replicas() {
    let cluster = MockCluster::new(1).unwrap();
    let publisher = publisher(&cluster.bootstrap_servers(), "events");
    cluster.request_errors(
        RDKafkaApiKey::Produce,
        &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS; 20],
    );
    let few = Receipt::Held("fewer replicas are in sync than the topic asks for".to_owned());
    let event = stored(1);
    for _ in 0..2 {
        let receipts = publisher.publish(&[&event], Occasion::News).await;
        assert_eq!(receipts, slice::from_ref(&few));
    }
    cluster.clear_request_errors(RDKafkaApiKey::Produce);
    let receipts = publisher.publish(&[&event], Occasion::News).await;
    assert_eq!(receipts, [Receipt::Sent]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_not_write_to_the_topic_holds_the_event() {
    let cluster = MockCluster::new(1).unwrap();
    let publisher = publisher(&cluster.bootstrap_servers(), "events");
    cluster.request_errors(
        RDKafkaApiKey::Produce,
        &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED],
    );
    let receipts = publisher.publish(&[&stored(1)], Occasion::News).await;
    assert_eq!(
        receipts,
        [Receipt::Held("we may not write to the topic".to_owned())]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn brokers_that_are_known_to_be_away_are_not_waited_for_long() {
    let cluster = MockCluster::new(1).unwrap();
    let publisher = publisher(&cluster.bootstrap_servers(), "events");
    assert_eq!(
        publisher.publish(&[&stored(1)], Occasion::News).await,
        [Receipt::Sent]
    );
    cluster.broker_down(1).unwrap();
    let away = Receipt::Unavailable("a broker cannot be reached".to_owned());
    for _ in 0..2 {
        #[expect(
            clippy::disallowed_methods,
            reason = "how long it takes is what is tried"
        )]
        let start = Instant::now();
        let receipts = publisher.publish(&[&stored(2)], Occasion::News).await;
        assert_eq!(receipts, slice::from_ref(&away));
        #[expect(
            clippy::disallowed_methods,
            reason = "how long it takes is what is tried"
        )]
        let took = start.elapsed();
        assert!(took < Duration::from_secs(9), "{took:?}");
    }
    cluster.broker_up(1).unwrap();
    assert_eq!(
        publisher.publish(&[&stored(3)], Occasion::News).await,
        [Receipt::Sent]
    );
}
