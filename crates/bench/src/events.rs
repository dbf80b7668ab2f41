//! The measurements of events, on Postgres: how fast they go out, how soon, and what they cost
//! while they cannot.

use core::time::Duration;
use std::collections::HashMap;
use std::thread;

use crate::Failure;
use crate::brokers::{Kafka, nobody, nowhere};
use crate::drive::Rate;
use crate::event_log::EventLog;
use crate::installation::Installation;
use crate::measure::{Rates, Subject, USERS};
use crate::psql::Psql;
use crate::report::{Drain, EventsReport, Throughput};
use crate::settings::Settings;
use crate::watch::Stopwatch;

/// Measures everything and prints the table.
pub(crate) fn run(settings: &Settings) -> Result<(), Failure> {
    eprintln!("bench: making events");
    let mut drains = drains(settings)?;
    let idle = Logged::make(settings, "idle", nobody(), 0)?;
    let mut waiting = Logged::make(settings, "waiting", nowhere(), WAITING)?;
    if let Some((drain, logged, _)) = drains.first_mut() {
        eprintln!("bench: warming the broker");
        logged.drain(drain.pending())?;
    }
    let mut report = EventsReport::default();
    for round in 1..=settings.rounds {
        eprintln!("bench: round {round} of {}", settings.rounds);
        for (drain, logged, rates) in &mut drains {
            if let (Drain::RabbitMq, Some(rabbitmq)) = (&drain, &settings.events.rabbitmq) {
                rabbitmq.purge()?;
            }
            rates.record(logged.drain(drain.pending())?);
        }
        if let (Some(kafka), Some((_, logged, _))) = (&settings.events.kafka, drains.first_mut()) {
            let topic = format!("delay-{round}");
            let delays = logged.delays(kafka, &topic, settings.span * DELAY_SPANS)?;
            report.record_delays(delays);
        }
    }
    eprintln!("bench: log in and refresh, by turns");
    waiting.log.rewind(WAITING)?;
    report.throughput = pairs(&idle.installation, &waiting.installation, settings)?;
    report.drains = drains
        .into_iter()
        .map(|(drain, _, rates)| (drain, rates))
        .collect();
    print!("{report}");
    Ok(())
}

/// What is drained to the brokers that there are; to Kafka first.
fn drains(settings: &Settings) -> Result<Vec<(Drain, Logged, Rates)>, Failure> {
    let mut made = Vec::new();
    if let Some(kafka) = &settings.events.kafka {
        kafka.make_topic(DRAINED)?;
        for (drain, name, sent) in [
            (Drain::Kafka, "kafka", 0),
            (Drain::KafkaFromDepth, "depth", DEPTH),
        ] {
            let count = sent + drain.pending();
            let logged = Logged::make(settings, name, kafka.settings(DRAINED), count)?;
            made.push((drain, logged, Rates::default()));
        }
    }
    if let Some(rabbitmq) = &settings.events.rabbitmq {
        let (drain, there) = (Drain::RabbitMq, rabbitmq.settings());
        let logged = Logged::make(settings, "rabbitmq", there, drain.pending())?;
        made.push((drain, logged, Rates::default()));
    }
    Ok(made)
}

impl Drain {
    /// How many events are drained; some seconds of work.
    fn pending(self) -> i64 {
        match self {
            Self::Kafka | Self::KafkaFromDepth => 500_000,
            Self::RabbitMq => 100_000,
        }
    }
}

/// An installation with a database of its own, and the event log there.
struct Logged {
    installation: Installation,
    log: EventLog,
}

impl Logged {
    /// Its log has `count` events.
    fn make(
        settings: &Settings,
        name: &str,
        events: Vec<(&'static str, String)>,
        count: i64,
    ) -> Result<Self, Failure> {
        let postgres = settings.events.postgres.as_ref();
        let (server, bin) = postgres.ok_or("there is no Postgres for events")?;
        Psql::open(bin, server)?.ask(&format!("CREATE DATABASE {name}"))?;
        let (server, _) = server.rsplit_once('/').ok_or("a URL without a database")?;
        let url = format!("{server}/{name}");
        let installation = Installation::new(settings, name, Some(url.clone()), "ES256")?;
        let installation = installation.sending(events);
        installation.prepare(USERS)?;
        let mut log = EventLog::open(bin.clone(), url, &settings.folder.join(name))?;
        log.fill(count)?;
        Ok(Self { installation, log })
    }

    /// How fast that many events go out, from the first that are settled to the last.
    fn drain(&mut self, pending: i64) -> Result<Rate, Failure> {
        self.log.rewind(pending)?;
        let process = self.installation.start()?;
        let first = self.sent(1)?;
        let (watch, before) = (Stopwatch::start(), process.cpu()?);
        self.sent(pending)?;
        let (time, cpu) = (watch.elapsed(), process.cpu()?.saturating_sub(before));
        Rate::of(usize::try_from(pending - first)?, time, cpu)
    }

    /// How long each event took from its commit to the broker's log.
    fn delays(
        &mut self,
        kafka: &Kafka,
        topic: &str,
        span: Duration,
    ) -> Result<Vec<Duration>, Failure> {
        kafka.make_topic(topic)?;
        self.log.rewind(0)?;
        let there = self.installation.sending(kafka.settings(topic));
        let process = there.start()?;
        let count = self.log.commit(COMMITS, span)?;
        self.sent(count)?;
        drop(process);
        let committed = self.log.moments(count)?;
        let mut appended = HashMap::new();
        for (position, moment) in kafka.appended(topic, count)? {
            appended.entry(position).or_insert(moment);
        }
        let delay = |(position, committed): (i64, i64)| {
            let appended = appended.get(&position).ok_or("an event was lost")?;
            // It is told in whole milliseconds, of which this is the end.
            let micros = (appended + 1) * 1_000 - committed;
            Ok(Duration::from_micros(u64::try_from(micros)?))
        };
        committed.into_iter().map(delay).collect()
    }

    /// Waits until so many were sent; answers how many were.
    fn sent(&mut self, enough: i64) -> Result<i64, Failure> {
        let watch = Stopwatch::start();
        while watch.elapsed() < PATIENCE {
            let sent = self.log.sent()?;
            if sent >= enough {
                return Ok(sent);
            }
            thread::sleep(LOOK);
        }
        Err(format!("{enough} events are not sent in time").into())
    }
}

/// Log ins and refreshes where events wait, by those where none do, in short turns. Of the two
/// services one always stands still.
fn pairs(
    idle: &Installation,
    waiting: &Installation,
    settings: &Settings,
) -> Result<[Throughput; 2], Failure> {
    let mut subjects = [Subject::start("", idle)?, Subject::start("", waiting)?];
    for subject in &mut subjects {
        subject.log_everyone_in()?;
        subject.process.stop()?;
    }
    let mut all = [Throughput::default(), Throughput::default()];
    for turn in 0..settings.rounds * TURNS {
        let rows: [Ask; 2] = [Subject::log_in, Subject::refresh];
        for (row, series) in rows.into_iter().zip(&mut all) {
            let [mut without, mut with] = [Rate::default(); 2];
            for place in [turn % 2, (turn + 1) % 2] {
                let [idle, waiting] = &mut subjects;
                let (subject, reached) = match place {
                    0 => (idle, &mut without),
                    _ => (waiting, &mut with),
                };
                subject.process.go_on()?;
                *reached = row(subject, settings.span / 2)?;
                subject.process.stop()?;
            }
            series.record(with, without);
        }
    }
    Ok(all)
}

type Ask = fn(&mut Subject, Duration) -> Result<Rate, Failure>;

const COMMITS: u32 = 1_000;
const DELAY_SPANS: u32 = 5;
const DEPTH: i64 = 5_000_000;
const DRAINED: &str = "drained";
const LOOK: Duration = Duration::from_millis(20);
const PATIENCE: Duration = Duration::from_mins(5);
/// How often in each round log in and refresh take turns.
const TURNS: u32 = 5;
const WAITING: i64 = 1_000_000;
