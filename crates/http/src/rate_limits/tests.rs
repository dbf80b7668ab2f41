use std::collections::BTreeSet;

use tessera_memory::ManualClock;

use super::*;
use crate::openapi::document;
use crate::routes::endpoints;

fn limits(clock: &ManualClock) -> RateLimits {
    let clock: Arc<dyn Clock> = Arc::new(clock.clone());
    RateLimits::new(&clock, 2)
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn tenant(number: u8) -> Id<Tenant> {
    Id::new(tessera_domain::Timestamp::from_secs(1), [number; 10])
}

/// How many of a group one address can send at once.
fn at_once(limits: &RateLimits, group: Group, from: &str) -> u32 {
    let from = address(from);
    (0..=u32::MAX)
        .find(|_| limits.take_of_address(group, from).is_err())
        .unwrap()
}

#[test]
fn each_group_lets_through_what_the_documentation_says() {
    let thousands = |number: u32| match number / 1_000 {
        0 => number.to_string(),
        thousands => format!("{thousands},{:03}", number % 1_000),
    };
    let written = |it: Allowance| {
        let requests = thousands(it.requests.get());
        format!("{requests} in {} s", thousands(it.seconds))
    };
    for group in Group::ALL {
        let of_tenant = match group.of_tenant(1) {
            None => "none".to_owned(),
            Some(one) if group.of_tenant(2).unwrap().requests != one.requests => {
                written(one) + " for each hash thread"
            }
            Some(same) => written(same),
        };
        let row = PAGE
            .lines()
            .find(|line| line.starts_with(&format!("| `{}` ", group.name())))
            .unwrap();
        let cells = format!("| {} | {of_tenant} |", written(group.of_address()));
        assert!(row.ends_with(&cells), "{row}\n{cells}");
    }
}

#[test]
fn each_group_has_the_routes_that_the_documentation_says() {
    for group in Group::ALL {
        let head = format!("- `{}`: ", group.name());
        let mut lines = PAGE.lines().skip_while(|line| !line.starts_with(&head));
        let first = lines.next().unwrap().to_owned();
        let wrapped = lines.take_while(|line| line.starts_with("  "));
        let written = wrapped.fold(first, |so_far, line| so_far + line);
        let written: BTreeSet<&str> = written
            .split('`')
            .filter(|text| text.starts_with('/'))
            .collect();
        let endpoints = endpoints();
        let served = endpoints.iter().filter(|it| it.limits == Some(group));
        let served: BTreeSet<&str> = served.flat_map(|it| it.paths).copied().collect();
        assert_eq!(written, served, "{group:?}");
    }
}

#[test]
fn what_is_limited_is_documented_as_such_and_nothing_else() {
    let document = document("1");
    for endpoint in endpoints() {
        for path in endpoint.paths {
            for verb in &endpoint.verbs {
                let method = verb.method.as_str().to_lowercase();
                let responses = &document["paths"][path][&method]["responses"];
                let done = ["200", "201", "202", "204"];
                assert!(done.iter().any(|status| responses[status].is_object()));
                assert_eq!(
                    responses["429"].is_object(),
                    endpoint.limits.is_some(),
                    "{method} {path}"
                );
            }
        }
    }
}

#[test]
fn a_tenant_may_send_much_more_than_an_address() {
    for group in Group::ALL {
        let (address, tenant) = (group.of_address(), group.of_tenant(1));
        assert!(
            tenant.is_none_or(|tenant| tenant.interval() * 5 <= address.interval()),
            "{group:?}"
        );
    }
}

#[test]
fn a_bucket_holds_its_number_and_fills_up_steadily() {
    for group in Group::ALL {
        let clock = ManualClock::default();
        let (limits, allowance) = (limits(&clock), group.of_address());
        let whole = allowance.requests.get();
        assert_eq!(at_once(&limits, group, "192.0.2.1"), whole);
        clock.advance(allowance.interval() + Duration::from_micros(1));
        assert_eq!(at_once(&limits, group, "192.0.2.1"), 1);
        clock.advance(Duration::from_secs(allowance.seconds.into()));
        assert_eq!(at_once(&limits, group, "192.0.2.1"), whole);
        clock.advance(Duration::from_hours(100));
        assert_eq!(at_once(&limits, group, "192.0.2.1"), whole);
    }
}

#[test]
fn groups_addresses_and_tenants_have_buckets_of_their_own() {
    let limits = limits(&ManualClock::default());
    at_once(&limits, Group::LogIn, "192.0.2.1");
    for other in Group::ALL {
        let taken = limits.take_of_address(other, address("192.0.2.1"));
        assert_eq!(taken.is_ok(), other != Group::LogIn, "{other:?}");
    }
    assert!(
        limits
            .take_of_address(Group::LogIn, address("192.0.2.2"))
            .is_ok()
    );
    let take = |number| limits.take_of_tenant(Group::LogIn, tenant(number));
    let through = (0..=u32::MAX).find(|_| take(1).is_err()).unwrap();
    assert_eq!(through, 3_600);
    assert!(take(2).is_ok());
    assert!(limits.take_of_tenant(Group::Mail, tenant(1)).is_ok());
}

#[test]
fn neighbours_in_an_ipv6_network_of_64_bits_share_a_bucket() {
    let limits = limits(&ManualClock::default());
    at_once(&limits, Group::Mail, "2001:db8:1:2::1");
    let take = |from| limits.take_of_address(Group::Mail, address(from)).is_ok();
    assert!(!take("2001:db8:1:2:ffff:ffff:ffff:ffff"));
    assert!(take("2001:db8:1:3::1"));
}

#[test]
fn an_ipv4_address_is_the_same_however_it_is_written() {
    let limits = limits(&ManualClock::default());
    at_once(&limits, Group::Mail, "::ffff:192.0.2.1");
    assert!(
        limits
            .take_of_address(Group::Mail, address("192.0.2.1"))
            .is_err()
    );
    assert!(
        limits
            .take_of_address(Group::Mail, address("::ffff:192.0.2.2"))
            .is_ok()
    );
}

#[test]
fn who_comes_back_when_told_gets_through() {
    for group in Group::ALL {
        let clock = ManualClock::default();
        let limits = limits(&clock);
        at_once(&limits, group, "192.0.2.1");
        let take = || limits.take_of_address(group, address("192.0.2.1"));
        let wait = take().unwrap_err().seconds;
        assert_eq!(wait, whole_seconds(group.of_address().interval()));
        clock.advance(Duration::from_secs(wait.into()));
        assert!(take().is_ok(), "{group:?}");
    }
}

#[test]
fn a_clock_that_is_set_back_locks_nobody_out() {
    let clock = ManualClock::default();
    let limits = limits(&clock);
    at_once(&limits, Group::LogIn, "192.0.2.1");
    clock.set(clock.now() - Duration::from_hours(24));
    let take = || limits.take_of_address(Group::LogIn, address("192.0.2.1"));
    let wait = take().unwrap_err().seconds;
    assert_eq!(wait, 1);
    clock.advance(Duration::from_secs(1));
    assert!(take().is_ok());
}

const PAGE: &str = include_str!("../../../../docs/rate-limits.md");
