use jsonwebtoken::crypto::aws_lc;

use super::*;
use crate::private_key::PrivateKey;
use crate::testing::{ALGORITHMS, entropy};

#[test]
fn a_thumbprint_is_that_of_rfc_7638() {
    let _installed = aws_lc::DEFAULT_PROVIDER.install_default();
    // RFC 7638, section 3.1.
    let n = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";
    let key = DecodingKey::from_rsa_components(n, "AQAB").unwrap();
    let (_, kid) = thumbprint(&key, Algorithm::Rs256).unwrap();
    assert_eq!(kid, "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
}

#[test]
fn a_thumbprint_is_that_of_rfc_8037() {
    let _installed = aws_lc::DEFAULT_PROVIDER.install_default();
    // RFC 8037, appendix A.3.
    let key = DecodingKey::from_ed_components("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
    let (_, kid) = thumbprint(&key.unwrap(), Algorithm::EdDsa).unwrap();
    assert_eq!(kid, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
}

#[test]
fn the_name_of_a_key_does_not_depend_on_how_it_signs() {
    let _installed = aws_lc::DEFAULT_PROVIDER.install_default();
    let rsa = PrivateKey::generate(Algorithm::Rs256, &*entropy()).unwrap();
    let published = |algorithm| publish(&rsa, algorithm).unwrap().unwrap();
    let (rs, ps) = (published(Algorithm::Rs256), published(Algorithm::Ps256));
    assert_eq!((&rs.kid, &rs.pem), (&ps.kid, &ps.pem));
    assert_ne!(rs.jwk, ps.jwk);
}

#[test]
fn a_pem_is_the_key_of_the_jwk() {
    let _installed = aws_lc::DEFAULT_PROVIDER.install_default();
    for algorithm in ALGORITHMS {
        let key = PrivateKey::generate(algorithm, &*entropy()).unwrap();
        let Some(published) = publish(&key, algorithm).unwrap() else {
            assert_eq!(
                algorithm,
                Algorithm::Hs256,
                "a shared secret alone has no public part"
            );
            continue;
        };
        let spki = pem::parse(&published.pem).unwrap();
        let jwk: Jwk = serde_json::from_str(&published.jwk).unwrap();
        let verifier = DecodingKey::from_jwk(&jwk).unwrap();
        let raw = match &key {
            PrivateKey::Ec(pair) => pair.public_key().as_ref().to_vec(),
            PrivateKey::Ed(pair) => pair.public_key().as_ref().to_vec(),
            PrivateKey::Rsa(pair) => pair.public_key().as_ref().to_vec(),
            PrivateKey::Secret(_) => panic!("no public part"),
        };
        assert!(spki.contents().ends_with(&raw));
        if let Ok(bytes) = verifier.try_get_as_bytes() {
            assert_eq!(bytes, raw);
        }
    }
}
