//! What each type of event is called and says.

use core::time::Duration;

use tessera_domain::{
    EventKind, LoginFailure, Registration, SessionEnd, TenantSettings, Timestamp,
};

use crate::DELETION_STARTED;
use crate::json::Object;
use crate::time;

/// The `type` of an event.
pub(crate) fn event_type(kind: &EventKind) -> &'static str {
    match kind {
        EventKind::LoginFailed { .. } => "LoginFailed",
        EventKind::PasswordChanged => "PasswordChanged",
        EventKind::PasswordResetRequested => "PasswordResetRequested",
        EventKind::RefreshReused { .. } => "RefreshReused",
        EventKind::RegistrationRepeated { .. } => "RegistrationRepeated",
        EventKind::RolesChanged { .. } => "RolesChanged",
        EventKind::SessionEnded { .. } => "SessionEnded",
        EventKind::SigningKeyRetired { .. } => "SigningKeyRetired",
        EventKind::SigningKeyRotated { .. } => "SigningKeyRotated",
        EventKind::TenantCreated { .. } => "TenantCreated",
        EventKind::TenantDeleted => "TenantDeleted",
        EventKind::TenantDeletionStarted => DELETION_STARTED,
        EventKind::TenantDomainAdded { .. } => "TenantDomainAdded",
        EventKind::TenantDomainRemoved { .. } => "TenantDomainRemoved",
        EventKind::TenantMoveStarted { .. } => "TenantMoveStarted",
        EventKind::TenantMoved { .. } => "TenantMoved",
        EventKind::TenantPrimaryDomainChanged { .. } => "TenantPrimaryDomainChanged",
        EventKind::TenantRenamed { .. } => "TenantRenamed",
        EventKind::TenantResumed => "TenantResumed",
        EventKind::TenantSettingsChanged(_) => "TenantSettingsChanged",
        EventKind::TenantSuspended => "TenantSuspended",
        EventKind::UserCreated { .. } => "UserCreated",
        EventKind::UserDeleted => "UserDeleted",
        EventKind::UserDisabled => "UserDisabled",
        EventKind::UserEmailChanged { .. } => "UserEmailChanged",
        EventKind::UserEmailVerified => "UserEmailVerified",
        EventKind::UserEnabled => "UserEnabled",
        EventKind::UserLocked { .. } => "UserLocked",
        EventKind::UserLoggedIn { .. } => "UserLoggedIn",
        EventKind::UserProfileChanged { .. } => "UserProfileChanged",
        EventKind::UserUnlocked => "UserUnlocked",
    }
}

/// The `data` of an event. Ids are those of Tessera; a value that is not known is null, so that an
/// event of a type always has the same members.
pub(crate) fn of(kind: &EventKind) -> Object {
    let data = Object::new();
    match kind {
        EventKind::LoginFailed { user, why, ip } => data
            .optional("user", user.map(|user| user.to_string()).as_deref())
            .text("why", login_failure(*why))
            .optional("ip", ip.as_deref()),
        EventKind::RefreshReused {
            user,
            presented,
            current,
        } => data
            .text("user", &user.to_string())
            .number("presented", presented.number())
            .number("current", current.number()),
        EventKind::RegistrationRepeated { user, ip } => data
            .text("user", &user.to_string())
            .optional("ip", ip.as_deref()),
        EventKind::RolesChanged {
            roles,
            is_superuser,
        } => rights(roles, *is_superuser),
        EventKind::SessionEnded { user, why } => data
            .text("user", &user.to_string())
            .text("why", session_end(*why)),
        EventKind::SigningKeyRetired { key } => data.text("kid", key.as_str()),
        EventKind::SigningKeyRotated {
            key,
            algorithm,
            signs_from,
        } => data
            .text("kid", key.as_str())
            .text("algorithm", algorithm.as_str())
            .text("signs_from", &time(*signs_from)),
        EventKind::TenantCreated { name, schema } => data.text("name", name).text("schema", schema),
        EventKind::TenantDomainAdded { domain }
        | EventKind::TenantDomainRemoved { domain }
        | EventKind::TenantPrimaryDomainChanged { domain } => data.text("domain", domain),
        EventKind::TenantMoveStarted { to } => data.text("to", to.as_str()),
        EventKind::TenantMoved { layout } => data.text("layout", layout.as_str()),
        EventKind::TenantRenamed { name } => data.text("name", name),
        EventKind::TenantSettingsChanged(settings) => {
            let sender = settings.mail_from.as_ref().map(ToString::to_string);
            tenant_settings(settings).optional("mail_from", sender.as_deref())
        }
        EventKind::UserCreated {
            email,
            username,
            first_name,
            last_name,
            roles,
        } => data
            .optional("email", email.as_deref())
            .optional("username", username.as_deref())
            .text("first_name", first_name)
            .text("last_name", last_name)
            .texts("roles", roles),
        EventKind::UserEmailChanged { email } => data.text("email", email),
        EventKind::UserLocked { until, failures } => lock(*until, *failures),
        EventKind::UserLoggedIn {
            session,
            ip,
            user_agent,
        } => data
            .text("session", &session.to_string())
            .optional("ip", ip.as_deref())
            .optional("user_agent", user_agent.as_deref()),
        EventKind::UserProfileChanged {
            first_name,
            last_name,
            job_role,
        } => data
            .text("first_name", first_name)
            .text("last_name", last_name)
            .text("job_role", job_role),
        EventKind::PasswordChanged
        | EventKind::PasswordResetRequested
        | EventKind::TenantDeleted
        | EventKind::TenantDeletionStarted
        | EventKind::TenantResumed
        | EventKind::TenantSuspended
        | EventKind::UserDeleted
        | EventKind::UserDisabled
        | EventKind::UserEmailVerified
        | EventKind::UserEnabled
        | EventKind::UserUnlocked => data,
    }
}

pub(crate) fn lock(until: Timestamp, failures: u32) -> Object {
    Object::new()
        .text("until", &time(until))
        .number("failures", u64::from(failures))
}

/// All settings but whom mails are from.
pub(crate) fn tenant_settings(settings: &TenantSettings) -> Object {
    let chars = settings.password_chars.map(|chars| chars.number().into());
    let seconds = |lifetime: Option<Duration>| lifetime.map(|lifetime| lifetime.as_secs());
    let origins = settings.allowed_origins.iter();
    let origins: Vec<String> = origins.map(|it| it.as_str().to_owned()).collect();
    Object::new()
        .optional(
            "registration",
            settings.registration.map(Registration::as_str),
        )
        .optional_number("min_chars", chars)
        .text("job_role_by", settings.job_role.as_str())
        .optional_number("access_seconds", seconds(settings.access_lifetime))
        .optional_number("refresh_seconds", seconds(settings.refresh_lifetime))
        .texts("allowed_origins", &origins)
        .text("issuer", settings.issuer.as_str())
}

pub(crate) fn rights(roles: &[String], is_superuser: bool) -> Object {
    Object::new()
        .texts("roles", roles)
        .flag("is_superuser", is_superuser)
}

pub(crate) fn login_failure(why: LoginFailure) -> &'static str {
    match why {
        LoginFailure::Disabled => "disabled",
        LoginFailure::Locked => "locked",
        LoginFailure::SuspendedTenant => "suspended_tenant",
        LoginFailure::UnknownTenant => "unknown_tenant",
        LoginFailure::UnknownUser => "unknown_user",
        LoginFailure::Unverified => "unverified",
        LoginFailure::WrongPassword => "wrong_password",
    }
}

pub(crate) fn session_end(why: SessionEnd) -> &'static str {
    match why {
        SessionEnd::Deleted => "deleted",
        SessionEnd::Disabled => "disabled",
        SessionEnd::Guessing => "guessing",
        SessionEnd::Limit => "limit",
        SessionEnd::LogOut => "log_out",
        SessionEnd::LogOutEverywhere => "log_out_everywhere",
        SessionEnd::Operator => "operator",
        SessionEnd::PasswordChange => "password_change",
        SessionEnd::Reuse => "reuse",
        SessionEnd::Revoked => "revoked",
    }
}
