//! Move a tenant to another layout.

use tessera_domain::{Tenant, TenantLayout};

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
    /// Moves a tenant to a layout, or back where it was moving from. Meanwhile it answers nobody, who
    /// is told to come again.
    ///
    /// Two commits: where it is cut short between them, the same again goes on, and the layout of
    /// before calls it off.
    pub async fn move_tenant(
        &self,
        of: &TenantAdministration,
        named: &str,
        to: TenantLayout,
    ) -> Result<Tenant, AdministerTenantError> {
        self.check_layouts()?;
        let begin = |tenant: &Tenant| Ok(tenant.begin_move(to).map(TenantChange::from));
        let moving = self.change_living(of, named, begin).await?;
        // It goes on only on that way: another move that began meanwhile has its own end.
        let arrive = |tenant: &Tenant| {
            let there = tenant.arrive().filter(|(there, _)| there.layout == to);
            Ok(there.map(TenantChange::from))
        };
        self.change_living(of, &moving.id.to_string(), arrive).await
    }

    /// Whether there is a choice of layouts.
    pub(crate) fn check_layouts(&self) -> Result<(), AdministerTenantError> {
        match self.settings.layouts {
            Layouts::Alike => Err(AdministerTenantError::NoLayouts),
            Layouts::Apart => Ok(()),
        }
    }
}
