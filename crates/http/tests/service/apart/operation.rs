//! The operations of the document, and what of a tenant each has room for.

use serde_json::{Map, Value};

use super::ask::Ask;
use super::side::Side;

/// An operation of the document.
pub(crate) struct Operation {
    pub(crate) method: String,
    pub(crate) path: String,
    id: String,
    said: Value,
    /// The fields of its body.
    pub(super) fields: Vec<String>,
}

/// All operations of the document.
pub(crate) fn operations(document: &Value) -> Vec<Operation> {
    let paths = document["paths"].as_object().unwrap();
    let each = paths.iter().flat_map(|(path, item)| {
        let verbs = item.as_object().unwrap().iter();
        verbs.map(move |(method, said)| Operation {
            method: method.to_uppercase(),
            path: path.clone(),
            id: said["operationId"].as_str().unwrap().to_owned(),
            fields: fields(document, said),
            said: said.clone(),
        })
    });
    each.collect()
}

fn fields(document: &Value, said: &Value) -> Vec<String> {
    let mut schema = &said["requestBody"]["content"]["application/json"]["schema"];
    if let Some(reference) = schema["$ref"].as_str() {
        schema = document.pointer(&reference[1..]).unwrap();
    }
    let names = schema["properties"].as_object();
    names.map_or_else(Vec::new, |names| names.keys().cloned().collect())
}

impl Operation {
    pub(crate) fn named(&self) -> String {
        format!("{} {} ({})", self.method, self.path, self.id)
    }

    /// The names of its parameters that are in the path, the query or the header.
    pub(crate) fn parameters(&self, place: &str) -> Vec<String> {
        let all = self.said["parameters"].as_array().into_iter().flatten();
        let there = all.filter(|one| one["in"] == place);
        there
            .map(|one| one["name"].as_str().unwrap().to_owned())
            .collect()
    }

    /// The use case, which may have several paths.
    pub(super) fn use_case(&self) -> &str {
        self.id.split("At_").next().unwrap_or_default()
    }

    pub(super) fn wants_bearer(&self) -> bool {
        let needs = self.said["security"].as_array().into_iter().flatten();
        needs.into_iter().any(|need| need.get("bearer").is_some())
    }

    pub(super) fn has(&self, field: &str) -> bool {
        self.fields.iter().any(|name| name == field)
    }

    /// The request as the document shows it, without a token, for that `{id}`.
    pub(super) fn ask(&self, id: &str) -> Ask {
        let path = self.path.replace("{id}", id).replace("{domain}", DOMAIN);
        let ask = Ask::new(&self.method, &path);
        let media = &self.said["requestBody"]["content"]["application/json"];
        let Some(shown) = media["example"].as_object() else {
            return ask;
        };
        let shown = shown
            .iter()
            .filter(|(name, _)| !TOKENS.contains(&name.as_str()));
        let body: Map<String, Value> = shown.map(|(k, v)| (k.clone(), v.clone())).collect();
        ask.body(body.into())
    }

    /// What the `{id}` of the path may be, of that tenant: first what belongs there, then the rest.
    pub(super) fn ids<'a>(&self, of: &'a Side) -> Result<Vec<&'a String>, String> {
        let Some((collection, _)) = self.path.split_once("{id}") else {
            return Ok(Vec::new());
        };
        let here = match collection {
            "/api/admin/tenants/" => return Ok(vec![&of.id, &of.tenant.schema]),
            "/api/admin/events/" => &of.events[..],
            "/api/admin/users/" => &of.users,
            "/api/auth/sessions/" => &of.sessions,
            _ => return Err(self.fault("whose id is in its path")),
        };
        let other = [&of.events, &of.users, &of.sessions].map(|ids| &ids[0]);
        let here = here.iter().take(4);
        Ok(here.chain(other).chain([&of.id]).collect())
    }

    pub(super) fn fault(&self, what: &str) -> String {
        let named = self.named();
        format!(
            "{named}: nothing is known of {what}; say in tests/service/apart what of a tenant could be offered there"
        )
    }
}

/// Of whichever tenant the path names.
const DOMAIN: &str = "acme.example";
const TOKENS: [&str; 3] = ["refresh", "refresh_token", "token"];
