//! The `AsyncAPI` document: what consumers may expect of each type of event.

use serde_json::{Map, Value};

/// The `AsyncAPI` 3.0 document, as JSON that refers to nothing outside itself.
///
/// It is `asyncapi.json` with each file of `schemas` under `components/schemas`. What those use of
/// JSON Schema 2020-12 means the same in draft 7, which is how `AsyncAPI` reads a schema.
pub fn asyncapi() -> String {
    let mut document = parse(include_str!("../asyncapi.json"));
    let schemas = document.pointer_mut("/components/schemas");
    if let Some(schemas) = schemas.and_then(Value::as_object_mut) {
        schemas.extend(SCHEMAS.map(embedded));
    }
    refer_within(&mut document);
    format!("{document:#}")
}

/// The schema by its name, without what only the root of a document may say.
fn embedded(text: &str) -> (String, Value) {
    let mut schema = parse(text);
    if let Some(members) = schema.as_object_mut() {
        members.remove("$schema");
    }
    let name = schema.get("title").and_then(Value::as_str);
    (name.unwrap_or_default().to_owned(), schema)
}

/// Makes each reference to a file of `schemas` one to the schema of that name in the document.
fn refer_within(value: &mut Value) {
    match value {
        Value::Array(values) => values.iter_mut().for_each(refer_within),
        Value::Object(members) => refer_members_within(members),
        Value::Bool(_) | Value::Null | Value::Number(_) | Value::String(_) => {}
    }
}

fn refer_members_within(members: &mut Map<String, Value>) {
    members.values_mut().for_each(refer_within);
    if let Some(Value::String(reference)) = members.get_mut("$ref")
        && let Some(file) = reference.strip_suffix(".json")
    {
        let name = file.strip_prefix("schemas/").unwrap_or(file);
        *reference = format!("#/components/schemas/{name}");
    }
}

/// The tests read every file, so none that is not JSON gets here.
fn parse(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_default()
}

const SCHEMAS: [&str; 32] = [
    include_str!("../schemas/CloudEvent.json"),
    include_str!("../schemas/LoginFailed.json"),
    include_str!("../schemas/PasswordChanged.json"),
    include_str!("../schemas/PasswordResetRequested.json"),
    include_str!("../schemas/RefreshReused.json"),
    include_str!("../schemas/RegistrationRepeated.json"),
    include_str!("../schemas/RolesChanged.json"),
    include_str!("../schemas/SessionEnded.json"),
    include_str!("../schemas/SigningKeyRetired.json"),
    include_str!("../schemas/SigningKeyRotated.json"),
    include_str!("../schemas/TenantCreated.json"),
    include_str!("../schemas/TenantDeleted.json"),
    include_str!("../schemas/TenantDeletionStarted.json"),
    include_str!("../schemas/TenantDomainAdded.json"),
    include_str!("../schemas/TenantDomainRemoved.json"),
    include_str!("../schemas/TenantMoveStarted.json"),
    include_str!("../schemas/TenantMoved.json"),
    include_str!("../schemas/TenantPrimaryDomainChanged.json"),
    include_str!("../schemas/TenantRenamed.json"),
    include_str!("../schemas/TenantResumed.json"),
    include_str!("../schemas/TenantSettingsChanged.json"),
    include_str!("../schemas/TenantSuspended.json"),
    include_str!("../schemas/UserCreated.json"),
    include_str!("../schemas/UserDeleted.json"),
    include_str!("../schemas/UserDisabled.json"),
    include_str!("../schemas/UserEmailChanged.json"),
    include_str!("../schemas/UserEmailVerified.json"),
    include_str!("../schemas/UserEnabled.json"),
    include_str!("../schemas/UserLocked.json"),
    include_str!("../schemas/UserLoggedIn.json"),
    include_str!("../schemas/UserProfileChanged.json"),
    include_str!("../schemas/UserUnlocked.json"),
];
