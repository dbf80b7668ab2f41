//! How a log gives events out to relays, and keeps how far each publisher came.

use core::slice;
use core::time::Duration;
use std::sync::Arc;

use tessera_app::{Claim, Claimed, ClaimedEvent, Lease, Progress, Settlement};
use tessera_domain::{Standing, Tenant, Timestamp, User, Waiting};

use tokio::task::JoinSet;

use crate::fixture::events;
use crate::{Fixture, values};

pub(super) async fn a_publisher_starts_at_the_end_of_the_log(fixture: &Fixture) {
    let acme = fixture.tenant("Acme").await;
    happen(fixture, &acme, &[(1, 1)]).await;
    fixture.log.enrol("p").await.unwrap();
    happen(fixture, &acme, &[(1, 2)]).await;
    fixture.log.enrol("p").await.unwrap();
    assert_eq!(told(&claim(fixture, lease(), 10).await), [(1, 2)]);
    fixture.log.enrol("later").await.unwrap();
    let later = Lease {
        publisher: "later",
        ..lease()
    };
    assert!(claim(fixture, later, 10).await.events.is_empty());
}

pub(super) async fn a_claim_has_what_is_new_in_order_and_again_until_it_is_settled(
    fixture: &Fixture,
) {
    let acme = enrolled(fixture).await;
    let none = claim(fixture, lease(), 10).await;
    assert!(none.events.is_empty() && !none.more && none.next_due.is_none());
    happen(fixture, &acme, &[(1, 1), (2, 1), (1, 2)]).await;
    for _ in 0..2 {
        let claim = claim(fixture, lease(), 10).await;
        assert_eq!(told(&claim), [(1, 1), (2, 1), (1, 2)]);
        assert!(claim.events.iter().all(is_free));
        assert_eq!(fixture.events().await, stored(&claim));
    }
}

pub(super) async fn a_claim_says_whether_its_limit_kept_something_out(fixture: &Fixture) {
    let acme = enrolled(fixture).await;
    happen(fixture, &acme, &[(1, 1), (2, 1), (3, 1)]).await;
    let cut = claim(fixture, lease(), 2).await;
    assert_eq!(told(&cut), [(1, 1), (2, 1)]);
    assert!(cut.more);
    let whole = claim(fixture, lease(), 3).await;
    assert!(!whole.more && whole.events.len() == 3);
}

pub(super) async fn what_was_sent_does_not_come_again(fixture: &Fixture) {
    let acme = enrolled(fixture).await;
    happen(fixture, &acme, &[(1, 1), (2, 1), (3, 1)]).await;
    let first = claim(fixture, lease(), 2).await;
    settle(fixture, first, &[]).await;
    let second = claim(fixture, lease(), 2).await;
    assert_eq!(told(&second), [(3, 1)]);
    settle(fixture, second, &[]).await;
    assert!(claim(fixture, lease(), 2).await.events.is_empty());
}

pub(super) async fn a_lease_keeps_others_out_until_it_ends(fixture: &Fixture) {
    let acme = enrolled(fixture).await;
    happen(fixture, &acme, &[(1, 1)]).await;
    claim(fixture, lease(), 10).await;
    let before_its_end = lease().until - Duration::from_micros(1);
    let answer = fixture
        .log
        .claim(&rival(), before_its_end, 10)
        .await
        .unwrap();
    assert_eq!(answer, Claimed::Elsewhere(lease().until));
    let answer = fixture
        .log
        .claim(&rival(), lease().until, 10)
        .await
        .unwrap();
    assert_eq!(told(&ours(answer)), [(1, 1)]);
    let answer = fixture.log.claim(&lease(), NOW, 10).await.unwrap();
    assert_eq!(answer, Claimed::Elsewhere(rival().until));
}

pub(super) async fn a_lease_that_was_given_back_is_free(fixture: &Fixture) {
    let acme = enrolled(fixture).await;
    happen(fixture, &acme, &[(1, 1)]).await;
    claim(fixture, lease(), 10).await;
    fixture.log.release(&rival()).await.unwrap();
    let answer = fixture.log.claim(&rival(), NOW, 10).await.unwrap();
    assert_eq!(answer, Claimed::Elsewhere(lease().until));
    fixture.log.release(&lease()).await.unwrap();
    claim(fixture, rival(), 10).await;
}

pub(super) async fn a_settlement_of_a_lost_lease_does_nothing(fixture: &Fixture) {
    let acme = enrolled(fixture).await;
    happen(fixture, &acme, &[(1, 1)]).await;
    let lost = claim(fixture, lease(), 10).await;
    let taken = fixture
        .log
        .claim(&rival(), lease().until, 10)
        .await
        .unwrap();
    assert!(!settles(fixture, lost, &[]).await);
    let answer = fixture.log.claim(&rival(), NOW, 10).await.unwrap();
    assert_eq!(told(&ours(answer)), told(&ours(taken)));
    assert_eq!(progress(fixture, "p").await.sent, 0);
}

pub(super) async fn a_settlement_of_an_older_claim_does_nothing(fixture: &Fixture) {
    let acme = enrolled(fixture).await;
    happen(fixture, &acme, &[(1, 1)]).await;
    let older = claim(fixture, lease(), 10).await;
    claim(fixture, lease(), 10).await;
    assert!(!settles(fixture, older, &[]).await);
    assert_eq!(told(&claim(fixture, lease(), 10).await), [(1, 1)]);
}

pub(super) async fn what_waits_comes_when_it_is_due(fixture: &Fixture) {
    let acme = enrolled(fixture).await;
    happen(fixture, &acme, &[(1, 1)]).await;
    let due = NOW + Duration::from_secs(5);
    let waiting = Waiting {
        rejections: 2,
        holds: 3,
        standing: Standing::Due(due),
    };
    let first = claim(fixture, lease(), 10).await;
    settle(fixture, first, &[(1, 1, waiting)]).await;

    let early = claim(fixture, lease(), 10).await;
    assert!(early.events.is_empty() && !early.more);
    assert_eq!(early.next_due, Some(due));
    let answer = fixture.log.claim(&lease(), due, 10).await.unwrap();
    let claim = ours(answer);
    assert_eq!(told(&claim), [(1, 1)]);
    let waits: Vec<_> = claim.events.iter().map(|claimed| claimed.waiting).collect();
    assert_eq!(waits, [Some(waiting)]);
    settle(fixture, claim, &[]).await;
    let answer = fixture.log.claim(&lease(), due, 10).await.unwrap();
    assert!(ours(answer).events.is_empty());
}

pub(super) async fn what_waits_is_in_the_way_of_its_aggregate_alone(fixture: &Fixture) {
    let [acme, other] = [enrolled(fixture).await, fixture.tenant("Others").await];
    happen(fixture, &acme, &[(1, 1)]).await;
    let first = claim(fixture, lease(), 10).await;
    settle(fixture, first, &[(1, 1, PARKED)]).await;
    happen(fixture, &acme, &[(1, 2), (2, 1)]).await;
    happen(fixture, &other, &[(1, 1)]).await;
    let claim = claim(fixture, lease(), 10).await;
    assert_eq!(told(&claim), [(1, 2), (2, 1), (1, 1)]);
    let blocked: Vec<bool> = claim.events.iter().map(|claimed| claimed.blocked).collect();
    assert_eq!(blocked, [true, false, false]);
}

pub(super) async fn what_is_behind_comes_with_the_event_in_its_way(fixture: &Fixture) {
    let acme = enrolled(fixture).await;
    happen(fixture, &acme, &[(1, 1), (1, 2), (2, 1), (2, 2)]).await;
    let first = claim(fixture, lease(), 10).await;
    let waits = [
        (1, 1, soon()),
        (1, 2, BEHIND),
        (2, 1, PARKED),
        (2, 2, BEHIND),
    ];
    settle(fixture, first, &waits).await;
    assert!(claim(fixture, lease(), 10).await.events.is_empty());
    let answer = fixture.log.claim(&lease(), LATER, 10).await.unwrap();
    let claim = ours(answer);
    assert_eq!(told(&claim), [(1, 1), (1, 2)]);
    assert!(claim.events.iter().all(|claimed| !claimed.blocked));
}

pub(super) async fn what_was_behind_a_sent_event_is_due_wherever_the_limit_cut(fixture: &Fixture) {
    let acme = enrolled(fixture).await;
    happen(fixture, &acme, &[(1, 1), (1, 2), (1, 3)]).await;
    let first = claim(fixture, lease(), 10).await;
    let waits = [(1, 1, soon()), (1, 2, BEHIND), (1, 3, BEHIND)];
    settle(fixture, first, &waits).await;
    for sequence in 1..=3 {
        let answer = fixture.log.claim(&lease(), LATER, 1).await.unwrap();
        let claim = ours(answer);
        assert_eq!(told(&claim), [(1, sequence)]);
        let settlement = all_sent_but(&claim, &[]);
        let settled = fixture.log.settle(&lease(), LATER, claim, settlement).await;
        settled.unwrap();
    }
    assert_eq!(progress(fixture, "p").await.pending, 0);
}

pub(super) async fn a_parked_event_stays_until_it_is_retried(fixture: &Fixture) {
    let acme = enrolled(fixture).await;
    happen(fixture, &acme, &[(1, 1), (1, 2)]).await;
    let first = claim(fixture, lease(), 10).await;
    settle(fixture, first, &[(1, 1, PARKED), (1, 2, BEHIND)]).await;
    let forever = NOW + Duration::from_hours(1_000_000);
    let answer = fixture.log.claim(&lease(), forever, 10).await.unwrap();
    let claimed = ours(answer);
    assert!(claimed.events.is_empty() && claimed.next_due.is_none());

    let [parked, behind] = [0, 1].map(|nth| async move {
        let all = fixture.events().await;
        all.get(nth).map(|event| event.id).unwrap()
    });
    let log = &fixture.log;
    assert_eq!(log.retry(None, behind.await, NOW).await.unwrap(), 0);
    assert_eq!(log.retry(None, values::id(999), NOW).await.unwrap(), 0);
    assert_eq!(log.retry(None, parked.await, NOW).await.unwrap(), 1);
    assert_eq!(told(&claim(fixture, lease(), 10).await), [(1, 1), (1, 2)]);
}

pub(super) async fn a_parked_event_of_another_tenant_is_not_retried(fixture: &Fixture) {
    let [acme, other] = [enrolled(fixture).await, fixture.tenant("Others").await];
    happen(fixture, &acme, &[(1, 1)]).await;
    let first = claim(fixture, lease(), 10).await;
    settle(fixture, first, &[(1, 1, PARKED)]).await;
    let event = fixture
        .events()
        .await
        .first()
        .map(|event| event.id)
        .unwrap();
    let log = &fixture.log;
    assert_eq!(log.retry(Some(other.id), event, NOW).await.unwrap(), 0);
    assert_eq!(log.retry(Some(acme.id), event, NOW).await.unwrap(), 1);
}

pub(super) async fn new_events_and_waiting_ones_do_not_keep_each_other_out(fixture: &Fixture) {
    let acme = enrolled(fixture).await;
    happen(fixture, &acme, &[(1, 1), (2, 1), (3, 1), (4, 1)]).await;
    let first = claim(fixture, lease(), 10).await;
    let waits = [1, 2, 3, 4].map(|user| (user, 1, soon()));
    settle(fixture, first, &waits).await;
    happen(fixture, &acme, &[(5, 1), (6, 1), (7, 1), (8, 1)]).await;
    let answer = fixture.log.claim(&lease(), LATER, 4).await.unwrap();
    let claim = ours(answer);
    assert_eq!(told(&claim), [(1, 1), (2, 1), (5, 1), (6, 1)]);
    assert!(claim.more);
}

pub(super) async fn publishers_come_along_apart(fixture: &Fixture) {
    let acme = enrolled(fixture).await;
    fixture.log.enrol("other").await.unwrap();
    happen(fixture, &acme, &[(1, 1)]).await;
    let first = claim(fixture, lease(), 10).await;
    settle(fixture, first, &[]).await;
    let other = Lease {
        publisher: "other",
        ..rival()
    };
    assert_eq!(told(&claim(fixture, other, 10).await), [(1, 1)]);
    assert!(claim(fixture, lease(), 10).await.events.is_empty());
}

pub(super) async fn progress_counts_what_is_pending_sent_and_parked(fixture: &Fixture) {
    let acme = enrolled(fixture).await;
    assert_eq!(progress(fixture, "p").await, counted(0, 0, 0, 0));
    happen(fixture, &acme, &[(1, 1), (2, 1), (3, 1), (3, 2)]).await;
    let first = claim(fixture, lease(), 10).await;
    settle(
        fixture,
        first,
        &[(2, 1, PARKED), (3, 1, soon()), (3, 2, BEHIND)],
    )
    .await;
    happen(fixture, &acme, &[(4, 1)]).await;
    let fourth = fixture
        .events()
        .await
        .get(3)
        .map_or(0, |event| event.position);
    assert_eq!(progress(fixture, "p").await, counted(3, fourth, 1, 1));
    fixture.log.enrol("late").await.unwrap();
    let all = fixture.log.progress().await.unwrap();
    let names: Vec<&str> = all.iter().map(|one| one.publisher.as_str()).collect();
    assert_eq!(names, ["late", "p"]);
}

pub(super) async fn waiting_events_are_listed_with_their_reason_and_of_one_tenant_alone(
    fixture: &Fixture,
) {
    let [acme, other] = [enrolled(fixture).await, fixture.tenant("Others").await];
    happen(fixture, &acme, &[(1, 1)]).await;
    happen(fixture, &other, &[(2, 1)]).await;
    let first = claim(fixture, lease(), 10).await;
    settle(fixture, first, &[(1, 1, PARKED), (2, 1, soon())]).await;
    let all = fixture.log.waiting(None, 0, 10).await.unwrap();
    let [parked, held] = all.as_slice() else {
        panic!("{all:?}");
    };
    assert_eq!((&*parked.publisher, parked.waiting), ("p", PARKED));
    assert_eq!(parked.reason.as_deref(), Some("the broker said no"));
    assert_eq!(
        vec![parked.event.clone(), held.event.clone()],
        fixture.events().await
    );
    let log = &fixture.log;
    let of_other = log.waiting(Some(other.id), 0, 10).await.unwrap();
    assert_eq!(of_other, slice::from_ref(held));
    let beyond = log.waiting(None, parked.event.position, 10).await.unwrap();
    assert_eq!(beyond, slice::from_ref(held));
    let first = log.waiting(None, 0, 1).await.unwrap();
    assert_eq!(first, slice::from_ref(parked));
}

pub(super) async fn what_a_publisher_sent_is_read_without_what_waits_and_what_is_new(
    fixture: &Fixture,
) {
    let [acme, other] = [enrolled(fixture).await, fixture.tenant("Others").await];
    happen(fixture, &acme, &[(1, 1), (2, 1), (3, 1), (4, 1)]).await;
    happen(fixture, &other, &[(1, 1)]).await;
    let first = claim(fixture, lease(), 10).await;
    settle(fixture, first, &[(2, 1, PARKED), (3, 1, soon())]).await;
    happen(fixture, &acme, &[(5, 1)]).await;
    let all = fixture.events().await;
    let sent = [0, 3, 4].map(|nth| all.get(nth).cloned().unwrap());
    let log = &fixture.log;
    assert_eq!(log.sent("p", None, 0, 10).await.unwrap(), sent);
    let [first, second, _] = &sent;
    let of_acme = log.sent("p", Some(acme.id), 0, 10).await.unwrap();
    assert_eq!(of_acme, [first.clone(), second.clone()]);
    let page = log.sent("p", None, first.position, 1).await.unwrap();
    assert_eq!(page, slice::from_ref(second));
    assert_eq!(log.sent("nobody", None, 0, 10).await.unwrap(), []);
}

pub(super) async fn what_is_old_and_sent_to_all_expires(fixture: &Fixture) {
    let acme = enrolled(fixture).await;
    fixture.log.enrol("slow").await.unwrap();
    happen(fixture, &acme, &[(1, 1), (2, 1)]).await;
    let first = claim(fixture, lease(), 10).await;
    settle(fixture, first, &[(2, 1, PARKED)]).await;
    expire(fixture, values::NOW + Duration::from_micros(1)).await;
    assert_eq!(
        fixture.events().await.len(),
        2,
        "one publisher has yet to send"
    );
    let slow = Lease {
        publisher: "slow",
        ..lease()
    };
    let second = claim(fixture, slow, 10).await;
    let settlement = all_sent_but(&second, &[]);
    let settled = fixture.log.settle(&slow, NOW, second, settlement).await;
    settled.unwrap();
    expire(fixture, values::NOW).await;
    assert_eq!(fixture.events().await.len(), 2, "they are not old enough");
    expire(fixture, values::NOW + Duration::from_micros(1)).await;
    let left: Vec<u64> = sequences(fixture, 2).await;
    assert_eq!(left, [1], "a parked event stays");
    happen(fixture, &acme, &[(1, 2)]).await;
    assert_eq!(told(&claim(fixture, lease(), 10).await), [(1, 2)]);
}

pub(super) async fn a_publisher_that_is_forgotten_keeps_nothing_and_starts_anew(fixture: &Fixture) {
    let acme = enrolled(fixture).await;
    happen(fixture, &acme, &[(1, 1), (2, 1)]).await;
    let first = claim(fixture, lease(), 1).await;
    settle(fixture, first, &[(1, 1, PARKED)]).await;
    assert!(fixture.log.forget("p").await.unwrap());
    assert!(!fixture.log.forget("p").await.unwrap());
    assert!(fixture.log.progress().await.unwrap().is_empty());
    assert!(fixture.log.waiting(None, 0, 10).await.unwrap().is_empty());
    expire(fixture, values::NOW + Duration::from_micros(1)).await;
    assert!(
        fixture.events().await.is_empty(),
        "nobody has yet to send them"
    );
    happen(fixture, &acme, &[(3, 1)]).await;
    fixture.log.enrol("p").await.unwrap();
    happen(fixture, &acme, &[(1, 2)]).await;
    let anew = claim(fixture, lease(), 10).await;
    assert_eq!(told(&anew), [(1, 2)]);
    assert!(anew.events.iter().all(is_free));
}

pub(super) async fn racing_claims_of_two_relays_have_one_owner(fixture: &Fixture) {
    let acme = enrolled(fixture).await;
    happen(fixture, &acme, &[(1, 1)]).await;
    let mut relays = JoinSet::new();
    for lease in [lease(), rival()] {
        let log = Arc::clone(&fixture.log);
        relays.spawn(async move { log.claim(&lease, NOW, 10).await.unwrap() });
    }
    let claims = relays.join_all().await.into_iter();
    let owners = claims.filter(|claim| matches!(claim, Claimed::Ours(_)));
    assert_eq!(owners.count(), 1);
}

/// A tenant, and the publisher "p".
pub(super) async fn enrolled(fixture: &Fixture) -> Tenant {
    let acme = fixture.tenant("Acme").await;
    fixture.log.enrol("p").await.unwrap();
    acme
}

/// Commits events, each the user's of that number and of that sequence, in one commit.
pub(super) async fn happen(fixture: &Fixture, tenant: &Tenant, what: &[(u32, u64)]) {
    let nth = |(user, sequence): &(u32, u64)| {
        let mut fact = values::created(*user);
        fact.sequence = *sequence;
        let of_tenant = tenant.name.as_str().len();
        let number = format!("{of_tenant}{user:02}{sequence:02}");
        values::event(number.parse().unwrap(), tenant, fact)
    };
    fixture
        .write(tenant, events(what.iter().map(nth).collect::<Vec<_>>()))
        .await;
}

pub(super) async fn claim(fixture: &Fixture, lease: Lease, limit: usize) -> Claim {
    ours(fixture.log.claim(&lease, NOW, limit).await.unwrap())
}

pub(super) fn ours(answer: Claimed) -> Claim {
    match answer {
        Claimed::Elsewhere(until) => panic!("another has it until {until:?}"),
        Claimed::Ours(claim) => claim,
    }
}

/// Settles it: all is sent but what waits.
pub(super) async fn settle(fixture: &Fixture, claim: Claim, waits: &[(u32, u64, Waiting)]) {
    assert!(settles(fixture, claim, waits).await);
}

/// Whether settling it takes hold.
async fn settles(fixture: &Fixture, claim: Claim, waits: &[(u32, u64, Waiting)]) -> bool {
    let settlement = all_sent_but(&claim, waits);
    let settled = fixture.log.settle(&lease(), NOW, claim, settlement).await;
    settled.unwrap()
}

pub(super) fn all_sent_but(claim: &Claim, waits: &[(u32, u64, Waiting)]) -> Settlement {
    let mut settlement = Settlement::default();
    for (claimed, happened) in claim.events.iter().zip(told(claim)) {
        let position = claimed.event.position;
        let waiting = waits
            .iter()
            .find(|(user, sequence, _)| (*user, *sequence) == happened);
        match waiting {
            None => settlement.sent.push(position),
            Some((_, _, waiting)) => {
                let reason = Some("the broker said no".to_owned());
                settlement.waiting.push((position, *waiting, reason));
            }
        }
    }
    settlement
}

/// The user and the sequence of each event, in the order of the claim.
pub(super) fn told(claim: &Claim) -> Vec<(u32, u64)> {
    let told = |claimed: &ClaimedEvent| {
        let found = &claimed.event.subject;
        let user = (1..100).find(|user| *found == subject(*user));
        (user.unwrap(), claimed.event.sequence)
    };
    claim.events.iter().map(told).collect()
}

pub(super) fn subject(user: u32) -> String {
    format!("user/{}", values::id::<User>(user))
}

fn stored(claim: &Claim) -> Vec<tessera_app::StoredEvent> {
    claim
        .events
        .iter()
        .map(|claimed| claimed.event.clone())
        .collect()
}

fn is_free(claimed: &ClaimedEvent) -> bool {
    !claimed.blocked && claimed.waiting.is_none()
}

async fn sequences(fixture: &Fixture, user: u32) -> Vec<u64> {
    let subject = subject(user);
    let events = fixture.events().await.into_iter();
    events
        .map(|event| {
            assert_eq!(event.subject, subject);
            event.sequence
        })
        .collect()
}

pub(super) async fn progress(fixture: &Fixture, publisher: &str) -> Progress {
    let mut all = fixture.log.progress().await.unwrap().into_iter();
    all.find(|progress| progress.publisher == publisher)
        .unwrap()
}

pub(super) fn counted(pending: u64, cursor: u64, sent: u64, parked: u64) -> Progress {
    Progress {
        publisher: "p".to_owned(),
        pending,
        oldest: (pending > 0).then_some(values::NOW),
        cursor,
        sent,
        parked,
    }
}

async fn expire(fixture: &Fixture, before: Timestamp) {
    while fixture.log.expire(before).await.unwrap() {}
}

pub(super) fn soon() -> Waiting {
    Waiting {
        rejections: 0,
        holds: 1,
        standing: Standing::Due(LATER),
    }
}

pub(super) fn lease() -> Lease {
    Lease {
        publisher: "p",
        holder: values::id(1),
        until: END,
    }
}

pub(super) fn rival() -> Lease {
    Lease {
        holder: values::id(2),
        until: END + Duration::from_mins(1),
        ..lease()
    }
}

pub(super) const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
pub(super) const LATER: Timestamp = Timestamp::from_secs(1_800_000_010);
const END: Timestamp = Timestamp::from_secs(1_800_000_060);
pub(super) const BEHIND: Waiting = Waiting::BEHIND;
pub(super) const PARKED: Waiting = Waiting {
    rejections: 5,
    holds: 0,
    standing: Standing::Parked(NOW),
};
