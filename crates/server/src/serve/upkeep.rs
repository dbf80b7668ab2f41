//! What goes on beside the requests: prepare, see the keys that others made, remove what is dead or
//! old, finish what was begun with tenants.

use core::time::Duration;
use std::sync::Arc;

use tessera_app::{AdministerTenantError, PrepareError, Tessera, Unready};
use tessera_domain::Tenant;
use tessera_http::LaggingTenants;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::backend::Backend;
use crate::config::Events;
use crate::failure::Failure;
use crate::wiring::Wired;

/// Work that ends when this is dropped.
pub(crate) struct Upkeep {
    _tasks: JoinSet<()>,
    fatal: oneshot::Receiver<Failure>,
}

/// Starts it. An embedded store is prepared by now; another one is as soon as it can be.
pub(crate) fn start(
    wired: &Wired,
    events: &Events,
    audit_retention: Duration,
    lagging: &Arc<LaggingTenants>,
) -> Upkeep {
    let (report, fatal) = oneshot::channel();
    let mut tasks = JoinSet::new();
    let (tessera, backend) = (Arc::clone(&wired.tessera), wired.backend.clone());
    let (events, lagging) = (events.clone(), Arc::clone(lagging));
    tasks.spawn(async move {
        if !backend.is_embedded()
            && let Err(failure) = prepare(&tessera, &backend, &events).await
        {
            // Nobody hears it when the process ends anyway.
            let _ = report.send(failure);
            return;
        }
        tokio::join!(
            keep_keys(&tessera),
            prune(&tessera),
            expire_audit(&tessera, audit_retention),
            finish_what_was_begun(&tessera),
            look_for_laggards(&backend, &lagging),
        );
    });
    Upkeep {
        _tasks: tasks,
        fatal,
    }
}

impl Upkeep {
    /// Waits for something after which the service must not go on.
    pub(crate) async fn fatal(&mut self) -> Failure {
        match (&mut self.fatal).await {
            Ok(failure) => failure,
            Err(_) => core::future::pending().await,
        }
    }
}

/// Tries until it is done; only a key ring that cannot be opened, and a role that must not be
/// connected as, make trying again useless.
async fn prepare(tessera: &Tessera, backend: &Backend, events: &Events) -> Result<(), Failure> {
    let mut told = String::new();
    loop {
        let why = match tessera.prepare().await {
            // Before anybody logs in, so that this is told.
            Ok(()) => match backend.enrol(events).await {
                Ok(()) => {
                    tracing::info!("ready");
                    return Ok(());
                }
                Err(failure) => failure.to_string(),
            },
            Err(PrepareError::Keys(error)) => return Err(error.into()),
            Err(PrepareError::Unready(error @ Unready::Unbound)) => return Err(error.into()),
            Err(error @ PrepareError::Unready(_)) => Failure::from(error).to_string(),
        };
        if why != told {
            tracing::warn!(%why, "not ready; trying again");
            told = why;
        }
        sleep(RETRY).await;
    }
}

/// Sees the keys that others made; makes them anew where the store has lost them, as one does that
/// was emptied or restored.
async fn keep_keys(tessera: &Tessera) {
    let mut ticks = interval(KEYS);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut told = String::new();
    loop {
        ticks.tick().await;
        let failure = match renew_keys(tessera).await {
            Ok(()) => {
                told.clear();
                continue;
            }
            Err(failure) => failure.to_string(),
        };
        if failure != told {
            tracing::warn!(why = %failure, "the keys could not be loaded again");
            told = failure;
        }
    }
}

async fn renew_keys(tessera: &Tessera) -> Result<(), Failure> {
    tessera.reload_keys().await?;
    let ports = tessera.ports();
    if ports.tokens.check(ports.clock.now()).is_err() {
        tessera.prepare().await?;
        tracing::warn!("the store had no keys, and has new ones");
    }
    Ok(())
}

async fn prune(tessera: &Tessera) {
    let mut ticks = interval(PRUNE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        match tessera.prune().await {
            Ok(0) => {}
            Ok(count) => tracing::info!(count, "removed dead sessions"),
            Err(error) => {
                let why = Failure::from(error);
                tracing::warn!(%why, "dead sessions could not be removed");
            }
        }
    }
}

/// Has the audit trail forget what is older than it is kept.
async fn expire_audit(tessera: &Tessera, retention: Duration) {
    let mut ticks = interval(EXPIRE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let before = tessera.ports().clock.now() - retention;
        loop {
            match tessera.expire_audit(before).await {
                Ok(true) => sleep(BREATH).await,
                Ok(false) => break,
                Err(error) => {
                    let why = Failure::from(error);
                    tracing::debug!(%why, "old entries of the audit trail could not be removed");
                    break;
                }
            }
        }
    }
}

/// Finishes deletions and moves, those that were begun here at once, others before long. The two wait
/// for each other in nothing: either may take long.
async fn finish_what_was_begun(tessera: &Tessera) {
    let (found, deletions) = watch::channel(Vec::new());
    let moves = found.subscribe();
    tokio::join!(
        look_for_begun(tessera, &found),
        finish_deletions(tessera, deletions),
        finish_moves(tessera, moves),
    );
}

async fn look_for_begun(tessera: &Tessera, found: &watch::Sender<Vec<Tenant>>) {
    let mut ticks = interval(BEGUN);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = tessera.begun() => {}
        }
        match tessera.unfinished().await {
            Ok(begun) => _ = found.send_replace(begun),
            Err(error) => {
                let why = Failure::from(error);
                tracing::warn!(%why, "deletions and moves could not be looked for; trying again");
            }
        }
    }
}

/// Removes what is left of tenants that are being deleted.
async fn finish_deletions(tessera: &Tessera, mut found: watch::Receiver<Vec<Tenant>>) {
    while found.changed().await.is_ok() {
        let begun = found.borrow_and_update().clone();
        match tessera.finish_deletions(&begun).await {
            Ok(0) => {}
            Ok(count) => tracing::info!(count, "removed tenants that were deleted"),
            Err(error) => {
                let why = Failure::from(error);
                tracing::warn!(%why, "a tenant that was deleted could not be removed; trying again");
            }
        }
    }
}

/// Brings tenants where they are on the way to.
async fn finish_moves(tessera: &Tessera, mut found: watch::Receiver<Vec<Tenant>>) {
    while found.changed().await.is_ok() {
        let begun = found.borrow_and_update().clone();
        tessera.finish_moves(&begun, &tell_of_move).await;
    }
}

fn tell_of_move(tenant: &Tenant, ended: Result<Duration, AdministerTenantError>) {
    let schema = tenant.schema.as_str();
    match ended {
        Ok(took) => {
            let layout = tenant.layout.as_str();
            tracing::info!(schema, layout, ?took, "moved a tenant");
        }
        Err(error) => {
            let why = Failure::from(error);
            tracing::warn!(schema, %why, "a tenant could not be moved; trying again");
        }
    }
}

/// Tells of tenants that a process of the version before made after the migration, and of those
/// whose tables are gone.
async fn look_for_laggards(backend: &Backend, lagging: &LaggingTenants) {
    loop {
        match backend.laggards(NAMED).await {
            Ok(found) => {
                let (count, before) = (found.count, lagging.count());
                if count == 0 && before > 0 {
                    tracing::info!("all tenants have their tables");
                } else if count != before {
                    tracing::warn!(
                        count,
                        first = ?found.first,
                        "tenants lack migrations or tables, and what they ask for may fail; \
                         run `tessera migrate`"
                    );
                }
                lagging.replace(count, found.first);
            }
            Err(why) => tracing::debug!(%why, "migrations of tenants could not be counted"),
        }
        let known = lagging.count() > 0;
        sleep(if known { LAGGARDS_KNOWN } else { LAGGARDS }).await;
    }
}

const RETRY: Duration = Duration::from_millis(500);
const KEYS: Duration = Duration::from_secs(2);
const PRUNE: Duration = Duration::from_hours(1);
const BEGUN: Duration = Duration::from_mins(1);
const LAGGARDS: Duration = Duration::from_mins(10);
/// Whoever migrates them wants to see it.
const LAGGARDS_KNOWN: Duration = Duration::from_secs(10);
/// So many are named.
const NAMED: usize = 5;
const EXPIRE: Duration = Duration::from_mins(1);
/// Removing much that is old leaves room for requests.
const BREATH: Duration = Duration::from_millis(50);
