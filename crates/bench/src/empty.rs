//! A bare actix server with one route that answers an empty 200: what HTTP costs at least.

use std::net::TcpListener;
use std::thread;

use actix_web::{App, HttpResponse, HttpServer, web};

use crate::Failure;

/// The first argument that makes this program that server.
pub(crate) const COMMAND: &str = "serve-empty";

/// Serves until it is killed; the first line printed is the address.
pub(crate) fn serve() -> Result<(), Failure> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    println!("{}", listener.local_addr()?);
    // As many workers as the service has.
    let workers = thread::available_parallelism()?.get();
    let server = || {
        let answer = || async { HttpResponse::Ok().finish() };
        HttpServer::new(move || App::new().route("/", web::get().to(answer)))
            .workers(workers)
            .listen(listener)
    };
    Ok(actix_web::rt::System::new().block_on(async { server()?.run().await })?)
}
