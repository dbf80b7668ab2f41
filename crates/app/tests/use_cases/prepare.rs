//! What a start makes sure of, once in the life of an installation.

use std::sync::Arc;

use tessera_app::{NotReady, PrepareError, PublicUrl, Settings, Store, Unready};
use tessera_crypto::ConfiguredKey;
use tessera_domain::{Actor, Algorithm, Key, KeyOrigin, KeyPurpose};
use tokio::task::JoinSet;

use crate::world::{PASSWORD, World, new_user, settings};

#[tokio::test]
async fn the_first_start_makes_the_default_tenant_and_the_keys() {
    let world = World::empty(first_start("http://localhost:8000"));
    let (answer, done) = world.watch(world.tessera.prepare()).await;
    answer.unwrap();
    let rotated = "SigningKeyRotated";
    assert_eq!(done.names(), ["TenantCreated", rotated, rotated]);
    assert!(world.tenant().await.is_default());
    world.tessera.ready().await.unwrap();
    world.assert_events_are_gapless();
}

#[tokio::test]
async fn a_second_start_changes_nothing_and_keeps_sessions() {
    let world = World::new().await;
    let grant = world.log_in().await;
    for _ in 0..2 {
        let (answer, done) = world.watch(world.tessera.prepare()).await;
        answer.unwrap();
        assert_eq!(done.commits, 0);
    }
    let (restarted, done) = world.watch(world.restarted()).await;
    assert_eq!(done.commits, 0);
    restarted.assert_works(&grant).await;
}

#[tokio::test]
async fn any_number_of_processes_may_start_at_once() {
    let first = World::empty(first_start("http://first:8000"));
    let others = [(); 3].map(|()| first.another_process());
    let mut tasks = JoinSet::new();
    for world in others.iter().chain([&first]) {
        let tessera = Arc::clone(&world.tessera);
        tasks.spawn(async move { tessera.prepare().await.unwrap() });
    }
    tasks.join_all().await;
    assert_eq!(first.tessera.tenants().await.unwrap().len(), 1);
    let created = first.store.memory().events();
    let created = created
        .iter()
        .filter(|logged| logged.encoded.event_type == "TenantCreated");
    assert_eq!(created.count(), 1);
    first.assert_events_are_gapless();

    let tenant = first.tenant().await;
    let command = new_user("ada@example.com", "ada");
    first
        .tessera
        .create_user(&Actor::Operator, &tenant, command)
        .await
        .unwrap();
    for world in &others {
        let grant = world.log_in().await;
        for other in &others {
            first.wait(1);
            other.assert_works(&grant).await;
        }
        let refreshed = first.refresh(&grant).await.unwrap();
        first.wait(1);
        assert_eq!(
            world.refresh(&grant).await.unwrap().refresh,
            refreshed.refresh
        );
    }
}

#[tokio::test]
async fn a_default_tenant_made_meanwhile_is_as_good() {
    let world = World::empty(settings());
    let other = world.another_process();
    world.store.before_next_commit(async move {
        other.tessera.prepare().await.unwrap();
    });
    world.tessera.prepare().await.unwrap();
    assert_eq!(world.tessera.tenants().await.unwrap().len(), 1);
    world.tessera.ready().await.unwrap();
}

#[tokio::test]
async fn the_address_of_the_first_start_counts_from_then_on() {
    let world = World::empty(first_start("http://localhost:8000"));
    world.tessera.prepare().await.unwrap();
    assert_eq!(issuer(&world), "http://localhost:8000");
    let later = world.another_process_with(first_start("http://localhost:9000"), None);
    later.tessera.prepare().await.unwrap();
    assert_eq!(issuer(&later), "http://localhost:8000");
}

#[tokio::test]
async fn an_address_that_is_configured_wins_and_settles_nothing() {
    let world = World::new().await;
    assert_eq!(issuer(&world), "https://login.example");
    assert!(world.store.installation().await.unwrap().is_none());
    let first = world.another_process_with(first_start("http://localhost:8000"), None);
    first.tessera.prepare().await.unwrap();
    let configured = world.restarted().await;
    assert_eq!(issuer(&configured), "https://login.example");
}

#[tokio::test]
async fn a_token_of_another_issuer_is_refused() {
    let world = World::new().await;
    let grant = world.log_in().await;
    let renamed = Settings {
        public_url: PublicUrl::Configured("https://other.example".to_owned()),
        ..settings()
    };
    let world = world.another_process_with(renamed, None);
    world.tessera.prepare().await.unwrap();
    assert!(world.validate(&grant).await.is_err());
    world.refresh(&grant).await.unwrap();
}

#[tokio::test]
async fn a_configured_key_that_changes_and_comes_back_signs_again() {
    let made = World::new().await;
    let mut worlds = Vec::new();
    for secret in [ONE, OTHER, ONE, ONE, OTHER] {
        made.wait(60);
        let world = made.another_process_with(settings(), Some(configured(secret)));
        world.tessera.prepare().await.unwrap();
        let grant = world.log_in().await;
        world.caller(&grant).await;
        worlds.push((world, grant));
    }
    let (last, _) = worlds.last().unwrap();
    for (_, grant) in &worlds {
        last.caller(grant).await;
    }
    let mut keys = made.tessera.signing_keys().await.unwrap();
    keys.retain(|key| key.origin == KeyOrigin::Configured);
    assert_eq!(keys.len(), 2);
    let signing = Key::signing(&keys, KeyPurpose::Access, made.now()).unwrap();
    assert_eq!(signing.verifies_until, None);
    assert_eq!(signing.algorithm, Algorithm::Hs256);
    made.assert_events_are_gapless();
}

#[tokio::test]
async fn a_configured_key_that_was_retired_may_be_named_again() {
    let made = World::new().await;
    made.wait(60);
    let with = |secret| made.another_process_with(settings(), Some(configured(secret)));
    let one = with(ONE);
    one.tessera.prepare().await.unwrap();
    let kid = Key::signing(
        &one.tessera.signing_keys().await.unwrap(),
        KeyPurpose::Access,
        made.now(),
    )
    .unwrap()
    .kid
    .clone();
    made.wait(60);
    with(OTHER).tessera.prepare().await.unwrap();
    made.tessera.retire_key(kid.as_str()).await.unwrap();
    made.wait(60);
    let again = with(ONE);
    again.tessera.prepare().await.unwrap();
    let grant = again.try_log_in("ada", PASSWORD).await.unwrap();
    again.caller(&grant).await;
    made.assert_events_are_gapless();
}

#[tokio::test]
async fn without_the_store_nothing_is_ready() {
    let world = World::empty(settings());
    let answer = world.tessera.ready().await;
    assert!(matches!(answer, Err(NotReady::Keys(_))));
    world.store.memory().unavailable(true);
    let answer = world.tessera.prepare().await;
    assert!(matches!(
        answer,
        Err(PrepareError::Unready(Unready::Unavailable(_)))
    ));
    let answer = world.tessera.ready().await;
    assert!(matches!(answer, Err(NotReady::Store(_))));
    world.store.memory().unavailable(false);
    world.tessera.prepare().await.unwrap();
    world.tessera.ready().await.unwrap();
}

fn first_start(url: &str) -> Settings {
    Settings {
        public_url: PublicUrl::FirstStart(url.to_owned()),
        ..settings()
    }
}

fn issuer(world: &World) -> String {
    world.tessera.ports().tokens.issuer().unwrap().to_string()
}

fn configured(secret: &str) -> ConfiguredKey {
    ConfiguredKey::from_secret("SECRET_KEY", secret.as_bytes()).unwrap()
}

const ONE: &str = "one secret that two services share";
const OTHER: &str = "the other secret that they may share";
