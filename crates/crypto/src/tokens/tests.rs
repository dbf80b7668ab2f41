use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{DecodingKey, Validation};
use serde_json::{Value, json};
use tessera_app::{Expiry, KeyError, TokenError, Tokens};
use tessera_domain::{Algorithm, Id, Key, KeyId, KeyPurpose, Timestamp};

use crate::public_key::jose;
use crate::testing::{
    ALGORITHMS, ISSUER, NOW, Service, access_claims, entropy, new_id, part, payload, ring, settings,
};
use crate::{JwtTokens, TokenTyp};

fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(NOW.as_secs() + secs)
}

#[test]
fn tokens_of_every_algorithm_say_what_was_signed() {
    for algorithm in ALGORITHMS {
        let service = Service::of(algorithm);
        let token = service.access();
        for _ in ["verified", "remembered"] {
            let read = service.tokens.read_access(&token, NOW, Expiry::Enforced);
            assert_eq!(read, Ok(access_claims()), "{algorithm}");
        }
        let refresh = service.refresh();
        let read = service.tokens.read_refresh(&refresh, NOW);
        assert_eq!(read, Ok(service.refresh_claims()), "{algorithm}");
        assert_eq!(part(&token, 0)["alg"], json!(algorithm.as_str()));
        assert_eq!(part(&refresh, 0)["alg"], json!("HS256"));
    }
}

#[test]
fn an_access_token_has_exactly_the_claims_of_the_contract() {
    let service = Service::of(Algorithm::Es256);
    let mut claims = access_claims();
    claims.issued_at = Timestamp::from_micros(NOW.as_micros() + 999_999);
    let token = service.tokens.sign_access(&claims, NOW).unwrap();
    let id = |n: u8| Id::<()>::new(NOW, [n; 10]).to_string();
    let expected = json!({
        "iss": ISSUER,
        "sub": id(2),
        "aud": ISSUER,
        "exp": 1_700_000_900,
        "iat": 1_700_000_000,
        "jti": id(1),
        "sid": id(3),
        "token_type": "access",
        "user_id": "42",
        "email": "ada@example.com",
        "username": null,
        "role": "editor",
        "roles": ["editor", "tenant-admin"],
        "tenant_id": "t-1",
        "tenant_schema": "public",
    });
    assert_eq!(payload(&token), expected);

    claims.roles.clear();
    let token = service.tokens.sign_access(&claims, NOW).unwrap();
    assert_eq!(payload(&token)["role"], Value::Null);
    assert!(
        service
            .tokens
            .read_access(&token, NOW, Expiry::Enforced)
            .is_ok()
    );
}

#[test]
fn a_refresh_token_is_the_same_bytes_for_the_same_claims() {
    let service = Service::of(Algorithm::Es256);
    let claims = service.refresh_claims();
    let token = service.tokens.sign_refresh(&claims).unwrap();
    let json = token.split('.').nth(1).unwrap();
    let json = String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(json).unwrap()).unwrap();
    let jti = payload(&token)["jti"].as_str().unwrap().to_owned();
    let sid = claims.session;
    assert_eq!(
        json,
        format!(
            "{{\"token_type\":\"refresh\",\"sid\":\"{sid}\",\"gen\":7,\"tenant_id\":\"t-1\",\
             \"tenant_schema\":\"public\",\"exp\":1700000900,\"iat\":1700000000,\"jti\":\"{jti}\"}}"
        )
    );

    // Another replica: other settings, the same ring.
    let mut others = settings(Some(Algorithm::Rs256));
    others.key_encryption_key = service.key_encryption_key.clone();
    others.typ = TokenTyp::AtJwt;
    let replica = JwtTokens::new(others, entropy()).unwrap();
    replica.load(&ring(&service.keys), NOW).unwrap();
    assert_eq!(replica.sign_refresh(&claims).unwrap(), token);

    let mut next = claims.clone();
    next.generation = next.generation.next();
    let next = service.tokens.sign_refresh(&next).unwrap();
    assert_ne!(payload(&next)["jti"], json!(jti));
}

#[test]
fn what_is_published_verifies_what_is_signed_and_has_no_secret() {
    for algorithm in ALGORITHMS {
        let service = Service::of(algorithm);
        let published = service.tokens.public_keys();
        let set: Value = serde_json::from_str(&published.jwks).unwrap();
        let keys = set["keys"].as_array().unwrap();
        if algorithm == Algorithm::Hs256 {
            assert!(keys.is_empty() && published.keys.is_empty());
            continue;
        }
        assert_eq!(keys.len(), 1, "the refresh key is not published");
        let mut members: Vec<&str> = keys[0].as_object().unwrap().keys().map(|k| &**k).collect();
        members.sort_unstable();
        let expected: &[&str] = match algorithm {
            Algorithm::EdDsa => &["alg", "crv", "kid", "kty", "use", "x"],
            Algorithm::Es256 => &["alg", "crv", "kid", "kty", "use", "x", "y"],
            Algorithm::Ps256 | Algorithm::Rs256 => &["alg", "e", "kid", "kty", "n", "use"],
            Algorithm::Hs256 => &[],
        };
        assert_eq!(members, expected, "{algorithm}");
        assert_eq!(keys[0]["alg"], json!(algorithm.as_str()));
        assert_eq!(keys[0]["use"], json!("sig"));
        let stored = service.key(KeyPurpose::Access).public.as_deref();
        assert_eq!(stored, Some(published.keys[0].jwk.as_str()));
        assert!(
            published.keys[0]
                .pem
                .starts_with("-----BEGIN PUBLIC KEY-----\n")
        );
        assert!(service.key(KeyPurpose::Refresh).public.is_none());

        let set: JwkSet = serde_json::from_str(&published.jwks).unwrap();
        assert_others_accept(
            &service.access(),
            &DecodingKey::from_jwk(&set.keys[0]).unwrap(),
        );
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "stands for a service that verifies by itself"
)]
fn assert_others_accept(token: &str, key: &DecodingKey) {
    let algorithm: Algorithm = part(token, 0)["alg"].as_str().unwrap().parse().unwrap();
    let mut validation = Validation::new(jose(algorithm));
    validation.set_issuer(&[ISSUER]);
    validation.set_audience(&[ISSUER]);
    validation.validate_exp = false;
    let read = jsonwebtoken::decode::<Value>(token, key, &validation).unwrap();
    assert_eq!(read.claims["email"], json!("ada@example.com"));
}

#[test]
fn an_entity_tag_changes_with_the_keys_alone() {
    let service = Service::of(Algorithm::Es256);
    let before = service.tokens.public_keys();
    assert!(before.etag.starts_with('"') && before.etag.ends_with('"') && before.etag.len() > 20);
    service.load(&service.keys);
    assert_eq!(service.tokens.public_keys(), before);

    let next = service
        .tokens
        .generate(KeyPurpose::Access, new_id(), NOW, at(600));
    let mut keys = service.keys.clone();
    keys.push(next.unwrap());
    service.load(&keys);
    let after = service.tokens.public_keys();
    assert_ne!(after.etag, before.etag);
    assert_eq!(after.keys.len(), 2, "published before it signs");
}

#[test]
fn a_rotation_refuses_no_valid_token() {
    let service = Service::of(Algorithm::Es256);
    let old = service.access();
    let next = service
        .tokens
        .generate(KeyPurpose::Access, new_id(), NOW, at(60));
    let next = next.unwrap();
    let rotation = Key::rotate(&service.keys, next, core::time::Duration::from_mins(15));
    let mut keys: Vec<Key> = service.keys.clone();
    for older in rotation.older {
        let place = keys.iter().position(|key| key.id == older.id).unwrap();
        keys[place] = older;
    }
    keys.push(rotation.new.clone());
    service.load(&keys);

    let kid = |now| {
        let token = service.tokens.sign_access(&access_claims(), now).unwrap();
        part(&token, 0)["kid"].as_str().unwrap().to_owned()
    };
    assert_eq!(kid(at(59)), service.key(KeyPurpose::Access).kid.as_str());
    assert_eq!(kid(at(60)), rotation.new.kid.as_str());
    assert!(
        service
            .tokens
            .read_access(&old, at(899), Expiry::Enforced)
            .is_ok()
    );
}

#[test]
fn a_key_that_no_longer_verifies_refuses_also_what_is_remembered() {
    for purpose in [KeyPurpose::Access, KeyPurpose::Refresh] {
        let service = Service::of(Algorithm::Es256);
        let (access, refresh) = (service.access(), service.refresh());
        let read = |now| match purpose {
            KeyPurpose::Access => {
                let read = service.tokens.read_access(&access, now, Expiry::Ignored);
                read.map(|_| ())
            }
            KeyPurpose::Refresh => service.tokens.read_refresh(&refresh, now).map(|_| ()),
        };
        assert_eq!(read(NOW), Ok(()));
        let mut keys = service.keys.clone();
        for key in &mut keys {
            key.verifies_until = Some(at(10));
        }
        service.load(&keys);
        assert_eq!(read(at(9)), Ok(()));
        assert_eq!(read(at(9)), Ok(()), "remembered");
        assert_eq!(read(at(10)), Err(TokenError::Invalid), "not reloaded yet");
        service.tokens.load(&ring(&keys), at(10)).unwrap();
        assert_eq!(
            read(at(10)),
            Err(TokenError::Invalid),
            "a key once known stays known"
        );
        assert!(service.tokens.public_keys().keys.is_empty());
        let refused = service.tokens.sign_access(&access_claims(), at(10));
        assert_eq!(refused, Err(TokenError::NoKey));
    }
}

#[test]
fn a_key_that_left_the_ring_verifies_nothing() {
    let service = Service::of(Algorithm::Es256);
    let token = service.access();
    assert!(
        service
            .tokens
            .read_access(&token, NOW, Expiry::Enforced)
            .is_ok()
    );
    service.load(&[]);
    let read = service.tokens.read_access(&token, NOW, Expiry::Enforced);
    assert_eq!(
        read,
        Err(TokenError::UnknownKey),
        "also when it was remembered"
    );
}

#[test]
fn without_a_ring_nothing_is_signed_or_read() {
    let tokens = JwtTokens::new(settings(None), entropy()).unwrap();
    let token = Service::of(Algorithm::Es256).access();
    assert_eq!(
        tokens.sign_access(&access_claims(), NOW),
        Err(TokenError::NoKey)
    );
    assert_eq!(tokens.refresh_key(NOW), Err(TokenError::NoKey));
    let read = tokens.read_access(&token, NOW, Expiry::Enforced);
    assert_eq!(read, Err(TokenError::NoKey));
    assert!(tokens.issuer().is_none() && tokens.public_keys().keys.is_empty());
}

#[test]
fn a_refresh_token_is_signed_by_a_refresh_key_that_is_known() {
    let service = Service::of(Algorithm::Hs256);
    let mut claims = service.refresh_claims();
    claims.key = KeyId::new("another".to_owned());
    let unknown = service.tokens.sign_refresh(&claims);
    assert_eq!(unknown, Err(TokenError::UnknownKey));
    claims.key = service.key(KeyPurpose::Access).kid.clone();
    assert_eq!(service.tokens.sign_refresh(&claims), Err(TokenError::NoKey));
}

#[test]
fn a_ring_that_was_sealed_with_another_key_does_not_load() {
    let service = Service::of(Algorithm::Es256);
    let other = JwtTokens::new(settings(None), entropy()).unwrap();
    let loaded = other.load(&ring(&service.keys), NOW);
    assert!(matches!(loaded, Err(KeyError::Sealed)));

    // A sealed part moved to another record, and a record whose algorithm was changed.
    let mut keys = service.keys.clone();
    keys[1].sealed = keys[0].sealed.clone();
    let moved = service.tokens.load(&ring(&keys), NOW);
    assert!(matches!(moved, Err(KeyError::Sealed)));
    let mut keys = service.keys.clone();
    keys[0].algorithm = Algorithm::Hs256;
    let changed = service.tokens.load(&ring(&keys), NOW);
    assert!(matches!(changed, Err(KeyError::Sealed)));

    let token = service.access();
    let read = service.tokens.read_access(&token, NOW, Expiry::Enforced);
    assert!(read.is_ok(), "what was loaded before stays");
}

#[test]
fn a_public_part_that_was_tampered_with_is_not_published() {
    let service = Service::of(Algorithm::Es256);
    let mut keys = service.keys.clone();
    keys[0].public = Service::of(Algorithm::Es256).keys[0].public.clone();
    let before = service.tokens.public_keys();
    service.load(&keys);
    assert_eq!(service.tokens.public_keys(), before);
}

#[test]
fn a_secret_has_a_random_name() {
    let service = Service::of(Algorithm::Hs256);
    let other = Service::of(Algorithm::Hs256);
    for key in service.keys.iter().chain(&other.keys) {
        let name = BASE64_URL_SAFE_NO_PAD.decode(key.kid.as_str()).unwrap();
        assert_eq!(name.len(), 16);
        assert!(key.public.is_none());
    }
    assert_ne!(service.keys[0].kid, other.keys[0].kid);
}

#[test]
fn nothing_that_is_sealed_shows_the_secret() {
    let service = Service::of(Algorithm::Hs256);
    for purpose in [KeyPurpose::Access, KeyPurpose::Refresh] {
        let secret = service.private(purpose).to_bytes().unwrap();
        let sealed = &service.key(purpose).sealed;
        assert!(!sealed.windows(8).any(|window| secret.starts_with(window)));
    }
}
