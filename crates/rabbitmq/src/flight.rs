//! What is on its way to the broker on one channel, and what the confirmations say about it.
//!
//! lapin gives a message that was returned to whichever confirmation comes next, and the broker
//! returns a message before it confirms it. So a confirmation that comes with nothing says that all
//! that was returned until then has come with earlier ones, and its own message is sent unless one
//! of those brought it. A confirmation that comes with another message says nothing of its own,
//! which may be the next to be brought.

use core::mem;
use std::collections::HashMap;

use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::{FuturesUnordered, StreamExt};
use lapin::options::BasicPublishOptions;
use lapin::types::ShortString;
use lapin::{Channel, Confirmation, Error};
use tessera_app::{Receipt, StoredEvent};

use crate::message::Message;

/// Messages of a call that went out on one channel.
#[derive(Default)]
pub(crate) struct Flight<'a> {
    waiting: FuturesUnordered<Awaited<'a>>,
    known: Vec<(usize, Confirmation)>,
    error: Option<Error>,
}

impl<'a> Flight<'a> {
    /// Publishes a message with the next [`wait`](Self::wait).
    ///
    /// Publishing is not given up before the flight lands: lapin would confirm the message all the
    /// same, and what was returned could go to where nobody sees it.
    pub(crate) fn add(
        &mut self,
        channel: Channel,
        exchange: ShortString,
        options: BasicPublishOptions,
        message: &'a Message<'a>,
    ) {
        self.waiting.push(Box::pin(async move {
            let published = channel.basic_publish(
                exchange,
                message.routing_key.clone(),
                options,
                message.body.as_bytes(),
                message.properties.clone(),
            );
            let confirmed = match published.await {
                Ok(confirm) => confirm.await,
                Err(error) => Err(error),
            };
            (message.place, confirmed)
        }));
    }

    /// Waits until no more than so many are to be confirmed.
    pub(crate) async fn wait(&mut self, left: usize) {
        while self.waiting.len() > left {
            let Some((place, confirmed)) = self.waiting.next().await else {
                return;
            };
            self.take(place, confirmed);
        }
    }

    /// Whether something went wrong with the channel.
    pub(crate) fn has_failed(&self) -> bool {
        self.error.is_some()
    }

    /// Ends it: writes down what is known by now, and answers what went wrong, if something did.
    pub(crate) fn land(
        &mut self,
        events: &[&StoredEvent],
        receipts: &mut [Option<Receipt>],
    ) -> Option<Error> {
        let mut flight = mem::take(self);
        // They need not be taken in the order in which they came. What came before a confirmation
        // that is taken by the end of this pass, is taken by the end of the next.
        flight.take_ready();
        let conclusive = flight.known.len();
        flight.take_ready();
        let whole = flight.waiting.is_empty() && flight.error.is_none();
        let returned = flight.returned();
        for (index, (place, confirmation)) in flight.known.iter().enumerate() {
            let (Some(event), Some(receipt)) = (events.get(*place), receipts.get_mut(*place))
            else {
                continue;
            };
            let brought = (!returned.is_empty())
                .then(|| returned.get(event.id.to_string().as_str()))
                .flatten();
            *receipt = match (brought, confirmation) {
                (Some(text), _) => Some(Receipt::Held(format!("no queue is bound for it: {text}"))),
                (None, Confirmation::Nack(_)) => Some(Receipt::Held(FULL.to_owned())),
                (None, Confirmation::Ack(_)) if whole => Some(Receipt::Sent),
                (None, Confirmation::Ack(None)) if index < conclusive => Some(Receipt::Sent),
                (None, Confirmation::NotRequested) => {
                    Some(Receipt::Unavailable("confirmations are off".to_owned()))
                }
                (None, Confirmation::Ack(_)) => continue,
            };
        }
        flight.error
    }

    fn take_ready(&mut self) {
        for mut awaited in mem::take(&mut self.waiting) {
            match awaited.as_mut().now_or_never() {
                Some((place, confirmed)) => self.take(place, confirmed),
                None => self.waiting.push(awaited),
            }
        }
    }

    fn take(&mut self, place: usize, confirmed: Result<Confirmation, Error>) {
        match confirmed {
            Ok(confirmation) => self.known.push((place, confirmation)),
            Err(error) => self.fail(error),
        }
    }

    fn fail(&mut self, error: Error) {
        // What finds the channel closed does not say why it was.
        let is_told = self.error.as_ref().is_some_and(Error::is_amqp_error);
        if self.error.is_none() || (!is_told && error.is_amqp_error()) {
            self.error = Some(error);
        }
    }

    /// What was returned, by message id, and why.
    fn returned(&self) -> HashMap<String, ShortString> {
        let confirmations = self.known.iter().map(|(_, confirmation)| confirmation);
        confirmations
            .filter_map(|confirmation| match confirmation {
                Confirmation::Ack(message) | Confirmation::Nack(message) => message.as_ref(),
                Confirmation::NotRequested => None,
            })
            .filter_map(|message| {
                let id = message.properties.message_id().as_ref()?;
                Some((id.to_string(), message.reply_text.clone()))
            })
            .collect()
    }
}

/// Answers the event's place, and what became of its message.
type Awaited<'a> = BoxFuture<'a, (usize, Result<Confirmation, Error>)>;

const FULL: &str = "a queue would not take it, as when it is full";
