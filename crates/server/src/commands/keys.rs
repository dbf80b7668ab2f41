//! `tessera keys`: shows the signing keys, changes which one signs, prints the public ones.

use serde::Serialize;
use serde_json::{Value, json};
use tessera_app::{PublicKey, RotateKeys};
use tessera_domain::Key;

use crate::cli::{ExportFormat, KeysCommand};
use crate::config::Config;
use crate::failure::Failure;
use crate::output::{self, Output};
use crate::views::KeyView;
use crate::wiring::{KeyRingUse, Wired};

pub(super) async fn run(
    command: KeysCommand,
    config: &Config,
    output: Output,
) -> Result<(), Failure> {
    let wired = super::open(config, KeyRingUse::Opened).await?;
    match command {
        KeysCommand::Export { format } => export(&wired, format, output),
        KeysCommand::List => {
            let ring = wired.tessera.signing_keys().await?;
            let now = wired.tessera.ports().clock.now();
            let view = |key| KeyView::new(key, &ring, now);
            output.many(
                &KeyView::COLUMNS,
                &ring.iter().map(view).collect::<Vec<_>>(),
            )
        }
        KeysCommand::Retire { kid } => {
            let key = wired.tessera.retire_key(&kid).await?;
            show(&wired, &key, output).await
        }
        KeysCommand::Rotate { now } => {
            let when = if now {
                RotateKeys::AtOnce
            } else {
                RotateKeys::Announced
            };
            let key = wired.tessera.rotate_keys(when).await?;
            show(&wired, &key, output).await
        }
    }
}

async fn show(wired: &Wired, key: &Key, output: Output) -> Result<(), Failure> {
    let ring = wired.tessera.signing_keys().await?;
    let now = wired.tessera.ports().clock.now();
    output.one(&KeyView::new(key, &ring, now))
}

fn export(wired: &Wired, format: ExportFormat, output: Output) -> Result<(), Failure> {
    let public = wired.tessera.ports().tokens.public_keys();
    if public.keys.is_empty() && format != ExportFormat::Jwks {
        return Err(Failure::Failed(
            "there is no public key: tokens are signed with a shared secret".to_owned(),
        ));
    }
    match (format, output) {
        (ExportFormat::Jwks, _) => {
            let keys: Value =
                serde_json::from_str(&public.jwks).map_err(|error| Failure::because(&error))?;
            output::document(&keys)
        }
        (ExportFormat::Kong, _) => output::document(&kong(&public.keys)),
        (ExportFormat::Pem, Output::Json) => {
            output::document(&public.keys.iter().map(PublicPem::from).collect::<Vec<_>>())
        }
        (ExportFormat::Pem, Output::Text) => {
            let blocks = public.keys.iter().map(|key| {
                let (kid, algorithm) = (key.kid.as_str(), key.algorithm);
                format!("# kid {kid}, {algorithm}\n{}\n", key.pem.trim_end())
            });
            output::write(&blocks.collect::<String>())
        }
    }
}

/// One key as PEM.
#[derive(Serialize)]
struct PublicPem<'a> {
    kid: &'a str,
    alg: &'static str,
    pem: &'a str,
}

impl<'a> From<&'a PublicKey> for PublicPem<'a> {
    fn from(key: &'a PublicKey) -> Self {
        Self {
            kid: key.kid.as_str(),
            alg: key.algorithm.as_str(),
            pem: &key.pem,
        }
    }
}

/// Kong's `jwt` plugin fetches no JWKS: it has one credential a key, found by the `kid` of a token.
/// The declarative configuration is YAML, of which JSON is a part.
fn kong(keys: &[PublicKey]) -> Value {
    let secrets: Vec<Value> = keys
        .iter()
        .map(|key| {
            json!({
                "key": key.kid.as_str(),
                "algorithm": key.algorithm.as_str(),
                "rsa_public_key": key.pem,
            })
        })
        .collect();
    json!({
        "_format_version": "3.0",
        "consumers": [{ "username": "tessera", "jwt_secrets": secrets }],
        "plugins": [{
            "name": "jwt",
            "config": { "key_claim_name": "kid", "claims_to_verify": ["exp"] },
        }],
    })
}
