//! The settings as they come: the environment first, then `.env`, and secrets from files.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use super::key_file;
use super::names;
use super::value::{Secret, Setting};
use super::{ConfigError, Notice};

/// Names and what they are set to; an empty value counts as none.
#[derive(Clone, Default)]
pub(crate) struct Environment {
    values: BTreeMap<String, String>,
}

impl Environment {
    /// What the process was given and, for names that it was not given, what `.env` says.
    pub(crate) fn read() -> Result<Self, ConfigError> {
        Ok(Self::layered(process()?, dotenv(Path::new(".env"))?))
    }

    /// A secret and the file it may come from are one setting: who gives one hides both below.
    fn layered(given: BTreeMap<String, String>, mut written: BTreeMap<String, String>) -> Self {
        written.retain(|name, _| {
            let spellings = names::spellings(name);
            !spellings.iter().any(|name| given.contains_key(name))
        });
        let mut values = given;
        values.extend(written);
        Self { values }
    }

    /// The names that are set.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.values
            .iter()
            .filter(|(_, value)| !value.trim().is_empty())
            .map(|(name, _)| name.as_str())
    }

    /// The setting of that name, if it is set.
    pub(crate) fn setting(&self, name: &'static str) -> Option<Setting<'_>> {
        let value = self.values.get(name)?.trim();
        (!value.is_empty()).then_some(Setting { name, value })
    }

    /// What `read` makes of the setting, if it is set.
    pub(crate) fn parse<'a, T>(
        &'a self,
        name: &'static str,
        read: impl FnOnce(Setting<'a>) -> Result<T, ConfigError>,
    ) -> Result<Option<T>, ConfigError> {
        self.setting(name).map(read).transpose()
    }

    /// Whether the setting is on; `default` where it is not set.
    pub(crate) fn switch(&self, name: &'static str, default: bool) -> Result<bool, ConfigError> {
        let set = self.parse(name, Setting::switch)?;
        Ok(set.unwrap_or(default))
    }

    /// The first of `names` that is set.
    pub(crate) fn first(&self, names: &[&'static str]) -> Option<Setting<'_>> {
        names.iter().find_map(|name| self.setting(name))
    }

    /// The first of `names` that is set, itself or as `NAME_FILE`, with the name it was set by.
    pub(crate) fn secret(
        &self,
        names: &[&'static str],
        notices: &mut Vec<Notice>,
    ) -> Result<Option<(&'static str, Secret)>, ConfigError> {
        for name in names {
            if let Some(secret) = self.one_secret(name, notices)? {
                return Ok(Some((name, secret)));
            }
        }
        Ok(None)
    }

    /// The secret of that name, itself or as `NAME_FILE`, if it is set.
    pub(crate) fn one_secret(
        &self,
        name: &'static str,
        notices: &mut Vec<Notice>,
    ) -> Result<Option<Secret>, ConfigError> {
        let direct = self.values.get(name).filter(|value| !value.is_empty());
        let file = names::file_of(name);
        let from = self.values.get(&file).filter(|value| !value.is_empty());
        match (direct, from) {
            (None, None) => Ok(None),
            (Some(value), None) => Ok(Some(Secret::new(value.clone()))),
            (None, Some(path)) => {
                let text = key_file::read(&file, Path::new(path.trim()), notices)?;
                let secret = without_final_newline(&text);
                if secret.is_empty() {
                    return Err(ConfigError::new(format!("{file} names an empty file")));
                }
                Ok(Some(Secret::new(secret.to_owned())))
            }
            (Some(_), Some(_)) => Err(ConfigError::new(format!(
                "{name} and {file} are both set; keep one of them"
            ))),
        }
    }
}

impl<const N: usize> From<[(&str, &str); N]> for Environment {
    fn from(pairs: [(&str, &str); N]) -> Self {
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        Self {
            values: pairs.into_iter().map(owned).collect(),
        }
    }
}

/// Editors and `echo` end a file with a newline, which is no part of the secret.
pub(crate) fn without_final_newline(text: &str) -> &str {
    let text = text.strip_suffix('\n').unwrap_or(text);
    text.strip_suffix('\r').unwrap_or(text)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the environment"
)]
fn process() -> Result<BTreeMap<String, String>, ConfigError> {
    let mut values = BTreeMap::new();
    for (name, value) in std::env::vars_os() {
        let Ok(name) = name.into_string() else {
            continue;
        };
        match value.into_string() {
            Ok(value) => {
                values.insert(name, value);
            }
            Err(_) if names::is_known(&name) => {
                return Err(ConfigError::new(format!("{name} is not UTF-8")));
            }
            Err(_) => {}
        }
    }
    Ok(values)
}

/// What a file of `NAME=value` lines says; of a name that comes twice, what comes first.
fn dotenv(path: &Path) -> Result<BTreeMap<String, String>, ConfigError> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::IsADirectory) => {
            return Ok(BTreeMap::new());
        }
        Err(error) => {
            let path = path.display();
            return Err(ConfigError::new(format!("{path} cannot be read: {error}")));
        }
    };
    let mut values = BTreeMap::new();
    for pair in dotenvy::from_read_iter(text.trim_start_matches('\u{feff}').as_bytes()) {
        let (name, value) = pair.map_err(|error| unreadable_line(path, &text, &error))?;
        values.entry(name).or_insert(value);
    }
    Ok(values)
}

/// Says where, and not what: the line may hold a secret.
fn unreadable_line(path: &Path, text: &str, error: &dotenvy::Error) -> ConfigError {
    let path = path.display();
    let mut line = None;
    if let dotenvy::Error::LineParse(end, _) = error {
        line = text
            .lines()
            .position(|line| line.trim().ends_with(end.trim()));
    }
    ConfigError::new(match line {
        Some(line) => format!(
            "{path} has a line {} that is no NAME=value; quote a value that has spaces",
            line + 1
        ),
        None => format!("{path} has a line that is no NAME=value; quote a value that has spaces"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
        Environment::from(pairs).values
    }

    #[test]
    fn the_environment_comes_before_the_file() {
        let both = Environment::layered(
            map([("PORT", "1"), ("SECRET_KEY_FILE", "/a"), ("DEBUG", "")]),
            map([
                ("PORT", "2"),
                ("HOST", "::1"),
                ("SECRET_KEY", "x"),
                ("DEBUG", "on"),
            ]),
        );
        assert_eq!(
            both.names().collect::<Vec<_>>(),
            ["HOST", "PORT", "SECRET_KEY_FILE"]
        );
        assert_eq!(both.setting("PORT").unwrap().value, "1");
    }

    #[test]
    fn a_file_of_lines_is_read_and_its_secrets_are_not_repeated() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lines");
        assert!(dotenv(&path).unwrap().is_empty());
        fs::write(
            &path,
            "\u{feff}# note\nPORT=9 # nine\nSECRET_KEY='a $b'\nPORT=8\n",
        )
        .unwrap();
        let read = dotenv(&path).unwrap();
        assert_eq!(read, map([("PORT", "9"), ("SECRET_KEY", "a $b")]));

        fs::write(&path, "PORT=9\nSECRET_KEY=hush hush\n").unwrap();
        let error = dotenv(&path).unwrap_err().to_string();
        assert!(
            error.contains("line 2") && !error.contains("hush"),
            "{error}"
        );
    }

    #[test]
    fn a_secret_may_come_from_a_file_without_its_final_newline() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        fs::write(&path, " a secret \r\n").unwrap();
        let path = path.to_str().unwrap();
        let (name, secret) = Environment::from([("SECRET_KEY_FILE", path)])
            .secret(&["JWT_SECRET_KEY", "SECRET_KEY"], &mut Vec::new())
            .unwrap()
            .unwrap();
        assert_eq!((name, secret.as_str()), ("SECRET_KEY", " a secret "));

        let both = Environment::from([("SECRET_KEY_FILE", path), ("SECRET_KEY", "x")]);
        let error = both.secret(&["SECRET_KEY"], &mut Vec::new()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "SECRET_KEY and SECRET_KEY_FILE are both set; keep one of them"
        );
    }
}
