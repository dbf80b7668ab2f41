//! Links that carry a token: what they are for, which page they lead to, how long they work.

use core::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tessera_domain::{
    EmailAddress, Id, MailKind, MailedSecret, MailedToken, MailedTokenPurpose, Tenant, Timestamp,
    User,
};

use crate::Tessera;
use crate::mail_queue::Link;
use crate::mailed_token::uid_of;

/// What a link is for.
#[derive(Clone, Copy)]
pub(crate) struct Errand {
    kind: MailKind,
    /// What its token is good for.
    pub(crate) purpose: MailedTokenPurpose,
    page: &'static str,
}

impl Errand {
    /// That of the link in a mail of this kind; none where it has no link.
    pub(crate) fn of(kind: MailKind) -> Option<Self> {
        let (purpose, page) = match kind {
            MailKind::AlreadyRegistered | MailKind::Invitation | MailKind::ResetPassword => {
                (MailedTokenPurpose::ResetPassword, "reset-password")
            }
            MailKind::ChangeEmail => (MailedTokenPurpose::ChangeEmail, "change-email"),
            MailKind::VerifyEmail => (MailedTokenPurpose::VerifyEmail, "verify-email"),
            MailKind::AccountDeleted
            | MailKind::ChangeEmailRequested
            | MailKind::EmailChanged
            | MailKind::PasswordChanged => return None,
        };
        Some(Self {
            kind,
            purpose,
            page,
        })
    }
}

impl Tessera {
    /// A new token for the user, bound to that address: as it is stored, and as a link that begins
    /// with `base`.
    pub(crate) fn new_token(
        &self,
        errand: Errand,
        base: &str,
        id: Id<MailedToken>,
        tenant: &Tenant,
        user: &User,
        to: EmailAddress,
    ) -> (MailedToken, Link) {
        let secret = self.new_secret(tenant);
        let expires_at = self.now() + self.life(errand.kind);
        let (digest, purpose) = (secret.digest(), errand.purpose);
        let stored = MailedToken::new(id, digest, purpose, user, to, expires_at);
        let page = format!("{base}/{}", errand.page);
        (stored, Link::new(&page, user, &secret, expires_at))
    }

    /// What links begin with: the page that the settings name, else that of the issuer, as far as
    /// it is known.
    pub(crate) fn link_base(&self, issuer: Option<&str>) -> Option<String> {
        if let Some(url) = &self.settings.web_page_url {
            return Some(url.trim_end_matches('/').to_owned());
        }
        Some(format!("{}/account", issuer?.trim_end_matches('/')))
    }

    fn life(&self, kind: MailKind) -> Duration {
        let policy = &self.settings.mailed_tokens;
        match kind {
            MailKind::ChangeEmail => policy.change_email,
            MailKind::Invitation => policy.invitation,
            MailKind::VerifyEmail => policy.verify_email,
            MailKind::AccountDeleted
            | MailKind::AlreadyRegistered
            | MailKind::ChangeEmailRequested
            | MailKind::EmailChanged
            | MailKind::PasswordChanged
            | MailKind::ResetPassword => policy.reset_password,
        }
    }
}

impl Link {
    fn new(page: &str, user: &User, secret: &MailedSecret, expires_at: Timestamp) -> Self {
        let (uid, token) = (uid_of(user), secret.reveal());
        let spelt = utf8_percent_encode(&token, QUERY);
        Self {
            url: format!("{page}?uid={uid}&token={spelt}"),
            uid,
            token,
            expires_at,
        }
    }
}

/// What may stand in a query as it is (RFC 3986, unreserved).
const QUERY: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');
