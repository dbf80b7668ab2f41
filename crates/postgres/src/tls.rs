//! Encryption of connections, and whose certificates are believed.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};
use tokio_postgres_rustls::MakeRustlsConnect;

/// Which servers are believed to be the one that is meant.
#[derive(Debug)]
pub(crate) enum Trust {
    /// Whoever answers: what is sent is encrypted, and that is all.
    Anyone,
    /// Those with a certificate that one of the roots issued.
    Issuer(Roots),
    /// Those of them whose certificate is made out to the host.
    IssuerAndName(Roots),
}

/// Whose certificates are trusted.
#[derive(Debug)]
pub(crate) enum Roots {
    /// Those in a file, in PEM form.
    File(PathBuf),
    /// Those that the operating system trusts.
    System,
}

/// What makes a connection encrypted.
pub(crate) fn connector(trust: &Trust) -> io::Result<MakeRustlsConnect> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let check = match trust {
        Trust::Anyone => Check::Nothing,
        Trust::Issuer(roots) => Check::issuer(roots, &provider, Name::Any)?,
        Trust::IssuerAndName(roots) => Check::issuer(roots, &provider, Name::OfHost)?,
    };
    let verifier = Verifier {
        check,
        provider: Arc::clone(&provider),
    };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

#[derive(Debug)]
struct Verifier {
    check: Check,
    provider: Arc<CryptoProvider>,
}

#[derive(Debug)]
enum Check {
    Nothing,
    Issued {
        by: Arc<WebPkiServerVerifier>,
        /// A root may be the server's own certificate, which has no issuer to look for.
        or_one_of: Vec<CertificateDer<'static>>,
        name: Name,
    },
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Name {
    Any,
    OfHost,
}

impl Check {
    fn issuer(roots: &Roots, provider: &Arc<CryptoProvider>, name: Name) -> io::Result<Self> {
        let trusted = certificates(roots)?;
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(trusted.iter().cloned());
        let by = WebPkiServerVerifier::builder_with_provider(Arc::new(store), Arc::clone(provider))
            .build()
            .map_err(io::Error::other)?;
        let or_one_of = match roots {
            Roots::File(_) => trusted,
            Roots::System => Vec::new(),
        };
        Ok(Self::Issued {
            by,
            or_one_of,
            name,
        })
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Check::Issued {
            by,
            or_one_of,
            name,
        } = &self.check
        else {
            return Ok(ServerCertVerified::assertion());
        };
        if or_one_of.iter().any(|trusted| trusted == end_entity) {
            if *name == Name::OfHost {
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
            }
            return Ok(ServerCertVerified::assertion());
        }
        match by.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            // The name is looked at last, once the issuer was found to be trusted.
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if *name == Name::Any => Ok(ServerCertVerified::assertion()),
            verdict => verdict,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let algorithms = &self.provider.signature_verification_algorithms;
        algorithms.supported_schemes()
    }
}

fn certificates(roots: &Roots) -> io::Result<Vec<CertificateDer<'static>>> {
    let certificates = match roots {
        Roots::File(path) => CertificateDer::pem_file_iter(path)
            .and_then(Iterator::collect)
            .map_err(|error| io::Error::other(format!("{}: {error}", path.display())))?,
        Roots::System => rustls_native_certs::load_native_certs().certs,
    };
    if certificates.is_empty() {
        return Err(io::Error::other(match roots {
            Roots::File(path) => format!("{}: no certificate in it", path.display()),
            Roots::System => "the system has none; name a file with sslrootcert".to_owned(),
        }));
    }
    Ok(certificates)
}
