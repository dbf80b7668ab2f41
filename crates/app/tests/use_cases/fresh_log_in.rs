//! What only somebody may do who logged in a moment ago.

use core::time::Duration;

use tessera_app::{Caller, ChangeEmailError, DeleteAccountError, NotFresh};
use tessera_domain::TokenPolicy;

use crate::world::{World, with_tokens};

#[tokio::test]
async fn a_log_in_is_fresh_for_ten_minutes() {
    let world = World::new().await;
    let caller = world.log_in_as("ada").await;
    world.wait(10 * 60 - 1);
    world
        .ask_to_change(&caller, "one@example.com")
        .await
        .unwrap();
    world.wait(1);
    assert_not_fresh(&world, &caller).await;
    let caller = world.log_in_as("ada").await;
    world.tessera.delete_account(&caller).await.unwrap();
}

#[tokio::test]
async fn a_refresh_makes_no_session_younger() {
    let world = World::with(with_tokens(TokenPolicy {
        grace: Duration::ZERO,
        ..TokenPolicy::default()
    }))
    .await;
    let mut grant = world.log_in().await;
    for _ in 0..2 {
        world.wait(5 * 60);
        grant = world.refresh(&grant).await.unwrap();
    }
    assert_not_fresh(&world, &world.caller(&grant).await).await;
}

#[tokio::test]
async fn a_fresh_session_makes_no_other_fresh() {
    let world = World::new().await;
    let caller = world.log_in_as("ada").await;
    world.wait(10 * 60);
    world.log_in().await;
    assert_not_fresh(&world, &caller).await;
}

async fn assert_not_fresh(world: &World, caller: &Caller) {
    let needed = NotFresh {
        max_age: Duration::from_mins(10),
    };
    let ((), done) = world
        .watch(async {
            let answer = world.ask_to_change(caller, "two@example.com").await;
            let told = matches!(answer, Err(ChangeEmailError::NotFresh(why)) if why == needed);
            assert!(told, "{answer:?}");
            let answer = world.tessera.delete_account(caller).await;
            let told = matches!(answer, Err(DeleteAccountError::NotFresh(why)) if why == needed);
            assert!(told, "{answer:?}");
        })
        .await;
    assert_eq!((done.commits, done.events.len()), (0, 0));
}
