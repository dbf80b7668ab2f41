//! Who did what, as the use cases record it and administrators read it.

use core::slice;
use core::time::Duration;

use tessera_app::{
    AuditEntry, AuditError, AuditQuery, ChangePassword, Purview, RotateKeys, TenantHints,
};
use tessera_domain::{Actor, Tenant, User};

use crate::world::{IP, OTHER, PASSWORD, WRONG, World, ip, typed};

#[tokio::test]
async fn each_event_has_its_entry() {
    let world = World::new().await;
    let grant = world.log_in().await;
    let _ = world.try_log_in("ada", WRONG).await;
    world.log_out(Some(&grant), None).await.unwrap();
    let logged = world.store.memory().events();
    let mut entries = entries(&world, AuditQuery::default()).await;
    entries.sort_by_key(|entry| {
        let of = logged.iter().find(|logged| logged.event.id == entry.id);
        of.unwrap().position
    });
    assert_eq!(entries.len(), logged.len());
    for (entry, logged) in entries.iter().zip(logged) {
        assert_eq!(
            (entry.at, entry.tenant),
            (logged.event.at, logged.event.tenant)
        );
        assert_eq!(entry.event_type, logged.encoded.event_type);
        assert_eq!(entry.subject, logged.encoded.subject);
        assert_eq!(entry.user, logged.event.fact.user());
    }
}

#[tokio::test]
async fn a_start_is_the_services_own_doing() {
    let world = World::new().await;
    for made in ["TenantCreated", "SigningKeyRotated"] {
        assert_eq!(actors(&world, made).await[0], Actor::Service);
    }
}

#[tokio::test]
async fn who_logs_in_is_the_user_and_who_fails_to_is_nobody_known() {
    let world = World::new().await;
    let _ = world.try_log_in("ada", WRONG).await;
    let _ = world.try_log_in("nobody", WRONG).await;
    world.log_in().await;
    let stranger = Actor::Anybody {
        ip: Some(IP.to_owned()),
    };
    let failed = actors(&world, "LoginFailed").await;
    assert_eq!(failed, [stranger.clone(), stranger]);
    let ada = ada(&world).await;
    assert_eq!(actors(&world, "UserLoggedIn").await, [ada]);
}

#[tokio::test]
async fn who_locks_an_account_is_nobody_known() {
    let world = World::new().await;
    for _ in 0..20 {
        let _ = world.try_log_in("ada", WRONG).await;
    }
    let ip = Some(IP.to_owned());
    let locked = actors(&world, "UserLocked").await;
    assert_eq!(locked, [Actor::Anybody { ip }]);
}

#[tokio::test]
async fn whoever_has_a_token_ends_sessions_as_the_user() {
    let world = World::new().await;
    let ada = ada(&world).await;
    let [first, second, third] = [
        world.log_in().await,
        world.log_in().await,
        world.log_in().await,
    ];
    world.log_out(None, Some(&first)).await.unwrap();
    let mut caller = world.caller(&third).await;
    caller.ip = Some(ip());
    let ended = world.tessera.end_session(&caller, second.session.id);
    ended.await.unwrap();
    world.tessera.log_out_everywhere(&caller).await.unwrap();
    let by = actors(&world, "SessionEnded").await;
    assert_eq!(by, [ada.clone(), ada.clone(), ada]);
}

#[tokio::test]
async fn a_password_is_changed_by_its_user_also_when_it_is_guessed_in_vain() {
    let world = World::new().await;
    let ada = ada(&world).await;
    let [grant, guessed] = [world.log_in().await, world.log_in().await];
    let change = async |grant, old| {
        let mut caller = world.caller(grant).await;
        caller.ip = Some(ip());
        let command = ChangePassword {
            old: typed(old),
            new: typed(OTHER),
        };
        world.tessera.change_password(&caller, command).await
    };
    for _ in 0..5 {
        assert!(change(&guessed, WRONG).await.is_err());
    }
    assert_eq!(actors(&world, "SessionEnded").await, slice::from_ref(&ada));
    change(&grant, PASSWORD).await.unwrap();
    assert_eq!(actors(&world, "PasswordChanged").await, [ada]);
}

#[tokio::test]
async fn who_uses_a_replaced_token_again_is_nobody_known() {
    let world = World::new().await;
    let grant = world.log_in().await;
    let used = grant.refresh.clone().unwrap();
    let next = world.refresh(&grant).await.unwrap();
    world.refresh(&next).await.unwrap();
    let again = world.refresh_with(&used, TenantHints::default()).await;
    assert!(again.is_err());
    let stranger = Actor::Anybody {
        ip: Some(IP.to_owned()),
    };
    for told in ["RefreshReused", "SessionEnded"] {
        assert_eq!(actors(&world, told).await, slice::from_ref(&stranger));
    }
}

#[tokio::test]
async fn what_is_done_at_the_command_line_is_an_operators_doing() {
    let world = World::new().await;
    let (tenant, ada) = (world.tenant().await, world.ada().await.id);
    world.create_tenant("Acme", &["acme.example"]).await;
    world.log_in().await;
    let tessera = &world.tessera;
    tessera.log_out_user(&tenant, ada).await.unwrap();
    tessera
        .set_password(&tenant, ada, typed(OTHER))
        .await
        .unwrap();
    tessera.disable_user(&tenant, ada).await.unwrap();
    tessera.enable_user(&tenant, ada).await.unwrap();
    let key = tessera.rotate_keys(RotateKeys::AtOnce).await.unwrap();
    tessera.rotate_keys(RotateKeys::AtOnce).await.unwrap();
    tessera.retire_key(key.kid.as_str()).await.unwrap();
    for told in [
        "PasswordChanged",
        "SessionEnded",
        "SigningKeyRetired",
        "TenantDomainAdded",
        "UserCreated",
        "UserDisabled",
        "UserEnabled",
    ] {
        assert_eq!(actors(&world, told).await, [Actor::Operator], "{told}");
    }
}

#[tokio::test]
async fn a_refused_commit_leaves_no_entry_and_a_rotation_has_none() {
    let world = World::new().await;
    let grant = world.log_in().await;
    let before = entries(&world, AuditQuery::default()).await;
    world.refresh(&grant).await.unwrap();
    world.store.memory().stale_next_commits(100);
    assert!(world.try_log_in("ada", PASSWORD).await.is_err());
    assert_eq!(entries(&world, AuditQuery::default()).await, before);
}

#[tokio::test]
async fn the_pages_have_every_entry_of_the_purview_once() {
    let world = World::new().await;
    let acme = world.create_tenant("Acme", &[]).await;
    world.create_user(&acme, "eve@example.com", "eve").await;
    let everything = entries(&world, AuditQuery::default()).await;
    for (purview, tenant) in [
        (Purview::Installation, None),
        (Purview::Tenant(acme.id), Some(acme.id)),
    ] {
        let within = |entry: &&AuditEntry| tenant.is_none_or(|tenant| tenant == entry.tenant);
        let expected: Vec<_> = everything.iter().filter(within).cloned().collect();
        for limit in [1, 2, expected.len(), 100] {
            let (mut paged, mut before) = (Vec::new(), None);
            loop {
                let query = AuditQuery {
                    before,
                    limit,
                    ..AuditQuery::default()
                };
                let page = world.tessera.audit_page(purview, None, query).await;
                let page = page.unwrap();
                paged.extend(page.entries);
                before = page.next;
                if before.is_none() {
                    break;
                }
            }
            assert_eq!(paged, expected, "{limit}");
        }
    }
}

#[tokio::test]
async fn the_administrator_of_a_tenant_is_told_alike_of_another_one_and_of_none() {
    let world = World::new().await;
    let [acme, other] = [
        world.create_tenant("Acme", &[]).await,
        world.create_tenant("Others", &[]).await,
    ];
    let page = async |purview, tenant: &str| {
        let query = AuditQuery {
            limit: 100,
            ..AuditQuery::default()
        };
        let page = world.tessera.audit_page(purview, Some(tenant), query).await;
        page.map(|page| page.entries)
    };
    let of_acme = Purview::Tenant(acme.id);
    for foreign in ["Others", &other.id.to_string(), "public", "nowhere", "?"] {
        let answer = page(of_acme, foreign).await;
        assert!(
            matches!(answer, Err(AuditError::NotPermitted(_))),
            "{foreign}"
        );
    }
    for own in ["Acme", "acme", &acme.id.to_string()] {
        for purview in [of_acme, Purview::Installation] {
            let shown = page(purview, own).await.unwrap();
            assert_eq!(shown.len(), 1);
            assert_eq!(shown[0].tenant, acme.id);
        }
    }
    for unknown in ["nowhere", "?", "019ac0de-7b1a-7c3e-9f00-3f2a6b1c9d10"] {
        let answer = page(Purview::Installation, unknown).await;
        assert!(
            matches!(answer, Err(AuditError::UnknownTenant)),
            "{unknown}"
        );
    }
}

#[tokio::test]
async fn what_is_old_expires_until_nothing_of_it_is_left() {
    let world = World::new().await;
    for _ in 0..2_100 {
        let _ = world.try_log_in("nobody", WRONG).await;
    }
    world.wait(60);
    let kept = world.now();
    world.log_in().await;
    let mut steps = 0;
    while world.tessera.expire_audit(kept).await.unwrap() {
        steps += 1;
    }
    assert_eq!(steps, 2);
    let left = entries(&world, AuditQuery::default()).await;
    let types: Vec<_> = left.iter().map(|entry| &*entry.event_type).collect();
    assert_eq!(types, ["UserLoggedIn"]);
    assert!(world.store.memory().events().len() > 2_000);
}

#[tokio::test]
async fn without_the_store_nothing_is_shown() {
    let world = World::new().await;
    world.store.memory().unavailable(true);
    let page = world
        .tessera
        .audit_page(Purview::Installation, None, AuditQuery::default());
    assert!(matches!(page.await, Err(AuditError::Unavailable(_))));
    let expired = world.tessera.expire_audit(world.now() + Duration::MAX);
    assert!(expired.await.is_err());
}

/// Who did what is of that type, the first first.
async fn actors(world: &World, event_type: &str) -> Vec<Actor> {
    let query = AuditQuery {
        event_type: Some(event_type.to_owned()),
        ..AuditQuery::default()
    };
    let mut found = entries(world, query).await;
    found.reverse();
    found.into_iter().map(|entry| entry.actor).collect()
}

async fn entries(world: &World, query: AuditQuery) -> Vec<AuditEntry> {
    let query = AuditQuery {
        limit: usize::MAX,
        ..query
    };
    world.tessera.ports().audit.entries(&query).await.unwrap()
}

/// The account `ada` as one who calls from where all do.
async fn ada(world: &World) -> Actor {
    let (tenant, user): (Tenant, User) = (world.tenant().await, world.ada().await);
    Actor::User {
        id: user.id,
        tenant: tenant.id,
        ip: Some(IP.to_owned()),
    }
}
