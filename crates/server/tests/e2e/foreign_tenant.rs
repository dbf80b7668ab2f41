//! Tenants are held apart on every route, on both stores: the offers are those that the application
//! in the process is made.

use tokio::runtime::Builder;

use self::apart::ask::{Ask, Heard};
use self::apart::hold_apart;
use self::apart::side::{Named, Person, Side};
use crate::accounts::Mailbox;
use crate::client::Request;
use crate::database::Database;
use crate::service::{Installation, Service, until};

#[path = "../../../http/tests/service/apart/mod.rs"]
mod apart;

#[test]
fn what_is_one_tenants_means_nothing_in_another_on_sqlite() {
    apart(Installation::embedded());
}

#[test]
fn what_is_one_tenants_means_nothing_in_another_on_postgres() {
    on_postgres(&Database::create());
}

#[test]
fn what_is_one_tenants_means_nothing_in_another_in_tables_that_they_share() {
    on_postgres(&Database::shared());
}

fn on_postgres(database: &Database) {
    let installation = Installation::on(database);
    installation.done(&["migrate"]);
    apart(installation);
}

fn apart(installation: Installation) {
    let installation = installation
        .with("CORS_ALLOWED_ORIGINS", "https://app.example.com")
        .with("TESSERA_RATE_LIMITS", "off")
        .with("TESSERA_REFRESH_COOKIE", "on");
    let tenants = [
        Named::new("Acme Works", "acme"),
        Named::new("Globex", "globex"),
        Named::new("public", "public"),
    ];
    for tenant in &tenants {
        make(&installation, tenant);
    }
    let service = installation.start();
    until("it is ready", || service.status("/readyz") == 200);
    let ask = async |ask: Ask| send(&service, &ask);
    let mailbox = Mailbox(&installation);
    let link = async |to: String, page: &'static str| mailbox.link(&to, page);
    let runtime = Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let document = ask(Ask::get("/api/schema/")).await.json();
        let mut sides = Vec::new();
        for tenant in tenants {
            sides.push(Side::enter(tenant, &document, &ask, &link).await);
        }
        let [acme, globex, public] = sides.try_into().unwrap();
        for (own, other) in [(&acme, &globex), (&public, &acme)] {
            hold_apart(&document, own, other, &ask).await;
        }
        for side in [acme, globex, public] {
            side.holds(&ask).await;
        }
    });
}

/// Makes the tenant, and its people.
fn make(installation: &Installation, tenant: &Named) {
    let Named { name, schema, host } = tenant;
    let made = if tenant.is_default() {
        &["tenant", "domain", "add", name, host][..]
    } else {
        &[
            "tenant", "create", name, "--schema", schema, "--domain", host,
        ]
    };
    installation.done(made);
    for Person {
        email,
        username,
        role,
    } in tenant.people()
    {
        let who = ["user", "create", &email, "--username", &username];
        let what = ["--tenant", schema, "--role", &role, "--verified"];
        let create = [&who[..], &what, &["--password-stdin"]].concat();
        installation.done_with(&create, &tenant.password());
    }
}

fn send(service: &Service, ask: &Ask) -> Heard {
    let headers = ask.headers.iter();
    let answer = service.ask(&Request {
        method: &ask.method,
        headers: headers
            .map(|(name, value)| (*name, value.as_str()))
            .collect(),
        body: ask.body.clone(),
        ..Request::get(&ask.path)
    });
    Heard::new(answer.status, answer.headers, answer.body)
}
