//! The publishers: the one place that knows which brokers there are.
//!
//! A new one is a variant of `Destination` with its settings, an arm here, and its own crate.

use std::sync::Arc;

use tessera_app::Publisher;
use tessera_kafka::KafkaPublisher;
use tessera_ndjson::{NdjsonPublisher, NdjsonSettings};
use tessera_rabbitmq::{RabbitMqPublisher, RabbitMqSettings};
use tokio::runtime::Handle;

use crate::config::{Config, Destination};
use crate::data_folder::DataFolder;
use crate::failure::Failure;

/// Makes a publisher for each destination of events; none connects before it is used.
pub(crate) fn open(config: &Config, runtime: &Handle) -> Result<Vec<Arc<dyn Publisher>>, Failure> {
    let destinations = config.events.destinations.iter();
    destinations
        .map(|destination| publisher(destination, config, runtime))
        .collect()
}

fn publisher(
    destination: &Destination,
    config: &Config,
    runtime: &Handle,
) -> Result<Arc<dyn Publisher>, Failure> {
    Ok(match destination {
        Destination::Kafka(settings) => Arc::new(
            KafkaPublisher::new(settings).map_err(|error| Failure::Misused(error.to_string()))?,
        ),
        Destination::Ndjson => {
            let folder = DataFolder::open(&config.data_dir)?;
            Arc::new(NdjsonPublisher::new(NdjsonSettings {
                path: folder.events(),
                limit: FILE_BYTES,
                runtime: runtime.clone(),
            }))
        }
        Destination::RabbitMq(rabbitmq) => {
            let settings = RabbitMqSettings {
                url: rabbitmq.url.as_str().to_owned(),
                exchange: rabbitmq.exchange.clone(),
                queue: rabbitmq.queue.clone(),
                mandatory: rabbitmq.mandatory,
                format: rabbitmq.format,
                time_out: RabbitMqSettings::TIME_OUT,
                runtime: runtime.clone(),
            };
            let publisher = RabbitMqPublisher::new(settings);
            Arc::new(publisher.map_err(|error| Failure::Misused(error.to_string()))?)
        }
    })
}

const FILE_BYTES: u64 = 64 << 20;
