//! The settings of a tenant: show, change.

use actix_web::HttpRequest;
use actix_web::web::Path;
use paperclip::actix::{Apiv2Schema, api_v2_operation};
use serde::Deserialize;
use tessera_app::{AdministerTenantError, ChangeSettingsError, SettingsAdministration};
use tessera_domain::TenantSettingsError;

use crate::answer::Answer;
use crate::caller::{Administrator, FromAdministrator, run, tessera};
use crate::problem::Problem;
use crate::requests::SettingsRequest;
use crate::views::TenantSettingsView;

/// Show the settings of a tenant
///
/// Shows what holds for one tenant; null is what the installation says.
#[api_v2_operation(operation_id = "tenantSettings", tags("Administration"))]
pub(crate) async fn show(
    request: HttpRequest,
    administrator: Administrator,
    path: Path<SettingsPath>,
) -> Result<Answer<TenantSettingsView>, Problem> {
    let of = settings(&request, &administrator, &path).await?;
    Ok(Answer::ok((&of.tenant().settings).into()))
}

/// Change the settings of a tenant
///
/// Changes what the body names and leaves the rest; all of it, or nothing. Null is what the
/// installation says. Other fields are nothing.
#[api_v2_operation(operation_id = "changeTenantSettings", tags("Administration"))]
pub(crate) async fn change(
    request: HttpRequest,
    path: Path<SettingsPath>,
    sent: FromAdministrator<SettingsRequest>,
) -> Result<Answer<TenantSettingsView>, Problem> {
    let FromAdministrator(administrator, new) = sent;
    let of = settings(&request, &administrator, &path).await?;
    let tessera = tessera(&request)?;
    let changed = async move {
        let decide = |so_far| new.change(so_far);
        tessera.change_tenant_settings(&of, decide).await
    };
    let tenant = run(changed).await?;
    Ok(Answer::ok((&tenant.settings).into()))
}

/// The tenant in the path.
#[derive(Apiv2Schema, Deserialize)]
pub(crate) struct SettingsPath {
    /// The tenant's id, name or schema name.
    id: String,
}

/// The settings that the request is about.
async fn settings(
    request: &HttpRequest,
    administrator: &Administrator,
    path: &SettingsPath,
) -> Result<SettingsAdministration, Problem> {
    let tessera = tessera(request)?;
    let of = tessera.administer_settings(&administrator.1, &path.id);
    of.await?.ok_or(Problem::NotFound)
}

impl From<ChangeSettingsError> for Problem {
    fn from(error: ChangeSettingsError) -> Self {
        match error {
            ChangeSettingsError::Deleting => AdministerTenantError::Deleting.into(),
            ChangeSettingsError::Invalid(error) => {
                let field = match error {
                    TenantSettingsError::AccessLifetime { .. } => "access_seconds",
                    TenantSettingsError::RefreshLifetime { .. } => "refresh_seconds",
                    TenantSettingsError::TooManyOrigins => "allowed_origins",
                };
                Self::field(field, error.to_string())
            }
            ChangeSettingsError::NotFound => Self::NotFound,
            ChangeSettingsError::OfPlatform(setting) => Self::PlatformSetting(setting.as_str()),
            ChangeSettingsError::Unavailable(unavailable) => unavailable.into(),
        }
    }
}
