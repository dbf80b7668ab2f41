-- What tenants share would be theirs no more; where those tables are gone there is nothing to lose.
LOCK TABLE tessera.tenants IN SHARE ROW EXCLUSIVE MODE;
DO $$
BEGIN
    IF to_regclass('tessera_shared.users') IS NOT NULL
        AND EXISTS (SELECT FROM tessera.tenants WHERE layout = 'shared' OR moving_to IS NOT NULL)
    THEN
        RAISE EXCEPTION 'a tenant shares tables with others, or is about to: move it to a schema, or delete it, first';
    END IF;
END
$$;

CREATE OR REPLACE FUNCTION tessera.keep_young_audit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM gone
        WHERE time >= (SELECT before FROM tessera.audit_expiry)
            AND EXISTS (SELECT FROM tessera.tenants WHERE tenants.id = gone.tenant_id))
    THEN
        RAISE EXCEPTION 'an entry of the audit trail stays until it expires';
    END IF;
    RETURN NULL;
END
$$;

DROP FUNCTION tessera.move_rows;
DROP FUNCTION tessera.empty_place;
DROP FUNCTION tessera.await_writers;
DROP FUNCTION tessera.digest;
DROP FUNCTION tessera.tables;
DROP FUNCTION tessera.unprotect;
DROP FUNCTION tessera.protect;
DROP FUNCTION tessera.session_where_it_is;
DROP FUNCTION tessera.enter_to_write;
DROP FUNCTION tessera.enter;
DROP FUNCTION tessera.settle_in;
DROP FUNCTION tessera.refuse_unbound;
DROP FUNCTION tessera.passes_by_row_security;
DROP INDEX tessera.tenants_shared_idx;
DROP FUNCTION tessera.elsewhere;
DROP FUNCTION tessera.place;
ALTER TABLE tessera.tenants
    DROP COLUMN issuer,
    DROP COLUMN mail_from,
    DROP COLUMN allowed_origins,
    DROP COLUMN refresh_seconds,
    DROP COLUMN access_seconds,
    DROP COLUMN moving_to,
    DROP COLUMN layout,
    DROP COLUMN is_deleting;
