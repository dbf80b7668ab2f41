//! `tessera events`: how far each publisher is, what happened, and what is to be sent again.

use core::time::Duration;
use std::io::{self, IsTerminal, Write};
use std::sync::Arc;

use tessera_app::{Publisher, Replay, ReplayError, StoredEvent};
use tessera_domain::{Event, Id, Tenant};
use tessera_http::{EventView, PublisherView, RetriedView, WaitingEventView};
use tokio::runtime::Handle;
use tokio::time::sleep;

use crate::cli::EventsCommand;
use crate::config::Config;
use crate::failure::Failure;
use crate::output::{self, Output};
use crate::publishers;
use crate::views::{EVENT_COLUMNS, ForgottenView, PUBLISHER_COLUMNS, ReplayView, WAITING_COLUMNS};
use crate::wiring::{KeyRingUse, Wired};

pub(super) async fn run(
    command: EventsCommand,
    config: &Config,
    output: Output,
) -> Result<(), Failure> {
    let wired = super::open(config, KeyRingUse::Untouched).await?;
    match command {
        EventsCommand::Forget { publisher } => forget(&wired, config, &publisher, output).await,
        EventsCommand::Replay { from, tenant } => {
            let tenant = only(&wired, tenant.as_deref()).await?;
            replay(&wired, config, tenant, from, output).await
        }
        EventsCommand::Retry { id } => retry(&wired, id, output).await,
        EventsCommand::Status => {
            let ports = wired.tessera.ports();
            let (progress, now) = (ports.log.progress().await?, ports.clock.now());
            let view = |progress| PublisherView::new(progress, now);
            let views: Vec<PublisherView> = progress.iter().map(view).collect();
            output.many(&PUBLISHER_COLUMNS, &views)
        }
        EventsCommand::Tail {
            lines,
            follow,
            tenant,
        } => {
            let tenant = only(&wired, tenant.as_deref()).await?;
            tail(&wired, tenant, lines, follow, output).await
        }
        EventsCommand::Waiting { lines, tenant } => {
            let tenant = only(&wired, tenant.as_deref()).await?;
            waiting(&wired, tenant, lines, output).await
        }
    }
}

async fn only(wired: &Wired, name: Option<&str>) -> Result<Option<Id<Tenant>>, Failure> {
    match name {
        Some(name) => Ok(Some(super::tenant(wired, name).await?.id)),
        None => Ok(None),
    }
}

/// Only one that is not configured: another would come back with the next start, without what it
/// had yet to send.
async fn forget(
    wired: &Wired,
    config: &Config,
    publisher: &str,
    output: Output,
) -> Result<(), Failure> {
    let mut configured = config.events.destinations.iter();
    if configured.any(|destination| destination.name() == publisher) {
        return Err(Failure::Misused(format!(
            "{publisher} is configured: take it out of TESSERA_EVENTS first"
        )));
    }
    if !wired.tessera.ports().log.forget(publisher).await? {
        return Err(Failure::Failed(format!(
            "there is no publisher named `{publisher}`"
        )));
    }
    output.one(&ForgottenView::new(publisher))
}

async fn waiting(
    wired: &Wired,
    tenant: Option<Id<Tenant>>,
    limit: usize,
    output: Output,
) -> Result<(), Failure> {
    let log = &wired.tessera.ports().log;
    let waiting = log.waiting(tenant, 0, limit).await?;
    let views: Vec<WaitingEventView> = waiting.into_iter().map(Into::into).collect();
    output.many(&WAITING_COLUMNS, &views)
}

async fn retry(wired: &Wired, event: Id<Event>, output: Output) -> Result<(), Failure> {
    let ports = wired.tessera.ports();
    let retried = ports.log.retry(None, event, ports.clock.now()).await?;
    if retried == 0 {
        return Err(Failure::Failed(format!("no event {event} is parked")));
    }
    output.one(&RetriedView { retried })
}

async fn tail(
    wired: &Wired,
    tenant: Option<Id<Tenant>>,
    lines: usize,
    follow: bool,
    output: Output,
) -> Result<(), Failure> {
    let log = &wired.tessera.ports().log;
    // Before the events, so that none lies between the two looks.
    let all = log.last_events(None, 1).await?;
    let mut seen = all.last().map_or(0, |event| event.position);
    let mut events = log.last_events(tenant, lines).await?;
    if !follow {
        return output.many(&EVENT_COLUMNS, &views(events)?);
    }
    loop {
        seen = events.last().map_or(seen, |event| seen.max(event.position));
        for event in views(events)? {
            output::write(&line(&event, output)?)?;
        }
        sleep(LOOK).await;
        events = log.events(tenant, seen, PAGE).await?;
    }
}

/// One event on one line, for who follows.
fn line(event: &EventView, output: Output) -> Result<String, Failure> {
    match output {
        Output::Json => {
            let text = serde_json::to_string(event).map_err(|error| Failure::because(&error))?;
            Ok(text + "\n")
        }
        Output::Text => output::line(&EVENT_COLUMNS, event),
    }
}

fn views(events: Vec<StoredEvent>) -> Result<Vec<EventView>, Failure> {
    let views = events.into_iter().map(EventView::try_from);
    views
        .collect::<Result<_, _>>()
        .map_err(|error| Failure::because(&error))
}

async fn replay(
    wired: &Wired,
    config: &Config,
    tenant: Option<Id<Tenant>>,
    from: u64,
    output: Output,
) -> Result<(), Failure> {
    let publishers = publishers::open(config, &Handle::current())?;
    if publishers.is_empty() {
        return Err(Failure::Misused(
            "TESSERA_EVENTS is `none`: there is nobody to replay to".to_owned(),
        ));
    }
    let mut views = Vec::new();
    for publisher in publishers {
        views.push(replay_to(wired, publisher, tenant, from).await?);
    }
    output.many(&ReplayView::COLUMNS, &views)?;
    if views.iter().all(ReplayView::is_whole) {
        return Ok(());
    }
    Err(Failure::Failed("not everything was sent again".to_owned()))
}

async fn replay_to(
    wired: &Wired,
    publisher: Arc<dyn Publisher>,
    tenant: Option<Id<Tenant>>,
    from: u64,
) -> Result<ReplayView, Failure> {
    let (log, name) = (Arc::clone(&wired.tessera.ports().log), publisher.name());
    let mut replay = Replay::begin(log, publisher, tenant, from).await?;
    let (mut view, mut attempts) = (ReplayView::new(name), 0);
    loop {
        match replay.step().await {
            Ok(replayed) => {
                attempts = 0;
                view.add(&replayed);
                show_progress(name, replay.next(), replay.to(), replayed.done);
                if replayed.done {
                    return Ok(view);
                }
            }
            Err(ReplayError::Unavailable(error)) => return Err(error.into()),
            Err(ReplayError::Away(why)) => {
                attempts += 1;
                if attempts == ATTEMPTS {
                    let next = replay.next();
                    return Ok(view.fail(why, next));
                }
                sleep(PAUSE).await;
            }
        }
    }
}

/// Shows on a terminal how far a replay is.
fn show_progress(publisher: &str, next: u64, to: u64, done: bool) {
    let mut terminal = io::stderr();
    if terminal.is_terminal() {
        let end = if done { "\n" } else { "" };
        let at = next.saturating_sub(1).min(to);
        // A terminal that is gone has nobody to tell.
        let _ = write!(
            terminal,
            "\r{publisher}: position {at} of {to}\u{1b}[K{end}"
        );
        let _ = terminal.flush();
    }
}

const ATTEMPTS: usize = 3;
const LOOK: Duration = Duration::from_millis(500);
const PAGE: usize = 1_000;
const PAUSE: Duration = Duration::from_secs(1);
