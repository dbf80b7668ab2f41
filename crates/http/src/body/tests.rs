use actix_web::http::header::{ContentType, TRANSFER_ENCODING};
use actix_web::test::TestRequest;
use futures_util::stream::{pending, repeat_with};

use super::*;

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";

async fn read(request: TestRequest) -> Result<Fields, &'static str> {
    let limits = BodyLimits {
        bytes: 1_000,
        time: Duration::from_secs(10),
    };
    let (request, payload) = request.app_data(limits).to_http_parts();
    let read = fields(&request, payload).await;
    read.map_err(|problem| problem.code())
}

/// The first way in which the body is wrong, or the value of the field `a`.
async fn value(media_type: &str, body: impl Into<Bytes>) -> Result<String, &'static str> {
    let request = TestRequest::post().insert_header((CONTENT_TYPE, media_type));
    let fields = read(request.set_payload(body)).await?;
    let value = fields.read(|input| input.required_secret("a"));
    value.map_err(|problem| problem.code())
}

async fn streamed(
    chunks: impl futures_util::Stream<Item = Result<Bytes, PayloadError>> + 'static,
) -> Result<Fields, &'static str> {
    let limits = BodyLimits {
        bytes: 1_000,
        time: Duration::from_secs(10),
    };
    let request = TestRequest::post()
        .insert_header(ContentType::json())
        .insert_header((TRANSFER_ENCODING, "chunked"))
        .app_data(limits);
    let chunks: Payload = Payload::Stream {
        payload: Box::pin(chunks),
    };
    let read = fields(&request.to_http_request(), chunks).await;
    read.map_err(|problem| problem.code())
}

fn multipart_of(parts: &[(&str, &str)]) -> String {
    let part = |(head, value): &(&str, &str)| {
        format!("--x\r\nContent-Disposition: form-data; {head}\r\n\r\n{value}\r\n")
    };
    parts.iter().map(part).collect::<String>() + "--x--\r\n"
}

async fn multipart_value(body: String) -> Result<String, &'static str> {
    value("multipart/form-data; boundary=x", body).await
}

#[actix_web::test]
async fn the_same_fields_may_come_as_json_as_a_form_and_as_multipart() {
    let expected = Ok("p ä&".to_owned());
    assert_eq!(value(JSON, r#"{"a":"p ä&"}"#).await, expected);
    assert_eq!(value(FORM, "b=&a=p+%C3%a4%26").await, expected);
    let multipart = multipart_of(&[("name=\"b\"", ""), ("name=\"a\"", "p ä&")]);
    assert_eq!(multipart_value(multipart).await, expected);
}

#[actix_web::test]
async fn a_type_that_is_not_read_here_is_415() {
    for media_type in [
        "text/plain",
        "text/json",
        "application/xml",
        "application/jsonx",
        "*/*",
        "json",
        "",
        "application/json; charset=latin1",
        "application/x-www-form-urlencoded; charset=utf-16",
        "application/problem+json",
        "multipart/mixed; boundary=x",
    ] {
        assert_eq!(
            value(media_type, "{}").await,
            Err("unsupported_media_type"),
            "{media_type}"
        );
    }
    for media_type in [
        "application/json; charset=utf-8",
        "Application/JSON;charset=\"UTF-8\"",
        "application/json; charset=utf8",
    ] {
        assert_eq!(
            value(media_type, r#"{"a":"x"}"#).await,
            Ok("x".to_owned()),
            "{media_type}"
        );
    }
}

#[actix_web::test]
async fn a_body_without_a_type_or_with_two_is_415() {
    let without = TestRequest::post().set_payload("{}");
    assert_eq!(read(without).await.unwrap_err(), "unsupported_media_type");
    let two = TestRequest::post().append_header((CONTENT_TYPE, JSON));
    let two = two.append_header((CONTENT_TYPE, FORM)).set_payload("{}");
    assert_eq!(read(two).await.unwrap_err(), "unsupported_media_type");
}

#[actix_web::test]
async fn an_encoded_body_is_415() {
    for (encoding, expected) in [
        ("gzip", true),
        ("br", true),
        ("identity", false),
        ("Identity", false),
    ] {
        let request = TestRequest::post()
            .insert_header(ContentType::json())
            .insert_header((CONTENT_ENCODING, encoding))
            .set_payload("{}");
        assert_eq!(
            read(request).await.err(),
            expected.then_some("unsupported_media_type")
        );
    }
}

#[actix_web::test]
async fn no_body_is_no_fields_whatever_its_type() {
    assert!(read(TestRequest::post()).await.is_ok());
    assert_eq!(value(JSON, "").await, Err("invalid_input"));
    assert_eq!(value("text/plain", "").await, Err("invalid_input"));
}

#[actix_web::test]
async fn a_body_over_the_limit_is_413_announced_or_not() {
    let announced = TestRequest::post().insert_header(ContentType::json());
    let announced = announced.insert_header((CONTENT_LENGTH, "1001"));
    assert_eq!(read(announced).await.unwrap_err(), "payload_too_large");
    let endless = repeat_with(|| Ok(Bytes::from_static(&[b' '; 300])));
    assert_eq!(streamed(endless).await.unwrap_err(), "payload_too_large");
    let largest = format!("{{\"a\":\"{}\"}}", "x".repeat(992));
    assert!(value(JSON, largest).await.is_ok());
}

#[actix_web::test]
async fn a_body_that_does_not_end_in_time_is_408() {
    tokio::time::pause();
    let begin = stream::iter([Ok(Bytes::from_static(b"{"))]);
    assert_eq!(
        streamed(begin.chain(pending())).await.unwrap_err(),
        "request_timeout"
    );
}

#[actix_web::test]
async fn a_body_that_drips_has_the_same_time_as_one_that_stalls() {
    tokio::time::pause();
    let drops = stream::unfold((), |()| async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        Some((Ok(Bytes::from_static(b" ")), ()))
    });
    assert_eq!(streamed(drops).await.unwrap_err(), "request_timeout");
}

#[actix_web::test]
async fn a_body_that_is_cut_off_is_400() {
    for error in [
        PayloadError::Incomplete(None),
        PayloadError::EncodingCorrupted,
    ] {
        let cut = stream::iter([Ok(Bytes::from_static(b"{}")), Err(error)]);
        assert_eq!(streamed(cut).await.unwrap_err(), "malformed_body");
    }
}

#[actix_web::test]
async fn a_form_is_decoded_without_leniency() {
    for bad in [
        "a=%",
        "a=%4",
        "a=%zz",
        "%g0=1",
        "a=%ff",
        "a=%ED%A0%80",
        "a=%00",
        "a%00=1",
        "a=1&a=2",
        "a=1&%61=1",
    ] {
        assert_eq!(value(FORM, bad).await, Err("malformed_body"), "{bad}");
    }
    assert_eq!(value(FORM, &b"a=\xff"[..]).await, Err("malformed_body"));
    assert_eq!(value(FORM, "&&a=b=c&").await, Ok("b=c".to_owned()));
    assert_eq!(value(FORM, "a").await, Err("invalid_input"));
}

#[actix_web::test]
async fn a_multipart_body_has_texts_alone() {
    for file in [
        "name=\"a\"; filename=\"x.txt\"",
        "name=\"a\"; filename=\"\"",
        "name=\"a\"; filename*=UTF-8''x",
    ] {
        let body = multipart_of(&[(file, "x")]);
        assert_eq!(multipart_value(body).await, Err("malformed_body"), "{file}");
    }
    let typed = |media_type: &str| {
        multipart_of(&[(&format!("name=\"a\"\r\nContent-Type: {media_type}"), "x")])
    };
    assert_eq!(
        multipart_value(typed("application/octet-stream")).await,
        Err("malformed_body")
    );
    assert_eq!(
        multipart_value(typed("text/plain; charset=utf-8")).await,
        Ok("x".to_owned())
    );
}

#[actix_web::test]
async fn a_multipart_body_is_read_without_leniency() {
    let twice = multipart_of(&[("name=\"a\"", "1"), ("name=\"a\"", "2")]);
    assert_eq!(multipart_value(twice).await, Err("malformed_body"));
    let whole = multipart_of(&[("name=\"a\"", "value")]);
    for cut in 1..whole.len() - "--\r\n".len() {
        let cut = whole[..cut].to_owned();
        assert_eq!(
            multipart_value(cut.clone()).await,
            Err("malformed_body"),
            "{cut:?}"
        );
    }
    for bad in [
        multipart_of(&[("name=\"a\"", "x\0")]),
        multipart_of(&[("filename=\"a\"", "x")]),
        multipart_of(&[("nome=\"a\"", "x")]),
        "--y\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nx\r\n--y--\r\n".to_owned(),
        "no multipart".to_owned(),
    ] {
        assert_eq!(
            multipart_value(bad.clone()).await,
            Err("malformed_body"),
            "{bad:?}"
        );
    }
    let body = multipart_of(&[("name=\"a\"", "x")]);
    assert_eq!(
        value("multipart/form-data", body).await,
        Err("malformed_body")
    );
}

#[actix_web::test]
async fn a_broken_json_body_is_400() {
    for bad in [r#"{"a":1"#, r#"{"a":1,"a":2}"#, r#"{"a":"\ud800"}"#, "[]"] {
        assert_eq!(value(JSON, bad).await, Err("malformed_body"), "{bad}");
    }
}
