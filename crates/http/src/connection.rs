//! The connection of a request, to see whether the client is still there.

use std::any::Any;
use std::io;
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::sync::{Arc, Weak};

use actix_web::HttpRequest;
use actix_web::dev::Extensions;
use actix_web::rt::net;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
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

/// Whether the other end neither reset nor closed it, whatever it sent before. One that closed its own
/// direction alone, as few clients do, has closed it: nothing tells the two apart.
fn is_open(socket: &Weak<TcpStream>) -> bool {
    let Some(socket) = socket.upgrade() else {
        return false;
    };
    let mut asked = [PollFd::new(&*socket, LEFT)];
    // Where that cannot be told, nobody is known to have left.
    let told = poll(&mut asked, Some(&Timespec::default()));
    told.is_err() || asked.iter().all(|it| !it.revents().intersects(LEFT))
}

/// What tells of a close, too, before what was sent ahead of it is read.
#[cfg(target_os = "linux")]
const LEFT: PollFlags = RESET.union(PollFlags::RDHUP);
/// Other systems have no flag for a close, and may not tell it.
#[cfg(not(target_os = "linux"))]
const LEFT: PollFlags = RESET;
const RESET: PollFlags = PollFlags::ERR.union(PollFlags::HUP);

#[cfg(test)]
mod tests {
    use core::time::Duration;
    use std::io::Write;
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
        assert!(closes(&here));
        let (there, here) = connected();
        drop(there);
        assert!(closes(&here));
        let (there, here) = connected();
        reset(there);
        assert!(closes(&here));
        let gone = Arc::downgrade(&connected().1);
        assert!(!is_open(&gone));
    }

    #[test]
    fn a_connection_is_not_open_because_something_is_left_to_read() {
        for leave in [drop, reset] {
            let (mut there, here) = connected();
            there.write_all(b"..").unwrap();
            assert_eq!(here.peek(&mut [0]).unwrap(), 1);
            assert!(is_open(&Arc::downgrade(&here)));
            leave(there);
            assert!(closes(&here));
        }
    }

    fn connected() -> (TcpStream, Arc<TcpStream>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let there = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (there, Arc::new(listener.accept().unwrap().0))
    }

    /// Whether it is heard that the other end is gone; that takes a moment.
    fn closes(here: &Arc<TcpStream>) -> bool {
        let here = Arc::downgrade(here);
        (0..1_000_000).any(|_| {
            thread::yield_now();
            !is_open(&here)
        })
    }

    fn reset(connection: TcpStream) {
        set_socket_linger(&connection, Some(Duration::ZERO)).unwrap();
        drop(connection);
    }
}
