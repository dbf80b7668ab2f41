//! What must not start does not, and says why in one sentence that names the setting.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::service::Installation;

/// What a start that cannot succeed says; nothing is made by it.
fn refusal(installation: &Installation) -> String {
    let (status, said) = installation.refusal(&[], "");
    assert_eq!(status, Some(2), "{said}");
    assert!(
        said.starts_with("tessera: ") && said.ends_with('\n'),
        "{said}"
    );
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(!installation.path("data").exists());
    said
}

#[test]
fn a_wrong_setting_is_named() {
    for (name, value) in [
        ("CORS_ALLOWED_ORIGINS", "*"),
        ("DATABASE_URL", "mysql://localhost/tessera"),
        ("DATABASE_URL", "postgres://localhost/tessera?nonsense=1"),
        ("DATABASE_URL", "sqlite:///nowhere/tessera.db"),
        ("DEFAULT_FROM_EMAIL", "nobody"),
        ("HOST", "nope.."),
        ("HOST", "192.0.2.1"),
        ("JWT_ALGORITHM", "HS256"),
        ("JWT_PRIVATE_KEY_PATH", "nowhere.pem"),
        ("PORT", "http"),
        ("SECRET_KEY", "short"),
        ("SECRET_KEY", "change-me-change-me-change-me-change-me"),
        ("SECRET_KEY_FILE", "nowhere"),
        ("TESSERA_ARGON2", "m=64,t=1,p=1"),
        ("TESSERA_AUDIT_RETENTION", "-1"),
        ("TESSERA_EVENTS_RETENTION", "x"),
        ("TESSERA_KEY_ENCRYPTION_KEY", "short"),
        ("TESSERA_LOG", "loud"),
        ("TESSERA_MAIL_TEMPLATES", "nowhere"),
        ("TESSERA_PUBLIC_URL", "localhost"),
        ("TESSERA_REFRESH_GRACE", "61"),
        ("TESSERA_REFRESH_GRASE", "10"),
    ] {
        let said = refusal(&Installation::embedded().with(name, value));
        assert!(said.contains(name), "{name}={value}: {said}");
    }
}

#[test]
fn every_command_reads_the_same_settings() {
    let installation = Installation::embedded().with("TESSERA_NONSENSE", "1");
    for command in [
        &["migrate"][..],
        &["user", "list"],
        &["tenant", "list"],
        &["keys", "list"],
        &["openapi"],
        &["healthcheck"],
    ] {
        let (status, said) = installation.refusal(command, "");
        assert_eq!(status, Some(2), "{command:?}");
        assert!(said.contains("TESSERA_NONSENSE"), "{said}");
    }
}

#[test]
fn a_file_of_settings_is_read_and_the_environment_wins() {
    let installation = Installation::embedded();
    installation.write(".env", "PORT=nonsense\nTESSERA_DATA_DIR=elsewhere\n");
    let service = installation.start();
    assert_eq!(service.status("/livez"), 200);
    assert!(installation.path("elsewhere/tessera.db").exists());

    installation.write(".env", "TESSERA_REFRESH_GRACE=-1\n");
    let said = refusal(&installation);
    assert!(said.contains("TESSERA_REFRESH_GRACE"), "{said}");
}

#[test]
fn a_key_file_that_others_can_write_is_refused() {
    let installation = Installation::embedded();
    let path = installation.write("key.pem", "no key");
    let installation = installation.with("JWT_PRIVATE_KEY_PATH", "key.pem");
    for (mode, why) in [(0o666, "others can write"), (0o600, "not a private key")] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let output = installation.run(&[], "");
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(
            said.contains("JWT_PRIVATE_KEY_PATH") && said.contains(why),
            "{said}"
        );
    }
}

#[test]
fn a_fault_in_a_mail_template_is_named_with_its_line() {
    let installation = Installation::embedded().with("TESSERA_MAIL_TEMPLATES", ".");
    installation.write("verify_email.txt", "Hello {{ first_name }}\n{{ lnk }}\n");
    let said = refusal(&installation);
    assert_eq!(
        said,
        "tessera: TESSERA_MAIL_TEMPLATES: the mail template verify_email.txt, line 2: undefined \
         value\n"
    );
}

#[test]
fn authorities_of_the_mail_server_that_cannot_be_read_are_named() {
    let installation = Installation::embedded()
        .with("EMAIL_HOST", "mail.example.org")
        .with("EMAIL_USE_TLS", "on")
        .with("TESSERA_MAIL_CA", "nowhere.pem");
    let said = refusal(&installation);
    assert!(said.contains("TESSERA_MAIL_CA: nowhere.pem: "), "{said}");
}

/// Whether the key suits and the URL can be read is seen by the adapters alone.
#[test]
fn what_is_refused_makes_no_data_folder() {
    for settings in [
        [
            ("JWT_PRIVATE_KEY_PATH", "key.pem"),
            ("JWT_ALGORITHM", "RS256"),
        ],
        [
            ("TESSERA_DATA_DIR", "data"),
            ("DATABASE_URL", "postgres://h:port/d"),
        ],
    ] {
        let installation = Installation::embedded();
        let path = installation.write("key.pem", EC_KEY);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let [one, other] = settings;
        let installation = installation.with(one.0, one.1).with(other.0, other.1);
        let said = refusal(&installation);
        assert!(said.contains(one.0) || said.contains(other.0), "{said}");
    }
}

#[test]
fn a_data_folder_that_cannot_be_one_is_wrong_configuration() {
    for path in ["file", "file/data", "/proc/data"] {
        let installation = Installation::embedded().with("TESSERA_DATA_DIR", path);
        installation.write("file", "");
        let said = refusal(&installation);
        assert!(said.contains("TESSERA_DATA_DIR"), "{said}");
    }
}

#[test]
fn a_port_or_a_data_folder_in_use_is_one_sentence() {
    let installation = Installation::embedded();
    let service = installation.start();
    let (status, said) = installation.refusal(&[], "");
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("TESSERA_DATA_DIR"), "{said}");
    assert!(
        said.lines().last().unwrap().starts_with("tessera: "),
        "{said}"
    );

    let port = service.address.port().to_string();
    let other = Installation::embedded().with("PORT", &port);
    let (status, said) = other.refusal(&[], "");
    assert_eq!(status, Some(1), "{said}");
    assert!(
        said.starts_with(&format!("tessera: PORT is {port}")),
        "{said}"
    );
    assert_eq!(said.lines().count(), 1);
    assert!(!other.path("data").exists());

    let address = service.address.to_string();
    let other = Installation::embedded().with("TESSERA_METRICS_ADDR", &address);
    let (status, said) = other.refusal(&[], "");
    assert_eq!(status, Some(1), "{said}");
    assert_eq!(
        said,
        format!(
            "tessera: TESSERA_METRICS_ADDR is {address}, which another program uses: set another\n"
        )
    );
    assert!(!other.path("data").exists());
}

#[test]
fn a_key_ring_of_another_key_does_not_start() {
    let installation = Installation::embedded();
    installation.start().kill();
    let key = "8Jx2+Lq0Zr5vN1mT7yWcK4hPdE9sGbUa6fRiOo3tXlQ=";
    let installation = installation.with("TESSERA_KEY_ENCRYPTION_KEY", key);
    let (status, said) = installation.refusal(&[], "");
    assert_eq!(status, Some(2), "{said}");
    assert!(said.contains("TESSERA_KEY_ENCRYPTION_KEY"), "{said}");
}

#[test]
fn a_file_that_is_no_database_of_ours_is_left_as_it_is() {
    for content in [
        "not a database, but long enough to be one".repeat(64),
        "x".to_owned(),
    ] {
        let installation = Installation::embedded();
        fs::create_dir(installation.path("data")).unwrap();
        let path = installation.write("data/tessera.db", &content);
        let (status, said) = installation.refusal(&[], "");
        assert_eq!(status, Some(1), "{said}");
        let sentence = said.lines().last().unwrap();
        assert!(sentence.contains("TESSERA_DATA_DIR"), "{said}");
        assert_eq!(fs::read_to_string(path).unwrap(), content);
    }
}

#[test]
fn a_secret_signs_by_hs256_and_the_start_says_so() {
    let secret = "k7Qp9xZ2vN4mB6tR8wL1cY3jH5gF0dSa";
    let installation = Installation::embedded();
    installation.write("secret", &format!("{secret}\n"));
    let installation = installation.with("SECRET_KEY_FILE", "secret");
    let service = installation.start();
    let log = service.log();
    assert!(log.contains("HS256") && !log.contains(secret), "{log}");
    let keys = service.ask(&crate::client::Request::get("/.well-known/jwks.json"));
    assert_eq!(keys.json(), serde_json::json!({ "keys": [] }));
    let (access, _) = service.session(&installation);
    assert_eq!(service.ask(&crate::client::validate(&access)).status, 200);
}

/// On P-256; it signs nothing anywhere.
const EC_KEY: &str = "\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgDRnqVd5sB4eLz6sl
Wyb/1tSbwVcPw/39sKJMIZQBsK+hRANCAAQIOPNqHIN/lOzIPyaMD8NEV0YVe2Y9
oiZ/9aueP+mS/E32sfjVp9z6SRudNHWgyaCxDpg3CLre47tdA5VoQfTq
-----END PRIVATE KEY-----
";
