//! A server of its own, for a test that stops it, promotes it or gives it a certificate.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, PipeReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::timeout;

use crate::server::setting;

/// A server that follows another one where that is said, and ends when this is dropped.
pub(crate) struct Cluster {
    folder: TempDir,
    password: String,
    primary: Option<String>,
    process: Option<Child>,
    port: u16,
}

impl Cluster {
    pub(crate) async fn start(primary: Option<&Self>) -> Self {
        let mut server = Self {
            folder: tempfile::tempdir().unwrap(),
            password: String::new(),
            primary: primary.map(Self::url),
            process: None,
            port: free_port(),
        };
        server.start_again().await;
        server.password = primary.map_or_else(|| server.file("password"), |it| it.password.clone());
        server
    }

    pub(crate) async fn start_again(&mut self) {
        setting("TESSERA_TEST_POSTGRES_BIN");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/postgres");
        let log = File::create(self.path("log")).unwrap();
        let (hears, says) = io::pipe().unwrap();
        let process = Command::new(script)
            .arg(self.folder.path())
            .arg(self.port.to_string())
            .args(&self.primary)
            .stdin(Stdio::null())
            .stdout(says.try_clone().unwrap())
            .stderr(says)
            .spawn()
            .unwrap();
        self.process = Some(process);
        let ready = timeout(PATIENCE, when_ready(hears, log).recv()).await;
        assert_eq!(ready, Ok(Some(())), "{}", self.file("log"));
    }

    pub(crate) fn stop(&mut self) {
        let Some(mut process) = self.process.take() else {
            return;
        };
        // The fast stop; a kill would leave its shared memory behind.
        let server = process.id().to_string();
        let stopped = Command::new("kill").args(["-INT", &server]).status();
        if !stopped.is_ok_and(|status| status.success()) {
            let _killed = process.kill();
        }
        let _ended = process.wait();
    }

    pub(crate) fn url(&self) -> String {
        self.url_at("127.0.0.1")
    }

    pub(crate) fn url_at(&self, host: &str) -> String {
        let (password, port) = (&self.password, self.port);
        format!("postgres://postgres:{password}@{host}:{port}/postgres")
    }

    /// A file of its folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn file(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Tells when the server says that it is ready, and nothing more once it has ended. All that it says is
/// written to `log`, also later: it would wait for ever with nobody to read.
fn when_ready(hears: PipeReader, mut log: File) -> UnboundedReceiver<()> {
    let (tells, told) = unbounded_channel();
    thread::spawn(move || {
        for line in BufReader::new(hears).split(b'\n').map_while(Result::ok) {
            log.write_all(&[&line, &b"\n"[..]].concat()).unwrap();
            // A standby says that connections are read-only.
            if String::from_utf8_lossy(&line).contains("database system is ready to accept") {
                // Whoever asked may have given up.
                let _ = tells.send(());
            }
        }
    });
    told
}

/// A port below those that the system hands out, where nobody listens; never the same one twice, as
/// tests run side by side.
fn free_port() -> u16 {
    static TRIED: AtomicU32 = AtomicU32::new(0);
    loop {
        let offset = (std::process::id() + TRIED.fetch_add(1, Ordering::Relaxed)) % 15_000;
        let port = 15_000 + u16::try_from(offset).unwrap();
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

const PATIENCE: Duration = Duration::from_secs(20);
