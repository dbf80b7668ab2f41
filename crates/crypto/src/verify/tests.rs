use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use tessera_app::{TokenError, Tokens};
use tessera_domain::{Algorithm, KeyPurpose};

use crate::TokenTyp;
use crate::private_key::PrivateKey;
use crate::testing::{
    Service, join, part, payload, read, read_refresh, settings, unsigned, without,
};

/// What becomes of a genuine access token when its header is another, and is signed.
fn with_header(service: &Service, header: &str) -> Result<(), TokenError> {
    let payload = payload(&service.access()).to_string();
    read(
        service,
        &service.forge(KeyPurpose::Access, header, &payload),
    )
}

fn with_header_member(service: &Service, name: &str, value: Value) -> Result<(), TokenError> {
    let mut header = service.header(KeyPurpose::Access);
    header[name] = value;
    with_header(service, &header.to_string())
}

#[test]
fn a_token_that_is_forged_of_genuine_parts_alone_is_accepted() {
    let service = Service::of(Algorithm::Es256);
    let header = service.header(KeyPurpose::Access).to_string();
    assert_eq!(with_header(&service, &header), Ok(()));
    let claims = payload(&service.refresh()).to_string();
    let header = service.header(KeyPurpose::Refresh).to_string();
    let refresh = service.forge(KeyPurpose::Refresh, &header, &claims);
    assert_eq!(read_refresh(&service, &refresh), Ok(()));
}

#[test]
fn the_algorithm_comes_from_the_key_and_not_from_the_token() {
    let service = Service::of(Algorithm::Rs256);
    for alg in [
        "none", "None", "", "HS256", "RS512", "PS256", "ES256", "rs256",
    ] {
        let read = with_header_member(&service, "alg", json!(alg));
        assert_eq!(read, Err(TokenError::Invalid), "{alg}");
    }
    let unsigned = unsigned(
        &json!({"alg": "none", "kid": service.key(KeyPurpose::Access).kid.as_str()}).to_string(),
        &payload(&service.access()).to_string(),
    );
    assert_eq!(
        read(&service, &format!("{unsigned}.")),
        Err(TokenError::Invalid)
    );
    assert_eq!(read(&service, &unsigned), Err(TokenError::Invalid));
}

#[test]
fn a_public_key_is_no_shared_secret() {
    let service = Service::of(Algorithm::Rs256);
    let public = &service.tokens.public_keys().keys[0];
    let kid = public.kid.as_str();
    let signed = unsigned(
        &json!({"alg": "HS256", "kid": kid, "typ": "JWT"}).to_string(),
        &payload(&service.access()).to_string(),
    );
    for secret in [public.pem.as_str(), public.pem.trim_end(), &public.jwk] {
        let key = PrivateKey::secret(secret.as_bytes().to_vec().into());
        let signature = key.sign(Algorithm::Hs256, signed.as_bytes()).unwrap();
        assert_eq!(
            read(&service, &join(&signed, &signature)),
            Err(TokenError::Invalid)
        );
    }
}

#[test]
fn an_extension_that_must_be_understood_is_refused() {
    let service = Service::of(Algorithm::Es256);
    for crit in [
        json!(["b64"]),
        json!(["exp"]),
        json!([]),
        json!(null),
        json!("x"),
    ] {
        let read = with_header_member(&service, "crit", crit.clone());
        assert_eq!(read, Err(TokenError::Invalid), "{crit}");
    }
    for b64 in [json!(false), json!(true), json!(null)] {
        let read = with_header_member(&service, "b64", b64.clone());
        assert_eq!(read, Err(TokenError::Invalid), "{b64}");
    }
}

#[test]
fn keys_that_a_token_brings_along_are_ignored() {
    let service = Service::of(Algorithm::Es256);
    let other = Service::of(Algorithm::Es256);
    let own = other.tokens.public_keys().keys[0].jwk.clone();
    let jwk: Value = serde_json::from_str(&own).unwrap();
    for (name, value) in [
        ("jku", json!("https://evil.example/jwks.json")),
        ("x5u", json!("https://evil.example/cert.pem")),
        ("x5c", json!(["MII="])),
        ("jwk", jwk),
    ] {
        let genuine = with_header_member(&service, name, value.clone());
        assert_eq!(genuine, Ok(()), "{name} has no influence");
        let mut header = service.header(KeyPurpose::Access);
        header[name] = value;
        let claims = payload(&service.access()).to_string();
        let forged = other.forge(KeyPurpose::Access, &header.to_string(), &claims);
        assert_eq!(read(&service, &forged), Err(TokenError::Invalid), "{name}");
    }
}

#[test]
fn a_token_says_that_it_is_a_jwt_or_says_nothing() {
    let service = Service::of(Algorithm::Es256);
    for typ in [
        "JWT",
        "jwt",
        "at+jwt",
        "AT+JWT",
        "application/at+jwt",
        "application/JWT",
    ] {
        assert_eq!(
            with_header_member(&service, "typ", json!(typ)),
            Ok(()),
            "{typ}"
        );
    }
    let silent = without(&service.header(KeyPurpose::Access), "typ");
    assert_eq!(with_header(&service, &silent), Ok(()));
    for typ in [
        json!("JOSE"),
        json!("dpop+jwt"),
        json!("logout+jwt"),
        json!("text/jwt"),
        json!("application/application/jwt"),
        json!(""),
        json!("JWT "),
        json!(null),
        json!(1),
        json!(["JWT"]),
    ] {
        let read = with_header_member(&service, "typ", typ.clone());
        assert_eq!(read, Err(TokenError::Invalid), "{typ}");
    }
}

#[test]
fn the_key_is_named_and_known() {
    let service = Service::of(Algorithm::Es256);
    let header = service.header(KeyPurpose::Access);
    assert_eq!(
        with_header(&service, &without(&header, "kid")),
        Err(TokenError::Invalid)
    );
    assert_eq!(
        with_header(&service, &without(&header, "alg")),
        Err(TokenError::Invalid)
    );
    for kid in [json!(null), json!(1), json!([header["kid"]])] {
        assert_eq!(
            with_header_member(&service, "kid", kid),
            Err(TokenError::Invalid)
        );
    }
    let unknown = with_header_member(&service, "kid", json!("another"));
    assert_eq!(unknown, Err(TokenError::UnknownKey));
}

#[test]
fn a_member_that_is_there_twice_is_refused() {
    let service = Service::of(Algorithm::Es256);
    let header = service.header(KeyPurpose::Access).to_string();
    let claims = payload(&service.access()).to_string();
    let twice = |object: &str, extra: &str| object.replacen('{', &format!("{{{extra},"), 1);
    let kid = service.key(KeyPurpose::Access).kid.as_str();
    for extra in [
        r#""alg":"ES256""#.to_owned(),
        format!(r#""kid":"{kid}""#),
        r#""typ":"JWT""#.to_owned(),
        r#""x":1,"x":1"#.to_owned(),
    ] {
        let read = with_header(&service, &twice(&header, &extra));
        assert_eq!(read, Err(TokenError::Invalid), "{extra}");
    }
    for extra in [
        r#""sub":"018bcfe5-6800-7202-8202-020202020202""#,
        r#""exp":1700000900"#,
        r#""x":1,"x":1"#,
        r#""x":{"y":1,"y":1}"#,
    ] {
        let token = service.forge(KeyPurpose::Access, &header, &twice(&claims, extra));
        assert_eq!(read(&service, &token), Err(TokenError::Invalid), "{extra}");
    }
    let token = service.forge(KeyPurpose::Access, &header, &twice(&claims, r#""x":1"#));
    assert_eq!(
        read(&service, &token),
        Ok(()),
        "an unknown member is ignored"
    );
}

#[test]
fn every_kind_of_token_is_refused_in_every_other_place() {
    for algorithm in [Algorithm::Es256, Algorithm::Hs256] {
        let service = Service::of(algorithm);
        let (access, refresh) = (service.access(), service.refresh());
        assert_eq!(read(&service, &refresh), Err(TokenError::Invalid));
        assert_eq!(read_refresh(&service, &access), Err(TokenError::Invalid));

        // The claims of one kind under the key of the other.
        let mixed = [
            (KeyPurpose::Access, KeyPurpose::Refresh, &access),
            (KeyPurpose::Refresh, KeyPurpose::Access, &refresh),
            (KeyPurpose::Access, KeyPurpose::Access, &refresh),
            (KeyPurpose::Refresh, KeyPurpose::Refresh, &access),
        ];
        for (named, signs, claims) in mixed {
            let mut header = service.header(named);
            header["alg"] = json!(service.key(signs).algorithm.as_str());
            let claims = payload(claims).to_string();
            let token = service.forge(signs, &header.to_string(), &claims);
            assert_eq!(read(&service, &token), Err(TokenError::Invalid));
            assert_eq!(read_refresh(&service, &token), Err(TokenError::Invalid));
        }
    }
}

#[test]
fn a_token_of_another_service_is_refused() {
    let service = Service::of(Algorithm::Es256);
    let other = Service::of(Algorithm::Es256);
    assert_eq!(read(&service, &other.access()), Err(TokenError::UnknownKey));
    assert_eq!(
        read_refresh(&service, &other.refresh()),
        Err(TokenError::UnknownKey)
    );
}

#[test]
fn a_token_has_three_parts_in_one_spelling() {
    let service = Service::of(Algorithm::Es256);
    let token = service.access();
    let parts: Vec<&str> = token.split('.').collect();
    let [header, claims, signature] = parts[..] else {
        panic!("three parts");
    };
    for wrong in [
        String::new(),
        ".".to_owned(),
        "..".to_owned(),
        "...".to_owned(),
        format!("{header}.{claims}"),
        format!("{header}.{claims}."),
        format!("{header}..{signature}"),
        format!(".{claims}.{signature}"),
        format!("{token}."),
        format!("{token}.{signature}"),
        format!("{token}="),
        format!("{token}=="),
        format!("{token}A"),
        format!(" {token}"),
        format!("{token}\n"),
        format!("{header}=.{claims}.{signature}"),
        format!("{header}.{claims}=.{signature}"),
        format!("{header}.{claims}.{}", signature.replace(['-', '_'], "+")) + "/",
        token.replacen('.', "。", 1),
        format!("Bearer {token}"),
    ] {
        assert_eq!(read(&service, &wrong), Err(TokenError::Invalid), "{wrong}");
    }
    // The last of 86 characters carries two bits that mean nothing, and must be zero.
    let last = signature.bytes().last().unwrap();
    let next = char::from(last + 1);
    let respelled = format!("{}{next}", &token[..token.len() - 1]);
    assert_eq!(read(&service, &respelled), Err(TokenError::Invalid));
}

#[test]
fn a_part_in_another_spelling_is_refused_even_where_it_is_signed() {
    let service = Service::of(Algorithm::Hs256);
    let header = service.header(KeyPurpose::Access).to_string();
    let mut claims = payload(&service.access());
    // Of a text of 3n + 1 bytes, the last character has four bits that mean nothing.
    claims["x"] = json!("");
    while claims.to_string().len() % 3 != 1 {
        claims["x"] = json!(claims["x"].as_str().unwrap().to_owned() + "x");
    }
    let signed = unsigned(&header, &claims.to_string());
    let key = service.private(KeyPurpose::Access);
    let read_as = |signed: &str| {
        let signature = key.sign(Algorithm::Hs256, signed.as_bytes()).unwrap();
        read(&service, &join(signed, &signature))
    };
    assert_eq!(read_as(&signed), Ok(()));
    let (most, last) = signed.split_at(signed.len() - 1);
    let next = char::from(last.as_bytes()[0] + 1);
    for respelled in [
        format!("{signed}=="),
        format!("{signed}="),
        format!("{most}{next}"),
        format!("{signed}\n"),
        format!(" {signed}"),
        format!("{signed}."),
        signed.replacen('.', "..", 1),
    ] {
        assert_eq!(read_as(&respelled), Err(TokenError::Invalid), "{respelled}");
    }
}

#[test]
fn a_token_is_at_most_8_kib_long() {
    let service = Service::of(Algorithm::Hs256);
    let header = service.header(KeyPurpose::Access).to_string();
    let padded = |length: usize| {
        let mut claims = payload(&service.access());
        claims["x"] = json!("x".repeat(length));
        service.forge(KeyPurpose::Access, &header, &claims.to_string())
    };
    assert_eq!(read(&service, &padded(5_000)), Ok(()));
    assert_eq!(read(&service, &padded(7_000)), Err(TokenError::Invalid));
}

#[test]
fn the_header_is_written_in_a_fixed_order_and_its_typ_is_a_setting() {
    let mut settings = settings(Some(Algorithm::Es256));
    settings.typ = TokenTyp::AtJwt;
    let service = Service::with(settings);
    let token = service.access();
    let header = BASE64_URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap());
    let kid = service.key(KeyPurpose::Access).kid.as_str();
    let expected = format!(r#"{{"alg":"ES256","kid":"{kid}","typ":"at+jwt"}}"#);
    assert_eq!(String::from_utf8(header.unwrap()).unwrap(), expected);
    assert_eq!(part(&service.refresh(), 0)["typ"], json!("JWT"));
    assert_eq!(read(&service, &token), Ok(()));
}

#[test]
fn a_header_of_the_wrong_shape_is_refused() {
    let service = Service::of(Algorithm::Es256);
    let deep = format!("{}{}", "[".repeat(2_000), "]".repeat(2_000));
    for header in [
        "",
        "{}",
        "[]",
        "null",
        "\"ES256\"",
        "{\"alg\":\"ES256\"",
        deep.as_str(),
    ] {
        assert_eq!(
            with_header(&service, header),
            Err(TokenError::Invalid),
            "{header}"
        );
    }
    let members: Map<String, Value> = (0..400).map(|n| (n.to_string(), json!(n))).collect();
    assert_eq!(
        with_header(&service, &json!(members).to_string()),
        Err(TokenError::Invalid)
    );
}

/// Whether a text is accepted as an access and as a refresh token.
fn accepted_as(service: &Service, text: &str) -> [bool; 2] {
    [
        read(service, text).is_ok(),
        read_refresh(service, text).is_ok(),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_changed_token_is_never_accepted(
        cut in any::<prop::sample::Index>(),
        flipped in any::<prop::sample::Index>(),
        bit in 0_u32..7,
        inserted in "[ -~]{1,3}",
    ) {
        thread_local! {
            static SERVICES: Vec<Service> =
                [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Hs256].map(Service::of).into();
        }
        SERVICES.with(|services| {
            for service in services {
                for (token, accepted) in [
                    (service.access(), [true, false]),
                    (service.refresh(), [false, true]),
                ] {
                    let refused = |text: &str| accepted_as(service, text) == [false, false];
                    prop_assert_eq!(accepted_as(service, &token), accepted);
                    let place = cut.index(token.len());
                    prop_assert!(refused(&token[..place]));
                    prop_assert!(refused(&token[place + 1..]));
                    let longer = format!("{}{inserted}{}", &token[..place], &token[place..]);
                    prop_assert!(refused(&longer));
                    let mut bytes = token.clone().into_bytes();
                    bytes[flipped.index(token.len())] ^= 1 << bit;
                    let changed = String::from_utf8(bytes).unwrap();
                    prop_assert!(refused(&changed));
                }
            }
            Ok(())
        })?;
    }

    #[test]
    fn no_text_makes_verifying_panic(text in ".{0,200}", parts in "[A-Za-z0-9_.-]{0,200}") {
        thread_local! {
            static SERVICE: Service = Service::of(Algorithm::Es256);
        }
        SERVICE.with(|service| {
            for text in [&text, &parts] {
                prop_assert_eq!(accepted_as(service, text), [false, false]);
            }
            Ok(())
        })?;
    }
}
