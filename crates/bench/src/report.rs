//! The table.

use core::fmt;
use std::collections::BTreeMap;
use std::fs;

use crate::measure::{Measured, Rates, RoundTripsMade};
use crate::series::Series;

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
        let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let load = load.split(' ').next().unwrap_or_default();
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        writeln!(f, "{cores} cores, load {load} at the end.\n")?;
        let rows = self.rows();
        let widths: [usize; 5] = core::array::from_fn(|column| {
            let cells = rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        });
        for row in rows {
            for (cell, width) in row.iter().zip(widths) {
                write!(f, "| {cell:<width$} ")?;
            }
            writeln!(f, "|")?;
        }
        Ok(())
    }
}

type Row = [String; 5];

impl Report {
    fn rows(&self) -> Vec<Row> {
        let mut rows = vec![
            row("what", "reached", "the machine's bound", "must", "aim"),
            row("---", "---", "---", "---", "---"),
        ];
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
            &measured.refresh,
            &measured.validate,
            &measured.jwks,
        ];
        let measured = rates.map(|rates| !rates.per_second.is_empty());
        let rows = rows.into_iter().zip(measured);
        rows.filter_map(|(row, measured)| measured.then_some(row))
    }
}

fn rate(rates: &Rates) -> String {
    let (cpu, wall) = (rates.per_cpu_second.median(), rates.per_second.median());
    format!("{cpu:.0}/s ({wall:.0}/s here)")
}

fn against(rates: &Rates, bound: &Series, digits: usize) -> String {
    let reached = rates.per_cpu_second.median();
    let share = 100.0 * reached / bound.median();
    format!("{reached:.digits$}/s, {share:.1} %")
}

fn row(what: &str, reached: &str, bound: &str, must: &str, aim: &str) -> Row {
    [what, reached, bound, must, aim].map(str::to_owned)
}
