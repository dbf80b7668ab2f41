//! How sessions are kept, guarded and pruned.

use core::time::Duration;

use tessera_app::SessionHolder;
use tessera_domain::{
    Change, Changes, Epoch, Id, SchemaName, Session, SessionEnd, Tenant, Timestamp, User,
};

use crate::fixture::{sessions, users};
use crate::values::NOW;
use crate::{Fixture, values};

pub(super) async fn a_session_comes_with_its_user_and_its_tenant(fixture: &Fixture) {
    let acme = Tenant {
        domains: vec![
            values::domain("b.example", false),
            values::domain("a.example", true),
        ],
        ..values::tenant("Acme")
    };
    let acme = fixture.inserted_tenant(acme).await;
    let ada = fixture.inserted_user(&acme, values::full_user(1)).await;
    let session = fixture
        .inserted_session(&acme, values::session(&ada, 1))
        .await;
    let read = fixture.store.session(&acme.schema, session.id).await;
    let expected = SessionHolder {
        tenant: acme,
        user: ada,
        session,
    };
    assert_eq!(read.unwrap(), Some(expected));
}

pub(super) async fn a_session_is_found_in_its_tenant_alone(fixture: &Fixture) {
    let [(acme, ada), (other, eve)] = two_tenants(fixture).await;
    let here = fixture
        .inserted_session(&acme, values::session(&ada, 1))
        .await;
    let there = fixture
        .inserted_session(&other, values::session(&eve, 2))
        .await;
    assert_eq!(fixture.session(&acme, here.id).await.as_ref(), Some(&here));
    assert_eq!(fixture.session(&other, here.id).await, None);
    assert_eq!(fixture.session(&acme, there.id).await, None);
    assert_eq!(fixture.session(&acme, values::id(3)).await, None);
    for unknown in ["nowhere", "public", "a'b", ""] {
        let unknown = SchemaName::restore(unknown.to_owned());
        let read = fixture.store.session(&unknown, here.id).await;
        assert_eq!(read.unwrap(), None, "{unknown:?}");
    }
}

pub(super) async fn the_sessions_of_a_user_are_listed_oldest_first(fixture: &Fixture) {
    let (acme, ada) = a_tenant(fixture).await;
    for (number, age) in [(1, 10), (4, 30), (2, 20), (3, 0)] {
        let session = Session {
            created_at: NOW - Duration::from_micros(age),
            ..values::session(&ada, number)
        };
        fixture.inserted_session(&acme, session).await;
    }
    let oldest_first = [4, 2, 1, 3].map(values::id);
    assert_eq!(listed(fixture, &acme, ada.id).await, oldest_first);
    let first = fixture.session(&acme, values::id(4)).await.unwrap();
    let ended = first.end(SessionEnd::LogOut, NOW);
    fixture
        .write(&acme, sessions([Change::Update(ended)]))
        .await;
    assert_eq!(listed(fixture, &acme, ada.id).await, oldest_first);
}

pub(super) async fn sessions_are_listed_of_one_user_of_one_tenant_alone(fixture: &Fixture) {
    let [(acme, ada), (other, eve)] = two_tenants(fixture).await;
    let bob = fixture.inserted_user(&acme, values::user(3)).await;
    for (tenant, user, number) in [(&acme, &ada, 1), (&acme, &bob, 2), (&other, &eve, 3)] {
        let session = values::session(user, number);
        fixture.inserted_session(tenant, session).await;
    }
    assert_eq!(listed(fixture, &acme, ada.id).await, [values::id(1)]);
    assert_eq!(listed(fixture, &acme, bob.id).await, [values::id(2)]);
    assert_eq!(listed(fixture, &other, ada.id).await, []);
    assert_eq!(listed(fixture, &acme, values::id(9)).await, []);
}

pub(super) async fn every_field_of_a_session_comes_back(fixture: &Fixture) {
    let (acme, ada) = a_tenant(fixture).await;
    let ended = [
        SessionEnd::Disabled,
        SessionEnd::Limit,
        SessionEnd::LogOut,
        SessionEnd::LogOutEverywhere,
        SessionEnd::Operator,
        SessionEnd::PasswordChange,
        SessionEnd::Reuse,
        SessionEnd::Revoked,
    ];
    let full = (2..).zip(ended);
    let full = full.map(|(number, why)| values::full_session(&ada, number, why));
    for session in full.chain([values::session(&ada, 1)]) {
        let read = fixture.inserted_session(&acme, session.clone()).await;
        let expected = Session {
            version: 1,
            ..session
        };
        assert_eq!(read, expected);
        let listed = fixture.store.sessions(&acme, ada.id).await.unwrap();
        assert!(listed.contains(&expected));
    }
    let grown = Session {
        version: 1,
        ..values::full_session(&ada, 1, SessionEnd::Reuse)
    };
    let update = sessions([Change::Update(grown.clone())]);
    fixture.write(&acme, update).await;
    let expected = Session {
        version: 2,
        ..grown
    };
    assert_eq!(fixture.session(&acme, values::id(1)).await, Some(expected));
}

pub(super) async fn a_session_is_updated_at_the_version_it_was_read_at(fixture: &Fixture) {
    let (acme, ada) = a_tenant(fixture).await;
    let first = fixture
        .inserted_session(&acme, values::session(&ada, 1))
        .await;
    assert_eq!(first.version, 1);
    let rotated = |generation| Session {
        generation,
        ..first.clone()
    };
    let next = first.generation.next();
    let update = || sessions([Change::Update(rotated(next))]);
    fixture.write(&acme, update()).await;
    let second = fixture.session(&acme, first.id).await.unwrap();
    assert_eq!((second.version, second.generation), (2, next));

    fixture.stale(&acme, update()).await;
    assert_eq!(fixture.session(&acme, first.id).await, Some(second));
}

pub(super) async fn a_removed_session_is_gone_and_may_be_removed_again(fixture: &Fixture) {
    let (acme, ada) = a_tenant(fixture).await;
    let [gone, kept] = [1, 2].map(|number| values::session(&ada, number));
    let gone = fixture.inserted_session(&acme, gone).await;
    let kept = fixture.inserted_session(&acme, kept).await;
    for _ in 0..2 {
        fixture
            .write(&acme, sessions([Change::Remove(gone.id)]))
            .await;
        assert_eq!(fixture.session(&acme, gone.id).await, None);
        assert_eq!(listed(fixture, &acme, ada.id).await, [kept.id]);
    }
    fixture.stale(&acme, sessions([Change::Update(gone)])).await;
}

pub(super) async fn a_session_of_another_tenant_cannot_be_changed(fixture: &Fixture) {
    let [(acme, ada), (other, _)] = two_tenants(fixture).await;
    let session = fixture
        .inserted_session(&acme, values::session(&ada, 1))
        .await;
    let ended = session.end(SessionEnd::Operator, NOW);
    fixture
        .stale(&other, sessions([Change::Update(ended)]))
        .await;
    let remove = sessions([Change::Remove(session.id)]);
    fixture.write(&other, remove).await;
    assert_eq!(fixture.session(&acme, session.id).await, Some(session));
}

pub(super) async fn a_commit_goes_through_while_the_epoch_is_the_one_it_read(fixture: &Fixture) {
    let (acme, ada) = a_tenant(fixture).await;
    let guarded = guarded(&ada, ada.epoch);
    fixture.write(&acme, guarded).await;
    assert!(fixture.session(&acme, values::id(1)).await.is_some());
}

pub(super) async fn a_commit_is_stale_once_the_epoch_moved_on(fixture: &Fixture) {
    let (acme, ada) = a_tenant(fixture).await;
    let moved = ada.in_next_epoch();
    fixture.write(&acme, users([Change::Update(moved)])).await;
    fixture.stale(&acme, guarded(&ada, ada.epoch)).await;
    let ahead = ada.epoch.next().next();
    fixture.stale(&acme, guarded(&ada, ahead)).await;
    assert_eq!(fixture.session(&acme, values::id(1)).await, None);
    fixture.write(&acme, guarded(&ada, ada.epoch.next())).await;
}

pub(super) async fn a_commit_is_stale_when_the_user_of_an_epoch_is_unknown(fixture: &Fixture) {
    let [(acme, ada), (_, eve)] = two_tenants(fixture).await;
    for unknown in [values::id(9), eve.id] {
        let mut changes = sessions([Change::Insert(values::session(&ada, 1))]);
        changes.epochs = vec![(ada.id, ada.epoch), (unknown, Epoch::FIRST)];
        fixture.stale(&acme, changes).await;
        assert_eq!(fixture.session(&acme, values::id(1)).await, None);
    }
}

pub(super) async fn pruning_removes_the_dead_and_spares_the_live(fixture: &Fixture) {
    let (acme, ada) = a_tenant(fixture).await;
    let at = |micros| NOW + Duration::from_micros(micros);
    let ending = |number, idle: Timestamp, absolute: Timestamp| Session {
        idle_end: idle,
        absolute_end: absolute,
        ..values::session(&ada, number)
    };
    let left = values::session(&ada, 6).carried_into(ada.epoch.next());
    for session in [
        values::session(&ada, 1),
        ending(2, at(11), at(11)),
        ending(3, at(10), at(99)),
        ending(4, at(9), at(9)),
        values::session(&ada, 5).end(SessionEnd::LogOut, at(99)),
        left,
    ] {
        fixture.inserted_session(&acme, session).await;
    }
    let removed = fixture.store.prune(&acme, at(10), 100).await.unwrap();
    assert_eq!(removed, 4);
    let live = [1, 2].map(values::id);
    assert_eq!(listed(fixture, &acme, ada.id).await, live);

    let moved = ada.in_next_epoch();
    fixture.write(&acme, users([Change::Update(moved)])).await;
    let removed = fixture.store.prune(&acme, at(10), 100).await.unwrap();
    assert_eq!(removed, 2);
    let most = usize::MAX;
    assert_eq!(fixture.store.prune(&acme, at(10), most).await.unwrap(), 0);
}

pub(super) async fn pruning_stops_at_its_limit(fixture: &Fixture) {
    let (acme, ada) = a_tenant(fixture).await;
    for number in 1..=5 {
        let ended = values::session(&ada, number).end(SessionEnd::Limit, NOW);
        fixture.inserted_session(&acme, ended).await;
    }
    for (limit, removed, left) in [(0, 0, 5), (2, 2, 3), (2, 2, 1), (2, 1, 0), (2, 0, 0)] {
        let answer = fixture.store.prune(&acme, NOW, limit).await.unwrap();
        assert_eq!(answer, removed);
        assert_eq!(listed(fixture, &acme, ada.id).await.len(), left);
    }
}

pub(super) async fn pruning_touches_one_tenant_alone(fixture: &Fixture) {
    let [(acme, ada), (other, eve)] = two_tenants(fixture).await;
    for (tenant, user, number) in [(&acme, &ada, 1), (&other, &eve, 2)] {
        let ended = values::session(user, number).end(SessionEnd::LogOut, NOW);
        fixture.inserted_session(tenant, ended).await;
    }
    assert_eq!(fixture.store.prune(&acme, NOW, 100).await.unwrap(), 1);
    assert_eq!(listed(fixture, &other, eve.id).await, [values::id(2)]);
}

async fn a_tenant(fixture: &Fixture) -> (Tenant, User) {
    let acme = fixture.tenant("Acme").await;
    let user = values::named_user(1, "ada");
    let user = fixture.inserted_user(&acme, user).await;
    (acme, user)
}

/// Two tenants, each with a user who goes by the same address and username.
async fn two_tenants(fixture: &Fixture) -> [(Tenant, User); 2] {
    let here = a_tenant(fixture).await;
    let other = fixture.tenant("Other").await;
    let user = values::named_user(2, "ada");
    let user = fixture.inserted_user(&other, user).await;
    [here, (other, user)]
}

fn guarded(user: &User, epoch: Epoch) -> Changes {
    Changes {
        epochs: vec![(user.id, epoch)],
        ..sessions([Change::Insert(values::session(user, 1))])
    }
}

async fn listed(fixture: &Fixture, tenant: &Tenant, user: Id<User>) -> Vec<Id<Session>> {
    let sessions = fixture.store.sessions(tenant, user).await.unwrap();
    sessions.iter().map(|session| session.id).collect()
}
