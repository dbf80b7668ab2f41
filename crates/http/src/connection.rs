//! The connection of a request, to see whether the client is still there.

use std::any::Any;
use std::io;
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::sync::{Arc, Weak};

use actix_web::HttpRequest;
use actix_web::dev::Extensions;
use actix_web::rt::net;
use tessera_app::Waiter;

/// Keeps a handle on a connection that begins; one descriptor each.
pub(crate) fn keep(socket: &dyn Any, data: &mut Extensions) {
    let Some(socket) = socket.downcast_ref() else {
        return;
    };
    match Connection::of(socket) {
        Ok(connection) => {
            data.insert(connection);
        }
        Err(error) => tracing::debug!(%error, "whether a client leaves will not be seen"),
    }
}

/// Whoever sent `request`, as long as the answer is kept waiting for.
pub(crate) fn waiter(request: &HttpRequest) -> Waiter {
    let Some(Connection(socket)) = request.conn_data() else {
        return Waiter::default();
    };
    let socket = Arc::downgrade(socket);
    Waiter::new(move || is_open(&socket))
}

/// A second handle on a connection's socket.
///
/// actix-http drops the handler when a client resets its connection, but not where it reads request
/// and reset together, nor when the client closes.
struct Connection(Arc<TcpStream>);

impl Connection {
    fn of(socket: &net::TcpStream) -> io::Result<Self> {
        let handle = socket.as_fd().try_clone_to_owned()?;
        Ok(Self(Arc::new(handle.into())))
    }
}

/// Whether the other end neither reset nor closed it. One that closed its own direction alone, as few
/// clients do, has closed it: nothing tells the two apart.
fn is_open(socket: &Weak<TcpStream>) -> bool {
    let Some(socket) = socket.upgrade() else {
        return false;
    };
    let open = match socket.peek(&mut [0]) {
        Ok(read) => read > 0,
        Err(error) => error.kind() == io::ErrorKind::WouldBlock,
    };
    // Behind a request that was sent along, a reset is not seen by reading. Nor is a close, but
    // actix-http reads until it comes to that.
    open && socket.peer_addr().is_ok()
}

#[cfg(test)]
mod tests {
    use core::time::Duration;
    use std::io::{Read, Write};
    use std::net::{Shutdown, TcpListener};
    use std::thread;

    use rustix::net::sockopt::set_socket_linger;

    use super::*;

    #[test]
    fn a_connection_is_open_until_its_other_end_closes_or_resets_it() {
        let (_there, here) = connected();
        assert!(is_open(&Arc::downgrade(&here)));
        let (there, here) = connected();
        there.shutdown(Shutdown::Write).unwrap();
        assert!(!is_open(&ended(&here)));
        let (there, here) = connected();
        drop(there);
        assert!(!is_open(&ended(&here)));
        let (there, here) = connected();
        reset(there);
        until_reset(&here);
        assert!(!is_open(&Arc::downgrade(&here)));
        let gone = Arc::downgrade(&connected().1);
        assert!(!is_open(&gone));
    }

    #[test]
    fn a_connection_that_was_reset_is_not_open_though_something_is_left_to_read() {
        let (mut there, here) = connected();
        there.write_all(b"..").unwrap();
        here.set_nonblocking(false).unwrap();
        (&*here).read_exact(&mut [0]).unwrap();
        here.set_nonblocking(true).unwrap();
        let waits = Arc::downgrade(&here);
        assert!(is_open(&waits));
        reset(there);
        until_reset(&here);
        assert!(!is_open(&waits));
    }

    fn connected() -> (TcpStream, Arc<TcpStream>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let there = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (here, _) = listener.accept().unwrap();
        here.set_nonblocking(true).unwrap();
        (there, Arc::new(here))
    }

    /// Once it is heard that the other end is gone.
    fn ended(here: &Arc<TcpStream>) -> Weak<TcpStream> {
        here.set_nonblocking(false).unwrap();
        let heard = (&**here).read(&mut [0]);
        assert!(!matches!(heard, Ok(1..)), "{heard:?}");
        here.set_nonblocking(true).unwrap();
        Arc::downgrade(here)
    }

    fn until_reset(here: &TcpStream) {
        let looks = (0..1_000_000).map(|_| {
            thread::yield_now();
            here.peer_addr()
        });
        assert!(looks.take_while(Result::is_ok).count() < 1_000_000);
    }

    fn reset(connection: TcpStream) {
        set_socket_linger(&connection, Some(Duration::ZERO)).unwrap();
        drop(connection);
    }
}
