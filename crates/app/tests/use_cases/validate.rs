//! Validate: what a good access token tells, and when it is no longer one.

use std::sync::Arc;

use futures_util::future::join_all;
use tessera_app::{ChangePassword, RotateKeys, Store, TenantHints, ValidateError};
use tessera_domain::{AccessClaims, Actor, Change, Changes, Id, Role, User, UserStatus};

use crate::world::{OTHER, PASSWORD, World, at_host, explicit, new_user, typed};

#[tokio::test]
async fn a_caller_is_who_logged_in() {
    let world = World::new().await;
    let tenant = world.tenant().await;
    let mut command = new_user("Grace@Example.com", "Grace");
    command.roles = ["platform-admin", "editor"]
        .map(|role| Role::parse(role).unwrap())
        .to_vec();
    world
        .tessera
        .create_user(&Actor::Operator, &tenant, command)
        .await
        .unwrap();
    let grant = world.try_log_in("grace", PASSWORD).await.unwrap();
    let caller = world.caller(&grant).await;
    assert_eq!(caller.tenant, tenant);
    assert_eq!(caller.user, grant.user);
    assert_eq!(caller.session, grant.session);
    let claims = caller.claims;
    assert_eq!(
        (claims.user, claims.session),
        (grant.user.id, grant.session.id)
    );
    assert_eq!(claims.user_id, grant.user.id.to_string());
    assert_eq!(claims.email.as_deref(), Some("Grace@Example.com"));
    assert_eq!(claims.username.as_deref(), Some("Grace"));
    assert_eq!(claims.roles, ["platform-admin", "editor"]);
    assert_eq!(claims.tenant_id, tenant.id.to_string());
    assert_eq!(claims.tenant_schema, tenant.schema);
    assert_eq!(claims.issued_at, world.now());
    assert_eq!(claims.expires_at, world.now() + grant.expires_in);
}

#[tokio::test]
async fn a_validation_writes_nothing_and_verifies_no_password() {
    let world = World::new().await;
    let grant = world.log_in().await;
    let (_, done) = world.watch(world.caller(&grant)).await;
    assert_eq!((done.commits, done.verified, done.events.len()), (0, 0, 0));
}

#[tokio::test]
async fn an_access_token_ends_with_its_time() {
    let world = World::new().await;
    let grant = world.log_in().await;
    world.wait(15 * 60 - 1);
    world.caller(&grant).await;
    world.wait(1);
    assert_invalid(&world, &grant.access, &TenantHints::default()).await;
    world.refresh(&grant).await.unwrap();
}

#[tokio::test]
async fn a_token_is_refused_at_once_when_its_session_ended() {
    let world = World::new().await;
    let tenant = world.tenant().await;
    let ada = world.ada().await;
    let tessera = Arc::clone(&world.tessera);

    let grant = world.log_in().await;
    world.caller(&grant).await;
    world.log_out(Some(&grant), None).await.unwrap();
    world.assert_dead(&grant).await;

    let grant = world.log_in().await;
    let caller = world.caller(&grant).await;
    tessera.log_out_everywhere(&caller).await.unwrap();
    world.assert_dead(&grant).await;

    let grant = world.log_in().await;
    tessera.log_out_user(&tenant, ada.id).await.unwrap();
    world.assert_dead(&grant).await;

    let grant = world.log_in().await;
    tessera.disable_user(&tenant, ada.id).await.unwrap();
    world.assert_dead(&grant).await;
    tessera.enable_user(&tenant, ada.id).await.unwrap();
    world.assert_dead(&grant).await;

    let [grant, own] = [world.log_in().await, world.log_in().await];
    let (old, new) = (typed(PASSWORD), typed(OTHER));
    let command = ChangePassword { old, new };
    let caller = world.caller(&own).await;
    tessera.change_password(&caller, command).await.unwrap();
    world.assert_dead(&grant).await;

    let password = typed(PASSWORD);
    tessera
        .set_password(&tenant, ada.id, password)
        .await
        .unwrap();
    world.assert_dead(&own).await;

    let grant = world.log_in().await;
    world.refresh(&grant).await.unwrap();
    world.wait(10);
    world.refresh(&grant).await.unwrap_err();
    world.assert_dead(&grant).await;
}

#[tokio::test]
async fn a_user_whom_the_store_has_as_disabled_has_no_live_session() {
    let world = World::new().await;
    let grant = world.log_in().await;
    let disabled = User {
        status: UserStatus::Disabled,
        ..world.ada().await
    };
    let changes = Changes {
        users: vec![Change::Update(disabled)],
        ..Changes::default()
    };
    let tenant = world.tenant().await;
    world.store.commit(&tenant, changes).await.unwrap();
    world.assert_dead(&grant).await;
}

#[tokio::test]
async fn hints_at_another_tenant_contradict_the_token() {
    let world = World::new().await;
    world.create_tenant("Acme", &["acme.example"]).await;
    let grant = world.log_in().await;
    for hints in [
        at_host("acme.example"),
        explicit(&["Acme"]),
        explicit(&["nowhere"]),
    ] {
        assert_invalid(&world, &grant.access, &hints).await;
    }
    let apart = explicit(&["public", "Acme"]);
    let answer = world.tessera.validate(&grant.access, &apart).await;
    assert!(matches!(answer, Err(ValidateError::Contradiction(_))));
    for hints in [explicit(&["public"]), at_host("unknown.example")] {
        world.tessera.validate(&grant.access, &hints).await.unwrap();
    }
}

#[tokio::test]
async fn a_session_of_one_tenant_is_not_that_of_another() {
    let world = World::new().await;
    let acme = world.create_tenant("Acme", &["acme.example"]).await;
    let caller = world.caller(&world.log_in().await).await;
    let own = caller.claims;
    let moved = [
        AccessClaims {
            tenant_id: acme.shown_id(),
            ..own.clone()
        },
        AccessClaims {
            tenant_schema: acme.schema.clone(),
            ..own.clone()
        },
        AccessClaims {
            user: Id::new(world.now(), [3; 10]),
            ..own
        },
    ];
    for claims in moved {
        let tokens = &world.tessera.ports().tokens;
        let token = tokens.sign_access(&claims, world.now()).unwrap();
        assert_invalid(&world, &token, &TenantHints::default()).await;
    }
}

#[tokio::test]
async fn only_an_access_token_is_taken() {
    let world = World::new().await;
    let [grant, other] = [world.log_in().await, world.log_in().await];
    let refresh = grant.refresh.clone().unwrap();
    let (signed, _) = grant.access.rsplit_once('.').unwrap();
    let (_, signature) = other.access.rsplit_once('.').unwrap();
    for token in [
        refresh.as_str(),
        "",
        "a.b.c",
        &format!("{signed}.{signature}"),
        &format!("{signed}."),
        &format!(" {}", grant.access),
    ] {
        assert_invalid(&world, token, &TenantHints::default()).await;
    }
}

#[tokio::test]
async fn a_token_of_a_key_that_another_process_made_is_good_at_once() {
    let world = World::new().await;
    let other = world.restarted().await;
    world.wait(1);
    other.tessera.rotate_keys(RotateKeys::AtOnce).await.unwrap();
    let grant = other.log_in().await;
    world.caller(&grant).await;
}

#[tokio::test]
async fn of_many_tokens_of_a_key_that_another_process_made_none_is_refused() {
    let world = World::new().await;
    let other = world.restarted().await;
    world.wait(1);
    other.tessera.rotate_keys(RotateKeys::AtOnce).await.unwrap();
    let grant = other.log_in().await;
    let answers = join_all((0..16).map(|_| world.validate(&grant))).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
}

#[tokio::test]
async fn tokens_of_unknown_keys_that_come_together_share_a_read_of_the_key_ring() {
    let world = World::new().await;
    let stranger = World::new().await;
    let forged = stranger.log_in().await.access;
    let before = world.store.key_reads();
    let hints = TenantHints::default();
    join_all((0..32).map(|_| assert_invalid(&world, &forged, &hints))).await;
    let reads = world.store.key_reads() - before;
    assert!((1..=2).contains(&reads), "{reads} reads");
}

#[tokio::test]
async fn without_store_or_keys_nothing_is_told_of_a_token() {
    let world = World::new().await;
    let grant = world.log_in().await;
    let answer = world.another_process().validate(&grant).await;
    assert!(matches!(answer, Err(ValidateError::NotReady)));
    world.store.memory().unavailable(true);
    let answer = world.validate(&grant).await;
    assert!(matches!(answer, Err(ValidateError::Unavailable(_))));
}

async fn assert_invalid(world: &World, token: &str, hints: &TenantHints) {
    let answer = world.tessera.validate(token, hints).await;
    assert!(matches!(answer, Err(ValidateError::Invalid)), "{answer:?}");
}
