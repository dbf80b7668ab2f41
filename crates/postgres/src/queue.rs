//! What is left to be done in schemas, from which each connection takes the next.
//!
//! A table that is in use holds up nobody: its schema goes to the end, and comes again.

use core::num::NonZeroUsize;
use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures_util::stream::{self, StreamExt, TryStreamExt};
use tessera_app::Unavailable;
use tokio::time::sleep;

use crate::connect::Connector;
use crate::migrate::{Damage, Fault, Migrated, Milestone, Step, Told};
use crate::migration::Migration;
use crate::transaction::{self, Place};
use crate::worker::{Outcome, Worker};

/// Which way schemas go.
pub(crate) enum Way {
    /// Each step is taken back.
    Down,
    /// Each step is taken; these are the migrations of tenants, with what is noted of them.
    Up(Vec<(&'static Migration, String)>),
}

/// What is to be done in one schema.
pub(crate) struct Job {
    place: Place,
    steps: VecDeque<&'static Migration>,
    /// Whether each step is a transaction, so that the one that fails is known.
    apart: bool,
    /// Whether a connection was lost over it.
    broke: bool,
    tries: usize,
}

impl Job {
    /// These steps, in their order.
    pub(crate) fn new(place: Place, steps: Vec<&'static Migration>) -> Self {
        Self {
            place,
            steps: steps.into(),
            apart: false,
            broke: false,
            tries: 0,
        }
    }

    /// What goes into one transaction.
    fn next(&self) -> Vec<&'static Migration> {
        let most = if self.apart { 1 } else { self.steps.len() };
        self.steps.iter().take(most).copied().collect()
    }

    fn fault(&self, damage: Damage) -> Option<Fault> {
        let step = self.steps.front()?;
        Some(Fault::of(&self.place.schema, step, damage))
    }
}

/// The jobs that nobody has taken yet.
pub(crate) struct Queue<'a> {
    connector: &'a Connector,
    way: &'a Way,
    jobs: Mutex<VecDeque<Job>>,
    /// How often in a row a table was in use.
    held_up: AtomicUsize,
    told: Told<'a>,
}

/// What becomes of a job after a transaction.
enum Next {
    Again,
    Ended,
    Later,
    SetAside(Damage),
}

impl<'a> Queue<'a> {
    /// A queue of `jobs`.
    pub(crate) fn new(
        connector: &'a Connector,
        way: &'a Way,
        jobs: Vec<Job>,
        told: Told<'a>,
    ) -> Self {
        Self {
            connector,
            way,
            jobs: Mutex::new(jobs.into()),
            held_up: AtomicUsize::new(0),
            told,
        }
    }

    /// Does all of it, on so many connections at once.
    pub(crate) async fn work(&self, lanes: NonZeroUsize) -> Result<Migrated, Unavailable> {
        let jobs = self.jobs().len();
        if jobs > 0 {
            (self.told)(Milestone::Begun(jobs));
        }
        let lanes = lanes.get().min(jobs);
        let lanes = stream::iter(0..lanes).map(|_| self.lane());
        let mut done = lanes
            .buffer_unordered(jobs.max(1))
            .try_fold(Migrated::default(), async |mut all, lane| {
                all.extend(lane);
                Ok(all)
            })
            .await?;
        // Lanes end as they like; the steps of a schema are in their order already.
        done.steps
            .sort_by(|one, other| one.schema.cmp(&other.schema));
        done.set_aside
            .sort_by(|one, other| one.schema.cmp(&other.schema));
        Ok(done)
    }

    async fn lane(&self) -> Result<Migrated, Unavailable> {
        let mut done = Migrated::default();
        let mut worker = self.connect().await?;
        let mut schemas = 0;
        while let Some(mut job) = self.take() {
            schemas += 1;
            if schemas % RENEW == 0 {
                worker = self.connect().await?;
            }
            if job.tries > 0 {
                sleep(PAUSE).await;
            }
            match self.work_on(&mut worker, &mut job, &mut done).await? {
                Next::Again | Next::Later => {
                    job.tries += 1;
                    self.jobs().push_back(job);
                    continue;
                }
                Next::Ended => {}
                Next::SetAside(damage) => {
                    if let Some(fault) = job.fault(damage) {
                        (self.told)(Milestone::SetAside(&fault));
                        done.set_aside.push(fault);
                    }
                }
            }
            (self.told)(Milestone::Ended);
        }
        Ok(done)
    }

    async fn work_on(
        &self,
        worker: &mut Worker,
        job: &mut Job,
        done: &mut Migrated,
    ) -> Result<Next, Unavailable> {
        loop {
            let next = self.transact(worker, job, done).await?;
            if !matches!(next, Next::Again) {
                return Ok(next);
            }
        }
    }

    async fn transact(
        &self,
        worker: &mut Worker,
        job: &mut Job,
        done: &mut Migrated,
    ) -> Result<Next, Unavailable> {
        let steps = job.next();
        let last = job.tries + 1 >= TRIES;
        // Whoever holds all tables, as who backs them up, is not waited for by each tenant anew.
        let held_up = || self.held_up.fetch_add(1, Ordering::Relaxed) >= MOST_HELD_UP;
        Ok(match worker.run(&self.way.sql(&job.place, &steps)).await {
            Outcome::Broken(error) => {
                *worker = self.connect().await?;
                if job.broke {
                    Next::SetAside(Damage::Failed(error.into()))
                } else {
                    job.broke = true;
                    Next::Again
                }
            }
            Outcome::Done => {
                self.held_up.store(0, Ordering::Relaxed);
                for migration in steps {
                    job.steps.pop_front();
                    let step = Step::of(&job.place.schema, migration, self.way.applies());
                    (self.told)(Milestone::Taken(&step));
                    done.steps.push(step);
                }
                job.more()
            }
            Outcome::Failed(_) if steps.len() > 1 => {
                job.apart = true;
                Next::Again
            }
            Outcome::Failed(error) => Next::SetAside(Damage::Failed(error.into())),
            Outcome::InUse if held_up() || last => Next::SetAside(Damage::InUse),
            Outcome::InUse => Next::Later,
            Outcome::Overtaken(error) if last => Next::SetAside(Damage::Failed(error.into())),
            Outcome::Overtaken(_) => {
                let (versions, lives) =
                    worker.reread(&job.place).await.map_err(Unavailable::new)?;
                job.steps
                    .retain(|step| lives && versions.contains(&step.version) != self.way.applies());
                match job.more() {
                    Next::Ended => Next::Ended,
                    Next::Again | Next::Later | Next::SetAside(_) => Next::Later,
                }
            }
        })
    }

    /// A server that is busy, or starts again, is asked again.
    async fn connect(&self) -> Result<Worker, Unavailable> {
        for _ in 1..CONNECTS {
            if let Ok(worker) = Worker::start(self.connector).await {
                return Ok(worker);
            }
            sleep(PAUSE).await;
        }
        Worker::start(self.connector).await
    }

    fn take(&self) -> Option<Job> {
        self.jobs().pop_front()
    }

    fn jobs(&self) -> MutexGuard<'_, VecDeque<Job>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Job {
    fn more(&self) -> Next {
        if self.steps.is_empty() {
            Next::Ended
        } else {
            Next::Again
        }
    }
}

impl Way {
    /// Whether steps are applied after it.
    fn applies(&self) -> bool {
        match self {
            Self::Down => false,
            Self::Up(_) => true,
        }
    }

    fn sql(&self, place: &Place, steps: &[&'static Migration]) -> String {
        match self {
            Self::Down => transaction::down(place, steps),
            Self::Up(noted) => {
                let is_wanted = |of: &Migration| steps.iter().any(|it| it.version == of.version);
                let noted = noted.iter().filter(|(migration, _)| is_wanted(migration));
                let noted: Vec<_> = noted.map(|(it, sum)| (*it, sum.as_str())).collect();
                transaction::up(place, &noted)
            }
        }
    }
}

impl Migrated {
    /// Adds what another one did.
    pub(crate) fn extend(&mut self, other: Self) {
        self.steps.extend(other.steps);
        self.set_aside.extend(other.set_aside);
    }
}

/// How often a step is tried, some twenty seconds in all; in between, others have the table.
pub(crate) const TRIES: usize = 25;
/// More are not tried again, until one goes through.
const MOST_HELD_UP: usize = 4 * TRIES;
const CONNECTS: usize = 5;
/// What others have a table for.
pub(crate) const PAUSE: Duration = Duration::from_millis(500);
/// Postgres keeps what a connection saw of each schema for as long as there is the connection.
const RENEW: usize = 500;
