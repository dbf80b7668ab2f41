//! A database for each test, and a Postgres of its own for those that stop one.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};
use tokio_postgres::tls::NoTlsStream;
use tokio_postgres::{Client, Connection, NoTls, SimpleQueryMessage, Socket};

use crate::service::until;
use crate::started::started;

/// A database on the server that `scripts/test` names, gone when this is dropped.
pub(crate) struct Database {
    name: String,
    server: String,
    layout: &'static str,
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
        Self {
            name,
            server,
            layout: "schema",
        }
    }

    /// A database in which tenants share tables, of a role that row-level security binds.
    pub(crate) fn shared() -> Self {
        let mut database = Self::create();
        database.layout = "shared";
        execute(&database.server, ROLE);
        let owner = format!(
            "ALTER DATABASE {} OWNER TO tessera_test_bound",
            database.name
        );
        execute(&database.server, &owner);
        database
    }

    /// How it keeps tenants apart.
    pub(crate) fn layout(&self) -> &'static str {
        self.layout
    }

    /// Where it is, for a service that makes tenants in its layout.
    pub(crate) fn url(&self) -> String {
        let url = self.url_of_superuser();
        let (scheme, (_, place)) = (
            url.split_once("://").unwrap().0,
            url.rsplit_once('@').unwrap(),
        );
        match self.layout {
            "shared" => format!("{scheme}://tessera_test_bound:bound@{place}"),
            _ => url,
        }
    }

    /// Where it is, for somebody whom row-level security does not bind.
    pub(crate) fn url_of_superuser(&self) -> String {
        let (address, _) = self.server.rsplit_once('/').unwrap();
        format!("{address}/{}", self.name)
    }

    /// Runs a statement behind everybody's back.
    pub(crate) fn run(&self, statement: &str) {
        self.ask(statement);
    }

    /// The same; answers the first value of its last row.
    pub(crate) fn ask(&self, statement: &str) -> Option<String> {
        execute(&self.url_of_superuser(), statement)
    }

    /// Takes a lock, and has whoever needs it wait.
    pub(crate) fn hold(&self, lock: &str) -> Held {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let (client, connection) = runtime.block_on(async {
            let connected = tokio_postgres::connect(&self.url_of_superuser(), NoTls).await;
            let (client, mut connection) = connected.unwrap();
            let lock = format!("BEGIN; {lock}");
            tokio::select! {
                held = client.simple_query(&lock) => drop(held.unwrap()),
                ended = &mut connection => panic!("{ended:?}"),
            }
            (client, connection)
        });
        Held {
            _client: client,
            _connection: connection,
            _runtime: runtime,
        }
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

/// A lock, given back when this is dropped.
pub(crate) struct Held {
    _client: Client,
    _connection: Connection<Socket, NoTlsStream>,
    _runtime: Runtime,
}

/// A Postgres that can be stopped and started again.
pub(crate) struct Postgres {
    folder: TempDir,
    password: Option<String>,
    port: u16,
    primary: Option<String>,
    process: Option<Child>,
}

impl Postgres {
    pub(crate) fn start() -> Self {
        Self::start_at(free_port(), None)
    }

    /// A copy of another server, which follows it until it is promoted.
    pub(crate) fn standby_of(primary: &Self) -> Self {
        Self::start_at(free_port(), Some(primary))
    }

    /// A copy of another server in the place of this one, whose data is thrown away.
    pub(crate) fn replaced_by_standby_of(mut self, primary: &Self) -> Self {
        self.stop();
        Self::start_at(self.port, Some(primary))
    }

    fn start_at(port: u16, primary: Option<&Self>) -> Self {
        let mut server = Self {
            folder: tempfile::tempdir().unwrap(),
            password: primary.map(Self::password),
            port,
            primary: primary.map(Self::url),
            process: None,
        };
        server.start_again();
        server
    }

    /// From now on it answers a commit once its standby has it, too.
    pub(crate) fn wait_for_standby(&self) {
        self.ask("ALTER SYSTEM SET synchronous_standby_names = '*'");
        self.ask("SELECT pg_reload_conf()");
        until("its standby is a synchronous one", || {
            let sync = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'";
            self.ask(sync).as_deref() == Some("1")
        });
    }

    /// Makes a standby take writes; returns when it does.
    pub(crate) fn promote(&self) {
        let promoted = self.ask("SELECT pg_promote()");
        assert_eq!(promoted.as_deref(), Some("t"));
    }

    /// The first value that the statement answers, as text.
    pub(crate) fn ask(&self, statement: &str) -> Option<String> {
        execute(&self.url(), statement)
    }

    pub(crate) fn start_again(&mut self) {
        let bin = setting("TESSERA_TEST_POSTGRES_BIN");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/postgres");
        let mut command = Command::new(script);
        command.arg(self.folder.path()).arg(self.port.to_string());
        command.args(&self.primary);
        command.env("TESSERA_TEST_POSTGRES_BIN", bin);
        let log = self.folder.path().join("log");
        // A standby says that connections are read-only.
        let ready = "database system is ready to accept";
        self.process = Some(started(command, ready, Duration::from_secs(20), &log));
    }

    /// Ends it in good order, so that every connection is closed.
    pub(crate) fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = kill_process(Pid::from_child(&process), Signal::INT);
            process.wait().unwrap();
        }
    }

    /// Ends it as a crash does.
    pub(crate) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    pub(crate) fn url(&self) -> String {
        Self::url_of(&[self])
    }

    /// One URL that names all these servers.
    pub(crate) fn url_of(servers: &[&Self]) -> String {
        let password = servers[0].password();
        let hosts = servers.iter().map(|it| format!("127.0.0.1:{}", it.port));
        let hosts = hosts.collect::<Vec<_>>().join(",");
        format!("postgres://postgres:{password}@{hosts}/postgres")
    }

    fn password(&self) -> String {
        let own = || self.file("password");
        self.password.clone().unwrap_or_else(own)
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

/// Makes the role once, whoever else does so at the same time.
const ROLE: &str = "DO $$ BEGIN \
    PERFORM pg_advisory_xact_lock(84737, 3); \
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'tessera_test_bound') THEN \
        CREATE ROLE tessera_test_bound LOGIN PASSWORD 'bound'; \
    END IF; END $$";

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
