//! Passwords that are kept as they are, so that testing costs nothing.

use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::Arc;

use async_trait::async_trait;
use tessera_app::{Overloaded, Passwords};
use tessera_domain::{Password, PasswordRecord, Verdict};
use tokio::sync::watch;

/// Keeps passwords as they are, counts its work, and can be held up.
#[derive(Clone, Debug, Default)]
pub struct PlainPasswords(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    hashed: AtomicUsize,
    overloaded: AtomicBool,
    paused: watch::Sender<bool>,
    verified: watch::Sender<usize>,
}

impl PlainPasswords {
    /// The record of a password, made without work that counts.
    pub fn record(password: &str) -> PasswordRecord {
        PasswordRecord::new(format!("{NOTATION}{password}"))
    }

    /// How many passwords were hashed.
    pub fn hashed(&self) -> usize {
        self.0.hashed.load(Ordering::SeqCst)
    }

    /// How many verifications were begun, with or without a record.
    pub fn verified(&self) -> usize {
        *self.0.verified.borrow()
    }

    /// Waits until that many verifications were begun.
    pub async fn until_verified(&self, count: usize) {
        reached(&self.0.verified, |verified| *verified >= count).await;
    }

    /// Holds verifications, those under way too, until [`Self::resume`].
    pub fn pause(&self) {
        self.0.paused.send_replace(true);
    }

    /// Lets verifications go on.
    pub fn resume(&self) {
        self.0.paused.send_replace(false);
    }

    /// Whether everything is refused as too much.
    pub fn overloaded(&self, overloaded: bool) {
        self.0.overloaded.store(overloaded, Ordering::SeqCst);
    }

    fn accept(&self) -> Result<(), Overloaded> {
        let overloaded = self.0.overloaded.load(Ordering::SeqCst);
        (!overloaded).then_some(()).ok_or(Overloaded)
    }
}

#[async_trait]
impl Passwords for PlainPasswords {
    async fn hash(&self, password: Password) -> Result<PasswordRecord, Overloaded> {
        self.accept()?;
        self.0.hashed.fetch_add(1, Ordering::SeqCst);
        Ok(Self::record(password.as_str()))
    }

    async fn verify(
        &self,
        record: Option<PasswordRecord>,
        password: Password,
    ) -> Result<Verdict, Overloaded> {
        self.accept()?;
        self.0.verified.send_modify(|verified| *verified += 1);
        reached(&self.0.paused, |paused| !paused).await;
        let matches = record.is_some_and(|record| record == Self::record(password.as_str()));
        Ok(if matches {
            Verdict::Match
        } else {
            Verdict::Mismatch
        })
    }
}

/// Waits for a value that is `wanted`; the sender outlives the wait, which therefore cannot fail.
async fn reached<T>(sender: &watch::Sender<T>, wanted: impl FnMut(&T) -> bool) {
    drop(sender.subscribe().wait_for(wanted).await);
}

const NOTATION: &str = "plain:";

#[cfg(test)]
mod tests {
    use tokio::task::JoinSet;

    use super::*;

    fn typed(password: &str) -> Password {
        Password::new(password.to_owned())
    }

    #[tokio::test]
    async fn the_password_of_a_record_matches_and_no_other() {
        let passwords = PlainPasswords::default();
        let record = passwords.hash(typed("correct horse")).await.unwrap();
        for (record, password, verdict) in [
            (Some(record.clone()), "correct horse", Verdict::Match),
            (Some(record), "Correct horse", Verdict::Mismatch),
            (None, "correct horse", Verdict::Mismatch),
            (
                Some(PasswordRecord::new("x".to_owned())),
                "x",
                Verdict::Mismatch,
            ),
        ] {
            let answer = passwords.verify(record, typed(password)).await;
            assert_eq!(answer, Ok(verdict));
        }
        assert_eq!((passwords.hashed(), passwords.verified()), (1, 4));
    }

    #[tokio::test]
    async fn a_verification_is_held_until_it_may_go_on() {
        let passwords = PlainPasswords::default();
        passwords.pause();
        let mut tasks = JoinSet::new();
        let held = passwords.clone();
        tasks.spawn(async move { held.verify(None, typed("x")).await });
        passwords.until_verified(1).await;
        tokio::task::yield_now().await;
        assert!(tasks.try_join_next().is_none());
        passwords.resume();
        assert_eq!(tasks.join_all().await, [Ok(Verdict::Mismatch)]);
    }

    #[tokio::test]
    async fn nothing_is_done_while_there_is_too_much() {
        let passwords = PlainPasswords::default();
        passwords.overloaded(true);
        assert_eq!(passwords.verify(None, typed("x")).await, Err(Overloaded));
        assert_eq!(passwords.hash(typed("x")).await, Err(Overloaded));
        assert_eq!((passwords.hashed(), passwords.verified()), (0, 0));
        passwords.overloaded(false);
        passwords.hash(typed("x")).await.unwrap();
    }
}
