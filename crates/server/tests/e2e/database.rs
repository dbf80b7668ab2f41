//! A database for each test, and a Postgres of its own for those that stop one.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::runtime::Builder;
use tokio_postgres::{NoTls, SimpleQueryMessage};

use crate::service::until;

/// A database on the server that `scripts/test` names, gone when this is dropped.
pub(crate) struct Database {
    name: String,
    server: String,
}

impl Database {
    pub(crate) fn create() -> Self {
        let server = setting("TESSERA_TEST_POSTGRES_URL");
        // The server knows best what is not taken yet.
        let name = execute(
            &server,
            "SELECT 'tessera_e2e_' || replace(gen_random_uuid()::text, '-', '')",
        );
        let name = name.unwrap();
        execute(
            &server,
            &format!("CREATE DATABASE {name} TEMPLATE template0"),
        );
        Self { name, server }
    }

    pub(crate) fn url(&self) -> String {
        let (address, _) = self.server.rsplit_once('/').unwrap();
        format!("{address}/{}", self.name)
    }

    /// Runs a statement behind everybody's back.
    pub(crate) fn run(&self, statement: &str) {
        execute(&self.url(), statement);
    }

    /// The first value that a query answers.
    pub(crate) fn value(&self, query: &str) -> String {
        execute(&self.url(), query).unwrap()
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let drop = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
            execute(&self.server, &drop);
        }
    }
}

/// A Postgres that can be stopped and started again.
pub(crate) struct Postgres {
    folder: TempDir,
    port: u16,
    process: Option<Child>,
}

impl Postgres {
    pub(crate) fn start() -> Self {
        let mut server = Self {
            folder: tempfile::tempdir().unwrap(),
            port: free_port(),
            process: None,
        };
        server.start_again();
        server
    }

    pub(crate) fn start_again(&mut self) {
        let bin = setting("TESSERA_TEST_POSTGRES_BIN");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/postgres");
        let log = File::create(self.folder.path().join("log")).unwrap();
        let mut process = Command::new(script)
            .arg(self.folder.path())
            .arg(self.port.to_string())
            .env("TESSERA_TEST_POSTGRES_BIN", bin)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        until("Postgres starts", || {
            let ended = process.try_wait().unwrap();
            assert!(ended.is_none(), "{}", self.file("log"));
            self.file("data/postmaster.pid").contains("\nready")
        });
        self.process = Some(process);
    }

    /// Ends it in good order, so that every connection is closed.
    pub(crate) fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = kill_process(Pid::from_child(&process), Signal::INT);
            process.wait().unwrap();
        }
    }

    pub(crate) fn url(&self) -> String {
        let (password, port) = (self.file("password"), self.port);
        format!("postgres://postgres:{password}@127.0.0.1:{port}/postgres")
    }

    fn file(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join(name)).unwrap_or_default()
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Runs a statement; answers the first value of its last row.
fn execute(url: &str, statement: &str) -> Option<String> {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
        let work = async {
            let answer = client.simple_query(statement).await.unwrap();
            drop(client);
            answer
        };
        let (rows, _) = tokio::join!(work, connection);
        rows.iter().rev().find_map(|message| {
            if let SimpleQueryMessage::Row(row) = message {
                row.get(0).map(str::to_owned)
            } else {
                None
            }
        })
    })
}

/// Below the range from which the system hands out ports, or a client may hold the port; never the
/// same one twice, as tests run side by side.
pub(crate) fn free_port() -> u16 {
    static TRIED: AtomicU32 = AtomicU32::new(0);
    loop {
        let offset = (std::process::id() + TRIED.fetch_add(1, Ordering::Relaxed)) % 15_000;
        let port = 15_000 + u16::try_from(offset).unwrap();
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// What `scripts/test` provides.
pub(crate) fn setting(name: &str) -> String {
    #[expect(
        clippy::disallowed_methods,
        reason = "a test has no configuration but this"
    )]
    std::env::var(name)
        .unwrap_or_else(|_| panic!("{name} is not set: run ./scripts/test, which provides it"))
}
