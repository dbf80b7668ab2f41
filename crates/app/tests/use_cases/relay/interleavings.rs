//! Whatever happens in whatever order, what was committed arrives, and an aggregate's events
//! arrive first in the order of their commits.

use core::time::Duration;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use proptest::prelude::*;
use tessera_app::{Occasion, Publisher, Receipt, Relay, StoredEvent};
use tessera_memory::{ManualClock, MemoryPublisher};
use tokio::runtime::Builder;
use tokio::sync::oneshot;

use super::Outside;

#[derive(Clone, Debug)]
enum Move {
    /// Something happens to that user.
    Happen(u32),
    /// That relay does a step; the broker answers each event by the bits.
    Step(usize, u64),
    /// That relay does a step, and in the middle of it, before or after its events reach the
    /// broker, so much time goes by that the other one, which does a step too, may be alone.
    Overlap(usize, u64, u64, Middle),
    /// That relay dies, and another takes its place.
    Replace(usize),
    /// Time goes by.
    Wait(u64),
    /// An operator has everything parked tried again.
    Retry,
}

#[derive(Clone, Copy, Debug)]
enum Middle {
    After,
    Before,
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let middle = prop_oneof![Just(Middle::After), Just(Middle::Before)];
    let one = prop_oneof![
        4 => (1_u32..=4).prop_map(Move::Happen),
        6 => (0_usize..2, any::<u64>()).prop_map(|(relay, bits)| Move::Step(relay, bits)),
        3 => (0_usize..2, any::<u64>(), 0_u64..90, middle)
            .prop_map(|(relay, bits, secs, middle)| Move::Overlap(relay, bits, secs, middle)),
        1 => (0_usize..2).prop_map(Move::Replace),
        2 => (0_u64..70).prop_map(Move::Wait),
        1 => Just(Move::Retry),
    ];
    prop::collection::vec(one, 1..80)
}

proptest! {
    #[test]
    fn every_event_arrives_and_the_first_of_each_in_order(moves in moves()) {
        let runtime = Builder::new_current_thread().build().unwrap();
        runtime.block_on(play(moves));
    }
}

async fn play(moves: Vec<Move>) {
    let outside = Outside::new().await;
    let mut relays = [Interrupted::new(&outside, 1), Interrupted::new(&outside, 2)];
    let mut next = 3;
    let mut happened: HashMap<u32, u64> = HashMap::new();
    let mut arrived: Vec<(u32, u64)> = Vec::new();
    for step in moves {
        match step {
            Move::Happen(user) => {
                let sequence = happened.entry(user).or_default();
                *sequence += 1;
                outside.happen(&[(user, *sequence)]).await;
            }
            Move::Step(relay, bits) => {
                answer_by(&outside, bits);
                relays[relay].relay.step().await.unwrap();
            }
            Move::Overlap(relay, bits, secs, middle) => {
                answer_by(&outside, bits);
                let [one, two] = &mut relays;
                let (first, second) = if relay == 0 { (one, two) } else { (two, one) };
                first.step_around(second, secs, middle).await;
            }
            Move::Replace(relay) => {
                relays[relay] = Interrupted::new(&outside, next);
                next += 1;
            }
            Move::Wait(secs) => outside.clock.advance(Duration::from_secs(secs)),
            Move::Retry => outside.retry_all().await,
        }
        arrived.extend(outside.arrived());
    }
    let [mut last, _] = relays;
    settle_down(&outside, &mut last.relay).await;
    arrived.extend(outside.arrived());
    for (user, count) in happened {
        let mut firsts: Vec<u64> = Vec::new();
        for (of, sequence) in &arrived {
            if *of == user && !firsts.contains(sequence) {
                firsts.push(*sequence);
            }
        }
        let committed: Vec<u64> = (1..=count).collect();
        assert_eq!(firsts, committed, "of user {user}");
    }
}

/// The broker takes half of the events, and turns away the rest in each of the three ways.
fn answer_by(outside: &Outside, mut bits: u64) {
    outside.publisher.answer(move |_| {
        bits = bits.rotate_right(3);
        match bits & 7 {
            0 => Receipt::Held("held".to_owned()),
            1 | 2 => Receipt::Rejected("rejected".to_owned()),
            3 => Receipt::Unavailable("away".to_owned()),
            _ => Receipt::Sent,
        }
    });
}

/// All is well again, for long enough.
async fn settle_down(outside: &Outside, relay: &mut Relay) {
    outside.publisher.answer(|_| Receipt::Sent);
    outside.clock.advance(Duration::from_hours(1));
    outside.retry_all().await;
    for _ in 0..3 {
        outside.drain(relay).await;
    }
    assert_eq!(outside.progress().await.pending, 0);
    assert_eq!(outside.progress().await.parked, 0);
}

/// A relay whose publisher can be stopped in the middle of a call.
struct Interrupted {
    relay: Relay,
    publisher: Gated,
}

impl Interrupted {
    fn new(outside: &Outside, number: u8) -> Self {
        let publisher = Gated {
            inner: outside.publisher.clone(),
            clock: outside.clock.clone(),
            gate: Arc::default(),
        };
        Self {
            relay: outside.relay_to(Arc::new(publisher.clone()), number),
            publisher,
        }
    }

    async fn step_around(&mut self, other: &mut Self, secs: u64, middle: Middle) {
        let (start, begun) = oneshot::channel();
        let (go_on, going) = oneshot::channel();
        let gate = Gate {
            middle,
            begin: start,
            going,
            wait: Duration::from_secs(secs),
        };
        *self.publisher.gate.lock().unwrap() = Some(gate);
        let meanwhile = async {
            // Where there is nothing to publish, nothing stops the step.
            if begun.await.is_ok() {
                other.relay.step().await.unwrap();
                go_on.send(()).unwrap();
            }
        };
        let step = async {
            let step = self.relay.step().await;
            self.publisher.gate.lock().unwrap().take();
            step
        };
        let (step, ()) = tokio::join!(step, meanwhile);
        step.unwrap();
    }
}

/// Stops the next call at its gate.
#[derive(Clone)]
struct Gated {
    inner: MemoryPublisher,
    clock: ManualClock,
    gate: Arc<Mutex<Option<Gate>>>,
}

struct Gate {
    middle: Middle,
    begin: oneshot::Sender<()>,
    going: oneshot::Receiver<()>,
    wait: Duration,
}

impl Gate {
    async fn pass(self, clock: &ManualClock) {
        clock.advance(self.wait);
        self.begin.send(()).unwrap();
        self.going.await.unwrap();
    }
}

#[async_trait]
impl Publisher for Gated {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    async fn publish(&self, events: &[&StoredEvent], occasion: Occasion) -> Vec<Receipt> {
        let gate = self.gate.lock().unwrap().take();
        match gate {
            None => self.inner.publish(events, occasion).await,
            Some(gate) => match gate.middle {
                Middle::After => {
                    let receipts = self.inner.publish(events, occasion).await;
                    gate.pass(&self.clock).await;
                    receipts
                }
                Middle::Before => {
                    gate.pass(&self.clock).await;
                    self.inner.publish(events, occasion).await
                }
            },
        }
    }
}
