//! Who may make an account, and what it needs to be used.

use tessera_app::UnverifiedLogIn;
use tessera_domain::Registration;

use super::value::Setting;
use super::{ConfigError, Environment};

/// What holds for accounts, in tenants that say nothing else.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Accounts {
    /// Who may sign up.
    pub(crate) registration: Registration,
    /// Whether somebody logs in whose address is not verified.
    pub(crate) unverified_log_in: UnverifiedLogIn,
}

/// Reads `TESSERA_REGISTRATION` and `TESSERA_UNVERIFIED_LOGIN`.
pub(crate) fn read(environment: &Environment) -> Result<Accounts, ConfigError> {
    let registration = environment.parse("TESSERA_REGISTRATION", |setting: Setting<'_>| {
        setting.one_of(&[
            ("open", Registration::Open),
            ("invite", Registration::Invite),
            ("closed", Registration::Closed),
        ])
    })?;
    let unverified = environment.switch("TESSERA_UNVERIFIED_LOGIN", true)?;
    Ok(Accounts {
        registration: registration.unwrap_or(Registration::Open),
        unverified_log_in: if unverified {
            UnverifiedLogIn::Allowed
        } else {
            UnverifiedLogIn::Refused
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_may_sign_up_and_log_in_unless_it_is_said() {
        let accounts = read(&Environment::from([])).unwrap();
        assert_eq!(accounts.registration, Registration::Open);
        assert_eq!(accounts.unverified_log_in, UnverifiedLogIn::Allowed);
        let said = [
            ("TESSERA_REGISTRATION", "Invite"),
            ("TESSERA_UNVERIFIED_LOGIN", "off"),
        ];
        let accounts = read(&Environment::from(said)).unwrap();
        assert_eq!(accounts.registration, Registration::Invite);
        assert_eq!(accounts.unverified_log_in, UnverifiedLogIn::Refused);
    }
}
