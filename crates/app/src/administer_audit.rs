//! What administrators read of the audit trail, and how it is kept from growing for ever.

use tessera_domain::Timestamp;

use crate::Tessera;
use crate::audit_trail::{AuditEntry, AuditPlace, AuditQuery};
use crate::ports::Unavailable;
use crate::purview::{NotPermitted, Purview};

/// Some of the entries that were asked for, the newest first.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AuditPage {
    /// The entries.
    pub entries: Vec<AuditEntry>,
    /// The place that the next page is `before`, while there are more.
    pub next: Option<AuditPlace>,
}

/// Why no entries are shown.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// They are another tenant's.
    #[error(transparent)]
    NotPermitted(#[from] NotPermitted),
    /// The store cannot be reached.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// There is no such tenant.
    #[error("there is no such tenant")]
    UnknownTenant,
}

impl Tessera {
    /// The entries of the audit trail that `query` asks for, within the purview, and of the one
    /// `tenant` where it is given: by its name, its schema name or its id.
    ///
    /// Whoever administers one tenant is told alike of another one and of one that does not exist.
    pub async fn audit_page(
        &self,
        purview: Purview,
        tenant: Option<&str>,
        query: AuditQuery,
    ) -> Result<AuditPage, AuditError> {
        let named = match tenant {
            Some(named) => Some(self.tenant(named).await?.map(|tenant| tenant.id)),
            None => None,
        };
        let tenant = match (purview, named) {
            (Purview::Installation, Some(None)) => return Err(AuditError::UnknownTenant),
            (Purview::Installation, named) => named.flatten(),
            (Purview::Tenant(own), Some(named)) if named != Some(own) => {
                return Err(NotPermitted.into());
            }
            (Purview::Tenant(own), _) => Some(own),
        };
        let limit = query.limit;
        let one_more = AuditQuery {
            tenant,
            limit: limit.saturating_add(1),
            ..query
        };
        let mut entries = self.ports.audit.entries(&one_more).await?;
        let more = entries.len() > limit;
        entries.truncate(limit);
        let last = entries.last().map(AuditEntry::place);
        let next = last.filter(|_| more);
        Ok(AuditPage { entries, next })
    }

    /// Removes some entries of the audit trail that are from before `before`; answers whether more
    /// may be left.
    pub async fn expire_audit(&self, before: Timestamp) -> Result<bool, Unavailable> {
        Ok(self.ports.audit.expire_audit(before, BATCH).await? == BATCH)
    }
}

const BATCH: usize = 1_000;
