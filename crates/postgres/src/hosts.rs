//! Which of the servers is asked, and which is never asked again.

use core::time::Duration;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tessera_app::Unavailable;
use tokio::time::timeout;
use tokio_postgres::{Client, Config, SimpleQueryMessage};

/// The servers that one URL names: most often one.
pub(crate) struct Hosts {
    all: Vec<Config>,
    /// The one that was reached last.
    last: AtomicUsize,
    newest: Mutex<Option<Line>>,
}

/// What a server that takes writes goes on with: each promotion begins another timeline.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Line {
    /// Made with the data, and kept by all copies of it.
    system: String,
    timeline: u32,
}

impl Hosts {
    /// These, in the order in which they are tried at first.
    pub(crate) fn new(all: Vec<Config>) -> Self {
        Self {
            all,
            last: AtomicUsize::new(0),
            newest: Mutex::default(),
        }
    }

    #[cfg(test)]
    pub(crate) fn all(&self) -> &[Config] {
        &self.all
    }

    /// What `attempt` makes of the first host with which it succeeds: first that which was reached
    /// last, the next one as soon as one failed, or was silent for a while.
    pub(crate) async fn first<'h, T, E, F>(
        &'h self,
        attempt: impl Fn(&'h Config) -> F,
    ) -> Result<T, E>
    where
        F: Future<Output = Result<T, E>>,
    {
        let last = self.last.load(Ordering::Relaxed);
        let (before, from) = self.all.split_at(last.min(self.all.len()));
        let places = (last..).zip(from).chain((0..).zip(before));
        let mut waiting = places.map(|(place, host)| {
            let attempt = attempt(host);
            async move { (place, attempt.await) }
        });
        let mut tried = FuturesUnordered::new();
        tried.extend(waiting.next());
        loop {
            let next = timeout(HEAD_START, tried.next()).await;
            match next {
                Ok(Some((place, Ok(made)))) => {
                    self.last.store(place, Ordering::Relaxed);
                    return Ok(made);
                }
                Ok(Some((_, Err(error)))) => match waiting.next() {
                    Some(another) => tried.push(another),
                    None if tried.is_empty() => return Err(error),
                    None => {}
                },
                // Silent so far, all of them.
                Ok(None) | Err(_) => tried.extend(waiting.next()),
            }
        }
    }

    /// Refuses a server that went on with what it had before another one was promoted: it lacks
    /// what was answered since.
    ///
    /// One that is a standby, or does not tell, is let by.
    pub(crate) async fn admit(&self, client: &Client) -> Result<(), Unavailable> {
        let Ok(told) = client.simple_query(LINE).await else {
            return Ok(());
        };
        match told.iter().find_map(Line::told) {
            Some(line) if !self.is_followed_by(&line) => Err(Unavailable::new(
                "this server of Postgres was left behind by another one that was promoted",
            )),
            Some(_) | None => Ok(()),
        }
    }

    fn is_followed_by(&self, line: &Line) -> bool {
        let mut newest = self.newest();
        let old = newest
            .as_ref()
            .is_some_and(|newest| newest.system == line.system && newest.timeline > line.timeline);
        if !old {
            *newest = Some(line.clone());
        }
        !old
    }

    fn newest(&self) -> MutexGuard<'_, Option<Line>> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Line {
    fn told(message: &SimpleQueryMessage) -> Option<Self> {
        let SimpleQueryMessage::Row(row) = message else {
            return None;
        };
        Some(Self {
            system: row.get(0)?.to_owned(),
            timeline: row.get(1)?.parse().ok()?,
        })
    }
}

const HEAD_START: Duration = Duration::from_millis(250);
/// The name of a file of the log begins with its timeline.
const LINE: &str = "\
    SELECT system_identifier, \
        ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::bigint \
    FROM pg_control_system() WHERE NOT pg_is_in_recovery()";

#[cfg(test)]
mod tests {
    use core::future::pending;

    use super::*;

    fn hosts() -> Hosts {
        let named = |name: &str| {
            let mut config = Config::new();
            config.host(name);
            config
        };
        Hosts::new(vec![named("one"), named("other"), named("third")])
    }

    fn name(host: &Config) -> String {
        format!("{:?}", host.get_hosts())
    }

    #[tokio::test(start_paused = true)]
    async fn the_one_that_was_reached_last_is_asked_first() {
        let hosts = hosts();
        for up in ["other", "one", "third"] {
            let asked = Mutex::new(Vec::new());
            for _ in 0..2 {
                asked.lock().unwrap().clear();
                let reached = hosts.first(async |host| {
                    asked.lock().unwrap().push(name(host));
                    if name(host).contains(up) {
                        Ok(())
                    } else {
                        Err(())
                    }
                });
                assert_eq!(reached.await, Ok(()));
            }
            let asked = asked.into_inner().unwrap();
            assert!(asked.len() == 1 && asked[0].contains(up), "{asked:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_says_nothing_holds_up_the_next_for_a_moment_only() {
        let hosts = hosts();
        let reached = hosts.first(async |host| {
            if name(host).contains("third") {
                return Ok::<_, ()>(name(host));
            }
            pending().await
        });
        let reached = timeout(HEAD_START * 2 + HEAD_START / 2, reached).await;
        assert!(reached.unwrap().unwrap().contains("third"));
    }

    #[tokio::test(start_paused = true)]
    async fn where_all_fail_the_last_one_says_why() {
        let failed = hosts().first(async |host| Err::<(), _>(name(host))).await;
        assert!(failed.unwrap_err().contains("third"));
    }

    #[test]
    fn one_that_was_left_behind_is_not_followed_and_a_new_installation_is() {
        let hosts = hosts();
        for (system, timeline, followed) in [
            ("a", 1, true),
            ("a", 3, true),
            ("a", 1, false),
            ("a", 3, true),
            ("b", 1, true),
            ("b", 1, true),
        ] {
            let system = system.to_owned();
            let line = Line { system, timeline };
            assert_eq!(hosts.is_followed_by(&line), followed, "{line:?}");
        }
    }
}
