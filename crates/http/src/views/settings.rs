//! What answers show of the settings of a tenant.

use core::time::Duration;

use paperclip::actix::Apiv2Schema;
use serde::Serialize;
use tessera_domain::{MailSender, Origin, PasswordChars, Registration, TenantSettings};

/// What holds for one tenant; null is what the installation says.
#[derive(Apiv2Schema, Serialize)]
pub struct TenantSettingsView {
    registration: Option<&'static str>,
    password_chars: Option<u8>,
    job_role_by: &'static str,
    access_seconds: Option<u64>,
    refresh_seconds: Option<u64>,
    allowed_origins: Vec<String>,
    mail_from: Option<String>,
    issuer: &'static str,
}

impl From<&TenantSettings> for TenantSettingsView {
    fn from(settings: &TenantSettings) -> Self {
        let seconds = |life: Option<Duration>| life.map(|life| life.as_secs());
        let origins = settings.allowed_origins.iter();
        Self {
            registration: settings.registration.map(Registration::as_str),
            password_chars: settings.password_chars.map(PasswordChars::number),
            job_role_by: settings.job_role.as_str(),
            access_seconds: seconds(settings.access_lifetime),
            refresh_seconds: seconds(settings.refresh_lifetime),
            allowed_origins: origins.map(Origin::as_str).map(str::to_owned).collect(),
            mail_from: settings.mail_from.as_ref().map(MailSender::to_string),
            issuer: settings.issuer.as_str(),
        }
    }
}
