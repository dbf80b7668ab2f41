//! Refresh tokens across processes that share one Postgres, and across their deaths.

use std::collections::BTreeSet;
use std::sync::Barrier;
use std::thread;

use crate::client::{refresh, validate};
use crate::database::Database;
use crate::service::{Installation, Service, until};

#[test]
fn of_64_racing_refreshes_all_name_one_successor_and_a_replay_ends_the_family() {
    let database = Database::create();
    let installation = Installation::prepared_on(&database);
    let services = [start(&installation), start(&installation)];
    let (_, token) = services[0].session(&installation);

    let barrier = Barrier::new(RACERS);
    let answers: Vec<_> = thread::scope(|scope| {
        let racers: Vec<_> = (0..RACERS)
            .map(|racer| {
                let (service, token, barrier) = (&services[racer % 2], &token, &barrier);
                scope.spawn(move || {
                    barrier.wait();
                    service.ask(&refresh(token))
                })
            })
            .collect();
        racers.into_iter().map(|it| it.join().unwrap()).collect()
    });
    for answer in &answers {
        let logs = || services.each_ref().map(Service::log).concat();
        assert_eq!(answer.status, 200, "{answer:?}\n{}", logs());
    }
    let successors: BTreeSet<String> = answers.iter().map(|it| it.text("refresh")).collect();
    assert_eq!(successors.len(), 1);
    let access: Vec<String> = answers.iter().map(|it| it.text("access")).collect();
    for (racer, access) in access.iter().enumerate() {
        assert_eq!(services[racer % 2].ask(&validate(access)).status, 200);
    }

    services.into_iter().for_each(Service::kill);
    // Without a grace the time to wait for its end is none.
    let installation = installation.with("TESSERA_REFRESH_GRACE", "0");
    let services = [start(&installation), start(&installation)];
    assert_eq!(services[1].ask(&refresh(&token)).status, 401, "a replay");
    let successor = successors.first().unwrap();
    for service in &services {
        assert_eq!(service.ask(&refresh(successor)).status, 401);
        assert_eq!(service.ask(&validate(&access[0])).status, 401);
    }

    services.into_iter().for_each(Service::kill);
    let service = start(&installation);
    assert_eq!(service.ask(&refresh(successor)).status, 401);
    assert_eq!(service.ask(&validate(&access[0])).status, 401);
}

#[test]
fn a_replay_ends_the_family_when_all_died_before_it() {
    let database = Database::create();
    let installation = Installation::prepared_on(&database).with("TESSERA_REFRESH_GRACE", "0");
    let service = start(&installation);
    let (_, first) = service.session(&installation);
    let second = service.ask(&refresh(&first)).text("refresh");
    service.kill();
    let service = start(&installation);
    assert_eq!(service.ask(&refresh(&first)).status, 401);
    service.kill();
    assert_eq!(start(&installation).ask(&refresh(&second)).status, 401);
}

fn start(installation: &Installation) -> Service {
    let service = installation.start();
    until("it is ready", || service.status("/readyz") == 200);
    service
}

const RACERS: usize = 64;
