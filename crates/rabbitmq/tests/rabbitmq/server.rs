//! A virtual host for each test on a broker that is there already, and brokers of a test's own.

use core::sync::atomic::{AtomicUsize, Ordering};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{self, Child, ChildStdout, Command, Stdio};
use std::thread;

use lapin::message::BasicGetMessage;
use lapin::options::{BasicGetOptions, QueueBindOptions};
use lapin::types::FieldTable;
use lapin::{Channel, Connection, ConnectionProperties};
use tempfile::TempDir;
use tessera_app::StoredEvent;
use tessera_contract::values;
use tessera_domain::Id;
use tessera_rabbitmq::{Format, Mandatory, RabbitMqPublisher, RabbitMqSettings};
use tokio::runtime::Handle;

/// A corner of the broker, gone when this is dropped.
pub(crate) struct VirtualHost {
    name: String,
}

impl VirtualHost {
    pub(crate) fn new() -> Self {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("tessera-test-{}-{number}", process::id());
        manage("PUT", &format!("/api/vhosts/{name}"), "{}");
        let all = r#"{"configure":".*","write":".*","read":".*"}"#;
        manage("PUT", &format!("/api/permissions/{name}/guest"), all);
        Self { name }
    }

    /// Its URL.
    pub(crate) fn url(&self) -> String {
        let server = setting("TESSERA_TEST_RABBITMQ");
        let (address, _) = server.rsplit_once('/').unwrap();
        format!("{address}/{}", self.name)
    }

    /// Its URL for a user who may do that much.
    pub(crate) fn url_with(&self, permissions: &str) -> String {
        let name = &self.name;
        manage(
            "PUT",
            &format!("/api/users/{name}"),
            r#"{"password":"secret","tags":""}"#,
        );
        manage(
            "PUT",
            &format!("/api/permissions/{name}/{name}"),
            permissions,
        );
        self.url().replace("guest:guest", &format!("{name}:secret"))
    }

    /// Has that user write under routing keys of that pattern only.
    pub(crate) fn allow_keys(&self, pattern: &str) {
        let name = &self.name;
        manage(
            "PUT",
            &format!("/api/topic-permissions/{name}/{name}"),
            &format!(r#"{{"exchange":"events","write":"{pattern}","read":".*"}}"#),
        );
    }

    /// Binds the queue under another pattern.
    pub(crate) async fn rebind(&self, from: &'static str, to: &'static str) {
        let (_connection, channel) = client(&self.url()).await;
        let (options, arguments) = (QueueBindOptions::default(), FieldTable::default());
        channel
            .queue_bind(
                "all-events".into(),
                "events".into(),
                to.into(),
                options,
                arguments.clone(),
            )
            .await
            .unwrap();
        channel
            .queue_unbind("all-events".into(), "events".into(), from.into(), arguments)
            .await
            .unwrap();
    }
}

impl Drop for VirtualHost {
    fn drop(&mut self) {
        let name = &self.name;
        manage("DELETE", &format!("/api/vhosts/{name}"), "");
        manage("DELETE", &format!("/api/users/{name}"), "");
    }
}

/// A broker of its own.
pub(crate) struct Server {
    folder: TempDir,
    port: u16,
    process: Process,
}

/// What runs, and where it writes to, which has to stay open.
struct Process {
    child: Child,
    output: Option<ChildStdout>,
}

impl Server {
    /// A broker that takes messages of at most so many bytes.
    pub(crate) async fn start(max_message_size: usize) -> Self {
        let folder = TempDir::new().unwrap();
        let config = format!("[{{rabbit, [{{max_message_size, {max_message_size}}}]}}].\n");
        fs::write(folder.path().join("advanced.config"), config).unwrap();
        for _ in 0..10 {
            let port = free_ports();
            if let Some(process) = run(folder.path(), port).await {
                return Self {
                    folder,
                    port,
                    process,
                };
            }
        }
        panic!("no broker starts: {}", log(folder.path()));
    }

    /// Its URL.
    pub(crate) fn url(&self) -> String {
        format!("amqp://guest:guest@127.0.0.1:{}/%2f", self.port)
    }

    /// Its URL, over TLS.
    pub(crate) fn encrypted_url(&self) -> String {
        let ca = self.folder.path().join("ca.pem");
        format!(
            "amqps://guest:guest@localhost:{}/%2f?cacertfile={}",
            self.port + 3,
            ca.display()
        )
    }

    /// Ends it as a crash does, and starts it again.
    pub(crate) async fn crash_and_restart(&mut self) {
        self.process.kill();
        let started = run(self.folder.path(), self.port).await;
        self.process = started.unwrap_or_else(|| panic!("{}", log(self.folder.path())));
    }

    /// Runs `rabbitmqctl`.
    pub(crate) async fn control(&self, arguments: &[&str]) {
        let mut command = Command::new(self.folder.path().join("rabbitmqctl"));
        command.arg("-q").args(arguments).stdin(Stdio::null());
        let done = Handle::current().spawn_blocking(move || command.output());
        let output = done.await.unwrap().unwrap();
        assert!(output.status.success(), "{output:?}");
    }
}

impl Process {
    fn kill(&mut self) {
        // It may be gone already.
        let _killed = self.child.kill();
        let _status = self.child.wait();
        self.output = None;
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Starts a broker and waits until it can be reached; none if it ends before.
async fn run(folder: &Path, port: u16) -> Option<Process> {
    setting("TESSERA_TEST_RABBITMQ_BIN");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/rabbitmq");
    let errors = fs::File::create(folder.join("errors")).unwrap();
    let mut child = Command::new(script)
        .arg(folder)
        .arg(port.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(errors)
        .spawn()
        .unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut process = Process {
        child,
        output: None,
    };
    let started = Handle::current().spawn_blocking(move || {
        let mut line = String::new();
        while !line.contains("completed with") {
            line.clear();
            if output.read_line(&mut line).unwrap() == 0 {
                return None;
            }
        }
        Some(output.into_inner())
    });
    process.output = started.await.unwrap();
    process.output.is_some().then_some(process)
}

fn log(folder: &Path) -> String {
    fs::read_to_string(folder.join("errors")).unwrap_or_default()
}

/// The first of four ports, all below those that the system hands out.
fn free_ports() -> u16 {
    loop {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let place = usize::try_from(process::id()).unwrap() * 37 + number;
        let port = 15_000 + u16::try_from(place % 3_700).unwrap() * 4;
        if (port..port + 4).all(|port| TcpListener::bind(("127.0.0.1", port)).is_ok()) {
            return port;
        }
    }
}

/// Asks the management API, which wants no more of HTTP than this.
fn manage(method: &str, path: &str, body: &str) {
    let api = setting("TESSERA_TEST_RABBITMQ_API");
    let address = api.trim_start_matches("http://").trim_end_matches('/');
    let mut stream = TcpStream::connect(address).unwrap();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Basic Z3Vlc3Q6Z3Vlc3Q=\r\n\
         content-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).unwrap_or_default();
    let fine = status.starts_with('2') || (method == "DELETE" && status == "404");
    assert!(fine || thread::panicking(), "{method} {path}: {answer}");
}

/// Settings for the broker of that URL.
pub(crate) fn settings(url: String) -> RabbitMqSettings {
    RabbitMqSettings {
        url,
        exchange: "events".to_owned(),
        queue: "all-events".to_owned(),
        mandatory: Mandatory::On,
        format: Format::Structured,
        time_out: RabbitMqSettings::TIME_OUT,
        runtime: Handle::current(),
    }
}

/// A publisher to the broker of that URL.
pub(crate) fn publisher(url: String) -> RabbitMqPublisher {
    RabbitMqPublisher::new(settings(url)).unwrap()
}

/// A client that is not the publisher's.
pub(crate) async fn client(url: &str) -> (Connection, Channel) {
    let options = ConnectionProperties::default();
    let connection = Connection::connect(url, options).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    (connection, channel)
}

/// Takes the next message from the queue.
pub(crate) async fn next(url: &str) -> Option<BasicGetMessage> {
    let (_connection, channel) = client(url).await;
    let options = BasicGetOptions { no_ack: true };
    let taken = channel.basic_get("all-events".into(), options).await;
    taken.unwrap()
}

/// An event of the user of that number.
pub(crate) fn event(user: u32) -> StoredEvent {
    let tenant = values::tenant("Acme").id;
    let [a, b, c, d] = user.to_be_bytes();
    let id = Id::new(values::NOW, [0, 0, 0, 0, 0, 0, a, b, c, d]);
    let subject = format!("user/{}", values::id::<()>(user));
    StoredEvent {
        position: u64::from(user),
        body: format!(
            "{{\"specversion\":\"1.0\",\"id\":\"{id}\",\"source\":\"urn:tessera\",\
             \"type\":\"UserLoggedIn\",\"subject\":\"{subject}\",\
             \"time\":\"2026-01-01T00:00:00.000000Z\",\"datacontenttype\":\"application/json\",\
             \"tenantid\":\"{tenant}\",\"sequence\":\"1\",\
             \"data\":{{\"session\":null,\"event\":\"data\"}},\"position\":\"{user}\"}}"
        ),
        id,
        tenant,
        subject,
        sequence: 1,
        event_type: "UserLoggedIn".to_owned(),
        at: values::NOW,
    }
}

/// A user's event, or another one's.
pub(crate) fn either(number: u32) -> StoredEvent {
    let event = event(number);
    match number % 3 {
        0 => StoredEvent {
            event_type: "TenantCreated".to_owned(),
            ..event
        },
        _ => event,
    }
}

/// The bodies of what is in the queue, where they stay.
pub(crate) async fn bodies(url: &str) -> Vec<String> {
    let (_connection, channel) = client(url).await;
    let mut bodies = Vec::new();
    // Without an acknowledgement all of it is there again when the connection ends.
    while let Ok(Some(message)) = channel
        .basic_get("all-events".into(), BasicGetOptions::default())
        .await
    {
        bodies.push(String::from_utf8(message.data.clone()).unwrap());
    }
    bodies
}

/// What `scripts/test` provides.
pub(crate) fn setting(name: &str) -> String {
    #[expect(
        clippy::disallowed_methods,
        reason = "a test has no configuration but this"
    )]
    std::env::var(name)
        .unwrap_or_else(|_| panic!("{name} is not set: run ./scripts/test, or set {name}"))
}

static NUMBER: AtomicUsize = AtomicUsize::new(0);
