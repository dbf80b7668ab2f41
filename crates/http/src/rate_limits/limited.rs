//! Holds a route to its limits: that of the address before its body is read, that of the tenant as
//! soon as the tenant is known.

use core::future::{Future, Ready, ready};
use core::pin::Pin;

use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform};
use actix_web::web::Data;
use actix_web::{Error, HttpMessage, HttpRequest};
use tessera_domain::{Id, Tenant};

use super::{Exhausted, Group, RateLimits, Standing, Who};
use crate::envelope::Edge;
use crate::problem::Problem;

/// The middleware of a route of that group.
pub(crate) struct Limited(pub(crate) Group);

impl<S> Transform<S, ServiceRequest> for Limited
where
    S: Service<ServiceRequest, Response = ServiceResponse, Error = Error>,
    S::Future: 'static,
{
    type Response = ServiceResponse;
    type Error = Error;
    type Transform = LimitedRoute<S>;
    type InitError = ();
    type Future = Ready<Result<LimitedRoute<S>, ()>>;

    fn new_transform(&self, inner: S) -> Self::Future {
        let group = self.0;
        ready(Ok(LimitedRoute { inner, group }))
    }
}

/// A route with its limits, in one worker.
pub(crate) struct LimitedRoute<S> {
    inner: S,
    group: Group,
}

impl<S> Service<ServiceRequest> for LimitedRoute<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse, Error = Error>,
    S::Future: 'static,
{
    type Response = ServiceResponse;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<ServiceResponse, Error>>>>;

    actix_web::dev::forward_ready!(inner);

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let taken = match limits_of(request.request()) {
            None => return Box::pin(self.inner.call(request)),
            Some((edge, limits)) => take_of_client(edge, limits, self.group, request.request()),
        };
        match taken {
            Ok(standing) => {
                request.extensions_mut().insert(self.group);
                let answer = self.inner.call(request);
                Box::pin(async move {
                    let mut answer = answer.await?;
                    let of_tenant = answer.request().extensions_mut().remove::<Standing>();
                    if let Some(standing) = of_tenant.or(standing) {
                        standing.write(answer.headers_mut());
                    }
                    Ok(answer)
                })
            }
            Err(exhausted) => {
                let problem = Problem::TooManyRequests(exhausted.seconds);
                let mut answer = request.error_response(problem);
                exhausted.standing.write(answer.headers_mut());
                Box::pin(ready(Ok(answer)))
            }
        }
    }
}

/// Counts the request of a limited route for its tenant, which may have had its share.
///
/// Comes before anything is hashed for it, and where no caller is known before anything is read.
/// Nobody is refused where the tenant is not known yet.
pub(crate) fn within_share(
    request: &HttpRequest,
    tenant: Option<Id<Tenant>>,
) -> Result<(), Problem> {
    let group = request.extensions().get::<Group>().copied();
    let (Some((edge, limits)), Some(group), Some(tenant)) = (limits_of(request), group, tenant)
    else {
        return Ok(());
    };
    let taken = limits.take_of_tenant(group, tenant);
    taken.map_err(|exhausted| {
        tell(edge, group, Who::Tenant);
        request.extensions_mut().insert(exhausted.standing);
        Problem::TooManyRequests(exhausted.seconds)
    })
}

/// Whatever listens on TCP knows its peer's address; without one there is nobody to limit.
fn take_of_client(
    edge: &Edge,
    limits: &RateLimits,
    group: Group,
    request: &HttpRequest,
) -> Result<Option<Standing>, Exhausted> {
    let Some(address) = edge.trusted_proxies.client(request.head()).address else {
        return Ok(None);
    };
    let taken = limits.take_of_address(group, address).map(Some);
    taken.inspect_err(|_| tell(edge, group, Who::Address))
}

/// The limits, where they are on.
fn limits_of(request: &HttpRequest) -> Option<(&Edge, &RateLimits)> {
    let edge: &Edge = request.app_data::<Data<Edge>>()?;
    Some((edge, edge.rate_limits.as_deref()?))
}

fn tell(edge: &Edge, group: Group, who: Who) {
    edge.metrics.rate_limited(group, who);
    tracing::debug!(group = group.name(), by = who.name(), "too many requests");
}
