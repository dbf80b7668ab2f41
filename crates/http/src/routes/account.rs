//! Validate, who am I, change password.

use actix_web::HttpRequest;
use paperclip::actix::api_v2_operation;
use tessera_app::{ChangePassword, ChangePasswordError};
use tessera_domain::Password;

use crate::answer::{Answer, Body};
use crate::caller::{Authenticated, run, tessera};
use crate::problem::Problem;
use crate::rate_limits::within_share;
use crate::requests::ChangePasswordRequest;
use crate::views::{Done, MeView, ValidatedView};

/// Validate an access token
///
/// Tells whose the access token is, if it still works.
#[api_v2_operation(operation_id = "validate", tags("Tokens"))]
pub(crate) async fn validate(caller: Authenticated) -> Result<Answer<ValidatedView>, Problem> {
    Ok(Answer::ok(ValidatedView::from(&caller.0)))
}

/// Who am I
///
/// Shows the account of the caller.
#[api_v2_operation(operation_id = "me", tags("Account"))]
pub(crate) async fn me(caller: Authenticated) -> Result<Answer<MeView>, Problem> {
    Ok(Answer::ok(MeView::from(&caller.0)))
}

/// Change the password
///
/// Changes the caller's password. Every other session ends; this one goes on.
#[api_v2_operation(operation_id = "changePassword", tags("Account"))]
pub(crate) async fn change_password(
    request: HttpRequest,
    caller: Authenticated,
    body: Body<ChangePasswordRequest>,
) -> Result<Answer<Done>, Problem> {
    within_share(&request, Some(caller.0.tenant.id))?;
    let command = ChangePassword {
        old: Password::new(body.0.old_password),
        new: Password::new(body.0.new_password),
    };
    let tessera = tessera(&request)?;
    let changed = async move { tessera.change_password(&caller.0, command).await };
    run(&request, changed).await?;
    Ok(Answer::ok(Done {
        message: "Password changed",
    }))
}

impl From<ChangePasswordError> for Problem {
    fn from(error: ChangePasswordError) -> Self {
        match error {
            ChangePasswordError::Invalid => Self::AccessTokenNotValid,
            ChangePasswordError::Overloaded(overloaded) => overloaded.into(),
            ChangePasswordError::Unavailable(unavailable) => unavailable.into(),
            ChangePasswordError::WeakPassword(weakness) => {
                Self::field("new_password", weakness.to_string())
            }
            ChangePasswordError::WrongPassword => Self::field(
                "old_password",
                "Your old password was entered incorrectly. Please enter it again.",
            ),
        }
    }
}
