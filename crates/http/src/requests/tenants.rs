//! The fields of requests that administer tenants.

use paperclip::actix::Apiv2Schema;
use paperclip::v2::models::DefaultSchemaRaw;
use paperclip::v2::schema::Apiv2Schema as Schema;
use tessera_app::CreateTenant;
use tessera_domain::{HostName, SchemaName, TenantDomain, TenantLayout, TenantName};

use crate::answer::FromInput;
use crate::input::Input;

/// A tenant to make.
pub(crate) struct CreateTenantRequest(pub(crate) CreateTenant);

impl FromInput for CreateTenantRequest {
    fn take(input: &mut Input) -> Option<Self> {
        let name = input.required("name");
        let name = name.and_then(|text| input.parsed("name", &text, TenantName::parse));
        let schema = input.optional("schema");
        let schema = schema.and_then(|text| input.parsed("schema", &text, SchemaName::parse));
        let domains = input.list("domains", MOST_DOMAINS, HostName::parse);
        let layout = input.optional("layout");
        let layout = layout.and_then(|text| input.parsed("layout", &text, parse_layout));
        Some(Self(CreateTenant {
            name: name?,
            schema,
            domains: domains.unwrap_or_default(),
            layout,
        }))
    }
}

/// The fields of a tenant to make, for the documentation.
#[derive(Apiv2Schema)]
#[expect(dead_code, reason = "read by the documentation alone")]
struct CreateTenantFields {
    /// What it is called: 100 characters at most, without slash and quote.
    name: String,
    /// Its schema name: letters, digits, `_` and `-`, 63 at most; what the name suggests, if absent.
    schema: Option<String>,
    /// Its domains, the primary one first: 100 at most.
    domains: Option<Vec<String>>,
    /// How its data is kept apart, `schema` or `shared`: for Postgres. As the installation has it,
    /// if absent.
    layout: Option<String>,
}

impl Schema for CreateTenantRequest {
    fn name() -> Option<String> {
        CreateTenantFields::name()
    }

    fn raw_schema() -> DefaultSchemaRaw {
        CreateTenantFields::raw_schema()
    }
}

/// What a tenant is called from now on; what is absent stays.
pub(crate) struct AmendTenantRequest {
    /// The name.
    pub(crate) name: Option<TenantName>,
}

impl FromInput for AmendTenantRequest {
    fn take(input: &mut Input) -> Option<Self> {
        let name = input.changed("name");
        let name = name.and_then(|text| input.parsed("name", &text, TenantName::parse));
        Some(Self { name })
    }
}

/// What may be changed of a tenant; what is absent stays.
#[derive(Apiv2Schema)]
#[expect(dead_code, reason = "read by the documentation alone")]
struct AmendTenantFields {
    /// What it is called; its schema name never changes.
    name: Option<String>,
}

impl Schema for AmendTenantRequest {
    fn name() -> Option<String> {
        AmendTenantFields::name()
    }

    fn raw_schema() -> DefaultSchemaRaw {
        AmendTenantFields::raw_schema()
    }
}

/// A domain to give to a tenant.
pub(crate) struct DomainRequest(pub(crate) TenantDomain);

impl FromInput for DomainRequest {
    fn take(input: &mut Input) -> Option<Self> {
        let host = input.required("domain");
        let host = host.and_then(|text| input.parsed("domain", &text, HostName::parse));
        let primary = input.flag("primary").unwrap_or_default();
        let host = host?;
        Some(Self(TenantDomain { host, primary }))
    }
}

/// The fields of a domain, for the documentation.
#[derive(Apiv2Schema)]
#[expect(dead_code, reason = "read by the documentation alone")]
struct DomainFields {
    /// The host and e-mail domain.
    domain: String,
    /// Whether it becomes the primary one; the first one does anyway.
    primary: Option<bool>,
}

impl Schema for DomainRequest {
    fn name() -> Option<String> {
        DomainFields::name()
    }

    fn raw_schema() -> DefaultSchemaRaw {
        DomainFields::raw_schema()
    }
}

/// Where a tenant moves to.
pub(crate) struct MoveRequest(pub(crate) TenantLayout);

impl FromInput for MoveRequest {
    fn take(input: &mut Input) -> Option<Self> {
        let to = input.required("to")?;
        input.parsed("to", &to, parse_layout).map(Self)
    }
}

/// The fields of a move, for the documentation.
#[derive(Apiv2Schema)]
#[expect(dead_code, reason = "read by the documentation alone")]
struct MoveFields {
    /// The layout: `schema` or `shared`.
    to: String,
}

impl Schema for MoveRequest {
    fn name() -> Option<String> {
        MoveFields::name()
    }

    fn raw_schema() -> DefaultSchemaRaw {
        MoveFields::raw_schema()
    }
}

fn parse_layout(text: &str) -> Result<TenantLayout, &'static str> {
    text.parse().map_err(|_| "It is schema or shared.")
}

const MOST_DOMAINS: usize = 100;
