-- A tenant that is being deleted is suspended, too: so the previous version of the service takes it.
ALTER TABLE tessera.tenants
    ADD COLUMN is_deleting boolean NOT NULL DEFAULT false,
    ADD COLUMN layout text NOT NULL DEFAULT 'schema'
        CONSTRAINT tenants_layout_check CHECK (layout IN ('schema', 'shared')),
    ADD COLUMN moving_to text
        CONSTRAINT tenants_moving_to_check CHECK (moving_to IN ('schema', 'shared')),
    ADD COLUMN access_seconds bigint
        CONSTRAINT tenants_access_seconds_check CHECK (access_seconds > 0),
    ADD COLUMN refresh_seconds bigint
        CONSTRAINT tenants_refresh_seconds_check CHECK (refresh_seconds > 0),
    ADD COLUMN allowed_origins text[] NOT NULL DEFAULT '{}',
    ADD COLUMN mail_from text,
    ADD COLUMN issuer text NOT NULL DEFAULT 'installation'
        CONSTRAINT tenants_issuer_check CHECK (issuer IN ('installation', 'tenant'));

-- The Postgres schema in which the data of a tenant is.
CREATE FUNCTION tessera.place(layout text, schema text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE
        WHEN layout = 'shared' THEN 'tessera_shared'
        WHEN schema = 'public' THEN 'tessera_public'
        ELSE schema
    END
$$;

-- Refuses a transaction that would find the data of a tenant nowhere, or half of it.
CREATE FUNCTION tessera.elsewhere(tenant uuid) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the tenant % is not there, being deleted, or on the way to another layout', tenant
        USING ERRCODE = 'TS002', CONSTRAINT = 'tessera_elsewhere';
END
$$;

CREATE INDEX tenants_shared_idx ON tessera.tenants (id) WHERE layout = 'shared';

-- Whether row-level security does not bind whoever calls this: a superuser, or a role with BYPASSRLS.
CREATE FUNCTION tessera.passes_by_row_security() RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user
$$;

-- Refuses those, and whoever turned it off.
CREATE FUNCTION tessera.refuse_unbound() RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF NOT row_security_active('tessera_shared.users'::regclass) THEN
        RAISE EXCEPTION 'row-level security does not bind this role, so tenants cannot share tables'
            USING ERRCODE = 'TS003', CONSTRAINT = 'tessera_unbound';
    END IF;
    RETURN true;
END
$$;

-- Until the end of the transaction, names of tables are those of one tenant, and of shared tables no
-- other tenant's rows can be seen or written.
CREATE FUNCTION tessera.settle_in(tenant uuid, place text) RETURNS boolean
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    IF place = 'tessera_shared' THEN
        PERFORM tessera.refuse_unbound();
    END IF;
    PERFORM set_config('search_path', quote_ident(place), true),
        set_config('tessera.tenant', tenant::text, true);
    RETURN true;
END
$$;

-- Where the data of a tenant is now, whatever the caller knew.
CREATE FUNCTION tessera.enter(tenant uuid) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    place text;
BEGIN
    SELECT tessera.place(t.layout, t.schema) INTO place FROM tessera.tenants t
    WHERE t.id = tenant AND t.moving_to IS NULL;
    IF NOT FOUND THEN
        PERFORM tessera.elsewhere(tenant);
    END IF;
    RETURN tessera.settle_in(tenant, place);
END
$$;

-- To write there: who moves or deletes a tenant says so first, and then waits for all transactions
-- that had an id by then. So whoever writes has an id before looking.
CREATE FUNCTION tessera.enter_to_write(tenant uuid) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    place text;
BEGIN
    PERFORM pg_current_xact_id();
    SELECT tessera.place(t.layout, t.schema) INTO place FROM tessera.tenants t
    WHERE t.id = tenant AND t.moving_to IS NULL AND NOT t.is_deleting;
    IF NOT FOUND THEN
        PERFORM tessera.elsewhere(tenant);
    END IF;
    RETURN tessera.settle_in(tenant, place);
END
$$;

-- tessera.session_with_settings, wherever the tenant is; the one before stays for the version before.
CREATE FUNCTION tessera.session_where_it_is(shown text, session_id uuid) RETURNS TABLE (
    s_tenant_id uuid, s_id uuid, s_user_id uuid, s_epoch bigint, s_generation bigint,
    s_refreshed_at bigint, s_idle_end bigint, s_absolute_end bigint, s_key text,
    s_created_at bigint, s_ip text, s_user_agent text, s_wrong_passwords bigint,
    s_ended_at bigint, s_ended_why text, s_version bigint, u_tenant_id uuid, u_id uuid, u_external_id text, u_email text,
    u_email_key text, u_email_verified boolean, u_username text, u_username_key text,
    u_first_name text, u_last_name text, u_job_role text, u_roles text[],
    u_is_superuser boolean, u_status text, u_password text, u_failures bigint,
    u_last_failure bigint, u_locked_until bigint, u_epoch bigint, u_joined_at bigint,
    u_last_login bigint, u_events bigint, u_version bigint, t_id uuid, t_external_id text,
    t_name text, t_schema text, t_status text, t_created_at bigint, t_events bigint,
    t_version bigint, t_registration text, t_password_chars bigint, t_job_role_by text,
    t_is_deleting boolean, t_layout text, t_moving_to text, t_access_seconds bigint,
    t_refresh_seconds bigint, t_allowed_origins text[], t_mail_from text, t_issuer text,
    hosts text[], primaries boolean[]
) LANGUAGE plpgsql STABLE AS $$
DECLARE
    t tessera.tenants;
BEGIN
    SELECT * INTO t FROM tessera.tenants WHERE tenants.schema = shown;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    IF t.moving_to IS NOT NULL THEN
        PERFORM tessera.elsewhere(t.id);
    END IF;
    PERFORM tessera.settle_in(t.id, tessera.place(t.layout, t.schema));
    RETURN QUERY SELECT
        s.tenant_id, s.id, s.user_id, s.epoch, s.generation, s.refreshed_at, s.idle_end,
        s.absolute_end, s.key, s.created_at, s.ip, s.user_agent, s.wrong_passwords,
        s.ended_at, s.ended_why, s.version, u.tenant_id, u.id, u.external_id, u.email, u.email_key,
        u.email_verified, u.username, u.username_key, u.first_name, u.last_name, u.job_role,
        u.roles, u.is_superuser, u.status, u.password, u.failures, u.last_failure, u.locked_until,
        u.epoch, u.joined_at, u.last_login, u.events, u.version, t.id, t.external_id, t.name,
        t.schema, t.status, t.created_at, t.events, t.version, t.registration, t.password_chars,
        t.job_role_by, t.is_deleting, t.layout, t.moving_to, t.access_seconds, t.refresh_seconds,
        t.allowed_origins, t.mail_from, t.issuer,
        ARRAY(SELECT d.host FROM tessera.tenant_domains d
              WHERE d.tenant_id = t.id ORDER BY d.place),
        ARRAY(SELECT d.is_primary FROM tessera.tenant_domains d
              WHERE d.tenant_id = t.id ORDER BY d.place)
    FROM sessions s
    JOIN users u ON u.tenant_id = s.tenant_id AND u.id = s.user_id
    WHERE s.tenant_id = t.id AND s.id = session_id;
END
$$;

-- Has Postgres keep the rows of tenants apart that share the tables of a schema, whoever asks and
-- however: the owner of the tables, too.
CREATE FUNCTION tessera.protect(place text) RETURNS void LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    called text;
BEGIN
    FOR called IN
        SELECT tables.called FROM tessera.tables(place) AS tables
    LOOP
        EXECUTE format('ALTER TABLE %I.%I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY',
            place, called);
        IF NOT EXISTS (SELECT FROM pg_policies WHERE schemaname = place AND tablename = called) THEN
            EXECUTE format('CREATE POLICY tenant ON %I.%I
                USING (tenant_id = nullif(current_setting(%L, true), %L)::uuid)',
                place, called, 'tessera.tenant', '');
        END IF;
    END LOOP;
END
$$;

-- Lets the owner see all rows until `protect` ends that in the same transaction: a migration changes
-- rows of every tenant.
CREATE FUNCTION tessera.unprotect(place text) RETURNS void LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    called text;
BEGIN
    FOR called IN
        SELECT tables.called FROM tessera.tables(place) AS tables
    LOOP
        EXECUTE format('ALTER TABLE %I.%I NO FORCE ROW LEVEL SECURITY', place, called);
    END LOOP;
END
$$;

-- The tables of a schema, each after those that its rows refer to.
CREATE FUNCTION tessera.tables(place text) RETURNS TABLE (called text) LANGUAGE sql STABLE AS $$
    WITH RECURSIVE steps (id, step) AS (
        SELECT oid, 0 FROM pg_class
        WHERE relnamespace = quote_ident(place)::regnamespace AND relkind IN ('r', 'p')
        UNION
        SELECT conrelid, step + 1 FROM steps
        JOIN pg_constraint ON confrelid = id AND contype = 'f' AND conrelid <> id
    )
    SELECT relname::text FROM steps JOIN pg_class ON oid = id
    GROUP BY relname ORDER BY max(step), relname
$$;

-- What distinguishes the rows of a tenant in a table from others, whatever their order.
CREATE FUNCTION tessera.digest(tenant uuid, place text, called text, fields text) RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE
    digest text;
BEGIN
    EXECUTE format('SELECT concat_ws(%L, count(*), sum(hashtextextended(row(%s)::text, 0)::numeric))
        FROM %I.%I WHERE tenant_id = $1', ' ', fields, place, called) INTO digest USING tenant;
    RETURN digest;
END
$$;

-- Waits for all transactions that write in this database.
CREATE FUNCTION tessera.await_writers() RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    begun xid[] := ARRAY(
        SELECT transactionid FROM pg_locks JOIN pg_stat_activity USING (pid)
        WHERE locktype = 'transactionid' AND mode = 'ExclusiveLock' AND granted
            AND datname = current_database() AND pid <> pg_backend_pid());
BEGIN
    WHILE EXISTS (
        SELECT FROM pg_locks
        WHERE locktype = 'transactionid' AND mode = 'ExclusiveLock' AND granted
            AND transactionid = ANY (begun))
    LOOP
        PERFORM pg_sleep(0.01);
    END LOOP;
    RETURN true;
END
$$;

-- Brings the rows of a tenant from one schema to another, compares them, and lets those go that were
-- there before; answers how many there are. Nobody may write them meanwhile.
CREATE FUNCTION tessera.move_rows(tenant uuid, source text, target text) RETURNS bigint
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    called text;
    fields text;
    moved bigint;
    total bigint := 0;
    has_others boolean;
    others text;
BEGIN
    PERFORM tessera.refuse_unbound();
    IF (SELECT array_agg(version ORDER BY version) FROM tessera.migrations WHERE schema = source)
        IS DISTINCT FROM
        (SELECT array_agg(version ORDER BY version) FROM tessera.migrations WHERE schema = target)
    THEN
        RAISE EXCEPTION 'the tables in % and % are of different versions: run `tessera migrate`',
            source, target;
    END IF;
    SELECT string_agg(relname, ', ' ORDER BY relname) INTO others FROM pg_class
    WHERE source <> 'tessera_shared' AND relnamespace = quote_ident(source)::regnamespace
        AND relkind IN ('f', 'm', 'p', 'r', 'S', 'v')
        AND relname NOT IN (SELECT tables.called FROM tessera.tables(target) AS tables);
    IF others IS NOT NULL THEN
        RAISE EXCEPTION 'the schema % has what is not Tessera''s, and would be lost: %', source, others;
    END IF;
    PERFORM set_config('tessera.tenant', tenant::text, true);
    FOR called IN SELECT tables.called FROM tessera.tables(source) AS tables LOOP
        -- The version before does not ask where the tenant is. Of shared tables it knows nothing.
        IF source <> 'tessera_shared' THEN
            EXECUTE format('LOCK TABLE %I.%I IN SHARE MODE', source, called);
        END IF;
    END LOOP;
    FOR called IN SELECT tables.called FROM tessera.tables(target) AS tables LOOP
        SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) INTO fields
        FROM pg_attribute
        WHERE attrelid = format('%I.%I', target, called)::regclass
            AND attnum > 0 AND NOT attisdropped;
        EXECUTE format('INSERT INTO %I.%I (%s) SELECT %s FROM %I.%I WHERE tenant_id = $1',
            target, called, fields, fields, source, called) USING tenant;
        GET DIAGNOSTICS moved = ROW_COUNT;
        total := total + moved;
        IF tessera.digest(tenant, source, called, fields)
            IS DISTINCT FROM tessera.digest(tenant, target, called, fields)
        THEN
            RAISE EXCEPTION 'the rows of % did not arrive as they were', called;
        END IF;
        EXECUTE format('SELECT EXISTS (SELECT FROM %I.%I WHERE tenant_id <> $1)', source, called)
            INTO has_others USING tenant;
        IF has_others THEN
            RAISE EXCEPTION 'the table % of % has rows of another tenant', called, source;
        END IF;
    END LOOP;
    PERFORM tessera.empty_place(tenant, source);
    RETURN total;
END
$$;

-- Removes the place of a tenant with all that is in it; of shared tables, the rows of the tenant.
CREATE FUNCTION tessera.empty_place(tenant uuid, place text) RETURNS boolean
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

-- As before, but for a tenant that is being deleted.
CREATE OR REPLACE FUNCTION tessera.keep_young_audit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM gone
        WHERE time >= (SELECT before FROM tessera.audit_expiry)
            AND EXISTS (SELECT FROM tessera.tenants
                WHERE tenants.id = gone.tenant_id AND NOT tenants.is_deleting))
    THEN
        RAISE EXCEPTION 'an entry of the audit trail stays until it expires';
    END IF;
    RETURN NULL;
END
$$;
