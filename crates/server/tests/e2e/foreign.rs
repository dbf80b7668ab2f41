//! What programs that are not ours make of it: a JWT library, and a browser.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::accounts::Mailbox;
use crate::client::{Request, log_in};
use crate::service::{ADMIN, Installation, PASSWORD};

#[test]
fn tokens_of_every_algorithm_verify_with_another_library_by_the_published_key() {
    for algorithm in ["ES256", "RS256", "PS256", "EdDSA"] {
        let installation = Installation::embedded().with("JWT_ALGORITHM", algorithm);
        let service = installation.start();
        let (access, refresh) = service.session(&installation);
        let base = format!("http://{}", service.address);
        let said = python(
            "verify_token.py",
            &[
                algorithm,
                &base,
                &access,
                &refresh,
                &issuer_of_all(&service),
            ],
        );
        assert_eq!(said, "ok", "{algorithm}");
    }
}

#[test]
fn a_token_of_a_tenant_with_an_issuer_of_its_own_verifies_by_what_that_one_publishes() {
    let installation = Installation::embedded();
    let own = ["tenant", "settings", "public", "--issuer", "tenant"];
    let lives = [
        "--access-seconds",
        "120",
        "--mail-from",
        "Us <us@example.org>",
    ];
    let changed = installation.json(&[&own[..], &lives].concat(), "");
    assert_eq!(changed["settings"]["issuer"], "tenant");
    assert_eq!(changed["settings"]["access_seconds"], 120);
    assert_eq!(changed["settings"]["mail_from"], "Us <us@example.org>");
    let service = installation.start();
    let (access, refresh) = service.session(&installation);
    let base = format!("http://{}/t/public", service.address);
    let discovery = service.ask(&Request::get(
        "/.well-known/oauth-authorization-server/t/public",
    ));
    let issuer = discovery.text("issuer");
    assert_eq!(issuer, format!("{}/t/public", issuer_of_all(&service)));
    let arguments = ["ES256", &base, &access, &refresh, &issuer];
    assert_eq!(python("verify_token.py", &arguments), "ok");

    let longer = ["tenant", "settings", "public", "--access-seconds", "901"];
    let (status, said) = installation.refusal(&longer, "");
    assert_eq!(status, Some(1));
    assert!(said.contains("between 60 and 900 seconds"), "{said}");
}

#[test]
fn a_token_under_a_shared_secret_verifies_with_another_library_and_no_key_is_published() {
    let secret = "c2hhcmVkIGJ5IHRoZSBzZXJ2aWNlcyByZXBsYWNlZA";
    let installation = Installation::embedded().with("SECRET_KEY", secret);
    let service = installation.start();
    let (access, refresh) = service.session(&installation);
    let base = format!("http://{}", service.address);
    let issuer = issuer_of_all(&service);
    let said = python(
        "verify_token.py",
        &["HS256", &base, &access, &refresh, &issuer, secret],
    );
    assert_eq!(said, "ok");
}

#[test]
fn the_documentation_page_logs_in_authorizes_and_asks_in_a_browser() {
    needed("TESSERA_TEST_CHROMIUM");
    let installation = Installation::embedded();
    let service = installation.start();
    let base = format!("http://{}", service.address);
    let said = python("docs_page.py", &[&base, ADMIN, &installation.password()]);
    assert_eq!(said, "ok");
}

#[test]
fn the_links_of_mails_lead_to_pages_that_verify_change_and_reset_in_a_browser() {
    needed("TESSERA_TEST_CHROMIUM");
    let installation = Installation::embedded();
    let service = installation.start();
    let mailbox = Mailbox(&installation);
    let say = |path: &str, body: Value| {
        let answer = service.ask(&Request::post(path, body));
        assert!(answer.status < 300, "{answer:?}");
    };
    for email in ["ada@example.org", "eve@example.org"] {
        let body = json!({ "email": email, "password": PASSWORD });
        say("/api/auth/register/", body);
    }
    let verify = mailbox.link("ada@example.org", "verify-email");
    let (access, _) = service.session(&installation);
    let moved = json!({ "email": "root@example.org" });
    let asked = Request::post("/api/auth/change-email/", moved).bearer(&access);
    assert_eq!(service.ask(&asked).status, 200);
    let change = mailbox.link("root@example.org", "change-email");
    say(
        "/api/auth/password-reset/",
        json!({ "email": "eve@example.org" }),
    );
    let reset = mailbox.link("eve@example.org", "reset-password");

    let password = "set on a page of eight parts";
    let said = python("account_pages.py", &[&verify, &change, &reset, password]);
    assert_eq!(said, "ok");
    for (email, password) in [
        ("ada@example.org", PASSWORD),
        ("root@example.org", &installation.password()),
        ("eve@example.org", password),
    ] {
        let answer = service.ask(&log_in(email, password));
        assert_eq!(answer.status, 200, "{email}");
        assert_eq!(answer.json()["user"]["email_verified"], true, "{email}");
    }
}

fn issuer_of_all(service: &crate::service::Service) -> String {
    let discovery = service.ask(&Request::get("/.well-known/openid-configuration"));
    discovery.text("issuer")
}

/// What a script beside this file prints, which has to succeed.
pub(crate) fn python(script: &str, arguments: &[&str]) -> String {
    let interpreter = needed("TESSERA_TEST_PYTHON");
    let script = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/e2e/foreign")
        .join(script);
    let mut command = Command::new(interpreter);
    let output = command.arg(script).args(arguments).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[expect(
    clippy::disallowed_methods,
    reason = "scripts/test says by the environment what it found"
)]
fn needed(name: &str) -> PathBuf {
    let found = env::var_os(name).map(PathBuf::from);
    found.unwrap_or_else(|| panic!("{name} is not set: run ./scripts/test, which provides it"))
}
