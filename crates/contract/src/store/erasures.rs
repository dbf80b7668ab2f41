//! What a tenant or a user that is removed takes out of the log.

use std::sync::Arc;

use tessera_app::StoredEvent;
use tessera_domain::{Change, Changes, Event, Id, Session, Subject, Tenant, User};
use tokio::task::JoinSet;

use super::deliveries::{
    BEHIND, LATER, NOW, PARKED, all_sent_but, claim, counted, enrolled, happen, lease, ours,
    progress, settle, soon,
};
use crate::fixture::{events, sessions, tenants, users};
use crate::{Fixture, values};

pub(super) async fn a_removed_tenant_takes_its_events_along_but_for_those_of_the_same_commit(
    fixture: &Fixture,
) {
    let [acme, other] = [enrolled(fixture).await, fixture.tenant("Others").await];
    happen(fixture, &acme, &[(1, 1), (2, 1)]).await;
    happen(fixture, &other, &[(1, 1), (2, 1)]).await;
    let first = claim(fixture, lease(), 3).await;
    settle(fixture, first, &[]).await;
    happen(fixture, &acme, &[(1, 2)]).await;
    let before = fixture.events().await;

    remove_tenant(fixture, &acme, 1).await;
    let after = fixture.events().await;
    let Some((last, others)) = after.split_last() else {
        panic!("its last event is gone, too");
    };
    let of_other = before.iter().filter(|event| event.tenant == other.id);
    assert!(others.iter().eq(of_other), "{after:?}");
    assert_eq!(last.subject, format!("tenant/{}", acme.id));
    assert_eq!(in_hand(fixture).await, after.get(1..).unwrap());
}

pub(super) async fn a_removed_user_takes_the_events_about_it_along(fixture: &Fixture) {
    let [acme, other] = [with_users(fixture).await, fixture.tenant("Others").await];
    happen(fixture, &acme, &[(1, 1), (2, 1)]).await;
    happen(fixture, &other, &[(1, 1)]).await;
    let first = claim(fixture, lease(), 2).await;
    settle(fixture, first, &[]).await;
    happen(fixture, &acme, &[(1, 2), (2, 2)]).await;

    remove_user(fixture, &acme, 3).await;
    let left = fixture.events().await;
    let left: Vec<_> = left
        .iter()
        .map(|event| (event.tenant, &*event.subject, event.sequence))
        .collect();
    let [one, two] = [1, 2].map(|user| format!("user/{}", values::id::<User>(user)));
    let expected = [
        (acme.id, &*two, 1),
        (other.id, &*one, 1),
        (acme.id, &*two, 2),
        (acme.id, &*one, 3),
    ];
    assert_eq!(left, expected);
}

pub(super) async fn a_removed_user_takes_its_sessions_and_the_events_about_them_along(
    fixture: &Fixture,
) {
    let acme = with_users(fixture).await;
    let [ada, bob] = [1, 2].map(|user| values::session(&values::user(user), user));
    let began = [ada.clone(), bob.clone()].map(Change::Insert);
    fixture.write(&acme, sessions(began)).await;
    let ended = |session: &Session, sequence| about(&acme, Subject::Session(session.id), sequence);
    let both = [ended(&ada, 1), ended(&bob, 1)];
    fixture.write(&acme, events(both)).await;

    let changes = Changes {
        events: vec![ended(&ada, 2)],
        ..users([Change::Remove(values::id(1))])
    };
    fixture.write(&acme, changes).await;
    assert_eq!(fixture.session(&acme, ada.id).await, None);
    assert_eq!(fixture.session(&acme, bob.id).await.unwrap().id, bob.id);
    let left = fixture.events().await;
    let left: Vec<_> = left
        .iter()
        .map(|event| (event.subject.clone(), event.sequence))
        .collect();
    let [ada, bob] = [ada, bob].map(|session| format!("session/{}", session.id));
    assert_eq!(left, [(bob, 1), (ada, 2)]);
}

pub(super) async fn what_waits_of_a_removed_tenant_is_gone(fixture: &Fixture) {
    let [acme, other] = [enrolled(fixture).await, fixture.tenant("Others").await];
    happen(fixture, &acme, &[(1, 1), (1, 2), (2, 1)]).await;
    happen(fixture, &other, &[(3, 1), (3, 2)]).await;
    let first = claim(fixture, lease(), 10).await;
    let waits = [
        (1, 1, PARKED),
        (1, 2, BEHIND),
        (2, 1, soon()),
        (3, 1, PARKED),
        (3, 2, BEHIND),
    ];
    settle(fixture, first, &waits).await;

    remove_tenant(fixture, &acme, 1).await;
    let waiting = fixture.log.waiting(None, 0, 10).await.unwrap();
    assert_eq!(waiting.len(), 2, "{waiting:?}");
    let of_other = |one: &tessera_app::WaitingEvent| one.event.tenant == other.id;
    assert!(waiting.iter().all(of_other), "{waiting:?}");
    let claimed = ours(fixture.log.claim(&lease(), LATER, 10).await.unwrap());
    let found: Vec<_> = claimed
        .events
        .iter()
        .map(|claimed| (claimed.event.tenant, claimed.blocked))
        .collect();
    assert_eq!(found, [(acme.id, false)]);
    assert_eq!(claimed.next_due, None);
}

pub(super) async fn what_waits_of_a_removed_user_is_not_in_the_way_of_its_last_event(
    fixture: &Fixture,
) {
    let acme = with_users(fixture).await;
    happen(fixture, &acme, &[(1, 1), (1, 2), (2, 1)]).await;
    let first = claim(fixture, lease(), 10).await;
    let waits = [(1, 1, PARKED), (1, 2, BEHIND), (2, 1, PARKED)];
    settle(fixture, first, &waits).await;

    remove_user(fixture, &acme, 3).await;
    let claimed = claim(fixture, lease(), 10).await;
    let found: Vec<_> = claimed
        .events
        .iter()
        .map(|claimed| (claimed.event.sequence, claimed.blocked))
        .collect();
    assert_eq!(found, [(3, false)]);
    settle(fixture, claimed, &[]).await;
    assert_eq!(
        fixture.events().await.len(),
        2,
        "the other user's is parked"
    );
    let now = progress(fixture, "p").await;
    assert_eq!((now.pending, now.parked), (0, 1));
}

pub(super) async fn progress_counts_nothing_that_was_erased(fixture: &Fixture) {
    let [acme, other] = [enrolled(fixture).await, fixture.tenant("Others").await];
    happen(fixture, &acme, &[(1, 1), (2, 1), (3, 1)]).await;
    let first = claim(fixture, lease(), 10).await;
    let cursor = first.read_to;
    settle(fixture, first, &[(1, 1, PARKED), (2, 1, soon())]).await;
    happen(fixture, &acme, &[(4, 1), (5, 1)]).await;
    happen(fixture, &other, &[(6, 1)]).await;
    happen(fixture, &acme, &[(7, 1)]).await;
    assert_eq!(progress(fixture, "p").await, counted(5, cursor, 1, 1));

    fixture
        .write(&acme, tenants([Change::Remove(acme.id)]))
        .await;
    assert_eq!(progress(fixture, "p").await, counted(1, cursor, 1, 0));
    let last = claim(fixture, lease(), 10).await;
    let read_to = last.read_to;
    settle(fixture, last, &[]).await;
    assert_eq!(progress(fixture, "p").await, counted(0, read_to, 2, 0));
}

pub(super) async fn a_settlement_of_an_erased_event_leaves_nothing_behind(fixture: &Fixture) {
    let acme = with_users(fixture).await;
    happen(fixture, &acme, &[(1, 1), (2, 1)]).await;
    let first = claim(fixture, lease(), 10).await;
    settle(fixture, first, &[(1, 1, soon())]).await;
    happen(fixture, &acme, &[(1, 2), (1, 3), (2, 2)]).await;
    let in_hand = ours(fixture.log.claim(&lease(), LATER, 10).await.unwrap());

    remove_user(fixture, &acme, 4).await;
    let read_to = in_hand.read_to;
    settle(
        fixture,
        in_hand,
        &[(1, 1, PARKED), (1, 2, BEHIND), (1, 3, BEHIND)],
    )
    .await;
    assert_eq!(progress(fixture, "p").await, counted(1, read_to, 2, 0));
    let last = claim(fixture, lease(), 10).await;
    assert_eq!(last.events.len(), 1, "{last:?}");
    assert!(last.events.iter().all(|one| !one.blocked), "{last:?}");
}

pub(super) async fn what_is_settled_as_behind_an_erased_event_is_due(fixture: &Fixture) {
    let acme = with_users(fixture).await;
    happen(fixture, &acme, &[(1, 1)]).await;
    let mut erased = claim(fixture, lease(), 10).await.events;
    remove_user(fixture, &acme, 2).await;
    // What a log answers that reads the one event before the removal and the other one after it.
    let mut both = claim(fixture, lease(), 10).await;
    erased.append(&mut both.events);
    both.events = erased;
    settle(fixture, both, &[(1, 1, soon()), (1, 2, BEHIND)]).await;
    let claimed = claim(fixture, lease(), 10).await;
    let found: Vec<u64> = claimed
        .events
        .iter()
        .map(|claimed| claimed.event.sequence)
        .collect();
    assert_eq!(found, [2]);
}

pub(super) async fn positions_of_erased_events_are_not_used_again(fixture: &Fixture) {
    let [acme, other] = [enrolled(fixture).await, fixture.tenant("Others").await];
    happen(fixture, &acme, &[(1, 1), (2, 1)]).await;
    let before = fixture.events().await;
    let last = before.last().map(|event| event.position);
    let changes = tenants([Change::Remove(acme.id)]);
    fixture.write(&acme, changes).await;
    assert!(fixture.events().await.is_empty());
    happen(fixture, &other, &[(1, 1)]).await;
    let after = fixture.events().await;
    assert!(after.first().map(|event| event.position) > last);
    assert_eq!(in_hand(fixture).await, after);
}

pub(super) async fn a_removal_with_a_used_sequence_is_refused(fixture: &Fixture) {
    let acme = with_users(fixture).await;
    happen(fixture, &acme, &[(1, 1), (1, 2)]).await;
    let before = fixture.events().await;
    fixture.stale(&acme, user_removal(&acme, 2)).await;
    assert_eq!(fixture.events().await, before);
    assert!(fixture.user(&acme, values::id(1)).await.is_some());
}

pub(super) async fn what_is_gone_already_takes_nothing_along(fixture: &Fixture) {
    let [acme, other] = [with_users(fixture).await, fixture.tenant("Others").await];
    remove_user(fixture, &acme, 1).await;
    let again = users([Change::Remove(values::id(1))]);
    fixture.write(&acme, again).await;
    assert_eq!(fixture.events().await.len(), 1);
    remove_tenant(fixture, &other, 1).await;
    let again = tenants([Change::Remove(other.id)]);
    let _ = fixture.commit(&other, again).await;
    assert_eq!(fixture.events().await.len(), 2);
}

pub(super) async fn racing_settlements_and_removals_leave_nothing_behind(fixture: &Fixture) {
    let acme = enrolled(fixture).await;
    for sequence in (1..40).step_by(3) {
        let made = users([Change::Insert(values::user(1))]);
        fixture.write(&acme, made).await;
        happen(fixture, &acme, &[(1, sequence), (1, sequence + 1)]).await;
        let claim = claim(fixture, lease(), 10).await;
        let waits = [(1, sequence, PARKED), (1, sequence + 1, BEHIND)];
        let settlement = all_sent_but(&claim, &waits);
        let (log, store) = (Arc::clone(&fixture.log), Arc::clone(&fixture.store));
        let removal = user_removal(&acme, sequence + 2);
        let of = acme.clone();
        let mut racers = JoinSet::new();
        racers.spawn(async move { log.settle(&lease(), NOW, claim, settlement).await.is_ok() });
        racers.spawn(async move { store.commit(&of, removal).await.is_ok() });
        assert_eq!(racers.join_all().await, [true; 2]);
        let now = progress(fixture, "p").await;
        assert_eq!((now.pending, now.parked), (1, 0));
        assert_eq!(in_hand(fixture).await, fixture.events().await);
    }
}

/// The publisher "p", and a tenant with the users 1 and 2.
async fn with_users(fixture: &Fixture) -> Tenant {
    let acme = enrolled(fixture).await;
    let both = [1, 2].map(|user| Change::Insert(values::user(user)));
    fixture.write(&acme, users(both)).await;
    acme
}

/// Removes a tenant and tells of it.
async fn remove_tenant(fixture: &Fixture, tenant: &Tenant, sequence: u64) {
    let changes = Changes {
        events: vec![about(tenant, Subject::Tenant(tenant.id), sequence)],
        ..tenants([Change::Remove(tenant.id)])
    };
    fixture.write(tenant, changes).await;
}

/// Removes user 1 and tells of it.
async fn remove_user(fixture: &Fixture, tenant: &Tenant, sequence: u64) {
    fixture.write(tenant, user_removal(tenant, sequence)).await;
}

fn user_removal(tenant: &Tenant, sequence: u64) -> Changes {
    let user: Id<User> = values::id(1);
    Changes {
        events: vec![about(tenant, Subject::User(user), sequence)],
        ..users([Change::Remove(user)])
    }
}

/// An event about `subject`; what it tells does not matter here.
fn about(tenant: &Tenant, subject: Subject, sequence: u64) -> Event {
    let mut fact = values::created(1);
    (fact.subject, fact.sequence) = (subject, sequence);
    // No two events have one id.
    let told = format!("{subject:?} {sequence}");
    let number = told.bytes().fold(7_000_u32, |hash, byte| {
        hash.wrapping_mul(31) ^ u32::from(byte)
    });
    values::event(number, tenant, fact)
}

/// What the publisher has to do.
async fn in_hand(fixture: &Fixture) -> Vec<StoredEvent> {
    let claim = claim(fixture, lease(), 100).await;
    let events = claim.events.into_iter();
    events.map(|claimed| claimed.event).collect()
}
