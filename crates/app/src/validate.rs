//! Validate an access token: who is it that calls?

use core::net::IpAddr;

use tessera_domain::{
    AccessClaims, Actor, Contradiction, SchemaName, Session, Tenant, TenantStatus, Timestamp, User,
    UserStatus,
};

use crate::Tessera;
use crate::ports::{Expiry, SessionHolder, TokenError, Unavailable};
use crate::resolve_tenant::{ResolveTenantError, TenantHints, stays};

/// Someone whose access token was found good, as the store knows them now.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The tenant.
    pub tenant: Tenant,
    /// The user.
    pub user: User,
    /// The session.
    pub session: Session,
    /// What the token says.
    pub claims: AccessClaims,
    /// The client's address, where whoever validates adds it.
    pub ip: Option<IpAddr>,
}

impl Caller {
    /// The caller as one who changes something.
    pub fn actor(&self) -> Actor {
        Actor::User {
            id: self.user.id,
            tenant: self.tenant.id,
            ip: self.ip.map(|ip| ip.to_string()),
        }
    }
}

/// Why an access token gives nothing.
#[derive(Debug, thiserror::Error)]
pub enum ValidateError {
    /// The hints at the tenant contradict each other.
    #[error(transparent)]
    Contradiction(Contradiction),
    /// It is not good, or not good here, or no longer.
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
    /// Who the token belongs to.
    ///
    /// Session, user and tenant are read each time, so that what ended is refused at once; one
    /// read of the store.
    pub async fn validate(
        &self,
        token: &str,
        hints: &TenantHints,
    ) -> Result<Caller, ValidateError> {
        let claims = self.read_access(token, Expiry::Enforced).await?;
        let holder = self
            .holder(&claims.tenant_schema, &claims.tenant_id, claims.session)
            .await?
            .ok_or(ValidateError::Invalid)?;
        if !holder.is_live(self.now()) || holder.user.id != claims.user {
            return Err(ValidateError::Invalid);
        }
        self.check_hints(&holder.tenant, hints).await?;
        Ok(Caller {
            tenant: holder.tenant,
            user: holder.user,
            session: holder.session,
            claims,
            ip: None,
        })
    }

    /// What a genuine access token says. A token of a key made a moment ago by another replica
    /// makes this one read the key ring again.
    pub(crate) async fn read_access(
        &self,
        token: &str,
        expiry: Expiry,
    ) -> Result<AccessClaims, ValidateError> {
        let read = || self.ports.tokens.read_access(token, self.now(), expiry);
        let asked = self.reloads.begun();
        let claims = match read() {
            Err(TokenError::UnknownKey) => {
                self.reload_keys_since(asked).await?;
                read()
            }
            read => read,
        };
        claims.map_err(ValidateError::from)
    }

    /// The session that a genuine token names, if it still belongs to the tenant it names.
    pub(crate) async fn holder(
        &self,
        schema: &SchemaName,
        tenant_id: &str,
        session: tessera_domain::Id<Session>,
    ) -> Result<Option<SessionHolder>, Unavailable> {
        let holder = self.ports.store.session(schema, session).await?;
        if let Some(holder) = &holder {
            stays(&holder.tenant)?;
        }
        Ok(holder.filter(|holder| holder.tenant.shown_id() == tenant_id))
    }
}

impl SessionHolder {
    /// Whether anything of the session works.
    pub(crate) fn is_live(&self, now: Timestamp) -> bool {
        self.may_be_live() && self.session.is_live(self.user.epoch, now)
    }

    /// Whether tenant and user allow the session to work.
    pub(crate) fn may_be_live(&self) -> bool {
        self.tenant.status == TenantStatus::Active && self.user.status == UserStatus::Active
    }
}

impl From<TokenError> for ValidateError {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::Expired | TokenError::Invalid | TokenError::UnknownKey => Self::Invalid,
            TokenError::NoKey => Self::NotReady,
        }
    }
}

impl From<ResolveTenantError> for ValidateError {
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
