//! Families of refresh tokens, as a list of tokens and a handful of moments.

use core::time::Duration;

use tessera_app::Grant;
use tessera_domain::{Timestamp, TokenPolicy};

/// What there is of one account.
pub(super) struct Model {
    pub(super) now: Timestamp,
    disabled: bool,
    /// Wrong passwords since the last right one, and until when they lock.
    wrong: u32,
    locked_until: Timestamp,
    policy: TokenPolicy,
    families: Vec<Family>,
}

struct Family {
    /// All that rotations gave, oldest first: the last one is the one live leaf.
    grants: Vec<Grant>,
    refreshed_at: Timestamp,
    idle_end: Timestamp,
    absolute_end: Timestamp,
    ended: bool,
    /// No longer stored: a log in removed it.
    forgotten: bool,
}

/// What a refresh is to give.
#[derive(Debug)]
pub(super) enum Refreshed {
    /// Nothing, with these events.
    Refused(Vec<&'static str>),
    /// This token again.
    Repeated(String),
    /// A token that was never there.
    Rotated,
}

impl Model {
    pub(super) fn new(policy: TokenPolicy, now: Timestamp) -> Self {
        Self {
            now,
            disabled: false,
            wrong: 0,
            locked_until: now,
            policy,
            families: Vec::new(),
        }
    }

    pub(super) fn families(&self) -> usize {
        self.families.len()
    }

    pub(super) fn latest(&self, family: usize) -> &Grant {
        self.families[family].grants.last().unwrap()
    }

    pub(super) fn refuses_log_in(&self) -> bool {
        self.disabled || self.now < self.locked_until
    }

    /// A wrong password at log in.
    pub(super) fn guess(&mut self) -> Vec<&'static str> {
        if self.refuses_log_in() {
            return vec!["LoginFailed"];
        }
        self.wrong += 1;
        let Some(locks_before) = self.wrong.checked_sub(5) else {
            return vec!["LoginFailed"];
        };
        self.locked_until = self.now + Duration::from_secs(30) * 2_u32.pow(locks_before);
        vec!["LoginFailed", "UserLocked"]
    }

    pub(super) fn log_in(&mut self, grant: Grant) -> usize {
        self.wrong = 0;
        for index in 0..self.families.len() {
            self.families[index].forgotten |= !self.is_live(index);
        }
        let absolute_end = self.now + self.policy.session_lifetime;
        self.families.push(Family {
            grants: vec![grant],
            refreshed_at: self.now,
            idle_end: absolute_end.min(self.now + self.policy.refresh_lifetime),
            absolute_end,
            ended: false,
            forgotten: false,
        });
        self.families.len() - 1
    }

    /// The token that is presented, the one `age` before the live one, and what it gives.
    pub(super) fn refresh(&mut self, index: usize, age: usize) -> (String, Refreshed) {
        let (now, grace, disabled) = (self.now, self.policy.grace, self.disabled);
        let family = &mut self.families[index];
        let presented = family.grants.len().saturating_sub(1 + age);
        let age = family.grants.len() - 1 - presented;
        let token = |grant: &Grant| grant.refresh.clone().unwrap();
        let leaf = token(family.grants.last().unwrap());
        let given = token(&family.grants[presented]);
        let graced = age == 1 && now < family.refreshed_at + grace;
        let refreshed = if disabled || family.ended || family.forgotten {
            Refreshed::Refused(vec![])
        } else if age > 0 && !graced {
            family.ended = true;
            Refreshed::Refused(vec!["RefreshReused", "SessionEnded"])
        } else if now >= family.idle_end {
            Refreshed::Refused(vec![])
        } else if graced {
            Refreshed::Repeated(leaf)
        } else {
            Refreshed::Rotated
        };
        (given, refreshed)
    }

    /// Takes in a rotation; whether its token is new, as it has to be.
    pub(super) fn rotated(&mut self, index: usize, grant: Grant) -> bool {
        let all = self.families.iter().flat_map(|family| &family.grants);
        let new = !all.clone().any(|known| known.refresh == grant.refresh);
        let family = &mut self.families[index];
        family.refreshed_at = self.now;
        family.idle_end = family
            .absolute_end
            .min(self.now + self.policy.refresh_lifetime);
        family.grants.push(grant);
        new
    }

    pub(super) fn log_out(&mut self, index: usize) -> Vec<&'static str> {
        let live = self.is_live(index);
        self.families[index].ended |= live;
        if live { vec!["SessionEnded"] } else { vec![] }
    }

    /// All but `spared` end.
    pub(super) fn end_all(&mut self, spared: Option<usize>) -> Vec<&'static str> {
        let mut events = Vec::new();
        for index in (0..self.families.len()).filter(|index| Some(*index) != spared) {
            if self.is_live(index) {
                events.push("SessionEnded");
            }
            self.families[index].ended = true;
        }
        events
    }

    pub(super) fn disable(&mut self) -> Vec<&'static str> {
        if self.disabled {
            return vec![];
        }
        self.disabled = true;
        let mut events = vec!["UserDisabled"];
        events.extend(self.end_all(None));
        events
    }

    pub(super) fn enable(&mut self) -> Vec<&'static str> {
        let changes = self.disabled;
        self.disabled = false;
        if changes { vec!["UserEnabled"] } else { vec![] }
    }

    /// Whether the access token given last still works.
    pub(super) fn validates(&self, index: usize) -> bool {
        let given = self.families[index].refreshed_at;
        let lifetime: Duration = self.policy.access_lifetime;
        !self.disabled && self.is_live(index) && self.now < given + lifetime
    }

    fn is_live(&self, index: usize) -> bool {
        let family = &self.families[index];
        !family.ended && !family.forgotten && self.now < family.idle_end
    }
}
