//! Tokens from mails: what each is good for, how often, until when, and what it dies with.

use std::collections::HashSet;
use std::sync::Arc;

use tessera_app::{ChangePassword, Letter, ShowToken, TenantHints};
use tessera_domain::{
    Actor, EmailAddress, MailKind, MailedTokenPolicy, MailedTokenPurpose, SchemaName, SessionEnd,
};
use tokio::task::JoinSet;

use crate::world::{
    OTHER, PASSWORD, PURPOSES, WRONG, World, ask, at_host, explicit, new_user, registration, show,
    shown, typed,
};

#[tokio::test]
async fn a_mailed_token_is_random_and_no_two_are_alike() {
    let world = World::new().await;
    let (_, verify) = world.sign_up().await;
    let mut seen = HashSet::new();
    let mut tokens = vec![shown(&verify).token];
    for purpose in PURPOSES {
        tokens.push(world.mailed(purpose).await.token);
    }
    for token in tokens {
        let (schema, random) = token.rsplit_once('.').unwrap();
        assert_eq!(schema, SchemaName::DEFAULT);
        assert_eq!(random.len() * 4, 256, "bits");
        assert!(seen.insert(random.to_owned()));
    }
}

#[tokio::test]
async fn a_mailed_token_is_stored_as_a_digest_and_shown_nowhere() {
    let world = World::new().await;
    let (grace, verify) = world.sign_up().await;
    let mut all: Vec<(ShowToken, Option<Letter>)> = vec![(shown(&verify), Some(verify))];
    for purpose in PURPOSES {
        all.push((world.mailed(purpose).await, None));
    }
    let kept = world.mailed_tokens(&world.tenant().await, &grace).await;
    assert_eq!(
        kept.len(),
        all.len() + 1,
        "and that an address was asked for"
    );
    let stored = format!("{kept:?} {:?}", world.store.memory());
    for (shown, letter) in all {
        let (_, random) = shown.token.rsplit_once('.').unwrap();
        let bytes: Vec<u8> = (0..random.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&random[at..at + 2], 16).unwrap())
            .collect();
        let told = format!("{letter:?} {shown:?}");
        for secret in [random.to_owned(), format!("{bytes:?}")] {
            assert!(!stored.contains(&secret), "it is stored");
            assert!(!told.contains(&secret), "{told}");
        }
    }
    let address = ["grace@example.com", "Grace@Example.com"];
    world.forgot("grace@example.com").await;
    let letter = world.mail_relay().step().await;
    let told = format!(
        "{:?} {letter:?} {:?} {:?}",
        world.store.memory().mails(),
        world.mailer.sent(),
        ask("grace@example.com")
    );
    assert!(!address.iter().any(|one| told.contains(one)), "{told}");
}

#[tokio::test]
async fn a_mailed_token_works_once() {
    for purpose in PURPOSES {
        let world = World::new().await;
        world.sign_up().await;
        let shown = world.mailed(purpose).await;
        assert!(world.show(purpose, &shown).await, "{purpose:?}");
        let grace = world.grace().await;
        let kept = world.mailed_tokens(&world.tenant().await, &grace).await;
        let left = kept.iter().filter(|token| token.purpose == purpose);
        let others = usize::from(purpose == MailedTokenPurpose::VerifyEmail);
        assert_eq!(left.count(), others, "nothing is kept of it");
        let (again, done) = world.watch(world.show(purpose, &shown)).await;
        assert!(!again, "{purpose:?}");
        assert_eq!((done.commits, done.hashed), (0, 0));
        world.assert_events_are_gapless();
    }
}

#[tokio::test]
async fn of_many_who_show_a_mailed_token_at_the_same_time_one_succeeds() {
    for purpose in PURPOSES {
        let world = World::new().await;
        world.sign_up().await;
        let shown = world.mailed(purpose).await;
        let other = world.restarted().await;
        let mut tasks = JoinSet::new();
        for world in [&world, &other].into_iter().cycle().take(16) {
            tasks.spawn(show(Arc::clone(&world.tessera), purpose, shown.clone()));
        }
        let answers = tasks.join_all().await;
        let succeeded = answers.into_iter().filter(|succeeded| *succeeded);
        assert_eq!(succeeded.count(), 1, "{purpose:?}");
        world.assert_events_are_gapless();
    }
}

#[tokio::test]
async fn a_mailed_token_works_until_its_time_is_over() {
    let policy = MailedTokenPolicy::default();
    for (purpose, life) in [
        (MailedTokenPurpose::ChangeEmail, policy.change_email),
        (MailedTokenPurpose::ResetPassword, policy.reset_password),
        (MailedTokenPurpose::VerifyEmail, policy.verify_email),
    ] {
        for (secs, works) in [(life.as_secs() - 1, true), (life.as_secs(), false)] {
            let world = World::new().await;
            world.sign_up().await;
            let shown = world.mailed(purpose).await;
            let mut sent = world.mailer.sent().into_iter().rev();
            let told = sent.find_map(|letter| letter.link).unwrap().expires_at;
            assert_eq!(told, world.now() + life);
            world.wait(secs);
            assert_eq!(world.show(purpose, &shown).await, works, "{purpose:?}");
        }
    }
}

#[tokio::test]
async fn a_mailed_token_is_good_for_its_purpose_alone() {
    for purpose in PURPOSES {
        let world = World::new().await;
        world.sign_up().await;
        let shown = world.mailed(purpose).await;
        for other in PURPOSES.into_iter().filter(|other| *other != purpose) {
            let (shown_for, done) = world.watch(world.show(other, &shown)).await;
            assert!(!shown_for, "{purpose:?} as {other:?}");
            assert_eq!((done.commits, done.hashed), (0, 0));
        }
        assert!(world.show(purpose, &shown).await, "{purpose:?}");
    }
}

#[tokio::test]
async fn a_mailed_token_is_good_for_its_user_alone() {
    for purpose in PURPOSES {
        let world = World::new().await;
        world.sign_up().await;
        world.forgot("ada@example.com").await;
        let ada = shown(&world.letter(MailKind::ResetPassword).await);
        let grace = world.mailed(purpose).await;
        let own = grace.uid.clone().unwrap();
        for uid in [ada.uid.clone().unwrap(), own.to_lowercase(), String::new()] {
            let shown = ShowToken {
                uid: Some(uid),
                ..grace.clone()
            };
            assert!(!world.show(purpose, &shown).await, "{purpose:?}");
        }
        let padded = ShowToken {
            uid: Some(format!("{own}==")),
            ..grace
        };
        assert!(world.show(purpose, &padded).await, "{purpose:?}");
        let ada = world.ada().await;
        assert_eq!(ada.events, 2, "made, and asked for a reset");
    }
}

#[tokio::test]
async fn a_mailed_token_needs_no_uid() {
    for purpose in PURPOSES {
        let world = World::new().await;
        world.sign_up().await;
        let shown = ShowToken {
            uid: None,
            ..world.mailed(purpose).await
        };
        assert!(world.show(purpose, &shown).await, "{purpose:?}");
    }
}

#[tokio::test]
async fn a_mailed_token_of_one_tenant_means_nothing_in_another() {
    for purpose in PURPOSES {
        let world = World::new().await;
        let acme = world.create_tenant("Acme", &["acme.example"]).await;
        world.sign_up().await;
        // The same person in the other tenant, down to the address.
        let twin = new_user("grace@example.com", "grace");
        world
            .tessera
            .create_user(&Actor::Operator, &acme, twin)
            .await
            .unwrap();
        let own = world.mailed(purpose).await;
        let schema = acme.schema.as_str();
        let elsewhere = own.token.replacen(SchemaName::DEFAULT, schema, 1);
        let nowhere = own.token.replacen(SchemaName::DEFAULT, "nowhere", 1);
        for (hints, token) in [
            (explicit(&["Acme"]), &own.token),
            (explicit(&[schema]), &own.token),
            (explicit(&["nowhere"]), &own.token),
            (explicit(&["public", "Acme"]), &own.token),
            (at_host("acme.example"), &own.token),
            (TenantHints::default(), &elsewhere),
            (explicit(&["Acme"]), &elsewhere),
            (at_host("acme.example"), &elsewhere),
            (TenantHints::default(), &nowhere),
        ] {
            let shown = ShowToken {
                hints,
                token: token.clone(),
                ..own.clone()
            };
            assert!(!world.show(purpose, &shown).await, "{shown:?}");
        }
        let named = ShowToken {
            hints: explicit(&["public"]),
            ..own
        };
        assert!(world.show(purpose, &named).await);
    }
}

#[tokio::test]
async fn a_mailed_token_needs_no_hint_at_its_tenant() {
    let world = World::new().await;
    let acme = world.create_tenant("Acme", &["acme.example"]).await;
    let mut command = registration("grace@acme.example");
    command.hints = explicit(&["Acme"]);
    world.tessera.register(command).await.unwrap();
    let shown = shown(&world.letter(MailKind::VerifyEmail).await);
    assert!(world.show(MailedTokenPurpose::VerifyEmail, &shown).await);
    let grace = world.tessera.user(&acme, "grace").await.unwrap().unwrap();
    assert!(grace.email_verified);
}

#[tokio::test]
async fn a_mailed_token_of_a_suspended_tenant_does_nothing() {
    let world = World::new().await;
    world.create_tenant("Acme", &["acme.example"]).await;
    let command = registration("grace@acme.example");
    world.tessera.register(command).await.unwrap();
    let shown = shown(&world.letter(MailKind::VerifyEmail).await);
    world.suspend("Acme").await;
    assert!(!world.show(MailedTokenPurpose::VerifyEmail, &shown).await);
}

#[tokio::test]
async fn a_mailed_token_with_one_bit_changed_does_nothing() {
    for purpose in PURPOSES {
        let world = World::new().await;
        world.sign_up().await;
        let own = world.mailed(purpose).await;
        for at in 0..own.token.len() {
            for bit in 0..7 {
                let mut bytes = own.token.clone().into_bytes();
                bytes[at] ^= 1 << bit;
                let shown = ShowToken {
                    token: String::from_utf8(bytes).unwrap(),
                    ..own.clone()
                };
                assert!(!world.show(purpose, &shown).await, "{at} {bit}");
            }
        }
        assert!(world.show(purpose, &own).await, "{purpose:?}");
    }
}

#[tokio::test]
async fn a_mailed_token_in_another_spelling_does_nothing() {
    for purpose in PURPOSES {
        let world = World::new().await;
        world.sign_up().await;
        let own = world.mailed(purpose).await;
        let (schema, random) = own.token.split_once('.').unwrap();
        for token in [
            own.token.to_uppercase(),
            format!("{}.{random}", schema.to_uppercase()),
            format!("{schema}.{}", random.to_uppercase()),
            random.to_owned(),
            format!(".{random}"),
            format!("{}0", own.token),
            own.token[..own.token.len() - 1].to_owned(),
            format!("{schema}..{random}"),
            String::new(),
            "x".repeat(1 << 20),
        ] {
            let shown = ShowToken {
                token,
                ..own.clone()
            };
            assert!(!world.show(purpose, &shown).await);
        }
        let spaced = ShowToken {
            token: format!(" {}\n", own.token),
            ..own
        };
        assert!(world.show(purpose, &spaced).await, "{purpose:?}");
    }
}

/// What ends the sessions of `grace`, or takes the address away.
#[derive(Clone, Copy, Debug)]
enum End {
    ChangeOfAddress,
    ChangeOfPassword,
    Disabling,
    LogOutEverywhere,
    Operator,
    PasswordOfOperator,
    Reset,
}

const ENDS: [End; 7] = [
    End::ChangeOfAddress,
    End::ChangeOfPassword,
    End::Disabling,
    End::LogOutEverywhere,
    End::Operator,
    End::PasswordOfOperator,
    End::Reset,
];

impl End {
    async fn happen(self, world: &World) {
        let (tenant, id) = (world.tenant().await, world.grace().await.id);
        let tessera = &world.tessera;
        let caller = world.log_in_as("grace").await;
        match self {
            Self::ChangeOfAddress => {
                let email = "elsewhere@example.com";
                world.ask_to_change(&caller, email).await.unwrap();
                let letters = world.letters().await;
                let letter = letters
                    .iter()
                    .find(|one| one.kind == MailKind::ChangeEmail)
                    .unwrap();
                tessera.confirm_email(shown(letter)).await.unwrap();
            }
            Self::ChangeOfPassword => {
                let (old, new) = (typed(PASSWORD), typed(OTHER));
                let command = ChangePassword { old, new };
                tessera.change_password(&caller, command).await.unwrap();
            }
            Self::Disabling => {
                tessera.disable_user(&tenant, id).await.unwrap();
                tessera.enable_user(&tenant, id).await.unwrap();
            }
            Self::LogOutEverywhere => tessera.log_out_everywhere(&caller).await.unwrap(),
            Self::Operator => {
                tessera.log_out_user(&tenant, id).await.unwrap();
            }
            Self::PasswordOfOperator => {
                tessera
                    .set_password(&tenant, id, typed(OTHER))
                    .await
                    .unwrap();
            }
            Self::Reset => {
                world.forgot("grace@example.com").await;
                let letter = world.letter(MailKind::ResetPassword).await;
                world.reset(&shown(&letter)).await.unwrap();
            }
        }
    }
}

#[tokio::test]
async fn a_mailed_token_dies_when_password_or_address_change_or_all_sessions_end() {
    for purpose in PURPOSES {
        for end in ENDS {
            let world = World::new().await;
            world.sign_up().await;
            let shown = world.mailed(purpose).await;
            end.happen(&world).await;
            assert!(!world.show(purpose, &shown).await, "{purpose:?} {end:?}");
            world.assert_events_are_gapless();
        }
    }
}

#[tokio::test]
async fn a_mailed_token_that_died_with_an_address_does_not_revive_with_it() {
    for purpose in PURPOSES {
        let world = World::new().await;
        world.sign_up().await;
        let shown_later = world.mailed(purpose).await;
        for email in ["elsewhere@example.com", "grace@example.com"] {
            let caller = world.log_in_as("grace").await;
            world.ask_to_change(&caller, email).await.unwrap();
            let letters = world.letters().await;
            let mut leads = letters
                .iter()
                .filter(|one| one.kind == MailKind::ChangeEmail);
            let confirmed = world.tessera.confirm_email(shown(leads.next().unwrap()));
            confirmed.await.unwrap();
        }
        assert!(!world.show(purpose, &shown_later).await, "{purpose:?}");
    }
}

#[tokio::test]
async fn a_token_made_while_the_address_changes_does_nothing() {
    let world = World::new().await;
    world.sign_up().await;
    let changes = world.mailed(MailedTokenPurpose::ChangeEmail).await;
    let mut signing_up = registration("grace@example.com");
    signing_up.username = None;
    world.tessera.register(signing_up).await.unwrap();
    let other = world.restarted().await;
    world.store.before_next_commit(async move {
        other.letter(MailKind::AlreadyRegistered).await;
    });
    world.tessera.confirm_email(changes).await.unwrap();
    let overtaken = world.mailer.sent().pop().unwrap();
    assert_eq!(overtaken.kind, MailKind::AlreadyRegistered);
    let purpose = MailedTokenPurpose::ResetPassword;
    assert!(!world.show(purpose, &shown(&overtaken)).await);
}

#[tokio::test]
async fn a_change_of_address_that_was_asked_for_dies_with_the_session_before_its_mail_goes_out() {
    for end in ENDS {
        let world = World::new().await;
        world.sign_up().await;
        let caller = world.log_in_as("grace").await;
        world
            .ask_to_change(&caller, "evil@example.com")
            .await
            .unwrap();
        // The mails wait: the relay takes none of them before the end.
        let queue = world.store.memory();
        let (now, soon) = (
            world.now(),
            world.now() + core::time::Duration::from_secs(1),
        );
        let held = tessera_app::MailQueue::take_mails(queue, now, soon, 9);
        assert_eq!(held.await.unwrap().len(), 2);
        end.happen(&world).await;
        world.wait(1);
        let kinds: Vec<MailKind> = world.letters().await.iter().map(|one| one.kind).collect();
        assert!(
            !kinds.contains(&MailKind::ChangeEmail),
            "{end:?}: {kinds:?}"
        );
    }
}

#[tokio::test]
async fn a_mailed_token_survives_a_lock_of_log_in_and_the_end_of_one_session() {
    for purpose in PURPOSES {
        let world = World::new().await;
        world.sign_up().await;
        let shown = world.mailed(purpose).await;
        let grant = world.try_log_in("grace", PASSWORD).await.unwrap();
        world.log_out(Some(&grant), None).await.unwrap();
        for _ in 0..5 {
            world.try_log_in("grace", WRONG).await.unwrap_err();
        }
        world.try_log_in("grace", PASSWORD).await.unwrap_err();
        assert!(world.show(purpose, &shown).await, "{purpose:?}");
    }
}

#[tokio::test]
async fn a_token_that_is_shown_while_all_sessions_end_does_nothing_after() {
    for purpose in PURPOSES {
        let world = World::new().await;
        let (grace, _) = world.sign_up().await;
        let own = world.mailed(purpose).await;
        let (tessera, tenant) = (Arc::clone(&world.tessera), world.tenant().await);
        world.store.before_next_commit(async move {
            tessera.log_out_user(&tenant, grace.id).await.unwrap();
        });
        let (succeeded, done) = world.watch(world.show(purpose, &own)).await;
        assert!(!succeeded, "{purpose:?}");
        assert!(done.ended().iter().all(|end| end.1 == SessionEnd::Operator));
        let grace = world.grace().await;
        assert!(!grace.email_verified);
        assert_eq!(grace.email, EmailAddress::parse("Grace@Example.com").ok());
    }
}

#[tokio::test]
async fn a_token_survives_what_overtakes_it_and_touches_it_not() {
    for purpose in PURPOSES {
        let world = World::new().await;
        world.sign_up().await;
        let shown = world.mailed(purpose).await;
        world.store.memory().stale_next_commits(3);
        let (succeeded, done) = world.watch(world.show(purpose, &shown)).await;
        assert!(succeeded, "{purpose:?}");
        assert_eq!(done.commits, 1);
        assert!(done.hashed <= 1);
    }
}

#[tokio::test]
async fn a_mailed_token_of_a_user_who_is_gone_does_nothing() {
    for purpose in PURPOSES {
        let world = World::new().await;
        world.sign_up().await;
        let shown = world.mailed(purpose).await;
        let caller = world.log_in_as("grace").await;
        world.tessera.delete_account(&caller).await.unwrap();
        assert!(!world.show(purpose, &shown).await);
        // Somebody else with the same address.
        let command = registration("grace@example.com");
        world.tessera.register(command).await.unwrap();
        assert!(!world.show(purpose, &shown).await, "{purpose:?}");
    }
}
