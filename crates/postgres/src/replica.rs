//! A copy of the database that is asked for what may be a moment old.
//!
//! How far a replica is behind cannot be known from its own clock, so each answer of it is proven. A
//! mark says how far the primary's log had come at a moment; the replica counts where it replayed up
//! to the mark before it looked, as then it saw all that was committed at that moment. A mark is used
//! while it is young. It is asked for by one of those who read, who then goes to the primary.
//!
//! Whoever is away, silent or behind is left alone for a while, and then tried by one read.

use core::time::Duration;
use std::sync::{Mutex, MutexGuard, PoisonError};

use diesel::QueryResult;
use diesel::sql_types::{Bool, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use futures_util::future::join;
use tessera_app::{TenantKey, Unavailable};
use tokio::time::{Instant, timeout};

use crate::pool::Pool;
use crate::statement::Statement;
use crate::tenant::{self, TenantRead};
use crate::turns::Line;

/// The replica, and what is known of it.
pub(crate) struct Replica {
    pool: Pool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    mark: Option<(Mark, Instant)>,
    /// When a mark was asked for last.
    asked: Option<Instant>,
    /// Counts what made older marks worthless.
    forgotten: u64,
    /// Until when it is left alone, if the last read of it was for nothing.
    rests_until: Option<Instant>,
}

/// How far the log of a primary had come, and of which.
#[derive(Clone, Debug)]
pub(crate) struct Mark {
    system: String,
    timeline: String,
    database: String,
    position: String,
}

/// Whose turn it is to answer a read.
pub(crate) enum Turn {
    /// The primary's, which is asked for a mark besides.
    Mark(Asked),
    /// The primary's.
    Primary,
    /// The replica's, where it has come to the mark of that moment.
    Replica(Mark, Instant),
}

/// When a mark was asked for.
#[derive(Clone, Copy)]
pub(crate) struct Asked {
    at: Instant,
    forgotten: u64,
}

impl Replica {
    /// The replica that these connections lead to.
    pub(crate) fn new(pool: Pool) -> Self {
        Self {
            pool,
            state: Mutex::default(),
        }
    }

    /// Whether nothing is known that speaks against it.
    pub(crate) fn is_asked(&self) -> bool {
        self.state().rests_until.is_none()
    }

    /// Whose turn it is.
    pub(crate) fn turn(&self) -> Turn {
        self.state().turn(now())
    }

    /// Takes the mark that was asked for; rests where the primary has none to give.
    pub(crate) fn take(&self, asked: Asked, mark: Option<Mark>) {
        let mut state = self.state();
        let Some(mark) = mark else {
            state.rests_until = Some(now() + AWAY);
            return;
        };
        // What was committed here since may be beyond it.
        if state.forgotten == asked.forgotten {
            state.mark = Some((mark, asked.at));
        }
    }

    /// Forgets the mark, after something was committed here: the next read sees that.
    pub(crate) fn forget(&self) {
        let mut state = self.state();
        state.forgotten = state.forgotten.wrapping_add(1);
        (state.mark, state.asked) = (None, None);
    }

    /// The tenant of that name or host, if the replica can answer for it.
    pub(crate) async fn tenant(
        &self,
        mark: &Mark,
        at: Instant,
        by: TenantKey,
    ) -> Option<Option<TenantRead>> {
        let looked = timeout(PATIENCE, self.look(mark, by)).await;
        let looked =
            looked.unwrap_or_else(|_| Err(Unavailable::new("the replica does not answer")));
        match looked {
            Ok((true, found)) => {
                self.state().rests_until = None;
                Some(found)
            }
            Ok((false, _)) => {
                let mut state = self.state();
                let now = now();
                // What is written all the time takes a moment to get there.
                state.rests_until = (now >= at + ON_ITS_WAY).then(|| now + BEHIND);
                None
            }
            Err(error) => {
                tracing::debug!(%error, "the replica is left alone for a while");
                self.state().rests_until = Some(now() + AWAY);
                None
            }
        }
    }

    async fn look(
        &self,
        mark: &Mark,
        by: TenantKey,
    ) -> Result<(bool, Option<TenantRead>), Unavailable> {
        let lease = self.pool.lease(&Line::Anybody).await?;
        let connection = lease.connection();
        // In one round trip, and in this order: what is looked at is younger than the answer that
        // it is young enough.
        let (reached, found) = join(reached(connection, mark), tenant::find(connection, by)).await;
        lease.answer(reached.and_then(|reached| Ok((reached, found?))))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn turn(&mut self, now: Instant) -> Turn {
        if self.rests_until.is_some_and(|until| now < until) {
            return Turn::Primary;
        }
        let young = |at: Instant, age: Duration| now < at + age;
        let marked = self.mark.as_ref().map(|(_, at)| *at);
        let due = !marked.is_some_and(|at| young(at, RENEWED));
        if due && !self.asked.is_some_and(|at| young(at, RENEWED)) {
            self.asked = Some(now);
            return Turn::Mark(Asked {
                at: now,
                forgotten: self.forgotten,
            });
        }
        match &self.mark {
            Some((mark, at)) if young(*at, OLD) => {
                // Where it rested, this one tries, and the others do not wait for that.
                if let Some(until) = &mut self.rests_until {
                    *until = now + AWAY;
                }
                Turn::Replica(mark.clone(), *at)
            }
            Some(_) | None => Turn::Primary,
        }
    }
}

/// The tenant as the primary has it, and how far its log is on disk: all that is committed, and
/// answered. There is no mark where the server cannot tell.
pub(crate) async fn find_and_mark(
    connection: &AsyncPgConnection,
    by: TenantKey,
) -> QueryResult<(Option<TenantRead>, Option<Mark>)> {
    let (found, mark) = join(tenant::find(connection, by), mark(connection)).await;
    if let Err(error) = &mark {
        tracing::debug!(%error, "the primary does not tell how far its log is");
    }
    Ok((found?, mark.ok()))
}

async fn mark(mut connection: &AsyncPgConnection) -> QueryResult<Mark> {
    let (system, timeline, database, position) = Statement::new(MARK)
        .rows::<(Text, Text, Text, Text)>()
        .get_result(&mut connection)
        .await?;
    Ok(Mark {
        system,
        timeline,
        database,
        position,
    })
}

async fn reached(mut connection: &AsyncPgConnection, mark: &Mark) -> QueryResult<bool> {
    Statement::new(REACHED)
        .bind::<Text, _>(mark.position.clone())
        .bind::<Text, _>(mark.timeline.clone())
        .bind::<Text, _>(mark.system.clone())
        .bind::<Text, _>(mark.database.clone())
        .rows::<Bool>()
        .get_result(&mut connection)
        .await
}

#[expect(
    clippy::disallowed_methods,
    reason = "how old a mark is has nothing to do with the time of day"
)]
fn now() -> Instant {
    Instant::now()
}

/// A mark is renewed before it is too old.
const RENEWED: Duration = Duration::from_millis(150);
/// With the half second for which a tenant is remembered, a change is seen within a second.
const OLD: Duration = Duration::from_millis(300);
const PATIENCE: Duration = Duration::from_millis(300);
/// What an answer may be behind without being taken for late.
const ON_ITS_WAY: Duration = Duration::from_millis(100);
const BEHIND: Duration = Duration::from_secs(1);
const AWAY: Duration = Duration::from_secs(5);
/// The name of a file of the log begins with its timeline.
const MARK: &str = "\
    SELECT system_identifier::text, left(pg_walfile_name(pg_current_wal_flush_lsn()), 8), \
        current_database()::text, pg_current_wal_flush_lsn()::text FROM pg_control_system()";
/// A position says nothing on another timeline. Which one a replica follows it knows a while after
/// another server was promoted, when it next writes down how far it came.
const REACHED: &str = "\
    SELECT coalesce(pg_is_in_recovery() AND pg_last_wal_replay_lsn() >= $::pg_lsn, false) \
        AND lpad(upper(to_hex(greatest(timeline_id, min_recovery_end_timeline))), 8, '0') = $ \
        AND system_identifier::text = $ AND current_database()::text = $ \
    FROM pg_control_system(), pg_control_checkpoint(), pg_control_recovery()";

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn state(marked: Instant) -> State {
        let mark = Mark {
            system: String::new(),
            timeline: String::new(),
            database: String::new(),
            position: String::new(),
        };
        State {
            mark: Some((mark, marked)),
            ..State::default()
        }
    }

    fn turns<const MANY: usize>(state: &mut State, at: Instant) -> [&'static str; MANY] {
        core::array::from_fn(|_| match state.turn(at) {
            Turn::Mark(_) => "mark",
            Turn::Primary => "primary",
            Turn::Replica(..) => "replica",
        })
    }

    #[test]
    fn without_a_mark_one_asks_for_it_and_nobody_goes_to_the_replica() {
        let at = now();
        let mut state = State::default();
        assert_eq!(turns(&mut state, at), ["mark", "primary", "primary"]);
        // Whoever asked may have left.
        assert_eq!(turns(&mut state, at + RENEWED), ["mark", "primary"]);
    }

    #[test]
    fn a_mark_is_used_while_it_is_young_and_renewed_before_it_is_not() {
        let at = now();
        let mut state = state(at);
        assert_eq!(turns(&mut state, at + RENEWED - MS), ["replica", "replica"]);
        assert_eq!(turns(&mut state, at + RENEWED), ["mark", "replica"]);
        assert_eq!(turns(&mut state, at + OLD - MS), ["replica"]);
        assert_eq!(turns(&mut state, at + OLD), ["mark", "primary"]);
    }

    #[test]
    fn after_a_rest_one_tries_alone() {
        let at = now();
        let mut state = state(at);
        state.rests_until = Some(at + 2 * MS);
        assert_eq!(turns(&mut state, at + MS), ["primary", "primary"]);
        assert_eq!(turns(&mut state, at + 2 * MS), ["replica", "primary"]);
    }
}
