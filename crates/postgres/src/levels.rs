//! In which order migrations go back: the one that came last goes first.

use diesel::prelude::QueryableByName;
use diesel::sql_types::{BigInt, Bool, Integer};

use crate::migration::{Lists, Migration};

/// What is taken back before anything else is.
pub(crate) enum Level {
    /// One of the shared schema.
    Shared(&'static Migration),
    /// Some of the tenants by version, the last one first.
    Tenants(Vec<i32>),
}

/// When a migration was first applied, however many schemas have it.
#[derive(Debug, QueryableByName)]
pub(crate) struct Moment {
    /// Whether it is one of the shared schema.
    #[diesel(sql_type = Bool)]
    pub(crate) is_shared: bool,
    #[diesel(sql_type = Integer)]
    pub(crate) version: i32,
    /// The place of the moment among those of all.
    #[diesel(sql_type = BigInt)]
    pub(crate) place: i64,
}

/// The last `count` of the migrations that were applied, the last one first. At the same moment,
/// those of tenants go before shared ones.
///
/// A clock may have been set back: within a list versions are believed rather than moments, and
/// the first shared one goes last, as what tenants have needs it.
pub(crate) fn levels(lists: Lists, moments: &[Moment], count: usize) -> Vec<Level> {
    let applied = |list: &'static [Migration], is_shared| {
        let list = list.iter().rev();
        list.filter_map(move |migration| {
            let mut moments = moments.iter();
            let noted = |it: &&Moment| (it.is_shared, it.version) == (is_shared, migration.version);
            Some((migration, moments.find(noted)?.place))
        })
    };
    let mut of_shared = applied(lists.shared, true).peekable();
    let mut of_tenants = applied(lists.tenant, false).peekable();
    let mut levels = Vec::new();
    for _ in 0..count {
        let before = of_tenants.peek().map(|(_, place)| *place);
        let is_last = |(migration, place): &(&Migration, i64)| {
            before.is_none_or(|before| migration.version > 1 && *place > before)
        };
        if let Some((migration, _)) = of_shared.next_if(is_last) {
            levels.push(Level::Shared(migration));
        } else if let Some((migration, _)) = of_tenants.next() {
            if let Some(Level::Tenants(versions)) = levels.last_mut() {
                versions.push(migration.version);
            } else {
                levels.push(Level::Tenants(vec![migration.version]));
            }
        } else {
            break;
        }
    }
    levels
}

#[cfg(test)]
mod tests {
    use core::slice;

    use super::*;

    #[test]
    fn what_came_last_goes_first() {
        assert_eq!(order(&[1, 2, 3], &[4, 4]), "tenants 2 1, shared 3 2 1");
        assert_eq!(
            order(&[1, 2, 5], &[3, 4]),
            "shared 3, tenants 2 1, shared 2 1"
        );
        assert_eq!(
            order(&[1, 3, 5, 5], &[2, 4]),
            "shared 4 3, tenants 2, shared 2, tenants 1, shared 1"
        );
        assert_eq!(order(&[1, 2], &[]), "shared 2 1");
        assert_eq!(order(&[], &[]), "");
    }

    #[test]
    fn at_the_same_moment_those_of_tenants_go_before_shared_ones() {
        assert_eq!(order(&[1, 1, 1], &[1, 1]), "tenants 2 1, shared 3 2 1");
        assert_eq!(
            order(&[1, 2, 2], &[1, 2]),
            "tenants 2, shared 3 2, tenants 1, shared 1"
        );
    }

    #[test]
    fn versions_go_in_their_order_whatever_the_clock_said() {
        assert_eq!(order(&[3, 1, 2], &[]), "shared 3 2 1");
        assert_eq!(
            order(&[1, 1, 3], &[5, 2]),
            "shared 3, tenants 2 1, shared 2 1"
        );
        assert_eq!(
            order(&[5, 6, 7], &[2, 3]),
            "shared 3 2, tenants 2 1, shared 1"
        );
    }

    #[test]
    fn no_more_go_than_are_asked_for_and_none_that_nobody_knows() {
        let known = lists(2, 1);
        let moments = moments(&[1, 2, 4], &[3, 5]);
        for (count, expected) in [
            (0, ""),
            (1, "tenants 1"),
            (2, "tenants 1, shared 2"),
            (usize::MAX, "tenants 1, shared 2 1"),
        ] {
            assert_eq!(told(&levels(known, &moments, count)), expected);
        }
    }

    /// How migrations go that were applied at these places.
    fn order(shared: &[i64], tenant: &[i64]) -> String {
        let lists = lists(shared.len(), tenant.len());
        told(&levels(lists, &moments(shared, tenant), usize::MAX))
    }

    fn lists(shared: usize, tenant: usize) -> Lists {
        let list = |count: usize| -> &'static [Migration] {
            let versions = (1..).take(count);
            let migrations = versions.map(|version| Migration {
                version,
                name: "",
                tables: &[],
                up: "",
                down: "",
            });
            Vec::leak(migrations.collect())
        };
        Lists {
            shared: list(shared),
            tenant: list(tenant),
        }
    }

    fn moments(shared: &[i64], tenant: &[i64]) -> Vec<Moment> {
        let of = |places: &[i64], is_shared| {
            let noted = (1..).zip(places.to_vec());
            noted.map(move |(version, place)| Moment {
                is_shared,
                version,
                place,
            })
        };
        // Whatever comes first out of the book.
        of(tenant, false).chain(of(shared, true)).collect()
    }

    fn told(levels: &[Level]) -> String {
        let mut told: Vec<String> = Vec::new();
        for level in levels {
            let (kind, versions) = match level {
                Level::Shared(migration) => ("shared", slice::from_ref(&migration.version)),
                Level::Tenants(versions) => ("tenants", versions.as_slice()),
            };
            if !told
                .last()
                .is_some_and(|last| kind == "shared" && last.starts_with(kind))
            {
                told.push(kind.to_owned());
            }
            let last = told.last_mut().unwrap();
            last.extend(versions.iter().map(|version| format!(" {version}")));
        }
        told.join(", ")
    }
}
