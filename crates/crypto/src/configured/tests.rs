use aws_lc_rs::encoding::{AsDer, EcPrivateKeyRfc5915Der};
use aws_lc_rs::signature::ECDSA_P384_SHA384_FIXED_SIGNING;
use pem::Pem;

use super::*;
use crate::testing::entropy;

const SETTING: &str = "JWT_PRIVATE_KEY_PATH";

fn generated(algorithm: Algorithm) -> PrivateKey {
    PrivateKey::generate(algorithm, &*entropy()).unwrap()
}

fn text(tag: &str, der: &[u8]) -> String {
    pem::encode(&Pem::new(tag, der))
}

fn pkcs8(key: &PrivateKey) -> String {
    text("PRIVATE KEY", &key.to_bytes().unwrap())
}

fn sec1(pair: &EcdsaKeyPair) -> Vec<u8> {
    let der: EcPrivateKeyRfc5915Der<'_> = pair.private_key().as_der().unwrap();
    der.as_ref().to_vec()
}

/// The `RSAPrivateKey` within a PKCS#8 key of 2048 bits: all that follows a head of fixed length.
fn pkcs1(key: &PrivateKey) -> Vec<u8> {
    key.to_bytes().unwrap()[26..].to_vec()
}

fn read(private: &str) -> Result<ConfiguredKey, String> {
    ConfiguredKey::from_pem(SETTING, private, None).map_err(|error| error.to_string())
}

#[test]
fn a_private_key_is_read_in_every_notation() {
    let ec = generated(Algorithm::Es256);
    let ed = generated(Algorithm::EdDsa);
    let rsa = generated(Algorithm::Rs256);
    let PrivateKey::Ec(pair) = &ec else {
        panic!("an elliptic curve key");
    };
    let parameters = text("EC PARAMETERS", &[6, 8, 42, 134, 72, 206, 61, 3, 1, 7]);
    for (private, key) in [
        (pkcs8(&ec), &ec),
        (text("EC PRIVATE KEY", &sec1(pair)), &ec),
        (parameters + &text("EC PRIVATE KEY", &sec1(pair)), &ec),
        (pkcs8(&ed), &ed),
        (pkcs8(&rsa), &rsa),
        (text("RSA PRIVATE KEY", &pkcs1(&rsa)), &rsa),
        (
            format!(
                "Subject: a key\n\n{}\n\n",
                pkcs8(&rsa).replace("\r\n", "\n")
            ),
            &rsa,
        ),
    ] {
        let configured = read(&private).unwrap();
        assert_eq!(configured.usual_algorithm(), key.usual_algorithm());
        assert_eq!(spki(configured.key()).unwrap(), spki(key).unwrap());
    }
}

#[test]
fn what_is_no_private_key_is_refused_in_a_sentence() {
    let p384 = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap();
    let p384_pkcs8 = text("PRIVATE KEY", p384.to_pkcs8v1().unwrap().as_ref());
    let rsa = generated(Algorithm::Rs256);
    let public = text("PUBLIC KEY", &spki(&rsa).unwrap().unwrap());
    let cut = pkcs1(&rsa)[..600].to_vec();
    let neither = "neither an RSA key, nor one on the curve P-256, nor an Ed25519 key";
    for (private, reason) in [
        (String::new(), NOT_PEM),
        ("secret".to_owned(), NOT_PEM),
        (
            "-----BEGIN PRIVATE KEY-----\n!\n-----END PRIVATE KEY-----\n".to_owned(),
            NOT_PEM,
        ),
        (text("SOMETHING", &[1]), NOT_PEM),
        (text("PRIVATE KEY", &[1, 2, 3]), neither),
        (p384_pkcs8, neither),
        (
            text("EC PRIVATE KEY", &sec1(&p384)),
            "not a private key on the curve P-256",
        ),
        (text("RSA PRIVATE KEY", &cut), "not an RSA private key"),
        (public, "this is a public key; the private one is needed"),
        (
            text("ENCRYPTED PRIVATE KEY", &[1]),
            "the key is encrypted; decrypt it first",
        ),
        (include_str!("rsa-1024-pkcs1.pem").to_owned(), TOO_SMALL),
        (include_str!("rsa-1024-pkcs8.pem").to_owned(), TOO_SMALL),
    ] {
        let refused = read(&private).err().unwrap();
        assert_eq!(refused, format!("{SETTING}: {reason}"));
    }
}

#[test]
fn a_public_key_must_be_that_of_the_private_one() {
    for algorithm in [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256] {
        let (key, other) = (generated(algorithm), generated(algorithm));
        let public = |key| text("PUBLIC KEY", &spki(key).unwrap().unwrap());
        let read = |public: &str| {
            let read = ConfiguredKey::from_pem(SETTING, &pkcs8(&key), Some(public));
            read.map(|_| ()).map_err(|error| error.to_string())
        };
        assert_eq!(read(&public(&key)), Ok(()));
        let foreign = format!("{SETTING}: the public key is not that of the private key");
        assert_eq!(read(&public(&other)), Err(foreign));
        assert!(read("secret").is_err() && read(&pkcs8(&key)).is_err());
        if let PrivateKey::Rsa(pair) = &key {
            let pkcs1 = text("RSA PUBLIC KEY", pair.public_key().as_ref());
            assert_eq!(read(&pkcs1), Ok(()));
        }
    }
}

#[test]
fn a_key_that_the_algorithm_does_not_suit_is_refused_in_a_sentence() {
    let ec = read(&pkcs8(&generated(Algorithm::Es256))).unwrap();
    assert_eq!(ec.algorithm(None).unwrap(), Algorithm::Es256);
    let refused = ec
        .algorithm(Some(Algorithm::Rs256))
        .unwrap_err()
        .to_string();
    assert_eq!(
        refused,
        "JWT_PRIVATE_KEY_PATH is an elliptic curve key (P-256), which signs with ES256, but the \
         algorithm is set to RS256"
    );
    let rsa = read(&pkcs8(&generated(Algorithm::Rs256))).unwrap();
    assert_eq!(
        rsa.algorithm(Some(Algorithm::Ps256)).unwrap(),
        Algorithm::Ps256
    );
    for unsuited in [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Hs256] {
        assert!(rsa.algorithm(Some(unsuited)).is_err());
    }
}

#[test]
fn a_secret_has_32_bytes_or_more() {
    assert!(ConfiguredKey::from_secret("SECRET_KEY", &[b'x'; 32]).is_ok());
    let refused = ConfiguredKey::from_secret("SECRET_KEY", &[b'x'; 31])
        .err()
        .unwrap();
    assert_eq!(
        refused.to_string(),
        "SECRET_KEY: a secret that signs tokens has 32 bytes or more, this one 31"
    );
}
