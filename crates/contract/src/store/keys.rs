//! How the key ring and what the installation settles are kept.

use core::time::Duration;

use tessera_app::Unique;
use tessera_domain::{Algorithm, Change, Changes, Id, Installation, Key, KeyPurpose};

use crate::fixture::keys;
use crate::values::NOW;
use crate::{Fixture, values};

pub(super) async fn the_key_ring_is_read_in_the_order_of_creation(fixture: &Fixture) {
    let [acme, other] = [fixture.tenant("Acme").await, fixture.tenant("Other").await];
    for (tenant, number, age) in [
        (&acme, 1, 10),
        (&other, 4, 30),
        (&acme, 2, 20),
        (&acme, 3, 0),
    ] {
        let key = Key {
            created_at: NOW - Duration::from_micros(age),
            ..values::key(number)
        };
        fixture.write(tenant, keys([Change::Insert(key)])).await;
    }
    let ring = fixture.store.keys().await.unwrap();
    let ids: Vec<Id<Key>> = ring.iter().map(|key| key.id).collect();
    assert_eq!(ids, [4, 2, 1, 3].map(values::id));
}

pub(super) async fn every_field_of_a_key_comes_back(fixture: &Fixture) {
    let acme = fixture.tenant("Acme").await;
    let algorithms = [
        Algorithm::EdDsa,
        Algorithm::Es256,
        Algorithm::Hs256,
        Algorithm::Ps256,
        Algorithm::Rs256,
    ];
    let full = (2..).zip(algorithms);
    let full = full.map(|(number, algorithm)| values::full_key(number, algorithm));
    for key in full.chain([values::key(1)]) {
        let insert = keys([Change::Insert(key.clone())]);
        fixture.write(&acme, insert).await;
        let expected = Key { version: 1, ..key };
        assert_kept(fixture, &expected).await;
    }
    let grown = Key {
        version: 1,
        ..values::full_key(1, Algorithm::Hs256)
    };
    fixture
        .write(&acme, keys([Change::Update(grown.clone())]))
        .await;
    let expected = Key {
        version: 2,
        ..grown
    };
    assert_kept(fixture, &expected).await;
}

pub(super) async fn a_key_is_updated_at_the_version_it_was_read_at(fixture: &Fixture) {
    let acme = fixture.tenant("Acme").await;
    fixture
        .write(&acme, keys([Change::Insert(values::key(1))]))
        .await;
    let first = Key {
        version: 1,
        ..values::key(1)
    };
    let (retired, _) = first.retire(NOW).unwrap();
    let update = || keys([Change::Update(retired.clone())]);
    fixture.write(&acme, update()).await;
    let second = Key {
        version: 2,
        ..retired.clone()
    };
    assert_kept(fixture, &second).await;
    fixture.stale(&acme, update()).await;
    assert_kept(fixture, &second).await;

    let ghost = Key {
        version: 1,
        ..values::key(2)
    };
    fixture.stale(&acme, keys([Change::Update(ghost)])).await;
    assert_eq!(fixture.store.keys().await.unwrap(), [second]);
}

pub(super) async fn a_kid_is_taken_once(fixture: &Fixture) {
    let acme = fixture.tenant("Acme").await;
    fixture
        .write(&acme, keys([Change::Insert(values::key(1))]))
        .await;
    let namesake = Key {
        kid: values::kid(1),
        purpose: KeyPurpose::Refresh,
        ..values::key(2)
    };
    let insert = keys([Change::Insert(namesake)]);
    fixture.duplicate(&acme, insert, Unique::Key).await;
    assert_eq!(fixture.store.keys().await.unwrap().len(), 1);
}

pub(super) async fn the_installation_is_settled_once(fixture: &Fixture) {
    let [acme, other] = [fixture.tenant("Acme").await, fixture.tenant("Other").await];
    let settled = |public_url: &str| Installation {
        public_url: public_url.to_owned(),
    };
    let settle = |public_url| Changes {
        installation: Some(settled(public_url)),
        ..Changes::default()
    };
    fixture.write(&acme, settle("https://ä.example/x")).await;
    for (tenant, url) in [
        (&acme, "https://b.example"),
        (&other, "https://ä.example/x"),
    ] {
        let taken = Unique::Installation;
        fixture.duplicate(tenant, settle(url), taken).await;
    }
    let kept = fixture.store.installation().await.unwrap();
    assert_eq!(kept, Some(settled("https://ä.example/x")));
}

async fn assert_kept(fixture: &Fixture, key: &Key) {
    let ring = fixture.store.keys().await.unwrap();
    let kept = ring.into_iter().find(|kept| kept.id == key.id).unwrap();
    assert!(kept == *key, "{key:?}");
}
