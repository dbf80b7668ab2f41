//! Sign up: one account for each address, and nobody learns whose address has one.

use core::mem::discriminant;
use std::sync::Arc;

use tessera_app::{
    CommitError, Register, RegisterError, Registered, Settings, Store, Unavailable, UserFilter,
};
use tessera_domain::{
    Actor, Addressee, EmailAddress, EventKind, MailKind, PasswordChars, PasswordWeakness, Profile,
    Registration, Subject, TenantSettings, UserStatus, Username,
};
use tokio::task::JoinSet;

use crate::world::{
    Done, OTHER, PASSWORD, World, at_host, command, explicit, new_user, registration, settings,
    shown, typed,
};

#[tokio::test]
async fn who_signs_up_has_an_account_whose_address_is_not_proved() {
    let world = World::new().await;
    let command = registration("Grace@Example.com");
    let (registered, done) = world.watch(world.tessera.register(command)).await;
    let registered = registered.unwrap();
    assert_eq!((done.verified, done.hashed, done.commits), (0, 1, 1));
    let created = EventKind::UserCreated {
        email: Some("Grace@Example.com".to_owned()),
        username: Some("Grace".to_owned()),
        first_name: "Grace".to_owned(),
        last_name: "Hopper".to_owned(),
        roles: Vec::new(),
    };
    assert_eq!(done.kinds(), [created]);
    let grace = world.grace().await;
    assert_eq!(done.subjects(), [Subject::User(grace.id)]);
    assert_eq!(registered.tenant.id, world.tenant().await.id);
    assert_eq!(registered.user.id, grace.id);
    assert!(!grace.email_verified && grace.roles.is_empty() && !grace.is_superuser);
    assert_eq!(grace.status, UserStatus::Active);
    world.try_log_in("grace", PASSWORD).await.unwrap();
}

#[tokio::test]
async fn who_signs_up_gets_a_mail_that_proves_the_address() {
    let world = World::new().await;
    let (grace, letter) = world.sign_up().await;
    assert_eq!(letter.to.as_str(), "Grace@Example.com");
    assert_eq!(letter.profile, grace.profile);
    assert_eq!(letter.tenant, "public");
    world.tessera.verify_email(shown(&letter)).await.unwrap();
    assert!(world.grace().await.email_verified);
}

#[tokio::test]
async fn an_address_that_is_taken_is_answered_and_costs_the_same() {
    let world = World::new().await;
    let free = watched(&world, registering("free@example.com", "One")).await;
    for email in ["ada@example.com", "ADA@EXAMPLE.COM", " Ada@example.com. "] {
        let taken = watched(&world, registering(email, "Two")).await;
        assert_alike(&taken, &free);
        assert_eq!(taken.0.user.email, EmailAddress::parse(email).ok());
        let id = taken.0.user.id.to_string();
        let found = world.tessera.user(&world.tenant().await, &id).await;
        assert_eq!(found.unwrap(), None, "it exists nowhere");
        assert_eq!(taken.1.names(), ["RegistrationRepeated"]);
    }
    let [untouched] = [world.ada().await];
    assert_eq!(untouched.events, 1);
    world.try_log_in("ada", OTHER).await.unwrap_err();
    world.log_in().await;
}

#[tokio::test]
async fn of_an_address_that_is_taken_the_owner_is_told_at_the_stored_spelling() {
    let world = World::new().await;
    let command = registering("aDA@eXAMPLE.com", "Two");
    world.tessera.register(command).await.unwrap();
    let letter = world.letter(MailKind::AlreadyRegistered).await;
    assert_eq!(letter.to.as_str(), "Ada@Example.com");
    assert_eq!(
        letter.profile,
        Profile::default(),
        "nothing that somebody typed"
    );
    world.reset(&shown(&letter)).await.unwrap();
    world.try_log_in("ada", OTHER).await.unwrap();
}

#[tokio::test]
async fn addresses_that_differ_only_in_case_are_one_account_also_at_the_same_moment() {
    let world = World::new().await;
    let other = world.restarted().await;
    let mut tasks = JoinSet::new();
    for number in 0..20_usize {
        let upper = |(at, letter): (usize, char)| {
            if number >> (at % 5) & 1 == 1 {
                letter.to_ascii_uppercase()
            } else {
                letter
            }
        };
        let email: String = "grace@example.com".chars().enumerate().map(upper).collect();
        let command = registering(&email, &format!("racer-{number}"));
        let tessera = Arc::clone([&world.tessera, &other.tessera][number % 2]);
        tasks.spawn(async move { tessera.register(command).await });
    }
    let answers = tasks.join_all().await;
    let users: Vec<_> = answers
        .into_iter()
        .map(|answer| answer.unwrap().user)
        .collect();
    assert_eq!(users.len(), 20);
    let all = UserFilter::default();
    let all = Store::users(&world.store, &world.tenant().await, &all, None, 99).await;
    let stored: Vec<_> = all.unwrap();
    let [ada, grace] = &stored[..] else {
        panic!("{stored:?}");
    };
    assert_eq!(ada.id, world.ada().await.id);
    let shapes = users.iter().map(|user| {
        let mut user = user.clone();
        (user.id, user.email, user.username) = (ada.id, None, None);
        user
    });
    let mut shapes: Vec<_> = shapes.collect();
    shapes.dedup();
    assert_eq!(shapes.len(), 1, "{shapes:?}");
    let letters = world.letters().await;
    let to = |kind| {
        let of_kind = letters.iter().filter(move |letter| letter.kind == kind);
        of_kind.filter(|letter| Some(&letter.to) == grace.email.as_ref())
    };
    assert_eq!(to(MailKind::VerifyEmail).count(), 1);
    assert_eq!(to(MailKind::AlreadyRegistered).count(), 5, "and no flood");
    world.assert_events_are_gapless();
}

#[tokio::test]
async fn an_address_taken_meanwhile_is_answered_the_same() {
    let world = World::new().await;
    let tessera = Arc::clone(&world.tessera);
    let first = registering("grace@example.com", "First");
    world.store.before_next_commit(async move {
        tessera.register(first).await.unwrap();
    });
    let command = registering("GRACE@example.com", "Second");
    let (answer, done) = world.watch(world.tessera.register(command)).await;
    answer.unwrap();
    assert_eq!((done.hashed, done.commits), (2, 2));
    let mut letters = world.letters().await;
    letters.sort_by_key(|letter| letter.kind.as_str());
    let kinds: Vec<_> = letters.iter().map(|letter| letter.kind).collect();
    assert_eq!(kinds, [MailKind::AlreadyRegistered, MailKind::VerifyEmail]);
}

#[tokio::test]
async fn a_username_that_is_taken_is_told_whatever_there_is_of_the_address() {
    let world = World::new().await;
    for email in ["free@example.com", "ada@example.com"] {
        for username in ["Ada", "ａｄａ"] {
            let command = registering(email, username);
            let (answer, done) = world.watch(world.tessera.register(command)).await;
            assert!(matches!(answer, Err(RegisterError::UsernameTaken)));
            assert_eq!((done.hashed, done.commits), (0, 0));
        }
    }
    assert_eq!(world.letters().await, []);
}

#[tokio::test]
async fn a_username_taken_meanwhile_is_told() {
    let world = World::new().await;
    let tessera = Arc::clone(&world.tessera);
    world.store.before_next_commit(async move {
        let first = registering("first@example.com", "Grace");
        tessera.register(first).await.unwrap();
    });
    let answer = world.tessera.register(registration("grace@example.com"));
    assert!(matches!(answer.await, Err(RegisterError::UsernameTaken)));
    let key = "grace@example.com";
    let found = world.tessera.user(&world.tenant().await, key).await;
    assert_eq!(found.unwrap(), None);
}

#[tokio::test]
async fn nobody_needs_a_username() {
    let world = World::new().await;
    for email in ["one@example.com", "two@example.com"] {
        let command = Register {
            username: None,
            ..registration(email)
        };
        world.tessera.register(command).await.unwrap();
        world.try_log_in(email, PASSWORD).await.unwrap();
    }
}

#[tokio::test]
async fn a_weak_password_is_refused_whatever_there_is_of_the_address() {
    let world = World::new().await;
    for email in ["grace@example.com", "ada@example.com"] {
        for (password, weakness) in [
            ("short", PasswordWeakness::TooShort { min: 8 }),
            ("iloveyou1", PasswordWeakness::Common),
            ("Hopper-1906", PasswordWeakness::MadeOfName),
            (email, PasswordWeakness::MadeOfName),
        ] {
            let command = Register {
                password: typed(password),
                ..registration(email)
            };
            let (answer, done) = world.watch(world.tessera.register(command)).await;
            let Err(RegisterError::WeakPassword(why)) = answer else {
                panic!("{answer:?}");
            };
            assert_eq!(why, weakness);
            assert_eq!((done.hashed, done.commits), (0, 0));
        }
    }
}

#[tokio::test]
async fn the_tenant_says_how_many_characters_a_new_password_has_at_least() {
    let world = World::new().await;
    let tenant = world.create_tenant("Acme", &[]).await;
    let sign_up = |tenant: &str, number: usize, chars: usize| {
        let command = Register {
            hints: explicit(&[tenant]),
            username: None,
            password: typed(&pass_phrase(chars)),
            ..registration(&format!("grace-{number}@example.com"))
        };
        world.tessera.register(command)
    };
    for (number, least) in [(0, 12), (10, 64), (20, 8)] {
        let chars = PasswordChars::new(least).filter(|_| least != 8);
        let decide = |so_far| TenantSettings {
            password_chars: chars,
            ..so_far
        };
        world.change_settings("Acme", decide).await;
        let min = usize::from(least);
        let Err(RegisterError::WeakPassword(why)) = sign_up("Acme", number, min - 1).await else {
            panic!("{min}");
        };
        assert_eq!(why, PasswordWeakness::TooShort { min });
        let made = sign_up("Acme", number, min).await.unwrap();
        assert_eq!(made.tenant.id, tenant.id);
        sign_up("public", number, 8).await.unwrap();
    }
}

#[tokio::test]
async fn a_new_password_has_256_characters_at_most_and_all_of_them_count() {
    let world = World::new().await;
    for (name, chars) in [("sixty-four", 64), ("most", 256)] {
        let (email, password) = (format!("{name}@example.com"), pass_phrase(chars));
        let command = Register {
            password: typed(&password),
            ..registering(&email, name)
        };
        world.tessera.register(command).await.unwrap();
        for other in [pass_phrase(chars + 1), pass_phrase(chars - 1)] {
            world.try_log_in(name, &other).await.unwrap_err();
        }
        world.try_log_in(name, &password).await.unwrap();
    }
    let command = Register {
        password: typed(&pass_phrase(257)),
        ..registration("grace@example.com")
    };
    let Err(RegisterError::WeakPassword(why)) = world.tessera.register(command).await else {
        panic!("it was accepted");
    };
    assert_eq!(why, PasswordWeakness::TooLong { max: 256 });
}

#[tokio::test]
async fn where_sign_up_is_not_open_nobody_signs_up_and_nothing_is_told_of_addresses() {
    for (registration_is, refused) in [
        (Registration::Closed, RegisterError::Closed),
        (Registration::Invite, RegisterError::InvitationOnly),
    ] {
        let world = World::with(Settings {
            registration: registration_is,
            ..settings()
        })
        .await;
        for email in ["grace@example.com", "ada@example.com"] {
            for (username, password) in [("Ada", PASSWORD), ("Grace", "short")] {
                let command = Register {
                    password: typed(password),
                    ..registering(email, username)
                };
                let (answer, done) = world.watch(world.tessera.register(command)).await;
                let error = answer.unwrap_err();
                assert_eq!(discriminant(&error), discriminant(&refused), "{error:?}");
                assert_eq!((done.hashed, done.commits), (0, 0));
            }
        }
    }
}

#[tokio::test]
async fn nobody_signs_up_in_a_tenant_that_is_unknown_or_suspended() {
    let world = World::new().await;
    world.create_tenant("Acme", &["acme.example"]).await;
    world.suspend("Acme").await;
    for (hints, email) in [
        (explicit(&["nowhere"]), "grace@example.com"),
        (explicit(&["Acme"]), "grace@example.com"),
        (at_host("acme.example"), "grace@example.com"),
        (explicit(&[]), "grace@acme.example"),
    ] {
        let command = Register {
            hints,
            ..registration(email)
        };
        let (answer, done) = world.watch(world.tessera.register(command)).await;
        assert!(matches!(answer, Err(RegisterError::UnknownTenant)));
        assert_eq!((done.hashed, done.commits), (0, 0));
    }
    let command = Register {
        hints: explicit(&["public", "Acme"]),
        ..registration("grace@example.com")
    };
    let answer = world.tessera.register(command).await;
    assert!(matches!(answer, Err(RegisterError::Contradiction(_))));
}

#[tokio::test]
async fn the_same_address_and_username_are_free_in_another_tenant() {
    let world = World::new().await;
    let acme = world.create_tenant("Acme", &["acme.example"]).await;
    let command = Register {
        hints: explicit(&["Acme"]),
        ..registering("ada@example.com", "Ada")
    };
    let registered = world.tessera.register(command).await.unwrap();
    assert_eq!(registered.tenant.id, acme.id);
    let letter = world.letter(MailKind::VerifyEmail).await;
    assert_eq!(
        (letter.to.as_str(), &*letter.tenant),
        ("ada@example.com", "Acme")
    );
    let domain = registration("grace@acme.example");
    let registered = world.tessera.register(domain).await.unwrap();
    assert_eq!(registered.tenant.id, acme.id, "by the domain alone");
}

#[tokio::test]
async fn what_is_mailed_to_who_signs_up_is_written_down_with_the_account() {
    let world = World::new().await;
    let grace = registration("grace@example.com");
    world.tessera.register(grace).await.unwrap();
    let [mail] = &world.store.memory().mails()[..] else {
        panic!("one mail");
    };
    let key = "grace@example.com".to_owned();
    assert_eq!(mail.to, Addressee::Account(key));
    assert_eq!(mail.at, world.now());
    assert_eq!(mail.tenant, world.tenant().await.id);
}

#[tokio::test]
async fn too_much_to_hash_signs_nobody_up() {
    let world = World::new().await;
    world.passwords.overloaded(true);
    for email in ["grace@example.com", "ada@example.com"] {
        let command = registration(email);
        let (answer, done) = world.watch(world.tessera.register(command)).await;
        assert!(matches!(answer, Err(RegisterError::Overloaded(_))));
        assert_eq!(done.commits, 0);
    }
}

#[tokio::test]
async fn without_the_store_nobody_is_signed_up_and_no_mail_is_sent() {
    let world = World::new().await;
    for email in ["grace@example.com", "ada@example.com"] {
        let gone = CommitError::Unavailable(Unavailable::new("gone"));
        world.store.memory().fail_next_commit(gone);
        let command = registration(email);
        let (answer, done) = world.watch(world.tessera.register(command)).await;
        assert!(matches!(answer, Err(RegisterError::Unavailable(_))));
        assert_eq!((done.commits, done.events.len()), (0, 0));
    }
    assert_eq!(world.letters().await, []);
    world.store.memory().unavailable(true);
    let answer = world.tessera.register(registration("grace@example.com"));
    assert!(matches!(answer.await, Err(RegisterError::Unavailable(_))));
}

#[tokio::test]
async fn a_sign_up_that_is_always_overtaken_gives_up_and_leaves_nothing() {
    let world = World::new().await;
    world.store.memory().stale_next_commits(usize::MAX);
    for email in ["grace@example.com", "ada@example.com"] {
        let command = registration(email);
        let (answer, done) = world.watch(world.tessera.register(command)).await;
        assert!(matches!(answer, Err(RegisterError::Unavailable(_))));
        assert_eq!((done.hashed, done.commits), (1, 0));
    }
}

#[tokio::test]
async fn a_user_whom_an_operator_made_is_taken_too() {
    let world = World::new().await;
    let tenant = world.tenant().await;
    let noah = new_user("Noah@Example.com", "noah");
    let noah = world
        .tessera
        .create_user(&Actor::Operator, &tenant, noah)
        .await
        .unwrap();
    world.tessera.disable_user(&tenant, noah.id).await.unwrap();
    let free = watched(&world, registering("free@example.com", "One")).await;
    let taken = watched(&world, registering("noah@example.com", "Two")).await;
    assert_alike(&taken, &free);
    let kinds: Vec<_> = world.letters().await.iter().map(|one| one.kind).collect();
    assert_eq!(
        kinds,
        [MailKind::VerifyEmail],
        "none leads a disabled user on"
    );
    let login = command("noah@example.com", PASSWORD);
    world.tessera.log_in(login).await.unwrap_err();
}

/// So many characters, which are not as many bytes.
fn pass_phrase(chars: usize) -> String {
    "grüne Hügel, blaue Wale; "
        .chars()
        .cycle()
        .take(chars)
        .collect()
}

fn registering(email: &str, username: &str) -> Register {
    Register {
        username: Username::parse(username).ok(),
        ..registration(email)
    }
}

async fn watched(world: &World, command: Register) -> (Registered, Done) {
    let (answer, done) = world.watch(world.tessera.register(command)).await;
    (answer.unwrap(), done)
}

/// That nothing but what was typed, and the ids, tells two answers apart, and that they cost the
/// same.
fn assert_alike(one: &(Registered, Done), other: &(Registered, Done)) {
    let mut like_other = one.0.user.clone();
    let typed = other.0.user.clone();
    (like_other.id, like_other.email, like_other.username) =
        (typed.id, typed.email, typed.username);
    assert_eq!(like_other, other.0.user);
    assert_eq!(one.0.tenant.id, other.0.tenant.id);
    let cost = |done: &Done| (done.verified, done.hashed, done.commits);
    assert_eq!(cost(&one.1), cost(&other.1));
}
