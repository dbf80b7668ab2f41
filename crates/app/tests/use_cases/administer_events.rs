//! Who administers what, and what administrators see and do of events.

use std::sync::Arc;

use tessera_app::{
    Caller, NotPermitted, PublishersError, Purview, Receipt, Relay, RelaySettings, RetryEventError,
};
use tessera_domain::{Id, RetryPolicy, Role, Tenant, User};
use tessera_memory::MemoryPublisher;

use crate::world::{PASSWORD, World};

#[tokio::test]
async fn a_platform_administrator_of_the_default_tenant_has_the_whole_installation() {
    let caller = caller(&World::new().await).await;
    assert_eq!(
        purview(&caller, &["platform-admin"]),
        Ok(Purview::Installation)
    );
    let both = purview(&caller, &["editor", "tenant-admin", "platform-admin"]);
    assert_eq!(both, Ok(Purview::Installation));
}

#[tokio::test]
async fn a_tenant_administrator_has_the_own_tenant_the_default_one_too() {
    let world = World::new().await;
    for caller in [caller(&world).await, caller_elsewhere(&world).await] {
        let own = Ok(Purview::Tenant(caller.tenant.id));
        assert_eq!(purview(&caller, &["tenant-admin"]), own);
    }
}

#[tokio::test]
async fn platform_administrator_is_no_role_in_another_tenant() {
    let caller = caller_elsewhere(&World::new().await).await;
    assert_eq!(purview(&caller, &["platform-admin"]), Err(NotPermitted));
    let both = purview(&caller, &["platform-admin", "tenant-admin"]);
    assert_eq!(both, Ok(Purview::Tenant(caller.tenant.id)));
}

#[tokio::test]
async fn neither_another_spelling_nor_being_a_superuser_administers_anything() {
    let mut caller = caller(&World::new().await).await;
    caller.user.is_superuser = true;
    for roles in [&[][..], &["editor"], &["Platform-Admin", "tenant_admin"]] {
        assert_eq!(purview(&caller, roles), Err(NotPermitted), "{roles:?}");
    }
}

#[tokio::test]
async fn a_role_that_only_the_token_still_has_is_none() {
    let mut caller = caller(&World::new().await).await;
    caller.claims.roles = vec!["platform-admin".to_owned()];
    assert_eq!(purview(&caller, &[]), Err(NotPermitted));
}

#[tokio::test]
async fn the_pages_of_the_log_have_every_event_of_the_purview_once() {
    let world = World::new().await;
    let acme = world.create_tenant("Acme", &[]).await;
    world.create_user(&acme, "eve@example.com", "eve").await;
    let all = world.store.memory().events();
    for (purview, tenant) in [
        (Purview::Installation, None),
        (Purview::Tenant(acme.id), Some(acme.id)),
    ] {
        let within = |id: Id<Tenant>| tenant.is_none_or(|tenant| tenant == id);
        let expected: Vec<u64> = all
            .iter()
            .filter(|logged| within(logged.event.tenant))
            .map(|logged| logged.position)
            .collect();
        for limit in [1, 2, expected.len(), 100] {
            assert_eq!(positions(&world, purview, limit).await, expected, "{limit}");
        }
    }
}

#[tokio::test]
async fn a_page_of_what_waits_never_ends_amid_an_event() {
    let world = World::new().await;
    let acme = world.create_tenant("Acme", &[]).await;
    for publisher in ["first", "second", "third"] {
        world.tessera.ports().log.enrol(publisher).await.unwrap();
    }
    for name in ["eve", "bob"] {
        world
            .create_user(&acme, &format!("{name}@example.com"), name)
            .await;
    }
    let held = || Receipt::Held("no route".to_owned());
    turn_away(&world, "first", held()).await;
    turn_away(&world, "second", held()).await;
    let [eve, bob] = last_two(&world);
    for limit in [1, 2, 3] {
        let first = waiting(&world, 0, limit).await;
        assert_eq!(first, (vec![eve, eve], Some(eve)), "{limit}");
        assert_eq!(waiting(&world, eve, limit).await, (vec![bob, bob], None));
    }
    assert_eq!(
        waiting(&world, 0, 4).await,
        (vec![eve, eve, bob, bob], None)
    );
    let elsewhere = Purview::Tenant(world.tenant().await.id);
    let none = world.tessera.waiting_events(elsewhere, 0, 4).await.unwrap();
    assert_eq!(none.events, []);
}

#[tokio::test]
async fn the_figures_of_publishers_are_for_the_installation_alone() {
    let world = World::new().await;
    world.tessera.ports().log.enrol("first").await.unwrap();
    let shown = world.tessera.publishers(Purview::Installation).await;
    assert_eq!(shown.unwrap()[0].publisher, "first");
    let own = Purview::Tenant(world.tenant().await.id);
    let refused = world.tessera.publishers(own).await;
    assert!(matches!(refused, Err(PublishersError::NotPermitted(_))));
}

#[tokio::test]
async fn a_parked_event_is_retried_once_and_by_its_own_tenant() {
    let world = World::new().await;
    let acme = world.create_tenant("Acme", &[]).await;
    for publisher in ["first", "second"] {
        world.tessera.ports().log.enrol(publisher).await.unwrap();
    }
    world.create_user(&acme, "eve@example.com", "eve").await;
    for publisher in ["first", "second"] {
        let rejected = Receipt::Rejected("too large".to_owned());
        turn_away(&world, publisher, rejected).await;
    }
    let parked = world.store.memory().events().pop().unwrap().event.id;
    let retry = async |purview| world.tessera.retry_event(purview, parked).await;
    let elsewhere = retry(Purview::Tenant(world.tenant().await.id)).await;
    assert!(matches!(elsewhere, Err(RetryEventError::NotParked)));
    assert_eq!(retry(Purview::Tenant(acme.id)).await.unwrap(), 2);
    let again = retry(Purview::Installation).await;
    assert!(matches!(again, Err(RetryEventError::NotParked)));
}

/// What a user with these roles, and else as the caller is, administers.
fn purview(caller: &Caller, roles: &[&str]) -> Result<Purview, NotPermitted> {
    let roles = roles.iter().map(|role| Role::parse(role).unwrap());
    Purview::of(&Caller {
        user: User {
            roles: roles.collect(),
            ..caller.user.clone()
        },
        ..caller.clone()
    })
}

async fn caller(world: &World) -> Caller {
    world.caller(&world.log_in().await).await
}

async fn caller_elsewhere(world: &World) -> Caller {
    let acme = world.create_tenant("Acme", &["acme.example"]).await;
    world.create_user(&acme, "eve@acme.example", "eve").await;
    let grant = world.try_log_in("eve@acme.example", PASSWORD).await;
    world.caller(&grant.unwrap()).await
}

/// The positions of all events, page by page.
async fn positions(world: &World, purview: Purview, limit: usize) -> Vec<u64> {
    let (mut all, mut after) = (Vec::new(), 0);
    loop {
        let page = world.tessera.event_page(purview, after, limit).await;
        let page = page.unwrap();
        assert!(page.events.len() <= limit);
        all.extend(page.events.iter().map(|event| event.position));
        match page.next {
            Some(next) => after = next,
            None => return all,
        }
    }
}

async fn waiting(world: &World, after: u64, limit: usize) -> (Vec<u64>, Option<u64>) {
    let purview = Purview::Installation;
    let page = world.tessera.waiting_events(purview, after, limit).await;
    let page = page.unwrap();
    let positions = page.events.iter().map(|waiting| waiting.event.position);
    (positions.collect(), page.next)
}

/// Lets a publisher try all that is new, and turn it away.
async fn turn_away(world: &World, publisher: &'static str, receipt: Receipt) {
    let ports = world.tessera.ports();
    let broker = MemoryPublisher::new(publisher);
    broker.answer(move |_| receipt.clone());
    let mut relay = Relay::new(
        Arc::clone(&ports.log),
        Arc::new(broker),
        Arc::clone(&ports.clock),
        Arc::clone(&ports.entropy),
        Id::new(world.now(), [1; 10]),
        RelaySettings {
            retry: RetryPolicy {
                rejections: 1,
                ..RetryPolicy::default()
            },
            ..RelaySettings::default()
        },
    );
    relay.step().await.unwrap();
}

fn last_two(world: &World) -> [u64; 2] {
    let all = world.store.memory().events();
    let positions: Vec<u64> = all.iter().map(|logged| logged.position).collect();
    *positions.last_chunk().unwrap()
}
