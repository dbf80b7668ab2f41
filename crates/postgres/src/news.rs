//! How relays hear of new events, whichever process committed them.

use core::future::poll_fn;
use core::time::Duration;
use std::io;
use std::sync::{Arc, OnceLock};

use futures_util::future::try_join;
use tessera_app::News;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{AsyncMessage, Client, Error, NoTls, SimpleQueryMessage, Socket};

use crate::url::Target;

/// Tells of events, here and to other processes, over a connection of its own that is made when it
/// is first needed.
///
/// Other processes are told after the commit and not in it: a commit that notifies waits for all
/// others that do.
pub(crate) struct Herald {
    target: Arc<Target>,
    runtime: Handle,
    news: watch::Sender<()>,
    errand: watch::Sender<Errand>,
    task: OnceLock<AbortHandle>,
}

/// What the connection is for; each change is something to be told.
#[derive(Clone, Copy, Debug, Default)]
struct Errand {
    listens: bool,
}

impl Herald {
    /// A herald that connects to `target` once there is something to tell or to hear.
    pub(crate) fn new(target: Arc<Target>, runtime: Handle) -> Self {
        Self {
            target,
            runtime,
            news: watch::Sender::default(),
            errand: watch::Sender::default(),
            task: OnceLock::new(),
        }
    }

    /// Tells everybody that there are new events.
    pub(crate) fn tell(&self) {
        self.news.send_replace(());
        self.errand.send_modify(|_| {});
        self.start();
    }

    /// Hears of new events from now on.
    pub(crate) fn news(&self) -> News {
        let news = self.news.subscribe();
        self.errand
            .send_if_modified(|errand| !core::mem::replace(&mut errand.listens, true));
        self.start();
        news
    }

    fn start(&self) {
        self.task.get_or_init(|| {
            let target = Arc::clone(&self.target);
            let (news, errand) = (self.news.clone(), self.errand.subscribe());
            self.runtime.spawn(run(target, news, errand)).abort_handle()
        });
    }
}

impl Drop for Herald {
    fn drop(&mut self) {
        if let Some(task) = self.task.get() {
            task.abort();
        }
    }
}

async fn run(target: Arc<Target>, news: watch::Sender<()>, mut errand: watch::Receiver<Errand>) {
    loop {
        let ended = match &target.tls {
            Some(tls) => attend(&target, tls.clone(), &news, &mut errand).await,
            None => attend(&target, NoTls, &news, &mut errand).await,
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "the connection that tells of events ended");
        }
        sleep(BACK_OFF).await;
        if !errand.borrow().listens && errand.changed().await.is_err() {
            return;
        }
    }
}

async fn attend<T>(
    target: &Target,
    tls: T,
    news: &watch::Sender<()>,
    errand: &mut watch::Receiver<Errand>,
) -> io::Result<()>
where
    T: MakeTlsConnect<Socket> + Clone,
{
    let connected = target.hosts.first(|host| host.connect(tls.clone()));
    let (client, mut connection) = in_time(connected).await?;
    let own = OnceLock::new();
    let hear = async {
        loop {
            match poll_fn(|context| connection.poll_message(context)).await {
                Some(Ok(AsyncMessage::Notification(heard))) => {
                    if own.get() != Some(&heard.process_id()) {
                        news.send_replace(());
                    }
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err::<(), _>(io::Error::other(error)),
                None => return Err(io::ErrorKind::UnexpectedEof.into()),
            }
        }
    };
    try_join(hear, speak(&client, &own, news, errand)).await?;
    Ok(())
}

/// Says everything that there is to be said, at most once in each [`PAUSE`].
async fn speak(
    client: &Client,
    own: &OnceLock<i32>,
    news: &watch::Sender<()>,
    errand: &mut watch::Receiver<Errand>,
) -> io::Result<()> {
    let mut listening = false;
    loop {
        let Errand { listens } = *errand.borrow_and_update();
        if listens && !listening {
            let answer = in_time(client.simple_query(LISTEN)).await?;
            if let Some(process) = answer.iter().find_map(process) {
                own.get_or_init(|| process);
            }
            listening = true;
            // Whatever was told before.
            news.send_replace(());
        }
        in_time(client.batch_execute(NOTIFY)).await?;
        sleep(PAUSE).await;
        errand.changed().await.map_err(io::Error::other)?;
    }
}

fn process(message: &SimpleQueryMessage) -> Option<i32> {
    let SimpleQueryMessage::Row(row) = message else {
        return None;
    };
    row.get(0)?.parse().ok()
}

async fn in_time<T>(answer: impl Future<Output = Result<T, Error>>) -> io::Result<T> {
    let answer = timeout(PATIENCE, answer).await?;
    answer.map_err(io::Error::other)
}

const BACK_OFF: Duration = Duration::from_secs(1);
const LISTEN: &str = "LISTEN tessera_events; SELECT pg_backend_pid()";
const NOTIFY: &str = "NOTIFY tessera_events";
const PATIENCE: Duration = Duration::from_secs(2);
/// How long news are gathered that others hear of.
const PAUSE: Duration = Duration::from_millis(5);
