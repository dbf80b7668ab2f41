//! How tenants are kept and found.

use tessera_app::{Store, TenantKey, Unique};
use tessera_domain::{
    Change, HostName, SchemaName, Tenant, TenantDomain, TenantLayout, TenantName, TenantStatus,
};

use crate::fixture::{tenants, users};
use crate::{Fixture, values};

pub(super) async fn a_fresh_store_is_ready_and_empty(fixture: &Fixture) {
    fixture.store.check().await.unwrap();
    assert!(fixture.store.tenants().await.unwrap().is_empty());
    assert!(fixture.store.keys().await.unwrap().is_empty());
    assert!(fixture.store.installation().await.unwrap().is_none());
    assert!(fixture.events().await.is_empty());
}

pub(super) async fn a_tenant_is_found_by_its_id_its_name_its_schema_and_its_domains(
    fixture: &Fixture,
) {
    let acme = fixture
        .inserted_tenant(Tenant {
            domains: vec![
                values::domain("acme.example", true),
                values::domain("acme.test", false),
            ],
            ..values::tenant_in("Größe AG", schema("acme"))
        })
        .await;
    let other = fixture
        .inserted_tenant(Tenant {
            domains: vec![values::domain("example.com", true)],
            ..values::tenant("Other")
        })
        .await;
    let store = &*fixture.store;
    let name = TenantName::parse("GRÖSSE AG").unwrap().key();
    for key in [
        TenantKey::Id(acme.id),
        TenantKey::Name(name),
        TenantKey::Name(schema("ACME").key()),
        host("acme.example"),
        host("acme.test"),
    ] {
        assert_eq!(found(store, &key).await.as_ref(), Some(&acme), "{key:?}");
    }
    assert_eq!(found(store, &host("example.com")).await, Some(other));
}

pub(super) async fn what_no_tenant_is_called_finds_none(fixture: &Fixture) {
    let acme = Tenant {
        domains: vec![values::domain("acme.example", true)],
        ..values::tenant("Acme")
    };
    fixture.inserted_tenant(acme).await;
    for key in [
        TenantKey::Id(values::id(9)),
        TenantKey::Name("acm".to_owned()),
        TenantKey::Name("acme.example".to_owned()),
        TenantKey::Name(String::new()),
        TenantKey::Name("acme' or '1'='1".to_owned()),
        host("www.acme.example"),
        host("acme"),
    ] {
        assert_eq!(found(&*fixture.store, &key).await, None, "{key:?}");
    }
}

pub(super) async fn tenants_are_listed_by_schema_name(fixture: &Fixture) {
    for (name, in_schema) in [
        ("1", "b"),
        ("2", "a_2"),
        ("3", "Z"),
        ("4", "a"),
        ("5", "a-2"),
    ] {
        let tenant = values::tenant_in(name, schema(in_schema));
        fixture.inserted_tenant(tenant).await;
    }
    let tenants = fixture.store.tenants().await.unwrap();
    let listed: Vec<&str> = tenants
        .iter()
        .map(|tenant| tenant.schema.as_str())
        .collect();
    assert_eq!(listed, ["Z", "a", "a-2", "a_2", "b"]);
}

pub(super) async fn tenants_that_go_or_move_are_listed_until_they_are_gone_or_there(
    fixture: &Fixture,
) {
    let unfinished = || async { fixture.store.unfinished_tenants().await.unwrap() };
    fixture.inserted_tenant(values::full_tenant()).await;
    let mut made = Vec::new();
    for (name, in_schema) in [("1", "c"), ("2", "a"), ("3", "b")] {
        let tenant = Tenant {
            domains: vec![
                values::domain(&format!("z{name}.example"), false),
                values::domain(&format!("a{name}.example"), true),
            ],
            ..values::tenant_in(name, schema(in_schema))
        };
        made.push(fixture.inserted_tenant(tenant).await);
    }
    assert!(unfinished().await.is_empty());
    let [one, two, three] = <[Tenant; 3]>::try_from(made).unwrap();

    let here = one.layout;
    let mut all = TenantLayout::ALL.into_iter();
    let elsewhere = all.find(|layout| *layout != here).unwrap();
    let (one, _) = one.begin_move(elsewhere).unwrap();
    let (two, _) = two.begin_deletion().unwrap();
    let (three, _) = three.begin_deletion().unwrap();
    let mut left = Vec::new();
    for tenant in [two, three, one] {
        let begin = tenants([Change::Update(tenant.clone())]);
        fixture.write(&tenant, begin).await;
        left.push(fixture.find_tenant(&tenant).await.unwrap());
    }
    assert_eq!(unfinished().await, left);

    let gone = left.remove(0);
    let removed = tenants([Change::Remove(gone.id)]);
    fixture.write(&gone, removed).await;
    assert_eq!(unfinished().await, left);

    let moving = left.pop().unwrap();
    let (back, _) = moving.begin_move(here).unwrap();
    let (there, _) = back.arrive().unwrap();
    let arrive = tenants([Change::Update(there.clone())]);
    fixture.write(&there, arrive).await;
    assert_eq!(unfinished().await, left);
}

pub(super) async fn the_default_tenant_is_kept_as_any_other(fixture: &Fixture) {
    let public = values::tenant_in("public", SchemaName::of_default_tenant());
    let public = fixture.inserted_tenant(public).await;
    assert!(public.is_default());
    let key = TenantKey::Name(public.schema.key());
    assert_eq!(found(&*fixture.store, &key).await.as_ref(), Some(&public));
    let ada = fixture
        .inserted_user(&public, values::named_user(1, "ada"))
        .await;
    let session = values::session(&ada, 1);
    fixture.inserted_session(&public, session).await;
}

pub(super) async fn every_field_of_a_tenant_comes_back(fixture: &Fixture) {
    for tenant in [values::tenant("Least"), values::full_tenant()] {
        let read = fixture.inserted_tenant(tenant.clone()).await;
        let expected = Tenant {
            version: 1,
            ..tenant
        };
        assert_eq!(read, expected);
        let key = TenantKey::Name(expected.schema.key());
        assert_eq!(found(&*fixture.store, &key).await, Some(expected));
    }
}

pub(super) async fn a_tenant_is_updated_at_the_version_it_was_read_at(fixture: &Fixture) {
    let read = fixture.tenant("Acme").await;
    let (mut grown, _) = read
        .add_domain(HostName::parse("acme.example").unwrap())
        .unwrap();
    grown.name = TenantName::parse("Acme & Co").unwrap();
    grown.status = TenantStatus::Suspended;
    grown.external_id = Some("7".to_owned());
    fixture
        .write(&read, tenants([Change::Update(grown.clone())]))
        .await;
    let expected = Tenant {
        version: 2,
        ..grown.clone()
    };
    assert_eq!(fixture.find_tenant(&read).await.as_ref(), Some(&expected));

    grown.name = TenantName::parse("Too late").unwrap();
    fixture.stale(&read, tenants([Change::Update(grown)])).await;
    assert_eq!(fixture.find_tenant(&read).await, Some(expected));
}

pub(super) async fn names_and_schemas_of_tenants_are_one_namespace(fixture: &Fixture) {
    let acme = values::tenant_in("Acme", schema("acme_1"));
    fixture.inserted_tenant(acme).await;
    let other = fixture.tenant("Other").await;
    for (name, in_schema) in [
        ("ACME", "a"),
        ("b", "Acme"),
        ("ACME_1", "c"),
        ("d", "Acme_1"),
    ] {
        let tenant = values::tenant_in(name, schema(in_schema));
        let insert = tenants([Change::Insert(tenant.clone())]);
        fixture.duplicate(&tenant, insert, Unique::Tenant).await;
        assert_eq!(fixture.find_tenant(&tenant).await, None);
    }
    for name in ["ACME", "ACME_1"] {
        let renamed = Tenant {
            name: TenantName::parse(name).unwrap(),
            ..other.clone()
        };
        let update = tenants([Change::Update(renamed)]);
        fixture.duplicate(&other, update, Unique::Tenant).await;
    }
    assert_eq!(fixture.store.tenants().await.unwrap().len(), 2);
}

pub(super) async fn a_tenant_may_be_called_like_its_own_schema(fixture: &Fixture) {
    let acme = fixture
        .inserted_tenant(values::tenant_in("ACME", schema("acme")))
        .await;
    let renamed = Tenant {
        name: TenantName::parse("Acme").unwrap(),
        ..acme.clone()
    };
    fixture
        .write(&acme, tenants([Change::Update(renamed)]))
        .await;
    let key = TenantKey::Name("acme".to_owned());
    let read = found(&*fixture.store, &key).await.unwrap();
    assert_eq!(read.name.as_str(), "Acme");
}

pub(super) async fn a_name_that_a_tenant_gave_up_is_free(fixture: &Fixture) {
    let acme = fixture
        .inserted_tenant(values::tenant_in("Acme", schema("a")))
        .await;
    let renamed = Tenant {
        name: TenantName::parse("Apex").unwrap(),
        ..acme.clone()
    };
    fixture
        .write(&acme, tenants([Change::Update(renamed)]))
        .await;
    let heir = fixture
        .inserted_tenant(values::tenant_in("ACME", schema("b")))
        .await;
    let key = TenantKey::Name("acme".to_owned());
    assert_eq!(found(&*fixture.store, &key).await, Some(heir));
}

pub(super) async fn a_domain_belongs_to_one_tenant(fixture: &Fixture) {
    let taken = || vec![values::domain("acme.example", true)];
    let acme = Tenant {
        domains: taken(),
        ..values::tenant("Acme")
    };
    let acme = fixture.inserted_tenant(acme).await;
    let other = fixture.tenant("Other").await;
    let grown = with_domains(&other, taken());
    fixture
        .duplicate(&other, tenants([Change::Update(grown)]), Unique::Domain)
        .await;
    let third = Tenant {
        domains: taken(),
        ..values::tenant("Third")
    };
    let insert = tenants([Change::Insert(third.clone())]);
    fixture.duplicate(&third, insert, Unique::Domain).await;

    assert_eq!(fixture.find_tenant(&third).await, None);
    assert_eq!(fixture.find_tenant(&other).await, Some(other));
    let key = host("acme.example");
    assert_eq!(found(&*fixture.store, &key).await, Some(acme));
}

pub(super) async fn a_domain_that_a_tenant_gave_up_is_free(fixture: &Fixture) {
    let domains = ["c.example", "a.example", "b.example"];
    let [c, a, b] = domains.map(|host| values::domain(host, false));
    let acme = Tenant {
        domains: vec![c.clone(), a.clone(), b.clone()],
        ..values::tenant("Acme")
    };
    let acme = fixture.inserted_tenant(acme).await;
    let shrunk = with_domains(&acme, vec![b, c]);
    fixture
        .write(&acme, tenants([Change::Update(shrunk.clone())]))
        .await;
    let read = fixture.find_tenant(&acme).await.unwrap();
    assert_eq!(read.domains, shrunk.domains);
    let heir = Tenant {
        domains: vec![a],
        ..values::tenant("Heir")
    };
    let heir = fixture.inserted_tenant(heir).await;
    assert_eq!(found(&*fixture.store, &host("a.example")).await, Some(heir));
}

pub(super) async fn a_commit_to_a_tenant_that_does_not_exist_writes_nothing(fixture: &Fixture) {
    let acme = fixture.tenant("Acme").await;
    let ghost = values::tenant("Ghost");
    let (user, fact) = (values::named_user(1, "ada"), values::created(1));
    let mut changes = users([Change::Insert(user.clone())]);
    changes.keys = vec![Change::Insert(values::key(1))];
    changes.events = vec![values::event(1, &ghost, fact)];
    assert!(fixture.commit(&ghost, changes).await.is_err());

    assert_eq!(fixture.user(&acme, user.id).await, None);
    assert_eq!(fixture.store.tenants().await.unwrap(), [acme]);
    assert!(fixture.store.keys().await.unwrap().is_empty());
    assert!(fixture.events().await.is_empty());
    let session = fixture.store.session(&ghost.schema, values::id(1)).await;
    assert_eq!(session.unwrap(), None);
}

async fn found(store: &dyn Store, key: &TenantKey) -> Option<Tenant> {
    let found = store.tenant(key).await.unwrap();
    // What this process committed is not late either.
    assert_eq!(store.tenant_of_late(key).await.unwrap(), found);
    found
}

fn host(name: &str) -> TenantKey {
    TenantKey::Host(HostName::parse(name).unwrap())
}

fn schema(name: &str) -> SchemaName {
    SchemaName::parse(name).unwrap()
}

fn with_domains(tenant: &Tenant, domains: Vec<TenantDomain>) -> Tenant {
    Tenant {
        domains,
        ..tenant.clone()
    }
}
