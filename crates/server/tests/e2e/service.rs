//! An installation in a folder of its own, its commands, and the service that runs on it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::client::{Answer, Request, ask, log_in};
use crate::database::Database;

/// A folder, and the settings of what runs in it.
pub(crate) struct Installation {
    folder: TempDir,
    settings: BTreeMap<String, String>,
}

impl Installation {
    /// What somebody has who sets nothing, but for a port that is free.
    pub(crate) fn embedded() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            settings: BTreeMap::from([("PORT".to_owned(), "0".to_owned())]),
        }
    }

    /// The same on a database of Postgres.
    pub(crate) fn on(database: &Database) -> Self {
        Self::on_url(&database.url())
    }

    /// The same on a database that is migrated and has the user that `embedded` makes by itself.
    pub(crate) fn prepared_on(database: &Database) -> Self {
        Self::prepared_on_url(&database.url())
    }

    fn on_url(url: &str) -> Self {
        Self::embedded().with("DATABASE_URL", url)
    }

    pub(crate) fn prepared_on_url(url: &str) -> Self {
        Self::on_url(url).prepared()
    }

    /// Migrated, and with the user that `embedded` makes by itself.
    pub(crate) fn prepared(self) -> Self {
        self.done(&["migrate"]);
        let create = ["user", "create", ADMIN, "--role", "platform-admin"];
        let flags = ["--superuser", "--verified", "--password-stdin"];
        self.done_with(&[&create[..], &flags].concat(), PASSWORD);
        self
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.settings.insert(name.to_owned(), value.to_owned());
        self
    }

    /// A file of the installation.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        path
    }

    /// The first administrator's password.
    pub(crate) fn password(&self) -> String {
        match fs::read_to_string(self.path("data/initial-admin.txt")) {
            Ok(text) => {
                let line = text.lines().nth(1).unwrap();
                line.strip_prefix("password: ").unwrap().to_owned()
            }
            Err(_) => PASSWORD.to_owned(),
        }
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, arguments: &[&str], input: &str) -> Output {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped());
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        // A command that does not read is not the worse for it.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        child.wait_with_output().unwrap()
    }

    /// Starts a command that is not waited for.
    pub(crate) fn spawn(&self, arguments: &[&str]) -> Child {
        let mut command = self.command(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(Stdio::null()).spawn().unwrap()
    }

    /// What a command prints that has to succeed.
    pub(crate) fn done(&self, arguments: &[&str]) -> String {
        self.done_with(arguments, "")
    }

    pub(crate) fn done_with(&self, arguments: &[&str], input: &str) -> String {
        let output = self.run(arguments, input);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// The JSON document that a command prints.
    pub(crate) fn json(&self, arguments: &[&str], input: &str) -> Value {
        let text = self.done_with(&[arguments, &["--json"]].concat(), input);
        serde_json::from_str(&text).unwrap_or_else(|_| panic!("no JSON: {text}"))
    }

    /// What a command that cannot succeed ends with, and the one sentence it says.
    pub(crate) fn refusal(&self, arguments: &[&str], input: &str) -> (Option<i32>, String) {
        let output = self.run(arguments, input);
        let said = String::from_utf8(output.stderr).unwrap();
        (output.status.code(), said)
    }

    /// Starts the service, and waits until it says where it is.
    pub(crate) fn start(&self) -> Service {
        let log = self.path(&format!("log-{}", self.logs()));
        fs::write(&log, "").unwrap();
        self.start_logging_to(log)
    }

    /// Starts it with standard error going to a file that exists.
    pub(crate) fn start_logging_to(&self, log: PathBuf) -> Service {
        let mut command = self.command(&[]);
        command.stdin(Stdio::null());
        command.stderr(File::options().append(true).open(&log).unwrap());
        let mut process = command.spawn().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let welcome: Vec<String> = lines
            .by_ref()
            .map_while(Result::ok)
            .take_while(|line| !line.starts_with("──────"))
            .collect();
        let address = welcome.iter().find_map(|line| {
            let url = line.trim_start().strip_prefix("keys")?.trim_start();
            url.strip_prefix("http://")?.split('/').next()?.parse().ok()
        });
        let service = Service {
            process,
            address: address.unwrap_or(SocketAddr::from(([0, 0, 0, 0], 0))),
            welcome,
            log,
        };
        assert!(address.is_some(), "it did not start: {}", service.log());
        service
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tessera"));
        command.args(arguments).current_dir(self.folder.path());
        command.env_clear().envs(&self.settings);
        command.stdout(Stdio::piped());
        command
    }

    fn logs(&self) -> usize {
        let names = fs::read_dir(self.folder.path()).unwrap();
        names.count()
    }
}

/// A running service, killed when this is dropped.
pub(crate) struct Service {
    process: Child,
    log: PathBuf,
    pub(crate) address: SocketAddr,
    /// What it printed when it started.
    pub(crate) welcome: Vec<String>,
}

impl Service {
    pub(crate) fn ask(&self, request: &Request<'_>) -> Answer {
        ask(self.address, request)
    }

    pub(crate) fn status(&self, path: &str) -> u16 {
        self.ask(&Request::get(path)).status
    }

    /// Access and refresh token of a new session of the first administrator.
    pub(crate) fn session(&self, installation: &Installation) -> (String, String) {
        let answer = self.ask(&log_in(ADMIN, &installation.password()));
        assert_eq!(answer.status, 200, "{answer:?}");
        (answer.text("access"), answer.text("refresh"))
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// Ends it as a crash does.
    pub(crate) fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    pub(crate) fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.process);
        kill_process(pid, signal).unwrap();
    }

    pub(crate) fn wait(&mut self) -> ExitStatus {
        self.process.wait().unwrap()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Says when it is dropped that something is over: also where that ends by a panic, so that nobody
/// waits for it for ever.
pub(crate) struct Over<'a>(pub(crate) &'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Tries until it is so; fails when it does not become so within 20 seconds.
pub(crate) fn until(what: &str, so: impl FnMut() -> bool) {
    until_within(20, what, so);
}

/// Tries until it is so; fails when it does not become so within that many seconds.
pub(crate) fn until_within(secs: u32, what: &str, mut so: impl FnMut() -> bool) {
    for _ in 0..secs * 50 {
        if so() {
            return;
        }
        thread::sleep(Duration::from_millis(20));
    }
    panic!("it does not become so: {what}");
}

/// What comes of the work, and how long it took.
#[expect(
    clippy::disallowed_methods,
    reason = "a promise in seconds is measured"
)]
pub(crate) fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let begun = Instant::now();
    let done = work();
    (done, begun.elapsed())
}

/// The permissions of a file.
pub(crate) fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

pub(crate) const ADMIN: &str = "admin@localhost";
pub(crate) const PASSWORD: &str = "correct horse battery staple";
