//! What answers show.

use jiff::Timestamp as Moment;
use paperclip::actix::Apiv2Schema;
use serde::Serialize;
use tessera_app::{Caller, Grant, Registered};
use tessera_domain::{Id, Session, Tenant, Timestamp, User, UserStatus};

pub use self::audit::AuditEntryView;
pub(crate) use self::audit::AuditView;
pub use self::events::{EventView, PublisherView, RetriedView, WaitingEventView};
pub(crate) use self::events::{EventsView, PublishersView, WaitingEventsView};
pub use self::settings::TenantSettingsView;
pub(crate) use self::tenants::TenantsView;
pub use self::tenants::{DomainAddedView, TenantView};
pub(crate) use self::users::UsersView;

mod audit;
mod events;
mod settings;
mod tenants;
mod users;

/// A user, as clients see one.
#[derive(Apiv2Schema, Serialize)]
pub struct UserView {
    id: String,
    username: Option<String>,
    email: Option<String>,
    first_name: String,
    last_name: String,
    job_role: String,
    role: Option<String>,
    roles: Vec<String>,
    is_active: bool,
    is_superuser: bool,
    email_verified: bool,
    tenant: String,
    date_joined: String,
    last_login: Option<String>,
}

impl UserView {
    /// The user of that tenant.
    pub fn new(user: &User, tenant: &Tenant) -> Self {
        let roles = user.role_names();
        Self {
            id: user.shown_id(),
            username: user.username.as_ref().map(|name| name.as_str().to_owned()),
            email: user.email.as_ref().map(|email| email.as_str().to_owned()),
            first_name: user.profile.first_name.clone(),
            last_name: user.profile.last_name.clone(),
            job_role: user.profile.job_role.clone(),
            role: roles.first().cloned(),
            roles,
            is_active: user.status == UserStatus::Active,
            is_superuser: user.is_superuser,
            email_verified: user.email_verified,
            tenant: tenant.name.as_str().to_owned(),
            date_joined: rfc3339(user.joined_at),
            last_login: user.last_login.map(rfc3339),
        }
    }
}

/// What a log in or a refresh gives, in the token dialect.
#[derive(Apiv2Schema, Serialize)]
pub(crate) struct TokenPair {
    access: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh: Option<String>,
    tenant_id: String,
    tenant_schema: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<UserView>,
}

impl TokenPair {
    /// What a log in gives.
    pub(crate) fn logged_in(grant: Grant) -> Self {
        let user = UserView::new(&grant.user, &grant.tenant);
        Self {
            user: Some(user),
            ..Self::refreshed(grant)
        }
    }

    /// What a refresh gives.
    pub(crate) fn refreshed(grant: Grant) -> Self {
        Self {
            access: grant.access,
            refresh: grant.refresh,
            tenant_id: grant.tenant.shown_id(),
            tenant_schema: grant.tenant.schema.as_str().to_owned(),
            user: None,
        }
    }
}

/// What a log in or a refresh gives, in the login dialect.
#[derive(Apiv2Schema, Serialize)]
pub(crate) struct BearerTokens {
    message: &'static str,
    access_token: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    token_type: &'static str,
    expires_in: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<UserView>,
    tenant_id: String,
    tenant_schema: String,
}

impl BearerTokens {
    /// What a log in gives.
    pub(crate) fn logged_in(grant: Grant) -> Self {
        let user = UserView::new(&grant.user, &grant.tenant);
        Self {
            message: "Login successful",
            user: Some(user),
            ..Self::refreshed(grant)
        }
    }

    /// What a refresh gives.
    pub(crate) fn refreshed(grant: Grant) -> Self {
        Self {
            message: "Token refreshed",
            access_token: grant.access,
            refresh_token: grant.refresh,
            token_type: "Bearer",
            expires_in: grant.expires_in.as_secs(),
            user: None,
            tenant_id: grant.tenant.shown_id(),
            tenant_schema: grant.tenant.schema.as_str().to_owned(),
        }
    }
}

/// The owner of a token that was found good.
#[derive(Apiv2Schema, Serialize)]
pub(crate) struct ValidatedView {
    status: &'static str,
    user: UserView,
    tenant_id: String,
    tenant_schema: String,
}

impl From<&Caller> for ValidatedView {
    fn from(caller: &Caller) -> Self {
        Self {
            status: "success",
            user: UserView::new(&caller.user, &caller.tenant),
            tenant_id: caller.tenant.shown_id(),
            tenant_schema: caller.tenant.schema.as_str().to_owned(),
        }
    }
}

/// Who signed up.
#[derive(Apiv2Schema, Serialize)]
pub(crate) struct RegisteredView {
    message: &'static str,
    user: UserView,
}

impl From<&Registered> for RegisteredView {
    fn from(registered: &Registered) -> Self {
        Self {
            message: "User registered; a mail to verify the address is on its way.",
            user: UserView::new(&registered.user, &registered.tenant),
        }
    }
}

/// The caller, both as the answer itself and inside it.
#[derive(Apiv2Schema, Serialize)]
pub(crate) struct MeView {
    #[serde(flatten)]
    flat: UserView,
    tenant_id: String,
    tenant_schema: String,
    user: UserView,
}

impl From<&Caller> for MeView {
    fn from(caller: &Caller) -> Self {
        Self {
            flat: UserView::new(&caller.user, &caller.tenant),
            tenant_id: caller.tenant.shown_id(),
            tenant_schema: caller.tenant.schema.as_str().to_owned(),
            user: UserView::new(&caller.user, &caller.tenant),
        }
    }
}

/// The caller's live sessions.
#[derive(Apiv2Schema, Serialize)]
pub(crate) struct SessionsView {
    sessions: Vec<SessionView>,
}

impl SessionsView {
    /// These sessions, of which the caller's is `current`.
    pub(crate) fn new(sessions: &[Session], caller: &Caller) -> Self {
        Self {
            sessions: sessions
                .iter()
                .map(|session| SessionView::new(session, Some(caller.session.id)))
                .collect(),
        }
    }
}

/// One session.
#[derive(Apiv2Schema, Serialize)]
pub struct SessionView {
    id: String,
    created_at: String,
    last_used_at: String,
    expires_at: String,
    ip: Option<String>,
    user_agent: Option<String>,
    current: bool,
}

impl SessionView {
    /// The session, for someone whose own is `current`.
    pub fn new(session: &Session, current: Option<Id<Session>>) -> Self {
        Self {
            id: session.id.to_string(),
            created_at: rfc3339(session.created_at),
            last_used_at: rfc3339(session.refreshed_at),
            expires_at: rfc3339(session.idle_end),
            ip: session.device.ip.clone(),
            user_agent: session.device.user_agent.clone(),
            current: current == Some(session.id),
        }
    }
}

/// That something was done.
#[derive(Apiv2Schema, Serialize)]
pub(crate) struct Done {
    /// What was done.
    pub(crate) message: &'static str,
}

/// The moment that `text` says as RFC 3339 has it, where it says one.
pub fn moment(text: &str) -> Option<Timestamp> {
    let moment: Moment = text.parse().ok()?;
    Some(Timestamp::from_micros(moment.as_microsecond()))
}

/// The moment as RFC 3339 writes it, UTC.
pub fn rfc3339(moment: Timestamp) -> String {
    Moment::from_microsecond(moment.as_micros()).map_or_else(
        |_| Moment::UNIX_EPOCH.to_string(),
        |moment| moment.to_string(),
    )
}
