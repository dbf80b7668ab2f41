//! The tenants that a connection serves often: Postgres keeps plans for each of them.
//!
//! Where each tenant has a schema, a statement that finds its tables by the search path is planned
//! anew at nearly every request, as Postgres throws a plan away when it meets another path. A
//! statement that names the schema is planned once, but there is one for each tenant then, in the
//! memory of each backend. So only those that come often have some.

use core::hash::{BuildHasher, BuildHasherDefault};
use std::collections::HashMap;
use std::hash::DefaultHasher;

use tessera_domain::{SchemaName, Tenant, TenantLayout, TenantStatus};

/// Tenants as they were read last. One that changed since is of another version, which is for the
/// statement to find out.
#[derive(Default)]
pub(crate) struct Regulars {
    known: HashMap<SchemaName, Tenant>,
    /// For how many there are plans: for those that ceased to be regulars, too.
    planned_for: usize,
    /// How many could not become one.
    turned_away: usize,
    /// Hashes of those who came of late, each at a place that it gives.
    seen: Vec<u64>,
}

impl Regulars {
    /// The tenant that shows `schema`, if it comes often.
    pub(crate) fn find(&self, schema: &SchemaName) -> Option<&Tenant> {
        self.known.get(schema)
    }

    /// Notes that a tenant came that is not one of them, or was another version of it.
    ///
    /// Who comes again before somebody else takes the place is one from then on; to those who are one
    /// of very many that hardly happens.
    pub(crate) fn meet(&mut self, tenant: &Tenant) {
        let was_one = self.known.remove(&tenant.schema).is_some();
        let stays = tenant.moving_to.is_none() && tenant.status != TenantStatus::Deleting;
        if tenant.layout != TenantLayout::Schema || !stays {
            return;
        }
        if !was_one {
            if !self.came_of_late(&tenant.schema) {
                return;
            }
            if self.planned_for == MOST {
                self.turned_away += 1;
                return;
            }
            self.planned_for += 1;
        }
        self.known.insert(tenant.schema.clone(), tenant.clone());
    }

    /// Whether so many others come by now that a connection without any would do better.
    pub(crate) fn are_of_the_past(&self) -> bool {
        self.turned_away >= MOST
    }

    fn came_of_late(&mut self, schema: &SchemaName) -> bool {
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(schema);
        self.seen.resize(PLACES, 0);
        let place = usize::try_from(hash).unwrap_or_default() % PLACES;
        let seen = self.seen.get_mut(place);
        seen.is_some_and(|seen| core::mem::replace(seen, hash) == hash)
    }
}

/// A backend has 170 KiB at most for each: a plan to read by and one to write by.
const MOST: usize = 256;
const PLACES: usize = 512;

#[cfg(test)]
mod tests {
    use tessera_contract::values;

    use super::*;

    #[test]
    fn who_comes_again_is_a_regular_and_one_of_very_many_is_not() {
        let mut regulars = Regulars::default();
        let acme = values::tenant("Acme");
        regulars.meet(&acme);
        assert_eq!(regulars.find(&acme.schema), None);
        regulars.meet(&acme);
        assert_eq!(regulars.find(&acme.schema), Some(&acme));

        let mut regulars = Regulars::default();
        for _ in 0..3 {
            (0..10 * PLACES).for_each(|number| regulars.meet(&tenant(number)));
        }
        assert!(regulars.known.len() < PLACES / 10);
    }

    #[test]
    fn a_regular_that_changed_stays_one_as_it_is_now() {
        let mut regulars = Regulars::default();
        let acme = values::tenant("Acme");
        regulars.meet(&acme);
        regulars.meet(&acme);
        let changed = Tenant {
            version: 7,
            ..acme.clone()
        };
        regulars.meet(&changed);
        assert_eq!(regulars.find(&acme.schema), Some(&changed));
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
            regulars.meet(&acme);
            regulars.meet(&acme);
            let other = Tenant {
                layout,
                moving_to,
                status,
                ..acme.clone()
            };
            for _ in 0..3 {
                regulars.meet(&other);
                assert_eq!(regulars.find(&acme.schema), None);
            }
        }
    }

    #[test]
    fn there_are_not_more_than_a_backend_has_room_for_and_then_others_have_a_turn() {
        let mut regulars = Regulars::default();
        for number in 0..2 * MOST {
            assert!(!regulars.are_of_the_past());
            regulars.meet(&tenant(number));
            regulars.meet(&tenant(number));
            assert_eq!(regulars.known.len(), MOST.min(number + 1));
        }
        assert!(regulars.are_of_the_past());
    }

    fn tenant(number: usize) -> Tenant {
        values::tenant(&format!("tenant {number}"))
    }
}
