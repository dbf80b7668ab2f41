//! Sign up, and what is done with a token out of a mail.

use std::sync::Arc;

use actix_web::HttpRequest;
use actix_web::http::StatusCode;
use paperclip::actix::api_v2_operation;
use tessera_app::{
    AskForMail, AskForMailError, MailedTokenError, Register, RegisterError, ResetPassword,
    ResetPasswordError, ShowToken,
};
use tessera_domain::{Password, Profile};

use crate::answer::{Answer, Body};
use crate::caller::{device, hints, run, tessera};
use crate::even::at_the_beat;
use crate::problem::Problem;
use crate::rate_limits::within_share;
use crate::requests::{EmailRequest, RegisterRequest, ResetPasswordRequest, TokenRequest};
use crate::views::{Done, RegisteredView};

/// Sign up
///
/// Makes an account and sends a mail that verifies its address. For an address that has an account
/// the answer is the same, and its owner gets a mail that says so.
#[api_v2_operation(operation_id = "register", tags("Account"))]
pub(crate) async fn register(
    request: HttpRequest,
    body: Body<RegisterRequest>,
) -> Result<Answer<RegisteredView>, Problem> {
    let fields = body.0;
    let command = Register {
        hints: hints(&request, fields.tenant),
        email: fields.email.0,
        username: fields.username.map(|username| username.0),
        profile: Profile {
            first_name: fields.first_name.unwrap_or_default(),
            last_name: fields.last_name.unwrap_or_default(),
            job_role: String::new(),
        },
        password: Password::new(fields.password),
        ip: device(&request).ip,
    };
    let tessera = tessera(&request)?;
    let email = command.email.as_str();
    within_share(&request, tessera.tenant_last_seen(&command.hints, email))?;
    let registering = {
        let tessera = Arc::clone(&tessera);
        run(async move { tessera.register(command).await })
    };
    let registered = at_the_beat(&tessera, registering, Result::is_ok).await?;
    Ok(Answer::ok(RegisteredView::from(&registered)).with_status(StatusCode::CREATED))
}

/// Verify an e-mail address
///
/// Takes the address as proved that the token was sent to. A token lives 24 hours and works once.
#[api_v2_operation(operation_id = "verifyEmail", tags("Account"))]
pub(crate) async fn verify_email(
    request: HttpRequest,
    body: Body<TokenRequest>,
) -> Result<Answer<Done>, Problem> {
    let shown = show(&request, body.0);
    let tessera = tessera(&request)?;
    run(async move { tessera.verify_email(shown).await }).await?;
    Ok(done("E-mail address verified"))
}

/// Send the verification again
///
/// Sends another mail that verifies the address, if it is that of an account and not verified. The
/// answer is the same for every address.
#[api_v2_operation(operation_id = "resendVerification", tags("Account"))]
pub(crate) async fn resend_verification(
    request: HttpRequest,
    body: Body<EmailRequest>,
) -> Result<Answer<Done>, Problem> {
    let command = ask(&request, body.0)?;
    let tessera = tessera(&request)?;
    let asking = {
        let tessera = Arc::clone(&tessera);
        run(async move { tessera.resend_verification(command).await })
    };
    at_the_beat(&tessera, asking, Result::is_ok).await?;
    Ok(done(
        "If the address has an account that is not verified, a mail is on its way.",
    ))
}

/// Forgot the password
///
/// Sends a mail that leads to another password, if the address is that of an account. The answer is
/// the same for every address.
#[api_v2_operation(operation_id = "forgotPassword", tags("Account"))]
pub(crate) async fn forgot_password(
    request: HttpRequest,
    body: Body<EmailRequest>,
) -> Result<Answer<Done>, Problem> {
    let command = ask(&request, body.0)?;
    let tessera = tessera(&request)?;
    let asking = {
        let tessera = Arc::clone(&tessera);
        run(async move { tessera.forgot_password(command).await })
    };
    at_the_beat(&tessera, asking, Result::is_ok).await?;
    Ok(done("If the address has an account, a mail is on its way."))
}

/// Set another password
///
/// Sets the password of the account that the token was mailed to. All its sessions end, and nobody
/// is logged in. A token lives an hour and works once.
#[api_v2_operation(operation_id = "resetPassword", tags("Account"))]
pub(crate) async fn reset_password(
    request: HttpRequest,
    body: Body<ResetPasswordRequest>,
) -> Result<Answer<Done>, Problem> {
    let ResetPasswordRequest {
        token,
        uid,
        new_password,
        tenant,
        ..
    } = body.0;
    let shown = show(&request, TokenRequest { token, uid, tenant });
    let password = Password::new(new_password);
    let command = ResetPassword { shown, password };
    let tessera = tessera(&request)?;
    run(async move { tessera.reset_password(command).await }).await?;
    Ok(done("Password changed"))
}

/// Confirm another e-mail address
///
/// Makes the address that the token was sent to that of the account. A token lives an hour and works
/// once.
#[api_v2_operation(operation_id = "confirmEmail", tags("Account"))]
pub(crate) async fn confirm_email(
    request: HttpRequest,
    body: Body<TokenRequest>,
) -> Result<Answer<Done>, Problem> {
    let shown = show(&request, body.0);
    let tessera = tessera(&request)?;
    run(async move { tessera.confirm_email(shown).await }).await?;
    Ok(done("E-mail address changed"))
}

fn ask(request: &HttpRequest, fields: EmailRequest) -> Result<AskForMail, Problem> {
    let command = AskForMail {
        hints: hints(request, fields.tenant),
        email: fields.email.0,
        ip: device(request).ip,
    };
    let email = command.email.as_str();
    let tenant = tessera(request)?.tenant_last_seen(&command.hints, email);
    within_share(request, tenant)?;
    Ok(command)
}

fn show(request: &HttpRequest, fields: TokenRequest) -> ShowToken {
    ShowToken {
        hints: hints(request, fields.tenant),
        token: fields.token,
        uid: fields.uid,
        ip: device(request).ip,
    }
}

fn done(message: &'static str) -> Answer<Done> {
    Answer::ok(Done { message })
}

impl From<RegisterError> for Problem {
    fn from(error: RegisterError) -> Self {
        match error {
            RegisterError::Closed => Self::RegistrationClosed,
            RegisterError::Contradiction(_) => Self::ContradictoryTenants,
            RegisterError::InvitationOnly => Self::InvitationOnly,
            RegisterError::Overloaded(overloaded) => overloaded.into(),
            RegisterError::Unavailable(unavailable) => unavailable.into(),
            RegisterError::UnknownTenant => Self::InvalidCredentials,
            RegisterError::UsernameTaken => {
                Self::field("username", "A user with that username already exists.")
            }
            RegisterError::WeakPassword(weakness) => Self::field("password", weakness.to_string()),
        }
    }
}

impl From<AskForMailError> for Problem {
    fn from(error: AskForMailError) -> Self {
        match error {
            AskForMailError::Contradiction(_) => Self::ContradictoryTenants,
            AskForMailError::Unavailable(unavailable) => unavailable.into(),
        }
    }
}

impl From<MailedTokenError> for Problem {
    fn from(error: MailedTokenError) -> Self {
        match error {
            MailedTokenError::Invalid => Self::field("token", TOKEN),
            MailedTokenError::Unavailable(unavailable) => unavailable.into(),
        }
    }
}

impl From<ResetPasswordError> for Problem {
    fn from(error: ResetPasswordError) -> Self {
        match error {
            ResetPasswordError::Invalid => Self::field("token", TOKEN),
            ResetPasswordError::Overloaded(overloaded) => overloaded.into(),
            ResetPasswordError::Unavailable(unavailable) => unavailable.into(),
            ResetPasswordError::WeakPassword(weakness) => {
                Self::field("new_password", weakness.to_string())
            }
        }
    }
}

const TOKEN: &str = "This token is not valid, or no longer. Ask for a new mail.";
