//! The tokens that a log in or a refresh gives.

use core::time::Duration;
use std::sync::Arc;

use tessera_domain::{AccessClaims, Session, Tenant, Timestamp, User};

use crate::Tessera;
use crate::ports::TokenError;

/// What a log in or a refresh gives.
#[derive(Clone, Debug)]
pub struct Grant {
    /// The tenant.
    pub tenant: Arc<Tenant>,
    /// The user.
    pub user: User,
    /// The session.
    pub session: Session,
    /// The access token.
    pub access: String,
    /// The refresh token, unless the one presented stays.
    pub refresh: Option<String>,
    /// The life of the access token.
    pub expires_in: Duration,
}

/// Whether a grant has a refresh token.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum RefreshToken {
    Given,
    Kept,
}

impl Tessera {
    pub(crate) fn grant(
        &self,
        tenant: Arc<Tenant>,
        user: User,
        session: Session,
        refresh: RefreshToken,
        now: Timestamp,
    ) -> Result<Grant, TokenError> {
        let policy = self.settings.tokens.of(&tenant.settings);
        let expires_at = session.idle_end.min(now + policy.access_lifetime);
        let claims = AccessClaims {
            issuer: tenant.settings.issuer,
            token: self.new_id(),
            user: user.id,
            session: session.id,
            user_id: user.shown_id(),
            email: user.email.as_ref().map(|email| email.as_str().to_owned()),
            username: user.username.as_ref().map(|name| name.as_str().to_owned()),
            roles: user.role_names(),
            tenant_id: tenant.shown_id(),
            tenant_schema: tenant.schema.clone(),
            issued_at: now,
            expires_at,
        };
        let access = self.ports.tokens.sign_access(&claims, now)?;
        let refresh = match refresh {
            RefreshToken::Given => {
                let claims = session.refresh_claims(&tenant);
                Some(self.ports.tokens.sign_refresh(&claims)?)
            }
            RefreshToken::Kept => None,
        };
        Ok(Grant {
            tenant,
            user,
            session,
            access,
            refresh,
            expires_in: expires_at.since(now),
        })
    }
}
