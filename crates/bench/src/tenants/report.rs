//! The table of many tenants.

use core::fmt;

use crate::report::{self, Row, row, table};
use crate::series::Series;
use crate::settings::Settings;
use crate::tenants::made::Layout;
use crate::tenants::once::{Backends, MadeBy, Memory, Starts};
use crate::tenants::{Chores, Measured};

/// What was measured of many tenants; it shows itself as a Markdown table.
pub(crate) struct TenantsReport {
    /// How many they are, as it is shown, and as a number.
    called: String,
    tenants: f64,
    pub(crate) layouts: Vec<(Layout, Measured)>,
    pub(crate) chores: Option<Chores>,
}

impl fmt::Display for TenantsReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        table(f, self.rows())
    }
}

impl TenantsReport {
    pub(crate) fn of(settings: &Settings) -> Self {
        let tenants = u32::try_from(settings.tenants.count).unwrap_or(u32::MAX);
        Self {
            called: format!("{} tenants", grouped(settings.tenants.count)),
            tenants: f64::from(tenants),
            layouts: Vec::new(),
            chores: None,
        }
    }

    fn rows(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        for (layout, measured) in &self.layouts {
            rows.extend(self.throughput(*layout, measured));
            if let Some(backends) = &measured.backends {
                rows.push(self.backends(*layout, backends));
            }
            rows.extend(self.starts(*layout, &measured.starts));
            rows.push(self.memory(*layout, &measured.memory));
            let louds = [
                ("a tenant with 100 times the load", "2x", "1.2x"),
                ("one that asks without end", "", ""),
            ];
            for ((loud, must, aim), beside) in louds.into_iter().zip(&measured.beside) {
                let (p99, ratio) = (beside.p99.median(), beside.ratio.median());
                rows.push(row(
                    &format!("refresh p99 beside {loud} ({layout})"),
                    &format!("{p99:.1} ms, {ratio:.1}x"),
                    &format!(
                        "without it {:.1} ms; it has {:.0}/s",
                        measured.alone.median(),
                        beside.loud.median()
                    ),
                    must,
                    aim,
                ));
            }
        }
        if let Some(chores) = &self.chores {
            rows.extend(self.chores(chores));
        }
        rows
    }

    fn throughput(&self, layout: Layout, measured: &Measured) -> impl Iterator<Item = Row> {
        let (must, aim) = match layout {
            Layout::Schema => ("70 %", "90 %"),
            Layout::Shared => ("95 %", "99 %"),
        };
        let rates = measured.throughput.iter().zip(&measured.with_one);
        let rows = ["log in", "refresh", "validate"].into_iter().zip(rates);
        rows.map(move |(what, (throughput, with_one))| {
            row(
                &format!("{what}, {} ({layout})", self.called),
                &throughput.to_string(),
                &format!("with one {}", report::rate(with_one)),
                must,
                aim,
            )
        })
    }

    fn backends(&self, layout: Layout, backends: &[Backends; 2]) -> Row {
        let [one, many] = backends
            .map(|Backends { resident, own }| format!("{resident:.1} MiB ({own:.1} its own)"));
        row(
            &format!("a backend of Postgres, {} ({layout})", self.called),
            &many,
            &format!("with one {one}"),
            "",
            "",
        )
    }

    fn starts(&self, layout: Layout, [one, many]: &[Starts; 2]) -> [Row; 2] {
        [
            ("first answer", &one.first, &many.first),
            ("ready", &one.ready, &many.ready),
        ]
        .map(|(until, one, many)| {
            let (one, many) = (one.median(), many.median());
            row(
                &format!("start to {until}, {} ({layout})", self.called),
                &format!("{many:.0} ms, {:+.0} ms", many - one),
                &format!("with one {one:.0} ms"),
                "+200 ms",
                "+20 ms",
            )
        })
    }

    fn memory(&self, layout: Layout, [one, many]: &[Memory; 2]) -> Row {
        let each =
            |one: &Series, many: &Series| (many.median() - one.median()) * 1_024.0 / self.tenants;
        row(
            &format!("resident memory, each of {} ({layout})", self.called),
            &format!("{:.2} KiB", each(&one.touched, &many.touched)),
            &format!(
                "before it was touched {:.2} KiB",
                each(&one.idle, &many.idle)
            ),
            "4 KiB",
            "1 KiB",
        )
    }

    fn chores(&self, chores: &Chores) -> [Row; 3] {
        let Chores {
            made_by,
            creations: [made_with_one, made],
            nothing_to_do: [looked_with_one, looked],
            migrations,
            schemas,
        } = chores;
        let by = match made_by {
            MadeBy::Command => "by command",
            MadeBy::Request => "by request",
        };
        [
            row(
                &format!("make a tenant {by}, {} (schema)", self.called),
                &format!("{:.0} ms", made.median()),
                &format!("with one {:.0} ms", made_with_one.median()),
                "300 ms",
                "80 ms",
            ),
            row(
                &format!("migrate with nothing to do, {} (schema)", self.called),
                &format!("{:.2} s", looked.median() / 1_000.0),
                &format!("with one {:.2} s", looked_with_one.median() / 1_000.0),
                "10 s",
                "1 s",
            ),
            row(
                &format!("migrate, {} schemas", grouped(*schemas)),
                &format!("{:.1} s", migrations.median() / 1_000.0),
                "",
                "60 s",
                "20 s",
            ),
        ]
    }
}

/// With a comma before every three digits.
fn grouped(number: usize) -> String {
    match number {
        0..1_000 => number.to_string(),
        _ => format!("{},{:03}", grouped(number / 1_000), number % 1_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_shown_in_threes() {
        assert_eq!(
            [999, 1_000, 12_034_567].map(grouped),
            ["999", "1,000", "12,034,567"]
        );
    }
}
