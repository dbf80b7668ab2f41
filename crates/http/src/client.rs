//! Who sent a request: the client's address and scheme, as far as somebody trusted says so.

use core::net::{IpAddr, SocketAddr};
use core::str::FromStr;

use actix_web::HttpRequest;
use actix_web::dev::RequestHead;
use actix_web::http::header::{
    FORWARDED, HeaderMap, HeaderName, X_FORWARDED_FOR, X_FORWARDED_PROTO,
};
use actix_web::web::Data;
use ipnet::IpNet;

use crate::envelope::Edge;

/// Where a request came from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Client {
    /// Its address; an IPv4 address is never written as an IPv6 one.
    pub(crate) address: Option<IpAddr>,
    /// What it spoke to the outermost trusted proxy, or to us.
    pub(crate) scheme: Scheme,
}

/// How a request travelled.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Scheme {
    /// Unencrypted.
    Http,
    /// Encrypted.
    Https,
}

impl Client {
    /// Who sent `request`.
    pub(crate) fn of(request: &HttpRequest) -> Self {
        let edge = request.app_data::<Data<Edge>>();
        let nobody = TrustedProxies::default();
        edge.map_or(&nobody, |edge| &edge.trusted_proxies)
            .client(request.head())
    }
}

/// The networks whose members tell the truth about where a request came from.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    /// Who sent the request with that head.
    ///
    /// The right-most address that is no trusted proxy: what is to the left of it, the client may
    /// have written. `Forwarded` (RFC 7239) counts only where there is no `X-Forwarded-For`: most
    /// proxies write the latter and let the former through, and a client must not choose.
    pub(crate) fn client(&self, head: &RequestHead) -> Client {
        let peer = head.peer_addr.map(|peer| peer.ip().to_canonical());
        match peer {
            Some(peer) if self.trusts(peer) => self.forwarded(peer, head.headers()),
            Some(_) | None => Client {
                address: peer,
                scheme: Scheme::Http,
            },
        }
    }

    fn forwarded(&self, peer: IpAddr, headers: &HeaderMap) -> Client {
        let (hops, scheme) = if headers.contains_key(&X_FORWARDED_FOR) {
            (list(headers, &X_FORWARDED_FOR), None)
        } else {
            let elements = list(headers, &FORWARDED);
            let scheme = elements.last().and_then(|last| parameter(last, "proto"));
            let hops = elements
                .iter()
                .map(|hop| parameter(hop, "for").unwrap_or_default());
            (hops.collect(), scheme)
        };
        let scheme = scheme.or_else(|| list(headers, &X_FORWARDED_PROTO).last().copied());
        let mut address = peer;
        for hop in hops.iter().rev() {
            let Some(next) = parse_hop(hop).filter(|_| self.trusts(address)) else {
                break;
            };
            address = next;
        }
        Client {
            address: Some(address),
            scheme: match scheme {
                Some(text) if text.eq_ignore_ascii_case("https") => Scheme::Https,
                Some(_) | None => Scheme::Http,
            },
        }
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }
}

/// Networks and single addresses, separated by commas.
impl FromStr for TrustedProxies {
    type Err = TrustedProxiesError;

    fn from_str(text: &str) -> Result<Self, TrustedProxiesError> {
        let parts = text
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty());
        parts.map(network).collect::<Result<_, _>>().map(Self)
    }
}

/// What is no network.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0:?} is no network (as 10.0.0.0/8) and no address")]
pub struct TrustedProxiesError(String);

fn network(text: &str) -> Result<IpNet, TrustedProxiesError> {
    let single = |address: IpAddr| IpNet::from(address.to_canonical());
    text.parse()
        .or_else(|_| text.parse().map(single))
        .map_err(|_| TrustedProxiesError(text.to_owned()))
}

/// The elements of a field whose lines are one list; one that is not text is an empty element.
fn list<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Vec<&'a str> {
    let lines = headers.get_all(name);
    lines
        .flat_map(|line| line.to_str().unwrap_or_default().split(','))
        .map(str::trim)
        .collect()
}

/// The value of a parameter of one `Forwarded` element.
fn parameter<'a>(element: &'a str, name: &str) -> Option<&'a str> {
    let mut pairs = element.split(';').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.find(|(key, _)| key.trim().eq_ignore_ascii_case(name))?;
    Some(value.trim().trim_matches('"'))
}

/// An address, with or without a port.
fn parse_hop(text: &str) -> Option<IpAddr> {
    let bracketed = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let bare = bracketed.unwrap_or(text).parse();
    bare.or_else(|_| text.parse().map(|with_port: SocketAddr| with_port.ip()))
        .ok()
        .map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn client(peer: &str, headers: &[(&'static str, &'static str)]) -> Client {
        let mut request = TestRequest::default().peer_addr(SocketAddr::new(ip(peer), 4000));
        for header in headers {
            request = request.append_header(*header);
        }
        let proxies: TrustedProxies = "10.0.0.0/8, 192.0.2.7, fd00::/8".parse().unwrap();
        proxies.client(request.to_http_request().head())
    }

    fn address(peer: &str, headers: &[(&'static str, &'static str)]) -> String {
        client(peer, headers).address.unwrap().to_string()
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_stranger_cannot_choose_its_address() {
        let lies = [
            ("x-forwarded-for", "1.1.1.1"),
            ("forwarded", "for=1.1.1.1;proto=https"),
            ("x-forwarded-proto", "https"),
            ("x-real-ip", "1.1.1.1"),
        ];
        let seen = client("203.0.113.9", &lies);
        assert_eq!(seen.address, Some(ip("203.0.113.9")));
        assert_eq!(seen.scheme, Scheme::Http);
    }

    #[test]
    fn the_client_is_the_right_most_address_that_is_no_trusted_proxy() {
        for (hops, expected) in [
            ("198.51.100.4", "198.51.100.4"),
            ("1.1.1.1, 198.51.100.4", "198.51.100.4"),
            ("1.1.1.1, 198.51.100.4, 10.9.9.9, 192.0.2.7", "198.51.100.4"),
            ("198.51.100.4:5123", "198.51.100.4"),
            ("::ffff:198.51.100.4", "198.51.100.4"),
            ("[2001:db8::4]:80", "2001:db8::4"),
            ("10.1.1.1, 10.2.2.2", "10.1.1.1"),
        ] {
            assert_eq!(
                address("10.0.0.1", &[("x-forwarded-for", hops)]),
                expected,
                "{hops}"
            );
        }
    }

    #[test]
    fn several_lines_of_hops_are_one_list() {
        let lines = [
            ("x-forwarded-for", "1.1.1.1"),
            ("x-forwarded-for", "198.51.100.4"),
        ];
        assert_eq!(address("10.0.0.1", &lines), "198.51.100.4");
    }

    #[test]
    fn what_is_left_of_an_unreadable_hop_is_not_believed() {
        assert_eq!(
            address("10.0.0.1", &[("x-forwarded-for", "1.1.1.1, unknown")]),
            "10.0.0.1"
        );
        assert_eq!(
            address("10.0.0.1", &[("x-forwarded-for", "1.1.1.1, ")]),
            "10.0.0.1"
        );
        assert_eq!(
            address("10.0.0.1", &[("forwarded", "for=1.1.1.1, for=_hidden")]),
            "10.0.0.1"
        );
    }

    #[test]
    fn forwarded_counts_where_there_is_no_x_forwarded_for() {
        let forwarded = (
            "forwarded",
            "for=1.1.1.1, For=\"[2001:db8::4]:4711\";proto=https",
        );
        let seen = client("10.0.0.1", &[forwarded]);
        assert_eq!(seen.address, Some(ip("2001:db8::4")));
        assert_eq!(seen.scheme, Scheme::Https);
        let both = [forwarded, ("x-forwarded-for", "198.51.100.4")];
        assert_eq!(address("10.0.0.1", &both), "198.51.100.4");
    }

    #[test]
    fn the_nearest_trusted_proxy_tells_the_scheme() {
        let scheme = |value| client("10.0.0.1", &[("x-forwarded-proto", value)]).scheme;
        assert_eq!(scheme("https"), Scheme::Https);
        assert_eq!(scheme("https, http"), Scheme::Http);
        assert_eq!(client("10.0.0.1", &[]).scheme, Scheme::Http);
    }

    #[test]
    fn a_mapped_peer_is_an_ipv4_peer() {
        let hops = [("x-forwarded-for", "198.51.100.4")];
        assert_eq!(address("::ffff:10.0.0.1", &hops), "198.51.100.4");
        assert_eq!(address("::ffff:203.0.113.9", &hops), "203.0.113.9");
    }

    #[test]
    fn a_network_that_is_none_is_named() {
        let refused = "10.0.0.0/8,10.0.0.0/33".parse::<TrustedProxies>();
        assert_eq!(
            refused.unwrap_err(),
            TrustedProxiesError("10.0.0.0/33".to_owned())
        );
        assert!("".parse::<TrustedProxies>().is_ok());
    }
}
