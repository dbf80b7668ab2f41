//! Make sure of what a running service needs: the default tenant, an issuer, keys.

use tessera_domain::{Actor, Change, Changes, Installation, SchemaName, Tenant, TenantName};

use crate::keys::KeysError;
use crate::ports::{CommitError, TenantKey, Unavailable, Unready};
use crate::{ATTEMPTS, Contended, PublicUrl, Tessera};

/// Why the service cannot work yet, or at all.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// The key ring cannot be used; trying again does not help.
    #[error(transparent)]
    Keys(KeysError),
    /// The store is not ready; trying again may help.
    #[error(transparent)]
    Unready(#[from] Unready),
}

impl Tessera {
    /// Makes, once in the life of an installation, the default tenant, the issuer and the first
    /// keys, and the configured key when it changed; then loads the key ring.
    ///
    /// Any number of replicas may do so at once.
    pub async fn prepare(&self) -> Result<(), PrepareError> {
        self.ports.store.check().await?;
        self.prepare_default_tenant().await?;
        self.prepare_installation().await?;
        self.prepare_keys().await?;
        self.reload_keys().await.map_err(PrepareError::from)
    }

    /// Makes the default tenant, if there is none.
    pub async fn prepare_default_tenant(&self) -> Result<(), Unavailable> {
        let schema = SchemaName::of_default_tenant();
        let key = TenantKey::Name(SchemaName::DEFAULT.to_owned());
        if self.ports.store.tenant(&key).await?.is_some() {
            return Ok(());
        }
        let (now, name) = (self.now(), TenantName::restore(schema.as_str().to_owned()));
        let (tenant, fact) = Tenant::create(
            name,
            schema,
            self.settings.tenant_layout,
            self.new_id(),
            now,
        );
        let changes = Changes {
            tenants: vec![Change::Insert(tenant.clone())],
            events: vec![self.event(&tenant, now, fact)],
            ..Changes::default()
        };
        let made = self.commit(&tenant, changes).await;
        self.registry.clear();
        unless_another_was_first(made)
    }

    async fn prepare_installation(&self) -> Result<(), Unavailable> {
        let PublicUrl::FirstStart(url) = &self.settings.public_url else {
            return Ok(());
        };
        if self.ports.store.installation().await?.is_some() {
            return Ok(());
        }
        let changes = Changes {
            installation: Some(Installation {
                public_url: url.clone(),
            }),
            ..Changes::default()
        };
        let tenant = self.default_tenant().await?;
        unless_another_was_first(self.commit(&tenant, changes).await)
    }

    async fn prepare_keys(&self) -> Result<(), PrepareError> {
        for _ in 0..ATTEMPTS {
            let now = self.now();
            let ring = self.ports.store.keys().await?;
            let tokens = &self.ports.tokens;
            let missing = tokens.missing(&ring, now, &mut || self.new_id());
            let missing = missing.map_err(|error| PrepareError::Keys(error.into()))?;
            let Some(key) = missing.into_iter().next() else {
                return Ok(());
            };
            let made = self.commit_rotation(&Actor::Service, &ring, key, now);
            match made.await {
                Ok(_) | Err(CommitError::Stale | CommitError::Duplicate(_)) => {}
                Err(CommitError::Unavailable(unavailable)) => return Err(unavailable.into()),
            }
        }
        Err(Unavailable::new(Contended).into())
    }
}

impl From<KeysError> for PrepareError {
    fn from(error: KeysError) -> Self {
        match error {
            KeysError::Unavailable(unavailable) => unavailable.into(),
            error @ (KeysError::Key(_) | KeysError::LastKey | KeysError::NotFound) => {
                Self::Keys(error)
            }
        }
    }
}

impl From<Unavailable> for PrepareError {
    fn from(unavailable: Unavailable) -> Self {
        Self::Unready(unavailable.into())
    }
}

fn unless_another_was_first(made: Result<(), CommitError>) -> Result<(), Unavailable> {
    match made {
        Ok(()) | Err(CommitError::Duplicate(_)) => Ok(()),
        Err(error @ CommitError::Stale) => Err(Unavailable::new(error)),
        Err(CommitError::Unavailable(unavailable)) => Err(unavailable),
    }
}
