//! How a service ends, and how others see whether it runs.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use rustix::process::Signal;

use crate::client::{self, Answer, Request, ask, log_in, refresh};
use crate::database::free_port;
use crate::service::{ADMIN, Installation, timed, until};

#[test]
fn sigterm_is_unready_first_then_the_end_within_the_grace_period() {
    let installation = Installation::embedded().with("TESSERA_SHUTDOWN_GRACE", "10");
    let mut service = installation.start();
    let (_, token) = service.session(&installation);
    let (status, time) = timed(|| {
        service.terminate();
        until("it says that it is draining", || {
            is_draining(&service.ask(&Request::get("/readyz")))
        });
        assert_eq!(service.ask(&refresh(&token)).status, 200);
        service.wait()
    });
    assert_eq!(status.code(), Some(0));
    assert!(time < Duration::from_secs(10), "{time:?}");
}

#[test]
fn an_interrupt_or_a_second_signal_is_not_kept_waiting() {
    // A fifth of the grace, two seconds, is what the others would wait.
    for signals in [&[Signal::INT][..], &[Signal::TERM, Signal::TERM]] {
        let installation = Installation::embedded();
        let mut service = installation.start();
        let (status, time) = timed(|| {
            for (sent, signal) in signals.iter().enumerate() {
                until("the one before was heard", || {
                    sent == 0 || is_draining(&service.ask(&Request::get("/readyz")))
                });
                service.signal(*signal);
            }
            service.wait()
        });
        assert_eq!(status.code(), Some(0));
        assert!(time < Duration::from_secs(2), "{signals:?}: {time:?}");
    }
}

#[test]
fn a_request_that_never_ends_does_not_outlast_the_grace_period() {
    let installation = Installation::embedded().with("TESSERA_SHUTDOWN_GRACE", "1");
    let mut service = installation.start();
    let mut connection = client::connect(service.address).unwrap();
    let request = log_in(ADMIN, "a password").written();
    let (begun, _) = request.split_at(request.len() - 1);
    connection.write_all(begun.as_bytes()).unwrap();
    assert_eq!(service.status("/livez"), 200);
    let (status, time) = timed(|| {
        service.terminate();
        service.wait()
    });
    assert_eq!(status.code(), Some(0));
    assert!(time < Duration::from_secs(2), "{time:?}");
}

#[test]
fn probes_of_their_own_are_answered_until_the_last_request_is() {
    let probes = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let installation = Installation::embedded().with("TESSERA_METRICS_ADDR", &probes.to_string());
    let mut service = installation.start();
    let request = log_in(ADMIN, &installation.password()).written();
    let (begun, rest) = request.split_at(request.len() - 1);
    let mut connection = client::connect(service.address).unwrap();
    connection.write_all(begun.as_bytes()).unwrap();
    assert_eq!(service.status("/livez"), 200);
    service.terminate();
    until("it takes no more requests", || {
        TcpStream::connect(service.address).is_err()
    });
    assert!(is_draining(&ask(probes, &Request::get("/readyz"))));
    connection.write_all(rest.as_bytes()).unwrap();
    assert_eq!(client::read(connection).unwrap().status, 200);
    assert_eq!(service.wait().code(), Some(0));
}

fn is_draining(answer: &Answer) -> bool {
    answer.status == 503 && answer.text("reason") == "draining"
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
