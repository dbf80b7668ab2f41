//! Administer tenants: list, make, show, rename, delete, suspend, resume, move, change their domains.

use actix_web::HttpRequest;
use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use paperclip::actix::{Apiv2Schema, api_v2_operation};
use serde::Deserialize;
use tessera_app::{AdministerTenantError, CreateTenantError, Tessera, Unique};
use tessera_domain::{HostName, SchemaName};

use crate::answer::Answer;
use crate::caller::{Administrator, FromAdministrator, PlatformAdministrator, run, tessera};
use crate::problem::{FieldError, Problem};
use crate::query::Query;
use crate::requests::{AmendTenantRequest, CreateTenantRequest, DomainRequest, MoveRequest};
use crate::tenants_query::TenantsAsked;
use crate::views::{DomainAddedView, TenantView, TenantsView};

/// What an administrator of the platform sends.
type FromPlatform<T> = FromAdministrator<T, PlatformAdministrator>;

/// List tenants
///
/// Shows the tenants that the query asks for, by their schema names.
#[api_v2_operation(operation_id = "tenants", tags("Administration"))]
pub(crate) async fn list(
    tessera: Data<Tessera>,
    administrator: PlatformAdministrator,
    query: Query<TenantsAsked>,
) -> Result<Answer<TenantsView>, Problem> {
    let asked = query.read()?;
    let (search, after) = (asked.search.as_ref(), asked.after.as_ref());
    let page = tessera.tenant_page(&administrator.0, search, after, asked.limit);
    Ok(Answer::ok(TenantsView::from(page.await?)))
}

/// Make a tenant
///
/// Makes a tenant, with the place where its data lives.
#[api_v2_operation(operation_id = "createTenant", tags("Administration"))]
pub(crate) async fn create(
    request: HttpRequest,
    sent: FromPlatform<CreateTenantRequest>,
) -> Result<Answer<TenantView>, Problem> {
    let FromAdministrator(administrator, command) = sent;
    let tessera = tessera(&request)?;
    let made = async move { tessera.create_tenant(&administrator.0, command.0).await };
    let tenant = run(made).await?;
    Ok(Answer::ok(TenantView::from(&tenant)).with_status(StatusCode::CREATED))
}

/// Show a tenant
///
/// Shows one tenant: to those who administer it, too.
#[api_v2_operation(operation_id = "tenant", tags("Administration"))]
pub(crate) async fn show(
    request: HttpRequest,
    administrator: Administrator,
    path: Path<TenantPath>,
) -> Result<Answer<TenantView>, Problem> {
    let tessera = tessera(&request)?;
    let found = tessera.administered_tenant(&administrator.1, &path.id);
    let tenant = found.await?.ok_or(Problem::NotFound)?;
    Ok(Answer::ok(TenantView::from(&tenant)))
}

/// Rename a tenant
///
/// Gives a tenant another name. Its schema name, `tenant_schema` in tokens, stays.
#[api_v2_operation(operation_id = "changeTenant", tags("Administration"))]
pub(crate) async fn change(
    request: HttpRequest,
    path: Path<TenantPath>,
    sent: FromPlatform<AmendTenantRequest>,
) -> Result<Answer<TenantView>, Problem> {
    let FromAdministrator(administrator, amended) = sent;
    let (tessera, id) = (tessera(&request)?, path.into_inner().id);
    let changed = async move {
        match amended.name {
            Some(name) => tessera.rename_tenant(&administrator.0, &id, name).await,
            None => match tessera.find_tenant(&id).await? {
                Some(tenant) => Ok(tenant),
                None => Err(AdministerTenantError::NotFound),
            },
        }
    };
    let tenant = run(changed).await?;
    Ok(Answer::ok(TenantView::from(&tenant)))
}

/// Delete a tenant
///
/// Closes a tenant for good and begins to remove all that is of it, which goes on by itself. Its
/// names are free again when it is gone.
#[api_v2_operation(operation_id = "deleteTenant", tags("Administration"))]
pub(crate) async fn delete(
    request: HttpRequest,
    administrator: PlatformAdministrator,
    path: Path<TenantPath>,
) -> Result<Answer<TenantView>, Problem> {
    let (tessera, id) = (tessera(&request)?, path.into_inner().id);
    let begun = async move { tessera.begin_deletion(&administrator.0, &id).await };
    let tenant = run(begun).await?;
    Ok(Answer::ok(TenantView::from(&tenant)).with_status(StatusCode::ACCEPTED))
}

/// Suspend a tenant
///
/// Closes a tenant: nobody logs in there, and no token of it works until it is resumed.
#[api_v2_operation(operation_id = "suspendTenant", tags("Administration"))]
pub(crate) async fn suspend(
    request: HttpRequest,
    administrator: PlatformAdministrator,
    path: Path<TenantPath>,
) -> Result<Answer<TenantView>, Problem> {
    let (tessera, id) = (tessera(&request)?, path.into_inner().id);
    let suspended = async move { tessera.suspend_tenant(&administrator.0, &id).await };
    let tenant = run(suspended).await?;
    Ok(Answer::ok(TenantView::from(&tenant)))
}

/// Resume a tenant
///
/// Opens a suspended tenant again; sessions that are not over work again.
#[api_v2_operation(operation_id = "resumeTenant", tags("Administration"))]
pub(crate) async fn resume(
    request: HttpRequest,
    administrator: PlatformAdministrator,
    path: Path<TenantPath>,
) -> Result<Answer<TenantView>, Problem> {
    let (tessera, id) = (tessera(&request)?, path.into_inner().id);
    let resumed = async move { tessera.resume_tenant(&administrator.0, &id).await };
    let tenant = run(resumed).await?;
    Ok(Answer::ok(TenantView::from(&tenant)))
}

/// Move a tenant
///
/// Begins to move the data of a tenant to another layout, or back where it is moving from, which goes
/// on by itself: for Postgres. Until it is there, and `moving_to` is null again, the tenant answers
/// 503.
#[api_v2_operation(operation_id = "moveTenant", tags("Administration"))]
pub(crate) async fn relocate(
    request: HttpRequest,
    path: Path<TenantPath>,
    sent: FromPlatform<MoveRequest>,
) -> Result<Answer<TenantView>, Problem> {
    let FromAdministrator(administrator, to) = sent;
    let (tessera, id) = (tessera(&request)?, path.into_inner().id);
    let begun = async move { tessera.begin_move(&administrator.0, &id, to.0).await };
    let tenant = run(begun).await?;
    let status = match tenant.moving_to {
        Some(_) => StatusCode::ACCEPTED,
        None => StatusCode::OK,
    };
    Ok(Answer::ok(TenantView::from(&tenant)).with_status(status))
}

/// Add a domain
///
/// Gives a domain to a tenant, and names the users of the default tenant whom it hides: a log in
/// with their address goes to the tenant from now on.
#[api_v2_operation(operation_id = "addDomain", tags("Administration"))]
pub(crate) async fn add_domain(
    request: HttpRequest,
    path: Path<TenantPath>,
    sent: FromPlatform<DomainRequest>,
) -> Result<Answer<DomainAddedView>, Problem> {
    let FromAdministrator(administrator, domain) = sent;
    let (tessera, id) = (tessera(&request)?, path.into_inner().id);
    let added = async move {
        let added = tessera.add_domain(&administrator.0, &id, domain.0).await?;
        let default = tessera.find_tenant(SchemaName::DEFAULT).await?;
        let default = default.ok_or(AdministerTenantError::NotFound)?;
        Ok::<_, AdministerTenantError>(DomainAddedView::new(&added, &default))
    };
    let added = run(added).await?;
    Ok(Answer::ok(added).with_status(StatusCode::CREATED))
}

/// Remove a domain
///
/// Takes a domain from a tenant. Without its primary one, the first of the others is that.
#[api_v2_operation(operation_id = "removeDomain", tags("Administration"))]
pub(crate) async fn remove_domain(
    request: HttpRequest,
    administrator: PlatformAdministrator,
    path: Path<DomainPath>,
) -> Result<Answer<TenantView>, Problem> {
    let (tessera, of) = (tessera(&request)?, administrator.0);
    let DomainPath { id, domain } = path.into_inner();
    let host = HostName::parse(&domain).map_err(|_| Problem::NotFound)?;
    let removed = async move { tessera.remove_domain(&of, &id, &host).await };
    let tenant = run(removed).await?;
    Ok(Answer::ok(TenantView::from(&tenant)))
}

/// Make a domain the primary one
///
/// Makes one of its domains the primary one of a tenant.
#[api_v2_operation(operation_id = "makeDomainPrimary", tags("Administration"))]
pub(crate) async fn make_domain_primary(
    request: HttpRequest,
    administrator: PlatformAdministrator,
    path: Path<DomainPath>,
) -> Result<Answer<TenantView>, Problem> {
    let (tessera, of) = (tessera(&request)?, administrator.0);
    let DomainPath { id, domain } = path.into_inner();
    let host = HostName::parse(&domain).map_err(|_| Problem::NotFound)?;
    let made = async move { tessera.make_domain_primary(&of, &id, &host).await };
    let tenant = run(made).await?;
    Ok(Answer::ok(TenantView::from(&tenant)))
}

/// The tenant in the path.
#[derive(Apiv2Schema, Deserialize)]
pub(crate) struct TenantPath {
    /// The tenant's UUID, name or schema name.
    id: String,
}

/// The tenant and the domain in the path.
#[derive(Apiv2Schema, Deserialize)]
pub(crate) struct DomainPath {
    /// The tenant's UUID, name or schema name.
    id: String,
    /// The domain.
    domain: String,
}

impl From<AdministerTenantError> for Problem {
    fn from(error: AdministerTenantError) -> Self {
        match error {
            AdministerTenantError::DefaultTenant => {
                Self::Input(vec![FieldError::whole(DEFAULT_TENANT)])
            }
            AdministerTenantError::Deleting => {
                Self::Input(vec![FieldError::whole("The tenant is being deleted.")])
            }
            AdministerTenantError::Duplicate(Unique::Domain) => Self::field("domain", DOMAIN_TAKEN),
            AdministerTenantError::Duplicate(Unique::Tenant) => Self::field("name", NAME_TAKEN),
            AdministerTenantError::Changed
            | AdministerTenantError::Duplicate(
                Unique::Email | Unique::Installation | Unique::Key | Unique::Username,
            ) => Self::internal(error),
            AdministerTenantError::NoLayouts => Self::field("to", NO_LAYOUTS),
            AdministerTenantError::NotFound | AdministerTenantError::UnknownDomain => {
                Self::NotFound
            }
            AdministerTenantError::Unavailable(unavailable) => unavailable.into(),
        }
    }
}

impl From<CreateTenantError> for Problem {
    fn from(error: CreateTenantError) -> Self {
        match error {
            CreateTenantError::Duplicate(Unique::Domain) => Self::field("domains", DOMAIN_TAKEN),
            CreateTenantError::Duplicate(Unique::Tenant) => Self::field("name", NAME_TAKEN),
            CreateTenantError::Duplicate(
                Unique::Email | Unique::Installation | Unique::Key | Unique::Username,
            ) => Self::internal(error),
            CreateTenantError::NoLayouts => Self::field("layout", NO_LAYOUTS),
            CreateTenantError::NoSchema(_) => Self::field("schema", error.to_string()),
            CreateTenantError::Unavailable(unavailable) => unavailable.into(),
        }
    }
}

const DEFAULT_TENANT: &str = "The default tenant is neither suspended nor deleted.";
const DOMAIN_TAKEN: &str = "That domain belongs to another tenant.";
const NAME_TAKEN: &str = "The name or schema name is taken.";
const NO_LAYOUTS: &str = "Layouts are for Postgres.";
