//! Serves requests: binds, opens the store, makes what a fresh install needs, and ends in order.

use core::time::Duration;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use tessera_http::{AccessLog, Draining, Edge, Gauge, LaggingTenants, Metrics, Presentation};
use tessera_http::{RateLimits, Scheme, ServerLimits, Service, Surface};
use tokio::runtime::Handle;

use crate::config::{Config, Listen};
use crate::data_folder::FolderLock;
use crate::failure::Failure;
use crate::mailer;
use crate::output;
use crate::publishers;
use crate::welcome::{Next, Welcome};
use crate::wiring::{self, KeyRingUse, Wired};

mod ending;
mod first_admin;
mod mails;
mod open_files;
mod relays;
mod signals;
mod troubles;
mod upkeep;

use ending::{Grace, PROBES, Servers};
use mails::{MailFigures, Mails};
use relays::{Figures, Relays};
use signals::Signals;

/// Serves until the process is told to end, then finishes what was begun.
pub(crate) async fn serve(config: &Config, access_log: &Arc<dyn AccessLog>) -> Result<(), Failure> {
    let mut signals = Signals::listen().map_err(|error| Failure::because(&error))?;
    if let Err(error) = open_files::take_all() {
        tracing::warn!(%error, "the limit of open files (ulimit -n) stays as it is");
    }
    let listeners = Listeners::bind(&config.listen)?;
    let runtime = Handle::current();
    let mailer = mailer::open(config, &runtime)?;
    let wired = wiring::wire(
        config,
        listeners.address.port(),
        KeyRingUse::Opened,
        &runtime,
    )?;
    for notice in config.notices.iter().chain(&wired.notices) {
        tracing::warn!("{notice}");
    }
    let _lock = lock(&wired)?;
    let publishers = publishers::open(config, &runtime)?;
    let next = fresh_install(config, &wired).await?;

    let states = States::default();
    let figures: Vec<Arc<Figures>> = publishers
        .iter()
        .map(|publisher| Arc::new(Figures::new(publisher.name())))
        .collect();
    let mail_figures = Arc::new(MailFigures::default());
    let mut gauges = wired.gauges();
    gauges.extend(figures.iter().flat_map(Figures::gauges));
    gauges.extend(MailFigures::gauges(&mail_figures));
    gauges.push(states.gauge());
    let service = service(config, access_log, &wired, gauges, &states)?;
    let address = listeners.address;
    let grace = Grace::new(config.web.shutdown_grace);
    let mut servers = listeners.serve(&service, limits(config, grace))?;
    output::write(
        &Welcome {
            address,
            mails: mailer::folder(config),
            next,
        }
        .to_string(),
    )?;
    tracing::info!(%address, version = env!("CARGO_PKG_VERSION"), "serving");

    let retention = config.audit_retention;
    let mut upkeep = upkeep::start(&wired, &config.events, retention, &states.lagging);
    let relays = Relays::start(
        &wired,
        &publishers,
        &figures,
        &config.events,
        grace.flush() / 3,
    );
    let mails = Mails::start(&wired, mailer, &mail_figures);
    let outcome = tokio::select! {
        asked = signals.next() => Ok(asked),
        Some(ended) = servers.running.join_next() => Err(Failure::Failed(match ended {
            Ok(Err(error)) => format!("the server ended: {error}"),
            Ok(Ok(())) | Err(_) => "the server ended".to_owned(),
        })),
        failure = upkeep.fatal() => Err(failure),
    };

    states.draining.begin();
    let asked = outcome.as_ref().ok().copied();
    servers.end(asked, grace, &mut signals).await;
    drop(upkeep);
    tokio::join!(relays.flush(grace.flush()), mails.end(grace.flush()));
    wired.backend.close();
    tracing::info!("ended");
    outcome.map(|_| ())
}

/// What probes tell beside what they find out.
#[derive(Default)]
struct States {
    draining: Arc<Draining>,
    lagging: Arc<LaggingTenants>,
}

impl States {
    fn gauge(&self) -> Gauge {
        let lagging = Arc::clone(&self.lagging);
        Gauge {
            name: "tessera_lagging_tenants",
            help: "Tenants whose tables are not those of this version.",
            labels: Vec::new(),
            read: Box::new(move || wiring::count(lagging.count())),
        }
    }
}

/// What is listened on.
struct Listeners {
    address: SocketAddr,
    main: TcpListener,
    metrics: Option<TcpListener>,
}

impl Listeners {
    fn bind(listen: &Listen) -> Result<Self, Failure> {
        let Listen { host, port, .. } = listen;
        let main = TcpListener::bind((host.as_str(), *port)).map_err(|error| {
            let taken = format!("PORT is {port}, which another program uses on {host}");
            refused(
                &error,
                &taken,
                &format!("HOST and PORT are {host} and {port}"),
            )
        })?;
        let metrics = listen.metrics.map(|address| {
            TcpListener::bind(address).map_err(|error| {
                let set = format!("TESSERA_METRICS_ADDR is {address}");
                refused(&error, &format!("{set}, which another program uses"), &set)
            })
        });
        Ok(Self {
            address: main
                .local_addr()
                .map_err(|error| Failure::because(&error))?,
            main,
            metrics: metrics.transpose()?,
        })
    }

    fn serve(self, service: &Service, limits: ServerLimits) -> Result<Servers, Failure> {
        let mut servers = Servers::default();
        let surface = if self.metrics.is_some() {
            Surface::WithoutMetrics
        } else {
            Surface::Everything
        };
        let beside = self.metrics.map(|metrics| {
            let limits = ServerLimits {
                workers: 1,
                shutdown_grace: PROBES,
                ..limits
            };
            (metrics, Surface::MetricsAndProbes, limits)
        });
        for (listener, surface, limits) in [(self.main, surface, limits)].into_iter().chain(beside)
        {
            let server = service.clone().serve(listener, surface, limits);
            let server = server.map_err(|error| Failure::because(&error))?;
            servers.handles.push(server.handle());
            servers.running.spawn(server);
        }
        Ok(servers)
    }
}

/// An address that is taken may be free another time; one that fails otherwise is wrong.
fn refused(error: &io::Error, taken: &str, set: &str) -> Failure {
    if error.kind() == io::ErrorKind::AddrInUse {
        Failure::Failed(format!("{taken}: set another"))
    } else {
        Failure::Misused(format!("{set}, which fails: {error}"))
    }
}

/// Two services on one file would each make its own keys and prune the other's sessions.
fn lock(wired: &Wired) -> Result<Option<FolderLock>, Failure> {
    match &wired.folder {
        Some(folder) if wired.backend.is_embedded() => folder.lock().map(Some),
        Some(_) | None => Ok(None),
    }
}

/// Makes what an embedded store needs to be used at once.
async fn fresh_install<'w>(config: &Config, wired: &'w Wired) -> Result<Next<'w>, Failure> {
    if !wired.backend.is_embedded() {
        return Ok(Next::Prepare);
    }
    wired.backend.migrate_embedded(&config.events).await?;
    wired.backend.enrol(&config.events).await?;
    wired.tessera.prepare().await?;
    let Some(folder) = &wired.folder else {
        return Ok(Next::Work);
    };
    first_admin::make(&wired.tessera, folder).await?;
    let told = folder.initial_admin().exists();
    Ok(if told { Next::Try(folder) } else { Next::Work })
}

fn service(
    config: &Config,
    access_log: &Arc<dyn AccessLog>,
    wired: &Wired,
    gauges: Vec<Gauge>,
    states: &States,
) -> Result<Service, Failure> {
    let web = &config.web;
    let ports = wired.tessera.ports();
    let metrics = Metrics::new(env!("CARGO_PKG_VERSION"), gauges);
    let metrics = metrics.map_err(|error| Failure::because(&error))?;
    let public_url = config.listen.public_url.as_deref().unwrap_or_default();
    Ok(Service {
        tessera: Arc::clone(&wired.tessera),
        presentation: Presentation {
            asyncapi: tessera_wire::asyncapi().into(),
            refresh_cookie: web.refresh_cookie,
            version: web.app_version.clone(),
        },
        edge: Edge {
            access_log: Arc::clone(access_log),
            allowed_hosts: web.allowed_hosts.clone(),
            allowed_origins: web.allowed_origins.clone(),
            clock: Arc::clone(&ports.clock),
            entropy: Arc::clone(&ports.entropy),
            metrics: Arc::new(metrics),
            public_scheme: if public_url.starts_with("https:") {
                Scheme::Https
            } else {
                Scheme::Http
            },
            rate_limits: web
                .rate_limits
                .then(|| Arc::new(RateLimits::new(&ports.clock, wired.hash_threads()))),
            request_time: web.request_timeout,
            trusted_proxies: web.trusted_proxies.clone(),
        },
        body_limits: web.body_limits,
        draining: Arc::clone(&states.draining),
        lagging: Arc::clone(&states.lagging),
    })
}

fn limits(config: &Config, grace: Grace) -> ServerLimits {
    ServerLimits {
        workers: wiring::cores(),
        head_time: HEAD_TIME.min(config.web.request_timeout),
        keep_alive: KEEP_ALIVE,
        shutdown_grace: grace.requests(),
    }
}

const HEAD_TIME: Duration = Duration::from_secs(10);
/// Longer than the minute for which load balancers usually keep a connection: who closes first
/// should be the client.
const KEEP_ALIVE: Duration = Duration::from_secs(75);
