//! What programs that are not ours make of it: a JWT library, and a browser.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::client::Request;
use crate::service::{ADMIN, Installation};

#[test]
fn tokens_of_every_algorithm_verify_with_another_library_by_the_published_key() {
    for algorithm in ["ES256", "RS256", "PS256", "EdDSA"] {
        let installation = Installation::embedded().with("JWT_ALGORITHM", algorithm);
        let service = installation.start();
        let (access, refresh) = service.session(&installation);
        let base = format!("http://{}", service.address);
        let said = python(
            "verify_token.py",
            &[algorithm, &base, &access, &refresh, &issuer(&service)],
        );
        assert_eq!(said, "ok", "{algorithm}");
    }
}

#[test]
fn a_token_under_a_shared_secret_verifies_with_another_library_and_no_key_is_published() {
    let secret = "c2hhcmVkIGJ5IHRoZSBzZXJ2aWNlcyByZXBsYWNlZA";
    let installation = Installation::embedded().with("SECRET_KEY", secret);
    let service = installation.start();
    let (access, refresh) = service.session(&installation);
    let base = format!("http://{}", service.address);
    let issuer = issuer(&service);
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

fn issuer(service: &crate::service::Service) -> String {
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
