//! A proxy between the service and Postgres that counts round trips.
//!
//! It holds every answer back for a while. What the service sends meanwhile it sent without having
//! seen the answer, so it belongs to the same round trip; what it sends first after an answer
//! begins the next one.

use core::time::Duration;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::Failure;

/// How long an answer is held back.
pub(crate) const DELAY: Duration = Duration::from_millis(20);

/// How many round trips began so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct RoundTrips(Arc<AtomicU32>);

impl RoundTrips {
    pub(crate) fn count(&self) -> u32 {
        self.0.load(Ordering::SeqCst)
    }
}

/// Passes on whatever comes to `listener`, until it is dropped.
pub(crate) async fn serve(
    listener: TcpListener,
    postgres: SocketAddr,
    trips: RoundTrips,
) -> Result<(), Failure> {
    let mut connections = JoinSet::new();
    loop {
        let (service, _) = listener.accept().await?;
        let postgres = TcpStream::connect(postgres).await?;
        service.set_nodelay(true)?;
        postgres.set_nodelay(true)?;
        let (from_service, to_service) = service.into_split();
        let (from_postgres, to_postgres) = postgres.into_split();
        let answered = Arc::new(AtomicBool::new(true));
        let trips = (trips.clone(), Arc::clone(&answered));
        connections.spawn_local(ask(from_service, to_postgres, trips));
        connections.spawn_local(answer(from_postgres, to_service, answered));
    }
}

async fn ask(
    mut service: OwnedReadHalf,
    mut postgres: OwnedWriteHalf,
    (trips, answered): (RoundTrips, Arc<AtomicBool>),
) -> Result<(), Failure> {
    let mut bytes = vec![0; 64 * 1024];
    loop {
        let count = service.read(&mut bytes).await?;
        if count == 0 {
            return Ok(());
        }
        if answered.swap(false, Ordering::SeqCst) {
            trips.0.fetch_add(1, Ordering::SeqCst);
        }
        postgres
            .write_all(bytes.get(..count).unwrap_or_default())
            .await?;
    }
}

async fn answer(
    mut postgres: OwnedReadHalf,
    mut service: OwnedWriteHalf,
    answered: Arc<AtomicBool>,
) -> Result<(), Failure> {
    let mut bytes = Vec::with_capacity(64 * 1024);
    loop {
        bytes.clear();
        if postgres.read_buf(&mut bytes).await? == 0 {
            return Ok(());
        }
        tokio::time::sleep(DELAY).await;
        // Answers to the rest of the same round trip came meanwhile.
        let mut more = [0; 4 * 1024];
        while let Ok(count @ 1..) = postgres.try_read(&mut more) {
            bytes.extend_from_slice(more.get(..count).unwrap_or_default());
        }
        answered.store(true, Ordering::SeqCst);
        service.write_all(&bytes).await?;
    }
}
