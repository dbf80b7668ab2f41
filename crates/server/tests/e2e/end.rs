//! How a service ends, and how others see whether it runs.

use std::io::Write;
use std::net::TcpStream;

use crate::client::{self, log_in};
use crate::service::{ADMIN, Installation, until};

#[test]
fn it_ends_when_told_to() {
    let installation = Installation::embedded();
    let mut service = installation.start();
    service.terminate();
    assert_eq!(service.wait().code(), Some(0));
}

#[test]
fn a_request_in_flight_is_finished() {
    let installation = Installation::embedded();
    let mut service = installation.start();
    let request = log_in(ADMIN, &installation.password()).written();
    let (begun, rest) = request.split_at(request.len() - 1);
    let mut connection = client::connect(service.address).unwrap();
    connection.write_all(begun.as_bytes()).unwrap();
    // Its head has arrived once another request, sent later on another connection, is answered.
    assert_eq!(service.status("/livez"), 200);
    service.terminate();
    until("it takes no more requests", || {
        TcpStream::connect(service.address).is_err()
    });
    connection.write_all(rest.as_bytes()).unwrap();
    assert_eq!(client::read(connection).unwrap().status, 200);
    assert_eq!(service.wait().code(), Some(0));
}

#[test]
fn a_healthcheck_tells_whether_it_runs() {
    let installation = Installation::embedded();
    let mut service = installation.start();
    let port = service.address.port().to_string();
    let asking = Installation::embedded().with("PORT", &port);
    assert!(asking.run(&["healthcheck"], "").status.success());
    service.terminate();
    service.wait();
    let (status, said) = asking.refusal(&["healthcheck"], "");
    assert_eq!(status, Some(1));
    assert!(said.contains(&port), "{said}");
    assert!(!asking.path("data").exists());
}
