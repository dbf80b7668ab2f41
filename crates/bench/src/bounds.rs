//! What this machine could do at best: the work that the service cannot avoid, without the service.

use core::time::Duration;
use std::thread;

use argon2::{Algorithm, Argon2, Block, Params, Version};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, RSA_PKCS1_SHA256,
    RSA_PSS_SHA256, RsaEncoding, RsaKeyPair,
};

use crate::Failure;
use crate::drive::Rate;
use crate::watch::{Stopwatch, thread_cpu};

/// Bare hashes by `threads` threads at once, at the cost that the service has by default.
pub(crate) fn hashes(threads: u32, span: Duration) -> Result<Rate, Failure> {
    let watch = Stopwatch::start();
    let running: Vec<_> = (0..threads)
        .map(|_| thread::spawn(move || hash_for(span)))
        .collect();
    let (mut count, mut cpu) = (0, Duration::ZERO);
    for thread in running {
        let (its, its_cpu) = thread
            .join()
            .map_err(|_| "a thread that hashes panicked")??;
        count += its;
        cpu += its_cpu;
    }
    Rate::of(count, watch.elapsed(), cpu)
}

fn hash_for(span: Duration) -> Result<(usize, Duration), Failure> {
    yield_to_others();
    let refused = |error: argon2::Error| error.to_string();
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(refused)?;
    let mut arena = vec![Block::new(); params.block_count()];
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let mut digest = [0; 32];
    let work = || {
        argon2
            .hash_password_into_with_memory(b"a password", &[7; 16], &mut digest, &mut arena)
            .map_err(|error| error.to_string().into())
    };
    repeat(span, work)
}

/// Gives this thread the priority of the threads that hash in the service, so that what else the
/// machine does interrupts both alike.
fn yield_to_others() {
    // On Linux a nice value belongs to a thread. Without it there is only more noise.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::setpriority_process(None, 10);
}

/// Something that signs.
pub(crate) struct Signer {
    /// Its `alg`.
    pub(crate) name: &'static str,
    sign: Box<Sign>,
}

type Sign = dyn FnMut(&[u8]) -> Result<(), Failure>;

impl Signer {
    /// One for each algorithm that the service signs with, its key parsed.
    pub(crate) fn all() -> Result<Vec<Self>, Failure> {
        let ecdsa = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)?;
        let ed25519 = Ed25519KeyPair::generate()?;
        Ok(vec![
            Self::new("ES256", move |message| {
                Ok(ecdsa.sign(&randomness(), message).map(drop)?)
            }),
            Self::rsa("RS256", &RSA_PKCS1_SHA256)?,
            Self::rsa("PS256", &RSA_PSS_SHA256)?,
            Self::new("EdDSA", move |message| {
                Ok(ed25519.try_sign(message).map(drop)?)
            }),
        ])
    }

    /// Signatures by this thread.
    pub(crate) fn rate(&mut self, span: Duration) -> Result<Rate, Failure> {
        let watch = Stopwatch::start();
        // As long as the header and the claims of an access token.
        let message = [b'x'; 700];
        let (count, cpu) = repeat(span, || (self.sign)(&message))?;
        Rate::of(count, watch.elapsed(), cpu)
    }

    fn rsa(name: &'static str, padding: &'static dyn RsaEncoding) -> Result<Self, Failure> {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048)?;
        let mut signature = vec![0; pair.public_modulus_len()];
        Ok(Self::new(name, move |message| {
            Ok(pair.sign(padding, &randomness(), message, &mut signature)?)
        }))
    }

    fn new(name: &'static str, sign: impl FnMut(&[u8]) -> Result<(), Failure> + 'static) -> Self {
        let sign = Box::new(sign);
        Self { name, sign }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the signing functions ask for it; nothing here is kept"
)]
fn randomness() -> SystemRandom {
    SystemRandom::new()
}

/// Does `work` again and again until `span` is over: how often, and in how much CPU time.
fn repeat(
    span: Duration,
    mut work: impl FnMut() -> Result<(), Failure>,
) -> Result<(usize, Duration), Failure> {
    let (watch, before, mut count) = (Stopwatch::start(), thread_cpu(), 0);
    while watch.elapsed() < span {
        work()?;
        count += 1;
    }
    Ok((count, thread_cpu().saturating_sub(before)))
}

const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;
