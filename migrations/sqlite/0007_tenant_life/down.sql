DROP TRIGGER audit_delete;
CREATE TRIGGER audit_delete BEFORE DELETE ON audit
WHEN old.time >= (SELECT before FROM audit_expiry)
    AND EXISTS (SELECT 1 FROM tenants WHERE tenants.id = old.tenant_id)
BEGIN
    SELECT RAISE(ABORT, 'an entry of the audit trail stays until it expires');
END;

ALTER TABLE tenants DROP COLUMN issuer;
ALTER TABLE tenants DROP COLUMN mail_from;
ALTER TABLE tenants DROP COLUMN allowed_origins;
ALTER TABLE tenants DROP COLUMN refresh_seconds;
ALTER TABLE tenants DROP COLUMN access_seconds;
ALTER TABLE tenants DROP COLUMN moving_to;
ALTER TABLE tenants DROP COLUMN layout;
ALTER TABLE tenants DROP COLUMN is_deleting;
