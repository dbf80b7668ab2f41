//! A topic of a test's own, on the Kafka that the tests share or on one of their own.

use core::sync::atomic::{AtomicU32, Ordering};
use core::time::Duration;
use std::net::TcpListener;
use std::process;
use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Headers, Message, OwnedMessage};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tessera_app::Publisher;
use tessera_contract::publisher::{Arrived, Broker};

use crate::own::Own;
use crate::publisher;

pub(crate) struct Topic {
    pub(crate) brokers: String,
    pub(crate) name: String,
    own: Option<&'static Own>,
    silence: TcpListener,
}

/// A topic on the Kafka that the tests share, which no test may stop.
pub(crate) async fn on_shared() -> Topic {
    let topic = absent();
    topic.create(&[]).await;
    topic
}

/// A topic there, with these settings of its own.
pub(crate) async fn on_shared_with(settings: &[(&str, &str)]) -> Topic {
    let topic = absent();
    topic.create(settings).await;
    topic
}

/// A topic there that does not exist.
pub(crate) fn absent() -> Topic {
    #[expect(
        clippy::disallowed_methods,
        reason = "where the server is, is told by the environment"
    )]
    let brokers = std::env::var("TESSERA_TEST_KAFKA").expect(
        "these tests need a Kafka: run scripts/test, or set TESSERA_TEST_KAFKA to host:port",
    );
    Topic::new(brokers, None)
}

/// A topic on a Kafka of this process.
pub(crate) async fn on_own(own: &'static Own) -> Topic {
    let topic = Topic::new(own.address(0), Some(own));
    topic.create(&[]).await;
    topic
}

impl Topic {
    fn new(brokers: String, own: Option<&'static Own>) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        #[expect(clippy::disallowed_methods, reason = "a name that no other run has")]
        let now = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap();
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        Self {
            brokers,
            name: format!("test-{}-{}-{number}", now.as_nanos(), process::id()),
            own,
            silence: TcpListener::bind("127.0.0.1:0").unwrap(),
        }
    }

    pub(crate) async fn create(&self, settings: &[(&str, &str)]) {
        let size = LARGEST.to_string();
        let mut topic = NewTopic::new(&self.name, 3, TopicReplication::Fixed(1))
            .set("max.message.bytes", &size);
        for (name, value) in settings {
            topic = topic.set(name, value);
        }
        let options = AdminOptions::new().operation_timeout(Some(HANG));
        // It may be there still for a moment after it was deleted.
        let made = async {
            loop {
                let made = self.admin().create_topics([&topic], &options).await;
                if made.unwrap().into_iter().all(|topic| topic.is_ok()) {
                    break;
                }
            }
        };
        tokio::time::timeout(HANG, made).await.expect("no topic");
        self.until(true).await;
    }

    async fn delete(&self) {
        let options = AdminOptions::new().operation_timeout(Some(HANG));
        let deleted = self.admin().delete_topics(&[&self.name], &options).await;
        deleted.unwrap().pop().unwrap().unwrap();
        self.until(false).await;
    }

    /// All that is in the topic, in the order of each partition.
    pub(crate) async fn records(&self) -> Vec<OwnedMessage> {
        let (client, name) = (self.client(), self.name.clone());
        let read = tokio::task::spawn_blocking(move || read(&client, &name));
        read.await.unwrap()
    }

    /// Waits until the topic has, or has not, a leader for each partition.
    async fn until(&self, there: bool) {
        let (client, name) = (self.client(), self.name.clone());
        let waited = tokio::task::spawn_blocking(move || {
            let client: BaseConsumer = client.create().unwrap();
            loop {
                let found = client.fetch_metadata(Some(&name), HANG).unwrap();
                let [topic] = found.topics() else {
                    panic!("another topic");
                };
                let partitions = topic.partitions();
                let whole = partitions.len() == 3 && partitions.iter().all(|p| p.leader() >= 0);
                if whole == there {
                    return;
                }
            }
        });
        tokio::time::timeout(HANG, waited).await.unwrap().unwrap();
    }

    fn admin(&self) -> AdminClient<DefaultClientContext> {
        self.client().create().unwrap()
    }

    fn client(&self) -> ClientConfig {
        let mut client = ClientConfig::new();
        client.set("bootstrap.servers", &self.brokers);
        // Looked at, and not subscribed to: no group has to be made.
        client.set("group.id", "none");
        client.set("enable.auto.commit", "false");
        client
    }
}

#[async_trait]
impl Broker for Topic {
    fn publisher(&self) -> Arc<dyn Publisher> {
        Arc::new(publisher(&self.brokers, &self.name))
    }

    fn publisher_to_nowhere(&self) -> Arc<dyn Publisher> {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let nowhere = free.local_addr().unwrap().to_string();
        drop(free);
        Arc::new(publisher(&nowhere, &self.name))
    }

    async fn publisher_to_silence(&self) -> Option<Arc<dyn Publisher>> {
        let silence = self.silence.local_addr().unwrap().to_string();
        Some(Arc::new(publisher(&silence, &self.name)))
    }

    async fn arrived(&self) -> Vec<Arrived> {
        let records = self.records().await.into_iter();
        let arrived = records.map(|record| Arrived {
            body: String::from_utf8(record.payload().unwrap().to_vec()).unwrap(),
            replay: Some(header(&record, "tessera-replay") == Some("true")),
        });
        arrived.collect()
    }

    async fn restart(&self) {
        // The one that is shared goes on: `own` has the case again, with one that does not.
        if let Some(own) = self.own {
            own.restart().await;
            self.until(true).await;
        }
    }

    async fn unroute(&self) -> bool {
        self.delete().await;
        true
    }

    async fn route(&self) {
        self.create(&[]).await;
    }

    fn too_large(&self) -> Option<usize> {
        // Compressed 250 times, as one letter is, it is larger still.
        Some(LARGEST * 400)
    }
}

pub(crate) fn header<'a>(record: &'a OwnedMessage, name: &str) -> Option<&'a str> {
    let found = record.headers()?.iter().find(|header| header.key == name)?;
    found.value.map(|value| str::from_utf8(value).unwrap())
}

fn read(client: &ClientConfig, topic: &str) -> Vec<OwnedMessage> {
    let consumer: BaseConsumer = client.create().unwrap();
    let mut partitions = TopicPartitionList::new();
    let mut left = 0;
    for partition in 0..3 {
        let (low, high) = consumer.fetch_watermarks(topic, partition, HANG).unwrap();
        left += high - low;
        partitions
            .add_partition_offset(topic, partition, Offset::Beginning)
            .unwrap();
    }
    consumer.assign(&partitions).unwrap();
    let mut records = Vec::new();
    while left > 0 {
        let record = consumer.poll(HANG).expect("no record comes").unwrap();
        records.push(record.detach());
        left -= 1;
    }
    records
}

const LARGEST: usize = 50_000;
/// What takes longer hangs.
const HANG: Duration = Duration::from_mins(1);
