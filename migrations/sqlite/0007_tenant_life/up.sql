-- A tenant that is being deleted is suspended, too: so the previous version of the service takes it.
ALTER TABLE tenants ADD COLUMN is_deleting INTEGER NOT NULL DEFAULT 0
    CONSTRAINT tenants_is_deleting_check CHECK (is_deleting IN (0, 1));
-- What a store with more than one layout would do with it; here all tenants are in the same tables.
ALTER TABLE tenants ADD COLUMN layout TEXT NOT NULL DEFAULT 'schema'
    CONSTRAINT tenants_layout_check CHECK (layout IN ('schema', 'shared'));
ALTER TABLE tenants ADD COLUMN moving_to TEXT
    CONSTRAINT tenants_moving_to_check CHECK (moving_to IN ('schema', 'shared'));
ALTER TABLE tenants ADD COLUMN access_seconds INTEGER
    CONSTRAINT tenants_access_seconds_check CHECK (access_seconds > 0);
ALTER TABLE tenants ADD COLUMN refresh_seconds INTEGER
    CONSTRAINT tenants_refresh_seconds_check CHECK (refresh_seconds > 0);
-- With blanks between them.
ALTER TABLE tenants ADD COLUMN allowed_origins TEXT NOT NULL DEFAULT '';
ALTER TABLE tenants ADD COLUMN mail_from TEXT;
ALTER TABLE tenants ADD COLUMN issuer TEXT NOT NULL DEFAULT 'installation'
    CONSTRAINT tenants_issuer_check CHECK (issuer IN ('installation', 'tenant'));

-- With its tenant, also bit by bit before that one is removed, or once it is old: else an entry stays.
DROP TRIGGER audit_delete;
CREATE TRIGGER audit_delete BEFORE DELETE ON audit
WHEN old.time >= (SELECT before FROM audit_expiry)
    AND EXISTS (
        SELECT 1 FROM tenants WHERE tenants.id = old.tenant_id AND tenants.is_deleting = 0
    )
BEGIN
    SELECT RAISE(ABORT, 'an entry of the audit trail stays until it expires');
END;
