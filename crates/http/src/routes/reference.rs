//! The documentation and the metrics.

use actix_web::http::header::{CONTENT_TYPE, HeaderValue};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use paperclip::actix::api_v2_operation;

use crate::answer::Kept;
use crate::envelope::Edge;
use crate::openapi;
use crate::problem::Problem;
use crate::routes::keys::{cacheable, entity_tag};
use crate::state::Presentation;

/// This document
///
/// The routes of the service as an OpenAPI 3 document.
#[api_v2_operation(operation_id = "schema", tags("Reference"))]
pub(crate) async fn schema(shown: Data<Presentation>) -> Result<Kept<String>, Problem> {
    let document = openapi::served(&shown.version);
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, HeaderValue::from_static("application/json")))
        .body(document)
        .into())
}

/// The events
///
/// What is sent to consumers of events, as an `AsyncAPI` 3 document.
#[api_v2_operation(operation_id = "asyncapi", tags("Reference"))]
pub(crate) async fn asyncapi(
    request: HttpRequest,
    shown: Data<Presentation>,
) -> Result<Kept<String>, Problem> {
    let etag = HeaderValue::try_from(entity_tag(&shown.asyncapi)).map_err(Problem::internal)?;
    let document = || shown.asyncapi.to_string().into();
    Ok(cacheable(&request, "application/json", etag, document).into())
}

/// Metrics
///
/// Counters and gauges in the text format of Prometheus.
#[api_v2_operation(operation_id = "metrics", tags("Reference"))]
pub(crate) async fn metrics(edge: Data<Edge>) -> Result<Kept<String>, Problem> {
    let text = edge.metrics.render().map_err(Problem::internal)?;
    let media_type = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, media_type))
        .body(text)
        .into())
}
