//! What an event looks like to a consumer.

use std::borrow::Cow;

use lapin::BasicProperties;
use lapin::types::{FieldTable, ShortString};
use serde_json::{Map, Value};
use tessera_app::{Occasion, StoredEvent};
use tessera_wire::routing_key;

use crate::Format;

/// An event as it is published.
pub(crate) struct Message<'a> {
    /// Where among the events of the call its event is.
    pub(crate) place: usize,
    pub(crate) routing_key: ShortString,
    pub(crate) properties: BasicProperties,
    pub(crate) body: Cow<'a, str>,
}

impl<'a> Message<'a> {
    /// The message of an event, or why there can be none.
    pub(crate) fn new(
        place: usize,
        event: &'a StoredEvent,
        occasion: Occasion,
        format: Format,
    ) -> Result<Self, String> {
        let too_long = |_| "its type is longer than AMQP has room for".to_owned();
        let event_type = ShortString::try_new(&*event.event_type).map_err(too_long)?;
        let routing_key = ShortString::try_new(routing_key(&event.event_type)).map_err(too_long)?;
        let (content_type, body) = match format {
            Format::Plain => ("application/json", Cow::Owned(plain(event)?)),
            Format::Structured => (
                "application/cloudevents+json",
                Cow::Borrowed(event.body.as_str()),
            ),
        };
        let mut properties = BasicProperties::default()
            .with_app_id("tessera".into())
            .with_content_type(content_type.into())
            .with_delivery_mode(PERSISTENT)
            .with_message_id(event.id.to_string().into())
            .with_timestamp(u64::try_from(event.at.as_secs()).unwrap_or(0))
            .with_type(event_type);
        if occasion == Occasion::Replay {
            let mut headers = FieldTable::default();
            headers.insert("tessera-replay".into(), true.into());
            properties = properties.with_headers(headers);
        }
        Ok(Self {
            place,
            routing_key,
            properties,
            body,
        })
    }
}

/// The members of the event's data, and beside them, winning over them, what every event has.
fn plain(event: &StoredEvent) -> Result<String, String> {
    let body: Map<String, Value> = serde_json::from_str(&event.body)
        .map_err(|error| format!("its body is no JSON object: {error}"))?;
    let mut flat = match body.get("data") {
        Some(Value::Object(data)) => data.clone(),
        _ => Map::new(),
    };
    let mut set = |name: &str, value: String| flat.insert(name.to_owned(), Value::String(value));
    set("event", event.event_type.clone());
    set("id", event.id.to_string());
    set("tenant_id", event.tenant.to_string());
    if let Some(user) = event.subject.strip_prefix("user/") {
        set("user_id", user.to_owned());
    }
    if let Some(time) = body.get("time") {
        flat.insert("timestamp".to_owned(), time.clone());
    }
    Ok(Value::Object(flat).to_string())
}

const PERSISTENT: u8 = 2;
