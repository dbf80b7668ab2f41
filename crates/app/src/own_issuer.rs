//! The issuer of a tenant that has one of its own.

use std::sync::Arc;

use tessera_domain::{Tenant, TenantStatus, TokenIssuer, issuer_of_tenant};

use crate::Tessera;
use crate::ports::{TokenError, Unavailable};

/// A tenant that issues its access tokens itself.
#[derive(Clone, Debug)]
pub struct OwnIssuer {
    /// The tenant.
    pub tenant: Arc<Tenant>,
    /// What its tokens say (`iss`).
    pub issuer: String,
}

/// Why there is no issuer.
#[derive(Debug, thiserror::Error)]
pub enum OwnIssuerError {
    /// There is no such tenant, or it has none of its own, or it is not in use.
    #[error("there is no such issuer")]
    NotFound,
    /// No key ring is loaded yet.
    #[error(transparent)]
    NotReady(#[from] TokenError),
    /// The store cannot be reached.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl Tessera {
    /// The issuer of the tenant of that name or schema name.
    pub async fn own_issuer(&self, tenant: &str) -> Result<OwnIssuer, OwnIssuerError> {
        let installation = self.ports.tokens.issuer().ok_or(TokenError::NoKey)?;
        let found = self.tenant(tenant).await?.filter(|tenant| {
            tenant.status == TenantStatus::Active && tenant.settings.issuer == TokenIssuer::Tenant
        });
        let tenant = found.ok_or(OwnIssuerError::NotFound)?;
        Ok(OwnIssuer {
            issuer: issuer_of_tenant(&installation, &tenant.schema),
            tenant,
        })
    }
}
