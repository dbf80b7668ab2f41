//! The fields of a request, whatever they were written in, and how a handler takes them.

use core::fmt;
use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::problem::{FieldError, Problem};

/// The fields of a body, each at most once, free of NUL.
#[derive(Default)]
pub(crate) struct Fields(BTreeMap<String, Value>);

/// The value of a field.
pub(crate) enum Value {
    /// A boolean.
    Flag(bool),
    /// A list.
    List(Vec<Value>),
    /// JSON's `null`.
    Null,
    /// A whole number that is not negative.
    Number(u64),
    /// Another number or an object: no field of ours is one.
    Other,
    /// A text.
    Text(String),
}

impl Fields {
    /// Lets `take` take what it needs; whatever it finds wrong is answered at once, all together.
    ///
    /// `take` calls its methods first and uses `?` on what they gave afterwards, so that no wrong
    /// field hides another.
    pub(crate) fn read<T>(self, take: impl FnOnce(&mut Input) -> Option<T>) -> Result<T, Problem> {
        let mut input = Input {
            fields: self.0,
            errors: Vec::new(),
        };
        match take(&mut input) {
            Some(taken) if input.errors.is_empty() => Ok(taken),
            None if input.errors.is_empty() => Err(Problem::internal("input without a reason")),
            Some(_) | None => Err(Problem::Input(input.errors)),
        }
    }
}

impl From<BTreeMap<String, Value>> for Fields {
    fn from(fields: BTreeMap<String, Value>) -> Self {
        Self(fields)
    }
}

/// Names alone: a value may be a password.
impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// A setting of a tenant.
pub(crate) enum Setting<T> {
    /// What the installation says.
    Installation,
    /// The tenant's own.
    Own(T),
}

impl<T> Setting<T> {
    /// The tenant's own, where there is one.
    pub(crate) fn own(&self) -> Option<&T> {
        match self {
            Self::Installation => None,
            Self::Own(own) => Some(own),
        }
    }
}

/// The fields while they are taken, with what was wrong so far.
pub(crate) struct Input {
    fields: BTreeMap<String, Value>,
    errors: Vec<FieldError>,
}

impl Input {
    /// A field that has to be there and not blank, without the blanks around it.
    pub(crate) fn required(&mut self, name: &'static str) -> Option<String> {
        let text = self.required_secret(name)?;
        match text.trim() {
            "" => self.refuse(name, BLANK),
            trimmed if trimmed.len() == text.len() => Some(text),
            trimmed => Some(trimmed.to_owned()),
        }
    }

    /// A field that has to be there and not empty, as it was sent: a password, a token.
    pub(crate) fn required_secret(&mut self, name: &'static str) -> Option<String> {
        match self.fields.remove(name) {
            None => self.missing(name),
            Some(Value::Null) => self.refuse(name, NULL),
            Some(Value::Flag(_) | Value::List(_) | Value::Number(_) | Value::Other) => {
                self.refuse(name, NOT_TEXT)
            }
            Some(Value::Text(text)) if text.is_empty() => self.refuse(name, BLANK),
            Some(Value::Text(text)) => Some(text),
        }
    }

    /// A field that may be absent, null or blank (all of them `None`), without the blanks around it.
    pub(crate) fn optional(&mut self, name: &'static str) -> Option<String> {
        let text = self.optional_secret(name)?;
        match text.trim() {
            "" => None,
            trimmed => Some(trimmed.to_owned()),
        }
    }

    /// A field that may be absent, null or empty (all of them `None`), as it was sent.
    pub(crate) fn optional_secret(&mut self, name: &'static str) -> Option<String> {
        match self.fields.remove(name)? {
            Value::Null => None,
            Value::Flag(_) | Value::List(_) | Value::Number(_) | Value::Other => {
                self.refuse(name, NOT_TEXT)
            }
            Value::Text(text) => Some(text).filter(|text| !text.is_empty()),
        }
    }

    /// A field that may be absent; it may be blank, but null it is not. Without the blanks around it.
    pub(crate) fn changed(&mut self, name: &'static str) -> Option<String> {
        match self.fields.remove(name)? {
            Value::Null => self.refuse(name, NULL),
            Value::Flag(_) | Value::List(_) | Value::Number(_) | Value::Other => {
                self.refuse(name, NOT_TEXT)
            }
            Value::Text(text) => Some(text.trim().to_owned()),
        }
    }

    /// A boolean that may be absent, but not null; a form writes it out.
    pub(crate) fn flag(&mut self, name: &'static str) -> Option<bool> {
        match self.fields.remove(name)? {
            Value::Flag(flag) => Some(flag),
            Value::Null => self.refuse(name, NULL),
            Value::List(_) | Value::Number(_) | Value::Other => self.refuse(name, NOT_FLAG),
            Value::Text(text) => match text.trim() {
                "true" => Some(true),
                "false" => Some(false),
                _ => self.refuse(name, NOT_FLAG),
            },
        }
    }

    /// A list of at most `most` texts that may be absent, but not null, each as `parse` reads it.
    pub(crate) fn list<T, E: fmt::Display>(
        &mut self,
        name: &'static str,
        most: usize,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Option<Vec<T>> {
        let value = self.fields.remove(name)?;
        if matches!(value, Value::Null) {
            return self.refuse(name, NULL);
        }
        self.texts(name, value, most, parse)
    }

    /// A setting that may be absent, a text as `parse` reads it; null is that of the installation.
    pub(crate) fn setting<T, E: fmt::Display>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<Setting<T>> {
        match self.fields.remove(name)? {
            Value::Null => Some(Setting::Installation),
            Value::Text(text) => self.parsed(name, text.trim(), parse).map(Setting::Own),
            Value::Flag(_) | Value::List(_) | Value::Number(_) | Value::Other => {
                self.refuse(name, NOT_TEXT)
            }
        }
    }

    /// A setting that may be absent, a whole number as `parse` takes it; null is that of the
    /// installation. A form writes it out.
    pub(crate) fn number_setting<T, E: fmt::Display>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(u64) -> Result<T, E>,
    ) -> Option<Setting<T>> {
        let number = match self.fields.remove(name)? {
            Value::Null => return Some(Setting::Installation),
            Value::Number(number) => Some(number),
            Value::Text(text) => text.trim().parse().ok(),
            Value::Flag(_) | Value::List(_) | Value::Other => None,
        };
        match number.map(parse) {
            None => self.refuse(name, NOT_NUMBER),
            Some(Ok(own)) => Some(Setting::Own(own)),
            Some(Err(wrong)) => self.refuse(name, wrong.to_string()),
        }
    }

    /// A setting that may be absent, a list of texts, each as `parse` reads it; null is that of the
    /// installation.
    pub(crate) fn list_setting<T, E: fmt::Display>(
        &mut self,
        name: &'static str,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Option<Setting<Vec<T>>> {
        let value = self.fields.remove(name)?;
        if matches!(value, Value::Null) {
            return Some(Setting::Installation);
        }
        let own = self.texts(name, value, usize::MAX, parse);
        own.map(Setting::Own)
    }

    fn texts<T, E: fmt::Display>(
        &mut self,
        name: &'static str,
        value: Value,
        most: usize,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Option<Vec<T>> {
        let Value::List(values) = value else {
            return self.refuse(name, NOT_LIST);
        };
        if values.len() > most {
            let wrong = format!("Ensure this field has no more than {most} elements.");
            return self.refuse(name, wrong);
        }
        let mut read = Vec::with_capacity(values.len());
        for value in values {
            let Value::Text(text) = value else {
                return self.refuse(name, NOT_TEXT);
            };
            match parse(&text) {
                Ok(one) => read.push(one),
                Err(wrong) => return self.refuse(name, wrong.to_string()),
            }
        }
        Some(read)
    }

    /// What `parse` makes of a text of that field.
    pub(crate) fn parsed<T, E: fmt::Display>(
        &mut self,
        name: &'static str,
        text: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        parse(text)
            .map_err(|error| self.refuse::<T>(name, error.to_string()))
            .ok()
    }

    /// The field is not there and has to be.
    pub(crate) fn missing<T>(&mut self, name: &'static str) -> Option<T> {
        self.refuse(name, "This field is required.")
    }

    /// `text` is wrong with the field.
    pub(crate) fn refuse<T>(
        &mut self,
        name: &'static str,
        text: impl Into<Cow<'static, str>>,
    ) -> Option<T> {
        self.errors.push(FieldError::new(name, text));
        None
    }
}

const BLANK: &str = "This field may not be blank.";
const NOT_FLAG: &str = "Must be a valid boolean.";
const NOT_LIST: &str = "Expected a list of items.";
const NOT_NUMBER: &str = "A valid integer is required.";
const NOT_TEXT: &str = "Not a valid string.";
const NULL: &str = "This field may not be null.";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json;

    fn fields(json: &str) -> Fields {
        json::object(json.as_bytes()).unwrap()
    }

    fn errors(json: &str, take: impl FnOnce(&mut Input) -> Option<String>) -> Vec<FieldError> {
        match fields(json).read(take) {
            Err(Problem::Input(errors)) => errors,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_required_field_is_there_a_text_and_not_blank() {
        for (json, text) in [
            ("{}", "This field is required."),
            (r#"{"name":null}"#, "This field may not be null."),
            (r#"{"name":""}"#, "This field may not be blank."),
            (r#"{"name":1}"#, "Not a valid string."),
            (r#"{"name":true}"#, "Not a valid string."),
            (r#"{"name":["a"]}"#, "Not a valid string."),
            (r#"{"name":{}}"#, "Not a valid string."),
        ] {
            let expected = [FieldError::new("name", text)];
            assert_eq!(errors(json, |input| input.required("name")), expected);
            assert_eq!(
                errors(json, |input| input.required_secret("name")),
                expected
            );
        }
        let blank = errors(r#"{"name":" \t"}"#, |input| input.required("name"));
        assert_eq!(blank, [FieldError::new("name", BLANK)]);
    }

    #[test]
    fn a_text_is_trimmed_and_a_secret_is_not() {
        let json = r#"{"a":" x ","b":" y "}"#;
        let read = |take: fn(&mut Input) -> Option<String>| fields(json).read(take).unwrap();
        assert_eq!(read(|input| input.required("a")), "x");
        assert_eq!(read(|input| input.required_secret("b")), " y ");
        assert_eq!(read(|input| input.optional("a")), "x");
        assert_eq!(read(|input| input.optional_secret("b")), " y ");
    }

    #[test]
    fn an_optional_field_may_be_absent_null_or_blank_but_not_of_another_type() {
        for json in ["{}", r#"{"a":null}"#, r#"{"a":""}"#] {
            let read =
                fields(json).read(|input| Some((input.optional("a"), input.optional_secret("a"))));
            assert_eq!(read.unwrap(), (None, None), "{json}");
        }
        let wrong = errors(r#"{"a":1}"#, |input| {
            input.optional("a");
            Some(String::new())
        });
        assert_eq!(wrong, [FieldError::new("a", NOT_TEXT)]);
    }

    #[test]
    fn a_flag_is_a_boolean_or_spells_one_out() {
        let read = |json: &str| fields(json).read(|input| Some(input.flag("a")));
        for (json, expected) in [
            ("{}", None),
            (r#"{"a":true}"#, Some(true)),
            (r#"{"a":false}"#, Some(false)),
            (r#"{"a":"true"}"#, Some(true)),
            (r#"{"a":" false"}"#, Some(false)),
        ] {
            assert_eq!(read(json).unwrap(), expected, "{json}");
        }
        for wrong in [
            "null",
            "1",
            "0",
            r#""yes""#,
            r#""""#,
            r#""True ,""#,
            "[]",
            "[true]",
            "{}",
        ] {
            assert!(read(&format!(r#"{{"a":{wrong}}}"#)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_list_has_texts_that_can_be_read_and_not_too_many() {
        let parse = |text: &str| match text {
            "bad" => Err("It is bad."),
            good => Ok(good.to_owned()),
        };
        let read = |json: &str| fields(json).read(|input| Some(input.list("a", 2, parse)));
        assert_eq!(read("{}").unwrap(), None);
        assert_eq!(read(r#"{"a":[]}"#).unwrap(), Some(vec![]));
        let two = vec!["x".to_owned(), "y".to_owned()];
        assert_eq!(read(r#"{"a":["x","y"]}"#).unwrap(), Some(two));
        for wrong in [
            "null",
            "1",
            "true",
            r#""x""#,
            r#"{"0":"x"}"#,
            "[1]",
            "[null]",
            "[[]]",
            r#"["bad"]"#,
            r#"["x","y","z"]"#,
        ] {
            assert!(read(&format!(r#"{{"a":{wrong}}}"#)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn no_wrong_field_hides_another() {
        let found = errors(r#"{"b":2}"#, |input| {
            let (a, b) = (input.required("a"), input.required("b"));
            Some(a? + &b?)
        });
        assert_eq!(
            found,
            [
                FieldError::new("a", "This field is required."),
                FieldError::new("b", NOT_TEXT)
            ]
        );
    }

    #[test]
    fn fields_do_not_show_their_values() {
        let shown = format!("{:?}", fields(r#"{"password":"hunter2"}"#));
        assert_eq!(shown, r#"{"password"}"#);
    }
}
