//! What every store and every publisher must do, as one suite that each adapter runs.
//!
//! An adapter brings a function that makes a fresh store, empty and migrated, and gets one test
//! for each case, with the case's name:
//!
//! ```text
//! tessera_contract::store_suite!(fresh);
//!
//! async fn fresh() -> Fixture {
//!     Fixture::new(MemoryStore::default(), ())
//! }
//! ```
//!
//! A case is a function of one of the modules of [`store`], takes a [`Fixture`], and is listed
//! there; one that is not listed is dead code, which does not compile. [`values`] makes the values
//! that cases are made of.

#![deny(dead_code)]
#![warn(missing_docs)]
#![expect(
    clippy::missing_panics_doc,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a suite fails by panicking"
)]

mod fixture;
pub mod publisher;
pub mod store;
pub mod values;

pub use fixture::Fixture;
