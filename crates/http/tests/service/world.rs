//! A service with one account, and a client of it.

use core::net::SocketAddr;
use core::time::Duration;
use std::sync::Arc;

use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{Service as _, ServiceResponse};
use actix_web::http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap};
use actix_web::http::{Method, StatusCode};
use actix_web::test::{TestRequest, init_service, read_body};
use serde_json::{Value, json};
use tessera_app::{
    CreateTenant, CreateUser, FirstPassword, Layouts, Ports, PublicUrl, Settings,
    SettingsAdministration, Store, TenantAdministration, Tessera, UnverifiedLogIn,
};
use tessera_crypto::{Audience, JwtTokens, KeyEncryptionKey, TokenSettings, TokenTyp};
use tessera_domain::{
    Actor, Change, Changes, EmailAddress, HostName, LockoutPolicy, MailedTokenPolicy, Password,
    PasswordPolicy, Profile, Registration, Role, Tenant, TenantLayout, TenantName, TenantOrder,
    TenantSettings, Timestamp, TokenPolicy, Username,
};
use tessera_http::{
    AccessEvents, AllowedHosts, AllowedOrigins, BodyLimits, Draining, Edge, LaggingTenants,
    Metrics, Presentation, RateLimits, RefreshCookie, Scheme, Service, Surface, TrustedProxies,
};
use tessera_memory::{ManualClock, MemoryStore, PlainPasswords, SeededEntropy};

pub(crate) const ASYNCAPI: &str = r#"{"asyncapi":"3.0.0"}"#;
pub(crate) const EMAIL: &str = "ada@example.com";
pub(crate) const PASSWORD: &str = "correct horse battery staple";

pub(crate) struct World {
    pub(crate) tessera: Arc<Tessera>,
    pub(crate) store: MemoryStore,
    pub(crate) clock: ManualClock,
    pub(crate) draining: Arc<Draining>,
    pub(crate) lagging: Arc<LaggingTenants>,
    pub(crate) refresh_cookie: RefreshCookie,
    pub(crate) rate_limits: Option<Arc<RateLimits>>,
    pub(crate) trusted_proxies: TrustedProxies,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(TokenPolicy::default()).await
    }

    pub(crate) async fn with(tokens: TokenPolicy) -> Self {
        Self::of(Settings {
            tokens,
            ..settings()
        })
        .await
    }

    pub(crate) async fn of(settings: Settings) -> Self {
        let (store, entropy) = (MemoryStore::default(), SeededEntropy::new(7));
        let clock = ManualClock::new(Timestamp::from_secs(1_767_225_600));
        let jwt = TokenSettings {
            algorithm: None,
            configured: None,
            audience: Audience::Issuer,
            typ: TokenTyp::Jwt,
            key_encryption_key: KeyEncryptionKey::generate(&entropy),
        };
        let shared: Arc<SeededEntropy> = Arc::new(entropy);
        let ports = Ports {
            store: Arc::new(store.clone()),
            log: Arc::new(store.clone()),
            audit: Arc::new(store.clone()),
            mails: Arc::new(store.clone()),
            passwords: Arc::new(PlainPasswords::default()),
            tokens: Arc::new(JwtTokens::new(jwt, shared.clone()).unwrap()),
            clock: Arc::new(clock.clone()),
            entropy: shared,
        };
        let tessera = Arc::new(Tessera::new(ports, settings));
        tessera.prepare().await.unwrap();
        let world = Self {
            tessera,
            store,
            clock,
            draining: Arc::default(),
            lagging: Arc::default(),
            refresh_cookie: RefreshCookie::Off,
            rate_limits: None,
            trusted_proxies: TrustedProxies::default(),
        };
        world.add_user("public", EMAIL, "ada").await;
        world
    }

    pub(crate) async fn add_tenant(&self, name: &str, domain: &str) {
        let command = CreateTenant {
            name: TenantName::parse(name).unwrap(),
            schema: None,
            domains: vec![HostName::parse(domain).unwrap()],
            layout: None,
        };
        let of = TenantAdministration::of_operator();
        self.tessera.create_tenant(&of, command).await.unwrap();
    }

    /// Changes what holds for a tenant, as an operator does.
    pub(crate) async fn change_settings(
        &self,
        tenant: &str,
        decide: impl Fn(TenantSettings) -> TenantSettings + Send + Sync,
    ) {
        let tenant = self.tessera.tenant(tenant).await.unwrap().unwrap();
        let of = SettingsAdministration::of_operator(tenant);
        let changed = self.tessera.change_tenant_settings(&of, decide);
        changed.await.unwrap();
    }

    /// Suspends a tenant from behind, and waits until that is known.
    pub(crate) async fn suspend(&self, tenant: &str) {
        let tenant = self.tessera.tenant(tenant).await.unwrap().unwrap();
        let (suspended, _) = tenant.suspend().unwrap();
        self.update_tenant(suspended).await;
    }

    /// Changes a tenant from behind, and waits until that is known.
    pub(crate) async fn update_tenant(&self, tenant: Tenant) {
        let changes = Changes {
            tenants: vec![Change::Update(tenant.clone())],
            ..Changes::default()
        };
        self.store.commit(&tenant, changes).await.unwrap();
        self.clock.advance(Duration::from_secs(1));
    }

    pub(crate) async fn add_user(&self, tenant: &str, email: &str, username: &str) {
        self.add_user_with(tenant, email, username, "editor").await;
    }

    pub(crate) async fn add_user_with(
        &self,
        tenant: &str,
        email: &str,
        username: &str,
        role: &str,
    ) {
        let tenant = self.tessera.tenant(tenant).await.unwrap().unwrap();
        let command = CreateUser {
            email: EmailAddress::parse(email).unwrap(),
            email_verified: true,
            username: Some(Username::parse(username).unwrap()),
            profile: Profile {
                first_name: "Ada".to_owned(),
                last_name: "Lovelace".to_owned(),
                job_role: String::new(),
            },
            roles: vec![Role::parse(role).unwrap()],
            is_superuser: false,
            password: FirstPassword::Given(Password::new(PASSWORD.to_owned())),
        };
        let created = self.tessera.create_user(&Actor::Operator, &tenant, command);
        created.await.unwrap();
    }

    pub(crate) async fn send(&self, request: Request) -> Answer {
        self.send_all([request]).await.remove(0)
    }

    /// One after the other, to one application.
    pub(crate) async fn send_all(
        &self,
        requests: impl IntoIterator<Item = Request>,
    ) -> Vec<Answer> {
        let send = self.application().await;
        let mut answers = Vec::new();
        for request in requests {
            answers.push(send(request).await);
        }
        answers
    }

    /// Sends to one application, however often.
    pub(crate) async fn application(&self) -> impl AsyncFn(Request) -> Answer + use<> {
        let app = init_service(self.service().app(Surface::Everything)).await;
        async move |request: Request| {
            let answer = app.call(request.0.to_request()).await;
            Answer::read(answer).await
        }
    }

    pub(crate) fn service(&self) -> Service {
        let ports = self.tessera.ports();
        Service {
            tessera: Arc::clone(&self.tessera),
            presentation: Presentation {
                asyncapi: ASYNCAPI.into(),
                refresh_cookie: self.refresh_cookie,
                version: "1.2.3".to_owned(),
            },
            edge: Edge {
                access_log: Arc::new(AccessEvents),
                allowed_hosts: AllowedHosts::default(),
                allowed_origins: "https://app.example.com".parse::<AllowedOrigins>().unwrap(),
                clock: Arc::clone(&ports.clock),
                entropy: Arc::clone(&ports.entropy),
                metrics: Arc::new(Metrics::new("1.2.3", Vec::new()).unwrap()),
                public_scheme: Scheme::Http,
                rate_limits: self.rate_limits.clone(),
                request_time: Duration::from_secs(5),
                trusted_proxies: self.trusted_proxies.clone(),
            },
            body_limits: BodyLimits::default(),
            draining: Arc::clone(&self.draining),
            lagging: Arc::clone(&self.lagging),
        }
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(Request::new(Method::POST, path).json(&body))
            .await
    }

    pub(crate) async fn get(&self, path: &str, token: &str) -> Answer {
        self.send(Request::new(Method::GET, path).bearer(token))
            .await
    }

    pub(crate) async fn log_in(&self) -> Value {
        let credentials = json!({"email": EMAIL, "password": PASSWORD});
        let answer = self.post("/api/token/", credentials).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        answer.json()
    }
}

pub(crate) fn settings() -> Settings {
    Settings {
        tokens: TokenPolicy::default(),
        lockout: LockoutPolicy::default(),
        passwords: PasswordPolicy::default(),
        tenant_order: TenantOrder::default(),
        tenant_layout: TenantLayout::default(),
        layouts: Layouts::Apart,
        registration: Registration::Open,
        unverified_log_in: UnverifiedLogIn::Allowed,
        mailed_tokens: MailedTokenPolicy::default(),
        web_page_url: None,
        public_url: PublicUrl::FirstStart("http://localhost:8000".to_owned()),
    }
}

pub(crate) struct Request(TestRequest);

impl Request {
    pub(crate) fn new(method: Method, path: &str) -> Self {
        let request = TestRequest::with_uri(path).method(method);
        Self(request.insert_header(("host", "auth.example.com")))
    }

    pub(crate) fn json(self, body: &Value) -> Self {
        self.body("application/json", body.to_string())
    }

    pub(crate) fn body(self, media_type: &str, body: impl Into<actix_web::web::Bytes>) -> Self {
        Self(
            self.0
                .insert_header((CONTENT_TYPE, media_type))
                .set_payload(body),
        )
    }

    pub(crate) fn bearer(self, token: &str) -> Self {
        Self(
            self.0
                .insert_header((AUTHORIZATION, format!("Bearer {token}"))),
        )
    }

    pub(crate) fn from(self, address: &str) -> Self {
        let address = address.parse().unwrap();
        Self(self.0.peer_addr(SocketAddr::new(address, 40_000)))
    }

    pub(crate) fn header(self, name: &'static str, value: &str) -> Self {
        Self(self.0.insert_header((name, value)))
    }
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    async fn read<B: MessageBody>(answer: Result<ServiceResponse<B>, Error>) -> Self {
        let Ok(response) = answer else {
            panic!("the outermost middleware answers every error itself");
        };
        let (status, headers) = (response.status(), response.headers().clone());
        let body = read_body(response).await;
        let text = String::from_utf8(body.to_vec()).unwrap();
        Self {
            status,
            headers,
            text,
        }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {}", self.text))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn code(&self) -> String {
        assert_eq!(
            self.header("content-type"),
            "application/problem+json",
            "{}",
            self.text
        );
        self.json()["code"].as_str().unwrap().to_owned()
    }
}

pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}"))
}

pub(crate) fn members(value: &Value) -> Vec<&str> {
    value
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect()
}
