use proptest::prelude::*;

use super::*;
use crate::cost::notation;
use crate::testing::entropy;

/// Far below the floor, which is for what is configured.
const CHEAP: &str = "m=64,t=1,p=1";

fn passwords(cost: &str) -> Argon2Passwords {
    let settings = PoolSettings {
        threads: 2,
        queue: 8,
        cost: notation(cost).unwrap(),
    };
    Argon2Passwords::start(settings, entropy()).unwrap()
}

fn typed(password: &str) -> Password {
    Password::new(password.to_owned())
}

fn record(text: &str) -> PasswordRecord {
    PasswordRecord::new(text.to_owned())
}

#[tokio::test]
async fn a_password_matches_its_own_record_alone() {
    let passwords = passwords(CHEAP);
    for password in [
        "correct horse",
        "",
        " correct horse",
        "pässwörd\0",
        &"x".repeat(4_096),
    ] {
        let made = passwords.hash(typed(password)).await.unwrap();
        let verify = |other: &str| passwords.verify(Some(made.clone()), typed(other));
        assert_eq!(verify(password).await, Ok(Verdict::Match));
        assert_eq!(verify(&format!("{password}x")).await, Ok(Verdict::Mismatch));
        assert_eq!(verify("another").await, Ok(Verdict::Mismatch));
        let again = passwords.hash(typed(password)).await.unwrap();
        assert!(again != made, "each has its own salt");
    }
    assert_eq!(
        passwords.verify(None, typed("")).await,
        Ok(Verdict::Mismatch)
    );
}

#[tokio::test]
async fn a_record_is_a_phc_string_with_the_configured_cost() {
    let passwords = passwords("m=72,t=3,p=2");
    let made = passwords.hash(typed("secret")).await.unwrap();
    let fields: Vec<&str> = made.as_str().split('$').collect();
    assert_eq!(fields[..4], ["", "argon2id", "v=19", "m=72,t=3,p=2"]);
    assert_eq!(
        (fields[4].len(), fields[5].len()),
        (22, 43),
        "16 and 32 bytes"
    );
}

#[tokio::test]
async fn the_hash_of_another_library_is_verified() {
    let passwords = passwords(CHEAP);
    // Made by argon2-cffi; the first is the example of the reference implementation's README.
    let old = "m=1024,t=3,p=1$c29tZXNhbHRzb21lc2FsdA$1piilbbUI7zdN1d6oeD9BvrDqQkFfj0c";
    for (password, reference) in [
        (
            "password",
            "$argon2i$v=19$m=65536,t=2,p=4$c29tZXNhbHQ$RdescudvJCsgt3ub+b+dWRWJTmaaJObG",
        ),
        (
            "secret",
            "$argon2id$v=19$m=1024,t=3,p=4$c29tZXNhbHRzb21lc2FsdA$\
             sIcdFcVx3AECOm/ZqsaznKI8Ogx9aNqFlFiQzWl01zU",
        ),
        (
            "secret",
            "$argon2d$v=19$m=1024,t=3,p=2$c29tZXNhbHRzb21lc2FsdA$\
             M+CjkdDXIMZMmcOLlz1Surtr0Xw0zK+NfmWOvaStRbM",
        ),
        ("secret", &format!("$argon2i$v=16${old}")),
        ("secret", &format!("$argon2i${old}")),
    ] {
        let verify = |password: &str| passwords.verify(Some(record(reference)), typed(password));
        assert_eq!(verify(password).await, Ok(Verdict::Match), "{reference}");
        assert_eq!(
            verify("Password").await,
            Ok(Verdict::Mismatch),
            "{reference}"
        );
    }
}

#[test]
fn what_cannot_be_verified_costs_as_much_as_an_unknown_user() {
    let cost = notation("m=128,t=2,p=1").unwrap();
    let ceiling = Argon2Ceiling::over(cost);
    // The worst that could be: a dummy that is the hash of the very password.
    let dummy = Phc::hash(b"secret", [7; SALT_BYTES], cost, &mut Arena::default()).unwrap();
    let salt = "c29tZXNhbHRzb21lc2FsdA";
    let digest = "sIcdFcVx3AECOm/ZqsaznKI8Ogx9aNqFlFiQzWl01zU";
    let with_cost = |cost: &str| format!("$argon2id$v=19${cost}${salt}${digest}");
    let hostile = [
        String::new(),
        "$".to_owned(),
        "$$$$$".to_owned(),
        "secret".to_owned(),
        "!".to_owned(),
        "pbkdf2_sha256$4294967295$salt$hash".to_owned(),
        "$2b$31$saltsaltsaltsaltsaltsOhash".to_owned(),
        "$scrypt$ln=31,r=8,p=1$salt$hash".to_owned(),
        with_cost("m=4294967295,t=2,p=1"),
        with_cost("m=4294967296,t=2,p=1"),
        with_cost("m=131073,t=1,p=1"),
        with_cost("m=19456,t=4294967295,p=1"),
        with_cost("m=19456,t=17,p=1"),
        with_cost("m=131072,t=4,p=1"),
        with_cost("m=19456,t=2,p=16777215"),
        with_cost("m=19456,t=2,p=17"),
        with_cost("m=7,t=1,p=1"),
        with_cost("m=8,t=1,p=2"),
        with_cost("m=64,t=0,p=1"),
        with_cost("m=64,t=1,p=0"),
        with_cost("m=-64,t=1,p=1"),
        with_cost("t=1,m=64,p=1"),
        with_cost("m=64,t=1"),
        with_cost("m=64,t=1,p=1,keyid=AAAA"),
        with_cost("m=64,t=1,p=1,data=AAAA"),
        with_cost("m=064,t=1,p=1"),
        with_cost("m=64,t=1,p=1\0"),
        format!("$argon2id$v=18$m=64,t=1,p=1${salt}${digest}"),
        format!("$argon2id$v=4294967315$m=64,t=1,p=1${salt}${digest}"),
        format!("$argon2x$v=19$m=64,t=1,p=1${salt}${digest}"),
        format!("$ARGON2ID$v=19$m=64,t=1,p=1${salt}${digest}"),
        format!("$argon2id$v=19$m=64,t=1,p=1${salt}"),
        format!("$argon2id$v=19$m=64,t=1,p=1${salt}$"),
        format!("$argon2id$v=19$m=64,t=1,p=1$${digest}"),
        format!("$argon2id$v=19$m=64,t=1,p=1$c2FsdA${digest}"),
        format!("$argon2id$v=19$m=64,t=1,p=1${salt}$RdescQ"),
        format!("$argon2id$v=19$m=64,t=1,p=1${salt}==${digest}"),
        format!("$argon2id$v=19$m=64,t=1,p=1${salt}${digest}$"),
        format!("$argon2id$v=19$m=64,t=1,p=1${salt}${}", "A".repeat(4 << 20)),
        format!("$argon2id$v=19$m=64,t=1,p=1${}${digest}", "A".repeat(200)),
        format!("argon2id$v=19$m=64,t=1,p=1${salt}${digest}"),
    ];
    let check = |record: Option<PasswordRecord>| {
        let mut arena = Arena::default();
        let verdict = check(
            record.as_ref(),
            &typed("secret"),
            &dummy,
            ceiling,
            &mut arena,
        );
        (verdict, arena.held())
    };
    assert_eq!(check(None), (Verdict::Mismatch, 128));
    for text in hostile {
        let shown = text.chars().take(80).collect::<String>();
        assert_eq!(
            check(Some(record(&text))),
            (Verdict::Mismatch, 128),
            "{shown}"
        );
    }
    let readable = with_cost("m=64,t=1,p=1");
    assert_eq!(check(Some(record(&readable))), (Verdict::Mismatch, 64));
}

#[tokio::test]
async fn a_pool_without_room_answers_overloaded() {
    let passwords = passwords(CHEAP);
    passwords.pool.close();
    let refused = passwords.verify(None, typed("secret")).await;
    assert_eq!(refused, Err(Overloaded));
    assert!(passwords.hash(typed("secret")).await.is_err());
    assert_eq!(passwords.pool().rejected(), 2);
}

proptest! {
    #[test]
    fn no_record_makes_reading_it_panic(
        text in ".{0,120}",
        cost in "m=[0-9]{1,11},t=[0-9]{1,11},p=[0-9]{1,11}",
        rest in "[$A-Za-z0-9+/=,]{0,80}",
    ) {
        let ceiling = Argon2Ceiling::over(Argon2Cost::default());
        prop_assert!(Phc::parse(&text, ceiling).is_none());
        let read = Phc::parse(&format!("$argon2id$v=19${cost}${rest}"), ceiling);
        prop_assert!(read.is_none_or(|_| ceiling.admits(notation(&cost).unwrap())));
    }
}
