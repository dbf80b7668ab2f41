//! Logging in, and settings that cannot be.

use tessera_app::{Occasion, Publisher, Receipt};
use tessera_kafka::{
    KafkaPublisher, KafkaSecurity, KafkaSettings, SaslMechanism, SecurityProtocol,
};

use crate::own::own;
use crate::records::stored;
use crate::{settings, topic};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_known_may_send() {
    let own = own().await;
    let topic = topic::on_own(own).await;
    let _steady = own.steady().await;
    let settings = with(settings(&own.address(2), &topic.name), plain("app-secret"));
    assert_eq!(publish(&settings).await, Receipt::Sent);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_credentials_are_said_to_be_that() {
    let own = own().await;
    let _steady = own.steady().await;
    let settings = with(settings(&own.address(2), "any"), plain("wrong"));
    let why = "the broker refuses the user name and password, or how they are sent";
    assert_eq!(
        publish(&settings).await,
        Receipt::Unavailable(why.to_owned())
    );
}

#[cfg(feature = "tls")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_tls_a_broker_is_trusted_by_its_authority_alone() {
    let own = own().await;
    let topic = topic::on_own(own).await;
    let _steady = own.steady().await;
    for mechanism in [SaslMechanism::Plain, SaslMechanism::ScramSha256] {
        let security = KafkaSecurity {
            protocol: SecurityProtocol::SaslSsl,
            mechanism,
            ssl_ca: Some(own.folder.join("ca.pem")),
            ..plain("app-secret")
        };
        let trusting = with(settings(&own.address(3), &topic.name), security.clone());
        assert_eq!(publish(&trusting).await, Receipt::Sent);
        let security = KafkaSecurity {
            ssl_ca: None,
            ..security
        };
        let wary = with(settings(&own.address(3), &topic.name), security);
        let why = "a broker cannot be reached by TLS that we trust";
        assert_eq!(publish(&wary).await, Receipt::Unavailable(why.to_owned()));
    }
}

#[cfg(not(feature = "tls"))]
#[test]
fn without_tls_in_the_build_what_needs_it_is_refused() {
    let tls = KafkaSecurity {
        protocol: SecurityProtocol::SaslSsl,
        ..plain("secret")
    };
    let scram = KafkaSecurity {
        mechanism: SaslMechanism::ScramSha256,
        ..plain("secret")
    };
    for (security, what) in [(tls, "SASL_SSL"), (scram, "SCRAM-SHA-256")] {
        let sentence =
            format!("{what} needs TLS, which this build leaves out (its feature `tls` brings it)");
        assert_eq!(
            refusal(&with(settings("127.0.0.1:9", "events"), security)),
            sentence
        );
    }
}

#[tokio::test]
async fn settings_that_cannot_be_are_refused_in_a_sentence() {
    let security = KafkaSecurity {
        password: None,
        ..plain("")
    };
    let nobody = with(settings("127.0.0.1:9", "events"), security);
    assert_eq!(
        refusal(&nobody),
        "SASL_PLAINTEXT needs a Kafka user name and a password"
    );

    let security = KafkaSecurity {
        protocol: SecurityProtocol::Plaintext,
        ..plain("secret")
    };
    let idle = with(settings("127.0.0.1:9", "events"), security);
    assert_eq!(
        refusal(&idle),
        "a Kafka user name or password is set, but PLAINTEXT sends none"
    );

    for brokers in ["", "one:9092,", " "] {
        assert_eq!(
            refusal(&settings(brokers, "events")),
            "the list of Kafka brokers is empty, or has an empty place"
        );
    }
    for topic in ["", "..", "user events", &"x".repeat(250)] {
        let refusal = refusal(&settings("127.0.0.1:9", topic));
        assert!(
            refusal.starts_with("a Kafka topic has 1 to 249"),
            "{refusal}"
        );
    }
    let refusal = refusal(&settings("127.0.0.1:9\0", "events"));
    assert!(
        refusal.starts_with("the Kafka client does not take"),
        "{refusal}"
    );
}

#[test]
fn names_are_read_as_other_clients_read_them() {
    assert_eq!(
        "sasl_ssl".parse::<SecurityProtocol>().unwrap(),
        SecurityProtocol::SaslSsl
    );
    assert_eq!(
        "SSL".parse::<SecurityProtocol>().unwrap(),
        SecurityProtocol::Ssl
    );
    assert_eq!(
        "scram-sha-512".parse::<SaslMechanism>().unwrap(),
        SaslMechanism::ScramSha512
    );
    assert_eq!(
        "TLS".parse::<SecurityProtocol>().unwrap_err().to_string(),
        "`TLS` is none of the protocols PLAINTEXT, SSL, SASL_PLAINTEXT and SASL_SSL"
    );
    assert_eq!(
        "GSSAPI".parse::<SaslMechanism>().unwrap_err().to_string(),
        "`GSSAPI` is none of the SASL mechanisms PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512"
    );
}

#[tokio::test]
async fn no_secret_is_shown() {
    let settings = with(settings("127.0.0.1:9", "events"), plain("app-secret"));
    let publisher = KafkaPublisher::new(&settings).unwrap();
    let shown = format!("{settings:?} {publisher:?}");
    assert!(!shown.contains("app-secret"), "{shown}");
}

fn plain(password: &str) -> KafkaSecurity {
    KafkaSecurity {
        protocol: SecurityProtocol::SaslPlaintext,
        username: Some("app".to_owned()),
        password: Some(password.to_owned()),
        ..KafkaSecurity::default()
    }
}

fn with(settings: KafkaSettings, security: KafkaSecurity) -> KafkaSettings {
    KafkaSettings {
        security,
        ..settings
    }
}

async fn publish(settings: &KafkaSettings) -> Receipt {
    let publisher = KafkaPublisher::new(settings).unwrap();
    let mut receipts = publisher.publish(&[&stored(1)], Occasion::News).await;
    receipts.pop().unwrap()
}

fn refusal(settings: &KafkaSettings) -> String {
    KafkaPublisher::new(settings).unwrap_err().to_string()
}
