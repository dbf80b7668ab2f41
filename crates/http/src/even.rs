//! Answers that tell nothing by the time they take.
//!
//! What is answered alike is not the same work: a wrong password is counted in a row that a locked,
//! a disabled or an unknown account has none of, and a new account is more to write than a notice.
//! That is some tenths of a millisecond beside a hash, and can be measured by who asks often enough.
//! So these answers leave at the next beat after the request came: there they are equal, but for
//! those few whose difference lies across a beat.

use core::future::Future;
use core::time::Duration;

use tessera_app::Tessera;
use tokio::time::sleep;

/// What `work` answers; at the next beat, where `tells_nothing` says that it has to.
pub(crate) async fn at_the_beat<T>(
    tessera: &Tessera,
    work: impl Future<Output = T>,
    tells_nothing: impl FnOnce(&T) -> bool,
) -> T {
    let clock = &tessera.ports().clock;
    let begun = clock.now();
    let answer = work.await;
    if tells_nothing(&answer) {
        sleep(until_the_beat(clock.now().since(begun))).await;
    }
    answer
}

fn until_the_beat(passed: Duration) -> Duration {
    let into = passed.as_micros() % BEAT.as_micros();
    BEAT.saturating_sub(Duration::from_micros(u64::try_from(into).unwrap_or(0)))
}

/// Longer than a hash and its commit on a machine that is not busy.
const BEAT: Duration = Duration::from_millis(25);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_leaves_at_the_next_multiple_of_a_beat() {
        for (passed, rest) in [
            (0, 25_000),
            (1, 24_999),
            (24_999, 1),
            (25_000, 25_000),
            (60_500, 14_500),
        ] {
            let rest = Duration::from_micros(rest);
            assert_eq!(until_the_beat(Duration::from_micros(passed)), rest);
        }
    }
}
