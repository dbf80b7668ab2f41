//! The lock against guessing: it counts every guess, and touches nothing but log in.

use core::time::Duration;
use std::sync::Arc;

use tessera_app::{LogInError, Settings};
use tessera_domain::{EventKind, Lockout, LockoutPolicy, LoginFailure, Subject};
use tokio::task::JoinSet;

use crate::world::{Done, PASSWORD, WRONG, World, command, settings};

#[tokio::test]
async fn the_fifth_wrong_password_locks_and_tells_of_it() {
    let world = World::new().await;
    for _ in 0..4 {
        let (_, done) = world.watch(world.try_log_in("ada", WRONG)).await;
        assert_eq!(done.names(), ["LoginFailed"]);
    }
    let (answer, done) = world.watch(world.try_log_in("ada", WRONG)).await;
    assert!(matches!(answer, Err(LogInError::InvalidCredentials)));
    assert_eq!((done.verified, done.commits), (1, 1));
    assert_eq!(done.names(), ["LoginFailed", "UserLocked"]);
    let until = world.now() + Duration::from_secs(30);
    let failures = 5;
    assert_eq!(done.kinds()[1], EventKind::UserLocked { until, failures });
    assert_eq!(done.subjects()[1], Subject::User(world.ada().await.id));
    world.assert_events_are_gapless();
}

#[tokio::test]
async fn a_locked_attempt_writes_no_user_row() {
    let world = World::new().await;
    lock(&world).await;
    let before = world.ada().await;
    for password in [PASSWORD, WRONG] {
        let (answer, done) = world.watch(world.try_log_in("ada", password)).await;
        assert!(matches!(answer, Err(LogInError::InvalidCredentials)));
        assert_eq!(reasons(&done), [LoginFailure::Locked]);
        assert_eq!((done.verified, done.commits), (1, 1));
    }
    assert_eq!(world.ada().await, before);
}

#[tokio::test]
async fn a_lock_ends_by_itself_and_a_right_password_forgets_the_count() {
    let world = World::new().await;
    lock(&world).await;
    world.wait(29);
    world.try_log_in("ada", PASSWORD).await.unwrap_err();
    world.wait(1);
    world.log_in().await;
    assert_eq!(world.ada().await.lockout, Lockout::default());
}

#[tokio::test]
async fn the_lock_after_a_lock_is_twice_as_long() {
    let world = World::new().await;
    lock(&world).await;
    world.wait(30);
    world.try_log_in("ada", WRONG).await.unwrap_err();
    world.wait(59);
    world.try_log_in("ada", PASSWORD).await.unwrap_err();
    world.wait(1);
    world.log_in().await;
}

#[tokio::test]
async fn a_right_password_in_between_starts_the_count_anew() {
    let world = World::new().await;
    for _ in 0..3 {
        for _ in 0..4 {
            world.try_log_in("ada", WRONG).await.unwrap_err();
        }
        world.log_in().await;
    }
}

#[tokio::test]
async fn a_lock_touches_no_live_session() {
    let world = World::new().await;
    let grant = world.log_in().await;
    lock(&world).await;
    world.assert_works(&grant).await;
    let refreshed = world.refresh(&grant).await.unwrap();
    world.assert_works(&refreshed).await;
}

#[tokio::test]
async fn a_lock_outlives_the_process() {
    let world = World::new().await;
    lock(&world).await;
    let restarted = world.restarted().await;
    let (answer, done) = restarted.watch(restarted.try_log_in("ada", PASSWORD)).await;
    assert!(matches!(answer, Err(LogInError::InvalidCredentials)));
    assert_eq!(reasons(&done), [LoginFailure::Locked]);
}

#[tokio::test]
async fn a_lock_in_one_tenant_means_nothing_in_another() {
    let world = World::new().await;
    let acme = world.create_tenant("Acme", &["acme.example"]).await;
    world.create_user(&acme, "ada@acme.example", "ada").await;
    lock(&world).await;
    world
        .try_log_in("ada@acme.example", PASSWORD)
        .await
        .unwrap();
}

#[tokio::test]
async fn of_many_parallel_guesses_each_counts() {
    let lockout = LockoutPolicy {
        free: Some(100),
        ..LockoutPolicy::default()
    };
    let world = World::with(Settings {
        lockout,
        ..settings()
    })
    .await;
    let done = guess_in_parallel(&world, 16).await;
    assert_eq!((done.verified, done.commits), (16, 16));
    assert_eq!(reasons(&done), [LoginFailure::WrongPassword; 16]);
    assert_eq!(world.ada().await.lockout.failures, 16);
}

#[tokio::test]
async fn parallel_guesses_do_not_outrun_the_lock() {
    let world = World::new().await;
    let done = guess_in_parallel(&world, 16).await;
    let count = |wanted| {
        reasons(&done)
            .into_iter()
            .filter(|why| *why == wanted)
            .count()
    };
    assert_eq!(count(LoginFailure::WrongPassword), 5);
    assert_eq!(count(LoginFailure::Locked), 11);
    let locks = done
        .names()
        .into_iter()
        .filter(|name| *name == "UserLocked");
    assert_eq!(locks.count(), 1);
    assert_eq!((done.verified, world.ada().await.lockout.failures), (16, 5));
    world.assert_events_are_gapless();
}

#[tokio::test]
async fn a_right_guess_that_the_lock_overtakes_is_refused() {
    let world = World::new().await;
    let tessera = Arc::clone(&world.tessera);
    world.store.before_next_commit(async move {
        for _ in 0..5 {
            tessera.log_in(command("ada", WRONG)).await.unwrap_err();
        }
    });
    let (answer, done) = world.watch(world.try_log_in("ada", PASSWORD)).await;
    assert!(matches!(answer, Err(LogInError::InvalidCredentials)));
    assert_eq!(reasons(&done).last(), Some(&LoginFailure::Locked));
    assert_eq!(done.verified, 6);
}

#[tokio::test]
async fn without_a_lockout_nothing_is_counted() {
    let lockout = LockoutPolicy {
        free: None,
        ..LockoutPolicy::default()
    };
    let world = World::with(Settings {
        lockout,
        ..settings()
    })
    .await;
    let before = world.ada().await;
    for _ in 0..20 {
        world.try_log_in("ada", WRONG).await.unwrap_err();
    }
    assert_eq!(world.ada().await, before);
    world.log_in().await;
}

async fn lock(world: &World) {
    for _ in 0..5 {
        world.try_log_in("ada", WRONG).await.unwrap_err();
    }
}

/// Guesses that have all read the account before one of them is told its verdict.
async fn guess_in_parallel(world: &World, guesses: usize) -> Done {
    let guessing = async {
        world.passwords.pause();
        let mut tasks = JoinSet::new();
        for _ in 0..guesses {
            let tessera = Arc::clone(&world.tessera);
            tasks.spawn(async move { tessera.log_in(command("ada", WRONG)).await });
        }
        let begun = world.passwords.verified() + guesses;
        world.passwords.until_verified(begun).await;
        world.passwords.resume();
        for answer in tasks.join_all().await {
            assert!(
                matches!(answer, Err(LogInError::InvalidCredentials)),
                "{answer:?}"
            );
        }
    };
    world.watch(guessing).await.1
}

fn reasons(done: &Done) -> Vec<LoginFailure> {
    let reason = |kind: EventKind| {
        let EventKind::LoginFailed { why, .. } = kind else {
            return None;
        };
        Some(why)
    };
    done.kinds().into_iter().filter_map(reason).collect()
}
