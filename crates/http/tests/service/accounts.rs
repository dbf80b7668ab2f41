//! Accounts as their owners make, prove, change and delete them, with the mails that go out.

use std::sync::Arc;

use serde_json::{Value, json};
use tessera_app::{Letter, Link, MailRelay, MailStep};
use tessera_domain::TenantSettings;
use tessera_memory::MemoryMailer;

use crate::world::{Answer, EMAIL, PASSWORD, Request, World, text};

mod alike;
mod fresh;
mod mailed;
mod mass_assignment;
mod naughty;
mod new_email;
mod profile;
mod sign_up;

const REGISTER: &str = "/api/auth/register/";
const VERIFY: &str = "/api/auth/verify-email/";
const RESEND: &str = "/api/auth/verify-email/resend/";
const FORGOT: &str = "/api/auth/password-reset/";
const RESET: &str = "/api/auth/password-reset/confirm/";
const CHANGE_EMAIL: &str = "/api/auth/change-email/";
const CONFIRM_EMAIL: &str = "/api/auth/change-email/confirm/";
const ME: &str = "/api/auth/me/";

/// Nobody has it yet.
const NEW: &str = "eve@example.com";
const OTHER_PASSWORD: &str = "another battery for that staple";

fn newcomer() -> Value {
    json!({"email": NEW, "password": PASSWORD})
}

/// The mails that go out now.
pub(crate) async fn letters(world: &World) -> Vec<Letter> {
    let mailer = MemoryMailer::default();
    let relay = MailRelay::new(Arc::clone(&world.tessera), Arc::new(mailer.clone()));
    while !matches!(relay.step().await.unwrap(), MailStep::Quiet(_)) {}
    mailer.sent()
}

/// Where the first mail leads that goes out now.
async fn link(world: &World) -> Link {
    letters(world).await.remove(0).link.unwrap()
}

/// Where the mail leads that somebody gets who forgot the password.
async fn reset_link(world: &World) -> Link {
    world.post(FORGOT, json!({"email": EMAIL})).await;
    link(world).await
}

async fn access(world: &World) -> String {
    text(&world.log_in().await["access"]).to_owned()
}

async fn log_in(world: &World, login: &str, password: &str) -> Answer {
    let credentials = json!({"email": login, "password": password});
    world.post("/api/token/", credentials).await
}

/// Changes what holds for the accounts of the default tenant.
async fn set(world: &World, decide: impl Fn(TenantSettings) -> TenantSettings + Send + Sync) {
    world.change_settings("public", decide).await;
}

/// The body of a form, or of multipart with the boundary `x`.
fn written(media_type: &str, fields: &[(&str, &str)]) -> String {
    if media_type == FORM {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        return form.extend_pairs(fields).finish();
    }
    let part = |(name, value): &(&str, &str)| {
        format!("--x\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    fields.iter().map(part).collect::<String>() + "--x--\r\n"
}

const FORM: &str = "application/x-www-form-urlencoded";
const MULTIPART: &str = "multipart/form-data; boundary=x";

/// The request with these fields in each of the three ways to write them.
fn three_ways(request: impl Fn() -> Request, fields: &[(&str, &str)]) -> [Request; 3] {
    let json: Value = fields
        .iter()
        .map(|(name, value)| ((*name).to_owned(), json!(value)))
        .collect();
    [
        request().json(&json),
        request().body(FORM, written(FORM, fields)),
        request().body(MULTIPART, written(MULTIPART, fields)),
    ]
}

const TOKEN_NOT_VALID: &str = "This token is not valid, or no longer. Ask for a new mail.";
