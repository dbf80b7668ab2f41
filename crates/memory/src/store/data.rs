//! What the store keeps, and how a commit changes all of it or nothing.

use core::hash::Hash;
use core::ops::Bound;
use std::collections::{BTreeMap, HashSet};

use tessera_app::{CommitError, SessionHolder, TenantKey, Unique, UserFilter, UserKey};
use tessera_domain::{
    Change, Changes, EmailAddress, Epoch, Id, Installation, Key, MailedDigest, MailedToken,
    NamePrefix, SchemaName, Session, Subject, Tenant, TenantStatus, Timestamp, User, Username,
};

use crate::store::log::Log;
use crate::store::mails::Mails;
use crate::store::trail::Trail;

/// Everything that is kept.
#[derive(Debug, Default)]
pub(super) struct Data {
    installation: Option<Installation>,
    keys: BTreeMap<Id<Key>, Key>,
    pub(super) log: Log,
    pub(super) mails: Mails,
    places: BTreeMap<Id<Tenant>, Place>,
    tenants: BTreeMap<Id<Tenant>, Tenant>,
    pub(super) trail: Trail,
}

/// Where one tenant's data lives.
#[derive(Clone, Debug, Default)]
struct Place {
    mailed_tokens: BTreeMap<Id<MailedToken>, MailedToken>,
    sessions: BTreeMap<Id<Session>, Session>,
    users: BTreeMap<Id<User>, User>,
}

impl Data {
    /// Changes copies of what `changes` touches, and puts them in place once nothing can fail.
    pub(super) fn commit(&mut self, tenant: &Tenant, changes: Changes) -> Result<(), CommitError> {
        self.check_told(tenant, &changes)?;
        let mut tenants = self.tenants.clone();
        let gone_tenants = change_all(&mut tenants, changes.tenants)?;
        check_tenants(&tenants)?;
        let [before, after] = [&self.tenants, &tenants].map(|all| all.contains_key(&tenant.id));
        if !before && !after {
            return Err(CommitError::Stale);
        }
        let mut place = self.places.get(&tenant.id).cloned().unwrap_or_default();
        place.check_epochs(&changes.epochs)?;
        let gone_users = change_all(&mut place.users, changes.users)?;
        let gone_sessions = place.drop_sessions(&gone_users);
        change_all(&mut place.sessions, changes.sessions)?;
        place.change_mailed_tokens(changes.mailed_tokens, &changes.spent_tokens)?;
        place.check()?;
        let mut keys = self.keys.clone();
        change_all(&mut keys, changes.keys)?;
        unique(keys.values().map(|key| &key.kid), Unique::Key)?;
        if changes.installation.is_some() && self.installation.is_some() {
            return Err(CommitError::Duplicate(Unique::Installation));
        }
        self.mails
            .check(&changes.mails, |tenant| tenants.contains_key(&tenant))?;
        let joining = self.log.joining(changes.events)?;
        let users = gone_users.into_iter().map(Subject::User);
        let sessions = gone_sessions.into_iter().map(Subject::Session);
        let gone: Vec<Subject> = users.chain(sessions).collect();

        self.tenants = tenants;
        self.places.insert(tenant.id, place);
        self.places.retain(|id, _| self.tenants.contains_key(id));
        self.keys = keys;
        self.installation = changes.installation.or_else(|| self.installation.take());
        self.log.erase(|event| {
            let of_tenant = event.tenant == tenant.id && gone.contains(&event.fact.subject);
            of_tenant || gone_tenants.contains(&event.tenant)
        });
        self.trail.erase(&gone_tenants);
        self.trail.join(&joining, &changes.actor);
        self.log.join(joining);
        self.mails.erase(&gone_tenants);
        self.mails.add(changes.mails);
        Ok(())
    }

    /// Refuses to tell of a tenant that is about to be gone, where nothing is changed.
    fn check_told(&self, tenant: &Tenant, changes: &Changes) -> Result<(), CommitError> {
        let stored = self.tenants.get(&tenant.id);
        let deleting = stored.is_some_and(|it| it.status == TenantStatus::Deleting);
        if deleting && changes.is_told_alone() {
            return Err(CommitError::Stale);
        }
        Ok(())
    }

    pub(super) fn installation(&self) -> Option<Installation> {
        self.installation.clone()
    }

    pub(super) fn keys(&self) -> Vec<Key> {
        let mut keys: Vec<Key> = self.keys.values().cloned().collect();
        keys.sort_by_key(|key| key.created_at);
        keys
    }

    pub(super) fn prune(&mut self, tenant: &Tenant, now: Timestamp, limit: usize) -> usize {
        let Some(place) = self.places.get_mut(&tenant.id) else {
            return 0;
        };
        let over = |token: &MailedToken| token.expires_at <= now;
        let over: Vec<Id<MailedToken>> = place
            .mailed_tokens
            .values()
            .filter(|token| over(token))
            .map(|token| token.id)
            .take(limit)
            .collect();
        place.mailed_tokens.retain(|id, _| !over.contains(id));
        let dead: Vec<Id<Session>> = place
            .sessions
            .values()
            .filter(|session| !place.is_live(session, now))
            .map(|session| session.id)
            .take(limit)
            .collect();
        place.sessions.retain(|id, _| !dead.contains(id));
        dead.len() + over.len()
    }

    pub(super) fn empty(&mut self, tenant: Id<Tenant>, limit: usize) -> usize {
        let stored = self.tenants.get(&tenant);
        if stored.is_none_or(|stored| stored.status != TenantStatus::Deleting) {
            return 0;
        }
        let place = self.places.get_mut(&tenant);
        let users = place.map_or(0, |place| place.empty(limit));
        let events = self.log.erase_some(tenant, limit);
        let entries = self.trail.erase_some(tenant, limit);
        users + events + entries + self.mails.erase_some(tenant, limit)
    }

    pub(super) fn mailed_token(
        &self,
        tenant: &Tenant,
        digest: &MailedDigest,
    ) -> Option<MailedToken> {
        let tokens = &self.places.get(&tenant.id)?.mailed_tokens;
        tokens
            .values()
            .find(|token| token.digest == *digest)
            .cloned()
    }

    pub(super) fn mailed_tokens(&self, tenant: &Tenant, user: Id<User>) -> Vec<MailedToken> {
        let place = self.places.get(&tenant.id);
        let all = place
            .into_iter()
            .flat_map(|place| place.mailed_tokens.values());
        all.filter(|token| token.user == user).cloned().collect()
    }

    pub(super) fn session(&self, schema: &SchemaName, id: Id<Session>) -> Option<SessionHolder> {
        let tenant = self.tenants.values().find(|one| one.schema == *schema)?;
        let place = self.places.get(&tenant.id)?;
        let session = place.sessions.get(&id)?;
        let user = place.users.get(&session.user)?;
        Some(SessionHolder {
            tenant: tenant.clone(),
            user: user.clone(),
            session: session.clone(),
        })
    }

    pub(super) fn sessions(&self, tenant: &Tenant, user: Id<User>) -> Vec<Session> {
        let place = self.places.get(&tenant.id);
        let all = place.into_iter().flat_map(|place| place.sessions.values());
        let mut sessions: Vec<Session> = all
            .filter(|session| session.user == user)
            .cloned()
            .collect();
        sessions.sort_by_key(|session| session.created_at);
        sessions
    }

    pub(super) fn tenant(&self, by: &TenantKey) -> Option<Tenant> {
        let found = |tenant: &&Tenant| match by {
            TenantKey::Id(id) => tenant.id == *id,
            TenantKey::Host(host) => tenant.domains.iter().any(|domain| domain.host == *host),
            TenantKey::Name(key) => tenant.name.key() == *key || tenant.schema.key() == *key,
        };
        self.tenants.values().find(found).cloned()
    }

    pub(super) fn tenants(&self) -> Vec<Tenant> {
        let mut tenants: Vec<Tenant> = self.tenants.values().cloned().collect();
        tenants.sort_by(|one, other| one.schema.as_str().cmp(other.schema.as_str()));
        tenants
    }

    pub(super) fn unfinished_tenants(&self) -> Vec<Tenant> {
        let mut tenants = self.tenants();
        tenants
            .retain(|tenant| tenant.status == TenantStatus::Deleting || tenant.moving_to.is_some());
        tenants
    }

    pub(super) fn user(&self, tenant: &Tenant, by: &UserKey) -> Option<User> {
        let users = &self.places.get(&tenant.id)?.users;
        let found = match by {
            UserKey::Email(key) => users.values().find(|user| email_key(user) == Some(key)),
            UserKey::Id(id) => users.get(id),
            UserKey::Username(key) => users.values().find(|user| username_key(user) == Some(key)),
        };
        found.cloned()
    }

    pub(super) fn users(
        &self,
        tenant: &Tenant,
        filter: &UserFilter,
        after: Option<Id<User>>,
        limit: usize,
    ) -> Vec<User> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let place = self.places.get(&tenant.id);
        let rest = place.map(|place| place.users.range((from, Bound::Unbounded)));
        rest.into_iter()
            .flatten()
            .map(|(_, user)| user)
            .filter(|user| passes(filter, user))
            .take(limit)
            .cloned()
            .collect()
    }
}

/// Whether the filter lets the user through.
fn passes(filter: &UserFilter, user: &User) -> bool {
    let begins = |prefix: &NamePrefix| {
        let keys = [email_key(user), username_key(user)];
        keys.into_iter().flatten().any(|key| prefix.begins(key))
    };
    filter.search.as_ref().is_none_or(begins)
        && filter
            .role
            .as_ref()
            .is_none_or(|role| user.roles.contains(role))
        && filter.status.is_none_or(|status| user.status == status)
        && filter
            .email_verified
            .is_none_or(|proved| user.email_verified == proved)
}

impl Place {
    fn check_epochs(&self, epochs: &[(Id<User>, Epoch)]) -> Result<(), CommitError> {
        let still = |(id, epoch): &(Id<User>, Epoch)| {
            self.users.get(id).is_some_and(|user| user.epoch == *epoch)
        };
        epochs
            .iter()
            .all(still)
            .then_some(())
            .ok_or(CommitError::Stale)
    }

    /// Lets the sessions of users go that are gone; answers which.
    fn drop_sessions(&mut self, users: &[Id<User>]) -> Vec<Id<Session>> {
        let gone = self
            .sessions
            .extract_if(.., |_, session| users.contains(&session.user));
        gone.map(|(id, _)| id).collect()
    }

    /// Lets some users go, with all that is theirs; answers how many.
    fn empty(&mut self, limit: usize) -> usize {
        let some: Vec<Id<User>> = self.users.keys().take(limit).copied().collect();
        self.users.retain(|id, _| !some.contains(id));
        self.drop_sessions(&some);
        let users = &self.users;
        self.mailed_tokens
            .retain(|_, token| users.contains_key(&token.user));
        some.len()
    }

    fn change_mailed_tokens(
        &mut self,
        kept: Vec<MailedToken>,
        spent: &[Id<MailedToken>],
    ) -> Result<(), CommitError> {
        for id in spent {
            self.mailed_tokens.remove(id);
        }
        let owned = |token: &MailedToken| self.users.contains_key(&token.user);
        if !kept.iter().all(owned) {
            return Err(CommitError::Stale);
        }
        self.mailed_tokens
            .extend(kept.into_iter().map(|token| (token.id, token)));
        self.mailed_tokens
            .retain(|_, token| self.users.contains_key(&token.user));
        let mut digests = HashSet::new();
        let mut tokens = self.mailed_tokens.values();
        tokens
            .all(|token| digests.insert(token.digest))
            .then_some(())
            .ok_or(CommitError::Stale)
    }

    fn check(&self) -> Result<(), CommitError> {
        unique(self.users.values().filter_map(email_key), Unique::Email)?;
        unique(
            self.users.values().filter_map(username_key),
            Unique::Username,
        )?;
        let owned = |session: &Session| self.users.contains_key(&session.user);
        self.sessions
            .values()
            .all(owned)
            .then_some(())
            .ok_or(CommitError::Stale)
    }

    fn is_live(&self, session: &Session, now: Timestamp) -> bool {
        let user = self.users.get(&session.user);
        let epoch = user.is_some_and(|user| session.is_live(user.epoch, now));
        epoch && now < session.absolute_end
    }
}

fn check_tenants(tenants: &BTreeMap<Id<Tenant>, Tenant>) -> Result<(), CommitError> {
    let names = tenants.values().flat_map(|tenant| {
        let (name, schema) = (tenant.name.key(), tenant.schema.key());
        let own = (name != schema).then_some(schema);
        [Some(name), own].into_iter().flatten()
    });
    unique(names, Unique::Tenant)?;
    let domains = tenants.values().flat_map(|tenant| &tenant.domains);
    unique(domains.map(|domain| &domain.host), Unique::Domain)
}

fn unique<K: Eq + Hash>(
    mut keys: impl Iterator<Item = K>,
    taken: Unique,
) -> Result<(), CommitError> {
    let mut seen = HashSet::new();
    let all = keys.all(|key| seen.insert(key));
    all.then_some(()).ok_or(CommitError::Duplicate(taken))
}

fn email_key(user: &User) -> Option<&str> {
    user.email.as_ref().map(EmailAddress::key)
}

fn username_key(user: &User) -> Option<&str> {
    user.username.as_ref().map(Username::key)
}

/// Answers which are gone that were there.
fn change_all<T: Aggregate>(
    kept: &mut BTreeMap<Id<T>, T>,
    changes: Vec<Change<T>>,
) -> Result<Vec<Id<T>>, CommitError> {
    let mut gone = Vec::new();
    for change in changes {
        match change {
            Change::Insert(new) if kept.contains_key(&new.id()) => return Err(CommitError::Stale),
            Change::Insert(new) => {
                kept.insert(new.id(), new.at_version(1));
            }
            Change::Remove(id) => {
                gone.extend(kept.remove(&id).map(|_| id));
            }
            Change::Update(new) => {
                let read = new.version();
                let stored = kept.get_mut(&new.id());
                let stored = stored.filter(|stored| stored.version() == read);
                *stored.ok_or(CommitError::Stale)? = new.at_version(read + 1);
            }
        }
    }
    Ok(gone)
}

/// What is kept under an id and guarded by a version.
trait Aggregate: Sized {
    fn id(&self) -> Id<Self>;
    fn version(&self) -> u64;
    fn at_version(self, version: u64) -> Self;
}

macro_rules! aggregates {
    ($($aggregate:ident)+) => {
        $(impl Aggregate for $aggregate {
            fn id(&self) -> Id<Self> {
                self.id
            }

            fn version(&self) -> u64 {
                self.version
            }

            fn at_version(self, version: u64) -> Self {
                Self { version, ..self }
            }
        })+
    };
}

aggregates! { Key Session Tenant User }
