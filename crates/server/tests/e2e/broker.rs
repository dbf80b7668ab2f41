//! A Kafka of its own, for tests that need one which is not there yet.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::database::{free_port, setting};
use crate::service::until_within;

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
        let log = self.folder.path().join("log");
        let file = File::create(&log).unwrap();
        let mut process = Command::new(script)
            .arg(self.folder.path())
            .arg(self.port.to_string())
            .env("TESSERA_TEST_KAFKA_LIB", setting("TESSERA_TEST_KAFKA_LIB"))
            .stdin(Stdio::null())
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .spawn()
            .unwrap();
        // Starting a virtual machine takes some seconds, and more beside other tests.
        until_within(90, "Kafka starts", || {
            let said = fs::read_to_string(&log).unwrap();
            let ended = process.try_wait().unwrap();
            assert!(ended.is_none(), "{said}");
            said.contains("Kafka Server started")
        });
        self.process = Some(process);
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
