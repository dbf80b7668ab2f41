//! The publisher to `RabbitMQ`.
//!
//! Events go to a durable topic exchange, under a routing key that has the words of their type
//! (`user.logged.in`), persistent and confirmed. So that none is lost before the first consumer is
//! there, a durable queue is bound to the exchange with `#`. What an operator made before under
//! these names is used as it is, as long as the exchange routes by topic.
//!
//! A publisher has one connection, made when there is something to send. What is known to be lost
//! with it is said in receipts, and nothing is sent again behind the relay's back: the next
//! [`publish`](tessera_app::Publisher::publish) connects anew.
//!
//! A call ends within its time-out: connecting, sending and sending again without what the broker
//! refuses are all part of it. What is confirmed by then is sent, and what is not is unknown; that is
//! no more than was on its way at once, and what was not begun. It takes that long only with a broker
//! that is silent, or too slow for what it is sent.
//!
//! A message that is in doubt takes others along: one that is too large, or whose routing key the
//! user may not write to, closes the channel with all that is not confirmed on it, and one without a
//! route is named by whichever confirmation comes next. So what is large goes alone, and so do
//! routing keys that were refused before.

mod flight;
mod link;
mod message;
mod publisher;
mod settings;

pub use publisher::RabbitMqPublisher;
pub use settings::{Format, Mandatory, RabbitMqSettings, SettingsError};
