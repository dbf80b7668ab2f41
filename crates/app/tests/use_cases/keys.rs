//! Keys: a new one is known before it signs, an old one verifies what it signed, a retired one
//! nothing.

use std::collections::HashSet;
use std::sync::Arc;

use tessera_app::{Grant, KeysError, RotateKeys};
use tessera_domain::{EventKind, Key, KeyPurpose, Subject, Timestamp};

use crate::world::World;

#[tokio::test]
async fn an_announced_key_is_published_before_it_signs() {
    let world = World::new().await;
    let before = world.log_in().await;
    world.wait(1);
    let rotating = world.tessera.rotate_keys(RotateKeys::Announced);
    let (key, done) = world.watch(rotating).await;
    let key = key.unwrap();
    assert_eq!(done.commits, 1);
    let rotated = EventKind::SigningKeyRotated {
        key: key.kid.clone(),
        algorithm: key.algorithm,
        signs_from: key.signs_from,
    };
    assert_eq!(done.kinds(), [rotated]);
    assert_eq!(done.subjects(), [Subject::Key(key.id)]);
    assert_eq!(published(&world).len(), 2);
    assert!(published(&world).contains(key.kid.as_str()));

    world.wait(599);
    let meanwhile = world.log_in().await;
    assert_eq!(header(&meanwhile), header(&before));
    world.wait(1);
    let after = world.log_in().await;
    assert_ne!(header(&after), header(&before));
    world.caller(&meanwhile).await;
    world.caller(&after).await;
    world.assert_events_are_gapless();
}

#[tokio::test]
async fn an_old_key_verifies_until_the_last_token_it_signed_is_over() {
    let world = World::new().await;
    let old = signing(&world).await;
    world.wait(1);
    world.tessera.rotate_keys(RotateKeys::AtOnce).await.unwrap();
    let until = stored(&world, &old).await.verifies_until.unwrap();
    let last = world.now() + world.tessera.settings().tokens.access_lifetime;
    assert!(until >= last);
}

#[tokio::test]
async fn no_rotation_refuses_a_token_before_its_end() {
    use RotateKeys::{Announced, AtOnce};
    for rotations in [
        &[(3, Announced)][..],
        &[(3, AtOnce)],
        &[(3, AtOnce), (4, AtOnce), (5, AtOnce)],
        &[(3, Announced), (4, Announced), (20, Announced)],
        &[(3, Announced), (4, AtOnce)],
        &[(3, Announced), (12, AtOnce), (13, Announced), (14, AtOnce)],
    ] {
        rotate_under_load(rotations).await;
    }
}

#[tokio::test]
async fn a_process_that_has_not_loaded_a_new_key_yet_refuses_nothing_of_it() {
    let world = World::new().await;
    let other = world.restarted().await;
    world.wait(1);
    world
        .tessera
        .rotate_keys(RotateKeys::Announced)
        .await
        .unwrap();
    world.wait(600);
    let [here, there] = [world.log_in().await, other.log_in().await];
    assert_ne!(header(&here), header(&there), "the other has not loaded it");
    for process in [&world, &other] {
        process.caller(&here).await;
        process.caller(&there).await;
    }
}

#[tokio::test]
async fn the_only_key_that_signs_is_not_retired() {
    let world = World::new().await;
    let old = signing(&world).await;
    let retire = || world.watch(world.tessera.retire_key(old.kid.as_str()));
    let (answer, done) = retire().await;
    assert!(matches!(answer, Err(KeysError::LastKey)), "{answer:?}");
    assert_eq!(done.commits, 0);
    world.wait(1);
    world
        .tessera
        .rotate_keys(RotateKeys::Announced)
        .await
        .unwrap();
    let (answer, _) = retire().await;
    assert!(
        matches!(answer, Err(KeysError::LastKey)),
        "the new one does not sign yet"
    );
    world.wait(600);
    let (answer, _) = retire().await;
    answer.unwrap();
}

#[tokio::test]
async fn of_the_last_two_keys_retired_at_once_one_stays() {
    let world = World::new().await;
    let old = signing(&world).await;
    world.wait(1);
    let new = world.tessera.rotate_keys(RotateKeys::AtOnce).await.unwrap();
    let other = world.restarted().await;
    world.store.before_next_commit(async move {
        other.tessera.retire_key(old.kid.as_str()).await.unwrap();
    });
    let answer = world.tessera.retire_key(new.kid.as_str()).await;
    assert!(matches!(answer, Err(KeysError::LastKey)), "{answer:?}");
    assert_eq!(signing(&world).await.id, new.id);
}

#[tokio::test]
async fn tokens_of_a_retired_key_are_refused_at_once() {
    let world = World::new().await;
    let grant = world.log_in().await;
    world.caller(&grant).await;
    let old = signing(&world).await;
    world.wait(1);
    world.tessera.rotate_keys(RotateKeys::AtOnce).await.unwrap();
    world.caller(&grant).await;
    let (retired, done) = world
        .watch(world.tessera.retire_key(old.kid.as_str()))
        .await;
    assert_eq!(retired.unwrap(), stored(&world, &old).await);
    let key = old.kid.clone();
    assert_eq!(done.kinds(), [EventKind::SigningKeyRetired { key }]);
    assert!(world.validate(&grant).await.is_err());
    assert!(!published(&world).contains(old.kid.as_str()));
    let refreshed = world.refresh(&grant).await.unwrap();
    world.caller(&refreshed).await;

    let (again, done) = world
        .watch(world.tessera.retire_key(old.kid.as_str()))
        .await;
    again.unwrap();
    assert_eq!(done.commits, 0);
    world.assert_events_are_gapless();
}

#[tokio::test]
async fn a_rotation_taken_back_leaves_a_key_that_signs_without_end() {
    for when in [RotateKeys::AtOnce, RotateKeys::Announced] {
        let world = World::new().await;
        world.wait(1);
        let new = world.tessera.rotate_keys(when).await.unwrap();
        world.tessera.retire_key(new.kid.as_str()).await.unwrap();
        world.wait(24 * 60 * 60);
        world.tessera.reload_keys().await.unwrap();
        world.tessera.ready().await.unwrap();
        let grant = world.log_in().await;
        world.assert_works(&grant).await;
    }
}

#[tokio::test]
async fn only_a_signing_key_is_retired() {
    let world = World::new().await;
    let keys = world.tessera.ports().store.keys().await.unwrap();
    let refresh = keys.iter().find(|key| key.purpose == KeyPurpose::Refresh);
    for kid in [refresh.unwrap().kid.as_str(), "unknown", ""] {
        let answer = world.tessera.retire_key(kid).await;
        assert!(matches!(answer, Err(KeysError::NotFound)), "{answer:?}");
    }
}

#[tokio::test]
async fn a_rotated_key_is_answered_as_it_is_stored() {
    let world = World::new().await;
    world.wait(1);
    for when in [RotateKeys::Announced, RotateKeys::AtOnce] {
        let key = world.tessera.rotate_keys(when).await.unwrap();
        assert_eq!(key, stored(&world, &key).await);
    }
}

#[tokio::test]
async fn two_rotations_at_once_both_take_place() {
    let world = World::new().await;
    let grant = world.log_in().await;
    world.wait(1);
    let other = world.restarted().await;
    let tessera = Arc::clone(&other.tessera);
    world.store.before_next_commit(async move {
        tessera.rotate_keys(RotateKeys::AtOnce).await.unwrap();
    });
    world
        .tessera
        .rotate_keys(RotateKeys::Announced)
        .await
        .unwrap();
    assert_eq!(world.tessera.signing_keys().await.unwrap().len(), 3);
    for process in [&world, &other] {
        process.caller(&grant).await;
        process.caller(&process.log_in().await).await;
    }
    world.assert_events_are_gapless();
}

#[tokio::test]
async fn without_the_store_no_key_changes() {
    let world = World::new().await;
    world.store.memory().unavailable(true);
    let answer = world.tessera.rotate_keys(RotateKeys::AtOnce).await;
    assert!(matches!(answer, Err(KeysError::Unavailable(_))));
    let answer = world.tessera.retire_key("any").await;
    assert!(matches!(answer, Err(KeysError::Unavailable(_))));
}

/// An hour in which someone logs in each minute, and every token that is not over is tried.
async fn rotate_under_load(rotations: &[(u64, RotateKeys)]) {
    let world = World::new().await;
    let mut grants: Vec<(Timestamp, Grant)> = Vec::new();
    let mut headers = HashSet::new();
    for minute in 0..60 {
        for (_, when) in rotations.iter().filter(|(at, _)| *at == minute) {
            world.tessera.rotate_keys(*when).await.unwrap();
        }
        let grant = world.log_in().await;
        headers.insert(header(&grant));
        grants.push((world.now() + grant.expires_in, grant));
        grants.retain(|(end, _)| world.now() < *end);
        for (_, grant) in &grants {
            let answer = world.validate(grant).await;
            assert!(
                answer.is_ok(),
                "refused in minute {minute} of {rotations:?}"
            );
        }
        world.wait(60);
    }
    assert!(headers.len() > 1);
    let signing = signing(&world).await;
    assert_eq!(
        signing.verifies_until, None,
        "nothing follows it: {rotations:?}"
    );
}

async fn signing(world: &World) -> Key {
    let keys = world.tessera.signing_keys().await.unwrap();
    Key::signing(&keys, KeyPurpose::Access, world.now())
        .unwrap()
        .clone()
}

async fn stored(world: &World, key: &Key) -> Key {
    let keys = world.tessera.signing_keys().await.unwrap();
    keys.into_iter().find(|one| one.id == key.id).unwrap()
}

fn published(world: &World) -> HashSet<String> {
    let public = world.tessera.ports().tokens.public_keys();
    let kids = public.keys.iter().map(|key| key.kid.as_str().to_owned());
    kids.collect()
}

/// The part of a token that tells which key signed it.
fn header(grant: &Grant) -> String {
    grant.access.split_once('.').unwrap().0.to_owned()
}
