//! The key ring: load it, rotate it, retire a key.

use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;

use tessera_domain::{
    Actor, Change, Changes, Installation, Key, KeyPurpose, KeyRotation, Timestamp,
};
use tokio::sync::{Mutex, MutexGuard};

use crate::ports::{CommitError, KeyError, KeyRing, Unavailable};
use crate::{ATTEMPTS, Contended, PublicUrl, Tessera};

/// A request for a new signing key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RotateKeys {
    /// It signs once everyone had time to fetch it: ten minutes from now.
    Announced,
    /// It signs from now on, for a key that must not sign any more.
    AtOnce,
}

/// Why the key ring was not changed or loaded.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// A key cannot be made or used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// No key would be left to sign with.
    #[error("this is the only key that signs: rotate first")]
    LastKey,
    /// There is no such key.
    #[error("there is no such key")]
    NotFound,
    /// The store cannot be reached.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl Tessera {
    /// All keys that sign or verify access tokens, or did.
    pub async fn signing_keys(&self) -> Result<Vec<Key>, Unavailable> {
        let mut keys = self.ports.store.keys().await?;
        keys.retain(|key| key.purpose == KeyPurpose::Access);
        Ok(keys)
    }

    /// Makes a new signing key; the others verify until the last token they signed is over.
    pub async fn rotate_keys(&self, when: RotateKeys) -> Result<Key, KeysError> {
        let now = self.now();
        let signs_from = match when {
            RotateKeys::Announced => now + ANNOUNCED,
            RotateKeys::AtOnce => now,
        };
        let (purpose, id) = (KeyPurpose::Access, self.new_id());
        let new = self.ports.tokens.generate(purpose, id, now, signs_from)?;
        for _ in 0..ATTEMPTS {
            let ring = self.ports.store.keys().await?;
            let rotated = self.commit_rotation(&Actor::Operator, &ring, new.clone(), now);
            match rotated.await {
                Ok(key) => {
                    self.reload_keys().await?;
                    return Ok(key);
                }
                Err(error) => error.unless_stale()?,
            }
        }
        Err(Unavailable::new(Contended).into())
    }

    /// Takes a key out of use: what it signed is refused from now on.
    pub async fn retire_key(&self, kid: &str) -> Result<Key, KeysError> {
        for _ in 0..ATTEMPTS {
            let now = self.now();
            let ring = self.signing_keys().await?;
            let key = ring
                .iter()
                .find(|key| key.kid.as_str() == kid)
                .ok_or(KeysError::NotFound)?;
            let Some((retired, fact)) = key.retire(now) else {
                return Ok(key.clone());
            };
            let others: Vec<Key> = ring.iter().filter(|k| k.id != key.id).cloned().collect();
            let heirs = Key::heirs(&others, KeyPurpose::Access, now).ok_or(KeysError::LastKey)?;
            let tenant = self.default_tenant().await?;
            let changes = Changes {
                // The heirs are written even as they are, so that none is retired meanwhile.
                keys: [retired.clone()]
                    .into_iter()
                    .chain(heirs)
                    .map(Change::Update)
                    .collect(),
                actor: Actor::Operator,
                events: vec![self.event(&tenant, now, fact)],
                ..Changes::default()
            };
            match self.commit(&tenant, changes).await {
                Ok(()) => {
                    self.reload_keys().await?;
                    return Ok(Key {
                        version: retired.version + 1,
                        ..retired
                    });
                }
                Err(error) => error.unless_stale()?,
            }
        }
        Err(Unavailable::new(Contended).into())
    }

    /// Loads the key ring as the store has it now.
    pub async fn reload_keys(&self) -> Result<(), KeysError> {
        let turn = self.reloads.turn.lock().await;
        self.reload_keys_in(&turn).await
    }

    /// Loads the key ring, for a token that names an unknown key, unless that was begun after
    /// `asked` anyway. One load runs at a time and serves all who wait, so that strangers' tokens
    /// make the store no busier than one connection is.
    pub(crate) async fn reload_keys_since(&self, asked: u64) -> Result<(), Unavailable> {
        let turn = self.reloads.turn.lock().await;
        if self.reloads.begun() > asked {
            return Ok(());
        }
        match self.reload_keys_in(&turn).await {
            Ok(()) => Ok(()),
            Err(KeysError::Unavailable(unavailable)) => Err(unavailable),
            Err(error @ (KeysError::Key(_) | KeysError::LastKey | KeysError::NotFound)) => {
                tracing::error!(%error, "the key ring cannot be loaded");
                Ok(())
            }
        }
    }

    /// Loads the key ring while nobody else does: an older one never replaces a younger.
    async fn reload_keys_in(&self, _turn: &MutexGuard<'_, ()>) -> Result<(), KeysError> {
        self.reloads.begun.fetch_add(1, Ordering::Relaxed);
        let keys = self.ports.store.keys().await?;
        let issuer = self.settled_issuer().await?;
        let ring = KeyRing { issuer, keys };
        Ok(self.ports.tokens.load(&ring, self.now())?)
    }

    /// The issuer that the configuration says, or that the first start settled.
    pub(crate) async fn settled_issuer(&self) -> Result<String, Unavailable> {
        Ok(match &self.settings.public_url {
            PublicUrl::Configured(url) => url.clone(),
            PublicUrl::FirstStart(url) => {
                let settled = self.ports.store.installation().await?;
                settled.map_or_else(|| url.clone(), |Installation { public_url }| public_url)
            }
        })
    }

    pub(crate) async fn commit_rotation(
        &self,
        by: &Actor,
        ring: &[Key],
        new: Key,
        now: Timestamp,
    ) -> Result<Key, CommitError> {
        let tenant = self.default_tenant().await?;
        let lifetime = match new.purpose {
            KeyPurpose::Access => self.settings.tokens.access_lifetime,
            KeyPurpose::Refresh => self.settings.tokens.session_lifetime,
        };
        let KeyRotation { new, older, fact } = Key::rotate(ring, new, lifetime);
        let joins = if ring.iter().any(|key| key.id == new.id) {
            Change::Update(new.clone())
        } else {
            Change::Insert(new.clone())
        };
        let older = older.into_iter().map(Change::Update);
        let changes = Changes {
            keys: older.chain([joins]).collect(),
            actor: by.clone(),
            events: vec![self.event(&tenant, now, fact)],
            ..Changes::default()
        };
        self.commit(&tenant, changes).await?;
        Ok(Key {
            version: new.version + 1,
            ..new
        })
    }
}

/// Loads of the key ring: how many were begun, and whose turn it is.
#[derive(Default)]
pub(crate) struct Reloads {
    begun: AtomicU64,
    turn: Mutex<()>,
}

impl Reloads {
    /// How many were begun so far.
    pub(crate) fn begun(&self) -> u64 {
        self.begun.load(Ordering::Relaxed)
    }
}

/// Longer than a verifier may keep the key set, and than a replica waits to load the ring.
const ANNOUNCED: Duration = Duration::from_mins(10);
