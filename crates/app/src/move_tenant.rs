//! Move a tenant to another layout: close it, bring what is of it there, and open it again.

use core::time::Duration;

use tessera_domain::{Change, Changes, Id, Tenant, TenantLayout};

use crate::administer_tenants::{AdministerTenantError, TenantAdministration, TenantChange};
use crate::ports::{CommitError, TenantKey, Unavailable};
use crate::{ATTEMPTS, Contended, Tessera};

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
        let begin = |tenant: &Tenant| Ok(tenant.begin_move(to).map(TenantChange::from));
        let tenant = self.change_living(of, named, begin).await?;
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
        for _ in 0..ATTEMPTS {
            let Some(tenant) = self.ports.store.tenant(&TenantKey::Id(id)).await? else {
                return Ok(None);
            };
            let Some((there, fact)) = tenant.arrive() else {
                return Ok(None);
            };
            let changes = Changes {
                tenants: vec![Change::Update(there.clone())],
                actor: of.by.clone(),
                events: vec![self.event(&tenant, self.now(), fact)],
                ..Changes::default()
            };
            let committed = self.commit(&tenant, changes).await;
            self.registry.clear();
            match committed {
                Ok(()) => {
                    let version = there.version + 1;
                    return Ok(Some(Tenant { version, ..there }));
                }
                Err(CommitError::Stale) => {}
                Err(CommitError::Duplicate(what)) => {
                    return Err(AdministerTenantError::Duplicate(what));
                }
                Err(CommitError::Unavailable(unavailable)) => return Err(unavailable.into()),
            }
        }
        Err(Unavailable::new(Contended).into())
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
