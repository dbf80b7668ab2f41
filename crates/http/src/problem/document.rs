//! How a problem is written down.

use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};

use super::{FieldError, Problem};

/// A problem of a request for one path, as its client reads it: the members of RFC 9457 first.
pub(super) struct Document<'a> {
    problem: &'a Problem,
    instance: &'a str,
}

impl<'a> Document<'a> {
    /// `problem` of a request for `path`.
    pub(super) fn new(problem: &'a Problem, path: &'a str) -> Self {
        let end = path.floor_char_boundary(INSTANCE_LIMIT);
        Self {
            problem,
            instance: path.get(..end).unwrap_or_default(),
        }
    }
}

impl Serialize for Document<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let status = self.problem.status();
        let mut members = serializer.serialize_map(None)?;
        members.serialize_entry("type", "about:blank")?;
        members.serialize_entry("title", status.canonical_reason().unwrap_or("Error"))?;
        members.serialize_entry("status", &status.as_u16())?;
        members.serialize_entry("detail", &self.problem.detail())?;
        members.serialize_entry("instance", self.instance)?;
        members.serialize_entry("code", self.problem.code())?;
        if let Problem::Input(errors) = self.problem {
            members.serialize_entry("errors", &Pointers(errors))?;
            for (at, error) in errors.iter().enumerate() {
                let name = error.member();
                let first = errors.iter().position(|other| other.member() == name) == Some(at);
                if first && !RESERVED.contains(&name) {
                    members.serialize_entry(name, &Texts { errors, name })?;
                }
            }
        }
        if matches!(self.problem, Problem::AccessTokenNotValid) {
            members.serialize_entry("messages", &[ACCESS_TOKEN_MESSAGE])?;
        }
        members.end()
    }
}

/// The errors as RFC 9457 lists them.
struct Pointers<'a>(&'a [FieldError]);

impl Serialize for Pointers<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.0.len()))?;
        for error in self.0 {
            let pointer = error.field.map(|name| format!("#/{name}"));
            list.serialize_element(&Pointer {
                pointer: pointer.as_deref().unwrap_or("#"),
                detail: &error.text,
            })?;
        }
        list.end()
    }
}

#[derive(Serialize)]
struct Pointer<'a> {
    pointer: &'a str,
    detail: &'a str,
}

/// The texts of one field as Django REST framework lists them.
struct Texts<'a> {
    errors: &'a [FieldError],
    name: &'static str,
}

impl Serialize for Texts<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let texts = self.errors.iter().filter(|e| e.member() == self.name);
        serializer.collect_seq(texts.map(|error| &error.text))
    }
}

#[derive(Serialize)]
struct TokenMessage {
    token_class: &'static str,
    token_type: &'static str,
    message: &'static str,
}

const ACCESS_TOKEN_MESSAGE: TokenMessage = TokenMessage {
    token_class: "AccessToken",
    token_type: "access",
    message: "Token is invalid or expired",
};
const INSTANCE_LIMIT: usize = 512;
const RESERVED: [&str; 8] = [
    "code", "detail", "errors", "instance", "messages", "status", "title", "type",
];
