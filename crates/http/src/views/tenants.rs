//! Tenants, as their administrators see them.

use paperclip::actix::Apiv2Schema;
use serde::Serialize;
use tessera_app::{DomainAdded, TenantPage};
use tessera_domain::{Tenant, TenantLayout};

use super::{TenantSettingsView, UserView, rfc3339};

/// A tenant.
#[derive(Apiv2Schema, Serialize)]
pub struct TenantView {
    id: String,
    name: String,
    schema: String,
    domains: Vec<String>,
    primary_domain: Option<String>,
    /// `active`, `suspended`, or `deleting` while what is of it is being removed.
    status: &'static str,
    /// How its data is kept apart: `schema`, in tables of its own, or `shared`.
    layout: &'static str,
    /// The layout that it is on the way to; meanwhile it answers 503.
    moving_to: Option<&'static str>,
    settings: TenantSettingsView,
    created_at: String,
}

impl From<&Tenant> for TenantView {
    fn from(tenant: &Tenant) -> Self {
        let domains = tenant.domains.iter();
        let primary = domains.clone().find(|domain| domain.primary);
        Self {
            id: tenant.shown_id(),
            name: tenant.name.as_str().to_owned(),
            schema: tenant.schema.as_str().to_owned(),
            domains: domains
                .map(|domain| domain.host.as_str().to_owned())
                .collect(),
            primary_domain: primary.map(|domain| domain.host.as_str().to_owned()),
            status: tenant.status.as_str(),
            layout: tenant.layout.as_str(),
            moving_to: tenant.moving_to.map(TenantLayout::as_str),
            settings: (&tenant.settings).into(),
            created_at: rfc3339(tenant.created_at),
        }
    }
}

/// A page of tenants.
#[derive(Apiv2Schema, Serialize)]
pub(crate) struct TenantsView {
    tenants: Vec<TenantView>,
    /// What `after` is for the next page; null when there was no more.
    next: Option<String>,
}

impl From<TenantPage> for TenantsView {
    fn from(page: TenantPage) -> Self {
        Self {
            tenants: page.tenants.iter().map(TenantView::from).collect(),
            next: page.next.map(|schema| schema.as_str().to_owned()),
        }
    }
}

/// A tenant, and whom its new domain hides.
#[derive(Apiv2Schema, Serialize)]
pub struct DomainAddedView {
    #[serde(flatten)]
    tenant: TenantView,
    /// Users of the default tenant with an address in the domain: a log in with it now goes to the
    /// tenant.
    hidden_users: Vec<UserView>,
}

impl DomainAddedView {
    /// What came of it, and the `default` tenant, whose users are hidden.
    pub fn new(added: &DomainAdded, default: &Tenant) -> Self {
        let hidden = added.hidden.iter();
        Self {
            tenant: TenantView::from(&added.tenant),
            hidden_users: hidden.map(|user| UserView::new(user, default)).collect(),
        }
    }
}
