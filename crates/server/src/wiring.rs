//! Puts the adapters into their places: the only file that knows all of them.

use core::num::NonZeroUsize;
use std::sync::Arc;
use std::thread;

use tessera_app::{Clock, Entropy, Layouts, Ports, PublicUrl, Settings, Tessera};
use tessera_crypto::{
    Argon2Passwords, ConfiguredKey, HashPool, JwtTokens, KeyEncryptionKey, PoolSettings,
    SystemEntropy, TokenSettings,
};
use tessera_domain::{Algorithm, MailedTokenPolicy, PasswordPolicy};
use tessera_http::Gauge;
use tokio::runtime::Handle;

use crate::backend::Backend;
use crate::clock::SystemClock;
use crate::config::{Config, Database, Notice, Signing, SigningKey};
use crate::data_folder::DataFolder;
use crate::failure::Failure;

/// The service with everything in its place.
pub(crate) struct Wired {
    /// The use cases.
    pub(crate) tessera: Arc<Tessera>,
    /// The store, as that which it is.
    pub(crate) backend: Backend,
    /// The folder beside the database, where one is needed.
    pub(crate) folder: Option<DataFolder>,
    /// What is worth knowing, beside what the settings already told.
    pub(crate) notices: Vec<Notice>,
    hashing: Arc<HashPool>,
}

/// Whether the key ring is going to be opened.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum KeyRingUse {
    /// It is, so the key that opens it is read, or made.
    Opened,
    /// It is not, and no key is made for it: it could not be the one of the running service.
    Untouched,
}

/// Puts everything in its place, for a service that listens on `port`.
pub(crate) fn wire(
    config: &Config,
    port: u16,
    key_ring: KeyRingUse,
    runtime: &Handle,
) -> Result<Wired, Failure> {
    let entropy = Arc::new(SystemEntropy);
    let mut notices = Vec::new();
    // What is judged by a look at the settings comes before anything is made.
    judge_keys(config, &entropy)?;
    let backend = Backend::open(config, runtime)?;
    let folder = folder(config, key_ring)?;
    let opener = match (&config.signing.key_encryption_key, key_ring, &folder) {
        (Some(key), _, _) => key.clone(),
        (None, KeyRingUse::Opened, Some(folder)) => {
            folder.key_encryption_key(&*entropy, &mut notices)?
        }
        (None, _, _) => KeyEncryptionKey::generate(&*entropy),
    };
    let hashing = passwords(config, entropy.clone())?;
    let ports = Ports {
        store: backend.store(),
        log: backend.log(),
        audit: backend.audit(),
        mails: backend.mails(),
        tokens: Arc::new(JwtTokens::new(tokens(config, opener)?, entropy.clone())?),
        clock: clock(),
        entropy,
        passwords: hashing.clone(),
    };
    Ok(Wired {
        tessera: Arc::new(Tessera::new(ports, settings(config, port))),
        backend,
        folder,
        notices,
        hashing: hashing.pool(),
    })
}

/// The clock of the machine.
pub(crate) fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock)
}

impl Wired {
    /// How many threads hash passwords.
    pub(crate) fn hash_threads(&self) -> usize {
        self.hashing.threads()
    }

    /// What can be seen of the adapters from outside.
    pub(crate) fn gauges(&self) -> Vec<Gauge> {
        let mut gauges = self.backend.gauges();
        gauges.extend(hash_gauges(&self.hashing));
        gauges
    }
}

/// On Postgres nothing needs a folder but a key that nobody named.
fn folder(config: &Config, key_ring: KeyRingUse) -> Result<Option<DataFolder>, Failure> {
    let needed = match config.database {
        Database::Postgres { .. } => {
            key_ring == KeyRingUse::Opened && config.signing.key_encryption_key.is_none()
        }
        Database::Sqlite { .. } => true,
    };
    needed
        .then(|| DataFolder::open(&config.data_dir))
        .transpose()
}

fn passwords(config: &Config, entropy: Arc<dyn Entropy>) -> Result<Arc<Argon2Passwords>, Failure> {
    let settings = PoolSettings {
        threads: config.hashing.threads.unwrap_or_else(cores),
        queue: config.hashing.queue,
        cost: config.hashing.cost,
    };
    Argon2Passwords::start(settings, entropy)
        .map(Arc::new)
        .map_err(|error| {
            Failure::Failed(format!(
                "TESSERA_HASH_THREADS asks for threads that cannot be started: {error}"
            ))
        })
}

/// What signs, and how, as far as the settings say it.
fn signing_key(signing: &Signing) -> Result<(Option<Algorithm>, Option<ConfiguredKey>), Failure> {
    Ok(match &signing.key {
        SigningKey::Generated(algorithm) => (*algorithm, None),
        SigningKey::Pem {
            algorithm,
            private,
            public,
        } => {
            let (private, public) = (private.as_str(), public.as_deref());
            let key = ConfiguredKey::from_pem("JWT_PRIVATE_KEY_PATH", private, public)?;
            (*algorithm, Some(key))
        }
        SigningKey::Secret(name, secret) => {
            let key = ConfiguredKey::from_secret(name, secret.as_str().as_bytes())?;
            (None, Some(key))
        }
    })
}

/// Refuses keys that cannot sign, by a trial with nothing behind it.
fn judge_keys(config: &Config, entropy: &Arc<SystemEntropy>) -> Result<(), Failure> {
    let trial = tokens(config, KeyEncryptionKey::generate(&**entropy))?;
    JwtTokens::new(trial, entropy.clone())?;
    Ok(())
}

fn tokens(config: &Config, opener: KeyEncryptionKey) -> Result<TokenSettings, Failure> {
    let (algorithm, configured) = signing_key(&config.signing)?;
    Ok(TokenSettings {
        algorithm,
        configured,
        audience: config.signing.audience.clone(),
        typ: config.signing.typ,
        key_encryption_key: opener,
    })
}

fn settings(config: &Config, port: u16) -> Settings {
    Settings {
        tokens: config.tokens,
        lockout: config.lockout,
        passwords: PasswordPolicy::default(),
        tenant_order: config.tenant_order.clone(),
        tenant_layout: config.tenant_layout,
        layouts: match config.database {
            Database::Postgres { .. } => Layouts::Apart,
            Database::Sqlite { .. } => Layouts::Alike,
        },
        registration: config.accounts.registration,
        unverified_log_in: config.accounts.unverified_log_in,
        mailed_tokens: MailedTokenPolicy::default(),
        web_page_url: config.mails.web_page_url.clone(),
        public_url: match &config.listen.public_url {
            Some(url) => PublicUrl::Configured(url.clone()),
            None => PublicUrl::FirstStart(format!("http://localhost:{port}")),
        },
    }
}

/// How many threads the machine runs at once.
pub(crate) fn cores() -> usize {
    thread::available_parallelism().map_or(1, NonZeroUsize::get)
}

fn hash_gauges(pool: &Arc<HashPool>) -> [Gauge; 4] {
    let gauge = |name, help, read: fn(&HashPool) -> f64| {
        let pool = Arc::clone(pool);
        Gauge {
            name,
            help,
            labels: Vec::new(),
            read: Box::new(move || read(&pool)),
        }
    };
    [
        gauge(
            "tessera_hash_threads",
            "Threads that hash passwords.",
            |pool| count(pool.threads()),
        ),
        gauge(
            "tessera_hash_busy",
            "Passwords that are hashed now.",
            |pool| count(pool.busy()),
        ),
        gauge(
            "tessera_hash_queue",
            "Passwords that wait to be hashed.",
            |pool| count(pool.depth()),
        ),
        gauge(
            "tessera_hash_rejected",
            "Passwords refused since the start because too many waited.",
            |pool| count(usize::try_from(pool.rejected()).unwrap_or(usize::MAX)),
        ),
    ]
}

/// A count as Prometheus wants it.
pub(crate) fn count(number: usize) -> f64 {
    u32::try_from(number).unwrap_or(u32::MAX).into()
}
