//! Log in with a password: a session begins, and its first tokens are given.

use std::sync::Arc;

use tessera_domain::{
    Actor, Attempt, Change, Changes, Contradiction, Device, EmailAddress, Fact, LoginFailure,
    Password, PasswordRecord, Session, SessionEnd, Tenant, TenantStatus, Timestamp, User, Username,
    Verdict,
};

use crate::grant::{Grant, RefreshToken};
use crate::ports::{CommitError, Overloaded, TokenError, Unavailable, UserKey};
use crate::resolve_tenant::{ResolveTenantError, Resolved, TenantHints};
use crate::{ATTEMPTS, Contended, Settings, Tessera, UnverifiedLogIn};

/// A request to log in.
#[derive(Clone, Debug)]
pub struct LogIn {
    /// What it says of its tenant.
    pub hints: TenantHints,
    /// An address or a username, as typed.
    pub login: String,
    /// The password, as typed.
    pub password: Password,
    /// Where it comes from.
    pub device: Device,
}

impl LogIn {
    /// Whoever it is that did not prove to be the user.
    fn stranger(&self) -> Actor {
        Actor::Anybody {
            ip: self.device.ip.clone(),
        }
    }
}

/// Why a log in gives nothing.
#[derive(Debug, thiserror::Error)]
pub enum LogInError {
    /// The hints at the tenant contradict each other.
    #[error(transparent)]
    Contradiction(#[from] Contradiction),
    /// Name, password, account or tenant do not allow it; which of them is for the log alone.
    #[error("wrong credentials")]
    InvalidCredentials,
    /// No signing key is loaded yet.
    #[error(transparent)]
    NotReady(#[from] TokenError),
    /// Too many log ins wait already.
    #[error(transparent)]
    Overloaded(#[from] Overloaded),
    /// The store cannot be reached.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl Tessera {
    /// Logs a user in.
    ///
    /// Costs one password hash, whatever there is of the tenant, the user and the record, and one
    /// commit, also when it fails: what a verdict costs is committed before it is told.
    pub async fn log_in(&self, command: LogIn) -> Result<Grant, LogInError> {
        let login = Login::read(&command.login);
        let resolved = self
            .resolve_tenant(&command.hints, login.email_domain())
            .await?;
        let place = Place::of(resolved);
        let mut user = self.user_at(&place, &login).await?;
        let mut verdict = self.verdict(user.as_ref(), &command.password).await?;
        for _ in 0..ATTEMPTS {
            let now = self.now();
            let outcome = place.decide(user.as_ref(), verdict, now, &self.settings);
            let committed = match outcome {
                Outcome::Admit(admitted) => self.admit(&place, admitted, &command, now).await,
                Outcome::Fail { user, locked } => {
                    self.fail(&place, *user, locked, &command, now).await
                }
                Outcome::Refuse(why) => {
                    let known = user.as_ref();
                    self.refuse(&place, known, why, &command, now).await
                }
            };
            match committed {
                Ok(grant) => return Ok(grant),
                Err(LogInStep::Answer(error)) => return Err(error),
                Err(LogInStep::Again) => {}
            }
            let fresh = self.user_at(&place, &login).await?;
            if record(fresh.as_ref()) != record(user.as_ref()) {
                verdict = self.verdict(fresh.as_ref(), &command.password).await?;
            }
            user = fresh;
        }
        Err(Unavailable::new(Contended).into())
    }

    /// Reads also where nobody may log in, so that each failure costs the same.
    async fn user_at(&self, place: &Place, login: &Login) -> Result<Option<User>, Unavailable> {
        let found = self.ports.store.user(&place.tenant, &login.key()).await?;
        Ok(found.filter(|_| place.closed.is_none()))
    }

    async fn verdict(
        &self,
        user: Option<&User>,
        password: &Password,
    ) -> Result<Verdict, Overloaded> {
        let record = record(user).cloned();
        self.ports.passwords.verify(record, password.clone()).await
    }

    async fn admit(
        &self,
        place: &Place,
        mut user: User,
        command: &LogIn,
        now: Timestamp,
    ) -> Result<Grant, LogInStep> {
        let tenant = &place.tenant;
        let policy = &self.settings.tokens.of(&tenant.settings);
        let key = self.ports.tokens.refresh_key(now)?;
        let kept = self.ports.store.sessions(tenant, user.id).await?;
        let room = Session::make_room(kept, user.epoch, now, policy);
        let (id, device) = (self.new_id(), command.device.clone());
        let mut session = Session::begin(&user, id, key, device, now, policy);
        let mut facts = vec![user.logged_in(session.id, &session.device)];
        let evicted = room.evicted.iter();
        facts.extend(evicted.map(|session| session.ended_fact(SessionEnd::Limit)));
        let gone = room.dead.into_iter();
        let gone = gone.chain(room.evicted.iter().map(|session| session.id));
        let changes = Changes {
            users: vec![Change::Update(user.clone())],
            sessions: gone
                .map(Change::Remove)
                .chain([Change::Insert(session.clone())])
                .collect(),
            actor: Actor::User {
                id: user.id,
                tenant: tenant.id,
                ip: session.device.ip.clone(),
            },
            events: self.events(tenant, now, facts),
            ..Changes::default()
        };
        self.commit(tenant, changes).await?;
        session.version += 1;
        user.version += 1;
        let tenant = Arc::clone(tenant);
        Ok(self.grant(tenant, user, session, RefreshToken::Given, now)?)
    }

    async fn fail(
        &self,
        place: &Place,
        user: User,
        locked: Option<Fact>,
        command: &LogIn,
        now: Timestamp,
    ) -> Result<Grant, LogInStep> {
        let why = LoginFailure::WrongPassword;
        let failed = self.failed(Some(&user), why, command);
        let changes = Changes {
            actor: command.stranger(),
            events: self.events(&place.tenant, now, [failed].into_iter().chain(locked)),
            users: vec![Change::Update(user)],
            ..Changes::default()
        };
        self.commit(&place.tenant, changes).await?;
        Err(LogInStep::Answer(LogInError::InvalidCredentials))
    }

    async fn refuse(
        &self,
        place: &Place,
        user: Option<&User>,
        why: LoginFailure,
        command: &LogIn,
        now: Timestamp,
    ) -> Result<Grant, LogInStep> {
        let failed = self.failed(user, why, command);
        let changes = Changes {
            actor: command.stranger(),
            events: vec![self.event(&place.tenant, now, failed)],
            ..Changes::default()
        };
        self.commit(&place.tenant, changes).await?;
        Err(LogInStep::Answer(LogInError::InvalidCredentials))
    }

    fn failed(&self, user: Option<&User>, why: LoginFailure, command: &LogIn) -> Fact {
        tracing::info!(?why, user = ?user.map(|user| user.id), "log in refused");
        let ip = command.device.ip.clone();
        Fact::login_failed(self.new_id(), user.map(|user| user.id), why, ip)
    }
}

/// What was typed as a name: an address first, else a username.
pub(crate) enum Login {
    Email(EmailAddress),
    Neither,
    Username(Username),
}

impl Login {
    pub(crate) fn read(typed: &str) -> Self {
        match (EmailAddress::parse(typed), Username::parse(typed)) {
            (Ok(email), _) => Self::Email(email),
            (Err(_), Ok(username)) => Self::Username(username),
            (Err(_), Err(_)) => Self::Neither,
        }
    }

    fn key(&self) -> UserKey {
        match self {
            Self::Email(email) => UserKey::Email(email.key().to_owned()),
            Self::Neither => UserKey::Username(String::new()),
            Self::Username(username) => UserKey::Username(username.key().to_owned()),
        }
    }

    pub(crate) fn email_domain(&self) -> Option<&str> {
        match self {
            Self::Email(email) => Some(email.domain()),
            Self::Neither | Self::Username(_) => None,
        }
    }
}

/// Where a log in takes place, and whether nobody may log in there.
struct Place {
    tenant: Arc<Tenant>,
    closed: Option<LoginFailure>,
}

impl Place {
    /// A log in to an unknown tenant fails, and is recorded, in the default one.
    fn of(resolved: Resolved) -> Self {
        match resolved.tenant {
            Some(tenant) => Self {
                closed: match tenant.status {
                    TenantStatus::Active => None,
                    TenantStatus::Deleting | TenantStatus::Suspended => {
                        Some(LoginFailure::SuspendedTenant)
                    }
                },
                tenant,
            },
            None => Self {
                tenant: resolved.default,
                closed: Some(LoginFailure::UnknownTenant),
            },
        }
    }

    fn decide(
        &self,
        user: Option<&User>,
        verdict: Verdict,
        now: Timestamp,
        settings: &Settings,
    ) -> Outcome {
        if let Some(why) = self.closed {
            return Outcome::Refuse(why);
        }
        let Some(user) = user else {
            return Outcome::Refuse(LoginFailure::UnknownUser);
        };
        let unproved = user.email.is_some() && !user.email_verified;
        match user.attempt(verdict, now, &settings.lockout) {
            Attempt::Admitted(_)
                if unproved && settings.unverified_log_in == UnverifiedLogIn::Refused =>
            {
                Outcome::Refuse(LoginFailure::Unverified)
            }
            Attempt::Admitted(user) => Outcome::Admit(*user),
            Attempt::Failed { user, locked } => Outcome::Fail { user, locked },
            Attempt::Refused(why) => Outcome::Refuse(why),
        }
    }
}

enum Outcome {
    Admit(User),
    Fail {
        user: Box<User>,
        locked: Option<Fact>,
    },
    Refuse(LoginFailure),
}

enum LogInStep {
    Again,
    Answer(LogInError),
}

impl<E: Into<LogInError>> From<E> for LogInStep {
    fn from(error: E) -> Self {
        Self::Answer(error.into())
    }
}

impl From<CommitError> for LogInStep {
    fn from(error: CommitError) -> Self {
        match error.unless_stale() {
            Ok(()) => Self::Again,
            Err(unavailable) => Self::Answer(unavailable.into()),
        }
    }
}

impl From<ResolveTenantError> for LogInError {
    fn from(error: ResolveTenantError) -> Self {
        match error {
            ResolveTenantError::Contradiction(contradiction) => contradiction.into(),
            ResolveTenantError::Unavailable(unavailable) => unavailable.into(),
        }
    }
}

fn record(user: Option<&User>) -> Option<&PasswordRecord> {
    user.and_then(|user| user.password.as_ref())
}
