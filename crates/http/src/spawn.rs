//! The one place where a request starts a task.

use tokio::runtime::Handle;

use crate::problem::Problem;
use crate::request_id::in_current_request;

/// Runs what must not be torn on the main runtime.
#[derive(Clone, Debug)]
pub struct Spawner(Handle);

impl Spawner {
    /// Tasks run on the runtime of `main`: it outlives every worker.
    pub fn new(main: Handle) -> Self {
        Self(main)
    }

    /// Runs `work` to its end, also when nobody waits for it any more: the future of a handler is
    /// dropped when its client disconnects. A panic in it is a problem.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, Problem> {
        let task = self.0.spawn(in_current_request(work));
        // What a panic says may hold anything; its hook has logged where it was.
        task.await.map_err(|_| Problem::internal("panicked"))
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn work_goes_on_when_nobody_waits_for_it() {
        let (start, started) = oneshot::channel();
        let (finish, finished) = oneshot::channel();
        let spawner = Spawner::new(Handle::current());
        let mut waiting = Box::pin(spawner.run(async move {
            started.await.unwrap();
            finish.send("written").unwrap();
        }));
        assert!(futures_util::poll!(waiting.as_mut()).is_pending());
        drop(waiting);
        start.send(()).unwrap();
        assert_eq!(finished.await, Ok("written"));
    }

    #[tokio::test]
    async fn a_panic_in_the_work_is_a_problem() {
        let spawner = Spawner::new(Handle::current());
        let problem = spawner
            .run(async { panic!("inside") })
            .await
            .map(|(): ()| ());
        let problem = problem.unwrap_err();
        assert_eq!(problem.code(), "internal_error");
        assert!(!problem.cause().unwrap().to_string().contains("inside"));
    }
}
