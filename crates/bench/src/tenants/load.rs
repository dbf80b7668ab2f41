//! A service with tenants that runs, and those who ask it, each of them in many tenants by turns.

use core::time::Duration;

use tokio::task::JoinSet;

use crate::Failure;
use crate::client::{self, Connection, member};
use crate::drive::{Asked, Crowd, Pace, Rate, block_on, latencies, latencies_beside, rate, repeat};
use crate::measure::{CLIENTS, LOG_INS};
use crate::process::Process;
use crate::series::percentile;
use crate::settings::Settings;
use crate::tenants::made::{Account, Made};

/// A service that runs, and those who ask it.
pub(crate) struct Load {
    process: Process,
    /// That log in, refresh and validate.
    crowds: [Crowd; 3],
}

impl Load {
    /// Everybody has asked everywhere when it is made, and the service stands still.
    pub(crate) fn start(made: &Made, settings: &Settings) -> Result<Self, Failure> {
        let (accounts, sessions) = (settings.tenants.count, settings.tenants.sessions);
        let process = made.installation.start()?;
        let log_ins = (0..accounts).map(|number| {
            let account = made.without_session(number);
            Asked::Same(account.log_in_request())
        });
        // Those with a session are spread over all tenants.
        let with_session =
            (0..sessions).map(|place| made.with_session(place * accounts / sessions));
        let (mut refreshes, mut validations) = (Vec::new(), Vec::new());
        for (refresh, access) in log_in(&process, with_session)? {
            let validate = client::get("/api/token/validate/", Some(&access));
            validations.push(Asked::Same(validate));
            refreshes.push(Asked::Refresh(refresh));
        }
        let crowd = |clients| Crowd::new(process.address, clients);
        let mut load = Self {
            crowds: [
                crowd(dealt(&log_ins.collect::<Vec<_>>(), LOG_INS)),
                crowd(dealt(&refreshes, CLIENTS)),
                crowd(dealt(&validations, CLIENTS)),
            ],
            process,
        };
        let [_, refreshing, validating] = &mut load.crowds;
        for crowd in [refreshing, validating] {
            repeat(crowd, sessions.div_ceil(CLIENTS) * WALKS)?;
        }
        load.process.stop()?;
        Ok(load)
    }

    /// How fast the crowd at `place` is answered; the service stands still before and after it.
    pub(crate) fn rate(&mut self, place: usize, span: Duration) -> Result<Rate, Failure> {
        let crowd = self.crowds.get_mut(place).ok_or("no such crowd")?;
        self.process.go_on()?;
        let reached = rate(crowd, &self.process, span)?;
        self.process.stop()?;
        Ok(reached)
    }

    /// Clients of twenty tenants, and those of one that has a hundred times the load of each.
    pub(crate) fn neighbours(&self, made: &Made) -> Result<Neighbours, Failure> {
        self.process.go_on()?;
        // No more sessions than one account may have.
        let loud = (0..LOUD).map(|place| match place % 2 {
            0 => made.with_session(0),
            _ => made.without_session(0),
        });
        let quiet = (1..=QUIET).map(|number| made.with_session(number));
        let crowd = |sessions: Vec<(String, String)>| {
            let clients = sessions
                .into_iter()
                .map(|(refresh, _)| Asked::Refresh(refresh));
            Crowd {
                pace: Pace::Every(PERIOD),
                ..Crowd::new(self.process.address, clients.collect())
            }
        };
        let neighbours = Neighbours {
            quiet: crowd(log_in(&self.process, quiet)?),
            loud: crowd(log_in(&self.process, loud)?),
        };
        self.process.stop()?;
        Ok(neighbours)
    }

    /// How long refreshes of those who are quiet take.
    pub(crate) fn p99(
        &self,
        neighbours: &mut Neighbours,
        span: Duration,
    ) -> Result<Heard, Failure> {
        let Neighbours { quiet, loud } = neighbours;
        self.process.go_on()?;
        let mut alone = latencies(quiet, None, span)?;
        let mut beside = |pace| {
            loud.pace = pace;
            let (mut beside, loud) = latencies_beside(quiet, loud, span)?;
            Ok::<_, Failure>((percentile(&mut beside, 99), loud))
        };
        let beside = [beside(Pace::Every(PERIOD))?, beside(Pace::AtOnce)?];
        self.process.stop()?;
        Ok(Heard {
            alone: percentile(&mut alone, 99),
            beside,
        })
    }
}

/// What those who are quiet notice of who is loud.
pub(crate) struct Heard {
    /// The 99th percentile of their refreshes without the loud one.
    pub(crate) alone: Duration,
    /// The same beside it, and how many refreshes of the loud one are answered a second: as it is, and
    /// where its clients ask again as soon as they are answered.
    pub(crate) beside: [(Duration, f64); 2],
}

/// Tenants of which one is loud.
pub(crate) struct Neighbours {
    quiet: Crowd,
    loud: Crowd,
}

/// Logs accounts in, in their order: the refresh tokens and the access tokens.
pub(crate) fn log_in(
    process: &Process,
    accounts: impl Iterator<Item = Account>,
) -> Result<Vec<(String, String)>, Failure> {
    let requests = accounts.map(Account::log_in_request).collect();
    let answers = ask_each(process, requests, LOG_INS)?;
    let tokens = answers.iter().map(|body| {
        let token = |name| member(body, name).map(str::to_owned);
        token("refresh").zip(token("access")).ok_or_else(|| {
            let body = String::from_utf8_lossy(body);
            format!("log in answered {body}").into()
        })
    });
    tokens.collect()
}

/// Sends each request once, by so many clients, and answers the bodies in their order; all have to
/// succeed.
pub(crate) fn ask_each(
    process: &Process,
    requests: Vec<Vec<u8>>,
    clients: usize,
) -> Result<Vec<Vec<u8>>, Failure> {
    let address = process.address;
    let requests: Vec<_> = requests.into_iter().enumerate().collect();
    let mut bodies = block_on(async {
        let mut asking = JoinSet::new();
        for hand in hands(&requests, clients) {
            asking.spawn_local(async move {
                let mut connection = Connection::open(address).await?;
                let mut bodies = Vec::new();
                for (place, request) in hand {
                    let answer = connection.ask(&request).await?;
                    let body = answer.body.to_vec();
                    match answer.status {
                        200..300 => bodies.push((place, body)),
                        status => {
                            let body = String::from_utf8_lossy(&body);
                            return Err(format!("answered {status}: {body}").into());
                        }
                    }
                }
                Ok::<_, Failure>(bodies)
            });
        }
        let mut all = Vec::new();
        while let Some(bodies) = asking.join_next().await {
            all.append(&mut bodies??);
        }
        Ok(all)
    })?;
    bodies.sort_unstable_by_key(|(place, _)| *place);
    Ok(bodies.into_iter().map(|(_, body)| body).collect())
}

/// So many clients at most, who share what is asked.
fn dealt(asked: &[Asked], clients: usize) -> Vec<Asked> {
    hands(asked, clients)
        .map(|asked| Asked::ByTurns { asked, next: 0 })
        .collect()
}

/// Deals like cards.
fn hands<T: Clone>(all: &[T], count: usize) -> impl Iterator<Item = Vec<T>> {
    let count = count.min(all.len());
    (0..count).map(move |first| all.iter().skip(first).step_by(count).cloned().collect())
}

const LOUD: usize = 100;
const PERIOD: Duration = Duration::from_millis(100);
pub(crate) const QUIET: usize = 20;
/// How often each session is used before anything is measured: of 16 connections to Postgres that
/// share the load, nine of ten then know a tenant.
const WALKS: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_card_is_in_one_hand() {
        let dealt: Vec<_> = hands(&[1, 2, 3, 4, 5], 2).collect();
        assert_eq!(dealt, [vec![1, 3, 5], vec![2, 4]]);
        assert_eq!(hands(&[1], 2).count(), 1);
    }
}
