//! Shows on a terminal how far migrations are, how fast they go and how long they take.

use core::fmt::Write;
use std::sync::OnceLock;

use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use tessera_postgres::Milestone;

use super::migration::reason;

/// A bar on standard error, where that is a terminal.
#[derive(Default)]
pub(super) struct Progress(OnceLock<ProgressBar>);

impl Progress {
    pub(super) fn show(&self, milestone: Milestone<'_>) {
        match milestone {
            Milestone::Begun(schemas) => {
                let schemas = u64::try_from(schemas).unwrap_or(u64::MAX);
                match self.0.get() {
                    Some(bar) => bar.inc_length(schemas),
                    None => _ = self.0.set(bar(schemas)),
                }
            }
            Milestone::Ended => {
                if let Some(bar) = self.0.get() {
                    bar.inc(1);
                }
            }
            Milestone::SetAside(fault) => {
                if let Some(bar) = self.0.get() {
                    bar.println(format!("set aside {}: {}", fault.schema, reason(fault)));
                }
            }
            Milestone::Taken(step) => {
                if let Some(bar) = self.0.get() {
                    bar.set_message(format!("{} {}", step.schema, step.name));
                }
            }
            Milestone::Waiting => {
                eprintln!("Another `tessera migrate` is running; this one waits for its end.");
            }
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = self.0.get() {
            bar.finish_and_clear();
        }
    }
}

fn bar(schemas: u64) -> ProgressBar {
    let bar = ProgressBar::new(schemas);
    // Without the style it shows less.
    if let Ok(style) = ProgressStyle::with_template(STYLE) {
        bar.set_style(style.with_key("rate", rate));
    }
    bar
}

fn rate(state: &ProgressState, line: &mut dyn Write) {
    // Nothing is the worse for a part that is not shown.
    let _ = write!(line, "{:.0} a second", state.per_sec());
}

const STYLE: &str = "{bar:30} {pos} of {len} schemas, {rate}, {eta} left  {wide_msg}";
