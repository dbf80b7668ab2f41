//! The relays of a running service: one task a publisher, from the first event to the last flush.

use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use std::sync::Arc;

use tessera_app::{
    Clock, EventLog, Lease, News, Progress, Publisher, Relay, RelaySettings, Step, Tally,
    Unavailable,
};
use tessera_domain::{Id, RetryPolicy, Timestamp};
use tessera_http::Gauge;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use crate::config::Events;
use crate::failure::Failure;
use crate::serve::troubles::Troubles;
use crate::wiring::{Wired, count};

/// Relays that run until they are told to flush, or are dropped.
pub(super) struct Relays {
    tasks: JoinSet<()>,
    stop: watch::Sender<bool>,
}

/// What is told of one publisher from outside.
#[derive(Debug)]
pub(super) struct Figures {
    publisher: &'static str,
    pending: AtomicU64,
    oldest: AtomicU64,
    sent: AtomicU64,
    failed: AtomicU64,
    parked: AtomicU64,
}

impl Relays {
    /// Starts them, and what keeps the log from growing for ever.
    pub(super) fn start(
        wired: &Wired,
        publishers: &[Arc<dyn Publisher>],
        figures: &[Arc<Figures>],
        events: &Events,
        patience: Duration,
    ) -> Self {
        let (ports, retention) = (wired.tessera.ports(), events.retention);
        let (stop, stopping) = watch::channel(false);
        let mut tasks = JoinSet::new();
        for (publisher, figures) in publishers.iter().zip(figures) {
            let relay = Relay::new(
                Arc::clone(&ports.log),
                Arc::clone(publisher),
                Arc::clone(&ports.clock),
                Arc::clone(&ports.entropy),
                holder(wired),
                RelaySettings::default(),
            );
            let running = Running {
                relay,
                news: ports.log.news(),
                clock: Arc::clone(&ports.clock),
                stopping: stopping.clone(),
                figures: Arc::clone(figures),
                troubles: Troubles::default(),
                failures: 0,
                patience,
            };
            tasks.spawn(running.run());
        }
        let (log, clock) = (Arc::clone(&ports.log), Arc::clone(&ports.clock));
        let figures = figures.to_vec();
        let mut stopping = stopping;
        tasks.spawn(async move {
            tokio::select! {
                _ = stopping.wait_for(|stop| *stop) => {}
                () = look_after(&*log, &*clock, &figures, retention) => {}
            }
        });
        Self { tasks, stop }
    }

    /// Sends what waits, gives the leases back, and ends; within that time.
    pub(super) async fn flush(mut self, within: Duration) {
        self.stop.send_replace(true);
        let ended = timeout(within, async {
            while self.tasks.join_next().await.is_some() {}
        });
        if ended.await.is_err() {
            tracing::warn!("a lease on events is left to end by itself");
        }
    }
}

/// Who holds the lease: of an embedded store there is one service, so that a new one goes on where
/// the one before it ended, however that was.
fn holder(wired: &Wired) -> Id<Lease> {
    let ports = wired.tessera.ports();
    let mut entropy = [0; 10];
    if wired.backend.is_embedded() {
        return Id::new(Timestamp::from_micros(0), entropy);
    }
    ports.entropy.fill(&mut entropy);
    Id::new(ports.clock.now(), entropy)
}

/// One relay at work.
struct Running {
    relay: Relay,
    news: News,
    clock: Arc<dyn Clock>,
    stopping: watch::Receiver<bool>,
    figures: Arc<Figures>,
    troubles: Troubles,
    /// How often in a row the log failed.
    failures: u32,
    /// How long each of its last steps may take when the process is to end.
    patience: Duration,
}

impl Running {
    async fn run(mut self) {
        while !*self.stopping.borrow() {
            self.news.mark_unchanged();
            let step = tokio::select! {
                step = self.relay.step() => step,
                () = overdue(&mut self.stopping, self.patience) => break,
            };
            self.tell(&step);
            let now = self.clock.now();
            let (wait, for_news) = match step {
                Ok(Step::Progress(_)) => continue,
                Ok(Step::Quiet(_, due)) => {
                    let due = due.map_or(POLL, |due| due.since(now));
                    (due.min(POLL), true)
                }
                Ok(Step::Paused(_, until) | Step::Elsewhere(until)) => {
                    (until.since(now).min(LONGEST), false)
                }
                Err(_) => (RETRY.wait(self.failures, u8::MAX), false),
            };
            self.rest(wait, for_news).await;
        }
        self.end().await;
    }

    async fn rest(&mut self, wait: Duration, for_news: bool) {
        let news = async {
            if !for_news || self.news.changed().await.is_err() {
                core::future::pending::<()>().await;
            }
        };
        tokio::select! {
            () = sleep(wait) => {}
            () = news => {}
            _ = self.stopping.wait_for(|stop| *stop) => {}
        }
    }

    /// What was answered last is told as well, if its broker listens. What is cut off comes again.
    async fn end(mut self) {
        let flushed = async { while let Ok(Step::Progress(_)) = self.relay.step().await {} };
        if timeout(self.patience, flushed).await.is_err() {
            let publisher = self.relay.publisher();
            tracing::info!(publisher, "events that wait are left to the next start");
        }
        if let Err(error) = self.relay.release().await {
            let why = Failure::from(error);
            tracing::debug!(%why, "a lease could not be given back");
        }
    }

    /// Says once what is wrong, and once that all is well again: nothing waits for another try.
    fn tell(&mut self, step: &Result<Step, Unavailable>) {
        let publisher = self.relay.publisher();
        let (trouble, well) = match step {
            Err(error) => {
                self.failures = self.failures.saturating_add(1);
                let why = Failure::because(error).to_string();
                tracing::debug!(publisher, %why, "the event log failed");
                ((self.failures >= SEVERAL).then_some(why), false)
            }
            Ok(Step::Elsewhere(_)) => return,
            Ok(step @ (Step::Progress(tally) | Step::Paused(tally, _) | Step::Quiet(tally, _))) => {
                self.failures = 0;
                self.figures.count(tally);
                for event in &tally.parked {
                    let why = tally.trouble.as_deref();
                    tracing::warn!(publisher, %event, why, "an event is parked");
                }
                (tally.trouble.clone(), matches!(step, Step::Quiet(_, None)))
            }
        };
        if well && self.troubles.end() {
            tracing::info!(publisher, "events go out again");
        }
        if let Some(why) = trouble
            && self.troubles.is_news(&why)
        {
            tracing::warn!(publisher, %why, "events wait");
        }
    }
}

/// Waits until a step has taken too long for a process that is to end.
async fn overdue(stopping: &mut watch::Receiver<bool>, patience: Duration) {
    // Its sender is gone only when the task is dropped as well.
    let _ = stopping.wait_for(|stop| *stop).await;
    sleep(patience).await;
}

/// Reads how far each publisher is, and has the log forget what is old and sent.
async fn look_after(
    log: &dyn EventLog,
    clock: &dyn Clock,
    figures: &[Arc<Figures>],
    retention: Duration,
) {
    let mut ticks = interval(FIGURES);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut round, mut told) = (0_u32, false);
    loop {
        ticks.tick().await;
        if let Ok(progress) = log.progress().await {
            for figures in figures {
                figures.take_over(&progress, clock.now());
            }
            if !core::mem::replace(&mut told, true) {
                tell_of_strangers(&progress, figures);
            }
        }
        if round.is_multiple_of(EXPIRE) {
            expire(log, clock.now() - retention).await;
        }
        round = round.wrapping_add(1);
    }
}

/// A publisher that nobody serves keeps every event that it has yet to send.
fn tell_of_strangers(progress: &[Progress], figures: &[Arc<Figures>]) {
    for one in progress {
        let served = figures
            .iter()
            .any(|figures| figures.publisher == one.publisher);
        if !served {
            tracing::warn!(
                publisher = one.publisher,
                pending = one.pending,
                "a publisher is not configured, and its events are kept: serve it, or run \
                 `tessera events forget`"
            );
        }
    }
}

async fn expire(log: &dyn EventLog, before: Timestamp) {
    loop {
        match log.expire(before).await {
            Ok(true) => sleep(BREATH).await,
            Ok(false) => return,
            Err(error) => {
                let why = Failure::from(error);
                tracing::debug!(%why, "old events could not be removed");
                return;
            }
        }
    }
}

impl Figures {
    pub(super) fn new(publisher: &'static str) -> Self {
        Self {
            publisher,
            pending: AtomicU64::new(0),
            oldest: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            parked: AtomicU64::new(0),
        }
    }

    fn count(&self, tally: &Tally) {
        let failed = u64::try_from(tally.failed).unwrap_or(u64::MAX);
        self.failed.fetch_add(failed, Ordering::Relaxed);
    }

    fn take_over(&self, progress: &[Progress], now: Timestamp) {
        let own = progress.iter().find(|one| one.publisher == self.publisher);
        let Some(own) = own else {
            return;
        };
        let age = own.oldest.map_or(0, |oldest| now.since(oldest).as_secs());
        for (figure, value) in [
            (&self.pending, own.pending),
            (&self.oldest, age),
            (&self.sent, own.sent),
            (&self.parked, own.parked),
        ] {
            figure.store(value, Ordering::Relaxed);
        }
    }

    /// What `/metrics/` shows of it.
    pub(super) fn gauges(figures: &Arc<Self>) -> [Gauge; 5] {
        let gauge = |name, help, read: fn(&Self) -> &AtomicU64| {
            let labels = vec![("publisher", figures.publisher)];
            let figures = Arc::clone(figures);
            let read = move || {
                let value = read(&figures).load(Ordering::Relaxed);
                count(usize::try_from(value).unwrap_or(usize::MAX))
            };
            Gauge {
                name,
                help,
                labels,
                read: Box::new(read),
            }
        };
        [
            gauge(
                "tessera_events_pending",
                "Events that a publisher has yet to send, parked ones not among them.",
                |figures| &figures.pending,
            ),
            gauge(
                "tessera_events_oldest_seconds",
                "Age of the oldest event that a publisher has yet to send.",
                |figures| &figures.oldest,
            ),
            gauge(
                "tessera_events_sent",
                "Events that a publisher sent, from all processes.",
                |figures| &figures.sent,
            ),
            gauge(
                "tessera_events_failed",
                "Tries of this process to send an event that failed.",
                |figures| &figures.failed,
            ),
            gauge(
                "tessera_events_parked",
                "Events that a broker rejected for good, and that wait for an operator.",
                |figures| &figures.parked,
            ),
        ]
    }
}

/// How long news of other processes may take where nothing tells of them.
const POLL: Duration = Duration::from_secs(1);
/// How long to leave a store alone that fails.
const RETRY: RetryPolicy = RetryPolicy {
    first: Duration::from_millis(500),
    longest: Duration::from_secs(5),
    rejections: u32::MAX,
};
/// A store that is not migrated yet, or was gone for a moment, is told of elsewhere.
const SEVERAL: u32 = 3;
/// Another relay may give its lease back before its end.
const LONGEST: Duration = Duration::from_secs(2);
const FIGURES: Duration = Duration::from_secs(5);
/// Every so many looks at the figures.
const EXPIRE: u32 = 12;
/// Removing a backlog of old events leaves room for requests.
const BREATH: Duration = Duration::from_millis(50);
