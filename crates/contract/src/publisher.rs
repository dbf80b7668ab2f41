//! The cases that every publisher passes, against the broker that it is for.
//!
//! An adapter implements [`Broker`] over a real one: a handle by which a case makes publishers,
//! reads back what arrived (with another client than the adapter's, where there is one), and has
//! the broker fail. Cases of one adapter run side by side, so each brings a broker, or a corner of
//! one (a topic, a virtual host), of its own.

use core::slice;
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::sync::Arc;

use async_trait::async_trait;
use tessera_app::{Occasion, Publisher, Receipt, StoredEvent};
use tessera_domain::Id;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::values;

/// A broker that a case tries a publisher with; gone when it is dropped.
#[async_trait]
pub trait Broker: Send + Sync {
    /// A new publisher to it, as the service makes one at its start.
    fn publisher(&self) -> Arc<dyn Publisher>;

    /// A new publisher to a broker that cannot be reached.
    fn publisher_to_nowhere(&self) -> Arc<dyn Publisher>;

    /// A new publisher to a broker that takes connections and never says a word; none where the
    /// adapter makes no connections.
    async fn publisher_to_silence(&self) -> Option<Arc<dyn Publisher>>;

    /// What has arrived by now, oldest first, from the first on; of one aggregate in the order in
    /// which it arrived. What a publisher called sent has arrived.
    async fn arrived(&self) -> Vec<Arrived>;

    /// Ends the broker as a crash does, and starts it again with what it had; returns when it can
    /// be reached.
    async fn restart(&self);

    /// Takes away where events go to (a binding, a topic); false where that is not possible.
    async fn unroute(&self) -> bool;

    /// Puts back what [`unroute`](Self::unroute) took away.
    async fn route(&self);

    /// A size in bytes that is too much for the broker; none where nothing is.
    fn too_large(&self) -> Option<usize>;
}

/// An event as a consumer gets it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Arrived {
    /// The bytes of the message.
    pub body: String,
    /// Whether it says beside the event that it is a replay; none where there is no room to say.
    pub replay: Option<bool>,
}

/// Lists the cases, as `store_suite` does.
macro_rules! suite {
    ($dollar:tt $($case:ident)+) => {
        $(
            #[doc(hidden)]
            pub mod $case {
                /// Runs the case.
                pub async fn run(broker: impl super::Broker) {
                    super::$case(&broker).await;
                }
            }
        )+

        /// Makes every case a test; `$broker` is an async function that makes a
        /// [`Broker`](crate::publisher::Broker).
        #[macro_export]
        macro_rules! publisher_suite {
            ($dollar broker:path) => {
                $(
                    #[::tokio::test(flavor = "multi_thread", worker_threads = 2)]
                    async fn $case() {
                        $crate::publisher::$case::run($dollar broker().await).await;
                    }
                )+
            };
        }
    };
}

suite! { $
    an_event_arrives_byte_for_byte
    nothing_to_publish_is_nothing_published
    a_batch_arrives_whole_with_a_receipt_for_each
    events_of_one_aggregate_arrive_in_order
    a_replay_is_marked_beside_the_event
    a_broker_that_is_away_is_unavailable_in_time
    a_broker_that_is_silent_is_unavailable_in_time
    a_restart_in_the_middle_loses_nothing_that_was_sent
    an_event_without_a_route_is_held_until_there_is_one
    an_oversized_event_is_rejected_alone
    a_publisher_goes_on_after_a_call_that_was_dropped
    a_call_after_dropped_ones_gets_its_own_receipts
}

async fn an_event_arrives_byte_for_byte(broker: &impl Broker) {
    let event = StoredEvent {
        body: String::from("{\"data\":{\"first_name\":\"Zoë \\\"王\\\" \\u0000\"}}"),
        ..event(1, 1)
    };
    send(&*broker.publisher(), slice::from_ref(&event)).await;
    assert_eq!(bodies(broker).await, [event.body]);
}

async fn nothing_to_publish_is_nothing_published(broker: &impl Broker) {
    let receipts = broker.publisher().publish(&[], Occasion::News).await;
    assert_eq!(receipts, []);
    assert!(broker.arrived().await.is_empty());
}

async fn a_batch_arrives_whole_with_a_receipt_for_each(broker: &impl Broker) {
    let batch: Vec<StoredEvent> = (1..=2_000).map(|user| event(user, 1)).collect();
    send(&*broker.publisher(), &batch).await;
    let mut expected: Vec<String> = batch.into_iter().map(|event| event.body).collect();
    let mut arrived = bodies(broker).await;
    arrived.sort_unstable();
    expected.sort_unstable();
    assert_eq!(arrived, expected);
}

async fn events_of_one_aggregate_arrive_in_order(broker: &impl Broker) {
    let publisher = broker.publisher();
    for sequence in 1..=20 {
        let round = [1, 2, 3].map(|user| event(user, sequence));
        send(&*publisher, &round).await;
    }
    let arrived = bodies(broker).await;
    for user in 1..=3 {
        let expected: Vec<String> = (1..=20)
            .map(|sequence| event(user, sequence).body)
            .collect();
        let of_user: Vec<String> = arrived
            .iter()
            .filter(|body| expected.contains(body))
            .cloned()
            .collect();
        assert_eq!(of_user, expected);
    }
}

async fn a_replay_is_marked_beside_the_event(broker: &impl Broker) {
    let (publisher, event) = (broker.publisher(), event(1, 1));
    send(&*publisher, slice::from_ref(&event)).await;
    let receipts = publisher.publish(&[&event], Occasion::Replay).await;
    assert_eq!(receipts, [Receipt::Sent]);
    let arrived = broker.arrived().await;
    let [first, replay] = arrived.as_slice() else {
        panic!("{arrived:?}");
    };
    assert_eq!(first.body, replay.body);
    assert_ne!(first.replay, Some(true));
    assert_ne!(replay.replay, Some(false));
    assert_eq!(first.replay.is_some(), replay.replay.is_some());
}

async fn a_broker_that_is_away_is_unavailable_in_time(broker: &impl Broker) {
    let publisher = broker.publisher_to_nowhere();
    for _ in 0..2 {
        unavailable(&*publisher).await;
    }
}

async fn a_broker_that_is_silent_is_unavailable_in_time(broker: &impl Broker) {
    if let Some(publisher) = broker.publisher_to_silence().await {
        unavailable(&*publisher).await;
    }
}

async fn a_restart_in_the_middle_loses_nothing_that_was_sent(broker: &impl Broker) {
    let publisher = broker.publisher();
    let back = Arc::new(AtomicBool::new(false));
    let mut steady = JoinSet::new();
    steady.spawn(steadily(Arc::clone(&publisher), Arc::clone(&back)));
    send(&*broker.publisher(), &[event(2, 1)]).await;
    broker.restart().await;
    back.store(true, Ordering::SeqCst);
    let sent = timeout(HANG, steady.join_all()).await.unwrap().concat();
    send(&*publisher, &[event(3, 1)]).await;
    let arrived = bodies(broker).await;
    for body in sent.iter().chain([&event(2, 1).body, &event(3, 1).body]) {
        assert!(arrived.contains(body), "lost: {body}");
    }
    let mut firsts: Vec<&String> = Vec::new();
    for body in arrived.iter().filter(|body| sent.contains(body)) {
        if !firsts.contains(&body) {
            firsts.push(body);
        }
    }
    assert!(
        firsts.into_iter().eq(&sent),
        "the first of each comes in order"
    );
}

async fn an_event_without_a_route_is_held_until_there_is_one(broker: &impl Broker) {
    let publisher = broker.publisher();
    send(&*publisher, &[event(1, 1)]).await;
    if !broker.unroute().await {
        return;
    }
    let lost = event(1, 2);
    let receipts = publisher.publish(&[&lost], Occasion::News).await;
    assert!(
        matches!(&*receipts, [Receipt::Held(_) | Receipt::Unavailable(_)]),
        "{receipts:?}"
    );
    broker.route().await;
    until_sent(&*publisher, &lost).await;
    assert!(bodies(broker).await.contains(&lost.body));
}

async fn an_oversized_event_is_rejected_alone(broker: &impl Broker) {
    let Some(size) = broker.too_large() else {
        return;
    };
    let publisher = broker.publisher();
    let oversized = StoredEvent {
        body: format!("{{\"data\":\"{}\"}}", "x".repeat(size)),
        ..event(2, 1)
    };
    let (before, after) = (event(1, 1), event(3, 1));
    let receipts = publisher
        .publish(&[&before, &oversized, &after], Occasion::News)
        .await;
    let [first, second, third] = receipts.as_slice() else {
        panic!("{receipts:?}");
    };
    assert!(matches!(second, Receipt::Rejected(_)), "{second:?}");
    assert_eq!([first, third], [&Receipt::Sent; 2]);
    send(&*publisher, &[event(4, 1)]).await;
    assert_eq!(bodies(broker).await.len(), 3);
}

async fn a_publisher_goes_on_after_a_call_that_was_dropped(broker: &impl Broker) {
    let publisher = broker.publisher();
    for user in 1..=20 {
        let event = event(user, 1);
        let events = [&event];
        let dropped = publisher.publish(&events, Occasion::News);
        let _ = timeout(Duration::from_micros(u64::from(user) * 50), dropped).await;
    }
    let last = event(99, 1);
    send(&*publisher, slice::from_ref(&last)).await;
    assert!(bodies(broker).await.contains(&last.body));
}

async fn a_call_after_dropped_ones_gets_its_own_receipts(broker: &impl Broker) {
    let Some(size) = broker.too_large() else {
        return;
    };
    let publisher = broker.publisher();
    let oversized = [1, 2].map(|user| StoredEvent {
        body: format!("{{\"data\":\"{}\"}}", "x".repeat(size)),
        ..event(user, 1)
    });
    let oversized = oversized.each_ref();
    let small: Vec<StoredEvent> = (1..=20).map(|user| event(100 + user, 1)).collect();
    for (number, small) in (1..).zip(&small) {
        let dropped = publisher.publish(&oversized, Occasion::News);
        let _ = timeout(Duration::from_micros(number * 100), dropped).await;
        send(&*publisher, slice::from_ref(small)).await;
    }
    let arrived = bodies(broker).await;
    let lost = small.iter().find(|event| !arrived.contains(&event.body));
    assert_eq!(lost, None);
}

/// Sends events of one aggregate as a relay does, the next one once this one is sent, until the
/// broker is back and some more are; answers what was sent.
async fn steadily(publisher: Arc<dyn Publisher>, back: Arc<AtomicBool>) -> Vec<String> {
    let (mut sent, mut more) = (Vec::new(), 5);
    for sequence in 1.. {
        let event = event(1, sequence);
        until_sent(&*publisher, &event).await;
        sent.push(event.body);
        more -= i32::from(back.load(Ordering::SeqCst));
        if more == 0 {
            break;
        }
    }
    sent
}

/// Publishes what has to be sent.
async fn send(publisher: &dyn Publisher, events: &[StoredEvent]) {
    let events: Vec<&StoredEvent> = events.iter().collect();
    let receipts = publisher.publish(&events, Occasion::News).await;
    assert_eq!(receipts.len(), events.len());
    let refused = receipts.iter().find(|receipt| **receipt != Receipt::Sent);
    assert_eq!(refused, None);
}

/// A broker may need a moment to take up again what was taken away, and a publisher to notice.
async fn until_sent(publisher: &dyn Publisher, event: &StoredEvent) {
    let sent = async {
        while publisher.publish(&[event], Occasion::News).await != [Receipt::Sent] {
            tokio::task::yield_now().await;
        }
    };
    let sent = timeout(HANG, sent).await;
    assert!(sent.is_ok(), "it is never sent");
}

async fn unavailable(publisher: &dyn Publisher) {
    let events = [event(1, 1), event(2, 1)];
    let events: Vec<&StoredEvent> = events.iter().collect();
    let receipts = timeout(HANG, publisher.publish(&events, Occasion::News)).await;
    let receipts = receipts.unwrap_or_else(|_| panic!("it hangs"));
    let away = |receipt: &Receipt| matches!(receipt, Receipt::Unavailable(_));
    assert!(
        receipts.len() == 2 && receipts.iter().all(away),
        "{receipts:?}"
    );
}

async fn bodies(broker: &impl Broker) -> Vec<String> {
    let arrived = broker.arrived().await.into_iter();
    arrived.map(|arrived| arrived.body).collect()
}

/// The user's event of that sequence.
fn event(user: u32, sequence: u64) -> StoredEvent {
    let tenant = values::tenant("Acme");
    let moment = values::NOW + Duration::from_millis(sequence);
    let [a, b, c, d] = user.to_be_bytes();
    let id = Id::new(moment, [0, 0, 0, 0, 0, 0, a, b, c, d]);
    let subject = format!("user/{}", values::id::<()>(user));
    let position = u64::from(user) * 1_000_000 + sequence;
    StoredEvent {
        position,
        body: format!(
            "{{\"specversion\":\"1.0\",\"id\":\"{id}\",\"source\":\"urn:tessera\",\
             \"type\":\"UserLoggedIn\",\"subject\":\"{subject}\",\
             \"time\":\"2026-01-01T00:00:00.123457Z\",\"datacontenttype\":\"application/json\",\
             \"tenantid\":\"{}\",\"sequence\":\"{sequence}\",\
             \"data\":{{\"session\":null}},\"position\":\"{position}\"}}",
            tenant.id
        ),
        id,
        tenant: tenant.id,
        subject,
        sequence,
        event_type: "UserLoggedIn".to_owned(),
        at: values::NOW,
    }
}

/// Well beyond any publisher's time-out: what takes longer hangs.
const HANG: Duration = Duration::from_mins(1);
