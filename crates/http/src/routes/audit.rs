//! Read the audit trail.

use actix_web::web::Data;
use paperclip::actix::api_v2_operation;
use tessera_app::{AuditError, Tessera};

use crate::answer::Answer;
use crate::audit_query::AuditFilter;
use crate::caller::Administrator;
use crate::problem::Problem;
use crate::query::Query;
use crate::views::AuditView;

/// Read the audit trail
///
/// Shows who did what, the newest entry first: a tenant administrator what happened in the own
/// tenant, a platform administrator everything. Users and tenants are shown by their UUID, also
/// those that are gone.
#[api_v2_operation(operation_id = "audit", tags("Administration"))]
pub(crate) async fn list(
    tessera: Data<Tessera>,
    administrator: Administrator,
    query: Query<AuditFilter>,
) -> Result<Answer<AuditView>, Problem> {
    let filter = query.read()?;
    let page = tessera.audit_page(administrator.0, filter.tenant.as_deref(), filter.query);
    let shown = AuditView::try_from(page.await?).map_err(Problem::internal)?;
    Ok(Answer::ok(shown))
}

impl From<AuditError> for Problem {
    fn from(error: AuditError) -> Self {
        match error {
            AuditError::NotPermitted(not_permitted) => not_permitted.into(),
            AuditError::Unavailable(unavailable) => unavailable.into(),
            AuditError::UnknownTenant => Self::field("tenant", "There is no such tenant."),
        }
    }
}
