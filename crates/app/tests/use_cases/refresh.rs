//! Refresh: one successor for a token, and the end of the session for an older one.

use core::time::Duration;

use tessera_app::{Grant, RefreshError, RefreshTokens, TenantHints, Waiter};
use tessera_domain::{
    EventKind, Generation, RefreshClaims, Rotation, SchemaName, SessionEnd, Subject, TokenPolicy,
};

use crate::world::{Done, World, at_host, explicit, with_tokens};

#[tokio::test]
async fn the_live_token_gives_the_next_one_and_a_new_access_token() {
    let world = World::new().await;
    let first = world.log_in().await;
    world.wait(60);
    let (second, done) = world.watch(world.refresh(&first)).await;
    let second = second.unwrap();
    assert_eq!((done.commits, done.verified), (1, 0));
    assert!(done.events.is_empty(), "a rotation is no event");
    assert_ne!(second.refresh, first.refresh);
    assert_ne!(second.access, first.access);
    assert_eq!(second.session.generation, Generation::new(2));
    let stored = world.stored(first.session.id).await;
    assert_eq!(stored, Some(second.session.clone()));
    world.assert_works(&second).await;
    world.validate(&first).await.unwrap();
}

#[tokio::test]
async fn within_the_grace_the_token_just_replaced_gives_the_same_one_and_writes_nothing() {
    let world = World::new().await;
    let first = world.log_in().await;
    let second = world.refresh(&first).await.unwrap();
    for _ in 0..3 {
        world.wait(3);
        let (again, done) = world.watch(world.refresh(&first)).await;
        let again = again.unwrap();
        assert_eq!(again.refresh, second.refresh);
        assert_ne!(again.access, second.access);
        assert_eq!((done.commits, done.events.len()), (0, 0));
        world.validate(&again).await.unwrap();
    }
    let third = world.refresh(&second).await.unwrap();
    world.assert_works(&third).await;
}

#[tokio::test]
async fn what_a_client_left_behind_does_not_end_what_it_did_next() {
    let world = World::new().await;
    let first = world.log_in().await;
    let waiter = Waiter::default();
    let left = RefreshTokens {
        hints: TenantHints::default(),
        token: first.refresh.clone().unwrap(),
        ip: None,
        awaited: waiter.awaited(),
    };
    // It left, and what it left behind is late: it asked again and used what it got.
    drop(waiter);
    let second = world.refresh(&first).await.unwrap();
    let third = world.refresh(&second).await.unwrap();
    let (answer, done) = world.watch(world.tessera.refresh(left.clone())).await;
    assert!(matches!(answer, Err(RefreshError::Invalid)), "{answer:?}");
    assert_eq!((done.commits, done.events.len()), (0, 0));
    world.assert_works(&third).await;

    // It left without a word.
    let waiter = Waiter::new(|| false);
    let leaving = RefreshTokens {
        awaited: waiter.awaited(),
        ..left.clone()
    };
    let answer = world.tessera.refresh(leaving).await;
    assert!(matches!(answer, Err(RefreshError::Invalid)), "{answer:?}");
    world.assert_works(&third).await;

    // Whoever waits for the answer may be a thief.
    let waiter = Waiter::default();
    let awaited = RefreshTokens {
        awaited: waiter.awaited(),
        ..left
    };
    let (answer, done) = world.watch(world.tessera.refresh(awaited)).await;
    assert_reuse(&answer, &done, &first, (1, 3));
}

#[tokio::test]
async fn after_the_grace_a_replaced_token_ends_the_session_although_its_client_left() {
    let world = World::new().await;
    let first = world.log_in().await;
    let second = world.refresh(&first).await.unwrap();
    world.refresh(&second).await.unwrap();
    world.wait(10);
    let left = RefreshTokens {
        hints: TenantHints::default(),
        token: first.refresh.clone().unwrap(),
        ip: None,
        awaited: Waiter::default().awaited(),
    };
    let (answer, done) = world.watch(world.tessera.refresh(left)).await;
    assert_reuse(&answer, &done, &first, (1, 3));
}

#[tokio::test]
async fn a_grace_answer_does_not_prolong_the_grace() {
    let world = World::new().await;
    let first = world.log_in().await;
    world.refresh(&first).await.unwrap();
    world.wait(9);
    world.refresh(&first).await.unwrap();
    world.wait(1);
    let (answer, done) = world.watch(world.refresh(&first)).await;
    assert_reuse(&answer, &done, &first, (1, 2));
}

#[tokio::test]
async fn after_the_grace_a_replaced_token_ends_the_session() {
    let world = World::new().await;
    let first = world.log_in().await;
    let second = world.refresh(&first).await.unwrap();
    world.wait(10);
    let (answer, done) = world.watch(world.refresh(&first)).await;
    assert_reuse(&answer, &done, &first, (1, 2));
    world.assert_dead(&second).await;
    world.assert_dead(&first).await;
    let restarted = world.restarted().await;
    restarted.assert_dead(&second).await;
    world.assert_events_are_gapless();
}

#[tokio::test]
async fn a_token_replaced_twice_ends_the_session_at_once() {
    let world = World::new().await;
    let first = world.log_in().await;
    let second = world.refresh(&first).await.unwrap();
    let third = world.refresh(&second).await.unwrap();
    let (answer, done) = world.watch(world.refresh(&first)).await;
    assert_reuse(&answer, &done, &first, (1, 3));
    world.assert_dead(&third).await;
}

#[tokio::test]
async fn a_reuse_ends_no_other_session() {
    let world = World::new().await;
    let [first, other] = [world.log_in().await, world.log_in().await];
    world.refresh(&first).await.unwrap();
    world.wait(10);
    world.refresh(&first).await.unwrap_err();
    world.assert_works(&other).await;
}

#[tokio::test]
async fn a_replaced_token_ends_the_session_after_its_time_too() {
    let world = World::new().await;
    let first = world.log_in().await;
    world.refresh(&first).await.unwrap();
    world.wait(31 * DAY);
    let (answer, done) = world.watch(world.refresh(&first)).await;
    assert_reuse(&answer, &done, &first, (1, 2));
}

#[tokio::test]
async fn any_process_gives_the_same_bytes() {
    let world = World::new().await;
    let first = world.log_in().await;
    let other = world.restarted().await;
    let second = other.refresh(&first).await.unwrap();
    for process in [&world, &other, &world.restarted().await] {
        assert_eq!(
            process.refresh(&first).await.unwrap().refresh,
            second.refresh
        );
    }
}

#[tokio::test]
async fn without_rotation_the_first_token_stays_good_and_is_not_given_again() {
    let world = World::with(with_tokens(TokenPolicy {
        rotation: Rotation::Never,
        ..TokenPolicy::default()
    }))
    .await;
    let first = world.log_in().await;
    assert!(first.refresh.is_some());
    for _ in 0..3 {
        world.wait(9 * DAY);
        let (again, done) = world.watch(world.refresh(&first)).await;
        let again = again.unwrap();
        assert_eq!(again.refresh, None);
        assert_eq!(done.commits, 0);
        world.validate(&again).await.unwrap();
    }
    world.wait(3 * DAY);
    assert_invalid(&world.refresh(&first).await);
}

#[tokio::test]
async fn a_session_ends_when_it_is_not_refreshed_for_the_life_of_a_token() {
    let world = World::new().await;
    let first = world.log_in().await;
    world.wait(30 * DAY - 1);
    let second = world.refresh(&first).await.unwrap();
    world.wait(30 * DAY);
    let (answer, done) = world.watch(world.refresh(&second)).await;
    assert_invalid(&answer);
    assert_eq!((done.commits, done.events.len()), (0, 0));
}

#[tokio::test]
async fn a_session_ends_however_often_it_is_refreshed() {
    let world = World::new().await;
    let mut grant = world.log_in().await;
    for _ in 0..4 {
        world.wait(20 * DAY);
        grant = world.refresh(&grant).await.unwrap();
    }
    world.wait(10 * DAY - 60);
    grant = world.refresh(&grant).await.unwrap();
    assert_eq!(grant.expires_in, Duration::from_mins(1));
    world.validate(&grant).await.unwrap();
    world.wait(60);
    world.assert_dead(&grant).await;
}

#[tokio::test]
async fn a_token_counts_in_its_own_tenant_alone() {
    let world = World::new().await;
    let acme = world.create_tenant("Acme", &["acme.example"]).await;
    let grant = world.log_in().await;
    let own = grant.session.refresh_claims(&grant.tenant);
    let moved = [
        RefreshClaims {
            tenant_schema: acme.schema.clone(),
            ..own.clone()
        },
        RefreshClaims {
            tenant_id: acme.shown_id(),
            ..own.clone()
        },
        grant.session.refresh_claims(&acme),
        RefreshClaims {
            tenant_schema: SchemaName::restore("nowhere".to_owned()),
            ..own
        },
    ];
    for claims in moved {
        let token = world.tessera.ports().tokens.sign_refresh(&claims).unwrap();
        let (answer, done) = world
            .watch(world.refresh_with(&token, TenantHints::default()))
            .await;
        assert_invalid(&answer);
        assert_eq!(done.commits, 0);
    }
}

#[tokio::test]
async fn a_token_of_a_generation_that_does_not_exist_gives_nothing() {
    let world = World::new().await;
    let grant = world.log_in().await;
    let mut claims = grant.session.refresh_claims(&grant.tenant);
    claims.generation = Generation::new(2);
    let token = world.tessera.ports().tokens.sign_refresh(&claims).unwrap();
    let (answer, done) = world
        .watch(world.refresh_with(&token, TenantHints::default()))
        .await;
    assert_invalid(&answer);
    assert_eq!(done.commits, 0);
    world.assert_works(&grant).await;
}

#[tokio::test]
async fn hints_at_another_tenant_contradict_the_token() {
    let world = World::new().await;
    world.create_tenant("Acme", &["acme.example"]).await;
    let mut grant = world.log_in().await;
    for hints in [
        explicit(&["Acme"]),
        explicit(&["nowhere"]),
        at_host("acme.example"),
    ] {
        let token = grant.refresh.clone().unwrap();
        let (answer, done) = world.watch(world.refresh_with(&token, hints)).await;
        assert_invalid(&answer);
        assert_eq!(done.commits, 0);
    }
    let (token, apart) = (
        grant.refresh.clone().unwrap(),
        explicit(&["public", "Acme"]),
    );
    let answer = world.refresh_with(&token, apart).await;
    assert!(matches!(answer, Err(RefreshError::Contradiction(_))));
    for hints in [
        explicit(&["public"]),
        explicit(&["Public", "public"]),
        at_host("unknown.example"),
    ] {
        let token = grant.refresh.clone().unwrap();
        grant = world.refresh_with(&token, hints).await.unwrap();
    }
}

#[tokio::test]
async fn a_suspended_tenant_refreshes_nothing() {
    let world = World::new().await;
    let acme = world.create_tenant("Acme", &["acme.example"]).await;
    world.create_user(&acme, "ada@acme.example", "ada").await;
    let grant = world
        .try_log_in("ada@acme.example", crate::world::PASSWORD)
        .await
        .unwrap();
    world.suspend("Acme").await;
    world.assert_dead(&grant).await;
}

#[tokio::test]
async fn only_a_refresh_token_is_taken() {
    let world = World::new().await;
    let grant = world.log_in().await;
    let refresh = grant.refresh.clone().unwrap();
    let unsigned = refresh.rsplit_once('.').unwrap().0;
    for token in [
        grant.access.clone(),
        String::new(),
        "..".to_owned(),
        "a.b.c".to_owned(),
        format!("{unsigned}."),
        format!("{refresh} "),
        other_worlds_token().await,
    ] {
        let (answer, done) = world
            .watch(world.refresh_with(&token, TenantHints::default()))
            .await;
        assert_invalid(&answer);
        assert_eq!(done.commits, 0);
    }
    world.assert_works(&grant).await;
}

#[tokio::test]
async fn without_store_or_keys_nothing_is_told_of_a_token() {
    let world = World::new().await;
    let grant = world.log_in().await;
    let answer = world.another_process().refresh(&grant).await;
    assert!(matches!(answer, Err(RefreshError::NotReady)));
    world.store.memory().unavailable(true);
    let answer = world.refresh(&grant).await;
    assert!(matches!(answer, Err(RefreshError::Unavailable(_))));
    world.store.memory().unavailable(false);
    world.refresh(&grant).await.unwrap();
}

pub(crate) fn assert_invalid(answer: &Result<Grant, RefreshError>) {
    assert!(matches!(answer, Err(RefreshError::Invalid)), "{answer:?}");
}

/// That the answer was no, and that a reuse and the end of the session were recorded.
fn assert_reuse(
    answer: &Result<Grant, RefreshError>,
    done: &Done,
    grant: &Grant,
    (presented, current): (u64, u64),
) {
    assert_invalid(answer);
    let (user, why) = (grant.user.id, SessionEnd::Reuse);
    let reused = EventKind::RefreshReused {
        user,
        presented: Generation::new(presented),
        current: Generation::new(current),
    };
    assert_eq!(
        done.kinds(),
        [reused, EventKind::SessionEnded { user, why }]
    );
    assert_eq!(done.subjects(), [Subject::Session(grant.session.id); 2]);
    assert_eq!(done.commits, 1);
}

/// A token signed with keys that were never ours.
async fn other_worlds_token() -> String {
    let other = World::new().await;
    other.wait(1);
    other.log_in().await.refresh.unwrap()
}

const DAY: u64 = 24 * 60 * 60;
