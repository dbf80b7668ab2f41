//! Where events are to go: nothing is sent yet, but contradictions are refused from the first day.

use super::{ConfigError, Environment, Notice};

/// Refuses destinations that do not exist, lack their broker, or that nobody chose between.
pub(crate) fn check(environment: &Environment) -> Result<(), ConfigError> {
    let kafka = environment.setting("KAFKA_BOOTSTRAP_SERVERS").is_some();
    let rabbitmq = environment
        .secret(&["RABBITMQ_URL"], &mut Vec::<Notice>::new())?
        .is_some();
    let Some(events) = environment.setting("TESSERA_EVENTS") else {
        if kafka && rabbitmq {
            return Err(ConfigError::new(
                "KAFKA_BOOTSTRAP_SERVERS and RABBITMQ_URL are both set: say with TESSERA_EVENTS \
                 where events go (kafka, rabbitmq or kafka,rabbitmq)",
            ));
        }
        return Ok(());
    };
    let places = events.list()?;
    let known = ["ndjson", "kafka", "rabbitmq", "none"];
    let strange = places.iter().any(|place| !known.contains(&place.as_str()));
    let alone = |place: &str| places.iter().any(|p| p == place) && places.len() > 1;
    if strange || places.is_empty() || alone("none") || alone("ndjson") {
        return Err(events.wrong("ndjson, kafka, rabbitmq, kafka,rabbitmq or none"));
    }
    for (place, configured, name) in [
        ("kafka", kafka, "KAFKA_BOOTSTRAP_SERVERS"),
        ("rabbitmq", rabbitmq, "RABBITMQ_URL"),
    ] {
        if places.iter().any(|p| p == place) && !configured {
            return Err(ConfigError::new(format!(
                "TESSERA_EVENTS names {place}, but {name} is not set"
            )));
        }
    }
    Ok(())
}
