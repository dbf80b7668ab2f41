//! Log out, log out everywhere, see one's sessions and end one.

use actix_web::HttpRequest;
use actix_web::web::{Data, Path};
use paperclip::actix::{Apiv2Schema, api_v2_operation};
use serde::Deserialize;
use tessera_app::{ChangeUserError, EndSessionError, LogOut, LogOutError};

use crate::answer::{Answer, Body, NoContent};
use crate::caller::{Authenticated, hints, run, tessera};
use crate::client::Client;
use crate::cookie;
use crate::limits::bearer;
use crate::problem::Problem;
use crate::requests::RefreshTokenRequest;
use crate::state::Presentation;
use crate::views::{Done, SessionsView};

/// Log out
///
/// Ends the session of the access token, the refresh token, or both. Doing so again, or with a
/// token that is over, changes nothing.
#[api_v2_operation(operation_id = "logout", tags("Sessions"))]
pub(crate) async fn log_out(
    request: HttpRequest,
    shown: Data<Presentation>,
    body: Body<RefreshTokenRequest>,
) -> Result<Answer<Done>, Problem> {
    let tessera = tessera(&request)?;
    let access = bearer(request.headers())?.map(str::to_owned);
    let (token, tenant) = body.0.into_parts();
    let refresh = match token {
        Some(token) => Some(token),
        None => match cookie::token(&request, &tessera, &shown).await {
            Ok(token) => token,
            Err(_) if access.is_some() => None,
            Err(problem) => return Err(problem),
        },
    };
    let command = LogOut {
        hints: hints(&request, tenant),
        access,
        refresh,
        ip: Client::of(&request).address,
    };
    run(async move { tessera.log_out(command).await }).await?;
    let done = Done {
        message: "Logged out",
    };
    Ok(Answer::ok(done).with_cookie(cookie::forget(&request, &shown)))
}

/// Log out everywhere
///
/// Ends all sessions of the caller.
#[api_v2_operation(operation_id = "logoutAll", tags("Sessions"))]
pub(crate) async fn log_out_everywhere(
    request: HttpRequest,
    shown: Data<Presentation>,
    caller: Authenticated,
) -> Result<Answer<Done>, Problem> {
    let tessera = tessera(&request)?;
    let ended = async move { tessera.log_out_everywhere(&caller.0).await };
    run(ended).await?;
    let done = Done {
        message: "Logged out everywhere",
    };
    Ok(Answer::ok(done).with_cookie(cookie::forget(&request, &shown)))
}

/// List one's sessions
///
/// Shows the live sessions of the caller, oldest first.
#[api_v2_operation(operation_id = "sessions", tags("Sessions"))]
pub(crate) async fn list(
    request: HttpRequest,
    caller: Authenticated,
) -> Result<Answer<SessionsView>, Problem> {
    let sessions = tessera(&request)?.sessions(&caller.0).await?;
    Ok(Answer::ok(SessionsView::new(&sessions, &caller.0)))
}

/// End one session
///
/// Ends one of the caller's sessions, the present one included.
#[api_v2_operation(operation_id = "endSession", tags("Sessions"))]
pub(crate) async fn end(
    request: HttpRequest,
    caller: Authenticated,
    path: Path<SessionPath>,
) -> Result<NoContent, Problem> {
    let id = path.id.parse().map_err(|_| Problem::NotFound)?;
    let tessera = tessera(&request)?;
    let ended = async move { tessera.end_session(&caller.0, id).await };
    run(ended).await?;
    Ok(NoContent)
}

/// The session in the path.
#[derive(Apiv2Schema, Deserialize)]
pub(crate) struct SessionPath {
    /// The session's id, `sid` in its tokens.
    id: String,
}

impl From<LogOutError> for Problem {
    fn from(error: LogOutError) -> Self {
        match error {
            LogOutError::Contradiction(_) => Self::ContradictoryTenants,
            LogOutError::Invalid => Self::AccessTokenNotValid,
            LogOutError::InvalidRefresh => Self::RefreshTokenNotValid,
            LogOutError::NoToken => Self::NotAuthenticated,
            LogOutError::NotReady => Self::Unavailable(Box::new(error)),
            LogOutError::Unavailable(unavailable) => unavailable.into(),
        }
    }
}

impl From<EndSessionError> for Problem {
    fn from(error: EndSessionError) -> Self {
        match error {
            EndSessionError::NotFound => Self::NotFound,
            EndSessionError::Unavailable(unavailable) => unavailable.into(),
        }
    }
}

impl From<ChangeUserError> for Problem {
    fn from(error: ChangeUserError) -> Self {
        match error {
            ChangeUserError::NotFound => Self::NotFound,
            ChangeUserError::Overloaded(overloaded) => overloaded.into(),
            ChangeUserError::Unavailable(unavailable) => unavailable.into(),
            ChangeUserError::WeakPassword(weakness) => {
                Self::field("password", weakness.to_string())
            }
        }
    }
}
