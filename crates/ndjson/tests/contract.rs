//! The publisher of lines does what every publisher must do.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use tempfile::TempDir;
use tessera_app::Publisher;
use tessera_contract::publisher::{Arrived, Broker};
use tessera_ndjson::{NdjsonPublisher, NdjsonSettings};
use tokio::runtime::Handle;

tessera_contract::publisher_suite!(broker);

async fn broker() -> Folder {
    Folder(tempfile::tempdir().unwrap())
}

struct Folder(TempDir);

impl Folder {
    fn publisher_in(&self, folder: &str) -> Arc<dyn Publisher> {
        Arc::new(NdjsonPublisher::new(NdjsonSettings {
            path: self.0.path().join(folder).join("events.ndjson"),
            limit: u64::MAX,
            runtime: Handle::current(),
        }))
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("events.ndjson")
    }
}

#[async_trait]
impl Broker for Folder {
    fn publisher(&self) -> Arc<dyn Publisher> {
        self.publisher_in(".")
    }

    fn publisher_to_nowhere(&self) -> Arc<dyn Publisher> {
        self.publisher_in("no such folder")
    }

    async fn publisher_to_silence(&self) -> Option<Arc<dyn Publisher>> {
        None
    }

    async fn arrived(&self) -> Vec<Arrived> {
        let text = fs::read_to_string(self.path()).unwrap_or_default();
        let lines = text.lines().map(|line| Arrived {
            body: line.to_owned(),
            replay: None,
        });
        lines.collect()
    }

    /// What a crash leaves: the beginning of a line.
    async fn restart(&self) {
        let mut file = File::options().append(true).open(self.path()).unwrap();
        file.lock().unwrap();
        file.write_all(b"{\"specversion\":\"1").unwrap();
    }

    async fn unroute(&self) -> bool {
        false
    }

    async fn route(&self) {}

    fn too_large(&self) -> Option<usize> {
        None
    }
}
