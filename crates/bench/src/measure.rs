//! The measurements, in rounds that take turns, so that what else the machine does meets all alike.

use core::time::Duration;
use std::net::TcpListener;
use std::thread;

use crate::Failure;
use crate::bounds::{Signer, hashes};
use crate::client;
use crate::drive::{Asked, Crowd, Pace, Rate, block_on, latencies, rate};
use crate::installation::{Installation, log_in_request, start_empty};
use crate::process::Process;
use crate::proxy::{self, RoundTrips};
use crate::report::Report;
use crate::series::{Series, millis, percentile};
use crate::settings::{Row, Settings};

/// Measures everything and prints the table.
pub(crate) fn run(settings: &Settings) -> Result<(), Failure> {
    let mut report = Report::default();
    eprintln!("bench: making accounts");
    let sqlite = Installation::new(settings, "sqlite", None, "ES256")?;
    sqlite.prepare(USERS)?;
    for _ in 0..STARTS {
        let (_, took) = sqlite.start_until("/livez")?;
        report.start.record(millis(took));
    }

    let mut subjects = vec![Subject::start("SQLite, ES256", &sqlite)?];
    if let Some([rs256, es256]) = &settings.postgres {
        for (name, algorithm, url) in [
            ("Postgres, RS256", "RS256", rs256),
            ("Postgres, ES256", "ES256", es256),
        ] {
            let made = Installation::new(settings, algorithm, Some(url.clone()), algorithm)?;
            made.prepare(USERS)?;
            if algorithm == "RS256" && settings.only.is_none() {
                report.round_trips = Some(round_trips(&made)?);
            }
            subjects.push(Subject::start(name, &made)?);
        }
    }

    let empty = start_empty()?;
    let mut signers = Signer::all()?;
    for round in 1..=settings.rounds {
        eprintln!("bench: round {round} of {}", settings.rounds);
        measure_bounds(&mut report, &mut signers, &empty, settings)?;
        for subject in &mut subjects {
            subject.measure(settings)?;
        }
    }
    for subject in subjects {
        report.idle = report.idle.max(subject.idle);
        report.busy = report.busy.max(subject.measured.busy.largest());
        report.services.push((subject.name, subject.measured));
    }
    print!("{report}");
    Ok(())
}

/// What was measured of one service, round for round.
#[derive(Default)]
pub(crate) struct Measured {
    pub(crate) log_in: Rates,
    pub(crate) register: Rates,
    pub(crate) refresh: Rates,
    pub(crate) validate: Rates,
    pub(crate) jwks: Rates,
    /// The 99th percentile of refresh, in ms: alone, beside log ins, and the second by the first.
    pub(crate) p99: [Series; 3],
    /// Resident memory while every hash thread works, in MiB.
    pub(crate) busy: Series,
}

/// A rate, round for round.
#[derive(Default)]
pub(crate) struct Rates {
    pub(crate) per_second: Series,
    pub(crate) per_cpu_second: Series,
}

impl Rates {
    pub(crate) fn record(&mut self, rate: Rate) {
        self.per_second.record(rate.per_second);
        self.per_cpu_second.record(rate.per_cpu_second);
    }
}

fn measure_bounds(
    report: &mut Report,
    signers: &mut [Signer],
    empty: &Process,
    settings: &Settings,
) -> Result<(), Failure> {
    let span = settings.span;
    if settings.measure(&[Row::LogIn, Row::Register]) {
        report.hashes.record(hashes(2, span)?);
    }
    for signer in signers {
        if !settings.measure(&[Row::Refresh]) {
            break;
        }
        let rate = signer.rate(span / 4)?;
        report
            .signatures
            .entry(signer.name)
            .or_default()
            .record(rate);
    }
    if !settings.measure(&[Row::Jwks, Row::Validate]) {
        return Ok(());
    }
    let asked = Asked::Same(client::get("/", None));
    let mut crowd = Crowd::new(empty.address, vec![asked; CLIENTS]);
    report.empty.record(rate(&mut crowd, empty, span)?);
    Ok(())
}

/// A service that runs, and those who ask it.
pub(crate) struct Subject {
    name: &'static str,
    pub(crate) process: Process,
    /// Resident memory before the first request, in MiB.
    idle: f64,
    log_in: Crowd,
    register: Crowd,
    refresh: Crowd,
    validate: Crowd,
    jwks: Crowd,
    /// Few clients that take breaks, whose latency is measured.
    patient: Crowd,
    measured: Measured,
}

impl Subject {
    pub(crate) fn start(name: &'static str, installation: &Installation) -> Result<Self, Failure> {
        let process = installation.start()?;
        thread::sleep(SETTLE);
        let crowd = |clients| Crowd::new(process.address, clients);
        // Each logs in as somebody else; those who refresh are yet others, for a user has only so
        // many sessions.
        let log_in = (0..LOG_INS).map(|number| Asked::Same(log_in_request(number)));
        let register = (0..LOG_INS).map(|client| Asked::Register { client, done: 0 });
        let key_set = Asked::Same(client::get("/.well-known/jwks.json", None));
        Ok(Self {
            name,
            idle: process.resident()?,
            log_in: crowd(log_in.collect()),
            register: crowd(register.collect()),
            refresh: crowd(Vec::new()),
            validate: crowd(Vec::new()),
            jwks: crowd(vec![key_set; CLIENTS]),
            patient: Crowd {
                pace: Pace::Rests(PAUSE),
                ..crowd(Vec::new())
            },
            measured: Measured::default(),
            process,
        })
    }

    pub(crate) fn log_everyone_in(&mut self) -> Result<(), Failure> {
        for client in 0..CLIENTS + PATIENT {
            let number = LOG_INS + client % (USERS - LOG_INS);
            let (refresh, access) = Installation::log_in(&self.process, number)?;
            if client >= CLIENTS {
                self.patient.clients.push(Asked::Refresh(refresh));
                continue;
            }
            let path = "/api/token/validate/";
            let validate = client::get(path, Some(&access));
            self.validate.clients.push(Asked::Same(validate));
            self.refresh.clients.push(Asked::Refresh(refresh));
        }
        Ok(())
    }

    pub(crate) fn log_in(&mut self, span: Duration) -> Result<Rate, Failure> {
        rate(&mut self.log_in, &self.process, span)
    }

    pub(crate) fn refresh(&mut self, span: Duration) -> Result<Rate, Failure> {
        rate(&mut self.refresh, &self.process, span)
    }

    fn measure(&mut self, settings: &Settings) -> Result<(), Failure> {
        if self.refresh.clients.is_empty() {
            self.log_everyone_in()?;
        }
        let Measured {
            log_in,
            register,
            refresh,
            validate,
            jwks,
            ..
        } = &mut self.measured;
        for (row, crowd, rates) in [
            (Row::LogIn, &mut self.log_in, log_in),
            (Row::Register, &mut self.register, register),
            (Row::Refresh, &mut self.refresh, refresh),
            (Row::Validate, &mut self.validate, validate),
            (Row::Jwks, &mut self.jwks, jwks),
        ] {
            if settings.measure(&[row]) {
                rates.record(rate(crowd, &self.process, settings.span)?);
            }
        }
        if settings.measure(&[Row::P99]) {
            self.measure_p99(settings.span)?;
        }
        Ok(())
    }

    fn measure_p99(&mut self, span: Duration) -> Result<(), Failure> {
        let Self {
            process, measured, ..
        } = self;
        let mut alone = latencies(&mut self.patient, None, span)?;
        let watched = thread::scope(|scope| {
            let memory = scope.spawn(|| most_resident(process, span));
            let beside = latencies(&mut self.patient, Some(&mut self.log_in), span);
            (beside, memory.join())
        });
        let (mut beside, memory) = (watched.0?, watched.1);
        measured
            .busy
            .record(memory.map_err(|_| "watching the memory panicked")??);
        let (alone, beside) = (percentile(&mut alone, 99), percentile(&mut beside, 99));
        let [idle, busy, ratio] = &mut measured.p99;
        idle.record(millis(alone));
        busy.record(millis(beside));
        ratio.record(beside.as_secs_f64() / alone.as_secs_f64());
        Ok(())
    }
}

/// The most resident memory of a process within `span`, in MiB.
fn most_resident(process: &Process, span: Duration) -> Result<f64, Failure> {
    let (steps, mut most) = (20, 0.0_f64);
    for _ in 0..steps {
        thread::sleep(span / steps);
        most = most.max(process.resident()?);
    }
    Ok(most)
}

/// How many round trips to Postgres a refresh makes.
fn round_trips(installation: &Installation) -> Result<RoundTripsMade, Failure> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let (through, postgres) = installation.through(listener.local_addr()?.port())?;
    listener.set_nonblocking(true)?;
    let trips = RoundTrips::default();
    let counted = trips.clone();
    // It ends with this program.
    thread::spawn(move || {
        block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            proxy::serve(listener, postgres, counted).await
        })
    });
    let process = through.start()?;
    let (token, _) = Installation::log_in(&process, LOG_INS)?;
    let mut crowd = Crowd::new(process.address, vec![Asked::Refresh(token)]);
    // Connections are made, statements prepared.
    latencies(&mut crowd, None, ONE)?;
    let mut counts = Series::default();
    let mut times = Series::default();
    for _ in 0..REFRESHES {
        let before = trips.count();
        let took = latencies(&mut crowd, None, ONE)?;
        counts.record(f64::from(trips.count() - before));
        for took in took {
            times.record(took.as_secs_f64() / proxy::DELAY.as_secs_f64());
        }
    }
    Ok(RoundTripsMade {
        counted: counts.median(),
        waited: times.median(),
    })
}

/// The round trips of one refresh.
#[derive(Clone, Copy)]
pub(crate) struct RoundTripsMade {
    /// As the proxy counted them.
    pub(crate) counted: f64,
    /// The time a refresh took, in delays of the proxy.
    pub(crate) waited: f64,
}

/// Clients of each rate but log in.
pub(crate) const CLIENTS: usize = 32;
/// Clients that log in, and as many that sign up; more than hash threads, fewer than may wait.
pub(crate) const LOG_INS: usize = 8;
/// Clients whose latency is measured, and their breaks.
const PATIENT: usize = 4;
const PAUSE: Duration = Duration::from_millis(10);
pub(crate) const USERS: usize = LOG_INS + 4;
pub(crate) const STARTS: usize = 9;
pub(crate) const SETTLE: Duration = Duration::from_secs(2);
const REFRESHES: usize = 40;
/// So short that a client asks once.
const ONE: Duration = Duration::ZERO;
