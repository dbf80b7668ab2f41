//! The fields that requests have.

use paperclip::actix::Apiv2Schema;
use paperclip::v2::models::DefaultSchemaRaw;
use paperclip::v2::schema::Apiv2Schema as Schema;
use tessera_app::{AmendUser, InviteUser, Roles};
use tessera_domain::{EmailAddress, Password, Profile, Role, Username};

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

/// A user who is invited.
pub(crate) struct InviteRequest(pub(crate) InviteUser);

impl FromInput for InviteRequest {
    fn take(input: &mut Input) -> Option<Self> {
        let email = input.required("email");
        let email = input.parsed("email", email, EmailAddress::parse);
        let username = input.optional("username");
        let username = input.parsed("username", username, Username::parse);
        let name = |input: &mut Input, name| input.changed(name, LONGEST).unwrap_or_default();
        let profile = Profile {
            first_name: name(input, "first_name"),
            last_name: name(input, "last_name"),
            job_role: name(input, "job_role"),
        };
        let roles = roles(input).unwrap_or_default();
        let is_superuser = input.flag("is_superuser").unwrap_or_default();
        Some(Self(InviteUser {
            email: email?,
            username,
            profile,
            roles,
            is_superuser,
        }))
    }
}

/// The fields of an invitation, for the documentation.
#[derive(Apiv2Schema)]
#[expect(dead_code, reason = "read by the documentation alone")]
struct InviteFields {
    /// The address; the mail goes there.
    email: String,
    /// Another name to log in with.
    username: Option<String>,
    /// The given name.
    first_name: Option<String>,
    /// The family name.
    last_name: Option<String>,
    /// What the user does in the tenant's organisation.
    job_role: Option<String>,
    /// The roles, in the order in which tokens show them: 32 at most, none above the caller's own.
    roles: Option<Vec<String>>,
    /// Carried for clients, and grants nothing here; for platform administrators to set.
    is_superuser: Option<bool>,
}

impl Schema for InviteRequest {
    fn name() -> Option<String> {
        InviteFields::name()
    }

    fn raw_schema() -> DefaultSchemaRaw {
        InviteFields::raw_schema()
    }
}

/// What becomes of a user.
pub(crate) struct AmendRequest(pub(crate) AmendUser);

impl FromInput for AmendRequest {
    fn take(input: &mut Input) -> Option<Self> {
        Some(Self(AmendUser {
            roles: roles(input).map(Roles::These),
            is_active: input.flag("is_active"),
            is_superuser: input.flag("is_superuser"),
            first_name: input.changed("first_name", LONGEST),
            last_name: input.changed("last_name", LONGEST),
            job_role: input.changed("job_role", LONGEST),
        }))
    }
}

/// What may be changed of a user; what is absent stays.
#[derive(Apiv2Schema)]
#[expect(dead_code, reason = "read by the documentation alone")]
struct AmendFields {
    /// All roles from now on, in the order in which tokens show them: 32 at most, none above the
    /// caller's own.
    roles: Option<Vec<String>>,
    /// Whether the user may log in.
    is_active: Option<bool>,
    /// Carried for clients, and grants nothing here; for platform administrators to set.
    is_superuser: Option<bool>,
    /// The given name.
    first_name: Option<String>,
    /// The family name.
    last_name: Option<String>,
    /// What the user does in the tenant's organisation.
    job_role: Option<String>,
}

impl Schema for AmendRequest {
    fn name() -> Option<String> {
        AmendFields::name()
    }

    fn raw_schema() -> DefaultSchemaRaw {
        AmendFields::raw_schema()
    }
}

/// The roles, of which tokens carry all.
fn roles(input: &mut Input) -> Option<Vec<Role>> {
    input.list("roles", 32, Role::parse)
}

/// The characters that a name may have.
const LONGEST: usize = 150;
