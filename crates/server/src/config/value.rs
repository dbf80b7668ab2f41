//! What a setting may be, and the sentence when it is not.

use core::fmt;
use core::ops::RangeInclusive;
use core::time::Duration;

use zeroize::Zeroize;

use super::ConfigError;

/// A setting that is set: its name, and its value without white space around it.
#[derive(Clone, Copy)]
pub(crate) struct Setting<'a> {
    pub(crate) name: &'static str,
    pub(crate) value: &'a str,
}

impl Setting<'_> {
    /// A whole number within `range`.
    pub(crate) fn number<N: TryFrom<u64>>(
        self,
        range: RangeInclusive<u64>,
    ) -> Result<N, ConfigError> {
        let number = self.value.parse().ok();
        number
            .filter(|number| range.contains(number))
            .and_then(|number| N::try_from(number).ok())
            .ok_or_else(|| {
                let (from, to) = (range.start(), range.end());
                self.wrong(format_args!("a whole number from {from} to {to}"))
            })
    }

    /// A number of seconds within `range`.
    pub(crate) fn seconds(self, range: RangeInclusive<u64>) -> Result<Duration, ConfigError> {
        self.number(range).map(Duration::from_secs)
    }

    /// A number of days, a hundred years at most.
    pub(crate) fn days(self) -> Result<Duration, ConfigError> {
        let days: u64 = self.number(0..=36_500)?;
        Ok(Duration::from_hours(24 * days))
    }

    /// On or off, in any of the spellings that people use.
    pub(crate) fn switch(self) -> Result<bool, ConfigError> {
        match self.value.to_ascii_lowercase().as_str() {
            "on" | "true" | "yes" | "1" => Ok(true),
            "off" | "false" | "no" | "0" => Ok(false),
            _ => Err(self.wrong("`on` or `off`")),
        }
    }

    /// One of `choices`, in any case.
    pub(crate) fn one_of<T: Copy>(self, choices: &[(&str, T)]) -> Result<T, ConfigError> {
        choices
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(self.value))
            .map(|(_, choice)| *choice)
            .ok_or_else(|| {
                let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
                self.wrong(format_args!("one of {}", names.join(", ")))
            })
    }

    /// A list with commas, or a JSON array of strings, as some of the services replaced had it.
    pub(crate) fn list(self) -> Result<Vec<String>, ConfigError> {
        let entries = if self.value.starts_with('[') {
            serde_json::from_str(self.value)
                .map_err(|_| self.wrong("a list with commas or a JSON array of strings"))?
        } else {
            self.value.split(',').map(str::to_owned).collect::<Vec<_>>()
        };
        Ok(entries
            .iter()
            .map(|entry| entry.trim().to_owned())
            .filter(|entry| !entry.is_empty())
            .collect())
    }

    /// The sentence for a value that is not `expected`.
    pub(crate) fn wrong(self, expected: impl fmt::Display) -> ConfigError {
        self.refused(format_args!("but must be {expected}"))
    }

    /// The sentence for a value, with why it is refused.
    pub(crate) fn refused(self, why: impl fmt::Display) -> ConfigError {
        let Self { name, value } = self;
        ConfigError::new(format!("{name} is `{value}`, {why}"))
    }
}

/// A secret: wiped when dropped, and never shown.
#[derive(Clone, Eq, PartialEq)]
pub(crate) struct Secret(String);

impl Secret {
    pub(crate) fn new(secret: String) -> Self {
        Self(secret)
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setting(value: &str) -> Setting<'_> {
        Setting {
            name: "TESSERA_X",
            value,
        }
    }

    #[test]
    fn a_switch_is_spelled_as_people_do() {
        for on in ["on", "True", "YES", "1"] {
            assert!(setting(on).switch().unwrap());
        }
        for off in ["off", "False", "NO", "0"] {
            assert!(!setting(off).switch().unwrap());
        }
        assert_eq!(
            setting("maybe").switch().unwrap_err().to_string(),
            "TESSERA_X is `maybe`, but must be `on` or `off`"
        );
    }

    #[test]
    fn a_number_keeps_to_its_range() {
        assert_eq!(setting("60").number::<u8>(0..=60).unwrap(), 60);
        for wrong in ["61", "-1", "1.5", "", "0x10", "99999999999999999999"] {
            assert_eq!(
                setting(wrong).number::<u8>(0..=60).unwrap_err().to_string(),
                format!("TESSERA_X is `{wrong}`, but must be a whole number from 0 to 60")
            );
        }
    }

    #[test]
    fn a_list_has_commas_or_is_json() {
        assert_eq!(setting(" a, b,,c ").list().unwrap(), ["a", "b", "c"]);
        assert_eq!(setting(r#"["a", "b"]"#).list().unwrap(), ["a", "b"]);
        assert!(setting("[1]").list().is_err());
    }
}
