-- What statements need that name the schema of a tenant, and do not ask first where the tenant is.

-- Whoever moves or removes a tenant waits for them, and they wait for it. Both lock the tables in the same
-- order, or they would wait for each other.
CREATE FUNCTION tessera.hold_tables(place text, mode text) RETURNS boolean
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    called text;
BEGIN
    IF to_regnamespace(quote_ident(place)) IS NULL THEN
        RETURN false;
    END IF;
    FOR called IN SELECT tables.called FROM tessera.tables(place) AS tables LOOP
        EXECUTE format('LOCK TABLE %I.%I IN %s MODE', place, called, mode);
    END LOOP;
    RETURN true;
END
$$;

-- A connection takes a tenant for what it was as long as its version is the same: also what is changed
-- by hand, as a suspension in an emergency, raises it.
CREATE FUNCTION tessera.raise_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.version = OLD.version THEN
        NEW.version := OLD.version + 1;
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER tenants_version BEFORE UPDATE ON tessera.tenants
    FOR EACH ROW EXECUTE FUNCTION tessera.raise_version();

CREATE OR REPLACE FUNCTION tessera.empty_place(tenant uuid, place text) RETURNS boolean
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    called text;
BEGIN
    IF place <> 'tessera_shared' THEN
        PERFORM tessera.hold_tables(place, 'ACCESS EXCLUSIVE');
        EXECUTE format('DROP SCHEMA IF EXISTS %I CASCADE', place);
        DELETE FROM tessera.migrations WHERE schema = place;
        RETURN true;
    END IF;
    PERFORM set_config('tessera.tenant', tenant::text, true);
    FOR called IN SELECT tables.called FROM tessera.tables(place) AS tables LOOP
        EXECUTE format('DELETE FROM %I.%I WHERE tenant_id = $1', place, called) USING tenant;
    END LOOP;
    RETURN true;
END
$$;
