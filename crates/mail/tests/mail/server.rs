//! A mail server that is not ours, and a reader of mails that is not ours either.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use serde_json::Value;
use tempfile::TempDir;
use tessera_mail::{Encryption, SmtpMailer, SmtpSettings, Stationery};

/// A mail server of a test's own, gone when this is dropped.
pub(crate) struct Server {
    child: Child,
    output: BufReader<ChildStdout>,
    port: u16,
    folder: TempDir,
}

impl Server {
    /// A server that is as the words say; `server.py` lists them.
    pub(crate) fn start(like: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut command = python("server.py");
        match like {
            [encryption @ ("tls" | "starttls"), rest @ ..] => {
                certify(folder.path());
                let [certificate, key] =
                    ["server.pem", "server.key"].map(|name| folder.path().join(name));
                command.arg(encryption).arg(certificate).arg(key).args(rest);
            }
            like => {
                command.args(like);
            }
        }
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let port = line(&mut output).parse().unwrap();
        Self {
            child,
            output,
            port,
            folder,
        }
    }

    /// What a mailer needs to know to reach it.
    pub(crate) fn settings(&self, encryption: Encryption) -> SmtpSettings {
        SmtpSettings {
            encryption,
            authorities: (encryption != Encryption::None).then(|| self.file("ca.pem")),
            ..settings(self.port)
        }
    }

    /// A file of its certificates.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The next mail that it takes.
    pub(crate) fn mail(&mut self) -> Value {
        serde_json::from_str(&line(&mut self.output)).unwrap()
    }

    /// How many mails it took that nobody looked at.
    pub(crate) fn end(mut self) -> usize {
        self.child.kill().unwrap();
        self.output.by_ref().lines().count()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }
}

pub(crate) fn settings(port: u16) -> SmtpSettings {
    SmtpSettings {
        host: "localhost".to_owned(),
        port,
        encryption: Encryption::None,
        authorities: None,
        credentials: None,
        time_out: SmtpSettings::TIME_OUT,
    }
}

pub(crate) fn mailer(settings: SmtpSettings, stationery: Stationery) -> SmtpMailer {
    SmtpMailer::new(settings, stationery).unwrap()
}

/// The mail, as another program reads it.
pub(crate) fn read(mail: &str) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mail.eml");
    fs::write(&path, mail).unwrap();
    let output = python("read.py").arg(path).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn line(output: &mut BufReader<ChildStdout>) -> String {
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    line.trim().to_owned()
}

fn python(script: &str) -> Command {
    let script = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/mail/foreign")
        .join(script);
    let mut command = Command::new(needed("TESSERA_TEST_PYTHON"));
    command.arg(script);
    command
}

#[expect(
    clippy::disallowed_methods,
    reason = "scripts/test says by the environment what it found"
)]
fn needed(name: &str) -> PathBuf {
    let found = env::var_os(name).map(PathBuf::from);
    found.unwrap_or_else(|| panic!("{name} is not set: run ./scripts/test, which provides it"))
}

/// Makes a certificate for `localhost`, and an authority that it is of.
fn certify(folder: &Path) {
    let ca_key = KeyPair::generate().unwrap();
    let mut ca = CertificateParams::default();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca_pem = ca.self_signed(&ca_key).unwrap().pem();
    let issuer = Issuer::new(ca, ca_key);
    let key = KeyPair::generate().unwrap();
    let of_server = CertificateParams::new(["localhost".to_owned()]).unwrap();
    let certificate = of_server.signed_by(&key, &issuer).unwrap().pem();
    let another = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    for (name, text) in [
        ("ca.pem", ca_pem),
        ("server.pem", certificate),
        ("server.key", key.serialize_pem()),
        ("another.pem", another.cert.pem()),
    ] {
        fs::write(folder.join(name), text).unwrap();
    }
}
