-- Who did what: an entry for each event, which stays when the event goes. Read from the newest on.
CREATE TABLE tessera.audit (
    time bigint NOT NULL,
    id uuid NOT NULL,
    tenant_id uuid NOT NULL,
    type text COLLATE "C" NOT NULL,
    subject text COLLATE "C" NOT NULL,
    user_id uuid,
    actor text NOT NULL,
    actor_id uuid,
    actor_tenant_id uuid,
    ip text,
    data text NOT NULL,
    CONSTRAINT audit_pkey PRIMARY KEY (time, id),
    CONSTRAINT audit_actor_check CHECK (actor IN ('anybody', 'operator', 'service', 'user')),
    CONSTRAINT audit_actor_user_check CHECK (
        (actor = 'user') = (actor_id IS NOT NULL)
        AND (actor_id IS NULL) = (actor_tenant_id IS NULL)
    )
);

CREATE INDEX audit_tenant_idx ON tessera.audit (tenant_id, time, id);
CREATE INDEX audit_user_idx ON tessera.audit (user_id, time, id) WHERE user_id IS NOT NULL;
CREATE INDEX audit_actor_idx ON tessera.audit (actor_id, time, id) WHERE actor_id IS NOT NULL;
CREATE INDEX audit_type_idx ON tessera.audit (type, time, id);

-- Entries from before this moment may go; it never moves back.
CREATE TABLE tessera.audit_expiry (
    singleton boolean NOT NULL,
    before bigint NOT NULL,
    CONSTRAINT audit_expiry_pkey PRIMARY KEY (singleton),
    CONSTRAINT audit_expiry_singleton_check CHECK (singleton)
);

INSERT INTO tessera.audit_expiry VALUES (true, 0);

CREATE FUNCTION tessera.keep_audit_expiry() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'what the audit trail has to keep never becomes more';
END
$$;

CREATE TRIGGER audit_expiry_update BEFORE UPDATE ON tessera.audit_expiry
    FOR EACH ROW WHEN (new.before < old.before) EXECUTE FUNCTION tessera.keep_audit_expiry();

CREATE TRIGGER audit_expiry_delete BEFORE DELETE OR TRUNCATE ON tessera.audit_expiry
    FOR EACH STATEMENT EXECUTE FUNCTION tessera.keep_audit_expiry();

CREATE FUNCTION tessera.keep_audit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'an entry of the audit trail is never changed';
END
$$;

CREATE TRIGGER audit_update BEFORE UPDATE OR TRUNCATE ON tessera.audit
    FOR EACH STATEMENT EXECUTE FUNCTION tessera.keep_audit();

-- With its tenant, or once it is old: else an entry stays.
CREATE FUNCTION tessera.keep_young_audit() RETURNS trigger LANGUAGE plpgsql AS $$
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

CREATE TRIGGER audit_delete AFTER DELETE ON tessera.audit REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION tessera.keep_young_audit();

-- Removes at most `few` of the oldest entries from before `horizon`; answers how many. It gives way
-- to another one that does the same.
CREATE FUNCTION tessera.expire_audit(horizon bigint, few bigint) RETURNS bigint
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    removed bigint;
BEGIN
    IF NOT pg_try_advisory_xact_lock(84737, 2) THEN
        RETURN 0;
    END IF;
    UPDATE tessera.audit_expiry SET before = horizon WHERE before < horizon;
    DELETE FROM tessera.audit WHERE (time, id) IN (
        SELECT time, id FROM tessera.audit WHERE time < horizon ORDER BY time, id LIMIT few);
    GET DIAGNOSTICS removed = ROW_COUNT;
    RETURN removed;
END
$$;
