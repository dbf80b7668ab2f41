//! Whether the service lives, and whether it can serve.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use paperclip::actix::{Apiv2Schema, api_v2_operation};
use serde::Serialize;
use tessera_app::{NotReady, Tessera, TokenError, Unready};

use crate::answer::Answer;
use crate::problem::Problem;
use crate::state::{Draining, LaggingTenants};
use crate::views::rfc3339;

/// Liveness (authentication service)
///
/// Answers as long as the process lives; needs neither store nor keys.
#[api_v2_operation(operation_id = "authHealth", tags("Health"))]
pub(crate) async fn auth_health() -> Result<Answer<StatusView>, Problem> {
    Ok(Answer::ok(StatusView {
        status: "auth-service-up",
    }))
}

/// Liveness
///
/// Answers as long as the process lives; needs neither store nor keys.
#[api_v2_operation(operation_id = "live", tags("Health"))]
pub(crate) async fn live() -> Result<Answer<StatusView>, Problem> {
    Ok(Answer::ok(StatusView { status: "ok" }))
}

/// Health
///
/// 200 `healthy` when requests can be served, else 503 `unhealthy`.
#[api_v2_operation(operation_id = "health", tags("Health"))]
pub(crate) async fn health(
    tessera: Data<Tessera>,
    draining: Data<Draining>,
) -> Result<Answer<HealthView>, Problem> {
    let (status, code) = match reason(&tessera, &draining).await {
        None => ("healthy", StatusCode::OK),
        Some(_) => ("unhealthy", StatusCode::SERVICE_UNAVAILABLE),
    };
    let view = HealthView {
        status,
        service: "auth-service",
        timestamp: rfc3339(tessera.ports().clock.now()),
    };
    Ok(Answer::ok(view).with_status(code))
}

/// Readiness
///
/// 200 when requests can be served, else 503 with the reason: the store cannot be reached, is not
/// migrated or read-only, no key signs, or the process is about to end. Where the tables of some tenants
/// are not those of this version, it is 200 all the same, and says how many these are.
#[api_v2_operation(operation_id = "ready", tags("Health"))]
pub(crate) async fn ready(
    tessera: Data<Tessera>,
    draining: Data<Draining>,
    lagging: Data<LaggingTenants>,
) -> Result<Answer<ReadyView>, Problem> {
    let reason = reason(&tessera, &draining).await;
    let (status, code) = match reason {
        None => ("ready", StatusCode::OK),
        Some(_) => ("unready", StatusCode::SERVICE_UNAVAILABLE),
    };
    let (lagging_tenants, lagging_schemas) = lagging.some().unzip();
    let view = ReadyView {
        status,
        reason,
        lagging_tenants,
        lagging_schemas,
    };
    Ok(Answer::ok(view).with_status(code))
}

/// That the process lives.
#[derive(Apiv2Schema, Serialize)]
pub(crate) struct StatusView {
    status: &'static str,
}

/// Whether requests can be served, as the services replaced said it.
#[derive(Apiv2Schema, Serialize)]
pub(crate) struct HealthView {
    status: &'static str,
    service: &'static str,
    timestamp: String,
}

/// Whether requests can be served, and if not, why; and for which tenants perhaps not, of whose
/// schemas the first few are named.
#[derive(Apiv2Schema, Serialize)]
pub(crate) struct ReadyView {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lagging_tenants: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lagging_schemas: Option<Vec<String>>,
}

async fn reason(tessera: &Tessera, draining: &Draining) -> Option<&'static str> {
    if draining.began() {
        return Some("draining");
    }
    match tessera.ready().await {
        Ok(()) => None,
        Err(NotReady::Keys(
            TokenError::Expired | TokenError::Invalid | TokenError::NoKey | TokenError::UnknownKey,
        )) => Some("no signing key is loaded"),
        Err(NotReady::Store(Unready::NotMigrated)) => {
            Some("the store is not migrated: run `tessera migrate`")
        }
        Err(NotReady::Store(Unready::ReadOnly)) => Some("the store is read-only"),
        Err(NotReady::Store(Unready::Unbound)) => {
            Some("row-level security does not bind the role of the database")
        }
        Err(NotReady::Store(Unready::Unavailable(_))) => Some("the store cannot be reached"),
    }
}
