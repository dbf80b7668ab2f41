//! `tessera` with nothing set: what it makes, what it prints, and what it keeps.

use std::fs;
use std::process::Command;

use rustix::process::Signal;
use serde_json::Value;

use crate::client::{Request, ask, log_in, refresh, validate};
use crate::database::free_port;
use crate::service::{ADMIN, Installation, mode};

#[test]
fn a_fresh_start_makes_everything_for_its_owner_alone() {
    let installation = Installation::embedded();
    let service = installation.start();
    for (name, expected) in [
        ("data", 0o700),
        ("data/tessera.db", 0o600),
        ("data/keys", 0o700),
        ("data/keys/key-encryption-key", 0o600),
        ("data/initial-admin.txt", 0o600),
    ] {
        assert_eq!(mode(&installation.path(name)), expected, "{name}");
    }
    let told = fs::read_to_string(installation.path("data/initial-admin.txt")).unwrap();
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0], "email: admin@localhost");
    assert!(lines[1].starts_with("password: ") && lines[1].len() > 30);

    let box_ = service.welcome.join("\n");
    for shown in [
        "/api/docs/",
        "/.well-known/jwks.json",
        "/health/",
        "initial-admin.txt",
    ] {
        assert!(box_.contains(shown), "{shown}");
    }
    assert!(!box_.contains(&installation.password()));
    for path in [
        "/livez",
        "/readyz",
        "/health/",
        "/api/docs/",
        "/.well-known/jwks.json",
    ] {
        assert_eq!(service.status(path), 200, "{path}");
    }
}

#[test]
fn the_first_administrator_is_one() {
    let installation = Installation::embedded();
    let service = installation.start();
    let answer = service.ask(&log_in(ADMIN, &installation.password()));
    let user = &answer.json()["user"];
    assert_eq!(user["role"], "platform-admin");
    assert_eq!(user["is_superuser"], true);
    assert_eq!(user["email_verified"], true);
    assert_eq!(user["tenant"], "public");
}

#[test]
fn the_printed_commands_work_as_printed() {
    let installation = Installation::embedded();
    let service = installation.start();
    let commands = service
        .welcome
        .iter()
        .filter(|line| line.starts_with("curl "));
    let commands: Vec<&String> = commands.collect();
    assert_eq!(commands.len(), 3);
    // Twice, as people try again; each by itself, as they may from another terminal.
    for command in commands.iter().chain(&commands) {
        let mut shell = Command::new("sh");
        let output = shell.arg("-c").arg(command).output().unwrap();
        assert!(output.status.success(), "{command}: {output:?}");
        assert_eq!(output.stderr, b"", "{command}");
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert!(answer.get("access").or(answer.get("email")).is_some());
    }
}

#[test]
fn the_printed_commands_work_in_a_folder_with_any_name() {
    let installation = Installation::embedded().with("TESSERA_DATA_DIR", "it's a $folder");
    let service = installation.start();
    for command in service
        .welcome
        .iter()
        .filter(|line| line.starts_with("curl "))
    {
        let output = Command::new("sh").arg("-c").arg(command).output().unwrap();
        assert!(output.status.success(), "{command}: {output:?}");
    }
}

#[test]
fn a_second_start_keeps_users_keys_and_sessions() {
    let installation = Installation::embedded();
    let mut service = installation.start();
    let keys = service.ask(&Request::get("/.well-known/jwks.json")).body;
    let (access, token) = service.session(&installation);
    let password = installation.password();
    service.terminate();
    assert!(service.wait().success());

    let service = installation.start();
    assert_eq!(installation.password(), password);
    assert_eq!(
        service.ask(&Request::get("/.well-known/jwks.json")).body,
        keys
    );
    assert_eq!(service.ask(&validate(&access)).status, 200);
    assert_eq!(service.ask(&refresh(&token)).status, 200);
    assert_eq!(service.ask(&log_in(ADMIN, &password)).status, 200);
}

#[test]
fn an_account_is_made_once() {
    let installation = Installation::embedded();
    installation.start().kill();
    fs::remove_file(installation.path("data/initial-admin.txt")).unwrap();
    let service = installation.start();
    assert!(!installation.path("data/initial-admin.txt").exists());
    assert!(!service.welcome.iter().any(|line| line.starts_with("curl ")));
    let users = installation.json(&["user", "list"], "");
    assert_eq!(users.as_array().unwrap().len(), 1);
}

#[test]
fn a_start_that_was_cut_off_before_the_account_was_made_is_continued() {
    let installation = Installation::embedded();
    fs::create_dir(installation.path("data")).unwrap();
    let told = "email: admin@localhost\npassword: told-before-the-cut\n";
    installation.write("data/initial-admin.txt", told);
    let service = installation.start();
    service.session(&installation);
    assert_eq!(installation.password(), "told-before-the-cut");
}

#[test]
fn a_log_line_is_json_and_names_neither_address_nor_password() {
    let installation = Installation::embedded();
    let mut service = installation.start();
    let (access, token) = service.session(&installation);
    service.ask(&refresh(&token));
    service.ask(&log_in("nobody@example.org", "a wrong password"));
    service.signal(Signal::INT);
    service.wait();
    let log = service.log();
    for line in log.lines() {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
        assert!(line["timestamp"].is_string() && line["level"].is_string());
    }
    assert!(log.contains("\"route\":\"/api/token/\""));
    let password = installation.password();
    for secret in [
        &access,
        &token,
        &password,
        ADMIN,
        "nobody@",
        "a wrong password",
    ] {
        assert!(!log.contains(secret), "{secret}");
    }
}

#[test]
fn metrics_and_probes_may_have_a_port_of_their_own() {
    let port = free_port();
    let address = format!("127.0.0.1:{port}");
    let installation = Installation::embedded().with("TESSERA_METRICS_ADDR", &address);
    let service = installation.start();
    let beside = |path| ask(address.parse().unwrap(), &Request::get(path));
    for (path, on_main, on_its_own) in [
        ("/metrics/", 404, 200),
        ("/livez", 200, 200),
        ("/readyz", 200, 200),
        ("/.well-known/jwks.json", 200, 404),
        ("/api/docs/", 200, 404),
    ] {
        assert_eq!(service.status(path), on_main, "{path}");
        assert_eq!(beside(path).status, on_its_own, "{path}");
    }
    let metrics = beside("/metrics/").body;
    for name in [
        "tessera_hash_threads",
        "tessera_logins_total",
        "tessera_build_info",
    ] {
        assert!(metrics.contains(name), "{name}");
    }
}

#[test]
fn a_log_file_takes_every_line_to_the_end() {
    let installation = Installation::embedded()
        .with("TESSERA_LOG_FILE", "tessera.log")
        .with("TESSERA_LOG_FORMAT", "json");
    let mut service = installation.start();
    assert_eq!(service.status("/metrics/"), 200);
    service.terminate();
    service.wait();
    assert_eq!(service.log(), "");
    let log = fs::read_to_string(installation.path("tessera.log")).unwrap();
    let messages = [
        "serving",
        "request",
        "unready, and serving until others see it",
        "ended",
    ];
    let mut rest = log.as_str();
    for message in messages {
        let line = format!("\"message\":\"{message}\"");
        (_, rest) = rest
            .split_once(&line)
            .unwrap_or_else(|| panic!("{message}: {log}"));
    }
    assert_eq!(rest.lines().count(), 1, "{log}");
}
