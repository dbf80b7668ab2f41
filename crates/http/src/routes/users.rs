//! Administer users: list, invite, show, change, disable, enable, unlock, log out, delete.

use actix_web::HttpRequest;
use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use paperclip::actix::{Apiv2Schema, api_v2_operation};
use serde::Deserialize;
use tessera_app::{
    AdministerUserError, AdministrationError, AmendUser, CreateUserError, InviteUserError, Tessera,
    Unique, UserAdministration,
};
use tessera_domain::{Id, User};

use crate::answer::{Answer, NoContent};
use crate::caller::{Administrator, FromAdministrator, run, tessera};
use crate::problem::{FieldError, Problem};
use crate::query::Query;
use crate::requests::{AmendRequest, InviteRequest};
use crate::user_query::{TenantAsked, UsersAsked};
use crate::views::{SessionsView, UserView, UsersView};

/// List users
///
/// Shows the users of a tenant that the query asks for, in the order in which they were made.
#[api_v2_operation(operation_id = "users", tags("Administration"))]
pub(crate) async fn list(
    tessera: Data<Tessera>,
    administrator: Administrator,
    query: Query<UsersAsked>,
) -> Result<Answer<UsersView>, Problem> {
    let asked = query.read()?;
    let tenant = asked.tenant.as_deref();
    let of = tessera.administer_users(&administrator.1, tenant).await?;
    let page = tessera.user_page(&of, &asked.filter, asked.after, asked.limit);
    Ok(Answer::ok(UsersView::new(&page.await?, of.tenant())))
}

/// Invite a user
///
/// Makes a user, and mails a link to set a password. Nobody else sets or learns it, and the address
/// is proved by the link.
#[api_v2_operation(operation_id = "inviteUser", tags("Administration"))]
pub(crate) async fn invite(
    request: HttpRequest,
    query: Query<TenantAsked>,
    sent: FromAdministrator<InviteRequest>,
) -> Result<Answer<UserView>, Problem> {
    let FromAdministrator(administrator, invited) = sent;
    let of = users(&request, &administrator, &query).await?;
    let (tessera, tenant) = (tessera(&request)?, of.tenant().clone());
    let invited = async move { tessera.invite_user(&of, invited.0).await };
    let user = run(invited).await?;
    Ok(Answer::ok(UserView::new(&user, &tenant)).with_status(StatusCode::CREATED))
}

/// Show a user
///
/// Shows one user of a tenant.
#[api_v2_operation(operation_id = "user", tags("Administration"))]
pub(crate) async fn show(
    request: HttpRequest,
    administrator: Administrator,
    query: Query<TenantAsked>,
    path: Path<UserPath>,
) -> Result<Answer<UserView>, Problem> {
    let of = users(&request, &administrator, &query).await?;
    let user = find(&request, &of, path.id()?).await?;
    Ok(Answer::ok(UserView::new(&user, of.tenant())))
}

/// Change a user
///
/// Changes what the body names and leaves the rest; all of it, or nothing. Whoever is no longer
/// active has no session left. Other fields are nothing.
#[api_v2_operation(operation_id = "changeUser", tags("Administration"))]
pub(crate) async fn change(
    request: HttpRequest,
    query: Query<TenantAsked>,
    path: Path<UserPath>,
    sent: FromAdministrator<AmendRequest>,
) -> Result<Answer<UserView>, Problem> {
    let FromAdministrator(administrator, amended) = sent;
    amend(&request, &administrator, &query, &path, amended.0).await
}

/// Disable a user
///
/// Keeps a user from logging in, and ends all sessions for good.
#[api_v2_operation(operation_id = "disableUser", tags("Administration"))]
pub(crate) async fn disable(
    request: HttpRequest,
    administrator: Administrator,
    query: Query<TenantAsked>,
    path: Path<UserPath>,
) -> Result<Answer<UserView>, Problem> {
    let disabled = AmendUser {
        is_active: Some(false),
        ..AmendUser::default()
    };
    amend(&request, &administrator, &query, &path, disabled).await
}

/// Enable a user
///
/// Lets a user log in again; no session revives.
#[api_v2_operation(operation_id = "enableUser", tags("Administration"))]
pub(crate) async fn enable(
    request: HttpRequest,
    administrator: Administrator,
    query: Query<TenantAsked>,
    path: Path<UserPath>,
) -> Result<Answer<UserView>, Problem> {
    let enabled = AmendUser {
        is_active: Some(true),
        ..AmendUser::default()
    };
    amend(&request, &administrator, &query, &path, enabled).await
}

/// Unlock a user
///
/// Ends the lock that wrong passwords caused.
#[api_v2_operation(operation_id = "unlockUser", tags("Administration"))]
pub(crate) async fn unlock(
    request: HttpRequest,
    administrator: Administrator,
    query: Query<TenantAsked>,
    path: Path<UserPath>,
) -> Result<Answer<UserView>, Problem> {
    let of = users(&request, &administrator, &query).await?;
    let (tessera, tenant, id) = (tessera(&request)?, of.tenant().clone(), path.id()?);
    let unlocked = async move { tessera.lift_lock(&of, id).await };
    let user = run(unlocked).await?;
    Ok(Answer::ok(UserView::new(&user, &tenant)))
}

/// Log a user out
///
/// Ends all sessions of a user.
#[api_v2_operation(operation_id = "logoutUser", tags("Administration"))]
pub(crate) async fn log_out(
    request: HttpRequest,
    administrator: Administrator,
    query: Query<TenantAsked>,
    path: Path<UserPath>,
) -> Result<Answer<UserView>, Problem> {
    let of = users(&request, &administrator, &query).await?;
    let (tessera, tenant, id) = (tessera(&request)?, of.tenant().clone(), path.id()?);
    let ended = async move { tessera.end_sessions_of(&of, id).await };
    let user = run(ended).await?;
    Ok(Answer::ok(UserView::new(&user, &tenant)))
}

/// List the sessions of a user
///
/// Shows the live sessions of a user, oldest first.
#[api_v2_operation(operation_id = "userSessions", tags("Administration"))]
pub(crate) async fn sessions(
    request: HttpRequest,
    administrator: Administrator,
    query: Query<TenantAsked>,
    path: Path<UserPath>,
) -> Result<Answer<SessionsView>, Problem> {
    let of = users(&request, &administrator, &query).await?;
    let user = find(&request, &of, path.id()?).await?;
    let sessions = tessera(&request)?.user_sessions(of.tenant(), &user).await?;
    Ok(Answer::ok(SessionsView::new(&sessions, &administrator.1)))
}

/// Delete a user
///
/// Deletes a user with all sessions and the events of before, and tells so the address that the
/// user had.
#[api_v2_operation(operation_id = "deleteUser", tags("Administration"))]
pub(crate) async fn delete(
    request: HttpRequest,
    administrator: Administrator,
    query: Query<TenantAsked>,
    path: Path<UserPath>,
) -> Result<NoContent, Problem> {
    let of = users(&request, &administrator, &query).await?;
    let (tessera, id) = (tessera(&request)?, path.id()?);
    let deleted = async move { tessera.delete_user(&of, id).await };
    run(deleted).await?;
    Ok(NoContent)
}

/// The user in the path.
#[derive(Apiv2Schema, Deserialize)]
pub(crate) struct UserPath {
    /// The user's id.
    id: String,
}

impl UserPath {
    fn id(&self) -> Result<Id<User>, Problem> {
        self.id.parse().map_err(|_| Problem::NotFound)
    }
}

async fn amend(
    request: &HttpRequest,
    administrator: &Administrator,
    query: &Query<TenantAsked>,
    path: &UserPath,
    command: AmendUser,
) -> Result<Answer<UserView>, Problem> {
    let of = users(request, administrator, query).await?;
    let (tessera, tenant, id) = (tessera(request)?, of.tenant().clone(), path.id()?);
    let amended = async move { tessera.amend_user(&of, id, command).await };
    let user = run(amended).await?;
    Ok(Answer::ok(UserView::new(&user, &tenant)))
}

/// The users whom the request is about.
async fn users(
    request: &HttpRequest,
    administrator: &Administrator,
    query: &Query<TenantAsked>,
) -> Result<UserAdministration, Problem> {
    let (tessera, TenantAsked(tenant)) = (tessera(request)?, query.read()?);
    let of = tessera.administer_users(&administrator.1, tenant.as_deref());
    Ok(of.await?)
}

async fn find(
    request: &HttpRequest,
    of: &UserAdministration,
    id: Id<User>,
) -> Result<User, Problem> {
    let found = tessera(request)?.administered_user(of, id).await?;
    found.ok_or(Problem::NotFound)
}

impl From<AdministrationError> for Problem {
    fn from(error: AdministrationError) -> Self {
        match error {
            AdministrationError::NotPermitted(not_permitted) => not_permitted.into(),
            AdministrationError::Unavailable(unavailable) => unavailable.into(),
            AdministrationError::UnknownTenant => Self::field("tenant", "There is no such tenant."),
        }
    }
}

impl From<AdministerUserError> for Problem {
    fn from(error: AdministerUserError) -> Self {
        match error {
            AdministerUserError::Change(error) => error.into(),
            AdministerUserError::NotPermitted(not_permitted) => not_permitted.into(),
            AdministerUserError::Oneself => Self::Input(vec![FieldError::whole(ONESELF)]),
            AdministerUserError::PlatformRole => Self::field("roles", PLATFORM_ROLE),
        }
    }
}

impl From<InviteUserError> for Problem {
    fn from(error: InviteUserError) -> Self {
        match error {
            InviteUserError::Create(error) => error.into(),
            InviteUserError::NotPermitted(not_permitted) => not_permitted.into(),
        }
    }
}

impl From<CreateUserError> for Problem {
    fn from(error: CreateUserError) -> Self {
        match error {
            CreateUserError::Duplicate(Unique::Email) => {
                Self::field("email", "A user with that email address already exists.")
            }
            CreateUserError::Duplicate(Unique::Username) => {
                Self::field("username", "A user with that username already exists.")
            }
            CreateUserError::Duplicate(
                Unique::Domain | Unique::Installation | Unique::Key | Unique::Tenant,
            ) => Self::internal(error),
            CreateUserError::Overloaded(overloaded) => overloaded.into(),
            CreateUserError::PlatformRole => Self::field("roles", PLATFORM_ROLE),
            CreateUserError::Unavailable(unavailable) => unavailable.into(),
            CreateUserError::WeakPassword(weakness) => {
                Self::field("password", weakness.to_string())
            }
        }
    }
}

const ONESELF: &str =
    "You cannot disable or delete yourself, or give up the role that makes you an administrator.";
const PLATFORM_ROLE: &str = "The role platform-admin exists in the default tenant only.";
