//! Clients that ask again as soon as they are answered, after a rest, or at their times.

use core::time::Duration;
use std::net::SocketAddr;
use std::thread;

use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;

use crate::Failure;
use crate::client::{self, Answer, Connection, member};
use crate::installation::register_request;
use crate::process::Process;
use crate::watch::Stopwatch;

/// What one client asks for again and again.
#[derive(Clone, Debug)]
pub(crate) enum Asked {
    /// The first of these, then the second, and after the last the first again.
    ByTurns {
        asked: Vec<Self>,
        /// Whose turn it is.
        next: usize,
    },
    /// The same request each time.
    Same(Vec<u8>),
    /// Refreshes, each with the token that the one before gave.
    Refresh(String),
    /// Sign ups, each with another address.
    Register {
        /// Nobody else's.
        client: usize,
        /// How often the client signed up so far.
        done: usize,
    },
}

impl Asked {
    fn request(&self) -> Vec<u8> {
        match self {
            Self::Same(request) => request.clone(),
            Self::ByTurns { asked, next } => {
                asked.get(*next).map(Self::request).unwrap_or_default()
            }
            Self::Refresh(token) => client::post(
                "/api/token/refresh/",
                &format!(r#"{{"refresh":"{token}"}}"#),
            ),
            Self::Register { client, done } => register_request(*client, *done),
        }
    }

    fn answered(&mut self, answer: &Answer<'_>) -> Result<(), Failure> {
        let expected = match self {
            Self::ByTurns { asked, next } => {
                let turn = asked.get_mut(*next).ok_or("nobody's turn")?;
                turn.answered(answer)?;
                *next = (*next + 1) % asked.len();
                return Ok(());
            }
            Self::Same(_) | Self::Refresh(_) => 200,
            Self::Register { .. } => 201,
        };
        if answer.status != expected {
            let body = String::from_utf8_lossy(answer.body);
            return Err(format!("answered {}: {body}", answer.status).into());
        }
        match self {
            Self::ByTurns { .. } | Self::Same(_) => {}
            Self::Refresh(token) => {
                let next = member(answer.body, "refresh").ok_or("a refresh without a token")?;
                next.clone_into(token);
            }
            Self::Register { done, .. } => *done += 1,
        }
        Ok(())
    }
}

/// The clients of one service.
#[derive(Clone, Debug)]
pub(crate) struct Crowd {
    pub(crate) address: SocketAddr,
    pub(crate) clients: Vec<Asked>,
    pub(crate) pace: Pace,
}

/// When a client asks again.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pace {
    /// As soon as it is answered.
    AtOnce,
    /// So long after its request before, however long the answer took; at once if that is over.
    /// Clients begin one by one within that time, so that their requests stay apart.
    Every(Duration),
    /// So long after the answer.
    Rests(Duration),
}

impl Crowd {
    /// Clients that ask again at once.
    pub(crate) fn new(address: SocketAddr, clients: Vec<Asked>) -> Self {
        Self {
            address,
            clients,
            pace: Pace::AtOnce,
        }
    }

    /// Lets every client ask `least` times at least, until `span` is over, and answers how long each
    /// request took.
    async fn run(&mut self, span: Duration, least: usize) -> Result<Vec<Duration>, Failure> {
        let mut running = JoinSet::new();
        let count = u32::try_from(self.clients.len())?.max(1);
        for (place, asked) in (0..).zip(self.clients.drain(..)) {
            let client = Client {
                address: self.address,
                asked,
                pace: self.pace,
                first: match self.pace {
                    Pace::Every(period) => period * place / count,
                    Pace::AtOnce | Pace::Rests(_) => Duration::ZERO,
                },
            };
            running.spawn_local(client.run(span, least));
        }
        let mut latencies = Vec::new();
        while let Some(done) = running.join_next().await {
            let (asked, mut its) = done??;
            self.clients.push(asked);
            latencies.append(&mut its);
        }
        Ok(latencies)
    }
}

struct Client {
    address: SocketAddr,
    asked: Asked,
    pace: Pace,
    /// How long it waits before it asks for the first time.
    first: Duration,
}

impl Client {
    async fn run(
        mut self,
        span: Duration,
        least: usize,
    ) -> Result<(Asked, Vec<Duration>), Failure> {
        let mut connection = Connection::open(self.address).await?;
        rest(self.first).await;
        let mut latencies = Vec::new();
        let watch = Stopwatch::start();
        let mut due = Duration::ZERO;
        loop {
            let request = self.asked.request();
            let sent = Stopwatch::start();
            let answer = connection.ask(&request).await?;
            latencies.push(sent.elapsed());
            self.asked.answered(&answer)?;
            if watch.elapsed() >= span && latencies.len() >= least {
                return Ok((self.asked, latencies));
            }
            match self.pace {
                Pace::AtOnce => {}
                Pace::Every(period) => {
                    due += period;
                    rest(due.saturating_sub(watch.elapsed())).await;
                }
                Pace::Rests(pause) => rest(pause).await,
            }
        }
    }
}

async fn rest(pause: Duration) {
    if !pause.is_zero() {
        tokio::time::sleep(pause).await;
    }
}

/// How many requests were answered, in which time and for how much CPU time of the service.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rate {
    pub(crate) per_second: f64,
    pub(crate) per_cpu_second: f64,
}

impl Rate {
    pub(crate) fn of(count: usize, time: Duration, cpu: Duration) -> Result<Self, Failure> {
        let count = f64::from(u32::try_from(count)?);
        Ok(Self {
            per_second: count / time.as_secs_f64(),
            per_cpu_second: count / cpu.as_secs_f64(),
        })
    }
}

/// Drives one service as fast as it answers.
pub(crate) fn rate(crowd: &mut Crowd, service: &Process, span: Duration) -> Result<Rate, Failure> {
    let (watch, before) = (Stopwatch::start(), service.cpu()?);
    let answered = block_on(crowd.run(span, 1))?;
    let (time, cpu) = (watch.elapsed(), service.cpu()?.saturating_sub(before));
    Rate::of(answered.len(), time, cpu)
}

/// Lets every client ask that often.
pub(crate) fn repeat(crowd: &mut Crowd, times: usize) -> Result<(), Failure> {
    block_on(crowd.run(Duration::ZERO, times)).map(drop)
}

/// How long requests take, while `beside` are asking too.
pub(crate) fn latencies(
    crowd: &mut Crowd,
    beside: Option<&mut Crowd>,
    span: Duration,
) -> Result<Vec<Duration>, Failure> {
    match beside {
        Some(beside) => Ok(latencies_beside(crowd, beside, span)?.0),
        None => block_on(crowd.run(span, 1)),
    }
}

/// How long requests take while others are asking too, and how many of theirs are answered a second.
///
/// The others have a thread of their own, so that what their answers cost here is no latency.
pub(crate) fn latencies_beside(
    crowd: &mut Crowd,
    beside: &mut Crowd,
    span: Duration,
) -> Result<(Vec<Duration>, f64), Failure> {
    thread::scope(|scope| {
        // The others begin before and end after, so that nothing is measured without them.
        let others = scope.spawn(|| {
            let watch = Stopwatch::start();
            let answered = block_on(beside.run(span + LEAD + LEAD, 1))?;
            let answered = f64::from(u32::try_from(answered.len())?);
            Ok::<_, Failure>(answered / watch.elapsed().as_secs_f64())
        });
        let latencies = block_on(async {
            rest(LEAD).await;
            crowd.run(span, 1).await
        });
        let others = others.join().map_err(|_| "those beside panicked")?;
        Ok((latencies?, others?))
    })
}

/// Runs `work` on this thread.
pub(crate) fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime: Runtime = Builder::new_current_thread().enable_all().build()?;
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, work)
}

const LEAD: Duration = Duration::from_millis(300);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_come_one_after_the_other_and_then_again() {
        let asked = ["one", "two"].map(|request| Asked::Same(request.into()));
        let mut turns = Asked::ByTurns {
            asked: asked.to_vec(),
            next: 0,
        };
        for request in ["one", "two", "one"] {
            assert_eq!(turns.request(), request.as_bytes());
            let answer = Answer {
                status: 200,
                body: b"",
            };
            turns.answered(&answer).unwrap();
        }
    }
}
