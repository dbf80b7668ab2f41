//! What became of a record, and what that means for its event.

use rdkafka::types::RDKafkaErrorCode;
use tessera_app::Receipt;

/// The report on a record.
pub(crate) type Outcome = Result<(), RDKafkaErrorCode>;

/// Nothing was heard of a record, yet.
pub(crate) const UNHEARD: Outcome = Err(RDKafkaErrorCode::MessageTimedOut);

/// Whether the refusal may have meant another record of the same set.
pub(crate) fn in_company(outcome: Outcome) -> bool {
    matches!(
        outcome,
        Err(RDKafkaErrorCode::InvalidDifferentRecord
            | RDKafkaErrorCode::InvalidMessage
            | RDKafkaErrorCode::InvalidMessageSize
            | RDKafkaErrorCode::InvalidRecord
            | RDKafkaErrorCode::InvalidTimestamp
            | RDKafkaErrorCode::MessageBatchTooLarge
            | RDKafkaErrorCode::MessageSizeTooLarge
            | RDKafkaErrorCode::PolicyViolation)
    )
}

/// Whether nobody who could know said it.
pub(crate) fn is_silence(outcome: Outcome) -> bool {
    matches!(
        outcome,
        Err(RDKafkaErrorCode::AllBrokersDown
            | RDKafkaErrorCode::BrokerTransportFailure
            | RDKafkaErrorCode::Fatal
            | RDKafkaErrorCode::MessageTimedOut
            | RDKafkaErrorCode::PurgeInflight
            | RDKafkaErrorCode::PurgeQueue)
    )
}

/// What it means for the event; `silence` says why nothing is heard, if nothing is.
pub(crate) fn receipt(outcome: Outcome, silence: &str) -> Receipt {
    let Err(error) = outcome else {
        return Receipt::Sent;
    };
    let held = |why: &str| Receipt::Held(why.to_owned());
    let rejected = |why: &str| Receipt::Rejected(why.to_owned());
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "what is not known to be about the event or its topic is about the way there"
    )]
    match error {
        RDKafkaErrorCode::UnknownPartition
        | RDKafkaErrorCode::UnknownTopic
        | RDKafkaErrorCode::UnknownTopicId
        | RDKafkaErrorCode::UnknownTopicOrPartition => held("the topic does not exist"),
        RDKafkaErrorCode::TopicAuthorizationFailed => held("we may not write to the topic"),
        RDKafkaErrorCode::ISRInsufficient
        | RDKafkaErrorCode::NotEnoughReplicas
        | RDKafkaErrorCode::NotEnoughReplicasAfterAppend => {
            held("fewer replicas are in sync than the topic asks for")
        }
        RDKafkaErrorCode::InvalidDifferentRecord => held("another event was refused"),
        RDKafkaErrorCode::InvalidMessageSize
        | RDKafkaErrorCode::MessageBatchTooLarge
        | RDKafkaErrorCode::MessageSizeTooLarge => rejected("larger than the topic allows"),
        RDKafkaErrorCode::InvalidMessage
        | RDKafkaErrorCode::InvalidRecord
        | RDKafkaErrorCode::InvalidTimestamp => rejected("the broker finds the record invalid"),
        RDKafkaErrorCode::PolicyViolation => rejected("a policy of the topic forbids it"),
        RDKafkaErrorCode::AllBrokersDown
        | RDKafkaErrorCode::BrokerTransportFailure
        | RDKafkaErrorCode::MessageTimedOut => Receipt::Unavailable(silence.to_owned()),
        RDKafkaErrorCode::Fatal | RDKafkaErrorCode::OutOfOrderSequenceNumber => {
            Receipt::Unavailable("the producer lost its place, another takes over".to_owned())
        }
        other => Receipt::Unavailable(other.to_string()),
    }
}
