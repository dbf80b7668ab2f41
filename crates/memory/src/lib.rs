//! Store, publisher, clock, entropy and hashing with nothing outside the process.
//!
//! They are whole adapters that keep what the ports oblige them to, so a use case is tested over
//! them as it is; what they have beyond the ports are switches for what seldom happens. A clone of
//! any of them is a second handle to the same one: give one to the ports, keep one to look in.
//!
//! ```
//! # use std::sync::Arc;
//! # use tessera_app::{Clock, Store};
//! # use tessera_memory::{ManualClock, MemoryStore};
//! let (store, clock) = (MemoryStore::default(), ManualClock::default());
//! let ports: (Arc<dyn Store>, Arc<dyn Clock>) = (Arc::new(store.clone()), Arc::new(clock.clone()));
//! clock.advance(core::time::Duration::from_mins(15));
//! store.stale_next_commits(1);
//! ```

#![warn(missing_docs)]

mod clock;
mod entropy;
mod mailer;
mod passwords;
mod publisher;
mod store;

pub use clock::ManualClock;
pub use entropy::SeededEntropy;
pub use mailer::MemoryMailer;
pub use passwords::PlainPasswords;
pub use publisher::{Arrived, MemoryPublisher};
pub use store::{LoggedEvent, MemoryStore};
