//! What Prometheus reads.

use core::cell::RefCell;
use core::time::Duration;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use actix_web::http::{Method, StatusCode};
use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, Opts, Registry, TextEncoder,
};

use crate::rate_limits::{Group, Who};

/// The meters of a process.
pub struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    durations: HistogramVec,
    logins: IntCounterVec,
    rate_limited: IntCounterVec,
    gauges: Vec<(prometheus::Gauge, Reading)>,
}

/// A value that is read when Prometheus asks.
pub struct Gauge {
    /// Its name, with its unit.
    pub name: &'static str,
    /// What it measures.
    pub help: &'static str,
    /// What tells it from others of its name; all of one name have the same keys.
    pub labels: Vec<(&'static str, &'static str)>,
    /// Reads it; cheap, and never waits.
    pub read: Reading,
}

/// Reads a value.
pub type Reading = Box<dyn Fn() -> f64 + Send + Sync>;

/// How a log in ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum LogInResult {
    /// It could not be decided: too much to do, or something unavailable.
    Failed,
    /// The credentials were not right, or may not be used.
    Refused,
    /// A session began.
    Succeeded,
}

impl Metrics {
    /// Meters of the program of that version, with gauges of what lies outside this crate.
    pub fn new(version: &str, gauges: Vec<Gauge>) -> Result<Self, MetricsError> {
        let requests = IntCounterVec::new(
            Opts::new("tessera_http_requests_total", "Requests answered."),
            &["route", "method", "status"],
        )?;
        let durations = HistogramVec::new(
            HistogramOpts::new(
                "tessera_http_request_duration_seconds",
                "From the head of a request to the head of its answer.",
            )
            .buckets(BUCKETS.to_vec()),
            &["route"],
        )?;
        let logins = IntCounterVec::new(
            Opts::new("tessera_logins_total", "Log ins by result."),
            &["result"],
        )?;
        let rate_limited = IntCounterVec::new(
            Opts::new(
                "tessera_rate_limited_total",
                "Requests refused because an address or a tenant sent too many.",
            ),
            &["group", "by"],
        )?;
        let build = Opts::new("tessera_build_info", "The version that runs.")
            .const_label("version", version);
        let build = prometheus::Gauge::with_opts(build)?;
        build.set(1.0);
        let registry = Registry::new();
        registry.register(Box::new(requests.clone()))?;
        registry.register(Box::new(durations.clone()))?;
        registry.register(Box::new(logins.clone()))?;
        registry.register(Box::new(rate_limited.clone()))?;
        registry.register(Box::new(build))?;
        let mut readings = Vec::with_capacity(gauges.len());
        for gauge in gauges {
            readings.push((gauge.register(&registry)?, gauge.read));
        }
        let metrics = Self {
            registry,
            requests,
            durations,
            logins,
            rate_limited,
            gauges: readings,
        };
        // A rate needs the zero before the first one.
        for result in [
            LogInResult::Failed,
            LogInResult::Refused,
            LogInResult::Succeeded,
        ] {
            metrics.logins.with_label_values(&[result.label()]).reset();
        }
        for (group, who) in Group::ALL
            .iter()
            .flat_map(|group| Who::ALL.map(|who| (group, who)))
        {
            let labels = [group.name(), who.name()];
            metrics.rate_limited.with_label_values(&labels).reset();
        }
        Ok(metrics)
    }

    /// Counts a log in.
    pub(crate) fn logged_in(&self, result: LogInResult) {
        self.logins.with_label_values(&[result.label()]).inc();
    }

    /// Counts a request that was one too many.
    pub(crate) fn rate_limited(&self, group: Group, who: Who) {
        let labels = [group.name(), who.name()];
        self.rate_limited.with_label_values(&labels).inc();
    }

    /// Everything, in the text format of Prometheus.
    pub fn render(&self) -> Result<String, MetricsError> {
        for (gauge, read) in &self.gauges {
            gauge.set(read());
        }
        Ok(TextEncoder::new().encode_to_string(&self.registry.gather())?)
    }
}

impl Gauge {
    fn register(&self, registry: &Registry) -> Result<prometheus::Gauge, prometheus::Error> {
        let named = Opts::new(self.name, self.help);
        let labels = self.labels.iter();
        let options = labels.fold(named, |options, (key, value)| {
            options.const_label(*key, *value)
        });
        let gauge = prometheus::Gauge::with_opts(options)?;
        registry.register(Box::new(gauge.clone()))?;
        Ok(gauge)
    }
}

impl LogInResult {
    fn label(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Refused => "refused",
            Self::Succeeded => "succeeded",
        }
    }
}

/// The meters cannot be made as asked, or not be written down.
#[derive(Debug, thiserror::Error)]
#[error("metrics: {0}")]
pub struct MetricsError(#[from] prometheus::Error);

/// The meters of each route as one worker found them: a look-up by labels takes a lock.
pub(crate) struct RouteMeters {
    metrics: Arc<Metrics>,
    routes: RefCell<HashMap<String, Rc<RouteMeter>>>,
}

/// The meters of one route, as one worker found them.
pub(crate) struct RouteMeter {
    route: String,
    duration: Histogram,
    counters: RefCell<Vec<(&'static str, StatusCode, IntCounter)>>,
}

impl RouteMeters {
    /// None found yet.
    pub(crate) fn new(metrics: Arc<Metrics>) -> Self {
        Self {
            metrics,
            routes: RefCell::default(),
        }
    }

    /// The meters of the route with that pattern, if an answer of it was counted before.
    pub(crate) fn known(&self, route: &str) -> Option<Rc<RouteMeter>> {
        self.routes.borrow().get(route).cloned()
    }

    /// The meters of the route with that pattern.
    pub(crate) fn of(&self, route: &str) -> Rc<RouteMeter> {
        if let Some(meter) = self.known(route) {
            return meter;
        }
        let meter = Rc::new(RouteMeter {
            route: route.to_owned(),
            duration: self.metrics.durations.with_label_values(&[route]),
            counters: RefCell::default(),
        });
        let mut routes = self.routes.borrow_mut();
        routes.insert(route.to_owned(), Rc::clone(&meter));
        meter
    }

    /// Counts an answer.
    pub(crate) fn answered(
        &self,
        meter: &RouteMeter,
        method: &Method,
        status: StatusCode,
        took: Duration,
    ) {
        meter.duration.observe(took.as_secs_f64());
        let method = method_label(method);
        let mut counters = meter.counters.borrow_mut();
        let known = counters
            .iter()
            .find(|(of, with, _)| *with == status && *of == method);
        if let Some((_, _, counter)) = known {
            counter.inc();
            return;
        }
        let requests = &self.metrics.requests;
        let counter = requests.with_label_values(&[&meter.route, method, status.as_str()]);
        counter.inc();
        counters.push((method, status, counter));
    }
}

impl RouteMeter {
    /// The pattern of the route.
    pub(crate) fn route(&self) -> &str {
        &self.route
    }
}

/// A client may invent methods, and each would be a time series.
fn method_label(method: &Method) -> &'static str {
    const KNOWN: [&str; 9] = [
        "GET", "POST", "OPTIONS", "HEAD", "DELETE", "PUT", "PATCH", "CONNECT", "TRACE",
    ];
    let known = KNOWN.into_iter().find(|known| *known == method.as_str());
    known.unwrap_or("other")
}

const BUCKETS: [f64; 14] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(metrics: &Metrics, beginning: &str) -> Vec<String> {
        let text = metrics.render().unwrap();
        let lines = text.lines().filter(|line| line.starts_with(beginning));
        lines.map(str::to_owned).collect()
    }

    #[test]
    fn answers_are_counted_by_route_method_and_status() {
        let metrics = Arc::new(Metrics::new("1.2.3", Vec::new()).unwrap());
        for worker in [0, 1] {
            let meters = RouteMeters::new(Arc::clone(&metrics));
            for status in [StatusCode::OK, StatusCode::OK, StatusCode::NOT_FOUND] {
                meters.answered(
                    &meters.of("/a/{id}/"),
                    &Method::GET,
                    status,
                    Duration::from_millis(2),
                );
            }
            assert!(meters.known("/a/{id}/").is_some(), "{worker}");
        }
        assert_eq!(
            lines(&metrics, "tessera_http_requests_total"),
            [
                r#"tessera_http_requests_total{method="GET",route="/a/{id}/",status="200"} 4"#,
                r#"tessera_http_requests_total{method="GET",route="/a/{id}/",status="404"} 2"#,
            ]
        );
        let slow =
            r#"tessera_http_request_duration_seconds_bucket{route="/a/{id}/",le="0.0025"} 6"#;
        assert_eq!(lines(&metrics, slow).len(), 1);
    }

    #[test]
    fn an_invented_method_is_no_time_series() {
        let metrics = Arc::new(Metrics::new("1", Vec::new()).unwrap());
        let meters = RouteMeters::new(Arc::clone(&metrics));
        for method in ["BREW", "POUR"] {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            meters.answered(
                &meters.of("unmatched"),
                &method,
                StatusCode::NOT_FOUND,
                Duration::ZERO,
            );
        }
        assert_eq!(
            lines(&metrics, "tessera_http_requests_total"),
            [r#"tessera_http_requests_total{method="other",route="unmatched",status="404"} 2"#]
        );
    }

    #[test]
    fn log_ins_are_counted_from_zero() {
        let metrics = Metrics::new("1", Vec::new()).unwrap();
        metrics.logged_in(LogInResult::Refused);
        assert_eq!(
            lines(&metrics, "tessera_logins_total"),
            [
                r#"tessera_logins_total{result="failed"} 0"#,
                r#"tessera_logins_total{result="refused"} 1"#,
                r#"tessera_logins_total{result="succeeded"} 0"#,
            ]
        );
    }

    #[test]
    fn refused_requests_are_counted_from_zero() {
        let metrics = Metrics::new("1", Vec::new()).unwrap();
        metrics.rate_limited(Group::LogIn, Who::Address);
        let of_log_in: Vec<_> = lines(&metrics, "tessera_rate_limited_total")
            .into_iter()
            .filter(|line| line.contains("log-in"))
            .collect();
        assert_eq!(
            of_log_in,
            [
                r#"tessera_rate_limited_total{by="address",group="log-in"} 1"#,
                r#"tessera_rate_limited_total{by="tenant",group="log-in"} 0"#,
            ]
        );
    }

    #[test]
    fn a_gauge_is_read_when_it_is_asked_for() {
        let gauge = |state, value| Gauge {
            name: "tessera_store_connections",
            help: "Connections of the pool.",
            labels: vec![("state", state)],
            read: Box::new(move || value),
        };
        let gauges = vec![gauge("idle", 3.0), gauge("busy", 1.0)];
        let metrics = Metrics::new("1.2.3", gauges).unwrap();
        assert_eq!(
            lines(&metrics, "tessera_store_connections"),
            [
                r#"tessera_store_connections{state="busy"} 1"#,
                r#"tessera_store_connections{state="idle"} 3"#,
            ]
        );
        assert_eq!(
            lines(&metrics, "tessera_build_info"),
            [r#"tessera_build_info{version="1.2.3"} 1"#]
        );
    }
}
