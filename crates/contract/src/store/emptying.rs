//! How what is of a tenant goes before the tenant does.

use tessera_app::{AuditQuery, StoredEvent, UserFilter};
use tessera_domain::{Change, Changes, Id, Tenant, TenantStatus, User};

use super::deliveries::{
    BEHIND, PARKED, claim, counted, enrolled, happen, lease, progress, settle,
};
use crate::fixture::{tenants, users};
use crate::values::NOW;
use crate::{Fixture, values};

pub(super) async fn what_is_emptied_is_of_that_tenant_alone(fixture: &Fixture) {
    let [acme, other] = [fixture.tenant("Acme").await, fixture.tenant("Others").await];
    for tenant in [&acme, &other] {
        fill(fixture, tenant, 1..4).await;
    }
    let acme = deleting(fixture, &acme).await;
    let before = left(fixture, &other).await;
    assert!(emptied(fixture, &acme, 100).await > 0);
    let rest = left(fixture, &acme).await;
    // Who began it is told for as long as the trail is kept.
    assert_eq!((rest.events, rest.entries), (0, 1));
    // What is in a place of its own may go with that.
    assert!([0, 3].contains(&rest.users), "{rest:?}");
    assert_eq!(left(fixture, &other).await, before);
    assert_eq!(fixture.find_tenant(&acme).await.unwrap(), acme);
    let found = fixture.take_mails(NOW, NOW).await;
    let of_other = |one: &tessera_app::QueuedMail| one.mail.tenant == other.id;
    assert!(found.len() == 3 && found.iter().all(of_other), "{found:?}");
}

pub(super) async fn emptying_stops_at_its_limit_and_comes_to_an_end(fixture: &Fixture) {
    let acme = fixture.tenant("Acme").await;
    fill(fixture, &acme, 1..6).await;
    let acme = deleting(fixture, &acme).await;
    let mut so_far = left(fixture, &acme).await;
    assert_eq!((so_far.users, so_far.events), (5, 6));
    for _ in 0..100 {
        if fixture.store.empty(&acme, 2).await.unwrap() == 0 {
            break;
        }
        let now = left(fixture, &acme).await;
        for (before, after) in [
            (so_far.users, now.users),
            (so_far.events, now.events),
            (so_far.entries, now.entries),
        ] {
            assert!(before.saturating_sub(after) <= 2, "{so_far:?} {now:?}");
        }
        so_far = now;
    }
    assert_eq!(fixture.store.empty(&acme, 2).await.unwrap(), 0);
}

pub(super) async fn a_tenant_that_is_not_being_deleted_is_not_emptied(fixture: &Fixture) {
    let acme = fixture.tenant("Acme").await;
    fill(fixture, &acme, 1..4).await;
    let before = left(fixture, &acme).await;
    assert_eq!(fixture.store.empty(&acme, 100).await.unwrap(), 0);
    assert_eq!(left(fixture, &acme).await, before);
    // Nor is what tells of its end taken from one that is gone.
    let acme = deleting(fixture, &acme).await;
    fixture.write(&acme, removal(&acme)).await;
    assert_eq!(fixture.store.empty(&acme, 100).await.unwrap(), 0);
    assert_eq!(fixture.events().await.len(), 1);
    assert_eq!(entries(fixture, &acme).await, 2);
}

pub(super) async fn what_waits_of_an_emptied_tenant_goes_along(fixture: &Fixture) {
    let [acme, other] = [enrolled(fixture).await, fixture.tenant("Others").await];
    happen(fixture, &acme, &[(1, 1), (1, 2), (2, 1)]).await;
    happen(fixture, &other, &[(3, 1)]).await;
    let first = claim(fixture, lease(), 10).await;
    let cursor = first.read_to;
    let waits = [(1, 1, PARKED), (1, 2, BEHIND), (3, 1, PARKED)];
    settle(fixture, first, &waits).await;
    let acme = deleting(fixture, &acme).await;
    emptied(fixture, &acme, 1).await;
    fixture.write(&acme, removal(&acme)).await;

    let waiting = fixture.log.waiting(None, 0, 10).await.unwrap();
    let of: Vec<Id<Tenant>> = waiting.iter().map(|one| one.event.tenant).collect();
    assert_eq!(of, [other.id]);
    let last = claim(fixture, lease(), 10).await;
    let found: Vec<&str> = last.events.iter().map(|one| &*one.event.subject).collect();
    assert_eq!(found, [format!("tenant/{}", acme.id)]);
    assert_eq!(progress(fixture, "p").await, counted(1, cursor, 1, 1));
}

pub(super) async fn a_tenant_that_was_emptied_in_part_takes_the_rest_along(fixture: &Fixture) {
    let acme = fixture.tenant("Acme").await;
    fill(fixture, &acme, 1..6).await;
    let acme = deleting(fixture, &acme).await;
    fixture.store.empty(&acme, 1).await.unwrap();
    fixture.write(&acme, removal(&acme)).await;
    let events = fixture.events().await;
    let about = |event: &StoredEvent| event.subject == format!("tenant/{}", acme.id);
    assert!(events.len() == 1 && events.iter().all(about), "{events:?}");
    assert_eq!(entries(fixture, &acme).await, 2);
    assert_eq!(fixture.take_mails(NOW, NOW).await, []);
    let again = fixture.tenant("Acme").await;
    assert_eq!(left(fixture, &again).await.users, 0);
}

pub(super) async fn nothing_is_told_of_a_tenant_that_is_gone_or_about_to_be(fixture: &Fixture) {
    let acme = fixture.tenant("Acme").await;
    let told = |number| Changes {
        events: vec![values::event(number, &acme, values::created(number))],
        ..Changes::default()
    };
    fixture.write(&acme, told(1)).await;
    let deleting = deleting(fixture, &acme).await;
    assert!(fixture.store.commit(&acme, told(2)).await.is_err());
    fixture.write(&deleting, removal(&deleting)).await;
    assert!(fixture.store.commit(&acme, told(3)).await.is_err());
    assert_eq!(fixture.events().await.len(), 1);
}

pub(super) async fn of_two_that_empty_a_tenant_each_takes_what_the_other_has_not(
    fixture: &Fixture,
) {
    let acme = fixture.tenant("Acme").await;
    fill(fixture, &acme, 1..41).await;
    let acme = deleting(fixture, &acme).await;
    let before = left(fixture, &acme).await;
    let (one, other) = tokio::join!(emptied(fixture, &acme, 3), emptied(fixture, &acme, 3));
    let rest = left(fixture, &acme).await;
    assert_eq!((rest.events, rest.entries), (0, 1));
    // The mails are as many as the users were.
    let gone = |before: usize, now: usize| before - now;
    let of_log = gone(before.events, rest.events) + gone(before.entries, rest.entries);
    let of_place = gone(before.users, rest.users) + 40;
    assert_eq!(one + other, of_log + of_place);
}

/// Users with those numbers, each with a session, a mailed token, an event, an entry of the audit
/// trail and a mail.
async fn fill(fixture: &Fixture, tenant: &Tenant, numbers: core::ops::Range<u32>) {
    let base = if tenant.name.as_str() == "Acme" {
        0
    } else {
        100
    };
    for number in numbers {
        let (number, user) = (base + number, values::user(base + number));
        let changes = Changes {
            sessions: vec![Change::Insert(values::session(&user, number))],
            mailed_tokens: vec![values::mailed_token(number, &user)],
            mails: vec![values::mail(number, tenant)],
            events: vec![values::event(number, tenant, values::created(number))],
            ..users([Change::Insert(user)])
        };
        fixture.write(tenant, changes).await;
    }
}

/// The tenant, whose deletion began.
async fn deleting(fixture: &Fixture, tenant: &Tenant) -> Tenant {
    let (deleting, fact) = tenant.begin_deletion().unwrap();
    let changes = Changes {
        events: vec![values::event(9_001, tenant, fact)],
        ..tenants([Change::Update(deleting)])
    };
    fixture.write(tenant, changes).await;
    let deleting = fixture.find_tenant(tenant).await.unwrap();
    assert_eq!(deleting.status, TenantStatus::Deleting);
    deleting
}

fn removal(deleting: &Tenant) -> Changes {
    Changes {
        events: vec![values::event(9_002, deleting, deleting.deleted())],
        ..tenants([Change::Remove(deleting.id)])
    }
}

/// Empties a tenant; answers how much of it went.
async fn emptied(fixture: &Fixture, tenant: &Tenant, limit: usize) -> usize {
    let mut all = 0;
    for _ in 0..1_000 {
        match fixture.store.empty(tenant, limit).await.unwrap() {
            0 => return all,
            some => all += some,
        }
    }
    panic!("there is no end to it");
}

/// How much there is of a tenant.
#[derive(Debug, Default, Eq, PartialEq)]
struct Left {
    users: usize,
    sessions: usize,
    tokens: usize,
    events: usize,
    entries: usize,
}

async fn left(fixture: &Fixture, tenant: &Tenant) -> Left {
    let all = UserFilter::default();
    let users = fixture.store.users(tenant, &all, None, 1_000).await;
    let users: Vec<Id<User>> = users.unwrap().into_iter().map(|user| user.id).collect();
    let (mut sessions, mut tokens) = (0, 0);
    for user in &users {
        sessions += fixture.store.sessions(tenant, *user).await.unwrap().len();
        tokens += fixture.mailed_tokens(tenant, *user).await.len();
    }
    let events = fixture.log.events(Some(tenant.id), 0, 1_000).await.unwrap();
    Left {
        users: users.len(),
        sessions,
        tokens,
        events: events.len(),
        entries: entries(fixture, tenant).await,
    }
}

/// How many entries the audit trail has of a tenant, which may be gone.
async fn entries(fixture: &Fixture, tenant: &Tenant) -> usize {
    let asked = AuditQuery {
        tenant: Some(tenant.id),
        limit: 1_000,
        ..AuditQuery::default()
    };
    fixture.audit.entries(&asked).await.unwrap().len()
}
