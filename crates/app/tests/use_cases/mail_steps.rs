//! One account and all the mails about it, in any order of what its owner, a creator and strangers
//! do: a link works as long as nothing it is bound to has changed, once, and never again.

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use tessera_app::{Caller, ChangePassword, Grant, ResetPassword, ResetPasswordError, ShowToken};
use tessera_domain::{MailKind, MailedTokenPolicy, MailedTokenPurpose, Timestamp};

use crate::world::{PURPOSES, WRONG, World, ask, shown, typed};

#[derive(Clone, Copy, Debug)]
enum Step {
    AskToChange {
        address: usize,
    },
    ChangePassword,
    Forgot,
    Lock,
    LogIn,
    LogOutEverywhere,
    /// The mails that wait go out.
    Post,
    Resend,
    Show {
        link: usize,
    },
    /// Two show one link at the same time.
    ShowTwice {
        link: usize,
    },
    Wait {
        mins: u64,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let link = || 0_usize..64;
    prop_oneof![
        4 => (0..ADDRESSES.len()).prop_map(|address| Step::AskToChange { address }),
        1 => Just(Step::ChangePassword),
        4 => Just(Step::Forgot),
        1 => Just(Step::Lock),
        5 => Just(Step::LogIn),
        1 => Just(Step::LogOutEverywhere),
        8 => Just(Step::Post),
        3 => Just(Step::Resend),
        8 => link().prop_map(|link| Step::Show { link }),
        3 => link().prop_map(|link| Step::ShowTwice { link }),
        2 => (1_u64..40).prop_map(|mins| Step::Wait { mins }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 96,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_link_works_once_and_dies_with_what_it_is_bound_to(
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(run(steps))?;
    }
}

async fn run(steps: Vec<Step>) -> Result<(), TestCaseError> {
    let world = World::new().await;
    world.sign_up().await;
    let first = world.mailer.sent().remove(0);
    let expires_at = first.link.as_ref().unwrap().expires_at;
    let mut run = Run {
        other: world.restarted().await,
        world,
        address: 0,
        verified: false,
        password: 0,
        links: vec![Link {
            purpose: MailedTokenPurpose::VerifyEmail,
            shown: shown(&first),
            address: 0,
            alive: true,
            expires_at,
        }],
        asked: Vec::new(),
        live: Vec::new(),
        dead: Vec::new(),
    };
    for step in steps {
        run.step(step).await?;
        run.check().await?;
    }
    run.world.assert_events_are_gapless();
    Ok(())
}

/// The service, and what is to be true of the account.
struct Run {
    world: World,
    other: World,
    address: usize,
    verified: bool,
    password: usize,
    links: Vec<Link>,
    /// The addresses that were asked for since the account was as it is.
    asked: Vec<usize>,
    live: Vec<Grant>,
    dead: Vec<Grant>,
}

struct Link {
    purpose: MailedTokenPurpose,
    shown: ShowToken,
    /// Where it was sent.
    address: usize,
    alive: bool,
    expires_at: Timestamp,
}

impl Run {
    async fn step(&mut self, step: Step) -> Result<(), TestCaseError> {
        match step {
            Step::AskToChange { address } => {
                if let Some(caller) = self.caller().await {
                    let asking = self.world.ask_to_change(&caller, ADDRESSES[address]);
                    if asking.await.is_ok() {
                        self.asked.push(address);
                    }
                }
            }
            Step::ChangePassword => self.change_password().await,
            Step::Forgot => self.world.forgot(ADDRESSES[self.address]).await,
            Step::Lock => {
                for _ in 0..5 {
                    self.world.try_log_in("grace", WRONG).await.unwrap_err();
                }
            }
            Step::LogIn => self.log_in().await?,
            Step::LogOutEverywhere => {
                if let Some(caller) = self.caller().await {
                    let ending = self.world.tessera.log_out_everywhere(&caller);
                    ending.await.unwrap();
                    self.kill_links();
                    self.dead.append(&mut self.live);
                }
            }
            Step::Post => self.post().await?,
            Step::Resend => {
                let command = ask(ADDRESSES[self.address]);
                let asking = self.world.tessera.resend_verification(command);
                asking.await.unwrap();
            }
            Step::Show { link } => {
                let link = link % self.links.len();
                let works = self.works(link);
                let succeeded = self.show(&self.world, link).await;
                prop_assert_eq!(succeeded, works, "{:?}", self.links[link].purpose);
                self.showed(link, works);
            }
            Step::ShowTwice { link } => {
                let link = link % self.links.len();
                let works = self.works(link);
                let (one, two) =
                    tokio::join!(self.show(&self.world, link), self.show(&self.other, link));
                prop_assert_eq!(usize::from(one) + usize::from(two), usize::from(works));
                self.showed(link, works);
            }
            Step::Wait { mins } => self.world.wait(60 * mins),
        }
        Ok(())
    }

    async fn log_in(&mut self) -> Result<(), TestCaseError> {
        let password = PASSWORDS[self.password];
        let locked = self.world.grace().await.lockout;
        let answer = self.world.try_log_in("grace", password).await;
        prop_assert_eq!(answer.is_ok(), !locked.is_locked(self.world.now()));
        self.live.extend(answer);
        Ok(())
    }

    /// Whoever has the session that began last, while it lasts.
    async fn caller(&mut self) -> Option<Caller> {
        let last = self.live.last()?;
        let grant = self.world.refresh(last).await.unwrap();
        let caller = self.world.caller(&grant).await;
        *self.live.last_mut()? = grant;
        Some(caller)
    }

    async fn change_password(&mut self) {
        let Some(caller) = self.caller().await else {
            return;
        };
        let [old, new] = [self.password, self.next_password()];
        let (old, new) = (typed(PASSWORDS[old]), typed(PASSWORDS[new]));
        let command = ChangePassword { old, new };
        let changing = self.world.tessera.change_password(&caller, command);
        changing.await.unwrap();
        self.password = self.next_password();
        self.kill_links();
        let own = self.live.pop();
        self.dead.append(&mut self.live);
        self.live.extend(own);
    }

    async fn post(&mut self) -> Result<(), TestCaseError> {
        for letter in self.world.letters().await {
            let at = |address: &&str| address.eq_ignore_ascii_case(letter.to.as_str());
            let address = ADDRESSES.iter().position(at).unwrap();
            let purpose = match letter.kind {
                MailKind::ChangeEmail => MailedTokenPurpose::ChangeEmail,
                MailKind::ResetPassword => MailedTokenPurpose::ResetPassword,
                MailKind::VerifyEmail => MailedTokenPurpose::VerifyEmail,
                MailKind::AccountDeleted
                | MailKind::AlreadyRegistered
                | MailKind::ChangeEmailRequested
                | MailKind::EmailChanged
                | MailKind::Invitation
                | MailKind::PasswordChanged => {
                    prop_assert_eq!(letter.link, None);
                    continue;
                }
            };
            if purpose == MailedTokenPurpose::ChangeEmail {
                prop_assert!(self.asked.contains(&address), "who asked may not any more");
            } else {
                prop_assert_eq!(address, self.address);
            }
            prop_assert!(!(self.verified && purpose == MailedTokenPurpose::VerifyEmail));
            self.links.push(Link {
                purpose,
                shown: shown(&letter),
                address,
                alive: true,
                expires_at: letter.link.unwrap().expires_at,
            });
        }
        prop_assert_eq!(self.world.store.memory().mails(), []);
        Ok(())
    }

    fn works(&self, link: usize) -> bool {
        let link = &self.links[link];
        let needed = !(self.verified && link.purpose == MailedTokenPurpose::VerifyEmail);
        link.alive && needed && self.world.now() < link.expires_at
    }

    async fn show(&self, world: &World, link: usize) -> bool {
        let Link { purpose, shown, .. } = &self.links[link];
        if *purpose != MailedTokenPurpose::ResetPassword {
            return world.show(*purpose, shown).await;
        }
        let command = ResetPassword {
            shown: shown.clone(),
            password: typed(PASSWORDS[self.next_password()]),
        };
        match world.tessera.reset_password(command).await {
            Err(ResetPasswordError::Invalid) => false,
            other => {
                other.unwrap();
                true
            }
        }
    }

    /// What follows from a link that worked.
    fn showed(&mut self, link: usize, worked: bool) {
        if !worked {
            return;
        }
        let Link {
            purpose, address, ..
        } = self.links[link];
        self.verified = true;
        match purpose {
            MailedTokenPurpose::ChangeEmail => {
                self.address = address;
                self.kill_links();
            }
            MailedTokenPurpose::ResetPassword => {
                self.password = self.next_password();
                self.kill_links();
                self.dead.append(&mut self.live);
            }
            MailedTokenPurpose::VerifyEmail => self.links[link].alive = false,
        }
    }

    fn kill_links(&mut self) {
        self.links.iter_mut().for_each(|link| link.alive = false);
        self.asked.clear();
    }

    /// The account is as it is to be, no dead session works, and no purpose has too many links.
    async fn check(&self) -> Result<(), TestCaseError> {
        let grace = self.world.grace().await;
        let email = grace.email.as_ref().unwrap().key();
        prop_assert_eq!(email, ADDRESSES[self.address]);
        prop_assert_eq!(grace.email_verified, self.verified);
        for grant in &self.dead {
            self.world.assert_dead(grant).await;
        }
        for purpose in PURPOSES {
            let mut working = 0;
            for (number, link) in self.links.iter().enumerate() {
                working += usize::from(link.purpose == purpose && self.works(number));
            }
            prop_assert!(working <= MailedTokenPolicy::default().most);
        }
        Ok(())
    }

    fn next_password(&self) -> usize {
        (self.password + 1) % PASSWORDS.len()
    }
}

const ADDRESSES: [&str; 3] = [
    "grace@example.com",
    "hopper@example.com",
    "amazing@example.com",
];
const PASSWORDS: [&str; 3] = [
    crate::world::PASSWORD,
    crate::world::OTHER,
    "first horse battery",
];
