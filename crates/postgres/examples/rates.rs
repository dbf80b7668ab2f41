//! Prints how many reads and commits a second the store does, and what each costs in CPU time.
//!
//! ```text
//! cargo run --profile dist -p tessera-postgres --example rates postgres://…/empty_database
//! ```

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a measurement reads the clock, and fails by panicking"
)]

use core::num::NonZeroUsize;
use core::time::Duration;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use tessera_app::Store;
use tessera_contract::values;
use tessera_domain::{Change, Changes, Session, Tenant, TenantLayout, User};
use tessera_postgres::{Migrate, PostgresSettings, PostgresStore};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::LocalSet;

fn main() {
    let url = std::env::args().nth(1).unwrap();
    // Connections that are of no thread live on a runtime of their own, as they do in the service.
    let runtime = Runtime::new().unwrap();
    let prepared = Bench::prepare(url, runtime.handle().clone());
    let bench = Arc::new(runtime.block_on(prepared));
    println!(
        "{:<34}{:>10}{:>12}{:>12}",
        "", "a second", "CPU each", "takes"
    );
    for tasks in [1, 8, 32] {
        bench.measure(&format!("session, {tasks} at once"), tasks, Kind::Read);
        bench.measure(&format!("refresh, {tasks} at once"), tasks, Kind::Refresh);
        bench.measure(&format!("log in, {tasks} at once"), tasks, Kind::LogIn);
    }
}

struct Bench {
    store: PostgresStore,
    tenant: Tenant,
    busy: AtomicBool,
    done: AtomicU64,
    made: AtomicU64,
}

#[derive(Clone, Copy)]
enum Kind {
    LogIn,
    Read,
    Refresh,
}

impl Bench {
    async fn prepare(url: String, runtime: Handle) -> Self {
        let store = PostgresStore::new(PostgresSettings {
            layout: TenantLayout::Schema,
            url,
            pool_size: 8,
            threads: 2,
            runtime,
        })
        .unwrap();
        let run = Migrate {
            tenant: None,
            jobs: NonZeroUsize::MIN,
            told: &|_| {},
        };
        store.migrate(&run).await.unwrap();
        let tenant = Tenant {
            domains: vec![values::domain("acme.example", true)],
            ..values::tenant("Acme")
        };
        let changes = Changes {
            tenants: vec![Change::Insert(tenant.clone())],
            ..Changes::default()
        };
        store.commit(&tenant, changes).await.unwrap();
        for first in (0..USERS).step_by(313) {
            let users: Vec<User> = (first..first + 313)
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
            busy: AtomicBool::new(false),
            done: AtomicU64::new(0),
            made: AtomicU64::new(0),
        }
    }

    /// Runs `tasks` tasks on two single-threaded runtimes, as the HTTP workers are.
    fn measure(self: &Arc<Self>, title: &str, tasks: u32, kind: Kind) {
        self.busy.store(true, Ordering::SeqCst);
        let workers: Vec<_> = (0..2)
            .map(|worker| {
                let bench = Arc::clone(self);
                thread::spawn(move || {
                    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
                    let local = LocalSet::new();
                    for task in (0..tasks).filter(|task| task % 2 == worker) {
                        local.spawn_local(Arc::clone(&bench).work(task, kind));
                    }
                    runtime.block_on(local);
                })
            })
            .collect();
        thread::sleep(Duration::from_millis(500));
        let (began, done, cpu) = (Instant::now(), self.done.load(Ordering::SeqCst), cpu());
        thread::sleep(Duration::from_secs(4));
        let done = self.done.load(Ordering::SeqCst) - done;
        let (took, spent) = (began.elapsed(), self::cpu().saturating_sub(cpu));
        self.busy.store(false, Ordering::SeqCst);
        for worker in workers {
            worker.join().unwrap();
        }
        let rate = u128::from(done) * 1_000_000 / took.as_micros();
        let each = spent.as_micros() / u128::from(done.max(1));
        let takes = took.as_micros() * u128::from(tasks) / u128::from(done.max(1));
        println!("{title:<34}{rate:>10}{each:>9} µs{takes:>9} µs");
    }

    /// As the service does: a use case stays on the thread of its request.
    async fn work(self: Arc<Self>, task: u32, kind: Kind) {
        let mut number = task * (USERS / 64);
        while self.busy.load(Ordering::Relaxed) {
            number = task * (USERS / 64) + (number + 1) % (USERS / 64);
            self.once(number, kind).await;
            self.done.fetch_add(1, Ordering::Relaxed);
        }
    }

    async fn once(&self, number: u32, kind: Kind) {
        match kind {
            Kind::LogIn => self.log_in(number).await,
            Kind::Read => drop(self.read(number).await),
            Kind::Refresh => self.rotate(number).await,
        }
    }

    async fn read(&self, number: u32) -> (User, Session) {
        let id = values::id(number);
        let holder = self.store.session(&self.tenant.schema, id).await;
        let holder = holder.unwrap().unwrap();
        (holder.user, holder.session)
    }

    async fn rotate(&self, number: u32) {
        let (_, session) = self.read(number).await;
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

    async fn log_in(&self, number: u32) {
        let (mut user, session) = self.read(number).await;
        let made = self.made.fetch_add(1, Ordering::Relaxed);
        let new = u32::try_from(made).unwrap() + USERS;
        let mut fact = user.logged_in(values::id(new), &session.device);
        fact.sequence = made + 2;
        let changes = Changes {
            sessions: vec![Change::Insert(values::session(&user, new))],
            users: vec![Change::Update(user)],
            events: vec![values::event(new, &self.tenant, fact)],
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

const USERS: u32 = 20_032;
