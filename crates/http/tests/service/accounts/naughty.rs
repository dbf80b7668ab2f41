//! Texts that have broken others, through every field.

use actix_web::http::{Method, StatusCode};
use serde_json::{Value, json};
use tessera_app::{AskForMail, LogIn, TenantHints};
use tessera_domain::{Device, EmailAddress, Password};

use super::{
    CHANGE_EMAIL, CONFIRM_EMAIL, FORGOT, FORM, ME, OTHER_PASSWORD, REGISTER, RESEND, RESET, VERIFY,
    access, letters, written,
};
use crate::world::{Answer, EMAIL, PASSWORD, Request, World};

fn naughty() -> Vec<String> {
    let list: Vec<String> = serde_json::from_str(include_str!("naughty/blns.json")).unwrap();
    assert!(list.len() > 300);
    list
}

/// Where a text spends the token or the session: each of them meets one that lives.
const SPENDING: [(&str, &str); 5] = [
    (CHANGE_PASSWORD, "old_password"),
    (CHANGE_PASSWORD, "new_password"),
    (CHANGE_PASSWORD, "new_password_confirm"),
    (RESET, "new_password"),
    (RESET, "new_password_confirm"),
];

type Field = (&'static str, Option<String>);

/// The fields of each route: the good value of those that have to be there, and none of the others.
fn routes() -> Vec<(Method, &'static str, Vec<Field>)> {
    let has = |name, value: &str| (name, Some(value.to_owned()));
    let may = |name| (name, None);
    let token = has("token", "public.0");
    let shown = vec![token.clone(), may("uid"), may("tenant")];
    let email = has("email", "nobody@example.com");
    let mailed = vec![email.clone(), may("tenant")];
    let new_password = [
        has("new_password", OTHER_PASSWORD),
        may("new_password_confirm"),
    ];
    let reset = [&shown[..], &new_password].concat();
    let change = [&[has("old_password", PASSWORD)][..], &new_password].concat();
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
    let log_in = vec![
        email.clone(),
        has("username", "nobody"),
        has("password", PASSWORD),
        may("tenant"),
    ];
    let refresh = has("refresh", "nothing");
    let bearer = vec![may("refresh_token"), refresh.clone()];
    vec![
        (Method::POST, "/api/token/", log_in.clone()),
        (Method::POST, "/auth/login/", log_in[1..].to_vec()),
        (Method::POST, "/api/token/refresh/", vec![refresh]),
        (Method::POST, "/auth/refresh/", bearer),
        (Method::POST, REGISTER, sign_up),
        (Method::POST, VERIFY, shown.clone()),
        (Method::POST, RESEND, mailed.clone()),
        (Method::POST, FORGOT, mailed),
        (Method::POST, CHANGE_EMAIL, vec![email]),
        (Method::POST, CONFIRM_EMAIL, shown),
        (Method::PATCH, ME, names),
        (Method::POST, RESET, reset),
        (Method::POST, CHANGE_PASSWORD, change),
    ]
}

#[actix_web::test]
async fn no_text_in_any_field_is_a_fault_of_ours() {
    let world = World::new().await;
    let sent = naughty();
    for (method, path, fields) in routes() {
        let access = anew(&world).await;
        for at in 0..fields.len() {
            if SPENDING.contains(&(path, fields[at].0)) {
                continue;
            }
            let requests = sent.iter().flat_map(|text| {
                let fields = with(&fields, fields[at].0, text);
                both_ways(&method, path, &access, &fields)
            });
            let requests: Vec<Request> = requests.collect();
            for (n, answer) in world.send_all(requests).await.iter().enumerate() {
                answered(answer, path, fields[at].0, &sent[n / 2]);
            }
        }
    }
}

#[actix_web::test]
async fn any_text_is_a_password_or_refused_as_one() {
    let world = World::new().await;
    let all = routes();
    let (mut accepted, mut refused) = (0, 0);
    for (path, field) in SPENDING {
        let (_, _, fields) = all.iter().find(|route| route.1 == path).unwrap();
        for text in naughty() {
            for way in [0, 1] {
                let access = anew(&world).await;
                let mut fields = with(fields, field, &text);
                if path == RESET {
                    fields[0].1 = reset_token(&world).await;
                }
                let mut ways = both_ways(&Method::POST, path, &access, &fields).into_iter();
                let answer = world.send(ways.nth(way).unwrap()).await;
                if answer.status == StatusCode::OK {
                    accepted += 1;
                    continue;
                }
                let shown = format!("{path} {field} {text:?}: {}", answer.text);
                assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{shown}");
                assert!(answer.json()[field].is_array(), "{shown}");
                refused += 1;
            }
        }
    }
    assert!(accepted > 500 && refused > 500, "{accepted} {refused}");
}

/// The fields with that text in one of them.
fn with(fields: &[Field], name: &str, text: &str) -> Vec<(&'static str, String)> {
    let value = |(of, value): &Field| {
        let text = (*of == name).then(|| text.to_owned());
        Some((*of, text.or_else(|| value.clone())?))
    };
    fields.iter().filter_map(value).collect()
}

/// A session of the user, whose password is as it was at first.
async fn anew(world: &World) -> String {
    let tessera = &world.tessera;
    let tenant = tessera.tenant("public").await.unwrap().unwrap();
    let user = tessera.user(&tenant, EMAIL).await.unwrap().unwrap();
    let password = Password::new(PASSWORD.to_owned());
    let set = tessera.set_password(&tenant, user.id, password.clone());
    set.await.unwrap();
    let command = LogIn {
        hints: TenantHints::default(),
        login: EMAIL.to_owned(),
        password,
        device: Device::default(),
    };
    tessera.log_in(command).await.unwrap().access
}

async fn reset_token(world: &World) -> String {
    let command = AskForMail {
        hints: TenantHints::default(),
        email: EmailAddress::parse(EMAIL).unwrap(),
        ip: None,
    };
    world.tessera.forgot_password(command).await.unwrap();
    let mut letters = letters(world).await.into_iter().rev();
    letters.find_map(|letter| letter.link).unwrap().token
}

fn both_ways(method: &Method, path: &str, access: &str, fields: &[(&str, String)]) -> [Request; 2] {
    let request = || Request::new(method.clone(), path).bearer(access);
    let json: Value = fields
        .iter()
        .map(|(name, value)| ((*name).to_owned(), json!(value)))
        .collect();
    let texts: Vec<_> = fields
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    [
        request().json(&json),
        request().body(FORM, written(FORM, &texts)),
    ]
}

/// Not as a fault; and what was taken is shown as it was sent.
fn answered(answer: &Answer, path: &str, field: &str, sent: &str) {
    let (status, body) = (answer.status, answer.json());
    let expected = status.is_success()
        || status == StatusCode::BAD_REQUEST
        || (status == StatusCode::UNAUTHORIZED && (field == "tenant" || LOG_IN.contains(&path)));
    assert!(expected, "{path} {field} {sent:?}: {}", answer.text);
    if status == StatusCode::BAD_REQUEST {
        let of_token = body["token"].is_array();
        // Where one of two is needed, an empty one is none, and the first is what is missing.
        let missing = ["email", "refresh_token"].map(|first| body[first].is_array());
        let of_other = LOG_IN.contains(&path) && sent.trim().is_empty() && missing.contains(&true);
        assert!(
            body[field].is_array() || of_token || of_other,
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

const CHANGE_PASSWORD: &str = "/api/auth/change-password/";

/// Where what is wrong is a 401.
const LOG_IN: [&str; 4] = [
    "/api/token/",
    "/auth/login/",
    "/api/token/refresh/",
    "/auth/refresh/",
];
