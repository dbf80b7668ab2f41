//! A Kafka of this process, for the tests that stop one or that log in, and the case that stops it.

use core::time::Duration;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use tessera_contract::publisher::a_restart_in_the_middle_loses_nothing_that_was_sent as restart;
use tokio::sync::{Mutex, MutexGuard, OnceCell};
use tokio::time::timeout;

use crate::topic;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_in_the_middle_loses_nothing_that_was_sent() {
    let own = own().await;
    restart::run(topic::on_own(own).await).await;
}

pub(crate) struct Own {
    pub(crate) folder: PathBuf,
    port: u16,
    shell: Mutex<Child>,
}

/// Started when it is first asked for, it ends with the process.
pub(crate) async fn own() -> &'static Own {
    static OWN: OnceCell<Own> = OnceCell::const_new();
    OWN.get_or_init(Own::start).await
}

impl Own {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = free_ports();
        let shell = Mutex::new(run(folder.path(), port));
        // From here on the shell removes it.
        let folder = folder.keep();
        let own = Self {
            folder,
            port,
            shell,
        };
        own.answers(&mut *own.shell.lock().await).await;
        own
    }

    /// The address of a listener: the port that is `offset` after the first.
    pub(crate) fn address(&self, offset: u16) -> String {
        format!("127.0.0.1:{}", self.port + offset)
    }

    /// While this is held it does not stop.
    pub(crate) async fn steady(&self) -> MutexGuard<'_, Child> {
        self.shell.lock().await
    }

    /// Kills it and starts it again with what it had.
    pub(crate) async fn restart(&self) {
        let mut shell = self.shell.lock().await;
        shell.stdin.take().unwrap().write_all(b"crash\n").unwrap();
        shell.wait().unwrap();
        *shell = run(&self.folder, self.port);
        self.answers(&mut shell).await;
    }

    async fn answers(&self, shell: &mut Child) {
        let mut client = ClientConfig::new();
        client.set("bootstrap.servers", self.address(0));
        client.set("reconnect.backoff.max.ms", "100");
        let client: BaseConsumer = client.create().unwrap();
        let up = async {
            while client.fetch_metadata(None, BEAT).is_err() {
                if shell.try_wait().unwrap().is_some() {
                    let mut log = String::new();
                    let mut file = File::open(self.folder.join("log")).unwrap();
                    file.read_to_string(&mut log).unwrap();
                    panic!("Kafka does not start: {log}");
                }
                tokio::task::yield_now().await;
            }
        };
        timeout(HANG, up).await.expect("Kafka does not answer");
    }
}

/// The shell kills the broker on a word, or when this process is gone, however it ended.
fn run(folder: &Path, port: u16) -> Child {
    #[expect(
        clippy::disallowed_methods,
        reason = "where the jars are, is told by the environment"
    )]
    let jars = std::env::var("TESSERA_TEST_KAFKA_LIB").expect(
        "this test starts a Kafka: run scripts/test, or set TESSERA_TEST_KAFKA_LIB to the folder of its jars",
    );
    let log = File::options()
        .create(true)
        .append(true)
        .open(folder.join("log"))
        .unwrap();
    let script = fs::canonicalize(SCRIPT).expect("there is no scripts/kafka");
    Command::new("bash")
        .args(["-c", SHELL, "kafka"])
        .arg(script)
        .arg(folder)
        .arg(port.to_string())
        .env("TESSERA_TEST_KAFKA_LIB", jars)
        .stdin(Stdio::piped())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap()
}

/// Four ports, one behind the other, below those that the system gives out by itself.
fn free_ports() -> u16 {
    let start = u16::try_from(std::process::id() % 3_000).unwrap();
    let free =
        |port: &u16| (*port..port + 4).all(|port| TcpListener::bind(("127.0.0.1", port)).is_ok());
    let ports = (0..3_000).map(|step| 15_000 + (start + step) % 3_000 * 4);
    ports
        .into_iter()
        .find(free)
        .expect("no four ports are free")
}

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/kafka");
const SHELL: &str = r#"
trap : INT TERM HUP
"$1" "$2" "$3" </dev/null &
while kill -0 $! 2>/dev/null; do
    read -r -t 1 word
    (($? <= 128)) || continue
    kill -9 $!
    wait $!
    [[ $word == crash ]] || rm -rf "$2"
    exit
done
"#;
const BEAT: Duration = Duration::from_millis(200);
const HANG: Duration = Duration::from_mins(1);
