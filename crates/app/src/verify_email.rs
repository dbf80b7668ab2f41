//! Verify an address: whoever shows the token has read the mail.

use tessera_domain::{Change, MailedTokenPurpose};

use crate::mailed_token::{MailedTokenError, ShowToken};
use crate::ports::Unavailable;
use crate::{ATTEMPTS, Contended, Tessera};

impl Tessera {
    /// Takes the address of the account as proved. Of two who show one token, one succeeds.
    pub async fn verify_email(&self, command: ShowToken) -> Result<(), MailedTokenError> {
        for _ in 0..ATTEMPTS {
            let shown = self
                .shown(&command, MailedTokenPurpose::VerifyEmail)
                .await?;
            let (user, fact) = shown.user.verify_email().ok_or(MailedTokenError::Invalid)?;
            let mut changes = shown.spend(&command);
            changes.users = vec![Change::Update(user)];
            changes.events = vec![self.event(&shown.tenant, self.now(), fact)];
            match self.commit(&shown.tenant, changes).await {
                Ok(()) => return Ok(()),
                Err(error) => error.unless_stale()?,
            }
        }
        Err(Unavailable::new(Contended).into())
    }
}
