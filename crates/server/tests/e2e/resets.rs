//! Clients that reset or close their connections at any moment, where one connection to Postgres serves all
//! tenants.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use rustix::net::sockopt::set_socket_linger;
use serde_json::{Value, json};

use crate::client::{Answer, Request, ask, connect, log_in, refresh, validate};
use crate::database::Database;
use crate::service::{Installation, PASSWORD, Service, until};

#[test]
fn clients_that_reset_their_connections_leave_no_tenant_in_the_one_that_all_share() {
    reset_connections(&Database::create());
}

#[test]
fn clients_that_reset_their_connections_leave_no_tenant_set_where_tenants_share_tables() {
    reset_connections(&Database::shared());
}

fn reset_connections(database: &Database) {
    let installation = Installation::on(database)
        .with("TESSERA_DB_POOL", "1")
        .with("TESSERA_RATE_LIMITS", "off")
        .with("TESSERA_REFRESH_GRACE", "60");
    installation.done(&["migrate"]);
    for name in ["Acme", "Globex"] {
        installation.done(&["tenant", "create", name]);
    }
    for tenant in TENANTS {
        for client in 0..CLIENTS {
            let email = address(client);
            let create = ["user", "create", &email, "--tenant", tenant];
            let flags = ["--role", "tenant-admin", "--password-stdin"];
            installation.done_with(&[&create[..], &flags].concat(), PASSWORD);
        }
    }
    let service = installation.start();
    until("it is ready", || service.status("/readyz") == 200);
    let resets: usize = thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let service = &service;
                scope.spawn(move || Client::enter(service, client).converse())
            })
            .collect();
        clients.into_iter().map(|it| it.join().unwrap()).sum()
    });
    assert!(resets > REQUESTS / 5, "{resets} resets");

    until("no transaction is open", || {
        let open = "SELECT count(*) FROM pg_stat_activity \
                    WHERE datname = current_database() AND state LIKE 'idle in transaction%'";
        database.ask(open).as_deref() == Some("0")
    });
    assert_eq!(service.status("/readyz"), 200);
    until("the pool is whole", || {
        let text = service.ask(&Request::get("/metrics/")).body;
        let shown = |state: &str, number: u8| {
            text.contains(&format!(
                "tessera_db_connections{{state=\"{state}\"}} {number}\n"
            ))
        };
        shown("most", 1) && shown("open", 1) && shown("available", 1) && shown("waited_for", 0)
    });
    the_path_leads_nowhere(database, &service);
}

/// Outside transactions, what is not named with its schema is not found: whoever reads the tenants
/// leaves behind which path there is.
fn the_path_leads_nowhere(database: &Database, service: &Service) {
    database.run(
        "CREATE TABLE tessera.paths (path text NOT NULL); \
         CREATE FUNCTION tessera.leave_path() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN \
             IF current_setting('transaction_read_only') = 'off' THEN \
                 INSERT INTO tessera.paths VALUES (current_setting('search_path')); \
             END IF; \
             RETURN true; \
         END $$; \
         ALTER TABLE tessera.tenants RENAME TO the_tenants; \
         CREATE VIEW tessera.tenants AS SELECT * FROM tessera.the_tenants \
             WHERE tessera.leave_path(); \
         GRANT INSERT ON tessera.paths TO PUBLIC; \
         GRANT SELECT ON tessera.tenants TO PUBLIC;",
    );
    let seen = || database.ask("SELECT count(*) FROM tessera.paths").unwrap();
    until("the tenants are read", || {
        let nobody = log_in("nobody@example.org", PASSWORD).header("X-Tenant", "nowhere");
        assert_eq!(service.ask(&nobody).status, 401);
        seen() != "0"
    });
    let other = "SELECT string_agg(path, ' ') FROM tessera.paths WHERE path NOT IN ('', '\"\"')";
    assert_eq!(database.ask(other), None);
}

/// Somebody with an account in each tenant, under the same address.
struct Client<'a> {
    service: &'a Service,
    accounts: Vec<Account>,
    random: u64,
    resets: usize,
}

struct Account {
    tenant: &'static str,
    id: String,
    access: String,
    refresh: String,
    sessions: BTreeSet<String>,
    /// Access tokens of sessions that will be ended.
    spare: Vec<String>,
}

impl<'a> Client<'a> {
    fn enter(service: &'a Service, client: usize) -> Self {
        let accounts = TENANTS.map(|tenant| {
            let session = || {
                let email = address(client);
                let answer = service.ask(&log_in(&email, PASSWORD).header("X-Tenant", tenant));
                assert_eq!(answer.status, 200, "{answer:?}");
                answer
            };
            let first = session();
            let spare = (0..SPARE).map(|_| session().text("access")).collect();
            let access = first.text("access");
            let listed = service.ask(&Request::get(SESSIONS).bearer(&access)).json();
            let listed = listed["sessions"].as_array().unwrap().iter();
            Account {
                tenant,
                id: first.json()["user"]["id"].as_str().unwrap().to_owned(),
                refresh: first.text("refresh"),
                sessions: listed
                    .map(|it| it["id"].as_str().unwrap().to_owned())
                    .collect(),
                access,
                spare,
            }
        });
        Self {
            service,
            accounts: accounts.into(),
            random: 0x9e37_79b9_7f4a_7c15 ^ u64::try_from(client).unwrap(),
            resets: 0,
        }
    }

    /// Asks often; answers how often the connection was reset.
    fn converse(mut self) -> usize {
        for turn in 0..REQUESTS / CLIENTS {
            let next = self.below(TENANTS.len());
            let mut account = self.accounts.remove(next);
            self.ask_something(&mut account, turn);
            self.accounts.push(account);
        }
        for mut account in core::mem::take(&mut self.accounts) {
            let answer = self.service.ask(&Request::get(ME).bearer(&account.access));
            account.own(&answer.json());
            self.refresh(&mut account);
        }
        self.resets
    }

    fn ask_something(&mut self, account: &mut Account, turn: usize) {
        let access = account.access.clone();
        match self.below(100) {
            0..35 => {
                let heard = self.say(&validate(&access));
                heard.inspect(|answer| account.validated(answer));
            }
            35..55 => {
                let heard = self.say(&Request::get(ME).bearer(&access));
                heard.inspect(|answer| account.own(&good(answer)));
            }
            55..65 => {
                let heard = self.say(&Request::get(SESSIONS).bearer(&access));
                heard.inspect(|answer| account.listed(answer));
            }
            65..75 => {
                let heard = self.say(&Request::get("/api/admin/users/").bearer(&access));
                heard.inspect(|answer| account.neighbours(answer));
            }
            75..80 => {
                let elsewhere = TENANTS
                    .into_iter()
                    .find(|it| *it != account.tenant)
                    .unwrap();
                let path = format!("/t/{elsewhere}{ME}");
                let heard = self.say(&Request::get(&path).bearer(&access));
                heard.inspect(|answer| assert_eq!(answer.status, 401, "{answer:?}"));
            }
            80..88 => {
                let body = json!({ "last_name": format!("{} {turn}", account.tenant) });
                let request = Request {
                    method: "PATCH",
                    ..Request::post(ME, body).bearer(&access)
                };
                let heard = self.say(&request);
                heard.inspect(|answer| account.own(&good(answer)));
            }
            88..98 => self.refresh(account),
            _ => self.end_a_session(account),
        }
    }

    /// Whoever lost the answer asks again with the same token, and gets the same successor.
    fn refresh(&mut self, account: &mut Account) {
        let request = refresh(&account.refresh);
        let answer = self.say(&request);
        let answer = answer.unwrap_or_else(|| self.service.ask(&request));
        good(&answer);
        assert_eq!(answer.text("tenant_schema"), account.tenant);
        (account.access, account.refresh) = (answer.text("access"), answer.text("refresh"));
        account.validated(&self.service.ask(&validate(&account.access)));
    }

    fn end_a_session(&mut self, account: &mut Account) {
        let Some(access) = account.spare.pop() else {
            return;
        };
        let request = Request::post("/api/auth/logout/", json!({})).bearer(&access);
        if self.say(&request).is_none() {
            good(&self.service.ask(&request));
        }
        assert_eq!(self.service.ask(&validate(&access)).status, 401);
    }

    /// The answer, unless the connection is reset or closed before it is read.
    fn say(&mut self, request: &Request<'_>) -> Option<Answer> {
        if self.below(3) > 0 {
            return Some(ask(self.service.address, request));
        }
        self.resets += 1;
        let mut connection = connect(self.service.address).unwrap();
        let written = request.written();
        let (sent, answered) = match self.below(4) {
            0 => (self.below(written.len()), 0),
            1 => (written.len(), 1 + self.below(200)),
            _ => (written.len(), 0),
        };
        connection.write_all(&written.as_bytes()[..sent]).unwrap();
        for _ in 0..self.below(40) {
            thread::yield_now();
        }
        let read = connection.read_exact(&mut vec![0; answered]);
        assert!(read.is_ok(), "{read:?}");
        if self.below(2) == 0 {
            reset(connection);
        }
        None
    }

    fn below(&mut self, end: usize) -> usize {
        // Xorshift: the same moments each time, as far as they are ours.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        usize::try_from(self.random % u64::try_from(end).unwrap()).unwrap()
    }
}

impl Account {
    fn validated(&self, answer: &Answer) {
        let body = good(answer);
        assert_eq!(body["tenant_schema"], self.tenant, "{answer:?}");
        self.own(&body["user"]);
    }

    fn own(&self, user: &Value) {
        assert_eq!(user["id"], self.id, "of {}: {user}", self.tenant);
        self.of_tenant(user);
    }

    fn listed(&self, answer: &Answer) {
        for session in good(answer)["sessions"].as_array().unwrap() {
            let id = session["id"].as_str().unwrap();
            assert!(self.sessions.contains(id), "of {}: {answer:?}", self.tenant);
        }
    }

    fn neighbours(&self, answer: &Answer) {
        let body = good(answer);
        let users = body["users"].as_array().unwrap();
        let addresses = users
            .iter()
            .filter(|user| user["email"] != "admin@localhost");
        assert_eq!(addresses.count(), CLIENTS, "of {}: {answer:?}", self.tenant);
        for user in users {
            self.of_tenant(user);
        }
    }

    fn of_tenant(&self, user: &Value) {
        let name = user["tenant"].as_str().unwrap();
        assert!(name.eq_ignore_ascii_case(self.tenant), "{user}");
        let last_name = user["last_name"].as_str().unwrap();
        let own = last_name.is_empty() || last_name.starts_with(self.tenant);
        assert!(own, "of {}: {user}", self.tenant);
    }
}

fn good(answer: &Answer) -> Value {
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

/// Ends it without a farewell: what the service still writes is answered with a reset.
fn reset(connection: TcpStream) {
    set_socket_linger(&connection, Some(Duration::ZERO)).unwrap();
    drop(connection);
}

fn address(client: usize) -> String {
    format!("client-{client}@example.org")
}

const CLIENTS: usize = 4;
const ME: &str = "/api/auth/me/";
const REQUESTS: usize = 10_000;
const SESSIONS: &str = "/api/auth/sessions/";
const SPARE: usize = 2;
const TENANTS: [&str; 3] = ["acme", "globex", "public"];
