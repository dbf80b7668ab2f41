//! A client that shows what was answered, to the byte.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::{Value, json};

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Answer {
    /// The body, which is JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    /// A member of the body, which is text.
    pub(crate) fn text(&self, member: &str) -> String {
        let value = self.json()[member].as_str().map(str::to_owned);
        value.unwrap_or_else(|| panic!("no {member}: {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// Asks, and fails the test when nothing answers.
pub(crate) fn ask(address: SocketAddr, request: &Request<'_>) -> Answer {
    request
        .send(address)
        .unwrap_or_else(|error| panic!("{} {}: {error}", request.method, request.path))
}

/// A request.
#[derive(Clone, Debug)]
pub(crate) struct Request<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) bearer: Option<&'a str>,
    /// Others than those that a request has anyway, and another host.
    pub(crate) headers: Vec<(&'a str, &'a str)>,
    pub(crate) body: Option<Value>,
}

impl<'a> Request<'a> {
    pub(crate) fn get(path: &'a str) -> Self {
        Self {
            method: "GET",
            path,
            bearer: None,
            headers: Vec::new(),
            body: None,
        }
    }

    pub(crate) fn post(path: &'a str, body: Value) -> Self {
        Self {
            method: "POST",
            body: Some(body),
            ..Self::get(path)
        }
    }

    pub(crate) fn bearer(self, token: &'a str) -> Self {
        Self {
            bearer: Some(token),
            ..self
        }
    }

    pub(crate) fn header(mut self, name: &'a str, value: &'a str) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Sends it on a connection of its own.
    pub(crate) fn send(&self, address: SocketAddr) -> io::Result<Answer> {
        let mut connection = connect(address)?;
        connection.write_all(self.written().as_bytes())?;
        read(connection)
    }

    /// The request as it travels.
    pub(crate) fn written(&self) -> String {
        let Self { method, path, .. } = self;
        let bearer = self.bearer.map_or(String::new(), |token| {
            format!("Authorization: Bearer {token}\r\n")
        });
        let body = self.body.as_ref().map_or(String::new(), Value::to_string);
        let named = |(name, _): &&(&str, &str)| name.eq_ignore_ascii_case("host");
        let host = self.headers.iter().find(named);
        let host = host.map_or("localhost", |(_, host)| host);
        let others = self.headers.iter().filter(|it| !named(it));
        let others = others.flat_map(|(name, value)| [name, ": ", value, "\r\n"]);
        let others = others.collect::<String>();
        let kind = if body.is_empty() {
            ""
        } else {
            "Content-Type: application/json\r\n"
        };
        let length = body.len();
        format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\n{bearer}{others}{kind}\
             Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        )
    }
}

pub(crate) fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let connection = TcpStream::connect_timeout(&address, PATIENCE)?;
    connection.set_read_timeout(Some(PATIENCE))?;
    Ok(connection)
}

/// Reads an answer to its end, which is that of the connection.
pub(crate) fn read(mut connection: TcpStream) -> io::Result<Answer> {
    let mut bytes = Vec::new();
    connection.read_to_end(&mut bytes)?;
    let text = String::from_utf8(bytes).map_err(io::Error::other)?;
    let cut_off = || io::Error::from(io::ErrorKind::UnexpectedEof);
    let (head, body) = text.split_once("\r\n\r\n").ok_or_else(cut_off)?;
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1));
    let status = status.and_then(|status| status.parse().ok());
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length = length.and_then(|(_, length)| length.parse::<usize>().ok());
    if length.is_some_and(|length| length != body.len()) {
        return Err(cut_off());
    }
    Ok(Answer {
        status: status.ok_or_else(cut_off)?,
        headers,
        body: body.to_owned(),
    })
}

/// A log in, in the token dialect.
pub(crate) fn log_in(email: &str, password: &str) -> Request<'static> {
    let credentials = json!({ "email": email, "password": password });
    Request::post("/api/token/", credentials)
}

/// A refresh, in the token dialect.
pub(crate) fn refresh(token: &str) -> Request<'static> {
    Request::post("/api/token/refresh/", json!({ "refresh": token }))
}

/// Whether an access token is good.
pub(crate) fn validate(token: &str) -> Request<'_> {
    Request::get("/api/token/validate/").bearer(token)
}

const PATIENCE: Duration = Duration::from_mins(1);
