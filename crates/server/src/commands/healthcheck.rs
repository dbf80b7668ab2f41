//! `tessera healthcheck`: asks the running service, for an image that has no shell and no curl.

use core::time::Duration;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpStream, ToSocketAddrs};

use serde_json::json;

use crate::config::Listen;
use crate::failure::Failure;
use crate::output::Output;
use crate::welcome::reachable;

pub(super) fn run(listen: &Listen, output: Output) -> Result<(), Failure> {
    let Listen { host, port, .. } = listen;
    let status = status_line(host, *port).map_err(|error| {
        Failure::Failed(format!(
            "nothing answers where HOST and PORT say ({host}, {port}): {error}"
        ))
    })?;
    if status.split(' ').nth(1) != Some("200") {
        return Err(Failure::Failed(format!(
            "the service answers {}",
            status.trim_end()
        )));
    }
    output.one(&json!({ "status": "healthy" }))
}

fn status_line(host: &str, port: u16) -> io::Result<String> {
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for address in (host, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&reachable(address), PATIENCE) {
            Ok(connection) => return ask(connection),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn ask(mut connection: TcpStream) -> io::Result<String> {
    connection.set_read_timeout(Some(PATIENCE))?;
    connection.set_write_timeout(Some(PATIENCE))?;
    connection.write_all(b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut status = String::new();
    BufReader::new(connection).read_line(&mut status)?;
    Ok(status)
}

const PATIENCE: Duration = Duration::from_secs(2);
