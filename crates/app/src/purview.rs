//! Who may administer what.

use tessera_domain::{Id, Role, Tenant};

use crate::validate::Caller;

/// What someone may administer. Operators have the whole installation, a caller what
/// [`Purview::of`] finds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Purview {
    /// All tenants, and what belongs to none of them.
    Installation,
    /// One tenant.
    Tenant(Id<Tenant>),
}

/// The caller may not do this.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the caller may not do this")]
pub struct NotPermitted;

impl Purview {
    /// What the caller may administer, by the roles that the user has now, whatever the token says.
    ///
    /// `platform-admin` counts in the default tenant only: whoever administers another tenant could
    /// give that role there. `is_superuser` grants nothing.
    pub fn of(caller: &Caller) -> Result<Self, NotPermitted> {
        if caller.tenant.is_default() && caller.user.has_role(Role::PLATFORM_ADMIN) {
            Ok(Self::Installation)
        } else if caller.user.has_role(Role::TENANT_ADMIN) {
            Ok(Self::Tenant(caller.tenant.id))
        } else {
            Err(NotPermitted)
        }
    }

    /// The one tenant, where it is not all of them.
    pub fn tenant(self) -> Option<Id<Tenant>> {
        match self {
            Self::Installation => None,
            Self::Tenant(id) => Some(id),
        }
    }
}
