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
    /// JSON's `null`.
    Null,
    /// A number, a boolean, a list or an object: no field of ours is one.
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
            Some(Value::Null) => self.refuse(name, "This field may not be null."),
            Some(Value::Other) => self.refuse(name, NOT_TEXT),
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
            Value::Other => self.refuse(name, NOT_TEXT),
            Value::Text(text) => Some(text).filter(|text| !text.is_empty()),
        }
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

    /// `text` is wrong with the fields together.
    pub(crate) fn refuse_whole<T>(&mut self, text: impl Into<Cow<'static, str>>) -> Option<T> {
        self.errors.push(FieldError::whole(text));
        None
    }
}

const BLANK: &str = "This field may not be blank.";
const NOT_TEXT: &str = "Not a valid string.";
