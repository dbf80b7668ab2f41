//! What requests and settings are made of.

use core::net::IpAddr;

use tessera_app::{
    CreateUser, FirstPassword, Layouts, LogIn, PublicUrl, Settings, TenantHints, UnverifiedLogIn,
};
use tessera_domain::{
    Device, EmailAddress, HostName, LockoutPolicy, MailedTokenPolicy, Password, PasswordPolicy,
    Profile, Registration, TenantLayout, TenantOrder, TokenPolicy, Username,
};

/// Hints that name a tenant in so many words.
pub(crate) fn explicit(names: &[&str]) -> TenantHints {
    TenantHints {
        explicit: names.iter().map(|name| (*name).to_owned()).collect(),
        host: None,
    }
}

/// Hints of a request that was sent to that host.
pub(crate) fn at_host(host: &str) -> TenantHints {
    TenantHints {
        explicit: Vec::new(),
        host: Some(host.to_owned()),
    }
}

pub(crate) fn command(login: &str, password: &str) -> LogIn {
    LogIn {
        hints: TenantHints::default(),
        login: login.to_owned(),
        password: typed(password),
        device: Device::new(Some(IP.to_owned()), Some("a test")),
    }
}

pub(crate) fn new_user(email: &str, username: &str) -> CreateUser {
    CreateUser {
        email: EmailAddress::parse(email).unwrap(),
        email_verified: true,
        username: Some(Username::parse(username).unwrap()),
        profile: Profile::default(),
        roles: Vec::new(),
        is_superuser: false,
        password: FirstPassword::Given(typed(PASSWORD)),
    }
}

/// [`IP`], as a value.
pub(crate) fn ip() -> IpAddr {
    IP.parse().unwrap()
}

pub(crate) fn typed(password: &str) -> Password {
    Password::new(password.to_owned())
}

pub(crate) fn host(name: &str) -> HostName {
    HostName::parse(name).unwrap()
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
        web_page_url: Some("https://app.example/".to_owned()),
        public_url: PublicUrl::Configured("https://login.example".to_owned()),
    }
}

/// Settings with another token policy.
pub(crate) fn with_tokens(tokens: TokenPolicy) -> Settings {
    Settings {
        tokens,
        ..settings()
    }
}

pub(crate) const IP: &str = "192.0.2.7";
pub(crate) const PASSWORD: &str = "right horse battery";
pub(crate) const WRONG: &str = "wrong horse battery";
pub(crate) const OTHER: &str = "other horse battery";
