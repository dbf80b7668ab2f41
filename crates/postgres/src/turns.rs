//! Whose turn it is, and with which connection: tenants take turns, however many wait of each, and have
//! the same connection where they can.
//!
//! A backend of Postgres keeps what it learned of each tenant's tables. So it serves a part of the
//! tenants best, and takes a part of the memory that all of them would.

use core::hash::{BuildHasher, BuildHasherDefault};
use std::collections::{HashMap, VecDeque};
use std::hash::DefaultHasher;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tessera_domain::SchemaName;
use tokio::sync::oneshot;

/// As many turns at once as there are slots for connections.
///
/// Who comes while one is free has it. Others wait in lines that take turns, and within one the first
/// comes first. So a tenant waits for as many turns as there are lines, and not for all that another
/// asked for. Each tenant has a usual slot, which it gets before its turn; but the one whose turn it is
/// lets only two pass.
#[derive(Clone)]
pub(crate) struct Turns {
    state: Arc<Mutex<State>>,
}

/// A turn, until it is dropped.
pub(crate) struct Turn {
    state: Arc<Mutex<State>>,
    slot: usize,
    has_connection: bool,
}

/// Where somebody waits.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Line {
    /// Requests of which is not known yet whose they are, and those of administrators.
    Anybody,
    /// The work that goes on beside the requests, and probes: next at once, but not twice in a row
    /// while others wait.
    Service,
    /// Requests of the tenant that shows this schema.
    Tenant(SchemaName),
}

struct State {
    slots: usize,
    /// The slots of which nobody uses the connection, the last one used last.
    free: Vec<Slot>,
    lines: HashMap<Line, VecDeque<oneshot::Sender<Turn>>>,
    /// Those in which somebody waits, the next one first.
    order: VecDeque<Line>,
    /// How many went before the one that is next.
    passed: usize,
    /// Whether the last one called was of the service.
    service_was_last: bool,
}

/// A place for a connection.
#[derive(Clone, Copy)]
struct Slot {
    number: usize,
    has_connection: bool,
}

impl Turns {
    /// So many turns, all of them free.
    pub(crate) fn new(slots: usize) -> Self {
        let free = (0..slots).rev().map(|number| Slot {
            number,
            has_connection: false,
        });
        let state = State {
            slots,
            free: free.collect(),
            lines: HashMap::new(),
            order: VecDeque::new(),
            passed: 0,
            service_was_last: false,
        };
        Self {
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// Waits for a turn; who does not wait any longer is passed over.
    pub(crate) async fn take(&self, line: &Line) -> Turn {
        loop {
            match self.ask(line) {
                Ok(turn) => return turn,
                // Nobody drops a call that is waited for, but nothing here says so.
                Err(called) => {
                    if let Ok(turn) = called.await {
                        return turn;
                    }
                }
            }
        }
    }

    /// How many wait.
    pub(crate) fn waiting(&self) -> usize {
        let state = lock(&self.state);
        let calls = state.lines.values().flatten();
        calls.filter(|call| !call.is_closed()).count()
    }

    fn ask(&self, line: &Line) -> Result<Turn, oneshot::Receiver<Turn>> {
        let mut state = lock(&self.state);
        if let Some(slot) = state.free_slot(line) {
            return Ok(Turn {
                state: Arc::clone(&self.state),
                slot: slot.number,
                has_connection: slot.has_connection,
            });
        }
        let (call, called) = oneshot::channel();
        state.join(line, call);
        Err(called)
    }
}

impl Turn {
    /// Which slot it is a turn for.
    pub(crate) fn slot(&self) -> usize {
        self.slot
    }

    /// Notes whether the slot has a connection.
    pub(crate) fn set_has_connection(&mut self, has_connection: bool) {
        self.has_connection = has_connection;
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut state = lock(&self.state);
        let slot = Slot {
            number: self.slot,
            has_connection: self.has_connection,
        };
        let Some(call) = state.next(slot.number) else {
            state.free.push(slot);
            return;
        };
        drop(state);
        // One whose waiter left after all comes back here.
        let _ = call.send(Self {
            state: Arc::clone(&self.state),
            slot: slot.number,
            has_connection: slot.has_connection,
        });
    }
}

impl State {
    /// The usual one, or else the one used last; one without a connection where there is no other.
    fn free_slot(&mut self, line: &Line) -> Option<Slot> {
        let usual = self.usual_slot(line);
        let worth = |slot: &Slot| (slot.has_connection, Some(slot.number) == usual);
        let slots = self.free.iter().enumerate();
        let (place, _) = slots.max_by_key(|(_, slot)| worth(slot))?;
        Some(self.free.remove(place))
    }

    fn usual_slot(&self, line: &Line) -> Option<usize> {
        let Line::Tenant(schema) = line else {
            return None;
        };
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(schema);
        let upper = usize::try_from(hash >> u32::BITS).ok()?;
        upper.checked_rem(self.slots)
    }

    fn join(&mut self, line: &Line, call: oneshot::Sender<Turn>) {
        if let Some(waiting) = self.lines.get_mut(line) {
            // Where no turn comes for long, who left is forgotten here.
            forget_who_left(waiting);
            waiting.push_back(call);
            return;
        }
        self.lines.insert(line.clone(), VecDeque::from([call]));
        match line {
            Line::Anybody | Line::Tenant(_) => self.order.push_back(line.clone()),
            Line::Service => self.order.push_front(line.clone()),
        }
    }

    /// Who waited longest, of the line whose turn it is at this slot.
    fn next(&mut self, slot: usize) -> Option<oneshot::Sender<Turn>> {
        while let Some(line) = self.next_line(slot) {
            let Some(waiting) = self.lines.get_mut(&line) else {
                continue;
            };
            forget_who_left(waiting);
            let called = waiting.pop_front();
            let of_service = line == Line::Service;
            if waiting.is_empty() {
                self.lines.remove(&line);
            } else {
                self.order.push_back(line);
            }
            if called.is_some() {
                self.service_was_last = of_service;
                return called;
            }
        }
        None
    }

    /// The service, unless that would be twice in a row; else the next one that usually has the slot,
    /// unless too many went before another.
    fn next_line(&mut self, slot: usize) -> Option<Line> {
        let service_waits = self.order.front() == Some(&Line::Service);
        let first = usize::from(service_waits);
        if first == self.order.len() || (service_waits && !self.service_was_last) {
            return self.order.pop_front();
        }
        let mut near = self.order.iter().skip(first).take(self.slots * NEAR);
        let usual = near.position(|line| self.usual_slot(line) == Some(slot));
        let next = usual.filter(|_| self.passed < PASSING).unwrap_or(0);
        self.passed = if next == 0 { 0 } else { self.passed + 1 };
        self.order.remove(first + next)
    }
}

/// Those at the front; others once they come there.
fn forget_who_left(waiting: &mut VecDeque<oneshot::Sender<Turn>>) {
    while waiting.front().is_some_and(oneshot::Sender::is_closed) {
        waiting.pop_front();
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// So many may go before the one whose turn it is.
const PASSING: usize = 2;
/// Among so many lines a slot, the one that usually has it is looked for.
const NEAR: usize = 4;

#[cfg(test)]
mod tests {
    use core::pin::Pin;
    use core::task::{Context, Waker};

    use proptest::prelude::*;

    use super::*;

    /// Somebody who waits, or has a turn.
    struct Guest {
        waits: Pin<Box<dyn Future<Output = Turn>>>,
        turn: Option<Turn>,
    }

    impl Guest {
        fn come(turns: &Turns, line: Line) -> Self {
            let turns = turns.clone();
            let mut guest = Self {
                waits: Box::pin(async move { turns.take(&line).await }),
                turn: None,
            };
            guest.has_turn();
            guest
        }

        fn slot(&self) -> usize {
            self.turn.as_ref().unwrap().slot()
        }

        fn has_turn(&mut self) -> bool {
            if self.turn.is_none() {
                let polled = self
                    .waits
                    .as_mut()
                    .poll(&mut Context::from_waker(Waker::noop()));
                self.turn = match polled {
                    core::task::Poll::Ready(turn) => Some(turn),
                    core::task::Poll::Pending => None,
                };
            }
            self.turn.is_some()
        }
    }

    #[test]
    fn a_tenant_is_next_however_many_wait_of_another() {
        let turns = Turns::new(1);
        let first = Guest::come(&turns, tenant(0));
        let mut loud: Vec<_> = (0..100).map(|_| Guest::come(&turns, tenant(0))).collect();
        let mut quiet = Guest::come(&turns, tenant(1));
        let mut service = Guest::come(&turns, Line::Service);
        assert_eq!(turns.waiting(), 102);
        drop(first);
        assert!(service.has_turn());
        let mut again = Guest::come(&turns, Line::Service);
        drop(service);
        assert!(loud.remove(0).has_turn());
        assert!(again.has_turn());
        drop(again);
        assert!(quiet.has_turn());
        drop(quiet);
        assert!(loud.remove(0).has_turn());
        drop(loud);
        assert_eq!(turns.waiting(), 0);
        assert!(Guest::come(&turns, tenant(2)).has_turn());
    }

    #[test]
    fn a_tenant_has_its_usual_slot_where_that_has_a_connection_and_is_free() {
        let turns = Turns::new(3);
        let (usual, other) = (turns.usual(&tenant(0)), Line::Anybody);
        let mut all: Vec<_> = (0..3).map(|_| Guest::come(&turns, other.clone())).collect();
        assert!(all.iter().all(|guest| guest.slot() < 3));
        // One that was never connected to is not made while another one is there.
        let place = all.iter().position(|guest| guest.slot() != usual).unwrap();
        let mut connected = all.remove(place);
        connected.turn.as_mut().unwrap().set_has_connection(true);
        let slot = connected.slot();
        drop((connected, all));
        assert_eq!(Guest::come(&turns, tenant(0)).slot(), slot);
        let mut all: Vec<_> = (0..3).map(|_| Guest::come(&turns, other.clone())).collect();
        for guest in &mut all {
            guest.turn.as_mut().unwrap().set_has_connection(true);
        }
        drop(all);
        let has = Guest::come(&turns, tenant(0));
        assert_eq!(has.slot(), usual);
        assert_ne!(Guest::come(&turns, tenant(0)).slot(), usual);
    }

    #[test]
    fn a_slot_goes_to_whom_it_is_usual_for_but_not_before_another_for_ever() {
        let turns = Turns::new(2);
        let anybody = || Guest::come(&turns, Line::Anybody);
        let (mut has, _other) = (anybody(), anybody());
        let at = |here: bool| {
            let lines = (0..=u8::MAX).map(tenant);
            let slot = has.slot();
            let turns = &turns;
            lines.filter(move |line| (turns.usual(line) == slot) == here)
        };
        let mut next = Guest::come(&turns, at(false).next().unwrap());
        let usual: Vec<_> = at(true).take(3).collect();
        let mut usual: Vec<_> = usual
            .into_iter()
            .map(|line| Guest::come(&turns, line))
            .collect();
        for _ in 0..PASSING {
            drop(has);
            has = usual.remove(0);
            assert!(has.has_turn());
        }
        drop(has);
        assert!(next.has_turn());
        assert!(!usual.remove(0).has_turn());
    }

    #[test]
    fn a_turn_that_was_called_and_not_taken_goes_on_to_the_next() {
        let turns = Turns::new(1);
        let first = Guest::come(&turns, tenant(0));
        let left = Guest::come(&turns, tenant(1));
        let mut stays = Guest::come(&turns, tenant(2));
        drop(first);
        drop(left);
        assert!(stays.has_turn());
    }

    impl Turns {
        fn usual(&self, line: &Line) -> usize {
            lock(&self.state).usual_slot(line).unwrap()
        }
    }

    fn tenant(number: u8) -> Line {
        Line::Tenant(SchemaName::restore(format!("tenant_{number}")))
    }

    #[derive(Clone, Debug)]
    enum Step {
        Comes(Line),
        Leaves(prop::sample::Index),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (0..3_u8).prop_map(|number| Step::Comes(tenant(number))),
            prop_oneof![Just(Line::Anybody), Just(Line::Service)].prop_map(Step::Comes),
            any::<prop::sample::Index>().prop_map(Step::Leaves),
        ]
    }

    proptest! {
        #[test]
        fn nobody_waits_while_a_turn_is_free_and_no_line_is_passed_over(
            count in 1..4_usize,
            steps in prop::collection::vec(step(), 0..60),
        ) {
            let turns = Turns::new(count);
            let mut guests: Vec<(Line, Guest, usize)> = Vec::new();
            let mut service_was_last = false;
            for step in steps {
                match step {
                    Step::Comes(line) => {
                        guests.push((line.clone(), Guest::come(&turns, line), 0));
                    }
                    Step::Leaves(index) if !guests.is_empty() => {
                        let place = index.index(guests.len());
                        drop(guests.remove(place));
                    }
                    Step::Leaves(_) => {}
                }
                let before: Vec<bool> = guests.iter().map(|it| it.1.turn.is_some()).collect();
                let have: Vec<bool> = guests.iter_mut().map(|it| it.1.has_turn()).collect();
                let with_turn = have.iter().filter(|has| **has).count();
                prop_assert_eq!(with_turn, count.min(guests.len()));
                prop_assert_eq!(turns.waiting(), guests.len() - with_turn);
                let called = before.iter().zip(&have).position(|(before, has)| !before && *has);
                let Some(called) = called else { continue };
                let of = guests[called].0.clone();
                let mut seen = Vec::new();
                for ((line, _, passed), has) in guests.iter_mut().zip(&have) {
                    if *has || seen.contains(line) {
                        continue;
                    }
                    seen.push(line.clone());
                    // Each other line goes before the first of a line once at most, and with each
                    // two that have their usual slot; the service not twice in a row.
                    prop_assert!(of == *line || of != Line::Service || !service_was_last);
                    *passed += usize::from(of != *line && of != Line::Service);
                    prop_assert!(*passed <= 4 * (PASSING + 1), "{line:?} is passed over");
                }
                service_was_last = of == Line::Service;
            }
        }
    }
}
