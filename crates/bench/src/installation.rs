//! One installation of the service: its settings, its accounts, its process.

use core::time::Duration;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;

use crate::client::{self, Connection, member};
use crate::drive::block_on;
use crate::process::Process;
use crate::settings::Settings;
use crate::watch::Stopwatch;
use crate::{Failure, empty};

/// Where the data are, and what is set.
#[derive(Clone, Debug)]
pub(crate) struct Installation {
    service: PathBuf,
    folder: PathBuf,
    database: Option<String>,
    algorithm: &'static str,
    log: String,
    /// What else is set; by default, where its events go.
    also: Vec<(&'static str, String)>,
}

impl Installation {
    /// An installation in a folder of its own; without a database, on `SQLite`.
    pub(crate) fn new(
        settings: &Settings,
        name: &str,
        database: Option<String>,
        algorithm: &'static str,
    ) -> Result<Self, Failure> {
        let folder = settings.folder.join(name);
        fs::create_dir(&folder)?;
        Ok(Self {
            service: settings.service.clone(),
            folder,
            database,
            algorithm,
            log: settings.log.clone(),
            also: Vec::new(),
        })
    }

    /// The same installation, told so of where its events go; by default, to a file.
    pub(crate) fn sending(&self, events: Vec<(&'static str, String)>) -> Self {
        let own = self.clone();
        Self {
            also: events,
            ..own
        }
    }

    /// The same installation with other settings too; of one name, the last counts.
    pub(crate) fn with(&self, also: Vec<(&'static str, String)>) -> Self {
        let mut own = self.clone();
        own.also.extend(also);
        own
    }

    /// The same installation, which reaches its database through `port`.
    pub(crate) fn through(&self, port: u16) -> Result<(Self, SocketAddr), Failure> {
        let database = self.database.as_deref().ok_or("there is no Postgres")?;
        let (before, rest) = database.rsplit_once('@').ok_or("a URL without a user")?;
        let (host, path) = rest.split_once('/').ok_or("a URL without a database")?;
        let through = Self {
            database: Some(format!("{before}@127.0.0.1:{port}/{path}")),
            ..self.clone()
        };
        Ok((through, host.parse()?))
    }

    /// Makes the tables, where the service does not do so itself, and `count` users.
    pub(crate) fn prepare(&self, count: usize) -> Result<(), Failure> {
        if self.database.is_some() {
            self.run(&["migrate"], "")?;
        } else {
            drop(self.start()?);
        }
        for number in 0..count {
            let email = email(number);
            let create = ["user", "create", &email, "--verified", "--password-stdin"];
            self.run(&create, PASSWORD)?;
        }
        Ok(())
    }

    /// The process, once it is ready.
    pub(crate) fn start(&self) -> Result<Process, Failure> {
        let (mut process, _) = self.start_until("/livez")?;
        until_answered(&mut process, "/readyz")?;
        Ok(process)
    }

    /// The process, and how long it took from its start to its first answer.
    pub(crate) fn start_until(&self, path: &str) -> Result<(Process, Duration), Failure> {
        let port = free_port()?;
        let mut command = self.command();
        command.env("PORT", port.to_string()).stdin(Stdio::null());
        let watch = Stopwatch::start();
        let mut process = Process::new(command.spawn()?, ([127, 0, 0, 1], port).into());
        until_answered(&mut process, path)
            .map_err(|error| format!("{error}; see {}", self.log_file().display()))?;
        Ok((process, watch.elapsed()))
    }

    /// Logs the user with this number in: the refresh token and the access token.
    pub(crate) fn log_in(process: &Process, number: usize) -> Result<(String, String), Failure> {
        block_on(async {
            let mut connection = Connection::open(process.address).await?;
            let answer = connection.ask(&log_in_request(number)).await?;
            let token = |name| member(answer.body, name).map(str::to_owned);
            token("refresh").zip(token("access")).ok_or_else(|| {
                let body = String::from_utf8_lossy(answer.body);
                format!("log in answered {}: {body}", answer.status).into()
            })
        })
    }

    /// Runs a command; on a busy machine Postgres may not answer within the half second that a
    /// command waits, so it gets another chance.
    pub(crate) fn run(&self, arguments: &[&str], input: &str) -> Result<(), Failure> {
        for _ in 0..CHANCES {
            let mut command = self.command();
            let mut child = command.args(arguments).stdin(Stdio::piped()).spawn()?;
            if let Some(mut stdin) = child.stdin.take() {
                stdin.write_all(input.as_bytes())?;
            }
            if child.wait()?.success() {
                return Ok(());
            }
        }
        let said = fs::read_to_string(self.log_file()).unwrap_or_default();
        let said = said.lines().last().unwrap_or("nothing");
        Err(format!("tessera {} failed: {said}", arguments.join(" ")).into())
    }

    /// What is not said here has its default; nothing is taken from the environment of whoever
    /// measures.
    fn command(&self) -> Command {
        let mut command = Command::new(&self.service);
        command
            .current_dir(&self.folder)
            .env_clear()
            .env("TESSERA_DATA_DIR", self.folder.join("data"))
            .env("TESSERA_PUBLIC_URL", "http://localhost")
            .env("TESSERA_RATE_LIMITS", "off")
            .env("TESSERA_LOG", &self.log)
            .env("JWT_ALGORITHM", self.algorithm)
            .envs(self.database.iter().map(|url| ("DATABASE_URL", url)))
            .envs(self.also.iter().map(|(name, value)| (name, value)))
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        if let Ok(log) = File::options()
            .create(true)
            .append(true)
            .open(self.log_file())
        {
            command.stderr(log);
        }
        command
    }

    fn log_file(&self) -> PathBuf {
        self.folder.join("log")
    }
}

/// This program as the server that answers nothing but an empty 200.
pub(crate) fn start_empty() -> Result<Process, Failure> {
    let mut child = Command::new(std::env::current_exe()?)
        .arg(empty::COMMAND)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let stdout = child.stdout.take().ok_or("no output")?;
    let mut address = String::new();
    BufReader::new(stdout).read_line(&mut address)?;
    Ok(Process::new(child, address.trim().parse()?))
}

/// The request that logs the user with this number in.
pub(crate) fn log_in_request(number: usize) -> Vec<u8> {
    let email = email(number);
    let body = format!(r#"{{"email":"{email}","password":"{PASSWORD}"}}"#);
    client::post("/api/token/", &body)
}

/// The request that signs up somebody new.
pub(crate) fn register_request(client: usize, number: usize) -> Vec<u8> {
    let body =
        format!(r#"{{"email":"new-{client}-{number}@example.com","password":"{PASSWORD}"}}"#);
    client::post("/api/auth/register/", &body)
}

/// Asks until the answer is 200, as often as a thousand times a second.
fn until_answered(process: &mut Process, path: &str) -> Result<(), Failure> {
    let watch = Stopwatch::start();
    let request = client::get(path, None);
    while watch.elapsed() < PATIENCE {
        let address = process.address;
        let answered = block_on(async {
            let mut connection = Connection::open(address).await?;
            Ok(connection.ask(&request).await?.status == 200)
        });
        if matches!(answered, Ok(true)) {
            return Ok(());
        }
        if process.ended()? {
            return Err("the service ended by itself".into());
        }
        thread::sleep(Duration::from_millis(1));
    }
    Err(format!("{path} is not answered with 200").into())
}

/// A port that nobody listens on, below those from which the system gives ports to clients.
fn free_port() -> Result<u16, Failure> {
    let start = u16::try_from(std::process::id() % 10_000)?;
    (0..1_000)
        .map(|step| 15_000 + (start + step * 7) % 14_000)
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .ok_or_else(|| "no port is free".into())
}

fn email(number: usize) -> String {
    format!("user-{number}@example.com")
}

pub(crate) const PASSWORD: &str = "a long enough passphrase";
const CHANCES: usize = 5;
const PATIENCE: Duration = Duration::from_secs(20);
