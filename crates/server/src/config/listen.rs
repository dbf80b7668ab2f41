//! Where the service listens, and by which URL it is known.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use url::Url;

use super::value::Setting;
use super::{ConfigError, Environment, Notice};

/// Where the service listens, and by which URL it is known.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Listen {
    /// The address, or a name of this machine.
    pub(crate) host: String,
    /// The port; 0 takes any that is free.
    pub(crate) port: u16,
    /// A second address, for metrics and probes alone.
    pub(crate) metrics: Option<SocketAddr>,
    /// The issuer of tokens and the base of links, without a slash at its end.
    pub(crate) public_url: Option<String>,
}

pub(crate) fn read(
    environment: &Environment,
    notices: &mut Vec<Notice>,
) -> Result<Listen, ConfigError> {
    let host = environment.setting("HOST");
    let host = host.map_or("127.0.0.1", |host| host.value);
    let host = host
        .trim_start_matches('[')
        .trim_end_matches(']')
        .to_owned();
    let port = environment
        .parse("PORT", |port| port.number(0..=65_535))?
        .unwrap_or(8_000);
    let metrics = environment.parse("TESSERA_METRICS_ADDR", |metrics| {
        let address = metrics.value.parse::<SocketAddr>();
        address.map_err(|_| metrics.wrong("an address with a port, as 127.0.0.1:9000"))
    })?;
    if metrics.is_some_and(|metrics| port != 0 && metrics.port() == port && overlap(&host, metrics))
    {
        return Err(ConfigError::new(
            "TESSERA_METRICS_ADDR is the address that HOST and PORT set",
        ));
    }
    if let Some(port) = environment.setting("TESSERA_PORT").filter(digits) {
        notices.push(Notice::new(format!(
            "{} is a name that Kubernetes uses, so it does nothing; PORT sets the port",
            port.name
        )));
    }
    Ok(Listen {
        host,
        port,
        metrics,
        public_url: environment.parse("TESSERA_PUBLIC_URL", public_url)?,
    })
}

fn overlap(host: &str, other: SocketAddr) -> bool {
    let host = host.parse().unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
    host == other.ip() || host.is_unspecified() || other.ip().is_unspecified()
}

fn digits(setting: &Setting<'_>) -> bool {
    setting.value.bytes().all(|byte| byte.is_ascii_digit())
}

fn public_url(setting: Setting<'_>) -> Result<String, ConfigError> {
    let expected =
        "a URL with http or https and nothing behind its path, as https://id.example.org";
    let url = Url::parse(setting.value).map_err(|_| setting.wrong(expected))?;
    let plain = url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() || !plain {
        return Err(ConfigError::new(format!(
            "TESSERA_PUBLIC_URL must be {expected}"
        )));
    }
    Ok(setting.value.trim_end_matches('/').to_owned())
}
