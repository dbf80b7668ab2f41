//! Whose turn it is when connections are scarce: tenants take turns, however many wait of each.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tessera_domain::SchemaName;
use tokio::sync::oneshot;

/// So many turns at once.
///
/// Who comes while one is free has it. Others wait in queues that take turns, and within one the first
/// comes first. So a tenant waits for as many turns as there are queues, and not for all that another
/// asked for.
#[derive(Clone)]
pub(crate) struct Turns {
    state: Arc<Mutex<State>>,
}

/// A turn, until it is dropped.
pub(crate) struct Turn {
    state: Arc<Mutex<State>>,
}

/// Where somebody waits.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Queue {
    /// Requests of which is not known yet whose they are, and those of administrators.
    Anybody,
    /// The work that goes on beside the requests, and probes: next at once, but not twice in a row
    /// while others wait.
    Service,
    /// Requests of the tenant that shows this schema.
    Tenant(SchemaName),
}

struct State {
    free: usize,
    queues: HashMap<Queue, VecDeque<oneshot::Sender<Turn>>>,
    /// Those in which somebody waits, the next one first.
    order: VecDeque<Queue>,
    /// Whether the last one called was of the service.
    service_was_last: bool,
}

impl Turns {
    /// So many turns, all of them free.
    pub(crate) fn new(count: usize) -> Self {
        let state = State {
            free: count,
            queues: HashMap::new(),
            order: VecDeque::new(),
            service_was_last: false,
        };
        Self {
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// Waits for a turn; who does not wait any longer is passed over.
    pub(crate) async fn take(&self, queue: &Queue) -> Turn {
        loop {
            match self.ask(queue) {
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
        let calls = state.queues.values().flatten();
        calls.filter(|call| !call.is_closed()).count()
    }

    fn ask(&self, queue: &Queue) -> Result<Turn, oneshot::Receiver<Turn>> {
        let mut state = lock(&self.state);
        if let Some(left) = state.free.checked_sub(1) {
            state.free = left;
            return Ok(Turn {
                state: Arc::clone(&self.state),
            });
        }
        let (call, called) = oneshot::channel();
        state.join(queue, call);
        Err(called)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut state = lock(&self.state);
        let Some(call) = state.next() else {
            state.free = state.free.saturating_add(1);
            return;
        };
        drop(state);
        // One whose waiter left after all comes back here.
        let _ = call.send(Self {
            state: Arc::clone(&self.state),
        });
    }
}

impl State {
    fn join(&mut self, queue: &Queue, call: oneshot::Sender<Turn>) {
        if let Some(waiting) = self.queues.get_mut(queue) {
            // Where no turn comes for long, who left is forgotten here.
            forget_who_left(waiting);
            waiting.push_back(call);
            return;
        }
        self.queues.insert(queue.clone(), VecDeque::from([call]));
        match queue {
            Queue::Anybody | Queue::Tenant(_) => self.order.push_back(queue.clone()),
            Queue::Service => self.order.push_front(queue.clone()),
        }
    }

    /// Who waited longest, of the queue whose turn it is.
    fn next(&mut self) -> Option<oneshot::Sender<Turn>> {
        while let Some(queue) = self.next_queue() {
            let Some(waiting) = self.queues.get_mut(&queue) else {
                continue;
            };
            forget_who_left(waiting);
            let called = waiting.pop_front();
            let of_service = queue == Queue::Service;
            if waiting.is_empty() {
                self.queues.remove(&queue);
            } else {
                self.order.push_back(queue);
            }
            if called.is_some() {
                self.service_was_last = of_service;
                return called;
            }
        }
        None
    }

    /// The first, unless that would be the service twice in a row.
    fn next_queue(&mut self) -> Option<Queue> {
        let again = self.service_was_last && self.order.front() == Some(&Queue::Service);
        let second = if again { self.order.remove(1) } else { None };
        second.or_else(|| self.order.pop_front())
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
        fn come(turns: &Turns, queue: Queue) -> Self {
            let turns = turns.clone();
            let mut guest = Self {
                waits: Box::pin(async move { turns.take(&queue).await }),
                turn: None,
            };
            guest.has_turn();
            guest
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
        let mut service = Guest::come(&turns, Queue::Service);
        assert_eq!(turns.waiting(), 102);
        drop(first);
        assert!(service.has_turn());
        let mut again = Guest::come(&turns, Queue::Service);
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
    fn a_turn_that_was_called_and_not_taken_goes_on_to_the_next() {
        let turns = Turns::new(1);
        let first = Guest::come(&turns, tenant(0));
        let left = Guest::come(&turns, tenant(1));
        let mut stays = Guest::come(&turns, tenant(2));
        drop(first);
        drop(left);
        assert!(stays.has_turn());
    }

    fn tenant(number: u8) -> Queue {
        Queue::Tenant(SchemaName::restore(format!("tenant_{number}")))
    }

    #[derive(Clone, Debug)]
    enum Step {
        Comes(Queue),
        Leaves(prop::sample::Index),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (0..3_u8).prop_map(|number| Step::Comes(tenant(number))),
            prop_oneof![Just(Queue::Anybody), Just(Queue::Service)].prop_map(Step::Comes),
            any::<prop::sample::Index>().prop_map(Step::Leaves),
        ]
    }

    proptest! {
        #[test]
        fn nobody_waits_while_a_turn_is_free_and_no_queue_is_passed_over(
            count in 1..4_usize,
            steps in prop::collection::vec(step(), 0..60),
        ) {
            let turns = Turns::new(count);
            let mut guests: Vec<(Queue, Guest, usize)> = Vec::new();
            let mut service_was_last = false;
            for step in steps {
                match step {
                    Step::Comes(queue) => {
                        guests.push((queue.clone(), Guest::come(&turns, queue), 0));
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
                for ((queue, _, passed), has) in guests.iter_mut().zip(&have) {
                    if *has || seen.contains(queue) {
                        continue;
                    }
                    seen.push(queue.clone());
                    // Each other queue goes before the first of a queue once at most, and the
                    // service not twice in a row.
                    prop_assert!(of == *queue || of != Queue::Service || !service_was_last);
                    *passed += usize::from(of != *queue && of != Queue::Service);
                    prop_assert!(*passed <= 4, "{queue:?} is passed over");
                }
                service_was_last = of == Queue::Service;
            }
        }
    }
}
