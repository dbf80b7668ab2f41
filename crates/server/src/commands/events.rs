//! `tessera events`: how far each publisher is, what happened, and what is to be sent again.

use core::time::Duration;
use std::io::{self, IsTerminal, Write};
use std::sync::Arc;

use serde_json::Value;
use tessera_app::{Publisher, Replay, ReplayError, StoredEvent};
use tessera_domain::{Event, Id, Tenant};
use tokio::runtime::Handle;
use tokio::time::sleep;

use crate::cli::EventsCommand;
use crate::config::Config;
use crate::failure::Failure;
use crate::output::{self, Output};
use crate::publishers;
use crate::views::{EventView, ProgressView, ReplayView, RetryView};
use crate::wiring::{KeyRingUse, Wired};

pub(super) async fn run(
    command: EventsCommand,
    config: &Config,
    output: Output,
) -> Result<(), Failure> {
    let wired = super::open(config, KeyRingUse::Untouched).await?;
    match command {
        EventsCommand::Replay { from, tenant } => {
            let tenant = only(&wired, tenant.as_deref()).await?;
            replay(&wired, config, tenant, from, output).await
        }
        EventsCommand::Retry { id } => retry(&wired, id, output).await,
        EventsCommand::Status => {
            let ports = wired.tessera.ports();
            let (progress, now) = (ports.log.progress().await?, ports.clock.now());
            let views: Vec<ProgressView> = progress
                .iter()
                .map(|progress| ProgressView::new(progress, now))
                .collect();
            output.many(&ProgressView::COLUMNS, &views)
        }
        EventsCommand::Tail {
            lines,
            follow,
            tenant,
        } => {
            let tenant = only(&wired, tenant.as_deref()).await?;
            tail(&wired, tenant, lines, follow, output).await
        }
    }
}

async fn only(wired: &Wired, name: Option<&str>) -> Result<Option<Id<Tenant>>, Failure> {
    match name {
        Some(name) => Ok(Some(super::tenant(wired, name).await?.id)),
        None => Ok(None),
    }
}

async fn retry(wired: &Wired, event: Id<Event>, output: Output) -> Result<(), Failure> {
    let ports = wired.tessera.ports();
    let publishers = ports.log.retry(None, event, ports.clock.now()).await?;
    if publishers == 0 {
        return Err(Failure::Failed(format!("no event {event} is parked")));
    }
    output.one(&RetryView::new(event, publishers))
}

async fn tail(
    wired: &Wired,
    tenant: Option<Id<Tenant>>,
    lines: usize,
    follow: bool,
    output: Output,
) -> Result<(), Failure> {
    let log = &wired.tessera.ports().log;
    let mut events = log.last_events(tenant, lines).await?;
    if !follow {
        return show(&events, output);
    }
    let all = log.last_events(None, 1).await?;
    let mut seen = all.last().map_or(0, |event| event.position);
    loop {
        for event in &events {
            seen = seen.max(event.position);
            output::write(&line(event, output))?;
        }
        sleep(LOOK).await;
        events = log.events(tenant, seen, PAGE).await?;
    }
}

fn show(events: &[StoredEvent], output: Output) -> Result<(), Failure> {
    match output {
        Output::Json => {
            let bodies: Result<Vec<Value>, Failure> = events.iter().map(body).collect();
            output::document(&bodies?)
        }
        Output::Text => {
            let views: Vec<EventView> = events.iter().map(EventView::from).collect();
            output.many(&EventView::COLUMNS, &views)
        }
    }
}

fn line(event: &StoredEvent, output: Output) -> String {
    match output {
        Output::Json => format!("{}\n", event.body),
        Output::Text => EventView::from(event).line(),
    }
}

fn body(event: &StoredEvent) -> Result<Value, Failure> {
    serde_json::from_str(&event.body).map_err(|error| Failure::because(&error))
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
    output.many(&ReplayView::COLUMNS, &views)
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
                    return Err(Failure::Failed(format!(
                        "{name}: {why}; the rest is sent by `tessera events replay --from {next}`"
                    )));
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
