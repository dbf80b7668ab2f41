//! Which entries of the audit trail a request asks for.

use core::str::FromStr;

use paperclip::actix::Apiv2Schema;
use tessera_app::AuditQuery;
use tessera_domain::Timestamp;

use crate::answer::FromInput;
use crate::input::Input;
use crate::paging::limit;
use crate::query::Asked;
use crate::views::moment;

/// What a request asks for.
pub(crate) struct AuditFilter {
    /// The tenant, as it is named.
    pub(crate) tenant: Option<String>,
    /// All else.
    pub(crate) query: AuditQuery,
}

impl FromInput for AuditFilter {
    fn take(input: &mut Input) -> Option<Self> {
        let query = AuditQuery {
            tenant: None,
            user: parsed(input, "user", "Must be a valid UUID."),
            actor: parsed(input, "actor", "Must be a valid UUID."),
            event_type: event_type(input),
            from: time(input, "from"),
            to: time(input, "to"),
            before: parsed(input, "before", "Invalid cursor."),
            limit: limit(input),
        };
        let tenant = input.optional("tenant");
        Some(Self { tenant, query })
    }
}

impl Asked for AuditFilter {
    type Parameters = AuditParameters;
}

/// The parameters of the query, for the documentation.
#[derive(Apiv2Schema)]
#[expect(dead_code, reason = "read by the documentation alone")]
pub(crate) struct AuditParameters {
    /// Those that concern the user with this UUID.
    user: Option<String>,
    /// Those of what the user with this UUID did.
    actor: Option<String>,
    /// Those of this type of event.
    r#type: Option<String>,
    /// Those from this moment on (RFC 3339).
    from: Option<String>,
    /// Those from before this moment (RFC 3339).
    to: Option<String>,
    /// Those of this tenant, by its name, its schema name or its UUID: for platform administrators.
    tenant: Option<String>,
    /// Where the page before ended: its `next`. From the newest on, if absent.
    before: Option<String>,
    /// How many at most, from 1 to 1000; 100 if absent.
    limit: Option<u64>,
}

/// A value that may be absent.
fn parsed<T: FromStr>(input: &mut Input, name: &'static str, wrong: &'static str) -> Option<T> {
    let text = input.optional(name)?;
    match text.parse() {
        Ok(value) => Some(value),
        Err(_) => input.refuse(name, wrong),
    }
}

fn time(input: &mut Input, name: &'static str) -> Option<Timestamp> {
    let text = input.optional(name)?;
    moment(&text).or_else(|| input.refuse(name, "Must be a time as RFC 3339 has it."))
}

/// The name of any type there may ever be: of one that is not known there is no entry.
fn event_type(input: &mut Input) -> Option<String> {
    let text = input.optional("type")?;
    if text.len() <= LONGEST && text.bytes().all(|byte| byte.is_ascii_alphabetic()) {
        return Some(text);
    }
    input.refuse("type", "Must be a type of event.")
}

const LONGEST: usize = 64;
