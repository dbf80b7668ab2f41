//! Log out: the session of a token ends, whatever state the token is in.

use std::sync::Arc;

use tessera_app::{LogOut, LogOutError, Store, TenantHints};
use tessera_domain::{Change, Changes, EventKind, SessionEnd, Subject};

use crate::world::{PASSWORD, World, at_host, explicit};

#[tokio::test]
async fn either_token_ends_its_session_and_no_other() {
    let world = World::new().await;
    for (access, refresh) in [(true, false), (false, true), (true, true)] {
        let [grant, other] = [world.log_in().await, world.log_in().await];
        let (access, refresh) = (access.then_some(&grant), refresh.then_some(&grant));
        let (answer, done) = world.watch(world.log_out(access, refresh)).await;
        answer.unwrap();
        assert_eq!(done.commits, 1);
        let (user, why) = (grant.user.id, SessionEnd::LogOut);
        assert_eq!(done.kinds(), [EventKind::SessionEnded { user, why }]);
        assert_eq!(done.subjects(), [Subject::Session(grant.session.id)]);
        world.assert_dead(&grant).await;
        world.assert_works(&other).await;
    }
}

#[tokio::test]
async fn to_log_out_again_changes_nothing() {
    let world = World::new().await;
    let grant = world.log_in().await;
    world.log_out(Some(&grant), None).await.unwrap();
    for (access, refresh) in [(true, false), (false, true), (true, true)] {
        let (access, refresh) = (access.then_some(&grant), refresh.then_some(&grant));
        let (answer, done) = world.watch(world.log_out(access, refresh)).await;
        answer.unwrap();
        assert_eq!(done.commits, 0);
    }
    world.log_in().await;
    assert_eq!(world.stored(grant.session.id).await, None, "pruned");
    world.log_out(Some(&grant), Some(&grant)).await.unwrap();
}

#[tokio::test]
async fn an_access_token_that_is_over_still_logs_out() {
    let world = World::new().await;
    let grant = world.log_in().await;
    world.wait(20 * 60);
    assert!(world.validate(&grant).await.is_err());
    world.log_out(Some(&grant), None).await.unwrap();
    world.assert_dead(&grant).await;
}

#[tokio::test]
async fn a_session_that_is_over_needs_no_end() {
    let world = World::new().await;
    let grant = world.log_in().await;
    world.wait(31 * 24 * 60 * 60);
    let (answer, done) = world.watch(world.log_out(Some(&grant), Some(&grant))).await;
    answer.unwrap();
    assert_eq!(done.commits, 0);
}

#[tokio::test]
async fn a_refresh_token_that_was_replaced_logs_out_and_is_no_reuse() {
    let world = World::new().await;
    let first = world.log_in().await;
    let second = world.refresh(&first).await.unwrap();
    world.wait(60);
    let (answer, done) = world.watch(world.log_out(None, Some(&first))).await;
    answer.unwrap();
    let session = Subject::Session(first.session.id);
    assert_eq!(done.ended(), [(session, SessionEnd::LogOut)]);
    world.assert_dead(&second).await;
}

#[tokio::test]
async fn without_a_token_nothing_is_ended() {
    let world = World::new().await;
    let answer = world.log_out(None, None).await;
    assert!(matches!(answer, Err(LogOutError::NoToken)));
}

#[tokio::test]
async fn a_token_that_is_not_genuine_ends_nothing_and_spoils_the_other() {
    let world = World::new().await;
    let grant = world.log_in().await;
    let (access, refresh) = (grant.access.clone(), grant.refresh.clone().unwrap());
    let forged = || Some("a.b.c".to_owned());
    for (access, refresh) in [
        (forged(), None),
        (None, forged()),
        (Some(access.clone()), forged()),
        (forged(), Some(refresh.clone())),
        (Some(refresh), None),
        (None, Some(access)),
    ] {
        let command = command(access, refresh, TenantHints::default());
        let (answer, done) = world.watch(world.tessera.log_out(command)).await;
        assert!(
            matches!(
                answer,
                Err(LogOutError::Invalid | LogOutError::InvalidRefresh)
            ),
            "{answer:?}"
        );
        assert_eq!(done.commits, 0);
    }
    world.assert_works(&grant).await;
}

#[tokio::test]
async fn tokens_of_two_sessions_of_one_user_end_both() {
    let world = World::new().await;
    let [one, other] = [world.log_in().await, world.log_in().await];
    let (answer, done) = world.watch(world.log_out(Some(&one), Some(&other))).await;
    answer.unwrap();
    let sessions = [&one, &other].map(|grant| Subject::Session(grant.session.id));
    assert_eq!(done.subjects(), sessions);
    world.assert_dead(&one).await;
    world.assert_dead(&other).await;
}

#[tokio::test]
async fn tokens_of_two_users_end_nothing() {
    let world = World::new().await;
    let tenant = world.tenant().await;
    world.create_user(&tenant, "eve@example.com", "eve").await;
    let ada = world.log_in().await;
    let eve = world.try_log_in("eve", PASSWORD).await.unwrap();
    for (access, refresh) in [(&ada, &eve), (&eve, &ada)] {
        let (answer, done) = world
            .watch(world.log_out(Some(access), Some(refresh)))
            .await;
        let refused = matches!(answer, Err(LogOutError::InvalidRefresh));
        assert!(refused, "{answer:?}");
        assert_eq!(done.commits, 0);
    }
    world.assert_works(&ada).await;
}

#[tokio::test]
async fn hints_at_another_tenant_contradict_the_token() {
    let world = World::new().await;
    world.create_tenant("Acme", &["acme.example"]).await;
    let grant = world.log_in().await;
    for hints in [explicit(&["Acme"]), at_host("acme.example")] {
        // Each as if it were not genuine.
        let access = command(Some(grant.access.clone()), None, hints.clone());
        let answer = world.tessera.log_out(access).await;
        assert!(matches!(answer, Err(LogOutError::Invalid)), "{answer:?}");
        let refresh = command(None, grant.refresh.clone(), hints);
        let answer = world.tessera.log_out(refresh).await;
        let refused = matches!(answer, Err(LogOutError::InvalidRefresh));
        assert!(refused, "{answer:?}");
    }
    world.assert_works(&grant).await;
}

#[tokio::test]
async fn hints_at_another_tenant_contradict_a_token_whose_session_is_gone_too() {
    let world = World::new().await;
    world.create_tenant("Acme", &["acme.example"]).await;
    let grant = world.log_in().await;
    let tenant = world.tenant().await;
    let changes = Changes {
        sessions: vec![Change::Remove(grant.session.id)],
        ..Changes::default()
    };
    world.store.commit(&tenant, changes).await.unwrap();
    let token = || Some(grant.access.clone());
    let answer = world
        .tessera
        .log_out(command(token(), None, TenantHints::default()));
    answer.await.unwrap();
    let answer = world
        .tessera
        .log_out(command(token(), None, explicit(&["Acme"])));
    let answer = answer.await;
    assert!(matches!(answer, Err(LogOutError::Invalid)), "{answer:?}");
}

#[tokio::test]
async fn a_log_out_that_a_refresh_overtakes_ends_the_session() {
    let world = World::new().await;
    let grant = world.log_in().await;
    let (other, token) = (world.restarted().await, grant.refresh.clone().unwrap());
    world.store.before_next_commit(async move {
        other
            .refresh_with(&token, TenantHints::default())
            .await
            .unwrap();
    });
    world.log_out(Some(&grant), None).await.unwrap();
    world.assert_dead(&grant).await;
}

#[tokio::test]
async fn a_log_out_that_another_end_overtakes_tells_nothing_more() {
    let world = World::new().await;
    let grant = world.log_in().await;
    let (tessera, caller) = (Arc::clone(&world.tessera), world.caller(&grant).await);
    world.store.before_next_commit(async move {
        tessera.log_out_everywhere(&caller).await.unwrap();
    });
    let (answer, done) = world.watch(world.log_out(Some(&grant), None)).await;
    answer.unwrap();
    assert_eq!(done.names(), ["SessionEnded"]);
    world.assert_events_are_gapless();
}

#[tokio::test]
async fn without_store_or_keys_no_log_out_is_told() {
    let world = World::new().await;
    let grant = world.log_in().await;
    let answer = world.another_process().log_out(Some(&grant), None).await;
    assert!(matches!(answer, Err(LogOutError::NotReady)));
    world.store.memory().unavailable(true);
    let answer = world.log_out(Some(&grant), None).await;
    assert!(matches!(answer, Err(LogOutError::Unavailable(_))));
}

fn command(access: Option<String>, refresh: Option<String>, hints: TenantHints) -> LogOut {
    LogOut {
        hints,
        access,
        refresh,
        ip: None,
    }
}
