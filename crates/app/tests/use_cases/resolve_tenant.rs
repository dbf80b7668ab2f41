//! Which tenant a log in is for.

use tessera_app::{Grant, LogInError, TenantHints};
use tessera_domain::{Contradiction, LoginFailure};

use crate::world::{PASSWORD, WRONG, World, at_host, command, explicit};

#[tokio::test]
async fn an_explicit_tenant_is_named_by_its_name_or_its_schema_in_any_case() {
    let world = two_tenants().await;
    for name in [
        "Acme Corp",
        "ACME CORP",
        " acme corp ",
        "acme_corp",
        "Acme_Corp",
    ] {
        let grant = log_in(&world, "ada", explicit(&[name])).await.unwrap();
        assert_eq!(grant.tenant.name.as_str(), "Acme Corp", "{name:?}");
    }
}

#[tokio::test]
async fn explicit_hints_may_say_the_same_in_two_ways_or_nothing() {
    let world = two_tenants().await;
    let both = explicit(&["acme_corp", "Acme Corp"]);
    let grant = log_in(&world, "ada", both).await.unwrap();
    assert_eq!(grant.tenant.name.as_str(), "Acme Corp");
    let empty = explicit(&["", " "]);
    assert!(
        log_in(&world, "ada", empty)
            .await
            .unwrap()
            .tenant
            .is_default()
    );
}

#[tokio::test]
async fn explicit_hints_that_contradict_each_other_cost_nothing() {
    let world = two_tenants().await;
    for hints in [
        explicit(&["Acme Corp", "public"]),
        explicit(&["Acme Corp", "nowhere"]),
        explicit(&["nowhere", "neverwhere"]),
    ] {
        let (answer, done) = world.watch(log_in(&world, "ada", hints)).await;
        assert!(matches!(
            answer,
            Err(LogInError::Contradiction(Contradiction::Explicit))
        ));
        assert_eq!((done.verified, done.commits), (0, 0));
    }
}

#[tokio::test]
async fn the_domain_of_an_address_picks_the_tenant() {
    let world = two_tenants().await;
    for login in ["ada@acme.example", "Ada@ACME.example."] {
        let grant = world.try_log_in(login, PASSWORD).await.unwrap();
        assert_eq!(grant.tenant.name.as_str(), "Acme Corp");
    }
}

#[tokio::test]
async fn a_tenants_address_has_no_second_try_in_the_default_tenant() {
    let world = two_tenants().await;
    let default = world.tenant().await;
    world.create_user(&default, "bob@acme.example", "bob").await;
    let answer = world.try_log_in("bob@acme.example", PASSWORD).await;
    assert!(matches!(answer, Err(LogInError::InvalidCredentials)));
    world.try_log_in("bob", PASSWORD).await.unwrap();
}

#[tokio::test]
async fn the_host_of_a_tenant_picks_it_and_that_of_the_default_one_does_not() {
    let world = two_tenants().await;
    world.add_domain("public", "login.example").await.unwrap();
    for (login, host, tenant) in [
        ("ada", "acme.example", "Acme Corp"),
        ("ada", "ACME.example.:8443", "Acme Corp"),
        ("ada", "login.example", "public"),
        ("ada", "unknown.example", "public"),
        ("ada", "not a host", "public"),
        ("ada@example.com", "login.example", "public"),
        ("ada@acme.example", "login.example", "Acme Corp"),
        ("ada@acme.example", "acme.example", "Acme Corp"),
    ] {
        let grant = log_in(&world, login, at_host(host)).await.unwrap();
        assert_eq!(grant.tenant.name.as_str(), tenant, "{login} at {host}");
    }
}

#[tokio::test]
async fn what_is_explicit_goes_before_host_and_address() {
    let world = two_tenants().await;
    let default = world.tenant().await;
    world.create_user(&default, "bob@acme.example", "bob").await;
    let hints = TenantHints {
        host: Some("acme.example".to_owned()),
        ..explicit(&["public"])
    };
    let grant = log_in(&world, "bob@acme.example", hints).await.unwrap();
    assert!(grant.tenant.is_default());
}

#[tokio::test]
async fn one_name_in_two_tenants_is_two_accounts() {
    let world = two_tenants().await;
    let there = explicit(&["Acme Corp"]);
    for _ in 0..5 {
        let mut command = command("ada", WRONG);
        command.hints = there.clone();
        world.tessera.log_in(command).await.unwrap_err();
    }
    log_in(&world, "ada", there).await.unwrap_err();
    let grant = world.log_in().await;
    assert!(grant.tenant.is_default());
    assert_eq!(world.ada().await.lockout.failures, 0);
}

#[tokio::test]
async fn a_failure_in_an_unknown_tenant_is_recorded_in_the_default_one() {
    let world = two_tenants().await;
    let hints = explicit(&["nowhere"]);
    let (_, done) = world.watch(log_in(&world, "ada", hints)).await;
    assert_eq!(done.events[0].event.tenant, world.tenant().await.id);
    let failed = tessera_domain::EventKind::LoginFailed {
        user: None,
        why: LoginFailure::UnknownTenant,
        ip: Some(crate::world::IP.to_owned()),
    };
    assert_eq!(done.kinds(), [failed]);
}

#[tokio::test]
async fn a_tenant_that_another_process_made_is_known_within_a_second() {
    let world = World::new().await;
    let hints = explicit(&["Late"]);
    log_in(&world, "ada", hints.clone()).await.unwrap_err();
    let other = world.another_process();
    let late = other.create_tenant("Late", &[]).await;
    other.create_user(&late, "ada@late.example", "ada").await;
    world.wait(1);
    log_in(&world, "ada", hints).await.unwrap();
}

#[tokio::test]
async fn a_tenant_made_here_is_known_at_once() {
    let world = World::new().await;
    let hints = explicit(&["Early"]);
    log_in(&world, "ada", hints.clone()).await.unwrap_err();
    let early = world.create_tenant("Early", &[]).await;
    world.create_user(&early, "ada@early.example", "ada").await;
    log_in(&world, "ada", hints).await.unwrap();
}

#[tokio::test]
async fn a_request_counts_for_the_tenant_that_was_seen_and_else_for_the_default_one() {
    let world = two_tenants().await;
    let default = world.tenant().await;
    let acme = world.stored_tenant("Acme Corp").await.id;
    let cases = [
        (explicit(&["Acme Corp"]), "ada", acme),
        (explicit(&["acme_corp"]), "ada", acme),
        (at_host("acme.example"), "ada", acme),
        (TenantHints::default(), "ada@acme.example", acme),
        (explicit(&["public"]), "ada@acme.example", default.id),
        (TenantHints::default(), "ada", default.id),
        (explicit(&["nowhere"]), "ada", default.id),
        (explicit(&["nowhere", "Acme Corp"]), "ada", default.id),
    ];
    let another = world.another_process();
    for (hints, login, _) in &cases {
        let seen = another.tessera.tenant_last_seen(hints, login);
        assert_eq!(seen, None, "{hints:?} {login}");
    }
    // Whatever becomes of a log in, its tenant is looked up.
    let _ = log_in(&another, "ada", TenantHints::default()).await;
    for (hints, login, _) in &cases {
        let seen = another.tessera.tenant_last_seen(hints, login);
        assert_eq!(seen, Some(default.id), "{hints:?}");
    }
    for (hints, login, tenant) in cases {
        let _ = log_in(&another, login, hints.clone()).await;
        another.wait(100);
        let seen = another.tessera.tenant_last_seen(&hints, login);
        assert_eq!(seen, Some(tenant), "{hints:?} {login}");
    }
}

/// The default tenant and `Acme Corp`, each with a user `ada`.
async fn two_tenants() -> World {
    let world = World::new().await;
    let acme = world.create_tenant("Acme Corp", &["acme.example"]).await;
    world.create_user(&acme, "ada@acme.example", "ada").await;
    world
}

async fn log_in(world: &World, login: &str, hints: TenantHints) -> Result<Grant, LogInError> {
    let mut command = command(login, PASSWORD);
    command.hints = hints;
    world.tessera.log_in(command).await
}
