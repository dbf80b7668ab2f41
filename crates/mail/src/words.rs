//! Moments and durations as people read them.

use core::time::Duration;

use tessera_domain::Timestamp;

/// A day and a minute, UTC: `26 November 2026, 00:45 UTC`.
pub(crate) fn moment(at: Timestamp) -> String {
    utc(at, "%-d %B %Y, %H:%M UTC")
}

/// A moment that sorts as text: `20261126T004536Z`.
pub(crate) fn stamp(at: Timestamp) -> String {
    utc(at, "%Y%m%dT%H%M%SZ")
}

/// About how long it is, in the unit that suits: `30 minutes`, `24 hours`, `7 days`.
pub(crate) fn span(duration: Duration) -> String {
    let minutes = (duration.as_secs() + 30) / 60;
    let hours = (minutes + 30) / 60;
    let (count, unit) = if minutes < 120 && minutes != 60 {
        (minutes.max(1), "minute")
    } else if hours >= 48 && hours.is_multiple_of(24) {
        (hours / 24, "day")
    } else {
        (hours, "hour")
    };
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {unit}{plural}")
}

/// Moments that no calendar has become its first.
fn utc(at: Timestamp, format: &str) -> String {
    let at = jiff::Timestamp::from_second(at.as_secs()).unwrap_or_default();
    at.strftime(format).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_a_day_and_a_minute() {
        let at = Timestamp::from_secs(1_795_653_936);
        assert_eq!(moment(at), "26 November 2026, 00:45 UTC");
        assert_eq!(stamp(at), "20261126T004536Z");
        assert_eq!(stamp(Timestamp::from_micros(i64::MAX)), "19700101T000000Z");
    }

    #[test]
    fn a_span_has_the_unit_that_suits() {
        for (seconds, words) in [
            (0, "1 minute"),
            (90, "2 minutes"),
            (30 * 60, "30 minutes"),
            (3_600, "1 hour"),
            (86_399, "24 hours"),
            (86_400, "24 hours"),
            (36 * 3_600, "36 hours"),
            (7 * 86_400 - 2, "7 days"),
        ] {
            assert_eq!(span(Duration::from_secs(seconds)), words);
        }
    }
}
