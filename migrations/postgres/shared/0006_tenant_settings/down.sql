DROP FUNCTION tessera.session_with_settings;
ALTER TABLE tessera.tenants
    DROP COLUMN job_role_by,
    DROP COLUMN password_chars,
    DROP COLUMN registration;
