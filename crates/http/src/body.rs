//! Reads the body of a request, in bounded time and memory, into fields.

use core::pin::Pin;
use core::time::Duration;
use std::collections::BTreeMap;

use actix_multipart::{Field, Multipart, MultipartError};
use actix_web::dev::Payload;
use actix_web::error::PayloadError;
use actix_web::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap};
use actix_web::web::{Bytes, BytesMut};
use actix_web::{FromRequest, HttpRequest, mime};
use futures_util::{StreamExt, stream};

use crate::input::{Fields, Value};
use crate::json;
use crate::problem::Problem;

/// How much of a body is read, and for how long. It is in the application's data.
#[derive(Clone, Copy, Debug)]
pub struct BodyLimits {
    /// The most bytes.
    pub bytes: usize,
    /// The most time from the first byte to the last.
    pub time: Duration,
}

impl Default for BodyLimits {
    fn default() -> Self {
        Self {
            bytes: 64 * 1024,
            time: Duration::from_secs(10),
        }
    }
}

/// JSON, a form or multipart: the `Content-Type` decides. No body at all is no fields; a body
/// without a type is refused, as a page of another site can send one without asking (CORS).
impl FromRequest for Fields {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let request = request.clone();
        let payload = payload.take();
        Box::pin(async move { fields(&request, payload).await })
    }
}

/// The fields of the body of `request`.
pub(crate) async fn fields(request: &HttpRequest, payload: Payload) -> Result<Fields, Problem> {
    let limits = request.app_data().copied().unwrap_or_default();
    let format = Format::of(request.headers());
    let bytes = read(request.headers(), payload, limits).await?;
    if bytes.is_empty() {
        return Ok(Fields::default());
    }
    match format? {
        Format::Form => form(&bytes),
        Format::Json => json::object(&bytes),
        Format::Multipart => multipart(request.headers(), bytes).await,
    }
}

/// What a body is written in.
enum Format {
    Form,
    Json,
    Multipart,
}

impl Format {
    fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let mut encodings = headers.get_all(CONTENT_ENCODING);
        if encodings.any(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity")) {
            return Err(Problem::UnsupportedMediaType);
        }
        let mut types = headers.get_all(CONTENT_TYPE);
        let (Some(only), None) = (types.next(), types.next()) else {
            return Err(Problem::UnsupportedMediaType);
        };
        let named: Option<mime::Mime> = only.to_str().ok().and_then(|text| text.parse().ok());
        let named = named.ok_or(Problem::UnsupportedMediaType)?;
        let utf8 = named
            .get_param(mime::CHARSET)
            .is_none_or(|set| set == mime::UTF_8 || set.as_str().eq_ignore_ascii_case("utf8"));
        match named.essence_str() {
            "application/json" if utf8 => Ok(Self::Json),
            "application/x-www-form-urlencoded" if utf8 => Ok(Self::Form),
            "multipart/form-data" => Ok(Self::Multipart),
            _ => Err(Problem::UnsupportedMediaType),
        }
    }
}

/// All bytes of the body.
async fn read(headers: &HeaderMap, payload: Payload, limits: BodyLimits) -> Result<Bytes, Problem> {
    let announced = headers
        .get(CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > limits.bytes) {
        return Err(Problem::PayloadTooLarge);
    }
    tokio::time::timeout(limits.time, collect(payload, limits.bytes))
        .await
        .unwrap_or(Err(Problem::RequestTimeout))
}

async fn collect(mut payload: Payload, limit: usize) -> Result<Bytes, Problem> {
    let mut whole = BytesMut::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|error| cut_off(&error))?;
        if whole.len().saturating_add(chunk.len()) > limit {
            return Err(Problem::PayloadTooLarge);
        }
        whole.extend_from_slice(&chunk);
    }
    Ok(whole.freeze())
}

fn cut_off(error: &PayloadError) -> Problem {
    if matches!(error, PayloadError::Overflow) {
        return Problem::PayloadTooLarge;
    }
    Problem::MalformedBody("The body is not complete.")
}

/// `application/x-www-form-urlencoded`, as the URL standard says but without its leniency.
fn form(bytes: &[u8]) -> Result<Fields, Problem> {
    let mut fields = Unique::default();
    for pair in bytes
        .split(|byte| *byte == b'&')
        .filter(|pair| !pair.is_empty())
    {
        let mut halves = pair.splitn(2, |byte| *byte == b'=');
        let name = decode(halves.next().unwrap_or_default())?;
        let value = decode(halves.next().unwrap_or_default())?;
        fields.insert(name, value)?;
    }
    Ok(fields.finish())
}

fn decode(encoded: &[u8]) -> Result<Vec<u8>, Problem> {
    let mut decoded = Vec::with_capacity(encoded.len());
    let mut rest = encoded.iter().copied();
    while let Some(byte) = rest.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => hex(rest.next())
                .zip(hex(rest.next()))
                .map(|(high, low)| high << 4 | low)
                .ok_or(Problem::MalformedBody("The form has a wrong escape."))?,
            plain => plain,
        });
    }
    Ok(decoded)
}

fn hex(digit: Option<u8>) -> Option<u8> {
    let value = char::from(digit?).to_digit(16)?;
    u8::try_from(value).ok()
}

/// `multipart/form-data` (RFC 7578) without files.
async fn multipart(headers: &HeaderMap, bytes: Bytes) -> Result<Fields, Problem> {
    let mut parts = Multipart::new(headers, stream::iter([Ok(bytes)]));
    let mut fields = Unique::default();
    while let Some(part) = parts.next().await {
        let mut part = part.map_err(|error| no_multipart(&error))?;
        let name = part_name(&part)?;
        let mut value = Vec::new();
        while let Some(chunk) = part.next().await {
            value.extend_from_slice(&chunk.map_err(|error| no_multipart(&error))?);
        }
        fields.insert(name, value)?;
    }
    Ok(fields.finish())
}

fn part_name(part: &Field) -> Result<Vec<u8>, Problem> {
    let file = part.content_disposition().is_some_and(|disposition| {
        disposition.get_filename().is_some() || disposition.get_filename_ext().is_some()
    });
    let text = part
        .content_type()
        .is_none_or(|it| it.type_() == mime::TEXT);
    if file || !text {
        return Err(Problem::MalformedBody("The body has a file."));
    }
    Ok(part.name().unwrap_or_default().as_bytes().to_vec())
}

fn no_multipart(_: &MultipartError) -> Problem {
    Problem::MalformedBody("The body is not valid multipart.")
}

/// Fields of which each comes once.
#[derive(Default)]
struct Unique(BTreeMap<String, Value>);

impl Unique {
    fn insert(&mut self, name: Vec<u8>, value: Vec<u8>) -> Result<(), Problem> {
        let before = self.0.insert(text(name)?, Value::Text(text(value)?));
        if before.is_some() {
            return Err(Problem::MalformedBody("The body has a field twice."));
        }
        Ok(())
    }

    fn finish(self) -> Fields {
        Fields::from(self.0)
    }
}

fn text(bytes: Vec<u8>) -> Result<String, Problem> {
    let text =
        String::from_utf8(bytes).map_err(|_| Problem::MalformedBody("The body is not UTF-8."))?;
    if text.contains('\0') {
        return Err(Problem::MalformedBody("The body has a NUL character."));
    }
    Ok(text)
}

#[cfg(test)]
mod tests;
