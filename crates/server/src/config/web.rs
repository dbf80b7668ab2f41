//! How requests are answered.

use core::net::IpAddr;
use core::time::Duration;

use ipnet::IpNet;
use url::{Origin, Url};

use super::value::Setting;
use super::{ConfigError, Environment};

/// How requests are answered.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Web {
    /// Hosts that are served; none is any.
    pub(crate) allowed_hosts: Option<Vec<String>>,
    /// What the service calls itself.
    pub(crate) app_name: String,
    /// The version it shows, where it is not its own.
    pub(crate) app_version: Option<String>,
    /// The largest body in bytes.
    pub(crate) body_limit: usize,
    /// Origins whose pages may call.
    pub(crate) cors_allowed_origins: Vec<String>,
    /// Whether the login dialect keeps its refresh token in a cookie too.
    pub(crate) refresh_cookie: bool,
    /// How long a request may take.
    pub(crate) request_timeout: Duration,
    /// How long requests in flight may take to finish once the service is told to end.
    pub(crate) shutdown_grace: Duration,
    /// Proxies whose forwarding headers are believed.
    pub(crate) trusted_proxies: Vec<IpNet>,
}

pub(crate) fn read(environment: &Environment) -> Result<Web, ConfigError> {
    let text = |name| {
        environment
            .setting(name)
            .map(|setting| setting.value.to_owned())
    };
    Ok(Web {
        allowed_hosts: environment.parse("ALLOWED_HOSTS", allowed_hosts)?.flatten(),
        app_name: text("APP_NAME").unwrap_or_else(|| "Tessera".to_owned()),
        app_version: text("APP_VERSION"),
        body_limit: environment
            .parse("TESSERA_BODY_LIMIT", |limit| {
                limit.number(1_024..=67_108_864)
            })?
            .unwrap_or(65_536),
        cors_allowed_origins: environment
            .parse("CORS_ALLOWED_ORIGINS", origins)?
            .unwrap_or_default(),
        refresh_cookie: environment.switch("TESSERA_REFRESH_COOKIE", false)?,
        request_timeout: environment
            .parse("TESSERA_REQUEST_TIMEOUT", |timeout| {
                timeout.seconds(1..=3_600)
            })?
            .unwrap_or(Duration::from_secs(30)),
        shutdown_grace: environment
            .parse("TESSERA_SHUTDOWN_GRACE", |grace| grace.seconds(0..=3_600))?
            .unwrap_or(Duration::from_secs(25)),
        trusted_proxies: environment
            .parse("TESSERA_TRUSTED_PROXIES", networks)?
            .unwrap_or_default(),
    })
}

fn allowed_hosts(setting: Setting<'_>) -> Result<Option<Vec<String>>, ConfigError> {
    let hosts = setting.list()?;
    if hosts.iter().any(|host| host == "*") {
        return Ok(None);
    }
    let strange = |host: &String| host.contains(['/', '*', '@', ' ']);
    if hosts.is_empty() || hosts.iter().any(strange) {
        return Err(setting.wrong("host names with commas, as id.example.org,.example.com"));
    }
    Ok(Some(
        hosts.iter().map(|host| host.to_ascii_lowercase()).collect(),
    ))
}

fn origins(setting: Setting<'_>) -> Result<Vec<String>, ConfigError> {
    setting
        .list()?
        .iter()
        .map(|text| origin(setting, text))
        .collect()
}

/// The origin as a browser sends it (RFC 6454, 6.2).
fn origin(setting: Setting<'_>, text: &str) -> Result<String, ConfigError> {
    if text.contains('*') {
        return Err(ConfigError::new(format!(
            "{} has a `*`, but answers allow credentials: name each origin",
            setting.name
        )));
    }
    let expected = "origins with commas, as https://app.example.org";
    let url = Url::parse(text).map_err(|_| setting.wrong(expected))?;
    let origin = url.origin();
    let bare = matches!(url.path(), "" | "/")
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty();
    match origin {
        Origin::Tuple(..) if bare => Ok(origin.ascii_serialization()),
        Origin::Tuple(..) | Origin::Opaque(_) => Err(setting.wrong(expected)),
    }
}

fn networks(setting: Setting<'_>) -> Result<Vec<IpNet>, ConfigError> {
    let network = |text: &String| {
        let address = || text.parse::<IpAddr>().map(IpNet::from);
        text.parse().or_else(|_| address())
    };
    let networks = setting.list()?;
    networks
        .iter()
        .map(|text| network(text).map_err(|_| setting.wrong("networks with commas, as 10.0.0.0/8")))
        .collect()
}
