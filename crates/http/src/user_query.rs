//! Which users a request asks for: of which tenant, which of them, from where on.

use paperclip::actix::Apiv2Schema;
use tessera_app::UserFilter;
use tessera_domain::{Id, NamePrefix, Role, User, UserStatus};

use crate::answer::FromInput;
use crate::input::Input;
use crate::paging::limit;
use crate::query::Asked;

/// The part of a list of users that a request asks for.
pub(crate) struct UsersAsked {
    /// The tenant, as it is named.
    pub(crate) tenant: Option<String>,
    /// Which of them.
    pub(crate) filter: UserFilter,
    /// The user after whom it begins.
    pub(crate) after: Option<Id<User>>,
    /// How many there may be.
    pub(crate) limit: usize,
}

impl FromInput for UsersAsked {
    fn take(input: &mut Input) -> Option<Self> {
        let role = input.optional("role");
        let after = input.optional("after");
        let filter = UserFilter {
            search: search(input),
            role: role.and_then(|role| input.parsed("role", &role, Role::parse)),
            status: input.flag("is_active").map(|active| {
                if active {
                    UserStatus::Active
                } else {
                    UserStatus::Disabled
                }
            }),
            email_verified: input.flag("email_verified"),
        };
        let id = |text: &str| text.parse().map_err(|_| "Invalid cursor.");
        Some(Self {
            tenant: input.optional("tenant"),
            filter,
            after: after.and_then(|after| input.parsed("after", &after, id)),
            limit: limit(input),
        })
    }
}

impl Asked for UsersAsked {
    type Parameters = UsersParameters;
}

/// What names begin with: no name has a NUL, and no database takes one.
pub(crate) fn search(input: &mut Input) -> Option<NamePrefix> {
    let text = input.optional("search")?;
    if text.contains('\0') {
        return input.refuse("search", "Null characters are not allowed.");
    }
    NamePrefix::parse(&text)
}

/// The tenant whose users a request is about, as it is named.
pub(crate) struct TenantAsked(pub(crate) Option<String>);

impl FromInput for TenantAsked {
    fn take(input: &mut Input) -> Option<Self> {
        Some(Self(input.optional("tenant")))
    }
}

impl Asked for TenantAsked {
    type Parameters = TenantParameter;
}

/// The parameters of a list, for the documentation.
#[derive(Apiv2Schema)]
#[expect(dead_code, reason = "read by the documentation alone")]
pub(crate) struct UsersParameters {
    /// Those whose address or username begins so, whatever the case.
    search: Option<String>,
    /// Those with this role.
    role: Option<String>,
    /// Those who may log in, or those who may not.
    is_active: Option<bool>,
    /// Those whose address is proved, or those whose is not.
    email_verified: Option<bool>,
    /// The tenant, by its name, its schema name or its UUID: for platform administrators. Else the
    /// caller's own.
    tenant: Option<String>,
    /// Where the page before ended: its `next`. From the first user on, if absent.
    after: Option<String>,
    /// How many at most, from 1 to 1000; 100 if absent.
    limit: Option<u64>,
}

/// The parameter of everything else, for the documentation.
#[derive(Apiv2Schema)]
#[expect(dead_code, reason = "read by the documentation alone")]
pub(crate) struct TenantParameter {
    /// The tenant, by its name, its schema name or its UUID: for platform administrators. Else the
    /// caller's own.
    tenant: Option<String>,
}
