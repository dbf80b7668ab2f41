//! The publishers: the one place that knows which brokers there are.
//!
//! A new one is a variant of `Destination` with its settings, an arm here, and its own crate.

use std::sync::Arc;

use tessera_app::Publisher;
use tessera_ndjson::{NdjsonPublisher, NdjsonSettings};
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
        Destination::Kafka(_) | Destination::RabbitMq(_) => {
            return Err(Failure::Failed("soon".to_owned()));
        }
        Destination::Ndjson => {
            let folder = DataFolder::open(&config.data_dir)?;
            Arc::new(NdjsonPublisher::new(NdjsonSettings {
                path: folder.events(),
                limit: FILE_BYTES,
                runtime: runtime.clone(),
            }))
        }
    })
}

const FILE_BYTES: u64 = 64 << 20;
