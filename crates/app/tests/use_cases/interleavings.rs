//! Several clients on one account, in any order of what they and an operator may do, against a
//! model that is simple enough to be right.

mod model;

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use tessera_app::{
    ChangePassword, ChangePasswordError, Grant, LogInError, RefreshError, TenantHints,
};
use tessera_domain::TokenPolicy;

use crate::interleavings::model::{Model, Refreshed};
use crate::world::{Done, World, typed, with_tokens};

#[derive(Clone, Copy, Debug)]
enum Step {
    ChangePassword { client: usize },
    Disable,
    Enable,
    Guess,
    LogIn { client: usize },
    LogOut { client: usize },
    LogOutEverywhere { client: usize },
    Refresh { client: usize, age: usize },
    Wait { secs: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    let client = || 0..CLIENTS;
    prop_oneof![
        1 => client().prop_map(|client| Step::ChangePassword { client }),
        1 => Just(Step::Disable),
        2 => Just(Step::Enable),
        4 => Just(Step::Guess),
        6 => client().prop_map(|client| Step::LogIn { client }),
        1 => client().prop_map(|client| Step::LogOut { client }),
        1 => client().prop_map(|client| Step::LogOutEverywhere { client }),
        12 => client().prop_map(|client| Step::Refresh { client, age: 0 }),
        6 => (client(), 1_usize..4).prop_map(|(client, age)| Step::Refresh { client, age }),
        8 => (1_u64..25).prop_map(|secs| Step::Wait { secs }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 64,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn whatever_clients_do_the_service_does_what_the_model_says(
        steps in prop::collection::vec(step(), 1..70),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(run(steps))?;
    }
}

async fn run(steps: Vec<Step>) -> Result<(), TestCaseError> {
    let world = World::with(with_tokens(policy())).await;
    let mut run = Run {
        model: Model::new(policy(), world.now()),
        world,
        clients: [const { None }; CLIENTS],
        password: 0,
    };
    for step in steps {
        run.step(step).await?;
        run.nothing_dead_answers().await?;
    }
    run.world.assert_events_are_gapless();
    Ok(())
}

/// The service and the model, side by side.
struct Run {
    world: World,
    model: Model,
    /// The family that each client logged in to last.
    clients: [Option<usize>; CLIENTS],
    password: usize,
}

impl Run {
    async fn step(&mut self, step: Step) -> Result<(), TestCaseError> {
        let tessera = &self.world.tessera;
        let (tenant, id) = (self.world.tenant().await, self.world.ada().await.id);
        match step {
            Step::ChangePassword { client } => self.change_password(client).await?,
            Step::Disable => {
                let (answer, done) = self.world.watch(tessera.disable_user(&tenant, id)).await;
                prop_assert!(answer.is_ok());
                told(&done, self.model.disable())?;
            }
            Step::Enable => {
                let (answer, done) = self.world.watch(tessera.enable_user(&tenant, id)).await;
                prop_assert!(answer.is_ok());
                told(&done, self.model.enable())?;
            }
            Step::Guess => {
                let guess = self.world.try_log_in("ada", "a guess that is wrong");
                let (answer, done) = self.world.watch(guess).await;
                prop_assert!(matches!(answer, Err(LogInError::InvalidCredentials)));
                told(&done, self.model.guess())?;
            }
            Step::LogIn { client } => self.log_in(client).await?,
            Step::LogOut { client } => self.log_out(client).await?,
            Step::LogOutEverywhere { client } => self.log_out_everywhere(client).await?,
            Step::Refresh { client, age } => self.refresh(client, age).await?,
            Step::Wait { secs } => {
                self.world.wait(secs);
                self.model.now = self.world.now();
            }
        }
        Ok(())
    }

    async fn log_in(&mut self, client: usize) -> Result<(), TestCaseError> {
        let password = PASSWORDS[self.password % PASSWORDS.len()];
        let (answer, done) = self
            .world
            .watch(self.world.try_log_in("ada", password))
            .await;
        if self.model.refuses_log_in() {
            prop_assert!(matches!(answer, Err(LogInError::InvalidCredentials)));
            return told(&done, vec!["LoginFailed"]);
        }
        let Ok(grant) = answer else {
            return Err(TestCaseError::fail(format!("{answer:?}")));
        };
        self.clients[client] = Some(self.model.log_in(grant));
        told(&done, vec!["UserLoggedIn"])
    }

    async fn refresh(&mut self, client: usize, age: usize) -> Result<(), TestCaseError> {
        let Some(family) = self.clients[client] else {
            return Ok(());
        };
        let (token, expected) = self.model.refresh(family, age);
        let refreshing = self.world.refresh_with(&token, TenantHints::default());
        let (answer, done) = self.world.watch(refreshing).await;
        match (expected, answer) {
            (Refreshed::Refused(events), Err(RefreshError::Invalid)) => told(&done, events),
            (Refreshed::Repeated(successor), Ok(grant)) => {
                prop_assert_eq!(grant.refresh.as_ref(), Some(&successor));
                prop_assert_eq!(done.commits, 0);
                told(&done, vec![])
            }
            (Refreshed::Rotated, Ok(grant)) => {
                prop_assert_eq!(done.commits, 1);
                prop_assert!(self.model.rotated(family, grant), "a token came twice");
                told(&done, vec![])
            }
            (expected, answer) => Err(TestCaseError::fail(format!("{expected:?}: {answer:?}"))),
        }
    }

    async fn log_out(&mut self, client: usize) -> Result<(), TestCaseError> {
        let Some(grant) = self.latest(client) else {
            return Ok(());
        };
        let (answer, done) = self
            .world
            .watch(self.world.log_out(Some(&grant), None))
            .await;
        prop_assert!(answer.is_ok());
        let family = self.clients[client].unwrap();
        told(&done, self.model.log_out(family))
    }

    async fn log_out_everywhere(&mut self, client: usize) -> Result<(), TestCaseError> {
        let Some(grant) = self.latest(client) else {
            return Ok(());
        };
        let Ok(caller) = self.world.validate(&grant).await else {
            return Ok(());
        };
        let leaving = self.world.tessera.log_out_everywhere(&caller);
        let (answer, done) = self.world.watch(leaving).await;
        prop_assert!(answer.is_ok());
        told(&done, self.model.end_all(None))
    }

    async fn change_password(&mut self, client: usize) -> Result<(), TestCaseError> {
        let Some(grant) = self.latest(client) else {
            return Ok(());
        };
        let Ok(caller) = self.world.validate(&grant).await else {
            return Ok(());
        };
        let [old, new] = [0, 1].map(|next| PASSWORDS[(self.password + next) % PASSWORDS.len()]);
        let (old, new) = (typed(old), typed(new));
        let command = ChangePassword { old, new };
        let changing = self.world.tessera.change_password(&caller, command);
        let (answer, done): (Result<(), ChangePasswordError>, Done) =
            self.world.watch(changing).await;
        prop_assert!(answer.is_ok());
        self.password += 1;
        let mut events = vec!["PasswordChanged"];
        events.extend(self.model.end_all(self.clients[client]));
        told(&done, events)
    }

    /// That an access token works exactly as long as the model says that its family lives.
    async fn nothing_dead_answers(&self) -> Result<(), TestCaseError> {
        for family in 0..self.model.families() {
            let grant = self.model.latest(family);
            let answer = self.world.validate(grant).await;
            prop_assert_eq!(answer.is_ok(), self.model.validates(family), "{:?}", answer);
        }
        Ok(())
    }

    fn latest(&self, client: usize) -> Option<Grant> {
        let family = self.clients[client]?;
        Some(self.model.latest(family).clone())
    }
}

/// That what was committed has exactly the events of the model.
fn told(done: &Done, expected: Vec<&str>) -> Result<(), TestCaseError> {
    prop_assert_eq!(done.names(), expected);
    Ok(())
}

/// Lives that a run of some minutes sees the end of.
fn policy() -> TokenPolicy {
    use core::time::Duration;
    TokenPolicy {
        access_lifetime: Duration::from_secs(40),
        refresh_lifetime: Duration::from_mins(1),
        session_lifetime: Duration::from_secs(200),
        ..TokenPolicy::default()
    }
}

const CLIENTS: usize = 3;
const PASSWORDS: [&str; 2] = [crate::world::PASSWORD, crate::world::OTHER];
