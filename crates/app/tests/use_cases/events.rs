//! What events tell of a whole life of an account, and what they never tell.

use tessera_app::{ChangePassword, RotateKeys};

use crate::world::{OTHER, PASSWORD, WRONG, World, typed};

#[tokio::test]
async fn no_event_tells_a_password_a_record_a_token_or_a_key() {
    let world = World::new().await;
    let secrets = everything_that_happens(&world).await;
    let events = world.store.memory().events();
    let mut types: Vec<&str> = events
        .iter()
        .map(|logged| logged.encoded.event_type)
        .collect();
    types.sort_unstable();
    types.dedup();
    assert_eq!(
        types.len(),
        14,
        "the run has an event of each type: {types:?}"
    );
    for logged in &events {
        for secret in &secrets {
            let body = &logged.encoded.body;
            assert!(!body.contains(secret.as_str()), "{secret} in {body}");
        }
    }
}

#[tokio::test]
async fn the_events_of_a_life_are_counted_without_gaps_and_named_once() {
    let world = World::new().await;
    everything_that_happens(&world).await;
    world.assert_events_are_gapless();
    let events = world.store.memory().events();
    let mut ids: Vec<_> = events.iter().map(|logged| logged.event.id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), events.len());
}

#[tokio::test]
async fn an_event_is_of_the_tenant_in_which_it_happened() {
    let world = World::new().await;
    let acme = world.create_tenant("Acme", &["acme.example"]).await;
    let happening = async {
        world.create_user(&acme, "ada@acme.example", "ada").await;
        let grant = world
            .try_log_in("ada@acme.example", PASSWORD)
            .await
            .unwrap();
        world
            .try_log_in("ada@acme.example", WRONG)
            .await
            .unwrap_err();
        world.log_out(Some(&grant), None).await.unwrap();
    };
    let ((), done) = world.watch(happening).await;
    let names = ["UserCreated", "UserLoggedIn", "LoginFailed", "SessionEnded"];
    assert_eq!(done.names(), names);
    assert!(
        done.events
            .iter()
            .all(|logged| logged.event.tenant == acme.id)
    );
}

/// Lets everything happen once that is told; answers what must not be.
async fn everything_that_happens(world: &World) -> Vec<String> {
    let (tessera, tenant) = (&world.tessera, world.tenant().await);
    let ada = world.ada().await.id;
    let mut grants = vec![world.log_in().await];
    world.create_tenant("Acme", &["acme.example"]).await;

    grants.push(world.refresh(&grants[0]).await.unwrap());
    world.wait(10);
    world.refresh(&grants[0]).await.unwrap_err();

    grants.push(world.log_in().await);
    let caller = world.caller(&grants[2]).await;
    let (old, new) = (typed(PASSWORD), typed(OTHER));
    let command = ChangePassword { old, new };
    tessera.change_password(&caller, command).await.unwrap();
    for _ in 0..5 {
        world.try_log_in("ada", WRONG).await.unwrap_err();
    }
    tessera.unlock_user(&tenant, ada).await.unwrap();
    tessera.disable_user(&tenant, ada).await.unwrap();
    tessera.enable_user(&tenant, ada).await.unwrap();
    tessera
        .set_password(&tenant, ada, typed(PASSWORD))
        .await
        .unwrap();

    let keys = tessera.signing_keys().await.unwrap();
    tessera.rotate_keys(RotateKeys::AtOnce).await.unwrap();
    world.wait(1);
    tessera.retire_key(keys[0].kid.as_str()).await.unwrap();
    grants.push(world.log_in().await);
    world.log_out(Some(&grants[3]), None).await.unwrap();

    let mut secrets: Vec<String> = [PASSWORD, OTHER, WRONG, "plain:"].map(str::to_owned).into();
    for grant in grants {
        for token in [grant.access, grant.refresh.unwrap()] {
            secrets.extend(token.split('.').skip(1).map(str::to_owned));
        }
    }
    secrets
}
