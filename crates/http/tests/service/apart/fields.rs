//! What is offered in the body of a request.

use serde_json::json;

use super::offers::{Expected, Offer, TENANTS, forged, offer};
use super::operation::Operation;
use super::place::{Place, places, places_for};
use super::side::{Mailed, SHARED, Side};

/// What is offered as that field.
pub(super) fn field(
    operation: &Operation,
    name: &str,
    own: &Side,
    other: &Side,
) -> Result<Vec<Offer>, String> {
    let unknown = || operation.fault(&format!("the field {name} of its body"));
    if operation.path.starts_with(TENANTS) {
        return Ok(of_tenants(operation, name, own, other));
    }
    match name {
        "tenant" if operation.wants_bearer() => tenants(operation, own, other),
        // What says nothing of a tenant, what only comes with something else, and where a tenant is
        // named.
        "first_name"
        | "is_active"
        | "is_superuser"
        | "job_role"
        | "last_name"
        | "new_password"
        | "new_password_confirm"
        | "old_password"
        | "password"
        | "password_confirm"
        | "roles"
        | "tenant"
        | "uid" => Ok(Vec::new()),
        "email" | "username" => match operation.use_case() {
            "login" | "obtainTokenPair" => Ok(credentials(operation, name, own, other)),
            "changeEmail" | "forgotPassword" | "inviteUser" | "register" | "resendVerification" => {
                Ok(names(operation, name, own, other))
            }
            _ => Err(unknown()),
        },
        "refresh" | "refresh_token" => Ok(refreshes(operation, name, own, other)),
        "token" => {
            let mailed = own.mailed.get(operation.use_case()).ok_or_else(unknown)?;
            Ok(mailed_tokens(operation, mailed, own, other))
        }
        _ => Err(unknown()),
    }
}

/// What a tenant is called or has, which is said by administrators of the platform alone.
fn of_tenants(operation: &Operation, name: &str, own: &Side, other: &Side) -> Vec<Offer> {
    let (taken, free) = match name {
        "domain" => (other.tenant.host.clone(), "free.example"),
        "name" | "schema" => (other.tenant.schema.clone(), "free"),
        _ => return Vec::new(),
    };
    let differing = [taken.as_str(), free];
    let asks = |id: &str, token: &str| {
        let ask = operation.ask(id).bearer(token);
        differing.map(|value| ask.clone().field(name, value))
    };
    let ids = [&own.id, &other.id].into_iter();
    let offers = ids.flat_map(|id| own.access.iter().map(move |token| asks(id, token)));
    let refused = Expected::Refused(&[403]);
    offers
        .map(|asks| offer(&format!("as {name}"), differing, refused, asks))
        .collect()
}

/// The name of another tenant, beside a token of one's own.
fn tenants(operation: &Operation, own: &Side, other: &Side) -> Result<Vec<Offer>, String> {
    let id = operation.ids(other)?.first().map_or("", |id| id.as_str());
    let named = [&other.tenant.name, &other.tenant.schema];
    let offers = named.map(|tenant| {
        let differing = [tenant, "nowhere"];
        let ask = operation.ask(id).bearer(&own.access[0]);
        let asks = differing.map(|tenant| ask.clone().field("tenant", tenant));
        offer("as tenant", differing, Expected::Refused(&[401, 403]), asks)
    });
    Ok(offers.into())
}

/// Name and password of another tenant, where the same name has another password, or is none.
fn credentials(operation: &Operation, name: &str, own: &Side, other: &Side) -> Vec<Offer> {
    let home = format!("{}@{}", own.tenant.own("dom"), own.tenant.host);
    let logins = match name {
        "email" => vec![SHARED.to_owned(), home],
        _ => vec!["bob".to_owned(), own.tenant.own("ute")],
    };
    // Each costs a hash: one place of each kind will do, and a login at each.
    let mut places = places_for(operation, other);
    places.dedup_by_key(|place| place.name());
    let asked = places.iter().zip(logins.iter().cycle());
    let offers = asked.map(|(place, login)| {
        let nobody = login.replace("bob", "nobody").replace("-of-", "-not-of-");
        let differing = [login.as_str(), &nobody];
        let asks = differing.map(|login| {
            let body = json!({name: login, "password": own.tenant.password()});
            place.at(operation.ask("").body(body))
        });
        let what = format!("credentials {}", place.name());
        offer(&what, differing, Expected::Refused(&[401]), asks)
    });
    offers.collect()
}

/// Names that are taken, or free, in another tenant.
fn names(operation: &Operation, name: &str, own: &Side, other: &Side) -> Vec<Offer> {
    // By the operation's path and the asker, so that nobody asked for the same name before.
    let free = |end: &str| {
        let path = operation.path.replace('/', "-");
        format!(
            "free{path}of-{}-{}{end}",
            own.tenant.schema, other.tenant.schema
        )
    };
    // For each operation that makes users another, so that none is taken by the one before.
    let taken = other.tenant.own(match operation.path.as_str() {
        "/api/admin/users/" => "pia",
        "/auth/signup/" => "ute",
        _ => "eve",
    });
    let differing = match name {
        "email" => [format!("{taken}@example.org"), free("@example.org")],
        _ => [taken, free("")],
    };
    let at_home = Place::Path(own.tenant.schema.clone());
    let asks = differing.clone().map(|value| {
        let ask = operation.ask("").field(name, &value);
        let ask = match (operation.has("username"), name) {
            (true, "email") => ask.field("username", &value.replace('@', "-at-")),
            (true, _) => ask.field("email", &format!("{value}@elsewhere.example")),
            (false, _) => ask,
        };
        let ask = ask.bearer(&own.access[0]);
        if operation.wants_bearer() {
            ask
        } else {
            at_home.at(ask)
        }
    });
    let differing = [differing[0].as_str(), differing[1].as_str()];
    // In answers they may be written in both ways.
    let mut made = offer(name, differing, Expected::Alike, asks);
    made.differing = made.differing.map(|name| {
        let (name, _) = name.split_once('@').unwrap_or((&name, ""));
        name.to_owned()
    });
    vec![made]
}

/// Refresh tokens, where another tenant is named; in the cookie, too.
fn refreshes(operation: &Operation, name: &str, own: &Side, other: &Side) -> Vec<Offer> {
    let refused = Expected::Refused(&[401]);
    let tokens = [own.refresh.clone(), forged(&own.refresh)];
    let mut offers = Vec::new();
    let mut places = places(other);
    places.push(Place::Field(other.tenant.name.clone()));
    for place in places {
        let asks = tokens.clone().map(|token| {
            let ask = operation.ask("").field(name, &token);
            place.at(ask)
        });
        let what = format!("a refresh token {}", place.name());
        offers.push(offer(&what, ["", ""], refused, asks));
        if name == "refresh_token" && operation.path.starts_with("/api/auth/") {
            let asks = tokens.clone().map(|token| {
                let cookie = format!("refresh_token={token}");
                let ask = operation.ask("").header("cookie", &cookie);
                place.at(ask.header("origin", "https://app.example.com"))
            });
            let what = format!("a refresh token as cookie {}", place.name());
            offers.push(offer(&what, ["", ""], refused, asks));
        }
    }
    if operation.wants_bearer() {
        let asks = tokens.map(|token| {
            let ask = operation.ask("").field(name, &token);
            ask.bearer(&other.access[1])
        });
        offers.push(offer(
            "a refresh token beside an access token",
            ["", ""],
            refused,
            asks,
        ));
    }
    offers
}

/// A token out of a mail, where another tenant is named, in its spelling, and for its user.
fn mailed_tokens(operation: &Operation, mailed: &Mailed, own: &Side, other: &Side) -> Vec<Offer> {
    let void = |schema: &str| format!("{schema}.{}", "0".repeat(64));
    let shown = |token: &str| operation.ask("").field("token", token);
    let (schema, theirs) = (&own.tenant.schema, &other.tenant.schema);
    let mut asked = Vec::new();
    for place in places_for(operation, other) {
        let asks = [mailed.token.clone(), void(schema)].map(|token| place.at(shown(&token)));
        asked.push((format!("a mailed token {}", place.name()), asks));
    }
    let (_, secret) = mailed.token.split_once('.').unwrap();
    let respelt = [format!("{theirs}.{secret}"), void(theirs)];
    asked.push((
        "a mailed token respelt".to_owned(),
        respelt.map(|token| shown(&token)),
    ));
    let uid = &other.mailed[operation.use_case()].uid;
    let both = [mailed.token.clone(), void(schema)].map(|token| shown(&token).field("uid", uid));
    asked.push(("a mailed token with another uid".to_owned(), both));
    let offers = asked.into_iter().map(|(what, asks)| {
        offer(
            &what,
            ["", ""],
            Expected::Refused(&[400, 401, 403, 404]),
            asks,
        )
    });
    offers.collect()
}
