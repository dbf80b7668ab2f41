//! Some of the connections, and whose turn it is to have one of them.

use core::iter;
use core::time::Duration;
use std::sync::Arc;

use deadpool::Runtime;
use deadpool::managed::{self, BuildError, Object, PoolError, Timeouts};
use tessera_app::Unavailable;
use tokio::time::timeout;

use crate::connect::Connector;
use crate::pool::{PATIENCE, PoolStatus};
use crate::turns::{Line, Turn, Turns};

/// Slots for connections that are driven on the same runtime.
#[derive(Clone)]
pub(crate) struct Share {
    connector: Arc<Connector>,
    slots: Arc<[managed::Pool<Connector>]>,
    turns: Turns,
}

impl Share {
    /// At most `size` connections, of which one tenant may have `most` at once. None is made yet.
    pub(crate) fn new(connector: Connector, size: usize, most: usize) -> Result<Self, BuildError> {
        let slots = iter::repeat_with(|| slot(connector.again())).take(size);
        Ok(Self {
            slots: slots.collect::<Result<_, _>>()?,
            turns: Turns::new(size, most),
            connector: Arc::new(connector),
        })
    }

    /// Waits for a turn in that line.
    pub(crate) async fn turn(&self, line: &Line) -> Turn {
        self.turns.take(line).await
    }

    /// Waits for a moment for a turn with the usual connection of that line.
    pub(crate) async fn usual_turn(&self, line: &Line) -> Option<Turn> {
        let turn = timeout(MOMENT, self.turns.take_usual(line)).await;
        turn.ok().flatten()
    }

    /// The connection whose turn it is, made anew where it has to be.
    pub(crate) async fn connection(
        &self,
        turn: &mut Turn,
    ) -> Result<Object<Connector>, PoolError<Unavailable>> {
        let slot = self.slots.get(turn.slot()).ok_or(PoolError::Closed)?;
        let answer = slot.get().await;
        turn.set_has_connection(answer.is_ok());
        answer
    }

    /// Closes the connections that nobody uses.
    pub(crate) fn forget_idle(&self) {
        for slot in &*self.slots {
            slot.retain(|_, _| false);
            slot.manager().forget_late();
        }
    }

    /// Who makes the connections.
    pub(crate) fn connector(&self) -> &Connector {
        &self.connector
    }

    /// How many connections there are, and how many wait for one.
    pub(crate) fn status(&self) -> PoolStatus {
        let each = self.slots.iter().map(managed::Pool::status);
        let none = PoolStatus {
            max_size: self.slots.len(),
            size: 0,
            available: 0,
            waiting: self.turns.waiting(),
        };
        each.fold(none, |all, slot| PoolStatus {
            size: all.size + slot.size,
            available: all.available + slot.available,
            ..all
        })
    }
}

fn slot(connector: Connector) -> Result<managed::Pool<Connector>, BuildError> {
    managed::Pool::builder(connector)
        .max_size(1)
        .runtime(Runtime::Tokio1)
        .timeouts(Timeouts {
            create: Some(CREATE),
            recycle: Some(RECYCLE),
            wait: Some(PATIENCE),
        })
        .build()
}

/// A server that says nothing is taken for gone after that time.
const CREATE: Duration = Duration::from_millis(800);
/// Longer than a turn takes where the server is busy, and no more than is worth it where somebody has
/// the usual connection for long.
const MOMENT: Duration = Duration::from_millis(10);
const RECYCLE: Duration = Duration::from_millis(100);
