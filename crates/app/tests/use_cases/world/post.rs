//! What is mailed, and what somebody does who reads it.

use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use std::sync::Arc;

use tessera_app::{
    AskForMail, Caller, ChangeEmailError, Grant, Letter, MailRelay, MailStep, MailTally,
    MailedTokenError, Register, ResetPassword, ResetPasswordError, ShowToken, TenantHints, Tessera,
};
use tessera_domain::{
    EmailAddress, MailKind, MailedToken, MailedTokenPurpose, Profile, Tenant, User, Username,
};

use crate::world::{IP, OTHER, PASSWORD, World, typed};

impl World {
    /// A relay between the store and the mailer.
    pub(crate) fn mail_relay(&self) -> MailRelay {
        MailRelay::new(Arc::clone(&self.tessera), Arc::new(self.mailer.clone()))
    }

    /// Runs a relay until nothing is due; answers what was sent.
    pub(crate) async fn letters(&self) -> Vec<Letter> {
        let before = self.mailer.sent().len();
        let relay = self.mail_relay();
        let mut step = relay.step().await.unwrap();
        while let MailStep::Progress(MailTally { failed, .. }) = step {
            assert_eq!(failed, []);
            step = relay.step().await.unwrap();
        }
        assert!(matches!(step, MailStep::Quiet(_)), "{step:?}");
        self.mailer.sent().split_off(before)
    }

    /// The one letter that is sent now.
    pub(crate) async fn letter(&self, kind: MailKind) -> Letter {
        let mut letters = self.letters().await;
        let letter = letters.pop().unwrap();
        assert_eq!((letters, letter.kind), (Vec::new(), kind));
        letter
    }

    /// The account `grace` of the default tenant, signed up, its address not proved; and its letter.
    pub(crate) async fn sign_up(&self) -> (User, Letter) {
        let registered = self.tessera.register(registration("Grace@Example.com"));
        registered.await.unwrap();
        let letter = self.letter(MailKind::VerifyEmail).await;
        (self.grace().await, letter)
    }

    pub(crate) async fn grace(&self) -> User {
        let tenant = self.tenant().await;
        self.tessera.user(&tenant, "grace").await.unwrap().unwrap()
    }

    pub(crate) async fn log_in_as(&self, login: &str) -> Caller {
        let grant = self.try_log_in(login, PASSWORD).await.unwrap();
        self.caller(&grant).await
    }

    pub(crate) async fn forgot(&self, email: &str) {
        self.tessera.forgot_password(ask(email)).await.unwrap();
    }

    /// The token of a letter by which `grace`, who is signed up, may do that.
    pub(crate) async fn mailed(&self, purpose: MailedTokenPurpose) -> ShowToken {
        let kind = match purpose {
            MailedTokenPurpose::ChangeEmail => {
                let caller = self.log_in_as("grace").await;
                self.ask_to_change(&caller, "Hopper@Example.com")
                    .await
                    .unwrap();
                MailKind::ChangeEmail
            }
            MailedTokenPurpose::ResetPassword => {
                self.forgot("grace@example.com").await;
                MailKind::ResetPassword
            }
            MailedTokenPurpose::VerifyEmail => {
                let command = ask("grace@example.com");
                self.tessera.resend_verification(command).await.unwrap();
                MailKind::VerifyEmail
            }
        };
        let letters = self.letters().await;
        let letter = letters.iter().find(|letter| letter.kind == kind);
        shown(letter.unwrap())
    }

    pub(crate) async fn ask_to_change(
        &self,
        caller: &Caller,
        email: &str,
    ) -> Result<(), ChangeEmailError> {
        let email = EmailAddress::parse(email).unwrap();
        self.tessera.change_email(caller, email).await
    }

    /// Sets the password `OTHER` with a token.
    pub(crate) async fn reset(&self, shown: &ShowToken) -> Result<(), ResetPasswordError> {
        let command = ResetPassword {
            shown: shown.clone(),
            password: typed(OTHER),
        };
        self.tessera.reset_password(command).await
    }

    /// Whether the token does what it is for.
    pub(crate) async fn show(&self, purpose: MailedTokenPurpose, shown: &ShowToken) -> bool {
        show(Arc::clone(&self.tessera), purpose, shown.clone()).await
    }

    /// What is kept of tokens that were mailed to a user.
    pub(crate) async fn mailed_tokens(&self, tenant: &Tenant, user: &User) -> Vec<MailedToken> {
        let store = self.store.memory();
        tessera_app::Store::mailed_tokens(store, tenant, user.id)
            .await
            .unwrap()
    }

    /// That nothing of the session works, at whatever use case.
    pub(crate) async fn assert_gone(&self, grant: &Grant, caller: &Caller) {
        self.assert_dead(grant).await;
        let answer = self.ask_to_change(caller, "evil@example.com").await;
        assert!(
            matches!(answer, Err(ChangeEmailError::Invalid)),
            "{answer:?}"
        );
    }
}

/// Whether the token does what it is for; it does nothing or everything.
pub(crate) async fn show(
    tessera: Arc<Tessera>,
    purpose: MailedTokenPurpose,
    shown: ShowToken,
) -> bool {
    let answer = match purpose {
        MailedTokenPurpose::ChangeEmail => tessera.confirm_email(shown).await,
        MailedTokenPurpose::ResetPassword => {
            let password = typed(OTHER);
            let command = ResetPassword { shown, password };
            let answer = tessera.reset_password(command).await;
            let invalid = matches!(answer, Err(ResetPasswordError::Invalid));
            assert!(invalid || answer.is_ok(), "{answer:?}");
            answer.map_err(|_| MailedTokenError::Invalid)
        }
        MailedTokenPurpose::VerifyEmail => tessera.verify_email(shown).await,
    };
    let invalid = matches!(answer, Err(MailedTokenError::Invalid));
    assert!(invalid || answer.is_ok(), "{answer:?}");
    !invalid
}

/// What somebody shows who follows the link of a letter.
pub(crate) fn shown(letter: &Letter) -> ShowToken {
    let link = letter.link.as_ref().unwrap();
    ShowToken {
        hints: TenantHints::default(),
        token: link.token.clone(),
        uid: Some(link.uid.clone()),
        ip: Some(IP.to_owned()),
    }
}

/// A request to sign up as `Grace`.
pub(crate) fn registration(email: &str) -> Register {
    Register {
        hints: TenantHints::default(),
        email: EmailAddress::parse(email).unwrap(),
        username: Username::parse("Grace").ok(),
        profile: Profile {
            first_name: "Grace".to_owned(),
            last_name: "Hopper".to_owned(),
            job_role: String::new(),
        },
        password: typed(PASSWORD),
        ip: Some(IP.to_owned()),
    }
}

pub(crate) fn ask(email: &str) -> AskForMail {
    AskForMail {
        hints: TenantHints::default(),
        email: EmailAddress::parse(email).unwrap(),
        ip: Some(IP.to_owned()),
    }
}

/// What comes of so many polls; what is not done then is dropped.
pub(crate) fn cut<T>(doing: impl Future<Output = T>, polls: usize) -> Option<T> {
    let mut doing: Pin<&mut _> = core::pin::pin!(doing);
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..polls {
        if let Poll::Ready(done) = doing.as_mut().poll(&mut context) {
            return Some(done);
        }
    }
    None
}

/// Every purpose of a mailed token.
pub(crate) const PURPOSES: [MailedTokenPurpose; 3] = [
    MailedTokenPurpose::ChangeEmail,
    MailedTokenPurpose::ResetPassword,
    MailedTokenPurpose::VerifyEmail,
];
