//! Tenants: made once, with their domains.

use tessera_app::{
    AdministerTenantError, CreateTenant, CreateTenantError, TenantAdministration, Unique,
};
use tessera_domain::{EventKind, SchemaName, Subject, Tenant, TenantName};

use crate::world::{World, host};

#[tokio::test]
async fn a_tenant_is_made_with_its_domains_and_all_of_it_is_told() {
    let world = World::new().await;
    let making = world.create_tenant("Acme Corp", &["acme.example", "ACME.example", "b.example"]);
    let (tenant, done) = world.watch(making).await;
    assert_eq!(tenant, world.stored_tenant("Acme Corp").await);
    assert_eq!(tenant.schema.as_str(), "acme_corp");
    let primary: Vec<bool> = tenant.domains.iter().map(|domain| domain.primary).collect();
    assert_eq!(primary, [true, false]);
    let created = EventKind::TenantCreated {
        name: "Acme Corp".to_owned(),
        schema: "acme_corp".to_owned(),
    };
    let [a, b] = ["acme.example", "b.example"].map(|domain| EventKind::TenantDomainAdded {
        domain: domain.to_owned(),
    });
    assert_eq!(done.kinds(), [created, a, b]);
    assert_eq!(done.subjects(), [Subject::Tenant(tenant.id); 3]);
    assert!(
        done.events
            .iter()
            .all(|logged| logged.event.tenant == tenant.id)
    );
    assert_eq!(done.commits, 1);
    world.assert_events_are_gapless();
}

#[tokio::test]
async fn a_schema_name_that_is_given_counts() {
    let world = World::new().await;
    let command = CreateTenant {
        schema: SchemaName::parse("other").ok(),
        ..command("Acme", &[])
    };
    let tenant = world.make(command).await.unwrap();
    assert_eq!(tenant.schema.as_str(), "other");
}

#[tokio::test]
async fn a_name_that_suggests_no_schema_name_needs_one() {
    let world = World::new().await;
    for name in ["pg_acme", "Tessera", &"x".repeat(64)] {
        let answer = world.make(command(name, &[])).await;
        assert!(
            matches!(answer, Err(CreateTenantError::NoSchema(_))),
            "{answer:?}"
        );
    }
}

#[tokio::test]
async fn names_schema_names_and_domains_belong_to_one_tenant() {
    let world = World::new().await;
    world.create_tenant("Acme Corp", &["acme.example"]).await;
    let schema = |name: &str, schema: &str| CreateTenant {
        schema: SchemaName::parse(schema).ok(),
        ..command(name, &[])
    };
    for (command, taken) in [
        (command("Acme Corp", &[]), Unique::Tenant),
        (schema("ACME corp", "other"), Unique::Tenant),
        (schema("acme_corp", "other"), Unique::Tenant),
        (schema("Other", "Acme_Corp"), Unique::Tenant),
        (schema("Public", "other"), Unique::Tenant),
        (command("Other", &["Acme.example."]), Unique::Domain),
    ] {
        let (answer, done) = world.watch(world.make(command)).await;
        let Err(CreateTenantError::Duplicate(what)) = answer else {
            panic!("{answer:?}");
        };
        assert_eq!(what, taken);
        assert_eq!((done.commits, done.events.len()), (0, 0));
    }
    assert_eq!(world.tessera.tenants().await.unwrap().len(), 2);
}

#[tokio::test]
async fn tenants_are_listed_by_schema_name() {
    let world = World::new().await;
    world.create_tenant("Zebra", &[]).await;
    world.create_tenant("Acme", &[]).await;
    let tenants = world.tessera.tenants().await.unwrap();
    let names: Vec<&str> = tenants.iter().map(|tenant| tenant.name.as_str()).collect();
    assert_eq!(names, ["Acme", "public", "Zebra"]);
}

#[tokio::test]
async fn a_domain_is_added_once() {
    let world = World::new().await;
    world.create_tenant("Acme", &[]).await;
    let adding = world.add_domain("acme", "acme.example");
    let (added, done) = world.watch(adding).await;
    assert_eq!(added.unwrap().tenant, world.stored_tenant("Acme").await);
    assert_eq!(done.names(), ["TenantDomainAdded"]);
    let adding = world.add_domain("ACME", "acme.example");
    let (again, done) = world.watch(adding).await;
    assert_eq!(again.unwrap().tenant, world.stored_tenant("Acme").await);
    assert_eq!((done.commits, done.events.len()), (0, 0));
    world.assert_events_are_gapless();
}

#[tokio::test]
async fn a_domain_of_another_tenant_is_not_added() {
    let world = World::new().await;
    world.create_tenant("Acme", &["acme.example"]).await;
    let answer = world.add_domain("public", "acme.example").await;
    assert!(matches!(
        answer,
        Err(AdministerTenantError::Duplicate(Unique::Domain))
    ));
    let answer = world.add_domain("nowhere", "a.example").await;
    assert!(matches!(answer, Err(AdministerTenantError::NotFound)));
    let answer = world.add_domain("\0", "a.example").await;
    assert!(matches!(answer, Err(AdministerTenantError::NotFound)));
}

#[tokio::test]
async fn a_domain_names_the_users_of_the_default_tenant_that_it_hides() {
    let world = World::new().await;
    let default = world.tenant().await;
    let hidden = world
        .create_user(&default, "bob@Bücher.example", "bob")
        .await;
    world
        .create_user(&default, "eve@sub.bücher.example", "eve")
        .await;
    world.create_tenant("Books", &[]).await;
    for _ in 0..2 {
        let added = world.add_domain("Books", "BÜCHER.example").await.unwrap();
        assert_eq!(added.hidden, std::slice::from_ref(&hidden));
    }
    let own = world.add_domain("public", "example.com").await;
    assert!(own.unwrap().hidden.is_empty());
}

#[tokio::test]
async fn two_domains_added_at_once_are_both_there() {
    let world = World::new().await;
    world.create_tenant("Acme", &[]).await;
    let other = world.another_process();
    world.store.before_next_commit(async move {
        other.add_domain("Acme", "a.example").await.unwrap();
    });
    let added = world.add_domain("Acme", "b.example").await.unwrap();
    let hosts: Vec<&str> = added
        .tenant
        .domains
        .iter()
        .map(|domain| domain.host.as_str())
        .collect();
    assert_eq!(hosts, ["a.example", "b.example"]);
    world.assert_events_are_gapless();
}

#[tokio::test]
async fn a_tenant_is_found_by_name_and_schema_name() {
    let world = World::new().await;
    let acme = world.create_tenant("Acme Corp", &[]).await;
    for name in ["Acme Corp", "acme_corp", " ACME CORP "] {
        let found = world.tessera.tenant(name).await.unwrap().unwrap();
        assert_eq!(*found, acme);
    }
    for name in ["nowhere", "", "a/b"] {
        assert!(world.tessera.tenant(name).await.unwrap().is_none());
    }
}

#[tokio::test]
async fn without_the_store_no_tenant_is_made() {
    let world = World::new().await;
    world.store.memory().unavailable(true);
    let answer = world.make(command("Acme", &[])).await;
    assert!(matches!(answer, Err(CreateTenantError::Unavailable(_))));
    let answer = world.add_domain("public", "a.example").await;
    assert!(matches!(answer, Err(AdministerTenantError::Unavailable(_))));
}

fn command(name: &str, domains: &[&str]) -> CreateTenant {
    CreateTenant {
        name: TenantName::parse(name).unwrap(),
        schema: None,
        domains: domains.iter().map(|domain| host(domain)).collect(),
        layout: None,
    }
}

impl World {
    async fn make(&self, command: CreateTenant) -> Result<Tenant, CreateTenantError> {
        let of = TenantAdministration::of_operator();
        self.tessera.create_tenant(&of, command).await
    }
}
