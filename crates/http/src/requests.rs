//! The fields that requests have.

use paperclip::actix::Apiv2Schema;
use tessera_domain::Password;

use crate::answer::FromInput;
use crate::input::Input;

/// Who logs in; `email` counts when both names come.
#[derive(Apiv2Schema)]
pub(crate) struct LogInRequest {
    /// The address; needed unless `username` is there.
    email: Option<String>,
    /// The other name.
    username: Option<String>,
    /// The password.
    password: String,
    /// The tenant, by its name or schema name.
    tenant: Option<String>,
}

impl LogInRequest {
    /// The name, the password and the tenant that were typed.
    pub(crate) fn into_parts(self) -> (String, Password, Option<String>) {
        let login = self.email.or(self.username).unwrap_or_default();
        (login, Password::new(self.password), self.tenant)
    }
}

impl FromInput for LogInRequest {
    fn take(input: &mut Input) -> Option<Self> {
        let email = input.optional("email");
        let username = input.optional("username");
        let password = input.required_secret("password");
        let tenant = input.optional("tenant");
        if email.is_none() && username.is_none() {
            return input.missing("email");
        }
        Some(Self {
            email,
            username,
            password: password?,
            tenant,
        })
    }
}

/// The live refresh token.
#[derive(Apiv2Schema)]
pub(crate) struct RefreshRequest {
    /// The refresh token.
    pub(crate) refresh: String,
}

impl FromInput for RefreshRequest {
    fn take(input: &mut Input) -> Option<Self> {
        let refresh = input.required_secret("refresh")?;
        Some(Self { refresh })
    }
}

/// The live refresh token; needed unless the cookie is there.
#[derive(Apiv2Schema)]
pub(crate) struct RefreshTokenRequest {
    /// The refresh token.
    pub(crate) refresh_token: Option<String>,
    /// The same under its other name.
    pub(crate) refresh: Option<String>,
}

impl FromInput for RefreshTokenRequest {
    fn take(input: &mut Input) -> Option<Self> {
        Some(Self {
            refresh_token: input.optional_secret("refresh_token"),
            refresh: input.optional_secret("refresh"),
        })
    }
}

impl RefreshTokenRequest {
    /// The token, under either name.
    pub(crate) fn into_token(self) -> Option<String> {
        self.refresh_token.or(self.refresh)
    }
}

/// The passwords so far and from now on.
#[derive(Apiv2Schema)]
pub(crate) struct ChangePasswordRequest {
    /// The password so far.
    pub(crate) old_password: String,
    /// The password from now on: 8 to 256 characters.
    pub(crate) new_password: String,
    /// The same again, when a form asked for it twice.
    #[expect(
        dead_code,
        reason = "compared when it is taken; read by the documentation alone"
    )]
    pub(crate) new_password_confirm: Option<String>,
}

impl FromInput for ChangePasswordRequest {
    fn take(input: &mut Input) -> Option<Self> {
        let old_password = input.required_secret("old_password");
        let new_password = input.required_secret("new_password");
        let new_password_confirm = input.optional_secret("new_password_confirm");
        if let (Some(new), Some(confirm)) = (&new_password, &new_password_confirm)
            && new != confirm
        {
            return input.refuse(
                "new_password_confirm",
                "The two password fields didn't match.",
            );
        }
        Some(Self {
            old_password: old_password?,
            new_password: new_password?,
            new_password_confirm,
        })
    }
}
