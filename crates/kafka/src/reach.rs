//! Whether the brokers can be reached, as far as librdkafka tells.

use core::time::Duration;

use rdkafka::types::RDKafkaErrorCode;
use tokio::sync::watch;
use tokio::time::sleep;

/// Whether the brokers can be reached.
#[derive(Debug)]
pub(crate) struct Reach(watch::Sender<State>);

#[derive(Clone, Copy, Debug, Default)]
struct State {
    away: bool,
    cause: Option<&'static str>,
}

impl Reach {
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(State::default()))
    }

    /// A broker answered.
    pub(crate) fn found(&self) {
        let trouble = {
            let state = self.0.borrow();
            state.away || state.cause.is_some()
        };
        if trouble {
            self.0.send_replace(State::default());
        }
    }

    /// librdkafka complains, of one broker or of all.
    pub(crate) fn lost(&self, error: RDKafkaErrorCode) {
        self.0.send_modify(|state| {
            if let Some(cause) = cause(error) {
                state.cause = Some(cause);
            }
            state.away |= matches!(
                error,
                RDKafkaErrorCode::AllBrokersDown
                    | RDKafkaErrorCode::Authentication
                    | RDKafkaErrorCode::SaslAuthenticationFailed
            );
        });
    }

    /// Why nothing is heard.
    pub(crate) fn cause(&self) -> &'static str {
        self.0
            .borrow()
            .cause
            .unwrap_or("no broker answered in time")
    }

    /// Lasts as long as it makes sense to wait for an answer.
    pub(crate) async fn patience(&self) {
        let mut state = self.0.subscribe();
        let away = async {
            // It ends only with its sender, which is ours.
            let _ = state.wait_for(|state| state.away).await;
            sleep(WHILE_AWAY).await;
        };
        tokio::select! {
            () = sleep(WHILE_THERE) => {}
            () = away => {}
        }
    }
}

fn cause(error: RDKafkaErrorCode) -> Option<&'static str> {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the others say less than that nothing was heard"
    )]
    match error {
        RDKafkaErrorCode::Authentication | RDKafkaErrorCode::SaslAuthenticationFailed => {
            Some("the broker refuses the user name and password, or how they are sent")
        }
        RDKafkaErrorCode::BrokerTransportFailure => Some("a broker cannot be reached"),
        RDKafkaErrorCode::Resolve => Some("the name of a broker does not resolve"),
        RDKafkaErrorCode::SSL => Some("a broker cannot be reached by TLS that we trust"),
        _ => None,
    }
}

/// Beyond the time-out of a record, which librdkafka looks at once a second.
const WHILE_THERE: Duration = Duration::from_secs(8);
/// Enough for a broker that is back to be found, and for a new leader to be elected.
const WHILE_AWAY: Duration = Duration::from_secs(3);
