//! How many requests an address, and a tenant, may send in a while.
//!
//! A bucket for each group of routes and each address: it holds a number of requests, each takes
//! one, and it fills up again steadily. Most groups have a second one for each tenant, for what all
//! of its addresses send together. `docs/rate-limits.md` has the numbers and the reasons.

use core::hash::Hash;
use core::net::{IpAddr, Ipv4Addr};
use core::num::NonZeroU32;
use core::time::Duration;
use std::sync::Arc;

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use governor::clock::Clock as _;
use governor::middleware::StateInformationMiddleware;
use governor::{Quota, RateLimiter};
use tessera_app::Clock;
use tessera_domain::{Id, Tenant};

use self::buckets::Buckets;
use self::steady::SteadyClock;

mod buckets;
mod limited;
mod steady;

pub(crate) use limited::{Limited, within_share};

/// Routes that share their buckets.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Group {
    /// A caller's own password is changed.
    ChangePassword,
    /// What was mailed comes back: an address is verified or changed, a password is set.
    Confirm,
    /// Log in.
    LogIn,
    /// A mail is asked for: a forgotten password, another verification, another address.
    Mail,
    /// Refresh.
    Refresh,
    /// An account is made.
    Register,
}

impl Group {
    /// Every group.
    pub(crate) const ALL: [Self; 6] = [
        Self::ChangePassword,
        Self::Confirm,
        Self::LogIn,
        Self::Mail,
        Self::Refresh,
        Self::Register,
    ];

    /// What it is called in header fields and metrics.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::ChangePassword => "change-password",
            Self::Confirm => "confirm",
            Self::LogIn => "log-in",
            Self::Mail => "mail",
            Self::Refresh => "refresh",
            Self::Register => "register",
        }
    }

    /// What one address may send.
    fn of_address(self) -> Allowance {
        match self {
            Self::ChangePassword => allowance(300, 600),
            Self::Confirm => allowance(600, 600),
            Self::LogIn => allowance(1_200, 1_200),
            Self::Mail => allowance(100, 3_600),
            Self::Refresh => allowance(30_000, 10),
            Self::Register => allowance(300, 3_600),
        }
    }

    /// What all addresses together may send to one tenant, where a process hashes on so many
    /// threads.
    ///
    /// None for what costs a stranger nothing to send: without a good token neither a refresh nor a
    /// confirmation comes as far as a hash, and a share of them would be there to be used up.
    fn of_tenant(self, hash_threads: u32) -> Option<Allowance> {
        match self {
            Self::ChangePassword => Some(allowance(3_000, 600)),
            Self::Confirm | Self::Refresh => None,
            Self::LogIn => Some(allowance(hash_threads.max(1).saturating_mul(1_800), 60)),
            Self::Mail => Some(allowance(10_000, 3_600)),
            Self::Register => Some(allowance(3_000, 3_600)),
        }
    }
}

/// Who is limited.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Who {
    /// An address.
    Address,
    /// A tenant.
    Tenant,
}

impl Who {
    /// Everyone.
    pub(crate) const ALL: [Self; 2] = [Self::Address, Self::Tenant];

    /// What it is called in metrics and the log.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Tenant => "tenant",
        }
    }
}

/// The buckets of a process.
#[derive(Debug)]
pub struct RateLimits {
    change_password: Limits,
    confirm: Limits,
    log_in: Limits,
    mail: Limits,
    refresh: Limits,
    register: Limits,
}

impl RateLimits {
    /// Full buckets, filled as `clock` goes on, for a process that hashes on so many threads.
    pub fn new(clock: &Arc<dyn Clock>, hash_threads: usize) -> Self {
        let threads = u32::try_from(hash_threads).unwrap_or(u32::MAX);
        let limits = |group: Group| Limits {
            address: Limiter::new(group.name().to_owned(), group.of_address(), clock),
            tenant: group.of_tenant(threads).map(|allowance| {
                Limiter::new(format!("{}-by-tenant", group.name()), allowance, clock)
            }),
        };
        Self {
            change_password: limits(Group::ChangePassword),
            confirm: limits(Group::Confirm),
            log_in: limits(Group::LogIn),
            mail: limits(Group::Mail),
            refresh: limits(Group::Refresh),
            register: limits(Group::Register),
        }
    }

    /// Takes one from the bucket of that address.
    fn take_of_address(&self, group: Group, address: IpAddr) -> Result<Standing, Exhausted> {
        self.of(group).address.take(&Origin::of(address))
    }

    /// Takes one from the bucket of that tenant.
    fn take_of_tenant(&self, group: Group, tenant: Id<Tenant>) -> Result<(), Exhausted> {
        match &self.of(group).tenant {
            None => Ok(()),
            Some(limiter) => limiter.take(&tenant).map(|_| ()),
        }
    }

    fn of(&self, group: Group) -> &Limits {
        match group {
            Group::ChangePassword => &self.change_password,
            Group::Confirm => &self.confirm,
            Group::LogIn => &self.log_in,
            Group::Mail => &self.mail,
            Group::Refresh => &self.refresh,
            Group::Register => &self.register,
        }
    }
}

#[derive(Debug)]
struct Limits {
    address: Limiter<Origin>,
    tenant: Option<Limiter<Id<Tenant>>>,
}

/// Who shares a bucket: an IPv4 address, or an IPv6 network of 64 bits, in which one subscriber may
/// choose addresses as they like.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
enum Origin {
    V4(Ipv4Addr),
    V6(u64),
}

impl Origin {
    fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address),
            IpAddr::V6(address) => {
                let network = address.to_bits() >> 64;
                Self::V6(u64::try_from(network).unwrap_or(u64::MAX))
            }
        }
    }
}

/// How many requests a bucket holds, and in how many seconds an empty one is full again.
#[derive(Clone, Copy, Debug)]
struct Allowance {
    requests: NonZeroU32,
    seconds: u32,
}

fn allowance(requests: u32, seconds: u32) -> Allowance {
    Allowance {
        requests: NonZeroU32::new(requests).unwrap_or(NonZeroU32::MIN),
        seconds,
    }
}

impl Allowance {
    /// The time in which one request comes back; never zero.
    fn interval(self) -> Duration {
        let whole = Duration::from_secs(self.seconds.into());
        (whole / self.requests.get()).max(Duration::from_nanos(1))
    }
}

/// The buckets of one group.
#[derive(Debug)]
struct Limiter<K: Clone + Eq + Hash> {
    name: String,
    interval: Duration,
    policy: HeaderValue,
    gate: RateLimiter<K, Buckets<K>, SteadyClock, StateInformationMiddleware>,
}

impl<K: Clone + Eq + Hash> Limiter<K> {
    fn new(name: String, allowance: Allowance, clock: &Arc<dyn Clock>) -> Self {
        let (requests, seconds) = (allowance.requests, allowance.seconds);
        let interval = allowance.interval();
        let one = Quota::with_period(interval).unwrap_or(Quota::per_second(requests));
        let clock = SteadyClock::new(Arc::clone(clock));
        Self {
            policy: header(&format!("\"{name}\";q={requests};w={seconds}")),
            name,
            interval,
            gate: RateLimiter::new(one.allow_burst(requests), Buckets::default(), clock),
        }
    }

    fn take(&self, key: &K) -> Result<Standing, Exhausted> {
        match self.gate.check_key(key) {
            Ok(left) => {
                let left = left.remaining_burst_capacity();
                Ok(self.standing(left, whole_seconds(self.interval)))
            }
            Err(until) => {
                let wait = until.wait_time_from(self.gate.clock().now());
                let seconds = whole_seconds(wait);
                Err(Exhausted {
                    seconds,
                    standing: self.standing(0, seconds),
                })
            }
        }
    }

    fn standing(&self, left: u32, seconds: u32) -> Standing {
        Standing {
            policy: self.policy.clone(),
            now: header(&format!("\"{}\";r={left};t={seconds}", self.name)),
        }
    }
}

/// A bucket with nothing in it.
#[derive(Debug)]
struct Exhausted {
    /// Until there is something in it again.
    seconds: u32,
    standing: Standing,
}

/// How a bucket stands, as draft-ietf-httpapi-ratelimit-headers-10 writes it: what it holds, and
/// how many requests are left until, in so many seconds at most, there is another one.
#[derive(Clone, Debug)]
struct Standing {
    policy: HeaderValue,
    now: HeaderValue,
}

impl Standing {
    fn write(self, headers: &mut HeaderMap) {
        headers.insert(RATE_LIMIT_POLICY, self.policy);
        headers.insert(RATE_LIMIT, self.now);
    }
}

/// Rounded up, as who comes back too early is refused again; never zero.
fn whole_seconds(wait: Duration) -> u32 {
    let whole = wait
        .as_secs()
        .saturating_add(u64::from(wait.subsec_nanos() > 0));
    u32::try_from(whole).unwrap_or(u32::MAX).max(1)
}

/// Names and numbers alone: that cannot fail.
fn header(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static(""))
}

const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

#[cfg(test)]
mod tests;
