use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use super::*;
use crate::testing::{ALGORITHMS, entropy};

#[test]
fn an_hmac_is_that_of_rfc_7515() {
    // RFC 7515, appendix A.1.
    let secret =
        "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
    let signed = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    let key = PrivateKey::secret(BASE64_URL_SAFE_NO_PAD.decode(secret).unwrap().into());
    let signature = key.sign(Algorithm::Hs256, signed.as_bytes()).unwrap();
    assert_eq!(
        BASE64_URL_SAFE_NO_PAD.encode(signature),
        "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    );
}

#[test]
fn an_ed25519_signature_is_that_of_rfc_8037() {
    // RFC 8037, appendix A.4: the seed of a PKCS#8 key is its end.
    let seed = BASE64_URL_SAFE_NO_PAD.decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A");
    let head = [48, 46, 2, 1, 0, 48, 5, 6, 3, 43, 101, 112, 4, 34, 4, 32];
    let bytes = Zeroizing::new([&head[..], &seed.unwrap()].concat());
    let key = PrivateKey::from_bytes(Algorithm::EdDsa, bytes).unwrap();
    let signed = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
    let signature = key.sign(Algorithm::EdDsa, signed).unwrap();
    assert_eq!(
        BASE64_URL_SAFE_NO_PAD.encode(signature),
        "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
    );
}

#[test]
fn a_key_is_read_as_it_was_written_and_signs_with_what_suits_it_alone() {
    for made_for in ALGORITHMS {
        let key = PrivateKey::generate(made_for, &*entropy()).unwrap();
        let bytes = key.to_bytes().unwrap();
        let read = PrivateKey::from_bytes(made_for, bytes.clone()).unwrap();
        assert_eq!(*read.to_bytes().unwrap(), *bytes);
        for algorithm in ALGORITHMS {
            let signed = read.sign(algorithm, b"message").is_some();
            assert_eq!(signed, read.suits(algorithm), "{made_for} key, {algorithm}");
        }
        assert!(read.suits(made_for));
    }
}
