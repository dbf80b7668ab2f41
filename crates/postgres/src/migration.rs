//! The migrations, as the binary carries them.

use diesel::sql_types::{Integer, Text};

use crate::statement::Statement;

/// One step of a schema, there and back.
#[derive(Clone, Copy)]
pub(crate) struct Migration {
    /// Its place in the order of its list, from 1.
    pub(crate) version: i32,
    /// What it is about.
    pub(crate) name: &'static str,
    /// The tables of a tenant that are there from this step on.
    pub(crate) tables: &'static [&'static str],
    /// The SQL that takes the step.
    pub(crate) up: &'static str,
    /// The SQL that takes it back.
    pub(crate) down: &'static str,
}

/// The schema of the tables that all tenants share.
pub(crate) const SHARED_SCHEMA: &str = "tessera";

/// Those of the shared schema.
pub(crate) const SHARED: &[Migration] = &[
    Migration {
        version: 1,
        name: "registry",
        tables: &[],
        up: include_str!("../../../migrations/postgres/shared/0001_registry/up.sql"),
        down: include_str!("../../../migrations/postgres/shared/0001_registry/down.sql"),
    },
    Migration {
        version: 2,
        name: "session_with_holder",
        tables: &[],
        up: include_str!("../../../migrations/postgres/shared/0002_session_with_holder/up.sql"),
        down: include_str!("../../../migrations/postgres/shared/0002_session_with_holder/down.sql"),
    },
    Migration {
        version: 3,
        name: "event_log",
        tables: &[],
        up: include_str!("../../../migrations/postgres/shared/0003_event_log/up.sql"),
        down: include_str!("../../../migrations/postgres/shared/0003_event_log/down.sql"),
    },
    Migration {
        version: 4,
        name: "mails",
        tables: &[],
        up: include_str!("../../../migrations/postgres/shared/0004_mails/up.sql"),
        down: include_str!("../../../migrations/postgres/shared/0004_mails/down.sql"),
    },
    Migration {
        version: 5,
        name: "audit",
        tables: &[],
        up: include_str!("../../../migrations/postgres/shared/0005_audit/up.sql"),
        down: include_str!("../../../migrations/postgres/shared/0005_audit/down.sql"),
    },
    Migration {
        version: 6,
        name: "tenant_settings",
        tables: &[],
        up: include_str!("../../../migrations/postgres/shared/0006_tenant_settings/up.sql"),
        down: include_str!("../../../migrations/postgres/shared/0006_tenant_settings/down.sql"),
    },
    Migration {
        version: 7,
        name: "tenant_layouts",
        tables: &[],
        up: include_str!("../../../migrations/postgres/shared/0007_tenant_layouts/up.sql"),
        down: include_str!("../../../migrations/postgres/shared/0007_tenant_layouts/down.sql"),
    },
    Migration {
        version: 8,
        name: "fewer_plans",
        tables: &[],
        up: include_str!("../../../migrations/postgres/shared/0008_fewer_plans/up.sql"),
        down: include_str!("../../../migrations/postgres/shared/0008_fewer_plans/down.sql"),
    },
    Migration {
        version: 9,
        name: "names_of_columns",
        tables: &[],
        up: include_str!("../../../migrations/postgres/shared/0009_names_of_columns/up.sql"),
        down: include_str!("../../../migrations/postgres/shared/0009_names_of_columns/down.sql"),
    },
    Migration {
        version: 10,
        name: "named_schemas",
        tables: &[],
        up: include_str!("../../../migrations/postgres/shared/0010_named_schemas/up.sql"),
        down: include_str!("../../../migrations/postgres/shared/0010_named_schemas/down.sql"),
    },
];

/// Those of each tenant's schema.
pub(crate) const TENANT: &[Migration] = &[
    Migration {
        version: 1,
        name: "users_and_sessions",
        tables: &["users", "sessions"],
        up: include_str!("../../../migrations/postgres/tenant/0001_users_and_sessions/up.sql"),
        down: include_str!("../../../migrations/postgres/tenant/0001_users_and_sessions/down.sql"),
    },
    Migration {
        version: 2,
        name: "mailed_tokens",
        tables: &["mailed_tokens"],
        up: include_str!("../../../migrations/postgres/tenant/0002_mailed_tokens/up.sql"),
        down: include_str!("../../../migrations/postgres/tenant/0002_mailed_tokens/down.sql"),
    },
];

/// The migrations of both kinds of schema, as a runner takes them: those that the binary carries,
/// or in a test those of a version that is yet to come.
#[derive(Clone, Copy)]
pub(crate) struct Lists {
    /// Those of the shared schema.
    pub(crate) shared: &'static [Migration],
    /// Those of each tenant's schema.
    pub(crate) tenant: &'static [Migration],
}

impl Lists {
    /// Those that the binary carries.
    pub(crate) const CARRIED: Self = Self {
        shared: SHARED,
        tenant: TENANT,
    };
}

/// A statement that notes that `migration` was applied to `schema`.
pub(crate) fn applied(schema: &str, migration: &Migration) -> Statement<'static> {
    Statement::new(APPLIED)
        .bind::<Text, _>(schema.to_owned())
        .bind::<Integer, _>(migration.version)
        .bind::<Text, _>(migration.name)
        .bind::<Text, _>(migration.up)
}

const APPLIED: &str = "\
    INSERT INTO tessera.migrations (schema, version, name, checksum) \
    VALUES ($, $, $, encode(sha256(convert_to($, 'UTF8')), 'hex'))";

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_binary_carries_every_migration_of_the_folder() {
        for (folder, list) in [("shared", SHARED), ("tenant", TENANT)] {
            let path = format!(
                "{}/../../migrations/postgres/{folder}",
                env!("CARGO_MANIFEST_DIR")
            );
            let mut found: Vec<String> = fs::read_dir(path)
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect();
            found.sort();
            let carried: Vec<String> = list
                .iter()
                .map(|it| format!("{:04}_{}", it.version, it.name))
                .collect();
            assert_eq!(carried, found);
        }
    }
    #[test]
    fn the_tables_of_a_tenant_are_those_that_its_migrations_make() {
        for migration in TENANT {
            let made: Vec<&str> = migration
                .up
                .lines()
                .filter_map(|line| line.strip_prefix("CREATE TABLE ")?.strip_suffix(" ("))
                .collect();
            assert_eq!(migration.tables, made, "{}", migration.name);
        }
    }
}
