//! Move a tenant to another layout: close it, bring what is of it there, and open it again.

use core::time::Duration;

use tessera_domain::{Id, Tenant, TenantLayout};

use crate::Tessera;
use crate::administer_tenants::{AdministerTenantError, TenantAdministration, TenantChange};

/// Whether the store keeps tenants apart in more ways than one.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Layouts {
    /// It keeps all alike, whatever their layout is called.
    #[default]
    Alike,
    /// It keeps each as its layout says.
    Apart,
}

impl Tessera {
    /// Sends a tenant to a layout, or back where it is moving from. Until it is there it answers
    /// nobody, who is told to come again.
    ///
    /// The running service goes on by itself, or [`finish_move`](Self::finish_move) does.
    pub async fn begin_move(
        &self,
        of: &TenantAdministration,
        named: &str,
        to: TenantLayout,
    ) -> Result<Tenant, AdministerTenantError> {
        self.check_layouts()?;
        let begin = |tenant: &Tenant| {
            let begun = tenant.begin_move(to);
            Ok::<_, AdministerTenantError>(begun.map(TenantChange::from))
        };
        let tenant = self.change_living(&of.by, named, begin).await?;
        if tenant.moving_to.is_some() {
            self.begun.notify_one();
        }
        Ok(tenant)
    }

    /// Brings a tenant where it is on the way to; none when it is on no way. That takes as long as
    /// copying what is of it. Any number may do that at the same time.
    ///
    /// Where it is cut short, nothing has moved, and it starts anew the next time.
    pub async fn finish_move(
        &self,
        of: &TenantAdministration,
        id: Id<Tenant>,
    ) -> Result<Option<Tenant>, AdministerTenantError> {
        let arrive = |tenant: &Tenant| match tenant.arrive() {
            Some(arrived) => Ok(Some(arrived.into())),
            None => Err(AdministerTenantError::NotFound),
        };
        let moved = self.change_tenant(&of.by, &id.to_string(), arrive).await;
        match moved {
            Ok(moved) => Ok(Some(moved)),
            // It is gone, or on no way.
            Err(AdministerTenantError::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Finishes the moves of those of the tenants that are on the way, one after the other; `ended`
    /// is told of each how long it took, or why it came to no end.
    ///
    /// That it fails with one tenant spares no other.
    pub async fn finish_moves(
        &self,
        begun: &[Tenant],
        ended: &(dyn Fn(&Tenant, Result<Duration, AdministerTenantError>) + Send + Sync),
    ) {
        let of = TenantAdministration::of_service();
        for tenant in begun.iter().filter(|tenant| tenant.moving_to.is_some()) {
            let from = self.now();
            match self.finish_move(&of, tenant.id).await {
                Ok(Some(moved)) => ended(&moved, Ok(self.now().since(from))),
                // Somebody else was faster.
                Ok(None) => {}
                Err(error) => ended(tenant, Err(error)),
            }
        }
    }

    /// Whether there is a choice of layouts.
    pub(crate) fn check_layouts(&self) -> Result<(), AdministerTenantError> {
        match self.settings.layouts {
            Layouts::Alike => Err(AdministerTenantError::NoLayouts),
            Layouts::Apart => Ok(()),
        }
    }
}
