//! Refresh: the live refresh token of a session for the next one and a new access token.

use core::net::IpAddr;
use std::sync::Arc;

use tessera_domain::{
    Actor, Change, Changes, Contradiction, Generation, Refresh, RefreshClaims, Session, SessionEnd,
    Timestamp,
};

use crate::awaited::Awaited;
use crate::grant::{Grant, RefreshToken};
use crate::ports::{CommitError, SessionHolder, TokenError, Unavailable};
use crate::resolve_tenant::{ResolveTenantError, TenantHints};
use crate::{ATTEMPTS, Contended, Tessera};

/// A request for new tokens.
#[derive(Clone, Debug)]
pub struct RefreshTokens {
    /// What it says of its tenant.
    pub hints: TenantHints,
    /// The refresh token.
    pub token: String,
    /// The client's address.
    pub ip: Option<IpAddr>,
    /// Whether the client waits for the answer.
    pub awaited: Awaited,
}

/// Why a refresh gives nothing.
#[derive(Debug, thiserror::Error)]
pub enum RefreshError {
    /// The hints at the tenant contradict each other.
    #[error(transparent)]
    Contradiction(Contradiction),
    /// The token is not good, or not good here, or no longer; its session may just have ended.
    #[error("the token is not valid")]
    Invalid,
    /// No signing key is loaded yet.
    #[error("no signing key is loaded")]
    NotReady,
    /// The store cannot be reached.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl Tessera {
    /// Gives new tokens for a live refresh token, or the same successor again within the grace;
    /// an older token ends the session, unless it came within the grace of the live one and
    /// whoever sent it has left.
    ///
    /// One read and one write; a grace answer writes nothing. Racing refreshes of one token give
    /// one successor.
    pub async fn refresh(&self, command: RefreshTokens) -> Result<Grant, RefreshError> {
        let came = self.now();
        let claims = self.read_refresh(&command.token).await?;
        for _ in 0..ATTEMPTS {
            let holder = self
                .holder(&claims.tenant_schema, &claims.tenant_id, claims.session)
                .await?
                .ok_or(RefreshError::Invalid)?;
            if !holder.may_be_live() {
                return Err(RefreshError::Invalid);
            }
            self.check_hints(&holder.tenant, &command.hints).await?;
            match self
                .refresh_once(holder, claims.generation, &command, came)
                .await
            {
                Err(RefreshStep::Again) => {}
                Err(RefreshStep::Answer(error)) => return Err(error),
                Ok(grant) => return Ok(grant),
            }
        }
        Err(Unavailable::new(Contended).into())
    }

    pub(crate) async fn read_refresh(&self, token: &str) -> Result<RefreshClaims, RefreshError> {
        let read = || self.ports.tokens.read_refresh(token, self.now());
        let asked = self.reloads.begun();
        let claims = match read() {
            Err(TokenError::UnknownKey) => {
                self.reload_keys_since(asked).await?;
                read()
            }
            read => read,
        };
        claims.map_err(RefreshError::from)
    }

    async fn refresh_once(
        &self,
        holder: SessionHolder,
        presented: Generation,
        command: &RefreshTokens,
        came: Timestamp,
    ) -> Result<Grant, RefreshStep> {
        let now = self.now();
        let (session, user) = (&holder.session, &holder.user);
        let key = self.ports.tokens.refresh_key(now)?;
        let policy = self.settings.tokens.of(&holder.tenant.settings);
        match session.refresh(presented, user.epoch, &key, now, &policy) {
            Refresh::Keep => self.answer(holder, RefreshToken::Kept, now),
            Refresh::Refuse(why) => {
                tracing::debug!(?why, session = %session.id, "refresh refused");
                Err(RefreshStep::Answer(RefreshError::Invalid))
            }
            Refresh::Repeat => {
                self.know_key_of(&holder).await?;
                self.answer(holder, RefreshToken::Given, now)
            }
            Refresh::Reuse(ended) => {
                // A client that left, asked again and went on is no thief of what it left behind.
                if session.was_refreshed_within_grace(came, &policy)
                    && command.awaited.is_given_up()
                {
                    tracing::info!(
                        session = %session.id,
                        user = %user.id,
                        presented = presented.number(),
                        current = session.generation.number(),
                        "a replaced refresh token came from a client that left; the session goes on"
                    );
                    return Err(RefreshStep::Answer(RefreshError::Invalid));
                }
                let by = Actor::Anybody {
                    ip: command.ip.map(|ip| ip.to_string()),
                };
                self.end_reused(holder, ended, presented, by, now).await
            }
            Refresh::Rotate(next) => {
                let changes = Changes {
                    sessions: vec![Change::Update(next.clone())],
                    epochs: vec![(user.id, user.epoch)],
                    ..Changes::default()
                };
                self.commit(&holder.tenant, changes).await?;
                let rotated = SessionHolder {
                    session: Session {
                        version: next.version + 1,
                        ..next
                    },
                    ..holder
                };
                self.answer(rotated, RefreshToken::Given, now)
            }
        }
    }

    /// The live token may be signed with a key that another replica made a moment ago.
    async fn know_key_of(&self, holder: &SessionHolder) -> Result<(), RefreshStep> {
        let claims = holder.session.refresh_claims(&holder.tenant);
        let asked = self.reloads.begun();
        if self.ports.tokens.sign_refresh(&claims) == Err(TokenError::UnknownKey) {
            self.reload_keys_since(asked).await?;
        }
        Ok(())
    }

    fn answer(
        &self,
        holder: SessionHolder,
        refresh: RefreshToken,
        now: Timestamp,
    ) -> Result<Grant, RefreshStep> {
        let tenant = Arc::new(holder.tenant);
        Ok(self.grant(tenant, holder.user, holder.session, refresh, now)?)
    }

    async fn end_reused(
        &self,
        holder: SessionHolder,
        ended: Session,
        presented: Generation,
        by: Actor,
        now: Timestamp,
    ) -> Result<Grant, RefreshStep> {
        let facts = [
            holder.session.reused_fact(presented),
            holder.session.ended_fact(SessionEnd::Reuse),
        ];
        tracing::warn!(session = %ended.id, user = %ended.user, "a replaced refresh token was used again");
        let changes = Changes {
            sessions: vec![Change::Update(ended)],
            actor: by,
            events: self.events(&holder.tenant, now, facts),
            ..Changes::default()
        };
        self.commit(&holder.tenant, changes).await?;
        Err(RefreshStep::Answer(RefreshError::Invalid))
    }
}

enum RefreshStep {
    Again,
    Answer(RefreshError),
}

impl From<CommitError> for RefreshStep {
    fn from(error: CommitError) -> Self {
        match error.unless_stale() {
            Ok(()) => Self::Again,
            Err(unavailable) => Self::Answer(unavailable.into()),
        }
    }
}

impl From<Unavailable> for RefreshStep {
    fn from(unavailable: Unavailable) -> Self {
        Self::Answer(unavailable.into())
    }
}

impl From<TokenError> for RefreshStep {
    fn from(error: TokenError) -> Self {
        Self::Answer(error.into())
    }
}

impl From<TokenError> for RefreshError {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::Expired | TokenError::Invalid | TokenError::UnknownKey => Self::Invalid,
            TokenError::NoKey => Self::NotReady,
        }
    }
}

impl From<ResolveTenantError> for RefreshError {
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
