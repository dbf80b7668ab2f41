//! A run: the shared schema by itself, then all others from one queue.

use core::num::NonZeroUsize;
use std::collections::{BTreeMap, BTreeSet};

use tessera_app::Unavailable;
use tokio::time::sleep;

use crate::connect::Connector;
use crate::levels::{Level, levels};
use crate::migrate::{
    Damage, Fault, Migrate, MigrateError, Migrated, Milestone, Standing, Step, Told,
};
use crate::migration::{Lists, Migration, SHARED_SCHEMA};
use crate::pipeline::SHARED_PLACE;
use crate::queue::{Job, PAUSE, Queue, TRIES, Way};
use crate::survey::Which;
use crate::transaction::{self, Place};
use crate::worker::{Outcome, Worker};

/// What runs migrations: those of `lists`, wherever `connector` leads.
#[derive(Clone, Copy)]
pub(crate) struct Runner<'a> {
    pub(crate) connector: &'a Connector,
    pub(crate) lists: Lists,
}

impl Runner<'_> {
    /// Takes every step that is missing.
    pub(crate) async fn up(&self, run: &Migrate<'_>) -> Result<Migrated, MigrateError> {
        let mut worker = self.turn(run.told).await?;
        worker.make_book().await?;
        let mut done = Migrated {
            steps: self.up_shared(&mut worker, run.told).await?,
            set_aside: Vec::new(),
        };
        let only = match run.tenant {
            Some(key) => Some(worker.tenant(key).await?),
            None => None,
        };
        let list = self.lists.tenant;
        let way = Way::Up(worker.checksums(list).await?);
        let mut seen = BTreeSet::new();
        // Again for those that the version before made meanwhile.
        loop {
            let mut lacking = worker.survey(list, Which::Lacking, only.as_ref()).await?;
            lacking.retain(|found| seen.insert(found.place.clone()));
            if lacking.is_empty() {
                break;
            }
            let mut jobs = Vec::new();
            for found in lacking {
                if let Some(fault) = found.fault(list) {
                    (run.told)(Milestone::SetAside(&fault));
                    done.set_aside.push(fault);
                    continue;
                }
                let steps = found.missing(list);
                let place = Place {
                    schema: found.place,
                    shown: found.shown,
                };
                jobs.push(Job::new(place, steps));
            }
            let queue = Queue::new(self.connector, &way, jobs, run.told);
            done.extend(queue.work(run.jobs).await?);
        }
        done.set_aside
            .sort_by(|one, other| one.schema.cmp(&other.schema));
        Ok(done)
    }

    /// Takes back the last `count` migrations.
    pub(crate) async fn down(
        &self,
        count: usize,
        jobs: NonZeroUsize,
        told: Told<'_>,
    ) -> Result<Migrated, MigrateError> {
        let mut worker = self.turn(told).await?;
        let mut done = Migrated::default();
        for level in self.levels(&mut worker, count).await? {
            match level {
                Level::Shared(migration) => {
                    let sql = transaction::down(&Place::shared(), &[migration]);
                    if patiently(&mut worker, migration, &sql).await? {
                        let step = Step::of(SHARED_SCHEMA, migration, false);
                        told(Milestone::Taken(&step));
                        done.steps.push(step);
                    }
                }
                Level::Tenants(versions) => {
                    let jobs_of_tenants = self.jobs_down(&mut worker, versions).await?;
                    let queue = Queue::new(self.connector, &Way::Down, jobs_of_tenants, told);
                    done.extend(queue.work(jobs).await?);
                    if !done.set_aside.is_empty() {
                        break;
                    }
                }
            }
        }
        Ok(done)
    }

    /// What [`down`](Self::down) would take back.
    pub(crate) async fn steps_down(&self, count: usize) -> Result<Vec<Step>, MigrateError> {
        let mut worker = Worker::start(self.connector).await?;
        let mut steps = Vec::new();
        for level in self.levels(&mut worker, count).await? {
            match level {
                Level::Shared(migration) => steps.push(Step::of(SHARED_SCHEMA, migration, true)),
                Level::Tenants(versions) => {
                    let holders = self.holders(&mut worker, versions).await?.into_iter();
                    let of_tenants =
                        holders.map(|(schema, migration)| Step::of(&schema, migration, true));
                    steps.extend(of_tenants);
                }
            }
        }
        Ok(steps)
    }

    /// How far every schema is, or the shared one and that of one tenant.
    pub(crate) async fn standings(
        &self,
        tenant: Option<&str>,
    ) -> Result<Vec<Standing>, MigrateError> {
        let mut worker = Worker::start(self.connector).await?;
        let shared = self.shared(&mut worker).await?;
        if shared.version == 0 {
            return match tenant {
                Some(_) => Err(MigrateError::NoTenant),
                None => Ok(vec![shared, self.nothing_of_tenants()]),
            };
        }
        let only = match tenant {
            Some(key) => Some(worker.tenant(key).await?),
            None => None,
        };
        let list = self.lists.tenant;
        let found = worker.survey(list, Which::All, only.as_ref()).await?;
        let of_tenants = found.into_iter().map(|found| found.standing(list));
        Ok([shared].into_iter().chain(of_tenants).collect())
    }

    /// That of the tables that tenants share, before there is a schema to ask.
    fn nothing_of_tenants(&self) -> Standing {
        let missing = self.lists.tenant.iter();
        Standing {
            schema: SHARED_PLACE.to_owned(),
            version: 0,
            name: None,
            missing: missing
                .map(|it| Step::of(SHARED_PLACE, it, false))
                .collect(),
            fault: None,
        }
    }

    /// The connection of the one run that goes on.
    async fn turn(&self, told: Told<'_>) -> Result<Worker, Unavailable> {
        let mut worker = Worker::start(self.connector).await?;
        worker.take_turn(|| told(Milestone::Waiting)).await?;
        Ok(worker)
    }

    async fn shared(&self, worker: &mut Worker) -> Result<Standing, Unavailable> {
        let (list, book) = (self.lists.shared, worker.shared_book().await?);
        let sums = worker.checksums(list).await?;
        let noted = |migration: &Migration| book.iter().find(|(of, _)| *of == migration.version);
        let changed = sums
            .iter()
            .find(|(migration, ours)| noted(migration).is_some_and(|(_, sum)| sum != ours));
        let newest = list.iter().rfind(|migration| noted(migration).is_some());
        Ok(Standing {
            schema: SHARED_SCHEMA.to_owned(),
            version: newest.map_or(0, |newest| newest.version),
            name: newest.map(|newest| newest.name),
            missing: list
                .iter()
                .filter(|migration| noted(migration).is_none())
                .map(|migration| Step::of(SHARED_SCHEMA, migration, false))
                .collect(),
            fault: changed
                .map(|(migration, _)| Fault::of(SHARED_SCHEMA, migration, Damage::Changed)),
        })
    }

    async fn up_shared(
        &self,
        worker: &mut Worker,
        told: Told<'_>,
    ) -> Result<Vec<Step>, MigrateError> {
        let standing = self.shared(worker).await?;
        if let Some(fault) = standing.fault {
            return Err(fault.into());
        }
        let is_missing = |of: &Migration| {
            let mut missing = standing.missing.iter();
            missing.any(|step| step.version == of.version)
        };
        let mut taken = Vec::new();
        let mut sums = worker.checksums(self.lists.shared).await?;
        sums.retain(|(migration, _)| is_missing(migration));
        for (migration, sum) in sums {
            let sql = transaction::up(&Place::shared(), &[(migration, &sum)]);
            if patiently(worker, migration, &sql).await? {
                let step = Step::of(SHARED_SCHEMA, migration, true);
                told(Milestone::Taken(&step));
                taken.push(step);
            }
        }
        Ok(taken)
    }

    /// The last `count` migrations that any schema has, the last one first.
    async fn levels(&self, worker: &mut Worker, count: usize) -> Result<Vec<Level>, Unavailable> {
        if worker.shared_book().await?.is_empty() {
            return Ok(Vec::new());
        }
        Ok(levels(self.lists, &worker.moments().await?, count))
    }

    /// What takes these migrations of tenants back, in each schema that has any.
    async fn jobs_down(
        &self,
        worker: &mut Worker,
        versions: Vec<i32>,
    ) -> Result<Vec<Job>, Unavailable> {
        let mut work = BTreeMap::<String, Vec<&'static Migration>>::new();
        for (schema, migration) in self.holders(worker, versions).await? {
            work.entry(schema).or_default().push(migration);
        }
        let jobs = work.into_iter().map(|(schema, steps)| {
            let place = Place {
                schema,
                shown: None,
            };
            Job::new(place, steps)
        });
        Ok(jobs.collect())
    }

    /// Which schema of a tenant has which of these migrations, the last of each first.
    async fn holders(
        &self,
        worker: &mut Worker,
        versions: Vec<i32>,
    ) -> Result<Vec<(String, &'static Migration)>, Unavailable> {
        let holders = worker.holders(versions).await?.into_iter();
        let ours = |version| self.lists.tenant.iter().find(|it| it.version == version);
        Ok(holders
            .filter_map(|(schema, version)| Some((schema, ours(version)?)))
            .collect())
    }
}

/// Runs a step of the shared schema, however often somebody else has the table; answers whether it
/// was this run that took it.
async fn patiently(
    worker: &mut Worker,
    migration: &Migration,
    sql: &str,
) -> Result<bool, MigrateError> {
    let mut tries = 0;
    let damage = loop {
        tries += 1;
        match worker.run(sql).await {
            Outcome::Broken(error) => return Err(Unavailable::new(error).into()),
            Outcome::Done => return Ok(true),
            Outcome::Failed(error) => break Damage::Failed(error.into()),
            Outcome::InUse if tries < TRIES => sleep(PAUSE).await,
            Outcome::InUse => break Damage::InUse,
            Outcome::Overtaken(_) => return Ok(false),
        }
    };
    Err(Fault::of(SHARED_SCHEMA, migration, damage).into())
}
