//! Migrations, as commands show them.

use std::collections::BTreeMap;

use serde::Serialize;
use tessera_postgres::{Fault, Migrated, Standing, Step};
use tessera_sqlite::MigrationStatus;

use crate::failure::Failure;
use crate::output::{Output, document};

/// What was done, or would be.
#[derive(Debug, Default)]
pub(crate) struct Changed {
    steps: Vec<MigrationView>,
    set_aside: Vec<MigrationView>,
}

/// How far every schema is.
#[derive(Debug)]
pub(crate) struct Standings(pub(super) Vec<StandingView>);

/// A migration of a schema.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub(super) struct MigrationView {
    schema: String,
    version: i32,
    name: String,
    applied: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// How far a schema is.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub(super) struct StandingView {
    schema: String,
    version: i32,
    name: Option<String>,
    state: State,
    missing: Vec<String>,
    reason: Option<String>,
}

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Complete,
    Damaged,
    Lagging,
}

/// How many schemas are as far.
#[derive(Serialize)]
struct LevelView {
    schemas: usize,
    version: i32,
    name: Option<String>,
    state: State,
}

/// How many schemas a migration was of.
#[derive(Serialize)]
struct TakenView {
    schemas: usize,
    version: i32,
    name: String,
    applied: bool,
}

impl Changed {
    /// Of the one file, whose migrations are called so.
    pub(super) fn of_file(names: &[String], applied: bool) -> Self {
        let steps = names.iter();
        Self {
            steps: steps
                .map(|name| MigrationView::of_file(name, applied))
                .collect(),
            set_aside: Vec::new(),
        }
    }

    /// Of what is planned alone.
    pub(super) fn of_steps(steps: &[Step]) -> Self {
        Self {
            steps: steps.iter().map(MigrationView::from).collect(),
            set_aside: Vec::new(),
        }
    }

    /// What a run would do that takes all that is missing.
    pub(super) fn missing(standings: &[Standing]) -> Self {
        let well = standings.iter().filter(|it| it.fault.is_none());
        let faults = standings.iter().filter_map(|it| it.fault.as_ref());
        Self {
            steps: well
                .flat_map(|standing| standing.missing.iter().map(MigrationView::from))
                .collect(),
            set_aside: faults.map(MigrationView::from).collect(),
        }
    }

    /// How much was done, in how many schemas.
    pub(crate) fn summary(&self) -> String {
        let mut schemas: Vec<&str> = self.steps.iter().map(|step| &*step.schema).collect();
        schemas.dedup();
        let (steps, schemas) = (self.steps.len(), schemas.len());
        let plural = |number| if number == 1 { "" } else { "s" };
        let [of_steps, of_schemas] = [plural(steps), plural(schemas)];
        format!("{steps} migration{of_steps} of {schemas} schema{of_schemas}")
    }

    /// Prints it, as far as there is something.
    pub(crate) fn print(&self, output: Output) -> Result<(), Failure> {
        match output {
            Output::Json => {
                let all = self.steps.iter().chain(&self.set_aside);
                return document(&all.collect::<Vec<_>>());
            }
            Output::Text => {}
        }
        if self.steps.len() <= LINES {
            if !self.steps.is_empty() {
                output.many(&["schema", "version", "name", "applied"], &self.steps)?;
            }
        } else {
            output.many(&["schemas", "version", "name", "applied"], &self.counted())?;
        }
        if !self.set_aside.is_empty() {
            output.many(&["schema", "version", "name", "reason"], &self.set_aside)?;
        }
        Ok(())
    }

    /// Fails where a tenant was set aside.
    pub(crate) fn judge(&self) -> Result<(), Failure> {
        match &*self.set_aside {
            [] => Ok(()),
            [one] => Err(Failure::Failed(format!(
                "the tenant in the schema {} was set aside",
                one.schema
            ))),
            several => {
                let first = several.iter().map(|it| &*it.schema).take(FIRST);
                let first = first.collect::<Vec<_>>().join(", ");
                let (all, rest) = (several.len(), several.len() > FIRST);
                let and_more = if rest { " and others" } else { "" };
                Err(Failure::Failed(format!(
                    "{all} tenants were set aside, in the schemas {first}{and_more}"
                )))
            }
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.steps.is_empty() && self.set_aside.is_empty()
    }

    /// For each migration, of how many schemas it was, in the order in which they come first.
    fn counted(&self) -> Vec<TakenView> {
        let mut counted: Vec<TakenView> = Vec::new();
        for step in &self.steps {
            let same = counted
                .iter_mut()
                .find(|taken| taken.version == step.version && taken.name == step.name);
            match same {
                Some(taken) => taken.schemas += 1,
                None => counted.push(TakenView {
                    schemas: 1,
                    version: step.version,
                    name: step.name.clone(),
                    applied: step.applied,
                }),
            }
        }
        counted
    }
}

impl From<&Migrated> for Changed {
    fn from(done: &Migrated) -> Self {
        Self {
            steps: done.steps.iter().map(MigrationView::from).collect(),
            set_aside: done.set_aside.iter().map(MigrationView::from).collect(),
        }
    }
}

impl Standings {
    /// Prints each schema, or for people, where these are many, how many are how far and those of
    /// which that tells too little.
    pub(crate) fn print(&self, output: Output) -> Result<(), Failure> {
        let columns = ["schema", "version", "name", "state", "missing", "reason"];
        match output {
            Output::Json => return document(&self.0),
            Output::Text if self.0.len() <= LINES => return output.many(&columns, &self.0),
            Output::Text => {}
        }
        output.many(&["schemas", "version", "name", "state"], &self.counted())?;
        let wanting = self.0.iter().filter(|it| it.state != State::Complete);
        let (shown, all) = (wanting.clone().take(MOST_LINES), wanting.count());
        if all > 0 {
            output.many(&columns, &shown.collect::<Vec<_>>())?;
        }
        if all > MOST_LINES {
            eprintln!("{} more are shown with --json.", all - MOST_LINES);
        }
        Ok(())
    }

    fn counted(&self) -> Vec<LevelView> {
        let mut levels = BTreeMap::<_, usize>::new();
        for standing in &self.0 {
            let level = (standing.version, &standing.name, standing.state);
            *levels.entry(level).or_default() += 1;
        }
        let levels = levels.into_iter().rev();
        levels
            .map(|((version, name, state), schemas)| LevelView {
                schemas,
                version,
                name: name.clone(),
                state,
            })
            .collect()
    }
}

impl MigrationView {
    /// A migration of the one file, whose names begin with their number.
    fn of_file(name: &str, applied: bool) -> Self {
        let (version, bare) = parts(name);
        Self {
            schema: FILE.to_owned(),
            version,
            name: bare.to_owned(),
            applied,
            reason: None,
        }
    }
}

impl From<&Step> for MigrationView {
    fn from(step: &Step) -> Self {
        Self {
            schema: step.schema.clone(),
            version: step.version,
            name: step.name.to_owned(),
            applied: step.applied,
            reason: None,
        }
    }
}

impl From<&Fault> for MigrationView {
    fn from(fault: &Fault) -> Self {
        Self {
            schema: fault.schema.clone(),
            version: fault.version,
            name: fault.name.to_owned(),
            applied: false,
            reason: Some(reason(fault)),
        }
    }
}

impl StandingView {
    /// That of the one file.
    pub(super) fn of_file(all: &[MigrationStatus]) -> Self {
        let (applied, missing): (Vec<_>, Vec<_>) =
            all.iter().partition(|status| status.applied_at.is_some());
        let last = applied.last().map(|status| parts(&status.name));
        let missing = missing
            .iter()
            .map(|status| parts(&status.name).1.to_owned());
        let missing: Vec<String> = missing.collect();
        Self {
            schema: FILE.to_owned(),
            version: last.map_or(0, |(version, _)| version),
            name: last.map(|(_, name)| name.to_owned()),
            state: State::of(&missing, None),
            missing,
            reason: None,
        }
    }
}

impl From<&Standing> for StandingView {
    fn from(standing: &Standing) -> Self {
        let missing = standing.missing.iter().map(|step| step.name.to_owned());
        let missing: Vec<String> = missing.collect();
        Self {
            schema: standing.schema.clone(),
            version: standing.version,
            name: standing.name.map(str::to_owned),
            state: State::of(&missing, standing.fault.as_ref()),
            missing,
            reason: standing.fault.as_ref().map(|fault| {
                let Fault { version, .. } = fault;
                format!("migration {version}: {}", reason(fault))
            }),
        }
    }
}

impl State {
    fn of(missing: &[String], fault: Option<&Fault>) -> Self {
        match (fault, missing) {
            (Some(_), _) => Self::Damaged,
            (None, []) => Self::Complete,
            (None, _) => Self::Lagging,
        }
    }
}

/// What is wrong, as a part of a line.
pub(super) fn reason(fault: &Fault) -> String {
    Failure::because(&fault.damage).to_string()
}

fn parts(name: &str) -> (i32, &str) {
    let (version, bare) = name.split_once('_').unwrap_or(("", name));
    (version.parse().unwrap_or(0), bare)
}

const FILE: &str = "main";
/// More lines are counted instead.
const LINES: usize = 40;
const MOST_LINES: usize = 200;
/// So many are named in a sentence.
const FIRST: usize = 5;
