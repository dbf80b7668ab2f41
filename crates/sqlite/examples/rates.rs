//! Prints how many reads and commits a second the store does, and what each costs in CPU time.
//!
//! ```text
//! cargo run --profile dist -p tessera-sqlite --example rates [folder]
//! ```

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a measurement reads the clock, and fails by panicking"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tessera_app::Store;
use tessera_contract::values;
use tessera_domain::{Change, Changes, Session, Tenant, User};
use tessera_sqlite::{SqliteSettings, SqliteStore};
use tokio::runtime::Builder;
use tokio::task::LocalSet;

fn main() {
    let place = std::env::args().nth(1).unwrap_or_else(|| ".".to_owned());
    let folder = tempfile::tempdir_in(place).unwrap();
    let runtime = Builder::new_current_thread().build().unwrap();
    let bench = Arc::new(runtime.block_on(Bench::prepare(folder.path().join("rates.db"))));
    println!(
        "{:<34}{:>10}{:>12}{:>10}",
        "", "a second", "CPU each", "log MiB"
    );
    for tasks in [1, 64] {
        bench.measure(&format!("session, {tasks} at once"), tasks, Kind::Read);
        bench.measure(&format!("rotation, {tasks} at once"), tasks, Kind::Commit);
    }
    bench.measure("session beside 16 rotating", 48, Kind::ReadBesideCommits);
}

struct Bench {
    store: SqliteStore,
    tenant: Tenant,
    log: std::path::PathBuf,
    busy: AtomicBool,
    done: AtomicU64,
}

#[derive(Clone, Copy)]
enum Kind {
    Commit,
    Read,
    ReadBesideCommits,
}

impl Bench {
    async fn prepare(path: std::path::PathBuf) -> Self {
        let mut log = path.clone().into_os_string();
        log.push("-wal");
        let store = SqliteStore::open(SqliteSettings::new(path)).unwrap();
        store.migrate().await.unwrap();
        let tenant = Tenant {
            domains: vec![values::domain("acme.example", true)],
            ..values::tenant("Acme")
        };
        let changes = Changes {
            tenants: vec![Change::Insert(tenant.clone())],
            ..Changes::default()
        };
        store.commit(&tenant, changes).await.unwrap();
        for first in (0..USERS).step_by(1_000) {
            let users: Vec<User> = (first..first + 1_000)
                .map(|number| values::named_user(number, &format!("user{number}")))
                .collect();
            let sessions = users.iter().zip(first..);
            let changes = Changes {
                sessions: sessions
                    .map(|(user, number)| Change::Insert(values::session(user, number)))
                    .collect(),
                users: users.into_iter().map(Change::Insert).collect(),
                ..Changes::default()
            };
            store.commit(&tenant, changes).await.unwrap();
        }
        Self {
            store,
            tenant,
            log: log.into(),
            busy: AtomicBool::new(false),
            done: AtomicU64::new(0),
        }
    }

    /// Runs `tasks` tasks on two single-threaded runtimes, as the HTTP workers are.
    fn measure(self: &Arc<Self>, title: &str, tasks: u32, kind: Kind) {
        self.busy.store(true, Ordering::SeqCst);
        let workers: Vec<_> = (0..2)
            .map(|worker| {
                let bench = Arc::clone(self);
                thread::spawn(move || {
                    let runtime = Builder::new_current_thread().build().unwrap();
                    let local = LocalSet::new();
                    for task in (0..tasks).filter(|task| task % 2 == worker) {
                        local.spawn_local(Arc::clone(&bench).work(task, kind, true));
                    }
                    if matches!(kind, Kind::ReadBesideCommits) {
                        for task in (0..16).filter(|task| task % 2 == worker) {
                            local.spawn_local(Arc::clone(&bench).work(task, Kind::Commit, false));
                        }
                    }
                    runtime.block_on(local);
                })
            })
            .collect();
        thread::sleep(Duration::from_millis(300));
        let (began, done, cpu) = (Instant::now(), self.done.load(Ordering::SeqCst), cpu());
        thread::sleep(Duration::from_secs(3));
        let done = self.done.load(Ordering::SeqCst) - done;
        let (took, spent) = (began.elapsed(), self::cpu().saturating_sub(cpu));
        self.busy.store(false, Ordering::SeqCst);
        for worker in workers {
            worker.join().unwrap();
        }
        let log = std::fs::metadata(&self.log).map_or(0, |file| file.len() >> 20);
        let rate = u128::from(done) * 1_000_000 / took.as_micros();
        let each = spent.as_nanos() / u128::from(done.max(1));
        println!("{title:<34}{rate:>10}{each:>9} ns{log:>10}");
    }

    async fn work(self: Arc<Self>, task: u32, kind: Kind, counts: bool) {
        let mut number = task * (USERS / 64);
        while self.busy.load(Ordering::Relaxed) {
            match kind {
                Kind::Read | Kind::ReadBesideCommits => {
                    number = (number + 7_919) % USERS;
                    self.read(number).await;
                }
                Kind::Commit => self.rotate(number).await,
            }
            self.done.fetch_add(u64::from(counts), Ordering::Relaxed);
        }
    }

    async fn read(&self, number: u32) -> Session {
        let id = values::id(number);
        let holder = self.store.session(&self.tenant.schema, id).await;
        holder.unwrap().unwrap().session
    }

    async fn rotate(&self, number: u32) {
        let session = self.read(number).await;
        let changes = Changes {
            epochs: vec![(session.user, session.epoch)],
            sessions: vec![Change::Update(Session {
                generation: session.generation.next(),
                ..session
            })],
            ..Changes::default()
        };
        self.store.commit(&self.tenant, changes).await.unwrap();
    }
}

/// The CPU time of this process so far, to a hundredth of a second (Linux).
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let (_, fields) = stat.rsplit_once(") ").unwrap();
    let ticks = fields.split(' ').skip(11).take(2);
    ticks
        .map(|field| Duration::from_millis(10 * field.parse::<u64>().unwrap()))
        .sum()
}

const USERS: u32 = 20_000;
