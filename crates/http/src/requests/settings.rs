//! The fields of a request that changes the settings of a tenant.

use core::str::FromStr;
use core::time::Duration;

use paperclip::actix::Apiv2Schema;
use paperclip::v2::models::DefaultSchemaRaw;
use paperclip::v2::schema::Apiv2Schema as Schema;
use tessera_domain::{
    JobRoleBy, MailSender, Origin, PasswordChars, Registration, TenantSettings, TokenIssuer,
};

use crate::answer::FromInput;
use crate::input::{Input, Setting};

/// What becomes of the settings of a tenant; what is absent stays.
pub(crate) struct SettingsRequest {
    registration: Option<Setting<Registration>>,
    password_chars: Option<Setting<PasswordChars>>,
    job_role_by: Option<Setting<JobRoleBy>>,
    access_seconds: Option<Setting<Duration>>,
    refresh_seconds: Option<Setting<Duration>>,
    allowed_origins: Option<Setting<Vec<Origin>>>,
    mail_from: Option<Setting<MailSender>>,
    issuer: Option<Setting<TokenIssuer>>,
}

impl SettingsRequest {
    /// The settings as they then are.
    pub(crate) fn change(&self, so_far: TenantSettings) -> TenantSettings {
        TenantSettings {
            registration: or(self.registration.as_ref(), so_far.registration),
            password_chars: or(self.password_chars.as_ref(), so_far.password_chars),
            job_role: or_default(self.job_role_by.as_ref(), so_far.job_role),
            access_lifetime: or(self.access_seconds.as_ref(), so_far.access_lifetime),
            refresh_lifetime: or(self.refresh_seconds.as_ref(), so_far.refresh_lifetime),
            allowed_origins: or_default(self.allowed_origins.as_ref(), so_far.allowed_origins),
            mail_from: or(self.mail_from.as_ref(), so_far.mail_from),
            issuer: or_default(self.issuer.as_ref(), so_far.issuer),
        }
    }
}

fn or<T: Clone>(new: Option<&Setting<T>>, so_far: Option<T>) -> Option<T> {
    new.map_or(so_far, |new| new.own().cloned())
}

fn or_default<T: Clone + Default>(new: Option<&Setting<T>>, so_far: T) -> T {
    or(new, Some(so_far)).unwrap_or_default()
}

impl FromInput for SettingsRequest {
    fn take(input: &mut Input) -> Option<Self> {
        let seconds = |seconds| Ok::<_, &str>(Duration::from_secs(seconds));
        Some(Self {
            registration: input.setting("registration", choice),
            password_chars: input.number_setting("password_chars", |number| {
                let chars = u8::try_from(number).ok().and_then(PasswordChars::new);
                chars.ok_or(CHARS)
            }),
            job_role_by: input.setting("job_role_by", choice),
            access_seconds: input.number_setting("access_seconds", seconds),
            refresh_seconds: input.number_setting("refresh_seconds", seconds),
            allowed_origins: input.list_setting("allowed_origins", Origin::parse),
            mail_from: input.setting("mail_from", MailSender::parse),
            issuer: input.setting("issuer", choice),
        })
    }
}

/// What may be changed of the settings; what is absent stays, null is what the installation says.
#[derive(Apiv2Schema)]
#[expect(dead_code, reason = "read by the documentation alone")]
struct SettingsFields {
    /// Who may sign up: `open`, `invite` or `closed`.
    registration: Option<String>,
    /// The fewest characters of a new password, 8 to 64.
    password_chars: Option<u8>,
    /// Who says what a user does there: `administrators`, or `users` too.
    job_role_by: Option<String>,
    /// The life of an access token, no longer than the installation's.
    access_seconds: Option<u64>,
    /// The life of a refresh token, no longer than the installation's.
    refresh_seconds: Option<u64>,
    /// The origins whose pages may call under the tenant's path and domains; 20 at most.
    allowed_origins: Option<Vec<String>>,
    /// Whom mails are from, as an address or `Name <address>`; for platform administrators to set.
    mail_from: Option<String>,
    /// Who issues access tokens: the `installation`, or the `tenant`; for platform administrators to
    /// set.
    issuer: Option<String>,
}

impl Schema for SettingsRequest {
    fn name() -> Option<String> {
        SettingsFields::name()
    }

    fn raw_schema() -> DefaultSchemaRaw {
        SettingsFields::raw_schema()
    }
}

fn choice<T: FromStr>(text: &str) -> Result<T, String> {
    text.parse()
        .map_err(|_| format!("{text:?} is not a valid choice."))
}

const CHARS: &str = "Ensure this value is between 8 and 64.";
