//! Change one's password: the others end, this session goes on, and guessing does not pay.

use std::sync::Arc;

use tessera_app::{
    ChangePassword, ChangePasswordError, CommitError, Grant, TenantHints, Unavailable,
};
use tessera_domain::{EventKind, MailKind, PasswordWeakness, SessionEnd, Subject, UserStatus};
use tokio::task::JoinSet;

use crate::world::{OTHER, PASSWORD, WRONG, World, command, typed};

#[tokio::test]
async fn every_other_session_ends_and_this_one_goes_on() {
    let world = World::new().await;
    let [own, other] = [world.log_in().await, world.log_in().await];
    let (answer, done) = world.watch(change(&world, &own, PASSWORD, OTHER)).await;
    answer.unwrap();
    assert_eq!((done.verified, done.hashed, done.commits), (1, 1, 1));
    assert_eq!(done.names(), ["PasswordChanged", "SessionEnded"]);
    let ended = Subject::Session(other.session.id);
    assert_eq!(done.ended(), [(ended, SessionEnd::PasswordChange)]);
    world.assert_dead(&other).await;
    world.assert_works(&own).await;
    let refreshed = world.refresh(&own).await.unwrap();
    world.assert_works(&refreshed).await;
    world.assert_events_are_gapless();
}

#[tokio::test]
async fn the_owner_is_told_by_mail_of_a_change_and_of_nothing_else() {
    let world = World::new().await;
    let grant = world.log_in().await;
    assert_wrong(&change(&world, &grant, WRONG, OTHER).await);
    change(&world, &grant, PASSWORD, "short").await.unwrap_err();
    assert_eq!(world.letters().await, []);
    change(&world, &grant, PASSWORD, OTHER).await.unwrap();
    let notice = world.letter(MailKind::PasswordChanged).await;
    assert_eq!(notice.to.as_str(), "Ada@Example.com");
    assert_eq!((notice.link, notice.new_email), (None, None));
}

#[tokio::test]
async fn a_change_that_fails_sends_no_mail() {
    let world = World::new().await;
    let grant = world.log_in().await;
    let gone = CommitError::Unavailable(Unavailable::new("gone"));
    world.store.memory().fail_next_commit(gone);
    let answer = change(&world, &grant, PASSWORD, OTHER).await;
    assert!(matches!(answer, Err(ChangePasswordError::Unavailable(_))));
    assert_eq!(world.letters().await, []);
}

#[tokio::test]
async fn only_the_new_password_logs_in_from_then_on() {
    let world = World::new().await;
    let grant = world.log_in().await;
    change(&world, &grant, PASSWORD, OTHER).await.unwrap();
    world.try_log_in("ada", PASSWORD).await.unwrap_err();
    world.try_log_in("ada", OTHER).await.unwrap();
}

#[tokio::test]
async fn a_weak_password_is_refused_before_anything_else() {
    let world = World::new().await;
    let grant = world.log_in().await;
    for (new, weakness) in [
        ("short", PasswordWeakness::TooShort { min: 8 }),
        (&*"x".repeat(257), PasswordWeakness::TooLong { max: 256 }),
        ("PassWord123", PasswordWeakness::Common),
        ("ada@example.com", PasswordWeakness::MadeOfName),
        ("tessera1", PasswordWeakness::MadeOfName),
        ("Public12", PasswordWeakness::MadeOfName),
    ] {
        for old in [PASSWORD, WRONG] {
            let (answer, done) = world.watch(change(&world, &grant, old, new)).await;
            let Err(ChangePasswordError::WeakPassword(why)) = answer else {
                panic!("{new:?}: {answer:?}");
            };
            assert_eq!(why, weakness);
            assert_eq!((done.verified, done.hashed, done.commits), (0, 0, 0));
        }
    }
}

#[tokio::test]
async fn the_fifth_wrong_old_password_in_a_row_ends_the_session_and_no_other() {
    let world = World::new().await;
    let [own, other] = [world.log_in().await, world.log_in().await];
    let before = world.ada().await;
    for _ in 1..=4 {
        let (answer, done) = world.watch(change(&world, &own, WRONG, OTHER)).await;
        assert_wrong(&answer);
        assert_eq!((done.verified, done.hashed, done.commits), (1, 0, 1));
        assert!(done.events.is_empty());
        world.assert_works(&own).await;
    }
    let (answer, done) = world.watch(change(&world, &own, WRONG, OTHER)).await;
    assert!(matches!(answer, Err(ChangePasswordError::Invalid)));
    let ended = Subject::Session(own.session.id);
    assert_eq!(done.ended(), [(ended, SessionEnd::Guessing)]);
    world.assert_dead(&own).await;
    world.assert_works(&other).await;
    assert_eq!(world.ada().await, before);
}

#[tokio::test]
async fn what_strangers_do_at_log_in_ends_no_session_that_changes_its_password() {
    let world = World::new().await;
    let grant = world.log_in().await;
    lock(&world).await;
    assert_wrong(&change(&world, &grant, WRONG, OTHER).await);
    world.assert_works(&grant).await;
}

#[tokio::test]
async fn a_lock_does_not_keep_the_owner_from_changing_the_password() {
    let world = World::new().await;
    let grant = world.log_in().await;
    lock(&world).await;
    change(&world, &grant, PASSWORD, OTHER).await.unwrap();
    world.assert_works(&grant).await;
}

#[tokio::test]
async fn a_stolen_token_gives_five_guesses_also_in_parallel() {
    let world = World::new().await;
    let grant = world.log_in().await;
    let caller = world.caller(&grant).await;
    world.passwords.pause();
    let mut tasks = JoinSet::new();
    let begun = world.passwords.verified() + 12;
    for _ in 0..12 {
        let (tessera, caller) = (Arc::clone(&world.tessera), caller.clone());
        let (old, new) = (typed(WRONG), typed(OTHER));
        let command = ChangePassword { old, new };
        tasks.spawn(async move { tessera.change_password(&caller, command).await });
    }
    world.passwords.until_verified(begun).await;
    world.passwords.resume();
    let answers = tasks.join_all().await;
    let wrong = |answer: &&Result<_, _>| matches!(answer, Err(ChangePasswordError::WrongPassword));
    assert_eq!(answers.iter().filter(wrong).count(), 4);
    assert!(answers.iter().all(Result::is_err));
    world.assert_dead(&grant).await;
    world.assert_events_are_gapless();
}

#[tokio::test]
async fn a_refresh_that_races_with_the_change_rotates_once() {
    let world = World::new().await;
    let grant = world.log_in().await;
    let (other, token) = (world.restarted().await, grant.refresh.clone().unwrap());
    world.store.before_next_commit(async move {
        other
            .refresh_with(&token, TenantHints::default())
            .await
            .unwrap();
    });
    let (answer, done) = world.watch(change(&world, &grant, PASSWORD, OTHER)).await;
    answer.unwrap();
    assert_eq!((done.verified, done.hashed, done.commits), (1, 1, 2));
    let successor = world.refresh(&grant).await.unwrap();
    world.assert_works(&successor).await;
}

#[tokio::test]
async fn a_change_that_the_end_of_the_session_overtakes_changes_nothing() {
    let world = World::new().await;
    let grant = world.log_in().await;
    let (tessera, caller) = (Arc::clone(&world.tessera), world.caller(&grant).await);
    world.store.before_next_commit(async move {
        tessera.log_out_everywhere(&caller).await.unwrap();
    });
    let answer = change(&world, &grant, PASSWORD, OTHER).await;
    assert!(matches!(answer, Err(ChangePasswordError::Invalid)));
    world.log_in().await;
}

#[tokio::test]
async fn an_old_password_that_was_replaced_meanwhile_is_verified_again() {
    let world = World::new().await;
    let grant = world.log_in().await;
    let (tessera, caller) = (Arc::clone(&world.tessera), world.caller(&grant).await);
    let (old, new) = (typed(PASSWORD), typed("first horse battery"));
    world.store.before_next_commit(async move {
        let command = ChangePassword { old, new };
        tessera.change_password(&caller, command).await.unwrap();
    });
    let (answer, done) = world.watch(change(&world, &grant, PASSWORD, OTHER)).await;
    assert_wrong(&answer);
    assert_eq!(done.verified, 3);
    world
        .try_log_in("ada", "first horse battery")
        .await
        .unwrap();
}

#[tokio::test]
async fn a_session_begun_meanwhile_ends_too() {
    let world = World::new().await;
    let grant = world.log_in().await;
    let tessera = Arc::clone(&world.tessera);
    world.store.before_next_commit(async move {
        tessera.log_in(command("ada", PASSWORD)).await.unwrap();
    });
    let (answer, done) = world.watch(change(&world, &grant, PASSWORD, OTHER)).await;
    answer.unwrap();
    assert_eq!(
        done.names(),
        ["UserLoggedIn", "PasswordChanged", "SessionEnded"]
    );
    assert_eq!(
        world
            .tessera
            .sessions(&world.caller(&grant).await)
            .await
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test]
async fn too_much_to_hash_changes_nothing() {
    let world = World::new().await;
    let grant = world.log_in().await;
    world.passwords.overloaded(true);
    let (answer, done) = world.watch(change(&world, &grant, PASSWORD, OTHER)).await;
    assert!(matches!(answer, Err(ChangePasswordError::Overloaded(_))));
    assert_eq!(done.commits, 0);
    world.passwords.overloaded(false);
    world.log_in().await;
}

#[tokio::test]
async fn the_event_tells_nothing_of_either_password() {
    let world = World::new().await;
    let grant = world.log_in().await;
    let (_, done) = world.watch(change(&world, &grant, PASSWORD, OTHER)).await;
    assert_eq!(done.kinds(), [EventKind::PasswordChanged]);
    assert_eq!(done.subjects(), [Subject::User(grant.user.id)]);
    assert_eq!(world.ada().await.status, UserStatus::Active);
}

async fn change(
    world: &World,
    grant: &Grant,
    old: &str,
    new: &str,
) -> Result<(), ChangePasswordError> {
    let caller = world.caller(grant).await;
    let (old, new) = (typed(old), typed(new));
    let command = ChangePassword { old, new };
    world.tessera.change_password(&caller, command).await
}

async fn lock(world: &World) {
    for _ in 0..5 {
        world.try_log_in("ada", WRONG).await.unwrap_err();
    }
}

fn assert_wrong(answer: &Result<(), ChangePasswordError>) {
    assert!(
        matches!(answer, Err(ChangePasswordError::WrongPassword)),
        "{answer:?}"
    );
}
