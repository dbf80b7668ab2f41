//! A tenant with people in it, and all that could be carried from there to another.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::ask::{Ask, Heard};
use super::operation::operations;

/// A tenant, as it was made.
#[derive(Clone, Debug)]
pub(crate) struct Named {
    pub(crate) name: String,
    pub(crate) schema: String,
    /// Its domain.
    pub(crate) host: String,
}

/// Somebody to make there, with an address that is proved.
pub(crate) struct Person {
    pub(crate) email: String,
    pub(crate) username: String,
    pub(crate) role: String,
}

impl Named {
    pub(crate) fn new(name: &str, schema: &str) -> Self {
        Self {
            name: name.to_owned(),
            schema: schema.to_owned(),
            host: format!("{schema}.example"),
        }
    }

    pub(crate) fn is_default(&self) -> bool {
        self.schema == "public"
    }

    /// The password of everybody there.
    pub(crate) fn password(&self) -> String {
        format!("correct horse of {} battery", self.schema)
    }

    /// `bob` has the same names in every tenant; `eve` administers hers.
    pub(crate) fn people(&self) -> [Person; 5] {
        let person = |email: String, username: &str, role: &str| Person {
            email,
            username: username.to_owned(),
            role: role.to_owned(),
        };
        let own = |name: &str| {
            let username = self.own(name);
            person(
                format!("{username}@example.org"),
                &username,
                &self.own("role"),
            )
        };
        let eve = Person {
            role: "tenant-admin".to_owned(),
            ..own("eve")
        };
        let at_home = format!("{}@{}", self.own("dom"), self.host);
        [
            eve,
            person(SHARED.to_owned(), "bob", &self.own("role")),
            own("pia"),
            own("ute"),
            person(at_home, &self.own("dom"), "editor"),
        ]
    }

    /// A name that nothing has anywhere else.
    pub(crate) fn own(&self, what: &str) -> String {
        format!("{what}-of-{}", self.schema)
    }
}

/// A token out of a mail, and the `uid` beside it.
#[derive(Clone, Debug)]
pub(crate) struct Mailed {
    pub(crate) token: String,
    pub(crate) uid: String,
}

/// What is known and held in one tenant.
#[derive(Clone, Debug)]
pub(crate) struct Side {
    pub(crate) tenant: Named,
    pub(crate) id: String,
    /// Access tokens of an administrator and of another user.
    pub(crate) access: [String; 2],
    pub(crate) refresh: String,
    /// By the operation that takes it.
    pub(crate) mailed: BTreeMap<&'static str, Mailed>,
    pub(crate) users: Vec<String>,
    pub(crate) sessions: Vec<String>,
    pub(crate) events: Vec<String>,
    /// Where a page of its lists ends, by path.
    pub(crate) cursors: BTreeMap<String, String>,
}

impl Side {
    /// Logs in to the tenant, has mails sent, and reads all lists.
    ///
    /// `link` answers the link of the mail to that address that leads to that page.
    pub(crate) async fn enter(
        tenant: Named,
        document: &Value,
        ask: &impl AsyncFn(Ask) -> Heard,
        link: &impl AsyncFn(String, &'static str) -> String,
    ) -> Self {
        let at = |path: &str| format!("/t/{}{path}", tenant.schema);
        let log_in = async |name: &str| {
            let body = json!({"username": name, "password": tenant.password()});
            ask(Ask::post(&at("/api/token/"), body)).await
        };
        let eve = log_in(&tenant.own("eve")).await;
        let [admin, user, ute] = [
            eve.text("access"),
            log_in("bob").await.text("access"),
            log_in(&tenant.own("ute")).await.text("access"),
        ];
        let [new, pia, moved] = ["new", "pia", "moved"].map(|name| {
            let name = tenant.own(name);
            format!("{name}@example.org")
        });
        let body = json!({"email": new, "password": tenant.password()});
        ask(Ask::post(&at("/api/auth/register/"), body)).await;
        let body = json!({"email": pia});
        ask(Ask::post(&at("/api/auth/password-reset/"), body)).await;
        let body = json!({"email": moved});
        ask(Ask::post(&at("/api/auth/change-email/"), body).bearer(&ute)).await;
        let mut mailed = BTreeMap::new();
        for (operation, to, page) in [
            ("verifyEmail", new, "verify-email"),
            ("resetPassword", pia, "reset-password"),
            ("confirmEmail", moved, "change-email"),
        ] {
            let link = link(to, page).await;
            let [token, uid] = ["token", "uid"].map(|name| parameter(&link, name));
            mailed.insert(operation, Mailed { token, uid });
        }
        let mut side = Self {
            id: eve.text("tenant_id"),
            access: [admin, user],
            refresh: log_in("bob").await.text("refresh"),
            mailed,
            users: Vec::new(),
            sessions: Vec::new(),
            events: Vec::new(),
            cursors: BTreeMap::new(),
            tenant,
        };
        side.read(document, ask).await;
        side
    }

    /// What of the tenant may be read nowhere else.
    pub(crate) fn marks(&self) -> Vec<String> {
        let lists = [&self.users, &self.sessions, &self.events];
        let ids = lists.into_iter().flatten().cloned();
        ids.chain([self.id.clone(), self.tenant.own("")]).collect()
    }

    /// What its administrator sees of the users and their sessions, row by row.
    pub(crate) async fn look(&self, ask: &impl AsyncFn(Ask) -> Heard) -> BTreeMap<String, Value> {
        let mut seen = BTreeMap::new();
        let users = self.list(ask, USERS, "users").await;
        for user in users {
            let id = user["id"].as_str().unwrap().to_owned();
            let path = format!("{USERS}{id}/sessions/");
            for session in self.list(ask, &path, "sessions").await {
                seen.insert(format!("session {}", session["id"]), session);
            }
            seen.insert(format!("user {id}"), user);
        }
        seen
    }

    /// Lets something happen there, of which an event tells.
    pub(crate) async fn stir(&self, ask: &impl AsyncFn(Ask) -> Heard) {
        let path = format!("/t/{}/api/token/", self.tenant.schema);
        let body = json!({"username": "nobody", "password": "nothing"});
        assert_eq!(ask(Ask::post(&path, body)).await.status, 401);
    }

    /// Fails unless the access tokens are good here.
    pub(crate) async fn validate(&self, ask: &impl AsyncFn(Ask) -> Heard) {
        for token in &self.access {
            let heard = ask(Ask::get("/api/auth/validate/").bearer(token)).await;
            assert_eq!(heard.status, 200, "{heard:?}");
            assert_eq!(heard.text("tenant_id"), self.id);
        }
    }

    /// Fails unless all that was offered elsewhere is still good here: so it was good then.
    pub(crate) async fn holds(&self, ask: &impl AsyncFn(Ask) -> Heard) {
        self.validate(ask).await;
        let refresh = json!({"refresh": self.refresh});
        let mut asked = vec![Ask::post("/api/token/refresh/", refresh)];
        for (operation, path) in [
            ("verifyEmail", "/api/auth/verify-email/"),
            ("confirmEmail", "/api/auth/change-email/confirm/"),
            ("resetPassword", "/api/auth/password-reset/confirm/"),
        ] {
            let Mailed { token, uid } = &self.mailed[operation];
            let body =
                json!({"token": token, "uid": uid, "new_password": "another staple of mine"});
            asked.push(Ask::post(path, body));
        }
        for one in asked {
            let heard = ask(one.clone()).await;
            assert_eq!(heard.status, 200, "at home {one:?} gives {heard:?}");
        }
    }

    async fn read(&mut self, document: &Value, ask: &impl AsyncFn(Ask) -> Heard) {
        let id = |row: &Value| row["id"].as_str().unwrap().to_owned();
        self.users = self
            .list(ask, USERS, "users")
            .await
            .iter()
            .map(id)
            .collect();
        // Those that wait first: they can be retried.
        for path in ["/api/admin/events/waiting/", "/api/admin/events/"] {
            self.events
                .extend(self.list(ask, path, "events").await.iter().map(id));
        }
        for user in self.users.clone() {
            let path = format!("{USERS}{user}/sessions/");
            let sessions = self.list(ask, &path, "sessions").await;
            self.sessions.extend(sessions.iter().map(id));
        }
        for operation in operations(document) {
            let paged = |name: &String| ["after", "before"].contains(&name.as_str());
            if operation.method == "GET" && operation.parameters("query").iter().any(paged) {
                let asked = Ask::get(&operation.path).bearer(&self.access[0]);
                let heard = ask(asked.query("limit", "1")).await;
                let next = &heard.json()["next"];
                let next = next
                    .as_str()
                    .map_or_else(|| next.to_string(), str::to_owned);
                self.cursors.insert(operation.path, next);
            }
        }
    }

    async fn list(&self, ask: &impl AsyncFn(Ask) -> Heard, path: &str, member: &str) -> Vec<Value> {
        let heard = ask(Ask::get(path)
            .bearer(&self.access[0])
            .query("limit", "1000"))
        .await;
        let rows = heard.json()[member].as_array().cloned();
        rows.unwrap_or_else(|| panic!("no {member}: {heard:?}"))
    }
}

fn parameter(link: &str, name: &str) -> String {
    let (_, query) = link.split_once('?').unwrap();
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.find(|(key, _)| *key == name).unwrap().1.to_owned()
}

/// The address of one user in every tenant.
pub(crate) const SHARED: &str = "bob@example.org";
const USERS: &str = "/api/admin/users/";
