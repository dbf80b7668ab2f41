//! What tokens say and how long they live.

use core::time::Duration;

use crate::session::Generation;
use crate::{Id, KeyId, SchemaName, Session, TenantSettings, Timestamp, TokenIssuer, User};

/// What an access token says; the audience is that of the installation, or who issued it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AccessClaims {
    /// Who issued it (`iss`).
    pub issuer: TokenIssuer,
    /// The token's own id (`jti`).
    pub token: Id<AccessClaims>,
    /// The user (`sub`).
    pub user: Id<User>,
    /// The session (`sid`).
    pub session: Id<Session>,
    /// The user's id as clients know it (`user_id`).
    pub user_id: String,
    /// The user's address (`email`).
    pub email: Option<String>,
    /// The user's name (`username`).
    pub username: Option<String>,
    /// The user's roles, the first one also as `role`.
    pub roles: Vec<String>,
    /// The tenant's id as clients know it (`tenant_id`).
    pub tenant_id: String,
    /// Where the tenant lives (`tenant_schema`).
    pub tenant_schema: SchemaName,
    /// When it was made (`iat`); whole seconds in a token.
    pub issued_at: Timestamp,
    /// When it ends (`exp`); whole seconds in a token.
    pub expires_at: Timestamp,
}

/// What a refresh token says: a function of what its session stores, so that any replica makes
/// the same bytes again.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RefreshClaims {
    /// The session (`sid`).
    pub session: Id<Session>,
    /// Which of the session's tokens it is (`gen`).
    pub generation: Generation,
    /// The tenant's id as clients know it (`tenant_id`).
    pub tenant_id: String,
    /// Where the tenant lives (`tenant_schema`).
    pub tenant_schema: SchemaName,
    /// When it was made (`iat`).
    pub issued_at: Timestamp,
    /// When it ends (`exp`).
    pub expires_at: Timestamp,
    /// The key that signs it (`kid`).
    pub key: KeyId,
}

/// How long tokens and sessions live.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TokenPolicy {
    /// The life of an access token.
    pub access_lifetime: Duration,
    /// The life of a refresh token from its making: the idle end of a session.
    pub refresh_lifetime: Duration,
    /// The life of a session from its log in, however often it is refreshed.
    pub session_lifetime: Duration,
    /// How long the token just replaced gives the same successor again; 60 s at most.
    pub grace: Duration,
    /// Whether a refresh replaces the refresh token.
    pub rotation: Rotation,
    /// The most sessions a user has; one more ends the oldest.
    pub sessions_per_user: usize,
}

impl TokenPolicy {
    /// The policy as it is for a tenant, which may have shorter lives and no longer ones.
    #[must_use]
    pub fn of(&self, tenant: &TenantSettings) -> Self {
        let shorter = |own: Option<Duration>, most: Duration| own.unwrap_or(most).min(most);
        Self {
            access_lifetime: shorter(tenant.access_lifetime, self.access_lifetime),
            refresh_lifetime: shorter(tenant.refresh_lifetime, self.refresh_lifetime),
            ..*self
        }
    }
}

impl Default for TokenPolicy {
    fn default() -> Self {
        const DAY: Duration = Duration::from_hours(24);
        Self {
            access_lifetime: Duration::from_mins(15),
            refresh_lifetime: DAY * 30,
            session_lifetime: DAY * 90,
            grace: Duration::from_secs(10),
            rotation: Rotation::EveryRefresh,
            sessions_per_user: 100,
        }
    }
}

/// Whether a refresh replaces the refresh token.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Rotation {
    /// Each refresh gives a new token, and the use of an old one ends the session.
    EveryRefresh,
    /// The first token stays good until the session ends.
    Never,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_has_shorter_lives_and_no_longer_ones() {
        let policy = TokenPolicy::default();
        let of = |access_lifetime, refresh_lifetime| {
            policy.of(&TenantSettings {
                access_lifetime,
                refresh_lifetime,
                ..TenantSettings::default()
            })
        };
        assert_eq!(of(None, None), policy);
        let [minute, year] = [Duration::from_mins(1), Duration::from_hours(24 * 365)];
        assert_eq!(of(Some(year), Some(year)), policy);
        let shorter = TokenPolicy {
            access_lifetime: minute,
            refresh_lifetime: minute * 2,
            ..policy
        };
        assert_eq!(of(Some(minute), Some(minute * 2)), shorter);
    }
}
