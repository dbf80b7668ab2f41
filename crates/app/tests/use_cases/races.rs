//! Requests on one account that truly overlap, on two processes: whatever their order, once the
//! end of a session was answered nothing of it works, and a token has one successor.

use core::sync::atomic::{AtomicUsize, Ordering};
use std::collections::HashMap;
use std::sync::Arc;

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use tessera_app::{
    Awaited, Caller, ChangePassword, Grant, LogOut, RefreshTokens, TenantHints, Tessera,
};
use tessera_domain::{Id, Session, User};
use tokio::task::{JoinSet, yield_now};

use crate::world::{OTHER, PASSWORD, WRONG, World, command, typed};

/// A request: what it is for, and how long it waits for its turn.
#[derive(Clone, Copy, Debug)]
struct Request {
    what: What,
    session: usize,
    turns: usize,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum What {
    ChangePassword,
    Disable,
    Guess,
    LogIn,
    LogOut,
    LogOutEverywhere,
    Refresh,
    Validate,
}

fn request() -> impl Strategy<Value = Request> {
    let what = prop_oneof![
        1 => Just(What::ChangePassword),
        1 => Just(What::Disable),
        2 => Just(What::Guess),
        1 => Just(What::LogIn),
        1 => Just(What::LogOut),
        1 => Just(What::LogOutEverywhere),
        6 => Just(What::Refresh),
        6 => Just(What::Validate),
    ];
    (what, 0..SESSIONS, 0_usize..40).prop_map(|(what, session, turns)| Request {
        what,
        session,
        turns,
    })
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 64,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn once_an_end_was_answered_nothing_of_the_session_works(
        requests in prop::collection::vec(request(), 2..32),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(race(requests))?;
    }
}

async fn race(requests: Vec<Request>) -> Result<(), TestCaseError> {
    let world = World::new().await;
    let other = world.restarted().await;
    let mut sessions = Vec::new();
    for _ in 0..SESSIONS {
        let grant = world.log_in().await;
        sessions.push((world.caller(&grant).await, grant));
    }
    let clock = Arc::new(AtomicUsize::new(0));
    let mut tasks = JoinSet::new();
    for (number, request) in requests.into_iter().enumerate() {
        let process = if number % 2 == 0 { &world } else { &other };
        let (tessera, clock) = (Arc::clone(&process.tessera), Arc::clone(&clock));
        let (caller, grant) = sessions[request.session].clone();
        tasks.spawn(async move {
            for _ in 0..request.turns {
                yield_now().await;
            }
            let began = clock.fetch_add(1, Ordering::SeqCst);
            let (good, given) = answer(&tessera, request.what, &caller, &grant).await;
            let ended = clock.fetch_add(1, Ordering::SeqCst);
            Answered {
                request,
                began,
                ended,
                good,
                given,
            }
        });
    }
    let answers = tasks.join_all().await;
    world.assert_events_are_gapless();
    nothing_outlives_its_end(&answers)?;
    one_successor_each(answers)
}

/// What became of a request, and when.
#[derive(Debug)]
struct Answered {
    request: Request,
    began: usize,
    ended: usize,
    good: bool,
    given: Option<Grant>,
}

/// Whether the answer is a good one, and the tokens that it gives.
async fn answer(
    tessera: &Tessera,
    what: What,
    caller: &Caller,
    grant: &Grant,
) -> (bool, Option<Grant>) {
    let hints = TenantHints::default();
    let user: Id<User> = caller.user.id;
    match what {
        What::ChangePassword => {
            let (old, new) = (typed(PASSWORD), typed(OTHER));
            let command = ChangePassword { old, new };
            (tessera.change_password(caller, command).await.is_ok(), None)
        }
        What::Disable => {
            let disabled = tessera.disable_user(&caller.tenant, user).await;
            (disabled.is_ok(), None)
        }
        What::Guess => (tessera.log_in(command("ada", WRONG)).await.is_ok(), None),
        What::LogIn => (tessera.log_in(command("ada", PASSWORD)).await.is_ok(), None),
        What::LogOut => {
            let (access, refresh) = (Some(grant.access.clone()), grant.refresh.clone());
            let command = LogOut {
                hints,
                access,
                refresh,
                ip: None,
            };
            (tessera.log_out(command).await.is_ok(), None)
        }
        What::LogOutEverywhere => (tessera.log_out_everywhere(caller).await.is_ok(), None),
        What::Refresh => {
            let token = grant.refresh.clone().unwrap();
            let command = RefreshTokens {
                hints,
                token,
                ip: None,
                awaited: Awaited::default(),
            };
            let refreshed = tessera.refresh(command).await;
            (refreshed.is_ok(), refreshed.ok())
        }
        What::Validate => {
            let validated = tessera.validate(&grant.access, &hints).await;
            (validated.is_ok(), None)
        }
    }
}

fn nothing_outlives_its_end(answers: &[Answered]) -> Result<(), TestCaseError> {
    for end in answers.iter().filter(|answer| answer.good) {
        let after = answers.iter().filter(|late| late.began > end.ended);
        for late in after.filter(|late| ends(end.request, late.request.session)) {
            let uses = matches!(late.request.what, What::Refresh | What::Validate);
            prop_assert!(!(uses && late.good), "{:?} after {:?}", late, end);
        }
    }
    Ok(())
}

/// Whether a good answer to `request` is the end of `session`.
fn ends(request: Request, session: usize) -> bool {
    match request.what {
        What::ChangePassword => request.session != session,
        What::Disable | What::LogOutEverywhere => true,
        What::LogOut => request.session == session,
        What::Guess | What::LogIn | What::Refresh | What::Validate => false,
    }
}

fn one_successor_each(answers: Vec<Answered>) -> Result<(), TestCaseError> {
    let mut successors: HashMap<Id<Session>, Option<String>> = HashMap::new();
    for given in answers.into_iter().filter_map(|answer| answer.given) {
        let session = given.session.id;
        let known = successors.entry(session).or_insert(given.refresh.clone());
        prop_assert_eq!(&*known, &given.refresh, "two live leaves");
    }
    Ok(())
}

const SESSIONS: usize = 3;
