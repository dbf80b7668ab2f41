use actix_web::http::ConnectionType;
use serde_json::{Value, json};

use super::*;

/// One of each variant.
fn all() -> Vec<Problem> {
    vec![
        Problem::AccessTokenNotValid,
        Problem::ContradictoryTenants,
        Problem::DisallowedHost,
        Problem::HeadersTooLarge,
        Problem::field("email", "This field is required."),
        Problem::internal("the secret cause"),
        Problem::InvalidCredentials,
        Problem::MalformedBody("The body is not valid JSON."),
        Problem::MalformedHeaders("The request has two Authorization fields."),
        Problem::MethodNotAllowed(HeaderValue::from_static("GET, HEAD")),
        Problem::NotAuthenticated,
        Problem::NotFound,
        Problem::Overloaded,
        Problem::PayloadTooLarge,
        Problem::PermissionDenied,
        Problem::PlatformSetting("issuer"),
        Problem::RefreshTokenNotValid,
        Problem::RequestTimeout,
        Problem::TooManyRequests(7),
        Problem::Unavailable("the secret cause".into()),
        Problem::UnsupportedMediaType,
        Problem::UriTooLong,
    ]
}

fn document(problem: &Problem) -> Value {
    serde_json::from_slice(&problem.body("/api/token/")).unwrap()
}

fn header(problem: &Problem, name: impl actix_web::http::header::AsHeaderName) -> Option<String> {
    let answer = problem.answer("/");
    let value = answer.headers().get(name)?;
    Some(value.to_str().unwrap().to_owned())
}

#[test]
fn every_problem_has_the_members_of_rfc_9457_and_a_code() {
    for problem in all() {
        let document = document(&problem);
        let status = problem.status();
        assert_eq!(document["type"], "about:blank");
        assert_eq!(document["title"], status.canonical_reason().unwrap());
        assert_eq!(document["status"], status.as_u16());
        assert_eq!(document["instance"], "/api/token/");
        assert_eq!(document["code"], problem.code());
        assert!(!document["detail"].as_str().unwrap().is_empty());
        assert_eq!(
            header(&problem, CONTENT_TYPE).unwrap(),
            "application/problem+json"
        );
        assert_eq!(header(&problem, CACHE_CONTROL).unwrap(), "no-store");
    }
}

#[test]
fn bad_input_is_never_a_fault_of_ours() {
    let ours = ["internal_error", "overloaded", "unavailable"];
    for problem in all() {
        let status = problem.status().as_u16();
        assert_eq!(status >= 500, ours.contains(&problem.code()), "{problem}");
        assert!((400..=431).contains(&status) || status >= 500, "{problem}");
        assert_ne!(status, 422);
    }
}

#[test]
fn wrong_credentials_are_what_django_services_answered() {
    assert_eq!(
        document(&Problem::InvalidCredentials),
        json!({
            "type": "about:blank",
            "title": "Unauthorized",
            "status": 401,
            "detail": "No active account found with the given credentials",
            "instance": "/api/token/",
            "code": "invalid_credentials",
        })
    );
}

#[test]
fn a_bad_access_token_is_what_simple_jwt_answered() {
    let document = document(&Problem::AccessTokenNotValid);
    assert_eq!(document["code"], "token_not_valid");
    assert_eq!(
        document["detail"],
        "Given token not valid for any token type"
    );
    assert_eq!(
        document["messages"],
        json!([{
            "token_class": "AccessToken",
            "token_type": "access",
            "message": "Token is invalid or expired",
        }])
    );
}

#[test]
fn a_bad_refresh_token_is_what_simple_jwt_answered() {
    let document = document(&Problem::RefreshTokenNotValid);
    assert_eq!(document["code"], "token_not_valid");
    assert_eq!(document["detail"], "Token is invalid or expired");
    assert_eq!(document.get("messages"), None);
}

#[test]
fn each_401_names_the_scheme_and_blames_a_token_only_if_one_came() {
    for problem in all() {
        let challenge = header(&problem, WWW_AUTHENTICATE);
        let expected = match problem.code() {
            "token_not_valid" if document(&problem).get("messages").is_some() => {
                Some(r#"Bearer realm="tessera", error="invalid_token""#)
            }
            "token_not_valid" | "invalid_credentials" | "not_authenticated" => {
                Some(r#"Bearer realm="tessera""#)
            }
            _ => None,
        };
        assert_eq!(challenge.as_deref(), expected, "{problem}");
        assert_eq!(
            challenge.is_some(),
            problem.status() == StatusCode::UNAUTHORIZED
        );
    }
}

#[test]
fn too_many_requests_are_what_django_services_answered() {
    for (seconds, detail) in [
        (1, "Request was throttled. Expected available in 1 second."),
        (7, "Request was throttled. Expected available in 7 seconds."),
    ] {
        assert_eq!(
            document(&Problem::TooManyRequests(seconds))["detail"],
            detail
        );
    }
}

#[test]
fn whoever_may_come_back_is_told_when() {
    for problem in all() {
        let after = header(&problem, RETRY_AFTER);
        assert_eq!(
            after.is_some(),
            matches!(problem.status().as_u16(), 429 | 503),
            "{problem}"
        );
    }
    assert_eq!(
        header(&Problem::TooManyRequests(7), RETRY_AFTER).unwrap(),
        "7"
    );
}

#[test]
fn a_method_that_is_not_there_names_those_that_are() {
    let problem = Problem::MethodNotAllowed(HeaderValue::from_static("GET, HEAD"));
    assert_eq!(header(&problem, ALLOW).unwrap(), "GET, HEAD");
}

#[test]
fn wrong_fields_are_listed_as_rfc_9457_and_as_django_rest_framework_do() {
    let problem = Problem::Input(vec![
        FieldError::new("email", "Enter a valid email address."),
        FieldError::new("password", "Too short."),
        FieldError::new("password", "Too common."),
        FieldError::whole("Say who you are."),
    ]);
    let document = document(&problem);
    assert_eq!(
        document["errors"],
        json!([
            {"pointer": "#/email", "detail": "Enter a valid email address."},
            {"pointer": "#/password", "detail": "Too short."},
            {"pointer": "#/password", "detail": "Too common."},
            {"pointer": "#", "detail": "Say who you are."},
        ])
    );
    assert_eq!(document["email"], json!(["Enter a valid email address."]));
    assert_eq!(document["password"], json!(["Too short.", "Too common."]));
    assert_eq!(document["non_field_errors"], json!(["Say who you are."]));
    assert!(
        crate::json::object(&problem.body("/")).is_ok(),
        "a member comes twice"
    );
}

#[test]
fn a_field_cannot_take_the_place_of_a_member() {
    for name in [
        "type", "title", "status", "detail", "instance", "code", "errors", "messages",
    ] {
        let problem = Problem::field(name, "This field is required.");
        let document = document(&problem);
        assert_eq!(document["code"], "invalid_input");
        assert_eq!(document["errors"][0]["pointer"], format!("#/{name}"));
        let members = crate::json::object(&problem.body("/"));
        assert!(members.is_ok(), "{name} comes twice");
    }
}

#[test]
fn a_cause_is_for_the_log_alone() {
    for problem in all() {
        let text = String::from_utf8(problem.body("/")).unwrap();
        assert!(!text.contains("secret"), "{text}");
        let told = problem
            .cause()
            .is_some_and(|cause| cause.to_string().contains("secret"));
        assert_eq!(
            told,
            problem.status().as_u16() >= 500 && problem.code() != "overloaded"
        );
    }
}

#[test]
fn a_path_is_told_up_to_a_length() {
    let path = format!("/{}", "é".repeat(400));
    let document: Value = serde_json::from_slice(&Problem::NotFound.body(&path)).unwrap();
    assert_eq!(document["instance"].as_str().unwrap().len(), 511);
}

#[test]
fn a_connection_whose_rest_is_not_worth_reading_is_closed() {
    for problem in all() {
        let closes = problem.answer("/").head().connection_type() == ConnectionType::Close;
        let expected = ["payload_too_large", "request_timeout"].contains(&problem.code());
        assert_eq!(closes, expected, "{problem}");
    }
}
