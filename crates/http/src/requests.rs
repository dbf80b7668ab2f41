//! The fields that requests have.

use paperclip::actix::Apiv2Schema;
use paperclip::v2::models::DataType;
use paperclip::v2::schema::TypedData;
use tessera_domain::{EmailAddress, Password, Profile, Username};

use crate::answer::FromInput;
use crate::input::Input;

pub(crate) use self::settings::SettingsRequest;
pub(crate) use self::tenants::{
    AmendTenantRequest, CreateTenantRequest, DomainRequest, MoveRequest,
};
pub(crate) use self::users::{AmendRequest, InviteRequest};

mod settings;
mod tenants;
mod users;

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
    /// The tenant, by its name or schema name.
    pub(crate) tenant: Option<String>,
}

impl FromInput for RefreshRequest {
    fn take(input: &mut Input) -> Option<Self> {
        let refresh = input.required_secret("refresh");
        let tenant = input.optional("tenant");
        Some(Self {
            refresh: refresh?,
            tenant,
        })
    }
}

/// The live refresh token; needed unless the cookie is there.
#[derive(Apiv2Schema)]
pub(crate) struct RefreshTokenRequest {
    /// The refresh token.
    pub(crate) refresh_token: Option<String>,
    /// The same under its other name.
    pub(crate) refresh: Option<String>,
    /// The tenant, by its name or schema name.
    pub(crate) tenant: Option<String>,
}

impl FromInput for RefreshTokenRequest {
    fn take(input: &mut Input) -> Option<Self> {
        Some(Self {
            refresh_token: input.optional_secret("refresh_token"),
            refresh: input.optional_secret("refresh"),
            tenant: input.optional("tenant"),
        })
    }
}

impl RefreshTokenRequest {
    /// The token, under either name, and the tenant.
    pub(crate) fn into_parts(self) -> (Option<String>, Option<String>) {
        (self.refresh_token.or(self.refresh), self.tenant)
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
        let new_password_confirm = confirmed(input, new_password.as_ref(), "new_password_confirm");
        Some(Self {
            old_password: old_password?,
            new_password: new_password?,
            new_password_confirm,
        })
    }
}

/// Who signs up.
#[derive(Apiv2Schema)]
pub(crate) struct RegisterRequest {
    /// The address.
    pub(crate) email: Email,
    /// The other name: unique, without `@`.
    pub(crate) username: Option<Name>,
    /// The password: 8 to 256 characters.
    pub(crate) password: String,
    /// The same again, when a form asked for it twice.
    #[expect(
        dead_code,
        reason = "compared when it is taken; read by the documentation alone"
    )]
    pub(crate) password_confirm: Option<String>,
    /// Given name.
    pub(crate) first_name: Option<String>,
    /// Family name.
    pub(crate) last_name: Option<String>,
    /// The tenant, by its name or schema name.
    pub(crate) tenant: Option<String>,
}

impl FromInput for RegisterRequest {
    fn take(input: &mut Input) -> Option<Self> {
        let email = Email::claimed(input);
        let username = Name::take(input, email.as_ref());
        let password = input.required_secret("password");
        let password_confirm = confirmed(input, password.as_ref(), "password_confirm");
        let first_name = profile_text(input, "first_name");
        let last_name = profile_text(input, "last_name");
        let tenant = input.optional("tenant");
        Some(Self {
            email: email?,
            username,
            password: password?,
            password_confirm,
            first_name,
            last_name,
            tenant,
        })
    }
}

/// Whose mail is asked for.
#[derive(Apiv2Schema)]
pub(crate) struct EmailRequest {
    /// The address.
    pub(crate) email: Email,
    /// The tenant, by its name or schema name.
    pub(crate) tenant: Option<String>,
}

impl FromInput for EmailRequest {
    fn take(input: &mut Input) -> Option<Self> {
        let email = Email::take(input);
        let tenant = input.optional("tenant");
        Some(Self {
            email: email?,
            tenant,
        })
    }
}

/// The address from now on.
#[derive(Apiv2Schema)]
pub(crate) struct ChangeEmailRequest {
    /// The address.
    pub(crate) email: Email,
}

impl FromInput for ChangeEmailRequest {
    fn take(input: &mut Input) -> Option<Self> {
        let email = Email::claimed(input)?;
        Some(Self { email })
    }
}

/// A token out of a mail.
#[derive(Apiv2Schema)]
pub(crate) struct TokenRequest {
    /// The token.
    pub(crate) token: String,
    /// Whose it is, as the link in the mail says; checked when sent.
    pub(crate) uid: Option<String>,
    /// The tenant, by its name or schema name.
    pub(crate) tenant: Option<String>,
}

impl FromInput for TokenRequest {
    fn take(input: &mut Input) -> Option<Self> {
        let token = input.required("token");
        let (uid, tenant) = (input.optional("uid"), input.optional("tenant"));
        Some(Self {
            token: token?,
            uid,
            tenant,
        })
    }
}

/// A token out of a mail, and the password from now on.
#[derive(Apiv2Schema)]
pub(crate) struct ResetPasswordRequest {
    /// The token.
    pub(crate) token: String,
    /// Whose it is, as the link in the mail says; checked when sent.
    pub(crate) uid: Option<String>,
    /// The password from now on: 8 to 256 characters.
    pub(crate) new_password: String,
    /// The same again, when a form asked for it twice.
    #[expect(
        dead_code,
        reason = "compared when it is taken; read by the documentation alone"
    )]
    pub(crate) new_password_confirm: Option<String>,
    /// The tenant, by its name or schema name.
    pub(crate) tenant: Option<String>,
}

impl FromInput for ResetPasswordRequest {
    fn take(input: &mut Input) -> Option<Self> {
        let shown = TokenRequest::take(input);
        let new_password = input.required_secret("new_password");
        let new_password_confirm = confirmed(input, new_password.as_ref(), "new_password_confirm");
        let TokenRequest { token, uid, tenant } = shown?;
        Some(Self {
            token,
            uid,
            new_password: new_password?,
            new_password_confirm,
            tenant,
        })
    }
}

/// What somebody is called from now on; what is not there stays.
#[derive(Apiv2Schema)]
pub(crate) struct ChangeProfileRequest {
    /// Given name.
    pub(crate) first_name: Option<String>,
    /// Family name.
    pub(crate) last_name: Option<String>,
    /// What the user does there; counts only where users may say so themselves.
    pub(crate) job_role: Option<String>,
}

impl FromInput for ChangeProfileRequest {
    fn take(input: &mut Input) -> Option<Self> {
        Some(Self {
            first_name: profile_text(input, "first_name"),
            last_name: profile_text(input, "last_name"),
            job_role: profile_text(input, "job_role"),
        })
    }
}

/// An address, for the documentation a text.
pub(crate) struct Email(pub(crate) EmailAddress);

impl Email {
    fn take(input: &mut Input) -> Option<Self> {
        let text = input.required("email")?;
        input.parsed("email", &text, EmailAddress::parse).map(Self)
    }

    /// One that somebody says is theirs.
    fn claimed(input: &mut Input) -> Option<Self> {
        let text = input.required("email")?;
        let claimed = input.parsed("email", &text, EmailAddress::parse_claimed);
        claimed.map(Self)
    }
}

impl TypedData for Email {
    fn data_type() -> DataType {
        DataType::String
    }
}

/// A username, for the documentation a text.
pub(crate) struct Name(pub(crate) Username);

impl Name {
    /// Clients that know addresses alone send the address here too: that is no other name.
    fn take(input: &mut Input, email: Option<&Email>) -> Option<Self> {
        let text = input.optional("username")?;
        let same = |email: &Email| {
            let typed = EmailAddress::parse(&text);
            typed.is_ok_and(|typed| typed.key() == email.0.key())
        };
        if email.is_some_and(same) {
            return None;
        }
        input.parsed("username", &text, Username::parse).map(Self)
    }
}

impl TypedData for Name {
    fn data_type() -> DataType {
        DataType::String
    }
}

fn profile_text(input: &mut Input, name: &'static str) -> Option<String> {
    let text = input.changed(name)?;
    input.parsed(name, &text, Profile::text)
}

/// The second time that a password was typed, which has to be like the first.
fn confirmed(input: &mut Input, first: Option<&String>, name: &'static str) -> Option<String> {
    let second = input.optional_secret(name)?;
    match first {
        Some(first) if *first != second => {
            input.refuse(name, "The two password fields didn't match.")
        }
        Some(_) | None => Some(second),
    }
}
