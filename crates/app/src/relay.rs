//! Brings events to one publisher: claim, publish, settle.
//!
//! An event is tried only when every earlier one of its aggregate was sent, by this claim or by one
//! that is settled. So however many relays there are, and whatever leases they believe to hold, an
//! aggregate's first deliveries come in the order of its commits. The lease spares repeats, and a
//! claim counts only while it lasts: publishing stops well before its end.

use core::fmt;
use core::time::Duration;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::vec;

use tessera_domain::{Event, Id, RetryPolicy, Standing, Timestamp, Waiting};

use crate::event_log::{
    Aggregate, Claim, Claimed, ClaimedEvent, EventLog, Lease, Occasion, Publisher, Receipt,
    Settlement, StoredEvent,
};
use crate::{Clock, Entropy, Unavailable};

/// How a relay works.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RelaySettings {
    /// How many events it takes at a time.
    pub batch: usize,
    /// How many it takes while the broker turns all of them away.
    pub probe: usize,
    /// For how long a claim is its own. A third of it is for publishing, so two thirds are longer
    /// than the longest call of a publisher, or another relay repeats what this one sends.
    pub lease: Duration,
    /// How long what was not sent waits.
    pub retry: RetryPolicy,
}

impl Default for RelaySettings {
    fn default() -> Self {
        Self {
            batch: 4_096,
            probe: 32,
            lease: Duration::from_secs(30),
            retry: RetryPolicy::default(),
        }
    }
}

/// Brings the events of one log to one publisher, a claim a step.
pub struct Relay {
    log: Arc<dyn EventLog>,
    publisher: Arc<dyn Publisher>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    settings: RelaySettings,
    holder: Id<Lease>,
    limit: usize,
    outages: u32,
}

/// What a step came to, and so when the next one makes sense.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Step {
    /// Another relay has the lease until then.
    Elsewhere(Timestamp),
    /// There may be more to do.
    Progress(Tally),
    /// The broker is away; it is tried again then, and events need not wake the relay before.
    Paused(Tally, Timestamp),
    /// All is done until there are new events, or until then.
    Quiet(Tally, Option<Timestamp>),
}

/// What a step did.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Tally {
    /// How many events were sent.
    pub sent: usize,
    /// How many tries failed.
    pub failed: usize,
    /// What went wrong, the first of it.
    pub trouble: Option<String>,
    /// Which events were parked.
    pub parked: Vec<Id<Event>>,
}

impl Relay {
    /// A relay from `log` to `publisher`; `holder` is its own, or that of one that is gone.
    pub fn new(
        log: Arc<dyn EventLog>,
        publisher: Arc<dyn Publisher>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        holder: Id<Lease>,
        settings: RelaySettings,
    ) -> Self {
        Self {
            log,
            publisher,
            clock,
            entropy,
            settings,
            holder,
            limit: settings.batch,
            outages: 0,
        }
    }

    /// The publisher's name.
    pub fn publisher(&self) -> &'static str {
        self.publisher.name()
    }

    /// Claims what is there, publishes it, and settles. No connection of the store is held while
    /// the publisher works. Dropped at any await, it leaves events that come again.
    pub async fn step(&mut self) -> Result<Step, Unavailable> {
        let now = self.clock.now();
        let claim = match self.log.claim(&self.lease(), now, self.limit).await? {
            Claimed::Elsewhere(until) => return Ok(Step::Elsewhere(until)),
            Claimed::Ours(claim) => claim,
        };
        let outcome = self.publish(&claim, now + self.settings.lease / 3).await;
        let (more, due) = (claim.more, outcome.next_due(claim.next_due));
        let Outcome {
            settlement,
            tally,
            away,
        } = outcome;
        if settlement != Settlement::default() {
            let now = self.clock.now();
            if !self
                .log
                .settle(&self.lease(), now, claim, settlement)
                .await?
            {
                return Ok(Step::Progress(Tally::default()));
            }
        }
        self.widen(&tally);
        if away {
            // Another relay may reach the broker.
            self.log.release(&self.lease()).await?;
        }
        if away || (tally.sent == 0 && tally.failed > 0 && more) {
            return Ok(Step::Paused(tally, self.pause()));
        }
        self.outages = 0;
        Ok(if more || tally.sent > 0 {
            Step::Progress(tally)
        } else {
            Step::Quiet(tally, due)
        })
    }

    /// A broker that takes nothing gets little until it takes more.
    fn widen(&mut self, tally: &Tally) {
        self.limit = if tally.sent == 0 && tally.failed > 0 {
            self.settings.probe
        } else {
            self.limit.saturating_mul(2).min(self.settings.batch)
        };
    }

    /// Gives its lease back, so that another relay need not wait for its end.
    pub async fn release(&self) -> Result<(), Unavailable> {
        self.log.release(&self.lease()).await
    }

    /// Publishes in rounds that have one event of an aggregate each, so that the next one goes out
    /// only when the one before is known to be sent; no round begins at `end` or later.
    async fn publish(&self, claim: &Claim, end: Timestamp) -> Outcome {
        let mut outcome = Outcome::default();
        let free = claim.events.iter().filter(|claimed| !claimed.blocked);
        let mut lines = lines(free, |claimed| claimed.event.aggregate());
        while !lines.is_empty() && !outcome.away && self.clock.now() < end {
            let round: Vec<&ClaimedEvent> = lines.iter_mut().filter_map(Iterator::next).collect();
            let events: Vec<&StoredEvent> = round.iter().map(|claimed| &claimed.event).collect();
            let mut receipts = self.publisher.publish(&events, Occasion::News).await;
            receipts.resize_with(round.len(), no_receipt);
            let unavailable = |receipt: &Receipt| matches!(receipt, Receipt::Unavailable(_));
            outcome.away = receipts.iter().all(unavailable);
            let mut round = round.into_iter().zip(receipts);
            lines.retain(|line| {
                let sent = round
                    .next()
                    .is_some_and(|(claimed, receipt)| self.record(claimed, receipt, &mut outcome));
                sent && line.len() > 0
            });
        }
        outcome.leave_rest(&claim.events, self.clock.now());
        outcome
    }

    /// Writes down what became of an event; answers whether it was sent, and the next of its
    /// aggregate may go.
    fn record(&self, claimed: &ClaimedEvent, receipt: Receipt, outcome: &mut Outcome) -> bool {
        let before = claimed.waiting.unwrap_or(Waiting::BEHIND);
        let (now, policy) = (self.clock.now(), &self.settings.retry);
        let (after, why) = match receipt {
            Receipt::Rejected(why) => (before.rejected(now, policy, self.jitter()), why),
            Receipt::Sent => {
                outcome.settlement.sent.push(claimed.event.position);
                outcome.tally.sent += 1;
                return true;
            }
            Receipt::Unavailable(why) if outcome.away => {
                outcome.tally.fail(why);
                return false;
            }
            // Where others had an answer, the broker is there, and a part of it is not.
            Receipt::Held(why) | Receipt::Unavailable(why) => {
                (before.held(now, policy, self.jitter()), why)
            }
        };
        if matches!(after.standing, Standing::Parked(_)) {
            outcome.tally.parked.push(claimed.event.id);
        }
        let (position, reason) = (claimed.event.position, Some(why.clone()));
        outcome.settlement.waiting.push((position, after, reason));
        outcome.tally.fail(why);
        false
    }

    fn lease(&self) -> Lease {
        Lease {
            publisher: self.publisher.name(),
            holder: self.holder,
            until: self.clock.now() + self.settings.lease,
        }
    }

    fn pause(&mut self) -> Timestamp {
        let wait = OUTAGE.wait(self.outages, self.jitter());
        self.outages = self.outages.saturating_add(1);
        self.clock.now() + wait
    }

    fn jitter(&self) -> u8 {
        let mut byte = [0];
        self.entropy.fill(&mut byte);
        let [jitter] = byte;
        jitter
    }
}

impl fmt::Debug for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relay")
            .field("publisher", &self.publisher())
            .finish_non_exhaustive()
    }
}

/// What publishing a claim came to.
#[derive(Debug, Default)]
struct Outcome {
    settlement: Settlement,
    tally: Tally,
    away: bool,
}

impl Outcome {
    /// Has the new events wait that were not tried: behind what is in their way, or, where the
    /// broker went away meanwhile, for its return. Where it was away from the start nothing is to
    /// be written: all of them are as new as before.
    fn leave_rest(&mut self, events: &[ClaimedEvent], now: Timestamp) {
        if self.away && self.settlement == Settlement::default() {
            return;
        }
        let turned_away = self.settlement.waiting.iter();
        let turned_away: HashSet<u64> = turned_away.map(|(position, ..)| *position).collect();
        let sent: HashSet<u64> = self.settlement.sent.iter().copied().collect();
        let mut stuck: HashSet<Aggregate<'_>> = HashSet::new();
        for claimed in events {
            let position = claimed.event.position;
            if sent.contains(&position) {
                continue;
            }
            let first = stuck.insert(claimed.event.aggregate());
            if claimed.waiting.is_none() && !turned_away.contains(&position) {
                let waiting = if first && !claimed.blocked {
                    Waiting::due(now)
                } else {
                    Waiting::BEHIND
                };
                self.settlement.waiting.push((position, waiting, None));
            }
        }
    }

    /// When the next event is due, of those that wait now and of `others`.
    fn next_due(&self, others: Option<Timestamp>) -> Option<Timestamp> {
        let due = |(_, waiting, _): &(u64, Waiting, Option<String>)| match waiting.standing {
            Standing::Behind | Standing::Parked(_) => None,
            Standing::Due(at) => Some(at),
        };
        let own = self.settlement.waiting.iter().filter_map(due);
        own.chain(others).min()
    }
}

impl Tally {
    fn fail(&mut self, why: String) {
        self.failed += 1;
        self.trouble.get_or_insert(why);
    }
}

/// Those of each aggregate in a line, in the order of the firsts.
pub(crate) fn lines<'a, T>(
    events: impl Iterator<Item = &'a T>,
    aggregate: impl Fn(&'a T) -> Aggregate<'a>,
) -> Vec<vec::IntoIter<&'a T>> {
    let mut places: HashMap<Aggregate<'_>, usize> = HashMap::new();
    let mut lines: Vec<Vec<&T>> = Vec::new();
    for event in events {
        let place = *places.entry(aggregate(event)).or_insert(lines.len());
        match lines.get_mut(place) {
            Some(line) => line.push(event),
            None => lines.push(vec![event]),
        }
    }
    lines.into_iter().map(Vec::into_iter).collect()
}

fn no_receipt() -> Receipt {
    Receipt::Unavailable("the publisher gave no receipt".to_owned())
}

/// How long to leave a broker alone that is away: from 100 ms to 10 s.
const OUTAGE: RetryPolicy = RetryPolicy {
    first: Duration::from_millis(200),
    longest: Duration::from_secs(10),
    rejections: u32::MAX,
};
