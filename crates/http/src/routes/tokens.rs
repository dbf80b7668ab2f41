//! Log in and refresh, in both dialects.

use std::sync::Arc;

use actix_web::HttpRequest;
use actix_web::web::Data;
use paperclip::actix::api_v2_operation;
use tessera_app::{Grant, LogIn, LogInError, RefreshError, RefreshTokens};

use crate::answer::{Answer, Body};
use crate::caller::{device, hints, run, tessera};
use crate::client::Client;
use crate::connection;
use crate::cookie;
use crate::envelope::Edge;
use crate::even::at_the_beat;
use crate::metrics::LogInResult;
use crate::problem::Problem;
use crate::rate_limits::within_share;
use crate::requests::{LogInRequest, RefreshRequest, RefreshTokenRequest};
use crate::state::Presentation;
use crate::views::{BearerTokens, TokenPair};

/// Log in (token dialect)
///
/// Gives an access token and a refresh token for an address or a username and the password.
#[api_v2_operation(operation_id = "obtainTokenPair", tags("Tokens"))]
pub(crate) async fn obtain_pair(
    request: HttpRequest,
    body: Body<LogInRequest>,
) -> Result<Answer<TokenPair>, Problem> {
    let grant = log_in(&request, body.0).await?;
    Ok(Answer::ok(TokenPair::logged_in(grant)))
}

/// Log in (login dialect)
///
/// Gives an access token and a refresh token for an address or a username and the password.
#[api_v2_operation(operation_id = "login", tags("Tokens"))]
pub(crate) async fn login(
    request: HttpRequest,
    shown: Data<Presentation>,
    body: Body<LogInRequest>,
) -> Result<Answer<BearerTokens>, Problem> {
    let grant = log_in(&request, body.0).await?;
    let kept = cookie::keep(&grant, &request, &shown);
    Ok(Answer::ok(BearerTokens::logged_in(grant)).with_cookie(kept))
}

/// Refresh (token dialect)
///
/// Gives a new access token and the next refresh token. The one presented is replaced: for some
/// seconds it gives the same successor again, after that it ends the session.
#[api_v2_operation(operation_id = "refreshTokenPair", tags("Tokens"))]
pub(crate) async fn refresh_pair(
    request: HttpRequest,
    body: Body<RefreshRequest>,
) -> Result<Answer<TokenPair>, Problem> {
    let grant = refresh(&request, body.0.refresh, body.0.tenant).await?;
    Ok(Answer::ok(TokenPair::refreshed(grant)))
}

/// Refresh (login dialect)
///
/// Gives a new access token and the next refresh token. The one presented is replaced: for some
/// seconds it gives the same successor again, after that it ends the session.
#[api_v2_operation(operation_id = "refresh", tags("Tokens"))]
pub(crate) async fn refresh_bearer(
    request: HttpRequest,
    shown: Data<Presentation>,
    body: Body<RefreshTokenRequest>,
) -> Result<Answer<BearerTokens>, Problem> {
    let (token, tenant) = body.0.into_parts();
    let token = match token {
        Some(token) => token,
        None => cookie::token(&request, &*tessera(&request)?, &shown)
            .await?
            .ok_or_else(|| Problem::field("refresh_token", "This field is required."))?,
    };
    let grant = refresh(&request, token, tenant).await?;
    let kept = cookie::keep(&grant, &request, &shown);
    Ok(Answer::ok(BearerTokens::refreshed(grant)).with_cookie(kept))
}

async fn log_in(request: &HttpRequest, fields: LogInRequest) -> Result<Grant, Problem> {
    let (login, password, tenant) = fields.into_parts();
    let command = LogIn {
        hints: hints(request, tenant),
        login,
        password,
        device: device(request),
    };
    let tessera = tessera(request)?;
    within_share(
        request,
        tessera.tenant_last_seen(&command.hints, &command.login),
    )?;
    let admitted = {
        let tessera = Arc::clone(&tessera);
        run(async move { tessera.log_in(command).await })
    };
    let refused = |answer: &Result<_, Problem>| matches!(answer, Err(Problem::InvalidCredentials));
    let answered = at_the_beat(&tessera, admitted, refused).await;
    if let Some(edge) = request.app_data::<Data<Edge>>() {
        edge.metrics.logged_in(match &answered {
            Ok(_) => LogInResult::Succeeded,
            Err(Problem::InvalidCredentials) => LogInResult::Refused,
            Err(_) => LogInResult::Failed,
        });
    }
    answered
}

async fn refresh(
    request: &HttpRequest,
    token: String,
    tenant: Option<String>,
) -> Result<Grant, Problem> {
    let waiter = connection::waiter(request);
    let command = RefreshTokens {
        hints: hints(request, tenant),
        token,
        ip: Client::of(request).address,
        awaited: waiter.awaited(),
    };
    let tessera = tessera(request)?;
    run(async move { tessera.refresh(command).await }).await
}

impl From<LogInError> for Problem {
    fn from(error: LogInError) -> Self {
        match error {
            LogInError::Contradiction(_) => Self::ContradictoryTenants,
            LogInError::InvalidCredentials => Self::InvalidCredentials,
            LogInError::NotReady(_) => Self::Unavailable(Box::new(error)),
            LogInError::Overloaded(overloaded) => overloaded.into(),
            LogInError::Unavailable(unavailable) => unavailable.into(),
        }
    }
}

impl From<RefreshError> for Problem {
    fn from(error: RefreshError) -> Self {
        match error {
            RefreshError::Contradiction(_) => Self::ContradictoryTenants,
            RefreshError::Invalid => Self::RefreshTokenNotValid,
            RefreshError::NotReady => Self::Unavailable(Box::new(error)),
            RefreshError::Unavailable(unavailable) => unavailable.into(),
        }
    }
}
