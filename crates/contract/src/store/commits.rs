//! That a commit is written as a whole, or leaves nothing.

use tessera_app::{TenantKey, Unique, UserFilter};
use tessera_domain::{
    Change, Changes, Epoch, Id, Installation, Key, Session, SessionEnd, Tenant, TenantName, User,
};

use crate::values::NOW;
use crate::{Fixture, values};

pub(super) async fn one_commit_writes_everything_in_it(fixture: &Fixture) {
    let before = Before::made(fixture).await;
    let changes = before.everything();
    fixture.write(&before.acme, changes).await;

    let store = &fixture.store;
    let acme = fixture.find_tenant(&before.acme).await.unwrap();
    assert_eq!(acme.name.as_str(), "Acme & Co");
    let session = values::id(2);
    let holder = store.session(&acme.schema, session).await.unwrap().unwrap();
    assert_eq!(holder.user.id, values::id(2));
    assert_eq!(store.keys().await.unwrap().len(), 2);
    assert!(store.installation().await.unwrap().is_some());
    assert_eq!(fixture.events().await.len(), 2);
    let ended = fixture.session(&acme, before.session.id).await.unwrap();
    assert!(ended.ended.is_some());
    assert_eq!(fixture.session(&acme, before.outlived).await, None);
    assert_eq!(fixture.take_mails(NOW, NOW).await.len(), 2);
    assert_eq!(fixture.mailed_tokens(&acme, before.ada.id).await, []);
    assert_eq!(fixture.mailed_tokens(&acme, values::id(2)).await.len(), 1);
}

pub(super) async fn an_empty_commit_goes_through(fixture: &Fixture) {
    let acme = fixture.tenant("Acme").await;
    fixture.write(&acme, Changes::default()).await;
    assert_eq!(fixture.find_tenant(&acme).await, Some(acme));
}

pub(super) async fn a_tenant_is_made_in_one_commit_with_what_is_in_it(fixture: &Fixture) {
    let (tenant, changes) = a_start();
    fixture.write(&tenant, changes).await;
    let made = fixture.find_tenant(&tenant).await.unwrap();
    assert_eq!(made.version, 1);
    assert!(fixture.user(&made, values::id(1)).await.is_some());
    assert!(fixture.session(&made, values::id(1)).await.is_some());
    assert_eq!(fixture.store.keys().await.unwrap().len(), 1);
    assert!(fixture.store.installation().await.unwrap().is_some());
    assert_eq!(fixture.events().await.len(), 1);
    assert_eq!(fixture.take_mails(NOW, NOW).await.len(), 1);
}

pub(super) async fn a_tenant_of_a_refused_commit_was_never_made(fixture: &Fixture) {
    let (tenant, changes) = a_start();
    let mut refused = changes.clone();
    refused.epochs = vec![(values::id(9), Epoch::FIRST)];
    fixture.stale(&tenant, refused).await;
    assert!(fixture.store.tenants().await.unwrap().is_empty());
    assert!(fixture.store.keys().await.unwrap().is_empty());
    assert!(fixture.store.installation().await.unwrap().is_none());
    assert!(fixture.events().await.is_empty());
    assert_eq!(fixture.take_mails(NOW, NOW).await, []);
    fixture.write(&tenant, changes).await;
    assert!(fixture.user(&tenant, values::id(1)).await.is_some());
}

pub(super) async fn a_stale_update_leaves_nothing_of_its_commit(fixture: &Fixture) {
    let before = Before::made(fixture).await;
    let stale = [
        Changes {
            tenants: vec![Change::Update(Tenant {
                version: 7,
                ..before.acme.clone()
            })],
            ..Changes::default()
        },
        Changes {
            sessions: vec![Change::Update(Session {
                version: 7,
                ..before.session.clone()
            })],
            ..Changes::default()
        },
        Changes {
            users: vec![Change::Update(User {
                version: 7,
                ..before.ada.clone()
            })],
            ..Changes::default()
        },
        Changes {
            keys: vec![Change::Update(Key {
                version: 7,
                ..values::key(1)
            })],
            ..Changes::default()
        },
    ];
    for stale in stale {
        let changes = before.everything_and(stale);
        fixture.stale(&before.acme, changes).await;
        before.assert_unchanged(fixture).await;
    }
}

pub(super) async fn a_stale_epoch_leaves_nothing_of_its_commit(fixture: &Fixture) {
    let before = Before::made(fixture).await;
    let changes = before.everything_and(Changes {
        epochs: vec![(before.ada.id, Epoch::new(7))],
        ..Changes::default()
    });
    fixture.stale(&before.acme, changes).await;
    before.assert_unchanged(fixture).await;
}

pub(super) async fn a_taken_address_leaves_nothing_of_its_commit(fixture: &Fixture) {
    let before = Before::made(fixture).await;
    let changes = before.everything_and(Changes {
        users: vec![Change::Insert(User {
            email: before.ada.email.clone(),
            ..values::user(3)
        })],
        ..Changes::default()
    });
    fixture
        .duplicate(&before.acme, changes, Unique::Email)
        .await;
    before.assert_unchanged(fixture).await;
}

pub(super) async fn a_taken_domain_leaves_nothing_of_its_commit(fixture: &Fixture) {
    let before = Before::made(fixture).await;
    let other = Tenant {
        domains: vec![values::domain("acme.example", true)],
        ..values::tenant("Other")
    };
    fixture.inserted_tenant(other.clone()).await;
    let mut changes = before.everything();
    for change in &mut changes.tenants {
        if let Change::Update(tenant) = change {
            tenant.domains.clone_from(&other.domains);
        }
    }
    fixture
        .duplicate(&before.acme, changes, Unique::Domain)
        .await;
    before.assert_unchanged(fixture).await;
}

pub(super) async fn a_taken_kid_leaves_nothing_of_its_commit(fixture: &Fixture) {
    let before = Before::made(fixture).await;
    let changes = before.everything_and(Changes {
        keys: vec![Change::Insert(Key {
            kid: values::kid(1),
            ..values::key(3)
        })],
        ..Changes::default()
    });
    fixture.duplicate(&before.acme, changes, Unique::Key).await;
    before.assert_unchanged(fixture).await;
}

pub(super) async fn a_used_sequence_leaves_nothing_of_its_commit(fixture: &Fixture) {
    let before = Before::made(fixture).await;
    let changes = before.everything_and(Changes {
        events: vec![values::event(3, &before.acme, values::created(1))],
        ..Changes::default()
    });
    fixture.stale(&before.acme, changes).await;
    before.assert_unchanged(fixture).await;
}

pub(super) async fn a_token_of_nobody_leaves_nothing_of_its_commit(fixture: &Fixture) {
    let before = Before::made(fixture).await;
    let changes = before.everything_and(Changes {
        mailed_tokens: vec![values::mailed_token(3, &values::user(9))],
        ..Changes::default()
    });
    fixture.stale(&before.acme, changes).await;
    before.assert_unchanged(fixture).await;
}

/// A tenant and the first of everything, as a fresh installation commits them.
fn a_start() -> (Tenant, Changes) {
    let tenant = values::tenant("Acme");
    let ada = values::named_user(1, "ada");
    let changes = Changes {
        installation: Some(Installation {
            public_url: "https://auth.example".to_owned(),
        }),
        tenants: vec![Change::Insert(tenant.clone())],
        sessions: vec![Change::Insert(values::session(&ada, 1))],
        users: vec![Change::Insert(ada)],
        keys: vec![Change::Insert(values::key(1))],
        mails: vec![values::mail(1, &tenant)],
        events: vec![values::event(1, &tenant, values::created(1))],
        ..Changes::default()
    };
    (tenant, changes)
}

/// What is there before a commit that changes all of it, or nothing.
struct Before {
    acme: Tenant,
    ada: User,
    session: Session,
    outlived: Id<Session>,
}

impl Before {
    async fn made(fixture: &Fixture) -> Self {
        let acme = fixture.tenant("Acme").await;
        let ada = values::named_user(1, "ada");
        let changes = Changes {
            users: vec![Change::Insert(ada.clone())],
            sessions: [1, OUTLIVED]
                .map(|number| Change::Insert(values::session(&ada, number)))
                .to_vec(),
            keys: vec![Change::Insert(values::key(1))],
            mails: vec![values::mail(1, &acme)],
            mailed_tokens: vec![values::mailed_token(1, &ada)],
            events: vec![values::event(1, &acme, values::created(1))],
            ..Changes::default()
        };
        fixture.write(&acme, changes).await;
        Self {
            ada: fixture.user(&acme, ada.id).await.unwrap(),
            session: fixture.session(&acme, values::id(1)).await.unwrap(),
            outlived: values::id(OUTLIVED),
            acme,
        }
    }

    /// A commit that writes at least one of everything.
    fn everything(&self) -> Changes {
        let eve = values::named_user(2, "eve");
        Changes {
            installation: Some(Installation {
                public_url: "https://auth.example".to_owned(),
            }),
            tenants: vec![Change::Update(Tenant {
                name: TenantName::parse("Acme & Co").unwrap(),
                ..self.acme.clone()
            })],
            sessions: vec![
                Change::Remove(self.outlived),
                Change::Insert(values::session(&eve, 2)),
                Change::Update(self.session.end(SessionEnd::LogOut, NOW)),
            ],
            keys: vec![Change::Insert(values::key(2))],
            epochs: vec![(self.ada.id, self.ada.epoch)],
            mails: vec![values::mail(2, &self.acme)],
            mailed_tokens: vec![values::mailed_token(2, &eve)],
            spent_tokens: vec![values::id(1)],
            users: vec![Change::Insert(eve)],
            events: vec![values::event(2, &self.acme, values::created(2))],
            ..Changes::default()
        }
    }

    /// The same with what it is refused for at the end of it; a change of the same aggregate
    /// makes way.
    fn everything_and(&self, more: Changes) -> Changes {
        let mut changes = self.everything();
        if !more.tenants.is_empty() {
            changes.tenants = more.tenants;
        }
        if !more.sessions.is_empty() {
            changes.sessions.truncate(2);
        }
        changes.users.extend(more.users);
        changes.sessions.extend(more.sessions);
        changes.keys.extend(more.keys);
        if !more.epochs.is_empty() {
            changes.epochs = more.epochs;
        }
        changes.mailed_tokens.extend(more.mailed_tokens);
        changes.events.extend(more.events);
        changes
    }

    async fn assert_unchanged(&self, fixture: &Fixture) {
        let store = &fixture.store;
        let acme = fixture.find_tenant(&self.acme).await;
        assert_eq!(acme.as_ref(), Some(&self.acme));
        let name = TenantName::parse("Acme & Co").unwrap().key();
        let renamed = store.tenant(&TenantKey::Name(name)).await.unwrap();
        assert_eq!(renamed, None);
        let all = UserFilter::default();
        let users = store.users(&self.acme, &all, None, 10).await.unwrap();
        assert_eq!(users, core::slice::from_ref(&self.ada));
        for (user, expected) in [(self.ada.id, 2), (values::id(2), 0)] {
            let sessions = store.sessions(&self.acme, user).await.unwrap();
            assert_eq!(sessions.len(), expected);
        }
        let session = fixture.session(&self.acme, self.session.id).await;
        assert_eq!(session.as_ref(), Some(&self.session));
        assert_eq!(store.keys().await.unwrap().len(), 1);
        assert_eq!(store.installation().await.unwrap(), None);
        assert_eq!(fixture.events().await.len(), 1);
        let waiting = fixture.take_mails(NOW, NOW).await;
        assert_eq!(waiting.len(), 1, "{waiting:?}");
        for (user, expected) in [(self.ada.id, 1), (values::id(2), 0)] {
            let tokens = fixture.mailed_tokens(&self.acme, user).await;
            assert_eq!(tokens.len(), expected);
        }
    }
}

const OUTLIVED: u32 = 9;
