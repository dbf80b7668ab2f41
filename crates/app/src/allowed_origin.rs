//! Whether the pages of an origin may call a tenant.

use tessera_domain::Origin;

use crate::Tessera;
use crate::ports::Unavailable;
use crate::resolve_tenant::{TenantHints, exists};

impl Tessera {
    /// Whether the tenant that the hints name allows pages of that origin to call: the one named in so
    /// many words, else the one of the host. Where none is named nobody is asked.
    ///
    /// One that is suspended allows what it did, as its answers do not tell that it is either.
    ///
    /// As a browser asks before it sends anything, no token and no address is known. Reads nothing
    /// that was looked up less than a second ago.
    pub async fn allows_origin(
        &self,
        hints: &TenantHints,
        origin: &str,
    ) -> Result<bool, Unavailable> {
        let tenant = self.named_tenant(hints).await?;
        Ok(tenant.is_some_and(|tenant| {
            let mut allowed = tenant.settings.allowed_origins.iter().map(Origin::as_str);
            exists(&tenant) && allowed.any(|allowed| allowed == origin)
        }))
    }
}
