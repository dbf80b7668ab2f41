//! The tenants that a connection serves often: Postgres keeps plans for each of them.
//!
//! Where each tenant has a schema, a statement that finds its tables by the search path is planned
//! anew at nearly every request, as Postgres throws a plan away when it meets another path. A
//! statement that names the schema is planned once, but there is one for each tenant then, in the
//! memory of each backend. So only those that come often have some.

use core::hash::{BuildHasher, BuildHasherDefault};
use std::collections::HashMap;
use std::hash::DefaultHasher;

use diesel::result::Error;
use tessera_domain::{SchemaName, Tenant, TenantLayout, TenantStatus};

/// Tenants as they were read last. One that changed since is of another version, which is for the
/// statement to find out: so whatever changes a tenant or its domains raises its version, and a trigger
/// sees to that where a tenant is changed by hand. Domains that are changed by hand are not seen.
#[derive(Default)]
pub(crate) struct Regulars {
    known: HashMap<SchemaName, Tenant>,
    /// For how many there are plans: for those that ceased to be regulars, too.
    planned_for: usize,
    /// How often one of them came of late, and how often somebody else who comes as often.
    came: usize,
    turned_away: usize,
    are_of_the_past: bool,
    /// Hashes of others who came of late, each at a place that it gives.
    seen: Vec<u64>,
}

impl Regulars {
    /// The tenant that shows `schema`, if it is one of them and came now.
    pub(crate) fn welcome(&mut self, schema: &SchemaName) -> Option<Tenant> {
        let tenant = self.known.get(schema)?.clone();
        self.came += 1;
        self.look_back();
        Some(tenant)
    }

    /// Whether the tenant is one of them, as it is.
    pub(crate) fn has(&self, tenant: &Tenant) -> bool {
        self.known.get(&tenant.schema) == Some(tenant)
    }

    /// Lets one go whose plan failed with `error`; the plan goes with the connection.
    pub(crate) fn forget(&mut self, schema: &SchemaName, error: &Error) {
        tracing::debug!(%error, schema = schema.as_str(), "a kept plan is of no use any more");
        self.known.remove(schema);
        self.are_of_the_past = true;
    }

    /// Notes that a tenant came that is not one of them as it is now. One that usually
    /// has another connection becomes one only where there are few.
    pub(crate) fn meet(&mut self, tenant: &Tenant, is_usual: bool) {
        let was_one = self.known.remove(&tenant.schema).is_some();
        let stays = tenant.moving_to.is_none() && tenant.status != TenantStatus::Deleting;
        if tenant.layout != TenantLayout::Schema || !stays {
            return;
        }
        if !was_one {
            let most = if is_usual { MOST } else { FEW };
            if self.planned_for >= most {
                if is_usual {
                    self.turn_away(&tenant.schema);
                }
                return;
            }
            self.planned_for += 1;
        }
        self.known.insert(tenant.schema.clone(), tenant.clone());
    }

    /// Whether others come more often by now, so that a connection without any would do better.
    pub(crate) fn are_of_the_past(&self) -> bool {
        self.are_of_the_past
    }

    /// Who comes again before another one takes the place counts. To one of very many that happens as
    /// rarely as that a place of theirs would be of use.
    fn turn_away(&mut self, schema: &SchemaName) {
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(schema);
        self.seen.resize(MOST, 0);
        let place = usize::try_from(hash % PLACES).ok();
        if let Some(seen) = place.and_then(|place| self.seen.get_mut(place))
            && core::mem::replace(seen, hash) == hash
        {
            self.turned_away += 1;
            self.look_back();
        }
    }

    fn look_back(&mut self) {
        if self.came + self.turned_away == LATELY {
            // Of very many the same number of either comes.
            self.are_of_the_past |= 2 * self.turned_away > 3 * self.came;
            (self.came, self.turned_away) = (0, 0);
        }
    }
}

/// For each a backend has 220 KiB: a plan to read by and one to write by.
const MOST: usize = 256;
const FEW: usize = 64;
/// As many as `MOST`.
const PLACES: u64 = 256;
/// So many came of late.
const LATELY: usize = 4 * MOST;

#[cfg(test)]
mod tests {
    use tessera_contract::values;

    use super::*;

    #[test]
    fn who_came_is_a_regular_while_there_is_room() {
        let mut regulars = Regulars::default();
        let acme = values::tenant("Acme");
        assert!(!regulars.has(&acme));
        assert_eq!(regulars.welcome(&acme.schema), None);
        regulars.meet(&acme, true);
        assert!(regulars.has(&acme));
        assert_eq!(regulars.welcome(&acme.schema), Some(acme));
    }

    #[test]
    fn a_regular_that_changed_stays_one_as_it_is_now() {
        let mut regulars = Regulars::default();
        let acme = values::tenant("Acme");
        regulars.meet(&acme, true);
        let changed = Tenant {
            version: 7,
            ..acme.clone()
        };
        regulars.meet(&changed, true);
        assert!(!regulars.has(&acme));
        assert_eq!(regulars.welcome(&acme.schema), Some(changed));
    }

    #[test]
    fn a_tenant_whose_tables_are_not_its_own_or_will_not_be_is_no_regular() {
        let acme = values::tenant("Acme");
        for (layout, moving_to, status) in [
            (TenantLayout::Shared, None, TenantStatus::Active),
            (
                TenantLayout::Schema,
                Some(TenantLayout::Shared),
                TenantStatus::Active,
            ),
            (TenantLayout::Schema, None, TenantStatus::Deleting),
        ] {
            let mut regulars = Regulars::default();
            regulars.meet(&acme, true);
            let other = Tenant {
                layout,
                moving_to,
                status,
                ..acme.clone()
            };
            regulars.meet(&other, true);
            assert_eq!(regulars.welcome(&acme.schema), None);
        }
    }

    #[test]
    fn there_are_not_more_than_a_backend_has_room_for() {
        let mut regulars = Regulars::default();
        (0..2 * MOST).for_each(|number| regulars.meet(&tenant(number), true));
        assert_eq!(regulars.known.len(), MOST);
        assert!(regulars.has(&tenant(0)));
        // Nor are there more plans, whoever ceased to be one.
        let moving = Tenant {
            moving_to: Some(TenantLayout::Shared),
            ..tenant(0)
        };
        regulars.meet(&moving, true);
        regulars.meet(&tenant(MOST), true);
        assert_eq!(regulars.known.len(), MOST - 1);
    }

    #[test]
    fn who_usually_has_another_connection_is_one_only_where_there_are_few() {
        let mut regulars = Regulars::default();
        (0..MOST).for_each(|number| regulars.meet(&tenant(number), false));
        assert_eq!(regulars.known.len(), FEW);
        regulars.meet(&tenant(MOST), true);
        assert!(regulars.has(&tenant(MOST)));
    }

    #[test]
    fn who_comes_no_more_makes_room_for_whoever_does_but_not_for_very_many() {
        let full = || {
            let mut regulars = Regulars::default();
            (0..MOST).for_each(|number| regulars.meet(&tenant(number), true));
            regulars
        };
        let mut regulars = full();
        let others = (MOST..MOST + MOST / 4).cycle().take(20 * MOST);
        others.for_each(|number| regulars.meet(&tenant(number), true));
        assert!(regulars.are_of_the_past());

        // Ten times as many as there is room for, in no order.
        let mut regulars = full();
        let hasher = BuildHasherDefault::<DefaultHasher>::default();
        for visit in 0..400 * MOST {
            let who = hasher.hash_one(visit) % (10 * PLACES);
            let tenant = tenant(usize::try_from(who).unwrap());
            if regulars.welcome(&tenant.schema).is_none() {
                regulars.meet(&tenant, true);
            }
            assert!(!regulars.are_of_the_past(), "at visit {visit}");
        }

        let mut regulars = full();
        for number in 0..20 * MOST {
            let regular = tenant(number % MOST).schema;
            assert!(regulars.welcome(&regular).is_some());
            regulars.meet(&tenant(MOST + number % 2), true);
            regulars.welcome(&regular);
        }
        assert!(!regulars.are_of_the_past());
    }

    fn tenant(number: usize) -> Tenant {
        values::tenant(&format!("tenant {number}"))
    }
}
