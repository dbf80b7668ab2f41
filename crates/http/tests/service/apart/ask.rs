//! A request and its answer, as data.

use core::fmt;
use std::collections::BTreeMap;

use serde_json::Value;

/// A request.
#[derive(Clone)]
pub(crate) struct Ask {
    pub(crate) method: String,
    pub(crate) path: String,
    /// Beside the host, where none is said.
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Option<Value>,
}

impl Ask {
    pub(crate) fn new(method: &str, path: &str) -> Self {
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            headers: Vec::new(),
            body: None,
        }
    }

    pub(crate) fn get(path: &str) -> Self {
        Self::new("GET", path)
    }

    pub(crate) fn post(path: &str, body: Value) -> Self {
        Self::new("POST", path).body(body)
    }

    pub(crate) fn body(self, body: Value) -> Self {
        let body = Some(body);
        Self { body, ..self }
    }

    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    pub(crate) fn bearer(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    /// With one more parameter.
    pub(crate) fn query(mut self, name: &str, value: &str) -> Self {
        let sign = if self.path.contains('?') { '&' } else { '?' };
        let value = value.replace(' ', "%20").replace('@', "%40");
        self.path = format!("{}{sign}{name}={value}", self.path);
        self
    }

    /// With one more field, where there is a body.
    pub(crate) fn field(mut self, name: &str, value: &str) -> Self {
        if let Some(Value::Object(fields)) = &mut self.body {
            fields.insert(name.to_owned(), Value::from(value));
        }
        self
    }

    /// Without the slash at the end of the path.
    pub(crate) fn bare(mut self) -> Self {
        let (path, query) = match self.path.split_once('?') {
            Some((path, query)) => (path, format!("?{query}")),
            None => (self.path.as_str(), String::new()),
        };
        let bare = path.strip_suffix('/').filter(|bare| !bare.is_empty());
        self.path = format!("{}{query}", bare.unwrap_or(path));
        self
    }
}

/// Short enough to be read: of a token, what it ends with.
impl fmt::Debug for Ask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let short = |value: &str| match value.char_indices().nth_back(23) {
            Some((at, _)) if value.len() > 64 => format!("..{}", &value[at..]),
            Some(_) | None => value.to_owned(),
        };
        write!(f, "{} {}", self.method, self.path)?;
        for (name, value) in &self.headers {
            write!(f, " {name}: {}", short(value))?;
        }
        let fields = self.body.iter().filter_map(Value::as_object).flatten();
        fields.into_iter().try_for_each(|(name, value)| {
            let value = value.as_str().map_or_else(|| value.to_string(), short);
            write!(f, " {name}={value}")
        })
    }
}

/// An answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Heard {
    pub(crate) status: u16,
    /// But for those that differ from answer to answer.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

impl Heard {
    pub(crate) fn new(
        status: u16,
        headers: impl IntoIterator<Item = (String, String)>,
        body: String,
    ) -> Self {
        let passing = ["content-length", "date", "x-request-id"];
        let headers = headers.into_iter();
        Self {
            status,
            headers: headers
                .filter(|(name, _)| !passing.contains(&name.as_str()))
                .collect(),
            body,
        }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    /// A member that is a text, of an answer that is a success.
    pub(crate) fn text(&self, member: &str) -> String {
        let value = self.json()[member].as_str().map(str::to_owned);
        value.unwrap_or_else(|| panic!("no {member}: {self:?}"))
    }
}
