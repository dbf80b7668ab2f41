//! A Kafka of its own, for tests that need one which is not there yet.

use std::path::Path;
use std::process::{Child, Command};
use std::time::Duration;

use tempfile::TempDir;

use crate::database::{free_port, setting};
use crate::started::started;

/// A Kafka that may run.
pub(crate) struct Kafka {
    folder: TempDir,
    port: u16,
    process: Option<Child>,
}

impl Kafka {
    /// One that does not run yet.
    pub(crate) fn planned() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            port: free_port(),
            process: None,
        }
    }

    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub(crate) fn start(&mut self) {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/kafka");
        let mut command = Command::new(script);
        command.arg(self.folder.path()).arg(self.port.to_string());
        command.env("TESSERA_TEST_KAFKA_LIB", setting("TESSERA_TEST_KAFKA_LIB"));
        let log = self.folder.path().join("log");
        // Starting a virtual machine takes some seconds, and more beside other tests.
        let time = Duration::from_secs(90);
        self.process = Some(started(command, "Kafka Server started", time, &log));
    }
}

impl Drop for Kafka {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            // It may have ended by itself.
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}
