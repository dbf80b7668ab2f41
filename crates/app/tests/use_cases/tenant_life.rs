//! The life of a tenant: suspended, resumed, moved, deleted, also while others are at work.

use std::sync::{Arc, LazyLock, Mutex};

use futures_util::future::join_all;
use tessera_app::{
    AdministerTenantError, AdministrationError, AuditTrail, CommitError, CreateTenant,
    CreateTenantError, LogInError, Store, TenantAdministration, Unavailable, Unique, ValidateError,
};
use tessera_domain::{
    Actor, Change, Changes, Id, Role, Tenant, TenantLayout, TenantName, TenantStatus, User,
};

use crate::world::{PASSWORD, World, cut, new_user};

fn operator() -> &'static TenantAdministration {
    static OPERATOR: LazyLock<TenantAdministration> =
        LazyLock::new(TenantAdministration::of_operator);
    &OPERATOR
}

/// The tenant Acme with the user `bob`.
async fn acme(world: &World) -> (Tenant, User) {
    let acme = world.create_tenant("Acme", &["acme.example"]).await;
    let bob = world.create_user(&acme, "bob@acme.example", "bob").await;
    (acme, bob)
}

impl World {
    async fn found(&self, tenant: &Tenant) -> Option<Tenant> {
        let id = tenant.id.to_string();
        self.tessera.find_tenant(&id).await.unwrap()
    }

    /// Begins a deletion and finishes it.
    async fn delete(&self, named: &str) {
        let deleting = self.tessera.begin_deletion(operator(), named).await;
        self.finish(&deleting.unwrap()).await.unwrap();
    }

    async fn finish(&self, tenant: &Tenant) -> Result<(), Unavailable> {
        let finished = self.tessera.finish_deletion(operator(), tenant.id, &|_| {});
        finished.await
    }

    /// Does what the service does beside the requests; answers how many were deleted, and of whom
    /// it tells that the move ended, and whether well.
    async fn upkeep(&self) -> (usize, Vec<(Id<Tenant>, bool)>) {
        let begun = self.tessera.unfinished().await.unwrap();
        let deleted = self.tessera.finish_deletions(&begun).await.unwrap();
        let ended = Mutex::new(Vec::new());
        let tell = |tenant: &Tenant, how: Result<_, _>| {
            ended.lock().unwrap().push((tenant.id, how.is_ok()));
        };
        self.tessera.finish_moves(&begun, &tell).await;
        (deleted, ended.into_inner().unwrap())
    }

    /// Begins a move and finishes it.
    async fn relocate(&self, named: &str, to: TenantLayout) -> Tenant {
        let begun = self.tessera.begin_move(operator(), named, to);
        let id = begun.await.unwrap().id;
        let moved = self.tessera.finish_move(operator(), id).await;
        moved.unwrap().unwrap()
    }
}

#[tokio::test]
async fn of_racing_creations_of_one_name_one_makes_it() {
    let world = World::new().await;
    let processes: Vec<World> = (0..8).map(|_| world.another_process()).collect();
    let making = processes.iter().map(|process| async move {
        let command = CreateTenant {
            name: TenantName::parse("Acme").unwrap(),
            schema: None,
            domains: Vec::new(),
            layout: None,
        };
        process.tessera.create_tenant(operator(), command).await
    });
    let (made, refused): (Vec<_>, Vec<_>) =
        join_all(making).await.into_iter().partition(Result::is_ok);
    assert_eq!((made.len(), refused.len()), (1, 7));
    for answer in refused {
        let taken = matches!(answer, Err(CreateTenantError::Duplicate(Unique::Tenant)));
        assert!(taken, "{answer:?}");
    }
    world.assert_events_are_gapless();
}

#[tokio::test]
async fn a_suspended_tenant_is_closed_here_at_once_and_elsewhere_within_a_second() {
    let world = World::new().await;
    acme(&world).await;
    let other = world.restarted().await;
    let login = "bob@acme.example";
    let grant = other.try_log_in(login, PASSWORD).await.unwrap();
    let (suspended, done) = world
        .watch(world.tessera.suspend_tenant(operator(), "ACME"))
        .await;
    assert_eq!(suspended.unwrap().status, TenantStatus::Suspended);
    assert_eq!(done.names(), ["TenantSuspended"]);
    let answer = world.try_log_in(login, PASSWORD).await;
    assert!(matches!(answer, Err(LogInError::InvalidCredentials)));
    for process in [&world, &other] {
        process.assert_dead(&grant).await;
    }
    world.wait(1);
    let answer = other.try_log_in(login, PASSWORD).await;
    assert!(matches!(answer, Err(LogInError::InvalidCredentials)));

    let resumed = other.tessera.resume_tenant(operator(), "acme").await;
    assert_eq!(resumed.unwrap().status, TenantStatus::Active);
    other.assert_works(&grant).await;
    other.try_log_in(login, PASSWORD).await.unwrap();
    world.assert_events_are_gapless();
}

#[tokio::test]
async fn a_log_in_that_a_suspension_overtakes_gives_nothing_that_works() {
    let world = World::new().await;
    acme(&world).await;
    let other = world.another_process();
    world.store.before_next_commit(async move {
        let suspended = other.tessera.suspend_tenant(operator(), "acme");
        suspended.await.unwrap();
    });
    let answer = world.try_log_in("bob@acme.example", PASSWORD).await;
    if let Ok(grant) = answer {
        world.assert_dead(&grant).await;
    }
    let stored = world.stored_tenant("Acme").await;
    assert_eq!(stored.status, TenantStatus::Suspended);
    world.assert_events_are_gapless();
}

#[tokio::test]
async fn what_was_read_before_a_change_here_is_not_remembered_after_it() {
    let world = World::new().await;
    acme(&world).await;
    world.wait(1);
    let login = "bob@acme.example";
    // Cut at each await in turn: one of them is between the read of the tenant and its keeping.
    for polls in 1..20 {
        let (tessera, suspended) = (Arc::clone(&world.tessera), world.tessera.clone());
        let mut overtaken =
            Box::pin(async move { tessera.log_in(crate::world::command(login, PASSWORD)).await });
        let begun = cut(&mut overtaken, polls);
        suspended.suspend_tenant(operator(), "acme").await.unwrap();
        if begun.is_none() {
            let _overtaken = overtaken.await;
        }
        let answer = world.try_log_in(login, PASSWORD).await;
        assert!(
            matches!(answer, Err(LogInError::InvalidCredentials)),
            "{polls}: {answer:?}"
        );
        suspended.resume_tenant(operator(), "acme").await.unwrap();
        world.wait(1);
    }
}

#[tokio::test]
async fn the_default_tenant_is_renamed_and_moved_and_neither_suspended_nor_deleted() {
    let world = World::new().await;
    let grant = world.log_in().await;
    let suspended = world.tessera.suspend_tenant(operator(), "public").await;
    let deleted = world.tessera.begin_deletion(operator(), "public").await;
    for answer in [suspended, deleted] {
        let refused = matches!(answer, Err(AdministerTenantError::DefaultTenant));
        assert!(refused, "{answer:?}");
    }
    let ours = TenantName::parse("Ours").unwrap();
    let renamed = world.tessera.rename_tenant(operator(), "public", ours);
    assert_eq!(renamed.await.unwrap().schema.as_str(), "public");
    let to = TenantLayout::Shared;
    assert_eq!(world.relocate("Ours", to).await.layout, to);
    world.restarted().await;
    world.assert_works(&grant).await;
}

#[tokio::test]
async fn a_tenant_is_renamed_unless_the_name_is_taken() {
    let world = World::new().await;
    let (acme, _) = acme(&world).await;
    world.create_tenant("Other", &[]).await;
    let rename = |name| {
        let name = TenantName::parse(name).unwrap();
        async { world.tessera.rename_tenant(operator(), "acme", name).await }
    };
    for name in ["OTHER", "Public"] {
        let answer = rename(name).await;
        let taken = matches!(
            answer,
            Err(AdministerTenantError::Duplicate(Unique::Tenant))
        );
        assert!(taken, "{answer:?}");
    }
    let (renamed, done) = world.watch(rename("Mud")).await;
    assert_eq!(done.names(), ["TenantRenamed"]);
    assert_eq!(renamed.unwrap(), world.found(&acme).await.unwrap());
    let (_, done) = world.watch(rename("Mud")).await;
    assert_eq!(done.commits, 0);
}

#[tokio::test]
async fn a_change_never_meets_another_tenant_that_took_the_name_meanwhile() {
    let world = World::new().await;
    let (old, _) = acme(&world).await;
    let other = world.another_process();
    world.store.before_next_commit(async move {
        let name = TenantName::parse("Mud").unwrap();
        let renamed = other.tessera.rename_tenant(operator(), "Acme", name);
        renamed.await.unwrap();
    });
    let suspended = world.tessera.suspend_tenant(operator(), "Acme").await;
    assert_eq!(suspended.unwrap().id, old.id);
    assert_eq!(world.found(&old).await.unwrap().name.as_str(), "Mud");
}

#[tokio::test]
async fn a_domain_goes_and_another_one_is_the_primary_one() {
    let world = World::new().await;
    world
        .create_tenant("Acme", &["a.example", "b.example"])
        .await;
    let [a, b] = ["a.example", "b.example"].map(crate::world::host);
    let (tessera, of) = (&world.tessera, operator());
    let (made, done) = world
        .watch(tessera.make_domain_primary(of, "acme", &b))
        .await;
    assert_eq!(done.names(), ["TenantPrimaryDomainChanged"]);
    assert!(made.unwrap().domains[1].primary);
    let (removed, done) = world.watch(tessera.remove_domain(of, "acme", &b)).await;
    assert_eq!(done.names(), ["TenantDomainRemoved"]);
    let left = removed.unwrap().domains;
    assert!(left.len() == 1 && left[0].host == a && left[0].primary);
    let made = tessera.make_domain_primary(of, "acme", &b).await;
    let removed = tessera.remove_domain(of, "acme", &b).await;
    for answer in [made, removed] {
        let unknown = matches!(answer, Err(AdministerTenantError::UnknownDomain));
        assert!(unknown, "{answer:?}");
    }
}

#[tokio::test]
async fn a_deleted_tenant_takes_everything_along_but_the_word_of_it() {
    let world = World::new().await;
    let (acme, bob) = acme(&world).await;
    let grant = world
        .try_log_in("bob@acme.example", PASSWORD)
        .await
        .unwrap();
    world.forgot("bob@acme.example").await;
    world.delete("acme").await;
    assert_eq!(world.found(&acme).await, None);
    world.assert_dead(&grant).await;
    assert_eq!(world.store.memory().mails(), []);
    let user = tessera_app::UserKey::Id(bob.id);
    assert_eq!(world.store.user(&acme, &user).await.unwrap(), None);
    let of_acme = |logged: &tessera_memory::LoggedEvent| logged.event.tenant == acme.id;
    let mut events = world.store.memory().events();
    events.retain(of_acme);
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].encoded.event_type, "TenantDeleted");
    let query = tessera_app::AuditQuery {
        tenant: Some(acme.id),
        limit: 100,
        ..tessera_app::AuditQuery::default()
    };
    let entries = world.store.memory().entries(&query).await.unwrap();
    let types = entries.iter().map(|entry| entry.event_type.as_str());
    let mut types: Vec<_> = types.collect();
    types.sort_unstable();
    assert_eq!(types, ["TenantDeleted", "TenantDeletionStarted"]);
    assert!(entries.iter().all(|entry| entry.actor == Actor::Operator));
    let again = world.tessera.begin_deletion(operator(), "acme").await;
    assert!(matches!(again, Err(AdministerTenantError::NotFound)));
    world.finish(&acme).await.unwrap();
    assert_eq!(
        world.create_tenant("Acme", &["acme.example"]).await.events,
        2
    );
}

#[tokio::test]
async fn a_tenant_that_changed_since_it_was_exported_is_not_deleted() {
    let world = World::new().await;
    acme(&world).await;
    let (tessera, other) = (&world.tessera, world.another_process());
    let closed = tessera.suspend_tenant(operator(), "acme").await.unwrap();
    let resume = || other.tessera.resume_tenant(operator(), "acme");
    resume().await.unwrap();
    let begun = tessera.begin_deletion_of(operator(), &closed).await;
    let refused = matches!(begun, Err(AdministerTenantError::Changed));
    assert!(refused, "{begun:?}");
    // Closed again, it may have got users in between.
    let again = tessera.suspend_tenant(operator(), "acme").await.unwrap();
    let begun = tessera.begin_deletion_of(operator(), &closed).await;
    let refused = matches!(begun, Err(AdministerTenantError::Changed));
    assert!(refused, "{begun:?}");
    let same = world.another_process();
    world.store.before_next_commit(async move {
        let resumed = same.tessera.resume_tenant(operator(), "acme");
        resumed.await.unwrap();
    });
    let begun = tessera.begin_deletion_of(operator(), &again).await;
    let refused = matches!(begun, Err(AdministerTenantError::Changed));
    assert!(refused, "{begun:?}");
    let stored = world.found(&closed).await.unwrap();
    assert_eq!(stored.status, TenantStatus::Active);

    let closed = tessera.suspend_tenant(operator(), "acme").await.unwrap();
    let begun = tessera.begin_deletion_of(operator(), &closed).await;
    assert_eq!(begun.unwrap().status, TenantStatus::Deleting);
    world.assert_events_are_gapless();
}

#[tokio::test]
async fn a_deletion_that_is_cut_at_any_await_is_finished_the_next_time() {
    for polls in 1.. {
        let world = World::new().await;
        let (acme, _) = acme(&world).await;
        for number in 0..5 {
            let command = new_user(&format!("u{number}@acme.example"), &format!("u{number}"));
            let made = world.tessera.create_user(&Actor::Operator, &acme, command);
            made.await.unwrap();
        }
        let whole = cut(Box::pin(world.delete("acme")), polls).is_some();
        let left = world.found(&acme).await;
        let status = left.as_ref().map(|tenant| tenant.status);
        assert!(status != Some(TenantStatus::Suspended), "{polls}");
        if status == Some(TenantStatus::Deleting) {
            // The service goes on by itself.
            assert_eq!(world.restarted().await.upkeep().await.0, 1);
            assert_eq!(world.found(&acme).await, None);
        }
        let named = world.tessera.begin_deletion(operator(), "acme").await;
        assert_eq!(
            named.is_ok(),
            status == Some(TenantStatus::Active),
            "{polls}"
        );
        if whole {
            return;
        }
    }
}

#[tokio::test]
async fn a_deletion_goes_on_after_a_store_that_was_away_at_each_step() {
    let world = World::new().await;
    let (acme, _) = acme(&world).await;
    let lost = || CommitError::Unavailable(Unavailable::new("lost"));
    world.store.memory().fail_next_commit(lost());
    let begun = world.tessera.begin_deletion(operator(), "acme").await;
    assert!(matches!(begun, Err(AdministerTenantError::Unavailable(_))));
    assert_eq!(
        world.found(&acme).await.unwrap().status,
        TenantStatus::Active
    );
    let deleting = world
        .tessera
        .begin_deletion(operator(), "acme")
        .await
        .unwrap();
    world.store.memory().fail_next_commit(lost());
    world.finish(&deleting).await.unwrap_err();
    assert_eq!(
        world.found(&acme).await.unwrap().status,
        TenantStatus::Deleting
    );
    world.store.memory().stale_next_commits(3);
    world.finish(&deleting).await.unwrap();
    assert_eq!(world.found(&acme).await, None);
}

#[tokio::test]
async fn of_two_who_finish_a_deletion_both_are_done_and_one_tells_it() {
    let world = World::new().await;
    let (acme, _) = acme(&world).await;
    let deleting = world
        .tessera
        .begin_deletion(operator(), "acme")
        .await
        .unwrap();
    let processes: Vec<World> = (0..6).map(|_| world.another_process()).collect();
    let finishing = processes.iter().map(|process| process.finish(&deleting));
    for finished in join_all(finishing).await {
        finished.unwrap();
    }
    let events = world.store.memory().events();
    let told = events.iter().filter(|one| one.event.tenant == acme.id);
    assert_eq!(told.count(), 1);
}

#[tokio::test]
async fn who_begins_a_move_or_a_deletion_tells_the_service() {
    let world = World::new().await;
    let (acme, _) = acme(&world).await;
    assert!(cut(world.tessera.begun(), 3).is_none());
    let to = TenantLayout::Shared;
    let begun = world.tessera.begin_move(operator(), "acme", to).await;
    assert_eq!(begun.unwrap().moving_to, Some(to));
    world.tessera.begun().await;
    assert_eq!(world.upkeep().await, (0, vec![(acme.id, true)]));
    assert_eq!(world.upkeep().await, (0, vec![]));
    let there = world.tessera.begin_move(operator(), "acme", to).await;
    assert_eq!(there.unwrap(), world.found(&acme).await.unwrap());
    assert!(cut(world.tessera.begun(), 3).is_none());
    world
        .tessera
        .begin_deletion(operator(), "acme")
        .await
        .unwrap();
    world.tessera.begun().await;
    assert_eq!(world.upkeep().await, (1, vec![]));
    assert_eq!(world.upkeep().await, (0, vec![]));
}

#[tokio::test]
async fn a_moving_tenant_answers_nobody_until_the_service_finishes_the_move() {
    let world = World::new().await;
    let (acme, _) = acme(&world).await;
    let login = "bob@acme.example";
    let grant = world.try_log_in(login, PASSWORD).await.unwrap();
    let to = TenantLayout::Shared;
    let (_, done) = world
        .watch(world.tessera.begin_move(operator(), "acme", to))
        .await;
    assert_eq!(done.names(), ["TenantMoveStarted"]);
    let (again, done) = world
        .watch(world.tessera.begin_move(operator(), "acme", to))
        .await;
    assert_eq!((again.unwrap().moving_to, done.commits), (Some(to), 0));
    let answer = world.try_log_in(login, PASSWORD).await;
    assert!(
        matches!(answer, Err(LogInError::Unavailable(_))),
        "{answer:?}"
    );
    let answer = world.validate(&grant).await;
    assert!(
        matches!(answer, Err(ValidateError::Unavailable(_))),
        "{answer:?}"
    );
    assert_eq!(world.tessera.prune().await.unwrap(), 0);
    world.log_in().await;

    let service = world.restarted().await;
    let (ended, done) = world.watch(service.upkeep()).await;
    assert_eq!(ended.1, [(acme.id, true)]);
    assert_eq!(done.names(), ["TenantMoved"]);
    let moved = world.found(&acme).await.unwrap();
    assert_eq!((moved.layout, moved.moving_to), (to, None));
    world.wait(1);
    world.assert_works(&grant).await;
    world.assert_events_are_gapless();
}

#[tokio::test]
async fn a_move_that_is_cut_at_any_await_has_not_begun_or_is_finished_the_next_time() {
    let to = TenantLayout::Shared;
    for polls in 1.. {
        let world = World::new().await;
        let (acme, _) = acme(&world).await;
        let whole = cut(Box::pin(world.relocate("acme", to)), polls).is_some();
        let left = world.found(&acme).await.unwrap();
        let ended = world.restarted().await.upkeep().await.1;
        assert_eq!(ended.len(), usize::from(left.moving_to.is_some()));
        let found = world.found(&acme).await.unwrap();
        let at = if left.moving_to.is_some() {
            to
        } else {
            left.layout
        };
        assert_eq!((found.layout, found.moving_to), (at, None), "{polls}");
        if whole {
            return;
        }
    }
}

#[tokio::test]
async fn a_move_that_fails_spares_no_other_and_is_tried_again() {
    let world = World::new().await;
    let (acme, _) = acme(&world).await;
    let other = world.create_tenant("Other", &[]).await;
    let to = TenantLayout::Shared;
    for named in ["acme", "other"] {
        let begun = world.tessera.begin_move(operator(), named, to).await;
        begun.unwrap();
    }
    let lost = CommitError::Unavailable(Unavailable::new("lost"));
    world.store.memory().fail_next_commit(lost);
    let ended = world.upkeep().await.1;
    assert_eq!(ended, [(acme.id, false), (other.id, true)]);
    assert_eq!(world.upkeep().await.1, [(acme.id, true)]);
}

#[tokio::test]
async fn of_many_who_finish_a_move_one_does_and_the_others_find_it_done() {
    let world = World::new().await;
    let (acme, _) = acme(&world).await;
    let to = TenantLayout::Shared;
    let begun = world.tessera.begin_move(operator(), "acme", to).await;
    begun.unwrap();
    let processes: Vec<World> = (0..6).map(|_| world.another_process()).collect();
    let finishing = processes
        .iter()
        .map(|process| process.tessera.finish_move(operator(), acme.id));
    let finished = join_all(finishing).await.into_iter();
    let moved: Vec<Tenant> = finished.filter_map(Result::unwrap).collect();
    assert_eq!(moved, [world.found(&acme).await.unwrap()]);
    world.assert_events_are_gapless();
}

#[tokio::test]
async fn a_move_ends_nowhere_when_it_is_called_off_or_the_tenant_is_deleted() {
    let world = World::new().await;
    let (acme, _) = acme(&world).await;
    let begin = |to| world.tessera.begin_move(operator(), "acme", to);
    begin(TenantLayout::Shared).await.unwrap();
    let seen = world.tessera.unfinished().await.unwrap();
    begin(TenantLayout::Schema).await.unwrap();
    world.upkeep().await;
    let back = world.found(&acme).await.unwrap();
    assert_eq!((back.layout, back.moving_to), (acme.layout, None));

    begin(TenantLayout::Shared).await.unwrap();
    let deleted = world.tessera.begin_deletion(operator(), "acme").await;
    let told = |tenant: &Tenant, _: Result<_, _>| panic!("{tenant:?}");
    world.tessera.finish_moves(&seen, &told).await;
    world.finish(&deleted.unwrap()).await.unwrap();
    world.tessera.finish_moves(&seen, &told).await;
}

#[tokio::test]
async fn a_mail_of_a_moving_tenant_waits() {
    let world = World::new().await;
    let (acme, _) = acme(&world).await;
    world.forgot("bob@acme.example").await;
    let (moving, _) = acme.begin_move(TenantLayout::Shared).unwrap();
    let changes = Changes {
        tenants: vec![Change::Update(moving)],
        ..Changes::default()
    };
    world.store.commit(&acme, changes).await.unwrap();
    let relay = world.mail_relay();
    relay.step().await.unwrap();
    assert_eq!(world.mailer.sent(), []);
    assert_eq!(world.store.memory().mails().len(), 1);
    let back = TenantLayout::Schema;
    world.relocate("acme", back).await;
    world.wait(3_600);
    assert_eq!(world.letters().await.len(), 1);
}

#[tokio::test]
async fn whoever_administers_one_tenant_sees_it_and_changes_none() {
    let world = World::new().await;
    let (acme, _) = acme(&world).await;
    let admin = |tenant, name: &str, role| {
        let command = tessera_app::CreateUser {
            roles: vec![Role::parse(role).unwrap()],
            ..new_user(&format!("{name}@x.example"), name)
        };
        let tessera = &world.tessera;
        async move { tessera.create_user(&Actor::Operator, tenant, command).await }
    };
    let default = world.tenant().await;
    admin(&default, "root", Role::PLATFORM_ADMIN).await.unwrap();
    admin(&default, "hal", Role::TENANT_ADMIN).await.unwrap();
    let [root, hal, ada] = [
        world.log_in_as("root").await,
        world.log_in_as("hal").await,
        world.log_in_as("ada").await,
    ];
    for caller in [&hal, &ada] {
        TenantAdministration::of(caller).unwrap_err();
    }
    let of = TenantAdministration::of(&root).unwrap();
    let shown = |caller, named| world.tessera.administered_tenant(caller, named);
    assert_eq!(shown(&hal, "public").await.unwrap(), Some(default));
    assert_eq!(shown(&root, "acme").await.unwrap(), Some(acme));
    assert_eq!(shown(&root, "nowhere").await.unwrap(), None);
    for (caller, named) in [(&hal, "acme"), (&hal, "nowhere"), (&ada, "public")] {
        let answer = shown(caller, named).await;
        let refused = matches!(answer, Err(AdministrationError::NotPermitted(_)));
        assert!(refused, "{named}: {answer:?}");
    }
    let suspended = world.tessera.suspend_tenant(&of, "acme");
    suspended.await.unwrap();
    let query = tessera_app::AuditQuery {
        event_type: Some("TenantSuspended".to_owned()),
        limit: 1,
        ..tessera_app::AuditQuery::default()
    };
    let entries = world.store.memory().entries(&query).await.unwrap();
    assert_eq!(entries[0].actor, root.actor());
}
