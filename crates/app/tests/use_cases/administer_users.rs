//! What administrators do with users, and what they may not.

use std::sync::Arc;

use tessera_app::{
    AdministerUserError, AdministrationError, AmendUser, Caller, ChangeUserError, CreateUser,
    CreateUserError, InviteUser, InviteUserError, MailRelay, ResetPassword, Roles, ShowToken,
    TenantHints, Unique, UserAdministration, UserFilter,
};
use tessera_domain::{
    Actor, Addressee, EmailAddress, EventKind, Id, MailKind, NamePrefix, Profile, Role, SessionEnd,
    Subject, Tenant, User, UserStatus, Username,
};
use tessera_memory::MemoryMailer;

use crate::world::{IP, OTHER, PASSWORD, WRONG, World, explicit, new_user, typed};

/// `root` administers the platform, `hal` the default tenant, `eve` the tenant Acme, where `bob`
/// is; `ada` administers nothing.
struct Administrators {
    world: World,
    public: Tenant,
    acme: Tenant,
    root: Caller,
    hal: Caller,
    eve: Caller,
    bob: User,
}

impl Administrators {
    async fn new() -> Self {
        let world = World::new().await;
        let public = world.tenant().await;
        let acme = world.create_tenant("Acme", &[]).await;
        let bob = world.create_user(&acme, "bob@example.com", "bob").await;
        Self {
            root: caller(&world, &public, "root", &["platform-admin"]).await,
            hal: caller(&world, &public, "hal", &["tenant-admin"]).await,
            eve: caller(&world, &acme, "eve", &["editor", "tenant-admin"]).await,
            world,
            public,
            acme,
            bob,
        }
    }

    async fn office(&self, caller: &Caller, tenant: Option<&str>) -> UserAdministration {
        let found = self.world.tessera.administer_users(caller, tenant);
        found.await.unwrap()
    }

    async fn amend(
        &self,
        caller: &Caller,
        id: Id<User>,
        command: AmendUser,
    ) -> Result<User, AdministerUserError> {
        let of = self.office(caller, None).await;
        self.world.tessera.amend_user(&of, id, command).await
    }

    async fn stored(&self, tenant: &Tenant, id: Id<User>) -> User {
        let user = self.world.tessera.user(tenant, &id.to_string()).await;
        user.unwrap().unwrap()
    }
}

async fn caller(world: &World, tenant: &Tenant, name: &str, names: &[&str]) -> Caller {
    let command = CreateUser {
        roles: roles(names),
        ..new_user(&format!("{name}@example.com"), name)
    };
    let made = world
        .tessera
        .create_user(&Actor::Operator, tenant, command)
        .await;
    made.unwrap();
    log_in(world, tenant, name).await
}

async fn log_in(world: &World, tenant: &Tenant, name: &str) -> Caller {
    let command = tessera_app::LogIn {
        hints: explicit(&[tenant.name.as_str()]),
        ..crate::world::command(name, PASSWORD)
    };
    let grant = world.tessera.log_in(command).await.unwrap();
    let caller = world.caller(&grant).await;
    Caller {
        ip: Some(IP.parse().unwrap()),
        ..caller
    }
}

fn roles(names: &[&str]) -> Vec<Role> {
    let each = names.iter().map(|name| Role::parse(name).unwrap());
    each.collect()
}

fn these(names: &[&str]) -> AmendUser {
    AmendUser {
        roles: Some(Roles::These(roles(names))),
        ..AmendUser::default()
    }
}

fn active(is_active: bool) -> AmendUser {
    AmendUser {
        is_active: Some(is_active),
        ..AmendUser::default()
    }
}

fn invitation(name: &str, names: &[&str]) -> InviteUser {
    InviteUser {
        email: EmailAddress::parse(&format!("{name}@example.com")).unwrap(),
        username: Username::parse(name).ok(),
        profile: Profile::default(),
        roles: roles(names),
        is_superuser: false,
    }
}

fn refused<T: core::fmt::Debug>(answer: &Result<T, AdministerUserError>) {
    assert!(
        matches!(answer, Err(AdministerUserError::NotPermitted(_))),
        "{answer:?}"
    );
}

fn not_found<T: core::fmt::Debug>(answer: &Result<T, AdministerUserError>) {
    let missing = AdministerUserError::Change(ChangeUserError::NotFound).to_string();
    let told = answer.as_ref().map_err(ToString::to_string);
    assert_eq!(told.unwrap_err(), missing);
}

fn oneself<T: core::fmt::Debug>(answer: &Result<T, AdministerUserError>) {
    assert!(
        matches!(answer, Err(AdministerUserError::Oneself)),
        "{answer:?}"
    );
}

#[tokio::test]
async fn an_administrator_has_the_own_tenant_and_one_of_the_platform_any() {
    let they = Administrators::new().await;
    let tessera = &they.world.tessera;
    for (caller, tenant, expected) in [
        (&they.root, None, &they.public),
        (&they.root, Some("public"), &they.public),
        (&they.root, Some(" ACME "), &they.acme),
        (&they.root, Some(&*they.acme.id.to_string()), &they.acme),
        (&they.eve, Some(&*they.acme.id.to_string()), &they.acme),
        (&they.hal, None, &they.public),
        (&they.hal, Some("public"), &they.public),
        (&they.eve, None, &they.acme),
        (&they.eve, Some("acme"), &they.acme),
    ] {
        assert_eq!(they.office(caller, tenant).await.tenant(), expected);
    }
    for (caller, tenant) in [
        (&they.hal, "acme"),
        (&they.hal, "nowhere"),
        (&they.hal, &*they.acme.id.to_string()),
        (&they.eve, "public"),
        (&they.eve, "nowhere"),
        (&they.eve, ""),
    ] {
        let answer = tessera.administer_users(caller, Some(tenant)).await;
        assert!(matches!(answer, Err(AdministrationError::NotPermitted(_))));
    }
    for unknown in ["nowhere", "", "\0"] {
        let answer = tessera.administer_users(&they.root, Some(unknown)).await;
        assert!(matches!(answer, Err(AdministrationError::UnknownTenant)));
    }
    let ada = they.world.caller(&they.world.log_in().await).await;
    for tenant in [None, Some("public"), Some("acme"), Some("nowhere")] {
        let answer = tessera.administer_users(&ada, tenant).await;
        assert!(matches!(answer, Err(AdministrationError::NotPermitted(_))));
    }
}

#[tokio::test]
async fn the_platforms_role_means_nothing_in_another_tenant() {
    let they = Administrators::new().await;
    let (world, acme) = (&they.world, &they.acme);
    let mallory = world.create_user(acme, "mallory@example.com", "mallory");
    let mallory = mallory.await;
    // As an import, or somebody with access to the store, may leave it.
    let changes = tessera_domain::Changes {
        users: vec![tessera_domain::Change::Update(User {
            roles: roles(&["platform-admin"]),
            is_superuser: true,
            ..mallory.clone()
        })],
        ..tessera_domain::Changes::default()
    };
    tessera_app::Store::commit(&world.store, acme, changes)
        .await
        .unwrap();
    let caller = log_in(world, acme, "mallory").await;
    let answer = world.tessera.administer_users(&caller, None).await;
    assert!(matches!(answer, Err(AdministrationError::NotPermitted(_))));
    // Nor does it keep the administrator of that tenant away.
    let disabled = they.amend(&they.eve, mallory.id, active(false)).await;
    assert_eq!(disabled.unwrap().status, UserStatus::Disabled);
}

#[tokio::test]
async fn users_are_paged_and_filtered_within_the_tenant() {
    let they = Administrators::new().await;
    let tessera = &they.world.tessera;
    let public = they.office(&they.root, None).await;
    let all = UserFilter::default();
    let sorted =
        |names: &[&str]| -> Vec<String> { names.iter().map(|name| (*name).to_owned()).collect() };
    let called = |users: &[User]| -> Vec<String> {
        let all = users.iter().filter_map(|user| user.username.clone());
        all.map(|name| name.as_str().to_owned()).collect()
    };
    let full = tessera.user_page(&public, &all, None, 3).await.unwrap();
    let mut found = called(&full.users);
    found.sort_unstable();
    assert_eq!((found, full.next), (sorted(&["Ada", "hal", "root"]), None));
    let first = tessera.user_page(&public, &all, None, 2).await.unwrap();
    assert_eq!(first.users, full.users[..2]);
    assert_eq!(first.next, Some(first.users[1].id));
    let rest = tessera.user_page(&public, &all, first.next, 2).await;
    let rest = rest.unwrap();
    assert_eq!((&*rest.users, rest.next), (&full.users[2..], None));

    let acme = they.office(&they.eve, None).await;
    for (filter, expected) in [
        (all, ["bob", "eve"].as_slice()),
        (
            UserFilter {
                search: NamePrefix::parse("EV"),
                ..UserFilter::default()
            },
            &["eve"],
        ),
        (
            UserFilter {
                role: Role::parse("tenant-admin").ok(),
                ..UserFilter::default()
            },
            &["eve"],
        ),
        (
            UserFilter {
                search: NamePrefix::parse("ada"),
                ..UserFilter::default()
            },
            &[],
        ),
    ] {
        let page = tessera.user_page(&acme, &filter, None, 10).await.unwrap();
        let mut found = called(&page.users);
        found.sort_unstable();
        assert_eq!(found, sorted(expected), "{filter:?}");
    }
}

#[tokio::test]
async fn who_is_invited_sets_the_password_by_a_link_that_is_mailed() {
    let they = Administrators::new().await;
    let (world, tessera) = (&they.world, &they.world.tessera);
    let of = they.office(&they.eve, None).await;
    let inviting = tessera.invite_user(&of, invitation("zoe", &["editor", "tenant-admin"]));
    let (zoe, done) = world.watch(inviting).await;
    let zoe = zoe.unwrap();
    assert_eq!(done.names(), ["UserCreated"]);
    assert_eq!((done.hashed, done.commits), (0, 1));
    assert_eq!((zoe.password.clone(), zoe.email_verified), (None, false));
    assert_eq!(zoe.role_names(), ["editor", "tenant-admin"]);
    let mails = world.store.memory().mails();
    let mail = mails.last().unwrap();
    assert_eq!(
        (mail.kind, &mail.to, mail.tenant),
        (MailKind::Invitation, &Addressee::User(zoe.id), they.acme.id)
    );

    let mailer = MemoryMailer::default();
    let relay = MailRelay::new(Arc::clone(tessera), Arc::new(mailer.clone()));
    relay.step().await.unwrap();
    let letters = mailer.sent();
    let link = letters.last().unwrap().link.clone().unwrap();
    assert!(link.url.contains("/reset-password?"), "{}", link.url);
    set_password(world, &link.token).await;
    let zoe = they.stored(&they.acme, zoe.id).await;
    assert!(zoe.password.is_some() && zoe.email_verified);
}

#[tokio::test]
async fn a_link_that_an_operator_asks_for_works_once_and_until_the_invitation_ends() {
    let they = Administrators::new().await;
    let (world, tessera) = (&they.world, &they.world.tessera);
    let command = CreateUser {
        email_verified: false,
        password: tessera_app::FirstPassword::Postponed,
        ..new_user("zoe@example.com", "zoe")
    };
    let making = tessera.create_user(&Actor::Operator, &they.acme, command);
    let zoe = making.await.unwrap();
    assert_eq!(world.store.memory().mails(), []);
    let link = tessera.invite_link(&they.acme, zoe.id).await.unwrap();
    let life = tessera.settings().mailed_tokens.invitation;
    assert_eq!(link.expires_at, world.now() + life);
    set_password(world, &link.token).await;
    let again = tessera.reset_password(reset(&link.token)).await;
    again.unwrap_err();
    log_in_with(world, &they.acme, "zoe", OTHER).await;

    let late = tessera.invite_link(&they.acme, zoe.id).await.unwrap();
    world.wait(life.as_secs());
    tessera
        .reset_password(reset(&late.token))
        .await
        .unwrap_err();
    for tenant in [&they.public, &they.acme] {
        let nobody = if tenant.id == they.acme.id {
            they.hal.user.id
        } else {
            zoe.id
        };
        let answer = tessera.invite_link(tenant, nobody).await;
        assert!(matches!(
            answer,
            Err(tessera_app::InviteLinkError::NotFound)
        ));
    }
}

#[tokio::test]
async fn an_invitation_to_a_taken_address_is_none() {
    let they = Administrators::new().await;
    let of = they.office(&they.eve, None).await;
    let inviting = they.world.tessera.invite_user(&of, invitation("bob", &[]));
    let (answer, done) = they.world.watch(inviting).await;
    let taken = |error: &InviteUserError| {
        matches!(
            error,
            InviteUserError::Create(CreateUserError::Duplicate(Unique::Email))
        )
    };
    assert!(answer.as_ref().is_err_and(taken), "{answer:?}");
    assert_eq!(done.commits, 0);
    assert_eq!(they.world.store.memory().mails(), []);
}

#[tokio::test]
async fn nobody_gives_or_takes_what_is_above_their_own() {
    let they = Administrators::new().await;
    let tessera = &they.world.tessera;
    let platform = ["platform-admin", "Platform-Admin", "ＰLATFORM-ADMIN"];
    for (caller, tenant) in [(&they.hal, &they.public), (&they.eve, &they.acme)] {
        let of = they.office(caller, None).await;
        let before = they.stored(tenant, caller.user.id).await;
        for role in platform {
            let invited = tessera.invite_user(&of, invitation("zoe", &["a", role]));
            assert!(matches!(
                invited.await,
                Err(InviteUserError::NotPermitted(_))
            ));
            let own = ["tenant-admin", role];
            refused(&they.amend(caller, caller.user.id, these(&own)).await);
        }
        let superuser = InviteUser {
            is_superuser: true,
            ..invitation("zoe", &[])
        };
        let invited = tessera.invite_user(&of, superuser).await;
        assert!(matches!(invited, Err(InviteUserError::NotPermitted(_))));
        let superuser = AmendUser {
            is_superuser: Some(true),
            ..AmendUser::default()
        };
        refused(&they.amend(caller, caller.user.id, superuser).await);
        assert_eq!(they.stored(tenant, caller.user.id).await, before);
    }
    let of = they.office(&they.root, Some("acme")).await;
    for role in platform {
        let invited = tessera.invite_user(&of, invitation("zoe", &[role])).await;
        let error = invited.unwrap_err();
        assert!(
            matches!(
                error,
                InviteUserError::Create(CreateUserError::PlatformRole)
            ),
            "{error:?}"
        );
        let given = tessera.amend_user(&of, they.bob.id, these(&[role])).await;
        assert!(matches!(given, Err(AdministerUserError::PlatformRole)));
    }
    assert_eq!(they.stored(&they.acme, they.bob.id).await, they.bob);
}

#[tokio::test]
async fn a_tenants_administrator_makes_another_and_the_platforms_one_another_of_the_platform() {
    let they = Administrators::new().await;
    let (bob, done) = they
        .world
        .watch(they.amend(&they.eve, they.bob.id, these(&["tenant-admin"])))
        .await;
    assert_eq!(bob.unwrap().role_names(), ["tenant-admin"]);
    let told = EventKind::RolesChanged {
        roles: vec!["tenant-admin".to_owned()],
        is_superuser: false,
    };
    assert_eq!(done.kinds(), [told]);
    let command = AmendUser {
        is_superuser: Some(true),
        ..these(&["platform-admin", "tenant-admin"])
    };
    let hal = they.amend(&they.root, they.hal.user.id, command).await;
    let hal = hal.unwrap();
    assert_eq!(hal.role_names(), ["platform-admin", "tenant-admin"]);
    assert!(hal.is_superuser);
    // The caller of before has it at once.
    let caller = log_in(&they.world, &they.public, "hal").await;
    they.office(&caller, Some("acme")).await;
}

#[tokio::test]
async fn who_administers_the_platform_is_out_of_reach_for_a_tenants_administrator() {
    let they = Administrators::new().await;
    let (tessera, root) = (&they.world.tessera, they.root.user.id);
    let of = they.office(&they.hal, None).await;
    let before = they.stored(&they.public, root).await;
    let doing = async {
        let name = AmendUser {
            first_name: Some("Mud".to_owned()),
            ..AmendUser::default()
        };
        for command in [name, these(&[]), active(false), active(true)] {
            refused(&tessera.amend_user(&of, root, command).await);
        }
        refused(&tessera.lift_lock(&of, root).await);
        refused(&tessera.end_sessions_of(&of, root).await);
        refused(&tessera.delete_user(&of, root).await);
    };
    let ((), done) = they.world.watch(doing).await;
    assert_eq!(done.commits, 0);
    assert_eq!(they.stored(&they.public, root).await, before);
}

#[tokio::test]
async fn who_becomes_the_platforms_administrator_meanwhile_is_not_deleted() {
    let they = Administrators::new().await;
    let world = &they.world;
    let ada = world.ada().await;
    let root = they.office(&they.root, None).await;
    let tessera = Arc::clone(&world.tessera);
    world.store.before_next_commit(async move {
        let raised = tessera.amend_user(&root, ada.id, these(&["platform-admin"]));
        raised.await.unwrap();
    });
    let of = they.office(&they.hal, None).await;
    refused(&world.tessera.delete_user(&of, ada.id).await);
    assert_eq!(world.ada().await.role_names(), ["platform-admin"]);
}

#[tokio::test]
async fn nobody_locks_themselves_out() {
    let they = Administrators::new().await;
    let tessera = &they.world.tessera;
    for (caller, tenant) in [(&they.root, &they.public), (&they.eve, &they.acme)] {
        let (of, own) = (they.office(caller, None).await, caller.user.id);
        let before = they.stored(tenant, own).await;
        for command in [active(false), these(&[]), these(&["editor"])] {
            oneself(&tessera.amend_user(&of, own, command).await);
        }
        oneself(&tessera.delete_user(&of, own).await);
        assert_eq!(they.stored(tenant, own).await, before);
        let mut kept: Vec<&str> = vec!["auditor"];
        let names = before.role_names();
        kept.extend(names.iter().map(String::as_str));
        let amended = tessera.amend_user(&of, own, these(&kept)).await.unwrap();
        assert_eq!(amended.role_names(), kept);
        tessera.end_sessions_of(&of, own).await.unwrap();
    }
}

#[tokio::test]
async fn a_user_of_another_tenant_is_one_that_does_not_exist() {
    let they = Administrators::new().await;
    let tessera = &they.world.tessera;
    let eve = they.office(&they.eve, None).await;
    let root = they.office(&they.root, Some("acme")).await;
    let hal = they.office(&they.hal, None).await;
    let nobody = Id::new(they.world.now(), [9; 10]);
    let doing = async {
        for (of, id) in [
            (&eve, they.hal.user.id),
            (&eve, they.root.user.id),
            (&eve, nobody),
            (&root, they.root.user.id),
            (&hal, they.bob.id),
        ] {
            assert_eq!(tessera.administered_user(of, id).await.unwrap(), None);
            not_found(&tessera.amend_user(of, id, these(&["tenant-admin"])).await);
            not_found(&tessera.amend_user(of, id, active(false)).await);
            not_found(&tessera.lift_lock(of, id).await);
            not_found(&tessera.end_sessions_of(of, id).await);
            not_found(&tessera.delete_user(of, id).await);
        }
    };
    let ((), done) = they.world.watch(doing).await;
    assert_eq!(done.commits, 0);
}

#[tokio::test]
async fn what_is_changed_is_told_in_one_commit_with_who_did_it() {
    let they = Administrators::new().await;
    let bob = log_in(&they.world, &they.acme, "bob").await;
    let command = AmendUser {
        is_active: Some(false),
        first_name: Some("Robert".to_owned()),
        ..these(&["reader", "editor", "reader"])
    };
    let amending = they.amend(&they.eve, they.bob.id, command.clone());
    let (amended, done) = they.world.watch(amending).await;
    let amended = amended.unwrap();
    assert_eq!(amended, they.stored(&they.acme, they.bob.id).await);
    assert_eq!(amended.role_names(), ["reader", "editor"]);
    assert_eq!(amended.status, UserStatus::Disabled);
    assert_eq!(&*amended.profile.first_name, "Robert");
    let changed = ["UserProfileChanged", "RolesChanged", "UserDisabled"];
    assert_eq!(done.names()[..3], changed);
    let ended = (Subject::Session(bob.session.id), SessionEnd::Disabled);
    assert_eq!(done.ended(), [ended]);
    assert_eq!((done.commits, done.events.len()), (1, 4));
    let again = they.amend(&they.eve, they.bob.id, command);
    let (again, done) = they.world.watch(again).await;
    assert_eq!((again.unwrap(), done.commits), (amended, 0));
    let back = they.amend(&they.eve, they.bob.id, active(true)).await;
    assert_eq!(back.unwrap().status, UserStatus::Active);
    they.world.assert_events_are_gapless();
}

#[tokio::test]
async fn a_refused_part_leaves_nothing_of_the_whole() {
    let they = Administrators::new().await;
    let command = AmendUser {
        first_name: Some("Robert".to_owned()),
        is_superuser: Some(true),
        ..these(&["editor"])
    };
    refused(&they.amend(&they.eve, they.bob.id, command).await);
    assert_eq!(they.stored(&they.acme, they.bob.id).await, they.bob);
}

#[tokio::test]
async fn roles_are_adjusted_on_what_there_is() {
    let they = Administrators::new().await;
    let of = UserAdministration::of_operator(they.acme.clone());
    let adjust = |add: &[&str], remove: &[&str]| AmendUser {
        roles: Some(Roles::Adjusted {
            add: roles(add),
            remove: roles(remove),
        }),
        ..AmendUser::default()
    };
    for (command, expected) in [
        (adjust(&["b", "a"], &[]), vec!["b", "a"]),
        (adjust(&["c", "a"], &["b"]), vec!["a", "c"]),
        (adjust(&[], &["x"]), vec!["a", "c"]),
        (these(&["c", "a"]), vec!["c", "a"]),
    ] {
        let amended = they.world.tessera.amend_user(&of, they.bob.id, command);
        assert_eq!(amended.await.unwrap().role_names(), expected);
    }
}

#[tokio::test]
async fn a_deleted_user_is_gone_with_all_sessions_and_is_told_so() {
    let they = Administrators::new().await;
    let (world, tessera) = (&they.world, &they.world.tessera);
    let bob = log_in(world, &they.acme, "bob").await;
    let of = they.office(&they.eve, None).await;
    let deleting = tessera.delete_user(&of, they.bob.id);
    let (answer, done) = world.watch(deleting).await;
    answer.unwrap();
    assert_eq!(done.commits, 1);
    let all = world.store.memory().events();
    let last: Vec<_> = all.iter().rev().take(2).collect();
    assert_eq!(last[1].encoded.event_type, "UserDeleted");
    assert_eq!(last[0].event.fact.subject, Subject::Session(bob.session.id));
    assert_eq!(tessera.user(&they.acme, "bob").await.unwrap(), None);
    let mails = world.store.memory().mails();
    assert_eq!(mails.last().unwrap().kind, MailKind::AccountDeleted);
    not_found(&tessera.delete_user(&of, they.bob.id).await);
}

#[tokio::test]
async fn an_administrator_ends_sessions_and_locks() {
    let they = Administrators::new().await;
    let (world, tessera) = (&they.world, &they.world.tessera);
    let of = they.office(&they.hal, None).await;
    let (ada, grant) = (world.ada().await.id, world.log_in().await);
    tessera.end_sessions_of(&of, ada).await.unwrap();
    world.assert_dead(&grant).await;
    for _ in 0..5 {
        world.try_log_in("ada", WRONG).await.unwrap_err();
    }
    world.try_log_in("ada", PASSWORD).await.unwrap_err();
    tessera.lift_lock(&of, ada).await.unwrap();
    world.log_in().await;
}

async fn set_password(world: &World, token: &str) {
    world.tessera.reset_password(reset(token)).await.unwrap();
}

fn reset(token: &str) -> ResetPassword {
    ResetPassword {
        shown: ShowToken {
            hints: TenantHints::default(),
            token: token.to_owned(),
            uid: None,
            ip: None,
        },
        password: typed(OTHER),
    }
}

async fn log_in_with(world: &World, tenant: &Tenant, name: &str, password: &str) {
    let command = tessera_app::LogIn {
        hints: explicit(&[tenant.name.as_str()]),
        ..crate::world::command(name, password)
    };
    world.tessera.log_in(command).await.unwrap();
}
