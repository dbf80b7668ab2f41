//! The mails that wait.

use std::collections::{BTreeMap, HashSet};

use tessera_app::{Backlog, CommitError, QueuedMail};
use tessera_domain::{Id, Mail, Tenant, Timestamp};

/// Every mail, and when it is due.
#[derive(Debug, Default)]
pub(super) struct Mails(BTreeMap<Id<Mail>, Waiting>);

#[derive(Debug)]
struct Waiting {
    queued: QueuedMail,
    due: Timestamp,
}

impl Mails {
    /// Whether these may join.
    pub(super) fn check(
        &self,
        mails: &[Mail],
        exists: impl Fn(Id<Tenant>) -> bool,
    ) -> Result<(), CommitError> {
        let mut seen = HashSet::new();
        let may = |mail: &Mail| {
            exists(mail.tenant) && !self.0.contains_key(&mail.id) && seen.insert(mail.id)
        };
        mails
            .iter()
            .all(may)
            .then_some(())
            .ok_or(CommitError::Stale)
    }

    pub(super) fn add(&mut self, mails: Vec<Mail>) {
        for mail in mails {
            let (id, due) = (mail.id, mail.at);
            let queued = QueuedMail { mail, tries: 0 };
            self.0.insert(id, Waiting { queued, due });
        }
    }

    pub(super) fn erase(&mut self, tenants: &[Id<Tenant>]) {
        self.0
            .retain(|_, waiting| !tenants.contains(&waiting.queued.mail.tenant));
    }

    pub(super) fn erase_some(&mut self, tenant: Id<Tenant>, limit: usize) -> usize {
        let of_tenant = self.all().filter(|mail| mail.tenant == tenant);
        let some: Vec<Id<Mail>> = of_tenant.take(limit).map(|mail| mail.id).collect();
        self.0.retain(|id, _| !some.contains(id));
        some.len()
    }

    pub(super) fn take(
        &mut self,
        now: Timestamp,
        until: Timestamp,
        limit: usize,
    ) -> Vec<QueuedMail> {
        let mut due: Vec<&mut Waiting> = self.0.values_mut().filter(|one| one.due <= now).collect();
        due.sort_by_key(|one| one.due);
        due.into_iter()
            .take(limit)
            .map(|one| {
                one.due = until;
                one.queued.clone()
            })
            .collect()
    }

    pub(super) fn defer(&mut self, id: Id<Mail>, due: Timestamp) {
        if let Some(waiting) = self.0.get_mut(&id) {
            waiting.due = due;
            waiting.queued.tries += 1;
        }
    }

    pub(super) fn give_back(&mut self, id: Id<Mail>, due: Timestamp) {
        if let Some(waiting) = self.0.get_mut(&id) {
            waiting.due = due;
        }
    }

    pub(super) fn drop(&mut self, id: Id<Mail>) {
        self.0.remove(&id);
    }

    pub(super) fn backlog(&self) -> Backlog {
        let all = || self.0.values();
        Backlog {
            mails: u64::try_from(self.0.len()).unwrap_or(u64::MAX),
            oldest: all().map(|one| one.queued.mail.at).min(),
            next_due: all().map(|one| one.due).min(),
        }
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Mail> {
        self.0.values().map(|one| &one.queued.mail)
    }
}
