//! The brokers that events go to.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::Failure;
use crate::client::member;

/// A Kafka, and the jars of its tools.
#[derive(Clone, Debug)]
pub(crate) struct Kafka {
    /// Its `host:port`.
    pub(crate) address: String,
    pub(crate) lib: PathBuf,
}

/// A `RabbitMQ`, and the program that administers it.
#[derive(Clone, Debug)]
pub(crate) struct RabbitMq {
    pub(crate) url: String,
    pub(crate) ctl: PathBuf,
}

impl Kafka {
    /// Makes a topic of three partitions, which notes when it appended a record.
    pub(crate) fn make_topic(&self, topic: &str) -> Result<(), Failure> {
        let time = "message.timestamp.type=LogAppendTime";
        let create = ["--create", "--topic", topic, "--partitions", "3"];
        let made = self
            .tool("org.apache.kafka.tools.TopicCommand")
            .args(create)
            .args(["--replication-factor", "1", "--config", time])
            .output()?;
        if made.status.success() {
            return Ok(());
        }
        Err(String::from_utf8_lossy(&made.stdout).into())
    }

    /// When each of the first `count` records of a topic was appended, in ms, with the event's
    /// position.
    pub(crate) fn appended(&self, topic: &str, count: i64) -> Result<Vec<(i64, i64)>, Failure> {
        let read = self
            .tool("org.apache.kafka.tools.consumer.ConsoleConsumer")
            .args(["--topic", topic, "--from-beginning", "--timeout-ms"])
            .args(["20000", "--max-messages", &count.to_string()])
            .args(["--formatter-property", "print.timestamp=true"])
            .output()?;
        let lines = read.stdout.split(|byte| *byte == b'\n');
        let record = |line: &[u8]| {
            let line = core::str::from_utf8(line).ok()?;
            let (time, event) = line.strip_prefix("LogAppendTime:")?.split_once('\t')?;
            let position = member(event.as_bytes(), "position")?.parse().ok()?;
            Some((position, time.parse().ok()?))
        };
        let records: Vec<_> = lines.filter_map(record).collect();
        if i64::try_from(records.len())? < count {
            return Err(String::from_utf8_lossy(&read.stderr).into());
        }
        Ok(records)
    }

    /// What the service is to be told.
    pub(crate) fn settings(&self, topic: &str) -> Vec<(&'static str, String)> {
        kafka_at(&self.address, topic)
    }

    fn tool(&self, class: &str) -> Command {
        let mut jars = self.lib.clone().into_os_string();
        jars.push("/*");
        let mut command = Command::new("java");
        command.args(["-XX:TieredStopAtLevel=1", "-cp"]).arg(jars);
        command.args([class, "--bootstrap-server", &self.address]);
        command.stdin(Stdio::null());
        command
    }
}

impl RabbitMq {
    /// Removes what is in the queue of events.
    pub(crate) fn purge(&self) -> Result<(), Failure> {
        // Before the first event there is no queue.
        let _ = Command::new(&self.ctl)
            .args(["-q", "purge_queue", "user-events"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()?;
        Ok(())
    }

    /// What the service is to be told.
    pub(crate) fn settings(&self) -> Vec<(&'static str, String)> {
        vec![("RABBITMQ_URL", self.url.clone())]
    }
}

/// What a service is to be told whose events go nowhere.
pub(crate) fn nobody() -> Vec<(&'static str, String)> {
    vec![("TESSERA_EVENTS", "none".to_owned())]
}

/// What a service is to be told whose Kafka cannot be reached.
pub(crate) fn nowhere() -> Vec<(&'static str, String)> {
    kafka_at("127.0.0.1:1", "nowhere")
}

fn kafka_at(address: &str, topic: &str) -> Vec<(&'static str, String)> {
    vec![
        ("KAFKA_BOOTSTRAP_SERVERS", address.to_owned()),
        ("TESSERA_EVENTS_TOPIC", topic.to_owned()),
    ]
}
