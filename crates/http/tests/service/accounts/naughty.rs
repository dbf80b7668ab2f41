//! Texts that have broken others, through every field.

use actix_web::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{
    CHANGE_EMAIL, CONFIRM_EMAIL, FORGOT, FORM, ME, REGISTER, RESEND, RESET, VERIFY, access,
    reset_link, written,
};
use crate::world::{Answer, PASSWORD, Request, World};

fn naughty() -> Vec<String> {
    let list: Vec<String> = serde_json::from_str(include_str!("naughty/blns.json")).unwrap();
    assert!(list.len() > 300);
    list
}

type Field = (&'static str, Option<String>);

/// The fields of each route: the good value of those that have to be there, and none of the others.
fn routes(token: &str) -> Vec<(Method, &'static str, Vec<Field>)> {
    let has = |name, value: &str| (name, Some(value.to_owned()));
    let may = |name| (name, None);
    let token = has("token", token);
    let shown = vec![token.clone(), may("uid"), may("tenant")];
    let email = has("email", "nobody@example.com");
    let mailed = vec![email.clone(), may("tenant")];
    let mut reset = shown.clone();
    reset.extend([has("new_password", "short"), may("new_password_confirm")]);
    let sign_up = vec![
        email.clone(),
        has("password", PASSWORD),
        may("username"),
        may("password_confirm"),
        may("first_name"),
        may("last_name"),
        may("tenant"),
    ];
    let names = vec![may("first_name"), may("last_name"), may("job_role")];
    vec![
        (Method::POST, REGISTER, sign_up),
        (Method::POST, VERIFY, shown.clone()),
        (Method::POST, RESEND, mailed.clone()),
        (Method::POST, FORGOT, mailed),
        (Method::POST, CHANGE_EMAIL, vec![email]),
        (Method::POST, CONFIRM_EMAIL, shown),
        (Method::PATCH, ME, names),
        // The last: a password that is accepted ends the session.
        (Method::POST, RESET, reset),
    ]
}

#[actix_web::test]
async fn no_text_in_any_field_is_a_fault_of_ours() {
    let world = World::new().await;
    let token = reset_link(&world).await.token;
    let access = access(&world).await;
    for (method, path, fields) in routes(&token) {
        for at in 0..fields.len() {
            let sent = naughty();
            let requests = sent.iter().flat_map(|text| {
                let mut fields: Vec<(&str, Option<&str>)> = fields
                    .iter()
                    .map(|(name, value)| (*name, value.as_deref()))
                    .collect();
                fields[at].1 = Some(text);
                let fields: Vec<(&str, &str)> = fields
                    .into_iter()
                    .filter_map(|(name, value)| Some((name, value?)))
                    .collect();
                both_ways(&method, path, &access, &fields)
            });
            let requests: Vec<Request> = requests.collect();
            for (n, answer) in world.send_all(requests).await.iter().enumerate() {
                answered(answer, path, fields[at].0, &sent[n / 2]);
            }
        }
    }
}

fn both_ways(method: &Method, path: &str, access: &str, fields: &[(&str, &str)]) -> [Request; 2] {
    let request = || Request::new(method.clone(), path).bearer(access);
    let json: Value = fields
        .iter()
        .map(|(name, value)| ((*name).to_owned(), json!(value)))
        .collect();
    [
        request().json(&json),
        request().body(FORM, written(FORM, fields)),
    ]
}

/// Not as a fault; and what was taken is shown as it was sent.
fn answered(answer: &Answer, path: &str, field: &str, sent: &str) {
    let (status, body) = (answer.status, answer.json());
    let expected = status.is_success()
        || status == StatusCode::BAD_REQUEST
        || (status == StatusCode::UNAUTHORIZED && field == "tenant");
    assert!(expected, "{path} {field} {sent:?}: {}", answer.text);
    if status == StatusCode::BAD_REQUEST {
        let of_token = body["token"].is_array() || body["new_password"].is_array();
        assert!(
            body[field].is_array() || of_token,
            "{path} {field} {sent:?}: {}",
            answer.text
        );
    }
    if !status.is_success() {
        return;
    }
    let shown = match path {
        REGISTER => &body["user"][field],
        ME => &body[field],
        _ => return,
    };
    match field {
        "username" if sent.trim().is_empty() => assert_eq!(shown, &Value::Null),
        "email" | "first_name" | "last_name" | "username" => {
            assert_eq!(shown, sent.trim(), "{path} {field}");
        }
        _ => {}
    }
}

#[actix_web::test]
async fn no_name_that_fits_is_refused() {
    let world = World::new().await;
    let access = access(&world).await;
    let requests: Vec<Request> = naughty()
        .iter()
        .map(|text| {
            let request = Request::new(Method::PATCH, ME).bearer(&access);
            request.json(&json!({"first_name": text, "last_name": text}))
        })
        .collect();
    let answers = world.send_all(requests).await;
    for (text, answer) in naughty().iter().zip(answers) {
        let fits = text.trim().chars().count() <= 150;
        assert_eq!(
            answer.status == StatusCode::OK,
            fits,
            "{text:?}: {}",
            answer.text
        );
    }
}
