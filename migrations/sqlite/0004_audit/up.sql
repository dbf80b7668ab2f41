-- Who did what: an entry for each event, which stays when the event goes. Read from the newest on.
CREATE TABLE audit (
    time INTEGER NOT NULL,
    id BLOB NOT NULL,
    tenant_id BLOB NOT NULL,
    type TEXT NOT NULL,
    subject TEXT NOT NULL,
    user_id BLOB,
    actor TEXT NOT NULL,
    actor_id BLOB,
    actor_tenant_id BLOB,
    ip TEXT,
    data TEXT NOT NULL,
    CONSTRAINT audit_pkey PRIMARY KEY (time, id),
    CONSTRAINT audit_id_check CHECK (length(id) = 16),
    CONSTRAINT audit_tenant_id_check CHECK (length(tenant_id) = 16),
    CONSTRAINT audit_user_id_check CHECK (length(user_id) = 16),
    CONSTRAINT audit_actor_check CHECK (actor IN ('anybody', 'operator', 'service', 'user')),
    CONSTRAINT audit_actor_id_check CHECK (length(actor_id) = 16),
    CONSTRAINT audit_actor_tenant_id_check CHECK (length(actor_tenant_id) = 16),
    CONSTRAINT audit_actor_user_check CHECK (
        (actor = 'user') = (actor_id IS NOT NULL)
        AND (actor_id IS NULL) = (actor_tenant_id IS NULL)
    )
) STRICT, WITHOUT ROWID;

-- Each has the key of the table behind its own.
CREATE INDEX audit_tenant_id_time_idx ON audit (tenant_id, time);
CREATE INDEX audit_user_id_time_idx ON audit (user_id, time) WHERE user_id IS NOT NULL;
CREATE INDEX audit_actor_id_time_idx ON audit (actor_id, time) WHERE actor_id IS NOT NULL;
CREATE INDEX audit_type_time_idx ON audit (type, time);

-- Entries from before this moment may go; it never moves back.
CREATE TABLE audit_expiry (
    id INTEGER NOT NULL,
    before INTEGER NOT NULL,
    CONSTRAINT audit_expiry_pkey PRIMARY KEY (id),
    CONSTRAINT audit_expiry_id_check CHECK (id = 1)
) STRICT;

INSERT INTO audit_expiry VALUES (1, 0);

CREATE TRIGGER audit_expiry_update BEFORE UPDATE ON audit_expiry
WHEN new.before < old.before
BEGIN
    SELECT RAISE(ABORT, 'what the audit trail has to keep never becomes more');
END;

CREATE TRIGGER audit_expiry_delete BEFORE DELETE ON audit_expiry
BEGIN
    SELECT RAISE(ABORT, 'what the audit trail has to keep never becomes more');
END;

-- A REPLACE deletes without a trigger for it.
CREATE TRIGGER audit_expiry_insert BEFORE INSERT ON audit_expiry
BEGIN
    SELECT RAISE(ABORT, 'what the audit trail has to keep never becomes more');
END;

CREATE TRIGGER audit_insert BEFORE INSERT ON audit
WHEN EXISTS (SELECT 1 FROM audit WHERE audit.time = new.time AND audit.id = new.id)
BEGIN
    SELECT RAISE(ABORT, 'an entry of the audit trail is never changed');
END;

CREATE TRIGGER audit_update BEFORE UPDATE ON audit
BEGIN
    SELECT RAISE(ABORT, 'an entry of the audit trail is never changed');
END;

-- With its tenant, or once it is old: else an entry stays.
CREATE TRIGGER audit_delete BEFORE DELETE ON audit
WHEN old.time >= (SELECT before FROM audit_expiry)
    AND EXISTS (SELECT 1 FROM tenants WHERE tenants.id = old.tenant_id)
BEGIN
    SELECT RAISE(ABORT, 'an entry of the audit trail stays until it expires');
END;
