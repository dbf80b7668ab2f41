ALTER TABLE tenants DROP COLUMN issuer;
ALTER TABLE tenants DROP COLUMN mail_from;
ALTER TABLE tenants DROP COLUMN allowed_origins;
ALTER TABLE tenants DROP COLUMN refresh_seconds;
ALTER TABLE tenants DROP COLUMN access_seconds;
ALTER TABLE tenants DROP COLUMN moving_to;
ALTER TABLE tenants DROP COLUMN layout;
ALTER TABLE tenants DROP COLUMN is_deleting;
