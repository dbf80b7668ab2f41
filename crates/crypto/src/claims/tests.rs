use serde_json::{Value, json};
use tessera_app::{Expiry, KeyRing, TokenError, Tokens};
use tessera_domain::{AccessClaims, Algorithm, KeyPurpose, SchemaName, Timestamp, TokenIssuer};

use crate::Audience;
use crate::testing::{
    ISSUER, NOW, Service, access_claims, payload, read, read_refresh, ring, settings, without,
};

/// Values of every JSON type, none of which any claim of a test token has.
fn foreign_values() -> Vec<Value> {
    vec![
        json!(null),
        json!(true),
        json!("another"),
        json!(""),
        json!(1.5),
        json!(-7.0),
        json!(1e300),
        json!([]),
        json!(["another"]),
        json!([1]),
        json!({}),
    ]
}

#[test]
fn an_access_token_has_every_claim_in_its_type_and_value() {
    let service = Service::of(Algorithm::Es256);
    let header = service.header(KeyPurpose::Access).to_string();
    let claims = payload(&service.access());
    let check = |claims: &str| {
        read(
            &service,
            &service.forge(KeyPurpose::Access, &header, claims),
        )
    };
    assert_eq!(check(&claims.to_string()), Ok(()));
    // Free texts, and those that may be null or empty.
    let allowed = |name: &str, value: &Value| match name {
        "email" | "username" => value.is_null() || value.is_string(),
        "tenant_id" | "tenant_schema" | "user_id" => value.is_string(),
        _ => false,
    };
    for name in claims.as_object().unwrap().keys() {
        let absent = check(&without(&claims, name));
        assert_eq!(absent, Err(TokenError::Invalid), "without {name}");
        for value in foreign_values() {
            let mut changed = claims.clone();
            changed[name] = value.clone();
            let read = check(&changed.to_string());
            assert_eq!(read.is_ok(), allowed(name, &value), "{name}: {value}");
            assert!(
                matches!(read, Ok(()) | Err(TokenError::Invalid)),
                "{name}: {value}"
            );
        }
    }
    for (name, value) in [
        ("iss", json!("https://id.example/")),
        ("aud", json!([ISSUER])),
        ("exp", json!("1700000900")),
        ("exp", json!(1_700_000_900.0)),
        ("iat", json!("1700000000")),
        ("sub", json!("018BCFE5-6800-7202-8202-020202020202")),
        ("jti", json!("018bcfe56800710181010101010101ff")),
        ("sid", json!("{018bcfe5-6800-7303-8303-030303030303}")),
        ("token_type", json!("Access")),
        ("token_type", json!("refresh")),
        ("role", json!("tenant-admin")),
        ("nbf", json!("1")),
        ("nbf", json!(null)),
    ] {
        let mut changed = claims.clone();
        changed[name] = value.clone();
        let read = check(&changed.to_string());
        assert_eq!(read, Err(TokenError::Invalid), "{name}: {value}");
    }
    for text in ["null", "[]", "\"\"", "1", "", "{", "{}", "\u{feff}{}"] {
        assert_eq!(check(text), Err(TokenError::Invalid), "{text}");
    }
}

#[test]
fn a_refresh_token_has_every_claim_in_its_type_and_value() {
    let service = Service::of(Algorithm::Es256);
    let header = service.header(KeyPurpose::Refresh).to_string();
    let claims = payload(&service.refresh());
    let check = |claims: &str| {
        let token = service.forge(KeyPurpose::Refresh, &header, claims);
        read_refresh(&service, &token)
    };
    for name in claims.as_object().unwrap().keys() {
        let absent = check(&without(&claims, name));
        assert_eq!(absent, Err(TokenError::Invalid), "without {name}");
        for value in foreign_values() {
            let mut changed = claims.clone();
            changed[name] = value.clone();
            let free = matches!(name.as_str(), "tenant_id" | "tenant_schema") && value.is_string();
            let read = check(&changed.to_string());
            assert_eq!(read.is_ok(), free, "{name}: {value}");
        }
    }
    for (name, value) in [("gen", json!(8)), ("gen", json!(-1)), ("gen", json!("7"))] {
        let mut changed = claims.clone();
        changed[name] = value.clone();
        let read = check(&changed.to_string());
        assert_eq!(read, Err(TokenError::Invalid), "{name}: {value}");
    }
}

#[test]
fn a_token_from_the_future_is_refused() {
    let service = Service::of(Algorithm::Es256);
    let header = service.header(KeyPurpose::Access).to_string();
    let claims = payload(&service.access());
    for (name, ahead, read_as) in [
        ("iat", 30, Ok(())),
        ("iat", 31, Err(TokenError::Invalid)),
        ("nbf", 30, Ok(())),
        ("nbf", 31, Err(TokenError::Invalid)),
        ("nbf", -900, Ok(())),
        ("iat", i64::MAX, Err(TokenError::Invalid)),
        ("nbf", i64::MAX, Err(TokenError::Invalid)),
    ] {
        let mut changed = claims.clone();
        changed[name] = json!(NOW.as_secs().saturating_add(ahead));
        let token = service.forge(KeyPurpose::Access, &header, &changed.to_string());
        assert_eq!(read(&service, &token), read_as, "{name} {ahead} s ahead");
    }
    let header = service.header(KeyPurpose::Refresh).to_string();
    let claims = payload(&service.refresh());
    for (name, ahead, read_as) in [
        ("iat", 30, Ok(())),
        ("iat", 31, Err(TokenError::Invalid)),
        ("nbf", 31, Err(TokenError::Invalid)),
    ] {
        let mut changed = claims.clone();
        changed[name] = json!(NOW.as_secs() + ahead);
        let token = service.forge(KeyPurpose::Refresh, &header, &changed.to_string());
        assert_eq!(
            read_refresh(&service, &token),
            read_as,
            "{name} {ahead} s ahead"
        );
    }
}

#[test]
fn only_a_genuine_token_is_told_to_be_expired() {
    let service = Service::of(Algorithm::Es256);
    let token = service.access();
    let at = |secs: i64, expiry| {
        let now = Timestamp::from_secs(NOW.as_secs() + secs);
        service.tokens.read_access(&token, now, expiry).map(|_| ())
    };
    assert_eq!(at(899, Expiry::Enforced), Ok(()));
    assert_eq!(at(900, Expiry::Enforced), Err(TokenError::Expired));
    assert_eq!(at(900, Expiry::Ignored), Ok(()));
    assert_eq!(at(-31, Expiry::Ignored), Err(TokenError::Invalid));

    let late = Timestamp::from_secs(NOW.as_secs() + 900);
    let fresh = Service::of(Algorithm::Es256);
    let token = fresh.access();
    let expired = fresh.tokens.read_access(&token, late, Expiry::Enforced);
    assert_eq!(
        expired,
        Err(TokenError::Expired),
        "also when it was never seen before"
    );
    let forged = fresh.tokens.read_access(&token[1..], late, Expiry::Ignored);
    assert_eq!(forged, Err(TokenError::Invalid));
}

#[test]
fn an_audience_is_the_one_that_is_set() {
    let of = |audience| {
        let mut settings = settings(Some(Algorithm::Hs256));
        settings.audience = audience;
        Service::with(settings)
    };
    let service = of(Audience::Unsaid);
    let claims = payload(&service.access());
    assert!(claims.get("aud").is_none());
    assert_eq!(read(&service, &service.access()), Ok(()));
    let mut for_someone = claims;
    for_someone["aud"] = json!(ISSUER);
    let header = service.header(KeyPurpose::Access).to_string();
    let token = service.forge(KeyPurpose::Access, &header, &for_someone.to_string());
    assert_eq!(read(&service, &token), Err(TokenError::Invalid));

    let service = of(Audience::Named("api".to_owned()));
    assert_eq!(payload(&service.access())["aud"], json!("api"));
    assert_eq!(read(&service, &service.access()), Ok(()));
}

/// The claims of a token that the tenant of that schema name issued itself.
fn own(schema: &str) -> AccessClaims {
    AccessClaims {
        issuer: TokenIssuer::Tenant,
        tenant_schema: SchemaName::restore(schema.to_owned()),
        ..access_claims()
    }
}

#[test]
fn a_tenant_with_an_issuer_of_its_own_is_who_issues_its_tokens_and_whom_they_are_for() {
    for installation in [ISSUER, "https://id.example/", "https://id.example/auth"] {
        let service = Service::of(Algorithm::Es256);
        let ring = KeyRing {
            issuer: installation.to_owned(),
            ..ring(&service.keys)
        };
        service.tokens.load(&ring, NOW).unwrap();
        let claims = own("Acme-1");
        let token = service.tokens.sign_access(&claims, NOW).unwrap();
        let issuer = format!("{}/t/Acme-1", installation.trim_end_matches('/'));
        assert_eq!(payload(&token)["iss"], issuer);
        assert_eq!(payload(&token)["aud"], issuer);
        for _ in ["verified", "remembered"] {
            let read = service.tokens.read_access(&token, NOW, Expiry::Enforced);
            assert_eq!(read.as_ref(), Ok(&claims), "{installation}");
        }
    }
}

#[test]
fn a_named_audience_and_none_stay_whoever_the_issuer_is() {
    for (audience, expected) in [
        (Audience::Named("api".to_owned()), json!("api")),
        (Audience::Unsaid, json!(null)),
    ] {
        let mut settings = settings(Some(Algorithm::Hs256));
        settings.audience = audience;
        let service = Service::with(settings);
        let token = service.tokens.sign_access(&own("acme"), NOW).unwrap();
        let claims = payload(&token);
        assert_eq!(claims["iss"], "https://id.example/t/acme");
        assert_eq!(claims.get("aud").unwrap_or(&Value::Null), &expected);
        assert_eq!(read(&service, &token), Ok(()));
    }
}

#[test]
fn no_tenant_issues_tokens_of_another_one() {
    let service = Service::of(Algorithm::Es256);
    let header = service.header(KeyPurpose::Access).to_string();
    let token = service.tokens.sign_access(&own("acme"), NOW).unwrap();
    let claims = payload(&token);
    let acme = "https://id.example/t/acme";
    for (iss, aud, schema, accepted) in [
        (acme, acme, "acme", true),
        (ISSUER, ISSUER, "acme", true),
        (acme, acme, "other", false),
        (acme, acme, "Acme", false),
        (acme, acme, "", false),
        (acme, ISSUER, "acme", false),
        (ISSUER, acme, "acme", false),
        ("https://id.example/t/acme/", acme, "acme", false),
        ("https://id.example/t/ACME", acme, "acme", false),
        (
            "https://id.example/t/",
            "https://id.example/t/",
            "acme",
            false,
        ),
        ("https://id.example/t/a/t/acme", acme, "acme", false),
        ("https://evil.example/t/acme", acme, "acme", false),
    ] {
        let mut changed = claims.clone();
        changed["iss"] = json!(iss);
        changed["aud"] = json!(aud);
        changed["tenant_schema"] = json!(schema);
        let token = service.forge(KeyPurpose::Access, &header, &changed.to_string());
        let expected = if accepted {
            Ok(())
        } else {
            Err(TokenError::Invalid)
        };
        assert_eq!(read(&service, &token), expected, "{iss} {aud} {schema}");
    }
}
