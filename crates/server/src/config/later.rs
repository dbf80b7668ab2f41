//! What may be set that is not built yet: a value that can never be right is no better for being
//! early.

use std::fs;

use url::Url;

use super::value::Setting;
use super::{ConfigError, Environment, Notice, names};

/// Refuses what can never be right.
pub(crate) fn check(
    environment: &Environment,
    notices: &mut Vec<Notice>,
) -> Result<(), ConfigError> {
    for (name, choices) in CHOICES {
        environment.parse(name, |setting| one_of(setting, choices))?;
    }
    for (name, rule) in RULES {
        environment.parse(name, rule)?;
    }
    for name in names::later_secrets() {
        environment.one_secret(name, notices)?;
    }
    Ok(())
}

fn one_of(setting: Setting<'_>, choices: &[&str]) -> Result<(), ConfigError> {
    let choices: Vec<(&str, ())> = choices.iter().map(|choice| (*choice, ())).collect();
    setting.one_of(&choices)
}

fn port(setting: Setting<'_>) -> Result<(), ConfigError> {
    setting.number::<u16>(1..=65_535).map(|_| ())
}

fn switch(setting: Setting<'_>) -> Result<(), ConfigError> {
    setting.switch().map(|_| ())
}

fn host(setting: Setting<'_>) -> Result<(), ConfigError> {
    let strange = setting.value.contains(['/', '@', ' ']);
    (!strange)
        .then_some(())
        .ok_or_else(|| setting.wrong("the name or the address of a mail server"))
}

fn sender(setting: Setting<'_>) -> Result<(), ConfigError> {
    let good = setting.value.contains('@');
    good.then_some(())
        .ok_or_else(|| setting.wrong("an address, as Tessera <id@example.org>"))
}

fn page(setting: Setting<'_>) -> Result<(), ConfigError> {
    let url = Url::parse(setting.value).ok();
    url.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
        .map(|_| ())
        .ok_or_else(|| {
            let name = setting.name;
            ConfigError::new(format!("{name} must be a URL with http or https"))
        })
}

fn file(setting: Setting<'_>) -> Result<(), ConfigError> {
    let found = fs::metadata(setting.value)
        .map_err(|error| setting.refused(format_args!("which cannot be read: {error}")))?;
    let good = found.is_file();
    good.then_some(())
        .ok_or_else(|| setting.refused("which is no file"))
}

type Rule = fn(Setting<'_>) -> Result<(), ConfigError>;

const CHOICES: [(&str, &[&str]); 2] = [
    ("TESSERA_TENANT_LAYOUT", &["schema", "shared"]),
    ("TESSERA_USER_IDS", &["uuid", "integer"]),
];

const RULES: [(&str, Rule); 7] = [
    ("DEFAULT_FROM_EMAIL", sender),
    ("EMAIL_HOST", host),
    ("EMAIL_PORT", port),
    ("EMAIL_USE_TLS", switch),
    ("FRONTEND_URL", page),
    ("TESSERA_GATEWAY_CONFIG", file),
    ("WEB_PAGE_URL", page),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(name: &str, value: &str) -> Option<String> {
        let checked = check(&Environment::from([(name, value)]), &mut Vec::new());
        checked.err().map(|error| error.to_string())
    }

    #[test]
    fn wrong_configuration_of_what_is_not_built_yet_does_not_start_either() {
        for (name, wrong) in [
            ("DEFAULT_FROM_EMAIL", "nobody"),
            ("EMAIL_HOST", "smtp://mail"),
            ("EMAIL_PORT", "0"),
            ("EMAIL_USE_TLS", "perhaps"),
            ("FRONTEND_URL", "app.example.org"),
            ("GOOGLE_CLIENT_SECRET_FILE", "/nowhere/google"),
            ("TESSERA_GATEWAY_CONFIG", "/nowhere/gateway.yml"),
            ("TESSERA_GATEWAY_CONFIG", "/"),
            ("WEB_PAGE_URL", "mailto:a@b"),
        ] {
            let said = refusal(name, wrong).unwrap_or_else(|| panic!("accepted: {name}={wrong}"));
            assert!(said.contains(name), "{said}");
        }
    }

    #[test]
    fn what_may_be_right_is_let_by() {
        for (name, right) in [
            ("DEFAULT_FROM_EMAIL", "Tessera <webmaster@localhost>"),
            ("EMAIL_HOST", "::1"),
            ("EMAIL_USE_TLS", "True"),
            ("WEB_PAGE_URL", "https://app.example.org/#/"),
        ] {
            assert_eq!(refusal(name, right), None, "{name}={right}");
        }
    }
}
