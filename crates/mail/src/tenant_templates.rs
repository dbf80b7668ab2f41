//! The templates of single tenants. None is read before its tenant has a mail: there may be ten
//! thousand of them.

use core::time::Duration;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tessera_domain::{SchemaName, Timestamp};

use crate::templates::{TemplateError, Templates};

/// The templates that tenants have instead of those of all, as they were a minute ago at most.
#[derive(Debug)]
pub(crate) struct TenantTemplates {
    folder: PathBuf,
    read: Mutex<HashMap<SchemaName, Read>>,
}

#[derive(Clone, Debug)]
struct Read {
    at: Timestamp,
    templates: Option<Arc<Templates>>,
}

impl TenantTemplates {
    /// Those in `tenants/<schema name>/` of the folder of templates.
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            read: Mutex::default(),
        }
    }

    /// The templates of a tenant that has some; none when `check` finds one that cannot be used, which
    /// is logged.
    pub(crate) fn of(
        &self,
        tenant: &SchemaName,
        now: Timestamp,
        check: impl FnOnce(&Templates) -> Result<(), TemplateError>,
    ) -> Option<Arc<Templates>> {
        if let Some(read) = self.read().get(tenant)
            && now >= read.at
            && now < read.at + FRESH_FOR
        {
            return read.templates.clone();
        }
        let loaded = self.load(tenant).and_then(|loaded| {
            if let Some(templates) = &loaded {
                check(templates)?;
            }
            Ok(loaded)
        });
        let templates = loaded.unwrap_or_else(|error| {
            let tenant = tenant.as_str();
            tracing::error!(tenant, why = %error, "the mail templates of a tenant are not used");
            None
        });
        let templates = templates.map(Arc::new);
        let mut read = self.read();
        if read.len() >= CAPACITY {
            read.clear();
        }
        let kept = Read {
            at: now,
            templates: templates.clone(),
        };
        read.insert(tenant.clone(), kept);
        templates
    }

    fn load(&self, tenant: &SchemaName) -> Result<Option<Templates>, TemplateError> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
        let name = Some(tenant.as_str()).filter(|name| !name.is_empty());
        let name = name.filter(|name| name.bytes().all(plain));
        let own = name.map(|name| self.folder.join(FOLDER).join(name));
        let Some(own) = own.filter(|own| own.is_dir()) else {
            return Ok(None);
        };
        Templates::load([self.folder.as_path(), own.as_path()]).map(Some)
    }

    fn read(&self) -> MutexGuard<'_, HashMap<SchemaName, Read>> {
        self.read.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const CAPACITY: usize = 256;
const FOLDER: &str = "tenants";
const FRESH_FOR: Duration = Duration::from_mins(1);
