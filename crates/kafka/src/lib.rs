//! The publisher of events to Kafka.
//!
//! An event becomes a record of one topic: its key is `<tenant>:<subject>`, so that the events of
//! an aggregate share a partition and keep their order; its value is the event's body, byte for
//! byte (`CloudEvents`, structured mode); its headers repeat what the body says of the event, under
//! the names of the binary mode, for whoever filters without reading JSON.
//!
//! The work is done by librdkafka, on threads of its own: [`KafkaPublisher`] hands it a whole call's
//! events and waits for the report on each. Three things about it shape this crate:
//!
//! * It keeps a record until it is delivered or its time-out is over, whatever becomes of the call.
//!   A record may so arrive after its event was called unavailable, as a repeat; what a relay
//!   promises about order holds, for nothing is sent behind an event that is not known to be sent.
//! * It sends records in sets, and a broker refuses a set whole. What was refused in company is
//!   sent once more, each alone, before it is called rejected.
//! * Its producer is idempotent: its own retries neither repeat nor reorder. A producer that lost
//!   its place is good for nothing more, and the next call makes another.
//!
//! TLS, and SASL by SCRAM, are there with the feature `tls`.

#![warn(missing_docs)]

mod outcome;
mod producer;
mod publisher;
mod reach;
mod record;
mod settings;

pub use publisher::KafkaPublisher;
pub use settings::{
    KafkaSecurity, KafkaSettings, KafkaSettingsError, SaslMechanism, SecurityProtocol,
};
