//! An HTTP/1.1 client that costs next to nothing: one connection, one request at a time.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::Failure;

/// A connection that is kept.
pub(crate) struct Connection {
    stream: TcpStream,
    read: Vec<u8>,
}

/// The answer to a request.
pub(crate) struct Answer<'c> {
    pub(crate) status: u16,
    pub(crate) body: &'c [u8],
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> Result<Self, Failure> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            read: Vec::with_capacity(8 * 1024),
        })
    }

    /// Sends a whole request and reads its whole answer.
    pub(crate) async fn ask(&mut self, request: &[u8]) -> Result<Answer<'_>, Failure> {
        self.stream.write_all(request).await?;
        self.read.clear();
        let mut head = None;
        loop {
            if self.stream.read_buf(&mut self.read).await? == 0 {
                return Err("the service closed the connection".into());
            }
            if head.is_none() {
                head = Head::read(&self.read)?;
            }
            if let Some(Head { status, body, end }) = head
                && self.read.len() >= end
            {
                let body = self.read.get(body..end).unwrap_or_default();
                return Ok(Answer { status, body });
            }
        }
    }
}

/// What of an answer's head is needed: its status, where the body begins and ends.
#[derive(Clone, Copy)]
struct Head {
    status: u16,
    body: usize,
    end: usize,
}

impl Head {
    /// None while the head is not there as a whole.
    fn read(bytes: &[u8]) -> Result<Option<Self>, Failure> {
        let Some(blank) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
            return Ok(None);
        };
        let head = core::str::from_utf8(bytes.get(..blank).unwrap_or_default())?;
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1));
        let length = lines
            .filter_map(|line| line.split_once(':'))
            .find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
        let body = blank + 4;
        Ok(Some(Self {
            status: status.ok_or("an answer without a status")?.parse()?,
            body,
            end: body + length.map_or(Ok(0), |(_, length)| length.trim().parse())?,
        }))
    }
}

/// A request without a body.
pub(crate) fn get(path: &str, bearer: Option<&str>) -> Vec<u8> {
    let bearer = bearer.map(|token| format!("authorization: Bearer {token}\r\n"));
    let bearer = bearer.unwrap_or_default();
    format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n{bearer}\r\n").into_bytes()
}

/// A request with a JSON body.
pub(crate) fn post(path: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// A request with another field in its head, such as `X-Forwarded-For: 10.0.0.1`.
pub(crate) fn with_field(request: &[u8], field: &str) -> Vec<u8> {
    let end = request.windows(2).position(|two| two == b"\r\n");
    let (line, rest) = request.split_at(end.unwrap_or_default());
    [line, b"\r\n", field.as_bytes(), rest].concat()
}

/// A text member of a JSON object; tokens need no unescaping.
pub(crate) fn member<'a>(body: &'a [u8], name: &str) -> Option<&'a str> {
    let body = core::str::from_utf8(body).ok()?;
    let (_, value) = body.split_once(&format!("\"{name}\":\""))?;
    Some(value.split_once('"')?.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_once_it_is_whole() {
        let answer = b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}";
        assert!(Head::read(&answer[..30]).unwrap().is_none());
        let head = Head::read(answer).unwrap().unwrap();
        assert_eq!(head.status, 201);
        assert_eq!(&answer[head.body..head.end], b"{}");
    }

    #[test]
    fn a_field_joins_the_head_of_a_request() {
        let request = with_field(&post("/", "{}"), "a: b");
        let request = String::from_utf8(request).unwrap();
        assert!(request.starts_with("POST / HTTP/1.1\r\na: b\r\nhost: localhost\r\n"));
        assert!(request.ends_with("\r\n\r\n{}"));
    }

    #[test]
    fn an_answer_without_a_length_has_no_body() {
        let answer = b"HTTP/1.1 204 No Content\r\n\r\n";
        let head = Head::read(answer).unwrap().unwrap();
        assert_eq!(head.body, head.end);
    }

    #[test]
    fn a_member_is_found_by_its_name() {
        let body = br#"{"access":"a.b.c","refresh":"d.e.f"}"#;
        assert_eq!(member(body, "refresh"), Some("d.e.f"));
        assert_eq!(member(body, "other"), None);
    }
}
