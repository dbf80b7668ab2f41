//! The ports by which events leave: the log that they are kept in, and who publishes them.
//!
//! The log keeps, of every publisher, how far it came (its cursor) and which events it went past
//! without sending them (those that [wait](Waiting)). An event is sent to a publisher when it is at
//! or before its cursor and does not wait.

use async_trait::async_trait;
use tessera_domain::{Event, Id, Tenant, Timestamp, Waiting};
use tokio::sync::watch;

use crate::Unavailable;

/// Keeps the events that `Store::commit` writes, and how far each publisher came with them.
///
/// An adapter implements it beside [`Store`](crate::Store), over the same data.
#[async_trait]
pub trait EventLog: Send + Sync {
    /// The events after the position `after`, of one tenant or of all, by position; at most
    /// `limit`.
    async fn events(
        &self,
        tenant: Option<Id<Tenant>>,
        after: u64,
        limit: usize,
    ) -> Result<Vec<StoredEvent>, Unavailable>;

    /// The last `limit` events, of one tenant or of all, by position.
    async fn last_events(
        &self,
        tenant: Option<Id<Tenant>>,
        limit: usize,
    ) -> Result<Vec<StoredEvent>, Unavailable>;

    /// What a publisher has sent, as one state of the log has it: the events up to its cursor that
    /// neither wait at it nor became visible too late to be sent yet; after the position `after`,
    /// of one tenant or of all, by position, at most `limit`.
    async fn sent(
        &self,
        publisher: &str,
        tenant: Option<Id<Tenant>>,
        after: u64,
        limit: usize,
    ) -> Result<Vec<StoredEvent>, Unavailable>;

    /// Makes a publisher known, unless it is: it starts behind the last event that is there.
    async fn enrol(&self, publisher: &str) -> Result<(), Unavailable>;

    /// Makes a publisher unknown, with all that waits at it; answers whether it was known. Events
    /// that only it had yet to send may expire from then on.
    async fn forget(&self, publisher: &str) -> Result<bool, Unavailable>;

    /// Takes the lease of its publisher, unless another holder's has not ended at `now`, and
    /// answers what is to be done: what waits and is due, with all that waits behind it, and then
    /// what is new; at most `limit` events, and no more than half of what waits while there is
    /// enough that is new. Enrols the publisher if that was not done. Where there is nothing to be
    /// done it may leave the lease alone.
    ///
    /// What was committed before the call is in the answer, if not later in the log than the limit
    /// reaches: also an event whose commit ended after those of later positions.
    async fn claim(
        &self,
        lease: &Lease,
        now: Timestamp,
        limit: usize,
    ) -> Result<Claimed, Unavailable>;

    /// Writes down what came of a claim, in one commit, and prolongs the lease to `lease.until`.
    /// An event that was erased meanwhile does not wait, however it is settled.
    ///
    /// Every new event of the claim is in `settlement`. What was behind an event that is sent now,
    /// and is behind nothing else, is due from `now` on. Does nothing when the lease is another
    /// holder's by now, or was taken anew since, and answers so by false: the events of the claim
    /// then come again.
    async fn settle(
        &self,
        lease: &Lease,
        now: Timestamp,
        claim: Claim,
        settlement: Settlement,
    ) -> Result<bool, Unavailable>;

    /// Gives the lease back, if it is still this holder's.
    async fn release(&self, lease: &Lease) -> Result<(), Unavailable>;

    /// How far each publisher came, by name.
    async fn progress(&self) -> Result<Vec<Progress>, Unavailable>;

    /// The events of one tenant or of all that wait at a publisher, by position; at most `limit`,
    /// those after the position `after`.
    async fn waiting(
        &self,
        tenant: Option<Id<Tenant>>,
        after: u64,
        limit: usize,
    ) -> Result<Vec<WaitingEvent>, Unavailable>;

    /// Has a parked event tried again at every publisher that parked it; answers at how many. Of a
    /// tenant's events alone, where one is given.
    async fn retry(
        &self,
        tenant: Option<Id<Tenant>>,
        event: Id<Event>,
        now: Timestamp,
    ) -> Result<usize, Unavailable>;

    /// Removes events from before `before` that no publisher has yet to send, from the oldest on
    /// and some at a time; answers whether more may be left.
    async fn expire(&self, before: Timestamp) -> Result<bool, Unavailable>;

    /// Tells of events that may be new, from now on. It may tell for nothing, and may not tell of
    /// what other processes commit: whoever needs to know looks from time to time as well.
    fn news(&self) -> News;
}

/// Changes when there may be new events; whatever happens between two looks is one change.
pub type News = watch::Receiver<()>;

/// An event as the log keeps it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StoredEvent {
    /// Its place in the log, from 1. Places may be missing.
    pub position: u64,
    /// Its id.
    pub id: Id<Event>,
    /// In which tenant it happened.
    pub tenant: Id<Tenant>,
    /// What it happened to, as it is written down.
    pub subject: String,
    /// As which of the subject's events.
    pub sequence: u64,
    /// What happened, as it is written down.
    pub event_type: String,
    /// When it happened.
    pub at: Timestamp,
    /// The whole of it, position included, as it is sent: the same bytes each time.
    pub body: String,
}

/// What an event happened to, as it is written down, and in which tenant.
pub type Aggregate<'a> = (Id<Tenant>, &'a str);

impl StoredEvent {
    /// What it happened to: the events of one aggregate have an order.
    pub fn aggregate(&self) -> Aggregate<'_> {
        (self.tenant, &self.subject)
    }
}

/// The right of one relay to publish, for a while.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Lease {
    /// The publisher's name.
    pub publisher: &'static str,
    /// Whose it is.
    pub holder: Id<Lease>,
    /// When it ends, unless prolonged.
    pub until: Timestamp,
}

/// What came of asking for work.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Claimed {
    /// Another holder has the lease until then.
    Elsewhere(Timestamp),
    /// It is ours.
    Ours(Claim),
}

/// What a relay has to do.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Claim {
    /// By position within what waits, and within what is new.
    pub events: Vec<ClaimedEvent>,
    /// Whether the limit kept something out.
    pub more: bool,
    /// When the next event that waits is due, where one is not yet.
    pub next_due: Option<Timestamp>,
    /// The position up to which the log was read, which [`EventLog::settle`] makes the cursor.
    pub read_to: u64,
    /// The places up to there, first and last, that hold no event but may come to hold one: its
    /// commit has not ended. For the log itself; empty where commits become visible in the order
    /// of their positions.
    pub missing: Vec<(u64, u64)>,
    /// Which claim this is, where the log counts them.
    pub number: u64,
}

/// An event of a claim.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ClaimedEvent {
    /// The event.
    pub event: StoredEvent,
    /// How it waits already, or that it is new.
    pub waiting: Option<Waiting>,
    /// Whether it is new and an earlier event of its aggregate waits.
    pub blocked: bool,
}

/// What came of a claim.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Settlement {
    /// The positions that are sent.
    pub sent: Vec<u64>,
    /// The events that wait, anew or differently.
    pub waiting: Vec<(u64, Waiting, Option<String>)>,
}

/// How far a publisher came.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Progress {
    /// The publisher's name.
    pub publisher: String,
    /// The events that it has yet to send, parked ones not among them. A log may answer how many
    /// places lie before it when they are more than 10,000.
    pub pending: u64,
    /// When the oldest of those happened.
    pub oldest: Option<Timestamp>,
    /// The position that it came to: what is up to there, and does not wait, is sent.
    pub cursor: u64,
    /// How many it sent since it was enrolled.
    pub sent: u64,
    /// How many are parked.
    pub parked: u64,
}

/// An event that waits at a publisher.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct WaitingEvent {
    /// The publisher's name.
    pub publisher: String,
    /// The event.
    pub event: StoredEvent,
    /// How it waits.
    pub waiting: Waiting,
    /// What the broker said, in the publisher's words.
    pub reason: Option<String>,
}

/// Sends events to where others read them: a broker, a file.
#[async_trait]
pub trait Publisher: Send + Sync {
    /// Its name, under which the log keeps how far it came: it never changes.
    fn name(&self) -> &'static str;

    /// Sends `events`, each of another aggregate and so in any order, and answers one receipt for
    /// each, in their order.
    ///
    /// It ends within the publisher's own time-out, whatever the broker does; connecting, where
    /// that is needed, is part of it. What it sends is `body`, byte for byte; a replay is marked
    /// beside it, where there is room. An event may have arrived whose receipt is not
    /// [`Receipt::Sent`]: then it comes again.
    ///
    /// Calls may overlap, and one may be dropped at any await: no other call's receipts suffer from
    /// either.
    async fn publish(&self, events: &[&StoredEvent], occasion: Occasion) -> Vec<Receipt>;
}

/// Why an event is sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Occasion {
    /// It happened.
    News,
    /// An operator wants it sent again.
    Replay,
}

/// What came of sending an event.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Receipt {
    /// The broker took it for nobody, or would not take it now (nacked, no route, a full queue):
    /// it may go through later, and does not count as a try.
    Held(String),
    /// The broker never takes this event as it is (too large, not allowed).
    Rejected(String),
    /// It is stored durably, in at least one queue, partition or file.
    Sent,
    /// The broker is away, or did not answer in time; nothing is known of this event.
    Unavailable(String),
}
