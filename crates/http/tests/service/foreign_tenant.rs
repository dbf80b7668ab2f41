//! Tenants are held apart on every route.

use std::collections::BTreeMap;
use std::sync::Arc;

use actix_web::http::Method;
use serde_json::{Value, json};
use tessera_app::{
    CreateTenant, CreateUser, FirstPassword, MailRelay, MailStep, TenantAdministration,
};
use tessera_domain::{
    Actor, EmailAddress, HostName, Password, Profile, Role, SchemaName, TenantDomain, TenantName,
    Username,
};
use tessera_http::RefreshCookie;
use tessera_memory::MemoryMailer;

use crate::administration::publish;
use crate::apart::ask::{Ask, Heard};
use crate::apart::hold_apart;
use crate::apart::offers::offers;
use crate::apart::operation::operations;
use crate::apart::side::{Named, Person, SHARED, Side};
use crate::world::{Request, World};

#[actix_web::test]
async fn what_is_one_tenants_means_nothing_in_another_on_any_route() {
    tokio::time::pause();
    let world = World {
        refresh_cookie: RefreshCookie::On,
        ..World::new().await
    };
    world.tessera.ports().log.enrol("broker").await.unwrap();
    let send = world.application().await;
    let ask = async |ask: Ask| {
        let answer = send(request(&ask)).await;
        let headers = answer.headers.iter().map(|(name, value)| {
            let value = value.to_str().unwrap();
            (name.to_string(), value.to_owned())
        });
        Heard::new(answer.status.as_u16(), headers, answer.text)
    };
    let mailer = MemoryMailer::default();
    let link = async |to: String, page: &'static str| link(&world, &mailer, &to, page).await;
    let document = ask(Ask::get("/api/schema/")).await.json();
    let tenants = [
        Named::new("Acme Works", "acme"),
        Named::new("Globex", "globex"),
        Named::new("public", "public"),
    ];
    for tenant in &tenants {
        make(&world, tenant).await;
    }
    publish(&world, 1).await;
    let mut entered = Vec::new();
    for tenant in tenants {
        entered.push(Side::enter(tenant, &document, &ask, &link).await);
    }
    for own in &entered {
        for other in &entered {
            if own.id != other.id {
                let made = hold_apart(&document, own, other, &ask).await;
                assert!(made > 500, "{made} offers");
            }
        }
    }
    for side in &entered {
        side.holds(&ask).await;
    }
}

#[test]
fn a_route_of_which_nothing_is_known_is_named() {
    let nobody = nobody();
    for (said, told) in [
        (json!({}), "nothing is known of it;"),
        (json!({"security": [{"bearer": []}]}), ""),
        (
            json!({"parameters": [{"in": "query", "name": "owner"}]}),
            "its parameter owner",
        ),
        (
            json!({"parameters": [{"in": "header", "name": "X-Account"}]}),
            "the header X-Account",
        ),
        (
            json!({"parameters": [{"in": "path", "name": "owner"}]}),
            "{owner} in its path",
        ),
        (
            json!({"security": [{"bearer": []}], "parameters": [{"in": "path", "name": "id"}]}),
            "whose id is in its path",
        ),
        (body("owner"), "the field owner of its body"),
        (body("email"), "the field email of its body"),
        (body("token"), "the field token of its body"),
    ] {
        let mut said = said;
        said["operationId"] = json!("novelty");
        let document = json!({"paths": {"/api/novelty/{id}/": {"post": said}}});
        let operation = operations(&document).remove(0);
        match offers(&operation, &nobody, &nobody) {
            Ok(_) => assert_eq!(told, "", "{document}"),
            Err(fault) => {
                assert!(
                    fault.starts_with("POST /api/novelty/{id}/ (novelty): "),
                    "{fault}"
                );
                assert!(fault.contains(told), "{fault}");
            }
        }
    }
}

/// A tenant in which there is nothing.
fn nobody() -> Side {
    Side {
        tenant: Named::new("Nobody", "nobody"),
        id: "nobody".to_owned(),
        access: ["a.b".to_owned(), "c.d".to_owned()],
        refresh: "e.f".to_owned(),
        mailed: BTreeMap::new(),
        users: Vec::new(),
        sessions: Vec::new(),
        events: Vec::new(),
        cursors: BTreeMap::new(),
    }
}

fn body(field: &str) -> Value {
    let schema = json!({"properties": {field: {"type": "string"}}});
    json!({"requestBody": {"content": {"application/json": {"schema": schema}}}})
}

#[actix_web::test]
async fn wrong_passwords_in_one_tenant_lock_nobody_in_another() {
    tokio::time::pause();
    let world = World::new().await;
    let [acme, globex] = [Named::new("Acme", "acme"), Named::new("Globex", "globex")];
    for tenant in [&acme, &globex] {
        make(&world, tenant).await;
    }
    let attempt = async |tenant: &Named, password: String| {
        let path = format!("/t/{}/api/token/", tenant.schema);
        let body = json!({"email": SHARED, "password": password});
        world.post(&path, body).await.status.as_u16()
    };
    for _ in 0..20 {
        assert_eq!(attempt(&acme, globex.password()).await, 401);
    }
    assert_eq!(attempt(&acme, acme.password()).await, 401, "it is locked");
    assert_eq!(attempt(&globex, globex.password()).await, 200);
}

/// Makes the tenant, and its people.
async fn make(world: &World, tenant: &Named) {
    let host = HostName::parse(&tenant.host).unwrap();
    let of = TenantAdministration::of_operator();
    let made = if tenant.is_default() {
        let domain = TenantDomain {
            host,
            primary: false,
        };
        let added = world.tessera.add_domain(&of, &tenant.name, domain).await;
        added.unwrap().tenant
    } else {
        let command = CreateTenant {
            name: TenantName::parse(&tenant.name).unwrap(),
            schema: Some(SchemaName::parse(&tenant.schema).unwrap()),
            domains: vec![host],
            layout: None,
        };
        world.tessera.create_tenant(&of, command).await.unwrap()
    };
    for Person {
        email,
        username,
        role,
    } in tenant.people()
    {
        let command = CreateUser {
            email: EmailAddress::parse(&email).unwrap(),
            email_verified: true,
            username: Some(Username::parse(&username).unwrap()),
            profile: Profile::default(),
            roles: vec![Role::parse(&role).unwrap()],
            is_superuser: false,
            password: FirstPassword::Given(Password::new(tenant.password())),
        };
        let created = world.tessera.create_user(&Actor::Operator, &made, command);
        created.await.unwrap();
    }
}

/// The link of the last mail to that address.
async fn link(world: &World, mailer: &MemoryMailer, to: &str, page: &str) -> String {
    let relay = MailRelay::new(Arc::clone(&world.tessera), Arc::new(mailer.clone()));
    while !matches!(relay.step().await.unwrap(), MailStep::Quiet(_)) {}
    let sent = mailer.sent();
    let links = sent.iter().rev().filter(|letter| letter.to.as_str() == to);
    let mut links = links.filter_map(|letter| letter.link.as_ref());
    let leads = |link: &&tessera_app::Link| link.url.contains(&format!("/{page}?"));
    links.find(leads).unwrap().url.clone()
}

fn request(ask: &Ask) -> Request {
    let method = Method::from_bytes(ask.method.as_bytes()).unwrap();
    let mut request = Request::new(method, &ask.path);
    for (name, value) in &ask.headers {
        request = request.header(name, value);
    }
    if let Some(body) = &ask.body {
        request = request.json(body);
    }
    request
}
