//! The family of refresh tokens, under any interleaving of refresh, replay, log out and time.

use proptest::prelude::*;

use super::*;
use crate::{NewUser, Profile};

#[derive(Clone, Debug)]
enum Step {
    LogOut,
    LogOutEverywhere,
    Present(u64),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        1 => Just(Step::LogOut),
        1 => Just(Step::LogOutEverywhere),
        12 => (0_u64..4).prop_map(Step::Present),
        8 => (0_u64..25).prop_map(Step::Wait),
    ]
}

fn policy() -> TokenPolicy {
    TokenPolicy {
        refresh_lifetime: Duration::from_mins(1),
        session_lifetime: Duration::from_mins(5),
        ..TokenPolicy::default()
    }
}

fn begun(now: Timestamp) -> (Session, Epoch) {
    let (user, _) = User::create(
        NewUser {
            profile: Profile::default(),
            ..NewUser::default()
        },
        Id::new(now, [1; 10]),
        now,
    );
    let (id, key) = (Id::new(now, [2; 10]), KeyId::new("k".to_owned()));
    let session = Session::begin(&user, id, key, Device::default(), now, &policy());
    (session, user.epoch)
}

proptest! {
    #[test]
    fn a_family_has_one_live_leaf_and_an_ended_one_none(steps in prop::collection::vec(step(), 1..80)) {
        let (policy, key) = (policy(), KeyId::new("k".to_owned()));
        let mut now = Timestamp::from_secs(1_000);
        let (mut session, mut epoch) = begun(now);
        let mut over = false;
        for step in steps {
            match step {
                Step::LogOut => {
                    session = session.end(SessionEnd::LogOut, now);
                    over = true;
                }
                Step::LogOutEverywhere => {
                    epoch = epoch.next();
                    over = true;
                }
                Step::Wait(secs) => now = now + Duration::from_secs(secs),
                Step::Present(age) => {
                    let current = session.generation.number();
                    let presented = Generation::new(current.saturating_sub(age).max(1));
                    let age = current - presented.number();
                    let graced = age == 1 && now < session.refreshed_at + policy.grace;
                    match session.refresh(presented, epoch, &key, now, &policy) {
                        Refresh::Keep => prop_assert!(false, "rotation is on"),
                        Refresh::Refuse(Dead::Ended) => prop_assert!(over),
                        Refresh::Refuse(Dead::Expired) => {
                            prop_assert!(!over && now >= session.idle_end);
                        }
                        Refresh::Refuse(Dead::NeverMade) => prop_assert!(false),
                        Refresh::Repeat => prop_assert!(!over && graced),
                        Refresh::Reuse(ended) => {
                            prop_assert!(!over && age > 0 && !graced);
                            session = ended;
                            over = true;
                        }
                        Refresh::Rotate(next) => {
                            prop_assert!(!over && age == 0 && now < session.idle_end);
                            prop_assert_eq!(next.generation, session.generation.next());
                            prop_assert!(next.idle_end <= next.absolute_end);
                            prop_assert_eq!(next.absolute_end, session.absolute_end);
                            session = next;
                        }
                    }
                }
            }
            prop_assert!(!(over && session.is_live(epoch, now)));
        }
    }
}

#[test]
fn a_grace_answer_does_not_prolong_the_window() {
    let (policy, key) = (policy(), KeyId::new("k".to_owned()));
    let start = Timestamp::from_secs(1_000);
    let (session, epoch) = begun(start);
    let refresh = |session: &Session, generation, secs| {
        session.refresh(
            generation,
            epoch,
            &key,
            start + Duration::from_secs(secs),
            &policy,
        )
    };
    let Refresh::Rotate(rotated) = refresh(&session, Generation::FIRST, 0) else {
        panic!("the current token rotates");
    };
    for secs in [1, 5, 9] {
        assert_eq!(refresh(&rotated, Generation::FIRST, secs), Refresh::Repeat);
    }
    assert!(matches!(
        refresh(&rotated, Generation::FIRST, 10),
        Refresh::Reuse(_)
    ));
}

#[test]
fn a_replayed_token_ends_the_family_however_old_it_is() {
    let (policy, key) = (policy(), KeyId::new("k".to_owned()));
    let start = Timestamp::from_secs(1_000);
    let (session, epoch) = begun(start);
    let Refresh::Rotate(rotated) = session.refresh(Generation::FIRST, epoch, &key, start, &policy)
    else {
        panic!("the current token rotates");
    };
    let much_later = start + Duration::from_secs(10_000);
    assert!(matches!(
        rotated.refresh(Generation::FIRST, epoch, &key, much_later, &policy),
        Refresh::Reuse(_)
    ));
}

#[test]
fn without_rotation_the_first_token_stays_good_until_its_end() {
    let policy = TokenPolicy {
        rotation: Rotation::Never,
        ..policy()
    };
    let (key, start) = (KeyId::new("k".to_owned()), Timestamp::from_secs(1_000));
    let (session, epoch) = begun(start);
    let refresh = |secs| {
        let now = start + Duration::from_secs(secs);
        session.refresh(Generation::FIRST, epoch, &key, now, &policy)
    };
    assert_eq!(refresh(59), Refresh::Keep);
    assert_eq!(refresh(60), Refresh::Refuse(Dead::Expired));
}

#[test]
fn the_fifth_wrong_password_in_a_row_ends_a_session() {
    let now = Timestamp::from_secs(1_000);
    let (mut session, epoch) = begun(now);
    for _ in 0..4 {
        session = session.with_wrong_password(now);
        assert!(session.is_live(epoch, now));
    }
    let forgiven = session.carried_into(epoch).with_wrong_password(now);
    assert!(forgiven.is_live(epoch, now));
    let ended = session.with_wrong_password(now).ended.unwrap();
    assert_eq!(ended.why, SessionEnd::Guessing);
}
