//! The ways in which a request names a tenant.

use super::ask::Ask;
use super::operation::Operation;
use super::side::Side;

/// Where a request names a tenant.
pub(super) enum Place {
    Field(String),
    Header(String),
    Host(String),
    Path(String),
    PathAndHeader(String),
}

impl Place {
    pub(super) fn at(&self, ask: Ask) -> Ask {
        let named = |mut ask: Ask, tenant: &str| {
            let tenant = tenant.replace(' ', "%20");
            ask.path.insert_str(0, &format!("/t/{tenant}"));
            ask
        };
        match self {
            Self::Field(tenant) => ask.field("tenant", tenant),
            Self::Header(tenant) => ask.header("x-tenant", tenant),
            Self::Host(host) => ask.header("host", host).bare(),
            // The path of a tenant itself has no slash to lose.
            Self::Path(tenant) => named(ask, tenant),
            Self::PathAndHeader(tenant) => named(ask, tenant).header("x-tenant", tenant).bare(),
        }
    }

    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Field(_) => "with the tenant as a field",
            Self::Header(_) => "with the tenant in the header",
            Self::Host(_) => "on the tenant's host",
            Self::Path(_) => "under the tenant's path",
            Self::PathAndHeader(_) => "under the tenant's path and in the header",
        }
    }
}

/// All the ways to name a tenant, but in the body. The host of the default tenant serves everyone.
pub(super) fn places(side: &Side) -> Vec<Place> {
    let tenant = &side.tenant;
    let upper = tenant.name.to_uppercase();
    let mut places = vec![
        Place::Path(tenant.schema.clone()),
        Place::Path(upper.clone()),
        Place::Header(tenant.schema.clone()),
        Place::Header(upper),
        Place::PathAndHeader(tenant.schema.clone()),
    ];
    if !tenant.is_default() {
        let host = &tenant.host;
        places.push(Place::Host(host.clone()));
        places.push(Place::Host(format!("{}:8443", host.to_uppercase())));
        places.push(Place::Host(format!("{host}.")));
    }
    places
}

pub(super) fn places_for(operation: &Operation, side: &Side) -> Vec<Place> {
    let mut places = places(side);
    if operation.has("tenant") {
        places.push(Place::Field(side.tenant.name.clone()));
    }
    places
}
