//! How users are kept and found.

use tessera_app::{Unique, UserFilter, UserKey};
use tessera_domain::{
    Change, EmailAddress, Id, NamePrefix, Role, Tenant, User, UserStatus, Username,
};

use crate::fixture::users;
use crate::{Fixture, values};

pub(super) async fn a_user_is_found_by_id_address_and_username_in_its_tenant_alone(
    fixture: &Fixture,
) {
    let [acme, other] = [fixture.tenant("Acme").await, fixture.tenant("Other").await];
    let here = fixture
        .inserted_user(&acme, values::named_user(1, "ada"))
        .await;
    let there = fixture
        .inserted_user(&other, values::named_user(2, "ADA"))
        .await;
    for (tenant, own, foreign) in [(&acme, &here, &there), (&other, &there, &here)] {
        for key in [
            UserKey::Email("ada@example.com".to_owned()),
            UserKey::Id(own.id),
            UserKey::Username("ada".to_owned()),
        ] {
            let found = fixture.store.user(tenant, &key).await.unwrap();
            assert_eq!(found.as_ref(), Some(own), "{key:?}");
        }
        for key in [
            UserKey::Email("ada".to_owned()),
            UserKey::Id(foreign.id),
            UserKey::Username("ada@example.com".to_owned()),
            UserKey::Username(String::new()),
        ] {
            let found = fixture.store.user(tenant, &key).await.unwrap();
            assert_eq!(found, None, "{key:?}");
        }
    }
}

pub(super) async fn users_are_paged_in_the_order_of_their_ids_in_their_tenant_alone(
    fixture: &Fixture,
) {
    let [acme, other] = [fixture.tenant("Acme").await, fixture.tenant("Other").await];
    for number in [5, 1, 9, 3, 7] {
        let name = format!("ada{number}");
        let user = values::named_user(number, &name);
        fixture.inserted_user(&acme, user).await;
        let user = values::named_user(number + 1, &name);
        fixture.inserted_user(&other, user).await;
    }
    for (after, limit, expected) in [
        (None, 100, [1, 3, 5, 7, 9].as_slice()),
        (None, usize::MAX, &[1, 3, 5, 7, 9]),
        (None, 2, &[1, 3]),
        (Some(3), 2, &[5, 7]),
        (Some(4), 2, &[5, 7]),
        (Some(7), 2, &[9]),
        (Some(9), 2, &[]),
        (None, 0, &[]),
    ] {
        let page = page(fixture, &acme, after, limit).await;
        let expected: Vec<Id<User>> = expected.iter().copied().map(values::id).collect();
        assert_eq!(page, expected, "{limit} after {after:?}");
    }
    assert_eq!(page(fixture, &other, Some(8), 9).await, [values::id(10)]);
}

pub(super) async fn users_are_filtered_by_what_they_are_called_in_their_tenant_alone(
    fixture: &Fixture,
) {
    let [acme, other] = [fixture.tenant("Acme").await, fixture.tenant("Other").await];
    for (number, name) in [
        (1, "ada"),
        (3, "a_a"),
        (5, "bob"),
        (7, "Straße"),
        (9, "50%"),
    ] {
        let user = values::named_user(number, name);
        fixture.inserted_user(&acme, user).await;
        let user = values::named_user(number + 1, name);
        fixture.inserted_user(&other, user).await;
    }
    let differing = User {
        email: EmailAddress::parse("zoe@bücher.example").ok(),
        username: Username::parse("Åda").ok(),
        ..values::user(11)
    };
    fixture.inserted_user(&acme, differing).await;
    fixture.inserted_user(&acme, values::user(13)).await;
    for (typed, expected) in [
        ("a", [1, 3].as_slice()),
        (" ADA@", &[1]),
        ("ada@example.com", &[1]),
        ("ada@example.comb", &[]),
        ("da", &[]),
        ("a_", &[3]),
        ("a%", &[]),
        ("50%", &[9]),
        ("STRASS", &[7]),
        ("å", &[11]),
        ("zoe", &[11]),
        ("zoe@bü", &[]),
        ("zoe@bücher.ex", &[11]),
        ("ZOE@BÜCHER.example", &[11]),
        ("zoe@xn--b", &[11]),
        ("*", &[]),
        ("\\", &[]),
        ("'", &[]),
        ("\u{10ffff}", &[]),
    ] {
        let filter = UserFilter {
            search: NamePrefix::parse(typed),
            ..UserFilter::default()
        };
        assert_filtered(fixture, &acme, &filter, expected).await;
    }
    let filter = UserFilter {
        search: NamePrefix::parse("A"),
        ..UserFilter::default()
    };
    assert_filtered(fixture, &other, &filter, &[2, 4]).await;
}

pub(super) async fn users_are_filtered_by_all_that_is_asked_for(fixture: &Fixture) {
    let [acme, other] = [fixture.tenant("Acme").await, fixture.tenant("Other").await];
    for (number, names, status, email_verified) in [
        (
            1,
            ["editor", "Übersetzer {\"x\"}"].as_slice(),
            UserStatus::Active,
            true,
        ),
        (3, &["tenant-admin", "editor"], UserStatus::Active, false),
        (5, &["editors"], UserStatus::Disabled, true),
        (7, &[], UserStatus::Disabled, false),
    ] {
        let roles = names.iter().map(|name| Role::parse(name).unwrap());
        let user = User {
            roles: roles.collect(),
            status,
            email_verified,
            ..values::named_user(number, &format!("ada{number}"))
        };
        fixture.inserted_user(&acme, user.clone()).await;
        let id = values::id(number + 1);
        fixture.inserted_user(&other, User { id, ..user }).await;
    }
    let all = UserFilter::default();
    let with_role = |name: &str| UserFilter {
        role: Some(Role::parse(name).unwrap()),
        ..all.clone()
    };
    for (name, expected) in [
        ("editor", [1, 3].as_slice()),
        ("tenant-admin", &[3]),
        ("Übersetzer {\"x\"}", &[1]),
        ("Editor", &[]),
        ("admin", &[]),
        ("\"", &[]),
        ("%", &[]),
    ] {
        assert_filtered(fixture, &acme, &with_role(name), expected).await;
    }
    let active = Some(UserStatus::Active);
    for (status, email_verified, expected) in [
        (active, None, [1, 3].as_slice()),
        (Some(UserStatus::Disabled), None, &[5, 7]),
        (None, Some(true), &[1, 5]),
        (None, Some(false), &[3, 7]),
        (active, Some(false), &[3]),
    ] {
        let filter = UserFilter {
            status,
            email_verified,
            ..all.clone()
        };
        assert_filtered(fixture, &acme, &filter, expected).await;
    }
    let everything = UserFilter {
        search: NamePrefix::parse("ada"),
        status: active,
        email_verified: Some(true),
        ..with_role("editor")
    };
    assert_filtered(fixture, &acme, &everything, &[1]).await;
    assert_filtered(fixture, &other, &everything, &[2]).await;
    assert_filtered(fixture, &other, &with_role("editor"), &[2, 4]).await;
}

/// That so many users come through the filter, at once and one by one.
async fn assert_filtered(
    fixture: &Fixture,
    tenant: &Tenant,
    filter: &UserFilter,
    expected: &[u32],
) {
    let expected: Vec<Id<User>> = expected.iter().copied().map(values::id).collect();
    let found = filtered(fixture, tenant, filter, None, 100).await;
    assert_eq!(found, expected, "{filter:?}");
    let mut after = None;
    for id in expected {
        let found = filtered(fixture, tenant, filter, after, 1).await;
        assert_eq!(found, [id], "{filter:?}");
        after = Some(id);
    }
    let rest = filtered(fixture, tenant, filter, after, 1).await;
    assert!(after.is_none() || rest.is_empty(), "{filter:?}");
}

pub(super) async fn every_field_of_a_user_comes_back(fixture: &Fixture) {
    let acme = fixture.tenant("Acme").await;
    let all = UserFilter::default();
    for user in [values::user(1), values::full_user(2)] {
        let read = fixture.inserted_user(&acme, user.clone()).await;
        let expected = User {
            version: 1,
            ..user.clone()
        };
        assert_eq!(read, expected);
        let page = fixture.store.users(&acme, &all, None, 10).await.unwrap();
        assert!(page.contains(&expected));
    }
    let (least, most) = (values::user(1), values::full_user(2));
    let [swapped, back] = [(1, &most), (2, &least)].map(|(number, like)| User {
        id: values::id(number),
        email: None,
        username: None,
        version: 1,
        ..like.clone()
    });
    let update = users([
        Change::Update(swapped.clone()),
        Change::Update(back.clone()),
    ]);
    fixture.write(&acme, update).await;
    for user in [swapped, back] {
        let expected = User { version: 2, ..user };
        assert_eq!(fixture.user(&acme, expected.id).await, Some(expected));
    }
}

pub(super) async fn a_user_is_inserted_at_version_one_and_updated_at_the_version_it_was_read_at(
    fixture: &Fixture,
) {
    let acme = fixture.tenant("Acme").await;
    let first = fixture
        .inserted_user(&acme, values::named_user(1, "ada"))
        .await;
    assert_eq!(first.version, 1);
    let renamed = |user: &User, name: &str| {
        let mut user = user.clone();
        name.clone_into(&mut user.profile.first_name);
        user
    };
    let change = users([Change::Update(renamed(&first, "Ada"))]);
    fixture.write(&acme, change).await;
    let second = fixture.user(&acme, first.id).await.unwrap();
    assert_eq!((second.version, &*second.profile.first_name), (2, "Ada"));

    for version in [0, 1, 3] {
        let stale = User {
            version,
            ..renamed(&second, "Too late")
        };
        fixture.stale(&acme, users([Change::Update(stale)])).await;
    }
    assert_eq!(fixture.user(&acme, first.id).await, Some(second));
}

pub(super) async fn a_user_that_does_not_exist_cannot_be_updated(fixture: &Fixture) {
    let acme = fixture.tenant("Acme").await;
    for version in [0, 1] {
        let ghost = User {
            version,
            ..values::user(1)
        };
        fixture.stale(&acme, users([Change::Update(ghost)])).await;
    }
    assert_eq!(fixture.user(&acme, values::id(1)).await, None);
}

pub(super) async fn a_user_of_another_tenant_cannot_be_updated(fixture: &Fixture) {
    let [acme, other] = [fixture.tenant("Acme").await, fixture.tenant("Other").await];
    let ada = fixture
        .inserted_user(&acme, values::named_user(1, "ada"))
        .await;
    let changed = ada.in_next_epoch();
    fixture
        .stale(&other, users([Change::Update(changed)]))
        .await;
    assert_eq!(fixture.user(&acme, ada.id).await, Some(ada));
}

pub(super) async fn a_user_that_changed_since_it_was_read_is_not_removed(fixture: &Fixture) {
    let acme = fixture.tenant("Acme").await;
    let other = fixture.inserted_user(&acme, values::user(2)).await;
    let read = fixture.inserted_user(&acme, values::user(1)).await;
    let as_read = |user: &User| {
        // In this order, whatever happens beside.
        users([
            Change::Update(user.clone()),
            Change::Update(other.clone()),
            Change::Remove(user.id),
        ])
    };
    let touched = users([Change::Update(read.clone())]);
    fixture.write(&acme, touched).await;
    let changed = fixture.user(&acme, read.id).await;
    fixture.stale(&acme, as_read(&read)).await;
    assert_eq!(fixture.user(&acme, read.id).await, changed);

    fixture.write(&acme, as_read(&changed.unwrap())).await;
    assert_eq!(fixture.user(&acme, read.id).await, None);
    fixture.stale(&acme, as_read(&read)).await;
}

pub(super) async fn an_insert_overwrites_nothing(fixture: &Fixture) {
    let acme = fixture.tenant("Acme").await;
    let ada = fixture
        .inserted_user(&acme, values::named_user(1, "ada"))
        .await;
    let insert = users([Change::Insert(values::named_user(1, "eve"))]);
    assert!(fixture.commit(&acme, insert).await.is_err());
    assert_eq!(fixture.user(&acme, ada.id).await, Some(ada));
}

pub(super) async fn an_address_is_taken_once_in_a_tenant(fixture: &Fixture) {
    let address = |number, email: &str| User {
        email: Some(EmailAddress::parse(email).unwrap()),
        ..values::user(number)
    };
    let [acme, other] = [fixture.tenant("Acme").await, fixture.tenant("Other").await];
    let first = address(1, "straße@example.com");
    fixture.inserted_user(&acme, first).await;
    let second = address(2, "STRASSE@example.com");
    let insert = users([Change::Insert(second.clone())]);
    fixture.duplicate(&acme, insert, Unique::Email).await;
    assert_eq!(fixture.user(&acme, second.id).await, None);

    let second = fixture
        .inserted_user(&acme, address(2, "s@example.com"))
        .await;
    let moved = User {
        version: 1,
        ..address(2, "STRASSE@example.com")
    };
    let update = users([Change::Update(moved)]);
    fixture.duplicate(&acme, update, Unique::Email).await;
    assert_eq!(fixture.user(&acme, second.id).await, Some(second));
    fixture
        .inserted_user(&other, address(3, "Strasse@example.com"))
        .await;
}

pub(super) async fn a_username_is_taken_once_in_a_tenant(fixture: &Fixture) {
    let username = |number, name: &str| User {
        username: Some(Username::parse(name).unwrap()),
        ..values::user(number)
    };
    let [acme, other] = [fixture.tenant("Acme").await, fixture.tenant("Other").await];
    fixture.inserted_user(&acme, username(1, "straße")).await;
    let insert = users([Change::Insert(username(2, "STRASSE"))]);
    fixture.duplicate(&acme, insert, Unique::Username).await;
    assert_eq!(fixture.user(&acme, values::id(2)).await, None);

    let second = fixture.inserted_user(&acme, username(2, "s")).await;
    let renamed = User {
        version: 1,
        ..username(2, "STRASSE")
    };
    let update = users([Change::Update(renamed)]);
    fixture.duplicate(&acme, update, Unique::Username).await;
    assert_eq!(fixture.user(&acme, second.id).await, Some(second));
    fixture.inserted_user(&other, username(3, "Strasse")).await;
}

pub(super) async fn users_without_address_and_username_are_many(fixture: &Fixture) {
    let acme = fixture.tenant("Acme").await;
    for number in 1..=3 {
        fixture.inserted_user(&acme, values::user(number)).await;
    }
    let all = UserFilter::default();
    let users = fixture.store.users(&acme, &all, None, 10).await;
    assert_eq!(users.unwrap().len(), 3);
}

pub(super) async fn an_address_and_a_username_that_were_given_up_are_free(fixture: &Fixture) {
    let acme = fixture.tenant("Acme").await;
    let ada = fixture
        .inserted_user(&acme, values::named_user(1, "ada"))
        .await;
    let renamed = User {
        version: ada.version,
        ..values::named_user(1, "countess")
    };
    fixture.write(&acme, users([Change::Update(renamed)])).await;
    let heir = fixture
        .inserted_user(&acme, values::named_user(2, "ada"))
        .await;
    for key in [
        UserKey::Email("ada@example.com".to_owned()),
        UserKey::Username("ada".to_owned()),
    ] {
        let found = fixture.store.user(&acme, &key).await.unwrap();
        assert_eq!(found.as_ref(), Some(&heir), "{key:?}");
    }
}

async fn page(
    fixture: &Fixture,
    tenant: &Tenant,
    after: Option<u32>,
    limit: usize,
) -> Vec<Id<User>> {
    let (all, after) = (UserFilter::default(), after.map(values::id));
    filtered(fixture, tenant, &all, after, limit).await
}

async fn filtered(
    fixture: &Fixture,
    tenant: &Tenant,
    filter: &UserFilter,
    after: Option<Id<User>>,
    limit: usize,
) -> Vec<Id<User>> {
    let users = fixture.store.users(tenant, filter, after, limit).await;
    users.unwrap().iter().map(|user| user.id).collect()
}
