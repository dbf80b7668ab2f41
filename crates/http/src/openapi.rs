//! The OpenAPI document: what paperclip records of the handlers, finished with what it cannot say.
//!
//! Paperclip knows the fields of bodies and answers. It does not know bearer security, problem
//! details, other media types or examples; [`finish`] adds them, from the notes in
//! `openapi/operations.json`. An operation without a note is refused by a test.

use std::sync::OnceLock;

use actix_web::App;
use paperclip::actix::{OpenApiExt, web};
use serde_json::{Map, Value, json};

use crate::caller::BEARER_SCHEME;
use crate::routes::endpoints;

/// The document as text, made once.
pub(crate) fn served(version: &str) -> &'static str {
    static DOCUMENT: OnceLock<String> = OnceLock::new();
    DOCUMENT.get_or_init(|| document(version).to_string())
}

/// The OpenAPI 3 document of this version of the service.
pub fn document(version: &str) -> Value {
    let mut recorded = Value::Null;
    let mut app = App::new().wrap_api();
    for endpoint in endpoints() {
        for path in endpoint.paths {
            let resource = web::resource(path);
            let verbs = endpoint.verbs.iter();
            app = app.service(verbs.fold(resource, |it, verb| it.route((verb.documented)())));
        }
    }
    let _built = app.with_raw_json_spec_v3(|app, spec| {
        recorded = spec;
        app
    });
    finish(recorded, version)
}

fn finish(mut document: Value, version: &str) -> Value {
    let notes: Map<String, Value> = serde_json::from_str(NOTES).unwrap_or_default();
    if let Some(paths) = document.get_mut("paths").and_then(Value::as_object_mut) {
        for (path, item) in paths.iter_mut() {
            for (method, operation) in item.as_object_mut().into_iter().flatten() {
                if METHODS.contains(&method.as_str()) {
                    finish_operation(operation, path, &notes);
                }
            }
        }
        paths.values_mut().for_each(allow_null);
    }
    let schemas = document.pointer_mut("/components/schemas").map(|schemas| {
        allow_null(schemas);
        let settings = schemas.pointer_mut("/SettingsFields/properties");
        let settings = settings.and_then(Value::as_object_mut);
        settings
            .into_iter()
            .flat_map(Map::values_mut)
            .for_each(nullable);
        schemas.take()
    });
    let schemas = schemas.unwrap_or_else(|| json!({}));
    let paths = document.get("paths").cloned().unwrap_or_else(|| json!({}));
    json!({
        "openapi": "3.0.3",
        "info": {
            "title": "Tessera",
            "version": version,
            "description": DESCRIPTION,
            "license": {"name": "MIT OR Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": TAGS.map(|(name, description)| json!({"name": name, "description": description})),
        "paths": paths,
        "components": {
            "schemas": with_problem(schemas),
            "securitySchemes": {
                BEARER_SCHEME: {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "The access token of a log in or a refresh.",
                },
            },
        },
    })
}

fn finish_operation(operation: &mut Value, path: &str, notes: &Map<String, Value>) {
    let Some(operation) = operation.as_object_mut() else {
        return;
    };
    let id = operation
        .get("operationId")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    let note = notes.get(&id).unwrap_or(&Value::Null);
    finish_request(operation, note);
    finish_responses(operation, note);
    let secured = note.get("bearer").and_then(Value::as_bool) == Some(true);
    let optional = note.get("bearer").and_then(Value::as_str) == Some("optional");
    let bearer = json!({BEARER_SCHEME: []});
    operation.insert(
        "security".to_owned(),
        match (secured, optional) {
            (true, _) => json!([bearer]),
            (false, true) => json!([bearer, {}]),
            (false, false) => json!([]),
        },
    );
    if note.get("tenant").and_then(Value::as_bool) == Some(true) {
        let parameters = operation.entry("parameters").or_insert_with(|| json!([]));
        if let Some(parameters) = parameters.as_array_mut() {
            parameters.push(json!({
                "name": "X-Tenant",
                "in": "header",
                "required": false,
                "description": "The tenant, by its name or schema name.",
                "schema": {"type": "string"},
            }));
        }
    }
    if !endpoints().iter().any(|it| it.paths.first() == Some(&path)) {
        let words = path.split(|c: char| !c.is_ascii_alphanumeric());
        let unique = words
            .filter(|word| !word.is_empty())
            .fold(format!("{id}At"), |id, word| format!("{id}_{word}"));
        operation.insert("operationId".to_owned(), json!(unique));
    }
}

/// Members that are always there, and null where there is nothing to show.
fn allow_null(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            if let Some(Value::Object(properties)) = members.get_mut("properties") {
                for (name, property) in properties {
                    if NULLABLE.contains(&name.as_str()) {
                        nullable(property);
                    }
                }
            }
            members.values_mut().for_each(allow_null);
        }
        Value::Array(items) => items.iter_mut().for_each(allow_null),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn nullable(property: &mut Value) {
    if let Some(property) = property.as_object_mut() {
        property.insert("nullable".to_owned(), json!(true));
    }
}

/// Every body is read as JSON, as a form and as multipart.
fn finish_request(operation: &mut Map<String, Value>, note: &Value) {
    let Some(Value::Object(body)) = operation.get_mut("requestBody") else {
        return;
    };
    let optional = note.get("optional_body").and_then(Value::as_bool) == Some(true);
    body.insert("required".to_owned(), json!(!optional));
    let Some(content) = body.get_mut("content") else {
        return;
    };
    let schema = content
        .as_object()
        .and_then(|types| types.values().next())
        .and_then(|media| media.get("schema"))
        .cloned()
        .unwrap_or_else(|| json!({"type": "object"}));
    let example = note.get("request").cloned().unwrap_or_else(|| json!({}));
    let media = json!({"schema": schema, "example": example});
    *content = json!({
        "application/json": media,
        "application/x-www-form-urlencoded": media,
        "multipart/form-data": media,
    });
}

fn finish_responses(operation: &mut Map<String, Value>, note: &Value) {
    let schema = operation
        .get("responses")
        .and_then(|responses| responses.pointer("/200/content"))
        .and_then(Value::as_object)
        .and_then(|types| types.values().next())
        .and_then(|media| media.get("schema"))
        .cloned();
    let status = note
        .get("status")
        .and_then(Value::as_u64)
        .unwrap_or(200)
        .to_string();
    let media_type = note
        .get("media_type")
        .and_then(Value::as_str)
        .unwrap_or("application/json");
    let mut success = json!({
        "description": note.get("answer").cloned().unwrap_or_else(|| json!("Done.")),
        "headers": {"X-Request-Id": request_id_header()},
    });
    if let (Some(schema), Some(success)) = (schema, success.as_object_mut())
        && status != "204"
    {
        let example = note.get("response").cloned().unwrap_or_else(|| json!({}));
        let content = json!({media_type: {"schema": schema, "example": example}});
        success.insert("content".to_owned(), content);
    }
    let mut responses = Map::new();
    if let Some(also) = note.get("also").and_then(Value::as_u64) {
        responses.insert(also.to_string(), success.clone());
    }
    responses.insert(status, success);
    let problems = note.get("problems").and_then(Value::as_array);
    for problem in problems.into_iter().flatten().filter_map(Value::as_u64) {
        let response = problem_response(problem, note);
        responses.insert(problem.to_string(), response);
    }
    operation.insert("responses".to_owned(), Value::Object(responses));
}

fn problem_response(status: u64, note: &Value) -> Value {
    let refused = note.get("refused").and_then(Value::as_str);
    let special = PROBLEMS
        .iter()
        .find(|it| it.0 == status && Some(it.2) == refused);
    let known = special.or_else(|| PROBLEMS.iter().find(|it| it.0 == status));
    let (_, title, code, detail) = known.copied().unwrap_or((status, "Error", "error", ""));
    let mut headers = json!({"X-Request-Id": request_id_header()});
    if let Some(headers) = headers.as_object_mut() {
        match status {
            401 => {
                let challenge = json!({"schema": {"type": "string"}, "description": "RFC 6750."});
                headers.insert("WWW-Authenticate".to_owned(), challenge);
            }
            429 | 503 => {
                let seconds = json!({"schema": {"type": "integer"}, "description": "Seconds."});
                headers.insert("Retry-After".to_owned(), seconds);
                if status == 429 {
                    for name in ["RateLimit", "RateLimit-Policy"] {
                        let standing = json!({
                            "schema": {"type": "string"},
                            "description": "draft-ietf-httpapi-ratelimit-headers.",
                        });
                        headers.insert(name.to_owned(), standing);
                    }
                }
            }
            _ => {}
        }
    }
    json!({
        "description": title,
        "headers": headers,
        "content": {
            "application/problem+json": {
                "schema": {"$ref": "#/components/schemas/Problem"},
                "example": {
                    "type": "about:blank",
                    "title": title,
                    "status": status,
                    "detail": detail,
                    "instance": "/api/…",
                    "code": code,
                },
            },
        },
    })
}

fn request_id_header() -> Value {
    json!({"schema": {"type": "string"}, "description": "Names the request in the log."})
}

fn with_problem(mut schemas: Value) -> Value {
    if let Some(schemas) = schemas.as_object_mut() {
        schemas.insert(
            "Problem".to_owned(),
            json!({
                "type": "object",
                "description": "Why a request failed (RFC 9457). Input problems also have a \
                    member a field, with the list of its texts.",
                "required": ["type", "title", "status", "detail", "instance", "code"],
                "properties": {
                    "type": {"type": "string"},
                    "title": {"type": "string"},
                    "status": {"type": "integer"},
                    "detail": {"type": "string"},
                    "instance": {"type": "string"},
                    "code": {"type": "string", "description": "Stable; for programs."},
                    "errors": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "required": ["pointer", "detail"],
                            "properties": {
                                "pointer": {"type": "string"},
                                "detail": {"type": "string"},
                            },
                        },
                    },
                    "messages": {"type": "array", "items": {"type": "object"}},
                },
                "additionalProperties": true,
            }),
        );
    }
    schemas
}

const DESCRIPTION: &str = "Proves who a user is, and issues JWTs that other services verify by \
    themselves with the keys of `/.well-known/jwks.json`.\n\nEvery path is served with and without \
    its final slash, and under `/t/{tenant}/` for one tenant. Where a path has several spellings, \
    they are one and the same.";
const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];
const NOTES: &str = include_str!("openapi/operations.json");
const NULLABLE: [&str; 18] = [
    "access_seconds",
    "email",
    "ip",
    "last_login",
    "mail_from",
    "moving_to",
    "next",
    "next_try",
    "oldest_seconds",
    "parked_at",
    "password_chars",
    "primary_domain",
    "reason",
    "refresh_seconds",
    "registration",
    "role",
    "user_agent",
    "username",
];
const PROBLEMS: [(u64, &str, &str, &str); 8] = [
    (
        400,
        "Bad Request",
        "invalid_input",
        "The request has invalid fields.",
    ),
    (
        401,
        "Unauthorized",
        "token_not_valid",
        "Given token not valid for any token type",
    ),
    (
        401,
        "Unauthorized",
        "invalid_credentials",
        "No active account found with the given credentials",
    ),
    (
        401,
        "Unauthorized",
        "insufficient_user_authentication",
        "This needs a recent log in: log in again.",
    ),
    (
        403,
        "Forbidden",
        "permission_denied",
        "You do not have permission to perform this action.",
    ),
    (404, "Not Found", "not_found", "Not found."),
    (
        429,
        "Too Many Requests",
        "too_many_requests",
        "Request was throttled. Expected available in 7 seconds.",
    ),
    (
        503,
        "Service Unavailable",
        "unavailable",
        "Not available at the moment; try again soon.",
    ),
];
const TAGS: [(&str, &str); 7] = [
    ("Tokens", "Obtain, refresh and validate tokens."),
    ("Account", "What a user does with the own account."),
    ("Sessions", "Log out, and see where one is logged in."),
    ("Administration", "What administrators see and do."),
    ("Keys", "What others verify tokens with."),
    ("Health", "Whether the service lives and can serve."),
    (
        "Reference",
        "This document, that of the events, and the metrics.",
    ),
];
