//! What the audit trail keeps of an event beside its type, its subject and its user.

use tessera_domain::EventKind;

use crate::data::{lock, login_failure, rights, session_end, tenant_settings};
use crate::json::Object;
use crate::time;

/// What an entry of the audit trail says of an event, as a JSON object.
///
/// An entry outlives the account that it tells of, so it holds no address, no name and nothing that
/// a client makes up: ids, reasons and roles. Where a request came from is told of its actor.
pub fn audit_data(kind: &EventKind) -> String {
    let data = Object::new();
    let data = match kind {
        EventKind::LoginFailed { why, .. } => data.text("why", login_failure(*why)),
        EventKind::RefreshReused {
            presented, current, ..
        } => data
            .number("presented", presented.number())
            .number("current", current.number()),
        EventKind::RolesChanged {
            roles,
            is_superuser,
        } => rights(roles, *is_superuser),
        EventKind::SessionEnded { why, .. } => data.text("why", session_end(*why)),
        EventKind::SigningKeyRetired { key } => data.text("kid", key.as_str()),
        EventKind::SigningKeyRotated {
            key,
            algorithm,
            signs_from,
        } => data
            .text("kid", key.as_str())
            .text("algorithm", algorithm.as_str())
            .text("signs_from", &time(*signs_from)),
        EventKind::TenantCreated { schema, .. } => data.text("schema", schema),
        EventKind::TenantDomainAdded { domain }
        | EventKind::TenantDomainRemoved { domain }
        | EventKind::TenantPrimaryDomainChanged { domain } => data.text("domain", domain),
        EventKind::TenantMoveStarted { to } => data.text("to", to.as_str()),
        EventKind::TenantMoved { layout } => data.text("layout", layout.as_str()),
        EventKind::TenantSettingsChanged(settings) => tenant_settings(settings),
        EventKind::UserCreated { roles, .. } => data.texts("roles", roles),
        EventKind::UserLocked { until, failures } => lock(*until, *failures),
        EventKind::UserLoggedIn { session, .. } => data.text("session", &session.to_string()),
        EventKind::PasswordChanged
        | EventKind::PasswordResetRequested
        | EventKind::RegistrationRepeated { .. }
        | EventKind::TenantDeleted
        | EventKind::TenantDeletionStarted
        | EventKind::TenantRenamed { .. }
        | EventKind::TenantResumed
        | EventKind::TenantSuspended
        | EventKind::UserDeleted
        | EventKind::UserDisabled
        | EventKind::UserEmailChanged { .. }
        | EventKind::UserEmailVerified
        | EventKind::UserEnabled
        | EventKind::UserProfileChanged { .. }
        | EventKind::UserUnlocked => data,
    };
    data.finish()
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use serde_json::{Value, json};
    use tessera_domain::{
        Algorithm, Generation, Id, KeyId, LoginFailure, MailSender, Origin, Registration,
        SessionEnd, TenantLayout, TenantSettings, Timestamp, TokenIssuer,
    };

    use super::*;

    #[test]
    fn each_kind_is_kept_as_ids_reasons_and_roles() {
        for (kind, expected) in examples() {
            let data: Value = serde_json::from_str(&audit_data(&kind)).unwrap();
            assert_eq!(data, expected, "{kind:?}");
        }
    }

    #[test]
    fn no_kind_keeps_an_address_a_name_or_what_a_client_makes_up() {
        for (kind, _) in examples() {
            let data = audit_data(&kind);
            assert!(!data.contains(PERSONAL), "{data}");
        }
    }

    #[test]
    fn each_kind_has_an_example() {
        let places: Vec<usize> = examples().iter().map(|(kind, _)| place(kind)).collect();
        assert_eq!(places, (0..KINDS).collect::<Vec<_>>());
    }

    fn examples() -> Vec<(EventKind, Value)> {
        [named_otherwise(), named_by_tenant(), named_by_user()].concat()
    }

    fn named_otherwise() -> Vec<(EventKind, Value)> {
        let personal = || PERSONAL.to_owned();
        let kid = || KeyId::new("kid-1".to_owned());
        vec![
            (
                EventKind::LoginFailed {
                    user: Some(id(3)),
                    why: LoginFailure::WrongPassword,
                    ip: Some(personal()),
                },
                json!({"why": "wrong_password"}),
            ),
            (EventKind::PasswordChanged, json!({})),
            (EventKind::PasswordResetRequested, json!({})),
            (
                EventKind::RefreshReused {
                    user: id(3),
                    presented: Generation::FIRST,
                    current: Generation::new(3),
                },
                json!({"presented": 1, "current": 3}),
            ),
            (
                EventKind::RegistrationRepeated {
                    user: id(3),
                    ip: Some(personal()),
                },
                json!({}),
            ),
            (
                EventKind::RolesChanged {
                    roles: roles(),
                    is_superuser: true,
                },
                json!({"roles": ["tenant-admin", "editor"], "is_superuser": true}),
            ),
            (
                EventKind::SessionEnded {
                    user: id(3),
                    why: SessionEnd::LogOutEverywhere,
                },
                json!({"why": "log_out_everywhere"}),
            ),
            (
                EventKind::SigningKeyRetired { key: kid() },
                json!({"kid": "kid-1"}),
            ),
            (
                EventKind::SigningKeyRotated {
                    key: kid(),
                    algorithm: Algorithm::Es256,
                    signs_from: AT,
                },
                json!({"kid": "kid-1", "algorithm": "ES256", "signs_from": time(AT)}),
            ),
        ]
    }

    fn named_by_tenant() -> Vec<(EventKind, Value)> {
        let personal = || PERSONAL.to_owned();
        let domain = || "acme.example".to_owned();
        let settings = TenantSettings {
            registration: Some(Registration::Invite),
            access_lifetime: Some(Duration::from_mins(5)),
            allowed_origins: vec![Origin::parse("https://acme.example").unwrap()],
            mail_from: Some(MailSender::parse(PERSONAL).unwrap()),
            issuer: TokenIssuer::Tenant,
            ..TenantSettings::default()
        };
        vec![
            (
                EventKind::TenantCreated {
                    name: personal(),
                    schema: "acme".to_owned(),
                },
                json!({"schema": "acme"}),
            ),
            (EventKind::TenantDeleted, json!({})),
            (EventKind::TenantDeletionStarted, json!({})),
            (
                EventKind::TenantDomainAdded { domain: domain() },
                json!({"domain": "acme.example"}),
            ),
            (
                EventKind::TenantDomainRemoved { domain: domain() },
                json!({"domain": "acme.example"}),
            ),
            (
                EventKind::TenantMoveStarted {
                    to: TenantLayout::Shared,
                },
                json!({"to": "shared"}),
            ),
            (
                EventKind::TenantMoved {
                    layout: TenantLayout::Shared,
                },
                json!({"layout": "shared"}),
            ),
            (
                EventKind::TenantPrimaryDomainChanged { domain: domain() },
                json!({"domain": "acme.example"}),
            ),
            (EventKind::TenantRenamed { name: personal() }, json!({})),
            (EventKind::TenantResumed, json!({})),
            (
                EventKind::TenantSettingsChanged(settings),
                json!({
                    "registration": "invite",
                    "min_chars": null,
                    "job_role_by": "administrators",
                    "access_seconds": 300,
                    "refresh_seconds": null,
                    "allowed_origins": ["https://acme.example"],
                    "issuer": "tenant",
                }),
            ),
            (EventKind::TenantSuspended, json!({})),
        ]
    }

    fn named_by_user() -> Vec<(EventKind, Value)> {
        let personal = || PERSONAL.to_owned();
        vec![
            (
                EventKind::UserCreated {
                    email: Some(personal()),
                    username: Some(personal()),
                    first_name: personal(),
                    last_name: personal(),
                    roles: roles(),
                },
                json!({"roles": ["tenant-admin", "editor"]}),
            ),
            (EventKind::UserDeleted, json!({})),
            (EventKind::UserDisabled, json!({})),
            (EventKind::UserEmailChanged { email: personal() }, json!({})),
            (EventKind::UserEmailVerified, json!({})),
            (EventKind::UserEnabled, json!({})),
            (
                EventKind::UserLocked {
                    until: AT,
                    failures: 5,
                },
                json!({"until": time(AT), "failures": 5}),
            ),
            (
                EventKind::UserLoggedIn {
                    session: id(4),
                    ip: Some(personal()),
                    user_agent: Some(personal()),
                },
                json!({"session": id::<()>(4).to_string()}),
            ),
            (
                EventKind::UserProfileChanged {
                    first_name: personal(),
                    last_name: personal(),
                    job_role: personal(),
                },
                json!({}),
            ),
            (EventKind::UserUnlocked, json!({})),
        ]
    }

    /// Where the kind is among the examples: a new one does not compile until it has its place.
    fn place(kind: &EventKind) -> usize {
        match kind {
            EventKind::LoginFailed { .. } => 0,
            EventKind::PasswordChanged => 1,
            EventKind::PasswordResetRequested => 2,
            EventKind::RefreshReused { .. } => 3,
            EventKind::RegistrationRepeated { .. } => 4,
            EventKind::RolesChanged { .. } => 5,
            EventKind::SessionEnded { .. } => 6,
            EventKind::SigningKeyRetired { .. } => 7,
            EventKind::SigningKeyRotated { .. } => 8,
            EventKind::TenantCreated { .. } => 9,
            EventKind::TenantDeleted => 10,
            EventKind::TenantDeletionStarted => 11,
            EventKind::TenantDomainAdded { .. } => 12,
            EventKind::TenantDomainRemoved { .. } => 13,
            EventKind::TenantMoveStarted { .. } => 14,
            EventKind::TenantMoved { .. } => 15,
            EventKind::TenantPrimaryDomainChanged { .. } => 16,
            EventKind::TenantRenamed { .. } => 17,
            EventKind::TenantResumed => 18,
            EventKind::TenantSettingsChanged(_) => 19,
            EventKind::TenantSuspended => 20,
            EventKind::UserCreated { .. } => 21,
            EventKind::UserDeleted => 22,
            EventKind::UserDisabled => 23,
            EventKind::UserEmailChanged { .. } => 24,
            EventKind::UserEmailVerified => 25,
            EventKind::UserEnabled => 26,
            EventKind::UserLocked { .. } => 27,
            EventKind::UserLoggedIn { .. } => 28,
            EventKind::UserProfileChanged { .. } => 29,
            EventKind::UserUnlocked => 30,
        }
    }

    fn id<T>(number: u8) -> Id<T> {
        Id::new(Timestamp::from_secs(1_767_225_600), [number; 10])
    }

    fn roles() -> Vec<String> {
        vec!["tenant-admin".to_owned(), "editor".to_owned()]
    }

    const AT: Timestamp = Timestamp::from_micros(1_767_225_600_000_042);
    const KINDS: usize = 31;
    const PERSONAL: &str = "Ada Lovelace <ada@acme.example>";
}
