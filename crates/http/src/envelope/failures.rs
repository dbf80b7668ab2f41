//! Failures of handlers, of the framework and of the router, as problems.

use actix_web::Error;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::ServiceResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, HeaderValue};

use crate::access_log;
use crate::problem::Problem;

/// The answer with the body of its problem, if it is one.
pub(super) fn told(response: ServiceResponse) -> ServiceResponse {
    let path = response.request().path();
    let bare = matches!(
        response.response().body().size(),
        BodySize::None | BodySize::Sized(0)
    );
    let other = match response.response().error() {
        Some(error) => match error.as_error::<Problem>() {
            Some(problem) => {
                access_log::failed(problem);
                let body = problem.body(path);
                return response.map_body(|_, _| BoxBody::new(body));
            }
            None => translate(error),
        },
        // The router's own answers.
        None if bare && response.status() == StatusCode::NOT_FOUND => Problem::NotFound,
        None if bare && response.status() == StatusCode::METHOD_NOT_ALLOWED => {
            let allowed = response.headers().get(&ALLOW).cloned();
            Problem::MethodNotAllowed(allowed.unwrap_or(HeaderValue::from_static("")))
        }
        None => return response,
    };
    access_log::failed(&other);
    let answer = other.answer(path);
    response.into_response(answer)
}

/// An error of the framework (an extractor's, say) as one of ours.
pub(super) fn translate(error: &Error) -> Problem {
    match error.as_response_error().status_code() {
        StatusCode::NOT_FOUND => Problem::NotFound,
        StatusCode::PAYLOAD_TOO_LARGE => Problem::PayloadTooLarge,
        StatusCode::REQUEST_TIMEOUT => Problem::RequestTimeout,
        StatusCode::UNSUPPORTED_MEDIA_TYPE => Problem::UnsupportedMediaType,
        status if status.is_client_error() => Problem::MalformedBody("The request cannot be read."),
        _ => Problem::internal(error.to_string()),
    }
}
