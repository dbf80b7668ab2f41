//! What administrators do with the settings of a tenant: see and change them.

use core::fmt;
use core::time::Duration;
use std::sync::Arc;

use tessera_domain::{Actor, Tenant, TenantSettings, TenantSettingsError, TokenPolicy};

use crate::Tessera;
use crate::administer_tenants::{ChangeTenantError, TenantChange};
use crate::administer_users::AdministrationError;
use crate::ports::{CommitError, Unavailable};
use crate::purview::Purview;
use crate::validate::Caller;

/// The settings of one tenant, for somebody who may administer them.
#[derive(Clone, Debug)]
pub struct SettingsAdministration {
    by: Actor,
    purview: Purview,
    tenant: Arc<Tenant>,
}

/// Why settings were not changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeSettingsError {
    /// The deletion of the tenant began.
    #[error("the tenant is being deleted")]
    Deleting,
    /// No tenant may have such.
    #[error(transparent)]
    Invalid(#[from] TenantSettingsError),
    /// The tenant is gone.
    #[error("there is no such tenant")]
    NotFound,
    /// The platform says that, and no tenant by itself.
    #[error("the platform alone changes {0}")]
    OfPlatform(PlatformSetting),
    /// The store cannot be reached.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl From<ChangeTenantError> for ChangeSettingsError {
    fn from(error: ChangeTenantError) -> Self {
        match error {
            ChangeTenantError::Deleting => Self::Deleting,
            // No setting is one that only one tenant may have.
            ChangeTenantError::Duplicate(what) => {
                Unavailable::new(CommitError::Duplicate(what)).into()
            }
            ChangeTenantError::NotFound => Self::NotFound,
            ChangeTenantError::Unavailable(unavailable) => unavailable.into(),
        }
    }
}

/// A setting of a tenant that the platform alone changes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PlatformSetting {
    /// Whose pages may call the default tenant, where administrators of the platform log in.
    AllowedOrigins,
    /// Who issues access tokens: whoever verifies them has to know.
    Issuer,
    /// Whom mails are from: the platform's mail server answers for it.
    MailFrom,
}

impl PlatformSetting {
    /// Its name, as it is shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AllowedOrigins => "allowed_origins",
            Self::Issuer => "issuer",
            Self::MailFrom => "mail_from",
        }
    }
}

impl fmt::Display for PlatformSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Tessera {
    /// The settings of the tenant of that id, name or schema name, for a caller who administers it.
    ///
    /// Whoever administers one tenant is told alike of another one and of one that does not exist.
    pub async fn administer_settings(
        &self,
        caller: &Caller,
        named: &str,
    ) -> Result<Option<SettingsAdministration>, AdministrationError> {
        let purview = Purview::of(caller)?;
        let found = self.administered_tenant(caller, named).await?;
        Ok(found.map(|tenant| SettingsAdministration {
            by: caller.actor(),
            purview,
            tenant: tenant.into(),
        }))
    }

    /// Changes what holds for a tenant and not for the whole installation; answers the tenant as it
    /// then is.
    ///
    /// What stays as it was is not checked: the installation's bounds may have moved since.
    pub async fn change_tenant_settings(
        &self,
        of: &SettingsAdministration,
        decide: impl Fn(TenantSettings) -> TenantSettings + Send + Sync,
    ) -> Result<Tenant, ChangeSettingsError> {
        let decide = |tenant: &Tenant| {
            let settings = decide(tenant.settings.clone());
            of.check(tenant, &settings)?;
            let policy = &self.settings.tokens;
            judged(&tenant.settings, &settings, policy).check(policy)?;
            Ok(tenant.change_settings(settings).map(TenantChange::from))
        };
        let id = of.tenant.id.to_string();
        self.change_living(&of.by, &id, decide).await
    }
}

impl SettingsAdministration {
    /// The settings of the tenant, for whoever runs the installation.
    pub fn of_operator(tenant: impl Into<Arc<Tenant>>) -> Self {
        Self {
            by: Actor::Operator,
            purview: Purview::Installation,
            tenant: tenant.into(),
        }
    }

    /// Whose settings they are.
    pub fn tenant(&self) -> &Tenant {
        &self.tenant
    }

    /// Whether the caller may have the settings of the tenant become these.
    fn check(&self, tenant: &Tenant, after: &TenantSettings) -> Result<(), ChangeSettingsError> {
        let before = &tenant.settings;
        let origins = before.allowed_origins != after.allowed_origins;
        let changed = [
            (
                origins && tenant.is_default(),
                PlatformSetting::AllowedOrigins,
            ),
            (before.issuer != after.issuer, PlatformSetting::Issuer),
            (
                before.mail_from != after.mail_from,
                PlatformSetting::MailFrom,
            ),
        ];
        let first = changed.into_iter().find(|(changed, _)| *changed);
        match (self.purview, first) {
            (Purview::Tenant(_), Some((_, what))) => Err(ChangeSettingsError::OfPlatform(what)),
            (Purview::Installation | Purview::Tenant(_), _) => Ok(()),
        }
    }
}

/// The settings as they are judged: a life that stays as it was is no longer than the installation
/// has it by now.
fn judged(before: &TenantSettings, after: &TenantSettings, policy: &TokenPolicy) -> TenantSettings {
    let of = policy.of(before);
    let judged = |[before, after]: [Option<Duration>; 2], counts: Duration| {
        after.map(|it| if after == before { counts } else { it })
    };
    let access = [before.access_lifetime, after.access_lifetime];
    let refresh = [before.refresh_lifetime, after.refresh_lifetime];
    TenantSettings {
        access_lifetime: judged(access, of.access_lifetime),
        refresh_lifetime: judged(refresh, of.refresh_lifetime),
        ..after.clone()
    }
}
