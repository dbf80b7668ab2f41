//! A session: the family of refresh tokens that one log in began.
//!
//! ```text
//!                   current: rotate
//!                  ┌──────────────┐
//!   log in         ▼              │     older, or the one before after the grace: reuse
//!  ────────▶ live, generation n ──┘ ─────────────────────────────────────────────▶ ended
//!            │  ▲  the one before, within the grace:        log out, limit            ▲
//!            │  └─ the same successor, nothing written  ───────────────────────────────┤
//!            └──── idle end, absolute end, the user's epoch moved on: dead ────────────┘
//! ```
//!
//! Which token is old is decided by generations alone; only the grace reads a clock. A reuse ends the
//! session unless, within the grace of the live token, it was left behind: that is seen outside.

use core::time::Duration;

use crate::event::{EventKind, Fact, SessionEnd, Subject};
use crate::token::{Rotation, TokenPolicy};
use crate::user::Epoch;
use crate::{Id, KeyId, RefreshClaims, Tenant, Timestamp, User};

/// A log in that can be refreshed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Session {
    /// Its id, `sid` in tokens.
    pub id: Id<Session>,
    /// Whose it is.
    pub user: Id<User>,
    /// The user's epoch it belongs to; it is dead once the user's moved on.
    pub epoch: Epoch,
    /// The one refresh token that is live.
    pub generation: Generation,
    /// When that token was made, and with it the one before replaced.
    pub refreshed_at: Timestamp,
    /// When that token, and so the session, ends unless it is refreshed.
    pub idle_end: Timestamp,
    /// When it ends however often it is refreshed.
    pub absolute_end: Timestamp,
    /// The key that signs that token.
    pub key: KeyId,
    /// When the log in was.
    pub created_at: Timestamp,
    /// Where the log in came from.
    pub device: Device,
    /// How often a wrong password was given in it, since the last right one.
    pub wrong_passwords: u32,
    /// That it was ended, before its time.
    pub ended: Option<SessionEnded>,
    /// The version this value was read at; a write of a stale one is refused.
    pub version: u64,
}

impl Session {
    /// The session that a log in of `user` begins.
    pub fn begin(
        user: &User,
        id: Id<Self>,
        key: KeyId,
        device: Device,
        now: Timestamp,
        policy: &TokenPolicy,
    ) -> Self {
        let absolute_end = now + policy.session_lifetime;
        Self {
            id,
            user: user.id,
            epoch: user.epoch,
            generation: Generation::FIRST,
            refreshed_at: now,
            idle_end: absolute_end.min(now + policy.refresh_lifetime),
            absolute_end,
            key,
            created_at: now,
            device,
            wrong_passwords: 0,
            ended: None,
            version: 0,
        }
    }

    /// What a genuine refresh token of this session, the one of generation `presented`, gives.
    ///
    /// `epoch` is the user's; `key` signs the successor, if there is to be one.
    pub fn refresh(
        &self,
        presented: Generation,
        epoch: Epoch,
        key: &KeyId,
        now: Timestamp,
        policy: &TokenPolicy,
    ) -> Refresh {
        if self.ended.is_some() || self.epoch != epoch {
            return Refresh::Refuse(Dead::Ended);
        }
        if presented > self.generation {
            return Refresh::Refuse(Dead::NeverMade);
        }
        let within_grace =
            presented.next() == self.generation && self.was_refreshed_within_grace(now, policy);
        if presented < self.generation && !within_grace {
            return Refresh::Reuse(self.end(SessionEnd::Reuse, now));
        }
        if now >= self.idle_end {
            return Refresh::Refuse(Dead::Expired);
        }
        if within_grace {
            return Refresh::Repeat;
        }
        match policy.rotation {
            Rotation::EveryRefresh => Refresh::Rotate(Self {
                generation: self.generation.next(),
                refreshed_at: now,
                idle_end: self.absolute_end.min(now + policy.refresh_lifetime),
                key: key.clone(),
                ..self.clone()
            }),
            Rotation::Never => Refresh::Keep,
        }
    }

    /// Whether its live token was made so lately that the one before still gives it.
    pub fn was_refreshed_within_grace(&self, now: Timestamp, policy: &TokenPolicy) -> bool {
        now < self.refreshed_at + policy.grace.min(LONGEST_GRACE)
    }

    /// The session, ended before its time.
    #[must_use]
    pub fn end(&self, why: SessionEnd, now: Timestamp) -> Self {
        Self {
            ended: Some(SessionEnded { at: now, why }),
            ..self.clone()
        }
    }

    /// The session after a wrong password was given in it; the last one that it may give ends it.
    ///
    /// Whoever holds a token of it has so many guesses and no more, whatever strangers do at log in.
    #[must_use]
    pub fn with_wrong_password(&self, now: Timestamp) -> Self {
        let counted = Self {
            wrong_passwords: self.wrong_passwords.saturating_add(1),
            ..self.clone()
        };
        if counted.wrong_passwords < WRONG_PASSWORDS {
            counted
        } else {
            counted.end(SessionEnd::Guessing, now)
        }
    }

    /// That it was ended: the first event of a session, or the second after a reuse.
    pub fn ended_fact(&self, why: SessionEnd) -> Fact {
        Fact {
            subject: Subject::Session(self.id),
            sequence: if why == SessionEnd::Reuse { 2 } else { 1 },
            kind: EventKind::SessionEnded {
                user: self.user,
                why,
            },
        }
    }

    /// That a token of it was used again.
    pub fn reused_fact(&self, presented: Generation) -> Fact {
        Fact {
            subject: Subject::Session(self.id),
            sequence: 1,
            kind: EventKind::RefreshReused {
                user: self.user,
                presented,
                current: self.generation,
            },
        }
    }

    /// The same session in the user's new epoch: the one that gave the password and outlives the
    /// others.
    #[must_use]
    pub fn carried_into(&self, epoch: Epoch) -> Self {
        Self {
            epoch,
            wrong_passwords: 0,
            ..self.clone()
        }
    }

    /// Whether a token of it works, while the user's epoch is `epoch`.
    pub fn is_live(&self, epoch: Epoch, now: Timestamp) -> bool {
        self.ended.is_none() && self.epoch == epoch && now < self.idle_end
    }

    /// What has to go of a user's `sessions` before one more begins: the dead, and the oldest of
    /// the live when there are `policy.sessions_per_user` already.
    pub fn make_room(
        sessions: Vec<Self>,
        epoch: Epoch,
        now: Timestamp,
        policy: &TokenPolicy,
    ) -> Room {
        let (mut live, dead): (Vec<_>, Vec<_>) = sessions
            .into_iter()
            .partition(|session| session.is_live(epoch, now));
        live.sort_by_key(|session| (session.refreshed_at, session.id));
        let excess = (live.len() + 1).saturating_sub(policy.sessions_per_user.max(1));
        live.truncate(excess);
        Room {
            dead: dead.iter().map(|session| session.id).collect(),
            evicted: live,
        }
    }

    /// What its live refresh token says.
    pub fn refresh_claims(&self, tenant: &Tenant) -> RefreshClaims {
        RefreshClaims {
            session: self.id,
            generation: self.generation,
            tenant_id: tenant.shown_id(),
            tenant_schema: tenant.schema.clone(),
            issued_at: self.refreshed_at,
            expires_at: self.idle_end,
            key: self.key.clone(),
        }
    }
}

/// The sessions that make room for one more.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Room {
    /// Those that gave nothing any more.
    pub dead: Vec<Id<Session>>,
    /// Those that were live, least recently refreshed first.
    pub evicted: Vec<Session>,
}

/// Which refresh token of a session: the first, the second, and so on (`gen` in a token).
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Generation(u64);

impl Generation {
    /// The token of the log in.
    pub const FIRST: Self = Self(1);

    /// The generation with this number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Its number, from 1.
    pub const fn number(self) -> u64 {
        self.0
    }

    /// The one that replaces it.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// What a refresh gives.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Refresh {
    /// A new access token; the refresh token presented stays (rotation is off).
    Keep,
    /// The session ends here and now: a token that was replaced came again.
    Reuse(Session),
    /// Nothing: the session is dead already.
    Refuse(Dead),
    /// The live refresh token once more: its predecessor came within the grace.
    Repeat,
    /// The next refresh token, once this is committed.
    Rotate(Session),
}

/// Why a session gives nothing any more.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Dead {
    /// It was ended, alone or with all of the user's.
    Ended,
    /// Its time is over.
    Expired,
    /// The token is of a generation that does not exist (yet, or in this copy of the data).
    NeverMade,
}

/// When and why a session was ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SessionEnded {
    /// When.
    pub at: Timestamp,
    /// Why.
    pub why: SessionEnd,
}

/// What is known of where a log in came from.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Device {
    /// The client's address.
    pub ip: Option<String>,
    /// The `User-Agent` it sent, cut at 256 characters.
    pub user_agent: Option<String>,
}

impl Device {
    /// A device from what a request says of it.
    pub fn new(ip: Option<String>, user_agent: Option<&str>) -> Self {
        Self {
            ip,
            user_agent: user_agent.map(|agent| agent.chars().take(256).collect()),
        }
    }
}

/// How many wrong passwords end a session.
const WRONG_PASSWORDS: u32 = 5;
const LONGEST_GRACE: Duration = Duration::from_mins(1);

#[cfg(test)]
mod tests;
