//! What a request leaves in the log.

use core::cell::RefCell;
use core::fmt::{self, Write as _};
use std::sync::LazyLock;

use futures_util::poll;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use super::*;
use crate::request_id::current_request_id;

thread_local! {
    /// What this test logged: each has a thread, and its runtime has no other.
    static LOG: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// One subscriber for all tests: with one a test, a line that another test reaches first is
/// remembered as wanted by nobody.
static SUBSCRIBED: LazyLock<()> = LazyLock::new(|| {
    tracing_subscriber::fmt().event_format(Line).init();
    tracing::callsite::rebuild_interest_cache();
});

/// Keeps each line where its test finds it, as the server writes it: with the id of the request.
struct Line;

impl<S, N> FormatEvent<S, N> for Line
where
    S: tracing::Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        _: Writer<'_>,
        event: &tracing::Event<'_>,
    ) -> fmt::Result {
        let mut line = format!("{} ", event.metadata().level());
        current_request_id(|id| write!(line, "[{}] ", id.unwrap_or("none")))?;
        context.format_fields(Writer::new(&mut line), event)?;
        LOG.with_borrow_mut(|log| log.push(line));
        Ok(())
    }
}

/// The lines that `request` leaves in the log.
async fn log_of(request: TestRequest) -> Vec<String> {
    LazyLock::force(&SUBSCRIBED);
    send(request.insert_header(("x-request-id", "trace-7"))).await;
    LOG.take()
}

#[actix_web::test]
async fn a_request_leaves_one_line_with_its_pattern_and_without_what_it_said() {
    let request = get("/number/7?token=secret&email=ada@example.com")
        .peer_addr("10.0.0.1:80".parse().unwrap())
        .insert_header(("x-forwarded-for", "198.51.100.4"))
        .insert_header(("authorization", "Bearer secret"));
    assert_eq!(
        log_of(request).await,
        [
            "INFO [trace-7] request method=\"GET\" route=\"/number/{n}\" status=200 micros=0 \
             client=198.51.100.4"
        ]
    );
}

#[actix_web::test]
async fn what_the_client_is_not_told_is_in_the_log_under_its_id() {
    let lines = log_of(get("/problem")).await;
    let line = "WARN [trace-7] request refused, as something is unavailable cause=the secret cause";
    assert!(lines.contains(&line.to_owned()), "{lines:?}");
}

#[actix_web::test]
async fn a_panic_is_in_the_log_under_its_id_but_not_what_it_says() {
    let lines = log_of(get("/panic")).await;
    assert!(
        lines.contains(&"ERROR [trace-7] request failed cause=panicked".to_owned()),
        "{lines:?}"
    );
    assert!(!lines.concat().contains("secret"));
}

#[actix_web::test]
async fn what_a_handler_logs_has_the_id_of_its_request_also_from_a_task() {
    let lines = log_of(get("/logs")).await;
    for line in [
        "INFO [trace-7] at once",
        "INFO [trace-7] later",
        "INFO [trace-7] in a task",
    ] {
        assert!(lines.contains(&line.to_owned()), "{lines:?}");
    }
    assert_eq!(current_request_id(|id| id.map(str::to_owned)), None);
}

#[actix_web::test]
async fn a_request_that_its_client_abandons_leaves_a_line() {
    LazyLock::force(&SUBSCRIBED);
    let app = app!(edge());
    let request = get("/never").insert_header(("x-request-id", "trace-7"));
    let mut answer = Box::pin(app.call(request.to_request()));
    assert!(poll!(answer.as_mut()).is_pending());
    drop(answer);
    assert_eq!(
        LOG.take(),
        ["INFO [trace-7] request abandoned by its client method=\"GET\" micros=0"]
    );
}
