//! The measurements of many tenants, on Postgres, beside the same with one.

use crate::Failure;
use crate::measure::{Rates, STARTS};
use crate::report::Throughput;
use crate::series::{Series, millis};
use crate::settings::Settings;
use crate::tenants::load::Load;
use crate::tenants::made::{Layout, Made};
use crate::tenants::once::{Backends, MadeBy, Memory, Starts, creations, run as timed};
use crate::tenants::report::TenantsReport;

mod load;
mod made;
mod once;
mod report;

/// Measures everything and prints the table.
pub(crate) fn run(settings: &Settings) -> Result<(), Failure> {
    made::make_role(settings)?;
    let count = settings.tenants.count;
    let mut report = TenantsReport::of(settings);
    for layout in Layout::ALL {
        let make = |name, tenants| Made::new(settings, (name, layout), tenants, count);
        let mut pair = [make("one", 1)?, make("many", count)?];
        let mut measured = Measured::default();
        measured.loads(&mut pair, settings)?;
        eprintln!("bench: {layout}, starts and memory");
        for _ in 0..STARTS {
            for (starts, made) in measured.starts.iter_mut().zip(&pair) {
                starts.record(&made.installation)?;
            }
        }
        for _ in 0..REPEATS {
            for (memory, made) in measured.memory.iter_mut().zip(&pair) {
                memory.record(made, count)?;
            }
        }
        match layout {
            Layout::Schema => report.chores = Some(Chores::measure(pair, settings)?),
            Layout::Shared => {}
        }
        report.layouts.push((layout, measured));
    }
    print!("{report}");
    Ok(())
}

/// What was measured of a layout; of two, the first is with one tenant, the second with many.
#[derive(Default)]
pub(crate) struct Measured {
    /// Of log in, refresh and validate, many against one.
    pub(crate) throughput: [Throughput; 3],
    /// The same with one.
    pub(crate) with_one: [Rates; 3],
    pub(crate) backends: Option<[Backends; 2]>,
    /// The 99th percentile of refresh of the others, in ms, without the loud one.
    pub(crate) alone: Series,
    /// The same beside it, and where it asks without end.
    pub(crate) beside: [Beside; 2],
    pub(crate) starts: [Starts; 2],
    pub(crate) memory: [Memory; 2],
}

/// What the others notice of a tenant that is loud.
#[derive(Default)]
pub(crate) struct Beside {
    /// The 99th percentile of their refreshes, in ms.
    pub(crate) p99: Series,
    /// The same by what it is without the loud one.
    pub(crate) ratio: Series,
    /// How many refreshes of the loud one are answered a second.
    pub(crate) loud: Series,
}

impl Measured {
    fn loads(&mut self, pair: &mut [Made; 2], settings: &Settings) -> Result<(), Failure> {
        eprintln!("bench: logging in, and warming up");
        let [with_one, with_many] = pair;
        let mut one = Load::start(with_one, settings)?;
        let mut many = Load::start(with_many, settings)?;
        with_one.vacuum()?;
        with_many.vacuum()?;
        let mut neighbours = many.neighbours(with_many)?;
        for round in 1..=settings.rounds {
            eprintln!("bench: round {round} of {}", settings.rounds);
            for turn in 0..TURNS {
                self.take_turns(&mut one, &mut many, turn % 2 == 0, settings)?;
            }
            let heard = many.p99(&mut neighbours, settings.span * P99_SPANS)?;
            self.alone.record(millis(heard.alone));
            for (beside, (p99, loud)) in self.beside.iter_mut().zip(heard.beside) {
                beside.p99.record(millis(p99));
                beside
                    .ratio
                    .record(p99.as_secs_f64() / heard.alone.as_secs_f64());
                beside.loud.record(loud);
            }
        }
        self.backends = Some([
            Backends::of(&mut with_one.psql)?,
            Backends::of(&mut with_many.psql)?,
        ]);
        Ok(())
    }

    /// Lets both services do each row, which of them first by turns.
    fn take_turns(
        &mut self,
        one: &mut Load,
        many: &mut Load,
        one_first: bool,
        settings: &Settings,
    ) -> Result<(), Failure> {
        let series = self.throughput.iter_mut().zip(&mut self.with_one);
        for (place, (throughput, rates)) in series.enumerate() {
            let ask = |load: &mut Load| load.rate(place, settings.span / 2);
            let (with_one, with_many) = if one_first {
                let with_one = ask(one)?;
                (with_one, ask(many)?)
            } else {
                let with_many = ask(many)?;
                (ask(one)?, with_many)
            };
            throughput.record(with_many, with_one);
            rates.record(with_one);
        }
        Ok(())
    }
}

/// What takes longer with a schema for each tenant, in ms; of two, the first is with one tenant.
pub(crate) struct Chores {
    pub(crate) made_by: MadeBy,
    pub(crate) creations: [Series; 2],
    pub(crate) nothing_to_do: [Series; 2],
    /// Of so many schemas.
    pub(crate) migrations: Series,
    pub(crate) schemas: usize,
}

impl Chores {
    fn measure(pair: [Made; 2], settings: &Settings) -> Result<Self, Failure> {
        eprintln!("bench: making tenants and migrating");
        let [one, many] = pair;
        let mut nothing_to_do = [Series::default(), Series::default()];
        for _ in 0..REPEATS {
            for (series, made) in nothing_to_do.iter_mut().zip([&one, &many]) {
                series.record(millis(timed(&made.installation, &["migrate"])?));
            }
        }
        let (_, with_one) = creations(&one)?;
        let (made_by, with_many) = creations(&many)?;
        drop((one, many));
        let schemas = settings.tenants.count.min(SCHEMAS);
        let migrated = Made::new(settings, ("migrated", Layout::Schema), schemas, schemas)?;
        let mut migrations = Series::default();
        for _ in 0..REPEATS {
            timed(&migrated.installation, &["migrate", "--down", "1"])?;
            migrations.record(millis(timed(&migrated.installation, &["migrate"])?));
        }
        Ok(Self {
            made_by,
            creations: [with_one, with_many],
            nothing_to_do,
            migrations,
            schemas,
        })
    }
}

/// The least time in which twenty quiet clients refresh so often that a percentile tells something.
const P99_SPANS: u32 = 3;
const REPEATS: usize = 3;
/// Through how many schemas a migration goes.
const SCHEMAS: usize = 1_000;
/// How often in each round the two services take turns.
const TURNS: u32 = 5;
