//! How a relay brings events to a publisher, whatever the publisher answers.

mod interleavings;

use core::time::Duration;
use std::collections::HashSet;
use std::sync::Arc;

use tessera_app::{
    Clock, EventLog, Lease, Occasion, Progress, Publisher, Receipt, Relay, RelaySettings, Replay,
    ReplayError, Step, Store, StoredEvent, Tally,
};
use tessera_domain::{
    Change, Changes, Event, Fact, Id, NewUser, RetryPolicy, SchemaName, Tenant, TenantLayout,
    TenantName, User,
};
use tessera_memory::{Arrived, ManualClock, MemoryPublisher, MemoryStore, SeededEntropy};

#[tokio::test]
async fn what_was_committed_arrives_once_and_in_order() {
    let world = Outside::new().await;
    world.happen(&[(1, 1), (2, 1), (1, 2)]).await;
    let mut relay = world.relay(1);
    let step = relay.step().await.unwrap();
    assert_eq!(step, Step::Progress(sent(3)));
    let mut arrived = world.arrived();
    arrived.sort_unstable();
    assert_eq!(arrived, [(1, 1), (1, 2), (2, 1)]);
    assert_eq!(relay.step().await.unwrap(), Step::Quiet(sent(0), None));
    assert_eq!(world.arrived(), []);
}

#[tokio::test]
async fn a_limit_is_no_end() {
    let world = Outside::new().await;
    let many: Vec<(u32, u64)> = (1..=25).map(|user| (user, 1)).collect();
    world.happen(&many).await;
    world.drain(&mut world.relay(1)).await;
    assert_eq!(world.arrived(), many);
}

#[tokio::test]
async fn a_rejected_event_is_parked_in_the_end_and_stops_its_aggregate_alone() {
    let world = Outside::new().await;
    world.publisher.answer(|event| match event.sequence {
        1 if is_of(event, 1) => Receipt::Rejected("too large".to_owned()),
        _ => Receipt::Sent,
    });
    world.happen(&[(1, 1), (1, 2), (2, 1)]).await;
    let mut relay = world.relay(1);
    let mut parked = Vec::new();
    for _ in 0..RetryPolicy::default().rejections {
        while let Step::Progress(tally) | Step::Quiet(tally, _) = relay.step().await.unwrap() {
            parked.extend(tally.parked);
            if tally.sent == 0 {
                break;
            }
        }
        world.clock.advance(Duration::from_mins(1));
    }
    assert_eq!(world.arrived(), [(2, 1)]);
    let progress = world.progress().await;
    assert_eq!((progress.parked, progress.pending), (1, 1));
    let waiting = world.store.waiting(None, 0, 10).await.unwrap();
    assert_eq!(waiting[0].reason.as_deref(), Some("too large"));
    assert_eq!(parked, [waiting[0].event.id]);

    world.publisher.answer(|_| Receipt::Sent);
    world.happen(&[(1, 3)]).await;
    world.drain(&mut relay).await;
    assert_eq!(world.arrived(), [], "nothing overtakes a parked event");
    let parked = waiting[0].event.id;
    let retried = world.store.retry(None, parked, world.clock.now()).await;
    assert_eq!(retried.unwrap(), 1);
    world.drain(&mut relay).await;
    assert_eq!(world.arrived(), [(1, 1), (1, 2), (1, 3)]);
    assert_eq!(world.progress().await.parked, 0);
}

#[tokio::test]
async fn a_held_event_is_never_parked_and_waits_ever_longer() {
    let world = Outside::new().await;
    world.publisher.answer(|event| {
        if is_of(event, 1) {
            Receipt::Held("no route".to_owned())
        } else {
            Receipt::Sent
        }
    });
    world.happen(&[(1, 1)]).await;
    let mut relay = world.relay(1);
    let mut tries = 0;
    for _ in 0..600 {
        if let Step::Quiet(tally, _) = relay.step().await.unwrap() {
            tries += tally.failed;
        }
        world.clock.advance(Duration::from_secs(1));
    }
    assert!((10..30).contains(&tries), "{tries} tries in ten minutes");
    assert_eq!(world.progress().await.parked, 0);
    world.happen(&[(2, 1)]).await;
    world.drain(&mut relay).await;
    assert_eq!(world.arrived(), [(2, 1)]);
    world.publisher.answer(|_| Receipt::Sent);
    world.clock.advance(Duration::from_mins(1));
    world.drain(&mut relay).await;
    assert_eq!(world.arrived(), [(1, 1)]);
}

#[tokio::test]
async fn a_broker_that_is_away_pauses_the_relay_and_counts_as_no_try() {
    let world = Outside::new().await;
    world.publisher.answer(|_| away());
    world.happen(&[(1, 1), (1, 2), (2, 1)]).await;
    let mut relay = world.relay(1);
    let mut waits = Vec::new();
    for _ in 0..12 {
        let Step::Paused(tally, until) = relay.step().await.unwrap() else {
            panic!("not paused");
        };
        assert_eq!((tally.sent, tally.trouble.as_deref()), (0, Some("away")));
        waits.push(until.since(world.clock.now()));
        world.clock.set(until);
    }
    assert!(waits[0] < Duration::from_millis(300), "{waits:?}");
    let longest = waits.iter().max().copied().unwrap();
    assert!((Duration::from_secs(5)..=Duration::from_secs(10)).contains(&longest));
    assert_eq!(world.store.waiting(None, 0, 10).await.unwrap(), []);

    world.publisher.answer(|_| Receipt::Sent);
    world.drain(&mut relay).await;
    let mut arrived = world.arrived();
    arrived.sort_unstable();
    assert_eq!(arrived, [(1, 1), (1, 2), (2, 1)]);
}

#[tokio::test]
async fn a_broker_that_goes_away_in_the_middle_gets_only_what_it_lacks() {
    let world = Outside::new().await;
    world.publisher.answer(|event| {
        if event.sequence > 1 {
            away()
        } else {
            Receipt::Sent
        }
    });
    world.happen(&[(1, 1), (2, 1), (2, 2), (1, 2)]).await;
    let mut relay = world.relay(1);
    assert!(matches!(relay.step().await.unwrap(), Step::Paused(..)));
    assert_eq!(world.arrived(), [(1, 1), (2, 1)]);
    world.publisher.answer(|_| Receipt::Sent);
    world.drain(&mut relay).await;
    let mut arrived = world.arrived();
    arrived.sort_unstable();
    assert_eq!(arrived, [(1, 2), (2, 2)]);
    assert_eq!(world.progress().await.pending, 0);
}

#[tokio::test]
async fn a_part_of_the_broker_that_is_away_holds_what_goes_there_and_no_more() {
    let world = Outside::new().await;
    world.publisher.answer(|event| {
        if is_of(event, 2) {
            away()
        } else {
            Receipt::Sent
        }
    });
    world.happen(&[(1, 1), (2, 1), (3, 1)]).await;
    let mut relay = world.relay(1);
    let step = relay.step().await.unwrap();
    assert!(matches!(step, Step::Progress(_)), "{step:?}");
    assert_eq!(world.arrived(), [(1, 1), (3, 1)]);
    world.happen(&[(1, 2), (2, 2)]).await;
    world.drain(&mut relay).await;
    assert_eq!(world.arrived(), [(1, 2)]);
    world.publisher.answer(|_| Receipt::Sent);
    world.clock.advance(Duration::from_mins(1));
    world.drain(&mut relay).await;
    assert_eq!(world.arrived(), [(2, 1), (2, 2)]);
}

#[tokio::test]
async fn a_claim_that_takes_long_is_settled_before_its_lease_ends() {
    let world = Outside::new().await;
    let clock = world.clock.clone();
    world.publisher.answer(move |_| {
        clock.advance(Duration::from_secs(10));
        Receipt::Sent
    });
    let many: Vec<(u32, u64)> = (1..=10).map(|sequence| (1, sequence)).collect();
    world.happen(&many).await;
    let mut relay = world.relay(1);
    for _ in 0..8 {
        let begun = world.clock.now();
        relay.step().await.unwrap();
        assert!(world.clock.now().since(begun) < SETTINGS.lease / 2);
        world.clock.advance(Duration::from_secs(5));
    }
    assert_eq!(world.progress().await.pending, 0);
    assert_eq!(world.arrived(), many, "without a repeat");
}

#[tokio::test]
async fn a_broker_that_turns_everything_away_is_probed_with_few() {
    let world = Outside::new().await;
    world.publisher.answer(|_| Receipt::Held("full".to_owned()));
    let many: Vec<(u32, u64)> = (1..=50).map(|user| (user, 1)).collect();
    world.happen(&many).await;
    let mut relay = world.relay(1);
    let first = relay.step().await.unwrap();
    let Step::Paused(tally, until) = first else {
        panic!("{first:?}");
    };
    assert_eq!(tally.failed, SETTINGS.batch);
    world.clock.set(until);
    let second = relay.step().await.unwrap();
    let Step::Paused(tally, until) = second else {
        panic!("{second:?}");
    };
    assert_eq!(tally.failed, SETTINGS.probe);
    world.clock.set(until + Duration::from_mins(2));
    world.publisher.answer(|_| Receipt::Sent);
    world.drain(&mut relay).await;
    let arrived: HashSet<_> = world.arrived().into_iter().collect();
    assert_eq!(arrived, many.into_iter().collect());
}

#[tokio::test]
async fn a_relay_that_cannot_reach_the_broker_leaves_it_to_another() {
    let world = Outside::new().await;
    world.happen(&[(1, 1)]).await;
    let (mut cut_off, mut other) = (world.relay(1), world.relay(2));
    world.publisher.answer(|_| away());
    cut_off.step().await.unwrap();
    world.publisher.answer(|_| Receipt::Sent);
    assert_eq!(other.step().await.unwrap(), Step::Progress(sent(1)));
}

#[tokio::test]
async fn of_two_relays_one_works_and_the_other_takes_over_after_the_lease() {
    let world = Outside::new().await;
    world.happen(&[(1, 1)]).await;
    let (mut first, mut second) = (world.relay(1), world.relay(2));
    first.step().await.unwrap();
    let step = second.step().await.unwrap();
    let Step::Elsewhere(until) = step else {
        panic!("{step:?}");
    };
    world.happen(&[(1, 2)]).await;
    world.clock.set(until);
    assert_eq!(second.step().await.unwrap(), Step::Progress(sent(1)));
    second.release().await.unwrap();
    assert!(matches!(first.step().await.unwrap(), Step::Quiet(..)));
    assert_eq!(world.arrived(), [(1, 1), (1, 2)]);
}

#[tokio::test]
async fn what_a_relay_had_in_hand_when_it_died_comes_again_byte_for_byte() {
    let world = Outside::new().await;
    world.happen(&[(1, 1)]).await;
    let store = world.store.clone();
    world.publisher.answer(move |_| {
        store.unavailable(true);
        Receipt::Sent
    });
    let mut relay = world.relay(1);
    assert!(relay.step().await.is_err(), "it could not settle");
    world.store.unavailable(false);
    world.publisher.answer(|_| Receipt::Sent);
    world.drain(&mut relay).await;
    let arrived = world.publisher.arrived();
    assert_eq!(arrived.len(), 2);
    assert_eq!(arrived[0], arrived[1]);
}

#[tokio::test]
async fn a_replay_sends_again_what_was_sent_in_order_and_marks_it() {
    let world = Outside::new().await;
    world.publisher.answer(|event| {
        if is_of(event, 2) {
            Receipt::Held("no route".to_owned())
        } else {
            Receipt::Sent
        }
    });
    world
        .happen(&[(1, 1), (2, 1), (1, 2), (2, 2), (3, 1)])
        .await;
    world.drain(&mut world.relay(1)).await;
    let first: Vec<_> = world.publisher.arrived();
    world.happen(&[(3, 2)]).await;
    world.publisher.answer(|_| Receipt::Sent);

    let log: Arc<dyn EventLog> = Arc::new(world.store.clone());
    let publisher: Arc<dyn Publisher> = Arc::new(world.publisher.clone());
    let replay = Replay::begin(Arc::clone(&log), Arc::clone(&publisher), None, 1).await;
    let replayed = replay.unwrap().step().await.unwrap();
    assert_eq!(
        (replayed.sent, replayed.refused, replayed.done),
        (3, 0, true)
    );
    let mut again = world.publisher.arrived();
    assert!(again.iter().all(|one| one.occasion == Occasion::Replay));
    again.sort_by_key(|one| one.event.position);
    let events = |all: Vec<Arrived>| all.into_iter().map(|one| one.event).collect::<Vec<_>>();
    let mut first = events(first);
    first.sort_by_key(|event| event.position);
    assert_eq!(events(again), first);

    let mut of_the_last = Replay::begin(log, publisher, None, 5).await.unwrap();
    assert_eq!(of_the_last.step().await.unwrap().sent, 1);
    assert_eq!(world.arrived(), [(3, 1)]);
}

#[tokio::test]
async fn a_replay_to_a_broker_that_is_away_can_go_on_where_it_was() {
    let world = Outside::new().await;
    world.happen(&[(1, 1), (2, 1)]).await;
    world.drain(&mut world.relay(1)).await;
    world.publisher.arrived();
    let (log, publisher) = (world.store.clone(), world.publisher.clone());
    let replay = Replay::begin(Arc::new(log), Arc::new(publisher), None, 1).await;
    let mut replay = replay.unwrap();
    world.publisher.answer(|_| away());
    assert!(matches!(replay.step().await, Err(ReplayError::Away(_))));
    assert_eq!(replay.next(), 1);
    world.publisher.answer(|_| Receipt::Sent);
    assert_eq!(replay.step().await.unwrap().sent, 2);
    assert_eq!(world.arrived(), [(1, 1), (2, 1)]);
}

/// A log, a publisher, and one tenant in which things happen.
pub(crate) struct Outside {
    pub(crate) store: MemoryStore,
    pub(crate) publisher: MemoryPublisher,
    pub(crate) clock: ManualClock,
    tenant: Tenant,
}

impl Outside {
    pub(crate) async fn new() -> Self {
        let (store, clock) = (MemoryStore::default(), ManualClock::default());
        let name = TenantName::parse("Acme").unwrap();
        let schema = SchemaName::suggest(&name).unwrap();
        let (tenant, _) = Tenant::create(
            name,
            schema,
            TenantLayout::Schema,
            Id::new(clock.now(), [1; 10]),
            clock.now(),
        );
        let changes = Changes {
            tenants: vec![Change::Insert(tenant.clone())],
            ..Changes::default()
        };
        store.commit(&tenant, changes).await.unwrap();
        let publisher = MemoryPublisher::new("memory");
        store.enrol(publisher.name()).await.unwrap();
        Self {
            store,
            publisher,
            clock,
            tenant,
        }
    }

    pub(crate) fn relay(&self, number: u8) -> Relay {
        self.relay_to(Arc::new(self.publisher.clone()), number)
    }

    pub(crate) fn relay_to(&self, publisher: Arc<dyn Publisher>, number: u8) -> Relay {
        Relay::new(
            Arc::new(self.store.clone()),
            publisher,
            Arc::new(self.clock.clone()),
            Arc::new(SeededEntropy::new(number.into())),
            holder(number),
            SETTINGS,
        )
    }

    /// Commits events, each the user's of that number and of that sequence.
    pub(crate) async fn happen(&self, what: &[(u32, u64)]) {
        let now = self.clock.now();
        for (user, sequence) in what {
            let created = User::create(NewUser::default(), user_id(*user), now).1;
            let fact = Fact {
                sequence: *sequence,
                ..created
            };
            let event = Event {
                id: Id::new(now, event_entropy(*user, *sequence)),
                at: now,
                tenant: self.tenant.id,
                fact,
            };
            let changes = Changes {
                events: vec![event],
                ..Changes::default()
            };
            self.store.commit(&self.tenant, changes).await.unwrap();
        }
    }

    /// Steps until there is nothing more to do at the moment.
    pub(crate) async fn drain(&self, relay: &mut Relay) {
        while let Step::Progress(_) = relay.step().await.unwrap() {}
    }

    /// What arrived since this was asked last.
    pub(crate) fn arrived(&self) -> Vec<(u32, u64)> {
        let arrived = self.publisher.arrived().into_iter();
        arrived
            .map(|arrived| {
                let user = (1..=99).find(|user| is_of(&arrived.event, *user));
                (user.unwrap(), arrived.event.sequence)
            })
            .collect()
    }

    /// Has every parked event tried again.
    pub(crate) async fn retry_all(&self) {
        for waiting in self.store.waiting(None, 0, usize::MAX).await.unwrap() {
            let (event, now) = (waiting.event.id, self.clock.now());
            self.store.retry(None, event, now).await.unwrap();
        }
    }

    pub(crate) async fn progress(&self) -> Progress {
        self.store.progress().await.unwrap().remove(0)
    }
}

pub(crate) fn is_of(event: &StoredEvent, user: u32) -> bool {
    event.subject == format!("user/{}", user_id(user))
}

fn user_id(number: u32) -> Id<User> {
    let [a, b, c, d] = number.to_be_bytes();
    Id::new(ManualClock::default().now(), [0, 0, 0, 0, 0, 0, a, b, c, d])
}

fn event_entropy(user: u32, sequence: u64) -> [u8; 10] {
    let mut entropy = [0; 10];
    let number = u64::from(user) * 1_000 + sequence;
    entropy[2..].copy_from_slice(&number.to_be_bytes());
    entropy
}

fn holder(number: u8) -> Id<Lease> {
    Id::new(ManualClock::default().now(), [number; 10])
}

fn away() -> Receipt {
    Receipt::Unavailable("away".to_owned())
}

fn sent(count: usize) -> Tally {
    Tally {
        sent: count,
        ..Tally::default()
    }
}

const SETTINGS: RelaySettings = RelaySettings {
    batch: 10,
    probe: 4,
    lease: Duration::from_mins(1),
    retry: RetryPolicy {
        first: Duration::from_secs(1),
        longest: Duration::from_mins(1),
        rejections: 5,
    },
};
