ALTER TABLE tenants DROP COLUMN job_role_by;
ALTER TABLE tenants DROP COLUMN password_chars;
ALTER TABLE tenants DROP COLUMN registration;
