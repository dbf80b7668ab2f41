//! What Postgres answers, in the words of the port.

use diesel::result::{DatabaseErrorInformation, DatabaseErrorKind, Error};
use tessera_app::{CommitError, Unavailable, Unique};

/// What a failed commit means to the one who asked for it.
pub(crate) fn refusal(error: Error) -> CommitError {
    let meant = if let Error::DatabaseError(kind, information) = &error {
        meaning(*kind, &**information)
    } else {
        None
    };
    meant.unwrap_or_else(|| CommitError::Unavailable(Unavailable::new(error)))
}

/// Whether the server takes no writes any more, as one that a fail-over made a standby.
pub(crate) fn is_read_only(error: &Error) -> bool {
    matches!(
        error,
        Error::DatabaseError(DatabaseErrorKind::ReadOnlyTransaction, _)
    )
}

/// Whether a lock was waited for as long as one may. Its SQLSTATE is dropped, too: see [`meaning`].
pub(crate) fn is_lock_timeout(error: &Error) -> bool {
    matches!(error, Error::DatabaseError(_, said) if said.message() == LOCK_TIMEOUT)
}

/// Whether the transaction was refused for its tenant, which says nothing of the connection.
pub(crate) fn is_elsewhere(error: &Error) -> bool {
    matches!(error, Error::DatabaseError(_, said) if said.constraint_name() == Some(ELSEWHERE))
}

/// Whether a statement that names the schema of a tenant failed in a way that one which finds its tables
/// by itself may not: the tables are not there, or another type of column is. Its SQLSTATE is dropped,
/// so everything counts that has no other meaning.
pub(crate) fn is_of_a_plan(error: &Error) -> bool {
    let Error::DatabaseError(kind, said) = error else {
        return false;
    };
    matches!(kind, DatabaseErrorKind::Unknown) && meaning(*kind, &**said).is_none()
}

/// Whether a step of a migration was refused because it is taken, or not needed any more.
pub(crate) fn is_overtaken(error: &Error) -> bool {
    let Error::DatabaseError(_, said) = error else {
        return false;
    };
    matches!(said.constraint_name(), Some("migrations_pkey" | STALE))
}

/// A stored value that no version of ours writes.
pub(crate) fn unknown(column: &'static str) -> Unavailable {
    Unavailable::new(format!("{column} holds a value that is not known"))
}

fn meaning(
    kind: DatabaseErrorKind,
    information: &dyn DatabaseErrorInformation,
) -> Option<CommitError> {
    use DatabaseErrorKind::{ForeignKeyViolation, SerializationFailure, UniqueViolation};

    let constraint = information.constraint_name();
    if matches!(kind, UniqueViolation) {
        return taken(constraint?);
    }
    // The user of a session or the tenant of a mail is gone, or another commit was first.
    let late = matches!(kind, ForeignKeyViolation | SerializationFailure);
    // Diesel drops the SQLSTATE of a deadlock (40P01), so its words have to do; where they are of
    // another language, the client is told to try again later instead of at once.
    let deadlock = information.message() == DEADLOCK;
    (constraint == Some(STALE) || late || deadlock).then_some(CommitError::Stale)
}

fn taken(constraint: &str) -> Option<CommitError> {
    let unique = match constraint {
        "installation_pkey" => Unique::Installation,
        "keys_kid_key" => Unique::Key,
        "tenant_domains_pkey" => Unique::Domain,
        // The last one is the catalogue's: a schema that Tessera did not make has the name.
        "tenant_names_pkey" | "tenants_schema_key" | "pg_namespace_nspname_index" => Unique::Tenant,
        "users_email_key" => Unique::Email,
        "users_username_key" => Unique::Username,
        "keys_pkey"
        | "mailed_tokens_digest_key"
        | "mails_pkey"
        | "sessions_pkey"
        | "tenants_pkey"
        | "users_pkey" => return Some(CommitError::Stale),
        // Each partition has its own.
        _ if constraint.starts_with("events_") && constraint.ends_with("_sequence_key") => {
            return Some(CommitError::Stale);
        }
        _ => return None,
    };
    Some(CommitError::Duplicate(unique))
}

const DEADLOCK: &str = "deadlock detected";
const LOCK_TIMEOUT: &str = "canceling statement due to lock timeout";
const ELSEWHERE: &str = "tessera_elsewhere";
const STALE: &str = "tessera_stale";
