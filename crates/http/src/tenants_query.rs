//! Which tenants a request asks for.

use core::convert::Infallible;
use core::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use paperclip::actix::web::Query;
use paperclip::actix::{Apiv2Schema, OperationModifier};
use paperclip::v2::models::DefaultOperationRaw;
use paperclip::v2::schema::Apiv2Schema as Schema;
use tessera_domain::{NamePrefix, SchemaName};

use crate::paging::{fields, limit};
use crate::problem::Problem;
use crate::user_query::search;

/// The part of a list of tenants that a request asks for.
pub(crate) struct TenantsAsked {
    /// What their names begin with.
    pub(crate) search: Option<NamePrefix>,
    /// The schema name after which it begins.
    pub(crate) after: Option<SchemaName>,
    /// How many there may be.
    pub(crate) limit: usize,
}

/// The query of a request for a list of tenants. To take it never fails, so that who may not ask is
/// told that first.
pub(crate) struct TenantsQuery(String);

impl TenantsQuery {
    /// Reads it. Of a name that comes again the last counts, and other names are nothing.
    pub(crate) fn read(&self) -> Result<TenantsAsked, Problem> {
        fields(&self.0).read(|input| {
            let after = input.optional("after");
            // The default tenant has a name that no other one may have.
            let schema = |text: &str| match text {
                SchemaName::DEFAULT => Ok(SchemaName::of_default_tenant()),
                other => SchemaName::parse(other).map_err(|_| "Invalid cursor."),
            };
            Some(TenantsAsked {
                search: search(input),
                after: after.and_then(|after| input.parsed("after", &after, schema)),
                limit: limit(input),
            })
        })
    }
}

impl FromRequest for TenantsQuery {
    type Error = Infallible;
    type Future = Ready<Result<Self, Infallible>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(Self(request.query_string().to_owned())))
    }
}

/// The parameters of a list, for the documentation.
#[derive(Apiv2Schema)]
#[expect(dead_code, reason = "read by the documentation alone")]
struct TenantsParameters {
    /// Those whose name or schema name begins so, whatever the case.
    search: Option<String>,
    /// Where the page before ended: its `next`. From the first tenant on, if absent.
    after: Option<String>,
    /// How many at most, from 1 to 1000; 100 if absent.
    limit: Option<u64>,
}

impl Schema for TenantsQuery {}

impl OperationModifier for TenantsQuery {
    fn update_parameter(op: &mut DefaultOperationRaw) {
        Query::<TenantsParameters>::update_parameter(op);
    }
}
