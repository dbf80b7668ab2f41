DROP TRIGGER tenants_version ON tessera.tenants;

DROP FUNCTION tessera.raise_version;

CREATE OR REPLACE FUNCTION tessera.empty_place(tenant uuid, place text) RETURNS boolean
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    called text;
BEGIN
    IF place <> 'tessera_shared' THEN
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

DROP FUNCTION tessera.hold_tables;
