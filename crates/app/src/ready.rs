//! Whether requests can be served.

use crate::Tessera;
use crate::ports::{TokenError, Unready};

/// Why requests cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum NotReady {
    /// No key signs.
    #[error(transparent)]
    Keys(#[from] TokenError),
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] Unready),
}

impl Tessera {
    /// Whether the store can be used and keys sign.
    pub async fn ready(&self) -> Result<(), NotReady> {
        self.ports.store.check().await?;
        Ok(self.ports.tokens.check(self.now())?)
    }
}
