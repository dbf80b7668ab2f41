//! Reads a JSON object without leniency.

use core::cell::Cell;
use core::fmt;
use std::collections::{BTreeMap, BTreeSet};

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::input::{Fields, Value};
use crate::problem::Problem;

/// The members of the one object that `bytes` is.
pub(crate) fn object(bytes: &[u8]) -> Result<Fields, Problem> {
    let text = core::str::from_utf8(bytes)
        .map_err(|_| Problem::MalformedBody("The body is not UTF-8."))?;
    let fault = Cell::new(NOT_JSON);
    let mut reader = serde_json::Deserializer::from_str(text);
    Members { fault: &fault }
        .deserialize(&mut reader)
        .and_then(|fields| reader.end().map(|()| fields))
        .map_err(|_| Problem::MalformedBody(fault.get()))
}

/// The outermost object, whose members are kept.
struct Members<'a> {
    fault: &'a Cell<&'static str>,
}

impl<'de> DeserializeSeed<'de> for Members<'_> {
    type Value = Fields;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Fields, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Members<'_> {
    type Value = Fields;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fault.set("The body is not a JSON object.");
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
        let mut fields = BTreeMap::new();
        while let Some(name) = map.next_key_seed(Text { fault: self.fault })? {
            let value = map.next_value_seed(Any {
                depth: 1,
                fault: self.fault,
            })?;
            if fields.insert(name, value).is_some() {
                return refuse(self.fault, DUPLICATE);
            }
        }
        Ok(Fields::from(fields))
    }
}

/// A name, or a text that is a value.
struct Text<'a> {
    fault: &'a Cell<&'static str>,
}

impl<'de> DeserializeSeed<'de> for Text<'_> {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Text<'_> {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<String, E> {
        if text.contains('\0') {
            return refuse(self.fault, NUL);
        }
        Ok(text.to_owned())
    }
}

/// A value at that depth.
#[derive(Clone, Copy)]
struct Any<'a> {
    depth: usize,
    fault: &'a Cell<&'static str>,
}

impl Any<'_> {
    fn deeper<E: Error>(self) -> Result<Self, E> {
        if self.depth == DEPTH_LIMIT {
            return refuse(self.fault, "The body is nested too deeply.");
        }
        Ok(Self {
            depth: self.depth.saturating_add(1),
            ..self
        })
    }
}

impl<'de> DeserializeSeed<'de> for Any<'_> {
    type Value = Value;

    /// Decodes every part, also those that nobody asks for: what is skipped is not checked.
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Any<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Value, E> {
        Ok(Value::Flag(flag))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Value, E> {
        Ok(Value::Other)
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(Value::Number(number))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Value, E> {
        Ok(Value::Other)
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        Text { fault: self.fault }.visit_str(text).map(Value::Text)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut values = Vec::new();
        while let Some(value) = list.next_element_seed(inner)? {
            values.push(value);
        }
        Ok(Value::List(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut names = BTreeSet::new();
        while let Some(name) = map.next_key_seed(Text { fault: self.fault })? {
            map.next_value_seed(inner)?;
            if !names.insert(name) {
                return refuse(self.fault, DUPLICATE);
            }
        }
        Ok(Value::Other)
    }
}

/// Fails, and leaves the reason where the library's error would have no room for it.
fn refuse<T, E: Error>(fault: &Cell<&'static str>, why: &'static str) -> Result<T, E> {
    fault.set(why);
    Err(E::custom(why))
}

/// How many objects and lists may be inside one another.
const DEPTH_LIMIT: usize = 32;
const DUPLICATE: &str = "The body has a field twice.";
const NOT_JSON: &str = "The body is not valid JSON.";
const NUL: &str = "The body has a NUL character.";

#[cfg(test)]
mod tests;
