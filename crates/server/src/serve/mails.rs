//! The relay of mails in a running service, from the first mail to the last.

use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use std::sync::Arc;

use futures_util::future::join_all;
use tessera_app::{Backlog, Clock, MailRelay, MailStep, MailTally, Mailer, News, Unavailable};
use tessera_domain::Timestamp;
use tessera_http::Gauge;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::failure::Failure;
use crate::serve::troubles::Troubles;
use crate::wiring::{Wired, count};

/// Sends mails until it is told to end, or is dropped.
pub(super) struct Mails {
    tasks: JoinSet<()>,
    stop: watch::Sender<bool>,
}

/// What is told of mails from outside.
#[derive(Debug, Default)]
pub(super) struct MailFigures {
    waiting: AtomicU64,
    oldest: AtomicU64,
    sent: AtomicU64,
    failed: AtomicU64,
}

impl Mails {
    /// Starts to send what waits.
    pub(super) fn start(
        wired: &Wired,
        mailer: Arc<dyn Mailer>,
        figures: &Arc<MailFigures>,
    ) -> Self {
        let ports = wired.tessera.ports();
        let (stop, stopping) = watch::channel(false);
        let running = Running {
            relay: MailRelay::new(Arc::clone(&wired.tessera), mailer),
            news: ports.mails.mail_news(),
            clock: Arc::clone(&ports.clock),
            stopping: stopping.clone(),
            figures: Arc::clone(figures),
            troubles: Troubles::default(),
        };
        let mut tasks = JoinSet::new();
        tasks.spawn(running.run());
        let (mails, clock) = (Arc::clone(&ports.mails), Arc::clone(&ports.clock));
        let (figures, mut stopping) = (Arc::clone(figures), stopping);
        tasks.spawn(async move {
            while !*stopping.borrow() {
                if let Ok(backlog) = mails.backlog().await {
                    figures.take_over(&backlog, clock.now());
                }
                rest(&mut stopping, FIGURES).await;
            }
        });
        Self { tasks, stop }
    }

    /// Lets what is being sent be sent, within that time; what waits is left to the next start.
    pub(super) async fn end(mut self, within: Duration) {
        self.stop.send_replace(true);
        let ended = timeout(within, async {
            while self.tasks.join_next().await.is_some() {}
        });
        if ended.await.is_err() {
            tracing::info!("mails are left to the next start");
        }
    }
}

/// The relay at work.
struct Running {
    relay: MailRelay,
    news: News,
    clock: Arc<dyn Clock>,
    stopping: watch::Receiver<bool>,
    figures: Arc<MailFigures>,
    troubles: Troubles,
}

impl Running {
    async fn run(mut self) {
        let mut lanes = 1;
        while !*self.stopping.borrow() {
            self.news.mark_unchanged();
            let steps = join_all((0..lanes).map(|_| self.relay.step())).await;
            let busy = steps
                .iter()
                .all(|step| matches!(step, Ok(MailStep::Progress(_))));
            lanes = if busy { LANES } else { 1 };
            let mut wait = POLL;
            for step in steps {
                wait = wait.min(self.wait_after(step));
            }
            if !busy {
                self.wait(wait).await;
            }
        }
    }

    /// Tells of a step, and how long there is nothing to do after it.
    fn wait_after(&mut self, step: Result<MailStep, Unavailable>) -> Duration {
        let now = self.clock.now();
        match step {
            Ok(MailStep::Progress(tally)) => {
                self.tell(&tally);
                if tally.sent > 0 && self.troubles.end() {
                    tracing::info!("mails go out again");
                }
                Duration::ZERO
            }
            Ok(MailStep::Paused(tally, why, until)) => {
                self.tell(&tally);
                if self.troubles.is_news(&why) {
                    tracing::warn!(%why, "mails wait");
                }
                time_to(until, now)
            }
            Ok(MailStep::Quiet(due)) => due.map_or(POLL, |due| time_to(due, now)),
            Err(error) => {
                let why = Failure::from(error);
                tracing::debug!(%why, "the queue of mails failed");
                RETRY
            }
        }
    }

    fn tell(&self, tally: &MailTally) {
        let failed = u64::try_from(tally.failed.len()).unwrap_or(u64::MAX);
        self.figures.sent.fetch_add(tally.sent, Ordering::Relaxed);
        self.figures.failed.fetch_add(failed, Ordering::Relaxed);
        for (mail, why) in &tally.held {
            tracing::info!(%mail, %why, "a mail waits");
        }
        for (mail, why) in &tally.failed {
            tracing::warn!(%mail, %why, "a mail is given up");
        }
    }

    async fn wait(&mut self, wait: Duration) {
        let news = async {
            if self.news.changed().await.is_err() {
                core::future::pending::<()>().await;
            }
        };
        tokio::select! {
            () = sleep(wait) => {}
            () = news => {}
            _ = self.stopping.wait_for(|stop| *stop) => {}
        }
    }
}

/// How long to wait for something that is due then, also where that is over: it may be out of reach (of
/// another lane, of a version that knows more).
fn time_to(due: Timestamp, now: Timestamp) -> Duration {
    due.since(now).max(LEAST)
}

async fn rest(stopping: &mut watch::Receiver<bool>, wait: Duration) {
    tokio::select! {
        () = sleep(wait) => {}
        _ = stopping.wait_for(|stop| *stop) => {}
    }
}

impl MailFigures {
    fn take_over(&self, backlog: &Backlog, now: Timestamp) {
        let age = backlog
            .oldest
            .map_or(0, |oldest| now.since(oldest).as_secs());
        self.waiting.store(backlog.mails, Ordering::Relaxed);
        self.oldest.store(age, Ordering::Relaxed);
    }

    /// What `/metrics/` shows of it.
    pub(super) fn gauges(figures: &Arc<Self>) -> [Gauge; 4] {
        let gauge = |name, help, read: fn(&Self) -> &AtomicU64| {
            let figures = Arc::clone(figures);
            let read = move || {
                let value = read(&figures).load(Ordering::Relaxed);
                count(usize::try_from(value).unwrap_or(usize::MAX))
            };
            Gauge {
                name,
                help,
                labels: Vec::new(),
                read: Box::new(read),
            }
        };
        [
            gauge(
                "tessera_mails_waiting",
                "Mails that wait to be sent.",
                |figures| &figures.waiting,
            ),
            gauge(
                "tessera_mails_oldest_seconds",
                "Age of the oldest mail that waits to be sent.",
                |figures| &figures.oldest,
            ),
            gauge(
                "tessera_mails_sent",
                "Mails that this process sent since its start.",
                |figures| &figures.sent,
            ),
            gauge(
                "tessera_mails_failed",
                "Mails that this process gave up since its start.",
                |figures| &figures.failed,
            ),
        ]
    }
}

/// How many mails are sent at the same time once there are many.
const LANES: usize = 4;

/// How long a mail of another process may go unnoticed where nothing tells of it.
const POLL: Duration = Duration::from_secs(5);

/// How long to wait at least where there is nothing to do.
const LEAST: Duration = Duration::from_millis(100);

/// After how long a queue that failed is asked again.
const RETRY: Duration = Duration::from_secs(1);

const FIGURES: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_due_and_out_of_reach_is_not_asked_for_without_a_rest() {
        let [early, now, late] = [1, 2, 4].map(Timestamp::from_secs);
        assert_eq!(time_to(early, now), LEAST);
        assert_eq!(time_to(now, now), LEAST);
        assert_eq!(time_to(late, now), Duration::from_secs(2));
    }
}
