//! The document, against its checked-in form and against the routes that exist.

use std::path::Path;

use serde_json::Value;

#[test]
fn the_document_is_the_checked_in_one() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json");
    let checked_in: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let document = tessera_http::document(env!("CARGO_PKG_VERSION"));
    assert!(
        document == checked_in,
        "run `just openapi` and look at what changed"
    );
}
