//! Refreshes that race with each other, and with what ends the session.

use core::iter;
use std::collections::HashSet;
use std::sync::Arc;

use tessera_app::{Awaited, RefreshTokens, Store, TenantHints, Waiter};
use tessera_domain::{Change, Changes, Generation, KeyPurpose};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::refresh::assert_invalid;
use crate::world::World;

#[tokio::test]
async fn of_many_racing_refreshes_one_rotates_and_all_get_its_successor() {
    let world = World::new().await;
    let other = world.restarted().await;
    let grant = world.log_in().await;
    let racing = async {
        let mut tasks = JoinSet::new();
        for process in iter::repeat_n([&world, &other], 16).flatten() {
            let tessera = Arc::clone(&process.tessera);
            let command = RefreshTokens {
                hints: TenantHints::default(),
                token: grant.refresh.clone().unwrap(),
                ip: None,
                awaited: Awaited::default(),
            };
            tasks.spawn(async move { tessera.refresh(command).await.unwrap().refresh });
        }
        tasks.join_all().await
    };
    let (answers, done) = world.watch(racing).await;
    assert_eq!(answers.len(), 32);
    assert_eq!(answers.into_iter().collect::<HashSet<_>>().len(), 1);
    assert_eq!((done.commits, done.events.len()), (1, 0));
    assert_eq!(world.generation(&grant).await, Generation::new(2));
}

#[tokio::test]
async fn a_stale_commit_is_decided_again() {
    let world = World::new().await;
    let grant = world.log_in().await;
    world.store.memory().stale_next_commits(5);
    let (answer, done) = world.watch(world.refresh(&grant)).await;
    assert_eq!(answer.unwrap().session.generation, Generation::new(2));
    assert_eq!(done.commits, 1);
}

#[tokio::test]
async fn of_two_racing_refreshes_the_later_gets_the_successor_of_the_earlier() {
    let world = World::new().await;
    let first = world.log_in().await;
    let (other, token) = (world.restarted().await, first.refresh.clone().unwrap());
    world.store.before_next_commit(async move {
        other
            .refresh_with(&token, TenantHints::default())
            .await
            .unwrap();
    });
    let (later, done) = world.watch(world.refresh(&first)).await;
    let later = later.unwrap();
    assert_eq!(done.commits, 1);
    assert_eq!(later.session.generation, Generation::new(2));
    assert_eq!(world.refresh(&first).await.unwrap().refresh, later.refresh);
    world.assert_works(&later).await;
}

#[tokio::test]
async fn a_refresh_that_came_within_the_grace_is_still_left_behind_after_it() {
    let world = World::new().await;
    let first = world.log_in().await;
    let token = first.refresh.clone().unwrap();
    let left = RefreshTokens {
        hints: TenantHints::default(),
        token: token.clone(),
        ip: None,
        awaited: Waiter::default().awaited(),
    };
    let (other, (tell, told)) = (world.restarted().await, oneshot::channel());
    world.store.before_next_commit(async move {
        let again = other.refresh_with(&token, TenantHints::default());
        let third = other.refresh(&again.await.unwrap()).await.unwrap();
        other.wait(10);
        tell.send(third).ok().unwrap();
    });
    assert_invalid(&world.tessera.refresh(left).await);
    world.assert_works(&told.await.unwrap()).await;
}

#[tokio::test]
async fn a_refresh_that_the_end_of_its_session_overtakes_gives_nothing() {
    let world = World::new().await;
    let grant = world.log_in().await;
    let (tessera, caller) = (Arc::clone(&world.tessera), world.caller(&grant).await);
    world.store.before_next_commit(async move {
        tessera
            .end_session(&caller, caller.session.id)
            .await
            .unwrap();
    });
    assert_invalid(&world.refresh(&grant).await);
    assert_eq!(world.generation(&grant).await, Generation::FIRST);
}

#[tokio::test]
async fn a_refresh_whose_users_epoch_moves_meanwhile_rotates_nothing() {
    let world = World::new().await;
    let grant = world.log_in().await;
    let (tessera, caller) = (Arc::clone(&world.tessera), world.caller(&grant).await);
    world.store.before_next_commit(async move {
        tessera.log_out_everywhere(&caller).await.unwrap();
    });
    let (answer, done) = world.watch(world.refresh(&grant)).await;
    assert_invalid(&answer);
    assert_eq!(done.names(), ["SessionEnded"]);
    assert_eq!(world.generation(&grant).await, Generation::FIRST);
    world.assert_dead(&grant).await;
}

#[tokio::test]
async fn a_refresh_that_a_disablement_overtakes_gives_nothing() {
    let world = World::new().await;
    let grant = world.log_in().await;
    let (tessera, tenant) = (Arc::clone(&world.tessera), world.tenant().await);
    let id = grant.user.id;
    world.store.before_next_commit(async move {
        tessera.disable_user(&tenant, id).await.unwrap();
    });
    assert_invalid(&world.refresh(&grant).await);
    assert_eq!(world.generation(&grant).await, Generation::FIRST);
}

#[tokio::test]
async fn a_reuse_that_another_end_overtakes_is_not_told_twice() {
    let world = World::new().await;
    let first = world.log_in().await;
    let second = world.refresh(&first).await.unwrap();
    world.wait(10);
    let (tessera, caller) = (Arc::clone(&world.tessera), world.caller(&second).await);
    world.store.before_next_commit(async move {
        tessera.log_out_everywhere(&caller).await.unwrap();
    });
    let (answer, done) = world.watch(world.refresh(&first)).await;
    assert_invalid(&answer);
    assert_eq!(done.names(), ["SessionEnded"]);
    world.assert_events_are_gapless();
}

#[tokio::test]
async fn a_grace_answer_needs_no_key_that_this_process_saw_before() {
    let world = World::new().await;
    let first = world.log_in().await;
    world.wait(2);
    add_a_refresh_key(&world).await;
    let other = world.restarted().await;
    let second = other.refresh(&first).await.unwrap();
    assert_ne!(second.session.key, first.session.key);
    assert_eq!(world.refresh(&first).await.unwrap().refresh, second.refresh);
}

/// As another process does that is prepared at the same moment.
async fn add_a_refresh_key(world: &World) {
    let (tenant, now) = (world.tenant().await, world.now());
    let id = tessera_domain::Id::new(now, [9; 10]);
    let tokens = &world.tessera.ports().tokens;
    let key = tokens.generate(KeyPurpose::Refresh, id, now, now).unwrap();
    let changes = Changes {
        keys: vec![Change::Insert(key)],
        ..Changes::default()
    };
    world.store.commit(&tenant, changes).await.unwrap();
}
