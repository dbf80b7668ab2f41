//! How mails and mailed tokens are kept in rows.

use diesel::prelude::*;
use diesel::result::Error;
use tessera_app::QueuedMail;
use tessera_domain::{
    Addressee, EmailAddress, Epoch, Id, Mail, MailKind, MailedToken, MailedTokenPurpose, Tenant,
};

use crate::columns::{Count, Digest, Moment, Named, Uid};
use crate::schema::{mailed_tokens, mails};

/// A mail that waits.
#[derive(Insertable, Queryable, Selectable)]
#[diesel(table_name = mails, treat_none_as_default_value = false)]
pub(crate) struct MailRow {
    pub(crate) id: Uid,
    tenant_id: Uid,
    kind: Named<MailKind>,
    account_key: Option<String>,
    user_id: Option<Uid>,
    email: Option<String>,
    email_key: Option<String>,
    asked_at: Moment,
    due_at: Moment,
    tries: Count,
}

impl From<Mail> for MailRow {
    /// The row of a mail that nobody has tried to send.
    fn from(mail: Mail) -> Self {
        let (account_key, user, email) = match mail.to {
            Addressee::Account(key) => (Some(key), None, None),
            Addressee::Address { email, user } => (None, Some(user), Some(email)),
            Addressee::User(user) => (None, Some(user), None),
        };
        Self {
            id: mail.id.into(),
            tenant_id: mail.tenant.into(),
            kind: Named(mail.kind),
            account_key,
            user_id: user.map(Uid::from),
            email: email.as_ref().map(|email| email.as_str().to_owned()),
            email_key: email.as_ref().map(|email| email.key().to_owned()),
            asked_at: Moment(mail.at),
            due_at: Moment(mail.at),
            tries: Count(0),
        }
    }
}

impl TryFrom<MailRow> for QueuedMail {
    type Error = Error;

    fn try_from(row: MailRow) -> Result<Self, Error> {
        let to = match (row.account_key, row.user_id, row.email.zip(row.email_key)) {
            (Some(key), None, None) => Addressee::Account(key),
            (None, Some(user), Some((address, key))) => Addressee::Address {
                email: EmailAddress::restore(address, key),
                user: user.id(),
            },
            (None, Some(user), None) => Addressee::User(user.id()),
            _ => return Err(Error::DeserializationError("a mail to nobody".into())),
        };
        Ok(Self {
            mail: Mail {
                id: row.id.id(),
                tenant: row.tenant_id.id(),
                kind: row.kind.0,
                to,
                at: row.asked_at.0,
            },
            tries: u32::try_from(row.tries.0).unwrap_or(u32::MAX),
        })
    }
}

/// A mailed token.
#[derive(AsChangeset, Insertable, Queryable, Selectable)]
#[diesel(table_name = mailed_tokens, primary_key(tenant_id, id), treat_none_as_null = true)]
#[diesel(treat_none_as_default_value = false)]
pub(crate) struct MailedTokenRow {
    tenant_id: Uid,
    id: Uid,
    digest: Digest,
    purpose: Named<MailedTokenPurpose>,
    user_id: Uid,
    email: String,
    email_key: String,
    account_key: Option<String>,
    epoch: Count,
    expires_at: Moment,
}

impl MailedTokenRow {
    pub(crate) fn new(tenant: Id<Tenant>, token: MailedToken) -> Self {
        Self {
            tenant_id: tenant.into(),
            id: token.id.into(),
            digest: Digest(token.digest),
            purpose: Named(token.purpose),
            user_id: token.user.into(),
            email: token.email.as_str().to_owned(),
            email_key: token.email.key().to_owned(),
            account_key: token.account_key,
            epoch: Count(token.epoch.number()),
            expires_at: Moment(token.expires_at),
        }
    }
}

impl From<MailedTokenRow> for MailedToken {
    fn from(row: MailedTokenRow) -> Self {
        Self {
            id: row.id.id(),
            digest: row.digest.0,
            purpose: row.purpose.0,
            user: row.user_id.id(),
            email: EmailAddress::restore(row.email, row.email_key),
            account_key: row.account_key,
            epoch: Epoch::new(row.epoch.0),
            expires_at: row.expires_at.0,
        }
    }
}
