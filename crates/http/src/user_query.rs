//! Which users a request asks for: of which tenant, which of them, from where on.

use core::convert::Infallible;
use core::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use paperclip::actix::web::Query;
use paperclip::actix::{Apiv2Schema, OperationModifier};
use paperclip::v2::models::DefaultOperationRaw;
use paperclip::v2::schema::Apiv2Schema as Schema;
use tessera_app::UserFilter;
use tessera_domain::{Id, NamePrefix, Role, User, UserStatus};

use crate::input::Input;
use crate::paging::{fields, limit};
use crate::problem::Problem;

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

/// The query of a request for a list of users. To take it never fails, so that who may not ask is
/// told that first.
pub(crate) struct UsersQuery(String);

impl UsersQuery {
    /// Reads it. Of a name that comes again the last counts, and other names are nothing.
    pub(crate) fn read(&self) -> Result<UsersAsked, Problem> {
        fields(&self.0).read(|input| {
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
            Some(UsersAsked {
                tenant: input.optional("tenant"),
                filter,
                after: after.and_then(|after| input.parsed("after", &after, id)),
                limit: limit(input),
            })
        })
    }
}

/// What names begin with: no name has a NUL, and no database takes one.
pub(crate) fn search(input: &mut Input) -> Option<NamePrefix> {
    let text = input.optional("search")?;
    if text.contains('\0') {
        return input.refuse("search", "Null characters are not allowed.");
    }
    NamePrefix::parse(&text)
}

/// The query of a request about users of one tenant.
pub(crate) struct TenantQuery(String);

impl TenantQuery {
    /// The tenant, as it is named. Other names are nothing.
    pub(crate) fn read(&self) -> Result<Option<String>, Problem> {
        fields(&self.0).read(|input| Some(input.optional("tenant")))
    }
}

impl FromRequest for UsersQuery {
    type Error = Infallible;
    type Future = Ready<Result<Self, Infallible>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(Self(request.query_string().to_owned())))
    }
}

impl FromRequest for TenantQuery {
    type Error = Infallible;
    type Future = Ready<Result<Self, Infallible>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(Self(request.query_string().to_owned())))
    }
}

/// The parameters of a list, for the documentation.
#[derive(Apiv2Schema)]
#[expect(dead_code, reason = "read by the documentation alone")]
struct UsersParameters {
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
struct TenantParameter {
    /// The tenant, by its name, its schema name or its UUID: for platform administrators. Else the
    /// caller's own.
    tenant: Option<String>,
}

impl Schema for UsersQuery {}

impl Schema for TenantQuery {}

impl OperationModifier for UsersQuery {
    fn update_parameter(op: &mut DefaultOperationRaw) {
        Query::<UsersParameters>::update_parameter(op);
    }
}

impl OperationModifier for TenantQuery {
    fn update_parameter(op: &mut DefaultOperationRaw) {
        Query::<TenantParameter>::update_parameter(op);
    }
}
