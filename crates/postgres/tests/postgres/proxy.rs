//! A proxy between the store and Postgres that counts, holds back, and goes away.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::task::JoinSet;

/// Listens in place of a server, until it is dropped.
pub(crate) struct Proxy {
    port: u16,
    server: String,
    gate: Arc<Gate>,
    tasks: JoinSet<()>,
}

/// Holds back every answer until so many statements were sent.
#[derive(Default)]
struct Gate {
    wanted: AtomicUsize,
    sent: AtomicUsize,
    changed: Notify,
}

impl Proxy {
    /// A proxy of the server that `url` names, and the URL of the same database through it.
    pub(crate) async fn of(url: &str) -> (Self, String) {
        let (who, rest) = url.split_once('@').unwrap();
        let (server, database) = rest.split_once('/').unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut proxy = Self {
            port,
            server: server.to_owned(),
            gate: Arc::default(),
            tasks: JoinSet::new(),
        };
        proxy.listen(listener);
        let url = format!("{who}@127.0.0.1:{port}/{database}?sslmode=disable");
        (proxy, url)
    }

    /// From now on nothing is answered until so many statements were sent.
    pub(crate) fn hold(&self, statements: usize) {
        self.gate.sent.store(0, Ordering::SeqCst);
        self.gate.wanted.store(statements, Ordering::SeqCst);
    }

    /// Lets everything through again; tells how many statements were sent since `hold`.
    pub(crate) fn release(&self) -> usize {
        self.gate.wanted.store(0, Ordering::SeqCst);
        self.gate.changed.notify_waiters();
        self.gate.sent.load(Ordering::SeqCst)
    }

    /// Goes away, as a server that was stopped.
    pub(crate) async fn stop(&mut self) {
        self.tasks.shutdown().await;
    }

    /// Comes back where it was.
    pub(crate) async fn start(&mut self) {
        let listener = TcpListener::bind(("127.0.0.1", self.port)).await.unwrap();
        self.listen(listener);
    }

    fn listen(&mut self, listener: TcpListener) {
        let (server, gate) = (self.server.clone(), Arc::clone(&self.gate));
        self.tasks.spawn(async move {
            let mut links = JoinSet::new();
            loop {
                let (client, _) = listener.accept().await.unwrap();
                links.spawn(link(client, server.clone(), Arc::clone(&gate)));
            }
        });
    }
}

async fn link(client: TcpStream, server: String, gate: Arc<Gate>) {
    let server = TcpStream::connect(server).await.unwrap();
    server.set_nodelay(true).unwrap();
    client.set_nodelay(true).unwrap();
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    // The first to end ends the other.
    let questions = questions(from_client, to_server, &gate);
    let answers = answers(from_server, to_client, &gate);
    let _ended = futures_util::future::select(Box::pin(questions), Box::pin(answers)).await;
}

async fn questions(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, gate: &Gate) -> io::Result<()> {
    // The first message has no type.
    let length = from.read_u32().await?;
    pass(&mut from, &mut to, None, length).await?;
    loop {
        let kind = from.read_u8().await?;
        let length = from.read_u32().await?;
        pass(&mut from, &mut to, Some(kind), length).await?;
        // Sync, with which each statement ends.
        if kind == b'S' {
            gate.sent.fetch_add(1, Ordering::SeqCst);
            gate.changed.notify_waiters();
        }
    }
}

async fn pass(
    from: &mut OwnedReadHalf,
    to: &mut OwnedWriteHalf,
    kind: Option<u8>,
    length: u32,
) -> io::Result<()> {
    let mut message: Vec<u8> = kind.into_iter().collect();
    message.extend(length.to_be_bytes());
    let mut body = vec![0; usize::try_from(length).unwrap() - 4];
    from.read_exact(&mut body).await?;
    message.extend(body);
    to.write_all(&message).await
}

async fn answers(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, gate: &Gate) -> io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let length = from.read(&mut buffer).await?;
        if length == 0 {
            return Ok(());
        }
        loop {
            let changed = gate.changed.notified();
            let (sent, wanted) = (&gate.sent, &gate.wanted);
            if sent.load(Ordering::SeqCst) >= wanted.load(Ordering::SeqCst) {
                break;
            }
            changed.await;
        }
        to.write_all(buffer.split_at(length).0).await?;
    }
}

/// A port where connections are taken, and nothing is ever said.
pub(crate) async fn silence() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    Handle::current().spawn(async move {
        let mut taken = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            taken.push(stream);
        }
    });
    port
}
