//! How requests are answered.

use core::str::FromStr;
use core::time::Duration;

use tessera_http::{AllowedHosts, AllowedOrigins, BodyLimits, RefreshCookie, TrustedProxies};

use super::value::Setting;
use super::{ConfigError, Environment, Notice};

/// How requests are answered.
#[derive(Clone, Debug)]
pub(crate) struct Web {
    /// Hosts that are served.
    pub(crate) allowed_hosts: AllowedHosts,
    /// Origins whose pages may call.
    pub(crate) allowed_origins: AllowedOrigins,
    /// The version it shows, where it is not its own.
    pub(crate) app_version: String,
    /// How much of a body is read.
    pub(crate) body_limits: BodyLimits,
    /// Whether requests are limited by address and tenant.
    pub(crate) rate_limits: bool,
    /// Whether the login dialect keeps its refresh token in a cookie too.
    pub(crate) refresh_cookie: RefreshCookie,
    /// How long a request may take.
    pub(crate) request_timeout: Duration,
    /// How long requests in flight may take to finish once the service is told to end.
    pub(crate) shutdown_grace: Duration,
    /// Proxies whose forwarding headers are believed.
    pub(crate) trusted_proxies: TrustedProxies,
}

pub(crate) fn read(
    environment: &Environment,
    notices: &mut Vec<Notice>,
) -> Result<Web, ConfigError> {
    let version = environment.setting("APP_VERSION");
    let version = version.map_or(env!("CARGO_PKG_VERSION"), |version| version.value);
    let request_timeout = environment
        .parse("TESSERA_REQUEST_TIMEOUT", |timeout| {
            timeout.seconds(1..=3_600)
        })?
        .unwrap_or(Duration::from_secs(30));
    let usual = BodyLimits::default();
    let rate_limits = environment.switch("TESSERA_RATE_LIMITS", true)?;
    if !rate_limits {
        notices.push(Notice::new(
            "TESSERA_RATE_LIMITS is off: an address may try passwords and ask for mails without end"
                .to_owned(),
        ));
    }
    Ok(Web {
        allowed_hosts: environment
            .parse("ALLOWED_HOSTS", allowed_hosts)?
            .unwrap_or_default(),
        allowed_origins: environment
            .parse("CORS_ALLOWED_ORIGINS", listed)?
            .unwrap_or_default(),
        app_version: version.to_owned(),
        body_limits: BodyLimits {
            bytes: environment
                .parse("TESSERA_BODY_LIMIT", |limit| {
                    limit.number(1_024..=67_108_864)
                })?
                .unwrap_or(usual.bytes),
            time: usual.time.min(request_timeout),
        },
        rate_limits,
        refresh_cookie: if environment.switch("TESSERA_REFRESH_COOKIE", false)? {
            RefreshCookie::On
        } else {
            RefreshCookie::Off
        },
        request_timeout,
        shutdown_grace: environment
            .parse("TESSERA_SHUTDOWN_GRACE", |grace| grace.seconds(0..=3_600))?
            .unwrap_or(Duration::from_secs(25)),
        trusted_proxies: environment
            .parse("TESSERA_TRUSTED_PROXIES", listed)?
            .unwrap_or_default(),
    })
}

fn allowed_hosts(setting: Setting<'_>) -> Result<AllowedHosts, ConfigError> {
    let hosts = setting.list()?;
    let strange =
        |host: &String| host.contains(['/', '@', ' ']) || (host.contains('*') && host != "*");
    if hosts.is_empty() || hosts.iter().any(strange) {
        return Err(setting.wrong("host names with commas, as id.example.org,.example.com"));
    }
    Ok(AllowedHosts::from(hosts.join(",").as_str()))
}

fn listed<T: FromStr<Err: core::fmt::Display>>(setting: Setting<'_>) -> Result<T, ConfigError> {
    let name = setting.name;
    let parsed = setting.list()?.join(",").parse();
    parsed.map_err(|error| ConfigError::new(format!("{name}: {error}")))
}
