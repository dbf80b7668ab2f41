//! How events are stored with what they tell of.

use core::slice;

use tessera_app::Unique;
use tessera_domain::{Change, Event, Subject, Tenant, User};

use crate::fixture::{events, users};
use crate::{Fixture, values};

pub(super) async fn an_event_is_stored_with_what_it_tells_of(fixture: &Fixture) {
    let acme = fixture.tenant("Acme").await;
    let event = values::event(7, &acme, values::created(1));
    let mut changes = users([Change::Insert(values::user(1))]);
    changes.events = vec![event.clone()];
    fixture.write(&acme, changes).await;

    let stored = fixture.events().await;
    let [stored] = stored.as_slice() else {
        panic!("{stored:?}");
    };
    let subject = format!("user/{}", values::user(1).id);
    assert!(stored.position >= 1);
    assert_eq!(stored.tenant, acme.id);
    assert_eq!(stored.subject, subject);
    assert_eq!(stored.sequence, 1);
    assert_eq!(stored.event_type, "UserCreated");
    assert_eq!((stored.id, stored.at), (event.id, event.at));
    for member in [
        "\"specversion\":\"1.0\"".to_owned(),
        format!("\"id\":\"{}\"", event.id),
        format!("\"subject\":\"{subject}\""),
        format!("\"tenantid\":\"{}\"", acme.id),
        "\"type\":\"UserCreated\"".to_owned(),
        "\"sequence\":\"1\"".to_owned(),
        format!("\"position\":\"{}\"", stored.position),
        "\"time\":\"2026-01-01T00:00:00.123457Z\"".to_owned(),
    ] {
        assert!(stored.body.contains(&member), "{member}: {}", stored.body);
    }
}

pub(super) async fn positions_grow_from_commit_to_commit_and_within_one(fixture: &Fixture) {
    let [acme, other] = [fixture.tenant("Acme").await, fixture.tenant("Other").await];
    fixture
        .write(&acme, events([nth(1, &acme, 1), nth(2, &acme, 2)]))
        .await;
    fixture.write(&other, events([nth(3, &other, 1)])).await;
    fixture
        .stale(&acme, events([nth(4, &acme, 3), nth(5, &acme, 1)]))
        .await;
    fixture
        .write(&acme, events([nth(6, &acme, 3), nth(7, &acme, 4)]))
        .await;

    let stored = fixture.events().await;
    let order: Vec<_> = stored
        .iter()
        .map(|event| (event.tenant, event.sequence))
        .collect();
    let (here, there) = (acme.id, other.id);
    let expected = [(here, 1), (here, 2), (there, 1), (here, 3), (here, 4)];
    assert_eq!(order, expected);
    let rising = stored.is_sorted_by(|one, next| one.position < next.position);
    assert!(rising, "{stored:?}");
}

pub(super) async fn a_subject_has_one_event_of_a_sequence(fixture: &Fixture) {
    let acme = fixture.tenant("Acme").await;
    fixture.write(&acme, events([nth(1, &acme, 1)])).await;
    fixture.stale(&acme, events([nth(2, &acme, 1)])).await;
    fixture
        .stale(&acme, events([nth(3, &acme, 2), nth(4, &acme, 2)]))
        .await;
    assert_eq!(fixture.events().await.len(), 1);

    let mut another = nth(5, &acme, 1);
    another.fact.subject = Subject::User(values::id(2));
    let mut of_another_kind = nth(6, &acme, 1);
    of_another_kind.fact.subject = Subject::Session(values::id(1));
    fixture
        .write(&acme, events([another, of_another_kind]))
        .await;
    assert_eq!(fixture.events().await.len(), 3);
}

pub(super) async fn a_sequence_is_counted_in_each_tenant(fixture: &Fixture) {
    let [acme, other] = [fixture.tenant("Acme").await, fixture.tenant("Other").await];
    fixture.write(&acme, events([nth(1, &acme, 1)])).await;
    fixture.write(&other, events([nth(2, &other, 1)])).await;
    assert_eq!(fixture.events().await.len(), 2);
}

pub(super) async fn a_refused_commit_has_no_event(fixture: &Fixture) {
    let acme = fixture.tenant("Acme").await;
    fixture
        .inserted_user(&acme, values::named_user(1, "ada"))
        .await;
    let namesake = User {
        username: None,
        ..values::named_user(2, "ada")
    };
    let mut changes = users([Change::Insert(namesake)]);
    changes.events = vec![nth(1, &acme, 1)];
    fixture.duplicate(&acme, changes, Unique::Email).await;
    assert!(fixture.events().await.is_empty());
    fixture.write(&acme, events([nth(1, &acme, 1)])).await;
}

pub(super) async fn events_are_paged_by_position_and_of_one_tenant_alone(fixture: &Fixture) {
    let [acme, other] = [fixture.tenant("Acme").await, fixture.tenant("Other").await];
    for sequence in 1..=3 {
        let number = u32::try_from(sequence).unwrap();
        fixture
            .write(&acme, events([nth(number, &acme, sequence)]))
            .await;
        fixture
            .write(&other, events([nth(10 + number, &other, sequence)]))
            .await;
    }
    let all = fixture.events().await;
    assert_eq!(all.len(), 6);
    let [_, second, third, ..] = all.as_slice() else {
        panic!("{all:?}");
    };
    let page = fixture.log.events(None, second.position, 1).await.unwrap();
    assert_eq!(page, slice::from_ref(third));
    let of_acme = fixture.log.events(Some(acme.id), 0, 10).await.unwrap();
    let sequences: Vec<u64> = of_acme.iter().map(|event| event.sequence).collect();
    assert_eq!(sequences, [1, 2, 3]);
    assert!(of_acme.iter().all(|event| event.tenant == acme.id));
    let beyond = fixture.log.events(None, u64::MAX, 10).await.unwrap();
    assert!(beyond.is_empty(), "{beyond:?}");
}

pub(super) async fn the_last_events_are_those_of_one_tenant_alone(fixture: &Fixture) {
    let [acme, other] = [fixture.tenant("Acme").await, fixture.tenant("Other").await];
    for sequence in 1..=3 {
        let number = u32::try_from(sequence).unwrap();
        fixture
            .write(&acme, events([nth(number, &acme, sequence)]))
            .await;
    }
    fixture.write(&other, events([nth(11, &other, 1)])).await;
    let all = fixture.events().await;
    let last = fixture.log.last_events(None, 2).await.unwrap();
    assert_eq!(Some(last.as_slice()), all.get(2..));
    let of_acme = fixture.log.last_events(Some(acme.id), 2).await.unwrap();
    assert_eq!(Some(of_acme.as_slice()), all.get(1..3));
}

pub(super) async fn a_commit_with_events_is_told_to_all_who_wait_for_news(fixture: &Fixture) {
    let acme = fixture.tenant("Acme").await;
    let mut relays = [fixture.log.news(), fixture.log.news()];
    fixture.write(&acme, events([nth(1, &acme, 1)])).await;
    for news in &mut relays {
        news.changed().await.unwrap();
    }
}

/// The event with that number: the user's of that sequence.
fn nth(number: u32, tenant: &Tenant, sequence: u64) -> Event {
    let mut fact = values::created(1);
    fact.sequence = sequence;
    values::event(number, tenant, fact)
}
