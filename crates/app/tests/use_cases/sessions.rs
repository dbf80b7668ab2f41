//! One's sessions: seen, ended one by one, and ended all at once.

use std::sync::Arc;

use tessera_app::{ChangePassword, ChangeUserError, EndSessionError, Grant};
use tessera_domain::{EventKind, Id, Session, SessionEnd, Subject};

use crate::world::{OTHER, PASSWORD, World, typed};

#[tokio::test]
async fn the_live_sessions_are_listed_oldest_first() {
    let world = World::new().await;
    let tenant = world.tenant().await;
    world.create_user(&tenant, "eve@example.com", "eve").await;
    world.try_log_in("eve", PASSWORD).await.unwrap();
    let mut grants = Vec::new();
    for _ in 0..4 {
        grants.push(world.log_in().await);
        world.wait(1);
    }
    world.log_out(Some(&grants[1]), None).await.unwrap();
    grants[0] = world.refresh(&grants[0]).await.unwrap();
    let caller = world.caller(&grants[3]).await;
    let sessions = world.tessera.sessions(&caller).await.unwrap();
    let live = [0, 2, 3].map(|index| grants[index].session.clone());
    assert_eq!(sessions, live);
    assert_eq!(caller.session.id, sessions[2].id);
}

#[tokio::test]
async fn a_session_that_is_over_is_not_listed() {
    let world = World::new().await;
    world.log_in().await;
    world.wait(31 * 24 * 60 * 60);
    let grant = world.try_log_in("ada", PASSWORD).await.unwrap();
    let caller = world.caller(&grant).await;
    assert_eq!(world.tessera.sessions(&caller).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_user_ends_a_session_of_theirs_from_another_or_from_itself() {
    let world = World::new().await;
    let [own, other] = [world.log_in().await, world.log_in().await];
    for ended in [&other, &own] {
        let (answer, done) = world.watch(end(&world, &own, ended.session.id)).await;
        answer.unwrap();
        let session = Subject::Session(ended.session.id);
        assert_eq!(done.ended(), [(session, SessionEnd::Revoked)]);
        assert_eq!((done.commits, done.events.len()), (1, 1));
        world.assert_dead(ended).await;
    }
}

#[tokio::test]
async fn a_session_that_is_dead_unknown_or_another_users_is_not_found() {
    let world = World::new().await;
    let tenant = world.tenant().await;
    world.create_user(&tenant, "eve@example.com", "eve").await;
    let eve = world.try_log_in("eve", PASSWORD).await.unwrap();
    let acme = world.create_tenant("Acme", &["acme.example"]).await;
    world.create_user(&acme, "ada@acme.example", "ada").await;
    let there = world
        .try_log_in("ada@acme.example", PASSWORD)
        .await
        .unwrap();
    let [own, dead] = [world.log_in().await, world.log_in().await];
    world.log_out(Some(&dead), None).await.unwrap();
    for id in [
        eve.session.id,
        there.session.id,
        dead.session.id,
        Id::new(world.now(), [1; 10]),
    ] {
        let (answer, done) = world.watch(end(&world, &own, id)).await;
        assert!(matches!(answer, Err(EndSessionError::NotFound)));
        assert_eq!(done.commits, 0);
    }
    world.assert_works(&eve).await;
}

#[tokio::test]
async fn to_log_out_everywhere_ends_all_sessions_of_the_user_and_no_other() {
    let world = World::new().await;
    let tenant = world.tenant().await;
    world.create_user(&tenant, "eve@example.com", "eve").await;
    let eve = world.try_log_in("eve", PASSWORD).await.unwrap();
    let mut grants = Vec::new();
    for _ in 0..3 {
        grants.push(world.log_in().await);
        world.wait(1);
    }
    world.log_out(Some(&grants[1]), None).await.unwrap();
    let (answer, done) = world.watch(everywhere(&world, &grants[0])).await;
    answer.unwrap();
    let ended = [0, 2].map(|index: usize| {
        let session = Subject::Session(grants[index].session.id);
        (session, SessionEnd::LogOutEverywhere)
    });
    assert_eq!(done.ended(), ended);
    assert_eq!((done.commits, done.events.len()), (1, 2));
    for grant in &grants {
        world.assert_dead(grant).await;
    }
    world.assert_works(&eve).await;
    let again = world.log_in().await;
    world.assert_works(&again).await;
}

#[tokio::test]
async fn a_session_begun_meanwhile_ends_with_the_others() {
    let world = World::new().await;
    let grant = world.log_in().await;
    let tessera = Arc::clone(&world.tessera);
    world.store.before_next_commit(async move {
        tessera
            .log_in(crate::world::command("ada", PASSWORD))
            .await
            .unwrap();
    });
    let (answer, done) = world.watch(everywhere(&world, &grant)).await;
    answer.unwrap();
    assert_eq!(done.ended().len(), 2);
    let ada = world.ada().await;
    let left = world
        .tessera
        .user_sessions(&world.tenant().await, &ada)
        .await;
    assert_eq!(left.unwrap(), Vec::<Session>::new());
}

#[tokio::test]
async fn what_a_password_change_spared_ends_with_the_others() {
    let world = World::new().await;
    let grant = world.log_in().await;
    let (tessera, caller) = (Arc::clone(&world.tessera), world.caller(&grant).await);
    let (old, new) = (typed(PASSWORD), typed(OTHER));
    world.store.before_next_commit(async move {
        let command = ChangePassword { old, new };
        tessera.change_password(&caller, command).await.unwrap();
    });
    everywhere(&world, &grant).await.unwrap();
    world.assert_dead(&grant).await;
}

#[tokio::test]
async fn each_end_tells_whose_session_it_was() {
    let world = World::new().await;
    let grant = world.log_in().await;
    let (_, done) = world.watch(everywhere(&world, &grant)).await;
    let (user, why) = (grant.user.id, SessionEnd::LogOutEverywhere);
    assert_eq!(done.kinds(), [EventKind::SessionEnded { user, why }]);
}

async fn end(world: &World, own: &Grant, id: Id<Session>) -> Result<(), EndSessionError> {
    let caller = world.caller(own).await;
    world.tessera.end_session(&caller, id).await
}

async fn everywhere(world: &World, own: &Grant) -> Result<(), ChangeUserError> {
    let caller = world.caller(own).await;
    world.tessera.log_out_everywhere(&caller).await
}
