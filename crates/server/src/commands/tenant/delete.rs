//! `tessera tenant delete`: asks, exports where that is wanted, and removes a tenant to the end.

use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;
use std::io::{self, BufRead, IsTerminal, Read, Write};
use std::path::Path;

use tessera_app::{AdministerTenantError, TenantAdministration};
use tessera_domain::{Tenant, TenantStatus};
use tokio::time::sleep;

use super::export::Export;
use super::find;
use crate::cli::DeleteTenant;
use crate::failure::Failure;
use crate::output::Output;
use crate::views::DeletedView;
use crate::wiring::Wired;

pub(super) async fn run(
    command: DeleteTenant,
    open: impl AsyncFnOnce() -> Result<Wired, Failure>,
    output: Output,
) -> Result<(), Failure> {
    if !command.yes && !io::stdin().is_terminal() {
        let why = "nobody is there to ask whether the tenant is to be deleted: say --yes";
        return Err(Failure::Misused(why.to_owned()));
    }
    let wired = open().await?;
    let tenant = find(&wired, &command.tenant).await?;
    if tenant.is_default() {
        return Err(AdministerTenantError::DefaultTenant.into());
    }
    if !command.yes {
        agree(&tenant)?;
    }
    let of = TenantAdministration::of_operator();
    let deleting = if let Some(path) = &command.export {
        export(&wired, &of, &tenant, path).await?
    } else {
        let id = tenant.id.to_string();
        wired.tessera.begin_deletion(&of, &id).await?
    };
    let progress = Progress::of("removed");
    let removed = |count| progress.add(count);
    let finished = wired.tessera.finish_deletion(&of, deleting.id, &removed);
    finished.await?;
    drop(progress);
    output.one(&DeletedView::of_tenant(&deleting))
}

/// Suspends the tenant, exports it, and begins its deletion, if nobody changed it since.
async fn export(
    wired: &Wired,
    of: &TenantAdministration,
    tenant: &Tenant,
    path: &Path,
) -> Result<Tenant, Failure> {
    if tenant.status == TenantStatus::Deleting {
        return Err(Failure::Failed(
            "the deletion of the tenant has begun, so that an export would lack what is gone: \
             leave out --export to finish it"
                .to_owned(),
        ));
    }
    let export = Export::create(path)?;
    let id = tenant.id.to_string();
    let closed = wired.tessera.suspend_tenant(of, &id).await?;
    // Another one may have suspended it this moment.
    sleep(KNOWN).await;
    let progress = Progress::of("exported");
    let written = |count| progress.add(count);
    export.write(wired, &closed, &written).await?;
    drop(progress);
    match wired.tessera.begin_deletion_of(of, &closed).await {
        // The file stays: the change may be that its deletion began elsewhere.
        Err(AdministerTenantError::Changed) => Err(Failure::Failed(format!(
            "the tenant changed while it was exported to {}: run it again, with another file",
            path.display()
        ))),
        begun => Ok(begun?),
    }
}

/// Has whoever sits at the terminal type the name.
fn agree(tenant: &Tenant) -> Result<(), Failure> {
    let name = tenant.name.as_str();
    eprint!("Delete the tenant {name} for good, with all its users? Type its name: ");
    let mut answer = String::new();
    let read = io::stdin().lock().take(MOST_INPUT).read_line(&mut answer);
    read.map_err(|error| Failure::because(&error))?;
    if answer.trim() == name {
        return Ok(());
    }
    Err(Failure::Failed("nothing was deleted".to_owned()))
}

/// Shows on a terminal how much is done.
struct Progress {
    count: AtomicUsize,
    done: &'static str,
}

impl Progress {
    fn of(done: &'static str) -> Self {
        let count = AtomicUsize::new(0);
        Self { count, done }
    }

    fn add(&self, count: usize) {
        let all = self.count.fetch_add(count, Ordering::Relaxed) + count;
        let mut terminal = io::stderr();
        if terminal.is_terminal() {
            // A terminal that is gone has nobody to tell.
            let _ = write!(terminal, "\r{all} {}\u{1b}[K", self.done);
            let _ = terminal.flush();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if *self.count.get_mut() > 0 && io::stderr().is_terminal() {
            eprintln!();
        }
    }
}

/// After so long every process has seen a change.
const KNOWN: Duration = Duration::from_secs(1);
/// Far more than a name.
const MOST_INPUT: u64 = 1_024;
