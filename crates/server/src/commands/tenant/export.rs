//! What is kept of a tenant, in a file of one JSON object a line: the tenant, then each user with the
//! password record, then each entry of the audit trail.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::Serialize;
use tessera_app::{AuditEntry, AuditQuery, UserFilter};
use tessera_domain::{PasswordRecord, Tenant, User};
use tessera_http::{AuditEntryView, TenantView, UserView};

use crate::failure::Failure;
use crate::wiring::Wired;

/// A file that is new, for its owner alone; gone again unless it becomes whole.
pub(super) struct Export {
    path: PathBuf,
    part: PathBuf,
    file: BufWriter<File>,
    whole: bool,
}

impl Export {
    /// Makes the file under another name, `.part` behind its own, which it gets when it is whole; one
    /// that is there is left as it is.
    pub(super) fn create(path: &Path) -> Result<Self, Failure> {
        if fs::symlink_metadata(path).is_ok() {
            return Err(failed(path, &io::ErrorKind::AlreadyExists.into()));
        }
        let mut part = path.as_os_str().to_owned();
        part.push(".part");
        let part = PathBuf::from(part);
        // Of an export that was killed.
        let _ = fs::remove_file(&part);
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&part);
        let file = file.map_err(|error| failed(&part, &error))?;
        Ok(Self {
            path: path.to_owned(),
            part,
            file: BufWriter::new(file),
            whole: false,
        })
    }

    /// Writes all there is, so that it survives the loss of the machine; `written` is told how many
    /// users and entries, each time that some are.
    pub(super) async fn write(
        mut self,
        wired: &Wired,
        tenant: &Tenant,
        written: &(dyn Fn(usize) + Send + Sync),
    ) -> Result<(), Failure> {
        self.line(&Line::Tenant(ExportedTenant {
            uuid: tenant.id.to_string(),
            view: TenantView::from(tenant),
        }))?;
        self.users(wired, tenant, written).await?;
        self.audit(wired, tenant, written).await?;
        let synced = self.sync();
        synced.map_err(|error| failed(&self.path, &error))?;
        self.whole = true;
        Ok(())
    }

    async fn users(
        &mut self,
        wired: &Wired,
        tenant: &Tenant,
        written: &(dyn Fn(usize) + Send + Sync),
    ) -> Result<(), Failure> {
        let store = &wired.tessera.ports().store;
        let (all, mut after) = (UserFilter::default(), None);
        loop {
            let page = store.users(tenant, &all, after, PAGE).await?;
            let Some(last) = page.last() else {
                return Ok(());
            };
            after = Some(last.id);
            for user in &page {
                self.line(&Line::User(ExportedUser::new(user, tenant)))?;
            }
            written(page.len());
        }
    }

    async fn audit(
        &mut self,
        wired: &Wired,
        tenant: &Tenant,
        written: &(dyn Fn(usize) + Send + Sync),
    ) -> Result<(), Failure> {
        let mut query = AuditQuery {
            tenant: Some(tenant.id),
            limit: PAGE,
            ..AuditQuery::default()
        };
        loop {
            let page = wired.tessera.ports().audit.entries(&query).await?;
            let Some(last) = page.last().map(AuditEntry::place) else {
                return Ok(());
            };
            query.before = Some(last);
            let count = page.len();
            for entry in page {
                let view = AuditEntryView::try_from(entry);
                let view = view.map_err(|error| Failure::because(&error))?;
                self.line(&Line::Audit(view))?;
            }
            written(count);
        }
    }

    fn line(&mut self, line: &Line<'_>) -> Result<(), Failure> {
        let text = serde_json::to_string(line).map_err(|error| Failure::because(&error))?;
        writeln!(self.file, "{text}").map_err(|error| failed(&self.path, &error))
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.flush()?;
        self.file.get_ref().sync_all()?;
        // Unlike a new name, a second one never replaces a file.
        fs::hard_link(&self.part, &self.path)?;
        fs::remove_file(&self.part)?;
        let folder = self.path.parent().filter(|it| !it.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    }
}

impl Drop for Export {
    fn drop(&mut self) {
        if !self.whole {
            // What could not be written is told already.
            let _ = fs::remove_file(&self.part);
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Line<'a> {
    Audit(AuditEntryView),
    Tenant(ExportedTenant),
    User(ExportedUser<'a>),
}

/// A tenant, with the id that entries of the audit trail name it by.
#[derive(Serialize)]
struct ExportedTenant {
    uuid: String,
    #[serde(flatten)]
    view: TenantView,
}

/// A user, with the id that entries of the audit trail name it by.
#[derive(Serialize)]
struct ExportedUser<'a> {
    uuid: String,
    #[serde(flatten)]
    view: UserView,
    /// The password record, which is a hash.
    password: Option<&'a str>,
}

impl<'a> ExportedUser<'a> {
    fn new(user: &'a User, tenant: &Tenant) -> Self {
        Self {
            uuid: user.id.to_string(),
            view: UserView::new(user, tenant),
            password: user.password.as_ref().map(PasswordRecord::as_str),
        }
    }
}

fn failed(path: &Path, error: &io::Error) -> Failure {
    Failure::Failed(format!("the export to {}: {error}", path.display()))
}

const PAGE: usize = 500;
