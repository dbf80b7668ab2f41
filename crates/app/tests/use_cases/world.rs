//! A service with one account, and what tests do with it again and again.

mod busy_store;
mod done;
mod post;
mod values;

use core::time::Duration;
use std::sync::Arc;

use tessera_app::{
    AdministerTenantError, Awaited, Caller, Clock, CreateTenant, DomainAdded, Grant, LogInError,
    LogOut, LogOutError, Ports, RefreshError, RefreshTokens, Settings, SettingsAdministration,
    Store, TenantAdministration, TenantHints, Tessera, ValidateError,
};
use tessera_crypto::{
    Audience, ConfiguredKey, JwtTokens, KeyEncryptionKey, TokenSettings, TokenTyp,
};
use tessera_domain::{
    Actor, Change, Changes, Generation, Id, Session, Tenant, TenantDomain, TenantName,
    TenantSettings, TenantStatus, Timestamp, User,
};
use tessera_memory::{ManualClock, MemoryMailer, MemoryStore, PlainPasswords, SeededEntropy};

pub(crate) use crate::world::busy_store::BusyStore;
pub(crate) use crate::world::done::Done;
pub(crate) use crate::world::post::{PURPOSES, ask, cut, registration, show, shown};
pub(crate) use crate::world::values::{
    IP, OTHER, PASSWORD, WRONG, at_host, command, explicit, host, ip, new_user, settings, typed,
    with_tokens,
};

/// The service, and handles to what is behind its ports.
pub(crate) struct World {
    pub(crate) tessera: Arc<Tessera>,
    pub(crate) store: BusyStore,
    pub(crate) clock: ManualClock,
    pub(crate) passwords: PlainPasswords,
    pub(crate) mailer: MemoryMailer,
    entropy: SeededEntropy,
}

impl World {
    /// A service that is prepared and has the account `ada`.
    pub(crate) async fn new() -> Self {
        Self::with(settings()).await
    }

    pub(crate) async fn with(settings: Settings) -> Self {
        let world = Self::empty(settings);
        world.tessera.prepare().await.unwrap();
        let default = world.tenant().await;
        world.create_user(&default, "Ada@Example.com", "Ada").await;
        world
    }

    /// A service that is not prepared and has nothing.
    pub(crate) fn empty(settings: Settings) -> Self {
        let memory = MemoryStore::default();
        let (store, clock) = (BusyStore::new(memory), ManualClock::default());
        let (passwords, entropy) = (PlainPasswords::default(), SeededEntropy::default());
        let ports = ports(&store, &clock, &passwords, &entropy, None);
        Self {
            tessera: Arc::new(Tessera::new(ports, settings)),
            store,
            clock,
            passwords,
            mailer: MemoryMailer::default(),
            entropy,
        }
    }

    /// The same service as another process has it: all that is stored, nothing remembered.
    pub(crate) fn another_process(&self) -> Self {
        self.another_process_with(self.tessera.settings().clone(), None)
    }

    pub(crate) fn another_process_with(
        &self,
        settings: Settings,
        configured: Option<ConfiguredKey>,
    ) -> Self {
        let (store, clock) = (&self.store, &self.clock);
        let ports = ports(store, clock, &self.passwords, &self.entropy, configured);
        Self {
            tessera: Arc::new(Tessera::new(ports, settings)),
            store: store.clone(),
            clock: clock.clone(),
            passwords: self.passwords.clone(),
            mailer: self.mailer.clone(),
            entropy: self.entropy.clone(),
        }
    }

    /// The same service after a start.
    pub(crate) async fn restarted(&self) -> Self {
        let world = self.another_process();
        world.tessera.prepare().await.unwrap();
        world
    }

    pub(crate) fn wait(&self, secs: u64) {
        self.clock.advance(Duration::from_secs(secs));
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The default tenant.
    pub(crate) async fn tenant(&self) -> Tenant {
        self.stored_tenant("public").await
    }

    pub(crate) async fn stored_tenant(&self, name: &str) -> Tenant {
        let all = self.store.tenants().await.unwrap();
        let named = |tenant: &Tenant| tenant.name.as_str() == name;
        all.into_iter().find(named).unwrap()
    }

    /// A new tenant with those domains.
    pub(crate) async fn create_tenant(&self, name: &str, domains: &[&str]) -> Tenant {
        let command = CreateTenant {
            name: TenantName::parse(name).unwrap(),
            schema: None,
            domains: domains.iter().map(|domain| host(domain)).collect(),
            layout: None,
        };
        let of = TenantAdministration::of_operator();
        self.tessera.create_tenant(&of, command).await.unwrap()
    }

    /// What comes of giving a domain to a tenant.
    pub(crate) async fn add_domain(
        &self,
        tenant: &str,
        domain: &str,
    ) -> Result<DomainAdded, AdministerTenantError> {
        let domain = TenantDomain {
            host: host(domain),
            primary: false,
        };
        let of = TenantAdministration::of_operator();
        self.tessera.add_domain(&of, tenant, domain).await
    }

    /// Changes what holds for a tenant, as an operator does.
    pub(crate) async fn change_settings(
        &self,
        name: &str,
        decide: impl Fn(TenantSettings) -> TenantSettings + Send + Sync,
    ) -> Tenant {
        let of = SettingsAdministration::of_operator(self.stored_tenant(name).await);
        let changed = self.tessera.change_tenant_settings(&of, decide);
        changed.await.unwrap()
    }

    /// Suspends a tenant from behind, and waits until that is known.
    pub(crate) async fn suspend(&self, name: &str) {
        let tenant = Tenant {
            status: TenantStatus::Suspended,
            ..self.stored_tenant(name).await
        };
        let changes = Changes {
            tenants: vec![Change::Update(tenant.clone())],
            ..Changes::default()
        };
        self.store.commit(&tenant, changes).await.unwrap();
        self.wait(1);
    }

    pub(crate) async fn create_user(&self, tenant: &Tenant, email: &str, username: &str) -> User {
        let command = new_user(email, username);
        let created = self.tessera.create_user(&Actor::Operator, tenant, command);
        created.await.unwrap()
    }

    /// The account `ada` of the default tenant, as it is stored.
    pub(crate) async fn ada(&self) -> User {
        let tenant = self.tenant().await;
        self.tessera.user(&tenant, "ada").await.unwrap().unwrap()
    }

    /// The session as it is stored, while it is.
    pub(crate) async fn stored(&self, id: Id<Session>) -> Option<Session> {
        let schema = self.tenant().await.schema;
        let holder = self.store.session(&schema, id).await.unwrap();
        holder.map(|holder| holder.session)
    }

    pub(crate) async fn generation(&self, grant: &Grant) -> Generation {
        self.stored(grant.session.id).await.unwrap().generation
    }

    /// A session of `ada`.
    pub(crate) async fn log_in(&self) -> Grant {
        self.try_log_in("ada", PASSWORD).await.unwrap()
    }

    /// So many sessions of `ada`, from behind.
    pub(crate) async fn add_sessions(&self, count: u16) {
        let begun = self.log_in().await.session;
        let copy = |number: u16| {
            let [high, low] = number.to_be_bytes();
            let id = Id::new(self.now(), [0, 0, 0, 0, 0, 0, 0, 0, high, low]);
            Change::Insert(Session {
                id,
                version: 0,
                ..begun.clone()
            })
        };
        let changes = Changes {
            sessions: (1..count).map(copy).collect(),
            ..Changes::default()
        };
        self.store
            .commit(&self.tenant().await, changes)
            .await
            .unwrap();
    }

    pub(crate) async fn try_log_in(
        &self,
        login: &str,
        password: &str,
    ) -> Result<Grant, LogInError> {
        self.tessera.log_in(command(login, password)).await
    }

    pub(crate) async fn refresh(&self, grant: &Grant) -> Result<Grant, RefreshError> {
        let token = grant.refresh.clone().unwrap();
        self.refresh_with(&token, TenantHints::default()).await
    }

    pub(crate) async fn refresh_with(
        &self,
        token: &str,
        hints: TenantHints,
    ) -> Result<Grant, RefreshError> {
        let token = token.to_owned();
        let command = RefreshTokens {
            hints,
            token,
            ip: Some(ip()),
            awaited: Awaited::default(),
        };
        self.tessera.refresh(command).await
    }

    pub(crate) async fn validate(&self, grant: &Grant) -> Result<Caller, ValidateError> {
        let hints = TenantHints::default();
        self.tessera.validate(&grant.access, &hints).await
    }

    pub(crate) async fn caller(&self, grant: &Grant) -> Caller {
        self.validate(grant).await.unwrap()
    }

    /// That both tokens work; the refresh token is not used up.
    pub(crate) async fn assert_works(&self, grant: &Grant) {
        let caller = self.caller(grant).await;
        assert_eq!(caller.session.id, grant.session.id);
        let epoch = caller.user.epoch;
        assert!(caller.session.is_live(epoch, self.now()));
        assert_eq!(caller.session.generation, grant.session.generation);
    }

    /// That neither token works, and that trying them leaves no trace.
    pub(crate) async fn assert_dead(&self, grant: &Grant) {
        let ((), done) = self
            .watch(async {
                let validated = self.validate(grant).await;
                assert!(
                    matches!(validated, Err(ValidateError::Invalid)),
                    "{validated:?}"
                );
                let refreshed = self.refresh(grant).await;
                assert!(
                    matches!(refreshed, Err(RefreshError::Invalid)),
                    "{refreshed:?}"
                );
            })
            .await;
        assert_eq!(done.commits, 0);
    }

    pub(crate) async fn log_out(
        &self,
        access: Option<&Grant>,
        refresh: Option<&Grant>,
    ) -> Result<(), LogOutError> {
        let command = LogOut {
            hints: TenantHints::default(),
            access: access.map(|grant| grant.access.clone()),
            refresh: refresh.and_then(|grant| grant.refresh.clone()),
            ip: Some(ip()),
        };
        self.tessera.log_out(command).await
    }
}

fn ports(
    store: &BusyStore,
    clock: &ManualClock,
    passwords: &PlainPasswords,
    entropy: &SeededEntropy,
    configured: Option<ConfiguredKey>,
) -> Ports {
    let entropy = Arc::new(entropy.clone());
    let settings = TokenSettings {
        algorithm: None,
        configured,
        audience: Audience::Issuer,
        typ: TokenTyp::Jwt,
        key_encryption_key: KeyEncryptionKey::generate(&SeededEntropy::new(1)),
    };
    Ports {
        store: Arc::new(store.clone()),
        log: Arc::new(store.memory().clone()),
        audit: Arc::new(store.memory().clone()),
        mails: Arc::new(store.clone()),
        passwords: Arc::new(passwords.clone()),
        tokens: Arc::new(JwtTokens::new(settings, entropy.clone()).unwrap()),
        clock: Arc::new(clock.clone()),
        entropy,
    }
}
