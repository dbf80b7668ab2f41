//! What a publisher is told does not get into logs, and what cannot be right is refused.

use tessera_rabbitmq::{RabbitMqPublisher, RabbitMqSettings};

use crate::server::settings;

#[tokio::test]
async fn a_password_is_not_shown() {
    for url in [
        "amqp://ada:secret@rabbit/x",
        "ada:secret",
        "amqp://ada:1/secret@rabbit",
    ] {
        let settings = settings(url.to_owned());
        assert!(!format!("{settings:?}").contains("secret"));
        if let Ok(publisher) = RabbitMqPublisher::new(settings) {
            assert!(!format!("{publisher:?}").contains("secret"));
        }
    }
}

#[tokio::test]
async fn a_name_that_amqp_has_no_room_for_is_refused() {
    for name in [String::new(), "x".repeat(256)] {
        let settings = settings("amqp://rabbit".to_owned());
        let exchange = RabbitMqSettings {
            exchange: name.clone(),
            ..settings.clone()
        };
        let queue = RabbitMqSettings {
            queue: name,
            ..settings
        };
        for (what, settings) in [("exchange", exchange), ("queue", queue)] {
            let error = RabbitMqPublisher::new(settings).unwrap_err().to_string();
            assert!(error.contains(what), "{error}");
        }
    }
}
