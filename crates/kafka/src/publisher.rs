//! The publisher: a producer at a time, and receipts for its reports.

use core::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;
use tessera_app::{Occasion, Publisher, Receipt, StoredEvent};

use crate::outcome::{in_company, receipt};
use crate::producer::Producer;
use crate::reach::Reach;
use crate::settings::{KafkaSettings, KafkaSettingsError};

/// Sends events to one topic of a Kafka.
///
/// A call ends within 16 seconds, twice the time that is given to a record: some may be sent a
/// second time. It ends in a few seconds while the brokers are known to be away.
pub struct KafkaPublisher {
    topic: String,
    config: ClientConfig,
    reach: Arc<Reach>,
    producer: Mutex<Arc<Producer>>,
}

impl KafkaPublisher {
    /// A publisher with these settings; it connects by and by, and does not wait for that.
    pub fn new(settings: &KafkaSettings) -> Result<Self, KafkaSettingsError> {
        Ok(Self::over(settings.config()?, settings.topic.clone())?)
    }

    fn over(config: ClientConfig, topic: String) -> Result<Self, KafkaError> {
        let reach = Arc::new(Reach::new());
        let producer = Producer::new(&config, &reach)?;
        Ok(Self {
            topic,
            config,
            reach,
            producer: Mutex::new(Arc::new(producer)),
        })
    }

    /// The producer, or another where that one lost its place.
    fn producer(&self) -> Result<Arc<Producer>, KafkaError> {
        let mut producer = self.producer.lock().unwrap_or_else(PoisonError::into_inner);
        if producer.is_lost() {
            *producer = Arc::new(Producer::new(&self.config, &self.reach)?);
        }
        Ok(Arc::clone(&producer))
    }

    /// A producer whose record sets have one record each. It is slow, and so only made when needed.
    fn one_by_one(&self) -> Result<Producer, KafkaError> {
        let mut config = self.config.clone();
        config.set("batch.num.messages", "1");
        Producer::new(&config, &self.reach)
    }

    async fn send(
        &self,
        events: &[&StoredEvent],
        occasion: Occasion,
    ) -> Result<Vec<Receipt>, KafkaError> {
        let (topic, reach) = (self.topic.as_str(), &*self.reach);
        let mut outcomes = self.producer()?.send(reach, topic, events, occasion).await;
        let again: Vec<usize> = (0..)
            .zip(&outcomes)
            .filter_map(|(place, outcome)| in_company(*outcome).then_some(place))
            .collect();
        if events.len() > 1 && !again.is_empty() {
            let events: Vec<&StoredEvent> = again
                .iter()
                .filter_map(|place| events.get(*place).copied())
                .collect();
            let alone = self.one_by_one()?;
            let second = alone.send(reach, topic, &events, occasion).await;
            for (place, outcome) in again.into_iter().zip(second) {
                if let Some(first) = outcomes.get_mut(place) {
                    *first = outcome;
                }
            }
        }
        let silence = reach.cause();
        let receipts = outcomes
            .into_iter()
            .map(|outcome| receipt(outcome, silence));
        Ok(receipts.collect())
    }
}

impl fmt::Debug for KafkaPublisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaPublisher")
            .field("topic", &self.topic)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Publisher for KafkaPublisher {
    fn name(&self) -> &'static str {
        "kafka"
    }

    async fn publish(&self, events: &[&StoredEvent], occasion: Occasion) -> Vec<Receipt> {
        let receipts = self.send(events, occasion).await;
        receipts.unwrap_or_else(|error| {
            tracing::debug!(%error, "no Kafka producer can be made");
            let unavailable = || Receipt::Unavailable("no Kafka producer can be made".to_owned());
            events.iter().map(|_| unavailable()).collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use rdkafka::mocking::MockCluster;
    use tessera_contract::values;
    use tessera_domain::Id;

    use crate::KafkaSecurity;

    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn more_events_than_there_is_room_for_wait_and_are_all_sent() {
        let cluster = MockCluster::new(1).unwrap();
        let settings = KafkaSettings {
            brokers: cluster.bootstrap_servers(),
            topic: "events".to_owned(),
            security: KafkaSecurity::default(),
        };
        let mut config = settings.config().unwrap();
        config.set("queue.buffering.max.messages", "10");
        let publisher = KafkaPublisher::over(config, settings.topic).unwrap();
        let event = StoredEvent {
            position: 1,
            id: Id::new(values::NOW, [1; 10]),
            tenant: values::id(1),
            subject: "user/1".to_owned(),
            sequence: 1,
            event_type: "UserLoggedIn".to_owned(),
            at: values::NOW,
            body: "{}".to_owned(),
        };
        let receipts = publisher.publish(&[&event; 100], Occasion::News).await;
        assert_eq!(receipts, [const { Receipt::Sent }; 100]);
    }
}
