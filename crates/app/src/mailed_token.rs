//! What a mailed token leads to, and asking for another one.

use core::fmt;
use std::collections::HashSet;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tessera_domain::{
    Actor, Addressee, Changes, Contradiction, EmailAddress, Mail, MailKind, MailedSecret,
    MailedToken, MailedTokenPurpose, Tenant, TenantStatus, User,
};

use crate::Tessera;
use crate::ports::{TenantKey, Unavailable, UserKey};
use crate::resolve_tenant::{ResolveTenantError, TenantHints, stays};

/// A request for a mail, by whoever says that the address is theirs.
#[derive(Clone, Debug)]
pub struct AskForMail {
    /// What it says of its tenant.
    pub hints: TenantHints,
    /// The address.
    pub email: EmailAddress,
    /// The client's address.
    pub ip: Option<String>,
}

/// Why not even that was written down.
#[derive(Debug, thiserror::Error)]
pub enum AskForMailError {
    /// The hints at the tenant contradict each other.
    #[error(transparent)]
    Contradiction(#[from] Contradiction),
    /// The store cannot be reached.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// A token from a mail, as somebody shows it. `Debug` shows nothing of it.
#[derive(Clone)]
pub struct ShowToken {
    /// What the request says of its tenant.
    pub hints: TenantHints,
    /// The token.
    pub token: String,
    /// Whose it is to be, as Django writes it; where it is said, it has to be so.
    pub uid: Option<String>,
    /// The client's address.
    pub ip: Option<String>,
}

impl fmt::Debug for ShowToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ShowToken(..)")
    }
}

/// Why a mailed token does nothing.
#[derive(Debug, thiserror::Error)]
pub enum MailedTokenError {
    /// It is unknown, used, over, or for something or somebody else; which of them is not told.
    #[error("the token does not work, or no longer")]
    Invalid,
    /// The store cannot be reached.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl Tessera {
    /// Has a mail sent that leads to another password, if there is an account of this address.
    ///
    /// All that is done is to write down that it was asked for: the same for every address.
    pub async fn forgot_password(&self, command: AskForMail) -> Result<(), AskForMailError> {
        self.ask_for_mail(command, MailKind::ResetPassword).await
    }

    /// Has the mail sent again that proves an address, if it is one that lacks a proof.
    ///
    /// All that is done is to write down that it was asked for: the same for every address.
    pub async fn resend_verification(&self, command: AskForMail) -> Result<(), AskForMailError> {
        self.ask_for_mail(command, MailKind::VerifyEmail).await
    }

    async fn ask_for_mail(
        &self,
        command: AskForMail,
        kind: MailKind,
    ) -> Result<(), AskForMailError> {
        let domain = Some(command.email.domain());
        let resolved = self.resolve_tenant(&command.hints, domain).await?;
        let (tenant, to) = match resolved.tenant {
            Some(tenant) => (tenant, Addressee::Account(command.email.key().to_owned())),
            // Written down as well, for a user who does not exist.
            None => (resolved.default, Addressee::User(self.new_id())),
        };
        let changes = Changes {
            mails: vec![self.mail(&tenant, kind, to)],
            actor: Actor::Anybody { ip: command.ip },
            ..Changes::default()
        };
        let committed = self.commit(&tenant, changes).await;
        committed.map_err(|error| Unavailable::new(error).into())
    }

    pub(crate) fn mail(&self, tenant: &Tenant, kind: MailKind, to: Addressee) -> Mail {
        Mail {
            id: self.new_id(),
            tenant: tenant.id,
            kind,
            to,
            at: self.now(),
        }
    }

    /// A mail that tells the user what happened to the account, at the address it has in `user`,
    /// whatever becomes of it before the mail goes out; none where it has no address.
    pub(crate) fn notice(&self, tenant: &Tenant, kind: MailKind, user: &User) -> Option<Mail> {
        let to = Addressee::Address {
            email: user.email.clone()?,
            user: user.id,
        };
        Some(self.mail(tenant, kind, to))
    }

    /// How many mails have led to a token of the user that works for `purpose` now.
    pub(crate) fn live_mails(
        &self,
        kept: &[MailedToken],
        purpose: MailedTokenPurpose,
        user: &User,
    ) -> usize {
        let now = self.now();
        let live = kept.iter().filter(|token| token.works(purpose, user, now));
        let mails: HashSet<_> = live.map(|token| MailedToken::places(token.id)).collect();
        mails.len()
    }

    pub(crate) fn new_secret(&self, tenant: &Tenant) -> MailedSecret {
        let mut random = [0; 32];
        self.ports.entropy.fill(&mut random);
        MailedSecret::new(tenant.schema.clone(), random)
    }

    /// What was mailed as this token, if it works for `purpose` now.
    pub(crate) async fn shown(
        &self,
        command: &ShowToken,
        purpose: MailedTokenPurpose,
    ) -> Result<Shown, MailedTokenError> {
        let secret = MailedSecret::parse(&command.token).ok_or(MailedTokenError::Invalid)?;
        let key = TenantKey::Name(secret.schema().key());
        let tenant = self
            .tenant_by(key)
            .await?
            .filter(|tenant| tenant.schema == *secret.schema())
            .filter(|tenant| tenant.status == TenantStatus::Active)
            .ok_or(MailedTokenError::Invalid)?;
        stays(&tenant)?;
        self.check_hints(&tenant, &command.hints).await?;
        let store = &self.ports.store;
        let token = store
            .mailed_token(&tenant, &secret.digest())
            .await?
            .ok_or(MailedTokenError::Invalid)?;
        let user = store.user(&tenant, &UserKey::Id(token.user)).await?;
        let uid = command.uid.as_deref();
        user.filter(|user| token.works(purpose, user, self.now()))
            .filter(|user| uid.is_none_or(|uid| uid.trim_end_matches('=') == uid_of(user)))
            .map(|user| Shown {
                tenant,
                user,
                token,
            })
            .ok_or(MailedTokenError::Invalid)
    }
}

/// A mailed token that works, and whose it is.
pub(crate) struct Shown {
    pub(crate) tenant: Arc<Tenant>,
    pub(crate) user: User,
    pub(crate) token: MailedToken,
}

impl Shown {
    /// Changes that use the token up, and with it those of other copies of its mail.
    pub(crate) fn spend(&self, command: &ShowToken) -> Changes {
        let ip = command.ip.clone();
        Changes {
            spent_tokens: MailedToken::places(self.token.id).into(),
            actor: Actor::User {
                id: self.user.id,
                tenant: self.tenant.id,
                ip,
            },
            ..Changes::default()
        }
    }
}

/// The id of a user as Django writes it into links: base64url of the id that clients see.
pub(crate) fn uid_of(user: &User) -> String {
    URL_SAFE_NO_PAD.encode(user.shown_id())
}

impl From<ResolveTenantError> for AskForMailError {
    fn from(error: ResolveTenantError) -> Self {
        match error {
            ResolveTenantError::Contradiction(contradiction) => contradiction.into(),
            ResolveTenantError::Unavailable(unavailable) => unavailable.into(),
        }
    }
}

/// A token of another tenant is none here, like one that was never made.
impl From<ResolveTenantError> for MailedTokenError {
    fn from(error: ResolveTenantError) -> Self {
        match error {
            ResolveTenantError::Contradiction(_) => Self::Invalid,
            ResolveTenantError::Unavailable(unavailable) => unavailable.into(),
        }
    }
}
