//! One address with an account in several tenants, and which of them a request is for.

use serde_json::{Value, json};

use crate::client::{Answer, Request, log_in, validate};
use crate::database::Database;
use crate::service::{Installation, Service, until};

#[test]
fn one_address_in_several_tenants_is_as_many_accounts_on_sqlite() {
    one_address(&Installation::embedded());
}

#[test]
fn one_address_in_several_tenants_is_as_many_accounts_on_postgres() {
    on_postgres(&Database::create());
}

#[test]
fn one_address_in_several_tenants_is_as_many_accounts_in_tables_that_they_share() {
    on_postgres(&Database::shared());
}

fn on_postgres(database: &Database) {
    let installation = Installation::on(database);
    installation.done(&["migrate"]);
    one_address(&installation);
}

fn one_address(installation: &Installation) {
    for (name, domains) in [
        (
            "Acme",
            &["--domain", AT_ACME, "--domain", "Bücher.example"][..],
        ),
        ("Globex", &["--domain", "globex.example"]),
    ] {
        installation.done(&[&["tenant", "create", name], domains].concat());
    }
    for tenant in TENANTS {
        for email in [ADA, ADA_AT_ACME] {
            let create = ["user", "create", email, "--tenant", tenant];
            let create = [&create[..], &["--verified", "--password-stdin"]].concat();
            installation.done_with(&create, &password(tenant));
        }
    }
    let service = installation.start();
    until("it is ready", || service.status("/readyz") == 200);
    each_way_leads_to_one_account(&service);
    a_host_leads_to_its_tenant_however_it_is_spelt(&service);
    what_contradicts_itself_is_refused(&service);
    the_token_alone_says_whose_it_is(&service);
}

/// By path, header, field, host, the domain of the address, and by nothing.
fn each_way_leads_to_one_account(service: &Service) {
    let plain = |email| log_in(email, "");
    let under = |path| Request {
        path,
        ..log_in(ADA, "")
    };
    let mut in_field = log_in(ADA_AT_ACME, "");
    in_field.body.as_mut().unwrap()["tenant"] = json!("globex");
    for (way, request, tenant) in [
        ("path", under("/t/acme/api/token/"), "acme"),
        ("path", under("/t/GLOBEX/api/token"), "globex"),
        ("path", under("/t/public/auth/token/"), "public"),
        ("header", plain(ADA).header("X-Tenant", "Acme"), "acme"),
        (
            "header",
            plain(ADA_AT_ACME).header("x-tenant", "globex"),
            "globex",
        ),
        (
            "header",
            plain(ADA_AT_ACME).header("x-tenant", "public"),
            "public",
        ),
        ("field", in_field, "globex"),
        ("host", plain(ADA).header("Host", AT_ACME), "acme"),
        (
            "host",
            plain(ADA_AT_ACME).header("Host", "globex.example"),
            "globex",
        ),
        ("e-mail", plain(ADA_AT_ACME), "acme"),
        ("default", plain(ADA), "public"),
        (
            "header",
            plain(ADA)
                .header("Host", AT_ACME)
                .header("X-Tenant", "globex"),
            "globex",
        ),
    ] {
        only(service, way, &request, tenant);
    }
}

fn a_host_leads_to_its_tenant_however_it_is_spelt(service: &Service) {
    for (host, tenant) in [
        ("acme.example:8000", "acme"),
        ("ACME.Example", "acme"),
        ("acme.example.", "acme"),
        ("Acme.example.:443", "acme"),
        ("xn--bcher-kva.example", "acme"),
        ("XN--BCHER-KVA.EXAMPLE.:8443", "acme"),
        ("GLOBEX.example:1", "globex"),
        // What is no tenant's leads nowhere else.
        ("www.acme.example", "public"),
        ("acme.example.evil.example", "public"),
        ("acme", "public"),
        ("localhost:8000", "public"),
        ("[::1]:8000", "public"),
    ] {
        only(service, host, &log_in(ADA, "").header("Host", host), tenant);
    }
}

fn what_contradicts_itself_is_refused(service: &Service) {
    let password = password("acme");
    let mut in_field = log_in(ADA, &password);
    in_field.body.as_mut().unwrap()["tenant"] = json!("acme");
    let under = |path| Request {
        path,
        ..log_in(ADA, &password)
    };
    let [acme, globex] = [token(service, "acme"), token(service, "globex")];
    let me = |path| Request::get(path).bearer(&acme);
    for request in [
        under("/t/acme/api/token/").header("X-Tenant", "globex"),
        under("/t/acme/api/token/").header("X-Tenant", "nowhere"),
        in_field.clone().header("X-Tenant", "globex"),
        log_in(ADA, &password)
            .header("X-Tenant", "acme")
            .header("X-Tenant", "globex"),
        log_in(ADA, &password)
            .header("X-Tenant", "acme")
            .header("x-tenant", "public"),
        me("/t/acme/api/auth/me/").header("X-Tenant", "globex"),
        me("/api/auth/me/")
            .header("X-Tenant", "acme")
            .header("X-Tenant", "globex"),
    ] {
        let answer = service.ask(&request);
        assert_eq!(answer.status, 400, "{request:?}: {answer:?}");
        assert_eq!(answer.text("code"), "contradictory_tenants");
    }
    for request in [
        // The same twice, or in two ways, is no contradiction.
        under("/t/acme/api/token/").header("X-Tenant", "ACME"),
        log_in(ADA, &password)
            .header("X-Tenant", "acme")
            .header("X-Tenant", "Acme"),
        in_field.header("X-Tenant", " acme "),
        me("/t/acme/api/auth/me/")
            .header("X-Tenant", "acme")
            .header("Host", AT_ACME),
        // The host and the address only fill in.
        under("/t/acme/api/token/").header("Host", "globex.example"),
    ] {
        let answer = service.ask(&request);
        assert_eq!(answer.status, 200, "{request:?}: {answer:?}");
    }
    for request in [
        me("/t/globex/api/auth/me/"),
        me("/t/nowhere/api/auth/me/"),
        me("/api/auth/me/").header("X-Tenant", "public"),
        me("/api/auth/me/").header("X-Tenant", "acme, globex"),
        me("/api/auth/me/").header("Host", "globex.example:8000"),
        validate(&globex).header("Host", "ACME.example."),
        validate(&globex).header("Host", "xn--bcher-kva.example"),
        validate(&globex).header("X-Tenant", "acme"),
    ] {
        let answer = service.ask(&request);
        assert_eq!(answer.status, 401, "{request:?}: {answer:?}");
        assert_eq!(answer.text("code"), "token_not_valid");
    }
    let two = log_in(ADA, &password).header("X-Tenant", "acme, globex");
    assert_eq!(
        service.ask(&two).status,
        401,
        "a list is the name of no tenant"
    );
}

/// Wherever it is shown without another hint.
fn the_token_alone_says_whose_it_is(service: &Service) {
    for tenant in TENANTS {
        let token = token(service, tenant);
        let known = service.ask(&validate(&token));
        assert_eq!(known.text("tenant_schema"), tenant);
        let me = service.ask(&Request::get("/api/auth/me/").bearer(&token));
        assert_eq!(me.status, 200, "{me:?}");
        assert_eq!(me.json()["id"], known.json()["user"]["id"]);
    }
}

/// Of all passwords that the address has somewhere, that of the tenant logs in, to that tenant.
fn only(service: &Service, way: &str, request: &Request<'_>, tenant: &str) {
    let attempt = |of: &str| -> Answer {
        let mut request = request.clone();
        request.body.as_mut().unwrap()["password"] = Value::from(password(of));
        service.ask(&request)
    };
    for other in TENANTS.into_iter().filter(|other| *other != tenant) {
        let refused = attempt(other);
        assert_eq!(refused.status, 401, "by {way}, of {other}: {refused:?}");
    }
    let answer = attempt(tenant);
    assert_eq!(answer.status, 200, "by {way}: {answer:?}");
    assert_eq!(answer.text("tenant_schema"), tenant, "by {way}");
}

fn token(service: &Service, tenant: &str) -> String {
    let password = password(tenant);
    let answer = service.ask(&log_in(ADA, &password).header("X-Tenant", tenant));
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.text("access")
}

fn password(tenant: &str) -> String {
    format!("correct horse of {tenant} battery")
}

const ADA: &str = "ada@example.org";
/// Of a domain of Acme's, and known in every tenant all the same.
const ADA_AT_ACME: &str = "ada@acme.example";
const AT_ACME: &str = "acme.example";
const TENANTS: [&str; 3] = ["acme", "globex", "public"];
