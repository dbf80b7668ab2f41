//! The document is valid, complete, and says what is sent.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use jsonschema::Validator;
use serde_json::{Value, json};
use tessera_wire::{asyncapi, routing_key, with_position};

#[test]
fn file_and_document_are_valid_async_api() {
    let official = read("tests/asyncapi-spec/3.0.0.json");
    let validator = jsonschema::draft7::new(&official).unwrap();
    for document in [read("asyncapi.json"), document()] {
        let errors = validator.iter_errors(&document);
        let errors: Vec<String> = errors.map(|error| error.to_string()).collect();
        assert_eq!(errors, Vec::<String>::new());
    }
}

#[test]
fn the_document_refers_to_nothing_outside_itself_and_to_nothing_missing() {
    let document = document();
    let references = references(&document);
    assert!(references.len() > types().len());
    for reference in references {
        let pointer = reference.strip_prefix('#').expect(reference);
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
}

#[test]
fn the_document_has_every_schema_under_its_name() {
    let schemas = &document()["components"]["schemas"];
    let mut expected = names("schemas");
    assert!(expected.insert("Headers".to_owned()));
    assert_eq!(keys(schemas), expected);
    for (name, schema) in schemas.as_object().unwrap() {
        assert_eq!(schema["title"], **name);
        assert!(schema.get("$schema").is_none(), "{name}");
    }
}

#[test]
fn each_type_has_a_message_and_no_message_is_left_over() {
    let document = document();
    let channel = &document["channels"]["user-events"]["messages"];
    assert_eq!(keys(&document["components"]["messages"]), types());
    assert_eq!(keys(channel), types());
    for event_type in types() {
        let message = json!({"$ref": format!("#/components/messages/{event_type}")});
        assert_eq!(channel[&event_type], message);
    }
    let sent: Vec<Value> = types()
        .iter()
        .map(|name| json!({"$ref": format!("#/channels/user-events/messages/{name}")}))
        .collect();
    assert_eq!(
        document["operations"]["sendUserEvents"]["messages"],
        json!(sent)
    );
}

#[test]
fn a_message_says_what_is_sent() {
    let document = document();
    for event_type in types() {
        let message = &document["components"]["messages"][&event_type];
        assert_eq!(message["name"], *event_type);
        assert_eq!(message["contentType"], "application/cloudevents+json");
        assert_eq!(message["x-routing-key"], routing_key(&event_type));
        let schema = format!("#/components/schemas/{event_type}");
        assert_eq!(message["payload"], json!({"$ref": schema}));
        let schema = document.pointer(&schema[1..]).unwrap();
        assert_eq!(message["summary"], schema["description"]);
    }
}

#[test]
fn the_example_of_a_message_is_the_golden_file() {
    let document = document();
    for event_type in types() {
        let example = &document["components"]["messages"][&event_type]["examples"][0]["payload"];
        let position = example["position"].as_str().unwrap().parse().unwrap();
        let golden = text(&format!("golden/{event_type}.json"));
        let sent = with_position(golden.trim_end(), position);
        assert_eq!(example, &serde_json::from_str::<Value>(&sent).unwrap());
    }
}

/// `AsyncAPI` reads a schema that names no format as one of draft 7.
#[test]
fn the_schemas_of_the_document_judge_as_draft_7_like_their_files() {
    let document = document();
    for sent in types() {
        let mut event = document["components"]["messages"][&sent]["examples"][0]["payload"].clone();
        for described in types() {
            let suits = validator(&document, &described).is_valid(&event);
            assert_eq!(suits, sent == described, "{sent} as {described}");
        }
        event.as_object_mut().unwrap().remove("sequence");
        assert!(!validator(&document, &sent).is_valid(&event), "{sent}");
    }
}

#[test]
fn the_headers_repeat_what_is_in_the_event_but_its_data() {
    let document = document();
    let headers = &document["components"]["schemas"]["Headers"]["properties"];
    let event = &document["components"]["messages"]["UserCreated"]["examples"][0]["payload"];
    let mut expected: BTreeSet<String> = keys(event)
        .iter()
        .filter(|name| !["data", "datacontenttype"].contains(&name.as_str()))
        .map(|name| format!("ce_{name}"))
        .collect();
    for name in &expected {
        assert_eq!(
            headers[name]["examples"],
            json!([event[&name[3..]]]),
            "{name}"
        );
    }
    expected.extend(["content-type", "tessera-replay"].map(str::to_owned));
    assert_eq!(keys(headers), expected);
}

#[test]
fn the_page_for_consumers_shows_an_event_and_names_all_that_may_come() {
    let page = text("../../docs/events.md");
    let document = document();
    let (_, block) = page.split_once("```json").unwrap();
    let (shown, _) = block.split_once("```").unwrap();
    let shown: Value = serde_json::from_str(shown).unwrap();
    let messages = &document["components"]["messages"];
    assert_eq!(shown, messages["UserCreated"]["examples"][0]["payload"]);
    for event_type in types() {
        let start = format!("| `{event_type}` | `{}` |", routing_key(&event_type));
        let row = page.lines().find(|line| line.starts_with(&start));
        let row = row.expect(&event_type);
        let data = &document["components"]["schemas"][&event_type]["properties"]["data"];
        for (name, member) in data["properties"].as_object().into_iter().flatten() {
            assert!(row.contains(&format!("`{name}`")), "{event_type}: {name}");
            for value in member["enum"].as_array().into_iter().flatten() {
                let value = value.as_str().unwrap();
                assert!(
                    page.contains(&format!("`{value}`")),
                    "{event_type}: {value}"
                );
            }
        }
    }
}

#[test]
fn the_document_has_the_version_of_the_crate() {
    assert_eq!(document()["info"]["version"], env!("CARGO_PKG_VERSION"));
}

fn validator(document: &Value, event_type: &str) -> Validator {
    let schema = json!({
        "allOf": [{"$ref": format!("#/components/schemas/{event_type}")}],
        "components": document["components"],
    });
    jsonschema::draft7::options()
        .should_validate_formats(true)
        .build(&schema)
        .unwrap()
}

fn document() -> Value {
    serde_json::from_str(&asyncapi()).unwrap()
}

fn references(value: &Value) -> Vec<&str> {
    match value {
        Value::Array(values) => values.iter().flat_map(references).collect(),
        Value::Object(members) => {
            let own = members.get("$ref").and_then(Value::as_str);
            own.into_iter()
                .chain(members.values().flat_map(references))
                .collect()
        }
        Value::Bool(_) | Value::Null | Value::Number(_) | Value::String(_) => Vec::new(),
    }
}

fn types() -> BTreeSet<String> {
    names("golden")
}

fn names(folder: &str) -> BTreeSet<String> {
    fs::read_dir(path(folder))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect()
}

fn keys(object: &Value) -> BTreeSet<String> {
    object.as_object().unwrap().keys().cloned().collect()
}

fn read(file: &str) -> Value {
    serde_json::from_str(&text(file)).unwrap()
}

fn text(file: &str) -> String {
    fs::read_to_string(path(file)).unwrap()
}

fn path(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(file)
}
