//! Keeps what was mailed, for tests to read.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tessera_app::{Letter, MailError, Mailer};

/// Keeps letters in the order in which they were sent, and fails as a test asks for.
#[derive(Clone, Debug, Default)]
pub struct MemoryMailer(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    sent: Vec<Letter>,
    failing: Option<MailError>,
}

impl MemoryMailer {
    /// The letters that were sent.
    pub fn sent(&self) -> Vec<Letter> {
        self.state().sent.clone()
    }

    /// Fails with that from now on, or no longer.
    pub fn fail(&self, failing: Option<MailError>) {
        self.state().failing = failing;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Mailer for MemoryMailer {
    async fn send(&self, letter: &Letter) -> Result<(), MailError> {
        let mut state = self.state();
        if let Some(error) = &state.failing {
            return Err(error.clone());
        }
        state.sent.push(letter.clone());
        Ok(())
    }
}
