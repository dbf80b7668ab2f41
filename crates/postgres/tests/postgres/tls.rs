//! Connections are encrypted as `sslmode` says, to whom it says.

use std::fs;
use std::io::Write;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tessera_app::{Store, Unready};
use tokio_postgres::Client;

use crate::cluster::Cluster;
use crate::server::{store, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_is_encrypted_and_believed_as_sslmode_says() {
    let server = Server::start().await;
    let ca = server.0.path("ca.crt");
    let certificate = server.0.path("server.crt");
    let another = server.0.path("another.crt");
    let (ca, certificate, another) = (ca.display(), certificate.display(), another.display());
    for (host, parameters, expected) in [
        ("127.0.0.1", String::new(), Some(true)),
        ("127.0.0.1", "sslmode=prefer".to_owned(), Some(true)),
        ("127.0.0.1", "sslmode=disable".to_owned(), Some(false)),
        ("127.0.0.1", "sslmode=require".to_owned(), Some(true)),
        (
            "localhost",
            format!("sslmode=verify-full&sslrootcert={ca}"),
            Some(true),
        ),
        (
            "localhost",
            format!("sslmode=verify-full&sslrootcert={certificate}"),
            Some(true),
        ),
        // The certificate is made out to another host.
        (
            "127.0.0.1",
            format!("sslmode=verify-ca&sslrootcert={ca}"),
            Some(true),
        ),
        (
            "127.0.0.1",
            format!("sslmode=require&sslrootcert={ca}"),
            Some(true),
        ),
        (
            "127.0.0.1",
            format!("sslmode=verify-full&sslrootcert={ca}"),
            None,
        ),
        (
            "127.0.0.1",
            format!("sslmode=verify-full&sslrootcert={certificate}"),
            None,
        ),
        // It was issued by somebody else.
        (
            "localhost",
            format!("sslmode=verify-ca&sslrootcert={another}"),
            None,
        ),
        (
            "localhost",
            format!("sslmode=require&sslrootcert={another}"),
            None,
        ),
        (
            "localhost",
            format!("sslmode=verify-full&sslrootcert={another}"),
            None,
        ),
    ] {
        let url = format!("{}?{parameters}", server.url(host));
        let store = store(url, 1);
        let reached = matches!(store.check().await, Err(Unready::NotMigrated));
        assert_eq!(reached, expected.is_some(), "{host} {parameters}");
        let encrypted = server.encrypted().await;
        assert_eq!(encrypted, expected, "{host} {parameters}");
        drop(store);
        until("it is gone", async || server.encrypted().await.is_none()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_tls_is_refused_where_the_url_asks_for_it() {
    let url = crate::server::server_url();
    if !store(format!("{url}?sslmode=require"), 1)
        .check()
        .await
        .is_err_and(|unready| matches!(unready, Unready::Unavailable(_)))
    {
        // The given server has TLS, so there is nothing to refuse.
        let encrypted = store(format!("{url}?sslmode=prefer"), 1).check().await;
        assert!(!matches!(encrypted, Err(Unready::Unavailable(_))));
    }
}

/// A server of its own, because it has a certificate.
struct Server(Cluster);

impl Server {
    async fn start() -> Self {
        let server = Self(Cluster::start(None).await);
        server.encrypt().await;
        server
    }

    /// Gives the server a certificate for `localhost`, and a CA that it is of.
    async fn encrypt(&self) {
        let ca_key = KeyPair::generate().unwrap();
        let mut ca = CertificateParams::default();
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca_pem = ca.self_signed(&ca_key).unwrap().pem();
        let issuer = Issuer::new(ca, ca_key);
        let key = KeyPair::generate().unwrap();
        let names = ["localhost".to_owned()];
        let of_server = CertificateParams::new(names).unwrap();
        let certificate = of_server.signed_by(&key, &issuer).unwrap().pem();
        let another = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        self.write("ca.crt", &ca_pem);
        self.write("server.crt", &certificate);
        self.write("another.crt", &another.cert.pem());

        // Written by the server itself: its files have to be its own.
        let admin = self.admin().await;
        for (name, text) in [
            ("server.key", key.serialize_pem()),
            ("server.crt", certificate),
        ] {
            let program = format!(
                "COPY (SELECT unnest(string_to_array('{text}', E'\\n'))) \
                 TO PROGRAM 'umask 077 && cat > {name}'"
            );
            admin.batch_execute(&program).await.unwrap();
        }
        admin
            .batch_execute("ALTER SYSTEM SET ssl = on")
            .await
            .unwrap();
        admin
            .batch_execute("SELECT pg_reload_conf()")
            .await
            .unwrap();
        until("the server has TLS", async || {
            let row = self.admin().await.query_one("SHOW ssl", &[]).await.unwrap();
            row.get::<_, &str>(0) == "on"
        })
        .await;
    }

    fn write(&self, name: &str, text: &str) {
        let mut file = fs::File::create(self.0.path(name)).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    fn url(&self, host: &str) -> String {
        self.0.url_at(host)
    }

    async fn admin(&self) -> Client {
        let url = self.url("127.0.0.1");
        crate::server::connect(&format!("{url}?sslmode=disable")).await
    }

    /// Whether the store's connection is encrypted, if there is one.
    async fn encrypted(&self) -> Option<bool> {
        let admin = self.admin().await;
        let rows = admin
            .query(
                "SELECT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
                 WHERE application_name = 'tessera'",
                &[],
            )
            .await
            .unwrap();
        rows.first().map(|row| row.get(0))
    }
}
