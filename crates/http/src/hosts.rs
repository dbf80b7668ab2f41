//! Under which names we answer.

/// The names under which we answer, as Django's setting of that name.
#[derive(Clone, Debug, Default)]
pub struct AllowedHosts(Option<Vec<Pattern>>);

#[derive(Clone, Debug, Eq, PartialEq)]
enum Pattern {
    Any,
    Exactly(String),
    /// The domain and all below it.
    Within(String),
}

impl AllowedHosts {
    /// Whether any request is answered, whatever it is for.
    pub(crate) fn allow_all(&self) -> bool {
        self.0.is_none()
    }

    /// Whether a request for `host`, with or without a port, is answered.
    pub(crate) fn allow(&self, host: Option<&str>) -> bool {
        let Some(patterns) = &self.0 else {
            return true;
        };
        let Some(name) = host.and_then(host_name) else {
            return false;
        };
        let name = name.to_ascii_lowercase();
        patterns.iter().any(|pattern| match pattern {
            Pattern::Any => true,
            Pattern::Exactly(host) => name == *host,
            Pattern::Within(domain) => name
                .strip_suffix(domain.as_str())
                .is_some_and(|below| below.is_empty() || below.ends_with('.')),
        })
    }
}

/// Names separated by commas or blanks; no name at all allows all.
impl From<&str> for AllowedHosts {
    fn from(text: &str) -> Self {
        let parts = text.split([',', ' ']).filter(|part| !part.is_empty());
        let patterns: Vec<_> = parts.map(pattern).collect();
        Self(Some(patterns).filter(|patterns| !patterns.is_empty()))
    }
}

fn pattern(text: &str) -> Pattern {
    let text = text.to_ascii_lowercase();
    match text.strip_prefix('.') {
        None if text == "*" => Pattern::Any,
        None => Pattern::Exactly(text),
        Some(domain) => Pattern::Within(domain.to_owned()),
    }
}

/// The name in `host`, without its port and the dot of the root; `None` when it is malformed.
pub(crate) fn host_name(host: &str) -> Option<&str> {
    let name = match host.strip_prefix('[').map(|_| host.rfind(']')) {
        Some(end) => host.split_at_checked(end?.checked_add(1)?)?.0,
        None => host.split(':').next()?,
    };
    let port = host.strip_prefix(name)?;
    let port_is_one = port.is_empty()
        || port
            .strip_prefix(':')
            .is_some_and(|port| port.bytes().all(|byte| byte.is_ascii_digit()));
    let name = name.strip_suffix('.').unwrap_or(name);
    (port_is_one && !name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_matched_as_django_does() {
        let hosts = AllowedHosts::from("api.example.com, .example.org [::1]");
        for good in [
            "api.example.com",
            "API.example.com:8000",
            "api.example.com.",
            "example.org",
            "a.b.example.org",
            "[::1]:8000",
            "[::1]",
        ] {
            assert!(hosts.allow(Some(good)), "{good}");
        }
        for bad in [
            "example.com",
            "badexample.org",
            "api.example.com:x",
            "api.example.com@evil",
            "",
            ":80",
            "[::1]x",
            "[::1",
        ] {
            assert!(!hosts.allow(Some(bad)), "{bad}");
        }
        assert!(!hosts.allow(None));
    }

    #[test]
    fn without_a_list_or_with_a_star_every_host_is_allowed() {
        assert!(AllowedHosts::default().allow(None));
        assert!(AllowedHosts::from(" ").allow(Some("x")));
        assert!(AllowedHosts::from("*").allow(Some("anything.example:80")));
    }
}
