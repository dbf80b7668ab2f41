//! `tessera audit`: who did what.

use tessera_app::{AuditQuery, Purview};
use tessera_domain::{Id, SchemaName, User};
use tessera_http::AuditEntryView;

use crate::cli::Audit;
use crate::config::Config;
use crate::failure::Failure;
use crate::output::Output;
use crate::views::AUDIT_COLUMNS;
use crate::wiring::{KeyRingUse, Wired};

pub(super) async fn run(command: Audit, config: &Config, output: Output) -> Result<(), Failure> {
    let wired = super::open(config, KeyRingUse::Untouched).await?;
    let tenant = command.tenant.as_deref();
    let own = tenant.unwrap_or(SchemaName::DEFAULT);
    let either = [own, SchemaName::DEFAULT];
    let query = AuditQuery {
        tenant: None,
        user: find(&wired, command.user.as_deref(), &[own]).await?,
        actor: find(&wired, command.actor.as_deref(), &either).await?,
        event_type: command.event_type,
        from: command.since,
        to: command.until,
        before: None,
        limit: command.limit,
    };
    let page = wired
        .tessera
        .audit_page(Purview::Installation, tenant, query);
    let entries = page.await?.entries.into_iter();
    let views = entries.map(AuditEntryView::try_from);
    let views: Result<Vec<_>, _> = views.collect();
    let views = views.map_err(|error| Failure::because(&error))?;
    output.many(&AUDIT_COLUMNS, &views)
}

/// The user of that id, who may be gone, or of that address or username in the first of the
/// tenants that has one.
async fn find(
    wired: &Wired,
    who: Option<&str>,
    tenants: &[&str],
) -> Result<Option<Id<User>>, Failure> {
    let Some(who) = who else {
        return Ok(None);
    };
    if let Ok(id) = who.parse() {
        return Ok(Some(id));
    }
    for tenant in tenants {
        let tenant = super::tenant(wired, tenant).await?;
        if let Some(user) = wired.tessera.user(&tenant, who).await? {
            return Ok(Some(user.id));
        }
    }
    Err(Failure::Failed(format!(
        "there is no user `{who}`; one who is gone is found by the id"
    )))
}
