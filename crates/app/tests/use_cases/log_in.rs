//! Log in: what it gives, what it refuses, and what either costs.

use std::sync::Arc;

use tessera_app::{
    CommitError, Grant, LogInError, Settings, Store, Unavailable, UnverifiedLogIn, UserKey,
};
use tessera_domain::{
    Change, Changes, EventKind, Generation, LoginFailure, NewUser, Subject, User, Username,
};

use crate::world::{
    Done, IP, OTHER, PASSWORD, WRONG, World, command, explicit, settings, shown, typed,
};

#[tokio::test]
async fn the_right_password_begins_a_session_and_tells_of_it() {
    let world = World::new().await;
    let (grant, done) = world.watch(world.log_in()).await;
    assert_eq!((done.verified, done.hashed, done.commits), (1, 0, 1));
    let begun = EventKind::UserLoggedIn {
        session: grant.session.id,
        ip: Some(IP.to_owned()),
        user_agent: Some("a test".to_owned()),
    };
    assert_eq!(done.kinds(), [begun]);
    assert_eq!(done.subjects(), [Subject::User(grant.user.id)]);
    assert_eq!(grant.session.generation, Generation::FIRST);
    assert_eq!(grant.expires_in.as_secs(), 15 * 60);
    assert_eq!(grant.user.last_login, Some(world.now()));
    assert_eq!(grant.user, world.ada().await);
    assert_eq!(
        world.stored(grant.session.id).await,
        Some(grant.session.clone())
    );
    world.assert_works(&grant).await;
}

#[tokio::test]
async fn a_user_is_found_by_address_and_by_username_in_any_spelling() {
    let world = World::new().await;
    for login in [
        "ada@example.com",
        " ADA@EXAMPLE.COM ",
        "Ada@Example.com.",
        "Ada",
        "ada",
        " ADA ",
        "ａｄａ",
    ] {
        let grant = world.try_log_in(login, PASSWORD).await.unwrap();
        assert_eq!(grant.user.id, world.ada().await.id, "{login:?}");
    }
}

#[tokio::test]
async fn a_password_is_neither_trimmed_nor_folded() {
    let world = World::new().await;
    for password in [" right horse battery", "Right horse battery", ""] {
        let answer = world.try_log_in("ada", password).await;
        assert!(matches!(answer, Err(LogInError::InvalidCredentials)));
    }
}

#[tokio::test]
async fn whatever_is_wrong_the_answer_and_its_cost_are_the_same() {
    let world = World::new().await;
    let dora = account(&world, "dora").await;
    world
        .tessera
        .disable_user(&world.tenant().await, dora.id)
        .await
        .unwrap();
    let lars = account(&world, "lars").await;
    for _ in 0..5 {
        world.try_log_in("lars", WRONG).await.unwrap_err();
    }
    let noah = without_a_password(&world).await;
    world.create_tenant("Acme", &[]).await;
    world.suspend("Acme").await;
    let ada = world.ada().await;

    let here: &[&str] = &[];
    for (tenant, login, password, user, why) in [
        (
            here,
            "ada",
            WRONG,
            Some(ada.id),
            LoginFailure::WrongPassword,
        ),
        (
            here,
            "dora",
            PASSWORD,
            Some(dora.id),
            LoginFailure::Disabled,
        ),
        (here, "dora", WRONG, Some(dora.id), LoginFailure::Disabled),
        (here, "lars", PASSWORD, Some(lars.id), LoginFailure::Locked),
        (here, "lars", WRONG, Some(lars.id), LoginFailure::Locked),
        (
            here,
            "noah",
            PASSWORD,
            Some(noah.id),
            LoginFailure::WrongPassword,
        ),
        (here, "noah", "", Some(noah.id), LoginFailure::WrongPassword),
        (here, "nobody", PASSWORD, None, LoginFailure::UnknownUser),
        (
            here,
            "a@nowhere.example",
            PASSWORD,
            None,
            LoginFailure::UnknownUser,
        ),
        (here, "", PASSWORD, None, LoginFailure::UnknownUser),
        (here, "a\0da", PASSWORD, None, LoginFailure::UnknownUser),
        (here, "ada@", PASSWORD, None, LoginFailure::UnknownUser),
        (
            &["nowhere"],
            "ada",
            PASSWORD,
            None,
            LoginFailure::UnknownTenant,
        ),
        (&["\0"], "ada", PASSWORD, None, LoginFailure::UnknownTenant),
        (
            &["Acme"],
            "ada",
            PASSWORD,
            None,
            LoginFailure::SuspendedTenant,
        ),
    ] {
        let mut command = command(login, password);
        command.hints = explicit(tenant);
        let (answer, done) = world.watch(world.tessera.log_in(command)).await;
        assert_refused(&answer, &done);
        let ip = Some(IP.to_owned());
        assert_eq!(
            done.kinds(),
            [EventKind::LoginFailed { user, why, ip }],
            "{login:?}"
        );
    }
}

#[tokio::test]
async fn where_log_in_needs_a_proved_address_it_is_refused_like_a_wrong_password() {
    for (unverified_log_in, admitted) in [
        (UnverifiedLogIn::Allowed, true),
        (UnverifiedLogIn::Refused, false),
    ] {
        let world = World::with(Settings {
            unverified_log_in,
            ..settings()
        })
        .await;
        let (grace, _) = world.sign_up().await;
        let (answer, done) = world.watch(world.try_log_in("grace", PASSWORD)).await;
        assert_eq!(answer.is_ok(), admitted);
        if !admitted {
            assert_refused(&answer, &done);
            let (user, ip) = (Some(grace.id), Some(IP.to_owned()));
            let why = LoginFailure::Unverified;
            assert_eq!(done.kinds(), [EventKind::LoginFailed { user, why, ip }]);
            assert_eq!(world.grace().await, grace, "and nothing else changes");
        }
        world.log_in().await;
    }
}

#[tokio::test]
async fn where_log_in_needs_a_proved_address_guesses_count_all_the_same() {
    let world = World::with(Settings {
        unverified_log_in: UnverifiedLogIn::Refused,
        ..settings()
    })
    .await;
    let (_, letter) = world.sign_up().await;
    for _ in 0..5 {
        world.try_log_in("grace", WRONG).await.unwrap_err();
        world.try_log_in("grace", PASSWORD).await.unwrap_err();
    }
    world.tessera.verify_email(shown(&letter)).await.unwrap();
    world.try_log_in("grace", PASSWORD).await.unwrap_err();
    world.wait(30);
    world.try_log_in("grace", PASSWORD).await.unwrap();
}

#[tokio::test]
async fn a_user_without_an_address_needs_no_proof_of_one() {
    let world = World::with(Settings {
        unverified_log_in: UnverifiedLogIn::Refused,
        ..settings()
    })
    .await;
    let noah = User {
        password: world.ada().await.password,
        ..without_a_password(&world).await
    };
    let changes = Changes {
        users: vec![Change::Update(noah)],
        ..Changes::default()
    };
    let tenant = world.tenant().await;
    world.store.commit(&tenant, changes).await.unwrap();
    world.try_log_in("noah", PASSWORD).await.unwrap();
}

#[tokio::test]
async fn each_failed_log_in_is_a_subject_of_its_own() {
    let world = World::new().await;
    let ((), done) = world
        .watch(async {
            world.try_log_in("ada", WRONG).await.unwrap_err();
            world.try_log_in("ada", WRONG).await.unwrap_err();
        })
        .await;
    let [Subject::Attempt(one), Subject::Attempt(other)] = done.subjects()[..] else {
        panic!("{:?}", done.events);
    };
    assert_ne!(one, other);
    assert!(
        done.events
            .iter()
            .all(|logged| logged.event.fact.sequence == 1)
    );
}

#[tokio::test]
async fn a_stale_commit_does_not_verify_again() {
    let world = World::new().await;
    for (password, admitted) in [(PASSWORD, true), (WRONG, false)] {
        world.store.memory().stale_next_commits(3);
        let (answer, done) = world.watch(world.try_log_in("ada", password)).await;
        assert_eq!(answer.is_ok(), admitted);
        assert_eq!((done.verified, done.commits), (1, 1));
    }
}

#[tokio::test]
async fn a_password_changed_meanwhile_is_verified_again() {
    for (password, admitted) in [(PASSWORD, false), (OTHER, true)] {
        let world = World::new().await;
        let (tessera, tenant) = (Arc::clone(&world.tessera), world.tenant().await);
        let ada = world.ada().await;
        world.store.before_next_commit(async move {
            tessera
                .set_password(&tenant, ada.id, typed(OTHER))
                .await
                .unwrap();
        });
        let (answer, done) = world.watch(world.try_log_in("ada", password)).await;
        assert_eq!(answer.is_ok(), admitted);
        assert_eq!(done.verified, 2);
        assert_eq!(done.names()[0], "PasswordChanged");
    }
}

#[tokio::test]
async fn an_account_disabled_meanwhile_is_refused() {
    let world = World::new().await;
    let (tessera, tenant, ada) = (
        Arc::clone(&world.tessera),
        world.tenant().await,
        world.ada().await,
    );
    world.store.before_next_commit(async move {
        tessera.disable_user(&tenant, ada.id).await.unwrap();
    });
    let (answer, done) = world.watch(world.try_log_in("ada", PASSWORD)).await;
    assert!(matches!(answer, Err(LogInError::InvalidCredentials)));
    assert_eq!(done.names(), ["UserDisabled", "LoginFailed"]);
    assert_eq!(done.verified, 1);
}

#[tokio::test]
async fn a_log_in_that_is_always_overtaken_gives_up_and_leaves_nothing() {
    let world = World::new().await;
    world.store.memory().stale_next_commits(usize::MAX);
    let (answer, done) = world.watch(world.try_log_in("ada", PASSWORD)).await;
    assert!(matches!(answer, Err(LogInError::Unavailable(_))));
    assert_eq!((done.verified, done.commits), (1, 0));
}

#[tokio::test]
async fn too_many_log_ins_are_turned_away_and_leave_nothing() {
    let world = World::new().await;
    world.passwords.overloaded(true);
    let (answer, done) = world.watch(world.try_log_in("ada", PASSWORD)).await;
    assert!(matches!(answer, Err(LogInError::Overloaded(_))));
    assert_eq!((done.verified, done.commits), (0, 0));
    assert!(done.events.is_empty());
}

#[tokio::test]
async fn without_the_store_nothing_is_told() {
    let world = World::new().await;
    world.store.memory().unavailable(true);
    for password in [PASSWORD, WRONG] {
        let answer = world.try_log_in("ada", password).await;
        assert!(matches!(answer, Err(LogInError::Unavailable(_))));
    }
    world.store.memory().unavailable(false);
    for password in [PASSWORD, WRONG] {
        let gone = CommitError::Unavailable(Unavailable::new("gone"));
        world.store.memory().fail_next_commit(gone);
        let (answer, done) = world.watch(world.try_log_in("ada", password)).await;
        assert!(matches!(answer, Err(LogInError::Unavailable(_))));
        assert!(done.events.is_empty());
    }
    world.log_in().await;
}

#[tokio::test]
async fn without_keys_no_session_begins() {
    let world = World::new().await.another_process();
    let (answer, done) = world.watch(world.try_log_in("ada", PASSWORD)).await;
    assert!(matches!(answer, Err(LogInError::NotReady(_))));
    assert_eq!(done.commits, 0);
}

fn assert_refused(answer: &Result<Grant, LogInError>, done: &Done) {
    assert!(
        matches!(answer, Err(LogInError::InvalidCredentials)),
        "{answer:?}"
    );
    assert_eq!((done.verified, done.hashed, done.commits), (1, 0, 1));
}

async fn account(world: &World, name: &str) -> User {
    let tenant = world.tenant().await;
    world
        .create_user(&tenant, &format!("{name}@example.com"), name)
        .await
}

/// An account as an import may leave it.
async fn without_a_password(world: &World) -> User {
    let new = NewUser {
        username: Username::parse("noah").ok(),
        ..NewUser::default()
    };
    let id = tessera_domain::Id::new(world.now(), [1; 10]);
    let (user, _) = User::create(new, id, world.now());
    let tenant = world.tenant().await;
    let changes = Changes {
        users: vec![Change::Insert(user)],
        ..Changes::default()
    };
    world.store.commit(&tenant, changes).await.unwrap();
    let by = UserKey::Id(id);
    world.store.user(&tenant, &by).await.unwrap().unwrap()
}
