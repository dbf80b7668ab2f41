//! What surrounds every request: its id, its limits, its log line, and an answer whatever happens.
//!
//! One middleware and not ten, as each of them would look at the same fields again.

use core::future::{Ready, ready};
use core::mem;
use core::panic::AssertUnwindSafe;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;
use std::panic::catch_unwind;
use std::rc::Rc;
use std::sync::Arc;

use actix_web::dev::{RequestHead, Service, ServiceRequest, ServiceResponse, Transform};
use actix_web::error::InternalError;
use actix_web::http::uri::PathAndQuery;
use actix_web::http::{Method, StatusCode};
use actix_web::web::Data;
use actix_web::{Error, HttpRequest, HttpResponse};
use tessera_app::{Clock, Entropy, Tessera};
use tessera_domain::Timestamp;
use tokio::time::{Sleep, sleep};

use crate::access_log::{self, AccessLog, Answered};
use crate::client::{Client, Scheme, TrustedProxies};
use crate::cors::{self, AllowedOrigins, Page};
use crate::headers;
use crate::hosts::AllowedHosts;
use crate::limits::{self, Head};
use crate::metrics::{Metrics, RouteMeter, RouteMeters};
use crate::problem::Problem;
use crate::rate_limits::RateLimits;
use crate::request_id::{RequestId, RequestIds, X_REQUEST_ID};
use crate::unread::Rest;

use self::failures::{told, translate};

mod failures;

/// What holds for every request. It is in the application's data, too.
#[derive(Clone)]
pub struct Edge {
    /// Takes down requests.
    pub access_log: Arc<dyn AccessLog>,
    /// The names under which we answer.
    pub allowed_hosts: AllowedHosts,
    /// The origins whose pages may call.
    pub allowed_origins: AllowedOrigins,
    /// Times requests.
    pub clock: Arc<dyn Clock>,
    /// Makes request ids.
    pub entropy: Arc<dyn Entropy>,
    /// Counts requests.
    pub metrics: Arc<Metrics>,
    /// How clients reach us, as the public URL says.
    pub public_scheme: Scheme,
    /// How many requests an address and a tenant may send, if that is limited.
    pub rate_limits: Option<Arc<RateLimits>>,
    /// The most time from a request's head to its answer.
    pub request_time: Duration,
    /// The proxies that tell the truth about clients.
    pub trusted_proxies: TrustedProxies,
}

/// The middleware; the outermost one.
#[derive(Clone)]
pub struct Envelope(pub Arc<Edge>);

impl<S> Transform<S, ServiceRequest> for Envelope
where
    S: Service<ServiceRequest, Response = ServiceResponse, Error = Error>,
    S::Future: Unpin,
{
    type Response = ServiceResponse;
    type Error = Error;
    type Transform = Enveloped<S>;
    type InitError = ();
    type Future = Ready<Result<Enveloped<S>, ()>>;

    fn new_transform(&self, inner: S) -> Self::Future {
        let worker = Rc::new(Worker {
            ids: RequestIds::new(self.0.entropy.as_ref()),
            meters: RouteMeters::new(Arc::clone(&self.0.metrics)),
            edge: Arc::clone(&self.0),
        });
        ready(Ok(Enveloped { inner, worker }))
    }
}

/// The routes with all that surrounds them, in one worker.
pub struct Enveloped<S> {
    inner: S,
    worker: Rc<Worker>,
}

struct Worker {
    edge: Arc<Edge>,
    ids: RequestIds,
    meters: RouteMeters,
}

impl Worker {
    /// The meters of the route that answered. One without parameters has its path as its pattern,
    /// and is not searched for again once it is known.
    fn meter(&self, request: &HttpRequest) -> Rc<RouteMeter> {
        self.meters.known(request.path()).unwrap_or_else(|| {
            let route = request.match_pattern();
            self.meters.of(route.as_deref().unwrap_or(UNMATCHED))
        })
    }
}

impl<S> Service<ServiceRequest> for Enveloped<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse, Error = Error>,
    S::Future: Unpin,
{
    type Response = ServiceResponse;
    type Error = Error;
    type Future = Answering<S::Future>;

    actix_web::dev::forward_ready!(inner);

    fn call(&self, mut request: ServiceRequest) -> Self::Future {
        let (visit, early) = Visit::begin(&self.worker, &mut request);
        let stage = if let Some(answer) = early {
            Stage::Answered(request.into_response(answer))
        } else {
            let id = visit.id.clone();
            let answer = id.during(|| guarded(|| self.inner.call(request)));
            answer.map_or(Stage::Panicked, Stage::Running)
        };
        Answering {
            visit: Some(visit),
            stage,
            deadline: None,
        }
    }
}

/// The answer to a request, while it is made.
///
/// Written by hand because it is the future of every request: it is small, and lies where the
/// connection keeps it and not in a box.
pub struct Answering<F> {
    visit: Option<Visit>,
    stage: Stage<F>,
    deadline: Option<Pin<Box<Sleep>>>,
}

enum Stage<F> {
    Answered(ServiceResponse),
    /// All is done but for what the tenant says of the page.
    Asking(Outcome),
    Over,
    Panicked,
    Running(F),
}

impl<F> Future for Answering<F>
where
    F: Future<Output = Result<ServiceResponse, Error>> + Unpin,
{
    type Output = Result<ServiceResponse, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(id) = self.visit.as_ref().map(|visit| visit.id.clone()) else {
            return Poll::Pending;
        };
        id.during(|| self.advance(context))
    }
}

impl<F> Answering<F>
where
    F: Future<Output = Result<ServiceResponse, Error>> + Unpin,
{
    fn advance(&mut self, context: &mut Context<'_>) -> Poll<Result<ServiceResponse, Error>> {
        let outcome = match mem::replace(&mut self.stage, Stage::Over) {
            Stage::Answered(response) => Outcome::Answered(Ok(response)),
            Stage::Asking(outcome) => outcome,
            Stage::Over => return Poll::Pending,
            Stage::Panicked => Outcome::Panicked,
            Stage::Running(mut answer) => match guarded(|| Pin::new(&mut answer).poll(context)) {
                None => Outcome::Panicked,
                Some(Poll::Ready(answer)) => Outcome::Answered(answer),
                Some(Poll::Pending) if self.in_time(context) => {
                    self.stage = Stage::Running(answer);
                    return Poll::Pending;
                }
                Some(Poll::Pending) => Outcome::TooLate,
            },
        };
        if self.asks(context) && self.in_time(context) {
            self.stage = Stage::Asking(outcome);
            return Poll::Pending;
        }
        let visit = self.visit.take();
        visit.map_or(Poll::Pending, |visit| Poll::Ready(visit.end(outcome)))
    }

    /// Whether it is still unknown if the page may read the answer.
    fn asks(&mut self, context: &mut Context<'_>) -> bool {
        let page = self.visit.as_mut().and_then(|visit| visit.page.as_mut());
        page.is_some_and(|page| guarded(|| page.poll_known(context)) == Some(Poll::Pending))
    }

    /// Whether there is time left. Most answers are there at once, and nobody asks.
    fn in_time(&mut self, context: &mut Context<'_>) -> bool {
        let Some(visit) = &self.visit else {
            return false;
        };
        let time = visit.worker.edge.request_time;
        let deadline = self.deadline.get_or_insert_with(|| Box::pin(sleep(time)));
        deadline.as_mut().poll(context).is_pending()
    }
}

enum Outcome {
    Answered(Result<ServiceResponse, Error>),
    Panicked,
    TooLate,
}

/// What `work` gives, or nothing if it panics.
fn guarded<T>(work: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(work)).ok()
}

/// One request from its head to the head of its answer.
struct Visit {
    worker: Rc<Worker>,
    id: RequestId,
    client: Client,
    method: Method,
    target: Option<PathAndQuery>,
    page: Option<Box<Page>>,
    rest: Option<Rest>,
    began: Timestamp,
    ended: bool,
}

impl Visit {
    /// Takes what is known at once, and answers what needs no route.
    fn begin(worker: &Rc<Worker>, request: &mut ServiceRequest) -> (Self, Option<HttpResponse>) {
        let edge = &worker.edge;
        let head = request.head();
        let read = Head::read(head);
        let given = read.request_id.and_then(RequestId::given);
        let fault = read.fault.or_else(|| edge.disallowed(head));
        // For what is refused at once nobody is asked.
        let tessera = || match fault {
            Some(_) => None,
            None => request.app_data::<Data<Tessera>>().map(|it| Arc::clone(it)),
        };
        let page = |origin| Box::new(Page::of(origin, head, &edge.allowed_origins, tessera));
        let mut visit = Self {
            id: given.unwrap_or_else(|| worker.ids.next()),
            client: edge.trusted_proxies.client(head),
            method: head.method.clone(),
            target: head.uri.path_and_query().cloned(),
            page: read.origin.map(page),
            rest: None,
            began: edge.clock.now(),
            ended: false,
            worker: Rc::clone(worker),
        };
        let early = match fault {
            Some(fault) => Some(fault.answer(head.uri.path())),
            None => visit.page.as_deref().and_then(Page::preflight),
        };
        if read.chunked {
            visit.rest = Some(Rest::of(request));
        }
        (visit, early)
    }

    /// Completes the answer, or makes one where there is none.
    fn end(mut self, outcome: Outcome) -> Result<ServiceResponse, Error> {
        self.ended = true;
        match outcome {
            Outcome::Answered(Err(error)) => Err(self.lost(&translate(&error))),
            Outcome::Answered(Ok(response)) => {
                let meter = self.worker.meter(response.request());
                let mut response = told(response);
                self.write(response.response_mut());
                self.count(&meter, response.status());
                Ok(match self.rest.take() {
                    Some(rest) => response.map_body(|_, body| rest.held_by(body)),
                    None => response,
                })
            }
            // What a panic says may hold anything; its hook has logged where it was.
            Outcome::Panicked => Err(self.lost(&Problem::internal("panicked"))),
            Outcome::TooLate => Err(self.lost(&Problem::Unavailable("took too long".into()))),
        }
    }

    /// The answer to a request that went down with its handler: actix cannot route a request that
    /// somebody else holds, so all there is left is what was copied.
    fn lost(&mut self, problem: &Problem) -> Error {
        access_log::failed(problem);
        let path = self.target.as_ref().map_or("", PathAndQuery::path);
        let mut answer = problem.answer(path);
        self.write(&mut answer);
        // A route without parameters has its path as its pattern.
        let meters = &self.worker.meters;
        let meter = meters.known(path).unwrap_or_else(|| meters.of(UNMATCHED));
        self.count(&meter, answer.status());
        if let Some(rest) = self.rest.take() {
            answer = answer.map_body(|_, body| rest.held_by(body));
        }
        InternalError::from_response(problem.code(), answer).into()
    }

    fn write(&self, answer: &mut HttpResponse) {
        let edge = &self.worker.edge;
        let headers = answer.headers_mut();
        let scheme = match edge.public_scheme {
            Scheme::Http => self.client.scheme,
            Scheme::Https => Scheme::Https,
        };
        headers::write(headers, scheme);
        cors::write(headers, self.page.as_deref());
        headers.append(X_REQUEST_ID.clone(), self.id.header());
    }

    fn count(&self, meter: &RouteMeter, status: StatusCode) {
        let edge = &self.worker.edge;
        let now = edge.clock.now();
        let took = now.since(self.began);
        let meters = &self.worker.meters;
        meters.answered(meter, &self.method, status, took);
        edge.access_log.answered(&Answered {
            at: now,
            method: self.method.as_str(),
            route: meter.route(),
            status: status.as_u16(),
            micros: access_log::micros(took),
            client: self.client.address,
            id: self.id.as_str(),
        });
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        if !self.ended {
            let took = self.worker.edge.clock.now().since(self.began);
            let id = self.id.clone();
            id.during(|| access_log::abandoned(&self.method, took, self.client.address));
        }
    }
}

impl Edge {
    /// Probes name whatever address they found us at.
    fn disallowed(&self, head: &RequestHead) -> Option<Problem> {
        if self.allowed_hosts.allow_all() {
            return None;
        }
        let path = head.uri.path();
        let probe = PROBES.contains(&path.strip_suffix('/').unwrap_or(path));
        let allowed = probe || self.allowed_hosts.allow(limits::host(head));
        (!allowed).then_some(Problem::DisallowedHost)
    }
}

const PROBES: [&str; 6] = [
    "",
    "/api/auth/health",
    "/auth/health",
    "/health",
    "/livez",
    "/readyz",
];
const UNMATCHED: &str = "unmatched";

#[cfg(test)]
mod tests;
