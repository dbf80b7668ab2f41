//! What holds for one tenant and not for the whole installation.

use core::fmt;
use core::str::FromStr;
use core::time::Duration;

use url::Url;

use crate::fold::invisible;
use crate::{EmailAddress, PasswordChars, SchemaName, TokenPolicy};

/// What holds for one tenant; what is none, the installation says.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct TenantSettings {
    /// Who may sign up.
    pub registration: Option<Registration>,
    /// The fewest characters of a new password.
    pub password_chars: Option<PasswordChars>,
    /// Who says what a user does there: administrators, unless users may.
    pub job_role: JobRoleBy,
    /// The life of an access token, in whole seconds; the installation's own is the longest there is.
    pub access_lifetime: Option<Duration>,
    /// The life of a refresh token, likewise.
    pub refresh_lifetime: Option<Duration>,
    /// The origins whose pages may call under this tenant's path and domains, beside those that
    /// may call anywhere.
    pub allowed_origins: Vec<Origin>,
    /// Whom its mails are from.
    pub mail_from: Option<MailSender>,
    /// Who issues its access tokens.
    pub issuer: TokenIssuer,
}

impl TenantSettings {
    /// Whether a tenant may have them: no longer lives than the installation's, nor very short ones,
    /// and not too many origins.
    pub fn check(&self, policy: &TokenPolicy) -> Result<(), TenantSettingsError> {
        let within = |lifetime: Option<Duration>, [least, most]: [Duration; 2]| {
            lifetime.is_none_or(|it| it >= least && it <= most && it.subsec_nanos() == 0)
        };
        let most = policy.access_lifetime;
        let least = SHORTEST_LIFE.min(most);
        if !within(self.access_lifetime, [least, most]) {
            return Err(TenantSettingsError::AccessLifetime { least, most });
        }
        // A session that ends before its first access token would cut that short.
        let most = policy.refresh_lifetime;
        let least = policy.of(self).access_lifetime.min(most);
        if !within(self.refresh_lifetime, [least, most]) {
            return Err(TenantSettingsError::RefreshLifetime { least, most });
        }
        if self.allowed_origins.len() > MAX_ORIGINS {
            return Err(TenantSettingsError::TooManyOrigins);
        }
        Ok(())
    }
}

/// Why settings cannot be those of a tenant.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum TenantSettingsError {
    /// The life of an access token is out of bounds.
    #[error("an access token lives between {} and {} seconds here", least.as_secs(), most.as_secs())]
    AccessLifetime {
        /// The shortest that there is.
        least: Duration,
        /// The longest that there is.
        most: Duration,
    },
    /// The life of a refresh token is out of bounds.
    #[error("a refresh token lives between {} and {} seconds here", least.as_secs(), most.as_secs())]
    RefreshLifetime {
        /// The life of an access token.
        least: Duration,
        /// The longest that there is.
        most: Duration,
    },
    /// There are more origins than a request is compared with.
    #[error("a tenant has at most {MAX_ORIGINS} origins")]
    TooManyOrigins,
}

/// Who may sign up.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Registration {
    /// Nobody: operators make the accounts.
    Closed,
    /// Whoever an administrator invites.
    Invite,
    /// Everybody.
    Open,
}

impl Registration {
    /// Every mode.
    pub const ALL: [Self; 3] = [Self::Closed, Self::Invite, Self::Open];

    /// Its name in settings.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Invite => "invite",
            Self::Open => "open",
        }
    }
}

impl FromStr for Registration {
    type Err = UnknownChoice;

    fn from_str(name: &str) -> Result<Self, UnknownChoice> {
        let mut all = Self::ALL.into_iter();
        all.find(|mode| mode.as_str() == name).ok_or(UnknownChoice)
    }
}

/// Who says what a user does in the tenant's organisation.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum JobRoleBy {
    /// Whoever administers users.
    #[default]
    Administrators,
    /// The users themselves, too.
    Users,
}

impl JobRoleBy {
    /// Every choice.
    pub const ALL: [Self; 2] = [Self::Administrators, Self::Users];

    /// Its name in settings.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Administrators => "administrators",
            Self::Users => "users",
        }
    }
}

impl FromStr for JobRoleBy {
    type Err = UnknownChoice;

    fn from_str(name: &str) -> Result<Self, UnknownChoice> {
        let mut all = Self::ALL.into_iter();
        all.find(|by| by.as_str() == name).ok_or(UnknownChoice)
    }
}

/// Who issues access tokens (`iss`).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum TokenIssuer {
    /// The installation, for all tenants alike.
    #[default]
    Installation,
    /// The tenant: the installation's issuer with `/t/` and the schema name behind it.
    Tenant,
}

impl TokenIssuer {
    /// Every choice.
    pub const ALL: [Self; 2] = [Self::Installation, Self::Tenant];

    /// Its name in settings.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Installation => "installation",
            Self::Tenant => "tenant",
        }
    }
}

impl FromStr for TokenIssuer {
    type Err = UnknownChoice;

    fn from_str(name: &str) -> Result<Self, UnknownChoice> {
        let mut all = Self::ALL.into_iter();
        all.find(|issuer| issuer.as_str() == name)
            .ok_or(UnknownChoice)
    }
}

/// There is no choice of that name.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("there is no choice of that name")]
pub struct UnknownChoice;

/// The issuer of a tenant that has one of its own.
pub fn issuer_of_tenant(installation: &str, schema: &SchemaName) -> String {
    let base = installation.trim_end_matches('/');
    format!("{base}/t/{}", schema.as_str())
}

/// An origin (RFC 6454) as a browser writes it: scheme, host, and port where it is not the usual one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Origin(String);

impl Origin {
    /// Reads an origin. Browsers compare byte by byte, so one that no browser would write is a
    /// mistake.
    pub fn parse(text: &str) -> Result<Self, OriginError> {
        if text.contains('*') {
            return Err(OriginError::Any);
        }
        if text.len() > MAX_ORIGIN_BYTES {
            return Err(OriginError::TooLong);
        }
        let malformed = || OriginError::Malformed(text.to_owned());
        let url = Url::parse(text).map_err(|_| malformed())?;
        let host = url
            .host_str()
            .filter(|host| !host.is_empty())
            .ok_or_else(malformed)?;
        let port = url
            .port()
            .map(|port| format!(":{port}"))
            .unwrap_or_default();
        let written = format!("{}://{host}{port}", url.scheme());
        if written == text {
            Ok(Self(written))
        } else {
            Err(malformed())
        }
    }

    /// An origin that a store kept.
    pub fn restore(origin: String) -> Self {
        Self(origin)
    }

    /// The origin.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why a text is no origin.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum OriginError {
    /// `*` would let every page act for its visitor.
    #[error("\"*\" is not possible, as our answers allow credentials: name each origin")]
    Any,
    /// Not as a browser would write it.
    #[error("{0:?} is no origin (as https://app.example.com, with nothing behind it)")]
    Malformed(String),
    /// It has more bytes than a name and a port can have.
    #[error("an origin has at most {MAX_ORIGIN_BYTES} bytes")]
    TooLong,
}

/// Whom mails are from: an address, and a name before it. `Debug` shows nothing of it.
#[derive(Clone, Eq, PartialEq)]
pub struct MailSender {
    name: String,
    address: EmailAddress,
}

impl MailSender {
    /// Reads `address` or `name <address>`, and what `Display` makes of a sender as that sender.
    pub fn parse(text: &str) -> Result<Self, MailSenderError> {
        let text = text.trim();
        let (name, address) = match text.strip_suffix('>').and_then(|it| it.rsplit_once('<')) {
            Some((name, address)) => (name.trim(), address),
            None => ("", text),
        };
        let name = name
            .strip_prefix('"')
            .and_then(|it| it.strip_suffix('"'))
            .map_or(name, str::trim);
        let forbidden = |c: char| invisible(c) || "<>\"\\".contains(c);
        if name.chars().count() > MAX_NAME_CHARS || name.contains(forbidden) {
            return Err(MailSenderError);
        }
        Ok(Self {
            name: name.to_owned(),
            address: EmailAddress::parse(address).map_err(|_| MailSenderError)?,
        })
    }

    /// The name; empty when there is none.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The address.
    pub fn address(&self) -> &EmailAddress {
        &self.address
    }
}

impl fmt::Display for MailSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.name.is_empty() {
            f.write_str(self.address.as_str())
        } else {
            write!(f, "{} <{}>", self.name, self.address.as_str())
        }
    }
}

impl fmt::Debug for MailSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MailSender(..)")
    }
}

/// The text is no sender of mails.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a sender is written as mail@example.com or Name <mail@example.com>")]
pub struct MailSenderError;

/// A token that lives shorter is over before it is used.
const SHORTEST_LIFE: Duration = Duration::from_mins(1);
const MAX_ORIGINS: usize = 20;
const MAX_ORIGIN_BYTES: usize = 300;
const MAX_NAME_CHARS: usize = 100;

#[cfg(test)]
mod tests {
    use crate::TenantLayout;

    use super::*;

    #[test]
    fn a_choice_is_read_by_its_name_and_by_no_other() {
        for mode in Registration::ALL {
            assert_eq!(mode.as_str().parse(), Ok(mode));
        }
        for by in JobRoleBy::ALL {
            assert_eq!(by.as_str().parse(), Ok(by));
        }
        for issuer in TokenIssuer::ALL {
            assert_eq!(issuer.as_str().parse(), Ok(issuer));
        }
        for layout in TenantLayout::ALL {
            assert_eq!(layout.as_str().parse(), Ok(layout));
        }
        for wrong in ["", "Open", " open", "default"] {
            assert_eq!(wrong.parse::<Registration>(), Err(UnknownChoice));
        }
    }

    #[test]
    fn a_tenant_shortens_lives_and_never_lengthens_them() {
        let policy = TokenPolicy::default();
        let check = |access: u64, refresh: u64| {
            let settings = TenantSettings {
                access_lifetime: Some(Duration::from_secs(access)),
                refresh_lifetime: Some(Duration::from_secs(refresh)),
                ..TenantSettings::default()
            };
            settings.check(&policy)
        };
        let [access, refresh] = [policy.access_lifetime, policy.refresh_lifetime];
        assert_eq!(check(60, 60), Ok(()));
        assert_eq!(check(access.as_secs(), refresh.as_secs()), Ok(()));
        let least = Duration::from_mins(1);
        let out_of_bounds = TenantSettingsError::AccessLifetime {
            least,
            most: access,
        };
        assert_eq!(check(access.as_secs() + 1, 3600), Err(out_of_bounds));
        assert_eq!(check(59, 3600), Err(out_of_bounds));
        let out_of_bounds = |least| TenantSettingsError::RefreshLifetime {
            least: Duration::from_secs(least),
            most: refresh,
        };
        assert_eq!(check(60, refresh.as_secs() + 1), Err(out_of_bounds(60)));
        assert_eq!(check(120, 119), Err(out_of_bounds(120)));
        assert_eq!(TenantSettings::default().check(&policy), Ok(()));
        assert_eq!(
            out_of_bounds(60).to_string(),
            "a refresh token lives between 60 and 2592000 seconds here"
        );
    }

    #[test]
    fn an_installation_with_short_lives_leaves_a_tenant_its_own() {
        let policy = TokenPolicy {
            access_lifetime: Duration::from_secs(20),
            refresh_lifetime: Duration::from_secs(30),
            ..TokenPolicy::default()
        };
        let settings = |access, refresh| TenantSettings {
            access_lifetime: Some(access),
            refresh_lifetime: Some(refresh),
            ..TenantSettings::default()
        };
        let [access, refresh] = [policy.access_lifetime, policy.refresh_lifetime];
        assert_eq!(settings(access, refresh).check(&policy), Ok(()));
        let broken = Duration::from_millis(19_500);
        assert!(settings(broken, refresh).check(&policy).is_err());
    }

    #[test]
    fn what_no_browser_would_send_is_no_origin() {
        let parse = |text: &str| Origin::parse(text).unwrap_err();
        assert_eq!(parse("*"), OriginError::Any);
        assert_eq!(parse("https://*.example"), OriginError::Any);
        for bad in [
            "https://a.example/",
            "a.example",
            "https://a.example:443",
            "https://A.example",
            "null",
            "https://u@a.example",
            "mailto:x",
        ] {
            assert_eq!(parse(bad), OriginError::Malformed(bad.to_owned()));
        }
        assert!(Origin::parse("capacitor://localhost").is_ok());
    }

    #[test]
    fn a_sender_is_an_address_with_or_without_a_name() {
        let shown = |text: &str| MailSender::parse(text).map(|sender| sender.to_string());
        assert_eq!(shown(" a@x.example "), Ok("a@x.example".to_owned()));
        for named in ["Äpfel AG <a@x.example>", "\"Äpfel AG\"  <a@x.example>"] {
            assert_eq!(shown(named), Ok("Äpfel AG <a@x.example>".to_owned()));
        }
        for blank in ["<a@x.example>", "\"\" <a@x.example>", "\" \" <a@x.example>"] {
            assert_eq!(shown(blank), Ok("a@x.example".to_owned()), "{blank}");
        }
        for text in [
            "\" Acme \" <a@x.example>",
            "Acme, Inc. <A+b@BÜCHER.example>",
        ] {
            let sender = MailSender::parse(text).unwrap();
            assert_eq!(MailSender::parse(&sender.to_string()), Ok(sender), "{text}");
        }
        for wrong in [
            "",
            "Acme",
            "Acme <>",
            "Acme <a@x.example> b",
            "A\r\nBcc: b@x.example <a@x.example>",
            "A <b> <a@x.example>",
        ] {
            assert_eq!(shown(wrong), Err(MailSenderError), "{wrong}");
        }
    }
}
