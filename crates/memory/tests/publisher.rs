//! The publisher in memory does what every publisher must do.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use tessera_app::{Occasion, Publisher, Receipt, StoredEvent};
use tessera_contract::publisher::{Arrived, Broker};
use tessera_memory::MemoryPublisher;

tessera_contract::publisher_suite!(broker);

async fn broker() -> Memory {
    let publisher = MemoryPublisher::new("memory");
    publisher.answer(taking);
    Memory {
        publisher,
        arrived: Mutex::default(),
    }
}

struct Memory {
    publisher: MemoryPublisher,
    arrived: Mutex<Vec<Arrived>>,
}

#[async_trait]
impl Broker for Memory {
    fn publisher(&self) -> Arc<dyn Publisher> {
        Arc::new(self.publisher.clone())
    }

    fn publisher_to_nowhere(&self) -> Arc<dyn Publisher> {
        let nowhere = MemoryPublisher::new("memory");
        nowhere.answer(|_| Receipt::Unavailable("nowhere".to_owned()));
        Arc::new(nowhere)
    }

    async fn publisher_to_silence(&self) -> Option<Arc<dyn Publisher>> {
        None
    }

    async fn arrived(&self) -> Vec<Arrived> {
        let mut arrived = self.arrived.lock().unwrap();
        let new = self.publisher.arrived().into_iter();
        arrived.extend(new.map(|arrived| Arrived {
            body: arrived.event.body,
            replay: Some(arrived.occasion == Occasion::Replay),
        }));
        arrived.clone()
    }

    async fn restart(&self) {}

    async fn unroute(&self) -> bool {
        self.publisher
            .answer(|_| Receipt::Held("no route".to_owned()));
        true
    }

    async fn route(&self) {
        self.publisher.answer(taking);
    }

    fn too_large(&self) -> Option<usize> {
        Some(LARGEST)
    }
}

fn taking(event: &StoredEvent) -> Receipt {
    if event.body.len() > LARGEST {
        Receipt::Rejected("too large".to_owned())
    } else {
        Receipt::Sent
    }
}

const LARGEST: usize = 100_000;
