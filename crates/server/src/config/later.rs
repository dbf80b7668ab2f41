//! What may be set that is not built yet: a value that can never be right is no better for being
//! early.

use std::fs;

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

fn file(setting: Setting<'_>) -> Result<(), ConfigError> {
    let found = fs::metadata(setting.value)
        .map_err(|error| setting.refused(format_args!("which cannot be read: {error}")))?;
    let good = found.is_file();
    good.then_some(())
        .ok_or_else(|| setting.refused("which is no file"))
}

type Rule = fn(Setting<'_>) -> Result<(), ConfigError>;

const CHOICES: [(&str, &[&str]); 1] = [("TESSERA_USER_IDS", &["uuid", "integer"])];

const RULES: [(&str, Rule); 1] = [("TESSERA_GATEWAY_CONFIG", file)];

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
            ("GOOGLE_CLIENT_SECRET_FILE", "/nowhere/google"),
            ("TESSERA_GATEWAY_CONFIG", "/nowhere/gateway.yml"),
            ("TESSERA_GATEWAY_CONFIG", "/"),
            ("TESSERA_USER_IDS", "perhaps"),
        ] {
            let said = refusal(name, wrong).unwrap_or_else(|| panic!("accepted: {name}={wrong}"));
            assert!(said.contains(name), "{said}");
        }
    }

    #[test]
    fn what_may_be_right_is_let_by() {
        assert_eq!(refusal("TESSERA_USER_IDS", "integer"), None);
    }
}
