//! A user has so many sessions at most; a log in makes room for its own.

use tessera_domain::{Session, SessionEnd, Subject, TokenPolicy};

use crate::world::{World, with_tokens};

#[tokio::test]
async fn the_session_above_the_most_ends_the_one_least_recently_refreshed() {
    let world = at_most_two().await;
    let first = world.log_in().await;
    world.wait(1);
    let second = world.log_in().await;
    world.wait(1);
    let first = world.refresh(&first).await.unwrap();
    world.wait(1);
    let (third, done) = world.watch(world.log_in()).await;
    assert_eq!(done.names(), ["UserLoggedIn", "SessionEnded"]);
    let evicted = Subject::Session(second.session.id);
    assert_eq!(done.ended(), [(evicted, SessionEnd::Limit)]);
    assert_eq!(done.commits, 1);
    world.assert_dead(&second).await;
    world.assert_works(&first).await;
    world.assert_works(&third).await;
}

#[tokio::test]
async fn a_log_in_removes_the_sessions_that_give_nothing_any_more() {
    let world = World::new().await;
    let [ended, kept] = [world.log_in().await, world.log_in().await];
    world.log_out(Some(&ended), None).await.unwrap();
    let (_, done) = world.watch(world.log_in()).await;
    assert_eq!(done.names(), ["UserLoggedIn"]);
    assert_eq!(world.stored(ended.session.id).await, None::<Session>);
    assert!(world.stored(kept.session.id).await.is_some());
}

#[tokio::test]
async fn dead_sessions_do_not_count_toward_the_most() {
    let world = at_most_two().await;
    let [kept, ended] = [world.log_in().await, world.log_in().await];
    world.log_out(Some(&ended), None).await.unwrap();
    let (_, done) = world.watch(world.log_in()).await;
    assert_eq!(done.names(), ["UserLoggedIn"]);
    world.assert_works(&kept).await;
}

async fn at_most_two() -> World {
    let tokens = TokenPolicy {
        sessions_per_user: 2,
        ..TokenPolicy::default()
    };
    World::with(with_tokens(tokens)).await
}
