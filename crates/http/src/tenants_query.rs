//! Which tenants a request asks for.

use paperclip::actix::Apiv2Schema;
use tessera_domain::{NamePrefix, SchemaName};

use crate::answer::FromInput;
use crate::input::Input;
use crate::paging::limit;
use crate::query::Asked;
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

impl FromInput for TenantsAsked {
    fn take(input: &mut Input) -> Option<Self> {
        let after = input.optional("after");
        // The default tenant has a name that no other one may have.
        let schema = |text: &str| match text {
            SchemaName::DEFAULT => Ok(SchemaName::of_default_tenant()),
            other => SchemaName::parse(other).map_err(|_| "Invalid cursor."),
        };
        Some(Self {
            search: search(input),
            after: after.and_then(|after| input.parsed("after", &after, schema)),
            limit: limit(input),
        })
    }
}

impl Asked for TenantsAsked {
    type Parameters = TenantsParameters;
}

/// The parameters of a list, for the documentation.
#[derive(Apiv2Schema)]
#[expect(dead_code, reason = "read by the documentation alone")]
pub(crate) struct TenantsParameters {
    /// Those whose name or schema name begins so, whatever the case.
    search: Option<String>,
    /// Where the page before ended: its `next`. From the first tenant on, if absent.
    after: Option<String>,
    /// How many at most, from 1 to 1000; 100 if absent.
    limit: Option<u64>,
}
