//! What is done now and then: a start, a tenant more, a migration; and what a tenant takes of memory.

use core::time::Duration;
use std::fs;
use std::thread;

use crate::Failure;
use crate::client::{self, Connection, member};
use crate::drive::block_on;
use crate::installation::{Installation, PASSWORD};
use crate::measure::{CLIENTS, SETTLE};
use crate::process::{Process, resident};
use crate::psql::Psql;
use crate::series::{Series, millis};
use crate::tenants::load::ask_each;
use crate::tenants::made::{ADMINISTRATOR, Made};
use crate::watch::Stopwatch;

/// The start of a service, in ms.
#[derive(Default)]
pub(crate) struct Starts {
    /// Until its first answer.
    pub(crate) first: Series,
    /// Until it is ready.
    pub(crate) ready: Series,
}

impl Starts {
    pub(crate) fn record(&mut self, installation: &Installation) -> Result<(), Failure> {
        for (series, path) in [(&mut self.first, "/livez"), (&mut self.ready, "/readyz")] {
            series.record(millis(installation.start_until(path)?.1));
        }
        Ok(())
    }
}

/// The resident memory of a service, in MiB.
#[derive(Default)]
pub(crate) struct Memory {
    /// Before the first request.
    pub(crate) idle: Series,
    /// After as many requests as there are accounts, in as many tenants as there are.
    pub(crate) touched: Series,
}

impl Memory {
    /// Has somebody in each tenant forget the password of an account that is not there: that is counted
    /// by address and by tenant and looked up, and hashes nothing.
    pub(crate) fn record(&mut self, made: &Made, accounts: usize) -> Result<(), Failure> {
        let limited = [
            ("TESSERA_RATE_LIMITS", "on"),
            ("TESSERA_TRUSTED_PROXIES", "127.0.0.1/32"),
        ];
        let limited = limited.map(|(name, value)| (name, value.to_owned()));
        let process = made.installation.with(limited.to_vec()).start()?;
        thread::sleep(SETTLE);
        self.idle.record(process.resident()?);
        let requests = (0..accounts).map(|number| {
            let path = made.with_session(number).path("/api/auth/password-reset/");
            let request = client::post(&path, r#"{"email":"nobody@example.com"}"#);
            let [_, high, middle, low] = u32::try_from(number)?.to_be_bytes();
            let field = format!("x-forwarded-for: 10.{high}.{middle}.{low}");
            Ok(client::with_field(&request, &field))
        });
        ask_each(&process, requests.collect::<Result<_, Failure>>()?, CLIENTS)?;
        thread::sleep(SETTLE);
        self.touched.record(process.resident()?);
        Ok(())
    }
}

/// How a tenant was made.
#[derive(Clone, Copy, Debug)]
pub(crate) enum MadeBy {
    Command,
    Request,
}

/// How long it takes to make a tenant, in ms.
pub(crate) fn creations(made: &Made) -> Result<(MadeBy, Series), Failure> {
    let process = made.installation.start()?;
    let body = format!(r#"{{"email":"{ADMINISTRATOR}","password":"{PASSWORD}"}}"#);
    let (_, answer) = ask(&process, &client::post("/api/token/", &body))?;
    let token = member(&answer, "access").ok_or("the administrator cannot log in")?;
    let authorization = format!("authorization: Bearer {token}");
    let mut series = Series::default();
    let mut by = MadeBy::Request;
    for number in 0..CREATIONS {
        let name = format!("new-{number}");
        let body = format!(r#"{{"name":"{name}"}}"#);
        let request = client::post("/api/admin/tenants/", &body);
        let request = client::with_field(&request, &authorization);
        let watch = Stopwatch::start();
        let (status, answer) = ask(&process, &request)?;
        let mut took = watch.elapsed();
        match status {
            201 => {}
            404 | 405 => {
                by = MadeBy::Command;
                let arguments = ["tenant", "create", &name];
                took = run(&made.installation, &arguments)?;
            }
            _ => return Err(String::from_utf8_lossy(&answer).into()),
        }
        series.record(millis(took));
    }
    Ok((by, series))
}

/// How long a command takes.
pub(crate) fn run(installation: &Installation, arguments: &[&str]) -> Result<Duration, Failure> {
    let watch = Stopwatch::start();
    installation.run(arguments, "")?;
    Ok(watch.elapsed())
}

/// What a backend of Postgres takes of memory, in MiB: the median of those that serve a database.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backends {
    pub(crate) resident: f64,
    /// Without what it shares with others.
    pub(crate) own: f64,
}

impl Backends {
    pub(crate) fn of(psql: &mut Psql) -> Result<Self, Failure> {
        let ids = psql.ask(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() \
             AND backend_type = 'client backend' AND pid <> pg_backend_pid()",
        )?;
        let (mut all, mut own) = (Series::default(), Series::default());
        for id in ids {
            let status = fs::read_to_string(format!("/proc/{id}/status"))?;
            all.record(resident(&status, "VmRSS:")?);
            own.record(resident(&status, "RssAnon:")?);
        }
        Ok(Self {
            resident: all.median(),
            own: own.median(),
        })
    }
}

fn ask(process: &Process, request: &[u8]) -> Result<(u16, Vec<u8>), Failure> {
    block_on(async {
        let mut connection = Connection::open(process.address).await?;
        let answer = connection.ask(request).await?;
        Ok((answer.status, answer.body.to_vec()))
    })
}

const CREATIONS: usize = 20;
