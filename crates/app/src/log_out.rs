//! Log out: the session of a token ends, or all sessions of its user.

use core::net::IpAddr;

use tessera_domain::{Actor, Change, Changes, Contradiction, Id, SchemaName, Session, SessionEnd};

use crate::ports::{Expiry, SessionHolder, TenantKey, Unavailable};
use crate::refresh::RefreshError;
use crate::resolve_tenant::{ResolveTenantError, TenantHints};
use crate::users::{ChangeUserError, UserChange};
use crate::validate::{Caller, ValidateError};
use crate::{ATTEMPTS, Contended, Tessera};

/// A request to log out.
#[derive(Clone, Debug)]
pub struct LogOut {
    /// What it says of its tenant.
    pub hints: TenantHints,
    /// An access token; that it is over does not matter.
    pub access: Option<String>,
    /// A refresh token; that it is over or was replaced does not matter.
    pub refresh: Option<String>,
    /// The client's address.
    pub ip: Option<IpAddr>,
}

/// Why nothing was ended.
#[derive(Debug, thiserror::Error)]
pub enum LogOutError {
    /// The hints at the tenant contradict each other.
    #[error(transparent)]
    Contradiction(Contradiction),
    /// The access token is not genuine, or not good here.
    #[error("the token is not valid")]
    Invalid,
    /// The refresh token is not genuine, not good here, or another user's than the access token.
    #[error("the refresh token is not valid")]
    InvalidRefresh,
    /// No token came.
    #[error("there is no token")]
    NoToken,
    /// No signing key is loaded yet.
    #[error("no signing key is loaded")]
    NotReady,
    /// The store cannot be reached.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl Tessera {
    /// Ends the session of the tokens that came; doing so again changes nothing.
    pub async fn log_out(&self, command: LogOut) -> Result<(), LogOutError> {
        if command.access.is_none() && command.refresh.is_none() {
            return Err(LogOutError::NoToken);
        }
        let hints = &command.hints;
        let mut user = None;
        let mut holders: Vec<SessionHolder> = Vec::new();
        if let Some(token) = &command.access {
            let claims = self.read_access(token, Expiry::Ignored).await?;
            user = Some(claims.user);
            let (schema, tenant) = (&claims.tenant_schema, &claims.tenant_id);
            let holder = self.here(hints, schema, tenant, claims.session).await?;
            if holder.as_ref().is_some_and(|it| it.user.id != claims.user) {
                return Err(LogOutError::Invalid);
            }
            holders.extend(holder);
        }
        if let Some(token) = &command.refresh {
            let claims = self.read_refresh(token).await?;
            let (schema, tenant) = (&claims.tenant_schema, &claims.tenant_id);
            let holder = self.here(hints, schema, tenant, claims.session).await;
            // One that is another's, or not good here, is refused as one that was never given.
            let holder = holder.map_err(RefreshError::from)?;
            if let (Some(holder), Some(user)) = (&holder, user)
                && holder.user.id != user
            {
                return Err(LogOutError::InvalidRefresh);
            }
            let other = |one: &SessionHolder| one.session.id != claims.session;
            holders.extend(holder.filter(|_| holders.iter().all(other)));
        }
        for holder in holders {
            let by = Actor::User {
                id: holder.user.id,
                tenant: holder.tenant.id,
                ip: command.ip.map(|ip| ip.to_string()),
            };
            self.end_session_of(&by, holder, SessionEnd::LogOut).await?;
        }
        Ok(())
    }

    /// The session that a genuine token names, if it is still there; an error where the request
    /// names another tenant, also if it is not.
    async fn here(
        &self,
        hints: &TenantHints,
        schema: &SchemaName,
        tenant_id: &str,
        session: Id<Session>,
    ) -> Result<Option<SessionHolder>, ResolveTenantError> {
        let holder = self.holder(schema, tenant_id, session).await?;
        if let Some(holder) = &holder {
            self.check_hints(&holder.tenant, hints).await?;
        } else if let Some(tenant) = self.tenant_by(TenantKey::Name(schema.key())).await? {
            self.check_hints(&tenant, hints).await?;
        }
        Ok(holder)
    }

    /// Ends all sessions of the caller, also those that a password change meanwhile spared.
    pub async fn log_out_everywhere(&self, caller: &Caller) -> Result<(), ChangeUserError> {
        self.change_user(&caller.actor(), &caller.tenant, caller.user.id, |user| {
            Some(UserChange {
                user: user.in_next_epoch(),
                facts: Vec::new(),
                ends: Some(SessionEnd::LogOutEverywhere),
            })
        })
        .await
        .map(|_| ())
    }

    /// Ends one session, unless it is dead already.
    pub(crate) async fn end_session_of(
        &self,
        by: &Actor,
        mut holder: SessionHolder,
        why: SessionEnd,
    ) -> Result<(), Unavailable> {
        for _ in 0..ATTEMPTS {
            let now = self.now();
            if !holder.session.is_live(holder.user.epoch, now) {
                return Ok(());
            }
            let fact = holder.session.ended_fact(why);
            let changes = Changes {
                sessions: vec![Change::Update(holder.session.end(why, now))],
                actor: by.clone(),
                events: vec![self.event(&holder.tenant, now, fact)],
                ..Changes::default()
            };
            match self.commit(&holder.tenant, changes).await {
                Ok(()) => return Ok(()),
                Err(error) => error.unless_stale()?,
            }
            let id: Id<Session> = holder.session.id;
            match self.ports.store.session(&holder.tenant.schema, id).await? {
                Some(fresh) => holder = fresh,
                None => return Ok(()),
            }
        }
        Err(Unavailable::new(Contended))
    }
}

impl From<ValidateError> for LogOutError {
    fn from(error: ValidateError) -> Self {
        match error {
            ValidateError::Contradiction(contradiction) => Self::Contradiction(contradiction),
            ValidateError::Invalid => Self::Invalid,
            ValidateError::NotReady => Self::NotReady,
            ValidateError::Unavailable(unavailable) => unavailable.into(),
        }
    }
}

impl From<RefreshError> for LogOutError {
    fn from(error: RefreshError) -> Self {
        match error {
            RefreshError::Contradiction(contradiction) => Self::Contradiction(contradiction),
            RefreshError::Invalid => Self::InvalidRefresh,
            RefreshError::NotReady => Self::NotReady,
            RefreshError::Unavailable(unavailable) => unavailable.into(),
        }
    }
}

impl From<ResolveTenantError> for LogOutError {
    fn from(error: ResolveTenantError) -> Self {
        match error {
            ResolveTenantError::Contradiction(Contradiction::Explicit) => {
                Self::Contradiction(Contradiction::Explicit)
            }
            ResolveTenantError::Contradiction(Contradiction::Token) => Self::Invalid,
            ResolveTenantError::Unavailable(unavailable) => unavailable.into(),
        }
    }
}
