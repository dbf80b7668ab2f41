//! Who did what: kept in the commit that did it, and for longer than its events.

use core::time::Duration;

use tessera_app::{AuditEntry, AuditQuery};
use tessera_domain::{
    Actor, Change, Changes, Event, EventKind, Fact, Generation, Id, LoginFailure, SessionEnd,
    Subject, Tenant, Timestamp, User,
};

use crate::fixture::{events, tenants, users};
use crate::values::NOW;
use crate::{Fixture, values};

pub(super) async fn an_entry_says_who_did_it_and_from_where(fixture: &Fixture) {
    let [acme, other] = [fixture.tenant("Acme").await, fixture.tenant("Others").await];
    let actors = [
        Actor::Anybody { ip: None },
        Actor::Anybody { ip: Some(ip()) },
        Actor::Operator,
        Actor::Service,
        user(3, &acme),
        Actor::User {
            id: values::id(4),
            tenant: other.id,
            ip: None,
        },
    ];
    for (number, actor) in (1_u32..).zip(&actors) {
        let event = values::event(number, &acme, values::created(number));
        by(fixture, &acme, actor, [event]).await;
    }
    let mut entries = all(fixture).await;
    entries.reverse();
    for ((number, actor), entry) in (1_u32..).zip(actors).zip(entries) {
        let concerned: Id<User> = values::id(number);
        let expected = AuditEntry {
            id: values::id(number),
            at: NOW,
            tenant: acme.id,
            event_type: "UserCreated".to_owned(),
            subject: format!("user/{concerned}"),
            user: Some(concerned),
            actor,
            data: "{\"roles\":[]}".to_owned(),
        };
        assert_eq!(entry, expected);
    }
}

pub(super) async fn each_event_of_a_commit_has_its_entry(fixture: &Fixture) {
    let acme = fixture.tenant("Acme").await;
    let (session, attempt) = (Subject::Session(values::id(5)), values::id(6));
    let reused = EventKind::RefreshReused {
        user: values::id(7),
        presented: Generation::FIRST,
        current: Generation::new(3),
    };
    let ended = EventKind::SessionEnded {
        user: values::id(8),
        why: SessionEnd::Reuse,
    };
    let failed = |user| Fact::login_failed(attempt, user, LoginFailure::UnknownUser, Some(ip()));
    let retired = EventKind::SigningKeyRetired {
        key: values::kid(1),
    };
    let facts = [
        (values::created(1), Some(values::id(1))),
        (fact(session, 1, reused), Some(values::id(7))),
        (fact(session, 2, ended), Some(values::id(8))),
        (failed(Some(values::id(9))), Some(values::id(9))),
        (fact(Subject::Key(values::id(2)), 1, retired), None),
    ];
    let told = (1_u32..).zip(&facts);
    let told: Vec<Event> = told
        .map(|(number, (fact, _))| values::event(number, &acme, fact.clone()))
        .collect();
    by(fixture, &acme, &Actor::Service, told).await;

    let mut entries = all(fixture).await;
    entries.reverse();
    let found: Vec<_> = entries
        .iter()
        .map(|entry| (&*entry.event_type, entry.subject.clone(), entry.user))
        .collect();
    let logged = fixture.events().await;
    let expected = logged.iter().zip(facts);
    let expected: Vec<_> = expected
        .map(|(event, (_, user))| (&*event.event_type, event.subject.clone(), user))
        .collect();
    assert_eq!(found, expected);
    let data = entries.get(1).map(|entry| &*entry.data);
    assert_eq!(data, Some("{\"presented\":1,\"current\":3}"));
}

pub(super) async fn a_refused_commit_has_no_entry(fixture: &Fixture) {
    let acme = fixture.tenant("Acme").await;
    let stale = Changes {
        events: vec![values::event(1, &acme, values::created(1))],
        ..users([Change::Update(values::user(1))])
    };
    fixture.stale(&acme, stale).await;
    let told = values::event(2, &acme, values::created(2));
    by(fixture, &acme, &Actor::Operator, [told]).await;
    let again = values::event(3, &acme, values::created(2));
    fixture.stale(&acme, events([again])).await;
    assert_eq!(numbers(&all(fixture).await), [2]);
}

pub(super) async fn entries_are_found_by_tenant_user_actor_and_type(fixture: &Fixture) {
    let [acme, other] = [fixture.tenant("Acme").await, fixture.tenant("Others").await];
    for (first, tenant) in [(10, &acme), (20, &other)] {
        let told = [
            values::event(first + 1, tenant, values::created(1)),
            values::event(first + 2, tenant, values::created(2)),
            values::event(
                first + 3,
                tenant,
                fact(about(1), 2, EventKind::UserDisabled),
            ),
        ];
        let [one, two, three] = told;
        by(fixture, tenant, &user(1, tenant), [one]).await;
        by(fixture, tenant, &user(2, &acme), [two]).await;
        by(fixture, tenant, &Actor::Operator, [three]).await;
    }
    let of_user = AuditQuery {
        user: Some(values::id(1)),
        ..everything()
    };
    let of_actor = AuditQuery {
        actor: Some(values::id(2)),
        ..everything()
    };
    let of_type = AuditQuery {
        event_type: Some("UserCreated".to_owned()),
        ..everything()
    };
    let of_all = AuditQuery {
        user: Some(values::id(2)),
        event_type: Some("UserCreated".to_owned()),
        ..of_actor.clone()
    };
    let of_none = AuditQuery {
        actor: Some(values::id(2)),
        ..of_user.clone()
    };
    for (query, expected) in [
        (everything(), &[3_u32, 2, 1][..]),
        (of_user, &[3, 1]),
        (of_actor, &[2]),
        (of_type, &[2, 1]),
        (of_all, &[2]),
        (of_none, &[]),
    ] {
        let plus = |first: u32| expected.iter().map(move |number| first + number);
        let [here, there]: [Vec<u32>; 2] = [10, 20].map(|first| plus(first).collect());
        let both = [there.clone(), here.clone()].concat();
        for (tenant, expected) in [(None, both), (Some(acme.id), here), (Some(other.id), there)] {
            let query = AuditQuery {
                tenant,
                ..query.clone()
            };
            let found = found(fixture, &query).await;
            assert_eq!(numbers(&found), expected, "{query:?}");
        }
    }
    let nobody = AuditQuery {
        tenant: Some(values::id(99)),
        ..everything()
    };
    assert!(found(fixture, &nobody).await.is_empty());
}

pub(super) async fn entries_are_found_by_when_it_happened(fixture: &Fixture) {
    let acme = fixture.tenant("Acme").await;
    for number in 1..=4 {
        let told = at(
            values::event(number, &acme, values::created(number)),
            number,
        );
        by(fixture, &acme, &user(1, &acme), [told]).await;
    }
    for (from, to, expected) in [
        (Some(2), None, &[4, 3, 2][..]),
        (None, Some(2), &[1]),
        (Some(2), Some(4), &[3, 2]),
        (Some(3), Some(3), &[]),
    ] {
        let times = AuditQuery {
            from: from.map(moment),
            to: to.map(moment),
            ..everything()
        };
        let of_tenant = AuditQuery {
            tenant: Some(acme.id),
            ..times.clone()
        };
        let of_actor = AuditQuery {
            actor: Some(values::id(1)),
            ..times.clone()
        };
        let of_type = AuditQuery {
            event_type: Some("UserCreated".to_owned()),
            ..times.clone()
        };
        for query in [times, of_tenant, of_actor, of_type] {
            assert_eq!(numbers(&found(fixture, &query).await), expected);
        }
    }
}

pub(super) async fn entries_are_paged_from_the_newest_on_also_those_of_one_moment(
    fixture: &Fixture,
) {
    let [acme, other] = [fixture.tenant("Acme").await, fixture.tenant("Others").await];
    // The order is that of times, then of ids, and not that of commits.
    for (number, second) in [(4, 1), (1, 2), (3, 1), (2, 1), (5, 0)] {
        for (tenant, number) in [(&acme, number), (&other, 10 + number)] {
            let told = at(
                values::event(number, tenant, values::created(number)),
                second,
            );
            by(fixture, tenant, &user(1, tenant), [told]).await;
        }
    }
    let of_acme = AuditQuery {
        tenant: Some(acme.id),
        ..everything()
    };
    for (query, expected) in [
        (everything(), &[11, 1, 14, 13, 12, 4, 3, 2, 15, 5][..]),
        (of_acme, &[1, 4, 3, 2, 5]),
    ] {
        for limit in [1, 2, 3, 100] {
            let mut query = AuditQuery {
                limit,
                ..query.clone()
            };
            let mut paged = Vec::new();
            loop {
                let page = found(fixture, &query).await;
                assert!(page.len() <= limit);
                let Some(last) = page.last() else { break };
                query.before = Some(last.place());
                paged.extend(numbers(&page));
                assert!(paged.len() <= expected.len(), "{paged:?}");
            }
            assert_eq!(paged, expected);
        }
    }
}

pub(super) async fn what_is_old_expires_and_nothing_else(fixture: &Fixture) {
    let [acme, other] = [fixture.tenant("Acme").await, fixture.tenant("Others").await];
    for number in 1..=5 {
        let tenant = if number % 2 == 0 { &acme } else { &other };
        let told = at(
            values::event(number, tenant, values::created(number)),
            number,
        );
        by(fixture, tenant, &Actor::Operator, [told]).await;
    }
    let expire = async |second, limit| {
        let expired = fixture.audit.expire_audit(moment(second), limit).await;
        (expired.unwrap(), numbers(&all(fixture).await))
    };
    assert_eq!(expire(1, 10).await, (0, vec![5, 4, 3, 2, 1]));
    assert_eq!(expire(4, 2).await, (2, vec![5, 4, 3]));
    assert_eq!(expire(4, 2).await, (1, vec![5, 4]));
    assert_eq!(expire(4, 2).await, (0, vec![5, 4]));
    // A retention that was made longer finds nothing that is old enough.
    assert_eq!(expire(2, 2).await, (0, vec![5, 4]));
    assert_eq!(fixture.events().await.len(), 5);
}

pub(super) async fn what_becomes_of_events_leaves_their_entries(fixture: &Fixture) {
    let acme = fixture.tenant("Acme").await;
    let told = values::event(1, &acme, values::created(1));
    by(fixture, &acme, &Actor::Operator, [told]).await;
    let before = all(fixture).await;
    while fixture.log.expire(moment(9)).await.unwrap() {}
    assert!(fixture.events().await.is_empty());
    assert_eq!(all(fixture).await, before);
}

pub(super) async fn a_removed_user_leaves_the_entries_about_it(fixture: &Fixture) {
    let acme = fixture.tenant("Acme").await;
    let inserted = Changes {
        actor: Actor::Operator,
        events: vec![values::event(1, &acme, values::created(1))],
        ..users([Change::Insert(values::user(1))])
    };
    fixture.write(&acme, inserted).await;
    let removed = Changes {
        actor: user(1, &acme),
        events: vec![values::event(
            2,
            &acme,
            fact(about(1), 2, EventKind::UserDeleted),
        )],
        ..users([Change::Remove(values::id(1))])
    };
    fixture.write(&acme, removed).await;
    let of_user = AuditQuery {
        user: Some(values::id(1)),
        ..everything()
    };
    let left = found(fixture, &of_user).await;
    assert_eq!(numbers(&left), [2, 1]);
    let actors: Vec<_> = left.into_iter().map(|entry| entry.actor).collect();
    assert_eq!(actors, [user(1, &acme), Actor::Operator]);
}

pub(super) async fn a_removed_tenant_takes_its_entries_along_but_for_those_of_the_same_commit(
    fixture: &Fixture,
) {
    let [acme, other] = [fixture.tenant("Acme").await, fixture.tenant("Others").await];
    for (number, tenant) in [(1, &acme), (2, &other), (3, &acme)] {
        let told = values::event(number, tenant, values::created(number));
        by(fixture, tenant, &user(1, &acme), [told]).await;
    }
    let gone = fact(Subject::Tenant(acme.id), 9, EventKind::UserDeleted);
    let changes = Changes {
        actor: Actor::Operator,
        events: vec![values::event(4, &acme, gone)],
        ..tenants([Change::Remove(acme.id)])
    };
    fixture.write(&acme, changes.clone()).await;
    assert_eq!(numbers(&all(fixture).await), [4, 2]);

    // What is gone already takes nothing along.
    let again = tenants([Change::Remove(acme.id)]);
    fixture.write(&other, again).await;
    assert_eq!(numbers(&all(fixture).await), [4, 2]);
}

async fn by(fixture: &Fixture, tenant: &Tenant, actor: &Actor, told: impl Into<Vec<Event>>) {
    let changes = Changes {
        actor: actor.clone(),
        ..events(told)
    };
    fixture.write(tenant, changes).await;
}

async fn all(fixture: &Fixture) -> Vec<AuditEntry> {
    found(fixture, &everything()).await
}

async fn found(fixture: &Fixture, query: &AuditQuery) -> Vec<AuditEntry> {
    fixture.audit.entries(query).await.unwrap()
}

fn everything() -> AuditQuery {
    AuditQuery {
        limit: usize::MAX,
        ..AuditQuery::default()
    }
}

/// The numbers of the events that the entries are of.
fn numbers(entries: &[AuditEntry]) -> Vec<u32> {
    let number = |entry: &AuditEntry| (0..=99).find(|number| values::id(*number) == entry.id);
    entries.iter().filter_map(number).collect()
}

fn user(number: u32, tenant: &Tenant) -> Actor {
    Actor::User {
        id: values::id(number),
        tenant: tenant.id,
        ip: Some(ip()),
    }
}

fn ip() -> String {
    "2001:db8::7".to_owned()
}

fn about(user: u32) -> Subject {
    Subject::User(values::id(user))
}

fn fact(subject: Subject, sequence: u64, kind: EventKind) -> Fact {
    Fact {
        subject,
        sequence,
        kind,
    }
}

fn at(event: Event, second: u32) -> Event {
    Event {
        at: moment(second),
        ..event
    }
}

fn moment(second: u32) -> Timestamp {
    NOW + Duration::from_secs(second.into())
}
