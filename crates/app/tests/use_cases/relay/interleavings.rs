//! Whatever happens in whatever order, what was committed arrives, and an aggregate's events
//! arrive first in the order of their commits.

use core::time::Duration;
use std::collections::HashMap;

use proptest::prelude::*;
use tessera_app::{Receipt, Relay};
use tokio::runtime::Builder;

use super::Outside;

#[derive(Clone, Debug)]
enum Move {
    /// Something happens to that user.
    Happen(u32),
    /// That relay does a step; the broker answers each event by the bits.
    Step(usize, u64),
    /// That relay dies, and another takes its place.
    Replace(usize),
    /// Time goes by, of which the relays have their own idea.
    Wait(u64),
    /// An operator has everything parked tried again.
    Retry,
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = prop_oneof![
        4 => (1_u32..=4).prop_map(Move::Happen),
        6 => (0_usize..2, any::<u64>()).prop_map(|(relay, bits)| Move::Step(relay, bits)),
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
    let mut relays = [outside.relay(1), outside.relay(2)];
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
                relays[relay].step().await.unwrap();
                arrived.extend(outside.arrived());
            }
            Move::Replace(relay) => {
                relays[relay] = outside.relay(next);
                next += 1;
            }
            Move::Wait(secs) => outside.clock.advance(Duration::from_secs(secs)),
            Move::Retry => outside.retry_all().await,
        }
    }
    let [mut last, _] = relays;
    settle_down(&outside, &mut last).await;
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
