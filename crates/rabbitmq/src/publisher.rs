//! Rounds of messages, and the receipts for them.

use core::fmt;
use core::time::Duration;
use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use lapin::options::BasicPublishOptions;
use lapin::types::ShortString;
use tessera_app::{Occasion, Publisher, Receipt, StoredEvent};
use tokio::runtime::Handle;
use tokio::time::timeout;
use tracing::info;

use crate::flight::Flight;
use crate::link::{Link, Topology, is_forbidden, is_too_large, reason};
use crate::message::Message;
use crate::settings::{Target, name};
use crate::{Format, Mandatory, RabbitMqSettings, SettingsError};

/// Sends events to `RabbitMQ`.
pub struct RabbitMqPublisher {
    target: Target,
    topology: Topology,
    mandatory: Mandatory,
    format: Format,
    time_out: Duration,
    runtime: Handle,
    /// Not here while a call uses it, so a call that is dropped takes it along.
    link: Mutex<Option<Link>>,
}

impl RabbitMqPublisher {
    /// A publisher that has not connected yet.
    pub fn new(settings: RabbitMqSettings) -> Result<Self, SettingsError> {
        Ok(Self {
            target: Target::parse(&settings.url)?,
            topology: Topology {
                exchange: name("exchange", &settings.exchange)?,
                queue: name("queue", &settings.queue)?,
            },
            mandatory: settings.mandatory,
            format: settings.format,
            time_out: settings.time_out,
            runtime: settings.runtime,
            link: Mutex::default(),
        })
    }

    /// Sends what it can, and writes down what is known by the time that it ends; what is on its
    /// way when it is dropped is in `flight`.
    async fn send<'a>(
        &self,
        link: &mut Option<Link>,
        events: &[&StoredEvent],
        messages: &'a [Message<'a>],
        flight: &mut Flight<'a>,
        receipts: &mut [Option<Receipt>],
    ) -> Result<(), String> {
        let link = match link {
            Some(link) if link.is_open() => link,
            _ => link.insert(self.connect().await?),
        };
        if link.is_blocked() {
            return Err(BLOCKED.to_owned());
        }
        let options = BasicPublishOptions {
            mandatory: self.mandatory == Mandatory::On,
            ..BasicPublishOptions::default()
        };
        let mut rounds = rounds(messages, &link.forbidden);
        while let Some(mut round) = rounds.pop() {
            let published = link.publish(&self.topology.exchange, options, &round, flight);
            let published = published.await;
            let Some(error) = flight.land(events, receipts).or(published.err()) else {
                let of_round =
                    |key: &ShortString| round.iter().any(|message| message.routing_key == *key);
                link.forbidden.retain(|key| !of_round(key));
                continue;
            };
            link.leave_channel();
            round.retain(|message| receipts.get(message.place).is_some_and(Option::is_none));
            if is_too_large(&error) {
                rounds.extend(without_larger(round, &reason(&error), receipts));
            } else if is_forbidden(&error) {
                let left = without_forbidden(round, &reason(&error), receipts, link)?;
                rounds.extend((!left.is_empty()).then_some(left));
            } else {
                return Err(reason(&error));
            }
        }
        Ok(())
    }

    async fn connect(&self) -> Result<Link, String> {
        let link = Link::open(&self.target, &self.topology, self.time_out, &self.runtime).await?;
        let uri = &self.target.uri;
        info!(
            host = uri.authority.host,
            port = uri.authority.port,
            vhost = uri.vhost,
            "connected to RabbitMQ"
        );
        Ok(link)
    }

    fn link(&self) -> MutexGuard<'_, Option<Link>> {
        self.link.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for RabbitMqPublisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RabbitMqPublisher").finish_non_exhaustive()
    }
}

#[async_trait]
impl Publisher for RabbitMqPublisher {
    fn name(&self) -> &'static str {
        "rabbitmq"
    }

    async fn publish(&self, events: &[&StoredEvent], occasion: Occasion) -> Vec<Receipt> {
        let mut receipts = vec![None; events.len()];
        let mut messages = Vec::with_capacity(events.len());
        for (place, (event, receipt)) in events.iter().zip(&mut receipts).enumerate() {
            match Message::new(place, event, occasion, self.format) {
                Ok(message) => messages.push(message),
                Err(reason) => *receipt = Some(Receipt::Rejected(reason)),
            }
        }
        if messages.is_empty() {
            return receipts.into_iter().flatten().collect();
        }
        let mut link = self.link().take();
        let mut flight = Flight::default();
        let sending = self.send(&mut link, events, &messages, &mut flight, &mut receipts);
        let sent = timeout(self.time_out, sending).await;
        // After a time-out, what was confirmed until then.
        flight.land(events, &mut receipts);
        let sent = sent.unwrap_or_else(|_| Err("RabbitMQ did not answer in time".to_owned()));
        let blocked = link.as_ref().is_some_and(Link::is_blocked);
        let trouble = match sent {
            Ok(()) => {
                *self.link() = link;
                String::new()
            }
            // Another connection would be blocked as well, once it had brought all of it again.
            Err(_) if blocked => {
                link.iter_mut().for_each(Link::leave_channel);
                *self.link() = link;
                BLOCKED.to_owned()
            }
            Err(trouble) => trouble,
        };
        let unknown = |receipt: Option<Receipt>| {
            receipt.unwrap_or_else(|| Receipt::Unavailable(trouble.clone()))
        };
        receipts.into_iter().map(unknown).collect()
    }
}

/// What is sent together; the last one goes first.
///
/// A message that is too large for the broker, or forbidden, takes the channel down, and with it the
/// confirmations of what was sent before it. So those that might be go apart.
fn rounds<'a>(
    messages: &'a [Message<'a>],
    forbidden: &BTreeSet<ShortString>,
) -> Vec<Vec<&'a Message<'a>>> {
    let (large, small): (Vec<_>, Vec<_>) = messages
        .iter()
        .partition(|message| message.body.len() > LARGE);
    let mut rounds: Vec<Vec<_>> = large.into_iter().map(|message| vec![message]).collect();
    let mut fine = small;
    for key in forbidden {
        let (apart, others) = fine
            .into_iter()
            .partition(|message| message.routing_key == *key);
        rounds.push(apart);
        fine = others;
    }
    rounds.push(fine);
    rounds.retain(|round| !round.is_empty());
    rounds
}

/// The rounds that are left of one in which a message is too large.
fn without_larger<'a>(
    mut round: Vec<&'a Message<'a>>,
    said: &str,
    receipts: &mut [Option<Receipt>],
) -> Vec<Vec<&'a Message<'a>>> {
    if let [message] = round.as_slice() {
        set(receipts, message, Receipt::Rejected(said.to_owned()));
        return Vec::new();
    }
    round.sort_by_key(|message| message.body.len());
    let larger = round.split_off(round.len() / 2);
    vec![larger, round]
}

/// What is left of a round in which a message was refused: by its routing key, if the broker names
/// one, and else because nothing may be written to the exchange.
fn without_forbidden<'a>(
    round: Vec<&'a Message<'a>>,
    said: &str,
    receipts: &mut [Option<Receipt>],
    link: &mut Link,
) -> Result<Vec<&'a Message<'a>>, String> {
    let names_key = said.contains("topic '");
    let (refused, others): (Vec<_>, Vec<_>) = round.into_iter().partition(|message| {
        !names_key || said.contains(&format!("topic '{}'", message.routing_key))
    });
    if refused.is_empty() {
        return Err(said.to_owned());
    }
    for message in refused {
        if names_key {
            link.forbidden.insert(message.routing_key.clone());
        }
        set(receipts, message, Receipt::Held(said.to_owned()));
    }
    Ok(others)
}

fn set(receipts: &mut [Option<Receipt>], message: &Message<'_>, receipt: Receipt) {
    if let Some(known) = receipts.get_mut(message.place) {
        *known = Some(receipt);
    }
}

const BLOCKED: &str = "RabbitMQ is blocked: it has too little memory or disk space";

/// In bytes. A broker that takes less in a message than this is very unusual.
const LARGE: usize = 64 * 1_024;
