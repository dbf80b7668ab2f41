//! What operators do with users.

use std::sync::Arc;

use tessera_app::{
    ChangeUserError, CreateTenant, CreateUser, CreateUserError, FirstPassword,
    TenantAdministration, Unique, UserKey,
};
use tessera_domain::{
    Actor, EventKind, Id, Lockout, PasswordWeakness, Profile, Role, SchemaName, SessionEnd,
    Subject, TenantName, Timestamp, User, UserStatus,
};

use crate::world::{OTHER, PASSWORD, WRONG, World, host, new_user, typed};

#[test]
fn of_what_identifies_a_user_the_id_alone_is_shown() {
    let id: Id<User> = Id::new(Timestamp::from_secs(0), [1; 10]);
    let by = [
        UserKey::Email("ada@example.com".to_owned()),
        UserKey::Id(id),
        UserKey::Username("ada".to_owned()),
    ];
    let shown = format!("{by:?}");
    assert_eq!(shown, format!("[Email(..), Id({id}), Username(..)]"));
}

#[tokio::test]
async fn a_user_is_made_and_told_of() {
    let world = World::new().await;
    let tenant = world.tenant().await;
    let command = CreateUser {
        profile: Profile {
            first_name: "Grace".to_owned(),
            last_name: "Hopper".to_owned(),
            job_role: "admiral".to_owned(),
        },
        roles: roles(&["editor", "tenant-admin", "editor"]),
        is_superuser: true,
        ..new_user("Grace@Example.com", "Grace")
    };
    let (user, done) = world
        .watch(
            world
                .tessera
                .create_user(&Actor::Operator, &tenant, command),
        )
        .await;
    let user = user.unwrap();
    assert_eq!(
        world.tessera.user(&tenant, "grace").await.unwrap(),
        Some(user.clone())
    );
    assert_eq!(user.role_names(), ["editor", "tenant-admin"]);
    let created = EventKind::UserCreated {
        email: Some("Grace@Example.com".to_owned()),
        username: Some("Grace".to_owned()),
        first_name: "Grace".to_owned(),
        last_name: "Hopper".to_owned(),
        roles: user.role_names(),
    };
    assert_eq!(done.kinds(), [created]);
    assert_eq!(done.subjects(), [Subject::User(user.id)]);
    assert_eq!((done.hashed, done.commits), (1, 1));
}

#[tokio::test]
async fn addresses_and_usernames_belong_to_one_user_of_a_tenant() {
    let world = World::new().await;
    let tenant = world.tenant().await;
    for (email, username, taken) in [
        ("ADA@example.com", "other", Unique::Email),
        ("other@example.com", "ADA", Unique::Username),
    ] {
        let command = new_user(email, username);
        let (answer, done) = world
            .watch(
                world
                    .tessera
                    .create_user(&Actor::Operator, &tenant, command),
            )
            .await;
        let Err(CreateUserError::Duplicate(what)) = answer else {
            panic!("{answer:?}");
        };
        assert_eq!(what, taken);
        assert_eq!((done.commits, done.events.len()), (0, 0));
    }
    let acme = world.create_tenant("Acme", &[]).await;
    world.create_user(&acme, "ada@example.com", "ada").await;
}

#[tokio::test]
async fn of_two_users_made_at_once_with_one_address_one_is_made() {
    let world = World::new().await;
    let (tessera, tenant) = (Arc::clone(&world.tessera), world.tenant().await);
    world.store.before_next_commit(async move {
        let first = new_user("eve@example.com", "eve");
        tessera
            .create_user(&Actor::Operator, &tenant, first)
            .await
            .unwrap();
    });
    let second = new_user("Eve@Example.com", "eva");
    let answer = world
        .tessera
        .create_user(&Actor::Operator, &world.tenant().await, second)
        .await;
    assert!(matches!(
        answer,
        Err(CreateUserError::Duplicate(Unique::Email))
    ));
}

#[tokio::test]
async fn only_the_default_tenant_has_platform_administrators() {
    let world = World::new().await;
    let acme = world.create_tenant("Acme", &[]).await;
    let command = || CreateUser {
        roles: roles(&["editor", "platform-admin"]),
        ..new_user("root@example.com", "root")
    };
    let (answer, done) = world
        .watch(
            world
                .tessera
                .create_user(&Actor::Operator, &acme, command()),
        )
        .await;
    assert!(matches!(answer, Err(CreateUserError::PlatformRole)));
    assert_eq!((done.hashed, done.commits), (0, 0));
    world
        .tessera
        .create_user(&Actor::Operator, &world.tenant().await, command())
        .await
        .unwrap();
}

#[tokio::test]
async fn a_weak_password_is_refused_before_it_is_hashed() {
    let world = World::new().await;
    let tenant = CreateTenant {
        name: TenantName::parse("Gizmo Works").unwrap(),
        schema: Some(SchemaName::parse("cogwheels").unwrap()),
        domains: vec![host("widgets.example")],
        layout: None,
    };
    let of = TenantAdministration::of_operator();
    let acme = world.tessera.create_tenant(&of, tenant).await.unwrap();
    for password in [
        "short",
        "iloveyou1",
        "grace@example.com",
        "Gizmo Works",
        "cogwheels1815",
        "Widgets1815",
        "Tessera-1815",
    ] {
        let command = CreateUser {
            password: FirstPassword::Given(typed(password)),
            ..new_user("grace@example.com", "grace")
        };
        let (answer, done) = world
            .watch(world.tessera.create_user(&Actor::Operator, &acme, command))
            .await;
        assert!(
            matches!(answer, Err(CreateUserError::WeakPassword(_))),
            "{answer:?}"
        );
        assert_eq!((done.hashed, done.commits), (0, 0));
    }
}

#[tokio::test]
async fn a_user_is_found_by_id_address_and_username() {
    let world = World::new().await;
    let (tenant, ada) = (world.tenant().await, world.ada().await);
    for who in [&*ada.id.to_string(), "ADA@example.com", " Ada "] {
        assert_eq!(
            world.tessera.user(&tenant, who).await.unwrap(),
            Some(ada.clone())
        );
    }
    let acme = world.create_tenant("Acme", &[]).await;
    for who in [&*ada.id.to_string(), "ada@example.com", "ada", "", "\0"] {
        assert_eq!(world.tessera.user(&acme, who).await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_disabled_user_is_out_for_good_until_enabled_and_nothing_revives() {
    let world = World::new().await;
    let (tenant, ada) = (world.tenant().await, world.ada().await);
    let [one, other] = [world.log_in().await, world.log_in().await];
    let (disabled, done) = world
        .watch(world.tessera.disable_user(&tenant, ada.id))
        .await;
    let disabled = disabled.unwrap();
    assert_eq!(disabled, world.ada().await);
    assert_eq!(disabled.status, UserStatus::Disabled);
    assert_eq!(
        done.names(),
        ["UserDisabled", "SessionEnded", "SessionEnded"]
    );
    let mut ended = done.ended();
    ended.sort_by_key(|(session, _)| format!("{session:?}"));
    let mut sessions = [&one, &other].map(|grant| Subject::Session(grant.session.id));
    sessions.sort_by_key(|session| format!("{session:?}"));
    assert_eq!(
        ended,
        sessions.map(|session| (session, SessionEnd::Disabled))
    );
    world.assert_dead(&one).await;
    let (_, done) = world
        .watch(world.tessera.disable_user(&tenant, ada.id))
        .await;
    assert_eq!(done.commits, 0);

    let (enabled, done) = world
        .watch(world.tessera.enable_user(&tenant, ada.id))
        .await;
    assert_eq!(enabled.unwrap(), world.ada().await);
    assert_eq!(done.names(), ["UserEnabled"]);
    let (_, done) = world
        .watch(world.tessera.enable_user(&tenant, ada.id))
        .await;
    assert_eq!(done.commits, 0);
    world.assert_dead(&one).await;
    world.assert_dead(&other).await;
    let again = world.log_in().await;
    world.assert_works(&again).await;
    world.assert_events_are_gapless();
}

#[tokio::test]
async fn a_password_that_is_set_ends_all_sessions() {
    let world = World::new().await;
    let (tenant, ada) = (world.tenant().await, world.ada().await);
    let grant = world.log_in().await;
    let setting = world.tessera.set_password(&tenant, ada.id, typed(OTHER));
    let (user, done) = world.watch(setting).await;
    assert_eq!(user.unwrap(), world.ada().await);
    assert_eq!(done.names(), ["PasswordChanged", "SessionEnded"]);
    assert_eq!((done.verified, done.hashed, done.commits), (0, 1, 1));
    world.assert_dead(&grant).await;
    world.try_log_in("ada", PASSWORD).await.unwrap_err();
    world.try_log_in("ada", OTHER).await.unwrap();
}

#[tokio::test]
async fn a_weak_password_is_not_set() {
    let world = World::new().await;
    let (tenant, ada) = (world.tenant().await, world.ada().await);
    for (password, weakness) in [
        ("short", PasswordWeakness::TooShort { min: 8 }),
        ("iloveyou1", PasswordWeakness::Common),
        ("ada.public", PasswordWeakness::MadeOfName),
    ] {
        let setting = world.tessera.set_password(&tenant, ada.id, typed(password));
        let (answer, done) = world.watch(setting).await;
        let Err(ChangeUserError::WeakPassword(why)) = answer else {
            panic!("{answer:?}");
        };
        assert_eq!(why, weakness);
        assert_eq!((done.hashed, done.commits), (0, 0));
    }
}

#[tokio::test]
async fn to_unlock_ends_the_lock_and_is_told_once() {
    let world = World::new().await;
    let (tenant, ada) = (world.tenant().await, world.ada().await);
    let (_, done) = world
        .watch(world.tessera.unlock_user(&tenant, ada.id))
        .await;
    assert_eq!(done.commits, 0);
    for _ in 0..5 {
        world.try_log_in("ada", WRONG).await.unwrap_err();
    }
    let (unlocked, done) = world
        .watch(world.tessera.unlock_user(&tenant, ada.id))
        .await;
    assert_eq!(unlocked.unwrap().lockout, Lockout::default());
    assert_eq!(done.names(), ["UserUnlocked"]);
    world.log_in().await;
}

#[tokio::test]
async fn an_operator_ends_all_sessions_of_a_user() {
    let world = World::new().await;
    let (tenant, ada) = (world.tenant().await, world.ada().await);
    let grant = world.log_in().await;
    let (user, done) = world
        .watch(world.tessera.log_out_user(&tenant, ada.id))
        .await;
    assert_eq!(user.unwrap(), world.ada().await);
    let session = Subject::Session(grant.session.id);
    assert_eq!(done.ended(), [(session, SessionEnd::Operator)]);
    assert_eq!((done.commits, done.events.len()), (1, 1));
    world.assert_dead(&grant).await;
    let left = world
        .tessera
        .user_sessions(&tenant, &world.ada().await)
        .await;
    assert!(left.unwrap().is_empty());
}

#[tokio::test]
async fn a_user_of_another_tenant_is_not_found() {
    let world = World::new().await;
    let acme = world.create_tenant("Acme", &[]).await;
    let ids = [world.ada().await.id, Id::new(world.now(), [1; 10])];
    for id in ids {
        let tessera = &world.tessera;
        for answer in [
            tessera.disable_user(&acme, id).await,
            tessera.enable_user(&acme, id).await,
            tessera.unlock_user(&acme, id).await,
            tessera.log_out_user(&acme, id).await,
            tessera.set_password(&acme, id, typed(OTHER)).await,
        ] {
            assert!(
                matches!(answer, Err(ChangeUserError::NotFound)),
                "{answer:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_change_that_another_overtakes_is_decided_again() {
    let world = World::new().await;
    let (tenant, ada) = (world.tenant().await, world.ada().await);
    let (tessera, there) = (Arc::clone(&world.tessera), tenant.clone());
    world.store.before_next_commit(async move {
        tessera.disable_user(&there, ada.id).await.unwrap();
    });
    let (answer, done) = world
        .watch(world.tessera.disable_user(&tenant, ada.id))
        .await;
    answer.unwrap();
    assert_eq!(done.names(), ["UserDisabled"]);
    world.assert_events_are_gapless();
}

#[tokio::test]
async fn without_store_or_room_to_hash_no_user_is_made() {
    let world = World::new().await;
    let tenant = world.tenant().await;
    let command = || new_user("eve@example.com", "eve");
    world.passwords.overloaded(true);
    let answer = world
        .tessera
        .create_user(&Actor::Operator, &tenant, command())
        .await;
    assert!(matches!(answer, Err(CreateUserError::Overloaded(_))));
    world.passwords.overloaded(false);
    world.store.memory().unavailable(true);
    let answer = world
        .tessera
        .create_user(&Actor::Operator, &tenant, command())
        .await;
    assert!(matches!(answer, Err(CreateUserError::Unavailable(_))));
    world.store.memory().unavailable(false);
    world
        .tessera
        .create_user(&Actor::Operator, &tenant, command())
        .await
        .unwrap();
}

fn roles(names: &[&str]) -> Vec<Role> {
    names
        .iter()
        .map(|name| Role::parse(name).unwrap())
        .collect()
}
