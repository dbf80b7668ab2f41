//! `tessera tenant settings`: what of a tenant's settings is changed.

use core::fmt::Display;
use core::time::Duration;

use clap::Args;
use tessera_domain::{
    JobRoleBy, MailSender, Origin, PasswordChars, Registration, TenantSettings, TokenIssuer,
};

#[derive(Args, Debug)]
pub(crate) struct ChangeSettings {
    /// Its name, schema name or id
    pub(crate) tenant: String,
    /// Who may sign up: open, invite, closed; `installation` for what the installation says
    #[arg(long, value_name = "MODE", value_parser = registration)]
    registration: Option<Or<Registration>>,
    /// The fewest characters of a new password, 8 to 64; `installation` for 8
    #[arg(long, value_name = "N", value_parser = password_chars)]
    password_chars: Option<Or<PasswordChars>>,
    /// Who says what a user does there: administrators, or users too
    #[arg(long, value_name = "WHO", value_parser = job_role_by)]
    job_role_by: Option<JobRoleBy>,
    /// The life of an access token, no longer than the installation's; `installation` for that
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    access_seconds: Option<Or<Duration>>,
    /// The life of a refresh token, no longer than the installation's; `installation` for that
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    refresh_seconds: Option<Or<Duration>>,
    /// An origin whose pages may call, instead of those so far; may be repeated
    #[arg(long = "allowed-origin", value_name = "URL", value_parser = Origin::parse)]
    allowed_origins: Vec<Origin>,
    /// Let pages of no origin call but those that may call anywhere
    #[arg(long, conflicts_with = "allowed_origins")]
    no_allowed_origins: bool,
    /// Whom its mails are from, `Name <mail@example.com>`; `installation` for the one of all
    #[arg(long, value_name = "SENDER", value_parser = mail_from)]
    mail_from: Option<Or<MailSender>>,
    /// Who issues its access tokens: installation, or tenant
    #[arg(long, value_name = "WHO", value_parser = issuer)]
    issuer: Option<TokenIssuer>,
}

impl ChangeSettings {
    /// The settings as they then are.
    pub(crate) fn change(&self, so_far: TenantSettings) -> TenantSettings {
        TenantSettings {
            registration: or(self.registration.as_ref(), so_far.registration),
            password_chars: or(self.password_chars.as_ref(), so_far.password_chars),
            job_role: self.job_role_by.unwrap_or(so_far.job_role),
            access_lifetime: or(self.access_seconds.as_ref(), so_far.access_lifetime),
            refresh_lifetime: or(self.refresh_seconds.as_ref(), so_far.refresh_lifetime),
            allowed_origins: if self.no_allowed_origins || !self.allowed_origins.is_empty() {
                self.allowed_origins.clone()
            } else {
                so_far.allowed_origins
            },
            mail_from: or(self.mail_from.as_ref(), so_far.mail_from),
            issuer: self.issuer.unwrap_or(so_far.issuer),
        }
    }
}

/// A value, or that of the installation.
#[derive(Clone, Copy, Debug)]
struct Or<T>(Option<T>);

impl<T> Or<T> {
    fn read<E: Display>(
        text: &str,
        own: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<Self, String> {
        match text {
            "default" | "installation" => Ok(Self(None)),
            text => match own(text) {
                Ok(own) => Ok(Self(Some(own))),
                Err(wrong) => Err(format!("{wrong}, or installation")),
            },
        }
    }
}

fn or<T: Clone>(new: Option<&Or<T>>, so_far: Option<T>) -> Option<T> {
    new.map_or(so_far, |new| new.0.clone())
}

fn registration(text: &str) -> Result<Or<Registration>, String> {
    Or::read(text, |text| {
        text.parse().map_err(|_| "it is open, invite, closed")
    })
}

fn password_chars(text: &str) -> Result<Or<PasswordChars>, String> {
    let chars = |text: &str| text.parse().ok().and_then(PasswordChars::new);
    Or::read(text, |text| {
        chars(text).ok_or("it is a number from 8 to 64")
    })
}

fn seconds(text: &str) -> Result<Or<Duration>, String> {
    let seconds = |text: &str| text.parse().map(Duration::from_secs);
    Or::read(text, |text| {
        seconds(text).map_err(|_| "it is a number of seconds")
    })
}

fn mail_from(text: &str) -> Result<Or<MailSender>, String> {
    Or::read(text, MailSender::parse)
}

fn job_role_by(text: &str) -> Result<JobRoleBy, &'static str> {
    text.parse().map_err(|_| "it is administrators or users")
}

fn issuer(text: &str) -> Result<TokenIssuer, &'static str> {
    text.parse().map_err(|_| "it is installation or tenant")
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command, TenantCommand};

    /// What becomes of the settings of a tenant that has some.
    fn changed(arguments: &str) -> Result<TenantSettings, String> {
        let command = ["tessera", "tenant", "settings", "acme"];
        let arguments = arguments.split('|').filter(|argument| !argument.is_empty());
        let cli = Cli::try_parse_from(command.into_iter().chain(arguments));
        match cli.map_err(|error| error.to_string())?.command {
            Some(Command::Tenant(TenantCommand::Settings(command))) => Ok(command.change(own())),
            other => panic!("{other:?}"),
        }
    }

    fn own() -> TenantSettings {
        TenantSettings {
            registration: Some(Registration::Invite),
            password_chars: PasswordChars::new(12),
            job_role: JobRoleBy::Users,
            access_lifetime: Some(Duration::from_mins(1)),
            refresh_lifetime: Some(Duration::from_mins(2)),
            allowed_origins: vec![Origin::parse("https://a.example").unwrap()],
            mail_from: Some(MailSender::parse("A <a@x.example>").unwrap()),
            issuer: TokenIssuer::Tenant,
        }
    }

    #[test]
    fn what_is_not_named_stays() {
        assert_eq!(changed(""), Ok(own()));
        let other = TenantSettings {
            access_lifetime: Some(Duration::from_secs(90)),
            ..own()
        };
        assert_eq!(changed("--access-seconds|90"), Ok(other));
    }

    #[test]
    fn every_setting_goes_back_to_that_of_the_installation() {
        for word in ["installation", "default"] {
            let all = format!(
                "--registration|{word}|--password-chars|{word}|--job-role-by|administrators|\
                 --access-seconds|{word}|--refresh-seconds|{word}|--no-allowed-origins|\
                 --mail-from|{word}|--issuer|installation"
            );
            assert_eq!(changed(&all), Ok(TenantSettings::default()));
        }
    }

    #[test]
    fn origins_that_are_named_stand_instead_of_those_so_far() {
        let two = "--allowed-origin|https://b.example|--allowed-origin|https://c.example";
        let origins = changed(two).unwrap().allowed_origins;
        let names: Vec<&str> = origins.iter().map(Origin::as_str).collect();
        assert_eq!(names, ["https://b.example", "https://c.example"]);
        assert!(changed(&format!("{two}|--no-allowed-origins")).is_err());
    }

    #[test]
    fn a_value_that_cannot_be_is_refused_with_what_can() {
        for (wrong, says) in [
            (
                "--registration|all",
                "open, invite, closed, or installation",
            ),
            ("--password-chars|7", "from 8 to 64, or installation"),
            ("--access-seconds|-1", "unexpected argument"),
            (
                "--access-seconds|1m",
                "a number of seconds, or installation",
            ),
            ("--allowed-origin|*", "name each origin"),
            (
                "--mail-from|Acme",
                "Name <mail@example.com>, or installation",
            ),
            ("--issuer|acme", "installation or tenant"),
        ] {
            let told = changed(wrong).unwrap_err();
            assert!(told.contains(says), "{told}");
        }
    }
}
