//! One of librdkafka's producers.

use core::convert::Infallible;
use core::mem;
use core::time::Duration;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use rdkafka::ClientConfig;
use rdkafka::client::ClientContext;
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::error::KafkaError;
use rdkafka::producer::{
    BaseRecord, DeliveryResult, Producer as _, ProducerContext, ThreadedProducer,
};
use rdkafka::types::RDKafkaErrorCode;
use tessera_app::{Occasion, StoredEvent};
use tokio::sync::oneshot;
use tokio::time::sleep;

use crate::outcome::{Outcome, UNHEARD, is_silence};
use crate::reach::Reach;
use crate::record;

/// A producer, with the thread that takes its reports.
pub(crate) struct Producer(Option<ThreadedProducer<Reports>>);

impl Producer {
    /// Makes no connection yet.
    pub(crate) fn new(config: &ClientConfig, reach: &Arc<Reach>) -> Result<Self, KafkaError> {
        let reports = Reports(Arc::clone(reach));
        ThreadedProducer::from_config_and_context(config, reports)
            .map(|producer| Self(Some(producer)))
    }

    /// Whether it lost its place, and takes nothing any more.
    pub(crate) fn is_lost(&self) -> bool {
        let fatal = self
            .0
            .as_ref()
            .map(|producer| producer.client().fatal_error());
        !matches!(fatal, Some(None))
    }

    /// Sends each event as a record; answers what became of each.
    pub(crate) async fn send(
        &self,
        reach: &Reach,
        topic: &str,
        events: &[&StoredEvent],
        occasion: Occasion,
    ) -> Vec<Outcome> {
        let outcomes = Arc::new(Mutex::new(vec![UNHEARD; events.len()]));
        let (whole, reported) = oneshot::channel();
        let batch = Arc::new(Batch {
            outcomes: Arc::clone(&outcomes),
            _whole: whole,
        });
        let all = async move {
            for (place, event) in events.iter().enumerate() {
                let batch = Arc::clone(&batch);
                self.enqueue(topic, event, occasion, Ticket { batch, place })
                    .await;
            }
            drop(batch);
            // It ends as the last ticket is dropped.
            let _ = reported.await;
        };
        tokio::select! {
            biased;
            () = all => {}
            () = reach.patience() => {}
        }
        mem::take(&mut *lock(&outcomes))
    }

    async fn enqueue(&self, topic: &str, event: &StoredEvent, occasion: Occasion, ticket: Ticket) {
        let Some(producer) = &self.0 else {
            return;
        };
        let key = record::key(event);
        let mut record = BaseRecord::with_opaque_to(topic, Box::new(ticket))
            .key(&key)
            .payload(&event.body)
            .headers(record::headers(event, occasion));
        while let Err((error, returned)) = producer.send(record) {
            let error = code(&error);
            if error != RDKafkaErrorCode::QueueFull {
                returned.delivery_opaque.report(Err(error));
                return;
            }
            record = returned;
            // Nothing tells when there is room.
            sleep(ROOM).await;
        }
    }
}

impl Drop for Producer {
    /// It waits for its threads, which is not for a worker of the runtime to do.
    fn drop(&mut self) {
        let producer = self.0.take();
        let end = thread::Builder::new().name("kafka end".to_owned());
        if let Err(error) = end.spawn(move || drop(producer)) {
            tracing::debug!(%error, "no thread to end a Kafka producer on");
        }
    }
}

/// What librdkafka calls back.
struct Reports(Arc<Reach>);

impl ClientContext for Reports {
    /// All of it is for whoever looks for it: a broker that is away makes a line every other moment,
    /// and what it comes to is in the receipts.
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        tracing::debug!(target: "librdkafka", ?level, facility, "{message}");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(target: "librdkafka", %error, "{reason}");
        self.0.lost(code(&error));
    }
}

impl ProducerContext for Reports {
    type DeliveryOpaque = Box<Ticket>;

    fn delivery(&self, result: &DeliveryResult<'_>, ticket: Box<Ticket>) {
        let outcome = match result {
            Ok(_) => Ok(()),
            Err((error, _)) => Err(code(error)),
        };
        if !is_silence(outcome) {
            self.0.found();
        }
        ticket.report(outcome);
    }
}

/// The place of a record among the records of a call.
struct Ticket {
    batch: Arc<Batch>,
    place: usize,
}

/// What is shared by the records of a call; dropped with the last report.
struct Batch {
    outcomes: Arc<Mutex<Vec<Outcome>>>,
    _whole: oneshot::Sender<Infallible>,
}

impl Ticket {
    fn report(&self, outcome: Outcome) {
        // The place is gone when nobody waits any more.
        if let Some(place) = lock(&self.batch.outcomes).get_mut(self.place) {
            *place = outcome;
        }
    }
}

fn lock(outcomes: &Mutex<Vec<Outcome>>) -> MutexGuard<'_, Vec<Outcome>> {
    outcomes.lock().unwrap_or_else(PoisonError::into_inner)
}

fn code(error: &KafkaError) -> RDKafkaErrorCode {
    error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail)
}

const ROOM: Duration = Duration::from_millis(5);
