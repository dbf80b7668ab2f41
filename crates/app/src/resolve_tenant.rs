//! Finds the tenant that a request is for.

use std::sync::Arc;

use tessera_domain::{
    Chosen, Contradiction, Explicit, Hints, HostName, Id, SchemaName, Tenant, TenantName,
    TenantStatus,
};

use crate::Tessera;
use crate::log_in::Login;
use crate::ports::{TenantKey, Unavailable};

/// What a request says of its tenant, as it said it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct TenantHints {
    /// Names or schema names, of path, header and field.
    pub explicit: Vec<String>,
    /// The host it was sent to, with or without a port.
    pub host: Option<String>,
}

impl TenantHints {
    /// The keys of what is said in so many words; none of a text that can be no name.
    fn explicit_keys(&self) -> impl Iterator<Item = Option<String>> {
        let said = self.explicit.iter().filter(|text| !text.trim().is_empty());
        said.map(|text| TenantName::parse(text).ok().map(|name| name.key()))
    }

    fn host_key(&self) -> Option<TenantKey> {
        let host = HostName::parse(self.host.as_deref()?).ok()?;
        Some(TenantKey::Host(host))
    }
}

/// Who the tenant of a request without a token is.
pub(crate) struct Resolved {
    /// The tenant; without one what is asked fails like wrong credentials.
    pub(crate) tenant: Option<Arc<Tenant>>,
    /// The tenant of those who name none.
    pub(crate) default: Arc<Tenant>,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum ResolveTenantError {
    #[error(transparent)]
    Contradiction(#[from] Contradiction),
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl Tessera {
    /// The tenant that the hints, or the domain of the address, name.
    pub(crate) async fn resolve_tenant(
        &self,
        hints: &TenantHints,
        email_domain: Option<&str>,
    ) -> Result<Resolved, ResolveTenantError> {
        let default = self.default_tenant().await?;
        let email = match email_domain {
            Some(domain) => self.tenant_by(email_key(domain)).await?,
            None => None,
        };
        let found = self.look_up(hints).await?;
        let chosen = Hints {
            token: None,
            explicit: found.explicit(),
            host: found.host.as_deref(),
            email: email.as_deref(),
            default: &default,
        }
        .choose(&self.settings.tenant_order)?;
        let tenant = match chosen {
            Chosen::Tenant(tenant) => {
                stays(tenant)?;
                exists(tenant).then(|| Arc::new(tenant.clone()))
            }
            Chosen::Unknown => None,
        };
        Ok(Resolved { tenant, default })
    }

    /// The tenant that a request to log in as `login` counts for, as far as this process has seen it:
    /// nothing is read.
    ///
    /// What leads to no tenant that was seen counts for the default one, where it fails, too. `None`
    /// as long as that was not seen either.
    pub fn tenant_last_seen(&self, hints: &TenantHints, login: &str) -> Option<Id<Tenant>> {
        let seen = |key: &TenantKey| self.registry.last_seen(key);
        let default = seen(&default_key())?;
        let login = Login::read(login);
        let email = login.email_domain().and_then(|it| seen(&email_key(it)));
        let keys = hints.explicit_keys();
        let explicit = keys.map(|key| {
            let tenant = key.clone().map(TenantKey::Name).as_ref().and_then(seen);
            (key, tenant)
        });
        let found = Found {
            explicit: explicit.collect(),
            host: hints.host_key().as_ref().and_then(seen),
        };
        let chosen = Hints {
            token: None,
            explicit: found.explicit(),
            host: found.host.as_deref(),
            email: email.as_deref(),
            default: &default,
        }
        .choose(&self.settings.tenant_order);
        Some(match chosen {
            Ok(Chosen::Tenant(tenant)) => tenant.id,
            Ok(Chosen::Unknown) | Err(_) => default.id,
        })
    }

    /// Refuses hints that contradict each other, or the tenant of the token that came with them.
    pub(crate) async fn check_hints(
        &self,
        token: &Tenant,
        hints: &TenantHints,
    ) -> Result<(), ResolveTenantError> {
        let default = self.default_tenant().await?;
        let found = self.look_up(hints).await?;
        Hints {
            token: Some(token),
            explicit: found.explicit(),
            host: found.host.as_deref(),
            email: None,
            default: &default,
        }
        .choose(&self.settings.tenant_order)?;
        Ok(())
    }

    pub(crate) async fn default_tenant(&self) -> Result<Arc<Tenant>, Unavailable> {
        self.tenant_by(default_key())
            .await?
            .ok_or_else(|| Unavailable::new(NoDefaultTenant))
    }

    /// The tenant that is named in so many words, else the one of the host.
    pub(crate) async fn named_tenant(
        &self,
        hints: &TenantHints,
    ) -> Result<Option<Arc<Tenant>>, Unavailable> {
        match (hints.explicit_keys().next(), hints.host_key()) {
            (Some(Some(name)), _) => self.tenant_by(TenantKey::Name(name)).await,
            (None, Some(host)) => self.tenant_by(host).await,
            (Some(None), _) | (None, None) => Ok(None),
        }
    }

    async fn look_up(&self, hints: &TenantHints) -> Result<Found, Unavailable> {
        let mut explicit = Vec::new();
        for key in hints.explicit_keys() {
            let tenant = match &key {
                Some(key) => self.tenant_by(TenantKey::Name(key.clone())).await?,
                None => None,
            };
            explicit.push((key, tenant));
        }
        let host = match hints.host_key() {
            Some(key) => self.tenant_by(key).await?,
            None => None,
        };
        Ok(Found { explicit, host })
    }
}

/// Whether the tenant is on no way to another layout; one that is answers nobody.
pub(crate) fn stays(tenant: &Tenant) -> Result<(), Unavailable> {
    match tenant.moving_to {
        Some(_) => Err(Unavailable::new(Moving)),
        None => Ok(()),
    }
}

/// Whether the tenant is there for others than those who administer tenants.
pub(crate) fn exists(tenant: &Tenant) -> bool {
    match tenant.status {
        TenantStatus::Active | TenantStatus::Suspended => true,
        TenantStatus::Deleting => false,
    }
}

fn default_key() -> TenantKey {
    TenantKey::Name(SchemaName::DEFAULT.to_owned())
}

fn email_key(domain: &str) -> TenantKey {
    TenantKey::Host(HostName::restore(domain.to_owned()))
}

struct Found {
    explicit: Vec<(Option<String>, Option<Arc<Tenant>>)>,
    host: Option<Arc<Tenant>>,
}

impl Found {
    /// One hint, or several that say the same; a name and the schema of one tenant do.
    fn explicit(&self) -> Explicit<'_> {
        let mut hints = self.explicit.iter();
        let Some((key, first)) = hints.next() else {
            return Explicit::Absent;
        };
        let same = hints.all(|(other_key, other)| match (first, other) {
            (Some(first), Some(other)) => first.id == other.id,
            (None, None) => key == other_key,
            (Some(_), None) | (None, Some(_)) => false,
        });
        match first {
            _ if !same => Explicit::Contradictory,
            Some(tenant) => Explicit::Tenant(tenant),
            None => Explicit::Unknown,
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the tenant is on the way to another layout")]
struct Moving;

#[derive(Debug, thiserror::Error)]
#[error("there is no default tenant: run `tessera migrate`")]
struct NoDefaultTenant;
