//! The end of a service: unready first, then without new connections, and the probes last.

use core::time::Duration;
use std::io;

use actix_web::dev::ServerHandle;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::signals::{Asked, Signals};

/// The servers of a process, in the order in which they stop.
#[derive(Default)]
pub(super) struct Servers {
    pub(super) handles: Vec<ServerHandle>,
    pub(super) running: JoinSet<io::Result<()>>,
}

/// How the grace of the process is spent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Grace {
    whole: Duration,
}

impl Grace {
    pub(super) fn new(whole: Duration) -> Self {
        Self { whole }
    }

    /// How long it goes on serving while it says that it is unready: long enough for a load
    /// balancer to look, and short beside what the requests need.
    fn unready(self) -> Duration {
        (self.whole / 5).min(LONGEST_UNREADY)
    }

    /// How long relays get at the end, to send what the last requests caused.
    pub(super) fn flush(self) -> Duration {
        (self.whole / 5).min(LONGEST_FLUSH)
    }

    /// How long all servers together take to stop.
    fn servers(self) -> Duration {
        self.whole.saturating_sub(self.flush())
    }

    /// What is left for requests in flight, and beside them for probes.
    pub(super) fn requests(self) -> Duration {
        let rest = self.servers().saturating_sub(self.unready());
        rest.saturating_sub(PROBES)
    }
}

impl Servers {
    /// Stops all of them within the grace, less what relays need after them.
    ///
    /// `SIGINT` skips the time in which the service is unready but serves, as who presses Ctrl-C
    /// waits for it; so does what ended by itself. A signal more goes on to the next step.
    pub(super) async fn end(self, asked: Option<Asked>, grace: Grace, signals: &mut Signals) {
        let stopped = timeout(grace.servers(), async {
            if asked == Some(Asked::Terminate) {
                tracing::info!("unready, and serving until others see it");
                tokio::select! {
                    () = sleep(grace.unready()) => {}
                    _ = signals.next() => {}
                }
            }
            tracing::info!("finishing requests in flight");
            tokio::select! {
                () = self.stop() => true,
                _ = signals.next() => false,
            }
        });
        // What still runs is cut off when the process ends; a server that stops hears nothing.
        if !stopped.await.unwrap_or(false) {
            tracing::warn!("requests in flight are cut off");
        }
    }

    async fn stop(&self) {
        for handle in &self.handles {
            handle.stop(true).await;
        }
    }
}

const LONGEST_FLUSH: Duration = Duration::from_secs(3);
const LONGEST_UNREADY: Duration = Duration::from_secs(2);
/// What probes get to finish.
pub(super) const PROBES: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_phase_stays_within_the_grace() {
        for (grace, unready, requests) in [(25, 2_000, 19_000), (5, 1_000, 2_000), (0, 0, 0)] {
            let grace = Grace::new(Duration::from_secs(grace));
            assert_eq!(grace.unready(), Duration::from_millis(unready));
            assert_eq!(grace.requests(), Duration::from_millis(requests));
        }
    }
}
