//! Installations with as many tenants as it takes: one is made by the service, the others by SQL,
//! as its copies.

use core::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use crate::Failure;
use crate::client;
use crate::installation::{Installation, PASSWORD};
use crate::psql::Psql;
use crate::settings::Settings;

/// How the data of tenants is kept apart.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Layout {
    Schema,
    Shared,
}

impl Layout {
    pub(crate) const ALL: [Self; 2] = [Self::Shared, Self::Schema];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Schema => "schema",
            Self::Shared => "shared",
        }
    }

    /// Where the data of the first tenant is.
    fn first_place(self) -> &'static str {
        match self {
            Self::Schema => "bench_0",
            Self::Shared => "tessera_shared",
        }
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An installation with a database of its own.
pub(crate) struct Made {
    pub(crate) installation: Installation,
    /// A session of a superuser.
    pub(crate) psql: Psql,
    tenants: usize,
}

/// An account by its number: in a tenant of its own, or beside all others in the only one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Account {
    tenant: usize,
    name: &'static str,
    number: usize,
}

/// Makes the role of the services, which row-level security binds.
pub(crate) fn make_role(settings: &Settings) -> Result<(), Failure> {
    let (server, bin) = server(settings)?;
    let role = format!("CREATE ROLE {ROLE} LOGIN PASSWORD '{ROLE}'");
    Psql::open(bin, server)?.ask(&role).map(drop)
}

impl Made {
    /// It has `accounts` pairs of accounts: each pair in a tenant of its own, if there are as many.
    pub(crate) fn new(
        settings: &Settings,
        (name, layout): (&str, Layout),
        tenants: usize,
        accounts: usize,
    ) -> Result<Self, Failure> {
        let (server, bin) = server(settings)?;
        let name = format!("{layout}_{name}");
        eprintln!("bench: making {name}");
        Psql::open(bin, server)?.ask(&format!("CREATE DATABASE {name} OWNER {ROLE}"))?;
        let (before, _) = server.rsplit_once('/').ok_or("a URL without a database")?;
        let (_, host) = before.rsplit_once('@').ok_or("a URL without a user")?;
        let owner = format!("postgres://{ROLE}:{ROLE}@{host}/{name}");
        let installation = Installation::new(settings, &name, Some(owner.clone()), "ES256")?;
        let layout_of_all = ("TESSERA_TENANT_LAYOUT", layout.to_string());
        let day = ("JWT_ACCESS_TOKEN_LIFETIME", "86400".to_owned());
        let installation = installation.with(vec![layout_of_all, day]);
        installation.prepare(0)?;
        make_first(&installation)?;
        let mut made = Self {
            installation,
            psql: Psql::open(bin, &format!("{before}/{name}"))?,
            tenants,
        };
        if tenants == 1 {
            made.copy_accounts(layout, accounts)?;
        } else {
            made.copy_registry(tenants)?;
            match layout {
                Layout::Schema => copy_schemas(&mut Psql::open(bin, &owner)?, tenants)?,
                Layout::Shared => made.copy_into_shared(tenants)?,
            }
        }
        made.vacuum()?;
        Ok(made)
    }

    /// The account of a pair whose sessions stay: nobody logs it in while log ins are measured.
    pub(crate) fn with_session(&self, number: usize) -> Account {
        self.account(NAMES[0], number)
    }

    pub(crate) fn without_session(&self, number: usize) -> Account {
        self.account(NAMES[1], number)
    }

    fn account(&self, name: &'static str, number: usize) -> Account {
        let tenant = number % self.tenants;
        Account {
            tenant,
            name,
            number,
        }
    }

    /// Copies the two accounts of the first tenant within it.
    fn copy_accounts(&mut self, layout: Layout, accounts: usize) -> Result<(), Failure> {
        let (place, last) = (layout.first_place(), accounts - 1);
        let users = format!(
            "INSERT INTO {place}.users SELECT made.* FROM {FIRST} t \
             JOIN {place}.users u ON u.tenant_id = t.id, generate_series(1, {last}) n, {}",
            copied("'id', md5(u.email || n)::uuid")
        );
        self.psql.ask(&users).map(drop)
    }

    /// Copies what all tables that tenants share know of the first tenant.
    fn copy_registry(&mut self, tenants: usize) -> Result<(), Failure> {
        let last = tenants - 1;
        for (table, of_first, changed) in [
            (
                "tenants",
                "o.schema = 'bench_0'",
                "'id', md5('bench-' || n)::uuid, 'name', 'bench-' || n, 'schema', 'bench_' || n",
            ),
            (
                "tenant_names",
                "o.key IN ('bench-0', 'bench_0')",
                "'tenant_id', md5('bench-' || n)::uuid, 'key', regexp_replace(o.key, '0$', n::text)",
            ),
            (
                "tenant_domains",
                "o.host = 'bench-0.example.com'",
                "'tenant_id', md5('bench-' || n)::uuid, 'host', 'bench-' || n || '.example.com'",
            ),
            (
                "migrations",
                "o.schema = 'bench_0'",
                "'schema', 'bench_' || n",
            ),
        ] {
            self.psql.ask(&format!(
                "INSERT INTO tessera.{table} SELECT made.* FROM tessera.{table} o, \
                 generate_series(1, {last}) n, \
                 jsonb_populate_record(o, jsonb_build_object({changed})) made WHERE {of_first}"
            ))?;
        }
        Ok(())
    }

    /// Copies the accounts of the first tenant to all others.
    fn copy_into_shared(&mut self, tenants: usize) -> Result<(), Failure> {
        let users = format!(
            "INSERT INTO tessera_shared.users SELECT made.* FROM {FIRST} t \
             JOIN tessera_shared.users u ON u.tenant_id = t.id, generate_series(1, {}) n, {}",
            tenants - 1,
            copied("'id', md5(u.email || n)::uuid, 'tenant_id', md5('bench-' || n)::uuid")
        );
        self.psql.ask(&users).map(drop)
    }

    /// Does what autovacuum does to tables in use, so that nothing of it is left while something is
    /// measured.
    pub(crate) fn vacuum(&mut self) -> Result<(), Failure> {
        self.psql.ask("VACUUM (ANALYZE)")?;
        self.psql.ask("CHECKPOINT").map(drop)
    }
}

impl Account {
    pub(crate) fn log_in_request(self) -> Vec<u8> {
        let email = self.email();
        let body = format!(r#"{{"email":"{email}","password":"{PASSWORD}"}}"#);
        client::post(&self.path("/api/token/"), &body)
    }

    /// A path that names the tenant.
    pub(crate) fn path(self, path: &str) -> String {
        format!("/t/bench_{}{path}", self.tenant)
    }

    fn email(self) -> String {
        format!("{}-{}@example.com", self.name, self.number)
    }
}

/// Has the service make the first tenant with its two accounts, and an administrator.
fn make_first(installation: &Installation) -> Result<(), Failure> {
    let domain = ["--schema", "bench_0", "--domain", "bench-0.example.com"];
    let tenant = [&["tenant", "create", "bench-0"], &domain[..]].concat();
    installation.run(&tenant, "")?;
    let verified = ["--verified", "--password-stdin"];
    for name in NAMES {
        let email = format!("{name}-0@example.com");
        let create = ["user", "create", &email, "--tenant", "bench_0"];
        installation.run(&[&create, &verified[..]].concat(), PASSWORD)?;
    }
    let create = ["user", "create", ADMINISTRATOR, "--role", "platform-admin"];
    installation.run(&[&create, &verified[..]].concat(), PASSWORD)
}

/// Makes the schemas of all tenants but the first, some hundred in a transaction, by the migrations
/// that made the first.
fn copy_schemas(owner: &mut Psql, tenants: usize) -> Result<(), Failure> {
    let up = tenant_migrations(Path::new(MIGRATIONS))?;
    let users = format!(
        "INSERT INTO users SELECT made.* FROM bench_0.users u, {}",
        copied("'id', md5(u.email || n)::uuid, 'tenant_id', md5('bench-' || n)::uuid")
    );
    owner.ask(&format!(
        "CREATE PROCEDURE public.copy_first(n integer) LANGUAGE plpgsql AS $procedure$ BEGIN \
         EXECUTE format('CREATE SCHEMA %I', 'bench_' || n); \
         PERFORM set_config('search_path', 'bench_' || n, true); \
         EXECUTE $up${up}$up$; {users}; END $procedure$"
    ))?;
    for first in (1..tenants).step_by(BATCH) {
        let last = tenants.min(first + BATCH) - 1;
        owner.ask(&format!(
            "DO $$ BEGIN FOR n IN {first}..{last} LOOP CALL public.copy_first(n); END LOOP; END $$"
        ))?;
        if first / BATCH % 10 == 9 {
            eprintln!("bench: {last} of {tenants} schemas");
        }
    }
    Ok(())
}

/// The SQL of all migrations of a tenant, in their order.
fn tenant_migrations(folder: &Path) -> Result<String, Failure> {
    let unread = |error| format!("{}: {error}", folder.display());
    let mut steps: Vec<PathBuf> = fs::read_dir(folder)
        .map_err(unread)?
        .map(|entry| Ok(entry?.path().join("up.sql")))
        .collect::<Result<_, Failure>>()?;
    steps.sort();
    let steps: Vec<String> = steps
        .iter()
        .map(fs::read_to_string)
        .collect::<Result<_, _>>()?;
    Ok(steps.concat())
}

/// A copy of the user `u` with the number `n` in its address, and with what else is `changed`.
fn copied(changed: &str) -> String {
    let email = |column| format!("regexp_replace(u.{column}, '-0@', '-' || n || '@')");
    format!(
        "jsonb_populate_record(u, jsonb_build_object({changed}, 'email', {}, 'email_key', {})) made",
        email("email"),
        email("email_key")
    )
}

fn server(settings: &Settings) -> Result<(&String, &Path), Failure> {
    let postgres = settings.tenants.postgres.as_ref();
    let (server, bin) = postgres.ok_or("there is no Postgres for tenants")?;
    Ok((server, bin))
}

pub(crate) const ADMINISTRATOR: &str = "administrator@example.com";
const BATCH: usize = 100;
const FIRST: &str = "(SELECT id FROM tessera.tenants WHERE schema = 'bench_0')";
/// Whoever runs this is in the folder of the project.
const MIGRATIONS: &str = "migrations/postgres/tenant";
const NAMES: [&str; 2] = ["user", "other"];
const ROLE: &str = "tessera_bench";
