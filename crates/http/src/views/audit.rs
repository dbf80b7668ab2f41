//! The audit trail, as administrators see it.

use paperclip::actix::Apiv2Schema;
use paperclip::v2::models::{DataType, DefaultSchemaRaw};
use paperclip::v2::schema::Apiv2Schema as Schema;
use serde::Serialize;
use serde_json::value::RawValue;
use tessera_app::{AuditEntry, AuditPage};

use super::rfc3339;

/// A page of the audit trail, the newest entry first.
#[derive(Apiv2Schema, Serialize)]
pub(crate) struct AuditView {
    entries: Vec<AuditEntryView>,
    /// What `before` is for the next page; null when there was no more.
    next: Option<String>,
}

impl TryFrom<AuditPage> for AuditView {
    type Error = serde_json::Error;

    fn try_from(page: AuditPage) -> Result<Self, Self::Error> {
        let entries = page.entries.into_iter().map(AuditEntryView::try_from);
        Ok(Self {
            entries: entries.collect::<Result<_, _>>()?,
            next: page.next.map(|place| place.to_string()),
        })
    }
}

/// An entry of the audit trail.
#[derive(Apiv2Schema, Serialize)]
pub struct AuditEntryView {
    /// The id of the event.
    id: String,
    time: String,
    /// The UUID of the tenant in which it happened.
    tenant_id: String,
    #[serde(rename = "type")]
    event_type: String,
    subject: String,
    /// The UUID of the user whom it concerns.
    user_id: Option<String>,
    /// Who did it: a `user`, an `operator` at the command line, the `service` by itself, or
    /// `anybody`, who is not known.
    actor: &'static str,
    /// The UUID of that user.
    actor_id: Option<String>,
    /// The UUID of the tenant of that user.
    actor_tenant_id: Option<String>,
    /// The address that the request came from.
    ip: Option<String>,
    data: AuditData,
}

impl TryFrom<AuditEntry> for AuditEntryView {
    type Error = serde_json::Error;

    fn try_from(entry: AuditEntry) -> Result<Self, Self::Error> {
        let actor = &entry.actor;
        let (actor_id, actor_tenant_id) = actor.user().unzip();
        Ok(Self {
            id: entry.id.to_string(),
            time: rfc3339(entry.at),
            tenant_id: entry.tenant.to_string(),
            event_type: entry.event_type,
            subject: entry.subject,
            user_id: entry.user.map(|user| user.to_string()),
            actor: actor.kind(),
            actor_id: actor_id.map(|id| id.to_string()),
            actor_tenant_id: actor_tenant_id.map(|id| id.to_string()),
            ip: actor.ip().map(str::to_owned),
            data: AuditData(RawValue::from_string(entry.data)?),
        })
    }
}

/// What else is known, as it is kept.
#[derive(Serialize)]
#[serde(transparent)]
struct AuditData(Box<RawValue>);

impl Schema for AuditData {
    fn raw_schema() -> DefaultSchemaRaw {
        DefaultSchemaRaw {
            data_type: Some(DataType::Object),
            description: Some(
                "What else is known of it, by its type; never an address or a name.".to_owned(),
            ),
            ..DefaultSchemaRaw::default()
        }
    }
}
