//! JSON objects whose members keep the order in which they are written.

use serde_json::Value;

/// A JSON object in the making.
///
/// It is written member by member, so that its bytes depend on no feature of a library and
/// writing it cannot fail.
pub(crate) struct Object(String);

impl Object {
    pub(crate) fn new() -> Self {
        Self(String::from("{"))
    }

    pub(crate) fn text(self, name: &str, text: &str) -> Self {
        self.member(name, &Value::from(text).to_string())
    }

    pub(crate) fn optional(self, name: &str, text: Option<&str>) -> Self {
        self.member(name, &Value::from(text).to_string())
    }

    pub(crate) fn texts(self, name: &str, texts: &[String]) -> Self {
        self.member(name, &Value::from(texts).to_string())
    }

    pub(crate) fn number(self, name: &str, number: u64) -> Self {
        self.member(name, &number.to_string())
    }

    pub(crate) fn flag(self, name: &str, flag: bool) -> Self {
        self.member(name, if flag { "true" } else { "false" })
    }

    pub(crate) fn optional_number(self, name: &str, number: Option<u64>) -> Self {
        self.member(name, &Value::from(number).to_string())
    }

    pub(crate) fn object(self, name: &str, object: Self) -> Self {
        self.member(name, &object.finish())
    }

    pub(crate) fn finish(mut self) -> String {
        self.0.push('}');
        self.0
    }

    fn member(mut self, name: &str, value: &str) -> Self {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        self.0.push_str(&Value::from(name).to_string());
        self.0.push(':');
        self.0.push_str(value);
        self
    }
}
