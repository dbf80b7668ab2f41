//! The event log of an installation on Postgres, as nobody but a benchmark may treat it.

use core::time::Duration;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;

use crate::Failure;
use crate::psql::Psql;

/// The log of one database, which has one publisher.
pub(crate) struct EventLog {
    psql: Psql,
    url: String,
    bin: PathBuf,
    /// What `pgbench` is to run.
    script: PathBuf,
}

impl EventLog {
    /// The log in the database at `url`; the programs of Postgres are in the folder `bin`, and
    /// `folder` is for what they read.
    pub(crate) fn open(bin: PathBuf, url: String, folder: &Path) -> Result<Self, Failure> {
        let (psql, script) = (Psql::open(&bin, &url)?, folder.join("commit.sql"));
        fs::write(&script, "SELECT commit_event();\n")?;
        Ok(Self {
            psql,
            url,
            bin,
            script,
        })
    }

    /// Adds `count` events, as log ins of 20,000 users in no order would.
    pub(crate) fn fill(&mut self, count: i64) -> Result<(), Failure> {
        let mut left = count;
        while left > 0 {
            let some = left.min(PARTITION);
            let last = self
                .psql
                .number("SELECT last_value FROM tessera.positions")?;
            let positions = format!("generate_series({}, {})", last + 1, last + some);
            self.psql.ask(&format!(
                "SELECT tessera.make_partitions(); {}; SELECT setval('tessera.positions', {})",
                insert(&positions),
                last + some
            ))?;
            left -= some;
        }
        self.psql.ask("VACUUM (ANALYZE) tessera.events").map(drop)
    }

    /// Has the publisher be where the last `pending` events are not sent, and nobody on it.
    pub(crate) fn rewind(&mut self, pending: i64) -> Result<(), Failure> {
        let rewound = self.psql.ask(&format!(
            "DELETE FROM tessera.waiting; DELETE FROM tessera.gaps; \
             UPDATE tessera.publishers SET sent = 0, holder = NULL, lease_until = NULL, \
             cursor = (SELECT max(position) FROM tessera.events) - {pending} RETURNING name"
        ))?;
        match rewound.len() {
            1 => Ok(()),
            publishers => Err(format!("there are {publishers} publishers").into()),
        }
    }

    /// How many events were sent since it was rewound.
    pub(crate) fn sent(&mut self) -> Result<i64, Failure> {
        self.psql.number("SELECT sent FROM tessera.publishers")
    }

    /// Commits events one by one, `rate` a second at chance intervals, and tells of them as another
    /// service would: at most once in 5 ms, after the commit. Answers how many.
    pub(crate) fn commit(&mut self, rate: u32, span: Duration) -> Result<i64, Failure> {
        let before = self.last()?;
        self.psql.ask(&format!(
            "CREATE OR REPLACE FUNCTION commit_event() RETURNS void LANGUAGE plpgsql AS \
             $$ BEGIN {}; END $$",
            insert("(SELECT tessera.next_position())")
        ))?;
        let pgbench = Command::new(self.bin.join("pgbench"))
            .args(["-n", "-M", "prepared", "-c", "4", "-R", &rate.to_string()])
            .args(["-T", &span.as_secs().max(1).to_string()])
            .args(["-f", &self.script.to_string_lossy(), &self.url])
            .stdout(Stdio::null())
            .spawn()?;
        self.tell_until(pgbench)?;
        Ok(self.last()? - before)
    }

    /// When each event after the last but `count` was about to be committed, in µs, by position.
    pub(crate) fn moments(&mut self, count: i64) -> Result<Vec<(i64, i64)>, Failure> {
        let rows = self.psql.ask(&format!(
            "SELECT position, time FROM tessera.events ORDER BY position DESC LIMIT {count}"
        ))?;
        let moment = |row: &String| {
            let (position, time) = row.split_once('|').ok_or("a row of one column")?;
            Ok((position.parse()?, time.parse()?))
        };
        rows.iter().map(moment).collect()
    }

    fn tell_until(&mut self, mut pgbench: Child) -> Result<(), Failure> {
        loop {
            self.psql.ask("NOTIFY tessera_events")?;
            if let Some(status) = pgbench.try_wait()? {
                let failed = || "pgbench failed, see its words above".into();
                return status.success().then_some(()).ok_or_else(failed);
            }
            thread::sleep(PAUSE);
        }
    }

    fn last(&mut self) -> Result<i64, Failure> {
        self.psql.number("SELECT max(position) FROM tessera.events")
    }
}

/// Inserts an event at each of `positions`, with about what a browser makes a body of. Positions
/// stand for sequences: both grow with each event of a subject.
fn insert(positions: &str) -> String {
    format!(
        "INSERT INTO tessera.events (position, id, tenant_id, subject, sequence, type, time, body) \
         SELECT position, id, '{TENANT}', subject, position, 'UserLoggedIn', \
             (extract(epoch FROM moment) * 1000000)::bigint, format('{BODY}', id, subject, \
                 to_char(moment AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'), \
                 '{TENANT}', position, id) \
         FROM (SELECT position, gen_random_uuid() AS id, clock_timestamp() AS moment, 'user/' || \
             md5(((hashint8(position) & 2147483647) % 20000)::text)::uuid AS subject \
             FROM {positions} AS positions (position) OFFSET 0) AS event"
    )
}

const TENANT: &str = "019b76da-a800-7202-8202-020202020202";
const BODY: &str = r#"{"specversion":"1.0","id":"%s","source":"urn:tessera","type":"UserLoggedIn","subject":"%s","time":"%s","datacontenttype":"application/json","tenantid":"%s","sequence":"%s","data":{"session":"%s","ip":"203.0.113.77","user_agent":"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36"}}"#;
/// Partitions are made ahead for that many.
const PARTITION: i64 = 1_000_000;
/// How long another service gathers news.
const PAUSE: Duration = Duration::from_millis(5);
