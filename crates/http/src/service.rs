//! The whole application: routes, what surrounds them, and the server that listens.

use core::time::Duration;
use std::io;
use std::net::TcpListener;
use std::sync::Arc;

use actix_web::body::MessageBody;
use actix_web::dev::{Server, ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::web::Data;
use actix_web::{App, Error, HttpServer, web};
use tessera_app::Tessera;

use crate::body::BodyLimits;
use crate::connection;
use crate::envelope::{Edge, Envelope};
use crate::problem::Problem;
use crate::routes::{self, Surface};
use crate::state::{Draining, LaggingTenants, Presentation};

/// The service over HTTP, before it listens.
#[derive(Clone)]
pub struct Service {
    /// The use cases.
    pub tessera: Arc<Tessera>,
    /// How they show themselves.
    pub presentation: Presentation,
    /// What holds for every request.
    pub edge: Edge,
    /// How much of a body is read.
    pub body_limits: BodyLimits,
    /// Whether the process is about to end.
    pub draining: Arc<Draining>,
    /// The tenants that may not be served in full.
    pub lagging: Arc<LaggingTenants>,
}

/// How a server treats its connections.
#[derive(Clone, Copy, Debug)]
pub struct ServerLimits {
    /// The threads that serve connections.
    pub workers: usize,
    /// The most time for the head of a request to arrive; then 408.
    pub head_time: Duration,
    /// How long an idle connection is kept.
    pub keep_alive: Duration,
    /// How long requests in flight may take once the server stops.
    pub shutdown_grace: Duration,
}

impl Service {
    /// Serves on `listener` what `surface` has, until the server's handle stops it.
    ///
    /// Must be called within a tokio runtime; signals are left to the caller.
    pub fn serve(
        self,
        listener: TcpListener,
        surface: Surface,
        limits: ServerLimits,
    ) -> io::Result<Server> {
        let server = HttpServer::new(move || self.app(surface))
            .on_connect(connection::keep)
            .workers(limits.workers)
            .client_request_timeout(limits.head_time)
            .client_disconnect_timeout(Duration::from_secs(1))
            .keep_alive(limits.keep_alive)
            .shutdown_timeout(limits.shutdown_grace.as_secs().max(1))
            .disable_signals()
            .listen(listener)?
            .run();
        Ok(server)
    }

    /// One worker's copy of the application.
    pub fn app(
        &self,
        surface: Surface,
    ) -> App<
        impl ServiceFactory<
            ServiceRequest,
            Config = (),
            Response = ServiceResponse<impl MessageBody + use<>>,
            Error = Error,
            InitError = (),
        > + use<>,
    > {
        let edge = Arc::new(self.edge.clone());
        App::new()
            .app_data(Data::from(Arc::clone(&self.tessera)))
            .app_data(Data::from(Arc::clone(&self.draining)))
            .app_data(Data::from(Arc::clone(&self.lagging)))
            .app_data(Data::from(Arc::clone(&edge)))
            .app_data(Data::new(self.presentation.clone()))
            .app_data(self.body_limits)
            .configure(|config| routes::configure(config, surface))
            .default_service(web::to(|| async {
                Err::<actix_web::HttpResponse, Problem>(Problem::NotFound)
            }))
            .wrap(Envelope(edge))
    }
}
