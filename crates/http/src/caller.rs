//! Who calls: the bearer of an access token, and what the request says of its tenant.

use core::future::Future;
use core::pin::Pin;
use std::collections::BTreeMap;
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::http::header::USER_AGENT;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest};
use paperclip::actix::OperationModifier;
use paperclip::v2::models::{DefaultOperationRaw, DefaultSchemaRaw};
use paperclip::v2::schema::Apiv2Schema;
use tessera_app::{
    Caller, NotPermitted, Purview, TenantAdministration, TenantHints, Tessera, ValidateError,
};
use tessera_domain::Device;

use crate::answer::{Body, FromInput};
use crate::client::Client;
use crate::limits::{bearer, host};
use crate::problem::Problem;
use crate::spawn;

/// The caller, whose access token is good.
pub(crate) struct Authenticated(pub(crate) Caller);

impl FromRequest for Authenticated {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let token = bearer(request.headers())?.ok_or(Problem::NotAuthenticated)?;
            let tessera = tessera(&request)?;
            let caller = tessera.validate(token, &hints(&request, None)).await?;
            let ip = Client::of(&request).address;
            Ok(Self(Caller { ip, ..caller }))
        })
    }
}

impl Apiv2Schema for Authenticated {}

impl OperationModifier for Authenticated {
    fn update_parameter(_: &mut DefaultOperationRaw) {}

    /// Paperclip knows no bearer scheme: this is the mark that the finishing of the document
    /// replaces.
    fn update_security(op: &mut DefaultOperationRaw) {
        op.security
            .push(BTreeMap::from([(BEARER_SCHEME.to_owned(), Vec::new())]));
    }
}

/// What the caller may administer, and who it is. One who may nothing is refused before anything
/// else is looked at.
pub(crate) struct Administrator(pub(crate) Purview, pub(crate) Caller);

impl FromRequest for Administrator {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let caller = Authenticated::from_request(request, payload);
        Box::pin(async move {
            let caller = caller.await?.0;
            Ok(Self(Purview::of(&caller)?, caller))
        })
    }
}

impl Apiv2Schema for Administrator {}

impl OperationModifier for Administrator {
    fn update_parameter(_: &mut DefaultOperationRaw) {}

    fn update_security(op: &mut DefaultOperationRaw) {
        Authenticated::update_security(op);
    }
}

/// Who administers the platform, and so all tenants.
pub(crate) struct PlatformAdministrator(pub(crate) TenantAdministration);

impl FromRequest for PlatformAdministrator {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let caller = Authenticated::from_request(request, payload);
        Box::pin(async move { Ok(Self(TenantAdministration::of(&caller.await?.0)?)) })
    }
}

impl Apiv2Schema for PlatformAdministrator {}

impl OperationModifier for PlatformAdministrator {
    fn update_parameter(_: &mut DefaultOperationRaw) {}

    fn update_security(op: &mut DefaultOperationRaw) {
        Authenticated::update_security(op);
    }
}

/// What an administrator sends. The body is read once it is known that one is asking: arguments of
/// a handler are taken at the same time, and the first that fails is told.
pub(crate) struct FromAdministrator<T, A = Administrator>(pub(crate) A, pub(crate) T);

impl<T, A> FromRequest for FromAdministrator<T, A>
where
    T: FromInput + 'static,
    A: FromRequest<Error = Problem> + 'static,
{
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let administrator = A::from_request(request, payload);
        let (request, mut payload) = (request.clone(), payload.take());
        Box::pin(async move {
            let administrator = administrator.await?;
            let body = Body::<T>::from_request(&request, &mut payload).await?;
            Ok(Self(administrator, body.0))
        })
    }
}

impl<T: Apiv2Schema, A> Apiv2Schema for FromAdministrator<T, A> {
    fn name() -> Option<String> {
        T::name()
    }

    fn raw_schema() -> DefaultSchemaRaw {
        T::raw_schema()
    }
}

impl<T: Apiv2Schema, A: OperationModifier> OperationModifier for FromAdministrator<T, A> {
    fn update_parameter(op: &mut DefaultOperationRaw) {
        Body::<T>::update_parameter(op);
    }

    fn update_security(op: &mut DefaultOperationRaw) {
        A::update_security(op);
    }
}

/// What the request says of its tenant, with the field of its body.
pub(crate) fn hints(request: &HttpRequest, field: Option<String>) -> TenantHints {
    let path = request.match_info().get("tenant").map(str::to_owned);
    let headers = request.headers();
    let header = headers
        .get_all(TENANT_HEADER)
        .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    TenantHints {
        explicit: path.into_iter().chain(header).chain(field).collect(),
        host: host(request.head()).map(str::to_owned),
    }
}

/// Where the request comes from.
pub(crate) fn device(request: &HttpRequest) -> Device {
    let ip = Client::of(request).address.map(|ip| ip.to_string());
    let agent = request.headers().get(USER_AGENT);
    Device::new(ip, agent.and_then(|agent| agent.to_str().ok()))
}

/// Runs a use case that writes, to its end, whatever becomes of the client.
pub(crate) async fn run<T, E>(
    use_case: impl Future<Output = Result<T, E>> + Send + 'static,
) -> Result<T, Problem>
where
    T: Send + 'static,
    E: Into<Problem> + Send + 'static,
{
    spawn::run(use_case).await?.map_err(E::into)
}

/// The service, from the application's data.
pub(crate) fn tessera(request: &HttpRequest) -> Result<Arc<Tessera>, Problem> {
    request
        .app_data::<Data<Tessera>>()
        .map(|tessera| Arc::clone(tessera))
        .ok_or_else(|| Problem::internal("the application has no service"))
}

impl From<ValidateError> for Problem {
    fn from(error: ValidateError) -> Self {
        match error {
            ValidateError::Contradiction(_) => Self::ContradictoryTenants,
            ValidateError::Invalid => Self::AccessTokenNotValid,
            ValidateError::NotReady => Self::Unavailable(Box::new(error)),
            ValidateError::Unavailable(unavailable) => unavailable.into(),
        }
    }
}

impl From<NotPermitted> for Problem {
    fn from(_: NotPermitted) -> Self {
        Self::PermissionDenied
    }
}

/// The name of the security scheme in the documentation.
pub(crate) const BEARER_SCHEME: &str = "bearer";
const TENANT_HEADER: &str = "x-tenant";
