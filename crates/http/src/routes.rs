//! Which path is served by which handler.

use actix_web::http::Method;
use actix_web::http::header::HeaderValue;
use actix_web::web::ServiceConfig;
use actix_web::{HttpResponse, guard, web};
use paperclip::actix::web as documented;

use crate::docs;
use crate::pages;
use crate::problem::Problem;
use crate::rate_limits::{Group, Limited};

/// A method and its handler, which the documentation describes too.
macro_rules! verb {
    ($method:ident, $constant:ident, $handler:path) => {
        Verb {
            method: Method::$constant,
            documented: || documented::$method().to($handler),
            served: || web::to($handler),
        }
    };
}

mod account;
mod audit;
mod events;
mod health;
mod keys;
mod reference;
mod registration;
mod sessions;
mod tenant_settings;
mod tenants;
mod tokens;
mod users;

/// Which endpoints a server has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Surface {
    /// All of them.
    Everything,
    /// The metrics and the probes: for a port of their own.
    MetricsAndProbes,
    /// All but the metrics: for the port beside that one.
    WithoutMetrics,
}

impl Surface {
    fn has(self, endpoint: &Endpoint) -> bool {
        match self {
            Self::Everything => true,
            Self::MetricsAndProbes => endpoint.kind != Kind::UseCase,
            Self::WithoutMetrics => endpoint.kind != Kind::Metrics,
        }
    }
}

/// What an endpoint is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    Metrics,
    Probe,
    UseCase,
}

/// All paths of one use case.
pub(crate) struct Endpoint {
    /// The paths, each of them also served without its final slash.
    pub(crate) paths: &'static [&'static str],
    /// What is done there.
    pub(crate) verbs: Vec<Verb>,
    kind: Kind,
    /// Whose limits hold for it.
    pub(crate) limits: Option<Group>,
}

impl Endpoint {
    fn of_kind(self, kind: Kind) -> Self {
        Self { kind, ..self }
    }

    fn limited(self, group: Group) -> Self {
        Self {
            limits: Some(group),
            ..self
        }
    }
}

/// One method of an endpoint.
pub(crate) struct Verb {
    /// The method.
    pub(crate) method: Method,
    /// Its route as the documentation sees it.
    pub(crate) documented: fn() -> documented::Route,
    /// Its route as it is served.
    served: fn() -> actix_web::Route,
}

/// The endpoints, those asked most often first: they are found first.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    let groups = [
        tokens(),
        accounts(),
        reference(),
        administration(),
        of_tenants(),
    ];
    groups.into_iter().flatten().collect()
}

fn tokens() -> Vec<Endpoint> {
    vec![
        endpoint(&["/.well-known/jwks.json"], [verb!(get, GET, keys::jwks)]),
        endpoint(
            &["/api/token/refresh/", "/auth/token/refresh/"],
            [verb!(post, POST, tokens::refresh_pair)],
        )
        .limited(Group::Refresh),
        endpoint(
            &["/api/token/validate/", "/api/auth/validate/"],
            [verb!(get, GET, account::validate)],
        ),
        endpoint(
            &["/api/auth/refresh/", "/auth/refresh/"],
            [verb!(post, POST, tokens::refresh_bearer)],
        )
        .limited(Group::Refresh),
        endpoint(
            &["/api/token/", "/auth/token/", "/api/auth/token/"],
            [verb!(post, POST, tokens::obtain_pair)],
        )
        .limited(Group::LogIn),
        endpoint(
            &["/api/auth/login/", "/auth/login/"],
            [verb!(post, POST, tokens::login)],
        )
        .limited(Group::LogIn),
        endpoint(
            &["/api/auth/logout/", "/auth/logout/"],
            [verb!(post, POST, sessions::log_out)],
        ),
        endpoint(
            &["/api/auth/logout-all/"],
            [verb!(post, POST, sessions::log_out_everywhere)],
        ),
        endpoint(&["/api/auth/sessions/"], [verb!(get, GET, sessions::list)]),
        endpoint(
            &["/api/auth/sessions/{id}/"],
            [verb!(delete, DELETE, sessions::end)],
        ),
    ]
}

fn accounts() -> Vec<Endpoint> {
    vec![
        endpoint(
            &["/api/auth/me/", "/auth/me/"],
            [
                verb!(get, GET, account::me),
                verb!(patch, PATCH, account::change_profile),
                verb!(delete, DELETE, account::delete),
            ],
        ),
        endpoint(
            &["/api/auth/change-password/"],
            [verb!(post, POST, account::change_password)],
        )
        .limited(Group::ChangePassword),
        endpoint(
            &["/api/auth/register/", "/auth/signup/"],
            [verb!(post, POST, registration::register)],
        )
        .limited(Group::Register),
        endpoint(
            &["/api/auth/verify-email/"],
            [verb!(post, POST, registration::verify_email)],
        )
        .limited(Group::Confirm),
        endpoint(
            &["/api/auth/verify-email/resend/"],
            [verb!(post, POST, registration::resend_verification)],
        )
        .limited(Group::Mail),
        endpoint(
            &["/api/auth/password-reset/"],
            [verb!(post, POST, registration::forgot_password)],
        )
        .limited(Group::Mail),
        endpoint(
            &["/api/auth/password-reset/confirm/"],
            [verb!(post, POST, registration::reset_password)],
        )
        .limited(Group::Confirm),
        endpoint(
            &["/api/auth/change-email/"],
            [verb!(post, POST, account::change_email)],
        )
        .limited(Group::Mail),
        endpoint(
            &["/api/auth/change-email/confirm/"],
            [verb!(post, POST, registration::confirm_email)],
        )
        .limited(Group::Confirm),
    ]
}

fn reference() -> Vec<Endpoint> {
    vec![
        endpoint(
            &[
                "/.well-known/openid-configuration",
                "/.well-known/oauth-authorization-server",
            ],
            [verb!(get, GET, keys::discovery)],
        ),
        endpoint(
            &[
                "/.well-known/oauth-authorization-server/t/{schema}",
                "/.well-known/openid-configuration/t/{schema}",
            ],
            [verb!(get, GET, keys::tenant_discovery)],
        ),
        endpoint(&["/auth/health/"], [verb!(get, GET, health::auth_health)]).of_kind(Kind::Probe),
        endpoint(
            &["/api/auth/health/", "/health/"],
            [verb!(get, GET, health::health)],
        )
        .of_kind(Kind::Probe),
        endpoint(&["/", "/livez"], [verb!(get, GET, health::live)]).of_kind(Kind::Probe),
        endpoint(&["/readyz"], [verb!(get, GET, health::ready)]).of_kind(Kind::Probe),
        endpoint(&["/metrics/"], [verb!(get, GET, reference::metrics)]).of_kind(Kind::Metrics),
        endpoint(&["/api/schema/"], [verb!(get, GET, reference::schema)]),
        endpoint(&["/api/asyncapi/"], [verb!(get, GET, reference::asyncapi)]),
    ]
}

fn administration() -> Vec<Endpoint> {
    vec![
        endpoint(&["/api/admin/audit/"], [verb!(get, GET, audit::list)]),
        endpoint(&["/api/admin/events/"], [verb!(get, GET, events::list)]),
        endpoint(
            &["/api/admin/events/waiting/"],
            [verb!(get, GET, events::waiting)],
        ),
        endpoint(
            &["/api/admin/events/status/"],
            [verb!(get, GET, events::status)],
        ),
        endpoint(
            &["/api/admin/events/{id}/retry/"],
            [verb!(post, POST, events::retry)],
        ),
        endpoint(
            &["/api/admin/tenants/{id}/settings/"],
            [
                verb!(get, GET, tenant_settings::show),
                verb!(patch, PATCH, tenant_settings::change),
            ],
        ),
        endpoint(
            &["/api/admin/users/"],
            [
                verb!(get, GET, users::list),
                verb!(post, POST, users::invite),
            ],
        ),
        endpoint(
            &["/api/admin/users/{id}/"],
            [
                verb!(get, GET, users::show),
                verb!(patch, PATCH, users::change),
                verb!(delete, DELETE, users::delete),
            ],
        ),
        endpoint(
            &["/api/admin/users/{id}/disable/"],
            [verb!(post, POST, users::disable)],
        ),
        endpoint(
            &["/api/admin/users/{id}/enable/"],
            [verb!(post, POST, users::enable)],
        ),
        endpoint(
            &["/api/admin/users/{id}/unlock/"],
            [verb!(post, POST, users::unlock)],
        ),
        endpoint(
            &["/api/admin/users/{id}/logout/"],
            [verb!(post, POST, users::log_out)],
        ),
        endpoint(
            &["/api/admin/users/{id}/sessions/"],
            [verb!(get, GET, users::sessions)],
        ),
    ]
}

fn of_tenants() -> Vec<Endpoint> {
    vec![
        endpoint(
            &["/api/admin/tenants/"],
            [
                verb!(get, GET, tenants::list),
                verb!(post, POST, tenants::create),
            ],
        ),
        endpoint(
            &["/api/admin/tenants/{id}/"],
            [
                verb!(get, GET, tenants::show),
                verb!(patch, PATCH, tenants::change),
                verb!(delete, DELETE, tenants::delete),
            ],
        ),
        endpoint(
            &["/api/admin/tenants/{id}/suspend/"],
            [verb!(post, POST, tenants::suspend)],
        ),
        endpoint(
            &["/api/admin/tenants/{id}/resume/"],
            [verb!(post, POST, tenants::resume)],
        ),
        endpoint(
            &["/api/admin/tenants/{id}/move/"],
            [verb!(post, POST, tenants::relocate)],
        ),
        endpoint(
            &["/api/admin/tenants/{id}/domains/"],
            [verb!(post, POST, tenants::add_domain)],
        ),
        endpoint(
            &["/api/admin/tenants/{id}/domains/{domain}/"],
            [verb!(delete, DELETE, tenants::remove_domain)],
        ),
        endpoint(
            &["/api/admin/tenants/{id}/domains/{domain}/primary/"],
            [verb!(post, POST, tenants::make_domain_primary)],
        ),
    ]
}

/// Serves all endpoints, each with and without a final slash, for the tenant that the request
/// names otherwise and, under `/t/{tenant}/`, for that one.
pub(crate) fn configure(config: &mut ServiceConfig, surface: Surface) {
    let mut endpoints = endpoints();
    endpoints.retain(|endpoint| surface.has(endpoint));
    let mut of_tenant = web::scope("/t/{tenant}");
    for (path, endpoint) in served_paths(&endpoints) {
        if !path.is_empty() {
            config.service(resource(&path, endpoint));
        }
        of_tenant = of_tenant.service(resource(&path, endpoint));
    }
    match surface {
        Surface::Everything | Surface::WithoutMetrics => {
            docs::configure(config);
            of_tenant = of_tenant.configure(docs::configure);
            pages::configure(config);
        }
        Surface::MetricsAndProbes => {}
    }
    config.service(of_tenant);
}

/// Each path that is served, with its endpoint. One is empty: that of a tenant itself.
fn served_paths(endpoints: &[Endpoint]) -> impl Iterator<Item = (String, &Endpoint)> {
    let forms = |path: &str| {
        let bare = path.trim_end_matches('/');
        [format!("{bare}/"), bare.to_owned()]
    };
    endpoints.iter().flat_map(move |endpoint| {
        let forms = endpoint.paths.iter().flat_map(move |path| forms(path));
        forms.map(move |form| (form, endpoint))
    })
}

fn resource(path: &str, endpoint: &Endpoint) -> actix_web::Resource {
    let mut resource = web::resource(path);
    let mut allowed = String::new();
    for verb in &endpoint.verbs {
        if !allowed.is_empty() {
            allowed.push_str(", ");
        }
        allowed.push_str(verb.method.as_str());
        let route = (verb.served)();
        let route = if verb.method == Method::GET {
            allowed.push_str(", HEAD");
            route.guard(guard::Any(guard::Get()).or(guard::Head()))
        } else {
            route.method(verb.method.clone())
        };
        resource = resource.route(match endpoint.limits {
            Some(group) => route.wrap(Limited(group)),
            None => route,
        });
    }
    let allowed = HeaderValue::from_str(&allowed).unwrap_or(HeaderValue::from_static(""));
    resource.default_service(web::to(move || {
        let problem = Problem::MethodNotAllowed(allowed.clone());
        async move { Err::<HttpResponse, Problem>(problem) }
    }))
}

fn endpoint<const N: usize>(paths: &'static [&'static str], verbs: [Verb; N]) -> Endpoint {
    Endpoint {
        paths,
        verbs: verbs.into(),
        kind: Kind::UseCase,
        limits: None,
    }
}
