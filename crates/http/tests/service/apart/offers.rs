//! What is offered to an operation, by what the document says of it.

use serde_json::Value;

use super::ask::{Ask, Heard};
use super::fields::field;
use super::operation::Operation;
use super::place::places;
use super::side::Side;

/// Something of a tenant that is offered to another, and the same that never existed.
pub(crate) struct Offer {
    pub(crate) what: String,
    pub(crate) foreign: Ask,
    pub(crate) never: Ask,
    pub(crate) expected: Expected,
    /// The texts in which the two requests differ, which answers may repeat.
    pub(super) differing: [String; 2],
}

/// What is expected of both requests.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Expected {
    /// The same answer, whatever it is.
    Alike,
    /// A success for everybody, which shows nothing of any tenant.
    Nothing,
    /// The same answer, with one of these.
    Refused(&'static [u16]),
    /// The same answer, though something happens in the other tenant in between.
    Unmoved,
}

impl Offer {
    /// The answer without what was sent, and without what is new in what was made.
    pub(crate) fn masked(&self, mut heard: Heard) -> Heard {
        for ask in [&self.foreign, &self.never] {
            let (path, _) = ask.path.split_once('?').unwrap_or((&ask.path, ""));
            let instance = |path: &str| format!("\"instance\":\"{path}\"");
            heard.body = heard.body.replace(&instance(path), &instance("…"));
        }
        for sent in &self.differing {
            heard.body = heard.body.replace(sent.as_str(), "…");
        }
        if heard.status == 201 {
            let mut made = heard.json();
            let user = if made["user"].is_object() {
                &mut made["user"]
            } else {
                &mut made
            };
            for fresh in ["id", "date_joined"] {
                user[fresh] = Value::Null;
            }
            heard.body = made.to_string();
        }
        heard
    }
}

/// What is offered to the operation; a fault where nothing is known that could be.
pub(crate) fn offers(
    operation: &Operation,
    own: &Side,
    other: &Side,
) -> Result<Vec<Offer>, String> {
    let mut offers = Vec::new();
    for header in operation.parameters("header") {
        if header != "X-Tenant" {
            return Err(operation.fault(&format!("the header {header}")));
        }
    }
    if operation.wants_bearer() {
        offers.extend(bearers(operation, own, other)?);
        offers.extend(ids(operation, own, other)?);
        offers.extend(nothing(operation, own));
    }
    for name in operation.parameters("path") {
        match name.as_str() {
            "domain" | "id" => {}
            "schema" => offers.push(schema_name(operation, other)),
            _ => return Err(operation.fault(&format!("{{{name}}} in its path"))),
        }
    }
    for name in operation.parameters("query") {
        offers.extend(parameter(operation, &name, own, other)?);
    }
    for name in &operation.fields {
        offers.extend(field(operation, name, own, other)?);
    }
    let nowhere = nowhere(&offers, other);
    offers.extend(nowhere);
    if FOR_EVERYBODY.contains(&operation.use_case()) {
        let ask = operation.ask("").bearer(&own.access[0]);
        let at = places(other).into_iter();
        offers.extend(at.map(|place| {
            let ask = place.at(ask.clone());
            offer(
                place.name(),
                ["", ""],
                // A tenant has a document of its own, or none.
                match operation.use_case() {
                    "discovery" => Expected::Alike,
                    _ => Expected::Nothing,
                },
                [ask.clone(), ask],
            )
        }));
    }
    if offers.is_empty() {
        return Err(operation.fault("it"));
    }
    Ok(offers)
}

/// Nothing at all, to what shows something: it shows nothing of the other tenant, and counts nothing.
fn nothing(operation: &Operation, own: &Side) -> Vec<Offer> {
    if operation.method != "GET" || operation.path.contains('{') {
        return Vec::new();
    }
    let each = own.access.iter().map(|token| {
        let ask = operation.ask("").bearer(token);
        offer("nothing", ["", ""], Expected::Unmoved, [ask.clone(), ask])
    });
    each.collect()
}

/// What is refused under the path of the other tenant, beside that of a tenant that does not exist.
fn nowhere(offers: &[Offer], other: &Side) -> Vec<Offer> {
    let there = format!("/t/{}/", other.tenant.schema);
    let beside = |made: &Offer| {
        let rest = made.foreign.path.strip_prefix(&there)?;
        let named = |(name, _): &(&str, String)| *name == "x-tenant";
        if made.foreign.headers.iter().any(named) || made.expected == Expected::Alike {
            return None;
        }
        let mut never = made.foreign.clone();
        never.path = format!("/t/nowhere/{rest}");
        let what = format!("{}, or that of nobody", made.what);
        let asks = [made.foreign.clone(), never];
        Some(offer(&what, ["", ""], made.expected, asks))
    };
    offers.iter().filter_map(beside).collect()
}

/// Access tokens, where another tenant is named.
fn bearers(operation: &Operation, own: &Side, other: &Side) -> Result<Vec<Offer>, String> {
    let mut offers = Vec::new();
    let [mut ids, theirs] = [operation.ids(own)?, operation.ids(other)?];
    ids.truncate(1);
    ids.extend(theirs.first());
    let none = String::new();
    if ids.is_empty() {
        ids.push(&none);
    }
    for place in places(other) {
        for token in &own.access {
            for id in &ids {
                let ask = place.at(operation.ask(id));
                let forged = forged(token);
                let asks = [token, &forged].map(|token| ask.clone().bearer(token));
                let what = format!("an access token {}", place.name());
                offers.push(offer(&what, ["", ""], Expected::Refused(&[401]), asks));
            }
        }
    }
    Ok(offers)
}

/// The ids of another tenant, to those who are in their own.
fn ids(operation: &Operation, own: &Side, other: &Side) -> Result<Vec<Offer>, String> {
    let mut offers = Vec::new();
    let home = format!("/t/{}", own.tenant.schema);
    for id in operation.ids(other)? {
        for token in &own.access {
            let differing = [id.as_str(), NOBODY];
            let here = differing.map(|id| operation.ask(id).bearer(token));
            let bare = here.clone().map(Ask::bare);
            let mut named = here.clone();
            for ask in &mut named {
                ask.path.insert_str(0, &home);
            }
            for asks in [here, bare, named] {
                let refused = Expected::Refused(&[403, 404]);
                offers.push(offer("an id", differing, refused, asks));
            }
        }
    }
    Ok(offers)
}

/// The schema name of another tenant in the path, where tenants have what others have not.
fn schema_name(operation: &Operation, other: &Side) -> Offer {
    let differing = [other.tenant.schema.as_str(), "nowhere"];
    let asks = differing.map(|schema| {
        let path = operation.path.replace("{schema}", schema);
        Ask::new(&operation.method, &path)
    });
    offer(
        "its schema name",
        differing,
        Expected::Refused(&[404]),
        asks,
    )
}

fn parameter(
    operation: &Operation,
    name: &str,
    own: &Side,
    other: &Side,
) -> Result<Vec<Offer>, String> {
    let theirs = |what: &str| other.tenant.own(what);
    let (values, expected): (Vec<[String; 2]>, _) = match name {
        "email_verified" | "from" | "is_active" | "limit" | "to" | "type" => return Ok(Vec::new()),
        "actor" | "user" => (beside(&other.users, NOBODY), Expected::Alike),
        "after" | "search" if operation.path == TENANTS => {
            let names = beside(core::slice::from_ref(&other.tenant.schema), "nowhere");
            (names, Expected::Refused(&[403]))
        }
        "after" | "before" => {
            let cursor = &other.cursors[&operation.path];
            (vec![[cursor.clone(), made_up(cursor)]], Expected::Alike)
        }
        "role" | "search" => {
            let names = ["role", "eve", "ute"].map(theirs).to_vec();
            (beside(&names, "somebody-else"), Expected::Alike)
        }
        "tenant" => {
            let tenant = &other.tenant;
            let upper = tenant.name.to_uppercase();
            let names = [tenant.name.clone(), tenant.schema.clone(), upper].to_vec();
            let mut values = beside(&names, "nowhere");
            values.push([other.id.clone(), NOBODY.to_owned()]);
            (values, Expected::Refused(&[403]))
        }
        _ => return Err(operation.fault(&format!("its parameter {name}"))),
    };
    // Whoever there is in the path, it is of the tenant in question.
    let id = operation.ids(other)?.first().map_or("", |id| id.as_str());
    let offers = values.iter().map(|values| {
        let differing = [values[0].as_str(), values[1].as_str()];
        let ask = operation.ask(id).bearer(&own.access[0]);
        let asks = differing.map(|value| ask.clone().query(name, value));
        offer(&format!("as {name}"), differing, expected, asks)
    });
    Ok(offers.collect())
}

pub(super) fn offer(what: &str, differing: [&str; 2], expected: Expected, asks: [Ask; 2]) -> Offer {
    let [foreign, never] = asks;
    let differing = differing.map(str::to_owned);
    Offer {
        what: what.to_owned(),
        foreign,
        never,
        expected,
        differing: if differing[0] == differing[1] {
            [NOTHING; 2].map(str::to_owned)
        } else {
            differing
        },
    }
}

/// Each, beside what does not exist.
fn beside(values: &[String], never: &str) -> Vec<[String; 2]> {
    let pair = |value: &String| [value.clone(), never.to_owned()];
    values.iter().map(pair).collect()
}

/// The place of nothing right beside that of the cursor; a bare number has none beside it.
fn made_up(cursor: &str) -> String {
    if cursor.bytes().all(|byte| byte.is_ascii_digit()) {
        return cursor.to_owned();
    }
    let end = if cursor.ends_with('0') { "1" } else { "0" };
    format!("{}{end}", &cursor[..cursor.len() - 1])
}

/// The token with a signature that nobody made.
pub(super) fn forged(token: &str) -> String {
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let first = if signature.starts_with('A') { 'B' } else { 'A' };
    format!("{signed}.{first}{}", &signature[1..])
}

/// Use cases that want nothing and tell everybody the same.
const FOR_EVERYBODY: [&str; 9] = [
    "asyncapi",
    "authHealth",
    "discovery",
    "health",
    "jwks",
    "live",
    "metrics",
    "ready",
    "schema",
];
/// An id that nothing has.
const NOBODY: &str = "019ac0de-7b1a-7c3e-9f00-3f2a6b1c9d10";
/// Below which tenants are administered.
pub(super) const TENANTS: &str = "/api/admin/tenants/";
/// In no answer.
const NOTHING: &str = "\u{0}";
