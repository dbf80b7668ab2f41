//! The publisher does what every publisher must do.

use core::time::Duration;
use std::net::TcpListener;
use std::sync::Arc;
use std::thread;

use async_trait::async_trait;
use lapin::options::{BasicGetOptions, QueueBindOptions};
use lapin::types::FieldTable;
use tessera_app::Publisher;
use tessera_contract::publisher::{Arrived, Broker};
use tessera_rabbitmq::{RabbitMqPublisher, RabbitMqSettings};
use tokio::sync::Mutex;

use crate::server::{Server, VirtualHost, client, publisher, settings};

tessera_contract::publisher_suite!(broker);

/// Starting a broker takes seconds, so only the cases that need one for themselves have one.
async fn broker() -> Rabbit {
    let case = thread::current().name().unwrap_or_default().to_owned();
    let has_own = OWN.iter().any(|own| case.ends_with(own));
    let home = if has_own {
        Home::Own(Mutex::new(Server::start(LARGEST).await))
    } else {
        Home::Shared(VirtualHost::new())
    };
    let url = match &home {
        Home::Own(server) => server.lock().await.url(),
        Home::Shared(corner) => corner.url(),
    };
    Rabbit {
        url,
        home,
        silent: TcpListener::bind("127.0.0.1:0").unwrap(),
    }
}

struct Rabbit {
    url: String,
    home: Home,
    silent: TcpListener,
}

enum Home {
    Own(Mutex<Server>),
    Shared(VirtualHost),
}

#[async_trait]
impl Broker for Rabbit {
    fn publisher(&self) -> Arc<dyn Publisher> {
        Arc::new(publisher(self.url.clone()))
    }

    fn publisher_to_nowhere(&self) -> Arc<dyn Publisher> {
        let gone = TcpListener::bind("127.0.0.1:0").unwrap();
        impatient(&gone)
    }

    async fn publisher_to_silence(&self) -> Option<Arc<dyn Publisher>> {
        Some(impatient(&self.silent))
    }

    async fn arrived(&self) -> Vec<Arrived> {
        let (_connection, channel) = client(&self.url).await;
        let mut arrived = Vec::new();
        // Without an acknowledgement all of it is there again when the connection ends.
        while let Ok(Some(message)) = channel
            .basic_get("all-events".into(), BasicGetOptions::default())
            .await
        {
            let headers = message.properties.headers().clone().unwrap_or_default();
            arrived.push(Arrived {
                body: String::from_utf8(message.data.clone()).unwrap(),
                replay: Some(headers.inner().contains_key("tessera-replay")),
            });
        }
        arrived
    }

    async fn restart(&self) {
        match &self.home {
            Home::Own(server) => server.lock().await.crash_and_restart().await,
            Home::Shared(_) => panic!("others use this broker"),
        }
    }

    async fn unroute(&self) -> bool {
        let (_connection, channel) = client(&self.url).await;
        let unbound = channel.queue_unbind(
            "all-events".into(),
            "events".into(),
            "#".into(),
            FieldTable::default(),
        );
        unbound.await.unwrap();
        true
    }

    async fn route(&self) {
        let (_connection, channel) = client(&self.url).await;
        let bound = channel.queue_bind(
            "all-events".into(),
            "events".into(),
            "#".into(),
            QueueBindOptions::default(),
            FieldTable::default(),
        );
        bound.await.unwrap();
    }

    fn too_large(&self) -> Option<usize> {
        match self.home {
            Home::Own(_) => Some(LARGEST),
            Home::Shared(_) => None,
        }
    }
}

fn impatient(listener: &TcpListener) -> Arc<dyn Publisher> {
    let port = listener.local_addr().unwrap().port();
    let settings = RabbitMqSettings {
        time_out: Duration::from_secs(1),
        ..settings(format!("amqp://127.0.0.1:{port}"))
    };
    Arc::new(RabbitMqPublisher::new(settings).unwrap())
}

const LARGEST: usize = 100_000;

const OWN: [&str; 2] = [
    "a_restart_in_the_middle_loses_nothing_that_was_sent",
    "an_oversized_event_is_rejected_alone",
];
