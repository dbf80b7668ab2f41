//! The issuer of a tenant that has one of its own.

use std::sync::Arc;

use tessera_domain::{Tenant, TokenIssuer, issuer_of_tenant};

use crate::Tessera;
use crate::ports::{TokenError, Unavailable};
use crate::resolve_tenant::exists;

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
    /// There is no such tenant, or it has none of its own.
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
    /// The issuer of the tenant of exactly that schema name, which is the end of it.
    ///
    /// No other name and no other case: whoever looks an issuer up compares it with the address that
    /// was made of it (OpenID Connect Discovery 4.3, RFC 8414 3.3). A suspended tenant has it still,
    /// as its tokens may have to be verified.
    pub async fn own_issuer(&self, schema: &str) -> Result<OwnIssuer, OwnIssuerError> {
        let installation = self.ports.tokens.issuer().ok_or(TokenError::NoKey)?;
        let found = self.tenant(schema).await?.filter(|tenant| {
            exists(tenant)
                && tenant.schema.as_str() == schema
                && tenant.settings.issuer == TokenIssuer::Tenant
        });
        let tenant = found.ok_or(OwnIssuerError::NotFound)?;
        Ok(OwnIssuer {
            issuer: issuer_of_tenant(&installation, &tenant.schema),
            tenant,
        })
    }
}
