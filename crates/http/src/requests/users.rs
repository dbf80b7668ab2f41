//! The fields of requests that administer users.

use paperclip::actix::Apiv2Schema;
use paperclip::v2::models::DefaultSchemaRaw;
use paperclip::v2::schema::Apiv2Schema as Schema;
use tessera_app::{AmendUser, InviteUser, Roles};
use tessera_domain::{Profile, Role};

use super::{Email, Name, profile_text};
use crate::answer::FromInput;
use crate::input::Input;

/// A user who is invited.
pub(crate) struct InviteRequest(pub(crate) InviteUser);

impl FromInput for InviteRequest {
    fn take(input: &mut Input) -> Option<Self> {
        let email = Email::claimed(input);
        let username = Name::take(input, email.as_ref());
        let name = |input: &mut Input, name| profile_text(input, name).unwrap_or_default();
        let profile = Profile {
            first_name: name(input, "first_name"),
            last_name: name(input, "last_name"),
            job_role: name(input, "job_role"),
        };
        let roles = roles(input).unwrap_or_default();
        let is_superuser = input.flag("is_superuser").unwrap_or_default();
        Some(Self(InviteUser {
            email: email?.0,
            username: username.map(|name| name.0),
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
    email: Email,
    /// Another name to log in with.
    username: Option<Name>,
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
            first_name: profile_text(input, "first_name"),
            last_name: profile_text(input, "last_name"),
            job_role: profile_text(input, "job_role"),
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
