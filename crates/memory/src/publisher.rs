//! A broker and its publisher in one.

use core::fmt;
use core::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tessera_app::{Occasion, Publisher, Receipt, StoredEvent};

/// Keeps what it is given; what else it answers, a test may say.
#[derive(Clone)]
pub struct MemoryPublisher {
    name: &'static str,
    state: Arc<Mutex<State>>,
}

struct State {
    arrived: Vec<Arrived>,
    answer: Answer,
}

type Answer = Box<dyn FnMut(&StoredEvent) -> Receipt + Send>;

/// An event that was sent.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Arrived {
    /// The event.
    pub event: StoredEvent,
    /// Why it was sent.
    pub occasion: Occasion,
}

impl MemoryPublisher {
    /// A publisher of that name, to which everything goes through.
    pub fn new(name: &'static str) -> Self {
        let state = State {
            arrived: Vec::new(),
            answer: Box::new(|_| Receipt::Sent),
        };
        Self {
            name,
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// Answers each event as `answer` says; those that are sent by that arrive.
    pub fn answer(&self, answer: impl FnMut(&StoredEvent) -> Receipt + Send + 'static) {
        self.state().answer = Box::new(answer);
    }

    /// What arrived since this was asked last, in its order.
    pub fn arrived(&self) -> Vec<Arrived> {
        mem::take(&mut self.state().arrived)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for MemoryPublisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryPublisher")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Publisher for MemoryPublisher {
    fn name(&self) -> &'static str {
        self.name
    }

    async fn publish(&self, events: &[&StoredEvent], occasion: Occasion) -> Vec<Receipt> {
        let mut state = self.state();
        let mut receipts = Vec::new();
        for event in events {
            let receipt = (state.answer)(event);
            if receipt == Receipt::Sent {
                state.arrived.push(Arrived {
                    event: StoredEvent::clone(event),
                    occasion,
                });
            }
            receipts.push(receipt);
        }
        receipts
    }
}
