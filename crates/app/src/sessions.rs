//! A user's own sessions: see them, end one.

use tessera_domain::{Id, Session, SessionEnd};

use crate::Tessera;
use crate::ports::Unavailable;
use crate::validate::Caller;

/// Why no session was ended.
#[derive(Debug, thiserror::Error)]
pub enum EndSessionError {
    /// The caller has no live session of that id.
    #[error("there is no such session")]
    NotFound,
    /// The store cannot be reached.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl Tessera {
    /// The caller's live sessions, oldest first.
    pub async fn sessions(&self, caller: &Caller) -> Result<Vec<Session>, Unavailable> {
        self.user_sessions(&caller.tenant, &caller.user).await
    }

    /// Ends one of the caller's sessions, the present one included.
    pub async fn end_session(
        &self,
        caller: &Caller,
        id: Id<Session>,
    ) -> Result<(), EndSessionError> {
        let now = self.now();
        let holder = self
            .ports
            .store
            .session(&caller.tenant.schema, id)
            .await?
            .filter(|holder| holder.user.id == caller.user.id && holder.is_live(now))
            .ok_or(EndSessionError::NotFound)?;
        let by = caller.actor();
        Ok(self
            .end_session_of(&by, holder, SessionEnd::Revoked)
            .await?)
    }
}
