//! The one place where a request starts a task.

use crate::problem::Problem;
use crate::request_id::in_current_request;

/// Runs `work` to its end, also when nobody waits for it any more: the future of a handler is
/// dropped when its client resets the connection. A panic in it is a problem.
///
/// It stays on the thread of the request, as its connections do. What is not over when a worker ends
/// is dropped with it, but a worker waits for those who wait for an answer.
#[expect(clippy::disallowed_methods, reason = "it is awaited here")]
pub(crate) async fn run<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
) -> Result<T, Problem> {
    let task = tokio::spawn(in_current_request(work));
    // What a panic says may hold anything; its hook has logged where it was.
    task.await.map_err(|_| Problem::internal("panicked"))
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn work_goes_on_when_nobody_waits_for_it() {
        let (start, started) = oneshot::channel();
        let (finish, finished) = oneshot::channel();
        let mut waiting = Box::pin(run(async move {
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
        let problem = run(async { panic!("inside") }).await.map(|(): ()| ());
        let problem = problem.unwrap_err();
        assert_eq!(problem.code(), "internal_error");
        assert!(!problem.cause().unwrap().to_string().contains("inside"));
    }
}
