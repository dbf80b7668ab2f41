//! Publishes events as lines of a file: the default where no broker is configured, and the
//! smallest example of a publisher.
//!
//! A line is an event, byte for byte as it is stored, and is told as sent once the file is on the
//! disk. At its size the file becomes `events.ndjson.1`, and so on to `.10`. Readers may follow it
//! (`tail -F`); a line that a crash cut off is removed before the next is written, and its event
//! comes again.
//!
//! Several processes may write to one file. A line has no room for a mark beside the event, so a
//! replay is a line like any other: its `id` and `position` tell.

#![warn(missing_docs)]

mod file;

use core::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use tessera_app::{Occasion, Publisher, Receipt, StoredEvent};
use tokio::runtime::Handle;

use crate::file::Lines;

/// Where the file is, and how it grows.
#[derive(Clone, Debug)]
pub struct NdjsonSettings {
    /// The file; it is made, for its owner alone, in a folder that exists.
    pub path: PathBuf,
    /// The size in bytes at which a new one is begun.
    pub limit: u64,
    /// The runtime whose threads for blocking work wait for the disk.
    pub runtime: Handle,
}

/// Writes events to a file. A clone shares it.
#[derive(Clone)]
pub struct NdjsonPublisher {
    lines: Arc<Mutex<Lines>>,
    runtime: Handle,
}

impl NdjsonPublisher {
    /// A publisher that opens its file once there is something to write.
    pub fn new(settings: NdjsonSettings) -> Self {
        let lines = Lines::new(settings.path, settings.limit);
        Self {
            lines: Arc::new(Mutex::new(lines)),
            runtime: settings.runtime,
        }
    }
}

impl fmt::Debug for NdjsonPublisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NdjsonPublisher").finish_non_exhaustive()
    }
}

#[async_trait]
impl Publisher for NdjsonPublisher {
    fn name(&self) -> &'static str {
        "ndjson"
    }

    async fn publish(&self, events: &[&StoredEvent], _: Occasion) -> Vec<Receipt> {
        if events.is_empty() {
            return Vec::new();
        }
        let bodies = events.iter().map(|event| event.body.as_str());
        let text = bodies.flat_map(|body| [body, "\n"]).collect::<String>();
        let lines = Arc::clone(&self.lines);
        let write = move || {
            // What another call left is repaired before anything is written.
            let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
            lines.append(text.as_bytes())
        };
        let receipt = match self.runtime.spawn_blocking(write).await {
            Ok(Ok(())) => Receipt::Sent,
            Ok(Err(error)) => Receipt::Unavailable(format!("the file cannot be written: {error}")),
            Err(_) => Receipt::Unavailable("the process ends".to_owned()),
        };
        vec![receipt; events.len()]
    }
}
