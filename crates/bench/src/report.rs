//! The table.

use core::fmt;
use core::time::Duration;
use std::collections::BTreeMap;
use std::fs;

use crate::drive::Rate;
use crate::measure::{Measured, Rates, RoundTripsMade};
use crate::series::{Series, millis, percentile};

/// Everything that was measured; it shows itself as a Markdown table.
#[derive(Default)]
pub(crate) struct Report {
    pub(crate) hashes: Rates,
    pub(crate) signatures: BTreeMap<&'static str, Rates>,
    pub(crate) empty: Rates,
    pub(crate) services: Vec<(&'static str, Measured)>,
    pub(crate) round_trips: Option<RoundTripsMade>,
    /// From the start of the process to its first answer, in ms.
    pub(crate) start: Series,
    /// Resident memory, in MiB.
    pub(crate) idle: f64,
    pub(crate) busy: f64,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        table(f, self.rows())
    }
}

/// What was measured of events; it shows itself as a Markdown table.
#[derive(Default)]
pub(crate) struct EventsReport {
    pub(crate) drains: Vec<(Drain, Rates)>,
    /// From the commit to the acknowledgement, in ms: the median and the 99th percentile.
    pub(crate) delay: [Series; 2],
    /// Of log in and of refresh.
    pub(crate) throughput: [Throughput; 2],
}

/// Throughput with what may slow it down, in percent of that without.
#[derive(Default)]
pub(crate) struct Throughput {
    per_cpu_second: Series,
    per_second: Series,
}

impl Throughput {
    pub(crate) fn record(&mut self, with: Rate, without: Rate) {
        let percent = |with, without| 100.0 * with / without;
        let cpu = percent(with.per_cpu_second, without.per_cpu_second);
        self.per_cpu_second.record(cpu);
        self.per_second
            .record(percent(with.per_second, without.per_second));
    }
}

impl fmt::Display for Throughput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (cpu, wall) = (self.per_cpu_second.median(), self.per_second.median());
        write!(f, "{cpu:.1} % ({wall:.1} % here)")
    }
}

/// What is drained, and to where.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Drain {
    Kafka,
    KafkaFromDepth,
    RabbitMq,
}

impl fmt::Display for EventsReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        table(f, self.rows())
    }
}

impl EventsReport {
    pub(crate) fn record_delays(&mut self, mut delays: Vec<Duration>) {
        for (series, percent) in self.delay.iter_mut().zip([50, 99]) {
            series.record(millis(percentile(&mut delays, percent)));
        }
    }

    fn rows(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        let to_kafka = self.drains.iter().find(|(drain, _)| *drain == Drain::Kafka);
        for (drain, rates) in &self.drains {
            let (cpu, wall) = (rates.per_cpu_second.median(), rates.per_second.median());
            let per_core = format!("{cpu:.0}/s per core of the service");
            let reached = format!("{wall:.0}/s");
            rows.push(match (drain, to_kafka) {
                (Drain::KafkaFromDepth, Some((_, to_kafka))) => {
                    let share = 100.0 * wall / to_kafka.per_second.median();
                    let reached = format!("{reached}, {share:.1} %");
                    let what = "drain to Kafka, 5 million sent behind";
                    row(what, &reached, &per_core, "90 %", "98 %")
                }
                (Drain::Kafka | Drain::KafkaFromDepth, _) => row(
                    "drain to Kafka",
                    &reached,
                    &per_core,
                    "10,000/s",
                    "40,000/s",
                ),
                (Drain::RabbitMq, _) => row(
                    "drain to RabbitMQ",
                    &reached,
                    &per_core,
                    "5,000/s",
                    "15,000/s",
                ),
            });
        }
        let [middle, p99] = &self.delay;
        if !p99.is_empty() {
            rows.push(row(
                "commit to acknowledged by Kafka at 1,000/s, p99",
                &format!("{:.0} ms", p99.median()),
                &format!("median {:.0} ms", middle.median()),
                "250 ms",
                "20 ms",
            ));
        }
        for (what, throughput) in ["log in", "refresh"].iter().zip(&self.throughput) {
            rows.push(row(
                &format!("{what}, a million events waiting, broker down"),
                &throughput.to_string(),
                "with no publisher",
                "95 %",
                "98 %",
            ));
        }
        rows
    }
}

pub(crate) fn table(f: &mut fmt::Formatter<'_>, rows: Vec<Row>) -> fmt::Result {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    writeln!(f, "{cores} cores, load {load} at the end.\n")?;
    let mut all = vec![
        row("what", "reached", "the machine's bound", "must", "aim"),
        row("---", "---", "---", "---", "---"),
    ];
    all.extend(rows);
    let widths: [usize; 5] = core::array::from_fn(|column| {
        let cells = all.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    });
    for row in all {
        for (cell, width) in row.iter().zip(widths) {
            write!(f, "| {cell:<width$} ")?;
        }
        writeln!(f, "|")?;
    }
    Ok(())
}

pub(crate) type Row = [String; 5];

impl Report {
    fn rows(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        for (name, measured) in &self.services {
            rows.extend(self.rates(name, measured));
        }
        if let Some(made) = self.round_trips {
            rows.push(row(
                "refresh, round trips to Postgres",
                &format!("{:.0}", made.counted),
                &format!("waited for {:.1}", made.waited),
                "3",
                "2",
            ));
        }
        rows.push(row(
            "resident memory, idle",
            &format!("{:.1} MiB", self.idle),
            "",
            "40 MiB",
            "16 MiB",
        ));
        if self.busy > 0.0 {
            rows.push(row(
                "resident memory, every hash thread busy",
                &format!("{:.1} MiB", self.busy),
                "",
                "200 MiB",
                "72 MiB",
            ));
        }
        rows.push(row(
            "start to first answer",
            &format!("{:.0} ms", self.start.median()),
            "",
            "200 ms",
            "25 ms",
        ));
        for (name, measured) in &self.services {
            let [idle, busy, ratio] = &measured.p99;
            if ratio.is_empty() {
                continue;
            }
            rows.push(row(
                &format!("refresh p99 beside log ins ({name})"),
                &format!("{:.1} ms, {:.1}x", busy.median(), ratio.median()),
                &format!("idle {:.1} ms", idle.median()),
                "3x",
                "2x",
            ));
        }
        rows
    }

    fn rates(&self, name: &str, measured: &Measured) -> impl Iterator<Item = Row> {
        let algorithm = name.rsplit(' ').next().unwrap_or_default();
        let signatures = self.signatures.get(algorithm);
        let signed = signatures.map_or(String::new(), |rates| {
            format!("{:.0}/s signatures", rates.per_cpu_second.median())
        });
        let hashed = &self.hashes.per_cpu_second;
        let empty = &self.empty.per_cpu_second;
        let rows = [
            row(
                &format!("log in ({name})"),
                &against(&measured.log_in, hashed, 1),
                &format!("{:.1}/s hashes", hashed.median()),
                "90 %",
                "97 %",
            ),
            row(
                &format!("register ({name})"),
                &against(&measured.register, hashed, 1),
                &format!("{:.1}/s hashes", hashed.median()),
                "90 %",
                "97 %",
            ),
            row(
                &format!("refresh ({name})"),
                &rate(&measured.refresh),
                &signed,
                "1,500/s",
                "2,500/s",
            ),
            row(
                &format!("validate ({name})"),
                &rate(&measured.validate),
                &format!("{:.0}/s empty answers", empty.median()),
                "8,000/s",
                "15,000/s",
            ),
            row(
                &format!("JWKS ({name})"),
                &against(&measured.jwks, empty, 0),
                &format!("{:.0}/s empty answers", empty.median()),
                "90 %",
                "97 %",
            ),
        ];
        let rates = [
            &measured.log_in,
            &measured.register,
            &measured.refresh,
            &measured.validate,
            &measured.jwks,
        ];
        let measured = rates.map(|rates| !rates.per_second.is_empty());
        let rows = rows.into_iter().zip(measured);
        rows.filter_map(|(row, measured)| measured.then_some(row))
    }
}

pub(crate) fn rate(rates: &Rates) -> String {
    let (cpu, wall) = (rates.per_cpu_second.median(), rates.per_second.median());
    format!("{cpu:.0}/s ({wall:.0}/s here)")
}

fn against(rates: &Rates, bound: &Series, digits: usize) -> String {
    let reached = rates.per_cpu_second.median();
    let share = 100.0 * reached / bound.median();
    format!("{reached:.digits$}/s, {share:.1} %")
}

pub(crate) fn row(what: &str, reached: &str, bound: &str, must: &str, aim: &str) -> Row {
    [what, reached, bound, must, aim].map(str::to_owned)
}
