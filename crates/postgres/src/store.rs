//! The store.

use core::fmt;
use core::time::Duration;
use std::sync::Arc;

use async_trait::async_trait;
use diesel::dsl::count_star;
use diesel::prelude::*;
use diesel::sql_types::Text;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use futures_util::future::{BoxFuture, FutureExt};
use tessera_app::{
    CommitError, SessionHolder, Store, TenantKey, Unavailable, Unready, UserFilter, UserKey,
};
use tessera_domain::{
    Changes, Id, Installation, Key, MailedDigest, MailedToken, SchemaName, Session, Tenant,
    TenantLayout, Timestamp, User,
};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::connect::Connector;
use crate::error::is_of_a_plan;
use crate::migration::{SHARED, SHARED_SCHEMA};
use crate::news::Herald;
use crate::pipeline::{read_tenant, write_tenant};
use crate::pool::{Lease, Pool, PoolStatus};
use crate::replica::{Replica, Turn, find_and_mark};
use crate::schema::{migrations, tenants};
use crate::session::SessionRow;
use crate::turns::Line;
use crate::url::{Target, UrlError};
use crate::user::UserRow;
use crate::worker::to_regclass;
use crate::{commit, erasure, key, mailed_token, session, tenant, user};

/// What a store on Postgres is made of.
#[derive(Clone)]
pub struct PostgresSettings {
    /// Where Postgres is: `postgres://user:password@host:port/database`.
    ///
    /// `sslmode` is as in libpq, `prefer` when absent; see [`UrlError`] for the other parameters.
    pub url: String,
    /// How many connections there may be at once, beside the one that tells of events.
    pub pool_size: usize,
    /// How many threads use the store by runtimes of their own, as HTTP workers do; the others, and
    /// what is done beside requests, may be any number.
    pub threads: usize,
    /// How new tenants will be kept apart.
    pub layout: TenantLayout,
    /// The runtime that makes and drives connections, but those of single threads; it outlives the
    /// store.
    pub runtime: Handle,
}

impl fmt::Debug for PostgresSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresSettings")
            .field("pool_size", &self.pool_size)
            .finish_non_exhaustive()
    }
}

/// The store on Postgres. A clone shares the connections.
#[derive(Clone)]
pub struct PostgresStore {
    pub(crate) pool: Pool,
    pub(crate) herald: Arc<Herald>,
    pub(crate) mail_news: watch::Sender<()>,
    layout: TenantLayout,
    replica: Option<Arc<Replica>>,
}

impl PostgresStore {
    /// A store that connects once it is used.
    pub fn new(settings: PostgresSettings) -> Result<Self, UrlError> {
        let target = Target::parse(&settings.url)?;
        let connector = Connector::new(target, settings.runtime.clone());
        let herald = Herald::new(connector.target(), settings.runtime);
        Ok(Self {
            pool: Pool::new(connector, settings.pool_size, settings.threads)?,
            herald: Arc::new(herald),
            mail_news: watch::Sender::default(),
            layout: settings.layout,
            replica: None,
        })
    }

    /// The same store, which asks a replica for what may be a moment old, as long as that is there
    /// and not behind. Of several hosts any will do.
    pub fn with_replica(self, settings: PostgresSettings) -> Result<Self, UrlError> {
        let target = Target::parse_replica(&settings.url)?;
        let connector = Connector::new(target, settings.runtime);
        let pool = Pool::new(connector, settings.pool_size, settings.threads)?;
        Ok(Self {
            replica: Some(Arc::new(Replica::new(pool))),
            ..self
        })
    }

    /// Whether the replica is asked at the moment, where there is one.
    pub fn asks_replica(&self) -> Option<bool> {
        Some(self.replica.as_ref()?.is_asked())
    }

    /// How the connections are used at the moment.
    pub fn pool_status(&self) -> PoolStatus {
        self.pool.status()
    }

    /// Runs a statement that is a transaction of its own, once it is the turn of `line`.
    pub(crate) async fn read<T>(
        &self,
        line: &Line,
        select: impl for<'c> FnOnce(&'c AsyncPgConnection) -> BoxFuture<'c, QueryResult<T>>,
    ) -> Result<T, Unavailable> {
        let lease = self.pool.lease(line).await?;
        in_time(READ, async {
            let answer = select(lease.connection()).await;
            lease.answer(answer)
        })
        .await
    }

    /// Runs a statement on the tables of a tenant.
    async fn read_of_tenant<T>(
        &self,
        tenant: &Tenant,
        select: impl for<'c> FnOnce(&'c AsyncPgConnection) -> BoxFuture<'c, QueryResult<T>>,
    ) -> Result<T, Unavailable> {
        let mut lease = self.pool.lease(&line_of(tenant)).await?;
        in_time(READ, async {
            let connection = lease.transaction();
            let ended = read_tenant(connection, tenant.id, select(connection)).await;
            lease.end_read(ended)
        })
        .await
    }
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore")
            .field("pool", &self.pool_status())
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Store for PostgresStore {
    async fn commit(&self, tenant: &Tenant, changes: Changes) -> Result<(), CommitError> {
        let [has_events, has_mails] = [!changes.events.is_empty(), !changes.mails.is_empty()];
        let of_tenants = !changes.tenants.is_empty();
        let limit = commit::limit(tenant, &changes);
        let mut lease = self.pool.lease(&line_of(tenant)).await?;
        let committed = in_time(limit, async {
            let ended = commit::commit(&mut lease, tenant, changes).await;
            Ok(lease.end_write(ended))
        })
        .await;
        // Whatever came of it: who was stale reads again, and then sees why.
        if of_tenants && let Some(replica) = &self.replica {
            replica.forget();
        }
        committed??;
        if has_events {
            self.herald.tell();
        }
        if has_mails {
            self.mail_news.send_replace(());
        }
        Ok(())
    }

    async fn check(&self) -> Result<(), Unready> {
        let layout = self.layout;
        let answer = self
            .read(&Line::Service, |connection| {
                state(connection, layout).boxed()
            })
            .await?;
        match answer {
            State::Ready => Ok(()),
            State::NotMigrated => Err(Unready::NotMigrated),
            State::ReadOnly => {
                self.pool.forget_idle();
                Err(Unready::ReadOnly)
            }
            State::Unbound => Err(Unready::Unbound),
        }
    }

    async fn installation(&self) -> Result<Option<Installation>, Unavailable> {
        self.read(&Line::Service, |connection| {
            key::settled(connection).boxed()
        })
        .await
    }

    async fn keys(&self) -> Result<Vec<Key>, Unavailable> {
        let rows = self
            .read(&Line::Service, |connection| key::all(connection).boxed())
            .await?;
        rows.into_iter().map(Key::try_from).collect()
    }

    async fn mailed_token(
        &self,
        tenant: &Tenant,
        digest: &MailedDigest,
    ) -> Result<Option<MailedToken>, Unavailable> {
        let (id, digest) = (tenant.id.uuid(), *digest);
        let found = self
            .read_of_tenant(tenant, |connection| {
                mailed_token::find(connection, id, digest).boxed()
            })
            .await?;
        found.map(MailedToken::try_from).transpose()
    }

    async fn mailed_tokens(
        &self,
        tenant: &Tenant,
        user: Id<User>,
    ) -> Result<Vec<MailedToken>, Unavailable> {
        let id = tenant.id.uuid();
        let rows = self
            .read_of_tenant(tenant, |connection| {
                mailed_token::of_user(connection, id, user).boxed()
            })
            .await?;
        rows.into_iter().map(MailedToken::try_from).collect()
    }

    async fn prune(
        &self,
        tenant: &Tenant,
        now: Timestamp,
        limit: usize,
    ) -> Result<usize, Unavailable> {
        let limit = at_most(limit);
        let prune = [
            session::prune(tenant, now, limit),
            mailed_token::prune(tenant, now, limit),
        ];
        let mut lease = self.pool.lease(&Line::Service).await?;
        in_time(WRITE, async {
            let ended = write_tenant(lease.transaction(), tenant.id, prune).await;
            lease.end_read(ended)
        })
        .await
    }

    async fn empty(&self, tenant: &Tenant, limit: usize) -> Result<usize, Unavailable> {
        let mut lease = self.pool.lease(&Line::Service).await?;
        in_time(WRITE, async {
            let ended = erasure::empty(lease.transaction(), tenant, at_most(limit)).await;
            lease.end_read(ended)
        })
        .await
    }

    async fn session(
        &self,
        schema: &SchemaName,
        id: Id<Session>,
    ) -> Result<Option<SessionHolder>, Unavailable> {
        if unspeakable(schema.as_str()) {
            return Ok(None);
        }
        let mut lease = self.pool.lease(&Line::Tenant(schema.clone())).await?;
        in_time(READ, async {
            let answer = holder(&mut lease, schema, id).await;
            let Some((session, user, tenant)) = lease.answer(answer)? else {
                return Ok(None);
            };
            Ok(Some(SessionHolder {
                tenant: tenant?,
                user: user.try_into()?,
                session: session.try_into()?,
            }))
        })
        .await
    }

    async fn sessions(&self, tenant: &Tenant, user: Id<User>) -> Result<Vec<Session>, Unavailable> {
        let id = tenant.id.uuid();
        let rows = self
            .read_of_tenant(tenant, |connection| {
                session::of_user(connection, id, user).boxed()
            })
            .await?;
        rows.into_iter().map(Session::try_from).collect()
    }

    async fn tenant(&self, by: &TenantKey) -> Result<Option<Tenant>, Unavailable> {
        if names_nothing(by) {
            return Ok(None);
        }
        let by = by.clone();
        let found = self
            .read(&Line::Anybody, |connection| {
                tenant::find(connection, by).boxed()
            })
            .await?;
        found.map(tenant::tenant).transpose()
    }

    async fn tenant_of_late(&self, by: &TenantKey) -> Result<Option<Tenant>, Unavailable> {
        let Some(replica) = &self.replica else {
            return self.tenant(by).await;
        };
        if names_nothing(by) {
            return Ok(None);
        }
        let found = match replica.turn() {
            Turn::Mark(asked) => {
                let by = by.clone();
                let read = self.read(&Line::Anybody, |connection| {
                    find_and_mark(connection, by).boxed()
                });
                let (found, mark) = read.await?;
                replica.take(asked, mark);
                Some(found)
            }
            Turn::Primary => None,
            Turn::Replica(mark, at) => replica.tenant(&mark, at, by.clone()).await,
        };
        match found {
            Some(found) => found.map(tenant::tenant).transpose(),
            None => self.tenant(by).await,
        }
    }

    async fn tenants(&self) -> Result<Vec<Tenant>, Unavailable> {
        let found = self
            .read(&Line::Anybody, |connection| tenant::all(connection).boxed())
            .await?;
        found.into_iter().map(tenant::tenant).collect()
    }

    async fn unfinished_tenants(&self) -> Result<Vec<Tenant>, Unavailable> {
        let found = self
            .read(&Line::Service, |connection| {
                tenant::unfinished(connection).boxed()
            })
            .await?;
        found.into_iter().map(tenant::tenant).collect()
    }

    async fn user(&self, tenant: &Tenant, by: &UserKey) -> Result<Option<User>, Unavailable> {
        match by {
            UserKey::Email(key) | UserKey::Username(key) if unspeakable(key) => return Ok(None),
            UserKey::Email(_) | UserKey::Id(_) | UserKey::Username(_) => {}
        }
        let (id, by) = (tenant.id.uuid(), by.clone());
        let found = self
            .read_of_tenant(tenant, |connection| user::find(connection, id, by).boxed())
            .await?;
        found.map(User::try_from).transpose()
    }

    async fn users(
        &self,
        tenant: &Tenant,
        filter: &UserFilter,
        after: Option<Id<User>>,
        limit: usize,
    ) -> Result<Vec<User>, Unavailable> {
        let (id, limit) = (tenant.id.uuid(), at_most(limit));
        let rows = self
            .read_of_tenant(tenant, |connection| {
                user::page(connection, id, filter.clone(), after, limit).boxed()
            })
            .await?;
        rows.into_iter().map(User::try_from).collect()
    }
}

enum State {
    NotMigrated,
    ReadOnly,
    Ready,
    Unbound,
}

async fn state(mut connection: &AsyncPgConnection, layout: TenantLayout) -> QueryResult<State> {
    let (standby, read_only, known): (bool, String, bool) = diesel::select((
        pg_is_in_recovery(),
        current_setting("transaction_read_only"),
        to_regclass("tessera.migrations").is_not_null(),
    ))
    .get_result(&mut connection)
    .await?;
    if standby || read_only == "on" {
        return Ok(State::ReadOnly);
    }
    if !known {
        return Ok(State::NotMigrated);
    }
    let versions: Vec<i32> = SHARED.iter().map(|migration| migration.version).collect();
    let wanted = i64::try_from(versions.len()).unwrap_or(i64::MAX);
    let applied: i64 = migrations::table
        .filter(migrations::schema.eq(SHARED_SCHEMA))
        .filter(migrations::version.eq_any(versions))
        .select(count_star())
        .first(&mut connection)
        .await?;
    if applied < wanted {
        return Ok(State::NotMigrated);
    }
    let shared = tenants::table.filter(tenants::layout.eq(TenantLayout::Shared.as_str()));
    let (passes_by, share): (bool, bool) =
        diesel::select((passes_by_row_security(), diesel::dsl::exists(shared)))
            .get_result(&mut connection)
            .await?;
    Ok(if passes_by && (share || layout == TenantLayout::Shared) {
        State::Unbound
    } else {
        State::Ready
    })
}

/// The session of the tenant that shows `schema`, with its user and its tenant.
///
/// A tenant that comes often is asked for as it was known. Where that finds nothing, or no tables, it
/// changed, moved or went, or there is no such session.
async fn holder(lease: &mut Lease, schema: &SchemaName, id: Id<Session>) -> QueryResult<Holder> {
    if let Some(tenant) = lease.regulars().welcome(schema) {
        match session::find_of(lease.connection(), &tenant, id).await {
            Ok(Some((session, user))) => return Ok(Some((session, user, Ok(tenant)))),
            Ok(None) => {}
            Err(error) if is_of_a_plan(&error) => lease.regulars().forget(schema, &error),
            Err(error) => return Err(error),
        }
    }
    let found = session::find(lease.connection(), schema.clone(), id).await?;
    let Some((session, user, read)) = found else {
        return Ok(None);
    };
    let tenant = tenant::tenant(read);
    if let Ok(tenant) = &tenant {
        lease.meet(tenant);
    }
    Ok(Some((session, user, tenant)))
}

type Holder = Option<(SessionRow, UserRow, Result<Tenant, Unavailable>)>;

fn line_of(tenant: &Tenant) -> Line {
    Line::Tenant(tenant.schema.clone())
}

/// What `work` comes to, unless it takes longer than `limit`.
pub(crate) async fn in_time<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, Unavailable>>,
) -> Result<T, Unavailable> {
    let done = timeout(limit, work).await;
    done.unwrap_or_else(|_| Err(Unavailable::new("Postgres does not answer")))
}

/// Postgres keeps no text with a NUL in it, so there is nothing to be found by one.
fn unspeakable(text: &str) -> bool {
    text.contains('\0')
}

fn names_nothing(by: &TenantKey) -> bool {
    match by {
        TenantKey::Host(host) => unspeakable(host.as_str()),
        TenantKey::Id(_) => false,
        TenantKey::Name(key) => unspeakable(key),
    }
}

/// A limit as Postgres takes it.
pub(crate) fn at_most(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

#[diesel::declare_sql_function]
extern "SQL" {
    fn current_setting(name: Text) -> Text;
    fn pg_is_in_recovery() -> Bool;
    #[sql_name = "tessera.passes_by_row_security"]
    fn passes_by_row_security() -> Bool;
}

/// A read is given up early: nothing depends on how it ends, and trying again costs little. But not so
/// early that a server whose cores others use, too, is taken for one that is gone: where each backend
/// counts as much as a whole service (`sched_autogroup`), one was seen to wait 0.68 s for a core.
const READ: Duration = Duration::from_millis(1_900);
/// Longer than the server lets a statement take: how a write ended should be known.
pub(crate) const WRITE: Duration = Duration::from_secs(6);
