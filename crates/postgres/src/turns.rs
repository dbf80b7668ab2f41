//! Whose turn it is when connections are scarce: tenants take turns, however many wait of each.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tessera_domain::SchemaName;
use tokio::sync::oneshot;

/// So many turns at once.
///
/// Who comes while one is free has it. Others wait in a queue for each tenant, and one for the work of
/// the service itself; the queues take turns, and within one the first comes first. So a tenant waits
/// for as many turns as there are others that wait, and not for all that one of them asked for.
#[derive(Clone)]
pub(crate) struct Turns {
    state: Arc<Mutex<State>>,
}

/// A turn, until it is dropped.
pub(crate) struct Turn {
    state: Arc<Mutex<State>>,
}

struct State {
    free: usize,
    queues: HashMap<Queue, VecDeque<oneshot::Sender<Turn>>>,
    /// Those in which somebody waits, the next one first.
    order: VecDeque<Queue>,
}

/// Of a tenant, or of the service itself.
type Queue = Option<SchemaName>;

impl Turns {
    /// So many turns, all of them free.
    pub(crate) fn new(count: usize) -> Self {
        let state = State {
            free: count,
            queues: HashMap::new(),
            order: VecDeque::new(),
        };
        Self {
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// Waits for a turn of a tenant, or of the service itself; who does not wait any longer is passed
    /// over.
    pub(crate) async fn take(&self, of: Option<&SchemaName>) -> Turn {
        loop {
            match self.ask(of) {
                Ok(turn) => return turn,
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
        let queues = state.queues.values().flatten();
        queues.filter(|call| !call.is_closed()).count()
    }

    fn ask(&self, of: Option<&SchemaName>) -> Result<Turn, oneshot::Receiver<Turn>> {
        let mut state = lock(&self.state);
        if let Some(left) = state.free.checked_sub(1) {
            state.free = left;
            return Ok(Turn {
                state: Arc::clone(&self.state),
            });
        }
        let (call, called) = oneshot::channel();
        let queue = of.cloned();
        let waiting = state.queues.entry(queue.clone()).or_default();
        waiting.push_back(call);
        if waiting.len() == 1 {
            state.order.push_back(queue);
        }
        Err(called)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut state = lock(&self.state);
        let next = state.next();
        let Some(call) = next else {
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
    /// Who waited longest, of the queue whose turn it is.
    fn next(&mut self) -> Option<oneshot::Sender<Turn>> {
        while let Some(queue) = self.order.pop_front() {
            let Some(waiting) = self.queues.get_mut(&queue) else {
                continue;
            };
            let mut called = waiting.pop_front();
            while called.as_ref().is_some_and(oneshot::Sender::is_closed) {
                called = waiting.pop_front();
            }
            if waiting.is_empty() {
                self.queues.remove(&queue);
            } else {
                self.order.push_back(queue);
            }
            if called.is_some() {
                return called;
            }
        }
        None
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
        fn come(turns: &Turns, tenant: Option<u8>) -> Self {
            let turns = turns.clone();
            let schema = tenant.map(|tenant| SchemaName::restore(format!("tenant_{tenant}")));
            let mut guest = Self {
                waits: Box::pin(async move { turns.take(schema.as_ref()).await }),
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
        let first = Guest::come(&turns, Some(0));
        let mut loud: Vec<_> = (0..100).map(|_| Guest::come(&turns, Some(0))).collect();
        let mut quiet = Guest::come(&turns, Some(1));
        let mut service = Guest::come(&turns, None);
        assert_eq!(turns.waiting(), 102);
        drop(first);
        assert!(loud.remove(0).has_turn());
        assert!(quiet.has_turn());
        drop(quiet);
        assert!(service.has_turn());
        drop(service);
        assert!(loud.remove(0).has_turn());
        drop(loud);
        assert_eq!(turns.waiting(), 0);
        assert!(Guest::come(&turns, Some(2)).has_turn());
    }

    #[test]
    fn a_turn_that_was_called_and_not_taken_goes_on_to_the_next() {
        let turns = Turns::new(1);
        let first = Guest::come(&turns, Some(0));
        let left = Guest::come(&turns, Some(1));
        let mut stays = Guest::come(&turns, Some(2));
        drop(first);
        drop(left);
        assert!(stays.has_turn());
    }

    #[derive(Clone, Debug)]
    enum Step {
        Comes(Option<u8>),
        Leaves(prop::sample::Index),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            prop::option::of(0..4_u8).prop_map(Step::Comes),
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
            let mut guests: Vec<(Option<u8>, Guest, usize)> = Vec::new();
            for step in steps {
                match step {
                    Step::Comes(tenant) => guests.push((tenant, Guest::come(&turns, tenant), 0)),
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
                // Whoever waits first of a tenant is passed by each other queue once at most.
                let called = before.iter().zip(&have).position(|(before, has)| !before && *has);
                if let Some(called) = called {
                    let of = guests[called].0;
                    let mut seen: Vec<Option<u8>> = Vec::new();
                    for (guest, has) in guests.iter_mut().zip(&have) {
                        let first = !has && !seen.contains(&guest.0);
                        if first {
                            seen.push(guest.0);
                            guest.2 += usize::from(guest.0 != of);
                            prop_assert!(guest.2 <= 4, "{:?} is passed over", guest.0);
                        }
                    }
                }
            }
        }
    }
}
