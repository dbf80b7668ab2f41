//! Validate, who am I, and what a user changes of the own account.

use actix_web::HttpRequest;
use paperclip::actix::api_v2_operation;
use tessera_app::{
    Caller, ChangeEmailError, ChangePassword, ChangePasswordError, ChangeProfile,
    DeleteAccountError, NotFresh,
};
use tessera_domain::Password;

use crate::answer::{Answer, Body, NoContent};
use crate::caller::{Authenticated, run, tessera};
use crate::problem::Problem;
use crate::rate_limits::within_share;
use crate::requests::{ChangeEmailRequest, ChangePasswordRequest, ChangeProfileRequest};
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
    run(changed).await?;
    Ok(Answer::ok(Done {
        message: "Password changed",
    }))
}

/// Change one's names
///
/// Changes what the caller is called, and the job role where users may say it themselves. What is
/// not named stays; nothing else can be changed here.
#[api_v2_operation(operation_id = "changeProfile", tags("Account"))]
pub(crate) async fn change_profile(
    request: HttpRequest,
    caller: Authenticated,
    body: Body<ChangeProfileRequest>,
) -> Result<Answer<MeView>, Problem> {
    let ChangeProfileRequest {
        first_name,
        last_name,
        job_role,
    } = body.0;
    let command = ChangeProfile {
        first_name,
        last_name,
        job_role,
    };
    let (tessera, caller) = (tessera(&request)?, caller.0);
    let changed = async move {
        let changed = tessera.change_profile(&caller, command).await;
        changed.map(|user| Caller { user, ..caller })
    };
    let caller = run(changed).await?;
    Ok(Answer::ok(MeView::from(&caller)))
}

/// Delete one's account
///
/// Deletes the caller's account and ends all its sessions. The log in must be of the last ten
/// minutes.
#[api_v2_operation(operation_id = "deleteAccount", tags("Account"))]
pub(crate) async fn delete(
    request: HttpRequest,
    caller: Authenticated,
) -> Result<NoContent, Problem> {
    let tessera = tessera(&request)?;
    let deleted = async move { tessera.delete_account(&caller.0).await };
    run(deleted).await?;
    Ok(NoContent)
}

/// Change the e-mail address
///
/// Sends a mail to the new address that makes it the caller's, and tells the old one. Until it is
/// confirmed nothing changes. The log in must be of the last ten minutes.
#[api_v2_operation(operation_id = "changeEmail", tags("Account"))]
pub(crate) async fn change_email(
    request: HttpRequest,
    caller: Authenticated,
    body: Body<ChangeEmailRequest>,
) -> Result<Answer<Done>, Problem> {
    within_share(&request, Some(caller.0.tenant.id))?;
    let tessera = tessera(&request)?;
    let asked = async move { tessera.change_email(&caller.0, body.0.email.0).await };
    run(asked).await?;
    Ok(Answer::ok(Done {
        message: "A mail to the new address is on its way.",
    }))
}

impl From<ChangeEmailError> for Problem {
    fn from(error: ChangeEmailError) -> Self {
        match error {
            ChangeEmailError::ForeignDomain => Self::field(
                "email",
                "Addresses of this domain belong to another tenant.",
            ),
            ChangeEmailError::Invalid => Self::AccessTokenNotValid,
            ChangeEmailError::NotFresh(not_fresh) => not_fresh.into(),
            ChangeEmailError::Unavailable(unavailable) => unavailable.into(),
        }
    }
}

impl From<DeleteAccountError> for Problem {
    fn from(error: DeleteAccountError) -> Self {
        match error {
            DeleteAccountError::Invalid => Self::AccessTokenNotValid,
            DeleteAccountError::NotFresh(not_fresh) => not_fresh.into(),
            DeleteAccountError::Unavailable(unavailable) => unavailable.into(),
        }
    }
}

impl From<NotFresh> for Problem {
    fn from(not_fresh: NotFresh) -> Self {
        Self::InsufficientAuthentication(not_fresh.max_age)
    }
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
