use proptest::prelude::*;

use super::*;

fn refusal(bytes: &[u8]) -> &'static str {
    match object(bytes) {
        Err(Problem::MalformedBody(why)) => why,
        other => panic!("{other:?}"),
    }
}

fn text(bytes: &[u8], name: &'static str) -> String {
    object(bytes)
        .unwrap()
        .read(|input| input.required_secret(name))
        .unwrap()
}

#[test]
fn the_members_of_an_object_are_fields() {
    let body = br#" {"email": "a@b.example", "list": [1, -2.5, true, {"x": null}], "password": " p\u00e4\ud83d\ude00 "} "#;
    assert_eq!(text(body, "email"), "a@b.example");
    assert_eq!(text(body, "password"), " p\u{e4}\u{1f600} ");
}

#[test]
fn a_name_comes_once_at_every_level() {
    for twice in [
        r#"{"a":1,"a":2}"#,
        r#"{"a":1,"\u0061":1}"#,
        r#"{"a":{"b":1,"b":1}}"#,
        r#"{"a":[{"b":{"c":1,"d":2,"c":3}}]}"#,
    ] {
        assert_eq!(refusal(twice.as_bytes()), DUPLICATE, "{twice}");
    }
    assert!(object(br#"{"a":{"a":1},"b":{"a":1}}"#).is_ok());
}

#[test]
fn what_no_text_can_hold_is_refused_wherever_it_stands() {
    for lone in [r"\ud800", r"\udfff", r"\ud800\ud800", r"\ud800x", r"\ud8"] {
        for body in [
            format!(r#"{{"a":"{lone}"}}"#),
            format!(r#"{{"{lone}":1}}"#),
            format!(r#"{{"unknown":{{"b":["{lone}"]}}}}"#),
        ] {
            assert_eq!(refusal(body.as_bytes()), NOT_JSON, "{body}");
        }
    }
    for body in [
        r#"{"a":"x\u0000"}"#,
        r#"{"\u0000":1}"#,
        r#"{"a":[{"b\u0000":1}]}"#,
    ] {
        assert_eq!(refusal(body.as_bytes()), NUL, "{body}");
    }
    assert_eq!(refusal(b"{\"a\":\"\0\"}"), NOT_JSON);
}

#[test]
fn what_is_not_utf_8_is_refused() {
    for bytes in [
        &b"{\"a\":\"\xff\"}"[..],
        b"{\"a\":\"\xed\xa0\x80\"}",
        b"{\"a\":\"\xc0\x80\"}",
        b"\xff",
    ] {
        assert_eq!(refusal(bytes), "The body is not UTF-8.");
    }
}

#[test]
fn what_is_not_one_object_is_refused() {
    for other in ["[]", "1", "\"a\"", "true", "null", "-1", "1.5"] {
        assert_eq!(
            refusal(other.as_bytes()),
            "The body is not a JSON object.",
            "{other}"
        );
    }
    for broken in [
        "{",
        "{}x",
        "{} {}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{a:1}",
        "{'a':1}",
        "",
        " ",
        "{\"a\":01}",
        "{\"a\":NaN}",
        "{\"a\":1e999}",
        "{\"a\":\"\n\"}",
        "\u{feff}{}",
        "// x\n{}",
    ] {
        assert_eq!(refusal(broken.as_bytes()), NOT_JSON, "{broken:?}");
    }
}

#[test]
fn nesting_has_a_limit() {
    let nested = |open: &str, close: &str, depth: usize| {
        let inner = depth - 1;
        format!("{{\"a\":{}1{}}}", open.repeat(inner), close.repeat(inner))
    };
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        assert!(object(nested(open, close, 32).as_bytes()).is_ok());
        let deeper = nested(open, close, 33);
        assert_eq!(refusal(deeper.as_bytes()), "The body is nested too deeply.");
    }
    assert_eq!(
        refusal("[".repeat(60_000).as_bytes()),
        "The body is not a JSON object."
    );
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = object(&bytes);
    }

    #[test]
    fn nearly_json_is_json_or_refused(text in r#"[{}\[\],:"\\ua0-9d8 -]{0,60}"#) {
        if object(text.as_bytes()).is_ok() {
            prop_assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok());
        }
    }

    #[test]
    fn a_text_comes_out_as_it_went_in(value in "[^\0]{1,80}") {
        let body = serde_json::json!({"a": value}).to_string();
        prop_assert_eq!(text(body.as_bytes(), "a"), value);
    }
}
