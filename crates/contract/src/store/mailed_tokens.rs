//! How mailed tokens are kept, found and spent.

use core::time::Duration;
use std::sync::Arc;

use tessera_domain::{
    Change, Changes, Epoch, Id, MailedToken, MailedTokenPurpose, SessionEnd, Tenant, Timestamp,
    User,
};
use tokio::task::JoinSet;

use crate::fixture::{mailed_tokens, sessions, tenants, users};
use crate::values::NOW;
use crate::{Fixture, values};

pub(super) async fn every_field_of_a_mailed_token_comes_back(fixture: &Fixture) {
    let (acme, ada) = a_tenant(fixture).await;
    let purposes = [
        MailedTokenPurpose::ChangeEmail,
        MailedTokenPurpose::ResetPassword,
        MailedTokenPurpose::VerifyEmail,
    ];
    let least = MailedToken {
        account_key: None,
        epoch: Epoch::FIRST,
        ..values::mailed_token(1, &ada)
    };
    let full = (2..).zip(purposes);
    let full = full.map(|(number, purpose)| values::full_mailed_token(number, &ada, purpose));
    let all: Vec<MailedToken> = [least].into_iter().chain(full).collect();
    for token in &all {
        keep(fixture, &acme, token).await;
        assert_eq!(found(fixture, &acme, token).await.as_ref(), Some(token));
    }
    assert_eq!(fixture.mailed_tokens(&acme, ada.id).await, all);
}

pub(super) async fn a_mailed_token_is_found_by_its_digest_in_its_tenant_alone(fixture: &Fixture) {
    let [(acme, ada), (other, _)] = two_tenants(fixture).await;
    let token = values::mailed_token(1, &ada);
    keep(fixture, &acme, &token).await;
    assert_eq!(found(fixture, &acme, &token).await.as_ref(), Some(&token));
    assert_eq!(found(fixture, &other, &token).await, None);
    let unknown = values::mailed_token(2, &ada);
    assert_eq!(found(fixture, &acme, &unknown).await, None);
}

pub(super) async fn a_mailed_token_takes_the_place_of_the_one_with_the_same_id(fixture: &Fixture) {
    let (acme, ada) = a_tenant(fixture).await;
    let bob = fixture.inserted_user(&acme, values::user(3)).await;
    let [first, kept] = [1, 2].map(|number| values::mailed_token(number, &ada));
    keep(fixture, &acme, &first).await;
    keep(fixture, &acme, &kept).await;
    let second = MailedToken {
        id: first.id,
        ..values::full_mailed_token(7, &bob, MailedTokenPurpose::ChangeEmail)
    };
    let third = MailedToken {
        account_key: None,
        ..second.clone()
    };
    for next in [second, third] {
        keep(fixture, &acme, &next).await;
        assert_eq!(found(fixture, &acme, &first).await, None);
        assert_eq!(found(fixture, &acme, &next).await.as_ref(), Some(&next));
        assert_eq!(fixture.mailed_tokens(&acme, bob.id).await, [next]);
        let left = fixture.mailed_tokens(&acme, ada.id).await;
        assert_eq!(left, core::slice::from_ref(&kept));
    }
}

pub(super) async fn mailed_tokens_are_listed_of_one_user_of_one_tenant_by_their_ids(
    fixture: &Fixture,
) {
    let [(acme, ada), (other, eve)] = two_tenants(fixture).await;
    let bob = fixture.inserted_user(&acme, values::user(3)).await;
    for (tenant, user, number) in [
        (&acme, &ada, 4),
        (&acme, &ada, 1),
        (&acme, &bob, 2),
        (&acme, &ada, 3),
        (&other, &eve, 5),
    ] {
        keep(fixture, tenant, &values::mailed_token(number, user)).await;
    }
    let listed = [1, 3, 4].map(values::id);
    assert_eq!(ids(fixture, &acme, &ada).await, listed);
    assert_eq!(ids(fixture, &acme, &bob).await, [values::id(2)]);
    assert_eq!(ids(fixture, &other, &eve).await, [values::id(5)]);
    assert_eq!(ids(fixture, &other, &bob).await, []);
}

pub(super) async fn a_spent_token_is_gone_and_may_be_spent_again(fixture: &Fixture) {
    let (acme, ada) = a_tenant(fixture).await;
    let [gone, kept] = [1, 2].map(|number| values::mailed_token(number, &ada));
    let both = mailed_tokens([gone.clone(), kept.clone()]);
    fixture.write(&acme, both).await;
    for spent in [vec![gone.id], vec![gone.id, values::id(9)]] {
        fixture.write(&acme, spend(spent)).await;
        assert_eq!(found(fixture, &acme, &gone).await, None);
        assert_eq!(ids(fixture, &acme, &ada).await, [kept.id]);
    }
}

pub(super) async fn a_token_that_is_spent_and_kept_in_one_commit_is_kept(fixture: &Fixture) {
    let (acme, ada) = a_tenant(fixture).await;
    let [old, other] = [1, 2].map(|number| values::mailed_token(number, &ada));
    let both = mailed_tokens([old.clone(), other.clone()]);
    fixture.write(&acme, both).await;
    let new = MailedToken {
        digest: values::digest(7),
        ..old.clone()
    };
    let changes = Changes {
        spent_tokens: vec![other.id, old.id],
        ..mailed_tokens([new.clone()])
    };
    fixture.write(&acme, changes).await;
    assert_eq!(fixture.mailed_tokens(&acme, ada.id).await, [new]);
}

pub(super) async fn tokens_are_spent_and_kept_beside_a_session_that_changes(fixture: &Fixture) {
    let (acme, ada) = a_tenant(fixture).await;
    let session = values::session(&ada, 1);
    let session = fixture.inserted_session(&acme, session).await;
    let [old, new] = [1, 2].map(|number| values::mailed_token(number, &ada));
    keep(fixture, &acme, &old).await;
    let changes = Changes {
        epochs: vec![(ada.id, ada.epoch)],
        mailed_tokens: vec![new.clone()],
        spent_tokens: vec![old.id],
        ..sessions([Change::Update(session.end(SessionEnd::LogOut, NOW))])
    };
    fixture.write(&acme, changes).await;
    assert_eq!(fixture.mailed_tokens(&acme, ada.id).await, [new]);
    let session = fixture.session(&acme, session.id).await.unwrap();
    assert!(session.ended.is_some());
}

pub(super) async fn a_refused_commit_spends_nothing_and_keeps_nothing(fixture: &Fixture) {
    let (acme, ada) = a_tenant(fixture).await;
    let token = values::mailed_token(1, &ada);
    keep(fixture, &acme, &token).await;
    let replaced = MailedToken {
        digest: values::digest(7),
        ..token.clone()
    };
    let refused = Changes {
        epochs: vec![(ada.id, ada.epoch.next())],
        mailed_tokens: vec![replaced, values::mailed_token(2, &ada)],
        ..spend([token.id])
    };
    fixture.stale(&acme, refused).await;
    let behind = User {
        version: 7,
        ..ada.clone()
    };
    let refused = Changes {
        users: vec![Change::Update(behind)],
        ..spend([token.id])
    };
    fixture.stale(&acme, refused).await;
    assert_eq!(fixture.mailed_tokens(&acme, ada.id).await, [token]);
}

pub(super) async fn a_mailed_token_of_an_unknown_user_is_refused(fixture: &Fixture) {
    let [(acme, ada), (_, eve)] = two_tenants(fixture).await;
    for unknown in [values::user(9), eve] {
        let known = values::mailed_token(1, &ada);
        let unknown = values::mailed_token(2, &unknown);
        fixture.stale(&acme, mailed_tokens([known, unknown])).await;
        assert_eq!(ids(fixture, &acme, &ada).await, []);
    }
    let removed = Changes {
        mailed_tokens: vec![values::mailed_token(1, &ada)],
        ..users([Change::Remove(ada.id)])
    };
    fixture.stale(&acme, removed).await;
    assert!(fixture.user(&acme, ada.id).await.is_some());
}

pub(super) async fn a_digest_is_kept_once_in_a_tenant(fixture: &Fixture) {
    let [(acme, ada), (other, eve)] = two_tenants(fixture).await;
    let token = values::mailed_token(1, &ada);
    keep(fixture, &acme, &token).await;
    let same = MailedToken {
        digest: token.digest,
        ..values::mailed_token(2, &ada)
    };
    fixture.stale(&acme, mailed_tokens([same])).await;
    assert_eq!(ids(fixture, &acme, &ada).await, [token.id]);
    keep(fixture, &other, &values::mailed_token(1, &eve)).await;
}

pub(super) async fn mailed_tokens_of_two_tenants_with_the_same_ids_do_not_meet(fixture: &Fixture) {
    let [acme, other] = [fixture.tenant("Acme").await, fixture.tenant("Other").await];
    for tenant in [&acme, &other] {
        let ada = fixture.inserted_user(tenant, values::user(1)).await;
        keep(fixture, tenant, &values::mailed_token(1, &ada)).await;
    }
    let ada = values::user(1);
    let theirs = values::mailed_token(1, &ada);
    let ours = MailedToken {
        purpose: MailedTokenPurpose::VerifyEmail,
        digest: values::digest(7),
        ..theirs.clone()
    };
    keep(fixture, &acme, &ours).await;
    assert_eq!(fixture.mailed_tokens(&acme, ada.id).await, [ours]);
    let left = || fixture.mailed_tokens(&other, ada.id);
    assert_eq!(left().await, core::slice::from_ref(&theirs));
    fixture.write(&acme, spend([theirs.id])).await;
    assert_eq!(left().await, core::slice::from_ref(&theirs));
    assert_eq!(found(fixture, &other, &theirs).await, Some(theirs));
    assert_eq!(fixture.mailed_tokens(&acme, ada.id).await, []);
}

pub(super) async fn a_removed_user_takes_its_mailed_tokens_along(fixture: &Fixture) {
    let (acme, ada) = a_tenant(fixture).await;
    let bob = fixture.inserted_user(&acme, values::user(3)).await;
    let [of_ada, of_bob] = [values::mailed_token(1, &ada), values::mailed_token(2, &bob)];
    let both = mailed_tokens([of_ada.clone(), of_bob.clone()]);
    fixture.write(&acme, both).await;
    fixture.write(&acme, users([Change::Remove(ada.id)])).await;
    assert_eq!(found(fixture, &acme, &of_ada).await, None);
    assert_eq!(ids(fixture, &acme, &ada).await, []);
    assert_eq!(ids(fixture, &acme, &bob).await, [of_bob.id]);
}

pub(super) async fn a_removed_tenant_takes_its_mailed_tokens_along(fixture: &Fixture) {
    let [(acme, ada), (other, eve)] = two_tenants(fixture).await;
    keep(fixture, &acme, &values::mailed_token(1, &ada)).await;
    keep(fixture, &other, &values::mailed_token(2, &eve)).await;
    fixture
        .write(&acme, tenants([Change::Remove(acme.id)]))
        .await;
    assert_eq!(ids(fixture, &other, &eve).await, [values::id(2)]);
    let (heir, ada) = a_tenant(fixture).await;
    assert_eq!(ids(fixture, &heir, &ada).await, []);
    keep(fixture, &heir, &values::mailed_token(1, &ada)).await;
}

pub(super) async fn a_mailed_token_is_pruned_once_it_is_over(fixture: &Fixture) {
    let [(acme, ada), (other, eve)] = two_tenants(fixture).await;
    for (tenant, user, number, end) in [
        (&acme, &ada, 1, 9),
        (&acme, &ada, 2, 10),
        (&acme, &ada, 3, 11),
        (&other, &eve, 4, 9),
    ] {
        keep(fixture, tenant, &ending(number, user, end)).await;
    }
    let dead = values::session(&ada, 1).end(SessionEnd::Limit, NOW);
    fixture.inserted_session(&acme, dead).await;
    let prune = async |at| fixture.store.prune(&acme, at, 100).await.unwrap();
    assert_eq!(prune(after(8)).await, 1, "the session");
    assert_eq!(prune(after(8)).await, 0);
    assert_eq!(prune(after(10)).await, 2);
    assert_eq!(ids(fixture, &acme, &ada).await, [values::id(3)]);
    assert_eq!(prune(after(10)).await, 0);
    assert_eq!(ids(fixture, &other, &eve).await, [values::id(4)]);
}

pub(super) async fn pruning_mailed_tokens_stops_at_its_limit(fixture: &Fixture) {
    let (acme, ada) = a_tenant(fixture).await;
    for number in 1..=5 {
        keep(fixture, &acme, &ending(number, &ada, 1)).await;
        let dead = values::session(&ada, number).end(SessionEnd::Limit, NOW);
        fixture.inserted_session(&acme, dead).await;
    }
    for (limit, removed, left) in [(0, 0, 5), (2, 4, 3), (2, 4, 1), (2, 2, 0), (2, 0, 0)] {
        let answer = fixture.store.prune(&acme, after(1), limit).await.unwrap();
        assert_eq!(answer, removed, "as many of either");
        assert_eq!(ids(fixture, &acme, &ada).await.len(), left);
    }
}

pub(super) async fn racing_keepers_of_one_token_leave_one(fixture: &Fixture) {
    let (acme, ada) = a_tenant(fixture).await;
    let mut keepers = JoinSet::new();
    for number in 1..=16 {
        let token = MailedToken {
            id: values::id(1),
            ..values::mailed_token(number, &ada)
        };
        let (store, of) = (Arc::clone(&fixture.store), acme.clone());
        let changes = mailed_tokens([token]);
        keepers.spawn(async move { store.commit(&of, changes).await });
    }
    let answers = keepers.join_all().await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    assert_eq!(ids(fixture, &acme, &ada).await, [values::id(1)]);
    let mut found = 0;
    for number in 1..=16 {
        let token = values::mailed_token(number, &ada);
        found += usize::from(self::found(fixture, &acme, &token).await.is_some());
    }
    assert_eq!(found, 1);
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

async fn keep(fixture: &Fixture, tenant: &Tenant, token: &MailedToken) {
    fixture.write(tenant, mailed_tokens([token.clone()])).await;
}

async fn found(fixture: &Fixture, tenant: &Tenant, token: &MailedToken) -> Option<MailedToken> {
    let found = fixture.store.mailed_token(tenant, &token.digest);
    found.await.unwrap()
}

async fn ids(fixture: &Fixture, tenant: &Tenant, user: &User) -> Vec<Id<MailedToken>> {
    let tokens = fixture.mailed_tokens(tenant, user.id).await;
    tokens.iter().map(|token| token.id).collect()
}

fn spend(tokens: impl Into<Vec<Id<MailedToken>>>) -> Changes {
    Changes {
        spent_tokens: tokens.into(),
        ..Changes::default()
    }
}

/// A token that is over so long after the beginning.
fn ending(number: u32, user: &User, micros: u64) -> MailedToken {
    MailedToken {
        expires_at: after(micros),
        ..values::mailed_token(number, user)
    }
}

fn after(micros: u64) -> Timestamp {
    NOW + Duration::from_micros(micros)
}
