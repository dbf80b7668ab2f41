//! `tessera tenant move`: brings a tenant to another layout, and waits until it is there.

use core::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use tessera_app::TenantAdministration;
use tessera_domain::{Tenant, TenantLayout};

use super::find;
use crate::failure::Failure;
use crate::wiring::Wired;

pub(super) async fn run(
    wired: &Wired,
    of: &TenantAdministration,
    named: &str,
    to: TenantLayout,
) -> Result<Tenant, Failure> {
    let begun = wired.tessera.begin_move(of, named, to).await?;
    if begun.moving_to.is_none() {
        return Ok(begun);
    }
    let spinner = Spinner::of(&begun);
    let moved = wired.tessera.finish_move(of, begun.id).await;
    drop(spinner);
    let tenant = match moved? {
        Some(moved) => moved,
        // The running service was faster.
        None => find(wired, &begun.id.to_string()).await?,
    };
    if tenant.moving_to.unwrap_or(tenant.layout) != to {
        let why = "somebody else called the move off meanwhile";
        return Err(Failure::Failed(why.to_owned()));
    }
    Ok(tenant)
}

/// Shows on standard error, where that is a terminal, that something goes on.
struct Spinner(ProgressBar);

impl Spinner {
    fn of(moving: &Tenant) -> Self {
        let spinner = ProgressBar::new_spinner();
        // Without the style it shows less.
        if let Ok(style) = ProgressStyle::with_template(STYLE) {
            spinner.set_style(style);
        }
        spinner.set_message(format!("moving {}", moving.schema.as_str()));
        spinner.enable_steady_tick(TICK);
        Self(spinner)
    }
}

impl Drop for Spinner {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

const STYLE: &str = "{spinner} {msg}, {elapsed}";
const TICK: Duration = Duration::from_millis(200);
