//! The publisher does what every publisher must do, against a real Kafka, and what is Kafka's alone.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod faults;
mod own;
mod records;
mod security;
mod topic;

use tessera_kafka::{KafkaPublisher, KafkaSecurity, KafkaSettings};

tessera_contract::publisher_suite!(topic::on_shared);

/// A publisher without credentials.
fn publisher(brokers: &str, topic: &str) -> KafkaPublisher {
    KafkaPublisher::new(&settings(brokers, topic)).unwrap()
}

fn settings(brokers: &str, topic: &str) -> KafkaSettings {
    KafkaSettings {
        brokers: brokers.to_owned(),
        topic: topic.to_owned(),
        security: KafkaSecurity::default(),
    }
}
