//! Whose turn it is, and with which connection: tenants take turns, however many wait of each, and have
//! the same connection where they can.
//!
//! A backend of Postgres keeps what it learned of each tenant's tables. So it serves a part of the
//! tenants best, and takes a part of the memory that all of them would.

use core::hash::{BuildHasher, BuildHasherDefault};
use core::iter;
use std::collections::{HashMap, VecDeque};
use std::hash::DefaultHasher;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tessera_domain::SchemaName;
use tokio::sync::oneshot;

/// As many turns at once as there are slots for connections.
///
/// Who comes while one is free has it. Others wait in lines that take turns, and within one the first
/// comes first. So a tenant waits for as many turns as there are lines, and not for all that another
/// asked for. Nor does one tenant have all turns at once: they might all wait for a lock in its tables.
/// Each tenant has a usual slot, for which a few may wait for a moment before they take any. They go
/// before those in the lines; but the one whose turn it is there lets only so many pass.
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

/// How somebody who waits is told.
type Call = oneshot::Sender<Turn>;

struct State {
    /// So many turns one tenant may have at once.
    most: usize,
    /// Who has the turn of each slot, where that is a tenant, by a hash.
    had_by: Vec<Option<u64>>,
    /// The slots of which nobody uses the connection, the last one used last.
    free: Vec<Slot>,
    /// Who waits for just that slot: of each line one.
    at_slots: Vec<VecDeque<(Line, Call)>>,
    lines: HashMap<Line, VecDeque<Call>>,
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
    /// So many turns, all of them free, of which one tenant may have `most` at once.
    pub(crate) fn new(slots: usize, most: usize) -> Self {
        let free = (0..slots).rev().map(|number| Slot {
            number,
            has_connection: false,
        });
        let state = State {
            most,
            had_by: vec![None; slots],
            free: free.collect(),
            at_slots: iter::repeat_with(VecDeque::new).take(slots).collect(),
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

    /// Waits for a turn with the usual slot of that line: none where it has no connection, or too many
    /// others wait for it, or one of the same line does.
    pub(crate) async fn take_usual(&self, line: &Line) -> Option<Turn> {
        let asked = self.ask_usual(line)?;
        match asked {
            Ok(turn) => Some(turn),
            Err(called) => called.await.ok(),
        }
    }

    /// How many wait.
    pub(crate) fn waiting(&self) -> usize {
        let state = lock(&self.state);
        let at_slots = state.at_slots.iter().flatten().map(|(_, call)| call);
        let calls = state.lines.values().flatten().chain(at_slots);
        calls.filter(|call| !call.is_closed()).count()
    }

    fn ask(&self, line: &Line) -> Result<Turn, oneshot::Receiver<Turn>> {
        let tenant = tenant(line);
        let mut state = lock(&self.state);
        if may_have_more(&state.had_by, state.most, tenant)
            && let Some(slot) = state.free_slot(tenant)
        {
            state.note(slot.number, tenant);
            return Ok(self.turn(slot));
        }
        let (call, called) = oneshot::channel();
        state.join(line, call);
        Err(called)
    }

    fn ask_usual(&self, line: &Line) -> Option<Result<Turn, oneshot::Receiver<Turn>>> {
        let tenant = tenant(line);
        let mut state = lock(&self.state);
        let usual = state.usual_slot(tenant)?;
        if !may_have_more(&state.had_by, state.most, tenant) {
            return None;
        }
        if let Some(place) = state.free.iter().position(|slot| slot.number == usual) {
            let slot = state.free.get(place).filter(|slot| slot.has_connection);
            let turn = self.turn(*slot?);
            state.free.remove(place);
            state.note(usual, tenant);
            return Some(Ok(turn));
        }
        let waiting = state.at_slots.get_mut(usual)?;
        waiting.retain(|(_, call)| !call.is_closed());
        if waiting.len() == AT_SLOT || waiting.iter().any(|(other, _)| other == line) {
            return None;
        }
        let (call, called) = oneshot::channel();
        waiting.push_back((line.clone(), call));
        Some(Err(called))
    }

    fn turn(&self, slot: Slot) -> Turn {
        Turn {
            state: Arc::clone(&self.state),
            slot: slot.number,
            has_connection: slot.has_connection,
        }
    }
}

impl Turn {
    /// Which slot it is a turn for.
    pub(crate) fn slot(&self) -> usize {
        self.slot
    }

    /// Whether the slot is the usual one of that line.
    pub(crate) fn is_usual_of(&self, line: &Line) -> bool {
        lock(&self.state).usual_slot(tenant(line)) == Some(self.slot)
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
        state.note(slot.number, None);
        let Some((tenant, call)) = state.next(slot.number) else {
            state.free.push(slot);
            return;
        };
        state.note(slot.number, tenant);
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
    fn free_slot(&mut self, tenant: Option<u64>) -> Option<Slot> {
        let usual = self.usual_slot(tenant);
        let worth = |slot: &Slot| (slot.has_connection, Some(slot.number) == usual);
        let slots = self.free.iter().enumerate();
        let (place, _) = slots.max_by_key(|(_, slot)| worth(slot))?;
        Some(self.free.remove(place))
    }

    fn usual_slot(&self, tenant: Option<u64>) -> Option<usize> {
        let upper = usize::try_from(tenant? >> u32::BITS).ok()?;
        upper.checked_rem(self.had_by.len())
    }

    /// Notes which tenant has the turn of that slot now.
    fn note(&mut self, slot: usize, tenant: Option<u64>) {
        if let Some(had_by) = self.had_by.get_mut(slot) {
            *had_by = tenant;
        }
    }

    fn join(&mut self, line: &Line, call: Call) {
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

    /// Who is next to have this slot.
    fn next(&mut self, slot: usize) -> Option<(Option<u64>, Call)> {
        let service_is_next = self.order.front() == Some(&Line::Service) && !self.service_was_last;
        // While a slot is free, a line waits only for a turn of its own tenant to end.
        if self.free.is_empty() && !service_is_next && self.passed < PASSING {
            let called = self.next_at(slot);
            if called.is_some() {
                self.passed += usize::from(!self.order.is_empty());
                self.service_was_last = false;
                return called;
            }
        }
        self.next_in_line().or_else(|| self.next_at(slot))
    }

    fn next_at(&mut self, slot: usize) -> Option<(Option<u64>, Call)> {
        let waiting = self.at_slots.get_mut(slot)?;
        waiting.retain(|(_, call)| !call.is_closed());
        let mut tenants = waiting.iter().map(|(line, _)| tenant(line));
        let place = tenants.position(|it| may_have_more(&self.had_by, self.most, it))?;
        let (line, call) = waiting.remove(place)?;
        Some((tenant(&line), call))
    }

    /// Who waited longest, of the line whose turn it is.
    fn next_in_line(&mut self) -> Option<(Option<u64>, Call)> {
        while let Some(line) = self.next_line() {
            let Some(waiting) = self.lines.get_mut(&line) else {
                continue;
            };
            forget_who_left(waiting);
            let called = waiting.pop_front();
            let (tenant, of_service) = (tenant(&line), line == Line::Service);
            if waiting.is_empty() {
                self.lines.remove(&line);
            } else {
                self.order.push_back(line);
            }
            if let Some(call) = called {
                self.service_was_last = of_service;
                self.passed = if of_service { self.passed } else { 0 };
                return Some((tenant, call));
            }
        }
        None
    }

    /// The first that may have more; the service not twice in a row while others could go on.
    fn next_line(&mut self) -> Option<Line> {
        let lines = self.order.iter().enumerate();
        let may = |line| may_have_more(&self.had_by, self.most, tenant(line));
        let mut places = lines.filter(|(_, line)| may(line));
        let (mut place, line) = places.next()?;
        if *line == Line::Service && self.service_was_last {
            place = places.next().map_or(place, |(other, _)| other);
        }
        self.order.remove(place)
    }
}

/// Whether that tenant may have one more of the turns; who is of none always may.
fn may_have_more(had_by: &[Option<u64>], most: usize, tenant: Option<u64>) -> bool {
    tenant.is_none() || had_by.iter().filter(|it| **it == tenant).count() < most
}

/// The tenant of a line, by a hash.
fn tenant(line: &Line) -> Option<u64> {
    match line {
        Line::Anybody | Line::Service => None,
        Line::Tenant(schema) => {
            Some(BuildHasherDefault::<DefaultHasher>::default().hash_one(schema))
        }
    }
}

/// Those at the front; others once they come there.
fn forget_who_left(waiting: &mut VecDeque<Call>) {
    while waiting.front().is_some_and(oneshot::Sender::is_closed) {
        waiting.pop_front();
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// So many may go before the one whose turn it is.
const PASSING: usize = 3;
/// So many may wait for just one slot.
const AT_SLOT: usize = 4;

#[cfg(test)]
mod tests {
    use core::future::Future;
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
            Self::waiting(async move { turns.take(&line).await })
        }

        /// One who waits for its usual slot alone, and then for ever if that may not be waited for.
        fn prefer(turns: &Turns, line: Line) -> Self {
            let turns = turns.clone();
            Self::waiting(async move {
                match turns.take_usual(&line).await {
                    Some(turn) => turn,
                    None => core::future::pending().await,
                }
            })
        }

        fn waiting(turn: impl Future<Output = Turn> + 'static) -> Self {
            let mut guest = Self {
                waits: Box::pin(turn),
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
        let turns = Turns::new(1, 1);
        let first = Guest::come(&turns, line(0));
        let mut loud: Vec<_> = (0..100).map(|_| Guest::come(&turns, line(0))).collect();
        let mut quiet = Guest::come(&turns, line(1));
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
        assert!(Guest::come(&turns, line(2)).has_turn());
    }

    #[test]
    fn a_tenant_has_its_usual_slot_where_that_has_a_connection_and_is_free() {
        let turns = Turns::new(3, 3);
        let (usual, other) = (turns.usual(&line(0)), Line::Anybody);
        let mut all: Vec<_> = (0..3).map(|_| Guest::come(&turns, other.clone())).collect();
        assert!(all.iter().all(|guest| guest.slot() < 3));
        // One that was never connected to is not made while another one is there.
        let place = all.iter().position(|guest| guest.slot() != usual).unwrap();
        let mut connected = all.remove(place);
        connected.turn.as_mut().unwrap().set_has_connection(true);
        let slot = connected.slot();
        drop((connected, all));
        assert_eq!(Guest::come(&turns, line(0)).slot(), slot);
        let mut all: Vec<_> = (0..3).map(|_| Guest::come(&turns, other.clone())).collect();
        for guest in &mut all {
            guest.turn.as_mut().unwrap().set_has_connection(true);
        }
        drop(all);
        let has = Guest::come(&turns, line(0));
        assert_eq!(has.slot(), usual);
        assert_ne!(Guest::come(&turns, line(0)).slot(), usual);
    }

    #[test]
    fn a_slot_goes_to_who_waits_for_it_alone_but_not_before_another_for_ever() {
        let turns = Turns::new(2, 2);
        let anybody = || Guest::come(&turns, Line::Anybody);
        let (mut has, _other) = (anybody(), anybody());
        let slot = has.slot();
        let mut here = (0..=u8::MAX).map(line);
        let usual = here.find(|line| turns.usual(line) == slot).unwrap();
        let mut next = anybody();
        for _ in 0..PASSING {
            let mut waits = Guest::prefer(&turns, usual.clone());
            let mut service = Guest::come(&turns, Line::Service);
            drop(has);
            assert!(service.has_turn());
            drop(service);
            assert!(waits.has_turn() && !next.has_turn());
            has = waits;
        }
        let mut waits = Guest::prefer(&turns, usual);
        let mut service = Guest::come(&turns, Line::Service);
        drop(has);
        assert!(service.has_turn());
        drop(service);
        assert!(next.has_turn() && !waits.has_turn());
        drop(next);
        assert!(waits.has_turn());
    }

    #[test]
    fn a_few_wait_for_one_slot_one_of_each_line_and_none_for_one_without_a_connection() {
        let turns = Turns::new(2, 2);
        let usual = || line(0);
        assert!(!Guest::prefer(&turns, usual()).has_turn());
        assert_eq!(turns.waiting(), 0);
        let all = [(); 2].map(|()| {
            let mut guest = Guest::come(&turns, usual());
            guest.turn.as_mut().unwrap().set_has_connection(true);
            guest
        });
        drop(all);
        let has = Guest::prefer(&turns, usual());
        assert_eq!(has.slot(), turns.usual(&usual()));
        let here = (0..=u8::MAX).map(line);
        let here = here.filter(|line| turns.usual(line) == has.slot());
        let here: Vec<Line> = here.take(AT_SLOT + 1).collect();
        let again = Guest::prefer(&turns, here[0].clone());
        assert_eq!(turns.waiting(), 1);
        let same = Guest::prefer(&turns, here[0].clone());
        assert_eq!(turns.waiting(), 1);
        drop((again, same));
        let mut wait: Vec<_> = here
            .into_iter()
            .map(|line| Guest::prefer(&turns, line))
            .collect();
        assert_eq!(turns.waiting(), AT_SLOT);
        // Another slot is free all the while.
        assert_ne!(Guest::come(&turns, usual()).slot(), has.slot());
        drop(has);
        for _ in 0..AT_SLOT {
            let mut first = wait.remove(0);
            assert!(first.has_turn());
        }
        assert!(!wait.remove(0).has_turn());
        assert_eq!(turns.waiting(), 0);
    }

    #[test]
    fn one_tenant_does_not_have_all_turns_however_many_wait_of_it() {
        let turns = Turns::new(8, 6);
        let mut loud: Vec<_> = (0..20).map(|_| Guest::come(&turns, line(0))).collect();
        let has = |all: &mut Vec<Guest>| {
            all.iter_mut()
                .map(|it| usize::from(it.has_turn()))
                .sum::<usize>()
        };
        assert_eq!(has(&mut loud), 6);
        assert!(!Guest::prefer(&turns, line(0)).has_turn());
        let mut others = [Line::Service, line(1)].map(|line| Guest::come(&turns, line));
        assert!(others.iter_mut().all(Guest::has_turn));
        let mut waits = Guest::come(&turns, line(2));
        assert!(!waits.has_turn());
        // A turn that it may not have goes past it.
        let [service, other] = others;
        drop(service);
        assert!(waits.has_turn());
        drop((other, waits));
        assert_eq!(has(&mut loud), 6);
        drop(loud.drain(..6));
        assert_eq!(has(&mut loud), 6);
    }

    #[test]
    fn a_turn_that_was_called_and_not_taken_goes_on_to_the_next() {
        let turns = Turns::new(1, 1);
        let first = Guest::come(&turns, line(0));
        let left = Guest::come(&turns, line(1));
        let mut stays = Guest::come(&turns, line(2));
        drop(first);
        drop(left);
        assert!(stays.has_turn());
    }

    impl Turns {
        fn usual(&self, line: &Line) -> usize {
            lock(&self.state).usual_slot(tenant(line)).unwrap()
        }
    }

    fn line(number: u8) -> Line {
        Line::Tenant(SchemaName::restore(format!("tenant_{number}")))
    }

    #[derive(Clone, Debug)]
    enum Step {
        Comes(Line),
        Leaves(prop::sample::Index),
        Prefers(u8),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (0..3_u8).prop_map(|number| Step::Comes(line(number))),
            prop_oneof![Just(Line::Anybody), Just(Line::Service)].prop_map(Step::Comes),
            (0..3_u8).prop_map(Step::Prefers),
            any::<prop::sample::Index>().prop_map(Step::Leaves),
        ]
    }

    /// Who came, in which line, whether for the usual slot alone, and how many went before.
    struct Seen {
        line: Line,
        prefers: bool,
        guest: Guest,
        passed: usize,
    }

    proptest! {
        #[test]
        fn nobody_waits_while_a_turn_is_free_and_no_line_is_passed_over(
            count in 1..6_usize,
            fewer in any::<prop::sample::Index>(),
            steps in prop::collection::vec(step(), 0..80),
        ) {
            let most = count - fewer.index(count);
            let turns = Turns::new(count, most);
            let mut all: Vec<Seen> = Vec::new();
            let mut service_was_last = false;
            for step in steps {
                match step {
                    Step::Comes(line) => all.push(Seen {
                        guest: Guest::come(&turns, line.clone()),
                        line,
                        prefers: false,
                        passed: 0,
                    }),
                    Step::Prefers(number) => all.push(Seen {
                        guest: Guest::prefer(&turns, line(number)),
                        line: line(number),
                        prefers: true,
                        passed: 0,
                    }),
                    Step::Leaves(index) if !all.is_empty() => {
                        let place = index.index(all.len());
                        drop(all.remove(place));
                    }
                    Step::Leaves(_) => {}
                }
                let before: Vec<bool> = all.iter().map(|it| it.guest.turn.is_some()).collect();
                let have: Vec<bool> = all.iter_mut().map(|it| it.guest.has_turn()).collect();
                let with_turn = have.iter().filter(|has| **has).count();
                let waits = |it: &&Seen| it.guest.turn.is_none();
                let in_lines = || all.iter().filter(waits).filter(|it| !it.prefers);
                prop_assert!(with_turn <= count && turns.waiting() >= in_lines().count());
                let has = |line: &Line| {
                    let of = all.iter().filter(|it| it.line == *line);
                    of.filter(|it| it.guest.turn.is_some()).count()
                };
                let has_most = |line: &Line| matches!(line, Line::Tenant(_)) && has(line) == most;
                prop_assert!((0..3).all(|number| has(&line(number)) <= most));
                prop_assert!(with_turn == count || in_lines().all(|it| has_most(&it.line)));
                for it in all.iter().filter(|it| it.prefers && it.guest.turn.is_some()) {
                    prop_assert_eq!(it.guest.slot(), turns.usual(&it.line));
                }
                let called = before.iter().zip(&have).position(|(before, has)| !before && *has);
                let Some(called) = called else { continue };
                let of = all[called].line.clone();
                let may_not = |line: &Line| *line != of && has_most(line);
                let may_not: Vec<Line> = (0..3).map(line).filter(may_not).collect();
                let preferred = all[called].prefers;
                let mut seen = Vec::new();
                for it in all.iter_mut().filter(|it| !it.prefers && it.guest.turn.is_none()) {
                    if seen.contains(&it.line) {
                        continue;
                    }
                    seen.push(it.line.clone());
                    if may_not.contains(&it.line) {
                        continue;
                    }
                    // Each other line goes before the first of a line once at most, and with each so
                    // many that waited for a slot; the service not twice in a row.
                    prop_assert!(of == it.line || of != Line::Service || !service_was_last);
                    it.passed += usize::from(preferred || (of != it.line && of != Line::Service));
                    let line = &it.line;
                    prop_assert!(it.passed <= 4 * (PASSING + 1), "{line:?} is passed over");
                }
                service_was_last = of == Line::Service;
            }
        }
    }
}
