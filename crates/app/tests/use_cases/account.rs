//! What users do with their own account: change their names, delete it.

use std::sync::Arc;

use tessera_app::{
    ChangeProfile, ChangeUserError, CommitError, DeleteAccountError, Letter, Store, Unavailable,
};
use tessera_domain::{
    Change, Changes, EmailAddress, EventKind, JobRoleBy, MailKind, Profile, SessionEnd, Subject,
    TenantSettings, User,
};

use crate::world::{PASSWORD, World, cut, registration};

#[tokio::test]
async fn a_user_changes_names_and_others_are_told() {
    let world = World::new().await;
    world.sign_up().await;
    let caller = world.log_in_as("grace").await;
    let command = ChangeProfile {
        first_name: Some("Amazing".to_owned()),
        ..ChangeProfile::default()
    };
    let changing = world.tessera.change_profile(&caller, command);
    let (answer, done) = world.watch(changing).await;
    assert_eq!(answer.unwrap(), world.grace().await);
    assert_eq!(done.commits, 1);
    let changed = EventKind::UserProfileChanged {
        first_name: "Amazing".to_owned(),
        last_name: "Hopper".to_owned(),
        job_role: String::new(),
    };
    assert_eq!(done.kinds(), [changed]);
    assert_eq!(done.subjects(), [Subject::User(caller.user.id)]);
    assert_eq!(world.letters().await, []);
    world.assert_events_are_gapless();
}

#[tokio::test]
async fn a_change_that_changes_nothing_is_not_told() {
    let world = World::new().await;
    world.sign_up().await;
    let caller = world.log_in_as("grace").await;
    let same = ChangeProfile {
        first_name: Some("Grace".to_owned()),
        last_name: Some("Hopper".to_owned()),
        job_role: Some(String::new()),
    };
    for command in [same, ChangeProfile::default()] {
        let changing = world.tessera.change_profile(&caller, command);
        let (answer, done) = world.watch(changing).await;
        assert_eq!(answer.unwrap(), world.grace().await);
        assert_eq!((done.commits, done.events.len()), (0, 0));
    }
}

#[tokio::test]
async fn what_a_user_does_there_is_for_others_to_say_unless_the_tenant_says_otherwise() {
    for (by, job_role) in [
        (JobRoleBy::Administrators, ""),
        (JobRoleBy::Users, "admiral"),
    ] {
        let world = World::new().await;
        let settings = |so_far| TenantSettings {
            job_role: by,
            ..so_far
        };
        world.change_settings("public", settings).await;
        let caller = world.log_in_as("ada").await;
        let command = ChangeProfile {
            last_name: Some("Lovelace".to_owned()),
            job_role: Some("admiral".to_owned()),
            ..ChangeProfile::default()
        };
        let changing = world.tessera.change_profile(&caller, command);
        let profile = changing.await.unwrap().profile;
        let expected = Profile {
            last_name: "Lovelace".to_owned(),
            job_role: job_role.to_owned(),
            ..Profile::default()
        };
        assert_eq!(profile, expected);
    }
}

#[tokio::test]
async fn two_changes_at_the_same_time_both_stay() {
    let world = World::new().await;
    let caller = world.log_in_as("ada").await;
    let first = ChangeProfile {
        first_name: Some("Ada".to_owned()),
        ..ChangeProfile::default()
    };
    let last = ChangeProfile {
        last_name: Some("King".to_owned()),
        ..ChangeProfile::default()
    };
    let (one, two) = tokio::join!(
        world.tessera.change_profile(&caller, first),
        world.tessera.change_profile(&caller, last)
    );
    one.unwrap();
    two.unwrap();
    let profile = world.ada().await.profile;
    assert_eq!((&*profile.first_name, &*profile.last_name), ("Ada", "King"));
    world.assert_events_are_gapless();
}

#[tokio::test]
async fn who_is_gone_changes_nothing() {
    let world = World::new().await;
    let caller = world.log_in_as("ada").await;
    world.tessera.delete_account(&caller).await.unwrap();
    let command = ChangeProfile::default();
    let answer = world.tessera.change_profile(&caller, command).await;
    assert!(matches!(answer, Err(ChangeUserError::NotFound)));
}

#[tokio::test]
async fn a_deleted_account_is_gone_with_its_sessions_and_its_events() {
    let world = World::new().await;
    world.sign_up().await;
    let grants = [
        world.try_log_in("grace", PASSWORD).await.unwrap(),
        world.try_log_in("grace", PASSWORD).await.unwrap(),
    ];
    let (ada, caller) = (world.log_in().await, world.caller(&grants[0]).await);
    let events_before = world.grace().await.events;
    let commits = world.store.memory().commits();
    world.tessera.delete_account(&caller).await.unwrap();
    assert_eq!(world.store.memory().commits(), commits + 1);
    let tenant = world.tenant().await;
    for who in ["grace", "grace@example.com", &caller.user.id.to_string()] {
        assert_eq!(world.tessera.user(&tenant, who).await.unwrap(), None);
    }
    for grant in &grants {
        world.assert_dead(grant).await;
        assert_eq!(world.stored(grant.session.id).await, None);
    }
    world.try_log_in("grace", PASSWORD).await.unwrap_err();
    world.assert_works(&ada).await;

    let of_grace: Vec<_> = world
        .store
        .memory()
        .events()
        .into_iter()
        .filter(|logged| logged.encoded.body.contains(&caller.user.id.to_string()))
        .map(|logged| logged.event.fact)
        .collect();
    let kinds: Vec<_> = of_grace.iter().map(|fact| &fact.kind).collect();
    let ended = EventKind::SessionEnded {
        user: caller.user.id,
        why: SessionEnd::Deleted,
    };
    assert_eq!(kinds, [&EventKind::UserDeleted, &ended, &ended]);
    assert_eq!(of_grace[0].sequence, events_before + 1);
}

#[tokio::test]
async fn the_address_of_a_deleted_account_is_told() {
    let world = World::new().await;
    world.sign_up().await;
    let caller = world.log_in_as("grace").await;
    world.tessera.delete_account(&caller).await.unwrap();
    let farewell = world.letter(MailKind::AccountDeleted).await;
    assert_eq!(farewell.to.as_str(), "Grace@Example.com");
    assert_eq!((farewell.link, farewell.new_email), (None, None));
}

#[tokio::test]
async fn the_address_that_is_told_is_the_one_at_the_moment_of_deletion() {
    let world = World::new().await;
    world.sign_up().await;
    let caller = world.log_in_as("grace").await;
    let (store, tenant) = (world.store.memory().clone(), world.tenant().await);
    let moved = User {
        email: Some(EmailAddress::parse("grace@navy.example").unwrap()),
        ..world.grace().await
    };
    world.store.before_next_commit(async move {
        let changes = Changes {
            users: vec![Change::Update(moved)],
            ..Changes::default()
        };
        store.commit(&tenant, changes).await.unwrap();
    });
    world.tessera.delete_account(&caller).await.unwrap();
    let farewell = world.letter(MailKind::AccountDeleted).await;
    assert_eq!(farewell.to.as_str(), "grace@navy.example");
}

#[tokio::test]
async fn the_names_of_a_deleted_account_are_free() {
    let world = World::new().await;
    world.sign_up().await;
    let caller = world.log_in_as("grace").await;
    world.tessera.delete_account(&caller).await.unwrap();
    let again = registration("grace@example.com");
    let registered = world.tessera.register(again).await.unwrap();
    assert_ne!(registered.user.id, caller.user.id);
    assert_eq!(world.grace().await.id, registered.user.id);
}

#[tokio::test]
async fn of_a_deleted_account_what_happened_is_told_and_nothing_leads_to_it() {
    let world = World::new().await;
    world.sign_up().await;
    let caller = world.log_in_as("grace").await;
    world.forgot("grace@example.com").await;
    world
        .ask_to_change(&caller, "hopper@example.com")
        .await
        .unwrap();
    world.tessera.delete_account(&caller).await.unwrap();
    let letters = world.letters().await;
    let mut kinds: Vec<&str> = letters.iter().map(|one| one.kind.as_str()).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, ["account_deleted", "change_email_requested"]);
    let to = |one: &Letter| one.to.as_str() == "Grace@Example.com" && one.link.is_none();
    assert!(letters.iter().all(to), "{letters:?}");
    assert_eq!(world.store.memory().mails(), []);
}

#[tokio::test]
async fn what_happens_to_an_account_while_it_is_deleted_makes_no_gap() {
    let world = World::new().await;
    let caller = world.log_in_as("ada").await;
    let (tessera, of_ada) = (Arc::clone(&world.tessera), caller.clone());
    world.store.before_next_commit(async move {
        let command = ChangeProfile {
            first_name: Some("Ada".to_owned()),
            ..ChangeProfile::default()
        };
        tessera.change_profile(&of_ada, command).await.unwrap();
    });
    let events = world.ada().await.events;
    world.tessera.delete_account(&caller).await.unwrap();
    let logged = world.store.memory().events();
    let deleted = logged
        .iter()
        .find(|one| one.event.fact.kind == EventKind::UserDeleted);
    assert_eq!(deleted.unwrap().event.fact.sequence, events + 2);
}

#[tokio::test]
async fn a_session_that_ended_deletes_nothing() {
    let world = World::new().await;
    for everywhere in [false, true] {
        let grant = world.log_in().await;
        let caller = world.caller(&grant).await;
        if everywhere {
            world.tessera.log_out_everywhere(&caller).await.unwrap();
        } else {
            world.log_out(Some(&grant), None).await.unwrap();
        }
        let answer = world.tessera.delete_account(&caller).await;
        assert!(matches!(answer, Err(DeleteAccountError::Invalid)));
        world.log_in().await;
    }
}

#[tokio::test]
async fn a_delete_that_the_end_of_all_sessions_overtakes_deletes_nothing() {
    let world = World::new().await;
    let caller = world.log_in_as("ada").await;
    let (tessera, of_ada) = (Arc::clone(&world.tessera), caller.clone());
    world.store.before_next_commit(async move {
        tessera.log_out_everywhere(&of_ada).await.unwrap();
    });
    let answer = world.tessera.delete_account(&caller).await;
    assert!(matches!(answer, Err(DeleteAccountError::Invalid)));
    world.log_in().await;
    assert_eq!(world.letters().await, []);
}

#[tokio::test]
async fn of_two_who_delete_an_account_at_the_same_time_one_does() {
    let world = World::new().await;
    let caller = world.log_in_as("ada").await;
    let other = world.restarted().await;
    let (one, two) = tokio::join!(
        world.tessera.delete_account(&caller),
        other.tessera.delete_account(&caller)
    );
    assert!(one.is_ok() != two.is_ok());
    world.letter(MailKind::AccountDeleted).await;
}

#[tokio::test]
async fn a_delete_that_is_dropped_at_any_await_is_whole_or_nothing() {
    for polls in 1.. {
        let world = World::new().await;
        let grant = world.log_in().await;
        let caller = world.caller(&grant).await;
        let whole = cut(world.tessera.delete_account(&caller), polls).is_some();
        let tenant = world.tenant().await;
        if world.tessera.user(&tenant, "ada").await.unwrap().is_some() {
            assert!(!whole);
            world.assert_works(&grant).await;
            assert_eq!(world.letters().await, []);
        } else {
            world.letter(MailKind::AccountDeleted).await;
        }
        if whole {
            break;
        }
    }
}

#[tokio::test]
async fn without_the_store_nothing_is_deleted() {
    let world = World::new().await;
    let caller = world.log_in_as("ada").await;
    let gone = CommitError::Unavailable(Unavailable::new("gone"));
    world.store.memory().fail_next_commit(gone);
    let answer = world.tessera.delete_account(&caller).await;
    assert!(matches!(answer, Err(DeleteAccountError::Unavailable(_))));
    world.log_in().await;
}
