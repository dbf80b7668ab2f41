//! Connections are encrypted as `sslmode` says, to whom it says.

use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tempfile::TempDir;
use tessera_app::{Store, Unready};
use tokio_postgres::Client;

use crate::server::{setting, store, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_is_encrypted_and_believed_as_sslmode_says() {
    let server = Server::start().await;
    let ca = server.folder.path().join("ca.crt");
    let certificate = server.folder.path().join("server.crt");
    let another = server.folder.path().join("another.crt");
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
struct Server {
    folder: TempDir,
    process: Child,
    port: u16,
}

impl Server {
    async fn start() -> Self {
        setting("TESSERA_TEST_POSTGRES_BIN");
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/postgres");
        let log = fs::File::create(folder.path().join("log")).unwrap();
        let process = Command::new(script)
            .arg(folder.path())
            .arg(port.to_string())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut server = Self {
            folder,
            process,
            port,
        };
        until("Postgres starts", async || {
            let ended = server.process.try_wait().unwrap();
            assert!(ended.is_none(), "{}", server.file("log"));
            server.is_ready()
        })
        .await;
        server.encrypt().await;
        server
    }

    fn is_ready(&self) -> bool {
        let file = self.folder.path().join("data/postmaster.pid");
        fs::read_to_string(file).is_ok_and(|text| text.contains("\nready"))
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
        let mut file = fs::File::create(self.folder.path().join(name)).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    fn file(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join(name)).unwrap()
    }

    fn url(&self, host: &str) -> String {
        let password = self.file("password");
        let (password, port) = (password.trim(), self.port);
        format!("postgres://postgres:{password}@{host}:{port}/postgres")
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

impl Drop for Server {
    fn drop(&mut self) {
        // The fast stop; a kill would leave its shared memory behind.
        let server = self.process.id().to_string();
        let stopped = Command::new("kill").args(["-INT", &server]).status();
        if !stopped.is_ok_and(|status| status.success()) {
            let _killed = self.process.kill();
        }
        let _ended = self.process.wait();
    }
}

/// A port below those that the system hands out, where nobody listens; never the same one twice, as
/// tests run side by side.
pub(crate) fn free_port() -> u16 {
    static TRIED: AtomicU32 = AtomicU32::new(0);
    loop {
        let offset = (std::process::id() + TRIED.fetch_add(1, Ordering::Relaxed)) % 15_000;
        let port = 15_000 + u16::try_from(offset).unwrap();
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
