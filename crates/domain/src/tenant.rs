//! Tenants and their lives.
//!
//! ```text
//!              suspend                 delete
//!   ┌────────┐ ───────▶ ┌───────────┐ ───────▶ ┌──────────┐
//!   │ active │          │ suspended │          │ deleting │ ───▶ gone, with all that was its own
//!   └────────┘ ◀─────── └───────────┘          └──────────┘
//!        │      resume                              ▲
//!        └──────────────────────────────────────────┘ delete
//! ```
//!
//! An active or suspended tenant may be on its way from one layout to the other. Meanwhile it answers
//! nobody, who is told to come again.

use core::str::FromStr;

use crate::event::{EventKind, Fact, Subject};
use crate::{Id, Timestamp};

pub use self::names::{HostName, HostNameError, SchemaName, TenantName, TenantNameError};
pub use self::settings::{
    JobRoleBy, MailSender, MailSenderError, Origin, OriginError, Registration, TenantSettings,
    TenantSettingsError, TokenIssuer, UnknownChoice, issuer_of_tenant,
};

#[cfg(test)]
mod life;
mod names;
mod settings;

/// A tenant: users kept apart from all others.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Tenant {
    /// Its id.
    pub id: Id<Tenant>,
    /// Its id in the service it was imported from.
    pub external_id: Option<String>,
    /// What people call it.
    pub name: TenantName,
    /// Where its data lives; never changes.
    pub schema: SchemaName,
    /// How its data is kept apart from that of others.
    pub layout: TenantLayout,
    /// The layout that its data is on the way to.
    pub moving_to: Option<TenantLayout>,
    /// The hosts and e-mail domains that are its own.
    pub domains: Vec<TenantDomain>,
    /// Whether it is in use.
    pub status: TenantStatus,
    /// What holds for its accounts.
    pub settings: TenantSettings,
    /// When it was made.
    pub created_at: Timestamp,
    /// How many events it has had.
    pub events: u64,
    /// The version this value was read at; a write of a stale one is refused.
    pub version: u64,
}

impl Tenant {
    /// A new tenant without domains.
    pub fn create(
        name: TenantName,
        schema: SchemaName,
        layout: TenantLayout,
        id: Id<Self>,
        now: Timestamp,
    ) -> (Self, Fact) {
        let mut tenant = Self {
            id,
            external_id: None,
            name,
            schema,
            layout,
            moving_to: None,
            domains: Vec::new(),
            status: TenantStatus::Active,
            settings: TenantSettings::default(),
            created_at: now,
            events: 0,
            version: 0,
        };
        let fact = tenant.record(EventKind::TenantCreated {
            name: tenant.name.as_str().to_owned(),
            schema: tenant.schema.as_str().to_owned(),
        });
        (tenant, fact)
    }

    /// The tenant with another name, in the same schema; none when it is called so.
    pub fn rename(&self, name: TenantName) -> Option<(Self, Fact)> {
        if self.name == name {
            return None;
        }
        let kind = EventKind::TenantRenamed {
            name: name.as_str().to_owned(),
        };
        Some(self.with(|tenant| tenant.name = name, kind))
    }

    /// The tenant with one more domain, the primary one when it is the first; none when it has it.
    pub fn add_domain(&self, host: HostName) -> Option<(Self, Fact)> {
        if self.has_domain(&host) {
            return None;
        }
        let kind = EventKind::TenantDomainAdded {
            domain: host.as_str().to_owned(),
        };
        let primary = self.domains.is_empty();
        let domain = TenantDomain { host, primary };
        Some(self.with(|tenant| tenant.domains.push(domain), kind))
    }

    /// The tenant without a domain; without its primary one, the first of the others is that. None
    /// when it has it not.
    pub fn remove_domain(&self, host: &HostName) -> Option<(Self, Fact)> {
        if !self.has_domain(host) {
            return None;
        }
        let remove = |tenant: &mut Self| {
            tenant.domains.retain(|domain| domain.host != *host);
            if !tenant.domains.iter().any(|domain| domain.primary)
                && let Some(first) = tenant.domains.first_mut()
            {
                first.primary = true;
            }
        };
        let kind = EventKind::TenantDomainRemoved {
            domain: host.as_str().to_owned(),
        };
        Some(self.with(remove, kind))
    }

    /// The tenant with one of its domains as the primary one; none when it is, or is not its own.
    pub fn make_primary(&self, host: &HostName) -> Option<(Self, Fact)> {
        let mut domains = self.domains.iter();
        if !domains.any(|domain| domain.host == *host && !domain.primary) {
            return None;
        }
        let kind = EventKind::TenantPrimaryDomainChanged {
            domain: host.as_str().to_owned(),
        };
        let make = |tenant: &mut Self| {
            for domain in &mut tenant.domains {
                domain.primary = domain.host == *host;
            }
        };
        Some(self.with(make, kind))
    }

    /// Whether a domain is its own.
    pub fn has_domain(&self, host: &HostName) -> bool {
        self.domains.iter().any(|domain| domain.host == *host)
    }

    /// The tenant with other settings; none when they are the same.
    pub fn change_settings(&self, settings: TenantSettings) -> Option<(Self, Fact)> {
        if self.settings == settings {
            return None;
        }
        let kind = EventKind::TenantSettingsChanged(settings.clone());
        Some(self.with(|tenant| tenant.settings = settings, kind))
    }

    /// The tenant, closed to everybody; none when it is, or is being deleted.
    pub fn suspend(&self) -> Option<(Self, Fact)> {
        (self.status == TenantStatus::Active).then(|| {
            let suspend = |tenant: &mut Self| tenant.status = TenantStatus::Suspended;
            self.with(suspend, EventKind::TenantSuspended)
        })
    }

    /// The tenant, open again; none when it is, or is being deleted.
    pub fn resume(&self) -> Option<(Self, Fact)> {
        (self.status == TenantStatus::Suspended).then(|| {
            let resume = |tenant: &mut Self| tenant.status = TenantStatus::Active;
            self.with(resume, EventKind::TenantResumed)
        })
    }

    /// The tenant, closed for good and about to be removed; none when it is. A move that began ends
    /// nowhere.
    pub fn begin_deletion(&self) -> Option<(Self, Fact)> {
        (self.status != TenantStatus::Deleting).then(|| {
            let begin = |tenant: &mut Self| {
                tenant.status = TenantStatus::Deleting;
                tenant.moving_to = None;
            };
            self.with(begin, EventKind::TenantDeletionStarted)
        })
    }

    /// What is told when it is removed.
    pub fn deleted(&self) -> Fact {
        self.clone().record(EventKind::TenantDeleted)
    }

    /// The tenant on the way to another layout, or on the way back; none when it is on that way, is
    /// kept so, or is being deleted.
    pub fn begin_move(&self, to: TenantLayout) -> Option<(Self, Fact)> {
        let is_there = self.moving_to.unwrap_or(self.layout) == to;
        (!is_there && self.status != TenantStatus::Deleting).then(|| {
            let begin = |tenant: &mut Self| tenant.moving_to = Some(to);
            self.with(begin, EventKind::TenantMoveStarted { to })
        })
    }

    /// The tenant where it was on the way to; none when it was on no way.
    pub fn arrive(&self) -> Option<(Self, Fact)> {
        let layout = self.moving_to?;
        let arrive = |tenant: &mut Self| {
            tenant.layout = layout;
            tenant.moving_to = None;
        };
        Some(self.with(arrive, EventKind::TenantMoved { layout }))
    }

    /// The id that clients see: the imported one where there is one.
    pub fn shown_id(&self) -> String {
        self.external_id
            .clone()
            .unwrap_or_else(|| self.id.to_string())
    }

    /// Whether this is the tenant of those who name none.
    pub fn is_default(&self) -> bool {
        self.schema.as_str() == SchemaName::DEFAULT
    }

    fn with(&self, change: impl FnOnce(&mut Self), kind: EventKind) -> (Self, Fact) {
        let mut tenant = self.clone();
        change(&mut tenant);
        let fact = tenant.record(kind);
        (tenant, fact)
    }

    fn record(&mut self, kind: EventKind) -> Fact {
        self.events += 1;
        Fact {
            subject: Subject::Tenant(self.id),
            sequence: self.events,
            kind,
        }
    }
}

/// How the data of a tenant is kept apart from that of others, where the store can do it in more
/// ways than one.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum TenantLayout {
    /// In tables of its own.
    #[default]
    Schema,
    /// In the same tables, by rows that say whose they are.
    Shared,
}

impl TenantLayout {
    /// Every layout.
    pub const ALL: [Self; 2] = [Self::Schema, Self::Shared];

    /// Its name in settings.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Schema => "schema",
            Self::Shared => "shared",
        }
    }
}

impl FromStr for TenantLayout {
    type Err = UnknownChoice;

    fn from_str(name: &str) -> Result<Self, UnknownChoice> {
        let mut all = Self::ALL.into_iter();
        all.find(|layout| layout.as_str() == name)
            .ok_or(UnknownChoice)
    }
}

/// Whether a tenant is in use.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TenantStatus {
    /// Its users log in.
    Active,
    /// Nothing of it works any more, and what is its own is being removed.
    Deleting,
    /// Nothing of it works until it is resumed.
    Suspended,
}

impl TenantStatus {
    /// Every status.
    pub const ALL: [Self; 3] = [Self::Active, Self::Deleting, Self::Suspended];

    /// Its name, as it is shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Deleting => "deleting",
            Self::Suspended => "suspended",
        }
    }
}

/// A host and e-mail domain that belongs to a tenant.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TenantDomain {
    /// The name.
    pub host: HostName,
    /// Whether clients show it and build links with it; one of a tenant's domains is the one. Links in
    /// mails begin otherwise.
    pub primary: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn acme() -> Tenant {
        let now = Timestamp::from_secs(1);
        let name = TenantName::parse("Acme").unwrap();
        let schema = SchemaName::parse("acme").unwrap();
        Tenant::create(
            name,
            schema,
            TenantLayout::Schema,
            Id::new(now, [1; 10]),
            now,
        )
        .0
    }

    fn host(name: &str) -> HostName {
        HostName::parse(name).unwrap()
    }

    fn primary(tenant: &Tenant) -> Vec<&str> {
        let domains = tenant.domains.iter().filter(|domain| domain.primary);
        domains.map(|domain| domain.host.as_str()).collect()
    }

    #[test]
    fn one_of_the_domains_is_the_primary_one_whatever_comes_and_goes() {
        let (tenant, _) = acme().add_domain(host("a.example")).unwrap();
        let (tenant, fact) = tenant.add_domain(host("b.example")).unwrap();
        assert_eq!(primary(&tenant), ["a.example"]);
        assert_eq!(fact.sequence, 3);
        assert!(tenant.add_domain(host("B.example")).is_none());

        let (tenant, _) = tenant.make_primary(&host("b.example")).unwrap();
        assert_eq!(primary(&tenant), ["b.example"]);
        assert!(tenant.make_primary(&host("b.example")).is_none());
        assert!(tenant.make_primary(&host("c.example")).is_none());

        let (tenant, _) = tenant.remove_domain(&host("b.example")).unwrap();
        assert_eq!(primary(&tenant), ["a.example"]);
        assert!(tenant.remove_domain(&host("b.example")).is_none());
        let (tenant, fact) = tenant.remove_domain(&host("a.example")).unwrap();
        assert!(tenant.domains.is_empty());
        assert_eq!(fact.sequence, 6);
    }

    #[test]
    fn a_suspended_tenant_is_resumed_and_a_deleted_one_is_not() {
        let (suspended, fact) = acme().suspend().unwrap();
        assert_eq!(fact.kind, EventKind::TenantSuspended);
        assert!(suspended.suspend().is_none());
        let (resumed, _) = suspended.resume().unwrap();
        assert_eq!(resumed.status, TenantStatus::Active);
        assert!(resumed.resume().is_none());
        for tenant in [suspended, resumed] {
            let (deleting, _) = tenant.begin_deletion().unwrap();
            assert!(deleting.begin_deletion().is_none());
            assert!(deleting.resume().is_none());
            assert!(deleting.suspend().is_none());
            assert!(deleting.begin_move(TenantLayout::Shared).is_none());
            assert_eq!(deleting.deleted().sequence, deleting.events + 1);
        }
    }

    #[test]
    fn a_tenant_arrives_where_it_was_on_the_way_to() {
        let acme = acme();
        assert!(acme.arrive().is_none());
        assert!(acme.begin_move(TenantLayout::Schema).is_none());
        let (moving, _) = acme.begin_move(TenantLayout::Shared).unwrap();
        assert_eq!(moving.layout, TenantLayout::Schema);
        assert!(moving.begin_move(TenantLayout::Shared).is_none());
        let (back, _) = moving.begin_move(TenantLayout::Schema).unwrap();
        let (back, _) = back.arrive().unwrap();
        assert_eq!((back.layout, back.moving_to), (TenantLayout::Schema, None));
        let (moved, fact) = moving.arrive().unwrap();
        let layout = TenantLayout::Shared;
        assert_eq!((moved.layout, moved.moving_to), (layout, None));
        assert_eq!(fact.kind, EventKind::TenantMoved { layout });
    }

    #[test]
    fn a_name_changes_and_the_schema_stays() {
        let name = TenantName::parse("Acme & Co").unwrap();
        let (renamed, _) = acme().rename(name.clone()).unwrap();
        assert_eq!(renamed.schema, acme().schema);
        assert!(renamed.rename(name).is_none());
    }
}
