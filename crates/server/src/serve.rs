//! Serves requests: binds, opens the store, makes what a fresh install needs, and ends in order.

use core::time::Duration;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use actix_web::dev::ServerHandle;
use tessera_http::{Draining, Edge, Metrics, Presentation, Scheme, ServerLimits, Service};
use tessera_http::{Spawner, Surface};
use tokio::runtime::Handle;
use tokio::task::JoinSet;

use crate::config::{Config, Listen};
use crate::data_folder::FolderLock;
use crate::failure::Failure;
use crate::output;
use crate::welcome::{Next, Welcome};
use crate::wiring::{self, KeyRingUse, Wired};

mod first_admin;
mod signals;
mod upkeep;

use signals::Signals;

/// Serves until the process is told to end, then finishes what was begun.
pub(crate) async fn serve(config: &Config) -> Result<(), Failure> {
    let mut signals = Signals::listen().map_err(|error| Failure::because(&error))?;
    let listeners = Listeners::bind(&config.listen)?;
    let runtime = Handle::current();
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
    let next = fresh_install(&wired).await?;

    let draining = Arc::new(Draining::default());
    let service = service(config, &wired, &draining, runtime)?;
    let address = listeners.address;
    let (servers, mut running) = listeners.serve(&service, limits(config))?;
    output::write(&Welcome { address, next }.to_string())?;
    tracing::info!(%address, version = env!("CARGO_PKG_VERSION"), "serving");

    let mut upkeep = upkeep::start(&wired);
    let outcome = tokio::select! {
        () = signals.next() => Ok(()),
        Some(ended) = running.join_next() => Err(Failure::Failed(match ended {
            Ok(Err(error)) => format!("the server ended: {error}"),
            Ok(Ok(())) | Err(_) => "the server ended".to_owned(),
        })),
        failure = upkeep.fatal() => Err(failure),
    };

    draining.begin();
    tracing::info!("finishing requests in flight");
    stop(&servers, &mut running, &mut signals).await;
    drop(upkeep);
    wired.backend.close();
    tracing::info!("ended");
    outcome
}

/// What is listened on.
struct Listeners {
    address: SocketAddr,
    main: TcpListener,
    metrics: Option<TcpListener>,
}

impl Listeners {
    fn bind(listen: &Listen) -> Result<Self, Failure> {
        let main = TcpListener::bind((listen.host.as_str(), listen.port)).map_err(|error| {
            let Listen { host, port, .. } = listen;
            Failure::Failed(if error.kind() == io::ErrorKind::AddrInUse {
                format!("PORT is {port}, which another program uses on {host}: set another")
            } else {
                format!("HOST and PORT are {host} and {port}, which fails: {error}")
            })
        })?;
        let metrics = listen.metrics.map(|address| {
            TcpListener::bind(address).map_err(|error| {
                Failure::Failed(format!(
                    "TESSERA_METRICS_ADDR is {address}, which fails: {error}"
                ))
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

    fn serve(
        self,
        service: &Service,
        limits: ServerLimits,
    ) -> Result<(Vec<ServerHandle>, JoinSet<io::Result<()>>), Failure> {
        let (mut handles, mut running) = (Vec::new(), JoinSet::new());
        let surface = if self.metrics.is_some() {
            Surface::WithoutMetrics
        } else {
            Surface::Everything
        };
        let beside = self.metrics.map(|metrics| {
            let limits = ServerLimits {
                workers: 1,
                ..limits
            };
            (metrics, Surface::MetricsAndProbes, limits)
        });
        for (listener, surface, limits) in [(self.main, surface, limits)].into_iter().chain(beside)
        {
            let server = service.clone().serve(listener, surface, limits);
            let server = server.map_err(|error| Failure::because(&error))?;
            handles.push(server.handle());
            running.spawn(server);
        }
        Ok((handles, running))
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
async fn fresh_install(wired: &Wired) -> Result<Next<'_>, Failure> {
    if !wired.backend.is_embedded() {
        return Ok(Next::Prepare);
    }
    wired.backend.migrate_embedded().await?;
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
    wired: &Wired,
    draining: &Arc<Draining>,
    runtime: Handle,
) -> Result<Service, Failure> {
    let web = &config.web;
    let ports = wired.tessera.ports();
    let metrics = Metrics::new(env!("CARGO_PKG_VERSION"), wired.gauges());
    let metrics = metrics.map_err(|error| Failure::because(&error))?;
    let public_url = config.listen.public_url.as_deref().unwrap_or_default();
    Ok(Service {
        tessera: Arc::clone(&wired.tessera),
        presentation: Presentation {
            refresh_cookie: web.refresh_cookie,
            version: web.app_version.clone(),
        },
        edge: Edge {
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
            request_time: web.request_timeout,
            trusted_proxies: web.trusted_proxies.clone(),
        },
        body_limits: web.body_limits,
        draining: Arc::clone(draining),
        spawner: Spawner::new(runtime),
    })
}

fn limits(config: &Config) -> ServerLimits {
    ServerLimits {
        workers: wiring::cores(),
        head_time: HEAD_TIME.min(config.web.request_timeout),
        keep_alive: KEEP_ALIVE,
        shutdown_grace: config.web.shutdown_grace,
    }
}

/// Stops all servers; a second signal cuts off what still runs.
async fn stop(
    servers: &[ServerHandle],
    running: &mut JoinSet<io::Result<()>>,
    signals: &mut Signals,
) {
    let mut stopping = JoinSet::new();
    for server in servers {
        stopping.spawn(server.stop(true));
    }
    tokio::select! {
        () = async { while running.join_next().await.is_some() {} } => {}
        () = signals.next() => {
            for server in servers {
                stopping.spawn(server.stop(false));
            }
            while running.join_next().await.is_some() {}
        }
    }
}

const HEAD_TIME: Duration = Duration::from_secs(10);
/// Longer than the minute for which load balancers usually keep a connection: who closes first
/// should be the client.
const KEEP_ALIVE: Duration = Duration::from_secs(75);
