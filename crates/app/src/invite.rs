//! A link to set a password, for an operator to hand on instead of a mail.

use tessera_domain::{Actor, Change, Changes, Id, MailKind, Tenant, User};

use crate::link::Errand;
use crate::mail_queue::Link;
use crate::ports::{Unavailable, UserKey};
use crate::{ATTEMPTS, Contended, Tessera};

/// Why there is no link.
#[derive(Debug, thiserror::Error)]
pub enum InviteLinkError {
    /// A link is bound to an address, and the user has none.
    #[error("the user has no e-mail address, which a link is bound to")]
    NoAddress,
    /// There is no such user.
    #[error("there is no such user")]
    NotFound,
    /// The store cannot be reached.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl Tessera {
    /// A link like that of an invitation. It is told once: what is kept is a digest of its token.
    ///
    /// Whoever sets a password by it counts as the owner of the address, so an operator hands it to
    /// nobody else.
    pub async fn invite_link(
        &self,
        tenant: &Tenant,
        id: Id<User>,
    ) -> Result<Link, InviteLinkError> {
        let errand = Errand::of(MailKind::Invitation).ok_or(InviteLinkError::NoAddress)?;
        let issuer = self.settled_issuer().await?;
        let base = self.link_base(Some(&issuer)).unwrap_or_default();
        for _ in 0..ATTEMPTS {
            let user = self.ports.store.user(tenant, &UserKey::Id(id)).await?;
            let user = user.ok_or(InviteLinkError::NotFound)?;
            let to = user.email.clone().ok_or(InviteLinkError::NoAddress)?;
            let (token, link) = self.new_token(errand, &base, self.new_id(), tenant, &user, to);
            let changes = Changes {
                // As it was read: a token is bound to nothing that changed meanwhile.
                users: vec![Change::Update(user)],
                mailed_tokens: vec![token],
                actor: Actor::Operator,
                ..Changes::default()
            };
            match self.commit(tenant, changes).await {
                Ok(()) => return Ok(link),
                Err(error) => error.unless_stale()?,
            }
        }
        Err(Unavailable::new(Contended).into())
    }
}
