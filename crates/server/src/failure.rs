//! Why a command did not do what it was asked, in one sentence, and its exit status.

use core::error::Error;
use core::fmt;
use std::process::ExitCode;

use tessera_app::{
    AdministerTenantError, AdministerUserError, AuditError, ChangeSettingsError, ChangeUserError,
    CreateTenantError, CreateUserError, InviteLinkError, KeyError, KeysError, PrepareError,
    Unavailable, Unready,
};

use crate::config::ConfigError;

/// Why a command did not do what it was asked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Failure {
    /// It could not be done.
    Failed(String),
    /// It was asked in a way, or with settings, that cannot be right.
    Misused(String),
}

impl Failure {
    /// The error with all that it says of its causes.
    pub(crate) fn because(error: &dyn Error) -> Self {
        let mut sentence = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            let said = error.to_string();
            if !sentence.contains(&said) {
                sentence = format!("{sentence}: {said}");
            }
            cause = error.source();
        }
        Self::Failed(sentence)
    }

    /// 1 for what failed, 2 for what was wrong to ask.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Failed(_) => ExitCode::from(1),
            Self::Misused(_) => ExitCode::from(2),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Failed(sentence) | Self::Misused(sentence)) = self;
        sentence.fmt(f)
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::Misused(error.to_string())
    }
}

impl From<KeyError> for Failure {
    /// A key that the settings name, or open, and that does not fit is a wrong setting.
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::Configured(_) => Self::because(&error),
            KeyError::Sealed | KeyError::Unusable(_) => Self::Misused(error.to_string()),
        }
    }
}

impl From<KeysError> for Failure {
    fn from(error: KeysError) -> Self {
        match error {
            KeysError::Key(error) => error.into(),
            KeysError::Unavailable(error) => error.into(),
            KeysError::LastKey | KeysError::NotFound => Self::because(&error),
        }
    }
}

impl From<PrepareError> for Failure {
    fn from(error: PrepareError) -> Self {
        match error {
            PrepareError::Keys(error) => error.into(),
            PrepareError::Unready(error) => error.into(),
        }
    }
}

impl From<AdministerUserError> for Failure {
    fn from(error: AdministerUserError) -> Self {
        match error {
            AdministerUserError::Change(error) => error.into(),
            AdministerUserError::NotPermitted(_)
            | AdministerUserError::Oneself
            | AdministerUserError::PlatformRole => Self::because(&error),
        }
    }
}

impl From<AdministerTenantError> for Failure {
    fn from(error: AdministerTenantError) -> Self {
        match error {
            AdministerTenantError::NoLayouts => Self::Misused(error.to_string()),
            AdministerTenantError::Unavailable(error) => error.into(),
            AdministerTenantError::Changed
            | AdministerTenantError::DefaultTenant
            | AdministerTenantError::Deleting
            | AdministerTenantError::Duplicate(_)
            | AdministerTenantError::NotFound
            | AdministerTenantError::UnknownDomain => Self::because(&error),
        }
    }
}

impl From<CreateTenantError> for Failure {
    fn from(error: CreateTenantError) -> Self {
        match error {
            CreateTenantError::NoLayouts => Self::Misused(error.to_string()),
            CreateTenantError::Unavailable(error) => error.into(),
            CreateTenantError::Duplicate(_) | CreateTenantError::NoSchema(_) => {
                Self::because(&error)
            }
        }
    }
}

impl From<Unready> for Failure {
    fn from(error: Unready) -> Self {
        match error {
            Unready::NotMigrated | Unready::ReadOnly => {
                Self::Failed(format!("the database is {error}"))
            }
            Unready::Unbound => Self::Misused(error.to_string()),
            Unready::Unavailable(error) => error.into(),
        }
    }
}

impl From<Unavailable> for Failure {
    fn from(error: Unavailable) -> Self {
        match Self::because(&*error.0) {
            Self::Failed(why) | Self::Misused(why) => {
                Self::Failed(format!("the database cannot be used: {why}"))
            }
        }
    }
}

/// These errors say what is wrong by themselves, but for a store that cannot be reached.
macro_rules! from_errors {
    ($($error:path),*) => {$(
        impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                use $error as Error;
                match error {
                    Error::Unavailable(error) => error.into(),
                    error => Self::because(&error),
                }
            }
        }
    )*};
}

from_errors!(
    AuditError,
    ChangeSettingsError,
    ChangeUserError,
    CreateUserError,
    InviteLinkError,
    tessera_postgres::MigrateError,
    tessera_sqlite::MigrateError
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_names_each_cause_once() {
        let source = std::io::Error::other("connection refused");
        let failure = Failure::from(Unavailable::new(source));
        assert_eq!(
            failure.to_string(),
            "the database cannot be used: connection refused"
        );
    }
}
