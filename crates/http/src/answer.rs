//! The bodies that handlers take and give, as the documentation sees them too.

use core::future::Future;
use core::marker::PhantomData;
use core::pin::Pin;

use actix_web::body::BoxBody;
use actix_web::cookie::Cookie;
use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use actix_web::{FromRequest, HttpRequest, HttpResponse, Responder};
use paperclip::actix::OperationModifier;
use paperclip::actix::web::Json;
use paperclip::v2::models::{DefaultOperationRaw, DefaultSchemaRaw};
use paperclip::v2::schema::{Apiv2Errors, Apiv2Schema};
use serde::Serialize;

use crate::input::{Fields, Input};
use crate::problem::Problem;

/// A request whose fields are known by name.
pub(crate) trait FromInput: Sized {
    /// Takes the fields; what is wrong with them is noted in `input`.
    fn take(input: &mut Input) -> Option<Self>;
}

/// The body of a request: JSON, form or multipart.
pub(crate) struct Body<T>(pub(crate) T);

impl<T: FromInput + 'static> FromRequest for Body<T> {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let fields = Fields::from_request(request, payload);
        Box::pin(async move { Ok(Self(fields.await?.read(T::take)?)) })
    }
}

impl<T: Apiv2Schema> Apiv2Schema for Body<T> {
    fn name() -> Option<String> {
        T::name()
    }

    fn raw_schema() -> DefaultSchemaRaw {
        T::raw_schema()
    }
}

impl<T: Apiv2Schema> OperationModifier for Body<T> {
    fn update_parameter(op: &mut DefaultOperationRaw) {
        Json::<T>::update_parameter(op);
    }
}

/// A JSON answer, with what goes along with it.
pub(crate) struct Answer<T> {
    body: T,
    status: StatusCode,
    cookie: Option<Cookie<'static>>,
}

impl<T> Answer<T> {
    /// 200 with this body.
    pub(crate) fn ok(body: T) -> Self {
        Self {
            body,
            status: StatusCode::OK,
            cookie: None,
        }
    }

    /// The same answer with another status.
    pub(crate) fn with_status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    /// The same answer, which sets this cookie too.
    pub(crate) fn with_cookie(self, cookie: Option<Cookie<'static>>) -> Self {
        Self { cookie, ..self }
    }
}

impl<T: Serialize> Responder for Answer<T> {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        let bytes = match serde_json::to_vec(&self.body) {
            Ok(bytes) => bytes,
            Err(error) => return HttpResponse::from_error(Problem::internal(error)),
        };
        let mut answer = HttpResponse::build(self.status);
        answer.insert_header((CONTENT_TYPE, HeaderValue::from_static("application/json")));
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            answer.insert_header((RETRY_AFTER, HeaderValue::from_static("1")));
        }
        if let Some(cookie) = self.cookie {
            answer.cookie(cookie);
        }
        answer.body(bytes)
    }
}

impl<T: Apiv2Schema> Apiv2Schema for Answer<T> {
    fn name() -> Option<String> {
        T::name()
    }

    fn raw_schema() -> DefaultSchemaRaw {
        T::raw_schema()
    }
}

impl<T: Apiv2Schema> OperationModifier for Answer<T> {
    fn update_parameter(_: &mut DefaultOperationRaw) {}

    fn update_response(op: &mut DefaultOperationRaw) {
        Json::<T>::update_response(op);
    }
}

/// Problems are documented by the finishing of the document, which knows their media type.
impl Apiv2Errors for Problem {}

/// An answer that is sent as it was kept, and reads as a `T`.
pub(crate) struct Kept<T> {
    answer: HttpResponse,
    shape: PhantomData<T>,
}

impl<T> From<HttpResponse> for Kept<T> {
    fn from(answer: HttpResponse) -> Self {
        Self {
            answer,
            shape: PhantomData,
        }
    }
}

impl<T> Responder for Kept<T> {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        self.answer
    }
}

impl<T: Apiv2Schema> Apiv2Schema for Kept<T> {
    fn name() -> Option<String> {
        T::name()
    }

    fn raw_schema() -> DefaultSchemaRaw {
        T::raw_schema()
    }
}

impl<T: Apiv2Schema> OperationModifier for Kept<T> {
    fn update_parameter(_: &mut DefaultOperationRaw) {}

    fn update_response(op: &mut DefaultOperationRaw) {
        Json::<T>::update_response(op);
    }
}

/// An answer without a body.
pub(crate) struct NoContent;

impl Responder for NoContent {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        HttpResponse::NoContent().finish()
    }
}

impl Apiv2Schema for NoContent {}

impl OperationModifier for NoContent {
    fn update_parameter(_: &mut DefaultOperationRaw) {}
}
