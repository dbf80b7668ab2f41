//! What holds for one tenant and not for the whole installation.

use core::time::Duration;
use std::sync::Arc;

use tessera_app::{AuditQuery, ChangeSettingsError, Grant, Purview, SettingsAdministration};
use tessera_domain::{
    Actor, JobRoleBy, Registration, TenantSettings, TenantSettingsError, TokenPolicy,
};

use crate::world::{Done, World, with_tokens};

#[tokio::test]
async fn a_change_is_told_once_with_who_made_it() {
    let world = World::new().await;
    let of = SettingsAdministration::of_operator(world.tenant().await);
    let decide = |so_far| TenantSettings {
        registration: Some(Registration::Closed),
        ..so_far
    };
    let changing = || world.tessera.change_tenant_settings(&of, decide);
    let (changed, done) = world.watch(changing()).await;
    assert_eq!(changed.unwrap(), world.tenant().await);
    assert_eq!(done.names(), ["TenantSettingsChanged"]);
    assert_eq!(done.commits, 1);
    let (again, done): (_, Done) = world.watch(changing()).await;
    assert_eq!(again.unwrap(), world.tenant().await);
    assert_eq!((done.commits, done.events.len()), (0, 0));
    let newest = AuditQuery {
        limit: 1,
        ..AuditQuery::default()
    };
    let trail = world
        .tessera
        .audit_page(Purview::Installation, None, newest);
    let entries = trail.await.unwrap().entries;
    assert_eq!(entries[0].actor, Actor::Operator);
}

#[tokio::test]
async fn of_two_changes_at_once_neither_takes_the_other_back() {
    let world = World::new().await;
    let of = SettingsAdministration::of_operator(world.tenant().await);
    let (tessera, same) = (Arc::clone(&world.tessera), of.clone());
    world.store.before_next_commit(async move {
        let decide = |so_far| TenantSettings {
            job_role: JobRoleBy::Users,
            ..so_far
        };
        let changed = tessera.change_tenant_settings(&same, decide).await;
        changed.unwrap();
    });
    let decide = |so_far| TenantSettings {
        registration: Some(Registration::Invite),
        ..so_far
    };
    let changed = world.tessera.change_tenant_settings(&of, decide).await;
    let settings = changed.unwrap().settings;
    assert_eq!(settings.job_role, JobRoleBy::Users);
    assert_eq!(settings.registration, Some(Registration::Invite));
    world.assert_events_are_gapless();
}

#[tokio::test]
async fn a_tenant_has_shorter_lives_than_the_installation_and_no_longer_ones() {
    let world = World::new().await;
    world.create_tenant("Acme", &[]).await;
    world.change_settings("public", lives(60, 120)).await;
    let grant = world.log_in().await;
    assert_eq!(lives_of(&world, &grant), (60, 120));
    assert_eq!(grant.expires_in, Duration::from_mins(1));
    let caller = world.caller(&grant).await;
    assert_eq!(
        caller.claims.expires_at,
        world.now() + Duration::from_mins(1)
    );
    world.wait(59);
    world.assert_works(&grant).await;
    world.wait(1);
    assert!(world.validate(&grant).await.is_err());
    let second = world.refresh(&grant).await.unwrap();
    assert_eq!(lives_of(&world, &second), (60, 120));
    world.wait(120);
    world.assert_dead(&second).await;

    let policy = TokenPolicy::default();
    let most = policy.access_lifetime.as_secs();
    let of = SettingsAdministration::of_operator(world.tenant().await);
    let longer = world
        .tessera
        .change_tenant_settings(&of, lives(most + 1, 120));
    let bound = TenantSettingsError::AccessLifetime {
        least: Duration::from_mins(1),
        most: policy.access_lifetime,
    };
    match longer.await {
        Err(ChangeSettingsError::Invalid(error)) => assert_eq!(error, bound),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_the_installation_lowers_counts_below_what_a_tenant_said_before() {
    let world = World::new().await;
    world.change_settings("public", lives(600, 6_000)).await;
    let lowered = with_tokens(TokenPolicy {
        access_lifetime: Duration::from_secs(90),
        refresh_lifetime: Duration::from_mins(15),
        ..TokenPolicy::default()
    });
    let world = world.another_process_with(lowered, None);
    world.tessera.prepare().await.unwrap();
    let grant = world.log_in().await;
    assert_eq!(lives_of(&world, &grant), (90, 900));
    assert_eq!(grant.expires_in, Duration::from_secs(90));
    let other = |so_far| TenantSettings {
        registration: Some(Registration::Invite),
        ..so_far
    };
    let changed = world.change_settings("public", other).await;
    assert_eq!(
        changed.settings.access_lifetime,
        Some(Duration::from_mins(10))
    );
}

#[tokio::test]
async fn a_life_that_gets_shorter_counts_from_the_next_refresh() {
    let world = World::new().await;
    let grant = world.log_in().await;
    let (_, before) = lives_of(&world, &grant);
    let (changed, done) = world
        .watch(world.change_settings("public", lives(60, 120)))
        .await;
    assert!(done.ended().is_empty());
    assert_eq!(
        changed.settings.refresh_lifetime,
        Some(Duration::from_mins(2))
    );
    world.wait(121);
    let second = world.refresh(&grant).await.unwrap();
    assert!(before > 121);
    assert_eq!(lives_of(&world, &second), (60, 120));
}

fn lives(access: u64, refresh: u64) -> impl Fn(TenantSettings) -> TenantSettings + Send + Sync {
    move |so_far| TenantSettings {
        access_lifetime: Some(Duration::from_secs(access)),
        refresh_lifetime: Some(Duration::from_secs(refresh)),
        ..so_far
    }
}

/// The seconds that the tokens of a grant live from now on.
fn lives_of(world: &World, grant: &Grant) -> (u64, u64) {
    let left = grant.session.idle_end.since(world.now());
    (grant.expires_in.as_secs(), left.as_secs())
}
