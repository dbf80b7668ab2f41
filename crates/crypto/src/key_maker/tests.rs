use tessera_app::Tokens;

use super::*;
use crate::JwtTokens;
use crate::testing::{NOW, Service, entropy, new_id, ring, settings};

const LATER: Timestamp = Timestamp::from_secs(NOW.as_secs() + 600);

fn pem() -> String {
    let bytes = PrivateKey::generate(Algorithm::Es256, &*entropy())
        .and_then(|key| key.to_bytes())
        .unwrap();
    pem::encode(&pem::Pem::new("PRIVATE KEY", bytes.as_slice()))
}

fn configured(text: &str) -> ConfiguredKey {
    ConfiguredKey::from_pem("JWT_PRIVATE_KEY_PATH", text, None).unwrap()
}

fn secret(text: &str) -> ConfiguredKey {
    ConfiguredKey::from_secret("SECRET_KEY", text.as_bytes()).unwrap()
}

/// The service as another start with another configuration makes it.
fn restarted(
    service: &Service,
    algorithm: Option<Algorithm>,
    key: Option<ConfiguredKey>,
) -> JwtTokens {
    let mut settings = settings(algorithm);
    settings.key_encryption_key = service.key_encryption_key.clone();
    settings.configured = key;
    JwtTokens::new(settings, entropy()).unwrap()
}

fn missing(tokens: &JwtTokens, ring: &[Key]) -> Vec<Key> {
    tokens.missing(ring, LATER, &mut new_id).unwrap()
}

#[test]
fn a_fresh_install_lacks_a_key_of_each_purpose_and_then_nothing() {
    let service = Service::with(settings(None));
    let made: Vec<_> = service
        .keys
        .iter()
        .map(|key| (key.purpose, key.algorithm, key.origin, key.signs_from))
        .collect();
    let generated = KeyOrigin::Generated;
    assert_eq!(
        made,
        [
            (KeyPurpose::Access, Algorithm::Es256, generated, NOW),
            (KeyPurpose::Refresh, Algorithm::Hs256, generated, NOW),
        ]
    );
    assert!(missing(&service.tokens, &service.keys).is_empty());
    assert_ne!(service.keys[0].id, service.keys[1].id);
}

#[test]
fn another_algorithm_needs_another_key_and_none_said_keeps_the_one_there_is() {
    let service = Service::of(Algorithm::EdDsa);
    let silent = restarted(&service, None, None);
    assert!(missing(&silent, &service.keys).is_empty());
    silent.load(&ring(&service.keys), NOW).unwrap();
    let rotated = silent.generate(KeyPurpose::Access, new_id(), NOW, LATER);
    assert_eq!(rotated.unwrap().algorithm, Algorithm::EdDsa);

    let changed = restarted(&service, Some(Algorithm::Es256), None);
    let lacked = missing(&changed, &service.keys);
    assert_eq!(lacked.len(), 1);
    assert_eq!(
        (lacked[0].algorithm, lacked[0].signs_from),
        (Algorithm::Es256, LATER)
    );
}

#[test]
fn a_purpose_whose_keys_are_all_retired_lacks_one() {
    let service = Service::of(Algorithm::Es256);
    let mut keys = service.keys.clone();
    keys[1].verifies_until = Some(LATER);
    let lacked = missing(&service.tokens, &keys);
    assert_eq!(lacked.len(), 1);
    assert_eq!(lacked[0].purpose, KeyPurpose::Refresh);
}

#[test]
fn the_configured_key_takes_over_once() {
    let service = Service::of(Algorithm::Es256);
    for key in [
        configured(&pem()),
        secret("0123456789abcdef0123456789abcdef"),
    ] {
        let algorithm = key.usual_algorithm();
        let tokens = restarted(&service, None, Some(key));
        let lacked = missing(&tokens, &service.keys);
        assert_eq!(lacked.len(), 1);
        assert_eq!(
            (lacked[0].origin, lacked[0].algorithm),
            (KeyOrigin::Configured, algorithm)
        );
        assert_eq!((lacked[0].signs_from, lacked[0].version), (LATER, 0));
        let mut keys = service.keys.clone();
        keys.extend(lacked);
        assert!(missing(&tokens, &keys).is_empty());
    }
}

#[test]
fn a_key_that_is_configured_again_comes_back_as_itself() {
    let service = Service::of(Algorithm::Es256);
    let (one, other) = (pem(), pem());
    let mut keys = service.keys.clone();
    keys.extend(missing(
        &restarted(&service, None, Some(configured(&one))),
        &keys,
    ));
    let kept = keys.len() - 1;
    keys[kept].version = 3;
    keys[kept].events = 2;
    keys[kept].signs_from = NOW;
    keys[kept].verifies_until = Some(LATER);
    keys.extend(missing(
        &restarted(&service, None, Some(configured(&other))),
        &keys,
    ));

    let again = restarted(&service, None, Some(configured(&one)));
    let lacked = missing(&again, &keys);
    assert_eq!(lacked.len(), 1);
    assert_eq!((lacked[0].id, lacked[0].version), (keys[kept].id, 3));
    assert_eq!((&lacked[0].kid, lacked[0].events), (&keys[kept].kid, 2));
    assert_eq!(
        (lacked[0].signs_from, lacked[0].verifies_until),
        (LATER, None)
    );
}

#[test]
fn a_key_that_is_to_sign_otherwise_keeps_its_name() {
    let rsa = PrivateKey::generate(Algorithm::Rs256, &*entropy()).unwrap();
    let text = pem::encode(&pem::Pem::new(
        "PRIVATE KEY",
        rsa.to_bytes().unwrap().as_slice(),
    ));
    let mut first = settings(Some(Algorithm::Rs256));
    first.configured = Some(configured(&text));
    let service = Service::with(first);
    let tokens = restarted(&service, Some(Algorithm::Ps256), Some(configured(&text)));
    let lacked = missing(&tokens, &service.keys);
    assert_eq!(lacked.len(), 1);
    assert_eq!(
        (lacked[0].id, &lacked[0].kid),
        (service.keys[0].id, &service.keys[0].kid)
    );
    assert_eq!(lacked[0].algorithm, Algorithm::Ps256);
    let keys = [lacked[0].clone(), service.keys[1].clone()];
    tokens.load(&ring(&keys), LATER).unwrap();
    let published = &tokens.public_keys().keys[0];
    assert_eq!(published.algorithm, Algorithm::Ps256);
    assert_eq!(lacked[0].public.as_deref(), Some(published.jwk.as_str()));
}

#[test]
fn a_shared_secret_is_found_again_by_itself() {
    let text = "0123456789abcdef0123456789abcdef";
    let mut first = settings(None);
    first.configured = Some(secret(text));
    let service = Service::with(first);
    assert!(
        missing(
            &restarted(&service, None, Some(secret(text))),
            &service.keys
        )
        .is_empty()
    );
    let changed = "another-secret-of-32-bytes-or-more";
    let lacked = missing(
        &restarted(&service, None, Some(secret(changed))),
        &service.keys,
    );
    assert_eq!(lacked.len(), 1);
    assert_ne!(lacked[0].kid, service.keys[0].kid);
    assert!(lacked[0].public.is_none());
}

#[test]
fn a_configured_key_is_changed_in_the_configuration() {
    let mut configured_by_secret = settings(None);
    configured_by_secret.configured = Some(secret("0123456789abcdef0123456789abcdef"));
    let service = Service::with(configured_by_secret);
    let made = service
        .tokens
        .generate(KeyPurpose::Access, new_id(), NOW, NOW);
    assert!(matches!(made, Err(KeyError::Configured("SECRET_KEY"))));
    let made = service
        .tokens
        .generate(KeyPurpose::Refresh, new_id(), NOW, NOW);
    assert_eq!(made.unwrap().algorithm, Algorithm::Hs256);
}

#[test]
fn with_a_wrong_key_encryption_key_no_secret_is_compared() {
    let text = "0123456789abcdef0123456789abcdef";
    let mut first = settings(None);
    first.configured = Some(secret(text));
    let service = Service::with(first);
    let mut second = settings(None);
    second.configured = Some(secret(text));
    let stranger = JwtTokens::new(second, entropy()).unwrap();
    let lacked = stranger.missing(&service.keys, NOW, &mut new_id);
    assert!(matches!(lacked, Err(KeyError::Sealed)));
}
